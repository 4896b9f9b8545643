package dns

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// TestRefusal: what has the form of its type and is wrong all the same is
// refused in a master file, and taken in the generic form, in which it is
// printed.
func TestRefusal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ typ, text, data, want string }{
		{"DS", "1 8 2", "00010802", "bad DS data: the digest is missing"},
		{"CDS", "0 0 0", "00000000", "bad CDS data: the digest is missing"},
		{"CDS", "0 0 0 00", "0000000000", ""},
		{"DNSKEY", "256 3 13", "0100030d", "bad DNSKEY data: the key is missing"},
		{"CDNSKEY", "0 3 0", "00000300", "bad CDNSKEY data: the key is missing"},
		{"CDNSKEY", "0 3 0 AA==", "0000030000", ""},
		{"RRSIG", "A 8 2 1 2 3 4 .", "0001080200000001000000020000000300" + "0400", "bad RRSIG data: the signature is missing"},
		{"RRSIG", "A 8 2 1 2 3 4 . AA==", "0001080200000001000000020000000300" + "040000", ""},
		{"TLSA", "3 1 1", "030101", "bad TLSA data: the data of the certificate is missing"},
		{"SMIMEA", "3 1 1", "030101", "bad SMIMEA data: the data of the certificate is missing"},
		{"SSHFP", "1 1", "0101", "bad SSHFP data: the fingerprint is missing"},
		{"CAA", `0 is-sue "x"`, "000669732d73756578", "bad CAA data: a tag is made of letters and digits"},
		{"CAA", `0 issue "x"`, "0005697373756578", ""},
		{"SVCB", "1 . mandatory=port", "0001000000000200" + "03", "bad SVCB data: what mandatory names is not there"},
		{"HTTPS", "1 . mandatory=port port=53", "00010000000002000300030002" + "0035", ""},
		{"HTTPS", "1 . mandatory=alpn,port port=53", "000100000000040001000300030002" + "0035", "bad HTTPS data: what mandatory names is not there"},
		{"HTTPS", "1 .", "000100", ""},
	} {
		typ, err := ParseType(tt.typ)
		if err != nil {
			t.Fatal(err)
		}
		data, err := ParseData(typ, tt.text, Root)
		if got := fmt.Sprint(err); tt.want != "" && got != tt.want || tt.want == "" && (err != nil || hex.EncodeToString(data) != tt.data) {
			t.Errorf("%s %s: %x, %v", tt.typ, tt.text, data, err)
		}
		if _, err := ParseRR("a. 300 IN "+tt.typ+" "+tt.text, Root, 0); (err == nil) != (tt.want == "") {
			t.Errorf("%s %s as a record: %v", tt.typ, tt.text, err)
		}
		generic := fmt.Sprintf(`\# %d %s`, len(tt.data)/2, tt.data)
		data, err = ParseData(typ, generic, Root)
		if err != nil || hex.EncodeToString(data) != tt.data {
			t.Errorf("%s %s: %x, %v", tt.typ, generic, data, err)
		}
		text := RR{Name: Root, Type: typ, Class: ClassIN, Data: data}.DataString()
		if (text == generic) != (tt.want != "") {
			t.Errorf("%s %s prints as %s", tt.typ, tt.data, text)
		}
		if back, err := ParseData(typ, text, Root); err != nil || !bytes.Equal(back, data) {
			t.Errorf("%s %s reads back as %x, %v", tt.typ, text, back, err)
		}
	}
	for typ := range Type(300) { // must not crash
		for _, odd := range []string{"", "\x00", "\x00\x01\x00\x00\x00\x00\x09", "\x00\x09a", "\x00\x01\x00\x00\x00\x00\x03\x00\x01\x00"} {
			_ = refusal(typ, []byte(odd))
		}
	}
}

// TestEscapesAreChecked: miekg/dns takes a backslash and two digits, or \256, for
// something.
func TestEscapesAreChecked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ         Type
		text, token string
	}{
		{TypeTXT, `a "b\256" c`, `"b\256"`},
		{TypeTXT, `\2`, `\2`},
		{TypeTXT, `a\25`, `a\25`},
		{TypeTXT, `"\999 x"`, `"\999`}, // up to the blank
		{TypeNS, `a\300.`, `a\300.`},
		{TypeNS, `a\.b\1`, `a\.b\1`},
	} {
		_, err := ParseData(tt.typ, tt.text, Root)
		if want := (&DataError{Type: tt.typ, Token: tt.token, Reason: ErrEscape.Error()}).Error(); err == nil || err.Error() != want {
			t.Errorf("%s %s: %v, want %s", tt.typ, tt.text, err, want)
		}
	}
	for _, fine := range []string{`\255`, `\\2`, `\a`, `"\""`, `\\\065`} {
		if word := badEscape(fine); word != "" {
			t.Errorf("%s: %s", fine, word)
		}
	}
}

