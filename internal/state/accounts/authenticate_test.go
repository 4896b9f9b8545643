package accounts

import (
	"bytes"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/internal/state/store"
)

// When the parameters change, secrets are hashed anew as they are used.
func TestRehash(t *testing.T) {
	t.Parallel()
	old := newSet(t, Options{})
	setPassword(t, old, "alice", "correct horse")
	secret, id, err := old.AddAppPassword(t.Context(), "alice", "phone")
	if err != nil {
		t.Fatal(err)
	}
	creds := old.opts.Credentials
	hash := func(id string) string {
		c, err := creds.Get(t.Context(), "alice", id)
		if err != nil {
			t.Fatal(err)
		}
		return c.Hash
	}
	first, firstApp := hash(passwordID), hash(id)
	s := newSet(t, Options{Credentials: creds, Hash: Params{Memory: 32, Time: 2, Lanes: 1}})
	out(t, s, "alice", "wrong horse")
	if hash(passwordID) != first {
		t.Error("a wrong password was hashed anew")
	}
	in(t, s, "alice", "correct horse")
	in(t, s, "alice", strings.ToUpper(secret))
	second, secondApp := hash(passwordID), hash(id)
	if second == first || !strings.Contains(second, "$m=32,t=2,p=1$") || secondApp == firstApp || !strings.Contains(secondApp, "$m=32,t=2,p=1$") {
		t.Errorf("%s, %s", second, secondApp)
	}
	in(t, s, "alice", "correct horse")
	in(t, s, "alice", secret)
	if hash(passwordID) != second {
		t.Error("hashed anew without a reason")
	}
	in(t, old, "alice", "correct horse") // and back
	if !strings.Contains(hash(passwordID), "$m=16,t=1,p=1$") {
		t.Error(hash(passwordID))
	}
}

// A damaged hash opens nothing, and is not taken for a wrong password.
func TestDamagedHash(t *testing.T) {
	t.Parallel()
	s := newSet(t, Options{})
	err := s.opts.Credentials.Put(t.Context(), store.Credential{User: "alice", ID: passwordID, Kind: store.Password, Hash: "plain text"})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := s.Authenticate(t.Context(), "alice", "plain text"); !errors.Is(err, errPHC) || a.Name != "" {
		t.Errorf("%+v, %v", a, err)
	}
	out(t, s, "bob", "plain text")
}

func TestStoreFails(t *testing.T) {
	t.Parallel()
	st, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := newSet(t, Options{Credentials: st.Credentials()})
	setPassword(t, s, "alice", "correct horse")
	st.Close()
	if _, err := s.Authenticate(t.Context(), "alice", "correct horse"); !errors.Is(err, store.ErrClosed) || errors.Is(err, ErrBadCredentials) {
		t.Errorf("Authenticate: %v", err)
	}
	_, _, addErr := s.AddAppPassword(t.Context(), "alice", "")
	_, listErr := s.List(t.Context())
	for what, err := range map[string]error{
		"SetPassword":       s.SetPassword(t.Context(), "alice", "correct horse"),
		"AddAppPassword":    addErr,
		"RemoveAppPassword": s.RemoveAppPassword(t.Context(), "alice", "abcd"),
		"Remove":            s.Remove(t.Context(), "alice"),
		"List":              listErr,
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The use of a secret is noted, though not each time.
func TestUseIsNoted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, Options{NoteUse: time.Hour})
		setPassword(t, s, "alice", "correct horse")
		_, id, err := s.AddAppPassword(t.Context(), "alice", "")
		if err != nil {
			t.Fatal(err)
		}
		used := func(id string) time.Time {
			c, err := s.opts.Credentials.Get(t.Context(), "alice", id)
			if err != nil {
				t.Fatal(err)
			}
			return c.LastUsed
		}
		out(t, s, "alice", "wrong horse")
		if !used(passwordID).IsZero() {
			t.Error("a failed sign-in was noted")
		}
		in(t, s, "alice", "correct horse")
		first := time.Now()
		if !used(passwordID).Equal(first) || !used(id).IsZero() {
			t.Errorf("%v, %v", used(passwordID), used(id))
		}
		time.Sleep(time.Hour - time.Second)
		in(t, s, "alice", "correct horse")
		if !used(passwordID).Equal(first) {
			t.Error("noted too early")
		}
		time.Sleep(time.Second)
		in(t, s, "alice", "correct horse")
		if !used(passwordID).Equal(time.Now()) {
			t.Error("not noted after an hour")
		}
	})
}

// A disk that cannot be written keeps nobody out.
func TestSignInWithoutWriting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	st, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	setPassword(t, newSet(t, Options{Credentials: st.Credentials()}), "alice", "correct horse")
	st.Close()
	st, err = store.OpenOptions(t.Context(), dir, store.Options{BusyTimeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var log bytes.Buffer
	s := newSet(t, Options{
		Credentials: st.Credentials(), Hash: Params{Memory: 32}, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	unblock := blockWrites(t, dir)
	in(t, s, "alice", "correct horse")
	unblock()
	if text := log.String(); strings.Count(text, "WARN") != 2 || strings.Contains(text, "horse") || strings.Contains(text, "argon2") {
		t.Errorf("the log says %s", text)
	}
}

// blockWrites makes every write to the database in dir fail until it is undone.
func blockWrites(t *testing.T, dir string) (unblock func()) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "utopia.db"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	return func() { db.Close() }
}

// Unknown users cost the same as known ones. What is compared is the memory that an attempt fills, as a busy machine
// has no say in it: nearly all of it is the one hash, whose parameters are the same.
func TestUnknownUsersCostAsMuch(t *testing.T) {
	p := Params{Memory: 4096, Time: 1, Lanes: 1}
	s := newSet(t, Options{Hash: p, MaxHashing: 1})
	if s.hasher.dummy.Params != p {
		t.Errorf("nobody's password is checked with %+v", s.hasher.dummy.Params)
	}
	setPassword(t, s, "alice", "correct horse")
	secret, _, err := s.AddAppPassword(t.Context(), "alice", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ user, password string }{
		"a wrong password":              {"alice", "wrong horse"},
		"a user without a password":     {"bob", "wrong horse"},
		"nobody":                        {"nobody", "wrong horse"},
		"an app password of nobody":     {"nobody", secret},
		"an unknown app password":       {"alice", strings.Repeat("0", 32)},
		"a wrong one of a known prefix": {"alice", secret[:4] + strings.Repeat("0", 28)},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out(t, s, c.user, c.password)
		runtime.ReadMemStats(&after)
		const hash = 4096 << 10
		if filled := after.TotalAlloc - before.TotalAlloc; filled < hash || filled > hash*3/2 {
			t.Errorf("%s fills %d bytes, one hash %d", name, filled, hash)
		}
	}
}
