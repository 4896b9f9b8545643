package authority

import (
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
		switch rr.Type {
		case dns.TypeNS, dns.TypeMX, dns.TypeSRV, dns.TypeSVCB, dns.TypeHTTPS:
			target, ok := rr.Target()
			if target == dns.Root && (rr.Type == dns.TypeSVCB || rr.Type == dns.TypeHTTPS) {
				target = rr.Name // RFC 9460 section 2.5
			}
			if ok {
				a.addresses(target, nil)
			}
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
