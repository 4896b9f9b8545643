package zone

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"

	"github.com/network-utopia/utopia/dns"
)

// maxOwnerColumn is the most characters that the column of the owners is wide.
// Longer owners push the rest of their line to the right.
const maxOwnerColumn = 32

// Write writes a zone as a master file (RFC 1035 section 5): $ORIGIN and $TTL,
// the SOA over several lines, and then the names in canonical order with the
// types of each in order. Names are relative to the zone, owners stand on the
// first line of theirs, and a TTL stands where it is not that of $TTL. So the
// same zone always gives the same octets, and Load with its name as the origin
// reads the same zone back.
//
// It keeps no more than a line in memory. Errors are those of w.
func Write(w io.Writer, z *Zone) error {
	out := &layout{w: bufio.NewWriterSize(w, 64<<10), origin: z.Top().Name()}
	out.measure(z)
	out.head()
	for rr := range z.All() {
		out.record(rr)
	}
	if err := out.w.Flush(); err != nil {
		return fmt.Errorf("zone: write %s: %w", z.Apex(), err)
	}
	return nil
}

// layout is how the lines of a file are laid out.
type layout struct {
	w      *bufio.Writer // whose errors Flush tells
	origin dns.Name
	ttl    uint32 // of $TTL
	owner  dns.Name
	line   []byte

	ownerWidth, ttlWidth, typeWidth int
}

// measure finds the TTL of most records and the width of the columns.
func (l *layout) measure(z *Zone) {
	var votes int
	var last dns.Name
	highest, lowest := uint32(0), uint32(dns.MaxTTL)
	for rr := range z.All() {
		// The vote of Boyer and Moore: a TTL that more than half of the records
		// have wins, and needs no table of all that there are.
		switch {
		case votes == 0:
			l.ttl, votes = rr.TTL, 1
		case rr.TTL == l.ttl:
			votes++
		default:
			votes--
		}
		highest, lowest = max(highest, rr.TTL), min(lowest, rr.TTL)
		l.typeWidth = max(l.typeWidth, len(rr.Type.String()))
		if rr.Name != last {
			last = rr.Name
			l.line = rr.Name.AppendRelative(l.line[:0], l.origin)
			l.ownerWidth = max(l.ownerWidth, min(len(l.line), maxOwnerColumn))
		}
	}
	if highest != lowest {
		l.ttlWidth = len(strconv.FormatUint(uint64(highest), 10)) + 1
	}
}

func (l *layout) head() {
	fmt.Fprintf(l.w, "$ORIGIN %s\n$TTL %d", l.origin, l.ttl)
	if l.ttl >= 60 {
		fmt.Fprintf(l.w, " ; %s", dns.FormatTTL(l.ttl))
	}
	_ = l.w.WriteByte('\n')
}

// record writes a record on its line, the SOA on several.
func (l *layout) record(rr dns.RR) {
	l.line = l.line[:0]
	if rr.Name != l.owner {
		l.owner = rr.Name
		l.line = rr.Name.AppendRelative(l.line, l.origin)
	}
	column := l.ownerWidth + 1
	l.pad(column)
	if l.ttlWidth > 0 {
		if rr.TTL != l.ttl {
			l.line = strconv.AppendUint(l.line, uint64(rr.TTL), 10)
		}
		column += l.ttlWidth
		l.pad(column)
	}
	l.line = append(l.line, "IN "...)
	column += len("IN ") + l.typeWidth + 1
	l.line = append(l.line, rr.Type.String()...)
	l.pad(column)
	if rr.Type == dns.TypeSOA {
		l.soa(rr, column)
	} else {
		l.line = rr.AppendDataText(l.line, l.origin)
		l.line = append(l.line, '\n')
	}
	_, _ = l.w.Write(l.line)
}

// pad fills the line up to a column with blanks: at least one, if it is behind
// something.
func (l *layout) pad(column int) {
	for first := true; len(l.line) < column || first && l.line[len(l.line)-1] != ' '; first = false {
		l.line = append(l.line, ' ')
	}
}

// soa writes the numbers of an SOA on lines of their own, with what they mean.
func (l *layout) soa(rr dns.RR, column int) {
	soa, _ := rr.SOA()
	l.line = soa.MName.AppendRelative(l.line, l.origin)
	l.line = append(l.line, ' ')
	l.line = soa.RName.AppendRelative(l.line, l.origin)
	l.line = append(l.line, " (\n"...)
	for i, n := range [...]struct {
		value   uint32
		meaning string
	}{
		{soa.Serial, "serial"}, {soa.Refresh, "refresh"}, {soa.Retry, "retry"}, {soa.Expire, "expire"},
		{soa.Minimum, "negative answers"},
	} {
		l.line = append(l.line, bytes.Repeat([]byte{' '}, column)...)
		number := strconv.FormatUint(uint64(n.value), 10)
		if i == 4 {
			number += " )"
		}
		l.line = fmt.Appendf(l.line, "%-10s ; %s", number, n.meaning)
		if i > 0 && n.value >= 60 {
			l.line = append(append(l.line, ": "...), dns.FormatTTL(n.value)...)
		}
		l.line = append(l.line, '\n')
	}
}
