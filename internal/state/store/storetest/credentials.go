package storetest

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/state/store"
)

// start is a time with microseconds, in UTC.
func start() time.Time { return time.Date(2026, 11, 22, 10, 11, 12, 345678000, time.UTC) }

func credential(user, id string) store.Credential {
	return store.Credential{
		User: user, ID: id, Kind: store.Password, Label: "the label", Hash: "$argon2id$" + user + id, Created: start(),
	}
}

// is fails the test unless err is want.
func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// must fails the test at once when there is an error.
func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// stored checks that exactly want stands under its user and ID.
func stored(t *testing.T, cs store.Credentials, want store.Credential) {
	t.Helper()
	got, err := cs.Get(t.Context(), want.User, want.ID)
	must(t, "Get", err)
	if got != want {
		t.Errorf("Get = %+v\nwant  %+v", got, want)
	}
}

func credentialsWhole(t *testing.T, open Open) {
	cs := open(t).Credentials()
	plain := credential("alice", "password")
	odd := store.Credential{
		User: "ålice ☃ o'brien; --\"%_", ID: "\t\n\\", Kind: store.AppPassword,
		Hash: strings.Repeat("h", 100_000), Created: start(), LastUsed: start().Add(time.Hour),
	}
	for _, c := range []store.Credential{plain, odd} {
		must(t, "Put", cs.Put(t.Context(), c))
		stored(t, cs, c)
	}
	// Times of any zone come back in UTC, cut to the microsecond.
	zoned := plain
	zoned.Created = start().Add(789 * time.Nanosecond).In(time.FixedZone("", 3600))
	must(t, "Put", cs.Put(t.Context(), zoned))
	stored(t, cs, plain)
	// Before 1970, and far away.
	plain.Created = time.Date(1900, 1, 2, 3, 4, 5, 6000, time.UTC)
	plain.LastUsed = time.Date(9999, 1, 2, 3, 4, 5, 6000, time.UTC)
	must(t, "Put", cs.Put(t.Context(), plain))
	stored(t, cs, plain)
}

func credentialsNamed(t *testing.T, open Open) {
	cs := open(t).Credentials()
	must(t, "Put", cs.Put(t.Context(), credential("alice", "password")))
	for _, name := range [][2]string{
		{"alice", "x"}, {"bob", "password"}, {"Alice", "password"}, {"alice", "PASSWORD"}, {"alice ", "password"},
		{"", "password"}, {"alice", ""}, {"%", "password"}, {"alic_", "password"}, {"", ""},
	} {
		_, err := cs.Get(t.Context(), name[0], name[1])
		is(t, "Get "+name[0]+"/"+name[1], err, store.ErrNotFound)
	}
	list, err := cs.List(t.Context(), "Alice")
	must(t, "List", err)
	if len(list) != 0 {
		t.Errorf("List of nobody = %v", list)
	}
}

func putAndAdd(t *testing.T, open Open) {
	cs := open(t).Credentials()
	first, second := credential("alice", "x"), credential("alice", "x")
	second.Kind, second.Label, second.Hash = store.AppPassword, "", "another"
	second.Created, second.LastUsed = start().Add(time.Second), start().Add(time.Minute)
	must(t, "Add", cs.Add(t.Context(), first))
	is(t, "a second Add", cs.Add(t.Context(), second), store.ErrExists)
	stored(t, cs, first)
	must(t, "Put", cs.Put(t.Context(), second))
	stored(t, cs, second)
	must(t, "Add for another user", cs.Add(t.Context(), credential("bob", "x")))
}

func listsOrdered(t *testing.T, open Open) {
	cs := open(t).Credentials()
	all, err := cs.All(t.Context())
	must(t, "All", err)
	if len(all) != 0 {
		t.Errorf("an empty store has %v", all)
	}
	var want []string
	for _, name := range []string{"bob/b", "alice/z", "alice/a", "carol/c", "alice/m", "Z/a"} {
		user, id, _ := strings.Cut(name, "/")
		must(t, "Put", cs.Put(t.Context(), credential(user, id)))
		want = append(want, name)
	}
	slices.Sort(want)
	all, err = cs.All(t.Context())
	must(t, "All", err)
	if got := names(all); !slices.Equal(got, want) {
		t.Errorf("All = %v, want %v", got, want)
	}
	list, err := cs.List(t.Context(), "alice")
	must(t, "List", err)
	if got := names(list); !slices.Equal(got, []string{"alice/a", "alice/m", "alice/z"}) {
		t.Errorf("List = %v", got)
	}
}

func names(list []store.Credential) []string {
	var names []string
	for _, c := range list {
		names = append(names, c.User+"/"+c.ID)
	}
	return names
}

