package zone

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/network-utopia/utopia/dns"
)

// SignPolicy says how a zone is signed. Zero values mean the defaults.
type SignPolicy struct {
	// Validity is how long a signature is good for, and Refresh how long it is
	// still good for when the next takes its place: by then secondaries and
	// caches must have that (RFC 6781 section 4.4.2).
	Validity, Refresh time.Duration
	// Jitter is the time over which the renewals of a zone's signatures are
	// spread, in steps of an hour, so that not all come at once.
	Jitter time.Duration
	// Backdate is how far clocks that check may be behind.
	Backdate time.Duration
	// NSEC3 makes a chain of hashed names, without salt, iterations and opt-out
	// (RFC 9276 section 3.1), instead of one of names.
	NSEC3 bool
	// KeyTTL is the TTL of DNSKEY, CDS and CDNSKEY in seconds.
	KeyTTL uint32
	// Parent says what the parent zone is told. A zone's own CDS and CDNSKEY
	// records, where it has some, are left as they are.
	Parent ParentRecords
}

// ParentRecords are what CDS and CDNSKEY tell the parent (RFC 7344, RFC 8078).
type ParentRecords uint8

// The kinds of ParentRecords.
const (
	ParentNone    ParentRecords = iota // nothing
	ParentPublish                      // to take DS records for the keys
	ParentRemove                       // to take all DS records away (RFC 8078 section 4)
)

// Defaults and limits of SignPolicy.
const (
	DefaultValidity = 14 * 24 * time.Hour
	DefaultRefresh  = 7 * 24 * time.Hour
	DefaultJitter   = 24 * time.Hour
	DefaultBackdate = time.Hour
	DefaultKeyTTL   = 3600
	// MaxValidity is the longest that a signature is made for.
	MaxValidity = 366 * 24 * time.Hour
	// MaxSignKeys is the most keys that a zone is signed with: each that is
	// doubled makes every answer longer.
	MaxSignKeys = 8
)

func (p SignPolicy) withDefaults() SignPolicy {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&p.Validity, DefaultValidity)
	set(&p.Refresh, min(DefaultRefresh, p.Validity/2))
	set(&p.Jitter, min(DefaultJitter, p.Validity-p.Refresh))
	set(&p.Backdate, DefaultBackdate)
	if p.KeyTTL == 0 {
		p.KeyTTL = DefaultKeyTTL
	}
	return p
}

func (p SignPolicy) check() error {
	switch {
	case p.Validity < time.Minute || p.Validity > MaxValidity:
		return fmt.Errorf("signatures for %v: want a minute to %v", p.Validity, MaxValidity)
	case p.Refresh < 0 || p.Validity-p.Refresh < time.Second:
		return fmt.Errorf("signatures for %v cannot be renewed %v before their end", p.Validity, p.Refresh)
	case p.Jitter < 0 || p.Jitter > p.Validity-p.Refresh:
		return fmt.Errorf("jitter of %v: at most %v, the time between two renewals", p.Jitter, p.Validity-p.Refresh)
	case p.Backdate < 0 || p.Backdate > MaxValidity:
		return fmt.Errorf("signatures backdated by %v", p.Backdate)
	}
	return nil
}

// Signed is a zone that was signed, and how.
type Signed struct {
	Zone *Zone
	// Next is when the first of the signatures is to be renewed: see Renew.
	Next time.Time
	// Made and Kept count the signatures that are new, and those that were there,
	// of the names that the signing had to look at.
	Made, Kept int

	of     *Zone // what was signed; nil where nobody knows
	keys   []*dns.SigningKey
	policy SignPolicy // with its defaults
	round  round
}

// ErrPresigned says that somebody else has signed the zone: its signatures are
// served as they are.
var ErrPresigned = errors.New("the zone is signed already")

// ErrNotKept says that a zone that somebody has kept has other signatures than the
// key makes.
var ErrNotKept = errors.New("a signature that was kept is not that of the key")

// Signed says whether the zone's own name owns signatures.
func (z *Zone) Signed() bool { return z.signed }

