package dns

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"slices"

	mdns "github.com/miekg/dns"
)

// security reads the types that signing adds (RFC 4034, 5155, 7344), and those
// that say whom to trust.
func (p *plain) security(t Type) {
	switch t {
	case TypeDS, TypeCDS:
		p.numbers(2)
		p.algorithm()
		p.numbers(1)
		p.hex()
	case TypeDNSKEY, TypeCDNSKEY:
		p.numbers(2, 1)
		p.algorithm()
		p.base64()
	case TypeRRSIG:
		p.typ()
		p.algorithm()
		p.numbers(1, 4)
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
	case TypeCAA:
		p.caa()
	case TypeTLSA:
		p.numbers(1, 1, 1)
		p.hex()
	case TypeSSHFP:
		p.numbers(1, 1)
		p.hex()
	default:
		p.odd = true
	}
}

// algorithm reads the number or the mnemonic of an algorithm (RFC 4034 appendix
// A.1).
func (p *plain) algorithm() {
	if len(p.words) > 0 {
		if v, ok := mdns.StringToAlgorithm[string(p.words[0])]; ok {
			p.words = p.words[1:]
			p.out = append(p.out, v)
			return
		}
	}
	p.numbers(1)
}

// plainType reads the mnemonic of a type in any case, or TYPE123.
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
	if digits, generic := bytes.CutPrefix(upper[:len(w)], []byte("TYPE")); !ok && generic {
		v, plain := plainNumber(digits)
		t, ok = uint16(v), plain && v>>16 == 0
	}
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

// typ reads one type.
func (p *plain) typ() {
	t, ok := plainType(p.word())
	p.odd = p.odd || !ok
	p.out = binary.BigEndian.AppendUint16(p.out, uint16(t))
}

// base64 reads the words that are left as base64 with its padding, at least
// one octet of it (RFC 4648 section 4). The words may end anywhere.
func (p *plain) base64() {
	n := 0
	for _, w := range p.words {
		n += len(w)
	}
	if n == 0 {
		p.odd = true
		return
	}
	// The text is gathered behind the place of what it stands for.
	size := base64.StdEncoding.DecodedLen(n)
	at := len(p.out)
	p.out = slices.Grow(p.out, size+n)
	text := p.out[at+size : at+size]
	for len(p.words) > 0 {
		text = append(text, p.word()...)
	}
	size, err := base64.StdEncoding.Decode(p.out[at:at+size], text)
	p.odd = p.odd || err != nil || size == 0
	p.out = p.out[:at+size]
}

// time reads a time of a signature as YYYYMMDDHHmmSS in UTC, or as seconds
// (RFC 4034 section 3.2).
func (p *plain) time() {
	w := p.word()
	v, ok := plainNumber(w)
	if len(w) == 14 {
		v, ok = plainTime(w)
	}
	p.odd = p.odd || !ok || v>>32 != 0
	p.out = binary.BigEndian.AppendUint32(p.out, uint32(v))
}

// plainTime reads YYYYMMDDHHmmSS of the years 1970 to 2105, which 32 bits
// hold, as seconds.
func plainTime(w []byte) (uint64, bool) {
	field := func(from, to, least, most int) (int, bool) {
		v, ok := plainNumber(w[from:to])
		return int(v), ok && int(v) >= least && int(v) <= most
	}
	year, ok0 := field(0, 4, 1970, 2105)
	month, ok1 := field(4, 6, 1, 12)
	day, ok2 := field(6, 8, 1, 31)
	hour, ok3 := field(8, 10, 0, 23)
	minute, ok4 := field(10, 12, 0, 59)
	second, ok5 := field(12, 14, 0, 59)
	if !ok0 || !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || day > daysIn(year, month) {
		return 0, false
	}
	days := daysBefore(year, month) + day - 1
	return uint64(((days*24+hour)*60+minute)*60 + second), true
}

func isLeap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func daysIn(year, month int) int {
	switch {
	case month == 2 && isLeap(year):
		return 29
	case month == 2:
		return 28
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	}
	return 31
}

// daysBefore counts the days from 1970 to the beginning of a month.
func daysBefore(year, month int) int {
	y := year - 1
	days := 365*(year-1970) + (y/4 - 1969/4) - (y/100 - 1969/100) + (y/400 - 1969/400)
	for m := 1; m < month; m++ {
		days += daysIn(year, m)
	}
	return days
}

// salt reads an even number of hexadecimal digits, or - for none (RFC 5155
// section 3.3).
func (p *plain) salt() {
	w := p.word()
	if len(w) == 1 && w[0] == '-' {
		p.out = append(p.out, 0)
		return
	}
	p.out = append(p.out, byte(len(w)/2))
	digits := p.hexWord(w, 0)
	p.odd = p.odd || digits == 0 || digits%2 == 1 || digits > 2*255
}

// hash reads the hash of the next owner, in base32 with the extended alphabet
// and without padding (RFC 5155 section 3.3).
func (p *plain) hash() {
	w := p.word()
	length := len(p.out)
	p.out = append(p.out, 0)
	var bits, have uint
	for _, c := range w {
		v := c - '0'
		if !isDigit(c) {
			if c |= 0x20; c < 'a' || c > 'v' {
				p.odd = true
				return
			}
			v = c - 'a' + 10
		}
		bits = bits<<5 | uint(v)
		if have += 5; have >= 8 {
			have -= 8
			p.out = append(p.out, byte(bits>>have))
			bits &= 1<<have - 1
		}
	}
	size := len(p.out) - length - 1
	// No bit is left over, nor a character that holds none.
	p.odd = p.odd || size == 0 || size > 255 || bits != 0 || have >= 5
	p.out[length] = byte(size)
}
