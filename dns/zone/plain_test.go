package zone

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
)

const plainZone = head + `
a TXT 1
a A 192.0.2.2
a A 192.0.2.3
a.ent TXT 1
*.w A 192.0.2.4
x.w TXT 1
y.*.v TXT 1
c CNAME a
sub NS ns.sub
ns.sub A 192.0.2.5
d DNAME a
`

// recordsOf reads the records of a Plain answer to a question.
func recordsOf(t interface{ Fatalf(string, ...any) }, name dns.Name, records []byte, count int) []dns.RR {
	message := make([]byte, dns.HeaderLen)
	binary.BigEndian.PutUint16(message[4:], 1)
	binary.BigEndian.PutUint16(message[6:], uint16(count))
	message = append(append(message, name...), 0, 1, 0, 1)
	m, err := dns.Parse(append(message, records...))
	if err != nil {
		t.Fatalf("%s: records %x: %v", name, records, err)
	}
	return m.Answer
}

// TestPlainModel holds Plain to Lookup: where it answers, the two say the same.
func TestPlainModel(t *testing.T) {
	t.Parallel()
	z, _ := load(t, plainZone)
	labels := rapid.SampledFrom([]string{"a", "c", "d", "w", "v", "x", "y", "*", "ent", "sub", "ns", "ns1", "no", "0"})
	rapid.Check(t, func(t *rapid.T) {
		name := origin
		for range rapid.IntRange(0, 3).Draw(t, "depth") {
			name, _ = name.Prepend(labels.Draw(t, "label"))
		}
		kind := rapid.SampledFrom([]dns.Type{dns.TypeA, dns.TypeTXT, dns.TypeNS, dns.TypeCNAME, dns.TypeDNAME}).Draw(t, "type")
		p := z.Plain([]byte(name), kind, rapid.Bool().Draw(t, "signed"))
		m := z.Lookup(name)
		set, has := m.Node.RRset(kind)
		alias := m.Node.Has(dns.TypeCNAME) && !has
		want := map[bool]Found{true: NoData, false: NoName}[m.Kind == Exact || m.Kind == Wildcard]
		switch {
		case m.Kind == Cut, m.Kind == Redirect, alias:
			want = NotPlain
		case has:
			want = Records
		}
		if p.Found != want {
			t.Fatalf("%s %s: found %d, want %d (%s)", name, kind, p.Found, want, m.Kind)
		}
		var records []dns.RR
		if want == Records {
			records = set.Append(nil, name)
		}
		if got := recordsOf(t, name, p.Records, p.Count); !slices.EqualFunc(got, records, dns.RR.Equal) {
			t.Fatalf("%s %s: %v, want %v", name, kind, got, records)
		}
		if p.SignaturesCount != 0 || len(p.Signatures) != 0 {
			t.Fatalf("%s %s: signatures of an unsigned zone", name, kind)
		}
	})
}

const plainSigned = head + `
@ RRSIG SOA 15 2 60 20300101000000 20200101000000 1 example.test. AAAA
a A 192.0.2.1
a TXT 1
a MX 1 ns1
a RRSIG A 15 3 60 20300101000000 20200101000000 1 example.test. AAAA
a RRSIG TXT 15 3 60 20300101000000 20200101000000 1 example.test. AAAA
a RRSIG TXT 15 3 60 20300101000000 20200101000000 2 example.test. AAAA
a RRSIG MX 15 3 60 20300101000000 20200101000000 1 example.test. AAAA
*.w A 192.0.2.4
`

