package dns

import (
	"bytes"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"slices"
)

const (
	// MaxNSEC3Iterations is the most extra rounds of hashing that are done for
	// anybody. RFC 9276 wants 0; more than these are treated as no proof at all.
	MaxNSEC3Iterations = 50
	// MaxNSEC3Salt is the most octets of a salt, which has one octet for its
	// length (RFC 5155 section 3.2).
	MaxNSEC3Salt = 255
	// NSEC3SHA1 is the one hash algorithm of NSEC3 (RFC 5155 section 11).
	NSEC3SHA1 = 1
	// FlagOptOut says that unsigned delegations may be missing from the chain
	// (RFC 5155 section 3.1.2.1).
	FlagOptOut = 1
)

// TypeBitmap is a set of types in the form that NSEC and NSEC3 records hold
// (RFC 4034 section 4.1.2).
type TypeBitmap []byte

// NewTypeBitmap makes the set of some types, in any order.
func NewTypeBitmap(types ...Type) TypeBitmap {
	types = slices.Clone(types)
	slices.Sort(types)
	var b TypeBitmap
	window, start := -1, 0 // the window that is being written, and its octets
	for _, t := range types {
		if w := int(t >> 8); w != window {
			window, start = w, len(b)
			b = append(b, byte(w), 0)
		}
		size := int(t&0xff)/8 + 1
		for int(b[start+1]) < size {
			b = append(b, 0)
			b[start+1]++
		}
		b[start+1+size] |= 0x80 >> (t & 7)
	}
	return b
}

// Has says whether a type is in the set.
func (b TypeBitmap) Has(t Type) bool {
	for len(b) >= 2 && len(b) >= 2+int(b[1]) {
		if b[0] == byte(t>>8) {
			i := int(t&0xff) / 8
			return i < int(b[1]) && b[2+i]&(0x80>>(t&7)) != 0
		}
		b = b[2+int(b[1]):]
	}
	return false
}

// Types gives the types of the set in order.
func (b TypeBitmap) Types() []Type {
	var types []Type
	for len(b) >= 2 && len(b) >= 2+int(b[1]) {
		for i, octet := range b[2 : 2+int(b[1])] {
			for bit := range 8 {
				if octet&(0x80>>bit) != 0 {
					types = append(types, Type(int(b[0])<<8|i*8|bit))
				}
			}
		}
		b = b[2+int(b[1]):]
	}
	return types
}

// NSEC is the data of an NSEC record (RFC 4034 section 4.1).
type NSEC struct {
	Next  Name
	Types TypeBitmap
}

// NSEC reads a record of that type; ok is false for others and for data that
// is malformed.
func (rr RR) NSEC() (n NSEC, ok bool) {
	if rr.Type != TypeNSEC {
		return NSEC{}, false
	}
	next, size, err := NameFromWire(rr.Data)
	if err != nil || checkBitmap(rr.Data[size:]) != nil {
		return NSEC{}, false
	}
	return NSEC{next, rr.Data[size:]}, true
}

// Data gives the record data.
func (n NSEC) Data() []byte { return append([]byte(n.Next), n.Types...) }

// Covers says whether a record of that owner says that name does not exist: it
// stands between the two, where behind the last name the first one follows
// (RFC 4035 section 5.4).
func (n NSEC) Covers(owner, name Name) bool {
	behind := name.Compare(owner) > 0
	if owner.Compare(n.Next) < 0 {
		return behind && name.Compare(n.Next) < 0
	}
	return behind || name.Compare(n.Next) < 0 // the last record of the zone
}

// NSEC3PARAM is the data of such a record, and the way that the names of a
// zone are hashed (RFC 5155 section 4.2).
type NSEC3PARAM struct {
	Hash       uint8 // NSEC3SHA1
	Flags      uint8 // 0 in NSEC3PARAM records
	Iterations uint16
	Salt       []byte
}

// NSEC3PARAM reads a record of that type or, its first fields being the same,
// of NSEC3; ok is false for others and for data that is malformed.
func (rr RR) NSEC3PARAM() (p NSEC3PARAM, ok bool) {
	p, size := nsec3Params(rr.Data)
	switch rr.Type {
	case TypeNSEC3PARAM:
		return p, size > 0 && size == len(rr.Data)
	case TypeNSEC3:
		return p, size > 0
	}
	return NSEC3PARAM{}, false
}

