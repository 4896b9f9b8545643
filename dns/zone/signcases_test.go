package zone

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
)

// TestSignRoot signs the root zone: names have no apex behind them there.
func TestSignRoot(t *testing.T) {
	t.Parallel()
	k, err := dns.GenerateKey(dns.Root, dns.Ed25519, csk)
	if err != nil {
		t.Fatal(err)
	}
	z, _, err := Load(strings.NewReader("@ 60 SOA a. b. 1 2 3 4 5\n@ 60 NS a.\ntest 60 NS a.\na 60 A 192.0.2.1\n"), ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []SignPolicy{{}, {NSEC3: true}} {
		s := sign(t, z, nil, []*dns.SigningKey{k}, p, signNow)
		checkSignatures(t, s.Zone, []*dns.SigningKey{k}, signNow)
		find := s.Zone.NSEC
		if p.NSEC3 {
			find = s.Zone.NSEC3
		}
		for name, own := range map[string]bool{".": true, "test.": true, "a.": true, "b.": false, "x.test.": false} {
			if n, got := find(dns.MustParseName(name)); got != own || n.Name() == "" {
				t.Errorf("NSEC3 %v: %s: %s, %v", p.NSEC3, name, n.Name(), got)
			}
		}
	}
}

// TestSignSpelling: names keep the case that they were written in, also the
// zone's own, and the chain has them in lower case.
func TestSignSpelling(t *testing.T) {
	t.Parallel()
	text := "$ORIGIN Example.TEST.\n$TTL 60\n@ SOA Ns1 Host 1 2 3 4 5\n@ NS Ns1\nNs1 A 192.0.2.1\nMiXed TXT a\n"
	z, _ := load(t, text)
	keys := []*dns.SigningKey{signKeyOf(t, csk)}
	s := sign(t, z, nil, keys, SignPolicy{}, signNow).Zone
	checkSignatures(t, s, keys, signNow)
	n, _ := s.At(dns.MustParseName("mixed.example.test."))
	if n.Name().String() != "MiXed.Example.TEST." || s.Top().Name().String() != "Example.TEST." {
		t.Errorf("%s at %s", n.Name(), s.Top().Name())
	}
	top, _ := s.Top().RRset(dns.TypeNSEC)
	if nsec, _ := top.Append(nil, origin)[0].NSEC(); nsec.Next.String() != "mixed.example.test." {
		t.Errorf("next is %s", nsec.Next)
	}
	// Signed again from a file in other case: the signatures stay, the names change.
	lower, _ := load(t, strings.ToLower(text))
	again := sign(t, lower, s, keys, SignPolicy{}, signNow)
	if again.Zone.Top().Name() != origin || again.Made > 4 {
		t.Errorf("%s, %d made", again.Zone.Top().Name(), again.Made)
	}
	checkSignatures(t, again.Zone, keys, signNow)
	// Of the zone's own name alone: no signature is another, and the name is.
	plain, _ := load(t, "@ 60 SOA ns1 host 1 2 3 4 5\n@ 60 NS ns1\nns1 60 A 192.0.2.1\n")
	before := sign(t, plain, nil, keys, SignPolicy{}, signNow).Zone
	loud, _ := load(t, "EXAMPLE.test. 60 SOA ns1.example.test. host.example.test. 1 2 3 4 5\n@ 60 NS ns1\nns1 60 A 192.0.2.1\n")
	if s := sign(t, loud, before, keys, SignPolicy{}, signNow); s.Zone.Top().Name().String() != "EXAMPLE.test." || s.Made != 0 {
		t.Errorf("%s, %d made", s.Zone.Top().Name(), s.Made)
	}
}

// TestSignOtherTimes: signatures of a policy with other times are not taken over.
func TestSignOtherTimes(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head)
	keys := []*dns.SigningKey{signKeyOf(t, csk)}
	before := sign(t, z, nil, keys, SignPolicy{}, signNow)
	for what, p := range map[string]SignPolicy{
		"backdated": {Backdate: 2 * time.Hour}, "longer": {Validity: DefaultValidity + time.Hour, Refresh: DefaultRefresh + time.Hour},
	} {
		if s := sign(t, z, before.Zone, keys, p, signNow); s.Kept != 0 || s.Made != before.Made {
			t.Errorf("%s: made %d, kept %d", what, s.Made, s.Kept)
		}
	}
}

