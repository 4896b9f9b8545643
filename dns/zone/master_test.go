package zone

import (
	"errors"
	"io"
	"io/fs"
	"iter"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"

	mdns "github.com/miekg/dns"

	"github.com/network-utopia/utopia/dns"
)

var origin = dns.MustParseName("example.test.")

func read(t testing.TB, text string) []Record {
	t.Helper()
	records, err := Read(strings.NewReader(text), ReadOptions{Origin: origin, File: "zone.db"})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// lines prints records with single spaces.
func lines(records []Record) string {
	var b strings.Builder
	for _, r := range records {
		b.WriteString(strings.ReplaceAll(r.String(), "\t", " ") + "\n")
	}
	return b.String()
}

func TestReadSyntax(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ in, want string }{
		"empty":                    {"", ""},
		"comments and blank lines": {"; only\n\n   ; this\n\t\n", ""},
		"no line end at the end":   {"a 1 A 192.0.2.1", "a.example.test. 1 IN A 192.0.2.1\n"},
		"CRLF":                     {"a 1 A 192.0.2.1\r\nb 1 A 192.0.2.2\r\n", "a.example.test. 1 IN A 192.0.2.1\nb.example.test. 1 IN A 192.0.2.2\n"},
		"owner left out": {
			"a 1 A 192.0.2.1\n  1 A 192.0.2.2\n\t1 TXT x ; c\n",
			"a.example.test. 1 IN A 192.0.2.1\na.example.test. 1 IN A 192.0.2.2\na.example.test. 1 IN TXT \"x\"\n",
		},
		"TTL and class in either order": {
			"a 1 IN A 192.0.2.1\na IN 1 A 192.0.2.2\na in a 192.0.2.3\n",
			"a.example.test. 1 IN A 192.0.2.1\na.example.test. 1 IN A 192.0.2.2\na.example.test. 1 IN A 192.0.2.3\n",
		},
		"$TTL for those without": {
			"$TTL 1h30m\na A 192.0.2.1\nb 5 A 192.0.2.1\nc A 192.0.2.1\n$TTL 7\nd A 192.0.2.1\n",
			"a.example.test. 5400 IN A 192.0.2.1\nb.example.test. 5 IN A 192.0.2.1\n" +
				"c.example.test. 5400 IN A 192.0.2.1\nd.example.test. 7 IN A 192.0.2.1\n",
		},
		"without $TTL the last stated, before that the default": {
			"a A 192.0.2.1\nb 5 A 192.0.2.1\nc A 192.0.2.1\n",
			"a.example.test. 3600 IN A 192.0.2.1\nb.example.test. 5 IN A 192.0.2.1\nc.example.test. 5 IN A 192.0.2.1\n",
		},
		"$ORIGIN": {
			"$ORIGIN sub\na 1 NS @\n$ORIGIN other.\n@ 1 NS b\n",
			"a.sub.example.test. 1 IN NS sub.example.test.\nother. 1 IN NS b.other.\n",
		},
		"parentheses over lines": {
			"@ 1 SOA ns1 ( host ; who\n 1 2\n3 4 5 ) ; end\na 1 A 192.0.2.1\n",
			"example.test. 1 IN SOA ns1.example.test. host.example.test. 1 2 3 4 5\na.example.test. 1 IN A 192.0.2.1\n",
		},
		"a line that begins inside parentheses has no owner": {
			"a 1 TXT (\nb\nc )\n", "a.example.test. 1 IN TXT \"b\" \"c\"\n",
		},
		"strings": {
			`a 1 TXT "a; (b)" c\;d "e\"f" "" "\065"` + "\n",
			`a.example.test. 1 IN TXT "a; (b)" "c;d" "e\"f" "" "A"` + "\n",
		},
		"escapes in names": {
			`a\.b 1 CNAME c\032d\.e` + "\n", `a\.b.example.test. 1 IN CNAME c\032d\.e.example.test.` + "\n",
		},
		"an escaped semicolon is no comment": {`a\;b 1 A 192.0.2.1` + "\n", `a\;b.example.test. 1 IN A 192.0.2.1` + "\n"},
		"an owner in quotes":                 {"\"a\" 1 A 192.0.2.1\n\"a b.\" 1 A 192.0.2.1\n", "a.example.test. 1 IN A 192.0.2.1\na\\032b. 1 IN A 192.0.2.1\n"},
		"unknown type":                       {`a 1 TYPE65280 \# 2 AB cd` + "\n", `a.example.test. 1 IN TYPE65280 \# 2 abcd` + "\n"},
		"known type in the generic form":     {`a 1 A \# 4 C0000201` + "\n", "a.example.test. 1 IN A 192.0.2.1\n"},
		"an owner that looks like a type":    {"mx 1 MX 1 mx\n", "mx.example.test. 1 IN MX 1 mx.example.test.\n"},
		"an owner that is a number":          {"10 1 PTR a.\n", "10.example.test. 1 IN PTR a.\n"},
		"eight-bit names":                    {"\xe9 1 A 192.0.2.1\n", `\233.example.test. 1 IN A 192.0.2.1` + "\n"},
		"$GENERATE": {
			"$TTL 9\n$GENERATE 1-3 h$ A 192.0.2.$\n",
			"h1.example.test. 9 IN A 192.0.2.1\nh2.example.test. 9 IN A 192.0.2.2\nh3.example.test. 9 IN A 192.0.2.3\n",
		},
		"$GENERATE with step and modifiers": {
			"$GENERATE 0-20/10 h${5,4,x} 7 IN CNAME \\$$\n",
			`h0005.example.test. 7 IN CNAME \$0.example.test.` + "\n" +
				`h000f.example.test. 7 IN CNAME \$10.example.test.` + "\n" + `h0019.example.test. 7 IN CNAME \$20.example.test.` + "\n",
		},
		"$GENERATE leaves the owner alone": {
			"a 1 A 192.0.2.1\n$GENERATE 1-1 h$ 1 A 192.0.2.$\n 1 A 192.0.2.2\n",
			"a.example.test. 1 IN A 192.0.2.1\nh1.example.test. 1 IN A 192.0.2.1\na.example.test. 1 IN A 192.0.2.2\n",
		},
	} {
		if got := lines(read(t, tt.in)); got != tt.want {
			t.Errorf("%s\n got %q\nwant %q", name, got, tt.want)
		}
	}
}

