package zone

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
)

// plain is a zone as a plain list of records, and RFC 2136 section 3 done on it step by step, as its pseudocode has it.
type plain []dns.RR

func plainOf(z *Zone) plain { return slices.Collect(z.All()) }

func (m plain) count(match func(dns.RR) bool) (n int) {
	for _, rr := range m {
		if match(rr) {
			n++
		}
	}
	return n
}

func (m plain) without(match func(dns.RR) bool) plain {
	return slices.DeleteFunc(slices.Clone(m), match)
}

func ofName(name dns.Name) func(dns.RR) bool {
	return func(rr dns.RR) bool { return rr.Name.Equal(name) }
}

func ofSet(name dns.Name, t dns.Type) func(dns.RR) bool {
	return func(rr dns.RR) bool { return rr.Type == t && rr.Name.Equal(name) }
}

func ofData(want dns.RR) func(dns.RR) bool {
	want.Class = dns.ClassIN
	return func(rr dns.RR) bool { return rr.SameData(want) }
}

// require: RFC 2136 section 3.2.5.
func (m plain) require(prerequisites []dns.RR) dns.Rcode {
	temp := plain{}
	for _, rr := range prerequisites {
		name, set := m.count(ofName(rr.Name)), m.count(ofSet(rr.Name, rr.Type))
		switch {
		case rr.TTL != 0:
			return dns.RcodeFormErr
		case !rr.Name.IsSubdomainOf(origin):
			return dns.RcodeNotZone
		case rr.Class == dns.ClassANY && rr.Type == dns.TypeANY:
			if name == 0 {
				return dns.RcodeNXDomain
			}
		case rr.Class == dns.ClassANY:
			if set == 0 {
				return dns.RcodeNXRRset
			}
		case rr.Class == dns.ClassNONE && rr.Type == dns.TypeANY:
			if name > 0 {
				return dns.RcodeYXDomain
			}
		case rr.Class == dns.ClassNONE:
			if set > 0 {
				return dns.RcodeYXRRset
			}
		default:
			if temp.count(ofData(rr)) == 0 {
				temp = append(temp, rr)
			}
		}
	}
	for _, rr := range temp {
		if m.count(ofData(rr)) == 0 || m.count(ofSet(rr.Name, rr.Type)) != temp.count(ofSet(rr.Name, rr.Type)) {
			return dns.RcodeNXRRset
		}
	}
	return dns.RcodeSuccess
}

// change: RFC 2136 section 3.4.2.7, and RFC 6672 section 5.2 for DNAME.
func (m plain) change(rr dns.RR) plain {
	apex := rr.Name.Equal(origin)
	zoneItself := func(other dns.RR) bool { return apex && (other.Type == dns.TypeSOA || other.Type == dns.TypeNS) }
	switch {
	case rr.Class == dns.ClassIN:
		return m.add(rr)
	case rr.Class == dns.ClassANY && rr.Type == dns.TypeANY:
		return m.without(func(other dns.RR) bool { return ofName(rr.Name)(other) && !zoneItself(other) })
	case rr.Class == dns.ClassANY:
		return m.without(func(other dns.RR) bool { return ofSet(rr.Name, rr.Type)(other) && !zoneItself(other) })
	case rr.Type == dns.TypeSOA, apex && rr.Type == dns.TypeNS && m.count(ofSet(rr.Name, rr.Type)) == 1:
		return m
	}
	return m.without(ofData(rr))
}

func (m plain) add(rr dns.RR) plain {
	set := ofSet(rr.Name, rr.Type)
	has := func(t dns.Type) bool { return m.count(ofSet(rr.Name, t)) > 0 }
	apex := rr.Name.Equal(origin)
	dnssec := rr.Type == dns.TypeNSEC
	switch rr.Type {
	case dns.TypeSOA:
		i := slices.IndexFunc(m, set)
		if i < 0 {
			return m
		}
		old, _ := m[i].SOA()
		now, _ := rr.SOA()
		if old.Serial != now.Serial && now.Serial-old.Serial >= 1<<31 {
			return m
		}
		m = m.without(set)
	case dns.TypeCNAME:
		others := m.count(func(other dns.RR) bool {
			return other.Name.Equal(rr.Name) && other.Type != dns.TypeCNAME && other.Type != dns.TypeNSEC
		})
		if others > 0 {
			return m
		}
		m = m.without(set)
	case dns.TypeDNAME:
		if has(dns.TypeCNAME) || !apex && has(dns.TypeNS) {
			return m
		}
		m = m.without(set)
	default:
		if has(dns.TypeCNAME) && !dnssec || rr.Type == dns.TypeNS && !apex && has(dns.TypeDNAME) {
			return m
		}
	}
	m = append(m.without(ofData(rr)), rr)
	for i := range m {
		if set(m[i]) {
			m[i].TTL = rr.TTL
		}
	}
	return m
}

