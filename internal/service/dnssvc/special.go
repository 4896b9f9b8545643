package dnssvc

import (
	"bytes"
	"context"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/authority"
	"github.com/network-utopia/utopia/dns/dnsserver"
)

// What is answered here and not by authority.Responder: updates, notifications,
// transfers, and what is signed.

// isSpecial says whether a message is one of these, at a glance: its opcode, the
// type of its question, or octets that stand in every TSIG record (RFC 8945
// section 4.2: type TSIG, class ANY, TTL 0). A plain query that has those too
// takes the long way, and gets the same answer.
func isSpecial(query []byte) bool {
	switch dns.Opcode(query[2] >> 3 & 0xf) {
	case dns.OpcodeUpdate, dns.OpcodeNotify:
		return true
	case dns.OpcodeQuery:
	default:
		return false
	}
	return isTransfer(query) || bytes.Contains(query[dns.HeaderLen:], []byte{0, byte(dns.TypeTSIG), 0, byte(dns.ClassANY), 0, 0, 0, 0})
}

// isTransfer says whether the type of the first question is AXFR or IXFR.
func isTransfer(query []byte) bool {
	i := dns.HeaderLen
	for i < len(query) && query[i] != 0 && query[i] <= dns.MaxLabelLen {
		i += 1 + int(query[i])
	}
	if i+2 >= len(query) || query[i] != 0 || query[2]&0x78 != 0 {
		return false
	}
	t := dns.Type(query[i+1])<<8 | dns.Type(query[i+2])
	return t == dns.TypeAXFR || t == dns.TypeIXFR
}

// Later implements dnsserver.LaterHandler: an update waits for a disk, and news of
// a change for whoever changes the zones at the moment.
func (f inForce) Later(query []byte, _ dnsserver.Client) bool {
	opcode := dns.Opcode(query[2] >> 3 & 0xf)
	return opcode == dns.OpcodeUpdate || opcode == dns.OpcodeNotify
}

// RespondLater implements dnsserver.LaterHandler. What has not begun when nobody
// waits for it any more is not begun.
func (f inForce) RespondLater(ctx context.Context, dst, query []byte, from dnsserver.Client) []byte {
	if ctx.Err() != nil {
		return dst
	}
	return f.special(f.s.current.Load(), dst, query, from, time.Now())
}

// special answers such a message. The limit on responses does not see it, so
// over UDP the guard's rate holds.
func (f inForce) special(st *state, dst, query []byte, from dnsserver.Client, now time.Time) []byte {
	if from.Transport == dnsserver.UDP && st.Guard != nil && !st.Guard.AllowAt(from.Remote.Addr(), now) {
		return dst
	}
	signer, answer, ok := st.verify(query, now)
	if !ok {
		return append(dst, answer...)
	}
	m, err := dns.Parse(query)
	if err != nil {
		h, _, _ := dns.ParseHeader(query) // there is one
		return signed(dst, (&dns.Message{Header: h}).Reply(dns.RcodeFormErr), signer, now, dns.MaxMessageLen)
	}
	st.tellZone(m, from)
	limit := responseLimit(m, from)
	switch {
	case m.Opcode == dns.OpcodeUpdate:
		return signed(dst, f.s.update(m, keyOf(signer)), signer, now, limit)
	case m.Opcode == dns.OpcodeNotify:
		return signed(dst, f.s.notified(st, m, from, keyOf(signer)), signer, now, limit)
	case authority.IsTransfer(m) && from.Transport == dnsserver.UDP:
		return f.transferUDP(st, dst, m, from, signer, limit)
	}
	return f.signedQuery(st, dst, query, m, from, signer, limit)
}

// responseLimit is how many octets a response may have.
func responseLimit(m *dns.Message, from dnsserver.Client) int {
	if from.MaxUDP == 0 {
		return dns.MaxMessageLen
	}
	limit := dns.MinUDPSize
	if m.EDNS != nil {
		limit = max(limit, int(m.EDNS.UDPSize))
	}
	return min(limit, from.MaxUDP)
}

// signedQuery answers a plain query that is signed: the answer is signed too,
// and truncated where it has no room then (RFC 8945 section 5.3).
func (f inForce) signedQuery(st *state, dst, query []byte, m *dns.Message, from dnsserver.Client, signer *dns.TSIGSigner, limit int) []byte {
	now := time.Now()
	out, outcome, z := st.protect.at(now).RespondFrom(st.set, nil, query, clientOf(from), now)
	if outcome != authority.Answered {
		st.Limited.count(outcome)
	}
	from.Tell(st.numbers[z], outcome > authority.Silent)
	if signer == nil || len(out) < dns.HeaderLen {
		return append(dst, out...)
	}
	if len(out)+signer.Size() > limit {
		r := m.Reply(dns.RcodeSuccess)
		r.Truncated = true
		return signed(dst, r, signer, now, dns.MaxMessageLen)
	}
	return sealed(dst, out, signer, now)
}

// failure makes a response that is a code, and where the client can read it,
// why.
func failure(m *dns.Message, code dns.Rcode, ede uint16) *dns.Message {
	r := m.Reply(code)
	if len(r.Question) > 1 {
		r.Question = r.Question[:1] // a small answer, whatever was sent
	}
	if m.EDNS != nil {
		r.EDNS = &dns.EDNS{UDPSize: authority.DefaultUDPSize, DO: m.EDNS.DO}
		if ede != 0 {
			r.EDNS.Options = append(r.EDNS.Options, dns.ExtendedError{Code: ede}.Option())
		}
	}
	return r
}
