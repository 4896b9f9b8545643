package zone

import (
	"bytes"
	"encoding/binary"

	"github.com/network-utopia/utopia/dns"
)

// AppendProof appends what stands behind AppendDenial's record when a Plain
// answer is Proved, and says how many records it is: the signatures of that
// record, then the NSEC records that cover the name and, where it does not
// exist, the wildcard (RFC 4035 section 3.1.3), each with its signatures. The
// name is as Plain got it, and stands behind the header of the message. It
// allocates nothing.
func (z *Zone) AppendProof(dst, name []byte, p Plain) (out []byte, count int) {
	apex := 0xc000 | uint16(dns.HeaderLen+len(name)-len(z.apex))
	top, _ := z.get(nil)
	start := len(dst)
	dst, count = appendCovering(dst, top.body, dns.TypeSOA, nil, apex)
	for at := start; at < len(dst); {
		// The apex as a pointer takes the two octets of the pointer to the question.
		ttl := dst[at+6:]
		binary.BigEndian.PutUint32(ttl, min(binary.BigEndian.Uint32(ttl), z.soa.Minimum))
		at += recordHead + int(binary.BigEndian.Uint16(dst[at+recordHead-2:]))
	}
	var buf [maxKey]byte
	key := appendKey(buf[:0], name, len(z.apex))
	covering := z.nsecAt(key)
	dst, n := appendLink(dst, covering, apex)
	count += n
	if p.Found != NoName {
		return dst, count
	}
	var c cursor
	c.seek(z.root, key)
	var other [maxKey + 2]byte
	wildcard := append(append(other[:0], c.encloser(key)...), '*', labelEnd)
	if at := z.nsecAt(wildcard); !bytes.Equal(at.key, covering.key) {
		dst, n = appendLink(dst, at, apex)
		count += n
	}
	return dst, count
}

// nsecAt gives the name that owns an NSEC record at a key or before it.
func (z *Zone) nsecAt(key []byte) item {
	var c cursor
	exact := c.seek(z.root, key)
	for exact || c.prev() {
		exact = false
		if it, ok := c.at(); ok && findSet(it.body, dns.TypeNSEC) != nil {
			return it
		}
	}
	return item{}
}

// appendLink appends the NSEC record of a name and its signatures.
func appendLink(dst []byte, it item, apex uint16) (out []byte, count int) {
	set := findSet(it.body, dns.TypeNSEC)
	if set == nil {
		return dst, 0
	}
	var buf [dns.MaxNameLen]byte
	own := it.body[1 : 1+int(it.body[0])]
	if len(own) == 0 {
		own = appendNameOfKey(buf[:0], it.key)
	}
	dst = appendOwned(dst, set.records(), own, apex)
	dst, count = appendCovering(dst, it.body, dns.TypeNSEC, own, apex)
	return dst, set.count() + count
}

// appendCovering appends the RRSIG records of a body that cover a type.
func appendCovering(dst, body []byte, t dns.Type, own []byte, apex uint16) (out []byte, count int) {
	var p Plain
	p.addSignatures(body, t)
	return appendOwned(dst, p.Signatures, own, apex), p.SignaturesCount
}

// appendOwned appends records with other owners than the question's name: labels
// and then a pointer to the apex in it.
func appendOwned(dst, records, own []byte, apex uint16) []byte {
	for len(records) > 0 {
		end := recordHead + int(binary.BigEndian.Uint16(records[recordHead-2:]))
		dst = binary.BigEndian.AppendUint16(append(dst, own...), apex)
		dst = append(dst, records[2:end]...)
		records = records[end:]
	}
	return dst
}
