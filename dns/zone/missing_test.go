package zone

import (
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
)

func named(t *testing.T, name string) *Zone {
	t.Helper()
	z, _, err := Load(strings.NewReader("@ 60 SOA . . 1 2 3 4 5\n@ 60 NS .\n"), ReadOptions{Origin: dns.MustParseName(name)})
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestMissing(t *testing.T) {
	t.Parallel()
	parent, deep := named(t, "example.test."), named(t, "a.gone.example.test.")
	set, err := NewSet(parent, deep)
	if err != nil {
		t.Fatal(err)
	}
	before := set
	set = set.WithMissing(dns.MustParseName("GONE.example.test."), dns.MustParseName("other.test."), dns.MustParseName("Example.test."))
	for _, tt := range []struct {
		name    string
		t       dns.Type
		want    *Zone
		missing bool
	}{
		{"example.test.", dns.TypeA, parent, false},
		{"www.example.test.", dns.TypeA, parent, false},
		{"gone.example.test.", dns.TypeA, nil, true},
		{"x.Gone.example.test.", dns.TypeDS, nil, true},
		{"gone.example.test.", dns.TypeDS, parent, false}, // the parent's side is there
		{"a.gone.example.test.", dns.TypeA, deep, false},
		{"a.gone.example.test.", dns.TypeDS, deep, false},
		{"other.test.", dns.TypeSOA, nil, true},
		{"other.test.", dns.TypeDS, nil, true},
		{"test.", dns.TypeA, nil, false},
		{".", dns.TypeDS, nil, false},
	} {
		n := dns.MustParseName(tt.name)
		if got := set.FindFor(n, tt.t); got != tt.want {
			t.Errorf("%s %s: found %v", tt.name, tt.t, got)
		}
		if got := set.Missing(n, tt.t); got != tt.missing {
			t.Errorf("%s %s: missing is %v", tt.name, tt.t, got)
		}
		if got := set.FindWire([]byte(n.Canonical())); tt.t != dns.TypeDS && got != tt.want {
			t.Errorf("%s: FindWire gives %v", tt.name, got)
		}
	}
	if zones := set.Zones(); len(zones) != 2 || zones[0] != parent || zones[1] != deep {
		t.Errorf("the zones are %v", zones)
	}
	if before.Missing(dns.MustParseName("other.test."), dns.TypeA) || before.Find(dns.MustParseName("gone.example.test.")) != parent {
		t.Error("the set before has changed")
	}
	var none *Set
	if none.Missing(dns.Root, dns.TypeA) || !none.WithMissing(dns.Root).Missing(dns.MustParseName("a.test."), dns.TypeDS) {
		t.Error("of no zones")
	}
}
