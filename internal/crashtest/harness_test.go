package crashtest_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/network-utopia/utopia/internal/crashtest"
	"github.com/network-utopia/utopia/internal/state/disk"
)

// reporter is a test that is told of failures and goes on.
type reporter struct {
	testing.TB
	fatal, logged string
}

func (r *reporter) Helper()           {}
func (r *reporter) Fatal(args ...any) { r.fatal = fmt.Sprint(args...) }
func (r *reporter) Log(args ...any)   { r.logged = fmt.Sprintln(args...) }

func TestRun(t *testing.T) {
	t.Parallel()
	r := &reporter{}
	crashtest.Run(r, journalScenario(noSyncAfterReset))
	for _, want := range []string{
		`crashtest: before step 8, lost (write journal [0:11]): "one" is back`,
		"   7  truncate journal to 0                         LOST\n      reset acknowledged\n      *** crash before write journal",
		"--- boot; what was not synced: lost",
		`To run it alone: Scenario.Only = "before step 8, lost"`,
	} {
		if !strings.Contains(r.fatal, want) {
			t.Errorf("nothing of %q in\n%s", want, r.fatal)
		}
	}
	right := journalScenario("")
	right.Only = "before step 8, lost"
	r = &reporter{}
	if crashtest.Run(r, right); r.fatal != "" || !strings.Contains(r.logged, "12 steps; crashed at 1 moments, 0 moments of recovery; 0 failed calls; 1 disks checked in ") {
		t.Errorf("%q, %q", r.fatal, r.logged)
	}
}

// one is a scenario of one file that is made durable, if syncs says so, in five steps.
func one(syncs bool) crashtest.Scenario[bool] {
	return crashtest.Scenario[bool]{
		Work: func(d *crashtest.Disk) (bool, error) {
			if syncs {
				err := disk.Replace(d, "a", []byte("text"))
				return err == nil, err
			}
			_, err := d.Create("a")
			return err == nil, err
		},
		Check: func(d *crashtest.Disk, kept bool) error {
			text, err := disk.ReadFile(d, "a", 100)
			if kept && string(text) != "text" || !kept && err == nil && string(text) != "text" {
				return fmt.Errorf("there is %q, %w", text, err)
			}
			return nil
		},
	}
}

// What is counted: two crashes for each step and one at the end, and the failures that can befall each call.
func TestReport(t *testing.T) {
	t.Parallel()
	report, err := crashtest.Explore(one(true))
	if err != nil {
		t.Fatal(err)
	}
	// Two for each call, one more for the write.
	if report.Steps != 5 || report.Crashes != 11 || report.Faults != 11 || report.Recoveries == 0 || report.Checks < 22 {
		t.Errorf("%v", report)
	}
	s := one(true)
	s.Faults, s.Fates = []crashtest.Fault{}, []crashtest.Fate{crashtest.Lost}
	// A check of no steps has one moment of recovery: its end.
	if report, err = crashtest.Explore(s); err != nil || report.Faults != 0 || report.Recoveries != 11 || report.Checks != 22 {
		t.Errorf("%v, %v", report, err)
	}
	s.Seeds, s.Fates = 20, nil
	if more, err := crashtest.Explore(s); err != nil || more.Checks <= report.Checks {
		t.Errorf("%v, %v", more, err)
	}
}

// What Check says can be asked of the error.
func TestUnwrap(t *testing.T) {
	t.Parallel()
	_, err := crashtest.Explore(one(false))
	var f *crashtest.Failure
	if !errors.As(err, &f) || f.Case != "after step 1, kept" || f.Fate != crashtest.Kept || f.Call != "create a" {
		t.Fatalf("%v", err)
	}
	s := one(false)
	s.Fates = []crashtest.Fate{crashtest.Lost}
	if _, err := crashtest.Explore(s); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "crashtest: at the end, lost: ") {
		t.Errorf("%v", err)
	}
}

