package dnssvc

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// maxHosts is of how many address records of the domain's zone it is known which
// names have an address. Of a zone with more, Utopia's own hosts alone are.
const maxHosts = 1024

// hosts are the names in a zone that have one of the addresses which we give
// names for. They are never changed: a change of the zone makes new ones.
type hosts struct {
	of     *zone.Zone
	public []netip.Addr // the addresses beside the local ones
	count  int          // of their records
	// byAddr has the names of each address; the same map while nothing has
	// changed that matters.
	byAddr *hostTable
}

type hostTable map[netip.Addr][]hostName

// hostName is a name that has an address, and how long others may keep that.
type hostName struct {
	name dns.Name
	ttl  uint32
}

// local are the networks whose addresses mean something else in every place, or
// stand in examples: no registry delegates names for them (RFC 6303 section 4,
// RFC 7793; RFC 9637 has one more network of examples).
var local = [...]netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("3fff::/20"),
}

// IsLocal says whether no registry delegates names for the addresses of a
// network, because they are private, of this machine or link alone, or for
// examples.
func IsLocal(network netip.Prefix) bool {
	return slices.ContainsFunc(local[:], func(l netip.Prefix) bool {
		return l.Bits() <= network.Bits() && l.Contains(network.Addr())
	})
}

func isLocalAddr(a netip.Addr) bool { return IsLocal(netip.PrefixFrom(a, a.BitLen())) }

// isPublic says whether an address can be that of a host on the Internet.
func isPublic(a netip.Addr) bool { return a.IsGlobalUnicast() && !a.Is4In6() && !isLocalAddr(a) }

// publicAddresses are the domain's, where we give names for them too.
func (o Options) publicAddresses() []netip.Addr {
	if !o.Reverse {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(o.Records), func(a netip.Addr) bool { return !isPublic(a) })
}

// hostsOf looks through a whole zone. Ours are the names of Utopia's own hosts.
func hostsOf(z *zone.Zone, public []netip.Addr, ours []dns.Name) hosts {
	h := hosts{of: z, public: public}
	table := hostTable{}
	for rr := range z.All() {
		if a, ok := h.address(rr); ok {
			if h.count++; h.count <= maxHosts {
				table.add(a, rr)
			}
		}
	}
	if h.byAddr = &table; h.count > maxHosts {
		h.byAddr = h.only(ours)
	}
	return h
}

// warning says that there are too many.
func (h hosts) warning() zone.Problems {
	if h.count <= maxHosts {
		return nil
	}
	return zone.Problems{{Text: fmt.Sprintf("%s has %d addresses that could have names (PTR), more than %d: only those of Utopia's own hosts do; "+
		"dns.zones has room for reverse zones of your own", h.of.Apex(), h.count, maxHosts)}}
}

// address gives the address of a record, if that is one that we give names for.
// A wildcard is no host, and neither is what begins with an underscore.
func (h hosts) address(rr dns.RR) (netip.Addr, bool) {
	a, ok := rr.Addr()
	ok = ok && (isLocalAddr(a) || slices.Contains(h.public, a)) && isHostName(rr.Name)
	return a, ok
}

// only has the addresses of some names.
func (h hosts) only(names []dns.Name) *hostTable {
	table := hostTable{}
	for _, name := range names {
		node, _ := h.of.At(name)
		for _, t := range [...]dns.Type{dns.TypeA, dns.TypeAAAA} {
			set, _ := node.RRset(t)
			for _, rr := range set.Append(nil, name) {
				if a, ok := h.address(rr); ok {
					table.add(a, rr)
				}
			}
		}
	}
	return &table
}

