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
func Answer(set *zone.Set, q *dns.Message) *dns.Message { return answer(set, q, nil) }

// answer makes the response, and tells seen, where that is not nil, of each step.
func answer(set *zone.Set, q *dns.Message, seen func(Step)) *dns.Message {
	r := q.Reply(dns.RcodeSuccess)
	if q.EDNS != nil {
		// RFC 3225 section 3: DO is copied.
		r.EDNS = &dns.EDNS{UDPSize: DefaultUDPSize, DO: q.EDNS.DO}
	}
	if code, ede := refusal(q); code != dns.RcodeSuccess {
		if seen != nil {
			seen(Step{What: Refused, Code: code})
		}
		return fail(r, code, ede)
	}
	a := answerer{set: set, r: r, qtype: q.Question[0].Type, do: q.EDNS != nil && q.EDNS.DO, seen: seen}
	a.resolve(q.Question[0].Name)
	a.additional()
	a.sawSignatures()
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
	do    bool       // DNSSEC records are wanted (RFC 4035 section 3.1)
	chain int        // aliases followed so far
	glue  *zone.Zone // the zone that a referral came from
	seen  func(Step) // is told what happens; nil where nobody wants to know
}

// resolve fills the answer and authority sections: RFC 1034 section 4.3.2,
// steps 2 to 4, once for each name of a chain of aliases.
func (a *answerer) resolve(name dns.Name) {
	for {
		z := a.set.FindFor(name, a.qtype)
		a.sawZone(z, name)
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
	a.sawMatch(m, name)
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
		a.saw(Step{What: NoSuchName, Name: name})
		a.negative(z)
		a.proveNoName(z, m.Encloser, name)
		return "", false
	}
	if m.Kind == zone.Wildcard {
		a.proveWildcard(z, m.Encloser, name)
	}
	// What stands at the cut itself beside DS belongs to the child.
	if m.Kind != zone.Cut {
		if a.qtype == dns.TypeANY {
			a.any(z, m, name)
			return "", false
		}
		if m.Node.Has(dns.TypeCNAME) && a.qtype != dns.TypeCNAME {
			return a.follow(m.Node, name)
		}
	}
	if m.Node.Has(a.qtype) {
		a.sawFound(Found, m.Node, a.qtype, name)
		a.r.Answer = a.appendSet(a.r.Answer, m.Node, a.qtype, name)
	} else {
		a.noData(z, m, name)
	}
	return "", false
}

// appendSet appends what a node owns of a type, with its signatures where they
// are wanted: under the owner's name, or that which a wildcard stands for.
func (a *answerer) appendSet(dst []dns.RR, node zone.Node, t dns.Type, owner dns.Name) []dns.RR {
	set, _ := node.RRset(t)
	dst = set.Append(dst, owner)
	if a.do {
		dst = node.Signatures(t).Append(dst, owner)
	}
	return dst
}

// refer points at the servers of a delegated zone.
func (a *answerer) refer(z *zone.Zone, cut zone.Node) {
	ns, _ := cut.RRset(dns.TypeNS)
	a.saw(Step{What: Refers, Name: cut.Name(), Type: dns.TypeNS, Count: len(ns.Data)})
	a.r.Authority = ns.Append(a.r.Authority, cut.Name())
	a.proveReferral(z, cut)
	a.glue = z
}

// mayFollow counts an alias, unless the chain is long enough or comes back to
// where it was.
func (a *answerer) mayFollow(name dns.Name) bool {
	a.chain++
	if a.chain <= MaxChain && !a.has(a.r.Answer, name, dns.TypeCNAME) {
		return true
	}
	a.saw(Step{What: ChainEnds, Name: name})
	return false
}

// follow adds a CNAME and gives its target.
func (a *answerer) follow(node zone.Node, name dns.Name) (next dns.Name, again bool) {
	if !a.mayFollow(name) {
		return "", false
	}
	at := len(a.r.Answer)
	a.r.Answer = a.appendSet(a.r.Answer, node, dns.TypeCNAME, name)
	next, again = a.r.Answer[at].Target()
	a.saw(Step{What: Alias, Name: name, Other: next})
	return next, again
}

// redirect applies a DNAME: it and a CNAME made from it (RFC 6672 section
// 3.1). When the new name gets too long the answer is YXDOMAIN.
func (a *answerer) redirect(node zone.Node, name dns.Name) (next dns.Name, again bool) {
	if !a.mayFollow(name) {
		return "", false
	}
	set, _ := node.RRset(dns.TypeDNAME)
	if !a.has(a.r.Answer, node.Name(), dns.TypeDNAME) {
		a.r.Answer = a.appendSet(a.r.Answer, node, dns.TypeDNAME, node.Name())
	}
	next, err := name.ReplaceSuffix(node.Name(), dns.Name(set.Data[0]))
	if err != nil {
		a.saw(Step{What: TooLong, Name: name})
		a.r.Rcode = dns.RcodeYXDomain
		return "", false
	}
	a.saw(Step{What: Alias, Name: name, Other: next})
	a.r.Answer = append(a.r.Answer, dns.NameRR(name, set.TTL, dns.TypeCNAME, next))
	return next, a.qtype != dns.TypeCNAME && a.qtype != dns.TypeANY
}

// any gives one RRset (RFC 8482 section 4.1): enough to see that the name is
// there, too little to be worth an attack.
func (a *answerer) any(z *zone.Zone, m zone.Match, name dns.Name) {
	if sets := m.Node.Sets(); len(sets) > 0 {
		a.sawFound(AnyType, m.Node, sets[0].Type, name)
		a.r.Answer = a.appendSet(a.r.Answer, m.Node, sets[0].Type, name)
		return
	}
	a.noData(z, m, name)
}

// noData says that the name exists and owns no records of the type.
func (a *answerer) noData(z *zone.Zone, m zone.Match, name dns.Name) {
	a.saw(Step{What: NoSuchType, Name: name, Type: a.qtype})
	a.negative(z)
	a.proveNoData(z, m, name)
}

// negative adds the SOA, which says for how long there is nothing (RFC 2308
// section 3).
func (a *answerer) negative(z *zone.Zone) {
	at := len(a.r.Authority)
	a.r.Authority = a.appendSet(a.r.Authority, z.Top(), dns.TypeSOA, z.Top().Name())
	for i := at; i < len(a.r.Authority); i++ {
		a.r.Authority[i].TTL = min(a.r.Authority[i].TTL, z.SOA().Minimum)
	}
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
