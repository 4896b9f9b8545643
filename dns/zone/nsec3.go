package zone

import (
	"bytes"

	"github.com/network-utopia/utopia/dns"
)

// hashIndex finds NSEC3 records by hash: between two of them in the zone's order
// any number of other names may stand. Its tree has the hashes for keys, and
// nothing behind them. It is immutable as the zone is; nil is for a zone without
// such records.
type hashIndex struct {
	param dns.NSEC3PARAM
	size  int // octets of a digest
	root  *page
}

// chainParam gives how the names of the zone's NSEC3 chain are hashed, when it has
// one (RFC 5155 section 7.1 wants an NSEC3PARAM record with flags of zero for one
// that is whole), and the octets of a hash.
func (z *Zone) chainParam() (p dns.NSEC3PARAM, size int) {
	set, _ := z.Top().RRset(dns.TypeNSEC3PARAM)
	for _, data := range set.Data {
		p, ok := dns.RR{Type: dns.TypeNSEC3PARAM, Data: data}.NSEC3PARAM()
		if !ok || p.Flags != 0 {
			continue
		}
		if digest, err := p.Digest(z.apex); err == nil {
			return p, len(digest)
		}
	}
	return dns.NSEC3PARAM{}, 0
}

// sameHash says whether two hash names alike.
func sameHash(a, b dns.NSEC3PARAM) bool {
	return a.Hash == b.Hash && a.Iterations == b.Iterations && bytes.Equal(a.Salt, b.Salt)
}

// makeHashIndex goes through the zone.
func makeHashIndex(z *Zone) *hashIndex {
	p, size := z.chainParam()
	if size == 0 {
		return nil
	}
	x := &hashIndex{param: p, size: size}
	var w pageWriter
	for n := range z.Nodes() {
		if digest := x.digestAt(n.item); digest != nil {
			w.add(item{key: digest}, nil) // base 32 keeps their order
		}
	}
	x.root = root(w.done())
	return x
}

// after gives the index of next, which edits made of z.
func (x *hashIndex) after(z, next *Zone, edits []item) *hashIndex {
	if len(edits) > 0 && len(edits[0].key) == 0 {
		p, size := next.chainParam()
		if size == 0 {
			return nil
		}
		if x == nil || !sameHash(x.param, p) {
			return makeHashIndex(next)
		}
	}
	if x == nil {
		return nil
	}
	var changes []item
	for _, e := range edits {
		now := x.digestAt(e)
		was, _ := z.get(e.key)
		switch before := x.digestAt(was.item); {
		case now != nil && before == nil:
			changes = append(changes, item{now, []byte{}})
		case now == nil && before != nil:
			changes = append(changes, item{key: before})
		}
	}
	return x.with(changes)
}

// with gives the index after changes, which are in order; one without a body takes
// its hash away.
func (x *hashIndex) with(changes []item) *hashIndex {
	if len(changes) == 0 {
		return x
	}
	next := *x
	next.root = root(x.root.apply(changes))
	return &next
}

// digestAt gives the hash that is the name of an item, where that owns an NSEC3
// record of this chain; otherwise nil.
func (x *hashIndex) digestAt(it item) []byte {
	set := findSet(it.body, dns.TypeNSEC3)
	if set == nil || bytes.IndexByte(it.key, labelEnd) != len(it.key)-1 {
		return nil
	}
	r, ok := dns.RR{Type: dns.TypeNSEC3, Data: set.first()}.NSEC3()
	digest, ok2 := dns.NSEC3Digest(nameOfKey(it.key, dns.Root))
	if ok && ok2 && len(digest) == x.size && sameHash(x.param, r.NSEC3PARAM) {
		return digest
	}
	return nil
}

// at gives the hash that is digest, and otherwise the one before it: before the
// first comes the last. Nil is for an index of none.
func (x *hashIndex) at(digest []byte) (at []byte, exact bool) {
	var c cursor
	if c.seek(x.root, digest) {
		return digest, true
	}
	return c.before(x.root), false
}

// before gives the hash before digest, whether that is there or not.
func (x *hashIndex) before(digest []byte) []byte {
	var c cursor
	c.seek(x.root, digest)
	return c.before(x.root)
}

// before gives the key before the cursor, of a tree that is a ring.
func (c *cursor) before(p *page) []byte {
	if !c.prev() {
		c.last(p)
	}
	it, _ := c.at()
	return it.key
}

// next gives the hash that comes after digest: after the last the first.
func (x *hashIndex) next(digest []byte) []byte {
	var c cursor
	if c.seek(x.root, digest) {
		c.next()
	}
	it, ok := c.at()
	if !ok {
		c.seek(x.root, nil)
		it, _ = c.at()
	}
	return it.key
}

// NSEC3 finds the NSEC3 record of a name (RFC 5155 section 7.2): the one whose
// owner is its hash, which says what it owns, and otherwise the one before it,
// which covers it. It gives nothing in a zone without such a chain.
func (z *Zone) NSEC3(name dns.Name) (n Node, matches bool) {
	x := z.hashes
	if x == nil {
		return Node{}, false
	}
	digest, err := x.param.Digest(name)
	if err != nil {
		return Node{}, false
	}
	at, matches := x.at(digest)
	owner, err := dns.NSEC3Owner(at, z.apex)
	if at == nil || err != nil {
		return Node{}, false
	}
	n, _ = z.At(owner)
	return n, matches
}

// hashedOwner says whether a key is that of an NSEC3 record's owner, or below
// one. To those who ask such names are none (RFC 5155 section 7.2.8).
func (z *Zone) hashedOwner(key []byte) bool {
	if z.hashes == nil {
		return false
	}
	end := bytes.IndexByte(key, labelEnd) + 1
	n, ok := z.get(key[:end])
	return end > 0 && ok && n.Has(dns.TypeNSEC3)
}

// besideHashed is what Lookup finds for such a name.
func (z *Zone) besideHashed() Match {
	m := Match{None, Node{}, z.apex}
	if n, ok := z.wildcard(nil); ok {
		m.Kind, m.Node = Wildcard, n
	}
	return m
}

// HasNSEC3 says whether names that do not exist are denied by NSEC3 records.
func (z *Zone) HasNSEC3() bool { return z.hashes != nil }

// NSEC finds the NSEC record of a name: its own, or the one before it in order,
// which covers it (RFC 4034 section 4.1.1). It gives nothing in a zone without
// such a chain.
func (z *Zone) NSEC(name dns.Name) (n Node, matches bool) {
	if !z.Top().Has(dns.TypeNSEC) {
		return Node{}, false
	}
	for n := range z.Before(name) {
		if n.Has(dns.TypeNSEC) {
			return n, n.Name().Equal(name)
		}
	}
	return Node{}, false
}

// Signatures gives the RRSIG records that cover a type of the node.
func (n Node) Signatures(t dns.Type) RRset {
	return RRset{Type: dns.TypeRRSIG, Data: signaturesOf(n.body, t)}
}