// TestSignBelowTop: a DNAME at the zone's own name hides all below it, a
// delegation at a wildcard nothing.
func TestSignBelowTop(t *testing.T) {
	t.Parallel()
	keys := []*dns.SigningKey{signKeyOf(t, csk)}
	for text, want := range map[string][]string{
		"@ DNAME other.test.\na A 192.0.2.1\na.b A 192.0.2.1\n":  {"example.test."},
		"*.w NS ns1\nx.*.w A 192.0.2.1\n":                        {"example.test.", "ns1.example.test.", "*.w.example.test.", "x.*.w.example.test."},
		"c NS ns1\na.c DNAME ns1\nb.c A 192.0.2.1\n":             {"example.test.", "c.example.test.", "ns1.example.test."},
		"c NS ns1\na.c NS ns1\nb.a.c A 192.0.2.1\nd A 192.0.2.1": {"example.test.", "c.example.test.", "d.example.test.", "ns1.example.test."},
	} {
		z, _ := load(t, head+text+"\n")
		s := sign(t, z, nil, keys, SignPolicy{}, signNow).Zone
		checkSignatures(t, s, keys, signNow)
		var chain []string
		for n := range s.Nodes() {
			if n.Has(dns.TypeNSEC) {
				chain = append(chain, n.Name().String())
			}
		}
		if !slices.Equal(chain, want) {
			t.Errorf("%s: %v, want %v", text, chain, want)
		}
	}
}

// TestHashCollisions: names whose hash another name has, as an owner or by its
// hash, are refused. They are made up: nobody has found any.
func TestHashCollisions(t *testing.T) {
	t.Parallel()
	digest, err := nsec3Param().Digest(origin)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := dns.NSEC3Owner(digest, origin)
	if err != nil {
		t.Fatal(err)
	}
	z, _ := load(t, head+owner.String()+" TXT a\n")
	keys := []*dns.SigningKey{signKeyOf(t, csk)}
	if _, err := Sign(z, Signed{}, keys, SignPolicy{NSEC3: true}, signNow); !errors.Is(err, errHashCollision) {
		t.Errorf("a name that is a hash: %v", err)
	}
	sign(t, z, nil, keys, SignPolicy{}, signNow)
	c := chain{hashed: []hashedName{{digest: digest}, {digest: digest}}}
	if err := c.order(); !errors.Is(err, errHashCollision) {
		t.Errorf("two of one hash: %v", err)
	}
}

// TestSignTTLs: RFC 9077: a denial lives as long as the SOA says, at most as the
// SOA itself.
func TestSignTTLs(t *testing.T) {
	t.Parallel()
	keys := []*dns.SigningKey{signKeyOf(t, csk)}
	for _, tt := range []struct{ ttl, minimum, want uint32 }{{300, 5, 5}, {5, 300, 5}, {7, 7, 7}, {9, 0, 0}} {
		z, _ := load(t, fmt.Sprintf("$TTL %d\n@ SOA a. b. 1 2 3 4 %d\n@ NS a.\n", tt.ttl, tt.minimum))
		for _, p := range []SignPolicy{{}, {NSEC3: true}} {
			for rr := range sign(t, z, nil, keys, p, signNow).Zone.All() {
				switch rr.Type {
				case dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM:
					if rr.TTL != tt.want {
						t.Errorf("%+v: %s", tt, rr)
					}
				}
			}
		}
	}
}

// pagesOf gives the pages of a zone and of its index of hashes.
func pagesOf(z *Zone) map[*page]bool {
	all := map[*page]bool{}
	var walk func(*page)
	walk = func(p *page) {
		all[p] = true
		for _, c := range p.children {
			walk(c)
		}
	}
	walk(z.root)
	if z.hashes != nil {
		walk(z.hashes.root)
	}
	return all
}

