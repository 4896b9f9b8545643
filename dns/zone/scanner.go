package zone

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// token is one word of a master file, as it stands there: with its escapes,
// and with its quotes when it is quoted.
type token struct {
	text         string
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
		words[i] = t.text
	}
	return shorten(strings.Join(words, " "), 120)
}

// scanError is a fault that the scanner finds, at a place.
type scanError struct {
	line, column int
	text         string
}

func (e *scanError) Error() string { return fmt.Sprintf("%d:%d: %s", e.line, e.column, e.text) }

// scanner cuts a master file into entries. It keeps no more than one entry.
type scanner struct {
	r        *bufio.Reader
	maxEntry int // octets
	line     int
	column   int
	last     byte // the octet before, to know where a line begins
	size     int  // octets of the entry so far
	depth    int  // open parentheses
	open     token
}

func newScanner(r io.Reader, maxEntry int) *scanner {
	s := &scanner{r: bufio.NewReader(r), maxEntry: maxEntry, line: 1, last: '\n'}
	// Some editors begin a file with a byte order mark, which nobody sees and
	// which would be part of the first name.
	const mark = "\xef\xbb\xbf"
	if begin, _ := s.r.Peek(len(mark)); string(begin) == mark {
		_, _ = s.r.Discard(len(mark)) // it is in the buffer
	}
	return s
}

// get reads an octet; after a line end the next one is on the next line.
func (s *scanner) get() (byte, error) {
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

func (s *scanner) peek() byte {
	b, err := s.r.Peek(1)
	if err != nil {
		return '\n'
	}
	return b[0]
}

func (s *scanner) fail(format string, args ...any) error {
	return &scanError{s.line, s.column, fmt.Sprintf(format, args...)}
}

// next gives the next entry that holds anything, or io.EOF.
func (s *scanner) next() (entry, error) {
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

func (s *scanner) atEOF(e entry) (entry, error) {
	if s.depth > 0 {
		return entry{}, &scanError{s.open.line, s.open.column, "this parenthesis is never closed"}
	}
	if len(e.tokens) > 0 {
		return e, nil
	}
	return entry{}, io.EOF
}

func (s *scanner) parenthesis(c byte) error {
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
func (s *scanner) comment() error {
	for s.peek() != '\n' {
		if _, err := s.get(); err != nil {
			return err
		}
		s.size-- // comments count against no limit
	}
	return nil
}

// word reads the token that begins with c. A token that begins with a quote
// ends with the next one; in others a quoted part may stand, as in alpn="h2"
// (RFC 9460 appendix A).
func (s *scanner) word(c byte) (token, error) {
	t := token{line: s.line, column: s.column}
	text := []byte{c}
	whole := c == '"'
	quoted, escaped := whole, c == '\\'
	for {
		switch p := s.peek(); {
		case p == '\n' && quoted:
			return token{}, &scanError{t.line, t.column, "this string does not end on its line"}
		case p == '\n' && escaped:
			return token{}, s.fail("nothing follows the backslash")
		case !quoted && !escaped && strings.IndexByte(" \t\r\n;()", p) >= 0:
			t.text = string(text)
			return t, nil
		}
		c, err := s.get()
		if err != nil {
			return token{}, err
		}
		text = append(text, c)
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		}
		if whole && !quoted {
			t.text = string(text)
			return t, nil
		}
	}
}
