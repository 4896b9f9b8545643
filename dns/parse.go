package dns

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ParseError says where a message on the wire is wrong. Servers answer it
// with FORMERR when at least the header could be read.
type ParseError struct {
	Section string // header, question, answer, authority or additional
	Offset  int    // octets from the start of the message
	Err     error
}

// Error gives the section, the offset and what is wrong.
func (e *ParseError) Error() string {
	return fmt.Sprintf("dns: malformed message: %s at octet %d: %v", e.Section, e.Offset, e.Err)
}

// Unwrap gives what is wrong.
func (e *ParseError) Unwrap() error { return e.Err }

var (
	errTrailing = errors.New("octets after the last record")
	errTwoOPT   = errors.New("more than one OPT record")
	errOPTPlace = errors.New("OPT record outside the additional section or not at the root")
)

// Counts are the numbers of entries that a header announces.
type Counts struct{ Question, Answer, Authority, Additional uint16 }

// ParseHeader reads the 12 octets of a header. It fails only when there are
// fewer. Rcode has its lower four bits only.
func ParseHeader(wire []byte) (Header, Counts, error) {
	if len(wire) < HeaderLen {
		return Header{}, Counts{}, &ParseError{"header", len(wire), errShort}
	}
	u := func(i int) uint16 { return binary.BigEndian.Uint16(wire[2*i:]) }
	return headerFromBits(u(0), u(1)), Counts{u(2), u(3), u(4), u(5)}, nil
}

// Parse reads a whole message and keeps nothing of wire. It is strict: every
// count is true, nothing follows the last record, compression pointers point
// back, names are at most 255 octets, the data of the types that it knows has
// their form, and there is at most one OPT record. A TTL with its top bit set
// is read as 0 (RFC 2181 section 8). Errors are of type *ParseError.
func Parse(wire []byte) (*Message, error) {
	h, counts, err := ParseHeader(wire)
	if err != nil {
		return nil, err
	}
	if len(wire) > MaxMessageLen {
		return nil, &ParseError{"header", 0, errors.New("longer than 65535 octets")}
	}
	m := &Message{Header: h}
	p := parser{wire: wire, off: HeaderLen}
	if m.Question, err = p.questions(int(counts.Question)); err != nil {
		return nil, &ParseError{"question", p.off, err}
	}
	for _, s := range [...]struct {
		name  string
		count uint16
		into  *[]RR
	}{
		{"answer", counts.Answer, &m.Answer},
		{"authority", counts.Authority, &m.Authority},
		{"additional", counts.Additional, &m.Additional},
	} {
		if err := p.section(m, int(s.count), s.into); err != nil {
			return nil, &ParseError{s.name, p.off, err}
		}
	}
	if p.off != len(wire) {
		return nil, &ParseError{"additional", p.off, errTrailing}
	}
	return m, nil
}

// ParseRecord reads one uncompressed record at the start of wire and says how
// many octets it takes.
func ParseRecord(wire []byte) (rr RR, size int, err error) {
	p := parser{wire: wire}
	if rr, err = p.record(); err != nil {
		return RR{}, 0, fmt.Errorf("dns: record on the wire: at octet %d: %w", p.off, err)
	}
	return rr, p.off, nil
}

type parser struct {
	wire []byte
	off  int
}

func (p *parser) questions(count int) ([]Question, error) {
	// A count may lie: five octets are the least that a question takes.
	out := make([]Question, 0, min(count, (len(p.wire)-p.off)/5))
	for range count {
		n, err := p.name()
		if err != nil {
			return nil, err
		}
		if len(p.wire)-p.off < 4 {
			return nil, errShort
		}
		out = append(out, Question{Name: n, Type: Type(p.uint16()), Class: Class(p.uint16())})
	}
	return out, nil
}

func (p *parser) section(m *Message, count int, into *[]RR) error {
	if count > 0 {
		// A count may lie: eleven octets are the least that a record takes.
		*into = make([]RR, 0, min(count, (len(p.wire)-p.off)/11))
	}
	for range count {
		start := p.off
		rr, err := p.record()
		if err != nil {
			return err
		}
		if rr.Type != TypeOPT {
			*into = append(*into, rr)
			continue
		}
		if into != &m.Additional || rr.Name != Root {
			p.off = start
			return errOPTPlace
		}
		if m.EDNS != nil {
			p.off = start
			return errTwoOPT
		}
		e, high, err := parseOPT(rr)
		if err != nil {
			return err
		}
		m.EDNS = e
		m.Rcode |= high
	}
	return nil
}

