package zone

import (
	"bytes"
	"encoding/binary"
	"iter"
	"slices"

	"github.com/network-utopia/utopia/dns"
)

// What a name owns is packed in the body of its item: its spelling, where that
// differs from the lower case, behind one octet with its length; then its sets
// in the order of their types. A set is its type (2 octets), the number of its
// records (2) and their size (4), and then the records as an answer has them,
// each with a pointer to the question for its owner. So the answer to a common
// question is one copy.

const (
	setHead    = 8
	recordHead = 12     // owner, type, class, TTL and length of data
	ownerAsked = 0xc00c // a compression pointer to the name in the question
)

// maxSetOctets is the most octets of the records of a set: with a header, a
// question and an OPT record a response with more has no place in a message.
const maxSetOctets = dns.MaxMessageLen - dns.HeaderLen - (dns.MaxNameLen + 4) - 11

// packedSet is an RRset as it stands in a page.
type packedSet []byte

func (s packedSet) kind() dns.Type  { return dns.Type(binary.BigEndian.Uint16(s)) }
func (s packedSet) count() int      { return int(binary.BigEndian.Uint16(s[2:])) }
func (s packedSet) records() []byte { return s[setHead:] }

func (s packedSet) ttl() uint32 { return binary.BigEndian.Uint32(s[setHead+6:]) }

// first gives the data of the set's first record.
func (s packedSet) first() []byte {
	return s[setHead+recordHead:][:binary.BigEndian.Uint16(s[setHead+recordHead-2:])]
}

// unpack gives the set with data that lie where they lay.
func (s packedSet) unpack() RRset {
	set := RRset{Type: s.kind(), TTL: s.ttl(), Data: make([][]byte, 0, s.count())}
	for rest := s.records(); len(rest) > 0; {
		end := recordHead + int(binary.BigEndian.Uint16(rest[recordHead-2:]))
		set.Data = append(set.Data, rest[recordHead:end:end])
		rest = rest[end:]
	}
	return set
}

// packedSets gives the sets of an item's body.
func packedSets(body []byte) iter.Seq[packedSet] {
	return func(yield func(packedSet) bool) {
		for rest := body[1+int(body[0]):]; len(rest) > 0; {
			end := setHead + int(binary.BigEndian.Uint32(rest[4:]))
			if !yield(packedSet(rest[:end])) {
				return
			}
			rest = rest[end:]
		}
	}
}

// findSet gives the set of a type, nil when there is none.
func findSet(body []byte, t dns.Type) packedSet {
	if len(body) == 0 {
		return nil
	}
	for rest := body[1+int(body[0]):]; len(rest) > 0; {
		end := setHead + int(binary.BigEndian.Uint32(rest[4:]))
		if s := packedSet(rest[:end]); s.kind() >= t {
			if s.kind() == t {
				return s
			}
			return nil
		}
		rest = rest[end:]
	}
	return nil
}

// appendSpelling begins a body with the labels of its owner below the apex.
func appendSpelling(dst []byte, own dns.Name) []byte {
	if own == own.Canonical() {
		own = ""
	}
	return append(append(dst, byte(len(own))), own...)
}

// appendSet appends a set to a body. Its data are in order and none is there twice.
func appendSet(dst []byte, s RRset) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(s.Type))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s.Data)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(s.size()))
	for _, d := range s.Data {
		dst = binary.BigEndian.AppendUint16(dst, ownerAsked)
		dst = binary.BigEndian.AppendUint16(dst, uint16(s.Type))
		dst = binary.BigEndian.AppendUint16(dst, uint16(dns.ClassIN))
		dst = binary.BigEndian.AppendUint32(dst, s.ttlOf(d))
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(d)))
		dst = append(dst, d...)
	}
	return dst
}

// compareData orders the data of a set as RFC 4034 section 6.3 does.
func compareData(t dns.Type, a, b []byte) int {
	return bytes.Compare(canonical(t, a), canonical(t, b))
}

func canonical(t dns.Type, data []byte) []byte {
	return dns.RR{Type: t, Class: dns.ClassIN, Data: data}.Canonical().Data
}

// tally is what a zone counts of its names.
type tally struct {
	names     int // that own records
	records   int
	redirects int // names below the apex that own NS, and those that own a DNAME
	asterisks int // names with a label that is a lone asterisk
}

func (t *tally) add(it item, sign int) {
	t.names += sign
	redirects := false
	for s := range packedSets(it.body) {
		t.records += sign * s.count()
		redirects = redirects || s.kind() == dns.TypeDNAME || s.kind() == dns.TypeNS && len(it.key) > 0
	}
	if redirects {
		t.redirects += sign
	}
	if hasAsterisk(it.key) {
		t.asterisks += sign
	}
}

// Node is a name of a zone with what it owns. The zero Node owns nothing.
type Node struct {
	item
	apex dns.Name
}

// Name gives the owner's name, below the apex in the case that it was written
// in.
func (n Node) Name() dns.Name {
	switch {
	case n.apex == "":
		return ""
	case len(n.body) > 0 && n.body[0] > 0:
		return dns.Name(n.body[1:1+int(n.body[0])]) + n.apex
	}
	return nameOfKey(n.key, n.apex)
}

// RRset gives the records of a type.
func (n Node) RRset(t dns.Type) (RRset, bool) {
	if s := findSet(n.body, t); s != nil {
		return s.unpack(), true
	}
	return RRset{}, false
}

// Has says whether the name owns records of a type.
func (n Node) Has(t dns.Type) bool { return findSet(n.body, t) != nil }

// sameSets compares what two names own, but for the data of an SOA.
func (n Node) sameSets(other Node) bool {
	a, b := n.body[1+int(n.body[0]):], other.body[1+int(other.body[0]):]
	if len(n.key) > 0 {
		return bytes.Equal(a, b)
	}
	return slices.EqualFunc(n.Sets(), other.Sets(), func(s, t RRset) bool {
		return s.Type == t.Type && s.TTL == t.TTL && (s.Type == dns.TypeSOA || slices.EqualFunc(s.Data, t.Data, bytes.Equal))
	})
}

// Sets gives all that the name owns, ordered by type. It is empty for an empty
// non-terminal.
func (n Node) Sets() []RRset {
	if len(n.body) == 0 {
		return nil
	}
	var sets []RRset
	for s := range packedSets(n.body) {
		sets = append(sets, s.unpack())
	}
	return sets
}

// RRset is the records of one type that a name owns, in the order of RFC 4034
// section 6.3. Their data are shared and must not be changed.
type RRset struct {
	Type dns.Type
	TTL  uint32 // seconds
	Data [][]byte
}

// size is the octets of the records as a message has them, their owner as a pointer.
func (s RRset) size() int {
	size := 0
	for _, d := range s.Data {
		size += recordHead + len(d)
	}
	return size
}

// Append puts the records behind dst, with owner as their owner: so a
// wildcard's records take the name that was asked for.
func (s RRset) Append(dst []dns.RR, owner dns.Name) []dns.RR {
	dst = slices.Grow(dst, len(s.Data))
	for _, d := range s.Data {
		dst = append(dst, dns.RR{Name: owner, Type: s.Type, Class: dns.ClassIN, TTL: s.ttlOf(d), Data: d})
	}
	return dst
}

// ttlOf gives the TTL of one of the records. Signatures are no set: each has
// the TTL of the set that it covers, which stands in it (RFC 4034 section 3).
func (s RRset) ttlOf(data []byte) uint32 {
	if s.Type == dns.TypeRRSIG && len(data) >= 8 {
		return binary.BigEndian.Uint32(data[4:])
	}
	return s.TTL
}
