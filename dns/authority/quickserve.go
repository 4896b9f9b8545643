package authority

import (
	"encoding/binary"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/ratelimit"
	"github.com/network-utopia/utopia/dns/zone"
)

// quick is the fast lane with what a Responder adds: it reads the options, asks
// the limit before it writes, and adds options behind. When the query is not
// plain, ok is false and dst as it was, and the limit was not asked.
func (x *exchange) quick(set *zone.Set, dst, query []byte) (out []byte, o Outcome, ok bool) {
	var q plainQuery
	if !q.read(query) || !x.readWire(q.options) || x.badCookieLen || !q.find(set) {
		return dst, 0, false
	}
	x.zone = q.zone
	out = q.answer(dst)
	if len(out)-len(dst) > q.limit(x.client.MaxUDP)-x.reserve() {
		return dst, 0, false // what to leave out is not for this lane to say
	}
	switch x.quickDecide(&q) {
	case ratelimit.Drop:
		return dst, Dropped, true
	case ratelimit.Slip:
		out, o = x.quickSlip(&q, dst)
	default:
		if x.opts.Rotate {
			x.quickRotate(&q, out[len(dst):])
		}
	}
	if q.edns {
		out = x.addOptions(out, len(dst), optLen)
	}
	return out, o, true
}

// quickDecide is decide with the class and the key that classify gives.
func (x *exchange) quickDecide(q *plainQuery) ratelimit.Verdict {
	if x.unlimited() {
		return ratelimit.Send
	}
	l := x.opts.Limit
	switch {
	case q.found.Found == zone.NoName:
		return x.decide(ratelimit.NXDomain, l.Key(string(q.zone.Apex())))
	case q.found.Found == zone.NoData:
		return x.decide(ratelimit.NoData, l.Key(string(q.zone.Apex())))
	case q.found.Below > 0:
		return x.decide(ratelimit.Synthesized, l.KeyBytes(q.lower[q.found.Below:q.nameLen]))
	}
	return x.decide(ratelimit.Positive, l.KeyBytes(q.lower[:q.nameLen]))
}

// quickSlip writes the response that slip leaves over.
func (x *exchange) quickSlip(q *plainQuery, dst []byte) ([]byte, Outcome) {
	start := len(dst)
	dst = append(dst, q.wire[:dns.HeaderLen+q.nameLen+4]...)
	if q.edns {
		dst = q.appendOPT(dst)
	}
	h, o := dst[start:], Slipped
	flags := binary.BigEndian.Uint16(h[2:])&(1<<8|1<<4) | 1<<15
	if x.cookie != nil {
		o = BadCookie
		flags |= uint16(dns.RcodeBadCookie & 15)
		h[len(h)-optLen+5] = byte(dns.RcodeBadCookie >> 4)
	} else {
		flags |= 1<<10 | 1<<9
		if q.found.Found == zone.NoName {
			flags |= uint16(dns.RcodeNXDomain)
		}
	}
	binary.BigEndian.PutUint16(h[2:], flags)
	return dst, o
}

// quickRotate is rotate for the records of an answer as they stand in a message:
// all have the same size.
func (x *exchange) quickRotate(q *plainQuery, message []byte) {
	if q.found.Found != zone.Records || q.found.Count < 2 || q.kind != dns.TypeA && q.kind != dns.TypeAAAA {
		return
	}
	records := q.found.Records
	cut := len(records) / q.found.Count * (x.turn(binary.BigEndian.Uint16(message)) % q.found.Count)
	answer := message[dns.HeaderLen+q.nameLen+4:]
	n := copy(answer, records[cut:])
	copy(answer[n:], records[:cut])
}