// TestOwnForms: of these types miekg/dns takes too little, or too much.
func TestOwnForms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"HINFO a":                   "bad HINFO data: want two strings, for the processor and the system",
		"HINFO a b c":               "bad HINFO data: want two strings, for the processor and the system",
		"ISDN a b c":                "bad ISDN data: want a string, and perhaps a second one",
		"AMTRELAY 1 2 3 a":          "bad AMTRELAY data: want precedence, 0 or 1, the type of the relay, and the relay",
		"AMTRELAY 10 1 2 192.0.2.1": "bad AMTRELAY data: want precedence, 0 or 1, the type of the relay, and the relay",
		"AMTRELAY 10 0 9 a":         "bad AMTRELAY data: want precedence, 0 or 1, the type of the relay, and the relay",
	} {
		typ, data, _ := strings.Cut(text, " ")
		parsed, err := ParseType(typ)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseData(parsed, data, Root); err == nil || err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := ParseRR(". 1 IN "+text, Root, 0); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s as a record: %v", text, err)
		}
	}
	for data, want := range map[string]string{
		"0a00": "10 0 0 .", "0a80": "10 1 0 .", "0a01c0000201": "10 0 1 192.0.2.1", "ff8303" + "62632e" + "00": `255 1 3 bc\..`,
		"0a02" + "20010db8000000000000000000000001": "10 0 2 2001:db8::1",
		"0a0001": `\# 3 0a0001`, "0a01c00002": `\# 5 0a01c00002`, "0a02c0000201": `\# 6 0a02c0000201`, "0a030162": `\# 4 0a030162`,
		"0a03016200" + "00": `\# 6 0a0301620000`, "0a7f01": `\# 3 0a7f01`, "0a": `\# 1 0a`,
	} {
		raw, err := hex.DecodeString(data)
		if err != nil {
			t.Fatal(err)
		}
		rr := RR{Name: Root, Type: TypeAMTRELAY, Class: ClassIN, Data: raw}
		if got := rr.DataString(); got != want {
			t.Errorf("%s prints as %s, want %s", data, got, want)
		}
		if back, err := ParseData(TypeAMTRELAY, rr.DataString(), Root); err != nil || !bytes.Equal(back, raw) {
			t.Errorf("%s reads back as %x, %v", rr.DataString(), back, err)
		}
	}
}

func TestSplitWords(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "a": "a", " a\tb  c ": "a|b|c", `"a b" c`: `"a b"|c`, `""`: `""`, `"a""b"`: `"a"|"b"`, `a"b c"d e`: `a"b c"d|e`,
		`a\ b`: `a\ b`, `"a\"b"`: `"a\"b"`, `a\;b`: `a\;b`, `a\(b\)`: `a\(b\)`, `";()"`: `";()"`, `\\`: `\\`, "\xff": "\xff",
		`"a"b`: `"a"|b`,
	} {
		words, ok := splitWords(in)
		if got := string(bytes.Join(words, []byte("|"))); !ok || got != want {
			t.Errorf("%q: %q, %v", in, got, ok)
		}
	}
	for _, in := range []string{"a;b", "(a)", "a )", "a\nb", "a\r", `"a`, `a"b`, `a\`, "a\\\nb", "\"a\nb\""} {
		if words, ok := splitWords(in); ok {
			t.Errorf("%q: %q", in, words)
		}
	}
}

// TestParseRRBothWays: a record in its plainest form, and with what sends it the
// other way, is the same.
func TestParseRRBothWays(t *testing.T) {
	t.Parallel()
	for plain, odd := range map[string]string{
		"a 5 IN A 192.0.2.1":        "a 5s IN A 192.0.2.1",
		"a IN 5 A 192.0.2.1":        "a IN ( 5 A 192.0.2.1 )",
		"a A 192.0.2.1":             "a A 192.0.2.1 ; c",
		"a 5 in mx 10 b":            `a 5 in mx 10 \b`,
		"@ 5 TXT \"x\" y":           "@ 5 TXT ( x y )",
		"*.a 0 IN NSEC b. A":        "*.a 0 CLASS1 NSEC b. A",
		"a 2147483647 IN A 1.2.3.4": "a 2147483647 CLASS1 A 1.2.3.4",
	} {
		words, ok := splitWords(plain)
		if !ok {
			t.Fatal(plain)
		}
		origin := Name("\x04test\x00")
		got, err := plainRR(words, origin, 300)
		want, err2 := oneRecord(odd, origin, 300)
		if err != nil || err2 != nil {
			t.Errorf("%s: %v, %v", plain, err, err2)
			continue
		}
		if rr, err := fromMiekg(want); err != nil || rr.String() != got.String() {
			t.Errorf("%s: %s, the other way %s, %v", plain, got, rr, err)
		}
	}
	for _, odd := range []string{"a", "a A", "a CH TXT x", `a"b A 1.2.3.4`, "a NOSUCH x", "a 2147483648 A 1.2.3.4", "a 5 5 A 1.2.3.4", "a OPT x y", "a IN 5"} {
		words, _ := splitWords(odd)
		if rr, err := plainRR(words, Root, 0); err == nil {
			t.Errorf("%s is plain: %s", odd, rr)
		}
	}
}
