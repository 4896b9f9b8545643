package dnssvc

import (
	"crypto/sha256"

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
