package dns

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"
	"pgregory.net/rapid"
)

// dump gives octets as hexadecimal text in groups, for a test to be read.
func unhex(t testing.TB, lines ...string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(lines, ""), " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCompressionRFC1035 has the names of the example of RFC 1035 section
// 4.1.4: F.ISI.ARPA, FOO.F.ISI.ARPA, ARPA and the root.
func TestCompressionRFC1035(t *testing.T) {
	t.Parallel()
	m := &Message{Header: Header{ID: 1}, Question: []Question{
		{mustName(t, "F.ISI.ARPA."), TypeA, ClassIN},
		{mustName(t, "FOO.F.ISI.ARPA."), TypeA, ClassIN},
		{mustName(t, "ARPA."), TypeA, ClassIN},
		{Root, TypeA, ClassIN},
	}}
	want := unhex(t,
		"0001 0000 0004 0000 0000 0000",
		"01 46 03 495349 04 41525041 00 0001 0001", // at 12: F.ISI.ARPA; ISI at 14, ARPA at 18
		"03 464f4f c00c 0001 0001",
		"c012 0001 0001",
		"00 0001 0001",
	)
	wire, err := m.Append(nil, 0)
	if err != nil || !bytes.Equal(wire, want) {
		t.Errorf("got  %x, %v\nwant %x", wire, err, want)
	}
}

// TestWireOfAnAnswer spells out a whole answer.
func TestWireOfAnAnswer(t *testing.T) {
	t.Parallel()
	m := NewQuery(0x1267, mustName(t, "www.example.test."), TypeA).Reply(RcodeSuccess)
	m.Authoritative = true
	m.Answer = mustRRs(t, "www CNAME web", "web 60 A 192.0.2.1")
	m.Authority = mustRRs(t, "@ NS ns.Example.TEST.")
	m.EDNS = &EDNS{UDPSize: 1232, DO: true}
	want := unhex(t,
		"1267 8400 0001 0002 0001 0001",
		"03 777777 07 6578616d706c65 04 74657374 00 0001 0001", // the name at 12, example at 16
		"c00c 0005 0001 0000012c 0006 03 776562 c010",          // data at 46
		"c02e 0001 0001 0000003c 0004 c0000201",
		"c010 0002 0001 0000012c 0005 02 6e73 c010", // letters fold: the tail is shared
		"00 0029 04d0 00 00 8000 0000",
	)
	wire, err := m.Append(nil, 0)
	if err != nil || !bytes.Equal(wire, want) {
		t.Errorf("got  %x, %v\nwant %x", wire, err, want)
	}
}

// TestWhatIsNeverCompressed: names in the data of types younger than RFC 1035
// (RFC 3597 section 4).
func TestWhatIsNeverCompressed(t *testing.T) {
	t.Parallel()
	for text, compressed := range map[string]bool{
		"NS example.test.": true, "CNAME example.test.": true, "PTR example.test.": true, "MX 1 example.test.": true,
		"MB example.test.": true, "MG example.test.": true, "MR example.test.": true,
		"SOA example.test. example.test. 1 2 3 4 5": true, "MINFO example.test. example.test.": true,
		"DNAME example.test.": false, "SRV 1 2 3 example.test.": false, "RP example.test. example.test.": false,
		"AFSDB 1 example.test.": false, "RT 1 example.test.": false, "KX 1 example.test.": false, "PX 1 example.test. .": false,
		"SVCB 1 example.test.": false, "HTTPS 1 example.test.": false, "NSEC example.test. A": false,
		`NAPTR 1 2 "" "" "" example.test.`: false, "LP 1 example.test.": false, "TALINK example.test. .": false,
		"RRSIG A 13 2 1 20300101000000 20200101000000 1 example.test. aaaa": false,
	} {
		rr := mustRR(t, "@ "+text)
		m := &Message{Answer: []RR{rr}}
		wire, err := m.Append(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Count(wire, []byte("\x07example")) == 1; got != compressed {
			t.Errorf("%s: compressed %v", text, got)
		}
		if back, err := Parse(wire); err != nil || !back.Answer[0].Equal(rr) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestCompressionAfterARollback: an RRset that did not fit leaves names in the
// table, which later names must not point at.
func TestCompressionAfterARollback(t *testing.T) {
	t.Parallel()
	m := &Message{
		Header:   Header{Response: true},
		Question: []Question{{mustName(t, "q."), TypeMX, ClassIN}},
		Answer:   mustRRs(t, "q. 1 MX 1 mail.q."),
		Additional: mustRRs(t,
			"unique.name. 1 TXT aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			"name. 1 A 192.0.2.1", "x.unique.name. 1 A 192.0.2.2", "unique.name. 1 A 192.0.2.3"),
	}
	for limit := 40; limit < 300; limit++ {
		wire, err := m.Append(nil, limit)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(wire)
		if err != nil {
			t.Fatalf("limit %d: %v\n%x", limit, err, wire)
		}
		for _, rr := range got.Additional {
			found := false
			for _, want := range m.Additional {
				found = found || rr.Equal(want)
			}
			if !found {
				t.Fatalf("limit %d: %s was never put in", limit, rr)
			}
		}
	}
}

// TestNameTable: the table gives back what was put in, is full at three
// quarters, and ignores offsets that no pointer reaches.
func TestNameTable(t *testing.T) {
	t.Parallel()
	var nt nameTable
	msg := append(make([]byte, HeaderLen), "\x01a\x01b\x00"...)
	nt.add(7, 12)
	nt.add(7+256, 14) // the same slot
	if off, ok := nt.find(7, msg, "\x01a\x01b\x00"); !ok || off != 12 {
		t.Errorf("%d, %v", off, ok)
	}
	if off, ok := nt.find(7+256, msg, "\x01B\x00"); !ok || off != 14 {
		t.Errorf("%d, %v", off, ok)
	}
	if _, ok := nt.find(7, msg, "\x01b\x00"); ok {
		t.Error("a name with another hash")
	}
	if _, ok := nt.find(8, msg, "\x01a\x01b\x00"); ok {
		t.Error("a name that is not there")
	}
	nt.add(9, 0x4000)
	if nt.used != 2 {
		t.Error("an offset past 14 bits was kept")
	}
	for i := range uint32(1000) {
		nt.add(i*31, 100)
	}
	if nt.used != 192 {
		t.Errorf("%d entries", nt.used)
	}
	if _, ok := nt.find(12345, msg, Root); ok {
		t.Error("found in a full table") // and the search ended
	}
}

func TestNameAt(t *testing.T) {
	t.Parallel()
	msg := append(make([]byte, HeaderLen), "\x01a\x00\x01b\xc0\x0c\x01c\xc0\x0f\xc0\x17\xc0\xff\xff"...)
	for _, tt := range []struct {
		off  int
		name string
		want bool
	}{
		{12, "a.", true},
		{12, "A.", true},
		{12, "b.", false},
		{14, ".", true},
		{15, "b.a.", true},
		{15, "b.", false},
		{19, "c.b.a.", true},
		{19, "c.b.b.", false},
		{23, "c.b.a.", false}, // a pointer to itself
		{25, "a.", false},     // past the end
		{27, "a.", false},     // half a pointer
		{99, "a.", false},
	} {
		if got := nameAt(msg, tt.off, mustName(t, tt.name)); got != tt.want {
			t.Errorf("%s at %d: %v", tt.name, tt.off, got)
		}
	}
}

// genRR draws records of a few shapes and names.
func genRR() *rapid.Generator[RR] {
	name := genName()
	return rapid.Custom(func(t *rapid.T) RR {
		rr := RR{
			Name: name.Draw(t, "owner"), Class: ClassIN,
			TTL: rapid.Uint32Max(MaxTTL).Draw(t, "TTL"),
		}
		target := []byte(name.Draw(t, "target"))
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			rr.Type, rr.Data = TypeA, rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address")
		case 1:
			rr.Type, rr.Data = TypeNS, target
		case 2:
			rr.Type, rr.Data = TypeMX, append([]byte{0, 1}, target...)
		case 3:
			rr.Type, rr.Data = TypeSRV, append([]byte{0, 1, 0, 2, 0, 3}, target...)
		case 4:
			rr.Type, rr.Data = 65280, rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "data")
		case 5:
			rr.Type, rr.Data = TypeSOA, SOA{Name(target), Root, 1, 2, 3, 4, 5}.Data()
		}
		return rr
	})
}

func genMessage() *rapid.Generator[*Message] {
	rrs := rapid.SliceOfN(genRR(), 0, 12)
	return rapid.Custom(func(t *rapid.T) *Message {
		m := &Message{
			Header: headerFromBits(rapid.Uint16().Draw(t, "id"), rapid.Uint16().Draw(t, "bits")),
			Answer: rrs.Draw(t, "answer"), Authority: rrs.Draw(t, "authority"), Additional: rrs.Draw(t, "additional"),
		}
		for range rapid.IntRange(0, 2).Draw(t, "questions") {
			m.Question = append(m.Question, Question{genName().Draw(t, "name"), Type(rapid.Uint16().Draw(t, "type")), ClassIN})
		}
		if rapid.Bool().Draw(t, "edns") {
			m.EDNS = &EDNS{UDPSize: rapid.Uint16().Draw(t, "size"), DO: rapid.Bool().Draw(t, "do")}
			m.Rcode |= Rcode(rapid.Uint16Max(255).Draw(t, "high")) << 4
		}
		return m
	})
}

// TestAppendProperties: what is packed reads back, here and by miekg/dns, and
// what is packed into less is a part of it by whole RRsets.
func TestAppendProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := genMessage().Draw(t, "message")
		wire, err := m.Append(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(wire)
		if err != nil || !got.Equal(m) {
			t.Fatalf("%v\n%+v\n%+v", err, got, m)
		}
		var foreign mdns.Msg
		if err := foreign.Unpack(wire); err != nil {
			t.Fatalf("miekg/dns: %v\n%x", err, wire)
		}
		limit := rapid.IntRange(1, len(wire)+10).Draw(t, "limit")
		short, err := m.Append(nil, limit)
		if err != nil {
			return // not even the question fits
		}
		if len(short) > limit {
			t.Fatalf("%d octets in %d", len(short), limit)
		}
		part, err := Parse(short)
		if err != nil {
			t.Fatal(err)
		}
		lost := len(part.Answer) < len(m.Answer) || len(part.Authority) < len(m.Authority)
		if lost && !part.Truncated {
			t.Fatal("records are missing without TC")
		}
		if len(wire) <= limit && !part.Equal(m) {
			t.Fatal("everything fits, and something is missing")
		}
		checkWholeSets(t, m.Answer, part.Answer)
		if len(part.Answer) < len(m.Answer) && len(part.Authority)+len(part.Additional) > 0 {
			t.Fatal("records after a cut answer section")
		}
	})
}

// checkWholeSets: part is the beginning of all, and ends between two RRsets.
func checkWholeSets(t *rapid.T, all, part []RR) {
	for i, rr := range part {
		if !rr.Equal(all[i]) {
			t.Fatalf("record %d is %s, was %s", i, rr, all[i])
		}
	}
	if n := len(part); n > 0 && n < len(all) && all[n-1].SameSet(all[n]) {
		t.Fatal("an RRset was cut")
	}
}

func BenchmarkAppend(b *testing.B) {
	m := sampleMessage(b)
	buf := make([]byte, 0, 1500)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Append(buf, 1232); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	wire, err := sampleMessage(b).Append(nil, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(wire); err != nil {
			b.Fatal(err)
		}
	}
}
