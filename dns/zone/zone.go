package zone

import (
	"bytes"
	"iter"

	"github.com/network-utopia/utopia/dns"
)

// Zone is the snapshot of a zone. It is immutable, and safe for any number of
// readers. Make one with a Builder, with Load, or from another with an Edit.
type Zone struct {
	apex  dns.Name // in lower case
	named dns.Name // the apex, in the case that it was written in
	root  *page
	count tally
	soa   dns.SOA

	signed   bool // there are signatures
	topDNAME bool // the apex owns a DNAME
	nsec     bool // names that do not exist are denied by NSEC records
	hashes   *hashIndex
	denial   denial
}

func newZone(named dns.Name, root *page, count tally) *Zone {
	z := bareZone(named, root, count)
	z.setHashes(makeHashIndex(z))
	return z
}

// bareZone makes a zone but for what setHashes sets.
func bareZone(named dns.Name, root *page, count tally) *Zone {
	z := &Zone{apex: named.Canonical(), named: named, root: root, count: count}
	if set := findSet(z.Top().body, dns.TypeSOA); set != nil {
		z.soa, _ = dns.RR{Type: dns.TypeSOA, Data: set.first()}.SOA()
	}
	z.signed, z.topDNAME = z.Top().Has(dns.TypeRRSIG), z.Top().Has(dns.TypeDNAME)
	z.denial = makeDenial(z)
	return z
}

func (z *Zone) setHashes(x *hashIndex) {
	z.hashes = x
	z.nsec = z.signed && x == nil && z.Top().Has(dns.TypeNSEC)
}

// with gives the zone in which edits, which are in the order of their keys, stand
// in place of what they change; one without a body takes its name away.
func (z *Zone) with(named dns.Name, edits []item) *Zone {
	count := z.count
	for _, e := range edits {
		if was, ok := z.get(e.key); ok {
			count.add(was.item, -1)
		}
		if e.body != nil {
			count.add(e, 1)
		}
	}
	next := bareZone(named, root(z.root.apply(edits)), count)
	next.setHashes(z.hashes.after(z, next, edits))
	return next
}

// Apex gives the zone's name, in lower case.
func (z *Zone) Apex() dns.Name { return z.apex }

// SOA gives the data of the zone's SOA record.
func (z *Zone) SOA() dns.SOA { return z.soa }

// Len counts the zone's records.
func (z *Zone) Len() int { return z.count.records }

// Top gives the node of the apex.
func (z *Zone) Top() Node {
	n, _ := z.get(nil)
	return n
}

// get gives the node of a key; false when it owns nothing.
func (z *Zone) get(key []byte) (Node, bool) {
	p := z.root
	for p.children != nil {
		p = p.children[p.child(key)]
	}
	if i, ok := p.find(key); ok {
		return z.node(item{p.key(i), p.body(i)}), true
	}
	return Node{}, false
}

func (z *Zone) node(it item) Node { return Node{it, z.named} }

// exists says whether a name does that owns nothing: one below it does, and so
// has a key that begins with this one (RFC 4592 section 2.2.2).
func (z *Zone) exists(key []byte) bool {
	var c cursor
	c.seek(z.root, key)
	next, ok := c.at()
	return ok && bytes.HasPrefix(next.key, key)
}

// At gives the node of a name wherever it stands, also below a cut, where it
// is glue. It looks at no wildcard.
func (z *Zone) At(name dns.Name) (Node, bool) {
	if !name.IsSubdomainOf(z.apex) {
		return Node{}, false
	}
	var buf [maxKey]byte
	key := appendKey(buf[:0], name, len(z.apex))
	if n, ok := z.get(key); ok {
		return n, true
	}
	if z.exists(key) {
		return z.node(item{key: bytes.Clone(key)}), true
	}
	return Node{}, false
}

