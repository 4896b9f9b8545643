package authority

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/ratelimit"
	"github.com/network-utopia/utopia/dns/zone"
)

// drawQuery makes a query about a name in or around the zones, with options.
func drawQuery(t *rapid.T, owners []dns.Name) []byte {
	name := rapid.SampledFrom(owners).Draw(t, "owner")
	for range rapid.IntRange(0, 1).Draw(t, "cut") {
		name = name.Parent()
	}
	for range rapid.IntRange(0, 2).Draw(t, "labels") {
		name, _ = name.Prepend(rapid.SampledFrom([]string{"x", "A", "*"}).Draw(t, "label"))
	}
	q := dns.NewQuery(uint16(rapid.IntRange(0, 9).Draw(t, "id")), name, rapid.SampledFrom([]dns.Type{
		dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypeMX,
	}).Draw(t, "type"))
	q.RecursionDesired, q.CheckingDisabled = rapid.Bool().Draw(t, "rd"), rapid.Bool().Draw(t, "cd")
	if rapid.Bool().Draw(t, "edns") {
		q.EDNS = &dns.EDNS{UDPSize: rapid.SampledFrom([]uint16{512, 1232}).Draw(t, "size"), DO: rapid.Bool().Draw(t, "do")}
		good, _ := hex.DecodeString("2464c4abcf10c957010000005cf79f111f8130c3eee29480")
		q.EDNS.Options = rapid.SliceOfN(rapid.SampledFrom([]dns.Option{
			{Code: dns.OptionNSID}, {Code: dns.OptionTCPKeepalive}, {Code: dns.OptionPadding, Data: []byte{0}}, {Code: 65001},
			{Code: dns.OptionCookie, Data: good[:8]}, {Code: dns.OptionCookie, Data: good}, {Code: dns.OptionCookie, Data: good[:16]},
			{Code: dns.OptionCookie, Data: good[:7]},
		}), 0, 3).Draw(t, "options")
	}
	wire, err := q.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

func ownersOf(set *zone.Set) (owners []dns.Name) {
	for _, z := range set.Zones() {
		for n := range z.Nodes() {
			owners = append(owners, n.Name())
		}
	}
	return owners
}

// TestLanesWithEverything holds the fast lane with options, limits and rotation
// to the full one: two servers with the same seed get the same queries, one of
// them in the full lane alone.
func TestLanesWithEverything(t *testing.T) {
	t.Parallel()
	set := lanesSet(t)
	owners := ownersOf(set)
	clients := []Client{
		{MaxUDP: 1232}, {MaxUDP: 512}, {MaxUDP: Stream, Idle: 10 * time.Second},
		{MaxUDP: Stream, Idle: 10 * time.Second, Encrypted: true},
	}
	quickly, asked := 0, 0
	outcomes := map[Outcome]int{}
	rapid.Check(t, func(t *rapid.T) {
		fast, full := testResponder(t, 2), testResponder(t, 2)
		for range rapid.IntRange(1, 40).Draw(t, "queries") {
			wire := drawQuery(t, owners)
			c := rapid.SampledFrom(clients).Draw(t, "client")
			c.Addr = netip.MustParseAddr("198.51.100.100")
			before := []byte("before")
			x := exchange{Responder: fast, client: c, now: serverTime}
			got, o, ok := x.quick(set, before, wire)
			if asked++; ok {
				quickly++
			} else {
				if !bytes.Equal(got, before) {
					t.Fatalf("%x: the fast lane left something behind", wire)
				}
				got, o = x.full(set, before, wire)
			}
			y := exchange{Responder: full, client: c, now: serverTime}
			want, wantO := y.full(set, nil, wire)
			outcomes[o]++
			if o != wantO {
				t.Fatalf("%x: outcome %d, want %d", wire, o, wantO)
			}
			if x.zone != y.zone {
				t.Fatalf("%x: asked about the zone %v, want %v", wire, x.zone, y.zone)
			}
			if o == Dropped {
				continue
			}
			a, err := dns.Parse(got[len(before):])
			if err != nil {
				t.Fatalf("%x: %x: %v", wire, got, err)
			}
			b, err := dns.Parse(want)
			if padded := takePadding(a); padded != takePadding(b) || padded && (len(got)-len(before))%PaddingBlock != 0 {
				t.Fatalf("%x: %d octets, %d in the full lane", wire, len(got)-len(before), len(want))
			}
			if err != nil || !a.Equal(b) {
				t.Fatalf("%x: the lanes differ\nfast %s %+v\nfull %s %+v", wire, dns.Summary(a), a, dns.Summary(b), b)
			}
		}
	})
	if quickly < asked/3 {
		t.Errorf("the fast lane answered %d of %d questions", quickly, asked)
	}
	for o := range BadCookie + 1 {
		if o != Silent && outcomes[o] == 0 {
			t.Errorf("outcome %d never came about", o)
		}
	}
}

// takePadding takes the padding off a message: how much there is depends on how
// well each lane compresses.
func takePadding(m *dns.Message) (padded bool) {
	if m.EDNS != nil {
		before := len(m.EDNS.Options)
		m.EDNS.Options = slices.DeleteFunc(m.EDNS.Options, func(o dns.Option) bool { return o.Code == dns.OptionPadding })
		padded = len(m.EDNS.Options) < before
	}
	return padded
}

// TestLanesClassifyAlike: what is one account in one lane is the same in the other.
func TestLanesClassifyAlike(t *testing.T) {
	t.Parallel()
	set := lanesSet(t)
	owners := ownersOf(set)
	client := netip.MustParseAddr("198.51.100.100")
	seen := map[ratelimit.Class]int{}
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			r := testResponder(t, 1)
			x := exchange{Responder: r, client: Client{Addr: client, MaxUDP: 1232}, now: serverTime}
			wire := drawQuery(t, owners)
			if _, _, ok := x.quick(set, nil, wire); !ok || x.unlimited() {
				continue
			}
			m, err := dns.Parse(wire)
			if err != nil {
				t.Fatal(err)
			}
			class, name := classify(set, m, Answer(set, m))
			seen[class]++
			if v := r.opts.Limit.Decide(serverTime, client, class, r.opts.Limit.Key(string(name))); v == ratelimit.Send {
				t.Fatalf("%s counts apart from class %d, %s", m.Question[0], class, name)
			}
		}
	})
	for _, c := range []ratelimit.Class{ratelimit.Positive, ratelimit.Synthesized, ratelimit.NXDomain, ratelimit.NoData} {
		if seen[c] == 0 {
			t.Errorf("class %d never came about", c)
		}
	}
}

