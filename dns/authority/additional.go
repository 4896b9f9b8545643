package authority

import (
	"slices"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// additional adds the addresses of the hosts that the other sections name (RFC
// 1034 section 4.3.2 step 6). What cannot be left out of a referral comes
// first: the addresses of servers below the cut (RFC 9471).
func (a *answerer) additional() {
	if a.glue != nil {
		for _, below := range [...]bool{true, false} {
			for _, ns := range a.r.Authority {
				if target, ok := ns.Target(); ok && target.IsSubdomainOf(ns.Name) == below {
					a.addresses(target, a.glue)
				}
			}
		}
	}
	for _, rr := range a.r.Answer {
		target, ok := rr.Target()
		switch {
		case !ok:
		case rr.Type == dns.TypeNS, rr.Type == dns.TypeMX, rr.Type == dns.TypeSRV:
			a.addresses(target, nil)
		case rr.Type == dns.TypeSVCB, rr.Type == dns.TypeHTTPS:
			a.endpoint(rr, target)
		}
	}
}

// endpoint adds what a client needs beside an SVCB or HTTPS record (RFC 9460
// section 4.1): the addresses of its target, and in AliasMode the records that
// the target has of the type, with what they need.
func (a *answerer) endpoint(rr dns.RR, target dns.Name) {
	alias := rr.Data[0] == 0 && rr.Data[1] == 0 // SvcPriority (section 2.4.1)
	if target == dns.Root {
		if alias {
			return // there is no such service (section 2.5.1)
		}
		target = rr.Name // section 2.5.2
	}
	if alias {
		a.services(target, rr.Type)
	}
	a.addresses(target, nil)
}

// services adds the SVCB or HTTPS records of a host, up to MaxChain aliases far.
func (a *answerer) services(host dns.Name, t dns.Type) {
	node, ok := a.host(host, nil)
	if !ok || !node.Has(t) || a.chain == MaxChain || a.has(a.r.Answer, host, t) || a.has(a.r.Additional, host, t) {
		return
	}
	a.chain++
	at := len(a.r.Additional)
	a.r.Additional = a.appendSet(a.r.Additional, node, t, host)
	added := slices.Clone(a.r.Additional[at:])
	a.saw(Step{What: AddsServices, Name: host, Type: t})
	for _, rr := range added {
		if target, ok := rr.Target(); ok && rr.Type == t {
			a.endpoint(rr, target)
		}
	}
}

// addresses adds the A and AAAA records of a host. They come from our own
// zones, and for a referral also from the glue of the zone that refers.
func (a *answerer) addresses(host dns.Name, referring *zone.Zone) {
	if a.has(a.r.Additional, host, dns.TypeA) || a.has(a.r.Additional, host, dns.TypeAAAA) {
		return
	}
	node, ok := a.host(host, referring)
	if !ok {
		return
	}
	before := len(a.r.Additional)
	for _, t := range [...]dns.Type{dns.TypeA, dns.TypeAAAA} {
		if node.Has(t) && !a.has(a.r.Answer, host, t) {
			a.r.Additional = a.appendSet(a.r.Additional, node, t, host)
		}
	}
	a.sawAddresses(host, len(a.r.Additional)-before)
}

func (a *answerer) host(host dns.Name, referring *zone.Zone) (zone.Node, bool) {
	z := a.set.Find(host)
	if z == nil {
		return zone.Node{}, false
	}
	switch m := z.Lookup(host); {
	case m.Kind == zone.Exact, m.Kind == zone.Wildcard:
		return m.Node, true
	case m.Kind == zone.Cut && z == referring:
		return z.At(host)
	}
	return zone.Node{}, false
}
