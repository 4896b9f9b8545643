package dns

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// plainTypes are those that the fast lane reads.
var plainTypes = []Type{
	TypeA, TypeAAAA, TypeNS, TypeCNAME, TypePTR, TypeDNAME, TypeMX, TypeSRV, TypeTXT, TypeSPF, TypeSOA, TypeCAA,
	TypeTLSA, TypeSSHFP, TypeNAPTR, TypeHINFO, TypeISDN, TypeAMTRELAY, TypeDS, TypeCDS, TypeDNSKEY, TypeCDNSKEY, TypeRRSIG, TypeNSEC, TypeNSEC3, TypeNSEC3PARAM,
}

// plainData has for each type what the fast lane takes, and what it leaves to
// the full lane.
var plainData = []struct {
	typ        Type
	plain, odd string // several with | between them
}{
	{TypeA, "192.0.2.1|0.0.0.0|255.255.255.255", "192.0.2|192.0.2.1.5|192.0.2.256|192.0.2.01|192.0.2.1 x|192.0.2.|.1.2.3|1..2.3|a.1.2.3|::1|1.2.3.4444|\\# 4 01020304||1,2.3.4|192.0.2.0001"},
	{TypeAAAA, "2001:db8::1|::|::1|1::|1:2:3:4:5:6:7:8|1:2:3:4:5:6:7::|::2:3:4:5:6:7:8|1::3:4:5:6:7:8|ABCD:ef01::|fe80::1:0:0:1",
		"1|1:2|1::2::3|:::|1:2:3:4:5:6:7:8:9|1:2:3:4:5:6:7:8::|::1:2:3:4:5:6:7:8|12345::|::ffff:1.2.3.4|fe80::1%eth0|g::|1:2:3:4:5:6:7:|:1::|:1:2:3:4:5:6:7|1::2:|1.2.3.4|::1 x|"},
	{TypeNS, `a\;b|\;|a\.b|\065\000\255.|\@|\"a\"|` + "a|a.|a.b.|@|.|*.a|a-b_c/d|mail.example.net.|" + strings.Repeat("a", 63),
		"a..b|.a|..|a\\256|a\\|a\\1|\"a\"|$a|a@b|\"|$|" + strings.Repeat("a", 64) + "|a b|a\x7f|\x80||" + strings.Repeat("a.", 130)},
	{TypeCNAME, "a", "a b"},
	{TypePTR, "a", "a b"},
	{TypeDNAME, "a", "a b"},
	{TypeMX, "10 a|0 .|65535 @|00010 a.", "65536 a|10|a 10|-1 a|10 a b|+1 a|000000000010 a|1e1 a|10 a..|"},
	{TypeSRV, "0 1 993 mx|65535 65535 65535 .", "1 2 3|1 2 a|1 2 3 a b|1 2 65536 a"},
	{TypeTXT, `a|"a"|"a b" c|""|a\;b|"\"x\""|\065|"\255\000"|"a;(b)"|` + strings.Repeat("x", 255) + `|"` + strings.Repeat("y", 253) + `"|\\#`,
		`|\# 1 00|\256|a"b"|"a`},
	{TypeSPF, `"v=spf1 -all"`, ""},
	{TypeSOA, "ns1 host 1 2 3 4 5|. . 0 0 0 0 0|a b 4294967295 1 1 1 4294967295", "a b 1 2 3 4|a b 1 1h 3 4 5|a b 4294967296 1 2 3 4|a b 1 2 3 4 5 6|a b"},
	{TypeCAA, `0 issue "ca.test"|128 tbs x|0 issue ";"|0 iodef "mailto:a@b\032c"|0 issue ""`, `256 issue x|0 is-sue x|0 issue|0 issue a b|0 aaaaaaaaaaaaaaaa "x"`},
	{TypeTLSA, "3 1 1 d2abde240d7cd3ee|3 1 1 D2 A B00|3 1 1 0 0", "3 1 1|3 1 1 abc|3 1 1 xy|3 1 ab|256 1 1 ab"},
	{TypeSSHFP, "1 1 dd465c09cfa51fb45020cc83316fff", "1 1|1 dd|1 1 d"},
	{TypeNAPTR, `100 50 "s" "http" "" b|1 2 u E2U+sip "!^.*$!sip:a@b!" .`, "1 2 a b c|1 2 a b c d e|65536 2 a b c d"},
	{TypeHINFO, `a b|"a b" ""`, "a|a b c|"},
	{TypeISDN, `150862028003217|150862028003217 004`, "|a b c"},
	{TypeAMTRELAY, "10 0 0 .|10 1 0 .|10 0 1 192.0.2.1|10 1 2 2001:db8::1|128 1 3 b|0 0 2 ::ffff:192.0.2.1",
		"10 0 0|10 2 0 .|10 0 0 a|10 0 1 ::1|10 0 1 192.0.2|10 0 2 192.0.2.1|10 0 2 fe80::1%a|10 0 4 a|10 0 3 a..b|10 1 132 a|10 0 1"},
	{TypeDS, "60485 5 1 2BB183AF5F22588179A53B0A 98631FAD1A292118|1 RSASHA256 9 00", "1 RSASHA 2 00|1 8 2|65536 8 2 00|1 8 2 0"},
	{TypeCDS, "0 0 0 00", "0 0 0"},
	{TypeDNSKEY, "256 3 5 AQPSKmynfzW4kyBv015MUG2DeIQ3|257 3 13 AQ==|257 3 ED25519 AQ==|257 3 13 A Q = =|257 3 13 AQP SKm ynf zW4", "256 3 RSASHA AQ==|256 3 13|256 3 13 AQ|256 3 13 A!==|256 3 13 AQ==AQ=="},
	{TypeCDNSKEY, "0 3 0 AA==", "0 3 0"},
	{TypeRRSIG, "A 13 3 300 20300101000000 20200101000000 12345 example. aaaa|aaaa 13 3 300 1893456000 1 0 @ a aa a|SOA 8 2 4294967295 21051231235959 19700101000000 1 . AA==|A 1 1 1 4294967295 0 1 a AA==|TYPE65280 RSASHA256 1 1 1 1 1 a AA==|A 8 1 1 20240229000000 20000229000000 1 a AA==",
		"A RSASHA 2 1 1 1 1 a AA==|TYPE65536 8 2 1 1 1 1 a AA==|TYPE 8 2 1 1 1 1 a AA==|TYPE255 8 2 1 1 1 1 a AA==|A 8 2 1 20300230000000 1 1 a AA==|A 8 2 1 21060101000000 1 1 a AA==|A 8 2 1 1 1 1 a|A 8 2 1 21000229000000 1 1 a AA==|A 8 2 1 20231301000000 1 1 a AA==|A 8 2 1 20231201240000 1 1 a AA==|A 8 2 1 20231201006000 1 1 a AA==|A 8 2 1 20231201000060 1 1 a AA==|A 8 2 1 20231200000000 1 1 a AA==|A 8 2 1 20231131000000 1 1 a AA==|A 8 2 1 4294967296 1 1 a AA==|ANY 8 2 1 1 1 1 a AA==|A 8 2 1 19691231235959 1 1 a AA=="},
	{TypeNSEC, "a. A|a A NS SOA MX TXT AAAA RRSIG NSEC DNSKEY CAA TYPE1234|@ caa|a A A|a MX A", "a|a TYPE65536|a TYPE0|a NOSUCH|a ANY|a. A \"b\""},
	{TypeNSEC3, "1 0 0 - 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A RRSIG|1 1 12 aabbccdd 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR MX|1 0 0 - 04 A|1 0 0 - 04106 A|1 0 0 " + strings.Repeat("ab", 255) + " 04 A",
		"1 0 0 - 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom|1 0 0 - 0 A|1 0 0 - 0w A|1 0 0 abc 04 A|1 0 0 - 041 A|1 0 0|1 0 0 - 05 A|1 0 0 " + strings.Repeat("ab", 256) + " 04 A|1 0 0 - 04106g A|1 0 0 x 04 A"},
	{TypeNSEC3PARAM, "1 0 0 -|1 0 10 AABB", "1 0 0|1 0 0 abc|1 0 0 - x"},
}