// Sign signs a zone: DNSKEY, CDS and CDNSKEY records, the chain of NSEC or NSEC3
// records, and RRSIG records over all that the zone has authority for (RFC 4035
// section 2, RFC 5155 section 7.1). Keys with dns.FlagSEP sign the DNSKEY set,
// those without it the rest; without one of these, of an algorithm, the others
// sign all.
//
// When a signature begins and ends follows from the owner, the type, the policy
// and the time alone, and the signature from these, the key and the set. So
// signing again gives the same, until it is time to renew. Those of previous,
// the zone as it was signed before, are taken over where they would be made anew
// the same, and so are its pages. The zero Signed is for none; one with a Zone
// alone is a zone that somebody has kept: of its signatures one of a thousand is
// made all the same, and where it is another the error is ErrNotKept.
//
// Where previous came of signing with the same keys and policy, the cost is that
// of what differs between the two zones, pages that they share being passed
// over: the names that changed, their neighbours in the chain and the zone's own
// name. Signatures of other names that are due by now are left to Renew.
//
// The caller sees to the serial, which must get later whenever something in the
// result is another.
func Sign(z *Zone, previous Signed, keys []*dns.SigningKey, policy SignPolicy, now time.Time) (Signed, error) {
	s := &signer{zone: z, before: previous, previous: previous.Zone, policy: policy.withDefaults(), now: now}
	err := s.prepare(keys)
	if err == nil {
		err = s.run()
	}
	if err != nil {
		return Signed{}, fmt.Errorf("zone: sign %s: %w", z.apex, err)
	}
	return s.out, nil
}

func (s *signer) run() error {
	if s.follows() {
		fresh := s.out
		if err := s.change(); !errors.Is(err, errNotByChange) {
			return err
		}
		s.out = fresh
	}
	return s.whole()
}

// signer is one signing in the making.
type signer struct {
	zone     *Zone
	before   Signed
	previous *Zone // before's
	policy   SignPolicy
	now      time.Time
	keys     []signKey
	out      Signed
}

// denialTTL is the TTL of the chain's records (RFC 9077).
func (z *Zone) denialTTL() uint32 {
	set, _ := z.Top().RRset(dns.TypeSOA)
	return min(set.TTL, z.soa.Minimum)
}

// signKey is a key and what it is for.
type signKey struct {
	*dns.SigningKey
	signsKeys, signsRest bool
	old                  bool // previous has it too
}

func (s *signer) prepare(keys []*dns.SigningKey) error {
	switch {
	case s.zone.signed:
		return ErrPresigned
	case len(keys) == 0:
		return errors.New("there is no key")
	case len(keys) > MaxSignKeys:
		return fmt.Errorf("%d keys, at most %d", len(keys), MaxSignKeys)
	case s.previous != nil && s.previous.apex != s.zone.apex:
		return fmt.Errorf("the previous zone is %s", s.previous.apex)
	}
	for _, k := range keys {
		if k.Owner != s.zone.apex {
			return fmt.Errorf("key %s is of another zone", k)
		}
		if k.Flags&dns.FlagZone == 0 || k.Flags&dns.FlagRevoke != 0 {
			return fmt.Errorf("key %s signs no zone", k)
		}
		other := func(sep uint16) bool {
			return slices.ContainsFunc(keys, func(o *dns.SigningKey) bool {
				return o.Algorithm == k.Algorithm && o.Flags&dns.FlagSEP == sep
			})
		}
		sep := k.Flags & dns.FlagSEP
		s.keys = append(s.keys, signKey{
			SigningKey: k, signsKeys: sep != 0 || !other(dns.FlagSEP), signsRest: sep == 0 || !other(0), old: s.hadKey(k),
		})
	}
	s.out.keys, s.out.policy, s.out.of = keys, s.policy, s.zone
	return s.policy.check()
}

// hadKey says whether a key is in the previous zone: by its tag alone a
// signature does not tell.
func (s *signer) hadKey(k *dns.SigningKey) bool {
	if s.previous == nil {
		return false
	}
	set, _ := s.previous.Top().RRset(dns.TypeDNSKEY)
	data := k.Data()
	return slices.ContainsFunc(set.Data, func(d []byte) bool { return bytes.Equal(d, data) })
}

// standing is how a name stands in a zone that is signed.
type standing uint8

const (
	authoritative standing = iota
	delegated              // a cut: DS and the chain are signed, NS and glue are not
	hidden                 // below a cut or a DNAME: nothing is signed
)

// owner is a name of the zone with what it owns but for what signing makes.
type owner struct {
	Node
	sets  []RRset
	where standing
}

