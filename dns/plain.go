package dns

import (
	"bytes"
	"encoding/binary"
)

// AppendData reads the data of a record as ParseData does, from the words that
// stand behind the type in a master file: without the blanks, parentheses and
// comments between them, but with their escapes and quotes. It puts the data
// behind dst. After an error, of type *DataError, it returns dst as it was.
//
// There are two lanes. The types that large zones are made of are read here,
// where they stand there in their plainest form, and nothing is allocated but
// what dst needs. All else goes the way of ParseData.
func AppendData(dst []byte, t Type, words [][]byte, origin Name) ([]byte, error) {
	if out, ok := appendPlain(dst, t, words, origin); ok {
		if why := refusal(t, out[len(dst):]); why != "" {
			return dst, &DataError{Type: t, Reason: why}
		}
		return out, nil
	}
	data, err := oddData(t, string(bytes.Join(words, []byte{' '})), origin)
	if err != nil {
		return dst, err
	}
	return append(dst, data...), nil
}

// appendPlain reads plain data; ok is false for data that is not plain, which
// may be right all the same.
func appendPlain(dst []byte, t Type, words [][]byte, origin Name) (out []byte, ok bool) {
	if len(words) > 0 && string(words[0]) == `\#` {
		return dst, false // the generic form
	}
	p := plain{out: dst, words: words, origin: origin}
	switch t {
	case TypeA:
		p.address4()
	case TypeAAAA:
		p.address6()
	case TypeNS, TypeCNAME, TypePTR, TypeDNAME:
		p.name()
	case TypeMX:
		p.numbers(2)
		p.name()
	case TypeSRV:
		p.numbers(2, 2, 2)
		p.name()
	case TypeTXT, TypeSPF:
		p.strings()
	case TypeSOA:
		p.name()
		p.name()
		p.numbers(4, 4, 4, 4, 4)
	case TypeNAPTR, TypeHINFO, TypeISDN, TypeAMTRELAY:
		p.others(t)
	default:
		p.security(t)
	}
	if p.odd || len(p.words) > 0 || len(p.out)-len(dst) > MaxMessageLen {
		return dst, false
	}
	return p.out, true
}

// plain reads the words of plain data one after the other. What it meets that
// is not plain makes it odd, and it says nothing of why.
type plain struct {
	out    []byte
	words  [][]byte // those that are not read yet
	origin Name
	odd    bool
}

// word takes the next word: an empty one, which nothing takes for a field, when
// there is none.
func (p *plain) word() []byte {
	if len(p.words) == 0 {
		p.odd = true
		return nil
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w
}

// numbers reads decimal numbers that take so many octets each.
func (p *plain) numbers(sizes ...int) {
	for _, size := range sizes {
		v, ok := plainNumber(p.word())
		if !ok || v>>(8*size) != 0 {
			p.odd = true
			return
		}
		switch size {
		case 1:
			p.out = append(p.out, byte(v))
		case 2:
			p.out = binary.BigEndian.AppendUint16(p.out, uint16(v))
		default:
			p.out = binary.BigEndian.AppendUint32(p.out, uint32(v))
		}
	}
}

// plainNumber reads a number of one to ten digits and nothing else.
func plainNumber(w []byte) (v uint64, ok bool) {
	for _, c := range w {
		if !isDigit(c) {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	return v, len(w) > 0 && len(w) <= 10
}

// name reads a name of printable ASCII, in which what is special is escaped.
func (p *plain) name() {
	w := p.word()
	for i := 0; i < len(w); i++ {
		switch c := w[i]; {
		case c == '\\':
			i++ // appendName looks at what follows
		case c == '@' && len(w) == 1:
		case c <= ' ' || c >= 0x7f || isSpecial(c):
			p.odd = true
			return
		}
	}
	p.anyName(w)
}

func (p *plain) anyName(w []byte) {
	out, err := appendName(p.out, w, p.origin)
	p.out, p.odd = out, p.odd || err != nil
}

// isSpecial names what means something else than itself in a name.
func isSpecial(c byte) bool {
	switch c {
	case '"', '$', '(', ')', ';', '@', '\\':
		return true
	}
	return false
}

// address4 reads four decimal numbers, without leading zeros, which some take
// for octal.
func (p *plain) address4() {
	w := p.word()
	for i := range 4 {
		if i > 0 {
			if len(w) == 0 || w[0] != '.' {
				p.odd = true
				return
			}
			w = w[1:]
		}
		v, n := 0, 0
		for n < len(w) && n < 3 && isDigit(w[n]) {
			v = v*10 + int(w[n]-'0')
			n++
		}
		if n == 0 || v > 255 || n > 1 && w[0] == '0' {
			p.odd = true
			return
		}
		p.out = append(p.out, byte(v))
		w = w[n:]
	}
	p.odd = p.odd || len(w) > 0
}

// address6 reads the forms of RFC 4291 section 2.2 with hexadecimal groups
// alone, and perhaps "::" for one or more groups of zeros.
func (p *plain) address6() {
	w := p.word()
	var addr [16]byte
	n, gap := 0, -1 // octets so far; where the zeros of "::" belong
	if len(w) >= 2 && w[0] == ':' && w[1] == ':' {
		gap, w = 0, w[2:]
	}
	for len(w) > 0 {
		v, digits := 0, 0
		for digits < len(w) && digits < 4 && isHex(w[digits]) {
			v = v<<4 | int(hexDigit(w[digits]))
			digits++
		}
		if digits == 0 || n == len(addr) {
			p.odd = true
			return
		}
		binary.BigEndian.PutUint16(addr[n:], uint16(v))
		n += 2
		switch w = w[digits:]; {
		case len(w) == 0:
		case len(w) >= 2 && w[0] == ':' && w[1] == ':' && gap < 0:
			gap, w = n, w[2:]
		case len(w) >= 2 && w[0] == ':' && w[1] != ':':
			w = w[1:]
		default:
			p.odd = true
			return
		}
	}
	if gap < 0 != (n == len(addr)) {
		p.odd = true
		return
	}
	if gap >= 0 {
		tail := n - gap
		copy(addr[len(addr)-tail:], addr[gap:n])
		clear(addr[gap : len(addr)-tail])
	}
	p.out = append(p.out, addr[:]...)
}

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

func hexDigit(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// hex reads the words that are left as hexadecimal digits, at least one pair.
// The words may end anywhere.
func (p *plain) hex() {
	digits := 0
	for len(p.words) > 0 {
		digits = p.hexWord(p.word(), digits)
	}
	p.odd = p.odd || digits == 0 || digits%2 == 1
}

// hexWord reads digits that come behind others, and counts them all.
func (p *plain) hexWord(w []byte, digits int) int {
	for _, c := range w {
		switch {
		case !isHex(c):
			p.odd = true
			return digits
		case digits%2 == 0:
			p.out = append(p.out, hexDigit(c)<<4)
		default:
			p.out[len(p.out)-1] |= hexDigit(c)
		}
		digits++
	}
	return digits
}
