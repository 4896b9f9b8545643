package dns

import (
	"bytes"
	"encoding/binary"
	"slices"

	mdns "github.com/miekg/dns"
)

// AppendData reads the data of a record as ParseData does, from the words that
// stand behind the type in a master file: without the blanks, parentheses and
// comments between them, but with their escapes and quotes. It puts the data
// behind dst. After an error, of type *DataError, it returns dst as it was.
//
// There are two lanes. The types that large zones are made of are read here,
// where they stand there in their plainest form, and nothing is allocated but
// what dst needs. All else goes to ParseData.
func AppendData(dst []byte, t Type, words [][]byte, origin Name) ([]byte, error) {
	if out, ok := appendPlain(dst, t, words, origin); ok {
		return out, nil
	}
	data, err := ParseData(t, string(bytes.Join(words, []byte{' '})), origin)
	if err != nil {
		return dst, err
	}
	return append(dst, data...), nil
}

// appendPlain reads plain data; ok is false for data that is not plain, which
// may be right all the same.
func appendPlain(dst []byte, t Type, words [][]byte, origin Name) (out []byte, ok bool) {
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
	case TypeCAA:
		p.caa()
	case TypeTLSA:
		p.numbers(1, 1, 1)
		p.hex()
	case TypeSSHFP:
		p.numbers(1, 1)
		p.hex()
	default:
		p.dnssec(t)
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

// name reads a name of printable ASCII without escapes and quotes.
func (p *plain) name() {
	w := p.word()
	for _, c := range w {
		if c <= ' ' || c >= 0x7f || isSpecial(c) && len(w) > 1 {
			p.odd = true
			return
		}
	}
	if len(w) == 1 && isSpecial(w[0]) && w[0] != '@' {
		p.odd = true
		return
	}
	out, err := appendName(p.out, w, p.origin)
	if err != nil {
		p.odd = true
		return
	}
	p.out = out
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

// strings reads the words that are left as character strings (RFC 1035 section
// 3.3).
func (p *plain) strings() {
	if len(p.words) == 0 || string(p.words[0]) == `\#` {
		p.odd = true
		return
	}
	for len(p.words) > 0 {
		w := p.word()
		length := len(p.out)
		p.out = append(p.out, 0)
		p.text(w)
		// ParseData cuts longer ones up.
		if len(p.out)-length > 256 || len(w) > 255 {
			p.odd = true
			return
		}
		p.out[length] = byte(len(p.out) - length - 1)
	}
}

// text reads a word that may be quoted, and may have escapes in it.
func (p *plain) text(w []byte) {
	quoted := len(w) >= 2 && w[0] == '"' && w[len(w)-1] == '"'
	if quoted {
		w = w[1 : len(w)-1]
	}
	for i := 0; i < len(w); i++ {
		c := w[i]
		switch {
		case c == '\\':
			v, n, err := unescape(w[i:])
			if err != nil {
				p.odd = true
				return
			}
			c = v
			i += n - 1
		case c == '"', c < ' ', !quoted && (c == ' ' || isSpecial(c)):
			p.odd = true
			return
		}
		p.out = append(p.out, c)
	}
}

// caa reads flags, tag and value (RFC 8659 section 4.1.1).
func (p *plain) caa() {
	p.numbers(1)
	tag := p.word()
	for _, c := range tag {
		p.odd = p.odd || !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z')
	}
	p.odd = p.odd || len(tag) == 0 || len(tag) > 15
	p.out = append(append(p.out, byte(len(tag))), tag...)
	value := p.word()
	p.odd = p.odd || len(value) > 255
	p.text(value)
}

// dnssec reads the types that signing adds (RFC 4034, 5155, 7344).
func (p *plain) dnssec(t Type) {
	switch t {
	case TypeDS, TypeCDS:
		p.numbers(2, 1, 1)
		p.hex()
	case TypeDNSKEY, TypeCDNSKEY:
		p.numbers(2, 1, 1)
		p.base64()
	case TypeRRSIG:
		p.typ()
		p.numbers(1, 1, 4)
		p.time()
		p.time()
		p.numbers(2)
		p.name()
		p.base64()
	case TypeNSEC:
		p.name()
		p.types()
	case TypeNSEC3:
		p.numbers(1, 1, 2)
		p.salt()
		p.hash()
		p.types()
	case TypeNSEC3PARAM:
		p.numbers(1, 1, 2)
		p.salt()
	default:
		p.odd = true
	}
}

// plainType reads the mnemonic of a type, in any case.
func plainType(w []byte) (Type, bool) {
	var upper [10]byte
	if len(w) > len(upper) {
		return 0, false
	}
	for i, c := range w {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	t, ok := mdns.StringToType[string(upper[:len(w)])]
	return Type(t), ok && !Type(t).IsMeta()
}

// maxPlainTypes is the most types of a bitmap that is plain.
const maxPlainTypes = 64

// types reads the words that are left as a type bitmap (RFC 4034 section
// 4.1.2). The order that they stand there in does not matter.
func (p *plain) types() {
	var list [maxPlainTypes]Type
	if len(p.words) == 0 || len(p.words) > len(list) {
		p.odd = true
		return
	}
	types := list[:len(p.words)]
	for i := range types {
		t, ok := plainType(p.word())
		if !ok {
			p.odd = true
			return
		}
		types[i] = t
	}
	slices.Sort(types)
	p.out = appendBitmap(p.out, types)
}

// appendBitmap writes a type bitmap of types in order.
func appendBitmap(dst []byte, types []Type) []byte {
	window, head := -1, 0 // the window, and where its two octets stand
	for _, t := range types {
		if int(t>>8) != window {
			window, head = int(t>>8), len(dst)
			dst = append(dst, byte(window), 0)
		}
		at := head + 2 + int(t&0xff)/8
		for len(dst) <= at {
			dst = append(dst, 0)
		}
		dst[at] |= 0x80 >> (t & 7)
		dst[head+1] = byte(len(dst) - head - 2)
	}
	return dst
}