// All gives every record: the SOA first, then the names in canonical order
// (RFC 4034 section 6.1), with the types of each in order.
func (z *Zone) All() iter.Seq[dns.RR] {
	return func(yield func(dns.RR) bool) {
		soa, _ := z.Top().RRset(dns.TypeSOA)
		buf := soa.Append(nil, z.named)
		for n := range z.Nodes() {
			name := n.Name()
			for s := range packedSets(n.body) {
				if s.kind() != dns.TypeSOA {
					buf = s.unpack().Append(buf, name)
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

// Nodes gives the names that own records, in canonical order: the apex first.
func (z *Zone) Nodes() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		var c cursor
		for c.seek(z.root, nil); ; c.next() {
			it, ok := c.at()
			if !ok || !yield(z.node(it)) {
				return
			}
		}
	}
}

// Before gives the names that own records from name back to the apex, in
// reverse canonical order; name itself is the first when it owns any. It gives
// nothing for a name that is not at or below the apex.
func (z *Zone) Before(name dns.Name) iter.Seq[Node] {
	return func(yield func(Node) bool) {
		if !name.IsSubdomainOf(z.apex) {
			return
		}
		var c cursor
		if !c.seek(z.root, appendKey(nil, name, len(z.apex))) && !c.prev() {
			return
		}
		for {
			it, ok := c.at()
			if !ok || !yield(z.node(it)) || !c.prev() {
				return
			}
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
	// (RFC 4592 section 3.3.1), in lower case, among those that the search went
	// through: it ends at a cut or DNAME.
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
	var buf [maxKey]byte
	key := appendKey(buf[:0], name, len(z.apex))
	if n, kind := z.cover(key); kind != None {
		return Match{kind, n, n.Name().Canonical()}
	}
	if z.hashedOwner(key) {
		return z.besideHashed()
	}
	var c cursor
	if c.seek(z.root, key) {
		it, _ := c.at()
		return Match{Exact, z.node(it), name}
	}
	encloser := c.encloser(key)
	if len(encloser) == len(key) {
		return Match{Exact, z.node(item{key: bytes.Clone(key)}), name}
	}
	for n := bytes.Count(key[len(encloser):], []byte{labelEnd}); n > 0; n-- {
		name = name.Parent()
	}
	match := Match{None, Node{}, name}
	if n, ok := z.wildcard(encloser); ok {
		match.Kind, match.Node = Wildcard, n
	}
	return match
}

// cover gives the highest name on the way to key that owns a delegation, or a
// DNAME above it.
func (z *Zone) cover(key []byte) (Node, Kind) {
	if z.count.redirects == 0 {
		return Node{}, None
	}
	for end := 0; ; {
		n, ok := z.get(key[:end])
		switch {
		case ok && n.Has(dns.TypeDNAME) && end < len(key):
			return n, Redirect
		case ok && n.isCut():
			return n, Cut
		case end == len(key):
			return Node{}, None
		}
		end = labelOf(key, end)
	}
}

// isCut says whether the name is delegated. A cut at a wildcard is none: RFC 4592
// section 4.2 leaves its meaning open, and the builder warns of it.
func (n Node) isCut() bool {
	return len(n.key) > 0 && n.Has(dns.TypeNS) && !isWildcardKey(n.key)
}

// encloser gives the key of the closest encloser (RFC 4592 section 3.3.1) of
// one that owns nothing: what it has in common with its neighbours, at the
// first of which behind it the cursor is. It is the key itself for an empty
// non-terminal.
func (c *cursor) encloser(key []byte) []byte {
	var common []byte
	if after, ok := c.at(); ok {
		common = commonKey(key, after.key)
	}
	if c.prev() {
		before, _ := c.at()
		if other := commonKey(key, before.key); len(other) > len(common) {
			common = other
		}
	}
	return key[:len(common)]
}

// wildcard gives the wildcard below the closest encloser; it may own nothing.
func (z *Zone) wildcard(encloser []byte) (Node, bool) {
	if z.count.asterisks == 0 {
		return Node{}, false
	}
	var buf [maxKey + 2]byte
	key := append(append(buf[:0], encloser...), '*', labelEnd)
	if n, ok := z.get(key); ok {
		return n, true
	}
	if z.exists(key) {
		return z.node(item{key: bytes.Clone(key)}), true
	}
	return Node{}, false
}

// WithSerial gives a snapshot that differs in the SOA's serial alone. The two
// share everything else.
func (z *Zone) WithSerial(serial uint32) *Zone {
	soa := z.soa
	soa.Serial = serial
	set, _ := z.Top().RRset(dns.TypeSOA)
	e := z.Edit()
	// One record with the size of the one before, at the apex, always fits.
	_ = e.Put(z.apex, RRset{Type: dns.TypeSOA, TTL: set.TTL, Data: [][]byte{soa.Data()}})
	return e.Zone()
}

// SerialAfter says whether serial a comes after b in the arithmetic of RFC
// 1982 section 3.2, in which the highest serial is followed by 0. For two that
// are half the circle apart, which the RFC leaves open, it says no.
func SerialAfter(a, b uint32) bool { return int32(a-b) > 0 }
