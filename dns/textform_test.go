package dns

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
)

func TestAppendRelative(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, origin, want string }{
		{"example.test.", "example.test.", "@"},
		{"a.example.test.", "example.test.", "a"},
		{"a.b.example.test.", "example.test.", "a.b"},
		{"a.Example.test.", "example.test.", "a.Example.test."},
		{"test.", "example.test.", "test."},
		{".", "example.test.", "."},
		{"example.org.", "example.test.", "example.org."},
		{"aexample.test.", "example.test.", "aexample.test."},
		{"a.", ".", "a"},
		{"a.b.", ".", "a.b"},
		{".", ".", "@"},
		{`\@.example.test.`, "example.test.", `\@`},
		{`a\.b.example.test.`, "example.test.", `a\.b`},
		{`\000\255 \(\;.example.test.`, "example.test.", `\000\255\032\(\;`},
		{`a\004test.`, "test.", `a\004test.`}, // the octets of the origin inside a label
		{"*.example.test.", "example.test.", "*"},
	} {
		name, origin := mustName(t, tt.name), mustName(t, tt.origin)
		got := string(name.AppendRelative([]byte("-"), origin))
		if got != "-"+tt.want {
			t.Errorf("%s at %s: %s, want %s", tt.name, tt.origin, got, tt.want)
		}
		if back, err := ParseName(got[1:], origin); err != nil || back != name {
			t.Errorf("%s reads back as %s, %v", got[1:], back, err)
		}
		if got := string(name.AppendRelative(nil, "")); got != name.String() {
			t.Errorf("%s without an origin: %s", name, got)
		}
	}
	if got := Name("").AppendRelative(nil, ""); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// TestDataTextAsMiekg: where the fast lane writes data, miekg/dns writes the
// same, but for what it escapes in names.
func TestDataTextAsMiekg(t *testing.T) {
	t.Parallel()
	written := map[Type]bool{}
	try := func(rr RR) {
		got, ok := rr.appendPlainText([]byte("-"), "")
		if !ok {
			return
		}
		written[rr.Type] = true
		want, ok := rr.knownData()
		if !ok || string(got) != "-"+want {
			t.Errorf("%s %x: %s, miekg/dns %s, %v", rr.Type, rr.Data, got[1:], want, ok)
		}
	}
	for _, tt := range everyType {
		try(mustRR(t, "o "+tt.text))
	}
	for _, tt := range plainData {
		for _, text := range tt.plain {
			data, err := ParseData(tt.typ, text, "\x07example\x00")
			if err != nil {
				t.Fatal(err)
			}
			if tt.typ != TypeRRSIG || data[8] < 0x80 { // see writer.time
				try(RR{Name: Root, Type: tt.typ, Class: ClassIN, Data: data})
			}
		}
	}
	for _, typ := range plainTypes {
		other := typ == TypeCAA || typ == TypeNAPTR || typ == TypeHINFO || typ == TypeISDN || typ == TypeAMTRELAY || typ == TypeNSEC3PARAM
		if written[typ] == other {
			t.Errorf("%s is written in the fast lane: %v", typ, written[typ])
		}
	}
}

