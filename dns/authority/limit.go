package authority

import (
	"slices"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/ratelimit"
	"github.com/network-utopia/utopia/dns/zone"
)

// decide has the rate limit decide over a response. Whoever has a connection or
// a good cookie is not limited: its address is its own.
func (x *exchange) decide(class ratelimit.Class, key uint64) ratelimit.Verdict {
	if x.unlimited() {
		return ratelimit.Send
	}
	return x.opts.Limit.Decide(x.now, x.client.Addr, class, key)
}

func (x *exchange) unlimited() bool {
	return x.opts.Limit == nil || x.client.MaxUDP == Stream || x.state.Proves() || x.opts.Limit.Exempt(x.client.Addr)
}

// limit decides over m, and makes it what is sent in its place.
func (x *exchange) limit(set *zone.Set, q, m *dns.Message) Outcome {
	if x.unlimited() {
		return Answered
	}
	class, name := classify(set, q, m)
	key := uint64(m.Rcode)
	if class != ratelimit.Error {
		key = x.opts.Limit.Key(string(name))
	}
	switch x.decide(class, key) {
	case ratelimit.Drop:
		return Dropped
	case ratelimit.Slip:
		return x.slip(m)
	}
	return Answered
}

// slip empties a response. A client that knows cookies is told to come again
// with the one that it gets (RFC 7873 section 5.2.3), any other to come over
// TCP.
func (x *exchange) slip(m *dns.Message) Outcome {
	m.Answer, m.Authority, m.Additional = nil, nil, nil
	if x.cookie != nil {
		m.Rcode, m.Authoritative = dns.RcodeBadCookie, false
		return BadCookie
	}
	m.Truncated = true
	return Slipped
}

// classify says what kind of response m is, and which name it is counted by.
func classify(set *zone.Set, q, m *dns.Message) (ratelimit.Class, dns.Name) {
	class := ratelimit.NoData
	switch {
	case m.Rcode == dns.RcodeNXDomain:
		class = ratelimit.NXDomain
	case m.Rcode != dns.RcodeSuccess || len(q.Question) != 1:
		return ratelimit.Error, dns.Root
	case len(m.Answer) > 0:
		return positive(set, q.Question[0], m.Answer[0])
	}
	for _, rr := range m.Authority {
		switch rr.Type {
		case dns.TypeSOA:
			return class, rr.Name
		case dns.TypeNS:
			return ratelimit.Referral, rr.Name
		}
	}
	return class, dns.Root
}

// positive tells an answer that stands in the zone from one for a name that
// anybody can make up, below a wildcard or a DNAME.
func positive(set *zone.Set, ask dns.Question, first dns.RR) (ratelimit.Class, dns.Name) {
	if first.Type == dns.TypeDNAME {
		return ratelimit.Synthesized, first.Name
	}
	if z := set.FindFor(ask.Name, ask.Type); z != nil {
		if m := z.Lookup(ask.Name); m.Kind == zone.Wildcard {
			return ratelimit.Synthesized, m.Node.Name().Parent()
		}
	}
	return ratelimit.Positive, ask.Name
}

// turn says how far the addresses of an answer are rotated. A query's ID is at
// random, so no count need be kept. Below HTTP it is 0 (RFC 8484 section 4.1):
// there the time does.
func (x *exchange) turn(id uint16) int {
	if id == 0 {
		return int(x.now.UnixNano() / int64(time.Microsecond) & 0xffff)
	}
	return int(id)
}

// rotate moves the records of each set of addresses by turn places to the
// front: the record that was at place i is then at i-turn, counted around.
func rotate(rrs []dns.RR, turn int) {
	for len(rrs) > 0 {
		n := 1
		for n < len(rrs) && rrs[n].SameSet(rrs[0]) {
			n++
		}
		if n > 1 && (rrs[0].Type == dns.TypeA || rrs[0].Type == dns.TypeAAAA) {
			k := turn % n
			slices.Reverse(rrs[:k])
			slices.Reverse(rrs[k:n])
			slices.Reverse(rrs[:n])
		}
		rrs = rrs[n:]
	}
}
