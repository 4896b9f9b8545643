package dns

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

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
		var e *DataError
		return errors.As(err, &e) && strings.Trim(e.Token, "0123456789") != ""
	case TypeNAPTR:
		return strings.Contains(said, "bad NAPTR data: want ")
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
		for _, text := range tt.plain {
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
		for _, text := range tt.odd {
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
		for _, text := range slices.Concat(tt.plain, tt.odd) {
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
		if ownForm(typ) == "" && (err != nil || !bytes.Equal(got, want)) { // or else miekg/dns is never asked
			t.Fatalf("%s %q: %x, the full lane: %x, %v", typ, text, got, want, err)
		}
		rr := RR{Name: Root, Type: typ, Class: ClassIN, Data: got}
		if err := rr.Validate(); err != nil {
			t.Fatal(fmt.Errorf("%q: %w", text, err))
		}
	})
}