// follow gives the hosts of the next version of the zone, from what has changed
// in it.
func (h hosts) follow(z *zone.Zone, public []netip.Addr, ours []dns.Name) hosts {
	switch {
	case h.of == z && slices.Equal(h.public, public):
		return h
	case h.of == nil || !slices.Equal(h.public, public):
		return hostsOf(z, public, ours)
	}
	wasFull, before := h.count > maxHosts, h.byAddr
	d := zone.Between(h.of, z)
	h.of = z
	h.count += h.counted(d.Added) - h.counted(d.Deleted)
	switch isFull := h.count > maxHosts; {
	case isFull:
		if h.byAddr = h.only(ours); h.byAddr.equal(before) && !hides(d) {
			h.byAddr = before
		}
	case wasFull:
		return hostsOf(z, public, ours)
	case hides(d) || h.counted(d.Added)+h.counted(d.Deleted) > 0:
		table := maps.Clone(*before)
		h.byAddr = &table
		h.each(d.Deleted, table.remove)
		h.each(d.Added, table.add)
	}
	return h
}

func (h hosts) each(list []dns.RR, do func(netip.Addr, dns.RR)) {
	for _, rr := range list {
		if a, ok := h.address(rr); ok {
			do(a, rr)
		}
	}
}

func (h hosts) counted(list []dns.RR) (n int) {
	h.each(list, func(netip.Addr, dns.RR) { n++ })
	return n
}

// hides says whether a change may hide names below a delegation or DNAME, or show
// them again.
func hides(d zone.Difference) bool {
	does := func(rr dns.RR) bool { return rr.Type == dns.TypeNS || rr.Type == dns.TypeDNAME }
	return slices.ContainsFunc(d.Added, does) || slices.ContainsFunc(d.Deleted, does)
}

func (t hostTable) equal(other *hostTable) bool {
	return maps.EqualFunc(t, *other, func(a, b []hostName) bool { return slices.Equal(a, b) })
}

// add adds a name, in a list of its own: others have the one before.
func (t hostTable) add(a netip.Addr, rr dns.RR) {
	t[a] = append(slices.Clip(t[a]), hostName{rr.Name.Canonical(), rr.TTL})
}

func (t hostTable) remove(a netip.Addr, rr dns.RR) {
	left := slices.DeleteFunc(slices.Clone(t[a]), func(h hostName) bool { return h.name.Equal(rr.Name) })
	if t[a] = left; len(left) == 0 {
		delete(t, a)
	}
}

// best gives the name of an address: the one that says most about the host.
// isOurs says that the address is this server's own.
func (h hosts) best(a netip.Addr, isOurs bool) (hostName, bool) {
	var best hostName
	for _, n := range (*h.byAddr)[a] {
		if h.of.Lookup(n.name).Kind == zone.Exact && (best.name == "" || h.compare(n, best, isOurs) < 0) {
			best = n
		}
	}
	return best, best.name != ""
}

func (h hosts) compare(a, b hostName, isOurs bool) int {
	return cmp.Or(
		cmp.Compare(h.rank(a.name, isOurs), h.rank(b.name, isOurs)),
		cmp.Compare(a.name.NumLabels(), b.name.NumLabels()),
		a.name.Compare(b.name),
	)
}

// rank orders the names of one address. A name of a host's own tells more than
// the domain's, and that more than the name of a service, of which several may
// be at one host; but the host that Utopia runs on is the domain's own. Mail
// comes first among services: others look up the name of whoever sends it.
func (h hosts) rank(name dns.Name, isOurs bool) int {
	service := name.Label()
	if number, ok := strings.CutPrefix(service, "ns"); ok && strings.Trim(number, "0123456789") == "" {
		service = "ns"
	}
	switch isApex := name.Equal(h.of.Apex()); {
	case isApex && isOurs:
		return 0
	case isApex:
		return 2
	case service == "mail":
		return 3
	case slices.Contains(services[:], service):
		return 4
	}
	return 1
}

// services are names for services and not for hosts: RFC 2219 section 3, as far
// as they still run, and name servers and IMAP beside.
var services = [...]string{"ftp", "imap", "ldap", "mail", "news", "ns", "ntp", "pop", "smtp", "www"}

// isHostName says whether a name may be that of a host (RFC 952, RFC 1123 section
// 2.1).
func isHostName(name dns.Name) bool {
	for n := name; n != dns.Root; n = n.Parent() {
		label := n.Label()
		if label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, isNoHostLetter) {
			return false
		}
	}
	return true
}

func isNoHostLetter(r rune) bool {
	return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}
