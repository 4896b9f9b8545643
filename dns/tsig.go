package dns

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"time"
)

const (
	// TSIGFudge is the seconds by which the clocks of the two sides may differ
	// in what is signed here (RFC 8945 section 10 recommends it). A received
	// message says itself how far off it may be.
	TSIGFudge = 300
	// MaxTSIGUnsigned is the most messages without a signature between two with
	// one in a stream (RFC 8945 section 5.3.1: each hundredth is signed).
	MaxTSIGUnsigned = 99
)

// RcodeBadSig is the error of a TSIG record whose MAC is wrong. In the header
// the same number means BADVERS, and so it is what Rcode.String gives.
const RcodeBadSig Rcode = 16

// TSIGAlgorithm is a hash of RFC 8945 section 6, by its name in lower case
// without the final dot. The empty one stands for HMACSHA256. MD5 is not there:
// it must not be used (RFC 8945 section 6, RFC 6151).
type TSIGAlgorithm string

// The algorithms. HMACSHA1 is for peers that know no better.
const (
	HMACSHA1   TSIGAlgorithm = "hmac-sha1"
	HMACSHA224 TSIGAlgorithm = "hmac-sha224"
	HMACSHA256 TSIGAlgorithm = "hmac-sha256"
	HMACSHA384 TSIGAlgorithm = "hmac-sha384"
	HMACSHA512 TSIGAlgorithm = "hmac-sha512"
)

// hash gives the hash function, nil for an unknown algorithm.
func (a TSIGAlgorithm) hash() func() hash.Hash {
	switch a {
	case HMACSHA1:
		return sha1.New
	case HMACSHA224:
		return sha256.New224
	case HMACSHA256, "":
		return sha256.New
	case HMACSHA384:
		return sha512.New384
	case HMACSHA512:
		return sha512.New
	}
	return nil
}

// Size is the octets of the MAC, 0 for an unknown algorithm.
func (a TSIGAlgorithm) Size() int {
	h := a.hash()
	if h == nil {
		return 0
	}
	return h().Size()
}

// Name gives the name that stands for the algorithm on the wire.
func (a TSIGAlgorithm) Name() Name {
	if a == "" {
		a = HMACSHA256
	}
	return Name(string(rune(len(a))) + string(a) + "\x00")
}

// TSIGKey is a secret that two sides share (RFC 8945 section 2).
type TSIGKey struct {
	Name      Name
	Algorithm TSIGAlgorithm
	Secret    []byte `json:"-"` // octets, not base64
}

// String gives the name and the algorithm, and never the secret.
func (k TSIGKey) String() string {
	if k.Algorithm == "" {
		k.Algorithm = HMACSHA256
	}
	return string(k.Algorithm) + ":" + k.Name.String()
}

// GoString is String: the secret stays out of %#v too.
func (k TSIGKey) GoString() string { return k.String() }

// Valid says what is wrong with a key: its name, its algorithm, or that it has
// no secret.
func (k TSIGKey) Valid() error {
	switch {
	case !k.Name.Valid() || k.Name == Root:
		return fmt.Errorf("dns: TSIG key: %q is no name for one", string(k.Name))
	case k.Algorithm.hash() == nil:
		return fmt.Errorf("dns: TSIG key %s: algorithm %q is not supported", k.Name, shorten(string(k.Algorithm), 40))
	case len(k.Secret) == 0:
		return fmt.Errorf("dns: TSIG key %s: there is no secret", k.Name)
	case len(k.Secret) > MaxTSIGSecret:
		return fmt.Errorf("dns: TSIG key %s: the secret has %d octets, at most %d", k.Name, len(k.Secret), MaxTSIGSecret)
	}
	return nil
}

// TSIG is a transaction signature (RFC 8945 section 4.2), with the name of the
// key that stands as the record's owner.
type TSIG struct {
	Key        Name
	Algorithm  Name
	TimeSigned uint64 // seconds since 1970; 48 bits go on the wire
	Fudge      uint16 // seconds
	MAC        []byte
	OriginalID uint16
	Error      Rcode
	Other      []byte // with BADTIME: the server's time in 6 octets
}

