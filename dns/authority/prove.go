package authority

import (
	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// What a signed zone says beside its answers, to those who set DO: that a name
// or a type is not there, and that none is nearer than a wildcard. The records
// are those of the zone's chain, NSEC (RFC 4035 section 3.1.3) or NSEC3 (RFC
// 5155 section 7.2); each goes in once, whatever it proves.

// proves says whether proofs are wanted, and can be given.
func (a *answerer) proves(z *zone.Zone) bool { return a.do && z.Signed() }

// proveNoName: no such name, and no wildcard that stands for it (RFC 4035
// section 3.1.3.2, RFC 5155 section 7.2.2).
func (a *answerer) proveNoName(z *zone.Zone, encloser, name dns.Name) {
	if !a.proves(z) {
		return
	}
	encloser = provable(z, encloser)
	a.proveWildcard(z, encloser, name)
	a.addEncloser(z, encloser)
	if wildcard, ok := encloser.Wildcard(); ok {
		a.addChain(z, wildcard)
	}
}

// proveWildcard: the name that a wildcard stands for does not exist, nor does
// one between the two (RFC 4035 section 3.1.3.3, RFC 5155 section 7.2.6).
func (a *answerer) proveWildcard(z *zone.Zone, encloser, name dns.Name) {
	if !a.proves(z) {
		return
	}
	if z.HasNSEC3() {
		name = nextCloser(encloser, name)
	}
	a.addChain(z, name)
}

// nextCloser is the name one label longer than the closest encloser (RFC 5155
// section 1.3).
func nextCloser(encloser, name dns.Name) dns.Name { return name.Ancestor(encloser.NumLabels() + 1) }

// proveNoData: the name exists, or a wildcard stands for it, and owns no records
// of the type (RFC 4035 sections 3.1.3.1 and 3.1.3.4, RFC 5155 sections 7.2.3 to
// 7.2.5).
func (a *answerer) proveNoData(z *zone.Zone, m zone.Match, name dns.Name) {
	switch {
	case !a.proves(z):
	case m.Kind == zone.Wildcard: // proveWildcard was there before
		a.addEncloser(z, m.Encloser)
		a.addChain(z, m.Node.Name())
	default:
		a.addOwn(z, name)
	}
}

// proveReferral: the DS records of a delegation, or that it has none (RFC 4035
// section 3.1.4, RFC 5155 section 7.2.7).
func (a *answerer) proveReferral(z *zone.Zone, cut zone.Node) {
	switch {
	case !a.proves(z):
	case cut.Has(dns.TypeDS):
		a.r.Authority = a.appendSet(a.r.Authority, cut, dns.TypeDS, cut.Name())
	default:
		a.addOwn(z, cut.Name())
	}
}

// addOwn adds the record of a name that exists. In a chain with opt-out it may
// not have one: then what covers the next closer name says that it may be
// missing (RFC 5155 sections 7.2.4 and 7.2.7).
func (a *answerer) addOwn(z *zone.Zone, name dns.Name) {
	if encloser := provable(z, name); encloser != name {
		a.addChain(z, encloser)
		name = nextCloser(encloser, name)
	}
	a.addChain(z, name)
}

// provable gives the closest provable encloser of a name that exists, which is
// itself but in a chain with opt-out (RFC 5155 section 1.3).
func provable(z *zone.Zone, name dns.Name) dns.Name {
	if !z.HasNSEC3() {
		return name
	}
	for len(name) > len(z.Apex()) {
		if _, own := z.NSEC3(name); own {
			break
		}
		name = name.Parent()
	}
	return name
}

// addEncloser adds the record of the closest encloser. NSEC records say by
// themselves which names above them exist, hashes do not.
func (a *answerer) addEncloser(z *zone.Zone, encloser dns.Name) {
	if z.HasNSEC3() {
		a.addChain(z, encloser)
	}
}

// addChain adds the record of the chain that is the name's own or covers it.
func (a *answerer) addChain(z *zone.Zone, name dns.Name) {
	t, find := dns.TypeNSEC, z.NSEC
	if z.HasNSEC3() {
		t, find = dns.TypeNSEC3, z.NSEC3
	}
	if node, _ := find(name); node.Has(t) && !a.has(a.r.Authority, node.Name(), t) {
		a.saw(Step{What: Proves, Name: node.Name(), Type: t})
		a.r.Authority = a.appendSet(a.r.Authority, node, t, node.Name())
	}
}
