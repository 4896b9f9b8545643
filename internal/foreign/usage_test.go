package foreign

import (
	"os"
	"os/exec"
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

// What a process's children cost is its cost, while they run and when they have ended.
func TestUsageOfChildren(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		leftout.Because(t, "this system has no /proc")
	}
	const busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
	for name, script := range map[string]string{
		"running": "(" + busy + "; sleep 30) & wait",
		"ended":   "(" + busy + "); sleep 30",
	} {
		t.Run(name, func(t *testing.T) {
			c := exec.CommandContext(t.Context(), "sh", "-c", script)
			c.SysProcAttr = EndsWithUs()
			if err := c.Start(); err != nil {
				leftout.Because(t, "there is no sh: %v", err)
			}
			defer func() {
				endGroup(c.Process.Pid)
				_ = c.Wait() // killed
			}()
			var cpu time.Duration
			for end := time.Now().Add(20 * time.Second); cpu < 50*time.Millisecond && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				var err error
				if cpu, err = CPUOf(c.Process.Pid); err != nil {
					t.Fatal(err)
				}
			}
			if cpu < 50*time.Millisecond {
				t.Errorf("the child's work cost %v", cpu)
			}
		})
	}
}
