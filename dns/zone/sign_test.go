package zone

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
)

const (
	csk = dns.FlagZone | dns.FlagSEP
	zsk = dns.FlagZone
)

var signNow = time.Unix(1_800_000_000, 0)

func signKeyOf(t testing.TB, flags uint16) *dns.SigningKey {
	t.Helper()
	k, err := dns.GenerateKey(origin, dns.Ed25519, flags)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

type fataler interface {
	Helper()
	Fatal(...any)
}

func sign(t fataler, z, previous *Zone, keys []*dns.SigningKey, p SignPolicy, now time.Time) Signed {
	t.Helper()
	return follow(t, z, Signed{Zone: previous}, keys, p, now)
}

// follow signs a zone after what it was.
func follow(t fataler, z *Zone, previous Signed, keys []*dns.SigningKey, p SignPolicy, now time.Time) Signed {
	t.Helper()
	s, err := Sign(z, previous, keys, p, now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// renewed is a signed zone with what is due made anew, in as many steps as it takes.
func renewed(t fataler, s Signed, keys []*dns.SigningKey, p SignPolicy, now time.Time, most int) Signed {
	t.Helper()
	for s.Next.IsZero() || !s.Next.After(now) {
		var err error
		if s, err = Renew(s, keys, p, now, most); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func records(z *Zone) []string {
	var out []string
	for rr := range z.All() {
		out = append(out, rr.String())
	}
	return out
}

// checkSignatures verifies every signature of a zone at a time, and wants each
// set of authority to have one.
func checkSignatures(t fataler, z *Zone, keys []*dns.SigningKey, now time.Time) (count int) {
	t.Helper()
	byTag := map[uint16]*dns.PublicKey{}
	for _, k := range keys {
		public, err := dns.NewPublicKey(k.RR(60))
		if err != nil {
			t.Fatal(err)
		}
		byTag[k.KeyTag()] = public
	}
	for n := range z.Nodes() {
		m := z.Lookup(n.Name())
		for _, set := range n.Sets() {
			sigs := n.Signatures(set.Type).Append(nil, n.Name())
			hashed := set.Type == dns.TypeNSEC3
			hidden := !hashed && (m.Kind == Redirect || m.Kind == Cut &&
				!(m.Node.Name() == n.Name() && (set.Type == dns.TypeDS || set.Type == dns.TypeNSEC)))
			if (len(sigs) == 0) != (hidden || set.Type == dns.TypeRRSIG) {
				t.Fatal(n.Name(), set.Type, "has signatures:", len(sigs))
			}
			for _, rr := range sigs {
				sig, _ := rr.RRSIG()
				if rr.TTL != set.TTL {
					t.Fatal(n.Name(), set.Type, "TTL", rr.TTL, set.TTL)
				}
				if _, err := byTag[sig.KeyTag].VerifySet(rr, set.Append(nil, n.Name()), now); err != nil {
					t.Fatal(err)
				}
				count++
			}
		}
	}
	return count
}

const toSign = head + `
@ MX 10 Mail
Www 60 TXT a
Www A 192.0.2.2
*.w CNAME Www
a.b.ent A 192.0.2.3
sub NS ns.sub
sub DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ns.sub A 192.0.2.4
plain NS ns.plain
ns.plain A 192.0.2.5
x.ns.plain TXT hidden
d DNAME ns1
under.d A 192.0.2.6
`

// TestNSECChain: RFC 4035 section 2.3: each name of authority and each
// delegation has a record that says what it owns and which name comes next.
func TestNSECChain(t *testing.T) {
	t.Parallel()
	z, _ := load(t, toSign)
	k := signKeyOf(t, csk)
	s := sign(t, z, nil, []*dns.SigningKey{k}, SignPolicy{}, signNow)
	var got []string
	for rr := range s.Zone.All() {
		if rr.Type == dns.TypeNSEC {
			got = append(got, fmt.Sprintf("%s %d %s", strings.TrimSuffix(rr.Name.String(), ".example.test."), rr.TTL,
				strings.ReplaceAll(rr.DataString(), ".example.test.", "")))
		}
	}
	want := []string{
		"example.test. 5 d NS SOA MX RRSIG NSEC DNSKEY",
		"d 5 a.b.ent DNAME RRSIG NSEC",
		"a.b.ent 5 ns1 A RRSIG NSEC",
		"ns1 5 plain A RRSIG NSEC",
		"plain 5 sub NS RRSIG NSEC",
		"sub 5 *.w NS DS RRSIG NSEC",
		"*.w 5 www CNAME RRSIG NSEC",
		"Www 5 example.test. A TXT RRSIG NSEC",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// SOA NS MX DNSKEY; d 1, a.b.ent 1, ns1 1, sub 1, *.w 1, Www 2; and the chain.
	if n := checkSignatures(t, s.Zone, []*dns.SigningKey{k}, signNow); n != 4+7+len(want) || s.Made != n || s.Kept != 0 {
		t.Errorf("%d signatures, %d made, %d kept", n, s.Made, s.Kept)
	}
	if !s.Zone.Signed() || z.Signed() || s.Zone.HasNSEC3() {
		t.Errorf("signed %v and %v", s.Zone.Signed(), z.Signed())
	}
}

// TestNSEC3Chain: RFC 5155 section 7.1: empty non-terminals are in it, a
// delegation without DS is not signed, and neither is the hidden.
func TestNSEC3Chain(t *testing.T) {
	t.Parallel()
	z, _ := load(t, toSign)
	k := signKeyOf(t, csk)
	s := sign(t, z, nil, []*dns.SigningKey{k}, SignPolicy{NSEC3: true}, signNow)
	checkSignatures(t, s.Zone, []*dns.SigningKey{k}, signNow)
	want := map[string]string{
		"@": "NS SOA MX RRSIG DNSKEY NSEC3PARAM", "d": "DNAME RRSIG", "a.b.ent": "A RRSIG", "b.ent": "", "ent": "",
		"ns1": "A RRSIG", "plain": "NS", "sub": "NS DS RRSIG", "w": "", "*.w": "CNAME RRSIG", "www": "A TXT RRSIG",
	}
	for name, types := range want {
		full, err := dns.ParseName(name, origin)
		if err != nil {
			t.Fatal(err)
		}
		n, ok := s.Zone.NSEC3(full)
		set, _ := n.RRset(dns.TypeNSEC3)
		if !ok || len(set.Data) != 1 {
			t.Errorf("%s has no record", name)
			continue
		}
		r, _ := dns.RR{Type: dns.TypeNSEC3, Data: set.Data[0]}.NSEC3()
		var has []string
		for _, x := range r.Types.Types() {
			has = append(has, x.String())
		}
		if got := strings.Join(has, " "); got != types || set.TTL != 5 || r.Iterations != 0 || len(r.Salt) != 0 || r.Flags != 0 {
			t.Errorf("%s: %q, want %q; %+v", name, got, types, r.NSEC3PARAM)
		}
	}
	// The records make one ring.
	count := 0
	next := map[string]string{}
	for n := range s.Zone.Nodes() {
		if set, ok := n.RRset(dns.TypeNSEC3); ok {
			count++
			r, _ := dns.RR{Type: dns.TypeNSEC3, Data: set.Data[0]}.NSEC3()
			digest, _ := dns.NSEC3Digest(n.Name())
			next[string(digest)] = string(r.Next)
		}
	}
	if count != len(want) {
		t.Errorf("%d records, want %d", count, len(want))
	}
	first, _ := nsec3Param().Digest(origin)
	steps := 0
	for at := string(first); steps == 0 || at != string(first) && steps <= count; steps++ {
		at = next[at]
	}
	if steps != count {
		t.Errorf("the ring closes after %d of %d", steps, count)
	}
	param, _ := s.Zone.Top().RRset(dns.TypeNSEC3PARAM)
	if len(param.Data) != 1 || string(param.Data[0]) != "\x01\x00\x00\x00\x00" || !s.Zone.HasNSEC3() {
		t.Errorf("%x", param.Data)
	}
}

// TestSignAgain: the same time gives the same zone, from nothing or from what
// was there, and that is not made anew.
func TestSignAgain(t *testing.T) {
	t.Parallel()
	z, _ := load(t, toSign)
	for _, p := range []SignPolicy{{}, {NSEC3: true, Parent: ParentPublish}} {
		keys := []*dns.SigningKey{signKeyOf(t, csk), signKeyOf(t, zsk)}
		first := sign(t, z, nil, keys, p, signNow)
		again := sign(t, z, nil, keys, p, signNow)
		later := sign(t, z, nil, keys, p, first.Next.Add(-time.Second))
		if !slices.Equal(records(first.Zone), records(again.Zone)) || !slices.Equal(records(first.Zone), records(later.Zone)) {
			t.Error("the second run gives another zone")
		}
		kept := sign(t, z, first.Zone, keys, p, first.Next.Add(-time.Second))
		if kept.Zone != first.Zone || kept.Made != 0 || kept.Kept != first.Made || !kept.Next.Equal(first.Next) {
			t.Errorf("made %d, kept %d of %d", kept.Made, kept.Kept, first.Made)
		}
		due := sign(t, z, first.Zone, keys, p, first.Next)
		if due.Made == 0 || due.Kept == 0 || !due.Next.After(first.Next) || due.Zone == first.Zone {
			t.Errorf("at its time: made %d, kept %d", due.Made, due.Kept)
		}
		// Signatures are told apart by tag and algorithm alone, which a key may share
		// with another: those of a key that was not in the zone are not taken over.
		e := first.Zone.Edit()
		if err := e.Put(origin, RRset{Type: dns.TypeDNSKEY}); err != nil {
			t.Fatal(err)
		}
		if s := sign(t, z, e.Zone(), keys, p, signNow); s.Kept != 0 || s.Made != first.Made {
			t.Errorf("of keys that were not there: made %d, kept %d", s.Made, s.Kept)
		}
		other := []*dns.SigningKey{signKeyOf(t, csk), keys[1]}
		if s := sign(t, z, first.Zone, other, p, signNow); s.Kept == 0 || s.Made == 0 {
			t.Errorf("with one other key: made %d, kept %d", s.Made, s.Kept)
		}
	}
}

// TestRenewals goes through two months: each signature is good all the time, and is
// renewed with Refresh left at least, on all but a few occasions.
func TestRenewals(t *testing.T) {
	t.Parallel()
	z, _ := load(t, toSign)
	keys := []*dns.SigningKey{signKeyOf(t, csk)}
	p := SignPolicy{Validity: 10 * 24 * time.Hour, Refresh: 4 * 24 * time.Hour, Jitter: 24 * time.Hour, Backdate: 2 * time.Hour}
	s := sign(t, z, nil, keys, p, signNow)
	renewals := 0
	for at := s.Next; at.Before(signNow.Add(60 * 24 * time.Hour)); at = s.Next {
		all := checkSignatures(t, s.Zone, keys, at) // those of before, at the moment of renewal
		s = renewed(t, s, keys, p, at, DefaultRenewals)
		renewals++
		if s.Made == 0 || checkSignatures(t, s.Zone, keys, at) != all || !s.Next.After(at) {
			t.Fatalf("at %v: made %d of %d, next %v", at, s.Made, all, s.Next)
		}
		for rr := range s.Zone.All() {
			sig, ok := rr.RRSIG()
			if left := sig.Expires(at).Sub(at); ok && (left <= p.Refresh || left > p.Validity) {
				t.Fatalf("%s %s has %v left", rr.Name, sig.TypeCovered, left)
			}
			if ok && at.Sub(sig.Begins(at)) < p.Backdate {
				t.Fatalf("%s %s begins %v", rr.Name, sig.TypeCovered, sig.Begins(at))
			}
		}
	}
	// In each of the periods of six days at most 25 times, an hour apart.
	if renewals < 60/6 || renewals > 25*(60/6+1) {
		t.Errorf("%d renewals", renewals)
	}
	offsets := map[time.Duration]bool{}
	for rr := range s.Zone.All() {
		if sig, ok := rr.RRSIG(); ok {
			offsets[sig.Expires(signNow).Sub(signNow)%(6*24*time.Hour)] = true
		}
	}
	if len(offsets) < 5 {
		t.Errorf("all is renewed at %d times", len(offsets))
	}
}

func TestPeriods(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := SignPolicy{
			Validity: time.Duration(rapid.Int64Range(60, 86400*366).Draw(t, "validity")) * time.Second,
			Backdate: time.Duration(rapid.Int64Range(1, 86400).Draw(t, "backdate")) * time.Second,
		}
		p.Refresh = time.Duration(rapid.Int64Range(0, int64(p.Validity/time.Second)-1).Draw(t, "refresh")) * time.Second
		p.Jitter = time.Duration(rapid.Int64Range(0, int64(p.Validity-p.Refresh)).Draw(t, "jitter"))
		if err := p.check(); err != nil {
			t.Fatal(err)
		}
		now := time.Unix(rapid.Int64Range(-1<<33, 1<<33).Draw(t, "now"), 0)
		owner := dns.MustParseName(rapid.StringMatching(`[a-z]{1,5}\.test\.`).Draw(t, "owner"))
		inception, expiration, renewal := p.period(owner, dns.TypeA, now)
		start := inception.Add(p.Backdate)
		switch {
		case start.After(now) || !renewal.After(now):
			t.Fatalf("%v to %v is not about %v", start, renewal, now)
		case !renewal.Equal(start.Add(p.Validity - p.Refresh)):
			t.Fatalf("renewed after %v", renewal.Sub(start))
		case !expiration.Equal(start.Add(p.Validity)) || expiration.Sub(now) <= p.Refresh:
			t.Fatalf("%v left", expiration.Sub(now))
		}
		for _, at := range []time.Time{start, renewal.Add(-time.Second)} {
			if i, e, r := p.period(owner, dns.TypeA, at); !i.Equal(inception) || !e.Equal(expiration) || !r.Equal(renewal) {
				t.Fatalf("at %v another period", at)
			}
		}
		if i, _, _ := p.period(owner, dns.TypeA, renewal); !i.Add(p.Backdate).Equal(renewal) {
			t.Fatalf("the next begins at %v", i)
		}
		if i, _, _ := p.period(dns.Name(strings.ToUpper(string(owner))), dns.TypeA, now); !i.Equal(inception) {
			t.Fatal("the case of the owner matters")
		}
	})
}

// changes are records that come and go.
var changes = []string{
	"new A 192.0.2.7", "new TXT b", "www A 192.0.2.8", "a.b.ent TXT c", "b.ent TXT d", "*.w TXT e", "x.y.z A 192.0.2.9", "@ TXT f",
	"plain DS 2 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "other NS ns1", "ent NS ns1", "q DNAME ns1",
	"r.q TXT g",
}

// TestSignChanges: what comes out after a change, with the zone of before at
// hand, is what would come out without it; and the difference makes one of the
// other.
func TestSignChanges(t *testing.T) {
	t.Parallel()
	keys := []*dns.SigningKey{signKeyOf(t, csk)}
	build := func(t fataler, serial int, pick func(string) bool) *Zone {
		text := fmt.Sprintf("$TTL 300\n@ SOA ns1 host %d 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\nWww 60 TXT a\na.b.ent A 192.0.2.3\nplain NS ns1\n", serial)
		for _, c := range changes {
			if pick(c) {
				text += c + "\n"
			}
		}
		z, _, err := Load(strings.NewReader(text), ReadOptions{Origin: origin})
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	rapid.Check(t, func(t *rapid.T) {
		p := SignPolicy{NSEC3: rapid.Bool().Draw(t, "NSEC3")}
		q := p
		if rapid.IntRange(0, 9).Draw(t, "other chain") == 0 {
			q.NSEC3 = !p.NSEC3
		}
		now := signNow
		one := build(t, 1, func(c string) bool { return rapid.Bool().Draw(t, c) })
		two := build(t, 2, func(c string) bool { return rapid.Bool().Draw(t, "then "+c) })
		before := sign(t, one, nil, keys, p, now)
		now = now.Add(time.Duration(rapid.IntRange(0, 20*24).Draw(t, "hours")) * time.Hour)
		after := sign(t, two, before.Zone, keys, q, now)
		afresh := sign(t, two, nil, keys, q, now)
		if got, want := records(after.Zone), records(afresh.Zone); !slices.Equal(got, want) {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if after.Zone.count != afresh.Zone.count || after.Zone.soa != afresh.Zone.soa {
			t.Fatalf("%+v, want %+v", after.Zone.count, afresh.Zone.count)
		}
		checkSignatures(t, after.Zone, keys, now)
		e := before.Zone.Edit()
		if err := e.Apply(Between(before.Zone, after.Zone)); err != nil {
			t.Fatal(err)
		}
		if got, want := records(e.Zone()), records(after.Zone); !slices.EqualFunc(got, want, strings.EqualFold) {
			t.Fatalf("by the difference\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// TestSignedZoneComesBack: written out and read, it is the same, without a
// warning, and counts as signed by somebody else.
func TestSignedZoneComesBack(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head+"@ 60 TXT a\nw 10 TXT a\nw 20 A 192.0.2.1\nc CNAME w\nsub NS ns1.example.org.\n")
	for _, p := range []SignPolicy{{Parent: ParentPublish}, {NSEC3: true}} {
		keys := []*dns.SigningKey{signKeyOf(t, csk)}
		s := sign(t, z, nil, keys, p, signNow)
		again, warnings := load(t, strings.Join(records(s.Zone), "\n")+"\n")
		if len(warnings) > 0 {
			t.Errorf("%v", warnings)
		}
		if !again.SameContent(s.Zone) || !slices.Equal(records(again), records(s.Zone)) {
			t.Errorf("got\n%s", strings.Join(records(again), "\n"))
		}
		if _, err := Sign(again, Signed{}, keys, p, signNow); !errors.Is(err, ErrPresigned) {
			t.Errorf("signed twice: %v", err)
		}
	}
}

// TestKeyRoles: keys with SEP sign the keys, those without the rest.
func TestKeyRoles(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head)
	k1, z1 := signKeyOf(t, csk), signKeyOf(t, zsk)
	p256, err := dns.GenerateKey(origin, dns.ECDSAP256SHA256, csk)
	if err != nil {
		t.Fatal(err)
	}
	tags := func(s Signed, t dns.Type) (out []uint16) {
		for _, rr := range s.Zone.Top().Signatures(t).Append(nil, origin) {
			sig, _ := rr.RRSIG()
			out = append(out, sig.KeyTag)
		}
		slices.Sort(out)
		return out
	}
	both := func(keys ...*dns.SigningKey) (out []uint16) {
		for _, k := range keys {
			out = append(out, k.KeyTag())
		}
		slices.Sort(out)
		return out
	}
	for name, tt := range map[string]struct{ keys, onKeys, onRest []*dns.SigningKey }{
		"one for all":        {[]*dns.SigningKey{k1}, []*dns.SigningKey{k1}, []*dns.SigningKey{k1}},
		"one without SEP":    {[]*dns.SigningKey{z1}, []*dns.SigningKey{z1}, []*dns.SigningKey{z1}},
		"two":                {[]*dns.SigningKey{k1, z1}, []*dns.SigningKey{k1}, []*dns.SigningKey{z1}},
		"two, one algorithm": {[]*dns.SigningKey{k1, z1, p256}, []*dns.SigningKey{k1, p256}, []*dns.SigningKey{z1, p256}},
	} {
		s := sign(t, z, nil, tt.keys, SignPolicy{Parent: ParentPublish}, signNow)
		for _, kind := range []dns.Type{dns.TypeDNSKEY, dns.TypeCDS, dns.TypeCDNSKEY} {
			if got := tags(s, kind); !slices.Equal(got, both(tt.onKeys...)) {
				t.Errorf("%s: %s signed by %d, want %d", name, kind, got, both(tt.onKeys...))
			}
		}
		if got := tags(s, dns.TypeSOA); !slices.Equal(got, both(tt.onRest...)) {
			t.Errorf("%s: SOA signed by %d, want %d", name, got, both(tt.onRest...))
		}
		keys, _ := s.Zone.Top().RRset(dns.TypeDNSKEY)
		cds, _ := s.Zone.Top().RRset(dns.TypeCDS)
		if len(keys.Data) != len(tt.keys) || len(cds.Data) != len(tt.onKeys) || keys.TTL != DefaultKeyTTL {
			t.Errorf("%s: %d keys, %d CDS", name, len(keys.Data), len(cds.Data))
		}
	}
}

// TestParentRecords: RFC 7344 section 3 and RFC 8078 section 4.
func TestParentRecords(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head)
	own, _ := load(t, head+"@ CDS 1 13 2 aa\n@ DNSKEY 256 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=\n")
	k := signKeyOf(t, csk)
	get := func(z *Zone, p ParentRecords, kind dns.Type) string {
		s := sign(t, z, nil, []*dns.SigningKey{k}, SignPolicy{Parent: p, KeyTTL: 77}, signNow)
		set, _ := s.Zone.Top().RRset(kind)
		var out []string
		for _, rr := range set.Append(nil, origin) {
			out = append(out, rr.DataString())
		}
		return strings.Join(out, ", ")
	}
	ds, _ := k.DS(origin, dns.DigestSHA256)
	for _, tt := range []struct {
		z    *Zone
		p    ParentRecords
		kind dns.Type
		want string
	}{
		{z, ParentNone, dns.TypeCDS, ""},
		{z, ParentNone, dns.TypeCDNSKEY, ""},
		{z, ParentPublish, dns.TypeCDS, dns.RR{Name: origin, Type: dns.TypeCDS, Class: dns.ClassIN, Data: ds.Data()}.DataString()},
		{z, ParentPublish, dns.TypeCDNSKEY, k.RR(0).DataString()},
		{z, ParentRemove, dns.TypeCDS, "0 0 0 00"},
		{z, ParentRemove, dns.TypeCDNSKEY, "0 3 0 AA=="},
		{own, ParentPublish, dns.TypeCDS, "1 13 2 AA"},
		{own, ParentPublish, dns.TypeCDNSKEY, ""},
	} {
		if got := get(tt.z, tt.p, tt.kind); !strings.EqualFold(got, tt.want) {
			t.Errorf("%d %s: %s, want %s", tt.p, tt.kind, got, tt.want)
		}
	}
	if got := get(own, ParentNone, dns.TypeDNSKEY); !strings.Contains(got, "256 3 15 l02W") || !strings.Contains(got, k.RR(0).DataString()) {
		t.Errorf("its own key and ours: %s", got)
	}
}

// TestSignRefuses, and the limits.
func TestSignRefuses(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head)
	k := signKeyOf(t, csk)
	other, err := dns.GenerateKey(dns.MustParseName("other.test."), dns.Ed25519, csk)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, _, err := Load(strings.NewReader("@ 1 SOA a. b. 1 2 3 4 5\n@ 1 NS a.\n"), ReadOptions{Origin: dns.MustParseName("other.test.")})
	if err != nil {
		t.Fatal(err)
	}
	many := slices.Repeat([]*dns.SigningKey{k}, MaxSignKeys+1)
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name     string
		keys     []*dns.SigningKey
		previous *Zone
		p        SignPolicy
		want     string
	}{
		{"as many keys as may be", many[1:], nil, SignPolicy{}, ""},
		{"one key more", many, nil, SignPolicy{}, "9 keys, at most 8"},
		{"no key", nil, nil, SignPolicy{}, "there is no key"},
		{"key of another zone", []*dns.SigningKey{other}, nil, SignPolicy{}, "is of another zone"},
		{"no zone key", []*dns.SigningKey{signKeyOf(t, dns.FlagSEP)}, nil, SignPolicy{}, "signs no zone"},
		{"revoked key", []*dns.SigningKey{signKeyOf(t, csk|dns.FlagRevoke)}, nil, SignPolicy{}, "signs no zone"},
		{"another zone before", many[:1], elsewhere, SignPolicy{}, "the previous zone is other.test."},
		{"shortest", many[:1], nil, SignPolicy{Validity: time.Minute}, ""},
		{"too short", many[:1], nil, SignPolicy{Validity: time.Minute - 1}, "signatures for"},
		{"longest", many[:1], nil, SignPolicy{Validity: MaxValidity}, ""},
		{"too long", many[:1], nil, SignPolicy{Validity: MaxValidity + 1}, "signatures for"},
		{"latest refresh", many[:1], nil, SignPolicy{Validity: day, Refresh: day - time.Second}, ""},
		{"refresh too early", many[:1], nil, SignPolicy{Validity: day, Refresh: day}, "cannot be renewed"},
		{"refresh after the end", many[:1], nil, SignPolicy{Validity: day, Refresh: -1}, "cannot be renewed"},
		{"most jitter", many[:1], nil, SignPolicy{Validity: 2 * day, Refresh: day, Jitter: day}, ""},
		{"more jitter", many[:1], nil, SignPolicy{Validity: 2 * day, Refresh: day, Jitter: day + 1}, "jitter of"},
		{"no such jitter", many[:1], nil, SignPolicy{Jitter: -1}, "jitter of"},
		{"no such backdate", many[:1], nil, SignPolicy{Backdate: -1}, "backdated by"},
		{"most backdate", many[:1], nil, SignPolicy{Backdate: MaxValidity}, ""},
		{"more backdate", many[:1], nil, SignPolicy{Backdate: MaxValidity + 1}, "backdated by"},
	} {
		_, err := Sign(z, Signed{Zone: tt.previous}, tt.keys, tt.p, signNow)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestSignaturesTooLarge: a name with more signatures than a message has room for.
func TestSignaturesTooLarge(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(head)
	for i := range 90 {
		fmt.Fprintf(&text, "a TYPE%d \\# 1 00\n", 65280+i)
	}
	z, _ := load(t, text.String())
	var keys []*dns.SigningKey
	for range MaxSignKeys {
		keys = append(keys, signKeyOf(t, csk))
	}
	if _, err := Sign(z, Signed{}, keys, SignPolicy{}, signNow); !errors.Is(err, ErrSetTooLarge) {
		t.Error(err)
	}
	sign(t, z, nil, keys[:4], SignPolicy{}, signNow)
}

// TestLeftovers: chains and signatures that lie about in a zone whose own name
// is not signed go, and a name with nothing else goes with them.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	clean, _ := load(t, head+"a TXT a\n")
	dirty, _ := load(t, head+"a TXT a\na NSEC b A\nb NSEC c A\n@ NSEC3PARAM 1 0 10 aa\n"+
		"a RRSIG A 15 3 60 20300101000000 20200101000000 1 example.test. AAAA\n")
	keys := []*dns.SigningKey{signKeyOf(t, csk)}
	for _, p := range []SignPolicy{{}, {NSEC3: true}} {
		got, want := records(sign(t, dirty, nil, keys, p, signNow).Zone), records(sign(t, clean, nil, keys, p, signNow).Zone)
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestNSEC3WithoutRoom: hashes of 33 octets do not fit below a long name.
func TestNSEC3WithoutRoom(t *testing.T) {
	t.Parallel()
	long := dns.MustParseName(strings.Repeat("a.", 111))
	z, _, err := Load(strings.NewReader("@ 1 SOA a. b. 1 2 3 4 5\n@ 1 NS a.\n"), ReadOptions{Origin: long})
	if err != nil {
		t.Fatal(err)
	}
	k, err := dns.GenerateKey(long, dns.Ed25519, csk)
	if err != nil {
		t.Fatal(err)
	}
	keys := []*dns.SigningKey{k}
	if _, err := Sign(z, Signed{}, keys, SignPolicy{NSEC3: true}, signNow); !errors.Is(err, dns.ErrNameTooLong) {
		t.Error(err)
	}
	sign(t, z, nil, keys, SignPolicy{}, signNow)
}
