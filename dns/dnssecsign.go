package dns

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
)

// SigningKey is a private key of a zone with its DNSKEY record.
type SigningKey struct {
	Owner Name // the zone
	DNSKEY
	private crypto.Signer // *ecdsa.PrivateKey or ed25519.PrivateKey
	tag     uint16
}

// GenerateKey makes a key for a zone: of ECDSAP256SHA256, ECDSAP384SHA384 or
// Ed25519. The flags are FlagZone, and FlagSEP for a key that the parent points
// at.
func GenerateKey(owner Name, a DNSSECAlgorithm, flags uint16) (*SigningKey, error) {
	var private crypto.Signer
	var err error
	switch a {
	case ECDSAP256SHA256, ECDSAP384SHA384:
		private, err = ecdsa.GenerateKey(a.curve(), rand.Reader)
	case Ed25519:
		_, private, err = ed25519.GenerateKey(nil)
	default:
		err = fmt.Errorf("%w: %s", ErrAlgorithm, a)
	}
	if err != nil {
		return nil, fmt.Errorf("dns: make a key for %s: %w", owner, err)
	}
	return newSigningKey(owner, a, flags, private)
}

func newSigningKey(owner Name, a DNSSECAlgorithm, flags uint16, private crypto.Signer) (*SigningKey, error) {
	k := &SigningKey{Owner: owner.Canonical(), private: private}
	k.DNSKEY = DNSKEY{Flags: flags, Protocol: 3, Algorithm: a}
	switch public := private.Public().(type) {
	case *ecdsa.PublicKey:
		b, err := public.Bytes()
		if err != nil {
			return nil, fmt.Errorf("dns: key of %s: %w", owner, err)
		}
		k.PublicKey = b[1:] // without the octet that says uncompressed
	case ed25519.PublicKey:
		k.PublicKey = public
	}
	k.tag = k.DNSKEY.KeyTag()
	return k, nil
}

// KeyTag gives the key's tag.
func (k *SigningKey) KeyTag() uint16 { return k.tag }

// RR gives the DNSKEY record.
func (k *SigningKey) RR(ttl uint32) RR {
	return RR{Name: k.Owner, Type: TypeDNSKEY, Class: ClassIN, TTL: ttl, Data: k.Data()}
}

// String gives the zone, the algorithm and the tag, and never the private key.
func (k *SigningKey) String() string {
	return fmt.Sprintf("%s %s %d", k.Owner, k.Algorithm, k.tag)
}

// GoString is String.
func (k *SigningKey) GoString() string { return k.String() }

// MarshalText is String too: a key that comes into a log stays without its
// private part.
func (k *SigningKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

var (
	errNoSet  = errors.New("no record set: owner, type, class and TTL are not the same")
	errPeriod = errors.New("the signature would end before it begins, or last longer than 68 years")
)

// SignSet makes the RRSIG record of a record set (RFC 4034 section 3, RFC 4035
// section 2.2). The signature of the same set, key and times is always the
// same: ECDSA takes its nonce from the key and the data (RFC 6979).
func SignSet(k *SigningKey, set []RR, inception, expiration time.Time) (RR, error) {
	if len(set) == 0 {
		return RR{}, fmt.Errorf("dns: sign: %w", errNoSet)
	}
	rr := RR{Name: set[0].Name, Type: TypeRRSIG, Class: set[0].Class, TTL: set[0].TTL}
	sig := RRSIG{
		TypeCovered: set[0].Type, Algorithm: k.Algorithm, Labels: signedLabels(rr.Name), OriginalTTL: rr.TTL,
		Expiration: uint32(expiration.Unix()), Inception: uint32(inception.Unix()),
		KeyTag: k.tag, SignerName: k.Owner,
	}
	err := k.check(set, expiration.Unix()-inception.Unix())
	if err == nil {
		sig.Signature, err = k.sign(signedData(sig, rr.Name, set))
	}
	if err != nil {
		return RR{}, fmt.Errorf("dns: sign %s %s: %w", rr.Name, sig.TypeCovered, err)
	}
	rr.Data = sig.Data()
	return rr, nil
}

func (k *SigningKey) check(set []RR, seconds int64) error {
	for _, rr := range set {
		if !rr.SameSet(set[0]) || rr.TTL != set[0].TTL || !rr.Name.Valid() {
			return errNoSet
		}
	}
	if !set[0].Name.IsSubdomainOf(k.Owner) {
		return ErrSignatureOther
	}
	if seconds < 0 || seconds > 1<<31-1 {
		return errPeriod
	}
	return nil
}

func (k *SigningKey) sign(data []byte) ([]byte, error) {
	digest := k.Algorithm.digest(data)
	// Without a source of randomness ECDSA is deterministic.
	signature, err := k.private.Sign(nil, digest, k.Algorithm.hash())
	if err != nil || k.Algorithm == Ed25519 {
		return signature, err
	}
	return rawSignature(signature, len(k.PublicKey)/2)
}

// signedLabels counts the labels of an owner as RRSIG records do (RFC 4034
// section 3.1.3).
func signedLabels(owner Name) uint8 {
	n := owner.NumLabels()
	if owner.IsWildcard() {
		n--
	}
	return uint8(n)
}

// signedData is what is signed (RFC 4034 section 3.1.8.1): the RRSIG without
// its signature and the set in canonical form and order, every record once.
func signedData(sig RRSIG, owner Name, set []RR) []byte {
	datas := make([][]byte, len(set))
	size := 0
	for i, rr := range set {
		datas[i] = canonicalData(rr.Type, rr.Class, rr.Data)
		size += len(owner) + 10 + len(rr.Data)
	}
	slices.SortFunc(datas, bytes.Compare)
	datas = slices.CompactFunc(datas, bytes.Equal)
	sig.SignerName = sig.SignerName.Canonical()
	out := sig.appendSigned(make([]byte, 0, rrsigFixed+len(sig.SignerName)+size))
	head := RR{Name: owner.Canonical(), Type: set[0].Type, Class: set[0].Class, TTL: sig.OriginalTTL}
	for _, head.Data = range datas {
		out = head.appendWire(out)
	}
	return out
}
