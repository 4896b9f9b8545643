package authority

import (
	"encoding/binary"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// The fast lane reads the plainest form of the common question, and answers it
// by copying what the zone has ready. Whatever is not plainest it leaves to the
// full lane. The two are held to the same answers by FuzzLanes; the fast lane
// may be deleted, and nothing but speed is lost.

// plainQuery is a query of the plainest form: one question of class IN, in a
// name that is not compressed, and perhaps an OPT record.
type plainQuery struct {
	wire    []byte
	nameLen int
	lower   [dns.MaxNameLen]byte // the name in lower case
	kind    dns.Type
	edns    bool
	do      bool
	size    int    // the most octets that the client takes
	options []byte // of the OPT record

	zone  *zone.Zone
	found zone.Plain
}

// The bits of a header that a plain query may have set: RD, CD and AD.
const plainBits = 1<<8 | 1<<4 | 1<<5

// optLen is the octets of an OPT record without options.
const optLen = 11

func (q *plainQuery) read(wire []byte) bool {
	if len(wire) < dns.HeaderLen+5 ||
		binary.BigEndian.Uint16(wire[2:])&^plainBits != 0 ||
		binary.BigEndian.Uint32(wire[4:]) != 1<<16 || // one question, no answer
		binary.BigEndian.Uint32(wire[8:]) > 1 { // no authority, at most one additional record
		return false
	}
	q.wire = wire
	end, ok := q.readName()
	if !ok || len(wire) < end+4 || binary.BigEndian.Uint16(wire[end+2:]) != uint16(dns.ClassIN) {
		return false
	}
	q.kind = dns.Type(binary.BigEndian.Uint16(wire[end:]))
	q.size = dns.MinUDPSize
	rest := wire[end+4:]
	q.edns = wire[11] == 1
	if !q.edns {
		return len(rest) == 0
	}
	return q.readOPT(rest)
}

// readName reads the name in the question, and says where it ends.
func (q *plainQuery) readName() (end int, ok bool) {
	at := dns.HeaderLen
	for {
		if at >= len(q.wire) {
			return 0, false
		}
		size := int(q.wire[at])
		if size == 0 {
			break
		}
		next := at + 1 + size
		if size > dns.MaxLabelLen || next >= len(q.wire) || next-dns.HeaderLen >= dns.MaxNameLen {
			return 0, false
		}
		at = next
	}
	at++
	q.nameLen = at - dns.HeaderLen
	for i, c := range q.wire[dns.HeaderLen:at] {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		q.lower[i] = c
	}
	return at, true
}

// readOPT reads an OPT record of version 0.
func (q *plainQuery) readOPT(opt []byte) bool {
	if len(opt) < optLen || opt[0] != 0 || binary.BigEndian.Uint16(opt[1:]) != uint16(dns.TypeOPT) ||
		opt[5] != 0 || opt[6] != 0 || len(opt) != optLen+int(binary.BigEndian.Uint16(opt[9:])) {
		return false
	}
	q.options = opt[optLen:]
	q.size = max(q.size, int(binary.BigEndian.Uint16(opt[3:])))
	q.do = opt[7]&0x80 != 0
	return true
}

// plainTypes says for which types a positive answer is the records alone: no
// other section has anything to add.
func plainType(t dns.Type) bool {
	switch t {
	case dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypePTR, dns.TypeCAA, dns.TypeTLSA, dns.TypeSSHFP, dns.TypeDNSKEY:
		return true
	}
	return false
}

// quick answers a plain query without options behind dst; when it is not plain,
// ok is false and dst as it was. It allocates nothing but room behind dst.
func quick(set *zone.Set, dst, query []byte, maxUDP int) (out []byte, ok bool) {
	var q plainQuery
	if !q.read(query) || len(q.options) > 0 || !q.find(set) {
		return dst, false
	}
	out = q.answer(dst)
	if len(out)-len(dst) > q.limit(maxUDP) {
		return dst, false // what to leave out is not for this lane to say
	}
	return out, true
}

// find looks up what was asked; false when that is not plain.
func (q *plainQuery) find(set *zone.Set) bool {
	if q.kind.IsMeta() || q.kind == dns.TypeDS {
		return false
	}
	name := q.lower[:q.nameLen]
	if q.zone = set.FindWire(name); q.zone == nil {
		return false
	}
	q.found = q.zone.Plain(name, q.kind, q.do)
	return q.found.Found != zone.NotPlain && (q.found.Found != zone.Records || plainType(q.kind))
}

func (q *plainQuery) limit(maxUDP int) int {
	if maxUDP == Stream {
		return dns.MaxMessageLen
	}
	return min(q.size, max(maxUDP, dns.MinUDPSize))
}

// answer writes the response.
func (q *plainQuery) answer(dst []byte) []byte {
	start, p := len(dst), q.found
	dst = append(dst, q.wire[:dns.HeaderLen+q.nameLen+4]...)
	h := dst[start:]
	flags := binary.BigEndian.Uint16(h[2:])&(1<<8|1<<4) | 1<<15 | 1<<10 // RD and CD, QR and AA
	answers, authorities, additional := p.Count+p.SignaturesCount, 0, 0
	if p.Found == zone.Records {
		dst = append(append(dst, p.Records...), p.Signatures...)
	} else {
		if p.Found == zone.NoName {
			flags |= uint16(dns.RcodeNXDomain)
		}
		dst = q.zone.AppendDenial(dst, q.nameLen)
		authorities = 1
		if p.Proved {
			var n int
			dst, n = q.zone.AppendProof(dst, q.lower[:q.nameLen], p)
			authorities += n
		}
	}
	if q.edns {
		dst = q.appendOPT(dst)
		additional = 1
	}
	h = dst[start:]
	binary.BigEndian.PutUint16(h[2:], flags)
	binary.BigEndian.PutUint16(h[6:], uint16(answers))
	binary.BigEndian.PutUint16(h[8:], uint16(authorities))
	binary.BigEndian.PutUint16(h[10:], uint16(additional))
	return dst
}

// appendOPT appends our OPT record; the DO bit is copied (RFC 3225 section 3).
func (q *plainQuery) appendOPT(dst []byte) []byte {
	do := byte(0)
	if q.do {
		do = 0x80
	}
	return append(dst, 0, 0, byte(dns.TypeOPT), DefaultUDPSize>>8, DefaultUDPSize&0xff, 0, 0, do, 0, 0, 0)
}