// TSIG reads a record of that type; ok is false for any other, and for data
// that is malformed.
func (rr RR) TSIG() (t TSIG, ok bool) {
	if rr.Type != TypeTSIG {
		return TSIG{}, false
	}
	t.Key = rr.Name
	name, n, err := NameFromWire(rr.Data)
	if err != nil || len(rr.Data) < n+10 {
		return TSIG{}, false
	}
	t.Algorithm = name
	b := rr.Data[n:]
	t.TimeSigned = uint64(binary.BigEndian.Uint16(b))<<32 | uint64(binary.BigEndian.Uint32(b[2:]))
	t.Fudge = binary.BigEndian.Uint16(b[6:])
	size := int(binary.BigEndian.Uint16(b[8:]))
	if b = b[10:]; len(b) < size+6 {
		return TSIG{}, false
	}
	t.MAC, b = b[:size:size], b[size:]
	t.OriginalID = binary.BigEndian.Uint16(b)
	t.Error = Rcode(binary.BigEndian.Uint16(b[2:]))
	t.Other = b[6:]
	return t, len(t.Other) == int(binary.BigEndian.Uint16(b[4:]))
}

// RR gives the record: class ANY, TTL 0.
func (t TSIG) RR() RR {
	b := append([]byte(nil), t.Algorithm...)
	b = t.appendTimers(b)
	b = binary.BigEndian.AppendUint16(b, uint16(len(t.MAC)))
	b = append(b, t.MAC...)
	b = binary.BigEndian.AppendUint16(b, t.OriginalID)
	b = t.appendError(b)
	return RR{Name: t.Key, Type: TypeTSIG, Class: ClassANY, Data: b}
}

func (t TSIG) appendTimers(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(t.TimeSigned>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(t.TimeSigned))
	return binary.BigEndian.AppendUint16(b, t.Fudge)
}

func (t TSIG) appendError(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(t.Error))
	b = binary.BigEndian.AppendUint16(b, uint16(len(t.Other)))
	return append(b, t.Other...)
}

// PeerTime gives the server's time that stands in a BADTIME error (RFC 8945
// section 5.2.3).
func (t TSIG) PeerTime() (at time.Time, ok bool) {
	if t.Error != RcodeBadTime || len(t.Other) != 6 {
		return time.Time{}, false
	}
	return time.Unix(int64(binary.BigEndian.Uint16(t.Other))<<32|int64(binary.BigEndian.Uint32(t.Other[2:])), 0), true
}

// timely says whether now is within the fudge of the time of signing.
func (t TSIG) timely(now time.Time) bool {
	off := now.Unix() - int64(t.TimeSigned)
	return max(off, -off) <= int64(t.Fudge)
}

// TSIGError says why a message's signature is no good. Both sides use it: the
// one that finds the fault, and the one that is told of it.
type TSIGError struct {
	// Code is BADSIG, BADKEY, BADTIME, BADTRUNC, or FORMERR for a message that
	// is malformed where its signature stands.
	Code Rcode
	// Peer says that the other side complained of what we sent. Unless Signed
	// is true that may be forged, and a client goes on waiting for a better
	// answer (RFC 8945 section 5.4.1).
	Peer, Signed bool
	// Reason says more, where there is more to say.
	Reason string
	// TSIG is the record, where it could be read.
	TSIG TSIG

	signer *TSIGSigner // signs the answer to a BADTIME or BADTRUNC
}

