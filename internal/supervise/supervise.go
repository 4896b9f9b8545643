// Package supervise starts services in order, keeps their state, and stops them last in, first out.
//
// A service that cannot start does not keep the others from starting: its error is its state, and whoever runs the
// supervisor tells the user.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Service is one running part.
type Service interface {
	// Start returns once the service is ready for its clients, such as when it listens.
	Start(ctx context.Context) error
	// Stop stops accepting, finishes what is under way until ctx ends, and then closes hard. It returns when all of
	// the service's goroutines have ended.
	Stop(ctx context.Context) error
	// Check asks the service a real question as a client would; nil when it answers rightly.
	Check(ctx context.Context) error
}

// State is where a service is in its life.
type State string

// The states.
const (
	Starting State = "starting"
	Up       State = "up"
	Failed   State = "failed"  // it did not start, or its last check failed
	Stopped  State = "stopped" // or about to be: it takes no new clients
)

// StopTimeout is how long Restart and Remove wait for what is under way, where their context has no deadline. Without
// it one client that does not end would keep a reload, and whatever waits for that, for ever.
const StopTimeout = 10 * time.Second

// Health is what is known of a service.
type Health struct {
	Name    string
	State   State
	Err     error         // why it failed
	Since   time.Time     // when it came into this state
	Checked time.Time     // the last check; zero before the first
	Took    time.Duration // how long the last check took
}

// Supervisor holds services. It is safe for concurrent use.
type Supervisor struct {
	// BrokenOff is told of each stop that ran out of time, with what the service said of it: that is no failure, but
	// what the time is for. It is set before the supervisor is used, or nil.
	BrokenOff func(name string, err error)

	change sync.Mutex // held while services start and stop, one change at a time

	mu    sync.Mutex // guards units, for the moment of a read or write
	units []*unit
}

type unit struct {
	name    string
	service Service
	health  Health
	running bool // Start succeeded and Stop has not been called
}

// Start starts a service and adds it as the last one, also when it fails: then it is in state Failed, its error is
// returned, and Restart may try again.
func (s *Supervisor) Start(ctx context.Context, name string, service Service) error {
	s.change.Lock()
	defer s.change.Unlock()
	if s.find(name) != nil {
		return fmt.Errorf("start %s: it is there already", name)
	}
	u := &unit{name: name, service: service, health: Health{Name: name}}
	s.mu.Lock()
	s.units = append(s.units, u)
	s.mu.Unlock()
	return s.start(ctx, u)
}

func (s *Supervisor) start(ctx context.Context, u *unit) error {
	s.set(u, Starting, nil)
	if err := u.service.Start(ctx); err != nil {
		err = fmt.Errorf("start %s: %w", u.name, err)
		s.set(u, Failed, err)
		return err
	}
	u.running = true
	s.set(u, Up, nil)
	return nil
}

// Restart stops the named service, if it runs, until ctx ends or within [StopTimeout], and starts next in its place in
// the order. It does so even when ctx ends meanwhile: then the old service is gone, and nothing would be served.
func (s *Supervisor) Restart(ctx context.Context, name string, next Service) error {
	s.change.Lock()
	defer s.change.Unlock()
	u := s.find(name)
	if u == nil {
		return fmt.Errorf("restart %s: there is no such service", name)
	}
	stopped := s.retire(ctx, u)
	s.mu.Lock()
	u.service = next
	s.mu.Unlock()
	return errors.Join(stopped, s.start(context.WithoutCancel(ctx), u))
}

// Remove stops the named service, until ctx ends or within [StopTimeout], and forgets it.
func (s *Supervisor) Remove(ctx context.Context, name string) error {
	s.change.Lock()
	defer s.change.Unlock()
	u := s.find(name)
	if u == nil {
		return fmt.Errorf("remove %s: there is no such service", name)
	}
	err := s.retire(ctx, u)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.units = slices.DeleteFunc(s.units, func(other *unit) bool { return other == u })
	return err
}

// Stop stops all services, the last started first, each until ctx ends at most. It returns what went wrong.
func (s *Supervisor) Stop(ctx context.Context) error {
	s.change.Lock()
	defer s.change.Unlock()
	var errs []error
	for _, u := range slices.Backward(s.snapshot()) {
		errs = append(errs, s.stop(ctx, u))
	}
	return errors.Join(errs...)
}

func (s *Supervisor) stop(ctx context.Context, u *unit) error {
	if !u.running {
		return nil
	}
	u.running = false
	s.set(u, Stopped, nil) // at once: no check shall find it failed because it ends
	err := u.service.Stop(ctx)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		if s.BrokenOff != nil {
			s.BrokenOff(u.name, err)
		}
		return nil
	}
	if err != nil {
		err = fmt.Errorf("stop %s: %w", u.name, err)
	}
	s.set(u, Stopped, err)
	return err
}

// retire stops a service for good while others go on.
func (s *Supervisor) retire(ctx context.Context, u *unit) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, StopTimeout)
		defer cancel()
	}
	return s.stop(ctx, u)
}

// Check asks the named service a real question and keeps the outcome as its health. One that is not running is not
// asked. When ctx is cancelled, whoever asked has gone and nothing is known: health stays as it was, and ctx's error is
// returned.
func (s *Supervisor) Check(ctx context.Context, name string) (Health, error) {
	u := s.find(name)
	if u == nil {
		return Health{}, fmt.Errorf("check %s: there is no such service", name)
	}
	s.mu.Lock()
	before, service := u.health, u.service
	s.mu.Unlock()
	asked := before.State == Up || before.State == Failed && !before.Checked.IsZero()
	if !asked {
		return before, nil
	}
	began := time.Now()
	err := service.Check(ctx)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return before, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.service != service || u.health.State != before.State {
		return u.health, nil // it was stopped or replaced meanwhile
	}
	state := Up
	if err != nil {
		state = Failed
	}
	if state != before.State {
		u.health.Since = time.Now()
	}
	u.health.State, u.health.Err = state, err
	u.health.Checked, u.health.Took = time.Now(), time.Since(began)
	return u.health, nil
}

// Health tells of every service, in the order of their start.
func (s *Supervisor) Health() []Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Health, len(s.units))
	for i, u := range s.units {
		all[i] = u.health
	}
	return all
}

// Service returns the named service, or nil.
func (s *Supervisor) Service(name string) Service {
	u := s.find(name)
	if u == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return u.service
}

func (s *Supervisor) find(name string) *unit {
	for _, u := range s.snapshot() {
		if u.name == name {
			return u
		}
	}
	return nil
}

func (s *Supervisor) snapshot() []*unit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.units)
}

func (s *Supervisor) set(u *unit, state State, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.health = Health{Name: u.name, State: state, Err: err, Since: time.Now()}
}
