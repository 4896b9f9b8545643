package authority

import (
	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// MaxChain is the most aliases (CNAME and DNAME) that one answer follows. What
// comes after is for the client to ask.
const MaxChain = 16

// Answer makes the response to a query. It never returns nil; the caller sees
// to it that q is a query and no response.
func Answer(set *zone.Set, q *dns.Message) *dns.Message {
	r := q.Reply(dns.RcodeSuccess)
	if q.EDNS != nil {
		// RFC 3225 section 3: DO is copied. Without signatures it says no more.
		r.EDNS = &dns.EDNS{UDPSize: DefaultUDPSize, DO: q.EDNS.DO}
	}
	if code, ede := refusal(q); code != dns.RcodeSuccess {
		return fail(r, code, ede)
	}
	a := answerer{set: set, r: r, qtype: q.Question[0].Type}
	a.resolve(q.Question[0].Name)
	a.additional()
	return r
}

// fail makes r an error, with an extended error where the client can read it.
func fail(r *dns.Message, code dns.Rcode, ede uint16) *dns.Message {
	r.Rcode = code
	if r.EDNS != nil && ede != 0 {
		r.EDNS.Options = append(r.EDNS.Options, dns.ExtendedError{Code: ede}.Option())
	}
	return r
}

// refusal says why a query is not looked at any further, whatever its name.
func refusal(q *dns.Message) (code dns.Rcode, ede uint16) {
	switch {
	case q.Opcode != dns.OpcodeQuery:
		return dns.RcodeNotImp, dns.EDENotSupported
	case q.EDNS != nil && q.EDNS.Version > 0:
		return dns.RcodeBadVers, 0 // RFC 6891 section 6.1.3
	case len(q.Question) != 1:
		return dns.RcodeFormErr, 0 // RFC 9619 section 4
	case q.Question[0].Class != dns.ClassIN:
		return dns.RcodeRefused, dns.EDENotAuthoritative
	}
	switch q.Question[0].Type {
	case dns.TypeAXFR, dns.TypeIXFR:
		return dns.RcodeRefused, dns.EDEProhibited // RFC 5936 section 2.2.1
	case dns.TypeMAILA, dns.TypeMAILB, dns.TypeTKEY:
		return dns.RcodeNotImp, dns.EDENotSupported
	case 0, dns.TypeOPT, dns.TypeTSIG, dns.TypeNXNAME:
		return dns.RcodeFormErr, 0 // no question can be about these
	}
	return dns.RcodeSuccess, 0
}

// answerer is one answer in the making.
type answerer struct {
	set   *zone.Set
	r     *dns.Message
	qtype dns.Type
	chain int        // aliases followed so far
	glue  *zone.Zone // the zone that a referral came from
}

// resolve fills the answer and authority sections: RFC 1034 section 4.3.2,
// steps 2 to 4, once for each name of a chain of aliases.
func (a *answerer) resolve(name dns.Name) {
	for {
		z := a.set.FindFor(name, a.qtype)
		if z == nil {
			switch {
			case len(a.r.Answer) > 0:
			case a.set.Missing(name, a.qtype):
				fail(a.r, dns.RcodeServFail, dns.EDENotReady)
			default:
				fail(a.r, dns.RcodeRefused, dns.EDENotAuthoritative)
			}
			return // the chain leaves our zones: the client goes on
		}
		next, again := a.step(z, name)
		if !again {
			return
		}
		name = next
	}
}

// step answers for one name, and says which name it is an alias of.
func (a *answerer) step(z *zone.Zone, name dns.Name) (next dns.Name, again bool) {
	m := z.Lookup(name)
	if m.Kind == zone.Cut && !(a.qtype == dns.TypeDS && m.Node.Name().Equal(name)) {
		a.refer(z, m.Node)
		return "", false
	}
	if len(a.r.Answer) == 0 {
		a.r.Authoritative = true // RFC 1035 section 4.1.1: of the first name
	}
	switch m.Kind {
	case zone.Redirect:
		return a.redirect(m.Node, name)
	case zone.None:
		a.r.Rcode = dns.RcodeNXDomain
		a.negative(z)
		return "", false
	}
	// What stands at the cut itself beside DS belongs to the child.
	if m.Kind != zone.Cut {
		if a.qtype == dns.TypeANY {
			a.any(z, m.Node, name)
			return "", false
		}
		if alias, ok := m.Node.RRset(dns.TypeCNAME); ok && a.qtype != dns.TypeCNAME {
			return a.follow(alias, name)
		}
	}
	if s, ok := m.Node.RRset(a.qtype); ok {
		a.r.Answer = s.Append(a.r.Answer, name)
	} else {
		a.negative(z)
	}
	return "", false
}

// refer points at the servers of a delegated zone.
func (a *answerer) refer(z *zone.Zone, cut zone.Node) {
	ns, _ := cut.RRset(dns.TypeNS)
	a.r.Authority = ns.Append(a.r.Authority, cut.Name())
	a.glue = z
}

// mayFollow counts an alias, unless the chain is long enough or comes back to
// where it was.
func (a *answerer) mayFollow(name dns.Name) bool {
	a.chain++
	return a.chain <= MaxChain && !a.has(a.r.Answer, name, dns.TypeCNAME)
}

// follow adds a CNAME and gives its target.
func (a *answerer) follow(alias zone.RRset, name dns.Name) (next dns.Name, again bool) {
	if !a.mayFollow(name) {
		return "", false
	}
	a.r.Answer = alias.Append(a.r.Answer, name)
	return a.r.Answer[len(a.r.Answer)-1].Target()
}

// redirect applies a DNAME: it and a CNAME made from it (RFC 6672 section
// 3.1). When the new name gets too long the answer is YXDOMAIN.
func (a *answerer) redirect(node zone.Node, name dns.Name) (next dns.Name, again bool) {
	if !a.mayFollow(name) {
		return "", false
	}
	set, _ := node.RRset(dns.TypeDNAME)
	if !a.has(a.r.Answer, node.Name(), dns.TypeDNAME) {
		a.r.Answer = set.Append(a.r.Answer, node.Name())
	}
	next, err := name.ReplaceSuffix(node.Name(), dns.Name(set.Data[0]))
	if err != nil {
		a.r.Rcode = dns.RcodeYXDomain
		return "", false
	}
	a.r.Answer = append(a.r.Answer, dns.NameRR(name, set.TTL, dns.TypeCNAME, next))
	return next, a.qtype != dns.TypeCNAME && a.qtype != dns.TypeANY
}

// any gives one RRset (RFC 8482 section 4.1): enough to see that the name is
// there, too little to be worth an attack.
func (a *answerer) any(z *zone.Zone, node zone.Node, name dns.Name) {
	if sets := node.Sets(); len(sets) > 0 {
		a.r.Answer = sets[0].Append(a.r.Answer, name)
		return
	}
	a.negative(z)
}

// negative adds the SOA, which says for how long there is nothing (RFC 2308
// section 3).
func (a *answerer) negative(z *zone.Zone) {
	s, _ := z.Top().RRset(dns.TypeSOA)
	s.TTL = min(s.TTL, z.SOA().Minimum)
	a.r.Authority = s.Append(a.r.Authority, z.Top().Name())
}

// has says whether a section holds an RRset.
func (a *answerer) has(section []dns.RR, name dns.Name, t dns.Type) bool {
	for _, rr := range section {
		if rr.Type == t && rr.Name.Equal(name) {
			return true
		}
	}
	return false
}
