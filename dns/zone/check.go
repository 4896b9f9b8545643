package zone

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/network-utopia/utopia/dns"
)

// checker looks at a zone as a whole.
type checker struct {
	*Builder
	zone  *Zone
	twice []byte // the key of a name that ends in the zone's name twice
	// hiding is the name that hides what is below it, being delegated or the
	// owner of a DNAME: the last one that was passed.
	hiding Node
	what   dns.Type // NS or DNAME; 0: none was passed
}

// check looks at the zone as a whole.
func (b *Builder) check(z *Zone) {
	top, _ := z.get(nil)
	for _, t := range [...]dns.Type{dns.TypeSOA, dns.TypeNS} {
		if !top.Has(t) {
			b.problems = append(b.problems, Problem{
				Fatal: true, Text: "the zone " + b.apex.String() + " has no " + t.String() + " record at its own name",
			})
		}
	}
	c := checker{Builder: b, zone: z, twice: appendKey(nil, b.apex, len(dns.Root))}
	for n := range z.Nodes() {
		c.node(n)
	}
}

func (c *checker) node(n Node) {
	c.alone(n)
	c.spelling(n)
	if c.hides(n) {
		for s := range packedSets(n.body) {
			glue := c.what == dns.TypeNS && (s.kind() == dns.TypeA || s.kind() == dns.TypeAAAA)
			if !glue {
				c.warn(c.recordOf(n, s.kind()), "never answered: %s owns a %s record", c.hiding.Name(), c.what)
			}
		}
		return
	}
	apex := len(n.key) == 0
	switch delegated := !apex && n.Has(dns.TypeNS); {
	case delegated && isWildcardKey(n.key):
		c.warn(c.recordOf(n, dns.TypeNS), "NS at a wildcard delegates nothing (RFC 4592 section 4.2)")
	case delegated:
		c.cut(n)
		c.hiding, c.what = n, dns.TypeNS
	}
	if n.Has(dns.TypeDNAME) {
		c.hiding, c.what = n, dns.TypeDNAME
	}
	if apex && n.Has(dns.TypeDS) {
		c.warn(c.recordOf(n, dns.TypeDS), "DS belongs to the parent zone, not to the zone's own name")
	}
	for s := range packedSets(n.body) {
		c.targets(n, s)
	}
}

// hides says whether a name above keeps this one from being answered.
func (c *checker) hides(n Node) bool {
	return c.what != 0 && len(n.key) > len(c.hiding.key) && bytes.HasPrefix(n.key, c.hiding.key)
}

// spelling warns of names that are asked for by nobody: those that lack
// their final dot, so that the zone's name is in them twice (RFC 1912 section
// 2.2 names it first among the errors), and those that stand there as they are
// read where browsers ask for their xn-- form. The labels of services may be
// UTF-8 (RFC 6763 section 4.1.3).
func (c *checker) spelling(n Node) {
	if c.apex != dns.Root && bytes.HasPrefix(n.key, c.twice) {
		c.warn(c.anyOf(n), "%s is in the name twice: is a dot missing at its end?", c.apex)
	}
	ascii := !slices.ContainsFunc(n.key, func(b byte) bool { return b >= utf8.RuneSelf })
	if !ascii && !bytes.Contains(n.key, []byte("_")) {
		c.warn(c.anyOf(n), "not ASCII: browsers ask for such a name in its xn-- form (RFC 5891)")
	}
}

