package config

import (
	"bytes"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDefault(t *testing.T) {
	t.Parallel()
	golden(t, "testdata/default.toml", string(Default("networkutopia.test", nil)))
	got := mustParse(t, string(Default("networkutopia.test", nil)))
	want := mustParse(t, `domain = "networkutopia.test"`)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("it changes more than the domain:\n%+v\n%+v", got, want)
	}
	if n := bytes.Count(Default("networkutopia.test", nil), []byte("\n")); n > 20 {
		t.Errorf("%d lines", n)
	}
	if len(got.Users) != 0 || len(got.Warnings) != 0 {
		t.Errorf("users %v, warnings %v", got.Users, got.Warnings)
	}
}

func TestDefaultAddresses(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		domain := rapid.StringMatching(`[a-z0-9]{1,20}(\.[a-z]{1,10}){1,3}`).Draw(t, "domain")
		n := rapid.IntRange(1, 5).Draw(t, "addresses")
		addresses := make([]netip.Addr, n)
		for i := range addresses {
			addresses[i] = netip.AddrFrom4([4]byte{127, byte(i), rapid.Byte().Draw(t, "byte"), 1})
		}
		c, err := Parse(FileName, Default(domain, addresses))
		if err != nil {
			t.Fatal(err)
		}
		if c.Domain != domain || !reflect.DeepEqual(c.Address, addresses) {
			t.Fatalf("got %s, %v", c.Domain, c.Address)
		}
	})
}

// TestDefaultHostile: a domain from the command line breaks out of nothing.
func TestDefaultHostile(t *testing.T) {
	t.Parallel()
	for _, domain := range []string{"", "a\"\nport-offset = 1\n#.test", "\x00", "\xff.test", "a\\"} {
		p := problemsOf(t, string(Default(domain, nil)))
		if len(p) != 1 || p[0].Line == 0 || !strings.HasPrefix(p[0].Source, "domain  = ") {
			t.Errorf("%q: %v", domain, p)
		}
	}
}

// TestDefaultThenUser: the first user goes below the comment that tells of it.
func TestDefaultThenUser(t *testing.T) {
	t.Parallel()
	got, err := AddUser(Default("a.test", nil), "alice", true)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(got), "# alice = { admin = true }\nalice = { admin = true }\n\n[web]\n") {
		t.Errorf("%s", got)
	}
}
