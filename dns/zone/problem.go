package zone

import (
	"fmt"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

// Pos is a place in a master file. Line and Column count from 1; a zero Line
// means that the place is not known, or that there is no file.
type Pos struct {
	File         string
	Line, Column int
}

// String gives "file:line:column", without what is not known.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Record is a resource record and where it came from.
type Record struct {
	dns.RR
	Pos Pos
}

// Problem is something that is wrong with a master file or with a zone.
type Problem struct {
	Pos    Pos
	Fatal  bool   // the zone cannot be served; otherwise it is a warning
	Record string // the record, or the line of the file
	Text   string // what is wrong
}

// String gives the place, the record and what is wrong, in one line.
func (p Problem) String() string {
	var b strings.Builder
	if at := p.Pos.String(); at != "" {
		b.WriteString(at + ": ")
	}
	if !p.Fatal {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Message())
	return b.String()
}

// Message gives what is wrong and the record, without the place.
func (p Problem) Message() string {
	if p.Record == "" {
		return p.Text
	}
	return p.Text + " (in: " + p.Record + ")"
}

// Problems are several of them. As an error they stand for a zone that cannot
// be served.
type Problems []Problem

// Error gives one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// split parts what is fatal from what is not.
func (ps Problems) split() (fatal, warnings Problems) {
	for _, p := range ps {
		if p.Fatal {
			fatal = append(fatal, p)
		} else {
			warnings = append(warnings, p)
		}
	}
	return fatal, warnings
}

func describe(rr dns.RR) string {
	s := rr.Name.String() + " " + rr.Type.String() + " " + rr.DataString()
	return shorten(s, 120)
}

func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}
