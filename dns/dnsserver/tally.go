package dnsserver

import (
	"encoding/binary"
	"iter"
	"math/bits"

	"github.com/network-utopia/utopia/dns"
)

// OtherType and OtherCode stand for what is not counted apart: no client fills
// the memory with kinds of its own.
const (
	OtherType dns.Type  = 0
	OtherCode dns.Rcode = codeSlots - 1
)

const (
	codeSlots = 25 // the codes of RFC 6895 section 2.3 that a message can have (0 to 23), and one for all others
	typeSlots = 64
	firstOp   = typeSlots - 16 // the last slots are the opcodes'
)

// counted are the types that are counted apart; the place of each is its slot.
// The first is all others.
var counted = [...]dns.Type{
	OtherType, dns.TypeA, dns.TypeNS, dns.TypeCNAME, dns.TypeSOA, dns.TypePTR, dns.TypeHINFO, dns.TypeMX, dns.TypeTXT,
	dns.TypeAAAA, 29 /* LOC */, dns.TypeSRV, dns.TypeNAPTR, 37 /* CERT */, dns.TypeDNAME, dns.TypeDS, dns.TypeSSHFP,
	dns.TypeRRSIG, dns.TypeNSEC, dns.TypeDNSKEY, dns.TypeNSEC3, dns.TypeNSEC3PARAM, dns.TypeTLSA, dns.TypeSMIMEA,
	dns.TypeCDS, dns.TypeCDNSKEY, 61 /* OPENPGPKEY */, 62 /* CSYNC */, 63 /* ZONEMD */, dns.TypeSVCB, dns.TypeHTTPS,
	dns.TypeSPF, dns.TypeIXFR, dns.TypeAXFR, dns.TypeANY, 256 /* URI */, dns.TypeCAA,
}

// slotOf gives the slot of a type; 0 for those that are not counted apart, and
// those above the last one are not in it.
var slotOf = func() (slots [dns.TypeCAA + 1]uint8) {
	for slot, t := range counted {
		slots[t] = uint8(slot)
	}
	return slots
}()

// CountedTypes are the types of questions that Answers counts apart; all others
// count as OtherType.
func CountedTypes() []dns.Type { return counted[1:] }

// Volume is a number of queries, and the octets of them and of their responses.
type Volume struct{ N, In, Out int }

// Answers counts queries that were answered over one transport: over UDP those
// of a batch, otherwise one.
type Answers struct {
	Truncated int // responses with TC
	DNSSEC    int // queries with DO (RFC 3225)

	codes     [codeSlots]Volume
	codesSeen uint64 // a bit for each slot that counts something
	kinds     [typeSlots]int
	kindsSeen uint64
	zones     []zoneCount
}

type zoneCount struct {
	zone uint32
	n    int
}

// Codes gives the response codes that there were, with the bits that EDNS adds
// (RFC 6891 section 6.1.3); OtherCode for all without a name.
func (a *Answers) Codes() iter.Seq2[dns.Rcode, Volume] {
	return func(yield func(dns.Rcode, Volume) bool) {
		for left := a.codesSeen; left != 0; left &= left - 1 {
			slot := bits.TrailingZeros64(left)
			if !yield(dns.Rcode(slot), a.codes[slot]) {
				return
			}
		}
	}
}

// Types gives the types that were asked for, by messages with opcode QUERY.
func (a *Answers) Types() iter.Seq2[dns.Type, int] {
	return func(yield func(dns.Type, int) bool) {
		for left := a.kindsSeen & (1<<firstOp - 1); left != 0; left &= left - 1 {
			slot := bits.TrailingZeros64(left)
			if !yield(counted[slot], a.kinds[slot]) {
				return
			}
		}
	}
}

// Opcodes gives the opcodes that there were beside QUERY.
func (a *Answers) Opcodes() iter.Seq2[dns.Opcode, int] {
	return func(yield func(dns.Opcode, int) bool) {
		for left := a.kindsSeen >> firstOp; left != 0; left &= left - 1 {
			op := bits.TrailingZeros64(left)
			if !yield(dns.Opcode(op), a.kinds[firstOp+op]) {
				return
			}
		}
	}
}

// Zones gives the numbers of zones that handlers told: Client.Tell.
func (a *Answers) Zones() iter.Seq2[uint32, int] {
	return func(yield func(uint32, int) bool) {
		for _, z := range a.zones {
			if !yield(z.zone, z.n) {
				return
			}
		}
	}
}

