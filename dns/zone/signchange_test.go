package zone

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
)

// mustBeSame wants two zones to be the same to the octet, with what they know of
// themselves.
func mustBeSame(t fataler, got, want *Zone) {
	t.Helper()
	var c, d cursor
	c.seek(got.root, nil)
	for d.seek(want.root, nil); ; d.next() {
		a, ok1 := c.at()
		b, ok2 := d.at()
		if ok1 != ok2 || !bytes.Equal(a.key, b.key) || !bytes.Equal(a.body, b.body) {
			t.Fatal(fmt.Sprintf("at %q: %v\nwant %q: %v", a.key, got.node(a).Sets(), b.key, want.node(b).Sets()))
		}
		if !ok1 {
			break
		}
		c.next()
	}
	if got.count != want.count || got.soa != want.soa || got.named != want.named || got.nsec != want.nsec || got.signed != want.signed ||
		got.topDNAME != want.topDNAME || !bytes.Equal(got.AppendDenial(nil, 200), want.AppendDenial(nil, 200)) {
		t.Fatal(fmt.Sprintf("%+v, want %+v", got, want))
	}
	if a, b := hashesOf(got), hashesOf(want); !slices.Equal(a, b) {
		t.Fatal(fmt.Sprintf("hashes %x, want %x", a, b))
	}
}

func hashesOf(z *Zone) (all []string) {
	if z.hashes == nil {
		return nil
	}
	all = append(all, fmt.Sprint(z.hashes.param))
	var c cursor
	for c.seek(z.hashes.root, nil); ; c.next() {
		it, ok := c.at()
		if !ok {
			return all
		}
		all = append(all, string(it.key))
	}
}

// byChange is follow, and wants it to be done by what has changed.
func byChange(t fataler, z *Zone, previous Signed, keys []*dns.SigningKey, p SignPolicy, now time.Time) Signed {
	t.Helper()
	s := &signer{zone: z, before: previous, previous: previous.Zone, policy: p.withDefaults(), now: now}
	err := s.prepare(keys)
	if err != nil || !s.follows() {
		t.Fatal("it does not follow what was signed before:", err)
	}
	if err := s.change(); err != nil {
		t.Fatal(err)
	}
	return s.out
}

// What drawEdit draws from: names on four levels, some of them above others, with
// what cuts, hides, and stands in for others; leftovers of other signers too.
var (
	changeOwners = []string{"@", "a", "b", "c", "B", "a.a", "b.a", "x.b.a", "y.x.b.a", "a.c", "*.c", "z.*.c", "*", "d.e.f.g", "e.f.g", "g", "w1", "w1.a", "w9"}
	changeData   = []string{
		"A 192.0.2.1", "A 192.0.2.2", "TXT a", "TXT b", "NS ns1", "NS ns.b.a", "DNAME ns1", "MX 1 a", "CDS 0 0 0 00",
		"DS 2 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "NSEC b A", "NSEC3PARAM 1 0 5 aa",
		"DNSKEY 256 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
		"RRSIG A 15 3 60 20300101000000 20200101000000 1 example.test. AAAA",
	}
)

