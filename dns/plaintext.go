package dns

import "net/netip"

// strings reads the words that are left as character strings (RFC 1035 section
// 3.3).
func (p *plain) strings() {
	p.odd = len(p.words) == 0
	for len(p.words) > 0 && !p.odd {
		p.string()
	}
}

// string reads one character string of not more than 255 octets. In TXT records
// miekg/dns cuts longer ones up.
func (p *plain) string() {
	length := len(p.out)
	p.out = append(p.out, 0)
	p.text(p.word())
	size := len(p.out) - length - 1
	p.odd = p.odd || size > 255
	p.out[length] = byte(size)
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
	p.odd = p.odd || !isCAATag(tag) || len(tag) > 15
	p.out = append(append(p.out, byte(len(tag))), tag...)
	value := p.word()
	p.odd = p.odd || len(value) > 255
	p.text(value)
}

// others reads types that ParseData would take too much of, or too little.
func (p *plain) others(t Type) {
	switch t {
	case TypeNAPTR:
		p.numbers(2, 2)
		p.string()
		p.string()
		p.string()
		p.name()
	case TypeHINFO:
		p.string()
		p.string()
	case TypeISDN: // the second string may be left out: RFC 1183 section 3.2
		p.string()
		if len(p.words) > 0 {
			p.string()
		}
	case TypeAMTRELAY:
		p.relay()
	}
	p.odd = p.odd || len(p.words) > 0
}

// relay reads an AMTRELAY record (RFC 8777 section 4.3).
func (p *plain) relay() {
	p.numbers(1)
	optional, ok := plainNumber(p.word())
	kind, ok2 := plainNumber(p.word())
	p.odd = p.odd || !ok || !ok2 || optional > 1
	p.out = append(p.out, byte(optional<<7|kind))
	switch kind {
	case 0:
		w := p.word()
		p.odd = p.odd || len(w) != 1 || w[0] != '.'
	case 1, 2:
		addr, err := netip.ParseAddr(string(p.word()))
		p.odd = p.odd || err != nil || addr.Is4() != (kind == 1) || addr.Zone() != ""
		p.out = append(p.out, addr.AsSlice()...)
	case 3:
		p.anyName(p.word())
	default:
		p.odd = true // it has no form but the generic one
	}
}
