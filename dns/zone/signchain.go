package zone

import (
	"bytes"
	"errors"
	"slices"

	"github.com/network-utopia/utopia/dns"
)

// nsec3Param is how names are hashed here: once, without salt (RFC 9276 section
// 3.1).
func nsec3Param() dns.NSEC3PARAM { return dns.NSEC3PARAM{Hash: dns.NSEC3SHA1} }

var errHashCollision = errors.New("two names of the zone have the same hash")

// chain is what proves that names do not exist: either links, one for each name
// in order, or hashed, in the order of the hashes.
type chain struct {
	links  []link
	next   int // the link that is given out next
	hashed []hashedName
}

// link is a name and what it owns.
type link struct {
	name  dns.Name // in lower case
	types dns.TypeBitmap
}

// hashedName is an entry of an NSEC3 chain.
type hashedName struct {
	digest []byte
	types  dns.TypeBitmap
}

// makeChain goes through the names that the chain has: those with authority and
// the delegations; with NSEC3 also the empty ones above them.
func (s *signer) makeChain() (*chain, error) {
	c := &chain{}
	var last []byte
	for o := range s.owners() {
		if o.where == hidden {
			continue
		}
		types := o.types(!s.policy.NSEC3)
		name := nameOfKey(o.key, s.zone.apex)
		if !s.policy.NSEC3 {
			c.links = append(c.links, link{name, types})
			continue
		}
		s.addEmpty(c, last, o.key)
		c.addHashed(name, types)
		last = o.key
	}
	return c, c.order()
}

// order puts the hashes in order.
func (c *chain) order() error {
	slices.SortFunc(c.hashed, func(a, b hashedName) int { return bytes.Compare(a.digest, b.digest) })
	for i := 1; i < len(c.hashed); i++ {
		if bytes.Equal(c.hashed[i-1].digest, c.hashed[i].digest) {
			return errHashCollision
		}
	}
	return nil
}

func (c *chain) addHashed(name dns.Name, types dns.TypeBitmap) {
	digest, _ := nsec3Param().Digest(name) // of an algorithm that is known
	c.hashed = append(c.hashed, hashedName{digest, types})
}

// addEmpty adds the empty non-terminals between a name and the one before it in
// order: its ancestors that are no ancestors of that (RFC 5155 section 7.1).
func (s *signer) addEmpty(c *chain, before, key []byte) {
	for end := len(commonKey(before, key)); ; {
		size := bytes.IndexByte(key[end:], labelEnd)
		if size < 0 || end+size+1 == len(key) {
			return
		}
		end += size + 1
		c.addHashed(nameOfKey(key[:end], s.zone.apex), nil)
	}
}

// types makes the bitmap of a name. At a delegation it tells what the parent
// has: NS and DS (RFC 4035 section 2.3). With NSEC every name is signed, with
// NSEC3 all but a delegation without DS (RFC 5155 section 7.1).
func (o owner) types(nsec bool) dns.TypeBitmap {
	var types []dns.Type
	signed := o.where == authoritative
	for _, set := range o.sets {
		if o.where == authoritative || set.Type == dns.TypeNS || set.Type == dns.TypeDS {
			types = append(types, set.Type)
			signed = signed || set.Type == dns.TypeDS
		}
	}
	if nsec {
		types = append(types, dns.TypeNSEC)
	}
	if signed || nsec {
		types = append(types, dns.TypeRRSIG)
	}
	return dns.NewTypeBitmap(types...)
}

// link gives the NSEC record of a name. Names come in order.
func (c *chain) link(o owner) (nsec dns.NSEC, ok bool) {
	if o.where == hidden || c.next >= len(c.links) {
		return dns.NSEC{}, false
	}
	types := c.links[c.next].types
	c.next++
	return dns.NSEC{Next: c.links[c.next%len(c.links)].name, Types: types}, true
}

// hashedBefore writes the NSEC3 records whose owners stand before a key, all
// that are left for nil.
func (s *signer) hashedBefore(w *signedWriter, c *chain, key []byte) error {
	for ; c.next < len(c.hashed); c.next++ {
		h := c.hashed[c.next]
		own, err := s.hashedKey(h.digest)
		if err != nil {
			return err
		}
		switch c := bytes.Compare(own, key); {
		case key != nil && c > 0:
			return nil
		case key != nil && c == 0:
			return errHashCollision
		}
		it, err := s.signHashed(own, c.hashed[(c.next+1)%len(c.hashed)].digest, h.types)
		if err != nil {
			return err
		}
		w.add(it)
	}
	return nil
}

// hashedKey gives the key of the owner of an NSEC3 record.
func (s *signer) hashedKey(digest []byte) ([]byte, error) {
	name, err := dns.NSEC3Owner(digest, s.zone.apex)
	if err != nil {
		return nil, err
	}
	return appendKey(nil, name, len(s.zone.apex)), nil
}

// signHashed makes an NSEC3 record, with its signatures.
func (s *signer) signHashed(key, next []byte, types dns.TypeBitmap) (item, error) {
	record := dns.NSEC3{NSEC3PARAM: nsec3Param(), Next: next, Types: types}
	set := RRset{dns.TypeNSEC3, s.zone.denialTTL(), [][]byte{record.Data()}}
	return s.sign(owner{Node: Node{item{key: key, body: []byte{0}}, s.zone.named}, sets: []RRset{set}})
}
