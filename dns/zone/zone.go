package zone

import (
	"bytes"
	"iter"
	"slices"

	"github.com/network-utopia/utopia/dns"
)

// Zone is the snapshot of a zone. It is immutable, and safe for any number of
// readers. Make one with a Builder or with Load.
type Zone struct {
	apex    dns.Name           // in lower case
	nodes   []node             // in canonical order: the apex first
	index   map[dns.Name]int32 // names in lower case
	records int
	soa     dns.SOA
}

// node is a name that exists: it owns records, or a name below it does.
type node struct {
	name dns.Name // as it was written
	sets []RRset
}

// RRset is the records of one type that a name owns. Their data is shared and
// must not be changed.
type RRset struct {
	Type dns.Type
	TTL  uint32 // seconds
	Data [][]byte
}

// Append puts the records behind dst, with owner as their owner: so a
// wildcard's records take the name that was asked for.
func (s RRset) Append(dst []dns.RR, owner dns.Name) []dns.RR {
	for _, d := range s.Data {
		dst = append(dst, dns.RR{Name: owner, Type: s.Type, Class: dns.ClassIN, TTL: s.TTL, Data: d})
	}
	return dst
}

// Node is a name of a zone with what it owns. The zero Node owns nothing.
type Node struct{ n *node }

// Name gives the owner's name, in the case that it was written in.
func (n Node) Name() dns.Name {
	if n.n == nil {
		return ""
	}
	return n.n.name
}

// RRset gives the records of a type.
func (n Node) RRset(t dns.Type) (RRset, bool) {
	if n.n != nil {
		for _, s := range n.n.sets {
			if s.Type == t {
				return s, true
			}
		}
	}
	return RRset{}, false
}

// Sets gives all that the name owns, ordered by type. It is empty for an empty
// non-terminal.
func (n Node) Sets() []RRset {
	if n.n == nil {
		return nil
	}
	return n.n.sets
}

// Apex gives the zone's name, in lower case.
func (z *Zone) Apex() dns.Name { return z.apex }

// SOA gives the data of the zone's SOA record.
func (z *Zone) SOA() dns.SOA { return z.soa }

// Len counts the zone's records.
func (z *Zone) Len() int { return z.records }

// Top gives the node of the apex.
func (z *Zone) Top() Node { return Node{&z.nodes[0]} }

// At gives the node of a name wherever it stands, also below a cut, where it
// is glue. It looks at no wildcard.
func (z *Zone) At(name dns.Name) (Node, bool) {
	if i, ok := z.index[name.Canonical()]; ok {
		return Node{&z.nodes[i]}, true
	}
	return Node{}, false
}

// All gives every record: the SOA first, then the names in canonical order
// (RFC 4034 section 6.1), with the types of each in order.
func (z *Zone) All() iter.Seq[dns.RR] {
	return func(yield func(dns.RR) bool) {
		var buf []dns.RR
		soa, _ := z.Top().RRset(dns.TypeSOA)
		buf = soa.Append(buf, z.nodes[0].name)
		for i := range z.nodes {
			for _, s := range z.nodes[i].sets {
				if s.Type != dns.TypeSOA {
					buf = s.Append(buf, z.nodes[i].name)
				}
			}
			for _, rr := range buf {
				if !yield(rr) {
					return
				}
			}
			buf = buf[:0]
		}
	}
}

// Kind says how a name stands in a zone.
type Kind uint8

// The kinds of Match.
const (
	// None: the name does not exist, and no wildcard stands for it.
	None Kind = iota
	// Exact: the name exists; it may own nothing (an empty non-terminal).
	Exact
	// Wildcard: the name does not exist; Node is the wildcard that stands for it.
	Wildcard
	// Cut: the name is that of a delegation, or below it; Node owns the NS set.
	Cut
	// Redirect: the name is below a DNAME; Node owns that.
	Redirect
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case Exact:
		return "exact"
	case Wildcard:
		return "wildcard"
	case Cut:
		return "cut"
	case Redirect:
		return "redirect"
	}
	return "none"
}

