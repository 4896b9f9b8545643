package zone

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// modelScanner is the scanner in its plainest form, octet by octet.
type modelScanner struct {
	r        *bufio.Reader
	maxEntry int // octets
	line     int
	column   int
	last     byte // the octet before, to know where a line begins
	size     int  // octets of the entry so far
	depth    int  // open parentheses
	open     token
}

func newModel(r io.Reader, maxEntry int) *modelScanner {
	s := &modelScanner{r: bufio.NewReader(r), maxEntry: maxEntry, line: 1, last: '\n'}
	const mark = "\xef\xbb\xbf"
	if begin, _ := s.r.Peek(len(mark)); string(begin) == mark {
		_, _ = s.r.Discard(len(mark)) // it is in the buffer
	}
	return s
}

// get reads an octet; after a line end the next one is on the next line.
func (s *modelScanner) get() (byte, error) {
	c, err := s.r.ReadByte()
	if err != nil {
		return 0, err
	}
	if s.last == '\n' && s.column > 0 {
		s.line, s.column = s.line+1, 0
	}
	s.column++
	s.last = c
	if s.size++; s.size > s.maxEntry {
		return 0, s.fail("the entry is longer than %d octets", s.maxEntry)
	}
	return c, nil
}

func (s *modelScanner) peek() byte {
	b, err := s.r.Peek(1)
	if err != nil {
		return '\n'
	}
	return b[0]
}

func (s *modelScanner) fail(format string, args ...any) error {
	return &scanError{s.line, s.column, fmt.Sprintf(format, args...)}
}

// next gives the next entry that holds anything, or io.EOF.
func (s *modelScanner) next() (entry, error) {
	s.size, s.depth = 0, 0
	var e entry
	atStart := true
	for {
		c, err := s.get()
		switch {
		case errors.Is(err, io.EOF):
			return s.atEOF(e)
		case err != nil:
			return entry{}, err
		case c == '\n':
			if s.depth == 0 {
				if len(e.tokens) > 0 {
					return e, nil
				}
				s.size, atStart, e = 0, true, entry{}
			}
			continue
		case c == ' ' || c == '\t' || c == '\r':
			e.blank = e.blank || atStart && c != '\r'
		case c == ';':
			if err := s.comment(); err != nil {
				return entry{}, err
			}
		case c == '(' || c == ')':
			if err := s.parenthesis(c); err != nil {
				return entry{}, err
			}
		default:
			t, err := s.word(c)
			if err != nil {
				return entry{}, err
			}
			e.tokens = append(e.tokens, t)
		}
		atStart = false
	}
}

func (s *modelScanner) atEOF(e entry) (entry, error) {
	if s.depth > 0 {
		return entry{}, &scanError{s.open.line, s.open.column, "this parenthesis is never closed"}
	}
	if len(e.tokens) > 0 {
		return e, nil
	}
	return entry{}, io.EOF
}

func (s *modelScanner) parenthesis(c byte) error {
	if c == '(' {
		if s.depth++; s.depth == 1 {
			s.open = token{line: s.line, column: s.column}
		}
		return nil
	}
	if s.depth--; s.depth < 0 {
		return s.fail("nothing is open that this parenthesis closes")
	}
	return nil
}

// comment skips to the end of the line, and leaves that.
func (s *modelScanner) comment() error {
	for s.peek() != '\n' {
		s.size-- // comments count against no limit
		if _, err := s.get(); err != nil {
			return err
		}
	}
	return nil
}

// word reads the token that begins with c. A token that begins with a quote
// ends with the next one; in others a quoted part may stand, as in alpn="h2"
// (RFC 9460 appendix A).
func (s *modelScanner) word(c byte) (token, error) {
	t := token{line: s.line, column: s.column}
	t.text = []byte{c}
	whole := c == '"'
	quoted, escaped := whole, c == '\\'
	for {
		switch p := s.peek(); {
		case p == '\n' && quoted:
			return token{}, &scanError{t.line, t.column, "this string does not end on its line"}
		case (p == '\n' || p == '\r') && escaped:
			return token{}, s.fail("nothing follows the backslash")
		case !quoted && !escaped && strings.IndexByte(" \t\r\n;()", p) >= 0:
			return t, nil
		}
		c, err := s.get()
		if err != nil {
			return token{}, err
		}
		t.text = append(t.text, c)
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		}
		if whole && !quoted {
			return t, nil
		}
	}
}

