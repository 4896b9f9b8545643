package zone

import (
	"bytes"
	"sort"

	"github.com/network-utopia/utopia/dns"
)

// hashIndex finds NSEC3 records by hash: between two of them in the zone's order
// any number of other names may stand.
type hashIndex struct {
	param   dns.NSEC3PARAM
	size    int    // octets of a digest
	digests []byte // one behind the other, in order
}

// makeHashIndex goes through the zone, when it has an NSEC3 chain (RFC 5155
// section 7.1 wants an NSEC3PARAM record with flags of zero for one that is
// whole).
func makeHashIndex(z *Zone) *hashIndex {
	set, _ := z.Top().RRset(dns.TypeNSEC3PARAM)
	for _, data := range set.Data {
		p, ok := dns.RR{Type: dns.TypeNSEC3PARAM, Data: data}.NSEC3PARAM()
		if !ok || p.Flags != 0 {
			continue
		}
		if size, err := p.Digest(z.apex); err == nil {
			x := &hashIndex{param: p, size: len(size)}
			x.fill(z)
			return x
		}
	}
	return nil
}

func (x *hashIndex) fill(z *Zone) {
	for n := range z.Nodes() {
		set := findSet(n.body, dns.TypeNSEC3)
		if set == nil {
			continue
		}
		r, ok := dns.RR{Type: dns.TypeNSEC3, Data: set.first()}.NSEC3()
		digest, ok2 := dns.NSEC3Digest(n.Name())
		if ok && ok2 && len(digest) == x.size && r.Hash == x.param.Hash &&
			r.Iterations == x.param.Iterations && bytes.Equal(r.Salt, x.param.Salt) {
			x.digests = append(x.digests, digest...) // base 32 keeps their order
		}
	}
}

func (x *hashIndex) at(i int) []byte { return x.digests[i*x.size : (i+1)*x.size] }

// NSEC3 finds the NSEC3 record of a name (RFC 5155 section 7.2): the one whose
// owner is its hash, which says what it owns, and otherwise the one before it,
// which covers it. It gives nothing in a zone without such a chain.
func (z *Zone) NSEC3(name dns.Name) (n Node, matches bool) {
	x := z.hashes
	if x == nil || len(x.digests) == 0 {
		return Node{}, false
	}
	digest, err := x.param.Digest(name)
	if err != nil {
		return Node{}, false
	}
	count := len(x.digests) / x.size
	i := sort.Search(count, func(i int) bool { return bytes.Compare(x.at(i), digest) > 0 })
	i = (i - 1 + count) % count // before the first comes the last
	owner, err := dns.NSEC3Owner(x.at(i), z.apex)
	if err != nil {
		return Node{}, false
	}
	n, _ = z.At(owner)
	return n, bytes.Equal(x.at(i), digest)
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
