package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Problem is one thing that is wrong in a settings file, or without effect.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`   // from 1; 0 where it is about the file as a whole
	Column  int    `json:"column,omitempty"` // from 1, in characters
	Source  string `json:"source,omitempty"` // the line, or the part of a long line that matters
	Caret   int    `json:"caret,omitempty"`  // from 1, the character of Source that is meant
	Width   int    `json:"width,omitempty"`  // how many characters of Source are meant
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// String shows the problem as people read it: the position and the message,
// then the line with a caret under what is meant, then the hint.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(printable(p.File))
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	fmt.Fprintf(&b, ": %s", p.Message)
	if p.Source != "" {
		fmt.Fprintf(&b, "\n  %s\n  %s", printable(p.Source), p.underline())
	}
	if p.Hint != "" {
		fmt.Fprintf(&b, "\nhint: %s", p.Hint)
	}
	return b.String()
}

// underline returns the line that goes below Source as it is shown. Tabs are
// kept, so that it lines up whatever their width is.
func (p Problem) underline() string {
	var b strings.Builder
	column := 0
	for _, r := range printable(p.Source) {
		column++
		switch {
		case column >= p.Caret+p.Width:
		case column < p.Caret && r == '\t':
			b.WriteByte('\t')
		case column < p.Caret:
			b.WriteString(strings.Repeat(" ", cells(r)))
		case column == p.Caret:
			b.WriteByte('^')
			b.WriteString(strings.Repeat("~", max(cells(r)-1, 0)))
		default:
			b.WriteString(strings.Repeat("~", cells(r)))
		}
	}
	if column < p.Caret {
		b.WriteByte('^')
	}
	return b.String()
}

// Problems is the error of Parse and Load: everything that is wrong in a
// file, sorted by position.
type Problems []Problem

// Error shows all problems, one below the other.
func (p Problems) Error() string {
	shown := make([]string, len(p))
	for i, problem := range p {
		shown[i] = problem.String()
	}
	return strings.Join(shown, "\n")
}

// cells returns how many columns of a terminal a character takes.
func cells(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r < 0x1100:
		return 1
	case r <= 0x115F, r >= 0x2E80 && r <= 0xA4CF, r >= 0xAC00 && r <= 0xD7A3, r >= 0xF900 && r <= 0xFAFF,
		r >= 0xFE30 && r <= 0xFE6F, r >= 0xFF00 && r <= 0xFF60, r >= 0xFFE0 && r <= 0xFFE6,
		r >= 0x1F300 && r <= 0x1FAFF, r >= 0x20000 && r <= 0x3FFFD:
		return 2
	}
	return 1
}

// printable replaces what would steer the terminal that shows it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) || unicode.In(r, unicode.Mn, unicode.Me) {
			return r
		}
		return utf8.RuneError
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

// quote shows a text of the file within a message, cut where it is long.
func quote(s string) string {
	const longest = 64
	if utf8.RuneCountInString(s) > longest {
		s = string([]rune(s)[:longest]) + "..."
	}
	return strconv.Quote(s)
}

// fault is what is wrong with a value, before its position is known.
type fault struct {
	message, hint string
}

// Error returns the message and, on a line of its own as everywhere, the hint.
func (f *fault) Error() string {
	if f.hint == "" {
		return f.message
	}
	return f.message + "\nhint: " + f.hint
}

func faultf(hint, format string, args ...any) *fault {
	return &fault{message: fmt.Sprintf(format, args...), hint: hint}
}

// didYouMean is the hint that proposes a text.
func didYouMean(s string) string {
	if s == "" {
		return ""
	}
	return "did you mean " + quote(s) + "?"
}
