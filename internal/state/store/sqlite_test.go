package store_test

import (
	"testing"

	"github.com/network-utopia/utopia/internal/state/store"
	"github.com/network-utopia/utopia/internal/state/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openAt(t, t.TempDir()) })
}

// openAt opens the store in dir and closes it when the test ends.
func openAt(t testing.TB, dir string) *store.SQLite {
	t.Helper()
	s, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	openAt(b, dir).Close()
	for b.Loop() {
		openAt(b, dir).Close()
	}
}

func BenchmarkCreate(b *testing.B) {
	for b.Loop() {
		openAt(b, b.TempDir()).Close()
	}
}