func TestMaxSteps(t *testing.T) {
	t.Parallel()
	s := one(true)
	s.MaxSteps = 5
	if _, err := crashtest.Explore(s); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	s.MaxSteps = 4
	if _, err := crashtest.Explore(s); err == nil || !strings.Contains(err.Error(), "no crash (syncdir .): more steps than") {
		t.Errorf("one past it: %v", err)
	}
	// Those of Check count as well.
	s.MaxSteps = 5
	steps := 5
	s.Check = func(d *crashtest.Disk, _ bool) error {
		for range steps {
			if err := d.SyncDir("."); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := crashtest.Explore(s); err != nil {
		t.Errorf("check at the limit: %v", err)
	}
	steps++
	if _, err := crashtest.Explore(s); err == nil || !strings.Contains(err.Error(), "more steps than") {
		t.Errorf("check one past it: %v", err)
	}
}

func TestWhatCannotBeExplored(t *testing.T) {
	t.Parallel()
	s := one(true)
	s.Only = "before step 99, lost"
	if _, err := crashtest.Explore(s); err == nil || err.Error() != `crashtest: there is no case "before step 99, lost"` {
		t.Errorf("%v", err)
	}
	s = one(true)
	wrong := errors.New("wrong from the start")
	s.Work = func(*crashtest.Disk) (bool, error) { return false, wrong }
	if _, err := crashtest.Explore(s); !errors.Is(err, wrong) {
		t.Errorf("%v", err)
	}
}

// A store that panics on what it finds is as wrong as one that loses something, wherever it does.
func TestPanics(t *testing.T) {
	t.Parallel()
	work := one(true)
	work.Work = func(d *crashtest.Disk) (bool, error) {
		if err := d.Mkdir("d"); err != nil {
			panic("cannot do without d")
		}
		return false, nil
	}
	check := one(true)
	check.Check = func(d *crashtest.Disk, kept bool) error {
		if entries, _ := d.ReadDir("."); len(entries) == 0 {
			panic("empty")
		}
		return nil
	}
	recovery := one(true)
	recovery.Check = func(d *crashtest.Disk, kept bool) error {
		if err := d.Mkdir("d"); errors.Is(err, crashtest.ErrCrashed) {
			panic("recovery ends")
		}
		return nil
	}
	fault := one(true)
	fault.Work = func(d *crashtest.Disk) (bool, error) {
		if err := d.Mkdir("d"); err != nil && !errors.Is(err, crashtest.ErrCrashed) {
			panic("no room")
		}
		return false, nil
	}
	for want, s := range map[string]crashtest.Scenario[bool]{
		"before step 1 (mkdir d): panic: cannot do without d":                    work,
		"before step 1, lost (create a.new): panic: empty":                       check,
		"before step 1, lost, recovery before step 1 (mkdir d): panic: recovery": recovery,
		"no space at step 1 (mkdir d): panic: no room":                           fault,
	} {
		_, err := crashtest.Explore(s)
		if err == nil || !strings.HasPrefix(err.Error(), "crashtest: "+want) || !strings.Contains(err.Error(), "harness_test.go") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// A work that goes on for ever, but for the first time, is stopped.
func TestWorkThatGrows(t *testing.T) {
	t.Parallel()
	s := one(true)
	s.MaxSteps = 5
	runs := 0
	s.Work = func(d *crashtest.Disk) (bool, error) {
		runs++
		for err := d.SyncDir("."); runs > 1; err = d.SyncDir(".") {
			if err != nil {
				return false, err
			}
		}
		return false, nil
	}
	if _, err := crashtest.Explore(s); err == nil || !strings.Contains(err.Error(), "before step 6 (syncdir .): more steps than") {
		t.Errorf("%v", err)
	}
}

// A recovery that says durably what it has seen, of what a killed process has left and nobody synced.
func TestKilledIsNotKept(t *testing.T) {
	t.Parallel()
	_, err := crashtest.Explore(crashtest.Scenario[bool]{
		Work: func(d *crashtest.Disk) (bool, error) {
			err := disk.MkdirAll(d, "d")
			if err == nil {
				_, err = d.Create("d/a")
			}
			return false, err
		},
		Check: func(d *crashtest.Disk, _ bool) error {
			_, missing := d.Stat("d/a")
			_, unseen := d.Stat("seen")
			switch {
			case missing == nil:
				return disk.Replace(d, "seen", nil)
			case unseen == nil:
				return errors.New("seen, and gone")
			}
			return nil
		},
	})
	if err == nil || !strings.HasPrefix(err.Error(), "crashtest: after step 3, killed, recovery ") {
		t.Errorf("%v", err)
	}
}

// A recovery that moves things about can be crashed, too: here it loses what it moves, and only then.
func TestRecoveriesAreCrashed(t *testing.T) {
	t.Parallel()
	for _, right := range []bool{true, false} {
		s := one(true)
		whole := s.Check
		s.Check = func(d *crashtest.Disk, kept bool) error {
			if err := recoverOne(d, right); err != nil {
				return err
			}
			return whole(d, kept)
		}
		_, err := crashtest.Explore(s)
		if right && err != nil || !right && (err == nil || !strings.Contains(err.Error(), ", recovery after step 1, kept (remove a)")) {
			t.Errorf("right %v: %v", right, err)
		}
		var f *crashtest.Failure
		if errors.As(err, &f) {
			s.Only = f.Case
			if report, again := crashtest.Explore(s); report.Checks != 1 || again.Error() != err.Error() {
				t.Errorf("alone: %v, %v", report, again)
			}
		}
	}
}

// recoverOne writes the file anew, if there is one: beside it and in its place, or first taking it away.
func recoverOne(d *crashtest.Disk, right bool) error {
	text, err := disk.ReadFile(d, "a", 100)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	if !right {
		if err := d.Remove("a"); err != nil {
			return err
		}
	}
	return disk.Replace(d, "a", text)
}

// The helpers of package disk keep their word.
func TestReplace(t *testing.T) {
	t.Parallel()
	crashtest.Run(t, crashtest.Scenario[[]string]{
		Work: func(d *crashtest.Disk) (kept []string, err error) {
			if err := disk.MkdirAll(d, "a/b"); err != nil {
				return nil, err
			}
			for _, text := range []string{"old", long("new", 2000)} {
				replaceErr := disk.Replace(d, "a/b/c", []byte(text))
				err = errors.Join(err, replaceErr)
				if replaceErr == nil {
					kept = append(kept, text)
				}
			}
			return kept, err
		},
		Check: func(d *crashtest.Disk, kept []string) error {
			text, err := disk.ReadFile(d, "a/b/c", 10_000)
			switch {
			case err != nil && !errors.Is(err, fs.ErrNotExist), err != nil && len(kept) > 0:
				return err
			case err == nil && string(text) != "old" && string(text) != long("new", 2000):
				return fmt.Errorf("neither the old nor the new: %q", text)
			case len(kept) > 0 && kept[len(kept)-1] != "old" && string(text) == "old":
				return errors.New("the old one is back")
			}
			if err != nil { // there is none
				return disk.MkdirAll(d, "a/b")
			}
			return disk.Replace(d, "a/b/c", text)
		},
	})
}

// A Replace that failed leaves nothing beside the file.
func TestAFailedReplace(t *testing.T) {
	t.Parallel()
	for step := 1; step <= 4; step++ {
		d := crashtest.New(crashtest.Options{})
		d.FailAt(step, crashtest.NoSpace)
		if err := disk.Replace(d, "a", []byte("x")); !errors.Is(err, syscall.ENOSPC) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("step %d: %v", step, err)
		}
		if got := tree(t, d); got != "" {
			t.Errorf("step %d leaves %q", step, got)
		}
	}
}

// A folder that a killed process has made is there to be seen, and not durable: MkdirAll syncs it all the same.
func TestMkdirAllAfterAKill(t *testing.T) {
	t.Parallel()
	d := crashtest.New(crashtest.Options{})
	d.CrashAt(2, crashtest.Before) // the sync of the folder above
	if err := disk.MkdirAll(d, "a"); !errors.Is(err, crashtest.ErrCrashed) {
		t.Fatal(err)
	}
	next := d.Reboot(crashtest.Killed)
	if err := errors.Join(disk.MkdirAll(next, "a"), disk.Replace(next, "a/b", []byte("x"))); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, next.Reboot(crashtest.Lost)); got != "a/ a/b=x" {
		t.Errorf("there is %q\n%s", got, next.Trace())
	}
}
