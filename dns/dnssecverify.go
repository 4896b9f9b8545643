package dns

import (
	"fmt"
	"time"
)

// Verified is what a good signature says of a record set.
type Verified struct {
	// Wildcard is the wildcard that the set was made from, and zero for a set
	// that stands in the zone by itself. It takes a proof that no closer name
	// exists (RFC 4035 section 5.3.4).
	Wildcard Name
	// TTL is the seconds that the set may be kept (RFC 4035 section 5.3.3).
	TTL uint32
}

// VerifySet checks a record set against an RRSIG record and the DNSKEY record
// that it names. Those who check many sets make a PublicKey once.
func VerifySet(sig, key RR, set []RR, now time.Time) (Verified, error) {
	k, err := NewPublicKey(key)
	if err != nil {
		return Verified{}, err
	}
	return k.VerifySet(sig, set, now)
}

// VerifySet checks a record set against an RRSIG record: everything that RFC
// 4035 section 5.3 says, but whether the key itself is trusted. Errors wrap
// ErrSignature, ErrSignatureExpired, ErrSignatureEarly or ErrSignatureOther.
func (k *PublicKey) VerifySet(sig RR, set []RR, now time.Time) (Verified, error) {
	s, ok := sig.RRSIG()
	if !ok || len(set) == 0 {
		return Verified{}, fmt.Errorf("dns: verify %s: %w", sig.Name, ErrSignatureOther)
	}
	v, err := k.verifySet(sig, s, set, now)
	if err != nil {
		return Verified{}, fmt.Errorf("dns: verify %s %s, key %d of %s: %w", set[0].Name, set[0].Type, s.KeyTag, s.SignerName, err)
	}
	return v, nil
}

func (k *PublicKey) verifySet(rr RR, sig RRSIG, set []RR, now time.Time) (Verified, error) {
	owner := set[0].Name
	if !k.isAbout(rr, sig, set) {
		return Verified{}, ErrSignatureOther
	}
	// RFC 1982: both are within 68 years of now.
	seconds := uint32(now.Unix())
	if int32(sig.Expiration-sig.Inception) < 0 || int32(sig.Expiration-seconds) < 0 {
		return Verified{}, ErrSignatureExpired
	}
	if int32(seconds-sig.Inception) < 0 {
		return Verified{}, ErrSignatureEarly
	}
	var v Verified
	if sig.Labels < signedLabels(owner) {
		wildcard, ok := owner.Ancestor(int(sig.Labels)).Wildcard()
		if !ok {
			return Verified{}, ErrSignatureOther
		}
		v.Wildcard, owner = wildcard, wildcard
	}
	v.TTL = min(rr.TTL, sig.OriginalTTL, sig.Expiration-seconds)
	for _, r := range set {
		v.TTL = min(v.TTL, r.TTL)
	}
	return v, k.verify(signedData(sig, owner, set), sig.Signature)
}

// isAbout says whether the signature is about this set, and made with this key
// (RFC 4035 section 5.3.1).
func (k *PublicKey) isAbout(rr RR, sig RRSIG, set []RR) bool {
	for _, r := range set {
		if !r.SameSet(set[0]) {
			return false
		}
	}
	owner := set[0].Name
	return rr.Name.Equal(owner) && rr.Class == set[0].Class && sig.TypeCovered == set[0].Type &&
		sig.Labels <= signedLabels(owner) && owner.IsSubdomainOf(sig.SignerName) &&
		sig.SignerName.Equal(k.Owner) && sig.Algorithm == k.Algorithm && sig.KeyTag == k.tag &&
		k.Flags&FlagZone != 0 && k.Protocol == 3
}
