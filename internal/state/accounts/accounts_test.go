package accounts

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/state/store"
)

// quick are parameters that cost microseconds.
func quick() Params { return Params{Memory: 16, Time: 1, Lanes: 1} }

// newSet returns a set over a store of its own, with alice (an administrator)
// and bob.
func newSet(t testing.TB, opts Options) *Set {
	t.Helper()
	if opts.Credentials == nil {
		s, err := store.Open(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		opts.Credentials = s.Credentials()
	}
	if opts.Users == nil {
		opts.Users = []User{{Name: "alice", Admin: true}, {Name: "bob"}}
	}
	if opts.Hash == (Params{}) {
		opts.Hash = quick()
	}
	return New(opts)
}

func setPassword(t *testing.T, s *Set, user, password string) {
	t.Helper()
	if err := s.SetPassword(t.Context(), user, password); err != nil {
		t.Fatalf("SetPassword: %v", err)
	}
}

// in checks that user gets in with password.
func in(t *testing.T, s *Set, user, password string) Account {
	t.Helper()
	a, err := s.Authenticate(t.Context(), user, password)
	if err != nil {
		t.Fatalf("Authenticate(%q, %q): %v", user, password, err)
	}
	return a
}

// out checks that user does not get in with password.
func out(t *testing.T, s *Set, user, password string) {
	t.Helper()
	a, err := s.Authenticate(t.Context(), user, password)
	if err != ErrBadCredentials { // the same one, so that nobody can tell the causes apart
		t.Errorf("Authenticate(%q, %q) = %+v, %v, want ErrBadCredentials", user, password, a, err)
	}
	if a.Name != "" {
		t.Errorf("an account beside the error: %+v", a)
	}
}

func TestPassword(t *testing.T) {
	t.Parallel()
	s := newSet(t, Options{})
	setPassword(t, s, "alice", "correct horse")
	a := in(t, s, "alice", "correct horse")
	if fmt.Sprintf("%+v", a) != "{Name:alice Admin:true Roles:[user admin] AppPassword:}" {
		t.Errorf("account = %+v", a)
	}
	for _, wrong := range []string{
		"", "correct hors", "correct horse ", "Correct horse", "correct horse\x00", strings.Repeat("x", 1024),
		strings.Repeat("x", 1025), "correct horsf",
	} {
		out(t, s, "alice", wrong)
	}
	for _, nobody := range []string{"", "bob", "carol", "alice ", "alice\x00", "%", "\xff"} {
		out(t, s, nobody, "correct horse")
	}
	// Names know no case; they are shown as the configuration has them.
	if a := in(t, s, "ALICE", "correct horse"); a.Name != "alice" {
		t.Errorf("ALICE signed in as %q", a.Name)
	}
	// A new password takes the place of the old one.
	setPassword(t, s, "Alice", "battery staple")
	out(t, s, "alice", "correct horse")
	in(t, s, "alice", "battery staple")
}

func TestConfiguredAndStored(t *testing.T) {
	t.Parallel()
	s := newSet(t, Options{})
	setPassword(t, s, "bob", "correct horse")
	in(t, s, "bob", "correct horse")
	s.ReplaceUsers([]User{{Name: "alice"}})
	out(t, s, "bob", "correct horse")
	if err := s.SetPassword(t.Context(), "bob", "another one"); !errors.Is(err, ErrUnknownUser) {
		t.Errorf("SetPassword of a user who is not configured: %v", err)
	}
	s.ReplaceUsers([]User{{Name: "Bob", Admin: true}})
	if a := in(t, s, "bob", "correct horse"); a.Name != "Bob" || !a.Admin {
		t.Errorf("after the reload: %+v", a)
	}
	for range 2 {
		if err := s.Remove(t.Context(), "BOB"); err != nil {
			t.Fatalf("Remove: %v", err)
		}
		out(t, s, "bob", "correct horse")
	}
}

func TestFitPasswords(t *testing.T) {
	t.Parallel()
	s := newSet(t, Options{})
	for password, fits := range map[string]bool{
		strings.Repeat("x", 8):          true,
		strings.Repeat("x", 7):          false,
		strings.Repeat("x", 1024):       true,
		strings.Repeat("x", 1025):       false,
		"":                              false,
		"        ":                      true,
		"pässwörd":                      true,
		"\xff\xfe\xfd\xfc\xfb\xfa\xf9x": true, // bytes are taken as they are
		"with\x00nul":                   false,
		"with\ttab":                     false,
		"with\nnewline":                 false,
		"with\x7fdelete":                false,
		"with\x1bescape":                false,
	} {
		err := s.SetPassword(t.Context(), "alice", password)
		if fits {
			if err != nil {
				t.Errorf("SetPassword(%q): %v", password, err)
			}
			in(t, s, "alice", password)
			continue
		}
		if !errors.Is(err, ErrUnfitPassword) {
			t.Errorf("SetPassword(%q): %v, want ErrUnfitPassword", password, err)
		} else if strings.ContainsAny(err.Error(), "\n\x00") || (password != "" && strings.Contains(err.Error(), password)) {
			t.Errorf("the error shows the password: %q", err)
		}
	}
}

func TestLimitsOfPasswords(t *testing.T) {
	t.Parallel()
	s := newSet(t, Options{MinPassword: 3, MaxPassword: 5})
	for password, fits := range map[string]bool{"12": false, "123": true, "12345": true, "123456": false} {
		if err := s.SetPassword(t.Context(), "alice", password); (err == nil) != fits {
			t.Errorf("SetPassword(%q): %v", password, err)
		}
	}
}

func TestAppPassword(t *testing.T) {
	t.Parallel()
	s := newSet(t, Options{})
	setPassword(t, s, "alice", "correct horse")
	secret, id, err := s.AddAppPassword(t.Context(), "Alice", "phone")
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := s.AddAppPassword(t.Context(), "alice", "phone")
	if err != nil || other == secret {
		t.Fatalf("a second one: %q, %v", other, err)
	}
	typed := strings.ReplaceAll(secret, "-", "")
	for _, as := range []string{
		secret, typed, strings.ToUpper(secret), strings.ReplaceAll(secret, "-", " "),
		strings.ReplaceAll(secret, "0", "O"), strings.ReplaceAll(secret, "1", "l"), " " + secret + " ",
	} {
		a := in(t, s, "alice", as)
		if a.AppPassword != id || a.Name != "alice" || !a.Admin {
			t.Errorf("with %q: %+v", as, a)
		}
	}
	last := byte('0')
	if typed[31] == '0' {
		last = '1'
	}
	for _, wrong := range []string{typed[:31] + string(last), typed[:31], typed + "0", id, id + strings.Repeat("0", 28)} {
		out(t, s, "alice", wrong)
	}
	out(t, s, "bob", secret)
	in(t, s, "alice", "correct horse")
	if err := s.RemoveAppPassword(t.Context(), "alice", id); err != nil {
		t.Fatal(err)
	}
	out(t, s, "alice", secret)
	in(t, s, "alice", other)
	for _, id := range []string{id, "", "password", "0000"} {
		if err := s.RemoveAppPassword(t.Context(), "alice", id); !errors.Is(err, ErrNoAppPassword) {
			t.Errorf("RemoveAppPassword(%q): %v", id, err)
		}
	}
	in(t, s, "alice", "correct horse")
	if err := s.Remove(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	out(t, s, "alice", other)
	out(t, s, "alice", "correct horse")
}

// A password that its owner chose may look like an app password.
func TestPasswordShapedLikeAppPassword(t *testing.T) {
	t.Parallel()
	s := newSet(t, Options{})
	own := "Abcd-efgh-jkmn-pqrs-tvwx-yz01-2345-6789"
	setPassword(t, s, "alice", own)
	if a := in(t, s, "alice", own); a.AppPassword != "" {
		t.Errorf("%+v", a)
	}
	out(t, s, "alice", strings.ToLower(own)) // of one's own password every byte counts
}

func TestAppPasswordLimits(t *testing.T) {
	t.Parallel()
	s := newSet(t, Options{MaxAppPasswords: 2, MaxLabel: 4})
	ids := make([]string, 2)
	for i, label := range []string{"1234", ""} {
		_, id, err := s.AddAppPassword(t.Context(), "alice", label)
		if err != nil {
			t.Fatalf("AddAppPassword %d: %v", i, err)
		}
		ids[i] = id
	}
	if _, _, err := s.AddAppPassword(t.Context(), "alice", ""); !errors.Is(err, ErrTooManyAppPasswords) {
		t.Errorf("one past the limit: %v", err)
	}
	if err := s.RemoveAppPassword(t.Context(), "alice", ids[0]); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.AddAppPassword(t.Context(), "alice", ""); err != nil {
		t.Errorf("after one was removed: %v", err)
	}
	for _, label := range []string{"12345", "a\nb", "\x00", "\xff"} {
		if _, _, err := s.AddAppPassword(t.Context(), "bob", label); !errors.Is(err, ErrUnfitLabel) {
			t.Errorf("label %q: %v", label, err)
		}
	}
	if _, _, err := s.AddAppPassword(t.Context(), "carol", ""); !errors.Is(err, ErrUnknownUser) {
		t.Errorf("for nobody: %v", err)
	}
}

// The limit holds when many are added at once.
func TestAppPasswordLimitAtOnce(t *testing.T) {
	t.Parallel()
	s := newSet(t, Options{MaxAppPasswords: 3})
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			if _, _, err := s.AddAppPassword(t.Context(), "alice", ""); err != nil && !errors.Is(err, ErrTooManyAppPasswords) {
				t.Errorf("AddAppPassword: %v", err)
			}
		})
	}
	wg.Wait()
	list, err := s.List(t.Context())
	if err != nil || len(list[0].AppPasswords) != 3 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestCan(t *testing.T) {
	t.Parallel()
	admin := Account{Name: "alice", Admin: true}
	adminApp := Account{Name: "alice", Admin: true, AppPassword: "abcd"}
	for _, c := range []struct {
		who               Account
		administer, other bool
	}{
		{admin, true, true}, {adminApp, false, false}, {Account{Name: "bob"}, false, true}, {Account{}, false, false},
		{Account{Admin: true}, false, false},
	} {
		if c.who.Can(Administer) != c.administer || c.who.Can(ChangeSecrets) != c.other || c.who.Can(Action(99)) {
			t.Errorf("%+v: %v, %v", c.who, c.who.Can(Administer), c.who.Can(ChangeSecrets))
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	s := newSet(t, Options{Users: []User{{Name: "zoe"}, {Name: "Alice", Admin: true}, {Name: "bob"}}})
	begin := time.Now().Add(-time.Second)
	setPassword(t, s, "alice", "correct horse")
	setPassword(t, s, "bob", "correct horse")
	_, first, _ := s.AddAppPassword(t.Context(), "alice", "phone")
	_, second, _ := s.AddAppPassword(t.Context(), "alice", "laptop")
	s.ReplaceUsers([]User{{Name: "zoe"}, {Name: "Alice", Admin: true}})
	in(t, s, "alice", "correct horse")
	list, err := s.List(t.Context())
	if err != nil || len(list) != 3 {
		t.Fatalf("List = %+v, %v", list, err)
	}
	a, b, z := list[0], list[1], list[2]
	if a.Name != "Alice" || !a.Admin || !a.Configured || !a.HasPassword || a.PasswordSet.Before(begin) || a.PasswordUsed.Before(begin) {
		t.Errorf("alice: %+v", a)
	}
	if len(a.AppPasswords) != 2 || a.AppPasswords[0].ID != first || a.AppPasswords[1].ID != second ||
		a.AppPasswords[0].Label != "phone" || !a.AppPasswords[0].Used.IsZero() || a.AppPasswords[0].Created.Before(begin) {
		t.Errorf("alice's app passwords: %+v", a.AppPasswords)
	}
	if b.Name != "bob" || b.Configured || !b.HasPassword || !b.PasswordUsed.IsZero() {
		t.Errorf("bob: %+v", b)
	}
	if z.Name != "zoe" || !z.Configured || z.HasPassword || len(z.AppPasswords) != 0 {
		t.Errorf("zoe: %+v", z)
	}
}