// TestRenewalsShareMemory: where nothing is due the pages of before stay.
func TestRenewalsShareMemory(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(head)
	for i := range 2000 {
		fmt.Fprintf(&text, "host%04d A 192.0.2.1\n", i)
	}
	keys := []*dns.SigningKey{signKeyOf(t, csk)}
	z, _ := load(t, text.String())
	first := sign(t, z, nil, keys, SignPolicy{}, signNow)
	changed, _ := load(t, text.String()+"host1000 A 192.0.2.2\n")
	second := sign(t, changed, first.Zone, keys, SignPolicy{}, signNow.Add(time.Minute))
	old, fresh := pagesOf(first.Zone), 0
	for p := range pagesOf(second.Zone) {
		if !old[p] {
			fresh++
		}
	}
	if second.Made != 1 || fresh > 8 {
		t.Errorf("%d signatures and %d of %d pages are new", second.Made, fresh, len(old))
	}
	if d := Between(first.Zone, second.Zone); len(d.Added) != 2 || len(d.Deleted) != 1 {
		t.Errorf("added %v, deleted %v", d.Added, d.Deleted)
	}
}

func BenchmarkSign(b *testing.B) {
	var text strings.Builder
	text.WriteString(head)
	for i := range 10_000 {
		fmt.Fprintf(&text, "host%d A 192.0.2.1\n", i)
	}
	z, _ := load(b, text.String())
	for _, a := range []dns.DNSSECAlgorithm{dns.ECDSAP256SHA256, dns.Ed25519} {
		k, err := dns.GenerateKey(origin, a, csk)
		if err != nil {
			b.Fatal(err)
		}
		keys := []*dns.SigningKey{k}
		signed := sign(b, z, nil, keys, SignPolicy{}, signNow)
		b.Run(a.String()+"/afresh", func(b *testing.B) {
			for b.Loop() {
				sign(b, z, nil, keys, SignPolicy{}, signNow)
			}
		})
		b.Run(a.String()+"/again", func(b *testing.B) {
			for b.Loop() {
				sign(b, z, signed.Zone, keys, SignPolicy{}, signNow)
			}
		})
	}
}

// TestSignKept: a zone that comes from elsewhere keeps its signatures, unless they
// are not those of the key: that is seen by the first of them, and by one of a
// thousand.
func TestSignKept(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(head)
	for i := range spotChecked {
		fmt.Fprintf(&text, "h%04d A 192.0.2.1\n", i)
	}
	z, _ := load(t, text.String())
	keys := []*dns.SigningKey{signKeyOf(t, csk)}
	signed := sign(t, z, nil, keys, SignPolicy{}, signNow)
	kept, _ := load(t, strings.Join(records(signed.Zone), "\n")+"\n")
	if s := sign(t, z, kept, keys, SignPolicy{}, signNow); s.Zone != kept || s.Made != 0 || s.Kept != signed.Made {
		t.Errorf("%d made, %d kept of %d", s.Made, s.Kept, signed.Made)
	}
	count, seen := 0, 0
	for n := range kept.Nodes() {
		set, _ := n.RRset(dns.TypeRRSIG)
		for i := range set.Data {
			if count++; count > 5 && count < spotChecked-4 || count > spotChecked+5 {
				continue
			}
			e := kept.Edit()
			spoilt := RRset{dns.TypeRRSIG, set.TTL, slices.Clone(set.Data)}
			spoilt.Data[i] = slices.Clone(set.Data[i])
			spoilt.Data[i][len(set.Data[i])-1] ^= 1
			if err := e.Put(n.Name(), spoilt); err != nil {
				t.Fatal(err)
			}
			if _, err := Sign(z, Signed{Zone: e.Zone()}, keys, SignPolicy{}, signNow); errors.Is(err, ErrNotKept) {
				seen++
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	if seen != 2 {
		t.Errorf("%d spoilt signatures were seen", seen)
	}
}
