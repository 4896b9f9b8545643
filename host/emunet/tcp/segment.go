package tcp

import "strings"

// Flags are the control bits of a segment (RFC 9293 section 3.1).
type Flags uint8

// The control bits, at their places in the header.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// String lists the bits by name, such as "SYN,ACK"; "-" for none.
func (f Flags) String() string {
	var names []string
	for i, name := range [...]string{"FIN", "SYN", "RST", "PSH", "ACK"} {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if names == nil {
		return "-"
	}
	return strings.Join(names, ",")
}

// maxBlocks is how many SACK blocks fit beside no other option (RFC 2018 section 3).
const maxBlocks = 4

// Block is a range of octets that arrived out of order: from From up to, and without, To.
type Block struct{ From, To uint32 }

// Segment is what one end sends to the other. Options are those of RFC 9293 section 3.2 (maximum segment size), RFC
// 7323 section 2 (window scale) and RFC 2018 (selective acknowledgement).
type Segment struct {
	Seq, Ack uint32
	Flags    Flags
	Window   uint16 // as in the header: scaled, except on a SYN
	Payload  []byte // never changed once it is sent

	MSS    uint16 // on a SYN alone
	Scale  uint8  // on a SYN alone
	Blocks [maxBlocks]Block
	Sacked int // how many of Blocks are there
}

// Len is what the segment takes of the sequence numbers: its octets, and one each for SYN and FIN.
func (s *Segment) Len() uint32 {
	n := uint32(len(s.Payload))
	if s.Flags&SYN != 0 {
		n++
	}
	if s.Flags&FIN != 0 {
		n++
	}
	return n
}

// HeaderLen is the length of the header with its options, a multiple of 4 octets.
func (s *Segment) HeaderLen() int { return 20 + s.optionsLen() }

func (s *Segment) optionsLen() int {
	switch {
	case s.Flags&SYN != 0:
		return 12 // MSS, SACK permitted, window scale, and padding
	case s.Sacked > 0:
		return 4 + 8*s.Sacked
	}
	return 0
}

// AppendOptions appends the options in wire form, padded to a multiple of 4 octets.
func (s *Segment) AppendOptions(b []byte) []byte {
	const noop = 1
	switch {
	case s.Flags&SYN != 0:
		return append(b, 2, 4, byte(s.MSS>>8), byte(s.MSS), 4, 2, 3, 3, s.Scale, noop, noop, noop)
	case s.Sacked > 0:
		b = append(b, noop, noop, 5, byte(2+8*s.Sacked))
		for _, r := range s.Blocks[:s.Sacked] {
			b = append(b, byte(r.From>>24), byte(r.From>>16), byte(r.From>>8), byte(r.From),
				byte(r.To>>24), byte(r.To>>16), byte(r.To>>8), byte(r.To))
		}
	}
	return b
}

// before says whether sequence number a comes before b (RFC 9293 section 3.4).
func before(a, b uint32) bool { return int32(a-b) < 0 }

func later(a, b uint32) uint32 {
	if before(a, b) {
		return b
	}
	return a
}
