package socket

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/network-utopia/utopia/transcript"
)

// record adds a piece of text to a transcript, without the line end that closes it.
func record(x *transcript.Exchange, d transcript.Direction, piece []byte) {
	if x != nil && len(piece) > 0 {
		x.Message(d, piece, string(bytes.TrimRight(piece[:min(len(piece), transcript.MaxText+1)], "\r\n")))
	}
}

// recordDatagram adds a datagram to a transcript, which may be an empty one.
func recordDatagram(x *transcript.Exchange, d transcript.Direction, text []byte) {
	if len(text) == 0 {
		x.Message(d, text, "")
		return
	}
	record(x, d, text)
}

// plain says a network error without the names of the calls that met it.
func plain(err error) string {
	var errno syscall.Errno
	var dns *net.DNSError
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such host"
	case errors.As(err, &dns):
		return "the name cannot be looked up: " + dns.Err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "it took too long"
	case errors.Is(err, net.ErrClosed):
		return "the connection was closed"
	}
	return err.Error()
}

// escaper is a writer that makes a stranger's text fit for a terminal. Line ends, tabs and printable UTF-8 pass; CR LF
// becomes LF; other control characters are shown as ^X, those past ASCII and the ones that reorder text as \u202e, and
// bytes that are not UTF-8, such as telnet's commands (RFC 854), as \xff. So no escape sequence reaches the terminal.
type escaper struct {
	w    io.Writer
	kept []byte // the beginning of a character, or a CR, whose sequel has not come
	out  []byte // scratch
}

// Write writes text made harmless. It reports all of text as written, or w's error.
func (e *escaper) Write(text []byte) (int, error) {
	e.kept = append(e.kept, text...)
	rest := e.kept
	e.out = e.out[:0]
	for len(rest) > 0 {
		if rest[0] == '\r' {
			if len(rest) == 1 {
				break
			}
			if rest[1] == '\n' {
				rest = rest[1:]
				continue
			}
		}
		if !utf8.FullRune(rest) {
			break
		}
		r, size := utf8.DecodeRune(rest)
		e.out = appendShown(e.out, rest[:size], r)
		rest = rest[size:]
	}
	e.kept = append(e.kept[:0], rest...)
	return e.put(len(text))
}

// Flush writes what was kept back in case its sequel came.
func (e *escaper) Flush() error {
	e.out = e.out[:0]
	if string(e.kept) == "\r" {
		e.out = appendShown(e.out, e.kept, '\r')
	} else {
		for i := range e.kept {
			e.out = appendShown(e.out, e.kept[i:i+1], utf8.RuneError)
		}
	}
	e.kept = e.kept[:0]
	_, err := e.put(0)
	return err
}

func (e *escaper) put(n int) (int, error) {
	if len(e.out) == 0 {
		return n, nil
	}
	if _, err := e.w.Write(e.out); err != nil {
		return 0, err
	}
	return n, nil
}

func appendShown(dst, char []byte, r rune) []byte {
	switch {
	case r == utf8.RuneError && len(char) == 1:
		return fmt.Appendf(dst, `\x%02x`, char[0])
	case r == '\n' || r == '\t':
		return append(dst, char...)
	case r < ' ' || r == 0x7f:
		return append(dst, '^', byte(r)^0x40)
	case unicode.IsControl(r) || reorders(r):
		return fmt.Appendf(dst, `\u%04x`, r)
	}
	return append(dst, char...)
}

// reorders says whether a character ends a line in some programs (U+2028, U+2029) or changes the order in which others
// are shown: the marks, embeddings, overrides and isolates of Unicode's bidirectional algorithm (UAX #9).
func reorders(r rune) bool {
	return r == 0x061c || r == 0x200e || r == 0x200f || 0x2028 <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069
}
