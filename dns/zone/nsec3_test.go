package zone

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
)

// TestFindNSEC3 holds the search by hash to one that looks at all records.
func TestFindNSEC3(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(head)
	for i := range 150 {
		fmt.Fprintf(&text, "host%d A 192.0.2.1\n", i)
	}
	z, _ := load(t, text.String())
	s := sign(t, z, nil, []*dns.SigningKey{signKeyOf(t, csk)}, SignPolicy{NSEC3: true}, signNow).Zone
	rapid.Check(t, func(t *rapid.T) {
		name, _ := origin.Prepend(fmt.Sprint("host", rapid.IntRange(0, 400).Draw(t, "host")))
		digest, _ := nsec3Param().Digest(name)
		n, matches := s.NSEC3(name)
		owner, ok := dns.NSEC3Digest(n.Name())
		set, _ := n.RRset(dns.TypeNSEC3)
		r, ok2 := dns.RR{Type: dns.TypeNSEC3, Data: set.Data[0]}.NSEC3()
		if _, exists := z.At(name); !ok || !ok2 || matches != exists || matches != bytes.Equal(owner, digest) {
			t.Fatalf("%s: %s, %v", name, n.Name(), matches)
		}
		if !matches && !r.Covers(owner, digest) {
			t.Fatalf("%s is not covered by %s", name, n.Name())
		}
	})
	if n, ok := z.NSEC3(origin); ok || n.Name() != "" || z.HasNSEC3() {
		t.Error("a zone without a chain has", n.Name())
	}
	if n, ok := s.NSEC(origin); ok || n.Name() != "" {
		t.Error("a zone with hashes has", n.Name())
	}
}

// TestFindNSEC: glue between a name and the record before it is passed over.
func TestFindNSEC(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head+"c NS ns.c\nns.c A 192.0.2.1\nx.c A 192.0.2.1\nf.e TXT a\n")
	s := sign(t, z, nil, []*dns.SigningKey{signKeyOf(t, csk)}, SignPolicy{}, signNow).Zone
	for name, want := range map[string]string{
		"example.test.": "example.test.", "a.example.test.": "example.test.", "c.example.test.": "c.example.test.", "C.example.test.": "c.example.test.",
		"d.example.test.": "c.example.test.", "e.example.test.": "c.example.test.", "f.e.example.test.": "f.e.example.test.",
		"g.e.example.test.": "f.e.example.test.", "z.example.test.": "ns1.example.test.",
	} {
		n, own := s.NSEC(dns.MustParseName(name))
		if n.Name().String() != want || own != strings.EqualFold(name, want) {
			t.Errorf("%s: %s, %v", name, n.Name(), own)
		}
	}
	if n, ok := z.NSEC(origin); ok || n.Name() != "" {
		t.Error("a zone without a chain has", n.Name())
	}
	if n, ok := s.NSEC(dns.MustParseName("other.test.")); ok || n.Name() != "" {
		t.Error("outside:", n.Name())
	}
}

// TestHashesAreNoNames: RFC 5155 section 7.2.8: who asks for the owner of an
// NSEC3 record, or below, is told that there is no such name.
func TestHashesAreNoNames(t *testing.T) {
	t.Parallel()
	for _, wildcard := range []bool{false, true} {
		text := head
		if wildcard {
			text += "* TXT a\n"
		}
		z, _ := load(t, text)
		s := sign(t, z, nil, []*dns.SigningKey{signKeyOf(t, csk)}, SignPolicy{NSEC3: true}, signNow).Zone
		n, _ := s.NSEC3(origin)
		below, _ := n.Name().Prepend("x")
		for _, name := range []dns.Name{n.Name(), below} {
			m := s.Lookup(name)
			want := None
			if wildcard {
				want = Wildcard
			}
			if m.Kind != want || m.Encloser != origin || m.Node.Has(dns.TypeNSEC3) {
				t.Errorf("%s: %+v", name, m)
			}
			for _, do := range []bool{false, true} {
				if p := s.Plain([]byte(name), dns.TypeTXT, do); p.Found != NotPlain {
					t.Errorf("%s is plain: %+v", name, p)
				}
			}
		}
		if m := s.Lookup(dns.MustParseName("ns1.example.test.")); m.Kind != Exact {
			t.Errorf("%+v", m)
		}
	}
}

// TestForeignChains: a chain with other parameters than those that NSEC3PARAM
// tells is not used, nor one with more iterations than we do.
func TestForeignChains(t *testing.T) {
	t.Parallel()
	const other = "2vptu5timamqttgl4luu9kg21e0aor3s NSEC3 1 0 %d - 35mthgpgcu1qg68fab165klnsnk3dpvl A\n"
	for param, want := range map[string]bool{
		"":                        false,
		"@ NSEC3PARAM 1 0 5 -\n":  true,
		"@ NSEC3PARAM 1 1 5 -\n":  false, // flags
		"@ NSEC3PARAM 1 0 5 aa\n": false, // salt
		"@ NSEC3PARAM 1 0 4 -\n":  false,
		"@ NSEC3PARAM 2 0 5 -\n":  false,
		"@ NSEC3PARAM 1 0 51 -\n": false,
		"@ NSEC3PARAM 2 0 5 -\n@ NSEC3PARAM 1 0 5 -\n": true,
	} {
		z, _ := load(t, head+param+fmt.Sprintf(other, 5))
		if n, _ := z.NSEC3(origin); (n.Name() != "") != want {
			t.Errorf("%q: %s", param, n.Name())
		}
	}
}