// Each bad file, and where and why it is bad.
func TestReadProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"a 1 A 192.0.2", `zone.db:1:7: bad A data: not understood: "192.0.2" (in: a 1 A 192.0.2)`},
		{"\n\n  ok\n", "zone.db:3:3: the first record has no owner (in: ok)"},
		{"a 1 IN\n", "zone.db:1:5: the type is missing (in: a 1 IN)"},
		{"a\n", "zone.db:1:1: the type is missing (in: a)"},
		{"a 1 IN A\n", "zone.db:1:8: bad A data: there is none (in: a 1 IN A)"},
		{"a 1 CH TXT x\n", "zone.db:1:5: class CH: only IN is served (in: a 1 CH TXT x)"},
		{"a 1 NOSUCH x\n", `zone.db:1:5: "NOSUCH" is no record type, TTL or class (in: a 1 NOSUCH x)`},
		{"a 1 ANY x\n", `zone.db:1:5: class ANY: only IN is served (in: a 1 ANY x)`},
		{"a 1 AXFR x\n", `zone.db:1:5: bad AXFR data: the type stands in messages alone (in: a 1 AXFR x)`},
		{"a..b 1 A 192.0.2.1\n", `zone.db:1:1: owner: name "a..b": empty label (in: a..b 1 A 192.0.2.1)`},
		{"a 1 MX (\n 70000\n m )\n", `zone.db:2:2: bad MX data: want preference exchange, not understood: "70000" (in: a 1 MX 70000 m)`},
		{"a 1 TXT \"x\n", "zone.db:1:9: this string does not end on its line"},
		{"a 1 TXT ( x\n\n", "zone.db:1:9: this parenthesis is never closed"},
		{"a 1 TXT x )\n", "zone.db:1:11: nothing is open that this parenthesis closes"},
		{"a 1 TXT x\\\n", "zone.db:1:10: nothing follows the backslash"},
		{"$TTL\n", "zone.db:1:1: $TTL wants one time in seconds, or as in 1h30m (in: $TTL)"},
		{"$TTL 1x\n", `zone.db:1:6: "1x" is no time in seconds, nor as in 1h30m (in: $TTL 1x)`},
		{"$TTL 2147483648\n", `zone.db:1:6: "2147483648" is more than 2147483647 seconds (in: $TTL 2147483648)`},
		{"$TTL x\n", `zone.db:1:6: "x" is no time (in: $TTL x)`},
		{"$ORIGIN\n", "zone.db:1:1: $ORIGIN wants one name (in: $ORIGIN)"},
		{"$ORIGIN a..b\n", `zone.db:1:9: name "a..b": empty label (in: $ORIGIN a..b)`},
		{"$NOPE x\n", "zone.db:1:1: unknown directive $NOPE: there are $ORIGIN, $TTL, $INCLUDE and $GENERATE (in: $NOPE x)"},
		{"$INCLUDE other\n", "zone.db:1:1: $INCLUDE is not allowed here (in: $INCLUDE other)"},
		{"$INCLUDE\n", "zone.db:1:1: $INCLUDE wants a file name, and perhaps an origin (in: $INCLUDE)"},
		{"$GENERATE 1-2 a A\n", "zone.db:1:1: $GENERATE wants start-stop[/step], owner, type and data (in: $GENERATE 1-2 a A)"},
		{"$GENERATE 2-1 a A x\n", `zone.db:1:11: "2-1" is no range: want start-stop or start-stop/step (in: $GENERATE 2-1 a A x)`},
		{"$GENERATE 1-2/0 a A x\n", `zone.db:1:11: "1-2/0" is no range: want start-stop or start-stop/step (in: $GENERATE 1-2/0 a A x)`},
		{"$GENERATE 1 a A x\n", `zone.db:1:11: "1" is no range: want start-stop or start-stop/step (in: $GENERATE 1 a A x)`},
		{"$GENERATE 0-65536 a$ A 192.0.2.1\n", "zone.db:1:11: makes 65537 records; 65536 is the most (in: $GENERATE 0-65536 a$ A 192.0.2.1)"},
		{"$GENERATE 1-9 a${1 A 192.0.2.1\n", "zone.db:1:15: ${ without its } (in: $GENERATE 1-9 a${1 A 192.0.2.1)"},
		{"$GENERATE 1-9 a${1,999} A 192.0.2.1\n", "zone.db:1:15: ${1,999}: want ${offset,width,base} with base d, o, x, X, n or N, and a result of 0 or more (in: $GENERATE 1-9 a${1,999} A 192.0.2.1)"},
		{"$GENERATE 1-9 a${1,1,q} A 192.0.2.1\n", "zone.db:1:15: ${1,1,q}: want ${offset,width,base} with base d, o, x, X, n or N, and a result of 0 or more (in: $GENERATE 1-9 a${1,1,q} A 192.0.2.1)"},
		{"$GENERATE 1-9 a${-2} A 192.0.2.1\n", "zone.db:1:15: ${-2}: want ${offset,width,base} with base d, o, x, X, n or N, and a result of 0 or more (in: $GENERATE 1-9 a${-2} A 192.0.2.1)"},
		// What an expansion makes is data, never a directive.
		{"$GENERATE 1-1 \\$INCLUDE /etc/passwd a b\n", `zone.db:1:25: "/etc/passwd" is no record type, TTL or class (in: \$INCLUDE /etc/passwd a b)`},
	} {
		_, err := Read(strings.NewReader(tt.in), ReadOptions{Origin: origin, File: "zone.db"})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q\n got %v\nwant %s", tt.in, err, tt.want)
		}
	}
}