// drawEdit changes a zone, without a look at whether it makes sense.
func drawEdit(t *rapid.T, z *Zone) *Zone {
	e := z.Edit()
	for range rapid.IntRange(1, 5).Draw(t, "changes") {
		rr := rrOf(t, rapid.SampledFrom(changeOwners).Draw(t, "owner")+" 60 "+rapid.SampledFrom(changeData).Draw(t, "data"))
		if rr.Name.Equal(origin) && rr.Type == dns.TypeRRSIG {
			continue // signed by somebody else
		}
		var err error
		switch rapid.SampledFrom([]string{"add", "add", "delete", "clear"}).Draw(t, "what") {
		case "add":
			err = e.Add(rr)
		case "delete":
			e.Delete(rr)
		case "clear":
			for _, set := range e.Sets(rr.Name) {
				if set.Type != dns.TypeSOA && err == nil {
					err = e.Put(rr.Name, RRset{Type: set.Type})
				}
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return e.Zone().WithSerial(z.soa.Serial + 1)
}

// TestSignByChange: what is signed by its changes alone, one after the other, is
// to the octet what is signed as a whole; also when signatures are renewed in
// between, in steps as small as can be.
func TestSignByChange(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(head)
	for i := range 70 { // some pages
		fmt.Fprintf(&text, "w%d A 192.0.2.1\n", i)
	}
	base, _ := load(t, text.String())
	keys := []*dns.SigningKey{signKeyOf(t, csk)}
	for _, nsec3 := range []bool{false, true} {
		t.Run(fmt.Sprint("NSEC3=", nsec3), func(t *testing.T) {
			t.Parallel()
			p := SignPolicy{NSEC3: nsec3, Parent: ParentPublish}
			first := sign(t, base, nil, keys, p, signNow)
			rapid.Check(t, func(t *rapid.T) {
				z, now, s := base, signNow, first
				for range rapid.IntRange(1, 6).Draw(t, "steps") {
					z = drawEdit(t, z)
					s = byChange(t, z, s, keys, p, now)
					if s.Next.After(now) {
						mustBeSame(t, s.Zone, sign(t, z, nil, keys, p, now).Zone)
					}
					now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 50, 500}).Draw(t, "hours")) * time.Hour)
					if !s.Next.After(now) { // part of a round
						s, _ = Renew(s, keys, p, now, rapid.IntRange(1, 30).Draw(t, "signatures"))
					}
				}
				s = renewed(t, s, keys, p, now, rapid.IntRange(1, 50).Draw(t, "most"))
				want := sign(t, z, nil, keys, p, now)
				mustBeSame(t, s.Zone, want.Zone)
				if s.Next.After(want.Next) || !s.Next.After(now) {
					t.Fatal("next", s.Next, "want", want.Next)
				}
			})
		})
	}
}

// TestSignNotByChange: what goes for all names makes all of them be looked at.
func TestSignNotByChange(t *testing.T) {
	t.Parallel()
	z, _ := load(t, toSign)
	minimum, _ := load(t, strings.Replace(toSign, " 5\n", " 6\n", 1))
	spelled, _ := load(t, strings.Replace(toSign, "@ SOA", "Example.Test. SOA", 1))
	keys, others := []*dns.SigningKey{signKeyOf(t, csk)}, []*dns.SigningKey{signKeyOf(t, csk)}
	for name, tt := range map[string]struct {
		z    *Zone
		keys []*dns.SigningKey
		p    SignPolicy
	}{
		"minimum": {minimum, keys, SignPolicy{}}, "spelling": {spelled, keys, SignPolicy{}}, "keys": {z, others, SignPolicy{}},
		"a key more": {z, append(others, keys...), SignPolicy{}}, "NSEC3": {z, keys, SignPolicy{NSEC3: true}},
		"times": {z, keys, SignPolicy{Validity: 20 * 24 * time.Hour}}, "parent": {z, keys, SignPolicy{Parent: ParentRemove}},
	} {
		before := sign(t, z, nil, keys, SignPolicy{}, signNow)
		s := follow(t, tt.z, before, tt.keys, tt.p, signNow)
		if mustBeSame(t, s.Zone, sign(t, tt.z, nil, tt.keys, tt.p, signNow).Zone); s.Made+s.Kept < before.Made {
			t.Errorf("%s: %d signatures were looked at", name, s.Made+s.Kept)
		}
		if tt.z == z { // also when it is time to renew
			s, err := Renew(before, tt.keys, tt.p, signNow, 1)
			if err != nil {
				t.Fatal(err)
			}
			mustBeSame(t, s.Zone, sign(t, z, nil, tt.keys, tt.p, signNow).Zone)
		}
	}
	if _, err := Renew(Signed{Zone: z}, keys, SignPolicy{}, signNow, 1); err == nil {
		t.Error("renewed a zone of which nobody knows how it was signed")
	}
	if _, err := Renew(sign(t, z, nil, keys, SignPolicy{}, signNow), nil, SignPolicy{}, signNow, 1); err == nil {
		t.Error("renewed without keys")
	}
}

