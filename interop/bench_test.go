package interop

import (
	"context"
	"encoding/json"
	"os/exec"
	"testing"
	"time"

	servers "github.com/network-utopia/utopia/internal/foreign"
	"github.com/network-utopia/utopia/internal/leftout"
)

// TestBench runs the measurements of bench/ once, for the shortest time: every server answers every workload, and every
// number is there. What the numbers are, a machine that runs tests cannot tell.
func TestBench(t *testing.T) {
	for _, program := range []string{"dnsperf", "ldns-signzone"} {
		if _, err := servers.Find(program); err != nil {
			leftout.Because(t, "%v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ours, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(ctx, "go", "run", "../bench", "dns", "-rounds", "1", "-seconds", "1", "-names", "20000", "-rate", "2000", "-json", "-utopia", ours)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var report struct {
		Missing []string
		Medians []map[string]any
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, missing := range report.Missing {
		t.Logf("%s", missing)
	}
	seen := map[string]int{}
	for _, m := range report.Medians {
		server, workload := m["server"].(string), m["workload"].(string)
		seen[server]++
		want := []string{"cpu_us_per_query", "queries_per_second"}
		switch workload {
		case "fixed":
			want = append(want, "p99_ms")
		case "load":
			want = []string{"load_cpu_s", "memory_bytes", "peak_bytes"}
		}
		for _, w := range want {
			if n, _ := m[w].(float64); n <= 0 && (m["skipped"] == nil || server != "utopia") {
				t.Errorf("%s, %s: no %s: %v", server, workload, w, m)
			}
		}
	}
	if want := 4 - len(report.Missing); len(seen) != want || seen["utopia"] != 6 {
		t.Errorf("%d servers, want %d: %v", len(seen), want, seen)
	}
}
