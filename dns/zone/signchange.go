package zone

import (
	"bytes"
	"errors"
	"iter"
	"maps"
	"slices"

	"github.com/network-utopia/utopia/dns"
)

// errNotByChange says that the whole zone is to be signed instead.
var errNotByChange = errors.New("too much has changed")

// Past a share of the names of a zone, and a few, it is less work to go through
// the whole zone.
const (
	changedShare = 4
	changedFew   = 1000
)

// follows says whether the signing before was like this one, so that only what
// differs between the two zones is to be signed.
func (s *signer) follows() bool {
	was := s.before.of
	return was != nil && s.before.policy == s.policy && s.hasKeys(s.before.keys) && was.named == s.zone.named &&
		was.denialTTL() == s.zone.denialTTL()
}

func (s *signer) hasKeys(keys []*dns.SigningKey) bool {
	return slices.EqualFunc(keys, s.keys, func(a *dns.SigningKey, b signKey) bool { return bytes.Equal(a.Data(), b.Data()) })
}

// changer signs what has changed of a zone.
type changer struct {
	*signer
	old   *Zone             // what was signed before
	edits map[string][]byte // the bodies of names by their keys; nil for names that go
}

// change signs what has changed since the signing before.
func (s *signer) change() error {
	c := changer{s, s.before.of, map[string][]byte{}}
	keys, err := c.touched()
	if err != nil {
		return err
	}
	if s.policy.NSEC3 {
		err = c.rehash(keys)
	} else {
		c.addBefore(keys)
	}
	for key := range keys {
		if err == nil {
			err = c.name([]byte(key))
		}
	}
	if err != nil {
		return err
	}
	s.out.Zone = s.previous.changed(s.zone.named, c.ordered())
	s.out.round = s.before.round.with(s.out.Next)
	s.out.Next = earlier(s.before.Next, s.out.Next)
	return nil
}

// ordered gives the items that are not as they were, in order.
func (c *changer) ordered() []item {
	var edits []item
	for _, key := range slices.Sorted(maps.Keys(c.edits)) {
		it := item{[]byte(key), c.edits[key]}
		if was, _ := c.previous.get(it.key); !bytes.Equal(was.body, it.body) {
			edits = append(edits, it)
		}
	}
	return edits
}

type keySet map[string]struct{}

func (k keySet) add(key []byte) { k[string(key)] = struct{}{} }

// touched gives the keys of the names that changed, and of those below a
// delegation or DNAME that has come or gone.
func (c *changer) touched() (keySet, error) {
	keys := keySet{}
	most := c.zone.count.names/changedShare + changedFew
	for p := range pairs(c.old.root, c.zone.root) {
		if bytes.Equal(p.was.body, p.now.body) {
			continue
		}
		keys.add(p.key())
		if c.old.node(p.was).hides() != c.zone.node(p.now).hides() {
			for _, z := range [...]*Zone{c.old, c.zone} {
				for it := range z.within(p.key()) {
					if keys.add(it.key); len(keys) > most {
						return nil, errNotByChange
					}
				}
			}
		}
		if len(keys) > most {
			return nil, errNotByChange
		}
	}
	return keys, nil
}

// within gives the items at a key and below it.
func (z *Zone) within(key []byte) iter.Seq[item] {
	return func(yield func(item) bool) {
		var c cursor
		for c.seek(z.root, key); ; c.next() {
			it, ok := c.at()
			if !ok || !bytes.HasPrefix(it.key, key) || !yield(it) {
				return
			}
		}
	}
}

// ownerAt gives a name of a zone as owners does.
func (s *signer) ownerAt(z *Zone, key []byte) (o owner, ok bool) {
	n, ok := z.get(key)
	if ok {
		o, ok = s.ownerOf(n)
	}
	if !ok {
		return owner{}, false
	}
	switch top, kind := z.cover(key); {
	case kind == None:
	case len(top.key) == len(key):
		o.where = delegated
	default:
		o.where = hidden
	}
	return o, true
}

// inChain says whether a name of a zone is in the chain: see makeChain.
func (s *signer) inChain(z *Zone, key []byte) bool {
	o, ok := s.ownerAt(z, key)
	if ok || !s.policy.NSEC3 {
		return ok && o.where != hidden
	}
	if _, kind := z.cover(key); kind != None {
		return false
	}
	// The first one below that owns something is not hidden: what would hide it
	// comes before it.
	for it := range z.within(key) {
		if _, ok := s.ownerOf(z.node(it)); ok {
			return true
		}
	}
	return false
}

