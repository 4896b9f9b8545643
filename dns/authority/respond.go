package authority

import (
	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// Transport sizes.
const (
	// DefaultUDPSize is the most octets of a response over UDP, and what we say
	// in EDNS that we take: it passes everywhere without fragments (RFC 9715).
	DefaultUDPSize = 1232
	// Stream stands for a transport without a limit but that of a message.
	Stream = 0
)

// Respond reads a query, and writes the response behind dst. Over UDP maxUDP
// is the most octets that a response may take; the client's own limit, 512
// octets or what its EDNS says, counts as well. Over a stream maxUDP is Stream.
//
// It returns dst as it was when the octets deserve no answer: fewer than a
// header, or a response (RFC 1035 section 4.1.1, RFC 5625 section 4.2).
func Respond(set *zone.Set, dst, query []byte, maxUDP int) []byte {
	if out, ok := quick(set, dst, query, maxUDP); ok {
		return out
	}
	return respond(set, dst, query, maxUDP)
}

// respond is the full lane.
func respond(set *zone.Set, dst, query []byte, maxUDP int) []byte {
	h, _, err := dns.ParseHeader(query)
	if err != nil || h.Response {
		return dst
	}
	q, err := dns.Parse(query)
	if err != nil {
		return respondMalformed(dst, h)
	}
	r := Answer(set, q)
	out, err := r.Append(dst, sizeLimit(q, maxUDP))
	if err != nil {
		// The response holds what cannot be packed: the fault is ours.
		out, err = q.Reply(dns.RcodeServFail).Append(dst, sizeLimit(q, maxUDP))
		if err != nil {
			return dst
		}
	}
	return out
}

// respondMalformed answers a query that could not be read. Its question is not
// known, so the header stands alone. What has another opcode need not look
// like a query at all: it gets NOTIMP.
func respondMalformed(dst []byte, h dns.Header) []byte {
	code := dns.RcodeFormErr
	if h.Opcode != dns.OpcodeQuery {
		code = dns.RcodeNotImp
	}
	out, err := (&dns.Message{Header: h}).Reply(code).Append(dst, dns.MinUDPSize)
	if err != nil {
		return dst
	}
	return out
}

func sizeLimit(q *dns.Message, maxUDP int) int {
	if maxUDP == Stream {
		return dns.MaxMessageLen
	}
	size := dns.MinUDPSize
	if q.EDNS != nil {
		// RFC 6891 section 6.2.3: values below 512 are taken as 512.
		size = max(size, int(q.EDNS.UDPSize))
	}
	return min(size, max(maxUDP, dns.MinUDPSize))
}
