package crashtest_test

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/internal/crashtest"
	"github.com/network-utopia/utopia/internal/state/disk"
)

// all is a script with each call that is a step, in order; each can fail.
const all = "create a\n mkdir d\n syncdir .\n write a abcd\n sync a\n empty a\n link a b\n rename b d/b\n remove a\n syncdir d"

// try runs a script and gives the calls that failed.
func try(d *crashtest.Disk, lines string) map[string]error {
	failed := map[string]error{}
	for line := range strings.Lines(lines) {
		if w := strings.Fields(line); len(w) > 0 {
			if err := run(d, w); err != nil {
				failed[strings.Join(w, " ")] = err
			}
		}
	}
	return failed
}

func TestCrashAtEachStep(t *testing.T) {
	t.Parallel()
	lines := strings.Split(all, "\n")
	whole := crashtest.New(crashtest.Options{})
	script(t, whole, all)
	if whole.Steps() != len(lines) || whole.Crashed() {
		t.Fatalf("%d steps, crashed %v", whole.Steps(), whole.Crashed())
	}
	for n := 1; n <= len(lines); n++ {
		for _, moment := range []crashtest.Moment{crashtest.Before, crashtest.After} {
			d := crashtest.New(crashtest.Options{})
			d.CrashAt(n, moment)
			failed := try(d, all)
			if len(failed) != len(lines)-n+1 || !d.Crashed() || d.Failed() || d.Steps() != n {
				t.Errorf("%s step %d: %d steps, %v", moment, n, d.Steps(), failed)
			}
			for call, err := range failed {
				var path *fs.PathError
				if !errors.Is(err, crashtest.ErrCrashed) || !errors.As(err, &path) {
					t.Errorf("%s: %v", call, err)
				}
			}
			// What was done until then can be seen by who kept it all.
			done := crashtest.New(crashtest.Options{})
			last := n - 1
			if moment == crashtest.After {
				last = n
			}
			script(t, done, strings.Join(lines[:last], "\n"))
			if got, want := tree(t, d.Reboot(crashtest.Kept)), tree(t, done); got != want {
				t.Errorf("%s step %d: %q, want %q", moment, n, got, want)
			}
		}
	}
}

