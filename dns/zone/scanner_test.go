package zone

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// scanAll gives the entries of a text, a line each: the tokens with their
// places, "_" before an entry that begins with a blank, and the error that
// ended it.
func scanAll(r io.Reader, limit int) string { return scanned(newScanner(r, limit)) }

func scanned(s entries) string {
	var b strings.Builder
	for {
		e, err := s.next()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			return b.String() + "error " + err.Error()
		}
		if e.blank {
			b.WriteString("_ ")
		}
		for i, t := range e.tokens {
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%d:%d<%s>", t.line, t.column, t.text)
		}
		b.WriteByte('\n')
	}
}

func TestScanner(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                     "",
		"\n\n\n":               "",
		"   \n\t\n":            "",
		";":                    "",
		"; comment\n;":         "",
		"a":                    "1:1<a>\n",
		"a\n":                  "1:1<a>\n",
		"a b  c\td\n":          "1:1<a> 1:3<b> 1:6<c> 1:8<d>\n",
		" a\n":                 "_ 1:2<a>\n",
		"\ta\n":                "_ 1:2<a>\n",
		"\na\n\n b\n":          "2:1<a>\n_ 4:2<b>\n",
		"  \na\n":              "2:1<a>\n",
		"a;b\n":                "1:1<a>\n",
		"a ;b\nc":              "1:1<a>\n2:1<c>\n",
		"a\\;b\n":              "1:1<a\\;b>\n",
		"a\\ b\n":              "1:1<a\\ b>\n",
		"a\\(b\n":              "1:1<a\\(b>\n",
		"a\\\"b\n":             "1:1<a\\\"b>\n",
		"\\\\ a\n":             "1:1<\\\\> 1:4<a>\n",
		"a\r\nb\r\n":           "1:1<a>\n2:1<b>\n",
		"\r\na\n":              "2:1<a>\n",
		"\"a b\"\n":            "1:1<\"a b\">\n",
		"\"a;b\" c\n":          "1:1<\"a;b\"> 1:7<c>\n",
		"\"(\" \")\"\n":        "1:1<\"(\"> 1:5<\")\">\n",
		"\"a\\\"b\"\n":         "1:1<\"a\\\"b\">\n",
		"\"a\\\\\"b\n":         "1:1<\"a\\\\\"> 1:6<b>\n",
		"\"a\"\"b\"\n":         "1:1<\"a\"> 1:4<\"b\">\n",
		"a\"b\"\n":             "1:1<a\"b\">\n",
		"a=\"b c\"d e\n":       "1:1<a=\"b c\"d> 1:10<e>\n",
		"a=\"b\\\"c\" d\n":     "1:1<a=\"b\\\"c\"> 1:10<d>\n",
		"a=\"b\n":              "error 1:1: this string does not end on its line",
		"a\\\"b c\n":           "1:1<a\\\"b> 1:6<c>\n",
		"\"\"\n":               "1:1<\"\">\n",
		"(a)\n":                "1:2<a>\n",
		"a (b\nc) d\ne\n":      "1:1<a> 1:4<b> 2:1<c> 2:4<d>\n3:1<e>\n",
		"a ( b ; x )\n c )\n":  "1:1<a> 1:5<b> 2:2<c>\n",
		"a ((b)\nc)\n":         "1:1<a> 1:5<b> 2:1<c>\n",
		"a(b\n)c\n":            "1:1<a> 1:3<b> 2:2<c>\n",
		"(\n\n\n a\n)\n":       "4:2<a>\n",
		" (\na )\n":            "_ 2:1<a>\n",
		"a (\n; only this\n)b": "1:1<a> 3:2<b>\n",
		"\"a\n":                "error 1:1: this string does not end on its line",
		"a \"b":                "error 1:3: this string does not end on its line",
		"\"a\\\n\"":            "error 1:1: this string does not end on its line",
		"a \\":                 "error 1:3: nothing follows the backslash",
		"a \\\r\n":             "error 1:3: nothing follows the backslash",
		"\"a\\\r\"":            "error 1:3: nothing follows the backslash",
		"a\n b \\\nc":          "1:1<a>\nerror 2:4: nothing follows the backslash",
		"a (\nb":               "error 1:3: this parenthesis is never closed",
		"a (b (c)\n":           "error 1:3: this parenthesis is never closed",
		")":                    "error 1:1: nothing is open that this parenthesis closes",
		"a ( b ) )":            "error 1:9: nothing is open that this parenthesis closes",
		"\x00\xff\x01\n":       "1:1<\x00\xff\x01>\n",
	} {
		if got := scanAll(strings.NewReader(in), 1000); got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
		// How the reader cuts the text up does not matter.
		if got := scanAll(iotest.OneByteReader(strings.NewReader(in)), 1000); got != want {
			t.Errorf("%q, octet by octet: %q", in, got)
		}
	}
}