func TestReadInclude(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"sub/hosts.db": {Data: []byte("a 1 A 192.0.2.1\n$ORIGIN deep\nb 1 A 192.0.2.2\n$INCLUDE more.db\n")},
		"sub/more.db":  {Data: []byte("\t1 TXT owner\nc 1 A 192.0.2.3\n")},
		"bad.db":       {Data: []byte("x 1 A nothing\n")},
		"pipe":         {Mode: fs.ModeNamedPipe},
	}
	opts := ReadOptions{Origin: origin, File: "zone.db", Include: files}
	in := "$INCLUDE sub/hosts.db other\nz 1 A 192.0.2.4\n$INCLUDE \"sub/more.db\" d.\n"
	got, err := Read(strings.NewReader(in), opts)
	want := "a.other.example.test. 1 IN A 192.0.2.1\nb.deep.other.example.test. 1 IN A 192.0.2.2\n" +
		"b.deep.other.example.test. 1 IN TXT \"owner\"\nc.deep.other.example.test. 1 IN A 192.0.2.3\n" +
		"z.example.test. 1 IN A 192.0.2.4\nz.example.test. 1 IN TXT \"owner\"\nc.d. 1 IN A 192.0.2.3\n"
	if err != nil || lines(got) != want {
		t.Errorf("got %v\n%s", err, lines(got))
	}
	if at := got[2].Pos.String(); at != "sub/more.db:1:2" {
		t.Errorf("position %s", at)
	}
	for in, want := range map[string]string{
		"$INCLUDE bad.db\n":       `bad.db:1:7: bad A data: not understood: "nothing" (in: x 1 A nothing)`,
		"$INCLUDE none.db\n":      "zone.db:1:10: cannot open the file: open none.db: file does not exist (in: $INCLUDE none.db)",
		"$INCLUDE ../secret\n":    "zone.db:1:10: cannot open the file: open ../secret: file does not exist (in: $INCLUDE ../secret)",
		"$INCLUDE /etc/passwd\n":  "zone.db:1:10: cannot open the file: open /etc/passwd: file does not exist (in: $INCLUDE /etc/passwd)",
		"$INCLUDE sub\n":          "zone.db:1:10: cannot open the file: sub is a folder or device (in: $INCLUDE sub)",
		"$INCLUDE pipe\n":         "zone.db:1:10: cannot open the file: pipe is a folder or device (in: $INCLUDE pipe)",
		"$INCLUDE bad.db a..b\n":  `zone.db:1:17: name "a..b": empty label (in: $INCLUDE bad.db a..b)`,
		"$INCLUDE bad.db a b c\n": "zone.db:1:1: $INCLUDE wants a file name, and perhaps an origin (in: $INCLUDE bad.db a b c)",
	} {
		if _, err := Read(strings.NewReader(in), opts); err == nil || err.Error() != want {
			t.Errorf("%q\n got %v\nwant %s", in, err, want)
		}
	}
}