// After the crash nothing can be read either, by name or by an open file.
func TestNothingAfterTheCrash(t *testing.T) {
	t.Parallel()
	d := crashtest.New(crashtest.Options{})
	file, err := d.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	d.Crash()
	_, openErr := d.Open("a")
	_, listErr := d.ReadDir(".")
	_, statErr := d.Stat("a")
	_, readErr := file.ReadAt(make([]byte, 1), 0)
	_, writeErr := file.WriteAt([]byte("x"), 0)
	_, sizeErr := file.Size()
	for what, err := range map[string]error{
		"Open": openErr, "ReadDir": listErr, "Stat": statErr, "ReadAt": readErr, "WriteAt": writeErr, "Size": sizeErr,
		"Truncate": file.Truncate(0), "Sync": file.Sync(), "Close": file.Close(), "Remove": d.Remove("a"),
	} {
		if !errors.Is(err, crashtest.ErrCrashed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if d.Steps() != 1 {
		t.Errorf("%d steps", d.Steps())
	}
}

// A call that fails changes nothing, but for what a sync loses and a short write has written.
func TestFaults(t *testing.T) {
	t.Parallel()
	lines := strings.Split(all, "\n")
	for n, line := range lines {
		call := strings.Join(strings.Fields(line), " ")
		op, _, _ := strings.Cut(call, " ")
		for _, fault := range crashtest.Faults() {
			d := crashtest.New(crashtest.Options{})
			d.FailAt(n+1, fault)
			script(t, d, strings.Join(lines[:n], "\n"))
			before := tree(t, d)
			err := try(d, line)[call]
			want := map[crashtest.Fault]error{
				crashtest.NoSpace: syscall.ENOSPC, crashtest.BadDisk: syscall.EIO, crashtest.ShortWrite: syscall.ENOSPC,
			}[fault]
			if fault == crashtest.ShortWrite && op != "write" || fault == crashtest.NoSpace && op == "remove" {
				want = nil
			}
			if !errors.Is(err, want) || d.Failed() != (want != nil) || d.Crashed() {
				t.Errorf("%s of %q: %v, want %v", fault, call, err, want)
			}
			switch after := tree(t, d); {
			case want == nil:
			case fault == crashtest.ShortWrite && after != "a=ab d/":
				t.Errorf("a short write leaves %q", after)
			case fault != crashtest.ShortWrite && after != before:
				t.Errorf("%s of %q: %q, before it was %q", fault, call, after, before)
			}
		}
	}
}

// A sync that fails loses what it was to write. The file is poisoned; opened anew it seems well, and is not.
func TestAFailedSync(t *testing.T) {
	t.Parallel()
	d := crashtest.New(crashtest.Options{})
	script(t, d, "create a\n write a old\n sync a\n syncdir .")
	file, err := d.OpenWrite("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte("new"), 3); err != nil {
		t.Fatal(err)
	}
	d.FailAt(d.Steps()+1, crashtest.BadDisk)
	first := file.Sync()
	if !errors.Is(first, syscall.EIO) {
		t.Fatal(first)
	}
	_, writeErr := file.WriteAt([]byte("x"), 0)
	for what, err := range map[string]error{"Sync": file.Sync(), "WriteAt": writeErr, "Truncate": file.Truncate(0)} {
		if err != first {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := tree(t, d); got != "a=oldnew" {
		t.Errorf("seen: %q", got)
	}
	script(t, d, "sync a\n write a er\n sync a") // each opens the file anew
	for _, fate := range []crashtest.Fate{crashtest.Lost, crashtest.Kept} {
		if got := tree(t, d.Reboot(fate)); got != "a=old...er" {
			t.Errorf("%s: %q", fate, got)
		}
	}
}

func TestAFailedSyncDir(t *testing.T) {
	t.Parallel()
	d := crashtest.New(crashtest.Options{})
	script(t, d, "mkdir d\n syncdir .\n create a")
	d.FailAt(d.Steps()+1, crashtest.BadDisk)
	first := d.SyncDir(".")
	if !errors.Is(first, syscall.EIO) || d.SyncDir(".") != first {
		t.Errorf("%v, then %v", first, d.SyncDir("."))
	}
	script(t, d, "create d/a\n syncdir d")
	after := d.Reboot(crashtest.Lost)
	if got := tree(t, after); got != "d/ d/a=" {
		t.Errorf("lost: %q", got)
	}
	script(t, after, "create a\n syncdir .") // a new boot, a new start
}

func TestCapacity(t *testing.T) {
	t.Parallel()
	const room = 10
	d := crashtest.New(crashtest.Options{Capacity: room})
	full := func(what string, err error, want bool) {
		t.Helper()
		if errors.Is(err, syscall.ENOSPC) != want || !want && err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	a, _ := d.Create("a")
	b, _ := d.Create("b")
	put := func(f disk.File, n int, off int64) error { _, err := f.WriteAt(make([]byte, n), off); return err }
	full("4 of 10", put(a, 4, 0), false)
	full("one past it", put(b, 7, 0), true)
	full("at the limit", put(b, 6, 0), false)
	full("in place", put(a, 4, 0), false)
	full("one octet more", put(a, 1, 4), true)
	full("a longer file", a.Truncate(5), true)
	full("a huge one", a.Truncate(1<<62), true)
	full("far out", put(a, 1, 1<<63-1), true)
	full("a shorter one", a.Truncate(3), false)
	full("what that freed", put(b, 1, 6), false)
	full("and no more", put(b, 1, 7), true)
	if err := d.Remove("b"); err != nil {
		t.Fatal(err)
	}
	full("what was removed", put(a, 7, 3), false)
	full("and no more", put(a, 1, 10), true)
	full("the next boot knows what is there", try(d.Reboot(crashtest.Kept), "write a x")["write a x"], true)
	big := crashtest.New(crashtest.Options{})
	c, _ := big.Create("c")
	_, err := c.WriteAt([]byte("x"), 1<<63-1)
	full("past what an int64 counts", err, true)
	full("the default", c.Truncate(crashtest.DefaultCapacity), false)
	full("one past the default", c.Truncate(crashtest.DefaultCapacity+1), true)
}

// A sync that takes time covers what was written before it began.
func TestSyncTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := crashtest.New(crashtest.Options{SyncTime: time.Second})
		file, err := d.Create("a")
		if err != nil {
			t.Fatal(err)
		}
		script(t, d, "syncdir .\n write a one")
		began := time.Now()
		synced := make(chan error)
		go func() { synced <- file.Sync() }()
		time.Sleep(time.Second / 2)
		script(t, d, "write a two")
		if err := <-synced; err != nil || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		for fate, want := range map[crashtest.Fate]string{crashtest.Lost: "a=one", crashtest.Kept: "a=onetwo"} {
			if got := tree(t, d.Reboot(fate)); got != want {
				t.Errorf("%s: %q, want %q", fate, got, want)
			}
		}
	})
}

func TestTrace(t *testing.T) {
	t.Parallel()
	d := crashtest.New(crashtest.Options{})
	script(t, d, all)
	d.Note("said to %s", "alice")
	script(t, d, "create e\n write e abc\n mkdir f\n rename e f/e\n syncdir f\n syncdir .\n create tmp\n rename tmp f/t\n syncdir f\n rename f/e e\n syncdir .")
	d.FailAt(d.Steps()+1, crashtest.NoSpace)
	_ = try(d, "create g")
	d.CrashAt(d.Steps()+1, crashtest.Before)
	_ = try(d, "create h")
	after := d.Reboot(crashtest.Lost)
	script(t, after, "create i")
	const want = `
   1  create a
   2  mkdir d
   3  syncdir .
   4  write a [0:4]
   5  sync a
   6  truncate a to 0                               LOST
   7  link a -> b
   8  rename b -> d/b
   9  remove a
  10  syncdir d
      said to alice
  11  create e
  12  write e [0:3]                                 LOST
  13  mkdir f
  14  rename e -> f/e
  15  syncdir f
  16  syncdir .
  17  create tmp
  18  rename tmp -> f/t
  19  syncdir f
  20  rename f/e -> e                               the old name is BACK
  21  syncdir .
  22  create g: no space: no space left on device
      *** crash before create h
      --- boot; what was not synced: lost
   1  create i
`
	if got := "\n" + after.Trace(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// The trace of a boot has 2000 lines at most.
func TestLongTrace(t *testing.T) {
	t.Parallel()
	d := crashtest.New(crashtest.Options{})
	for i := range 2000 {
		d.Note("line %d", i)
	}
	if got := d.Trace(); strings.Count(got, "\n") != 2000 || !strings.Contains(got, "line 0\n") {
		t.Errorf("at the limit: %d lines", strings.Count(got, "\n"))
	}
	d.Note("one more")
	got := d.Trace()
	if !strings.HasPrefix(got, "      … 1 lines before\n      line 1\n") || !strings.HasSuffix(got, "one more\n") {
		t.Errorf("one past it: %.60q", got)
	}
	if n := strings.Count(got, "\n"); n != 2001 {
		t.Errorf("one past it: %d lines", n)
	}
}
