package crashtest

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// The defaults of a Scenario.
const (
	DefaultSeeds    = 3
	DefaultMaxSteps = 2000
)

// Scenario is a store's work, and what must be true of it after a crash. M is what the outside knows: which messages
// were sent, which of them acknowledged.
type Scenario[M any] struct {
	// Work opens the store on an empty disk, uses it, closes it, and returns what was acknowledged, whether or not it
	// came to the end: it runs once for each crash, and then its error is ignored. Where nothing goes wrong it must
	// return nil. It may call Disk.Note for the trace. All its goroutines have ended when it returns.
	Work func(d *Disk) (M, error)
	// Check opens the store on what survived, and returns an error unless all is well: the store opens; what was
	// acknowledged is there, whole and once; what was not is there whole, or not at all. It does not change known,
	// and must hold also when an earlier Check was cut short at any step of its own.
	Check func(d *Disk, known M) error

	Fates    []Fate  // what is tried at each crash; Fates(Seeds) if nil
	Seeds    int     // DefaultSeeds if 0
	Faults   []Fault // what single calls suffer, in runs without a crash; Faults() if nil, none if empty
	MaxSteps int     // of Work, and of Check, each; more are an error; DefaultMaxSteps if 0
	Disk     Options
	Only     string // the Failure.Case that is to be run alone; all if ""
}

// Report says how much was tried.
type Report struct {
	Steps      int // of Work, when nothing goes wrong
	Crashes    int // moments of Work at which the machine crashed
	Recoveries int // moments of Check, the same
	Faults     int // calls of Work that failed
	Checks     int // disks that were checked; alike ones of the same crash count once
	Took       time.Duration
}

// String is one line.
func (r Report) String() string {
	return fmt.Sprintf("%d steps; crashed at %d moments, %d moments of recovery; %d failed calls; %d disks checked in %v",
		r.Steps, r.Crashes, r.Recoveries, r.Faults, r.Checks, r.Took.Round(time.Millisecond))
}

// Failure is a case in which the store did not keep its word.
type Failure struct {
	Case  string // names it: "before step 7, lost"
	Call  string // the call at which the machine crashed, or that failed: "syncdir new"; "" at the end of the work
	Fate  Fate   // what became of what was not synced, the last time
	Err   error  // what Check said, or what kept the harness from going on
	Trace string // what was done on the disk, with what survived
}

// Error shows the case with its trace.
func (f *Failure) Error() string {
	at := ""
	if f.Call != "" {
		at = " (" + f.Call + ")"
	}
	return fmt.Sprintf("crashtest: %s%s: %v\n%s\nTo run it alone: Scenario.Only = %q", f.Case, at, f.Err, f.Trace, f.Case)
}

// Unwrap gives what Check said.
func (f *Failure) Unwrap() error { return f.Err }

// Run explores a scenario, fails the test at the first *Failure, and logs how much was tried. It may run inside
// testing/synctest.
func Run[M any](t testing.TB, s Scenario[M]) {
	t.Helper()
	report, err := Explore(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("crashtest:", report)
}

// Explore tries a scenario in every case. Its error is an *Failure, of the first case that fails.
func Explore[M any](s Scenario[M]) (Report, error) {
	s.MaxSteps = cmp.Or(s.MaxSteps, DefaultMaxSteps)
	if s.Fates == nil {
		s.Fates = Fates(cmp.Or(s.Seeds, DefaultSeeds))
	}
	if s.Faults == nil {
		s.Faults = Faults()
	}
	e := &explorer[M]{Scenario: s}
	began := time.Now()
	err := e.explore()
	e.report.Took = time.Since(began)
	if err == nil && s.Only != "" && e.report.Checks == 0 {
		err = fmt.Errorf("crashtest: there is no case %q", s.Only)
	}
	return e.report, err
}

// wants says whether a case, or one whose name begins so, is to be run.
func (s *Scenario[M]) wants(name string) bool {
	return s.Only == "" || s.Only == name || strings.HasPrefix(s.Only, name+", ")
}

// failure makes a Failure of an error about a disk that crashed, or on which a call failed, as dead.
func failure(name string, dead *Disk, fate Fate, trace string, err error) *Failure {
	f := &Failure{Case: name, Fate: fate, Err: err, Trace: trace}
	dead.mu.Lock()
	defer dead.mu.Unlock()
	f.Call = dead.struck
	return f
}

var errTooLong = errors.New("more steps than Scenario.MaxSteps")