func TestReadLimits(t *testing.T) {
	t.Parallel()
	record := func(n int) string { return strings.Repeat("a 1 A 192.0.2.1\n", n) }
	self := fstest.MapFS{"self.db": {Data: []byte("$INCLUDE self.db\n")}, "a.db": {Data: []byte(record(1))},
		"b.db": {Data: []byte("$INCLUDE a.db\n")}, "c.db": {Data: []byte("$INCLUDE b.db\n")}}
	for _, tt := range []struct {
		name     string
		opts     ReadOptions
		fine, no string
		want     string
	}{
		{"records", ReadOptions{MaxRecords: 3}, record(3), record(4), "zone.db:4:5: more than 3 records"},
		{"entry", ReadOptions{MaxEntry: 16}, "a 1 A 192.0.2.1\n", "ab 1 A 192.0.2.1\n", "the entry is longer than 16 octets"},
		{"entry in parentheses", ReadOptions{MaxEntry: 20}, "a 1 TXT (\n b\n)\n", "a 1 TXT (" + strings.Repeat("\n", 20) + ")\n", "the entry is longer than 20 octets"},
		{"comments do not count", ReadOptions{MaxEntry: 20}, "a 1 TXT b ;" + strings.Repeat("x", 1000) + "\n", "a 1 TXT " + strings.Repeat("b", 20), "longer"},
		{"generate", ReadOptions{MaxGenerate: 3}, "$GENERATE 1-3 a$ 1 A 192.0.2.$\n", "$GENERATE 1-4 a$ 1 A 192.0.2.$\n", "makes 4 records; 3 is the most"},
		{"generate against records", ReadOptions{MaxRecords: 3}, "$GENERATE 1-3 a$ 1 A 192.0.2.$\n", "$GENERATE 1-4 a$ 1 A 192.0.2.$\n", "more than 3 records"},
		{"includes", ReadOptions{MaxIncludes: 3, Include: self}, strings.Repeat("$INCLUDE a.db\n", 3), strings.Repeat("$INCLUDE a.db\n", 4), "more than 3 files are included"},
		{"depth of three", ReadOptions{MaxDepth: 3, Include: self}, "$INCLUDE b.db\n", "$INCLUDE c.db\n", "b.db:1:1: more than 3 files include one another"},
		{"depth", ReadOptions{MaxDepth: 2, Include: self}, "$INCLUDE a.db\n", "$INCLUDE self.db\n", "self.db:1:1: more than 2 files include one another"},
	} {
		tt.opts.Origin, tt.opts.File = origin, "zone.db"
		if _, err := Read(strings.NewReader(tt.fine), tt.opts); err != nil {
			t.Errorf("%s: at the limit: %v", tt.name, err)
		}
		_, err := Read(strings.NewReader(tt.no), tt.opts)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: past the limit: %v", tt.name, err)
		}
	}
	_, err := Read(strings.NewReader(strings.Repeat("a 1 A x\n", 100)), ReadOptions{MaxProblems: 3})
	var ps Problems
	if !errors.As(err, &ps) || len(ps) != 3 {
		t.Errorf("problems: %v", err)
	}
}