// same compares two zones, the serial of the SOA aside.
func (m plain) same(other plain) bool {
	flat := func(m plain) map[string]string {
		out := map[string]string{}
		for _, rr := range m {
			if soa, ok := rr.SOA(); ok {
				soa.Serial = 0
				rr.Data = soa.Data()
			}
			out[keyOf(rr)] = rr.Class.String() + string(rr.Data) + rr.String()[len(rr.Name.String()):]
		}
		return out
	}
	return maps.Equal(flat(m), flat(other)) && len(m) == len(other)
}

var (
	updateOwners = []string{"@", "@", "a", "A", "b.a", "*.a", "c", "d"}
	updateData   = []string{
		"A 192.0.2.1", "A 192.0.2.2", "TXT 1", "TXT 2", "NS ns1", "NS ns2", "CNAME b", "CNAME B", "CNAME c", "DNAME c", "MX 1 c",
		"SOA ns1 host 3 2 3 4 5", "SOA ns1 host 9 9 9 9 9", "SOA ns1 host 7 2 3 4 5", "NSEC a A",
	}
)

// drawUpdate makes an update of a few prerequisites and changes.
func drawUpdate(rt *rapid.T) *dns.Message {
	m := dns.NewQuery(1, origin, dns.TypeSOA)
	m.Opcode = dns.OpcodeUpdate
	draw := func(classes []dns.Class, ttls ...uint32) dns.RR {
		rr := rrOf(rt, rapid.SampledFrom(updateOwners).Draw(rt, "owner")+" 1 "+rapid.SampledFrom(updateData).Draw(rt, "data"))
		rr.Class, rr.TTL = rapid.SampledFrom(classes).Draw(rt, "class"), 0
		switch {
		case rr.Class == dns.ClassIN:
			rr.TTL = rapid.SampledFrom(ttls).Draw(rt, "ttl")
		case rr.Class == dns.ClassANY && rapid.Bool().Draw(rt, "all types"):
			rr.Type = dns.TypeANY
		}
		if rr.Class == dns.ClassANY {
			rr.Data = nil
		}
		return rr
	}
	for range rapid.IntRange(0, 2).Draw(rt, "prerequisites") {
		rr := draw([]dns.Class{dns.ClassIN, dns.ClassANY, dns.ClassNONE}, 0)
		if rr.Class == dns.ClassNONE {
			if rr.Data = nil; rapid.Bool().Draw(rt, "no name") {
				rr.Type = dns.TypeANY
			}
		}
		m.Answer = append(m.Answer, rr)
	}
	for range rapid.IntRange(0, 8).Draw(rt, "changes") {
		m.Authority = append(m.Authority, draw([]dns.Class{dns.ClassIN, dns.ClassIN, dns.ClassANY, dns.ClassNONE}, 1, 2))
	}
	return m
}

// TestUpdateModel holds Update to the pseudocode of RFC 2136, and what comes of it to what all else relies on: a
// Builder takes the zone, the difference leads from one to the other, its serials are those of the two, a history of
// such differences gives the way between any two versions.
func TestUpdateModel(t *testing.T) {
	t.Parallel()
	everything := UpdateOptions{Allow: func(dns.Name, dns.Type) bool { return true }}
	rapid.Check(t, func(rt *rapid.T) {
		z, _ := load(t, head+"@ NS ns2\na 1 A 192.0.2.1\nd 1 CNAME c\n")
		versions, history := []*Zone{z}, History{}
		for range rapid.IntRange(1, 4).Draw(rt, "updates") {
			m := drawUpdate(rt)
			want := plainOf(z)
			code := want.require(m.Answer)
			if code == dns.RcodeSuccess {
				for _, rr := range m.Authority {
					want = want.change(rr)
				}
			}
			next, d, err := Update(z, m, everything)
			if got := rcodeOf(rt, err); got != code || !plainOf(next).same(want) {
				rt.Fatalf("%v (%v), want %v; the zone has\n%v\nwant\n%v", got, err, code, plainOf(next), want)
			}
			if next != z {
				history = history.With(d, HistoryLimits{})
				versions = append(versions, next)
			}
			checkUpdate(rt, z, next, d)
			z = next
		}
		checkHistory(rt, versions, history)
	})
}

func rcodeOf(t *rapid.T, err error) dns.Rcode {
	var why *UpdateError
	if err != nil && !errors.As(err, &why) {
		t.Fatal(err)
	}
	if why != nil {
		return why.Rcode
	}
	return dns.RcodeSuccess
}

