package authority

import (
	"bytes"
	"fmt"
	"time"

	"github.com/network-utopia/utopia/dns"
)

// validator checks one response of a signed zone as a resolver would (RFC 4035
// section 5, RFC 5155 section 8, RFC 6840 section 4), knowing the zone's key
// alone.
type validator struct {
	key  *dns.PublicKey
	now  time.Time
	apex dns.Name
	r    *dns.Message
	sets map[string]verifiedSet
}

type verifiedSet struct {
	rrs      []dns.RR
	wildcard dns.Name
}

func setKey(n dns.Name, t dns.Type) string { return n.Canonical().String() + t.String() }

// validate says what is wrong with a response to a question, nil when all of it
// is proved.
func validate(key *dns.PublicKey, now time.Time, q dns.Question, r *dns.Message) error {
	v := &validator{key: key, now: now, apex: key.Owner, r: r, sets: map[string]verifiedSet{}}
	for _, section := range [][]dns.RR{r.Answer, r.Authority} {
		if err := v.collect(section); err != nil {
			return err
		}
	}
	return v.follow(q.Name, q.Type)
}

// collect verifies the sets of a section. What need not be signed is passed
// over: the NS of a referral, and the CNAME that a DNAME makes.
func (v *validator) collect(section []dns.RR) error {
	for i, rr := range section {
		if rr.Type == dns.TypeRRSIG || v.has(rr.Name, rr.Type) {
			continue
		}
		var set []dns.RR
		for _, other := range section[i:] {
			if other.SameSet(rr) {
				set = append(set, other)
			}
		}
		found := fmt.Errorf("%s %s has no signature", rr.Name, rr.Type)
		for _, sig := range section {
			if s, ok := sig.RRSIG(); ok && sig.Name.Equal(rr.Name) && s.TypeCovered == rr.Type {
				var ok dns.Verified
				if ok, found = v.key.VerifySet(sig, set, v.now); found == nil {
					v.sets[setKey(rr.Name, rr.Type)] = verifiedSet{set, ok.Wildcard}
					break
				}
			}
		}
		if found != nil && !v.mayLackSignature(rr) {
			return found
		}
	}
	return nil
}

func (v *validator) mayLackSignature(rr dns.RR) bool {
	if rr.Type == dns.TypeNS && !rr.Name.Equal(v.apex) {
		return true
	}
	target, _ := rr.Target()
	want, ok := v.redirected(rr.Name)
	return rr.Type == dns.TypeCNAME && ok && target.Equal(want)
}

// redirected applies a verified DNAME above a name.
func (v *validator) redirected(name dns.Name) (dns.Name, bool) {
	for _, s := range v.sets {
		d := s.rrs[0]
		if d.Type == dns.TypeDNAME && s.wildcard == "" && name.IsSubdomainOf(d.Name) && !name.Equal(d.Name) {
			to, _ := d.Target()
			n, err := name.ReplaceSuffix(d.Name, to)
			return n, err == nil
		}
	}
	return "", false
}

func (v *validator) has(n dns.Name, t dns.Type) bool { _, ok := v.sets[setKey(n, t)]; return ok }

// follow goes along the aliases to the end, which must be proved.
func (v *validator) follow(name dns.Name, t dns.Type) error {
	for range MaxChain {
		if !name.IsSubdomainOf(v.apex) {
			return nil // another zone's
		}
		set, found := v.sets[setKey(name, t)]
		alias, aliased := v.sets[setKey(name, dns.TypeCNAME)]
		switch to, redirects := v.redirected(name); {
		case found && inSection(v.r.Answer, name, t):
			return v.expansion(name, set)
		case aliased:
			if err := v.expansion(name, alias); err != nil {
				return err
			}
			name, _ = alias.rrs[0].Target()
		case redirects && t == dns.TypeCNAME:
			return nil
		case redirects:
			name = to
		default:
			return v.negative(name, t)
		}
	}
	return nil
}

func inSection(section []dns.RR, name dns.Name, t dns.Type) bool {
	for _, rr := range section {
		if rr.Type == t && rr.Name.Equal(name) {
			return true
		}
	}
	return false
}

// expansion: a set from a wildcard takes a proof that nothing is nearer.
func (v *validator) expansion(name dns.Name, s verifiedSet) error {
	if s.wildcard == "" {
		return nil
	}
	encloser := s.wildcard.Parent()
	if !v.denied(name) && !v.hashDenied(nextCloser(encloser, name)) {
		return fmt.Errorf("%s is from %s, and may exist itself", name, s.wildcard)
	}
	return nil
}

// negative: the end of a chain that has no records of the type.
func (v *validator) negative(name dns.Name, t dns.Type) error {
	if v.r.Rcode == dns.RcodeNXDomain {
		if v.noName(name) {
			return nil
		}
		return fmt.Errorf("NXDOMAIN of %s is not proved", name)
	}
	for _, rr := range v.r.Authority {
		if rr.Type == dns.TypeNS && name.IsSubdomainOf(rr.Name) && !rr.Name.Equal(v.apex) {
			if v.has(rr.Name, dns.TypeDS) || v.noType(rr.Name, dns.TypeDS) {
				return nil
			}
			return fmt.Errorf("the referral to %s is without DS and without a proof", rr.Name)
		}
	}
	if !v.noType(name, t) {
		return fmt.Errorf("NODATA of %s %s is not proved", name, t)
	}
	return nil
}

