package accounts

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// One past those who hash and those who may wait is turned away at once.
func TestBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(quick(), 2, 3)
		var releases []func()
		for range 2 {
			release, err := h.acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			releases = append(releases, release)
		}
		got := make(chan func(), 3)
		for range 3 {
			go func() {
				release, err := h.acquire(t.Context())
				if err != nil {
					t.Error(err)
				}
				got <- release
			}()
		}
		synctest.Wait()
		if _, err := h.acquire(t.Context()); err != ErrBusy {
			t.Errorf("one past the limit: %v", err)
		}
		var temporary interface{ Temporary() bool }
		if !errors.As(ErrBusy, &temporary) || !temporary.Temporary() {
			t.Error("ErrBusy is not temporary")
		}
		releases[0]()
		(<-got)()
		(<-got)()
		releases[1]()
		(<-got)()
		synctest.Wait()
		if len(h.turns) != 0 || h.waiting.Load() != 0 {
			t.Errorf("left over: %d turns, %d waiting", len(h.turns), h.waiting.Load())
		}
	})
}

// Who waits, waits no longer than its context.
func TestBusyUntilContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(quick(), 1, 1)
		release, err := h.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err = h.acquire(ctx)
		if !errors.Is(err, ErrBusy) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		release()
		if release, err = h.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		release()
	})
}

func TestAuthenticateWhenBusy(t *testing.T) {
	t.Parallel()
	s := newSet(t, Options{MaxHashing: 1, MaxWaiting: 1})
	setPassword(t, s, "alice", "correct horse")
	release, err := s.hasher.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	// Known or not, right or wrong: who cannot be checked is told the same.
	for _, user := range []string{"alice", "nobody"} {
		if a, err := s.Authenticate(ctx, user, "correct horse"); !errors.Is(err, ErrBusy) && !errors.Is(err, context.DeadlineExceeded) || a.Name != "" {
			t.Errorf("%s: %+v, %v", user, a, err)
		}
	}
	if err := s.SetPassword(ctx, "alice", "another one"); !errors.Is(err, ErrBusy) {
		t.Errorf("SetPassword: %v", err)
	}
	if _, _, err := s.AddAppPassword(ctx, "alice", ""); err == nil {
		t.Error("AddAppPassword has not waited")
	}
	release()
	in(t, s, "alice", "correct horse")
}

// Memory is given back once it has been quiet, and not too often.
func TestMemoryIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(quick(), 1, 1)
		var freed atomic.Int32
		h.memory.free = func() { freed.Add(1) }
		use := func() {
			release, err := h.acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			release()
		}
		after := func(d time.Duration, want int) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if int(freed.Load()) != want {
				t.Errorf("given back %d times, want %d", freed.Load(), want)
			}
		}
		for range 5 {
			use()
			after(quiet-time.Millisecond, 0)
		}
		after(time.Millisecond, 1)
		after(time.Hour, 1)
		use()
		after(quiet, 2)
		use()
		after(giveBackEvery-time.Millisecond, 2)
		after(time.Millisecond, 3)
		after(time.Hour, 3)
	})
}