// Match is what Lookup finds.
type Match struct {
	Kind Kind
	Node Node
	// Encloser is the longest existing name at or above the one looked for
	// (RFC 4592 section 3.3.1), among those that the search went through: it
	// ends at a cut or DNAME.
	Encloser dns.Name
}

// Lookup searches for a name as RFC 1034 section 4.3.2 step 3 and RFC 6672
// section 3.2 say: from the apex down, ending at a delegation or DNAME, else
// at the name, else at the wildcard below its closest encloser. A name that is
// not at or below the apex gives None.
func (z *Zone) Lookup(name dns.Name) Match {
	name = name.Canonical()
	if !name.IsSubdomainOf(z.apex) {
		return Match{}
	}
	var path [dns.MaxNameLen / 2]dns.Name // the names below the apex, deepest first
	depth := 0
	for n := name; len(n) > len(z.apex); n = n.Parent() {
		path[depth] = n
		depth++
	}
	at := &z.nodes[0]
	for i := depth - 1; i >= 0; i-- {
		if (Node{at}).has(dns.TypeDNAME) {
			return Match{Redirect, Node{at}, at.name}
		}
		below, ok := z.index[path[i]]
		if !ok {
			return z.wildcard(at)
		}
		at = &z.nodes[below]
		// A cut at a wildcard is none: RFC 4592 section 4.2 leaves its meaning
		// open, and the builder warns of it.
		if (Node{at}).has(dns.TypeNS) && !at.name.IsWildcard() {
			return Match{Cut, Node{at}, at.name}
		}
	}
	return Match{Exact, Node{at}, at.name}
}

// wildcard looks below the closest encloser (RFC 4592 section 3.3.1).
func (z *Zone) wildcard(encloser *node) Match {
	if w, ok := encloser.name.Canonical().Wildcard(); ok {
		if i, ok := z.index[w]; ok {
			return Match{Wildcard, Node{&z.nodes[i]}, encloser.name}
		}
	}
	return Match{None, Node{}, encloser.name}
}

func (n Node) has(t dns.Type) bool {
	_, ok := n.RRset(t)
	return ok
}

// WithSerial gives a snapshot that differs in the SOA's serial alone. The two
// share everything else.
func (z *Zone) WithSerial(serial uint32) *Zone {
	next := *z
	next.soa.Serial = serial
	next.nodes = slices.Clone(z.nodes)
	next.nodes[0].sets = slices.Clone(z.nodes[0].sets)
	for i, s := range next.nodes[0].sets {
		if s.Type == dns.TypeSOA {
			next.nodes[0].sets[i].Data = [][]byte{next.soa.Data()}
		}
	}
	return &next
}

// SameContent says whether two snapshots of a zone answer alike, the SOA's
// serial aside. The order of the records of a set does not matter, nor does
// the case of owners.
func (z *Zone) SameContent(other *Zone) bool {
	if z.apex != other.apex || z.records != other.records || len(z.nodes) != len(other.nodes) {
		return false
	}
	level := other.WithSerial(z.soa.Serial)
	for i := range z.nodes {
		a, b := z.nodes[i], level.nodes[i]
		if !a.name.Equal(b.name) || !slices.EqualFunc(a.sets, b.sets, sameSet) {
			return false
		}
	}
	return true
}

func sameSet(a, b RRset) bool {
	if a.Type != b.Type || a.TTL != b.TTL || len(a.Data) != len(b.Data) {
		return false
	}
	x, y := slices.Clone(a.Data), slices.Clone(b.Data)
	slices.SortFunc(x, bytes.Compare)
	slices.SortFunc(y, bytes.Compare)
	return slices.EqualFunc(x, y, bytes.Equal)
}

// SerialAfter says whether serial a comes after b in the arithmetic of RFC
// 1982 section 3.2, in which the highest serial is followed by 0. For two that
// are half the circle apart, which the RFC leaves open, it says no.
func SerialAfter(a, b uint32) bool { return int32(a-b) > 0 }