// knowsBetter says whether the fast lane is right and miekg/dns is not: with
// type bitmaps out of order, mnemonics of algorithms, strings without quotes, a
// second string that was left out, the bit for discovery, and an escaped
// semicolon in a name.
func knowsBetter(t Type, text string, data, theirs []byte, err error) bool {
	said := fmt.Sprint(err)
	if err != nil && strings.Contains(text, `\`) && strings.ContainsAny(rdataLayout(t, ClassIN), "ndu") {
		return true
	}
	switch t {
	case TypeNSEC, TypeNSEC3:
		return strings.Contains(said, "nsec bits out of order")
	case TypeDNSKEY, TypeCDNSKEY, TypeDS, TypeCDS:
		return strings.Contains(said, "field Algorithm")
	case TypeNAPTR:
		return strings.Contains(said, "bad NAPTR data: field ")
	case TypeISDN:
		return err == nil && bytes.Equal(append(bytes.Clone(data), 0), theirs)
	case TypeAMTRELAY:
		return data[1] >= 0x80 || data[1] == 2 && err != nil && bytes.HasPrefix(data[2:], make([]byte, 10))
	}
	return false
}

// TestPlainData: the fast lane takes what it should, with the full lane's data,
// and nothing else.
func TestPlainData(t *testing.T) {
	t.Parallel()
	origin := mustName(t, "example.test.")
	seen := map[Type]bool{}
	for _, tt := range plainData {
		seen[tt.typ] = true
		for text := range strings.SplitSeq(tt.plain, "|") {
			words, ok := splitWords(text)
			if !ok {
				t.Fatalf("%q is no line", text)
			}
			data, ok := appendPlain([]byte("before"), tt.typ, words, origin)
			if !ok {
				t.Errorf("%s %s: not taken for plain", tt.typ, text)
				continue
			}
			want, err := miekgData(tt.typ, text, origin)
			if knowsBetter(tt.typ, text, data[len("before"):], want, err) {
				continue
			}
			if got, ok := bytes.CutPrefix(data, []byte("before")); err != nil || !ok || !bytes.Equal(got, want) {
				t.Errorf("%s %s: %x, the full lane %x, %v", tt.typ, text, got, want, err)
			}
		}
		for text := range strings.SplitSeq(tt.odd, "|") {
			words, ok := splitWords(text)
			if !ok {
				words = [][]byte{[]byte(text)} // as nothing cuts them
			}
			if data, ok := appendPlain([]byte("before"), tt.typ, words, origin); ok || string(data) != "before" {
				t.Errorf("%s %q is plain: %x", tt.typ, text, data)
			}
		}
	}
	for _, typ := range plainTypes {
		if !seen[typ] {
			t.Errorf("%s is not tried", typ)
		}
	}
	if _, ok := appendPlain(nil, TypeNS, [][]byte{[]byte("a")}, ""); ok {
		t.Error("a relative name without an origin is plain")
	}
	if _, ok := appendPlain(nil, 19, [][]byte{[]byte("1")}, origin); ok {
		t.Error("X25 is plain")
	}
}

// TestPlainLimits: what is too long is not plain.
func TestPlainLimits(t *testing.T) {
	t.Parallel()
	word := []byte(strings.Repeat("x", 255))
	texts := func(n int) (words [][]byte) {
		for range n {
			words = append(words, word)
		}
		return words
	}
	if data, ok := appendPlain(nil, TypeTXT, append(texts(255), word[:254]), Root); !ok || len(data) != MaxMessageLen {
		t.Errorf("a record of 65535 octets: %d, %v", len(data), ok)
	}
	if data, ok := appendPlain(nil, TypeTXT, texts(256), Root); ok {
		t.Errorf("a record of 65536 octets is plain: %d", len(data))
	}
	for n, want := range map[int]bool{maxPlainTypes: true, maxPlainTypes + 1: false} {
		words := [][]byte{[]byte("a.")}
		for range n {
			words = append(words, []byte("MX"))
		}
		if _, ok := appendPlain(nil, TypeNSEC, words, Root); ok != want {
			t.Errorf("%d types: %v", n, ok)
		}
	}
}

// TestPlainTimes holds the calendar to the one of package time.
func TestPlainTimes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4034, 3))
	for range 20_000 {
		at := time.Unix(int64(r.Uint32()), 0).UTC()
		if got, ok := plainTime([]byte(at.Format("20060102150405"))); at.Year() < 2106 && (!ok || int64(got) != at.Unix()) {
			t.Fatalf("%s: %d, %v; want %d", at, got, ok, at.Unix())
		}
	}
}

func TestAppendData(t *testing.T) {
	origin := mustName(t, "example.test.")
	for _, tt := range []struct {
		typ        Type
		text, want string
	}{
		{TypeMX, "10 mail", "000a046d61696c076578616d706c65047465737400"},
		{TypeRP, "a. b.", "01610001620" + "0"}, // by the full lane
		{TypeNSEC, `\000 A`, "0100" + "076578616d706c65" + "047465737400" + "000140"},
		{TypeNSEC, "a. MX A", "016100" + "00024001"}, // in any order
		{65280, `\# 3 ab cdef`, "abcdef"},
	} {
		words, ok := splitWords(tt.text)
		if !ok {
			t.Fatal(tt.text)
		}
		got, err := AppendData([]byte("-"), tt.typ, words, origin)
		if err != nil || hex.EncodeToString(got) != "2d"+tt.want {
			t.Errorf("%s %s: %x, %v", tt.typ, tt.text, got, err)
		}
	}
	got, err := AppendData([]byte("-"), TypeA, [][]byte{[]byte("192.0.2")}, origin)
	var de *DataError
	if !errors.As(err, &de) || de.Token != "192.0.2" || string(got) != "-" {
		t.Errorf("%q, %v", got, err)
	}
	words := [][]byte{[]byte("10"), []byte("mail.example.net.")}
	buf := make([]byte, 0, 100)
	if n := testing.AllocsPerRun(100, func() { _, _ = AppendData(buf, TypeMX, words, origin) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// Mended: what miekg/dns alone would read otherwise, or lose.
func TestDataThatMiekgReadsWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ        Type
		text, want string // the data, or the error
	}{
		{TypeNSEC3, "1 0 0 - 04106 A TYPE65280", "010000000003" + "010203" + "000140" + "ff0180"},
		{TypeNSEC3, `1 0 0 - "04" A`, "bad NSEC3 data: "},
		{TypeNSEC3, "1 0 0 " + strings.Repeat("ab", 256) + " 04 A", "bad NSEC3 data: NSEC3 salt or hash of more than 255 octets"},
		{TypeNSEC3, "1 0 0 - " + strings.Repeat("0", 410) + " A", "bad NSEC3 data: NSEC3 salt or hash of more than 255 octets"},
		{TypeA, `\# 5 0102030405`, "bad A data: record data does not fit its length"},
		{TypeA, `\# 0`, "bad A data: record data does not fit its length"},
		{260, `\# 3 0a0001`, "0a0001"},
		{TypeMX, `\# 5 000a01 6100`, "000a016100"},
		{TypeMX, `\# 4 000a 6100`, "bad MX data: "},
		{TypeMX, `\# 5 000a6100`, "bad MX data: "},
	} {
		data, err := ParseData(tt.typ, tt.text, Root)
		if got := hex.EncodeToString(data); err == nil && got != tt.want || err != nil && !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s %s: %s, %v; want %s", tt.typ, tt.text, got, err, tt.want)
		}
	}
	for _, rr := range []RR{
		{Type: TypeNSEC3, Data: []byte{1, 0, 0, 0, 0, 3, 1, 2, 3, 0, 1, 0x40}},
		{Type: TypeNSEC3, Data: []byte{1, 0, 0, 0, 0, 0}},
		{Type: TypeNSEC3, Data: []byte{1, 0, 0, 0, 0, 0, 0, 1, 0x40}},
		{Type: TypeDS, Data: []byte{0, 1, 8, 2}},
		{Type: 260, Data: []byte{10, 0}},
		{Type: 260, Data: []byte{10, 0, 1}},
		{Type: 260, Data: []byte{10, 0x80}},
		{Type: TypeDNSKEY, Data: []byte{1, 0, 3, 8}},
	} {
		rr.Name, rr.Class = Root, ClassIN
		text := rr.DataString()
		if data, err := ParseData(rr.Type, strings.TrimSpace(text), Root); err != nil || !bytes.Equal(data, rr.Data) {
			t.Errorf("%s %x prints as %q, which is %x, %v", rr.Type, rr.Data, text, data, err)
		}
	}
}

// FuzzAppendData: what the fast lane takes, the full lane takes for the same.
func FuzzAppendData(f *testing.F) {
	for i, tt := range plainData {
		for text := range strings.SplitSeq(tt.plain+"|"+tt.odd, "|") {
			f.Add(uint8(i), text)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		typ := plainData[int(which)%len(plainData)].typ
		words, ok := splitWords(text)
		if !ok {
			return
		}
		got, ok := appendPlain(nil, typ, words, "\x07Example\x00")
		if !ok {
			return
		}
		want, err := miekgData(typ, string(bytes.Join(words, []byte{' '})), "\x07Example\x00")
		if knowsBetter(typ, text, got, want, err) {
			return
		}
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s %q: %x, the full lane: %x, %v", typ, text, got, want, err)
		}
		rr := RR{Name: Root, Type: typ, Class: ClassIN, Data: got}
		if err := rr.Validate(); err != nil {
			t.Fatal(fmt.Errorf("%q: %w", text, err))
		}
	})
}
