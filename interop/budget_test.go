package interop

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// background starts a foreign program and waits for its first line.
func background(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, name, args...)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); c.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("%s said %q and ended: %v", name, line, err)
	}
}

// The budgets of a built binary.
const (
	firstRun  = 2 * time.Second
	warmStart = 500 * time.Millisecond
	idleRSS   = 60 << 20
	size      = 40 << 20
)

// TestBudgets measures what a first run, a warm start and idling cost. Other tests run beside it, so the best of some
// tries is what counts.
func TestBudgets(t *testing.T) {
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	first, warm := time.Hour, time.Hour
	var rss int64
	for range 5 {
		in := newInstance(t, "a.test")
		first = min(first, untilReady(in))
		rss = memory(t, in.process.Process.Pid)
		if err := in.stop(syscall.SIGTERM); err != nil {
			t.Errorf("it ended with %v: %s", err, in.printed.String())
		}
		warm = min(warm, untilReady(in))
		in.stop(syscall.SIGTERM)
		if first < firstRun && warm < warmStart {
			break
		}
	}
	t.Logf("first run %d ms, warm start %d ms, idle %d MiB, binary %d MiB",
		first.Milliseconds(), warm.Milliseconds(), rss>>20, info.Size()>>20)
	if first > firstRun || warm > warmStart || rss > idleRSS || info.Size() > size {
		t.Errorf("over budget: %v, %v, %d MiB, %d MiB", firstRun, warmStart, idleRSS>>20, size>>20)
	}
}

func untilReady(in *instance) time.Duration {
	in.t.Helper()
	began := time.Now()
	in.start()
	return time.Since(began)
}

// memory is the resident set of a process, in bytes.
func memory(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmRSS:\s+([0-9]+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatalf("no VmRSS in\n%s", status)
	}
	kilobytes, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}

// TestFirstRunPrintsLittle counts what a stranger has to read.
func TestFirstRunPrintsLittle(t *testing.T) {
	t.Parallel()
	in := serve(t, "a.test")
	in.stop(syscall.SIGTERM)
	if lines := strings.Count(in.printed.String(), "\n"); lines > 20 || lines < 5 {
		t.Errorf("a first run prints %d lines, at most 20:\n%s", lines, in.printed.String())
	}
}

// TestKilledAtAnyMoment kills the instance while users are being added. Every one that was acknowledged is there after
// the next start, which works without further ado, and none is there by half.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	in := newInstance(t, "a.test")
	acknowledged := map[string]bool{}
	for round := range 6 {
		in.start()
		var killed atomic.Bool
		timer := time.AfterFunc(time.Duration(50+rand.N(400))*time.Millisecond, func() {
			killed.Store(true)
			in.process.Process.Kill()
		})
		for i := 0; !killed.Load() && i < 100; i++ {
			name := fmt.Sprintf("u%d-%d", round, i)
			out, err := in.run("password of "+name+"\n", "user", "add", name, "--password-stdin")
			if err == nil {
				acknowledged[name] = true
			} else if !killed.Load() {
				t.Fatalf("adding a user failed before the kill: %s", out)
			}
		}
		timer.Stop()
		in.process.Process.Kill()
		<-in.ended
	}
	in.start()
	list, err := in.run("", "user", "list")
	if err != nil {
		t.Fatalf("%v: %s", err, list)
	}
	for name := range acknowledged {
		if !regexp.MustCompile(`(?m)^` + name + ` +user +set`).MatchString(list) {
			t.Errorf("%s was acknowledged and is not there whole:\n%s", name, list)
		}
	}
	t.Logf("%d users acknowledged over six kills", len(acknowledged))
	if len(acknowledged) == 0 {
		t.Error("no user was ever acknowledged: nothing was tested")
	}
}
