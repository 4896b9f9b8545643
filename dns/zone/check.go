package zone

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/network-utopia/utopia/dns"
)

// check looks at the zone as a whole.
func (b *Builder) check() {
	apex := b.names[b.apex]
	missing := func(t dns.Type) {
		b.problems = append(b.problems, Problem{
			Fatal: true, Text: "the zone " + b.apex.String() + " has no " + t.String() + " record at its own name",
		})
	}
	if b.soas == 0 {
		missing(dns.TypeSOA)
	}
	if apex == nil || apex.set(dns.TypeNS) == nil {
		missing(dns.TypeNS)
	}
	// The order of the map would make the report differ from run to run.
	for _, key := range slices.SortedFunc(maps.Keys(b.names), dns.Name.Compare) {
		b.checkNode(key, b.names[key])
	}
}

func (b *Builder) checkNode(key dns.Name, d *draft) {
	b.checkAlone(d)
	b.checkSpelling(key, d)
	if above, what := b.hiddenBy(key); what != 0 {
		for i := range d.sets {
			glue := what == dns.TypeNS && (d.sets[i].Type == dns.TypeA || d.sets[i].Type == dns.TypeAAAA)
			if !glue {
				b.warn(d.record(i, 0), "never answered: %s owns a %s record", above, what)
			}
		}
		return
	}
	if d.set(dns.TypeNS) != nil && key.IsWildcard() {
		b.warn(d.recordOf(dns.TypeNS), "NS at a wildcard delegates nothing (RFC 4592 section 4.2)")
	} else if d.set(dns.TypeNS) != nil && key != b.apex {
		b.checkCut(d)
	}
	if d.set(dns.TypeDS) != nil && key == b.apex {
		b.warn(d.recordOf(dns.TypeDS), "DS belongs to the parent zone, not to the zone's own name")
	}
	for i, s := range d.sets {
		for k := range s.Data {
			b.checkTarget(d.record(i, k))
		}
	}
}

// checkSpelling warns of names that are asked for by nobody: those that lack
// their final dot, so that the zone's name is in them twice (RFC 1912 section
// 2.2 names it first among the errors), and those that stand there as they are
// read where browsers ask for their xn-- form. The labels of services may be
// UTF-8 (RFC 6763 section 4.1.3).
func (b *Builder) checkSpelling(key dns.Name, d *draft) {
	twice := b.apex[:len(b.apex)-1] + b.apex
	if b.apex != dns.Root && key.IsSubdomainOf(twice) {
		b.warn(d.record(0, 0), "%s is in the name twice: is a dot missing at its end?", b.apex)
	}
	ascii := !strings.ContainsFunc(string(key), func(r rune) bool { return r >= utf8.RuneSelf })
	if !ascii && !strings.Contains(string(key), "_") {
		b.warn(d.record(0, 0), "not ASCII: browsers ask for such a name in its xn-- form (RFC 5891)")
	}
}

// checkAlone: a CNAME stands alone (RFC 2181 section 10.1), but for what DNSSEC
// puts beside it (RFC 4034 section 3), and so does a DNAME among its kind (RFC
// 6672 section 2.4).
func (b *Builder) checkAlone(d *draft) {
	if c := d.set(dns.TypeCNAME); c != nil {
		r := d.recordOf(dns.TypeCNAME)
		if len(c.Data) > 1 {
			b.fatal(r, "%s owns %d CNAME records; one is the most", d.name, len(c.Data))
		}
		for _, s := range d.sets {
			switch s.Type {
			case dns.TypeCNAME, dns.TypeRRSIG, dns.TypeNSEC, dns.TypeKEY, dns.TypeSIG, dns.TypeNXT:
			default:
				b.fatal(r, "%s owns a CNAME and other data (%s)", d.name, s.Type)
			}
		}
	}
	if c := d.set(dns.TypeDNAME); c != nil {
		r := d.recordOf(dns.TypeDNAME)
		if len(c.Data) > 1 {
			b.fatal(r, "%s owns %d DNAME records; one is the most", d.name, len(c.Data))
		}
		if d.set(dns.TypeNS) != nil && !d.name.Equal(b.apex) {
			b.fatal(r, "%s owns a DNAME and is delegated by NS", d.name)
		}
	}
}

