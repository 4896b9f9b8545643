package zone

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// token is one word of a master file, as it stands there: with its escapes,
// and with its quotes when it is quoted. The text is the scanner's, and good
// until the next entry.
type token struct {
	text         []byte
	line, column int
}

// entry is one entry of a master file (RFC 1035 section 5.1): what stands on
// a line, or on several when parentheses join them.
type entry struct {
	tokens []token
	blank  bool // the first line began with a blank: the owner is left out
}

// text gives the entry for a message.
func (e entry) text() string {
	words := make([]string, len(e.tokens))
	for i, t := range e.tokens {
		words[i] = string(t.text)
	}
	return shorten(strings.Join(words, " "), 120)
}

// scanError is a fault that the scanner finds, at a place.
type scanError struct {
	line, column int
	text         string
}

func (e *scanError) Error() string { return fmt.Sprintf("%d:%d: %s", e.line, e.column, e.text) }

// scanBuffer is the octets that a scanner begins with.
const scanBuffer = 64 << 10

// scanner cuts a master file into entries. It keeps no more than one entry, in
// a buffer that everything is read into and that the tokens point into.
type scanner struct {
	r        io.Reader
	err      error // of r: told when what was read before is used up
	buf      []byte
	at, end  int // the next octet, and the end of what was read
	start    int // of the word that is being read, else at: what is before may be given up
	limit    int // the first octet that is too much for the entry
	maxEntry int // octets
	line     int
	begin    int // where the line begins; what was given up may lie between
	depth    int // open parentheses
	open     token
	tokens   []token // of the entry so far
}

func newScanner(r io.Reader, maxEntry int) *scanner {
	s := &scanner{r: r, buf: make([]byte, scanBuffer), maxEntry: maxEntry, line: 1}
	// Some editors begin a file with a byte order mark, which nobody sees and
	// which would be part of the first name.
	const mark = "\xef\xbb\xbf"
	for s.end < len(mark) && s.more() {
	}
	if bytes.HasPrefix(s.buf[:s.end], []byte(mark)) {
		s.at, s.begin = len(mark), len(mark)
	}
	return s
}

// maxEmptyReads is how often a reader may give nothing, and no error.
const maxEmptyReads = 100

// more reads on, and says whether there is more.
func (s *scanner) more() bool {
	if s.end == len(s.buf) {
		s.makeRoom()
	}
	for i := 0; s.err == nil; i++ {
		n, err := s.r.Read(s.buf[s.end:])
		s.end, s.err = s.end+n, err
		if n > 0 {
			return true
		}
		if i == maxEmptyReads {
			s.err = io.ErrNoProgress
		}
	}
	return false
}

// makeRoom moves to the front what is still needed: the tokens, and what
// follows start. The blanks and comments between are given up, so that no
// comment makes the buffer grow, however long.
func (s *scanner) makeRoom() {
	into, to := s.buf, 0
	used := s.end - s.start
	for _, t := range s.tokens {
		used += len(t.text)
	}
	if used > len(s.buf)/2 {
		into = make([]byte, 2*len(s.buf))
	}
	for i := range s.tokens {
		t := &s.tokens[i]
		n := copy(into[to:], t.text)
		t.text = into[to : to+n]
		to += n
	}
	s.end = to + copy(into[to:], s.buf[s.start:s.end])
	shift := s.start - to
	s.buf, s.start = into, to
	s.at, s.limit, s.begin = s.at-shift, s.limit-shift, s.begin-shift
}

// atEnd says whether nothing is left to read.
func (s *scanner) atEnd() bool {
	return s.at == s.end && !s.more()
}

// failed gives the error of the reader, nil for the end of the file.
func (s *scanner) failed() error {
	if errors.Is(s.err, io.EOF) {
		return nil
	}
	return s.err
}

// fail gives an error at the octet that is so many before the next one.
func (s *scanner) fail(back int, format string, args ...any) error {
	return &scanError{s.line, s.column() - back, fmt.Sprintf(format, args...)}
}

// column is that of the next octet.
func (s *scanner) column() int { return s.at - s.begin + 1 }

func (s *scanner) tooLong() error {
	return s.fail(0, "the entry is longer than %d octets", s.maxEntry)
}

