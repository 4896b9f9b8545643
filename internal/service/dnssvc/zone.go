package dnssvc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// made is a zone that was made.
type made struct {
	zone      *zone.Zone
	warnings  zone.Problems
	ownSerial bool // the SOA is the user's
}

// makeZone joins the user's records and ours.
func makeZone(opts Options, serial uint32) (made, error) {
	apex, err := dns.ParseName(fqdn(opts.Domain), dns.Root)
	if err == nil && apex == dns.Root {
		err = errors.New("no domain")
	}
	if err != nil {
		return made{}, err
	}
	b := zone.NewBuilder(apex)
	for _, file := range opts.ZoneFiles {
		records, err := readFile(file, apex)
		if err != nil {
			return made{}, err
		}
		for _, r := range records {
			b.Add(r)
		}
	}
	own := b.Has(apex, dns.TypeSOA)
	if err := addOurs(b, apex, opts, serial); err != nil {
		return made{}, err
	}
	z, warnings, err := b.Build()
	if err != nil {
		return made{}, err
	}
	return made{z, warnings, own}, nil
}

// readFile reads a master file. What it includes must lie in its folder or
// below: the folder is opened as a root that nothing leads out of.
func readFile(path string, apex dns.Name) (records []zone.Record, err error) {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("zone file: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	// To open a named pipe would wait for its writer, and nothing would end that.
	if info, err := root.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("zone file %s is a folder or device", path)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("zone file %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	records, err = zone.Read(f, zone.ReadOptions{Origin: apex, File: name, Include: root.FS()})
	var problems zone.Problems
	if errors.As(err, &problems) {
		for i := range problems {
			problems[i].Pos.File = filepath.Join(dir, problems[i].Pos.File)
		}
		return nil, problems
	}
	for i := range records {
		records[i].Pos.File = filepath.Join(dir, records[i].Pos.File)
	}
	return records, err
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