// hiddenBy says which name above key keeps it from being answered: the owner of
// a DNAME or of a delegation.
func (b *Builder) hiddenBy(key dns.Name) (above dns.Name, what dns.Type) {
	if len(key) <= len(b.apex) {
		return "", 0
	}
	for n := key.Parent(); len(n) >= len(b.apex); n = n.Parent() {
		if p := b.names[n]; p != nil {
			if p.set(dns.TypeDNAME) != nil {
				return p.name, dns.TypeDNAME
			}
			if p.set(dns.TypeNS) != nil && n != b.apex && !n.IsWildcard() {
				return p.name, dns.TypeNS
			}
		}
		if n == dns.Root {
			break
		}
	}
	return "", 0
}

// checkCut warns of what a delegated name owns beside NS, DS, glue and what
// DNSSEC puts there: the child zone answers for it (RFC 2181 section 6).
func (b *Builder) checkCut(d *draft) {
	for i, s := range d.sets {
		switch s.Type {
		case dns.TypeNS, dns.TypeDS, dns.TypeA, dns.TypeAAAA, dns.TypeNSEC, dns.TypeRRSIG, dns.TypeDNAME:
		default:
			b.warn(d.record(i, 0), "never answered: %s is delegated", d.name)
		}
	}
}

// checkTarget warns of names that records point at: NS and MX must not point
// at an alias (RFC 2181 section 10.3), and a server in the zone needs an
// address.
func (b *Builder) checkTarget(r Record) {
	switch r.Type {
	case dns.TypeNS, dns.TypeMX, dns.TypeSRV:
	default:
		return
	}
	target, ok := r.Target()
	if !ok || target == dns.Root || !target.IsSubdomainOf(b.apex) {
		return
	}
	d := b.names[target.Canonical()]
	switch {
	case d != nil && d.set(dns.TypeCNAME) != nil:
		b.warn(r, "%s is an alias (CNAME), which %s must not point at", target, r.Type)
	case d != nil && (d.set(dns.TypeA) != nil || d.set(dns.TypeAAAA) != nil):
	case b.answeredElsewhere(r, target):
	default:
		b.warn(r, "%s has no address", target)
	}
}

// answeredElsewhere says whether a target without an address of its own may
// have one all the same: from a wildcard, a DNAME or a delegated zone. The
// name servers of a delegation are the exception: they need glue here when
// they are below it.
func (b *Builder) answeredElsewhere(r Record, target dns.Name) bool {
	if r.Type == dns.TypeNS && target.IsSubdomainOf(r.Name) && !r.Name.Equal(b.apex) {
		return false
	}
	for n := target.Canonical(); len(n) >= len(b.apex); n = n.Parent() {
		if w, ok := n.Wildcard(); ok && b.names[w] != nil && !n.Equal(target) {
			return true
		}
		if p := b.names[n]; p != nil && n != b.apex && (p.set(dns.TypeNS) != nil || p.set(dns.TypeDNAME) != nil) {
			return true
		}
		if n == dns.Root {
			break
		}
	}
	return false
}

// record gives one record of a draft, for a message.
func (d *draft) record(set, i int) Record {
	s := d.sets[set]
	return Record{dns.RR{Name: d.name, Type: s.Type, Class: dns.ClassIN, TTL: s.TTL, Data: s.Data[i]}, s.pos}
}

func (d *draft) recordOf(t dns.Type) Record {
	for i := range d.sets {
		if d.sets[i].Type == t {
			return d.record(i, 0)
		}
	}
	return Record{RR: dns.RR{Name: d.name, Type: t}, Pos: d.pos}
}