func TestReadBroken(t *testing.T) {
	t.Parallel()
	want := errors.New("disk on fire")
	r := io.MultiReader(strings.NewReader("a 1 A 192.0.2.1\n"), iotest.ErrReader(want))
	if _, err := Read(r, ReadOptions{File: "zone.db"}); !errors.Is(err, want) {
		t.Errorf("%v", err)
	}
	if got := lines(func() []Record {
		recs, err := Read(iotest.OneByteReader(strings.NewReader("a 1 A 192.0.2.1\nb 1 NS a.")), ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return recs
	}()); got != "a. 1 IN A 192.0.2.1\nb. 1 IN NS a.\n" {
		t.Errorf("%s", got)
	}
}

// FuzzRead: whatever is read prints as a master file that reads back as the
// same records, and that miekg/dns reads too.
func FuzzRead(f *testing.F) {
	f.Add("$TTL 1h\n@ SOA ns1 host ( 1 2 3 4 5 )\n@ NS ns1\nns1 A 192.0.2.1\n* TXT \"a\\\"b\" c\n")
	f.Add("$GENERATE 1-3/2 h${0,3,x} CNAME \\$$\n$ORIGIN x\n  1 IN MX 10 @\n")
	f.Add("a 1 TYPE65280 \\# 2 abcd\n\\000\\255 1 NS @")
	f.Fuzz(func(t *testing.T, text string) {
		opts := ReadOptions{Origin: origin, MaxGenerate: 50, MaxRecords: 500}
		records, err := Read(strings.NewReader(text), opts)
		if err != nil {
			return
		}
		printed := lines(records)
		back, err := Read(strings.NewReader(printed), ReadOptions{})
		if err != nil {
			t.Fatalf("%q prints as what cannot be read: %v\n%s", text, err, printed)
		}
		if len(back) != len(records) {
			t.Fatalf("%d records print as %d", len(records), len(back))
		}
		for i := range back {
			if !back[i].Equal(records[i].RR) {
				t.Fatalf("%s reads back as %s", records[i], back[i])
			}
		}
		foreign := 0
		for _, err := range miekgRecords(printed) {
			if err != nil {
				t.Fatalf("miekg/dns cannot read %q: %v", printed, err)
			}
			foreign++
		}
		if foreign != len(records) {
			t.Fatalf("miekg/dns reads %d of %d records:\n%s", foreign, len(records), printed)
		}
	})
}

func miekgRecords(text string) iter.Seq2[mdns.RR, error] {
	return func(yield func(mdns.RR, error) bool) {
		zp := mdns.NewZoneParser(strings.NewReader(text), ".", "")
		for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
			if !yield(rr, nil) {
				return
			}
		}
		if err := zp.Err(); err != nil {
			yield(nil, err)
		}
	}
}