// Error gives the code, whose complaint it is, the key and the reason.
func (e *TSIGError) Error() string {
	s := "dns: TSIG: " + e.Code.String()
	if e.Code == RcodeBadSig {
		s = "dns: TSIG: BADSIG"
	}
	if e.Peer {
		s += " says the peer"
	}
	if e.TSIG.Key != "" {
		s += ": key " + e.TSIG.Key.String()
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// Rcode gives the response code of the header in the answer to a message with
// this error: FORMERR, or NOTAUTH for what the TSIG record itself tells.
func (e *TSIGError) Rcode() Rcode {
	if e.Code == RcodeFormErr {
		return RcodeFormErr
	}
	return RcodeNotAuth
}

var (
	errTSIGPlace = errors.New("the TSIG record is not the last of the message, or not the only one")
	errTSIGForm  = errors.New("malformed TSIG record")
)

// findTSIG looks for the signature of a message and gives the offset where its
// record begins: it ends the message. ok is false where there is none.
func findTSIG(wire []byte) (t TSIG, start int, ok bool, err error) {
	_, counts, err := ParseHeader(wire)
	if err != nil {
		return TSIG{}, 0, false, err
	}
	p := parser{wire: wire, off: HeaderLen}
	for range counts.Question {
		if err := p.skipName(); err != nil {
			return TSIG{}, 0, false, err
		}
		if p.off += 4; p.off > len(wire) {
			return TSIG{}, 0, false, errShort
		}
	}
	records := int(counts.Answer) + int(counts.Authority) + int(counts.Additional)
	for i := range records {
		start = p.off
		kind, err := p.skipRecord()
		if err != nil {
			return TSIG{}, 0, false, err
		}
		if kind != TypeTSIG {
			continue
		}
		if i != records-1 || counts.Additional == 0 || p.off != len(wire) {
			return TSIG{}, 0, false, errTSIGPlace
		}
		p.off = start
		rr, err := p.record()
		if err != nil {
			return TSIG{}, 0, false, err
		}
		if t, ok = rr.TSIG(); !ok || rr.Class != ClassANY || rr.TTL != 0 {
			return TSIG{}, 0, false, errTSIGForm
		}
		return t, start, true, nil
	}
	return TSIG{}, 0, false, nil
}

// skipName passes over a name, without following its pointer.
func (p *parser) skipName() error {
	for p.off < len(p.wire) {
		c := int(p.wire[p.off])
		switch {
		case c == 0:
			p.off++
			return nil
		case c >= 0xc0:
			p.off += 2
			if p.off > len(p.wire) {
				return errShort
			}
			return nil
		case c > MaxLabelLen:
			return errLabelType
		}
		p.off += 1 + c
	}
	return errShort
}

// skipRecord passes over a record and gives its type.
func (p *parser) skipRecord() (Type, error) {
	if err := p.skipName(); err != nil {
		return 0, err
	}
	if len(p.wire)-p.off < 10 {
		return 0, errShort
	}
	t := Type(binary.BigEndian.Uint16(p.wire[p.off:]))
	p.off += 10 + int(binary.BigEndian.Uint16(p.wire[p.off+8:]))
	if p.off > len(p.wire) {
		return 0, errShort
	}
	return t, nil
}

// digester makes the MACs of one exchange (RFC 8945 sections 4.3 and 5.3.1).
type digester struct {
	key      TSIGKey
	mac      hash.Hash
	last     []byte // MAC that the next one is chained to
	unsigned int    // messages digested since then
}

func newDigester(key TSIGKey) *digester {
	return &digester{key: key, mac: hmac.New(key.Algorithm.hash(), key.Secret)}
}

// prior begins a digest with the MAC of the message before.
func (d *digester) prior(mac []byte) {
	d.mac.Reset()
	d.last, d.unsigned = mac, 0
	d.mac.Write(binary.BigEndian.AppendUint16(nil, uint16(len(mac))))
	d.mac.Write(mac)
}

// message digests a message without its TSIG record, as it was when it was
// signed: with the original ID, and the record not counted.
func (d *digester) message(wire []byte, id uint16, counted bool) {
	var head [HeaderLen]byte
	copy(head[:], wire)
	binary.BigEndian.PutUint16(head[:], id)
	if counted {
		binary.BigEndian.PutUint16(head[10:], binary.BigEndian.Uint16(head[10:])-1)
	}
	d.mac.Write(head[:])
	d.mac.Write(wire[HeaderLen:])
}

// sum ends a digest. Within a stream only the timers of the record are in it.
func (d *digester) sum(t TSIG, timersOnly bool) []byte {
	var b []byte
	if !timersOnly {
		b = append(b, t.Key.Canonical()...)
		b = binary.BigEndian.AppendUint16(b, uint16(ClassANY))
		b = append(b, 0, 0, 0, 0) // TTL
		b = append(b, t.Algorithm.Canonical()...)
	}
	b = t.appendTimers(b)
	if !timersOnly {
		b = t.appendError(b)
	}
	d.mac.Write(b)
	return d.mac.Sum(nil)
}

// checkMAC compares a MAC with what it should be, in constant time, and says
// whether it is one that was cut short.
func checkMAC(got, want []byte) (code Rcode, reason string) {
	switch {
	case len(got) > len(want):
		return RcodeFormErr, "the MAC is longer than the algorithm makes it"
	case len(got) < max(10, len(want)/2):
		return RcodeFormErr, "the MAC is shorter than any that is permitted" // RFC 8945 section 5.2.2.1
	case !hmac.Equal(got, want[:len(got)]):
		return RcodeBadSig, ""
	}
	return RcodeSuccess, ""
}

// appendTSIG puts the record behind a message and counts it.
func appendTSIG(dst, wire []byte, t TSIG) ([]byte, error) {
	rr := t.RR()
	if len(wire)+recordLen([]RR{rr}) > MaxMessageLen || bytes.Equal(wire[10:12], []byte{0xff, 0xff}) {
		return dst, fmt.Errorf("dns: TSIG: %w", ErrTooLarge)
	}
	base := len(dst)
	dst = rr.appendWire(append(dst, wire...))
	count := dst[base+10:]
	binary.BigEndian.PutUint16(count, binary.BigEndian.Uint16(count)+1)
	return dst, nil
}
