package authority

import (
	"bytes"
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// lanesZone has of everything that the lanes could tell apart.
const lanesZone = oddZone + `
ptr PTR a
many A 192.0.2.10
many A 192.0.2.11
many AAAA 2001:db8::1
UPPER.Case TXT x
deep.ent TXT x
*.star A 192.0.2.12
*.star TXT star
blocked.star TXT x
x.*.asterisk A 192.0.2.13
www HTTPS 1 . alpn=h2
www A 192.0.2.14
_443._tcp.www TLSA 3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971
mail MX 1 a
any TYPE65280 \# 1 ff
`

// lanesSignedZone is one whose signatures are made up: whether they are right is not for this room to say.
const lanesSignedZone = `$TTL 60
@ SOA ns1.elsewhere. host 1 2 3 40 5
@ NS ns1.elsewhere.
@ RRSIG SOA 15 2 60 20300101000000 20200101000000 1 signed.test. AAAA
@ RRSIG NS 15 2 60 20300101000000 20200101000000 1 signed.test. AAAA
@ NSEC a NS SOA RRSIG NSEC
@ RRSIG NSEC 15 2 60 20300101000000 20200101000000 1 signed.test. AAAA
a A 192.0.2.1
a TXT x
a RRSIG A 15 3 60 20300101000000 20200101000000 1 signed.test. AAAA
a RRSIG A 15 3 60 20300101000000 20200101000000 2 signed.test. BBBB
a RRSIG TXT 15 3 60 20300101000000 20200101000000 1 signed.test. AAAA
a NSEC @ A TXT RRSIG NSEC
a RRSIG NSEC 15 3 60 20300101000000 20200101000000 1 signed.test. AAAA
`

func lanesSet(t testing.TB) *zone.Set {
	plain, signed := setOf(t, "Example.test.", lanesZone), setOf(t, "signed.test.", lanesSignedZone)
	child := setOf(t, "own.example.test.", "@ 1 SOA a. b. 1 2 3 4 5\n@ 1 NS a.\nx 1 A 192.0.2.20\n")
	set, err := zone.NewSet(plain.Zones()[0], signed.Zones()[0], child.Zones()[0])
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// sameLanes asks both lanes, and says whether the fast one answered.
func sameLanes(t interface{ Fatalf(string, ...any) }, set *zone.Set, query []byte, maxUDP int) (quickly bool) {
	before := []byte("before")
	got, ok := quick(set, before, query, maxUDP)
	if !ok {
		if !bytes.Equal(got, before) {
			t.Fatalf("%x: the fast lane left something behind", query)
		}
		return false
	}
	want := respond(set, nil, query, maxUDP)
	fast, err := dns.Parse(got[len(before):])
	if err != nil {
		t.Fatalf("%x: the fast lane's answer %x: %v", query, got, err)
	}
	full, err := dns.Parse(want)
	if err != nil {
		t.Fatalf("%x: the full lane's answer %x: %v", query, want, err)
	}
	if !fast.Equal(full) {
		t.Fatalf("%s: the lanes differ\nfast %s %+v\nfull %s %+v", full.Question, dns.Summary(fast), fast, dns.Summary(full), full)
	}
	return true
}

// FuzzLanes holds the fast lane to the full one on whatever octets come.
func FuzzLanes(f *testing.F) {
	set := lanesSet(f)
	for _, name := range []string{"example.test.", "a.example.test.", "no.example.test.", "x.star.example.test.", "a.signed.test."} {
		for _, kind := range []dns.Type{dns.TypeA, dns.TypeSOA, dns.TypeTXT} {
			for _, edns := range []*dns.EDNS{nil, {UDPSize: 1232}, {UDPSize: 512, DO: true}} {
				q := dns.NewQuery(1, dns.MustParseName(name), kind)
				q.EDNS = edns
				wire, err := q.Append(nil, 0)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(wire)
			}
		}
	}
	f.Fuzz(func(t *testing.T, query []byte) {
		sameLanes(t, set, query, DefaultUDPSize)
		sameLanes(t, set, query, Stream)
	})
}

// TestLanes asks both lanes about names in and around the zones, and wants the fast one to have answered what it is for.
func TestLanes(t *testing.T) {
	t.Parallel()
	set := lanesSet(t)
	var owners []dns.Name
	for _, z := range set.Zones() {
		for n := range z.Nodes() {
			owners = append(owners, n.Name())
		}
	}
	kinds := []dns.Type{
		dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypePTR, dns.TypeMX, dns.TypeNS, dns.TypeSOA, dns.TypeCNAME, dns.TypeDS,
		dns.TypeRRSIG, dns.TypeNSEC, dns.TypeANY, dns.TypeHTTPS, dns.TypeTLSA, 65280, 0,
	}
	quickly, asked := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(owners).Draw(t, "owner")
		for range rapid.IntRange(0, 2).Draw(t, "labels") {
			name, _ = name.Prepend(rapid.SampledFrom([]string{"x", "A", "*", "\x00"}).Draw(t, "label"))
		}
		for range rapid.IntRange(0, 2).Draw(t, "cut") {
			name = name.Parent()
		}
		q := dns.NewQuery(7, name, rapid.SampledFrom(kinds).Draw(t, "type"))
		q.RecursionDesired, q.CheckingDisabled, q.AuthenticData = rapid.Bool().Draw(t, "rd"), rapid.Bool().Draw(t, "cd"), rapid.Bool().Draw(t, "ad")
		if rapid.Bool().Draw(t, "edns") {
			q.EDNS = &dns.EDNS{UDPSize: rapid.SampledFrom([]uint16{0, 512, 600, 1232, 4096}).Draw(t, "size"), DO: rapid.Bool().Draw(t, "do")}
		}
		wire, err := q.Append(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		asked++
		if sameLanes(t, set, wire, DefaultUDPSize) {
			quickly++
		}
	})
	if quickly < asked/4 {
		t.Errorf("the fast lane answered %d of %d questions", quickly, asked)
	}
}

// TestQuickly: these are what the lane is for.
func TestQuickly(t *testing.T) {
	t.Parallel()
	set := lanesSet(t)
	for _, tt := range []struct {
		name    string
		kind    dns.Type
		do      bool
		quickly bool
	}{
		{"many.example.test.", dns.TypeA, false, true},
		{"MANY.example.test.", dns.TypeAAAA, true, true},
		{"ptr.example.test.", dns.TypePTR, false, true},
		{"no.example.test.", dns.TypeA, false, true},
		{"a.example.test.", dns.TypeMX, false, true},
		{"ent.example.test.", dns.TypeA, false, true},
		{"x.star.example.test.", dns.TypeA, false, true},
		{"blocked.star.example.test.", dns.TypeA, false, true},
		{"a.signed.test.", dns.TypeA, true, true},
		{"no.signed.test.", dns.TypeA, false, true},
		{"no.signed.test.", dns.TypeA, true, true}, // with a proof
		{"a.signed.test.", dns.TypeAAAA, true, true},
		{"b.example.test.", dns.TypeA, false, false},     // an alias
		{"x.y.example.test.", dns.TypeA, false, false},   // a delegation
		{"x.d.example.test.", dns.TypeA, false, false},   // a DNAME
		{"mail.example.test.", dns.TypeMX, false, false}, // addresses beside it
		{"f.example.test.", dns.TypeTXT, false, false},   // more than 512 octets
		{"a.example.test.", dns.TypeANY, false, false},
		{"elsewhere.", dns.TypeA, false, false},
	} {
		q := dns.NewQuery(1, dns.MustParseName(tt.name), tt.kind)
		if tt.do {
			q.EDNS = &dns.EDNS{UDPSize: 1232, DO: true}
		}
		wire, err := q.Append(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := sameLanes(t, set, wire, DefaultUDPSize); got != tt.quickly {
			t.Errorf("%s %s, DO %v: quickly %v", tt.name, tt.kind, tt.do, got)
		}
	}
	if sameLanes(t, nil, make([]byte, 17), Stream) {
		t.Error("answered without zones")
	}
}

// TestOddQueriesAreNotPlain: each differs from a plain query in one thing.
func TestOddQueriesAreNotPlain(t *testing.T) {
	t.Parallel()
	set := lanesSet(t)
	q := dns.NewQuery(1, dns.MustParseName("many.example.test."), dns.TypeA)
	q.EDNS = &dns.EDNS{UDPSize: 1232}
	plain, err := q.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := quick(set, nil, plain, DefaultUDPSize); !ok {
		t.Fatal("the plain query is not plain")
	}
	opt := len(plain) - optLen
	for what, change := range map[string]func([]byte) []byte{
		"response":          func(b []byte) []byte { b[2] |= 0x80; return b },
		"opcode":            func(b []byte) []byte { b[2] |= 0x20; return b },
		"AA":                func(b []byte) []byte { b[2] |= 4; return b },
		"TC":                func(b []byte) []byte { b[2] |= 2; return b },
		"RA":                func(b []byte) []byte { b[3] |= 0x80; return b },
		"Z":                 func(b []byte) []byte { b[3] |= 0x40; return b },
		"rcode":             func(b []byte) []byte { b[3] |= 1; return b },
		"no question":       func(b []byte) []byte { b[5] = 0; return b },
		"two questions":     func(b []byte) []byte { b[5] = 2; return b },
		"an answer":         func(b []byte) []byte { b[7] = 1; return b },
		"an authority":      func(b []byte) []byte { b[9] = 1; return b },
		"two additional":    func(b []byte) []byte { b[11] = 2; return b },
		"no additional":     func(b []byte) []byte { b[11] = 0; return b },
		"class":             func(b []byte) []byte { b[opt-1] = 3; return b },
		"a pointer":         func(b []byte) []byte { b[12] = 0xc0; return b },
		"a label too long":  func(b []byte) []byte { b[12] = 64; return b },
		"OPT below a name":  func(b []byte) []byte { b[opt] = 1; return b },
		"another type":      func(b []byte) []byte { b[opt+2] = 1; return b },
		"extended rcode":    func(b []byte) []byte { b[opt+5] = 1; return b },
		"version":           func(b []byte) []byte { b[opt+6] = 1; return b },
		"options":           func(b []byte) []byte { binary.BigEndian.PutUint16(b[opt+9:], 4); return append(b, 0, 0, 0, 0) },
		"options too short": func(b []byte) []byte { b[opt+10] = 4; return b },
		"octets behind":     func(b []byte) []byte { return append(b, 0) },
		"cut off":           func(b []byte) []byte { return b[:len(b)-1] },
	} {
		if _, ok := quick(set, nil, change(bytes.Clone(plain)), DefaultUDPSize); ok {
			t.Errorf("%s: the fast lane answered", what)
		}
	}
	for size := range plain {
		if _, ok := quick(set, nil, plain[:size], DefaultUDPSize); ok {
			t.Errorf("the fast lane answered %d octets of %d", size, len(plain))
		}
	}
}

// TestQuickAllocatesNothing and BenchmarkQuick: that is what it is for.
func TestQuickAllocatesNothing(t *testing.T) {
	set, out := lanesSet(t), make([]byte, 0, 1232)
	for _, name := range []string{"MANY.example.test.", "no.example.test.", "x.star.example.test.", "a.signed.test."} {
		wire, err := dns.NewQuery(1, dns.MustParseName(name), dns.TypeA).Append(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { Respond(set, out, wire, DefaultUDPSize) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkQuick(b *testing.B) {
	set, out := lanesSet(b), make([]byte, 0, 1232)
	for what, name := range map[string]string{"hit": "many.example.test.", "nxdomain": "no.such.example.test."} {
		wire, err := dns.NewQuery(1, dns.MustParseName(name), dns.TypeA).Append(nil, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Respond(set, out, wire, DefaultUDPSize)
			}
		})
		b.Run(what+"-full", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				respond(set, out, wire, DefaultUDPSize)
			}
		})
	}
}
