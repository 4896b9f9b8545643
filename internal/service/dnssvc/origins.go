package dnssvc

import (
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/control"
)

// maxOrigins is of how many records of the files it is told where they stand:
// the places are looked up in the files when they are asked for, so that they
// need no room in between.
const maxOrigins = 100_000

// fromChanged is where records come from whose place is not known any more.
const fromChanged = "a file that has changed since"

// origins says where the records of a zone come from.
type origins struct {
	places map[string]string // by key
	rest   string            // of those that are not among them
	base   *zone.Zone        // what is not in it came by updates; nil where that is not known
}

// origins finds the records at and below a name in the zone's files. Where a
// file is no longer the one that the zone was made from, its lines say nothing.
func (m *made) origins(name dns.Name) origins {
	if len(m.primaries) > 0 {
		return origins{rest: control.FromTransfer}
	}
	o := origins{places: map[string]string{}, rest: control.FromUpdate, base: m.base}
	if !m.fileAlone {
		o.rest = control.FromUtopia
	}
	sum := sha256.New()
	for _, file := range m.files {
		err := readFile(file, m.name, sum, func(r zone.Record) {
			if r.Name.IsSubdomainOf(name) && len(o.places) < maxOrigins {
				if key := recordKey(r.RR); o.places[key] == "" {
					o.places[key] = r.Pos.String()
				}
			}
		})
		if err != nil {
			return origins{rest: fromChanged, base: m.base}
		}
	}
	switch {
	case m.sum != [sha256.Size]byte(sum.Sum(nil)):
		return origins{rest: fromChanged, base: m.base}
	case len(o.places) >= maxOrigins:
		o.rest = "its file"
	}
	return o
}

// of says where a record comes from.
func (o origins) of(rr dns.RR) string {
	place := o.places[recordKey(rr)]
	switch {
	case o.rest == control.FromTransfer:
		return o.rest
	case place == "" && zone.IsSigned(rr.Type):
		return control.FromDNSSEC
	case o.base != nil && !owns(o.base, rr):
		return control.FromUpdate
	case place != "":
		return place
	}
	return o.rest
}

// owns says whether a zone has a record, with its TTL; of the SOA the serial does
// not matter.
func owns(z *zone.Zone, rr dns.RR) bool {
	rr = unnumbered(rr)
	node, _ := z.At(rr.Name)
	set, _ := node.RRset(rr.Type)
	return slices.ContainsFunc(set.Append(nil, rr.Name), func(there dns.RR) bool {
		return unnumbered(there).SameData(rr) && there.TTL == rr.TTL
	})
}

// unnumbered gives a record, an SOA without its serial.
func unnumbered(rr dns.RR) dns.RR {
	if soa, ok := rr.SOA(); ok {
		soa.Serial = 0
		rr.Data = soa.Data()
	}
	return rr
}

// recordKey tells records apart. Their TTLs do not: those of a set are made one;
// neither does the serial of an SOA.
func recordKey(rr dns.RR) string {
	rr = unnumbered(rr).Canonical()
	var b strings.Builder
	b.WriteString(string(rr.Name))
	b.WriteString(rr.Type.String())
	b.WriteByte(' ')
	b.Write(rr.Data)
	return b.String()
}