type entries interface{ next() (entry, error) }

// tinyScanner gives a scanner whose buffer is as small as can be, so that it makes
// room all the time.
func tinyScanner(r io.Reader, maxEntry int) *scanner {
	return &scanner{r: r, buf: make([]byte, 2), maxEntry: maxEntry, line: 1}
}

// FuzzScanner: the scanner does what the model does, however the text comes in.
func FuzzScanner(f *testing.F) {
	for _, tt := range wholeFiles {
		f.Add(tt.in, 1000)
	}
	f.Add("a (b ; c\n \"d;\\\" e\" ) f\\;g\n\r\n;\n h\\", 20)
	f.Add("\t\"\"a=\"b c\" (((\n;x\n)))\r\n(", 30)
	f.Add(strings.Repeat("; comment\n", 20)+"a ( ; b\n ; c\n d )", 10)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if limit = limit % 2000; limit <= 0 {
			limit = 10
		}
		if strings.HasPrefix(text, "\xef\xbb\xbf") {
			return
		}
		want := scanned(newModel(strings.NewReader(text), limit))
		for name, s := range map[string]entries{
			"whole":          newScanner(strings.NewReader(text), limit),
			"octet by octet": newScanner(iotest.OneByteReader(strings.NewReader(text)), limit),
			"in a small one": tinyScanner(iotest.HalfReader(strings.NewReader(text)), limit),
			"with the error": tinyScanner(iotest.DataErrReader(strings.NewReader(text)), limit),
		} {
			if got := scanned(s); got != want {
				t.Fatalf("%q, %s\n got %q\nwant %q", text, name, got, want)
			}
		}
	})
}

// TestScannerMemory: neither comments nor blank lines nor many entries make the
// buffer grow, within an entry or without.
func TestScannerMemory(t *testing.T) {
	t.Parallel()
	comment := "; " + strings.Repeat("x", scanBuffer) + "\n"
	for name, text := range map[string]string{
		"comments":           strings.Repeat(comment, 20),
		"a long comment":     ";" + strings.Repeat(comment[:100], 50_000) + "\na\n",
		"inside parentheses": "a ( b " + strings.Repeat(comment, 20) + " c )\n",
		"blank lines":        strings.Repeat("\n", 20*scanBuffer),
		"entries":            strings.Repeat("a b c ; d\n", 100_000),
	} {
		s := newScanner(strings.NewReader(text), 1000)
		for {
			if _, err := s.next(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if len(s.buf) > scanBuffer {
			t.Errorf("%s: the buffer has %d octets", name, len(s.buf))
		}
	}
	long := "a " + strings.Repeat("x", 5*scanBuffer)
	s := newScanner(strings.NewReader(long), 10*scanBuffer)
	if e, err := s.next(); err != nil || len(e.tokens) != 2 || string(e.tokens[0].text)+" "+string(e.tokens[1].text) != long {
		t.Errorf("%v, %d tokens", err, len(e.tokens))
	}
	if len(s.buf) > 16*scanBuffer {
		t.Errorf("%d octets for %d", len(s.buf), len(long))
	}
}

// idle is a reader that gives nothing so many times.
type idle struct {
	times int
	r     io.Reader
}

func (i *idle) Read(b []byte) (int, error) {
	if i.times--; i.times >= 0 {
		return 0, nil
	}
	return i.r.Read(b)
}

func TestScannerReaders(t *testing.T) {
	t.Parallel()
	if got := scanned(newScanner(&idle{maxEmptyReads, strings.NewReader("a b\n")}, 100)); got != "1:1<a> 1:3<b>\n" {
		t.Errorf("%q", got)
	}
	_, err := newScanner(&idle{maxEmptyReads + 1, strings.NewReader("a b\n")}, 100).next()
	if !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("%v", err)
	}
	// What the reader fails with is told, in whatever the text is just then.
	fire := errors.New("disk on fire")
	for _, text := range []string{"", "a", "a ", "\"a", "a\\", "(", "a ;"} {
		r := io.MultiReader(strings.NewReader(text), iotest.ErrReader(fire))
		if _, err := newScanner(r, 100).next(); !errors.Is(err, fire) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
