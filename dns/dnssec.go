package dns

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// DNSSECAlgorithm is the number of a signature algorithm (RFC 4034 appendix
// A.1, RFC 8624 section 3.1).
type DNSSECAlgorithm uint8

// The algorithms that signatures are checked with. ECDSAP256SHA256,
// ECDSAP384SHA384 and Ed25519 also make them.
const (
	RSASHA256       DNSSECAlgorithm = 8  // RFC 5702
	RSASHA512       DNSSECAlgorithm = 10 // RFC 5702
	ECDSAP256SHA256 DNSSECAlgorithm = 13 // RFC 6605
	ECDSAP384SHA384 DNSSECAlgorithm = 14 // RFC 6605
	Ed25519         DNSSECAlgorithm = 15 // RFC 8080
)

// Supported says whether signatures of this algorithm can be checked. A zone
// that is signed with others alone counts as unsigned (RFC 4035 section 5.2).
func (a DNSSECAlgorithm) Supported() bool {
	switch a {
	case RSASHA256, RSASHA512, ECDSAP256SHA256, ECDSAP384SHA384, Ed25519:
		return true
	}
	return false
}

// String gives the mnemonic, or the number for an algorithm without one here.
func (a DNSSECAlgorithm) String() string {
	switch a {
	case RSASHA256:
		return "RSASHA256"
	case RSASHA512:
		return "RSASHA512"
	case ECDSAP256SHA256:
		return "ECDSAP256SHA256"
	case ECDSAP384SHA384:
		return "ECDSAP384SHA384"
	case Ed25519:
		return "ED25519"
	}
	return strconv.Itoa(int(a))
}

// The flags of a DNSKEY record (RFC 4034 section 2.1.1, RFC 5011 section 2.1).
const (
	// FlagZone marks a key that signs a zone.
	FlagZone = 1 << 8
	// FlagRevoke marks a key that is given up.
	FlagRevoke = 1 << 7
	// FlagSEP marks a key that the parent zone points at: a key-signing key, or
	// one that signs all.
	FlagSEP = 1
)

// DNSKEY is the data of a DNSKEY or CDNSKEY record (RFC 4034 section 2.1).
type DNSKEY struct {
	Flags     uint16
	Protocol  uint8 // always 3
	Algorithm DNSSECAlgorithm
	PublicKey []byte // in the form of the algorithm
}

// DNSKEY reads a record of that type or of CDNSKEY; ok is false for others.
func (rr RR) DNSKEY() (k DNSKEY, ok bool) {
	if rr.Type != TypeDNSKEY && rr.Type != TypeCDNSKEY || len(rr.Data) < 4 {
		return DNSKEY{}, false
	}
	return DNSKEY{
		Flags: binary.BigEndian.Uint16(rr.Data), Protocol: rr.Data[2],
		Algorithm: DNSSECAlgorithm(rr.Data[3]), PublicKey: rr.Data[4:],
	}, true
}

// Data gives the record data.
func (k DNSKEY) Data() []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 4+len(k.PublicKey)), k.Flags)
	return append(append(b, k.Protocol, byte(k.Algorithm)), k.PublicKey...)
}

// KeyTag gives the number by which RRSIG and DS records name the key (RFC 4034
// appendix B). Two keys may have the same.
func (k DNSKEY) KeyTag() uint16 {
	var sum uint32
	for i, c := range k.Data() {
		if i&1 == 0 {
			sum += uint32(c) << 8
		} else {
			sum += uint32(c)
		}
	}
	return uint16(sum + sum>>16)
}

// DigestType is the number of a hash in DS records (RFC 4034 appendix A.2).
type DigestType uint8

// The digests that DS records are compared with. SHA-1 is never made: RFC 8624
// section 3.3.
const (
	DigestSHA1   DigestType = 1
	DigestSHA256 DigestType = 2
	DigestSHA384 DigestType = 4
)

// Supported says whether DS records with this digest can be compared. Others
// are passed over (RFC 4509 section 3).
func (t DigestType) Supported() bool {
	return t == DigestSHA1 || t == DigestSHA256 || t == DigestSHA384
}

func (t DigestType) sum(b []byte) []byte {
	switch t {
	case DigestSHA1:
		d := sha1.Sum(b)
		return d[:]
	case DigestSHA256:
		d := sha256.Sum256(b)
		return d[:]
	case DigestSHA384:
		d := sha512.Sum384(b)
		return d[:]
	}
	return nil
}

// DS is the data of a DS or CDS record (RFC 4034 section 5.1).
type DS struct {
	KeyTag     uint16
	Algorithm  DNSSECAlgorithm
	DigestType DigestType
	Digest     []byte
}