func rehash(t *testing.T, open Open) {
	cs := open(t).Credentials()
	c := credential("alice", "password")
	must(t, "Put", cs.Put(t.Context(), c))
	must(t, "Put", cs.Put(t.Context(), credential("bob", "password")))
	is(t, "Rehash of another hash", cs.Rehash(t.Context(), "alice", "password", "other", "new"), store.ErrChanged)
	is(t, "Rehash of nothing", cs.Rehash(t.Context(), "carol", "password", c.Hash, "new"), store.ErrChanged)
	is(t, "Rehash to nothing", cs.Rehash(t.Context(), "alice", "password", c.Hash, ""), store.ErrInvalid)
	stored(t, cs, c)
	must(t, "Rehash", cs.Rehash(t.Context(), "alice", "password", c.Hash, "new"))
	is(t, "Rehash again", cs.Rehash(t.Context(), "alice", "password", c.Hash, "newer"), store.ErrChanged)
	c.Hash = "new"
	stored(t, cs, c)
	stored(t, cs, credential("bob", "password"))
}

func used(t *testing.T, open Open) {
	cs := open(t).Credentials()
	c := credential("alice", "password")
	must(t, "Put", cs.Put(t.Context(), c))
	is(t, "Used of nothing", cs.Used(t.Context(), "alice", "x", start()), store.ErrNotFound)
	c.LastUsed = start().Add(time.Hour)
	must(t, "Used", cs.Used(t.Context(), "alice", "password", c.LastUsed))
	stored(t, cs, c)
	must(t, "Used earlier", cs.Used(t.Context(), "alice", "password", start()))
	stored(t, cs, c)
}

func deleteCredentials(t *testing.T, open Open) {
	cs := open(t).Credentials()
	for _, name := range []string{"alice/a", "alice/b", "alice/c", "bob/a"} {
		user, id, _ := strings.Cut(name, "/")
		must(t, "Put", cs.Put(t.Context(), credential(user, id)))
	}
	must(t, "Delete", cs.Delete(t.Context(), "alice", "b"))
	is(t, "Delete again", cs.Delete(t.Context(), "alice", "b"), store.ErrNotFound)
	for want := range 2 {
		n, err := cs.DeleteUser(t.Context(), "alice")
		must(t, "DeleteUser", err)
		if n != 2-2*want {
			t.Errorf("DeleteUser = %d, want %d", n, 2-2*want)
		}
	}
	all, err := cs.All(t.Context())
	must(t, "All", err)
	if got := names(all); !slices.Equal(got, []string{"bob/a"}) {
		t.Errorf("left: %v", got)
	}
}

func credentialsInvalid(t *testing.T, open Open) {
	cs := open(t).Credentials()
	for what, change := range map[string]func(c *store.Credential){
		"no user":          func(c *store.Credential) { c.User = "" },
		"no ID":            func(c *store.Credential) { c.ID = "" },
		"no kind":          func(c *store.Credential) { c.Kind = "" },
		"no hash":          func(c *store.Credential) { c.Hash = "" },
		"NUL in the user":  func(c *store.Credential) { c.User = "alice\x00" },
		"NUL in the label": func(c *store.Credential) { c.Label = "\x00" },
		"user not UTF-8":   func(c *store.Credential) { c.User = "\xff" },
		"label not UTF-8":  func(c *store.Credential) { c.Label = "a\xc3" },
		"hash not UTF-8":   func(c *store.Credential) { c.Hash = "\xed\xa0\x80" },
	} {
		c := credential("alice", "password")
		change(&c)
		is(t, "Put with "+what, cs.Put(t.Context(), c), store.ErrInvalid)
		is(t, "Add with "+what, cs.Add(t.Context(), c), store.ErrInvalid)
	}
	all, err := cs.All(t.Context())
	must(t, "All", err)
	if len(all) != 0 {
		t.Errorf("stored all the same: %v", all)
	}
}

func oneAdder(t *testing.T, open Open) {
	cs := open(t).Credentials()
	const adders = 16
	errs := make([]error, adders)
	var wg sync.WaitGroup
	for i := range adders {
		wg.Go(func() {
			c := credential("alice", "x")
			c.Label = strings.Repeat("x", i+1)
			errs[i] = cs.Add(t.Context(), c)
		})
	}
	wg.Wait()
	winner := slices.Index(errs, nil)
	if winner < 0 {
		t.Fatalf("nobody added: %v", errs[0])
	}
	for i, err := range errs {
		if i != winner {
			is(t, "Add", err, store.ErrExists)
		}
	}
	got, err := cs.Get(t.Context(), "alice", "x")
	must(t, "Get", err)
	if len(got.Label) != winner+1 {
		t.Errorf("stored is that of adder %d, acknowledged that of %d", len(got.Label)-1, winner)
	}
}
