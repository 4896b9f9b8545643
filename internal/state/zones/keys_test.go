package zones

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/state/store"
)

func openKeys(t *testing.T, dir string) store.Keys {
	t.Helper()
	db, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db.Keys()
}

func keyOf(t *testing.T, s *SigningKeys, zone string) *dns.SigningKey {
	t.Helper()
	keys, err := s.Of(t.Context(), dns.MustParseName(zone))
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	return keys[0]
}

// TestSigningKeysLast: a zone has one key, whoever asks and whenever.
func TestSigningKeysLast(t *testing.T) {
	t.Parallel()
	keys := openKeys(t, t.TempDir())
	first := keyOf(t, NewSigningKeys(keys), "Example.test.")
	if first.Owner != dns.MustParseName("example.test.") || first.Algorithm != dns.ECDSAP256SHA256 || first.Flags != dns.FlagZone|dns.FlagSEP {
		t.Errorf("%s, flags %d", first, first.Flags)
	}
	again := keyOf(t, NewSigningKeys(keys), "example.TEST.")
	if string(again.Data()) != string(first.Data()) {
		t.Error("another key the second time")
	}
	if other := keyOf(t, NewSigningKeys(keys), "sub.example.test."); string(other.Data()) == string(first.Data()) {
		t.Error("two zones with one key")
	}
}

// TestSigningKeysAtOnce: of many that ask at once, all get the same.
func TestSigningKeysAtOnce(t *testing.T) {
	t.Parallel()
	s := NewSigningKeys(openKeys(t, t.TempDir()))
	var found sync.Map
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			keys, err := s.Of(context.Background(), dns.MustParseName("example.test."))
			if err != nil {
				t.Error(err)
				return
			}
			found.Store(string(keys[0].Data()), true)
		})
	}
	wait.Wait()
	count := 0
	found.Range(func(any, any) bool { count++; return true })
	if count != 1 {
		t.Errorf("%d keys", count)
	}
}

// TestSigningKeysSpoilt: what is kept and cannot be read is an error, never replaced: the parent zone points at it.
func TestSigningKeysSpoilt(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(k, other store.Key) store.Key{
		"no PEM":           func(k, _ store.Key) store.Key { k.PrivateKey = []byte("x"); return k },
		"another block":    func(k, _ store.Key) store.Key { k.PrivateKey = k.Certificate; return k },
		"another's key":    func(k, other store.Key) store.Key { other.Name = k.Name; return other },
		"another's secret": func(k, other store.Key) store.Key { k.PrivateKey = other.PrivateKey; return k },
	} {
		keys := openKeys(t, t.TempDir())
		s := NewSigningKeys(keys)
		keyOf(t, s, "example.test.")
		keyOf(t, s, "other.test.")
		kept, err := keys.Get(t.Context(), kindSigning, "example.test.")
		if err != nil {
			t.Fatal(err)
		}
		other, err := keys.Get(t.Context(), kindSigning, "other.test.")
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.Put(t.Context(), change(kept, other)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Of(t.Context(), dns.MustParseName("example.test.")); err == nil || !strings.Contains(err.Error(), "the key of example.test.") {
			t.Errorf("%s: %v %v", what, got, err)
		}
	}
}

// TestSigningKeysClosed: an error of the store is told.
func TestSigningKeysClosed(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewSigningKeys(openKeys(t, t.TempDir())).Of(ctx, dns.MustParseName("example.test.")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
