package dnsclient

import (
	"errors"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
)

// What proved NSEC records of example.test say, and what they do not (RFC 4035 section 5.4, RFC 6840 section 4).
func TestDenial(t *testing.T) {
	t.Parallel()
	const (
		nx, none = dns.RcodeNXDomain, dns.RcodeSuccess
		apex     = "@ NSEC b NS SOA RRSIG NSEC"
		rest     = "b NSEC sub A MX RRSIG NSEC"
	)
	for _, c := range []struct {
		asked   string // name and type
		code    dns.Rcode
		records string // with commas between; those behind a * came from a wildcard themselves
		ok      bool
	}{
		{"c A", nx, apex + ", " + rest, true},
		{"c A", nx, rest, false},                                        // a wildcard may be there
		{"c A", nx, apex, false},                                        // the name may be
		{"b A", nx, apex + ", " + rest, false},                          // it is there
		{"b TXT", none, rest, true},                                     //
		{"b A", none, rest, false},                                      // it has the type
		{"b TXT", none, "b NSEC sub CNAME RRSIG NSEC", false},           // an alias would say more
		{"b CNAME", none, "b NSEC sub CNAME RRSIG NSEC", false},         //
		{"b TXT", none, "*b NSEC sub A RRSIG NSEC", false},              // made from a wildcard, it says nothing of b
		{"down A", none, "b NSEC deep.down A, " + apex, true},           // there, and empty
		{"down A", nx, "b NSEC deep.down A, " + apex, false},            //
		{"x TXT", none, "@ NSEC * NS SOA, * NSEC @ A RRSIG NSEC", true}, // a wildcard without the type
		{"x A", none, "@ NSEC * NS SOA, * NSEC @ A RRSIG NSEC", false},
		{"x A", nx, "@ NSEC * NS SOA, * NSEC @ A RRSIG NSEC", false},
		{"sub A", none, "sub NSEC z NS RRSIG NSEC", false},             // the parent's record says nothing of the child's types
		{"sub DS", none, "sub NSEC z NS RRSIG NSEC", true},             // but of DS
		{"a.sub A", nx, "sub NSEC z NS RRSIG NSEC, " + apex, false},    // nor of names below a delegation
		{"a.sub A", nx, "sub NSEC z DNAME RRSIG NSEC, " + apex, false}, // or below a DNAME
		{"a.sub A", nx, "sub NSEC z A RRSIG NSEC, " + apex, true},      // where nothing is
		{"@ DS", none, "@ NSEC b NS SOA RRSIG NSEC", true},
		{"@ A", none, "", false},
	} {
		d := denial{}
		for _, text := range strings.Split(c.records, ", ") {
			if text == "" {
				continue
			}
			link := ChainLink{}
			if rest, made := strings.CutPrefix(text, "*b"); made {
				text, link.From = "b"+rest, dns.MustParseName("*.example.test.")
			}
			link.Set = rrs(t, text)
			d.take(link)
		}
		name, kind, _ := strings.Cut(c.asked, " ")
		q := dns.Question{Class: dns.ClassIN}
		var err error
		if q.Name, err = dns.ParseName(name, testZone); err != nil {
			t.Fatal(err)
		}
		if q.Type, err = dns.ParseType(kind); err != nil {
			t.Fatal(err)
		}
		m := &dns.Message{Header: dns.Header{Rcode: c.code}}
		if err := d.check(m, q); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrBogus) {
			t.Errorf("%s, %s of %s: %v", c.asked, c.code, c.records, err)
		}
	}
}

// The same by hashes (RFC 5155 section 8): each record is one that matches a name, or covers it.
func TestDenialByHashes(t *testing.T) {
	t.Parallel()
	const nx, none = dns.RcodeNXDomain, dns.RcodeSuccess
	for _, c := range []struct {
		asked string
		code  dns.Rcode
		proof string // = matches, without types; + matches with A; ! covers
		ok    bool
	}{
		{"c A", nx, "=@ !c !*", true}, {"c A", nx, "=@ !c", false}, {"c A", nx, "=@ !*", false}, {"c A", nx, "!c !*", false},
		{"a.b.c A", nx, "=c !b.c !*.c", true}, {"a.b.c A", nx, "=c !a.b.c !*.c", false},
		{"c TXT", none, "+c", true}, {"c A", none, "+c", false}, {"c A", none, "=@ !c +*", false}, {"c TXT", none, "=@ !c +*", true},
		{"c TXT", none, "=@ +*", false},
	} {
		d := denial{}
		for _, text := range strings.Fields(c.proof) {
			name, err := dns.ParseName(text[1:], testZone)
			if err != nil {
				t.Fatal(err)
			}
			p := dns.NSEC3PARAM{Hash: 1}
			digest, err := p.Digest(name)
			if err != nil {
				t.Fatal(err)
			}
			n := dns.NSEC3{NSEC3PARAM: p, Next: append([]byte(nil), digest...)}
			if text[0] == '!' {
				digest[19]-- // just before and just behind, unless the hash ends in 0 or 255
			}
			n.Next[19]++
			if text[0] == '+' {
				n.Types = dns.NewTypeBitmap(dns.TypeA)
			}
			owner, err := dns.NSEC3Owner(digest, testZone)
			if err != nil {
				t.Fatal(err)
			}
			d.take(ChainLink{Set: []dns.RR{{Name: owner, Type: dns.TypeNSEC3, Class: dns.ClassIN, Data: n.Data()}}})
		}
		name, kind, _ := strings.Cut(c.asked, " ")
		q := dns.Question{Class: dns.ClassIN, Type: dns.TypeA}
		if kind == "TXT" {
			q.Type = dns.TypeTXT
		}
		q.Name, _ = dns.ParseName(name, testZone)
		if err := d.check(&dns.Message{Header: dns.Header{Rcode: c.code}}, q); (err == nil) != c.ok {
			t.Errorf("%s, %s of %s: %v", c.asked, c.code, c.proof, err)
		}
	}
}

// DS records are the parent's: a zone that signs its own is not heard.
func TestSignerOf(t *testing.T) {
	t.Parallel()
	sig := func(owner, covered, signer string) signedSet {
		set := rrs(t, owner+" "+covered)
		s := dns.RRSIG{TypeCovered: set[0].Type, SignerName: dns.MustParseName(signer)}
		return signedSet{set, []dns.RR{{Name: set[0].Name, Type: dns.TypeRRSIG, Class: dns.ClassIN, Data: s.Data()}}}
	}
	const ds = "DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for want, s := range map[string]signedSet{
		"example.test.": sig("www", "A 192.0.2.1", "EXAMPLE.test."), "test.": sig("@", ds, "test."), "": sig("@", ds, "example.test."),
	} {
		if got, ok := signerOf(s); got.String() != want || ok != (want != "") {
			t.Errorf("%s: %s, want %s", s.set[0], got, want)
		}
	}
	if got, ok := signerOf(sig("www", "A 192.0.2.1", "bank.test.")); ok {
		t.Errorf("signed by %s", got)
	}
}