// next gives the next entry that holds anything, or io.EOF.
func (s *scanner) next() (entry, error) {
	s.tokens, s.depth, s.limit = s.tokens[:0], 0, s.at+s.maxEntry
	blank, atStart := false, true
	for {
		s.start = s.at
		if s.atEnd() {
			return s.last(blank)
		}
		if s.at >= s.limit {
			return entry{}, s.tooLong()
		}
		var err error
		switch c := s.buf[s.at]; c {
		case '\n':
			s.at++
			s.line, s.begin = s.line+1, s.at
			if s.depth > 0 {
				continue
			}
			if len(s.tokens) > 0 {
				return entry{s.tokens, blank}, nil
			}
			s.limit, blank, atStart = s.at+s.maxEntry, false, true
			continue
		case ' ', '\t':
			blank = blank || atStart
			s.at++
		case '\r':
			s.at++
		case ';':
			s.comment()
		case '(', ')':
			err = s.parenthesis(c)
		default:
			err = s.word()
		}
		if err != nil {
			return entry{}, err
		}
		atStart = false
	}
}

// last gives the entry that the file ends with.
func (s *scanner) last(blank bool) (entry, error) {
	switch err := s.failed(); {
	case err != nil:
		return entry{}, err
	case s.depth > 0:
		return entry{}, &scanError{s.open.line, s.open.column, "this parenthesis is never closed"}
	case len(s.tokens) > 0:
		return entry{s.tokens, blank}, nil
	}
	return entry{}, io.EOF
}

func (s *scanner) parenthesis(c byte) error {
	if c == '(' {
		if s.depth++; s.depth == 1 {
			s.open = token{line: s.line, column: s.column()}
		}
	} else if s.depth--; s.depth < 0 {
		return s.fail(0, "nothing is open that this parenthesis closes")
	}
	s.at++
	return nil
}

// comment skips to the end of the line, and leaves that. Comments count
// against no limit, but for their semicolon.
func (s *scanner) comment() {
	s.at++
	for {
		n := bytes.IndexByte(s.buf[s.at:s.end], '\n')
		found := n >= 0
		if !found {
			n = s.end - s.at
		}
		s.at, s.limit = s.at+n, s.limit+n
		s.start = s.at
		if found || s.atEnd() {
			return
		}
	}
}

// word reads a token. One that begins with a quote ends with the next one; in
// others a quoted part may stand, as in alpn="h2" (RFC 9460 appendix A).
func (s *scanner) word() error {
	t := token{line: s.line, column: s.column()}
	whole, quoted := s.buf[s.at] == '"', false
	for {
		s.at += plainRun(s.buf[s.at:min(s.end, s.limit)], quoted)
		c := byte('\n') // stands for the end of the file too
		if !s.atEnd() {
			c = s.buf[s.at]
		} else if err := s.failed(); err != nil {
			return err
		}
		switch {
		case c == '\n' && quoted:
			return &scanError{t.line, t.column, "this string does not end on its line"}
		case !quoted && endsWord(c):
			s.endWord(t)
			return nil
		case s.at >= s.limit:
			return s.tooLong()
		case c == '\\':
			if err := s.escape(quoted, t); err != nil {
				return err
			}
		case c == '"':
			s.at++
			if quoted = !quoted; whole && !quoted {
				s.endWord(t)
				return nil
			}
		}
	}
}

func (s *scanner) endWord(t token) {
	t.text = s.buf[s.start:s.at]
	s.tokens = append(s.tokens, t)
}

// escape skips a backslash and what follows it.
func (s *scanner) escape(quoted bool, t token) error {
	s.at++
	c := byte('\n')
	if !s.atEnd() {
		c = s.buf[s.at]
	} else if err := s.failed(); err != nil {
		return err
	}
	switch {
	case c == '\n' && quoted:
		return &scanError{t.line, t.column, "this string does not end on its line"}
	case c == '\n', c == '\r':
		return s.fail(1, "nothing follows the backslash")
	case s.at >= s.limit:
		return s.tooLong()
	}
	s.at++
	return nil
}

// endsWord says whether an octet that is not quoted ends a word. One bit
// stands for each octet up to the semicolon.
func endsWord(c byte) bool {
	const ends uint64 = 1<<' ' | 1<<'\t' | 1<<'\r' | 1<<'\n' | 1<<';' | 1<<'(' | 1<<')'
	return c <= ';' && ends>>c&1 != 0
}

// plainRun counts the octets at the start of b that mean nothing but
// themselves in a word or in its quoted part.
func plainRun(b []byte, quoted bool) int {
	if quoted {
		for i, c := range b {
			if c == '"' || c == '\\' || c == '\n' {
				return i
			}
		}
		return len(b)
	}
	for i, c := range b {
		if c <= ';' && (c == '"' || endsWord(c)) || c == '\\' {
			return i
		}
	}
	return len(b)
}