// TestSignManyChanges: up to a share of the names are signed one by one, and past
// that the whole zone is gone through.
func TestSignManyChanges(t *testing.T) {
	t.Parallel()
	keys := []*dns.SigningKey{signKeyOf(t, csk)}
	for _, nsec3 := range []bool{false, true} {
		p := SignPolicy{NSEC3: nsec3}
		z, _ := load(t, head+"cut NS ns1\n")
		first := sign(t, z, nil, keys, p, signNow)
		for more, refused := range map[int]bool{changedFew - 10: false, 2 * changedFew: true} {
			e, below := z.Edit(), z.Edit()
			for i := range more {
				for prefix, e := range map[string]*Edit{"h": e, "cut h": below} {
					at, host, _ := strings.Cut(prefix, " ")
					owner := fmt.Sprintf("%s%d", at, i)
					if host != "" {
						owner = fmt.Sprintf("%s%d.%s", host, i, at)
					}
					if err := e.Add(rrOf(t, owner+" 60 A 192.0.2.1")); err != nil {
						t.Fatal(err)
					}
				}
			}
			changedBy := func(next *Zone, before Signed) error {
				s := &signer{zone: next, before: before, previous: before.Zone, policy: p.withDefaults(), now: signNow}
				if err := s.prepare(keys); err != nil {
					t.Fatal(err)
				}
				return s.change()
			}
			next := e.Zone()
			if err := changedBy(next, first); errors.Is(err, errNotByChange) != refused {
				t.Errorf("%d names: %v", more, err)
			}
			after := follow(t, next, first, keys, p, signNow)
			mustBeSame(t, after.Zone, sign(t, next, nil, keys, p, signNow).Zone)
			// A delegation that goes changes all that was below it.
			glue := sign(t, below.Zone(), nil, keys, p, signNow)
			open := glue.of.Edit()
			if err := open.Put(dns.MustParseName("cut.example.test."), RRset{Type: dns.TypeNS}); err != nil {
				t.Fatal(err)
			}
			mustBeSame(t, follow(t, open.Zone(), glue, keys, p, signNow).Zone, sign(t, open.Zone(), nil, keys, p, signNow).Zone)
		}
	}
}

// TestChangedCollision: a name that comes and is a hash of the chain, or whose
// hash is a name, is refused as it is when the whole zone is signed.
func TestChangedCollision(t *testing.T) {
	t.Parallel()
	keys := []*dns.SigningKey{signKeyOf(t, csk)}
	p := SignPolicy{NSEC3: true}
	z, _ := load(t, head)
	s := sign(t, z, nil, keys, p, signNow)
	name := dns.MustParseName("new.example.test.")
	digest, err := nsec3Param().Digest(name)
	if err != nil {
		t.Fatal(err)
	}
	isName, err := dns.NSEC3Owner(digest, origin)
	if err != nil {
		t.Fatal(err)
	}
	top, _ := s.Zone.NSEC3(origin)
	add := func(z *Zone, name dns.Name) *Zone {
		e := z.Edit()
		if err := e.Add(dns.RR{Name: name, Type: dns.TypeTXT, Class: dns.ClassIN, TTL: 60, Data: []byte("\x01a")}); err != nil {
			t.Fatal(err)
		}
		return e.Zone()
	}
	if _, err := Sign(add(z, top.Name()), s, keys, p, signNow); !errors.Is(err, errHashCollision) {
		t.Errorf("a name that is a hash: %v", err)
	}
	hash := add(z, isName)
	after := byChange(t, hash, s, keys, p, signNow)
	if _, err := Sign(add(hash, name), after, keys, p, signNow); !errors.Is(err, errHashCollision) {
		t.Errorf("a hash that is a name: %v", err)
	}
	// One goes as the other comes.
	e := hash.Edit()
	if err := e.Put(isName, RRset{Type: dns.TypeTXT}); err != nil {
		t.Fatal(err)
	}
	swapped := add(e.Zone(), name)
	mustBeSame(t, follow(t, swapped, after, keys, p, signNow).Zone, sign(t, swapped, nil, keys, p, signNow).Zone)
	back := follow(t, hash, follow(t, swapped, after, keys, p, signNow), keys, p, signNow)
	mustBeSame(t, back.Zone, sign(t, hash, nil, keys, p, signNow).Zone)
}

