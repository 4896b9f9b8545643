package dnssvc

import (
	"crypto/sha256"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/control"
)

// reverse is what the zone of one address is made of: its SOA, NS and PTR are all
// at the address's own name (docs/decisions/0009-a-zone-for-each-address.md).
type reverse struct {
	addr            netip.Addr
	host            hostName // that the PTR points at, and its TTL
	server, mailbox dns.Name // as the SOA of the domain's zone has them
	ttl             uint32   // of the SOA and NS
	signing         Signing
}

// reverseBasis is what the zones of addresses follow from besides the settings.
type reverseBasis struct {
	byAddr          *hostTable
	server, mailbox dns.Name
}

// addReverse brings the zones of addresses in line with the domain's zone. Those
// whose records stay the same stay as they are. The state must not be in force
// yet.
func (st *state) addReverse(now time.Time) {
	own := st.own()
	if own.plain == nil {
		return
	}
	st.hosts = st.hosts.follow(own.plain, st.publicAddresses(), st.ownHosts(own.name))
	soa := own.plain.SOA()
	basis := reverseBasis{st.hosts.byAddr, soa.MName.Canonical(), soa.RName.Canonical()}
	if st.basis == basis {
		return
	}
	st.basis = basis
	given, before := st.partReverse()
	all, covering := slices.Clone(given), belowArpa(given)
	for _, a := range slices.SortedFunc(maps.Keys(*basis.byAddr), netip.Addr.Compare) {
		host, ok := st.hosts.best(a, slices.Contains(st.Records, a))
		name, _ := dnsclient.ReverseName(a) // it is valid
		if !ok || isCovered(covering, name) {
			continue
		}
		m := st.makeReverse(name, before[a], st.reverseOf(a, host), now)
		if all = append(all, m); m.failed != nil {
			st.basis = reverseBasis{} // it is tried again with the next change, or when it is to be signed again
		}
	}
	st.zones = all
}

// partReverse gives the zones that settings and files make, and those of
// addresses.
func (st *state) partReverse() (given []made, reverse map[netip.Addr]*made) {
	n := slices.IndexFunc(st.zones, func(m made) bool { return m.reverse != nil })
	if n < 0 {
		return st.zones, nil
	}
	reverse = make(map[netip.Addr]*made, len(st.zones)-n)
	for i := range st.zones[n:] {
		m := &st.zones[n+i]
		reverse[m.reverse.addr] = m
	}
	return st.zones[:n], reverse
}

// ownHosts are the hosts that Utopia gives the domain's addresses.
func (o Options) ownHosts(apex dns.Name) (list []dns.Name) {
	for _, host := range append([]string{nameServer}, o.Hosts...) {
		if name, err := dns.ParseName(host, apex); err == nil && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// belowArpa gives the names of the zones that may have names of addresses.
func belowArpa(zones []made) (names []dns.Name) {
	for _, m := range zones {
		if m.name.IsSubdomainOf("\x04arpa\x00") {
			names = append(names, m.name)
		}
	}
	return names
}

// isCovered says whether a zone of the user's is at a name or above it, whatever
// its state: what it does not have is not there.
func isCovered(zones []dns.Name, name dns.Name) bool {
	return slices.ContainsFunc(zones, name.IsSubdomainOf)
}

// reverseOf says what the zone of an address is made of. Nobody could ever vouch
// for the keys of a zone that nobody delegates: so it is not signed.
func (st *state) reverseOf(a netip.Addr, host hostName) reverse {
	r := reverse{addr: a, host: host, server: st.basis.server, mailbox: st.basis.mailbox, ttl: st.ttl()}
	if !isLocalAddr(a) {
		r.signing = st.Signing
	}
	return r
}

// makeReverse makes the zone of an address. Before is what was made for it, or
// nil.
func (st *state) makeReverse(name dns.Name, before *made, r reverse, now time.Time) made {
	m := made{name: name, signing: r.signing, reverse: &r, policy: Policy{TransferTo: st.TransferTo}, sum: sha256.Sum256(nil)}
	if !isLocalAddr(r.addr) {
		m.policy.Notify = st.Notify
	}
	if before != nil && *before.reverse == r && before.failed == nil {
		kept := *before
		kept.policy = m.policy
		return kept
	}
	b := zone.NewBuilder(name)
	for _, rr := range [...]dns.RR{
		dns.SOARR(name, r.ttl, dns.SOA{
			MName: r.server, RName: r.mailbox, Serial: uint32(now.Unix()),
			Refresh: refresh, Retry: retry, Expire: expire, Minimum: negativeTTL,
		}),
		dns.NameRR(name, r.ttl, dns.TypeNS, r.server),
		dns.NameRR(name, r.host.ttl, dns.TypePTR, r.host.name),
	} {
		b.Add(zone.Record{RR: rr})
	}
	var err error
	if m.plain, m.warnings, err = b.Build(); err != nil {
		return keep(m, before, err)
	}
	return m.publish(before, st.Options, now)
}

// takeReverse takes the zones of addresses from the state before, in the place
// of its own, to go on from.
func (st *state) takeReverse(before *state) {
	given, _ := st.partReverse()
	had, _ := before.partReverse()
	st.zones = slices.Concat(given, before.zones[len(had):])
	st.basis = reverseBasis{}
}

// The names below which those of addresses are (RFC 1035 section 3.5, RFC 3596
// section 2.5).
const (
	addresses4 = "\x07in-addr\x04arpa\x00"
	addresses6 = "\x03ip6\x04arpa\x00"
)

// delegateAddresses says what there is to say of a delegation of names of
// addresses, or of those beside that of the domain.
func (st *state) delegateAddresses(d *control.Delegation, m *made) {
	d.OfAddresses = m.name.IsSubdomainOf(addresses4) || m.name.IsSubdomainOf(addresses6)
	names, _ := m.zone.Top().RRset(dns.TypePTR)
	for _, rr := range names.Append(nil, m.name) {
		d.Pointers = append(d.Pointers, shown(rr, ""))
	}
	if m != st.own() {
		return
	}
	for _, other := range st.zones {
		if other.reverse != nil && !isLocalAddr(other.reverse.addr) {
			d.Reverse = append(d.Reverse, other.name.String())
		}
	}
}