// denied: an NSEC record covers the name, and is not that of a delegation or
// DNAME above it (RFC 6840 section 4.1).
func (v *validator) denied(name dns.Name) bool {
	_, ok := v.covering(name)
	return ok
}

func (v *validator) covering(name dns.Name) (dns.RR, bool) {
	for _, s := range v.sets {
		n, ok := s.rrs[0].NSEC()
		owner := s.rrs[0].Name
		if !ok || s.wildcard != "" || !n.Covers(owner, name) {
			continue
		}
		if name.IsSubdomainOf(owner) && (n.Types.Has(dns.TypeNS) && !n.Types.Has(dns.TypeSOA) || n.Types.Has(dns.TypeDNAME)) {
			continue
		}
		return s.rrs[0], true
	}
	return dns.RR{}, false
}

// encloser gives the longest ancestor of a name that the NSEC record covering it
// shows to exist.
func (v *validator) encloser(name dns.Name) (dns.Name, bool) {
	rr, ok := v.covering(name)
	if !ok {
		return "", false
	}
	n, _ := rr.NSEC()
	for e := name.Parent(); e.IsSubdomainOf(v.apex); e = e.Parent() {
		if rr.Name.IsSubdomainOf(e) || n.Next.IsSubdomainOf(e) {
			return e, true
		}
	}
	return "", false
}

func (v *validator) noName(name dns.Name) bool {
	if e, ok := v.encloser(name); ok {
		w, _ := e.Wildcard()
		rr, _ := v.covering(name)
		n, _ := rr.NSEC()
		return v.denied(w) && !n.Next.IsSubdomainOf(name) // else it is an empty non-terminal
	}
	e, ok := v.hashEncloser(name)
	w, _ := e.Wildcard()
	return ok && v.hashDenied(w)
}

// noType: the name, or the wildcard that stands for it, exists without the type.
func (v *validator) noType(name dns.Name, t dns.Type) bool {
	if types, ok := v.typesOf(name); ok {
		return lacks(types, t)
	}
	e, ok := v.encloser(name)
	if !ok {
		e, ok = v.hashEncloser(name)
	}
	if !ok {
		return false
	}
	w, _ := e.Wildcard()
	types, ok := v.typesOf(w)
	return ok && lacks(types, t)
}

// lacks: neither the type nor an alias is there, and the side of the cut is the
// right one (RFC 6840 section 4.1).
func lacks(types dns.TypeBitmap, t dns.Type) bool {
	parent := types.Has(dns.TypeNS) && !types.Has(dns.TypeSOA)
	return !types.Has(t) && !types.Has(dns.TypeCNAME) && (!parent || t == dns.TypeDS)
}

// typesOf gives what the chain says that a name owns.
func (v *validator) typesOf(name dns.Name) (dns.TypeBitmap, bool) {
	for _, s := range v.sets {
		rr := s.rrs[0]
		if n, ok := rr.NSEC(); ok && s.wildcard == "" && rr.Name.Equal(name) {
			return n.Types, true
		}
		if n, owner, digest, ok := v.hashed(rr, name); ok && bytes.Equal(owner, digest) {
			return n.Types, true
		}
	}
	if rr, ok := v.covering(name); ok {
		if n, _ := rr.NSEC(); n.Next.IsSubdomainOf(name) {
			return nil, true // an empty non-terminal
		}
	}
	return nil, false
}

func (v *validator) hashed(rr dns.RR, name dns.Name) (n dns.NSEC3, owner, digest []byte, ok bool) {
	if n, ok = rr.NSEC3(); !ok || !rr.Name.Parent().Equal(v.apex) {
		return n, nil, nil, false
	}
	owner, ok = dns.NSEC3Digest(rr.Name)
	digest, err := n.Digest(name)
	return n, owner, digest, ok && err == nil
}

func (v *validator) hashDenied(name dns.Name) bool {
	for _, s := range v.sets {
		if n, owner, digest, ok := v.hashed(s.rrs[0], name); ok && n.Covers(owner, digest) {
			return true
		}
	}
	return false
}

// hashEncloser finds the closest encloser and its proof (RFC 5155 section 8.3).
func (v *validator) hashEncloser(name dns.Name) (dns.Name, bool) {
	for e := name; len(e) > len(v.apex); e = e.Parent() {
		types, ok := v.typesOf(e.Parent())
		if !ok {
			continue
		}
		cut := types.Has(dns.TypeNS) && !types.Has(dns.TypeSOA) || types.Has(dns.TypeDNAME)
		return e.Parent(), !cut && v.hashDenied(e)
	}
	return "", false
}
