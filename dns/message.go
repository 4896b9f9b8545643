package dns

import (
	"bytes"
	"slices"
)

// Sizes of RFC 1035 and RFC 6891.
const (
	// HeaderLen is the octets of a message's header.
	HeaderLen = 12
	// MaxMessageLen is the most octets of a message, on any transport.
	MaxMessageLen = 65535
	// MinUDPSize is what every client takes over UDP without EDNS.
	MinUDPSize = 512
	// MaxTTL is the highest time to live, in seconds (RFC 2181 section 8).
	MaxTTL = 1<<31 - 1
)

// Header is what the first four octets of a message say (RFC 1035 section
// 4.1.1); the counts follow from the sections. Rcode has its twelve bits
// here, of which the upper eight travel in EDNS.
type Header struct {
	ID                 uint16
	Response           bool // QR
	Opcode             Opcode
	Authoritative      bool // AA
	Truncated          bool // TC
	RecursionDesired   bool // RD
	RecursionAvailable bool // RA
	AuthenticData      bool // AD, RFC 4035 section 3.2.3
	CheckingDisabled   bool // CD, RFC 4035 section 3.2.2
	Rcode              Rcode
}

// The bits of the header's second 16.
const (
	bitQR = 1 << 15
	bitAA = 1 << 10
	bitTC = 1 << 9
	bitRD = 1 << 8
	bitRA = 1 << 7
	bitAD = 1 << 5
	bitCD = 1 << 4
)

func headerFromBits(id, bits uint16) Header {
	return Header{
		ID:                 id,
		Response:           bits&bitQR != 0,
		Opcode:             Opcode(bits >> 11 & 0xf),
		Authoritative:      bits&bitAA != 0,
		Truncated:          bits&bitTC != 0,
		RecursionDesired:   bits&bitRD != 0,
		RecursionAvailable: bits&bitRA != 0,
		AuthenticData:      bits&bitAD != 0,
		CheckingDisabled:   bits&bitCD != 0,
		Rcode:              Rcode(bits & 0xf),
	}
}

func (h Header) bits() uint16 {
	v := uint16(h.Opcode&0xf)<<11 | uint16(h.Rcode&0xf)
	for _, f := range [...]struct {
		on  bool
		bit uint16
	}{
		{h.Response, bitQR}, {h.Authoritative, bitAA}, {h.Truncated, bitTC},
		{h.RecursionDesired, bitRD}, {h.RecursionAvailable, bitRA},
		{h.AuthenticData, bitAD}, {h.CheckingDisabled, bitCD},
	} {
		if f.on {
			v |= f.bit
		}
	}
	return v
}

// Question is what is asked (RFC 1035 section 4.1.2).
type Question struct {
	Name  Name
	Type  Type
	Class Class
}

// Equal compares two questions, their names without regard to case.
func (q Question) Equal(p Question) bool {
	return q.Type == p.Type && q.Class == p.Class && q.Name.Equal(p.Name)
}

// String gives the question as "www.example.test. IN A".
func (q Question) String() string {
	return q.Name.String() + " " + q.Class.String() + " " + q.Type.String()
}

// RR is a resource record. TTL is in seconds. Data is the record data as it
// goes on the wire, with its names uncompressed; it is shared and must not be
// changed.
type RR struct {
	Name  Name
	Type  Type
	Class Class
	TTL   uint32
	Data  []byte
}

// SameSet says whether two records belong to one RRset: the same owner, type
// and class (RFC 2181 section 5).
func (rr RR) SameSet(other RR) bool {
	return rr.Type == other.Type && rr.Class == other.Class && rr.Name.Equal(other.Name)
}

// Equal compares owner, type, class, TTL and data; names, also those inside
// the data of the types of RFC 4034 section 6.2, without regard to case.
func (rr RR) Equal(other RR) bool {
	return rr.TTL == other.TTL && rr.SameData(other)
}

// SameData is Equal without the TTL: two such records are duplicates (RFC
// 2181 section 5).
func (rr RR) SameData(other RR) bool {
	if !rr.SameSet(other) || len(rr.Data) != len(other.Data) {
		return false
	}
	return bytes.Equal(rr.Data, other.Data) ||
		bytes.Equal(canonicalData(rr.Type, rr.Class, rr.Data), canonicalData(rr.Type, rr.Class, other.Data))
}

// Canonical gives the record in the canonical form of RFC 4034 section 6.2:
// the owner, and the names in the data of the types listed there, in lower
// case.
func (rr RR) Canonical() RR {
	rr.Name = rr.Name.Canonical()
	rr.Data = canonicalData(rr.Type, rr.Class, rr.Data)
	return rr
}

// Message is a whole DNS message. EDNS is the OPT record, which stands in no
// section; nil means that there is none.
type Message struct {
	Header
	Question   []Question
	Answer     []RR
	Authority  []RR
	Additional []RR
	EDNS       *EDNS
}

// NewQuery makes a query for one name and type in class IN. The caller picks
// the ID.
func NewQuery(id uint16, name Name, t Type) *Message {
	return &Message{
		Header:   Header{ID: id},
		Question: []Question{{Name: name, Type: t, Class: ClassIN}},
	}
}

// Reply makes the start of a response to m: its ID, opcode, RD and CD bits
// and its questions.
func (m *Message) Reply(code Rcode) *Message {
	return &Message{
		Header: Header{
			ID: m.ID, Response: true, Opcode: m.Opcode, Rcode: code,
			RecursionDesired: m.RecursionDesired, CheckingDisabled: m.CheckingDisabled,
		},
		Question: m.Question,
	}
}

// Equal compares two messages section by section, in order; names without
// regard to case.
func (m *Message) Equal(other *Message) bool {
	return m.Header == other.Header &&
		slices.EqualFunc(m.Question, other.Question, Question.Equal) &&
		slices.EqualFunc(m.Answer, other.Answer, RR.Equal) &&
		slices.EqualFunc(m.Authority, other.Authority, RR.Equal) &&
		slices.EqualFunc(m.Additional, other.Additional, RR.Equal) &&
		m.EDNS.Equal(other.EDNS)
}
