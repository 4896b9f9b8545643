package dnssvc

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/control"
)

// Zones lists the zones: the domain's own first, then the others by name, and
// those of addresses at the end.
func (s *Service) Zones(context.Context) ([]control.Zone, error) {
	st := s.current.Load()
	var list []control.Zone
	for i := range st.zones {
		list = append(list, describe(&st.zones[i], i == 0))
	}
	given := slices.IndexFunc(st.zones, func(m made) bool { return m.reverse != nil })
	if given < 0 {
		given = len(list)
	}
	slices.SortFunc(list[1:given], func(a, b control.Zone) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// Inspect says what New would make of the zones, whatever is wrong with them.
func Inspect(opts Options) ([]control.Zone, error) {
	zones, err := makeZones(opts, nil, time.Now())
	if err != nil {
		return nil, fmt.Errorf("the name server: %w", err)
	}
	list := make([]control.Zone, len(zones))
	for i := range zones {
		list[i] = describe(&zones[i], i == 0)
	}
	return list, nil
}

// InspectFile says what would be made of a zone beside the domain's own.
func InspectFile(z Zone) (control.Zone, error) {
	m, err := makeOther(z)
	if m.name == "" {
		return control.Zone{}, err
	}
	m.failed, m.zone = err, m.plain
	return describe(&m, false), nil
}

func describe(m *made, own bool) control.Zone {
	z := control.Zone{
		Name: m.name.String(), Role: "primary", Files: m.files, State: "served", Sum: fmt.Sprintf("%x", m.sum[:8]),
	}
	if own {
		z.Role = "domain"
	}
	if len(m.primaries) > 0 {
		z.Role = "secondary"
		m.describeFollowed(&z)
	}
	if m.reverse != nil {
		z.Role = "reverse"
	}
	if m.failed != nil {
		z.State, z.Problems = "kept", strings.Split(m.failed.Error(), "\n")
	}
	for _, w := range m.warnings {
		z.Warnings = append(z.Warnings, w.String())
	}
	if m.zone == nil {
		z.State = "missing"
		return z
	}
	z.Serial, z.Records = m.zone.SOA().Serial, m.plain.Len()
	m.describeSigning(&z, time.Now())
	return z
}

// Records calls each for the records of a zone at and below a name.
func (s *Service) Records(ctx context.Context, at control.At, each func(control.Record) error) error {
	m, name, err := s.current.Load().place(at)
	if err != nil {
		return err
	}
	from := m.origins(name)
	for rr := range below(m.zone, name) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := each(shown(rr, from.of(rr))); err != nil {
			return err
		}
	}
	return nil
}

func shown(rr dns.RR, from string) control.Record {
	return control.Record{Name: rr.Name.String(), TTL: rr.TTL, Type: rr.Type.String(), Data: rr.DataString(), From: from}
}

// below gives the records at and below a name; of the whole zone, with the SOA first.
func below(z *zone.Zone, name dns.Name) iter.Seq[dns.RR] {
	return func(yield func(dns.RR) bool) {
		for rr := range z.All() {
			if rr.Name.IsSubdomainOf(name) && !yield(rr) {
				return
			}
		}
	}
}

// Export writes a zone as a master file; with signed, what comes of signing as
// well.
func (s *Service) Export(_ context.Context, name string, signed bool, w io.Writer) error {
	st := s.current.Load()
	if name == "" {
		name = st.own().name.String()
	}
	m, err := st.named(name)
	if err != nil {
		return err
	}
	if signed {
		return zone.Write(w, m.zone)
	}
	return zone.Write(w, m.plain.WithSerial(m.zone.SOA().Serial))
}

// place finds the zone that is meant, and the name in it.
func (st *state) place(at control.At) (*made, dns.Name, error) {
	origin := dns.Root
	if at.Zone != "" {
		m, err := st.named(at.Zone)
		if err != nil || at.Name == "" {
			return m, zoneOf(m), err
		}
		origin = m.name
	}
	name, err := dns.ParseName(at.Name, origin)
	if err != nil {
		return nil, "", &control.Error{Kind: control.Invalid, Message: err.Error()}
	}
	m := st.holds(name)
	if m == nil && at.Zone == "" && !strings.HasSuffix(at.Name, ".") {
		if within, err := dns.ParseName(at.Name, st.own().name); err == nil {
			m, name = st.holds(within), within
		}
	}
	if m == nil || at.Zone != "" && m.name != origin {
		return nil, "", &control.Error{Kind: control.NotFound, Message: fmt.Sprintf("no zone here holds %s", name),
			Hint: "utopia dns show lists the zones"}
	}
	return m, name, m.there()
}

func zoneOf(m *made) dns.Name {
	if m == nil {
		return ""
	}
	return m.name
}

// named finds the zone of that name; it has to be there.
func (st *state) named(s string) (*made, error) {
	name, err := zoneName(s)
	if err != nil {
		return nil, &control.Error{Kind: control.Invalid, Message: err.Error()}
	}
	m := st.find(name)
	if m == nil {
		return nil, &control.Error{Kind: control.NotFound, Message: fmt.Sprintf("there is no zone %s here", name),
			Hint: "utopia dns show lists the zones"}
	}
	return m, m.there()
}

// there says why there is nothing to show of a zone.
func (m *made) there() error {
	if m.zone != nil {
		return nil
	}
	if m.failed == nil { // a secondary one
		return &control.Error{Kind: control.NotFound, Message: fmt.Sprintf("the zone %s is not served: it could not be fetched, or has expired", m.name),
			Hint: "the log says why"}
	}
	return &control.Error{Kind: control.NotFound, Message: fmt.Sprintf("the zone %s is not served: %v", m.name, m.failed),
		Hint: "when its file is mended: utopia reload"}
}

// holds gives the deepest zone that a name is in, or nil.
func (st *state) holds(name dns.Name) *made {
	var best *made
	for i := range st.zones {
		m := &st.zones[i]
		if name.IsSubdomainOf(m.name) && (best == nil || len(m.name) > len(best.name)) {
			best = m
		}
	}
	return best
}

// Delegation says what the parent of a zone has to know of it (RFC 1034 section 4.2.1, RFC 9471 for the glue, RFC 4034
// section 5 for DS).
func (s *Service) Delegation(_ context.Context, name string) (control.Delegation, error) {
	st := s.current.Load()
	if name == "" {
		name = st.own().name.String()
	}
	m, err := st.named(name)
	if err != nil {
		return control.Delegation{}, err
	}
	z := m.zone
	ns, _ := z.Top().RRset(dns.TypeNS)
	d := control.Delegation{Zone: m.name.String(), TTL: ns.TTL, Port: st.Port, Glue: []control.Record{}, DS: []control.Record{}}
	for _, rr := range ns.Append(nil, m.name) {
		server, _ := rr.Target()
		d.Servers = append(d.Servers, server.String())
		if !server.IsSubdomainOf(m.name) {
			continue
		}
		node, _ := z.At(server)
		for _, t := range [...]dns.Type{dns.TypeA, dns.TypeAAAA} {
			set, _ := node.RRset(t)
			for _, address := range set.Append(nil, server) {
				d.Glue = append(d.Glue, shown(address, ""))
			}
		}
	}
	st.delegateAddresses(&d, m)
	keys, _ := z.Top().RRset(dns.TypeDNSKEY)
	for _, data := range keys.Data {
		if ds, ok := secureEntry(m.name, data); ok {
			rr := dns.RR{Name: m.name, Type: dns.TypeDS, Class: dns.ClassIN, TTL: ns.TTL, Data: ds.Data()}
			d.DS = append(d.DS, shown(rr, ""))
		}
	}
	return d, nil
}

// secureEntry gives the DS record for a key that signs the zone's keys (RFC 4034 section 2.1.1: the SEP flag), by
// SHA-256 (RFC 8624 section 3.3).
func secureEntry(name dns.Name, data []byte) (dns.DS, bool) {
	key, ok := dns.RR{Name: name, Type: dns.TypeDNSKEY, Class: dns.ClassIN, Data: data}.DNSKEY()
	if !ok || key.Flags&dns.FlagZone == 0 || key.Flags&dns.FlagSEP == 0 || key.Flags&dns.FlagRevoke != 0 {
		return dns.DS{}, false
	}
	ds, err := key.DS(name, dns.DigestSHA256)
	return ds, err == nil
}