// add counts a query and its response, both at least a header, and so many
// octets of that; of several messages the first is the response.
func (a *Answers) add(zone uint32, query, response []byte, octets int) {
	code := codeOf(response)
	a.codesSeen |= 1 << (code & 63)
	v := &a.codes[code]
	v.N++
	v.In += len(query)
	v.Out += octets
	a.Truncated += int(response[2] >> 1 & 1)
	slot, do := kindOf(query)
	a.kindsSeen |= 1 << (slot & 63)
	a.kinds[slot]++
	a.DNSSEC += do
	for i := range a.zones {
		if a.zones[i].zone == zone {
			a.zones[i].n++
			return
		}
	}
	a.zones = append(a.zones, zoneCount{zone, 1})
}

// reset makes it count from zero.
func (a *Answers) reset() {
	for left := a.codesSeen; left != 0; left &= left - 1 {
		a.codes[bits.TrailingZeros64(left)] = Volume{}
	}
	for left := a.kindsSeen; left != 0; left &= left - 1 {
		a.kinds[bits.TrailingZeros64(left)] = 0
	}
	a.codesSeen, a.kindsSeen, a.Truncated, a.DNSSEC, a.zones = 0, 0, 0, 0, a.zones[:0]
}

// kindOf gives the slot of what a query is: by its type, or its opcode where that
// is not QUERY; and 1 where its OPT record, behind the question, has DO.
func kindOf(query []byte) (slot uint, do int) {
	if op := query[2] >> 3 & 0xf; op != 0 {
		return firstOp + uint(op), 0
	}
	end := questionEnd(query)
	if end == 0 {
		return 0, 0
	}
	if t := binary.BigEndian.Uint16(query[end-4:]); int(t) < len(slotOf) {
		slot = uint(slotOf[t])
	}
	if isOPT(query[end:]) && query[11] != 0 {
		do = int(query[end+7] >> 7)
	}
	return slot, do
}

// isOPT says whether an OPT record begins there.
func isOPT(m []byte) bool { return len(m) >= 11 && m[0] == 0 && m[1] == 0 && m[2] == byte(dns.TypeOPT) }

// codeOf gives a response's code. EDNS adds to the four bits of the header only
// where something is refused before it is looked up, as BADVERS and BADCOOKIE
// are: then nothing stands between the question and the OPT record.
func codeOf(response []byte) uint {
	code := uint(response[3] & 0xf)
	if binary.BigEndian.Uint32(response[6:]) != 0 || binary.BigEndian.Uint16(response[10:]) == 0 {
		return code
	}
	at := dns.HeaderLen
	if binary.BigEndian.Uint16(response[4:]) != 0 {
		if at = questionEnd(response); at == 0 {
			return code
		}
	}
	if isOPT(response[at:]) {
		code |= uint(response[at+5]) << 4
	}
	return min(code, uint(OtherCode))
}

// questionEnd is where the first question of a message ends, whose name is not
// compressed; 0 when there is none.
func questionEnd(m []byte) int {
	if binary.BigEndian.Uint16(m[4:]) == 0 {
		return 0
	}
	for at := uint(dns.HeaderLen); at < uint(len(m)); {
		size := m[at]
		switch {
		case size == 0 && at+5 <= uint(len(m)):
			return int(at) + 5
		case size == 0 || size > dns.MaxLabelLen:
			return 0
		}
		at += 1 + uint(size)
	}
	return 0
}

// tally collects what Metrics is told of a batch, which came over UDP.
type tally struct {
	answers  Answers
	refusals []refusals
}

type refusals struct {
	why Refusal
	n   int
}

func (t *tally) refused(why Refusal) {
	for i := range t.refusals {
		if t.refusals[i].why == why {
			t.refusals[i].n++
			return
		}
	}
	t.refusals = append(t.refusals, refusals{why, 1})
}

// flush tells m all of it, and begins anew.
func (t *tally) flush(m Metrics) {
	if t.answers.codesSeen != 0 {
		m.Answered(UDP, &t.answers)
		t.answers.reset()
	}
	for _, r := range t.refusals {
		m.Refused(UDP, r.why, r.n)
	}
	t.refusals = t.refusals[:0]
}

// answered counts a query that came alone.
func (s *Server) answered(from *Client, query, response []byte, octets int) {
	if from.quiet {
		return
	}
	a, _ := s.single.Get().(*Answers)
	if a == nil {
		a = &Answers{}
	}
	a.add(from.said.zone, query, response, octets)
	s.opts.Metrics.Answered(from.Transport, a)
	a.reset()
	s.single.Put(a)
}
