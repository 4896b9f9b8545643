package authority

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

func setOf(t testing.TB, apex, text string) *zone.Set {
	t.Helper()
	z, _, err := zone.Load(strings.NewReader(text), zone.ReadOptions{Origin: dns.MustParseName(apex)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := zone.NewSet(z)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const oddZone = `$TTL 60
@ SOA ns1 host 1 2 3 4 5
@ NS ns1
ns1 A 192.0.2.1
a A 192.0.2.2
b CNAME a
c CNAME b.d
d DNAME w
*.w CNAME x.y
y NS ns.y
y DS 1 13 2 aa
ns.y A 192.0.2.3
*.y.w MX 1 ns1
e DNAME e.e
f TXT "0123456789012345678901234567890123456789012345678901234567890123456789"
f TXT "1123456789012345678901234567890123456789012345678901234567890123456789"
f TXT "2123456789012345678901234567890123456789012345678901234567890123456789"
f TXT "3123456789012345678901234567890123456789012345678901234567890123456789"
f TXT "4123456789012345678901234567890123456789012345678901234567890123456789"
f TXT "5123456789012345678901234567890123456789012345678901234567890123456789"
f TXT "6123456789012345678901234567890123456789012345678901234567890123456789"
`

func TestSizeLimit(t *testing.T) {
	t.Parallel()
	with := func(size uint16) *dns.Message { return &dns.Message{EDNS: &dns.EDNS{UDPSize: size}} }
	for _, tt := range []struct {
		q    *dns.Message
		max  int
		want int
	}{
		{&dns.Message{}, 1232, 512},
		{with(0), 1232, 512},
		{with(511), 1232, 512},
		{with(513), 1232, 513},
		{with(1232), 1232, 1232},
		{with(1233), 1232, 1232},
		{with(65535), 1232, 1232},
		{with(4096), 100, 512}, // a server's own limit below 512 would break clients
		{&dns.Message{}, Stream, 65535},
		{with(512), Stream, 65535},
	} {
		if got := sizeLimit(tt.q, tt.max); got != tt.want {
			t.Errorf("EDNS %+v, server %d: %d, want %d", tt.q.EDNS, tt.max, got, tt.want)
		}
	}
}

// TestNoZones: a server without zones refuses everything and fails at nothing.
func TestNoZones(t *testing.T) {
	t.Parallel()
	for _, set := range []*zone.Set{nil, new(zone.Set)} {
		r := Answer(set, dns.NewQuery(1, dns.Root, dns.TypeNS))
		if r.Rcode != dns.RcodeRefused || r.Authoritative {
			t.Errorf("%s", dns.Summary(r))
		}
	}
}

func TestAnswerLeavesTheQueryAlone(t *testing.T) {
	t.Parallel()
	set := setOf(t, "test.", oddZone)
	q := dns.NewQuery(1, dns.MustParseName("B.test."), dns.TypeA)
	q.EDNS = &dns.EDNS{UDPSize: 4096, Options: []dns.Option{{Code: dns.OptionCookie, Data: []byte("12345678")}}}
	before, _ := q.Append(nil, 0)
	r := Answer(set, q)
	if after, _ := q.Append(nil, 0); !bytes.Equal(before, after) {
		t.Error("the query was changed")
	}
	if len(r.EDNS.Options) != 0 {
		t.Errorf("options came back: %v", r.EDNS.Options)
	}
}

// TestInvariants holds answers to what every answer must be.
func TestInvariants(t *testing.T) {
	t.Parallel()
	set := setOf(t, "test.", oddZone)
	label := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "w", "x", "y", "ns", "ns1", "*"})
	types := rapid.SampledFrom([]dns.Type{
		dns.TypeA, dns.TypeAAAA, dns.TypeNS, dns.TypeCNAME, dns.TypeDNAME, dns.TypeMX, dns.TypeDS,
		dns.TypeTXT, dns.TypeSOA, dns.TypeANY,
	})
	rapid.Check(t, func(t *rapid.T) {
		labels := rapid.SliceOfN(label, 0, 6).Draw(t, "labels")
		q := dns.NewQuery(1, dns.MustParseName(strings.Join(append(labels, "test."), ".")), types.Draw(t, "type"))
		r := Answer(set, q)
		text := dns.Summary(r)
		for _, rr := range r.Answer {
			if !rr.Name.IsSubdomainOf(dns.MustParseName("test.")) {
				t.Fatalf("an answer outside our zone: %s", text)
			}
		}
		soa := len(r.Authority) == 1 && r.Authority[0].Type == dns.TypeSOA
		referral := len(r.Authority) > 0 && r.Authority[0].Type == dns.TypeNS
		switch {
		case r.Rcode == dns.RcodeNXDomain && !soa:
			t.Fatalf("NXDOMAIN without SOA: %s", text)
		case r.Rcode == dns.RcodeSuccess && len(r.Answer) == 0 && !soa && !referral:
			t.Fatalf("neither answer, NODATA nor referral: %s", text)
		case referral && len(r.Answer) == 0 && r.Authoritative:
			t.Fatalf("a referral with aa: %s", text)
		case !referral && !r.Authoritative:
			t.Fatalf("not authoritative: %s", text)
		case soa && r.Authority[0].TTL != 5:
			t.Fatalf("TTL of the SOA: %s", text)
		}
		for i, rr := range r.Answer {
			for _, other := range r.Answer[:i] {
				if rr.SameData(other) {
					t.Fatalf("%s stands there twice: %s", rr, text)
				}
			}
		}
		wire, err := r.Append(nil, 512)
		if err != nil || len(wire) > 512 {
			t.Fatalf("%d octets, %v", len(wire), err)
		}
	})
}

// FuzzRespond: whatever comes in, what goes out is a well-formed response of a
// permitted size with the query's ID, or nothing.
func FuzzRespond(f *testing.F) {
	for _, name := range []string{"a.test.", "c.test.", "x.d.test.", "x.y.test.", "f.test.", "no.test.", "e.e.test."} {
		q := dns.NewQuery(7, dns.MustParseName(name), dns.TypeTXT)
		wire, err := q.Append(nil, 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire, true)
		q.EDNS = &dns.EDNS{UDPSize: 600, DO: true}
		if wire, err = q.Append(nil, 0); err != nil {
			f.Fatal(err)
		}
		f.Add(wire, false)
	}
	set := setOf(f, "test.", oddZone)
	f.Fuzz(func(t *testing.T, query []byte, udp bool) {
		limit := Stream
		if udp {
			limit = DefaultUDPSize
		}
		out := Respond(set, nil, query, limit)
		if len(query) < dns.HeaderLen || query[2]&0x80 != 0 {
			if len(out) != 0 {
				t.Fatalf("an answer to %x: %x", query, out)
			}
			return
		}
		if len(out) < dns.HeaderLen || out[0] != query[0] || out[1] != query[1] || out[2]&0x80 == 0 {
			t.Fatalf("no response to %x: %x", query, out)
		}
		if udp && len(out) > DefaultUDPSize {
			t.Fatalf("%d octets over UDP", len(out))
		}
		r, err := dns.Parse(out)
		if err != nil {
			t.Fatalf("malformed response to %x: %v", query, err)
		}
		if (r.Rcode == dns.RcodeServFail) || r.RecursionAvailable || r.AuthenticData {
			t.Fatalf("%x: %s", query, dns.Summary(r))
		}
	})
}

func TestRespondFrom(t *testing.T) {
	t.Parallel()
	set := lanesSet(t)
	for _, z := range set.Zones() {
		for _, typ := range []dns.Type{dns.TypeA, dns.TypeMX} { // a fast answer, and one that is not
			name, _ := z.Apex().Prepend("no-such-name")
			wire, err := dns.NewQuery(1, name, typ).Append(nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			out, outcome, from := (&Responder{}).RespondFrom(set, nil, wire, Client{}, time.Time{})
			if from != set.Find(name) || outcome != Answered || len(out) < dns.HeaderLen {
				t.Errorf("%s %s is from %v", name, typ, from)
			}
		}
	}
	for _, tt := range []struct {
		set  *zone.Set
		name string
	}{{set, "elsewhere.example.org."}, {nil, "a.test."}} {
		wire, err := dns.NewQuery(1, dns.MustParseName(tt.name), dns.TypeA).Append(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, from := (&Responder{}).RespondFrom(tt.set, nil, wire, Client{}, time.Time{}); from != nil {
			t.Errorf("%s is from %s", tt.name, from.Apex())
		}
	}
	if _, outcome, from := (&Responder{}).RespondFrom(set, nil, []byte("short"), Client{}, time.Time{}); from != nil || outcome != Silent {
		t.Errorf("no query: %v from %v", outcome, from)
	}
}
