// Package storetest is what every implementation of store.Store must pass.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/state/store"
)

// Open opens an empty store of its own for one test and closes it when the
// test ends.
type Open func(t *testing.T) store.Store

// Run runs the whole suite, each case on a store of its own.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	cases := []struct {
		name string
		run  func(t *testing.T, open Open)
	}{
		{"credentials are kept whole", credentialsWhole},
		{"credentials are named by user and ID", credentialsNamed},
		{"put replaces, add does not", putAndAdd},
		{"lists are ordered", listsOrdered},
		{"rehash only what is unchanged", rehash},
		{"the last use never goes back", used},
		{"delete one, delete a user", deleteCredentials},
		{"credentials refuse what not every database can hold", credentialsInvalid},
		{"one adder wins", oneAdder},
		{"keys are kept whole", keysWhole},
		{"keys are named by kind and name", keysNamed},
		{"keys refuse what cannot be used", keysInvalid},
		{"swap", swap},
		{"one swapper wins", oneSwapper},
		{"a cancelled write is whole or absent", cancelled},
		{"closed", closed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, open)
		})
	}
}

// cancelled writes with contexts that end at any moment.
func cancelled(t *testing.T, open Open) {
	s := open(t)
	for i := range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*20*time.Microsecond)
		c := credential("alice", "password")
		c.Label = time.Duration(i).String()
		err := s.Credentials().Put(ctx, c)
		cancel()
		got, getErr := s.Credentials().Get(t.Context(), "alice", "password")
		switch {
		case err == nil && (getErr != nil || got.Label != c.Label):
			t.Fatalf("Put %d was acknowledged, and there is %+v, %v", i, got, getErr)
		case getErr == nil && got.Hash != c.Hash:
			t.Fatalf("Put %d is there in part: %+v", i, got)
		}
	}
	// The store is as good as before.
	if err := s.Credentials().Put(t.Context(), credential("bob", "password")); err != nil {
		t.Fatalf("Put after cancelled ones: %v", err)
	}
}

// closed checks that a closed store says so.
func closed(t *testing.T, open Open) {
	s := open(t)
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("a second Close: %v", err)
	}
	ctx := t.Context()
	_, getErr := s.Credentials().Get(ctx, "alice", "password")
	_, listErr := s.Credentials().All(ctx)
	_, keyErr := s.Keys().Get(ctx, "root", "a.test")
	_, _, swapErr := s.Keys().Swap(ctx, nil, key("root", "a.test"))
	for what, err := range map[string]error{
		"Get":     getErr,
		"All":     listErr,
		"Put":     s.Credentials().Put(ctx, credential("alice", "password")),
		"Key.Get": keyErr,
		"Swap":    swapErr,
		"Key.Put": s.Keys().Put(ctx, key("root", "a.test")),
	} {
		is(t, what+" after Close", err, store.ErrClosed)
	}
}
