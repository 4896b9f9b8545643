package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	servers "github.com/network-utopia/utopia/internal/foreign"
	"github.com/network-utopia/utopia/internal/leftout"
)

// TestBench runs measurements of bench/ once, for the shortest time: the servers answer the workloads, and every number
// is there. What the numbers are, a machine that runs tests cannot tell.
func TestBench(t *testing.T) {
	needsProc(t)
	for _, program := range []string{"dnsperf", "ldns-signzone", "nsd"} {
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
	c := exec.CommandContext(ctx, "go", "run", "../bench", "dns", "-rounds", "1", "-seconds", "1", "-names", "20000", "-rate", "2000",
		"-only", "fixed,signed-nxdomain,load", "-servers", "nsd,utopia", "-json", "-utopia", ours)
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	var report struct {
		Missing []string
		Medians []map[string]any
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v\n%s", err, out)
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
	if seen["nsd"] != 3 || seen["utopia"] != 3 || len(report.Missing) > 0 {
		t.Errorf("measured %v, missing %v", seen, report.Missing)
	}
}

// TestMutatedPackets throws packets at the real program that are almost right: it neither crashes nor falls silent nor
// grows, and says nothing where it should be silent. go run ./bench dns -mutate 1e7 throws more of them.
func TestMutatedPackets(t *testing.T) {
	needsProc(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	ours, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(ctx, "go", "run", "../bench", "dns", "-mutate", "100000", "-utopia", ours)
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "100000 mutated packets") {
		t.Errorf("%v\n%s", err, out)
	}
}

// needsProc leaves a test out where bench/ cannot read what a process costs.
func needsProc(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/proc/self/smaps_rollup"); err != nil {
		leftout.Because(t, "bench reads the memory of processes from /proc: %v", err)
	}
}
