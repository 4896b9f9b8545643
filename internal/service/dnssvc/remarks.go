package dnssvc

import (
	"fmt"
	"slices"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/control"
)

// maxRemarks is how many warnings are told of one change.
const maxRemarks = 20

// remarks are what is odd about a zone after a change, as far as the change has to
// do with it.
func (c *edit) remarks(next *zone.Zone, d zone.Difference, from origins) []string {
	var all []string
	tell := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !slices.Contains(all, text) && len(all) < maxRemarks {
			all = append(all, text)
		}
	}
	for _, rr := range d.Added {
		if why := unseen(next, rr); why != "" {
			tell("%s %s is not answered: %s", rr.Name, rr.Type, why)
		}
		if target, ok := rr.Target(); ok && target.IsSubdomainOf(next.Apex()) && next.Lookup(target).Kind == zone.None {
			tell("%s, which the %s record of %s points at, is not there: a name outside the zone ends with a dot", target, rr.Type, rr.Name)
		}
	}
	for _, rr := range append(slices.Clone(d.Deleted), d.Added...) {
		for _, t := range ofOneHost(next, rr, from) {
			tell("%s still has %s, which Utopia makes: utopia dns delete %s %s takes it away", rr.Name, t, rr.Name, t)
		}
	}
	servers, _ := next.Top().RRset(dns.TypeNS)
	for _, rr := range servers.Append(nil, next.Apex()) {
		server, _ := rr.Target()
		gone := func(rr dns.RR) bool { return rr.Name.Equal(server) }
		if node, _ := next.At(server); slices.ContainsFunc(d.Deleted, gone) && !node.Has(dns.TypeA) && !node.Has(dns.TypeAAAA) {
			tell("%s is a name server of the zone and has no address any more", server)
		}
	}
	return all
}

// unseen says what keeps a record from being answered; "" for nothing. Glue at or
// below a cut, and what makes the cut, have their use.
func unseen(z *zone.Zone, rr dns.RR) string {
	switch match := z.Lookup(rr.Name); match.Kind {
	case zone.Redirect:
		return match.Node.Name().String() + " owns a DNAME"
	case zone.Cut:
		switch rr.Type {
		case dns.TypeA, dns.TypeAAAA, dns.TypeNS, dns.TypeDS:
			return ""
		}
		return match.Node.Name().String() + " is delegated (NS)"
	}
	return ""
}

// ofOneHost gives the types of what Utopia still says about a host whose address
// was changed.
func ofOneHost(z *zone.Zone, changed dns.RR, from origins) []dns.Type {
	if changed.Type != dns.TypeA && changed.Type != dns.TypeAAAA {
		return nil
	}
	var types []dns.Type
	node, _ := z.At(changed.Name)
	for _, set := range node.Sets() {
		switch set.Type {
		case dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS:
			if set.Type != changed.Type && from.of(set.Append(nil, changed.Name)[0]) == control.FromUtopia {
				types = append(types, set.Type)
			}
		}
	}
	return types
}
