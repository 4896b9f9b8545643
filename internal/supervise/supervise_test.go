package supervise

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// part is a service that notes what is asked of it.
type part struct {
	name  string
	notes *[]string
	start error
	stop  error
	check error
	slow  time.Duration // how long Stop takes, unless its context ends
	begin func(context.Context) error
}

func (p *part) Start(ctx context.Context) error {
	*p.notes = append(*p.notes, "start "+p.name)
	if p.begin != nil {
		return p.begin(ctx)
	}
	return p.start
}

func (p *part) Stop(ctx context.Context) error {
	*p.notes = append(*p.notes, "stop "+p.name)
	select {
	case <-time.After(p.slow):
		return p.stop
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *part) Check(context.Context) error { return p.check }

var errBoom = errors.New("boom")

func states(s *Supervisor) string {
	var b strings.Builder
	for _, h := range s.Health() {
		b.WriteString(h.Name + " " + string(h.State) + "; ")
	}
	return b.String()
}

func TestOrder(t *testing.T) {
	var notes []string
	var s Supervisor
	ctx := context.Background()
	for _, p := range []*part{{name: "a"}, {name: "b", start: errBoom}, {name: "c"}} {
		p.notes = &notes
		if err := s.Start(ctx, p.name, p); !errors.Is(err, p.start) {
			t.Errorf("start %s: %v", p.name, err)
		}
	}
	if got := states(&s); got != "a up; b failed; c up; " {
		t.Errorf("states %s", got)
	}
	if err := s.Start(ctx, "a", &part{name: "a", notes: &notes}); err == nil {
		t.Error("a second service of one name was taken")
	}
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
	want := []string{"start a", "start b", "start c", "stop c", "stop a"}
	if !slices.Equal(notes, want) {
		t.Errorf("the order was %v, want %v", notes, want)
	}
	if err := s.Stop(ctx); err != nil || len(notes) != len(want) {
		t.Errorf("a second stop: %v, %v", err, notes)
	}
}

func TestStopGoesOnAfterAnError(t *testing.T) {
	var notes []string
	var s Supervisor
	ctx := context.Background()
	s.Start(ctx, "a", &part{name: "a", notes: &notes})
	s.Start(ctx, "b", &part{name: "b", notes: &notes, stop: errBoom})
	if err := s.Stop(ctx); !errors.Is(err, errBoom) || !strings.Contains(err.Error(), "stop b") {
		t.Errorf("stop: %v", err)
	}
	if notes[len(notes)-1] != "stop a" {
		t.Errorf("a was not stopped: %v", notes)
	}
}

func TestStopHasAHardEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var notes, broken []string
		s := Supervisor{BrokenOff: func(name string, err error) {
			broken = append(broken, name)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s was broken off: %v", name, err)
			}
		}}
		s.Start(context.Background(), "slow", &part{name: "slow", notes: &notes, slow: time.Hour})
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if err := s.Stop(ctx); err != nil || !slices.Equal(broken, []string{"slow"}) {
			t.Errorf("stop: %v; broken off: %v", err, broken)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("stop took %v", took)
		}
	})
}

func TestRestartKeepsTheOrder(t *testing.T) {
	var notes []string
	var s Supervisor
	ctx := context.Background()
	s.Start(ctx, "a", &part{name: "a", notes: &notes, start: errBoom})
	s.Start(ctx, "b", &part{name: "b", notes: &notes})
	if err := s.Restart(ctx, "a", &part{name: "a2", notes: &notes}); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(ctx, "b", &part{name: "b2", notes: &notes, start: errBoom}); !errors.Is(err, errBoom) {
		t.Fatal(err)
	}
	if got := states(&s); got != "a up; b failed; " {
		t.Errorf("states %s", got)
	}
	if err := s.Restart(ctx, "c", &part{}); err == nil {
		t.Error("a service that is not there was restarted")
	}
	s.Stop(ctx)
	want := []string{"start a", "start b", "start a2", "stop b", "start b2", "stop a2"}
	if !slices.Equal(notes, want) {
		t.Errorf("the order was %v, want %v", notes, want)
	}
}

// A service with a client that does not end must not keep a reload waiting for ever, nor fail it.
func TestRestartAndRemoveHaveAHardEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var notes []string
		var s Supervisor
		ctx := context.Background()
		s.Start(ctx, "a", &part{name: "a", notes: &notes, slow: time.Hour})
		began := time.Now()
		if err := s.Restart(ctx, "a", &part{name: "a2", notes: &notes, slow: time.Hour}); err != nil {
			t.Errorf("restart: %v", err)
		}
		if took := time.Since(began); took != StopTimeout || states(&s) != "a up; " {
			t.Errorf("restart took %v: %s", took, states(&s))
		}
		if err := s.Remove(ctx, "a"); err != nil || time.Since(began) != 2*StopTimeout {
			t.Errorf("remove: %v after %v", err, time.Since(began))
		}
	})
}