// TestDataTextRelative: with an origin the names in the data are relative to it.
func TestDataTextRelative(t *testing.T) {
	origin := mustName(t, "example.test.")
	for text, want := range map[string]string{
		"NS ns1":                 "ns1",
		"NS @":                   "@",
		"NS ns1.example.org.":    "ns1.example.org.",
		"NS ns1.EXAMPLE.test":    "ns1.EXAMPLE.test",
		"NS ns1.Example.Test.":   "ns1.Example.Test.",
		"MX 10 mail":             "10 mail",
		"MX 0 .":                 "0 .",
		"SRV 0 1 993 m":          "0 1 993 m",
		"SOA ns1 host 1 2 3 4 5": "ns1 host 1 2 3 4 5",
		`TXT "a" "\"\\\200"`:     `"a" "\"\\\200"`,
		"NSEC b A":               "b A",
		"RRSIG A 13 3 300 20300101000000 20260101000000 1 @ AQAB": "A 13 3 300 20300101000000 20260101000000 1 @ AQAB",
		"RRSIG A 13 3 300 21050101000000 1 1 @ AQAB":              "A 13 3 300 21050101000000 19700101000001 1 @ AQAB",
		"A 192.0.2.1":         "192.0.2.1",
		"AAAA ::ffff:1.2.3.4": "::ffff:1.2.3.4",
		"CAA 0 issue x":       `0 issue "x"`, // by the other lane, as all below
		"RP a b":              "a.example.test. b.example.test.",
		`TYPE65280 \# 1 ff`:   `\# 1 ff`,
		`NULL \# 0`:           `\# 0`,
	} {
		rr := mustRR(t, "o "+text)
		got := rr.AppendDataText([]byte("-"), origin)
		if string(got) != "-"+want {
			t.Errorf("%s: %s, want %s", text, got[1:], want)
		}
		if data, err := ParseData(rr.Type, string(got[1:]), origin); err != nil || !bytes.Equal(data, rr.Data) {
			t.Errorf("%s reads back as %x, %v", got[1:], data, err)
		}
	}
	rr := mustRR(t, "o RRSIG A 13 3 300 20300101000000 20260101000000 1 @ AQAB")
	buf := make([]byte, 0, 200)
	if n := testing.AllocsPerRun(50, func() { rr.AppendDataText(buf, origin) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestDataTextOfOddData: data that does not fit is written in the generic form.
func TestDataTextOfOddData(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ  Type
		data string
	}{
		{TypeA, "010203"}, {TypeA, "0102030405"}, {TypeAAAA, "00"}, {TypeNS, "0161"}, {TypeNS, "016100ff"}, {TypeNS, "c000"},
		{TypeMX, "00"}, {TypeMX, "0001"}, {TypeSRV, "000100020003"}, {TypeTXT, "05616263"}, {TypeSOA, "0000"},
		{TypeDS, "0001"}, {TypeDNSKEY, "0101"}, {TypeRRSIG, "00010d02"}, {TypeNSEC, "00000100"}, {TypeNSEC, "000001" + "80"},
		{TypeNSEC, "00ff20" + strings.Repeat("00", 31) + "01"},
		{TypeNSEC3, "01"}, {TypeNSEC3, "0100000005"}, {TypeNSEC3, "010000000000"}, {TypeNSEC3, "01000000000501"}, {TypeNSEC3, "0100000000010100"},
		{TypeTLSA, "03"}, {TypeTLSA, "030101"}, {TypeSSHFP, "01"}, {TypeRRSIG, "0000" + "0d02" + strings.Repeat("00", 14) + "00" + "01"},
	} {
		raw, err := hex.DecodeString(tt.data)
		if err != nil {
			t.Fatal(err)
		}
		rr := RR{Name: Root, Type: tt.typ, Class: ClassIN, Data: raw}
		if got := rr.DataString(); !strings.HasPrefix(got, `\# `) {
			t.Errorf("%s %s is written as %s", tt.typ, tt.data, got)
		}
	}
}

// FuzzDataText: whatever data there is, what is written is read as the same
// data, with an origin and without.
func FuzzDataText(f *testing.F) {
	for _, tt := range everyType {
		rr, err := ParseRR("o "+tt.text, "\x07example\x00", 60)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(rr.Type), rr.Data)
	}
	f.Fuzz(func(t *testing.T, typ uint16, data []byte) {
		rr := RR{Name: Root, Type: Type(typ), Class: ClassIN, Data: data}
		if rr.Type.IsMeta() || len(data) > MaxMessageLen || rr.Validate() != nil {
			return
		}
		for _, origin := range []Name{"", "\x07example\x00", Root} {
			text := string(rr.AppendDataText(nil, origin))
			if strings.ContainsAny(text, "\n\r") {
				t.Fatalf("%s %x is written on two lines: %q", rr.Type, data, text)
			}
			back, err := ParseData(rr.Type, text, origin)
			if err != nil || !bytes.Equal(back, data) {
				t.Fatalf("%s %x is written as %s and read as %x, %v", rr.Type, data, text, back, err)
			}
		}
	})
}

// BenchmarkDataText writes an address, which is what there is most of.
func BenchmarkDataText(b *testing.B) {
	rr := AddressRR(Root, 300, netip.MustParseAddr("192.0.2.1"))
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		buf = rr.AppendDataText(buf[:0], Root)
	}
}
