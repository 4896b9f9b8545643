package dns

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
	"math/big"
)

// The sizes of RSA keys that are taken, in octets of the modulus. Go refuses
// less than 1024 bits by itself; RFC 3110 section 2 allows up to 4096.
const (
	minRSAKey = 128
	maxRSAKey = 512
	// maxRSAExponent bounds the time that a check takes: larger ones are not in
	// use, and were one of the ways to keep a validator busy.
	maxRSAExponent = 1<<31 - 1
)

// PublicKey is a DNSKEY record that is ready to check signatures with.
type PublicKey struct {
	Owner Name // of the record: the zone that it signs
	DNSKEY
	tag uint16
	key crypto.PublicKey // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// KeyTag gives the key's tag.
func (k *PublicKey) KeyTag() uint16 { return k.tag }

// NewPublicKey reads a DNSKEY record. Its error wraps ErrAlgorithm or
// ErrKeyData.
func NewPublicKey(rr RR) (*PublicKey, error) {
	k, ok := rr.DNSKEY()
	if !ok || rr.Type != TypeDNSKEY {
		return nil, fmt.Errorf("dns: %s %s: %w", rr.Name, rr.Type, ErrKeyData)
	}
	key, err := k.public()
	if err != nil {
		return nil, fmt.Errorf("dns: DNSKEY %d of %s: %w", k.KeyTag(), rr.Name, err)
	}
	return &PublicKey{Owner: rr.Name, DNSKEY: k, tag: k.KeyTag(), key: key}, nil
}

func (k DNSKEY) public() (crypto.PublicKey, error) {
	switch k.Algorithm {
	case RSASHA256, RSASHA512:
		return publicRSA(k.PublicKey)
	case ECDSAP256SHA256, ECDSAP384SHA384:
		// RFC 6605 section 4: the two coordinates, without the octet that says so.
		key, err := ecdsa.ParseUncompressedPublicKey(k.Algorithm.curve(), append([]byte{4}, k.PublicKey...))
		if err != nil {
			return nil, ErrKeyData
		}
		return key, nil
	case Ed25519:
		if len(k.PublicKey) != ed25519.PublicKeySize {
			return nil, ErrKeyData
		}
		return ed25519.PublicKey(k.PublicKey), nil
	}
	return nil, fmt.Errorf("%w: %s", ErrAlgorithm, k.Algorithm)
}

// publicRSA reads an RSA key (RFC 3110 section 2): the length of the exponent in
// one octet or, behind a zero, in two; the exponent; the modulus.
func publicRSA(b []byte) (*rsa.PublicKey, error) {
	if len(b) < 3 {
		return nil, ErrKeyData
	}
	size, b := int(b[0]), b[1:]
	if size == 0 {
		size, b = int(b[0])<<8|int(b[1]), b[2:]
	}
	if size == 0 || size > len(b) {
		return nil, ErrKeyData
	}
	exponent, modulus := new(big.Int).SetBytes(b[:size]), b[size:]
	if len(modulus) < minRSAKey || len(modulus) > maxRSAKey || modulus[0] == 0 ||
		exponent.Cmp(big.NewInt(maxRSAExponent)) > 0 || exponent.Cmp(big.NewInt(3)) < 0 {
		return nil, ErrKeyData
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(exponent.Int64())}, nil
}

func (a DNSSECAlgorithm) curve() elliptic.Curve {
	if a == ECDSAP384SHA384 {
		return elliptic.P384()
	}
	return elliptic.P256()
}

func (a DNSSECAlgorithm) hash() crypto.Hash {
	switch a {
	case RSASHA512:
		return crypto.SHA512
	case ECDSAP384SHA384:
		return crypto.SHA384
	case Ed25519:
		return crypto.Hash(0) // it hashes by itself
	}
	return crypto.SHA256
}

func (a DNSSECAlgorithm) digest(data []byte) []byte {
	if a.hash() == 0 {
		return data
	}
	h := a.hash().New()
	h.Write(data)
	return h.Sum(nil)
}

// verify checks a signature over data.
func (k *PublicKey) verify(data, signature []byte) error {
	digest := k.Algorithm.digest(data)
	good := false
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		good = rsa.VerifyPKCS1v15(key, k.Algorithm.hash(), digest, signature) == nil
	case *ecdsa.PublicKey:
		der, ok := derSignature(signature, (key.Curve.Params().BitSize+7)/8)
		good = ok && ecdsa.VerifyASN1(key, digest, der)
	case ed25519.PublicKey:
		good = ed25519.Verify(key, digest, signature)
	}
	if !good {
		return ErrSignature
	}
	return nil
}

// ecdsaSignature is the form that Go has for the two numbers of a signature. In
// RRSIG records they stand as octets, each of the curve's size.
type ecdsaSignature struct{ R, S *big.Int }

func derSignature(b []byte, size int) ([]byte, bool) {
	if len(b) != 2*size {
		return nil, false
	}
	der, err := asn1.Marshal(ecdsaSignature{new(big.Int).SetBytes(b[:size]), new(big.Int).SetBytes(b[size:])})
	return der, err == nil
}

func rawSignature(der []byte, size int) ([]byte, error) {
	var s ecdsaSignature
	if _, err := asn1.Unmarshal(der, &s); err != nil {
		return nil, err
	}
	out := make([]byte, 2*size)
	s.R.FillBytes(out[:size])
	s.S.FillBytes(out[size:])
	return out, nil
}