// Whoever asked for a restart may go: what was stopped is started all the same.
func TestRestartWhenItsCallerGoes(t *testing.T) {
	var notes []string
	var s Supervisor
	s.Start(context.Background(), "a", &part{name: "a", notes: &notes, slow: time.Hour})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	next := &part{name: "a2", notes: &notes}
	next.begin = func(ctx context.Context) error { return ctx.Err() } // as a Host does that looks at its context
	if err := s.Restart(ctx, "a", next); err != nil || states(&s) != "a up; " {
		t.Errorf("restart: %v; %s", err, states(&s))
	}
}

func TestRemove(t *testing.T) {
	var notes []string
	var s Supervisor
	ctx := context.Background()
	s.Start(ctx, "a", &part{name: "a", notes: &notes})
	s.Start(ctx, "b", &part{name: "b", notes: &notes})
	if err := s.Remove(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(ctx, "a"); err == nil {
		t.Error("a service was removed twice")
	}
	if got := states(&s); got != "b up; " || s.Service("a") != nil || s.Service("b") == nil {
		t.Errorf("states %s", got)
	}
}

func TestCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var notes []string
		var s Supervisor
		ctx := context.Background()
		p := &part{name: "a", notes: &notes}
		s.Start(ctx, "a", p)
		s.Start(ctx, "never", &part{name: "never", notes: &notes, start: errBoom})
		began, changed := s.Health()[0].Since, false
		time.Sleep(time.Second)
		for _, fails := range []error{nil, errBoom, errBoom, nil} {
			p.check = fails
			h, err := s.Check(ctx, "a")
			if err != nil || !errors.Is(h.Err, fails) || (h.State == Up) != (fails == nil) || !h.Checked.Equal(time.Now()) {
				t.Errorf("check that fails with %v: %+v, %v", fails, h, err)
			}
			changed = changed || fails != nil
			if h.Since.After(began) != changed {
				t.Errorf("a check that fails with %v: since %v, began %v", fails, h.Since, began)
			}
		}
		if h, _ := s.Check(ctx, "never"); h.State != Failed || !h.Checked.IsZero() {
			t.Errorf("a service that never started was asked: %+v", h)
		}
		s.Stop(ctx)
		if h, _ := s.Check(ctx, "a"); h.State != Stopped {
			t.Errorf("a stopped service was asked: %+v", h)
		}
		if _, err := s.Check(ctx, "zzz"); err == nil {
			t.Error("a service that is not there was asked")
		}
	})
}

// hung answers no check: it waits until its context ends.
type hung struct{ part }

func (h *hung) Check(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// A check that is called off tells nothing of the service; one that gets no answer in its time does.
func TestCheckThatIsCalledOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Supervisor
		s.Start(context.Background(), "a", &hung{part{notes: new([]string)}})
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		if h, err := s.Check(ctx, "a"); !errors.Is(err, context.Canceled) || h.State != Up || states(&s) != "a up; " {
			t.Errorf("called off: %+v, %v; %s", h, err, states(&s))
		}
		ctx, cancel = context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if h, err := s.Check(ctx, "a"); err != nil || h.State != Failed {
			t.Errorf("no answer: %+v, %v", h, err)
		}
	})
}

// A service that is being stopped is not failed, whenever it is asked.
func TestCheckWhileItStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Supervisor
		ctx := context.Background()
		s.Start(ctx, "a", &part{notes: new([]string), slow: time.Minute, check: errBoom})
		var stopping sync.WaitGroup
		defer stopping.Wait()
		stopping.Go(func() { s.Stop(ctx) })
		synctest.Wait()
		if h, err := s.Check(ctx, "a"); err != nil || h.State != Stopped {
			t.Errorf("%+v, %v", h, err)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	var s Supervisor
	ctx := context.Background()
	s.Start(ctx, "a", &part{notes: new([]string)})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				s.Check(ctx, "a")
				s.Health()
				s.Service("a")
			}
		})
	}
	for range 100 {
		s.Restart(ctx, "a", &part{notes: new([]string)})
	}
	wg.Wait()
	if got := states(&s); got != "a up; " {
		t.Errorf("states %s", got)
	}
}
