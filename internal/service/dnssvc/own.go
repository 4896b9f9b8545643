package dnssvc

import (
	"fmt"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// Own is a record that the domain has since a service of it needs that.
type Own struct {
	Name string // within the domain; "@" for the domain itself
	Type string
	Data string // in presentation form; names without a final dot are within the domain
}

// nameServer is the label of the host that the name server is said to be on.
const nameServer = "ns1"

// addOurs adds the records that Utopia makes, where the user has none.
func addOurs(b *zone.Builder, apex dns.Name, opts Options, serial uint32) error {
	ttl := opts.ttl()
	ns1, err := apex.Prepend(nameServer)
	if err != nil {
		return err
	}
	hostmaster, err := apex.Prepend("hostmaster")
	if err != nil {
		return err
	}
	if !b.Has(apex, dns.TypeSOA) {
		b.Add(zone.Record{RR: dns.SOARR(apex, ttl, dns.SOA{
			MName: ns1, RName: hostmaster, Serial: serial,
			Refresh: refresh, Retry: retry, Expire: expire, Minimum: negativeTTL,
		})})
	}
	if !b.Has(apex, dns.TypeNS) {
		b.Add(zone.Record{RR: dns.NameRR(apex, ttl, dns.TypeNS, ns1)})
	}
	records, err := opts.own(apex, ttl)
	if err != nil {
		return err
	}
	// What stands there by now is the user's: records of ours leave one another alone.
	var place []dns.RR
	for _, rr := range records {
		if !taken(b, rr, apex) {
			place = append(place, rr)
		}
	}
	for _, rr := range place {
		b.Add(zone.Record{RR: rr})
	}
	return nil
}

// ttl is that of our records, in seconds.
func (o Options) ttl() uint32 {
	if o.TTL < time.Second {
		return uint32(DefaultTTL / time.Second)
	}
	return uint32(o.TTL / time.Second)
}

// own gives the records of hosts and services.
func (o Options) own(apex dns.Name, ttl uint32) ([]dns.RR, error) {
	var all []dns.RR
	for _, host := range append([]string{nameServer}, o.Hosts...) {
		name, err := dns.ParseName(host, apex)
		if err != nil {
			return nil, err
		}
		for _, a := range o.Records {
			if !a.IsUnspecified() {
				all = append(all, dns.AddressRR(name, ttl, a))
			}
		}
	}
	for _, own := range append(o.discovery(), o.Own...) {
		rr, err := dns.ParseRR(fmt.Sprintf("%s %d IN %s %s", own.Name, ttl, own.Type, own.Data), apex, ttl)
		if err != nil {
			return nil, err
		}
		all = append(all, rr)
	}
	return all, nil
}

// discovery gives the records by which clients that know the name server's name
// find out that it speaks over TLS and over HTTPS (RFC 9461).
func (o Options) discovery() []Own {
	var all []Own
	add := func(params string) {
		data := fmt.Sprintf("%d %s %s", len(all)+1, nameServer, params)
		all = append(all, Own{"_dns." + nameServer, "SVCB", data})
	}
	if o.TLSPort != 0 {
		add(fmt.Sprintf("alpn=dot port=%d", o.TLSPort))
	}
	if o.HTTPSPort != 0 {
		add(fmt.Sprintf("alpn=h2 port=%d dohpath=/dns-query{?dns}", o.HTTPSPort))
	}
	return all
}

// taken says whether the user's records leave no place for one of ours: they
// have its name and type, where A and AAAA count as one; they say themselves
// where the host is that it speaks of; or an alias, a delegation or a DNAME keeps
// it from being answered.
func taken(b *zone.Builder, rr dns.RR, apex dns.Name) bool {
	address := rr.Type == dns.TypeA || rr.Type == dns.TypeAAAA
	switch {
	case address && (b.Has(rr.Name, dns.TypeA) || b.Has(rr.Name, dns.TypeAAAA)):
		return true
	case b.Has(rr.Name, rr.Type), b.Has(rr.Name, dns.TypeCNAME):
		return true
	case rr.Type == dns.TypeHTTPS, rr.Type == dns.TypeSVCB:
		host, _ := rr.Target()
		if host == dns.Root {
			host = rr.Name
		}
		if b.Has(host, dns.TypeA) || b.Has(host, dns.TypeAAAA) || b.Has(host, dns.TypeCNAME) {
			return true
		}
	}
	for n := rr.Name; n != apex; n = n.Parent() {
		if b.Has(n, dns.TypeNS) || n != rr.Name && b.Has(n, dns.TypeDNAME) {
			return true
		}
	}
	return rr.Name != apex && b.Has(apex, dns.TypeDNAME)
}
