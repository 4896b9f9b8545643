package dns

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestMutatedMessages changes octets of good messages at random: nothing
// crashes, and what is still a message can be packed and read again.
func TestMutatedMessages(t *testing.T) {
	t.Parallel()
	var seeds [][]byte
	for _, tt := range everyType {
		rr, err := ParseRR("o "+tt.text, "\x07example\x04test\x00", 60)
		if err != nil {
			t.Fatal(err)
		}
		m := sampleMessage(t)
		m.Answer = append(m.Answer, rr)
		wire, err := m.Append(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, wire)
	}
	r := rand.New(rand.NewPCG(4, 711))
	accepted := 0
	for range 30_000 {
		wire := append([]byte(nil), seeds[r.IntN(len(seeds))]...)
		for range 1 + r.IntN(4) {
			switch at := r.IntN(len(wire)); r.IntN(4) {
			case 0:
				wire[at] ^= 1 << r.IntN(8)
			case 1:
				wire[at] = byte(r.Uint32())
			case 2:
				wire = wire[:at+1]
			case 3:
				wire = append(wire[:at], wire[at/2:]...)
			}
		}
		m, err := Parse(wire)
		if err != nil {
			continue
		}
		accepted++
		checkRoundTrip(t, m)
		for _, rr := range m.Answer {
			_ = rr.String() // must not crash
		}
	}
	if accepted < 100 {
		t.Errorf("just %d mutated messages were read: the test tests nothing", accepted)
	}
}

// TestWorstCaseTime: a message made to cost as much as possible, its names all
// at the end of the longest chain of pointers that a name may run through, is
// read in a bounded time; the chain that 14 bits could hold, over a hundred
// times as long, is refused.
func TestWorstCaseTime(t *testing.T) {
	t.Parallel()
	began := time.Now()
	m, err := Parse(chained(maxPointers - 1))
	if took := time.Since(began); err != nil || len(m.Answer) < 4000 || took > time.Second {
		t.Errorf("%v: %v", took, err)
	}
	if _, err := Parse(chained(8000)); !errors.Is(err, errPointers) {
		t.Errorf("8000 pointers: %v", err)
	}
}

// chained is a message with a chain of so many pointers, each to the one
// before, in the data of a record of an unknown type; then as many records as
// fit whose names begin at the chain's end.
func chained(pointers int) []byte {
	body := []byte("\x00\x00\x01\x00\x01" + "\x00\xff\x00\x00\x01\x00\x00\x00\x00")
	body = binary.BigEndian.AppendUint16(body, uint16(2*pointers))
	last := HeaderLen // the question's name
	for range pointers {
		here := HeaderLen + len(body)
		body = append(body, 0xc0|byte(last>>8), byte(last))
		last = here
	}
	count := uint16(1)
	tail := string([]byte{0xc0 | byte(last>>8), byte(last)}) + aRecord
	for len(body)+len(tail) < 65000-HeaderLen {
		body = append(body, tail...)
		count++
	}
	return append([]byte{0, 0, 0, 0, 0, 1, byte(count >> 8), byte(count), 0, 0, 0, 0}, body...)
}

// TestDecompressionBomb: a message grows when its names are written out, and
// the growth is bounded by the longest name for each pointer.
func TestDecompressionBomb(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("\x3f"+strings.Repeat("a", 63), 3) + "\x3d" + strings.Repeat("b", 61) + "\x00"
	body := longest + "\x00\x01\x00\x01"
	count := 0
	for len(body) < 65000-HeaderLen {
		body += "\xc0\x0c\x00\x02\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x0c" // NS
		count++
	}
	wire := append([]byte{0, 0, 0, 0, 0, 1, byte(count >> 8), byte(count), 0, 0, 0, 0}, body...)
	m, err := Parse(wire)
	if err != nil || len(m.Answer) != count {
		t.Fatalf("%v", err)
	}
	for _, rr := range m.Answer {
		if len(rr.Name) != MaxNameLen || len(rr.Data) != MaxNameLen {
			t.Fatalf("%d, %d", len(rr.Name), len(rr.Data))
		}
	}
	if packed, err := m.Append(nil, 0); err != nil || len(packed) > len(wire) {
		t.Errorf("%d octets were packed as %d, %v", len(wire), len(packed), err)
	}
}