// nsec3Params reads the fields that both types begin with, and gives their size,
// 0 when they are cut off.
func nsec3Params(b []byte) (p NSEC3PARAM, size int) {
	if len(b) < 5 || len(b) < 5+int(b[4]) {
		return NSEC3PARAM{}, 0
	}
	size = 5 + int(b[4])
	return NSEC3PARAM{b[0], b[1], binary.BigEndian.Uint16(b[2:]), b[5:size:size]}, size
}

// Data gives the record data. A salt of more than MaxNSEC3Salt octets is cut.
func (p NSEC3PARAM) Data() []byte {
	salt := p.Salt[:min(len(p.Salt), MaxNSEC3Salt)]
	b := binary.BigEndian.AppendUint16([]byte{p.Hash, p.Flags}, p.Iterations)
	return append(append(b, byte(len(salt))), salt...)
}

// Digest hashes a name (RFC 5155 section 5). It fails for other algorithms than
// SHA-1 and for more than MaxNSEC3Iterations.
func (p NSEC3PARAM) Digest(name Name) ([]byte, error) {
	if p.Hash != NSEC3SHA1 {
		return nil, fmt.Errorf("dns: NSEC3 hash %d: %w", p.Hash, ErrAlgorithm)
	}
	if p.Iterations > MaxNSEC3Iterations {
		return nil, fmt.Errorf("dns: NSEC3 with %d iterations, at most %d are done", p.Iterations, MaxNSEC3Iterations)
	}
	var buf [MaxNameLen + MaxNSEC3Salt]byte
	sum := sha1.Sum(append(append(buf[:0], name.Canonical()...), p.Salt...))
	for range p.Iterations {
		sum = sha1.Sum(append(append(buf[:0], sum[:]...), p.Salt...))
	}
	return sum[:], nil
}

// Owner gives the owner of the NSEC3 record for a name of a zone: its hash in
// base 32 as one label below the apex (RFC 5155 section 3). It fails as Digest
// does, and when the zone's own name leaves no room.
func (p NSEC3PARAM) Owner(name, apex Name) (Name, error) {
	digest, err := p.Digest(name)
	if err != nil {
		return "", err
	}
	return NSEC3Owner(digest, apex)
}

// NSEC3Owner gives the owner of the NSEC3 record with a hash.
func NSEC3Owner(digest []byte, apex Name) (Name, error) {
	label := []byte(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(digest))
	lowerASCII(label)
	return apex.Prepend(string(label))
}

// NSEC3 is the data of an NSEC3 record (RFC 5155 section 3.2).
type NSEC3 struct {
	NSEC3PARAM
	Next  []byte // the next hash in order
	Types TypeBitmap
}

// NSEC3 reads a record of that type; ok is false for others and for data that
// is malformed.
func (rr RR) NSEC3() (n NSEC3, ok bool) {
	p, size := nsec3Params(rr.Data)
	if rr.Type != TypeNSEC3 || size == 0 {
		return NSEC3{}, false
	}
	b := rr.Data[size:]
	if len(b) < 1 || b[0] == 0 || len(b) < 1+int(b[0]) {
		return NSEC3{}, false
	}
	n = NSEC3{p, b[1 : 1+int(b[0])], b[1+int(b[0]):]}
	return n, checkBitmap(n.Types) == nil
}

// Data gives the record data.
func (n NSEC3) Data() []byte {
	b := append(n.NSEC3PARAM.Data(), byte(len(n.Next)))
	return append(append(b, n.Next...), n.Types...)
}

// NSEC3Digest gives the hash that stands in the first label of an NSEC3
// record's owner.
func NSEC3Digest(owner Name) (digest []byte, ok bool) {
	label := bytes.ToUpper([]byte(owner.Label()))
	digest, err := base32.HexEncoding.WithPadding(base32.NoPadding).DecodeString(string(label))
	return digest, err == nil && len(digest) > 0
}

// Covers says whether a record with this hash as its owner says that a name
// with that digest does not exist (RFC 5155 section 8.3).
func (n NSEC3) Covers(owner, digest []byte) bool {
	behind := bytes.Compare(digest, owner) > 0
	if bytes.Compare(owner, n.Next) < 0 {
		return behind && bytes.Compare(digest, n.Next) < 0
	}
	return behind || bytes.Compare(digest, n.Next) < 0
}