func TestScannerLimit(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"aaaaaaaaa\n":                   "1:1<aaaaaaaaa>\n", // ten octets with the line end
		"aaaaaaaaaa\n":                  "error 1:11: the entry is longer than 10 octets",
		"aaaa\nbbbb\ncccc\ndddd\n":      "1:1<aaaa>\n2:1<bbbb>\n3:1<cccc>\n4:1<dddd>\n",
		"a ; a long comment about it\n": "1:1<a>\n",
		"((((((((((\n":                  "error 1:11: the entry is longer than 10 octets",
		"a         \nb\n":               "error 1:11: the entry is longer than 10 octets",
		"\"aaaaaaaaaaaaa":               "error 1:11: the entry is longer than 10 octets",
		"\n\n\n\n\n\n\n\n\n\n\n\n\na":   "14:1<a>\n",
	} {
		if got := scanAll(strings.NewReader(in), 10); got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
	}
}

func TestSubstitute(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern string
		i       int64
		want    string // "" for an error
	}{
		{"a", 1, "a"},
		{"$", 0, "0"},
		{"a$b$", 12, "a12b12"},
		{"\\$", 1, "\\$"},
		{"$$", 1, "\\$"},
		{"\\\\$", 1, "\\\\1"},
		{"\\.$", 1, "\\.1"},
		{"a\\", 1, "a\\"},
		{"${0}", 5, "5"},
		{"${3}", 5, "8"},
		{"${-5}", 5, "0"},
		{"${0,3}", 5, "005"},
		{"${0,3,d}", 5, "005"},
		{"${0,2,x}", 10, "0a"},
		{"${0,2,X}", 10, "0A"},
		{"${0,3,o}", 8, "010"},
		{"${0,0,d}", 8, "8"},
		{"${0,1}", 1234, "1234"},
		{"${0}${1}", 1, "12"},
		{"${0,63}", 1, strings.Repeat("0", 62) + "1"},
		{"${0,0,n}", 0x12, "2.1"},
		{"${0,0,n}", 0, "0"},
		{"${0,1,n}", 0xf, "f"},
		{"${0,2,n}", 1, "1."},
		{"${0,7,n}", 0xab, "b.a.0.0"},
		{"${0,8,N}", 0xab, "B.A.0.0."},
		{"${-6}", 5, ""},
		{"${0,64}", 1, ""},
		{"${0,300}", 1, ""},
		{"${0,-1}", 1, ""},
		{"${0,1,b}", 1, ""},
		{"${0,1,x,y}", 1, ""},
		{"${}", 1, ""},
		{"${x}", 1, ""},
		{"${0", 1, ""},
		{"${99999999999}", 1, ""},
	} {
		got, err := substitute(tt.pattern, tt.i)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s with %d: %q, %v; want %q", tt.pattern, tt.i, got, err, tt.want)
		}
	}
}

func TestParseRange(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]numberRange{
		"0-0": {0, 0, 1}, "1-10": {1, 10, 1}, "1-10/3": {1, 10, 3}, "5-5/100": {5, 5, 100}, "007-08": {7, 8, 1},
		"0-2147483647/2147483647": {0, 2147483647, 2147483647},
	} {
		if got, err := parseRange(in); err != nil || got != want {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "-", "1", "1-", "-1", "2-1", "1-2/", "1-2/0", "1-2/-1", "a-b", "1-2147483648", "1-2-3", "1-2/3/4", "+1-2", "1 -2"} {
		if got, err := parseRange(in); err == nil {
			t.Errorf("%q: %+v", in, got)
		}
	}
}

func TestProblemText(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]Problem{
		"text":                             {Fatal: true, Text: "text"},
		"warning: text":                    {Text: "text"},
		"f: text":                          {Pos: Pos{File: "f"}, Fatal: true, Text: "text"},
		"f:3: text":                        {Pos: Pos{File: "f", Line: 3}, Fatal: true, Text: "text"},
		"f:3:5: text (in: a A 1)":          {Pos: Pos{"f", 3, 5}, Fatal: true, Text: "text", Record: "a A 1"},
		"f:3:5: warning: text (in: a A 1)": {Pos: Pos{"f", 3, 5}, Text: "text", Record: "a A 1"},
		":3:5: a file without a name":      {Pos: Pos{"", 3, 5}, Fatal: true, Text: "a file without a name"},
	} {
		if got := p.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	ps := Problems{{Text: "one"}, {Fatal: true, Text: "two"}, {Fatal: true, Text: "three"}}
	if got := ps.Error(); got != "warning: one\ntwo\nthree" {
		t.Errorf("%q", got)
	}
	if fatal, warnings := ps.split(); len(fatal) != 2 || len(warnings) != 1 {
		t.Errorf("%v, %v", fatal, warnings)
	}
	if long := shorten(strings.Repeat("x", 200), 120); len(long) != 120+len("…") {
		t.Errorf("%d octets", len(long))
	}
}

// A byte order mark at the beginning is no part of the first name; elsewhere it is what it is.
func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	const mark = "\xef\xbb\xbf"
	got, err := Read(strings.NewReader(mark+"a 1 A 192.0.2.1\n"+mark+"b 1 A 192.0.2.1\n"), ReadOptions{})
	if want := "a. 1 IN A 192.0.2.1\n\\239\\187\\191b. 1 IN A 192.0.2.1\n"; err != nil || lines(got) != want {
		t.Errorf("%v\n%s", err, lines(got))
	}
	for _, short := range []string{"", mark[:1], mark[:2], mark} {
		if _, err := Read(strings.NewReader(short), ReadOptions{}); (err == nil) != (short == "" || short == mark) {
			t.Errorf("%q: %v", short, err)
		}
	}
}