// DS reads a record of that type or of CDS; ok is false for others.
func (rr RR) DS() (d DS, ok bool) {
	if rr.Type != TypeDS && rr.Type != TypeCDS || len(rr.Data) < 4 {
		return DS{}, false
	}
	return DS{
		KeyTag: binary.BigEndian.Uint16(rr.Data), Algorithm: DNSSECAlgorithm(rr.Data[2]),
		DigestType: DigestType(rr.Data[3]), Digest: rr.Data[4:],
	}, true
}

// Data gives the record data.
func (d DS) Data() []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 4+len(d.Digest)), d.KeyTag)
	return append(append(b, byte(d.Algorithm), byte(d.DigestType)), d.Digest...)
}

// DS makes the record that the parent of the zone owner holds for the key (RFC
// 4034 section 5.1.4). It fails for SHA-1 and digests that are not known.
func (k DNSKEY) DS(owner Name, t DigestType) (DS, error) {
	if t == DigestSHA1 || !t.Supported() {
		return DS{}, fmt.Errorf("dns: DS of %s: digest type %d is not made", owner, t)
	}
	return k.digest(owner, t), nil
}

func (k DNSKEY) digest(owner Name, t DigestType) DS {
	return DS{k.KeyTag(), k.Algorithm, t, t.sum(append([]byte(owner.Canonical()), k.Data()...))}
}

// Matches says whether the record points at a key of the zone owner (RFC 4035
// section 5.2): a zone key, with the tag, algorithm and digest.
func (d DS) Matches(owner Name, k DNSKEY) bool {
	return d.DigestType.Supported() && k.Flags&FlagZone != 0 && d.Algorithm == k.Algorithm &&
		d.KeyTag == k.KeyTag() && subtle.ConstantTimeCompare(d.Digest, k.digest(owner, d.DigestType).Digest) == 1
}

// RRSIG is the data of an RRSIG record (RFC 4034 section 3.1). The times are
// seconds since 1970 in the arithmetic of serials (RFC 1982).
type RRSIG struct {
	TypeCovered Type
	Algorithm   DNSSECAlgorithm
	Labels      uint8 // of the owner, the root's and a leading asterisk not counted
	OriginalTTL uint32
	Expiration  uint32
	Inception   uint32
	KeyTag      uint16
	SignerName  Name
	Signature   []byte
}

// rrsigFixed is the octets before the signer's name.
const rrsigFixed = 18

// RRSIG reads a record of that type; ok is false for others and for data that
// is malformed.
func (rr RR) RRSIG() (s RRSIG, ok bool) {
	if rr.Type != TypeRRSIG || len(rr.Data) < rrsigFixed {
		return RRSIG{}, false
	}
	b := rr.Data
	name, n, err := NameFromWire(b[rrsigFixed:])
	if err != nil {
		return RRSIG{}, false
	}
	return RRSIG{
		TypeCovered: Type(binary.BigEndian.Uint16(b)), Algorithm: DNSSECAlgorithm(b[2]), Labels: b[3],
		OriginalTTL: binary.BigEndian.Uint32(b[4:]), Expiration: binary.BigEndian.Uint32(b[8:]),
		Inception: binary.BigEndian.Uint32(b[12:]), KeyTag: binary.BigEndian.Uint16(b[16:]),
		SignerName: name, Signature: b[rrsigFixed+n:],
	}, true
}

// Data gives the record data.
func (s RRSIG) Data() []byte { return append(s.appendSigned(nil), s.Signature...) }

// appendSigned puts the data without the signature behind b.
func (s RRSIG) appendSigned(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(s.TypeCovered))
	b = append(b, byte(s.Algorithm), s.Labels)
	for _, v := range [...]uint32{s.OriginalTTL, s.Expiration, s.Inception} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	b = binary.BigEndian.AppendUint16(b, s.KeyTag)
	return append(b, s.SignerName...)
}

// Expires gives the time of expiration that is nearest to now.
func (s RRSIG) Expires(now time.Time) time.Time { return serialTime(s.Expiration, now) }

// Begins gives the time of inception that is nearest to now.
func (s RRSIG) Begins(now time.Time) time.Time { return serialTime(s.Inception, now) }

// serialTime is the time nearest to now whose seconds end in these 32 bits (RFC
// 4034 section 3.1.5).
func serialTime(seconds uint32, now time.Time) time.Time {
	return now.Truncate(time.Second).Add(time.Duration(int32(seconds-uint32(now.Unix()))) * time.Second)
}

// What can be wrong with a signature. They come wrapped.
var (
	ErrSignature        = errors.New("the signature does not verify")
	ErrSignatureExpired = errors.New("the signature has expired")
	ErrSignatureEarly   = errors.New("the signature is not valid yet")
	ErrSignatureOther   = errors.New("the signature is not about this record set and key")
	ErrAlgorithm        = errors.New("algorithm is not supported")
	ErrKeyData          = errors.New("malformed key")
)
