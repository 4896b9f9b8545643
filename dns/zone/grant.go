package zone

import (
	"slices"

	"github.com/network-utopia/utopia/dns"
)

// Grant is a permission to change records: RFC 2136 section 3.3 leaves to the
// server what that is.
type Grant struct {
	Name  dns.Name   // of the records
	Below bool       // the names below Name instead
	Types []dns.Type // of the records; ANY stands for all, and none for all but those of NeedsNaming
}

// NeedsNaming says whether a Grant must name a type to allow it: what makes
// the zone itself or another zone (SOA, NS, DS, DNAME), and what signing makes.
func NeedsNaming(t dns.Type) bool {
	switch t {
	case dns.TypeSOA, dns.TypeNS, dns.TypeDS, dns.TypeDNAME:
		return true
	}
	return IsSigned(t)
}

// Allows says whether records of a name and type may be changed.
func (g Grant) Allows(name dns.Name, t dns.Type) bool {
	switch {
	case g.Below && (!name.IsSubdomainOf(g.Name) || name.Equal(g.Name)), !g.Below && !name.Equal(g.Name):
		return false
	case len(g.Types) == 0:
		return !NeedsNaming(t)
	}
	return slices.Contains(g.Types, t) || slices.Contains(g.Types, dns.TypeANY)
}

// Grants are permissions of which any suffices; its method Allow is what
// UpdateOptions want.
type Grants []Grant

// Allow says whether one of them allows it.
func (gs Grants) Allow(name dns.Name, t dns.Type) bool {
	return slices.ContainsFunc(gs, func(g Grant) bool { return g.Allows(name, t) })
}