// TestRenewLimits: one step makes as many signatures as it may, and those of one
// name more, and looks at a bounded number of names; the next goes on from there.
func TestRenewLimits(t *testing.T) {
	t.Parallel()
	const hosts = 200
	var text strings.Builder
	text.WriteString(head)
	for i := range hosts {
		fmt.Fprintf(&text, "h%03d A 192.0.2.1\n", i)
	}
	z, _ := load(t, text.String())
	keys := []*dns.SigningKey{signKeyOf(t, csk)}
	p := SignPolicy{}
	first := sign(t, z, nil, keys, p, signNow)
	all := signNow.Add(8 * 24 * time.Hour) // by then all are due
	const most = 40
	s, steps := first, 0
	for ; !s.Next.After(all); steps++ {
		next, err := Renew(s, keys, p, all, most)
		if err != nil {
			t.Fatal(err)
		}
		made := 0
		for _, rr := range Between(s.Zone, next.Zone).Added {
			if rr.Type != dns.TypeRRSIG {
				t.Fatal("changed", rr)
			}
			made++
		}
		last := next.Next.After(all)
		if next.Made != made || made > most+4 || !last && (made < most || !next.Next.Equal(all)) {
			t.Fatalf("step %d: %d signatures of %d are new, next %v", steps, made, next.Made, next.Next)
		}
		s = next
	}
	if want := first.Made/most + 1; steps < want-1 || steps > want {
		t.Errorf("%d steps", steps)
	}
	mustBeSame(t, s.Zone, sign(t, z, nil, keys, p, all).Zone)

	// Nothing is due: the zone stays, and each step looks at so many names.
	s, steps = first, 0
	for {
		next, err := Renew(s, keys, p, signNow, 1)
		if err != nil || next.Zone != first.Zone || next.Made != 0 {
			t.Fatal(next.Made, err)
		}
		steps++
		if s = next; s.Next.After(signNow) {
			break
		}
	}
	if names := first.Zone.count.names; steps != names/lookedAt+1 || !s.Next.Equal(first.Next) {
		t.Errorf("%d steps for %d names, next %v, want %v", steps, names, s.Next, first.Next)
	}
	if s, err := Renew(first, keys, p, all, 0); err != nil || s.Made != first.Made {
		t.Errorf("without a number: %d of %d are made, %v", s.Made, first.Made, err)
	}
}

// TestChangeIsSmall: in a zone of many names a change looks at few of them, and
// leaves the pages of the others.
func TestChangeIsSmall(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(head)
	for i := range 3000 {
		fmt.Fprintf(&text, "h%04d TXT a\n", i)
	}
	z, _ := load(t, text.String())
	keys := []*dns.SigningKey{signKeyOf(t, csk)}
	for _, p := range []SignPolicy{{}, {NSEC3: true}} {
		s := sign(t, z, nil, keys, p, signNow)
		before := pagesOf(s.Zone)
		for what, e := range map[string]string{"comes": "h1000x 60 TXT b", "changes": "h1000 60 TXT b", "goes": "h2000 300 TXT a"} {
			edit := z.Edit()
			if rr := rrOf(t, e); !edit.Delete(rr) {
				if err := edit.Add(rr); err != nil {
					t.Fatal(err)
				}
			}
			next := follow(t, edit.Zone().WithSerial(2), s, keys, p, signNow)
			fresh := 0
			for p := range pagesOf(next.Zone) {
				if !before[p] {
					fresh++
				}
			}
			if next.Made > 4 || next.Made+next.Kept > 12 || fresh > 15 {
				t.Errorf("NSEC3 %v: one %s: %d signatures made, %d kept, %d of %d pages are new", p.NSEC3, what, next.Made, next.Kept, fresh, len(before))
			}
		}
	}
}
