package crashtest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
)

// explorer is a run of all cases.
type explorer[M any] struct {
	Scenario[M]
	report Report
}

func (e *explorer[M]) explore() error {
	end, known, err := e.whole()
	if err != nil {
		return err
	}
	// The crashes of recoveries come last: a case without one says more.
	for _, recoveries := range []bool{false, true} {
		if err := e.crashes(recoveries); err != nil {
			return err
		}
		if err := e.survive("at the end", end, known, recoveries); err != nil {
			return err
		}
		if !recoveries {
			err = e.faults()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// crashes has the work crash at each of its steps. With goroutines it may take another way each time, so it is the
// work that says when there are no more.
func (e *explorer[M]) crashes(recoveries bool) error {
	for step := 1; ; step++ {
		var reached bool
		for _, moment := range []Moment{Before, After} {
			r, err := e.crash(step, moment, recoveries)
			if err != nil {
				return err
			}
			reached = reached || r
		}
		if !reached {
			return nil
		}
	}
}

func (e *explorer[M]) faults() error {
	for step := 1; step <= e.report.Steps; step++ {
		for _, fault := range e.Faults {
			if err := e.fault(step, fault); err != nil {
				return err
			}
		}
	}
	return nil
}

// whole runs the work with nothing in its way.
func (e *explorer[M]) whole() (*Disk, M, error) {
	d := New(e.Disk)
	d.CrashAt(e.MaxSteps+1, Before)
	known, err := e.work(d)
	switch {
	case d.Crashed():
		err = errTooLong
	case err != nil:
		err = fmt.Errorf("the work fails though nothing is wrong: %w", err)
	}
	if err != nil {
		return d, known, failure("no crash", d, "", d.Trace(), err)
	}
	e.report.Steps = d.Steps()
	return d, known, nil
}

// crash runs the work until a step, and checks what may have survived. It says whether the work came to the step.
func (e *explorer[M]) crash(step int, moment Moment, recoveries bool) (reached bool, err error) {
	name := fmt.Sprintf("%s step %d", moment, step)
	if !e.wants(name) {
		return step <= e.report.Steps, nil
	}
	d := New(e.Disk)
	d.CrashAt(step, moment)
	known, err := e.work(d)
	var panicked *panicError
	switch {
	case errors.As(err, &panicked):
		return false, failure(name, d, "", d.Trace(), err)
	case !d.Crashed():
		return false, nil
	case step > e.MaxSteps:
		return false, failure(name, d, "", d.Trace(), errTooLong)
	}
	return true, e.survive(name, d, known, recoveries)
}

// fault runs the work with one call that fails, and crashes at its end. The work may give up, or go on; what it
// acknowledged is what counts.
func (e *explorer[M]) fault(step int, fault Fault) error {
	name := fmt.Sprintf("%s at step %d", fault, step)
	if !e.wants(name) {
		return nil
	}
	d := New(e.Disk)
	d.FailAt(step, fault)
	known, err := e.work(d)
	var panicked *panicError
	switch {
	case errors.As(err, &panicked):
		return failure(name, d, "", d.Trace(), err)
	case !d.Failed():
		return nil
	}
	e.report.Faults++
	return e.survive(name, d, known, false) // what recovers has crashed often enough
}

// survive checks each disk that a crash may leave, or has the recovery crash on each.
func (e *explorer[M]) survive(name string, dead *Disk, known M, recoveries bool) error {
	if !e.wants(name) {
		return nil
	}
	if !recoveries && !dead.Failed() {
		e.report.Crashes++
	}
	seen := map[[sha256.Size]byte]bool{}
	for _, fate := range e.Fates {
		name := fmt.Sprintf("%s, %s", name, fate)
		d := dead.Reboot(fate)
		if !e.wants(name) || fate != Killed && !d.unlike(seen) {
			continue
		}
		var err error
		if recoveries {
			err = e.recover(name, func() *Disk { return dead.Reboot(fate) }, known)
		} else {
			err = e.alive(name, d, known, fate, dead)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// alive checks one disk that a crash has left.
func (e *explorer[M]) alive(name string, d *Disk, known M, fate Fate, dead *Disk) error {
	if e.Only != "" && e.Only != name {
		return nil
	}
	e.report.Checks++
	d.CrashAt(e.MaxSteps+1, Before)
	err := e.check(d, known)
	if d.Crashed() {
		err = errTooLong
	}
	if err != nil {
		return failure(name, dead, fate, d.Trace(), err)
	}
	return nil
}

// recover has Check crash at each of its steps and at its end, and checks again.
func (e *explorer[M]) recover(name string, reboot func() *Disk, known M) error {
	for step := 1; e.Only != name; step++ {
		for _, moment := range []Moment{Before, After} {
			name := fmt.Sprintf("%s, recovery %s step %d", name, moment, step)
			d := reboot()
			d.CrashAt(step, moment)
			err := e.check(d, known) // however far it came
			var panicked *panicError
			if errors.As(err, &panicked) {
				return failure(name, d, "", d.Trace(), err)
			}
			over := !d.Crashed()
			if err := e.again(name, d, known); err != nil || over {
				return err
			}
		}
	}
	return nil
}

// again checks what the crash of a recovery may leave.
func (e *explorer[M]) again(name string, dead *Disk, known M) error {
	e.report.Recoveries++
	seen := map[[sha256.Size]byte]bool{}
	for _, fate := range []Fate{Lost, Kept, Torn, Mixed(1)} {
		name := fmt.Sprintf("%s, %s", name, fate)
		d := dead.Reboot(fate)
		if !e.wants(name) || !d.unlike(seen) {
			continue
		}
		if err := e.alive(name, d, known, fate, dead); err != nil {
			return err
		}
	}
	return nil
}

// panicError is a panic of the store.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

func (e *explorer[M]) work(d *Disk) (known M, err error) {
	defer recovered(&err)
	return e.Work(d)
}

func (e *explorer[M]) check(d *Disk, known M) (err error) {
	defer recovered(&err)
	return e.Check(d, known)
}

func recovered(err *error) {
	if v := recover(); v != nil {
		*err = &panicError{v, debug.Stack()}
	}
}

// unlike says whether the disk holds what none did that was seen, and adds it.
func (d *Disk) unlike(seen map[[sha256.Size]byte]bool) bool {
	var text []byte
	var walk func(n *node)
	walk = func(n *node) {
		if !n.folder {
			text = fmt.Appendf(text, "%d:%s", len(n.data), n.data)
			return
		}
		for _, name := range slices.Sorted(maps.Keys(n.names)) {
			text = fmt.Appendf(text, "%q{", name)
			walk(n.names[name])
			text = append(text, '}')
		}
	}
	walk(d.root)
	sum := sha256.Sum256(text)
	was := seen[sum]
	seen[sum] = true
	return !was
}