// owners gives the names that own something, in order.
func (s *signer) owners() iter.Seq[owner] {
	return func(yield func(owner) bool) {
		var above []byte // the key of the last cut or DNAME
		covers := false
		for n := range s.zone.Nodes() {
			o, ok := s.ownerOf(n)
			switch {
			case !ok:
				continue
			case covers && bytes.HasPrefix(n.key, above):
				o.where = hidden
			case n.isCut():
				o.where = delegated
			}
			if o.where != hidden && n.hides() {
				above, covers = n.key, true
			}
			if !yield(o) {
				return
			}
		}
	}
}

// ownerOf gives a name with what it owns in a signed zone, but for signatures and
// the chain; false where that is nothing.
func (s *signer) ownerOf(n Node) (o owner, ok bool) {
	sets := slices.DeleteFunc(n.Sets(), func(r RRset) bool { return made(r.Type) })
	if len(sets) == 0 {
		return owner{}, false
	}
	if len(n.key) == 0 {
		sets = s.addApexSets(sets)
	}
	return owner{Node: n, sets: sets}, true
}

// hides says whether nothing below the name is signed.
func (n Node) hides() bool { return n.isCut() || n.Has(dns.TypeDNAME) }

// made says whether signing makes records of a type, and drops those that are
// there.
func made(t dns.Type) bool {
	switch t {
	case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM:
		return true
	}
	return false
}

// whole makes the items of the signed zone, and the zone from them.
func (s *signer) whole() error {
	c, err := s.makeChain()
	if err != nil {
		return err
	}
	w := newSignedWriter(s.previous)
	for o := range s.owners() {
		if err := s.hashedBefore(w, c, o.key); err != nil {
			return err
		}
		if nsec, ok := c.link(o); ok {
			o.sets = append(o.sets, s.nsecSet(nsec))
		}
		it, err := s.sign(o)
		if err != nil {
			return err
		}
		w.add(it)
	}
	if err := s.hashedBefore(w, c, nil); err != nil {
		return err
	}
	s.out.Zone = w.zone(s.zone.named)
	return nil
}

func (s *signer) nsecSet(nsec dns.NSEC) RRset {
	return RRset{dns.TypeNSEC, s.zone.denialTTL(), [][]byte{nsec.Data()}}
}

// addApexSets adds the keys, what the parent is told, and NSEC3PARAM.
func (s *signer) addApexSets(sets []RRset) []RRset {
	has := func(t dns.Type) bool { return slices.ContainsFunc(sets, func(r RRset) bool { return r.Type == t }) }
	keys := RRset{Type: dns.TypeDNSKEY, TTL: s.policy.KeyTTL}
	cds := RRset{Type: dns.TypeCDS, TTL: s.policy.KeyTTL}
	cdnskey := RRset{Type: dns.TypeCDNSKEY, TTL: s.policy.KeyTTL}
	for _, k := range s.keys {
		keys.Data = append(keys.Data, k.Data())
		if k.signsKeys {
			ds, _ := k.DS(k.Owner, dns.DigestSHA256) // which is always made
			cds.Data, cdnskey.Data = append(cds.Data, ds.Data()), append(cdnskey.Data, k.Data())
		}
	}
	if s.policy.Parent == ParentRemove {
		cds.Data, cdnskey.Data = [][]byte{{0, 0, 0, 0, 0}}, [][]byte{{0, 0, 3, 0, 0}}
	}
	// Keys that the zone has from elsewhere stay beside ours.
	if i := slices.IndexFunc(sets, func(r RRset) bool { return r.Type == dns.TypeDNSKEY }); i >= 0 {
		keys.Data = append(keys.Data, sets[i].Data...)
		sets = slices.Delete(sets, i, i+1)
	}
	sets = append(sets, keys.ordered())
	if s.policy.Parent != ParentNone && !has(dns.TypeCDS) && !has(dns.TypeCDNSKEY) {
		sets = append(sets, cds.ordered(), cdnskey.ordered())
	}
	if s.policy.NSEC3 {
		sets = append(sets, RRset{dns.TypeNSEC3PARAM, s.zone.denialTTL(), [][]byte{nsec3Param().Data()}})
	}
	return sets
}

// ordered puts the data in order and leaves out what is there twice.
func (s RRset) ordered() RRset {
	slices.SortFunc(s.Data, func(a, b []byte) int { return compareData(s.Type, a, b) })
	s.Data = slices.CompactFunc(s.Data, func(a, b []byte) bool { return compareData(s.Type, a, b) == 0 })
	return s
}