// checkUpdate checks what an update made of a zone.
func checkUpdate(t *rapid.T, z, next *Zone, d Difference) {
	if next == z {
		if len(d.Deleted)+len(d.Added) > 0 {
			t.Fatal("a difference of nothing")
		}
		return
	}
	from, to, ok := d.Serials()
	if !ok || from != z.SOA().Serial || to != next.SOA().Serial || !SerialAfter(to, from) {
		t.Fatalf("serials %d to %d, %v; the zones have %d and %d", from, to, ok, z.SOA().Serial, next.SOA().Serial)
	}
	b := NewBuilder(origin)
	for rr := range next.All() {
		b.Add(Record{RR: rr})
	}
	if _, _, err := b.Build(); err != nil {
		t.Fatal("a Builder would not take it: ", err)
	}
	leadsTo(t, z, d, next)
	leadsTo(t, next, Difference{Deleted: d.Added, Added: d.Deleted}, z) // and back
	leadsTo(t, z, Between(z, next), next)
	e := z.Edit()
	e.Overlay(d)
	e.SetSerial(to)
	if got := e.Zone(); !plainOf(got).same(plainOf(next)) {
		t.Fatalf("as an overlay the difference leads elsewhere: %v, want %v", plainOf(got), plainOf(next))
	}
}

// leadsTo checks that a difference makes one version of the other, to the octet.
func leadsTo(t *rapid.T, z *Zone, d Difference, want *Zone) {
	e := z.Edit()
	if err := e.Apply(d); err != nil {
		t.Fatal(err)
	}
	if err := e.Check(); err != nil {
		t.Fatal(err)
	}
	got := e.Zone()
	exact := func(a, b dns.RR) bool { return a.Equal(b) && bytes.Equal(a.Data, b.Data) }
	if !slices.EqualFunc(plainOf(got), plainOf(want), exact) || got.count != want.count {
		t.Fatalf("%v\nwith %v is\n%v\nwant\n%v", plainOf(z), d, plainOf(got), plainOf(want))
	}
}

func checkHistory(t *rapid.T, versions []*Zone, h History) {
	if h.Len() != len(versions)-1 {
		t.Fatalf("%d differences of %d versions", h.Len(), len(versions))
	}
	last := versions[len(versions)-1]
	for _, v := range versions[:len(versions)-1] {
		d, ok := h.Since(v.SOA().Serial, last.SOA().Serial)
		if !ok {
			t.Fatalf("no way from %d", v.SOA().Serial)
		}
		leadsTo(t, v, d, last)
	}
}

// FuzzUpdate reads messages as they come over the wire. Whatever they say, there is a zone afterwards.
func FuzzUpdate(f *testing.F) {
	for _, lines := range []string{
		"prereq yxrrset www.example.test. A 192.0.2.80\nupdate delete www.example.test. A\nupdate add www.example.test. 300 A 192.0.2.90",
		"prereq nxdomain x.example.test.\nupdate add x.example.test. 300 CNAME www.example.test.",
		"update delete example.test.\nupdate delete example.test. NS ns1.example.test.",
		"update add example.test. 300 SOA a.test. b.test. 4294967295 1 2 3 4\nupdate add *.example.test. 1 DNAME c.test.",
		"raw update www.example.test. 0 NONE ANY\nraw prereq a.example.test. 7 CH A",
	} {
		m, _ := updateOf(f, strings.Split(lines, "\n"))
		wire, err := m.Append(nil, 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	z, _ := load(f, head+"www A 192.0.2.80\nalias CNAME www\nsub NS ns1\nold DNAME www\na.ent TXT 1\n")
	before := plainOf(z)
	f.Fuzz(func(t *testing.T, wire []byte) {
		m, err := dns.Parse(wire)
		if err != nil {
			return
		}
		next, d, err := Update(z, m, UpdateOptions{Allow: func(dns.Name, dns.Type) bool { return true }})
		if err != nil && next != z {
			t.Fatal("an error, and a change")
		}
		if next == z {
			return
		}
		b := NewBuilder(z.Apex())
		for rr := range next.All() {
			b.Add(Record{RR: rr})
		}
		if _, _, err := b.Build(); err != nil {
			t.Fatal(err)
		}
		e := z.Edit()
		if err := e.Apply(d); err != nil || !e.Zone().SameContent(next) {
			t.Fatal("the difference leads elsewhere", err)
		}
		if !slices.EqualFunc(plainOf(z), before, dns.RR.Equal) {
			t.Fatal("the zone before has changed")
		}
	})
}