func (p *parser) record() (RR, error) {
	n, err := p.name()
	if err != nil {
		return RR{}, err
	}
	if len(p.wire)-p.off < 10 {
		return RR{}, errShort
	}
	rr := RR{Name: n, Type: Type(p.uint16()), Class: Class(p.uint16())}
	rr.TTL = uint32(p.uint16())<<16 | uint32(p.uint16())
	size := int(p.uint16())
	if len(p.wire)-p.off < size {
		return RR{}, errShort
	}
	end := p.off + size
	if rr.Type == TypeOPT {
		rr.Data = p.wire[p.off:end] // parseOPT makes its copies
		p.off = end
		return rr, nil
	}
	if rr.TTL > MaxTTL {
		rr.TTL = 0
	}
	if size == 0 && emptyDataAllowed(rr.Class) {
		return rr, nil
	}
	rr.Data, err = p.rdata(rdataLayout(rr.Type, rr.Class), end)
	return rr, err
}

func (p *parser) uint16() uint16 {
	v := binary.BigEndian.Uint16(p.wire[p.off:])
	p.off += 2
	return v
}

// rdata reads record data up to end, field by field, with its names
// decompressed.
func (p *parser) rdata(layout string, end int) ([]byte, error) {
	out := make([]byte, 0, end-p.off)
	for _, f := range layout {
		switch f {
		case 'n', 'd':
			n, err := p.name()
			if err != nil {
				return nil, err
			}
			out = append(out, n...)
		default:
			size, err := fixedField(f, p.wire[p.off:end])
			if err != nil {
				return nil, err
			}
			out = append(out, p.wire[p.off:p.off+size]...)
			p.off += size
		}
		if p.off > end {
			return nil, errRdata
		}
	}
	if p.off != end {
		return nil, errRdata
	}
	if len(out) > MaxMessageLen {
		return nil, errRdata
	}
	return out, nil
}

// fixedField says how many octets of b a field takes that holds nothing
// compressed.
func fixedField(f rune, b []byte) (int, error) {
	var size int
	switch f {
	case '1', '2', '4':
		size = int(f - '0')
	case '6':
		size = 16
	case 'u':
		n, err := wireNameLen(b)
		if errors.Is(err, errLabelType) {
			err = errNoPointer
		}
		return n, err
	case 's':
		if len(b) == 0 {
			return 0, errRdata
		}
		size = 1 + int(b[0])
	case 't':
		return len(b), checkStrings(b)
	case 'b':
		return len(b), checkBitmap(b)
	default: // '*'
		size = len(b)
	}
	if size > len(b) {
		return 0, errRdata
	}
	return size, nil
}

func checkStrings(b []byte) error {
	if len(b) == 0 {
		return errRdata
	}
	for len(b) > 0 {
		n := 1 + int(b[0])
		if n > len(b) {
			return errRdata
		}
		b = b[n:]
	}
	return nil
}

// maxPointers is the most compression pointers that one name may run through.
// An encoder needs at most one behind each label, of which the longest name
// has 127. Without a limit the pointers of one message could be chained, and
// each of its names made to run through thousands of them.
const maxPointers = 127

// name reads a name that may be compressed (RFC 1035 section 4.1.4). A pointer
// must name a prior occurrence: it points before the place where the labels
// that it continues began, and what it points at ends before that place. So
// none reads ahead.
func (p *parser) name() (Name, error) {
	var buf [MaxNameLen]byte
	n, pointers := 0, 0
	off, start, bound := p.off, p.off, len(p.wire)
	after := -1 // where the caller goes on, once a pointer was followed
	for {
		if off >= bound {
			return "", errShort
		}
		c := int(p.wire[off])
		switch {
		case c == 0:
			buf[n] = 0
			p.off = off + 1
			if after >= 0 {
				p.off = after
			}
			return Name(buf[:n+1]), nil
		case c <= MaxLabelLen:
			if off+1+c > bound {
				return "", errShort
			}
			if n+1+c >= MaxNameLen {
				return "", ErrNameTooLong
			}
			n += copy(buf[n:], p.wire[off:off+1+c])
			off += 1 + c
		case c >= 0xc0:
			if off+2 > bound {
				return "", errShort
			}
			target := int(binary.BigEndian.Uint16(p.wire[off:]) & 0x3fff)
			if target >= start || target < HeaderLen {
				return "", errPointer
			}
			if pointers++; pointers > maxPointers {
				return "", errPointers
			}
			if after < 0 {
				after = off + 2
			}
			off, start, bound = target, target, start
		default:
			return "", errLabelType
		}
	}
}