// name makes what a name owns.
func (c *changer) name(key []byte) error {
	o, ok := c.ownerAt(c.zone, key)
	was, _ := c.previous.get(key)
	if !ok {
		if _, there := c.edits[string(key)]; !there && !was.Has(dns.TypeNSEC3) {
			c.edits[string(key)] = nil
		}
		return nil
	}
	if was.Has(dns.TypeNSEC3) {
		return errNotByChange // a name that is a hash
	}
	if !c.policy.NSEC3 && o.where != hidden {
		o.sets = append(o.sets, c.nsecSet(dns.NSEC{Next: nameOfKey(c.linkAfter(o), c.zone.apex), Types: o.types(true)}))
	}
	it, err := c.sign(o)
	c.edits[string(key)] = it.body
	return err
}

// addBefore adds the names whose NSEC records tell of another name than before.
func (c *changer) addBefore(keys keySet) {
	for _, key := range slices.Collect(maps.Keys(keys)) {
		if key := []byte(key); c.inChain(c.old, key) != c.inChain(c.zone, key) {
			keys.add(c.linkBefore(key))
		}
	}
}

// linkBefore gives the name of the chain that comes before a key; the first one
// is the zone's own.
func (c *changer) linkBefore(key []byte) []byte {
	var at cursor
	at.seek(c.zone.root, key)
	for at.prev() {
		it, _ := at.at()
		if top, kind := c.zone.cover(it.key); kind != None {
			return top.key
		}
		if _, ok := c.ownerOf(c.zone.node(it)); ok {
			return it.key
		}
	}
	return nil
}

// linkAfter gives the name that comes after one of the chain; after the last the
// zone's own.
func (c *changer) linkAfter(o owner) []byte {
	behind := append(bytes.Clone(o.key), labelEnd)
	if o.hides() {
		if len(o.key) == 0 {
			return nil
		}
		behind = behind[:len(o.key)]
		behind[len(o.key)-1] = labelEnd + 1 // behind all that begins with the key
	}
	var at cursor
	for at.seek(c.zone.root, behind); ; at.next() {
		it, ok := at.at()
		if !ok {
			return nil
		}
		if _, owns := c.ownerOf(c.zone.node(it)); owns {
			return it.key
		}
	}
}

// rehash makes the NSEC3 records that change with some names: theirs, those of
// the empty ones above them, and those before what comes or goes.
func (c *changer) rehash(keys keySet) error {
	r := rehashing{changer: c, types: map[string]dns.TypeBitmap{}}
	for key := range c.withEmpty(keys) {
		if err := r.name([]byte(key)); err != nil {
			return err
		}
	}
	slices.SortFunc(r.changes, func(a, b item) int { return bytes.Compare(a.key, b.key) })
	index := c.previous.hashes.with(r.changes)
	for _, it := range r.changes {
		before := index.before(it.key)
		if _, ok := r.types[string(before)]; !ok {
			r.types[string(before)] = c.typesOf(before)
		}
	}
	for digest, types := range r.types {
		key, err := c.hashedKey([]byte(digest))
		if err != nil {
			return err
		}
		if _, owns := c.ownerAt(c.zone, key); owns { // a hash that is a name
			return errNotByChange
		}
		it, err := c.signHashed(key, index.next([]byte(digest)), types)
		if err != nil {
			return err
		}
		c.edits[string(key)] = it.body
	}
	return nil
}

// withEmpty gives names and those above them.
func (c *changer) withEmpty(keys keySet) keySet {
	all := maps.Clone(keys)
	for key := range keys {
		for end := 0; end < len(key); end = labelOf([]byte(key), end) {
			if end > 0 {
				all[key[:end]] = struct{}{}
			}
		}
	}
	return all
}

// rehashing gathers what changes of an NSEC3 chain.
type rehashing struct {
	*changer
	types   map[string]dns.TypeBitmap // what the names of hashes own
	changes []item                    // hashes that come, and those that go
}

func (r *rehashing) name(key []byte) error {
	was, is := r.inChain(r.old, key), r.inChain(r.zone, key)
	if !was && !is {
		return nil
	}
	digest, err := nsec3Param().Digest(nameOfKey(key, r.zone.apex))
	if err != nil {
		return err
	}
	if !is {
		own, err := r.hashedKey(digest)
		r.changes = append(r.changes, item{key: digest})
		r.edits[string(own)] = nil
		return err
	}
	_, twice := r.types[string(digest)]
	r.types[string(digest)] = nil
	if o, ok := r.ownerAt(r.zone, key); ok {
		r.types[string(digest)] = o.types(false)
	}
	if !was {
		_, there := r.previous.hashes.at(digest)
		r.changes = append(r.changes, item{digest, []byte{}})
		twice = twice || there
	}
	if twice { // two names with one hash
		return errNotByChange
	}
	return nil
}

// typesOf gives what an NSEC3 record says that its name owns.
func (c *changer) typesOf(digest []byte) dns.TypeBitmap {
	key, _ := c.hashedKey(digest) // it is one of the chain
	n, _ := c.previous.get(key)
	r, _ := dns.RR{Type: dns.TypeNSEC3, Data: findSet(n.body, dns.TypeNSEC3).first()}.NSEC3()
	return r.Types
}