// TestOddOptionsAreNotPlain: options that end before they do are the full lane's.
func TestOddOptionsAreNotPlain(t *testing.T) {
	t.Parallel()
	x := exchange{Responder: testResponder(t, 1)}
	for options, want := range map[string]bool{
		"": true, "\x00\x03\x00\x00": true, "\x00\x03\x00\x01a": true, "\x00\x03\x00\x00\x00\x0a\x00\x08abcdefgh": true,
		"\x00": false, "\x00\x03\x00": false, "\x00\x03\x00\x01": false, "\x00\x03\x00\x00\x00": false, "\x00\x0a\x00\x08abcdefg": false,
	} {
		if got := x.readWire([]byte(options)); got != want {
			t.Errorf("%q: %v", options, got)
		}
	}
}

// TestQuickServesWithoutAllocating: with everything on, too.
func TestQuickServesWithoutAllocating(t *testing.T) {
	set, out, r := lanesSet(t), make([]byte, 0, 1232), testResponder(t, 1)
	client := Client{Addr: netip.MustParseAddr("198.51.100.100"), MaxUDP: 1232}
	for _, name := range []string{"many.example.test.", "no.example.test.", "x.star.example.test.", "a.rather.long.name.below.star.example.test."} {
		q := dns.NewQuery(1, dns.MustParseName(name), dns.TypeA)
		q.EDNS = &dns.EDNS{UDPSize: 1232, Options: []dns.Option{{Code: dns.OptionCookie, Data: []byte("12345678")}, {Code: dns.OptionNSID}}}
		wire, err := q.Append(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { r.Respond(set, out, wire, client, serverTime) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkQuickServe(b *testing.B) {
	set, out, r := lanesSet(b), make([]byte, 0, 1232), testResponder(b, 1_000_000)
	q := dns.NewQuery(1, dns.MustParseName("many.example.test."), dns.TypeA)
	client := Client{Addr: netip.MustParseAddr("198.51.100.100"), MaxUDP: 1232}
	for what, edns := range map[string]*dns.EDNS{
		"plain":  {UDPSize: 1232},
		"cookie": {UDPSize: 1232, Options: []dns.Option{{Code: dns.OptionCookie, Data: []byte("12345678")}}},
	} {
		q.EDNS = edns
		wire, err := q.Append(nil, 0)
		if err != nil {
			b.Fatal(err)
		}
		for who, r := range map[string]*Responder{"nothing": {}, "everything": r} {
			b.Run(what+"-"+who, func(b *testing.B) {
				b.ReportAllocs()
				now := serverTime
				for b.Loop() {
					now = now.Add(time.Microsecond)
					r.Respond(set, out, wire, client, now)
				}
			})
		}
	}
}
