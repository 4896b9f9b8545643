package zone

import (
	"bytes"
	"encoding/binary"

	"github.com/network-utopia/utopia/dns"
)

// Plain is what a zone says to a plain question, ready to be copied. The zero
// Plain means that the question is not plain: Lookup knows more.
type Plain struct {
	Found Found
	// Records are those of the answer section, each with a compression pointer to
	// the question's name as its owner; Count is how many.
	Records []byte
	Count   int
	// Signatures are the RRSIG records beside them, where they were asked for.
	Signatures      []byte
	SignaturesCount int
	// Proved says that behind a denial comes its proof, for AppendProof to write.
	Proved bool
	// Below is how many octets of the name stand before that of the wildcard's
	// parent, where a wildcard answers; otherwise 0.
	Below int
}

// Found says what a plain question found.
type Found uint8

// What a plain question can find.
const (
	NotPlain Found = iota
	Records        // the name owns records of the type
	NoData         // the name exists and owns none
	NoName         // the name does not exist
)

// FindWire is Find for a name in lower case as it stands in a message. It
// allocates nothing.
func (s *Set) FindWire(name []byte) *Zone {
	if s == nil || len(s.zones) == 0 {
		return nil
	}
	for i := 0; ; i += 1 + int(name[i]) {
		if z, ok := s.zones[dns.Name(name[i:])]; ok || name[i] == 0 {
			return z
		}
	}
}

// Plain answers a question about a name at or below the apex, in lower case and
// wire form, when no delegation, alias or hash has to do with it. With
// signed it gives signatures as well. It allocates nothing.
func (z *Zone) Plain(name []byte, t dns.Type, signed bool) Plain {
	var buf [maxKey]byte
	key := appendKey(buf[:0], name, len(z.apex))
	if z.count.redirects > 0 && z.hidden(key) {
		return Plain{}
	}
	if z.hashedOwner(key) {
		return Plain{}
	}
	var c cursor
	if c.seek(z.root, key) {
		it, _ := c.at()
		if z.count.redirects > 0 && z.node(it).isCut() {
			return Plain{}
		}
		return z.plainNode(it.body, t, signed)
	}
	signed = signed && z.signed
	encloser := c.encloser(key)
	switch {
	case signed && !z.nsec:
		return Plain{} // a proof by hashes is not plain
	case len(encloser) == len(key):
		return Plain{Found: NoData, Proved: signed}
	}
	if n, ok := z.wildcard(encloser); ok {
		if signed {
			return Plain{}
		}
		p := z.plainNode(n.body, t, false)
		p.Below = octetsBelow(name, bytes.Count(key, []byte{labelEnd})-bytes.Count(encloser, []byte{labelEnd}))
		return p
	}
	return Plain{Found: NoName, Proved: signed}
}

// octetsBelow is how many octets the first labels of a name take.
func octetsBelow(name []byte, labels int) int {
	n := 0
	for range labels {
		n += 1 + int(name[n])
	}
	return n
}

// hidden says whether a name above is a delegation or owns a DNAME.
func (z *Zone) hidden(key []byte) bool {
	if z.topDNAME && len(key) > 0 {
		return true
	}
	for end := labelOf(key, 0); end < len(key); end = labelOf(key, end) {
		if n, ok := z.get(key[:end]); ok && (n.isCut() || n.Has(dns.TypeDNAME)) {
			return true
		}
	}
	return false
}

// plainNode answers from what a name owns.
func (z *Zone) plainNode(body []byte, t dns.Type, signed bool) Plain {
	if s := findSet(body, t); s != nil {
		p := Plain{Found: Records, Records: s.records(), Count: s.count()}
		if signed {
			p.addSignatures(body, t)
		}
		return p
	}
	signed = signed && z.signed
	if findSet(body, dns.TypeCNAME) != nil || signed && !z.nsec {
		return Plain{}
	}
	return Plain{Found: NoData, Proved: signed}
}

// addSignatures adds the RRSIG records that cover a type: those of one type
// stand together, for the type covered is what their data begin with.
func (p *Plain) addSignatures(body []byte, t dns.Type) {
	s := findSet(body, dns.TypeRRSIG)
	if s == nil {
		return
	}
	rest := s.records()
	for len(rest) > 0 {
		end := recordHead + int(binary.BigEndian.Uint16(rest[recordHead-2:]))
		if covered := dns.Type(binary.BigEndian.Uint16(rest[recordHead:])); covered == t {
			if p.Signatures == nil {
				p.Signatures = rest[:0]
			}
			p.Signatures = p.Signatures[:len(p.Signatures)+end]
			p.SignaturesCount++
		}
		rest = rest[end:]
	}
}

// denial is the SOA record of negative answers (RFC 2308 section 3) with holes
// for pointers to the apex in the question: its names end with those where they
// are in the zone.
type denial struct {
	head  [8]byte // type, class, TTL
	names [2]struct {
		labels []byte // with the final zero octet when not in the zone
		inZone bool
	}
	tail [20]byte // serial and times
}

func makeDenial(z *Zone) denial {
	var d denial
	set := findSet(z.Top().body, dns.TypeSOA)
	if set == nil {
		return d
	}
	binary.BigEndian.PutUint16(d.head[:], uint16(dns.TypeSOA))
	binary.BigEndian.PutUint16(d.head[2:], uint16(dns.ClassIN))
	binary.BigEndian.PutUint32(d.head[4:], min(set.ttl(), z.soa.Minimum))
	for i, n := range [...]dns.Name{z.soa.MName, z.soa.RName} {
		d.names[i].labels = []byte(n)
		if z.apex != dns.Root && n.IsSubdomainOf(z.apex) {
			d.names[i].labels, d.names[i].inZone = []byte(n[:len(n)-len(z.apex)]), true
		}
	}
	data := set.first()
	copy(d.tail[:], data[len(data)-len(d.tail):])
	return d
}

// AppendDenial appends the SOA record that a negative answer has in its
// authority section. The name that was asked for stands behind the header of
// the message, and has nameLen octets.
func (z *Zone) AppendDenial(dst []byte, nameLen int) []byte {
	d := &z.denial
	apex := 0xc000 | uint16(dns.HeaderLen+nameLen-len(z.apex))
	dst = binary.BigEndian.AppendUint16(dst, apex)
	dst = append(dst, d.head[:]...)
	dst = append(dst, 0, 0)
	start := len(dst)
	for i := range d.names {
		dst = append(dst, d.names[i].labels...)
		if d.names[i].inZone {
			dst = binary.BigEndian.AppendUint16(dst, apex)
		}
	}
	dst = append(dst, d.tail[:]...)
	binary.BigEndian.PutUint16(dst[start-2:], uint16(len(dst)-start))
	return dst
}