// TestPlainSignatures: those that cover the type, and no other; what needs a proof is not plain.
func TestPlainSignatures(t *testing.T) {
	t.Parallel()
	z, _ := load(t, plainSigned)
	a := dns.MustParseName("a.example.test.")
	for kind, want := range map[dns.Type]int{dns.TypeA: 1, dns.TypeTXT: 2, dns.TypeMX: 1} {
		p := z.Plain([]byte(a), kind, true)
		if p.Found != Records || p.Count != 1 || p.SignaturesCount != want {
			t.Errorf("%s: %+v", kind, p)
		}
		for _, rr := range recordsOf(t, a, p.Signatures, p.SignaturesCount) {
			if rr.Type != dns.TypeRRSIG || dns.Type(binary.BigEndian.Uint16(rr.Data)) != kind {
				t.Errorf("%s: %s", kind, rr)
			}
		}
		if p := z.Plain([]byte(a), kind, false); p.SignaturesCount != 0 {
			t.Errorf("%s: signatures that nobody asked for", kind)
		}
	}
	for _, name := range []string{"a.example.test.", "no.example.test.", "w.example.test.", "x.w.example.test."} {
		n := []byte(dns.MustParseName(name))
		if p := z.Plain(n, dns.TypeAAAA, true); p.Found != NotPlain {
			t.Errorf("%s: found %d without a proof", name, p.Found)
		}
		if p := z.Plain(n, dns.TypeAAAA, false); p.Found == NotPlain {
			t.Errorf("%s: not plain without DO", name)
		}
	}
}

// TestPlainAllocatesNothing, also for the longest names.
func TestPlainAllocatesNothing(t *testing.T) {
	z, _ := load(t, plainZone)
	long := origin
	for len(long)+64 <= dns.MaxNameLen {
		long, _ = long.Prepend(string(bytes.Repeat([]byte{0}, 63)))
	}
	set, err := NewSet(z)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []dns.Name{origin, dns.MustParseName("a.example.test."), dns.MustParseName("q.w.example.test."), long} {
		wire, dst := []byte(name), make([]byte, 0, 512)
		n := testing.AllocsPerRun(50, func() {
			set.FindWire(wire).Plain(wire, dns.TypeA, true)
			z.AppendDenial(dst, len(wire))
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestAppendDenial: the record is that of the zone with the TTL of negative answers, whatever its names are.
func TestAppendDenial(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ apex, soa string }{
		{"example.test.", "@ 300 SOA ns1 host 7 2 3 4 5"},
		{"example.test.", "@ 3 SOA ns1 host 7 2 3 4 5"},
		{"example.test.", "@ 300 SOA @ . 7 2 3 4 500"},
		{"example.test.", "@ 300 SOA ns.elsewhere. Host.Example.TEST. 4294967295 2 3 4 5"},
		{".", ". 300 SOA a.root. . 7 2 3 4 5"},
	} {
		apex := dns.MustParseName(tt.apex)
		b := NewBuilder(apex)
		records, err := Read(strings.NewReader(tt.soa+"\n"), ReadOptions{Origin: apex})
		if err != nil {
			t.Fatal(err)
		}
		b.Add(records[0])
		b.Add(Record{RR: dns.NameRR(apex, 1, dns.TypeNS, apex)})
		z, _, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		want := records[0].RR
		want.TTL = min(want.TTL, z.SOA().Minimum)
		for _, labels := range []string{"", "x", "a.b.c"} {
			name := apex
			if labels != "" {
				name, _ = dns.ParseName(labels, apex)
			}
			got := recordsOf(t, name, z.AppendDenial(nil, len(name)), 1)
			if len(got) != 1 || !got[0].Equal(want) {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	}
}

// TestFindWire finds what Find does.
func TestFindWire(t *testing.T) {
	t.Parallel()
	var zones []*Zone
	for _, apex := range []string{"example.test.", "sub.example.test.", "test."} {
		b := NewBuilder(dns.MustParseName(apex))
		b.Add(Record{RR: dns.SOARR(dns.MustParseName(apex), 1, dns.SOA{MName: dns.Root, RName: dns.Root})})
		b.Add(Record{RR: dns.NameRR(dns.MustParseName(apex), 1, dns.TypeNS, dns.Root)})
		z, _, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		zones = append(zones, z)
	}
	for n := range len(zones) + 1 {
		set, err := NewSet(zones[:n]...)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{".", "test.", "a.test.", "example.test.", "x.example.test.", "sub.example.test.", "y.x.sub.example.test.", "xsub.example.test.", "other."} {
			wire := dns.MustParseName(name)
			if got, want := set.FindWire([]byte(wire)), set.Find(wire); got != want {
				t.Errorf("%d zones: %s: %v, want %v", n, name, got, want)
			}
		}
	}
	if (*Set)(nil).FindWire([]byte{0}) != nil {
		t.Error("nil set")
	}
}
