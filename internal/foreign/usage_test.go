package foreign

import (
	"os"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/leftout"
)

func TestParseStat(t *testing.T) {
	line := "42 (a) b (c) S 7 42 42 0 -1 4194560 100 0 0 0 11 22 33 44 20 0 1 0 100 0 0\n"
	p, err := parseStat([]byte(line))
	if err != nil || p.pid != 42 || p.parent != 7 || p.cpu != 1100*time.Millisecond {
		t.Errorf("%+v %v", p, err)
	}
	for _, bad := range []string{"", "42", "42 (a", "x (a) S 7", "42 (a) S 7 1 2 3", "42 (a) S x 42 42 0 -1 4194560 100 0 0 0 11 22 33 44 20",
		"42 (a) S 7 42 42 0 -1 4194560 100 0 0 0 11 x 33 44 20"} {
		if p, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q: %+v", bad, p)
		}
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		leftout.Because(t, "this system has no /proc")
	}
	before, err := UsageOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 100*time.Millisecond; {
		_ = make([]byte, 1<<10)
	}
	after, err := UsageOf(os.Getpid())
	if err != nil || after.CPU <= before.CPU || after.CPU > before.CPU+10*time.Second {
		t.Errorf("%+v, %+v %v", before, after, err)
	}
	if after.Memory < 1<<20 || after.Peak < after.Memory/2 {
		t.Errorf("%+v", after)
	}
	if cpu, err := CPUOf(os.Getpid()); err != nil || cpu < after.CPU {
		t.Errorf("%v %v, after %v", cpu, err, after.CPU)
	}
	if _, err := UsageOf(1 << 30); err == nil {
		t.Error("a process that is not there has a usage")
	}
}