// alone: a CNAME stands alone (RFC 2181 section 10.1), but for what DNSSEC
// puts beside it (RFC 4034 section 3), and so does a DNAME among its kind (RFC
// 6672 section 2.4).
func (c *checker) alone(n Node) {
	if s := findSet(n.body, dns.TypeCNAME); s != nil {
		r := c.recordOf(n, dns.TypeCNAME)
		if s.count() > 1 {
			c.fatal(r, "%s owns %d CNAME records; one is the most", n.Name(), s.count())
		}
		for s := range packedSets(n.body) {
			switch s.kind() {
			case dns.TypeCNAME, dns.TypeRRSIG, dns.TypeNSEC, dns.TypeKEY, dns.TypeSIG, dns.TypeNXT:
			default:
				c.fatal(r, "%s owns a CNAME and other data (%s)", n.Name(), s.kind())
			}
		}
	}
	if s := findSet(n.body, dns.TypeDNAME); s != nil {
		if s.count() > 1 {
			c.fatal(c.recordOf(n, dns.TypeDNAME), "%s owns %d DNAME records; one is the most", n.Name(), s.count())
		}
		if len(n.key) > 0 && n.Has(dns.TypeNS) {
			c.fatal(c.recordOf(n, dns.TypeDNAME), "%s owns a DNAME and is delegated by NS", n.Name())
		}
	}
}

// cut warns of what a delegated name owns beside NS, DS, glue and what
// DNSSEC puts there: the child zone answers for it (RFC 2181 section 6).
func (c *checker) cut(n Node) {
	for s := range packedSets(n.body) {
		switch s.kind() {
		case dns.TypeNS, dns.TypeDS, dns.TypeA, dns.TypeAAAA, dns.TypeNSEC, dns.TypeRRSIG, dns.TypeDNAME:
		default:
			c.warn(c.recordOf(n, s.kind()), "never answered: %s is delegated", n.Name())
		}
	}
}

// targets warns of names that records point at: NS and MX must not point
// at an alias (RFC 2181 section 10.3), and a server in the zone needs an
// address.
func (c *checker) targets(n Node, s packedSet) {
	switch s.kind() {
	case dns.TypeNS, dns.TypeMX, dns.TypeSRV:
	default:
		return
	}
	set := s.unpack()
	for i := range set.Data {
		rr := dns.RR{Name: n.Name(), Type: set.Type, Class: dns.ClassIN, TTL: set.TTL, Data: set.Data[i]}
		target, ok := rr.Target()
		if !ok || target == dns.Root || !target.IsSubdomainOf(c.apex) {
			continue
		}
		at, _ := c.zone.At(target)
		switch {
		case at.Has(dns.TypeCNAME):
			c.warn(c.recordWith(n, rr), "%s is an alias (CNAME), which %s must not point at", target, rr.Type)
		case at.Has(dns.TypeA) || at.Has(dns.TypeAAAA) || c.answeredElsewhere(rr, target):
		default:
			c.warn(c.recordWith(n, rr), "%s has no address", target)
		}
	}
}

// answeredElsewhere says whether a target without an address of its own may
// have one all the same: from a wildcard, a DNAME or a delegated zone. The
// name servers of a delegation are the exception: they need glue here when
// they are below it.
func (c *checker) answeredElsewhere(rr dns.RR, target dns.Name) bool {
	if rr.Type == dns.TypeNS && target.IsSubdomainOf(rr.Name) && !rr.Name.Equal(c.apex) {
		return false
	}
	switch c.zone.Lookup(target).Kind {
	case Wildcard, Redirect, Cut:
		return true
	}
	return false
}

// recordOf gives the first record of a type that a name owns, with its place in
// the file.
func (c *checker) recordOf(n Node, t dns.Type) Record {
	places := c.records.find(n.key, t)
	if len(places) == 0 {
		return Record{RR: dns.RR{Name: n.Name(), Type: t}}
	}
	return c.record(places[0])
}

// recordWith gives a record with its place in the file.
func (c *checker) recordWith(n Node, rr dns.RR) Record {
	for _, at := range c.records.find(n.key, rr.Type) {
		if r := c.record(at); bytes.Equal(r.Data, rr.Data) {
			return r
		}
	}
	return Record{RR: rr}
}

// anyOf gives a name's first record.
func (c *checker) anyOf(n Node) Record {
	for s := range packedSets(n.body) {
		return c.recordOf(n, s.kind())
	}
	return Record{RR: dns.RR{Name: n.Name()}}
}
