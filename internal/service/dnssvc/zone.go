package dnssvc

import (
	"crypto/sha256"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// The times of our SOA, in seconds: those that RIPE-203 recommends for small
// zones, with a negative TTL that lets a new name be seen soon.
const (
	refresh     = 86_400
	retry       = 7_200
	expire      = 3_600_000
	negativeTTL = 300
)

// makeOwn joins the user's records of the domain and ours. The name is right
// even where there is an error.
func makeOwn(opts Options, serial uint32) (m made, err error) {
	if m.name, err = zoneName(opts.Domain); err != nil {
		return m, err
	}
	m.files = opts.ZoneFiles
	b := zone.NewBuilder(m.name)
	sum := sha256.New()
	for _, file := range opts.ZoneFiles {
		if err := readFile(file, m.name, sum, b.Add); err != nil {
			return m, err
		}
	}
	m.sum = [sha256.Size]byte(sum.Sum(nil))
	m.ownSerial = b.Has(m.name, dns.TypeSOA)
	if err := addOurs(b, m.name, opts, serial); err != nil {
		return m, err
	}
	m.signing = opts.Signing
	m.plain, m.warnings, err = b.Build()
	return m, err
}

// addOurs adds the records that Utopia makes, where the user has none.
func addOurs(b *zone.Builder, apex dns.Name, opts Options, serial uint32) error {
	ttl := uint32(opts.TTL / time.Second)
	if ttl == 0 {
		ttl = uint32(DefaultTTL / time.Second)
	}
	ns1, err := apex.Prepend("ns1")
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
	names := []dns.Name{apex}
	for _, label := range [...]string{"www", "ns1", "mail", "ftp"} {
		n, err := apex.Prepend(label)
		if err != nil {
			return err
		}
		names = append(names, n)
	}
	for _, n := range names {
		if !taken(b, n, apex) {
			for _, a := range opts.Records {
				if !a.IsUnspecified() {
					b.Add(zone.Record{RR: dns.AddressRR(n, ttl, a)})
				}
			}
		}
	}
	return nil
}

// taken says whether the user's records leave no place for our addresses at a
// name.
func taken(b *zone.Builder, n, apex dns.Name) bool {
	if b.Has(n, dns.TypeA) || b.Has(n, dns.TypeAAAA) || b.Has(n, dns.TypeCNAME) {
		return true
	}
	return n != apex && (b.Has(n, dns.TypeNS) || b.Has(apex, dns.TypeDNAME))
}
