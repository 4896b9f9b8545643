package tcp

import (
	"fmt"
	"testing"
)

// Whatever the wire does, what is written is read, once and in order, and both ends come to their end.
func TestAnyWire(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		anyRun(t, seed, 0, 0, 20000)
		anyRun(t, seed, 0.05, 0, 20000)
		anyRun(t, seed, 0, 0.2, 20000)
		anyRun(t, seed, 0.1, 0.3, 20000)
	}
	anyRun(t, 1, 0.02, 0.02, 1<<20)
}

func FuzzAnyWire(f *testing.F) {
	f.Add(uint64(1), uint8(0), uint8(0), uint16(100))
	f.Add(uint64(2), uint8(20), uint8(0), uint16(60000))
	f.Add(uint64(3), uint8(0), uint8(80), uint16(60000))
	f.Add(uint64(4), uint8(40), uint8(40), uint16(9000))
	f.Fuzz(func(t *testing.T, seed uint64, loss, held uint8, size uint16) {
		anyRun(t, seed, float64(loss)/256/4, float64(held)/256, int(size)) // at most every fourth is lost
	})
}

// FuzzInput gives a connection segments that no honest peer would send.
func FuzzInput(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0, 16, 10, 2, 5, 5, 5, 5, 16, 200, 3, 0, 0, 0, 0, 1, 0})
	f.Add([]byte("\x00\x01\x00\x00\x00\x18\xff\x00\x05\x00\x00\x00\x18\xff"))
	f.Fuzz(func(t *testing.T, script []byte) {
		script = script[:min(len(script), 7*200)]
		w := dialled(t, ms, Config{}, Config{ReceiveBuffer: 3000})
		c := w.end[1]
		c.Write(pattern(5000))
		w.out(1)
		for ; len(script) >= 7 && c.State() != Closed; script = script[7:] {
			s := Segment{
				Seq: c.recv.next + uint32(script[1])*16 - uint32(script[2])*16, Ack: c.una + uint32(script[3])*16 - uint32(script[4]),
				Flags: Flags(script[5]), Window: uint16(script[6]), Payload: pattern(int(script[6])),
			}
			s.Sacked = int(script[0]) % (maxBlocks + 1)
			for i := range s.Blocks[:s.Sacked] {
				s.Blocks[i] = Block{From: c.una + uint32(script[1+i])*64, To: c.una + uint32(script[2+i])*64}
			}
			c.Input(&s, w.now)
			check(t, c)
			w.out(1)
			check(t, c)
			if at, ok := c.Next(); ok && script[0] > 200 {
				w.now = max(w.now, at)
				c.Timeout(w.now)
				w.out(1)
				check(t, c)
			}
		}
	})
}

func Example() {
	// Two ends, and nothing between them: what one sends the other takes at once.
	a := Dial(Config{}, 100, 0)
	var syn Segment
	a.Output(0, func(s *Segment) { syn = *s })
	b := Accept(Config{}, 500, &syn, 0)
	pass := func(from, to *Conn) {
		var sent []Segment
		from.Output(0, func(s *Segment) { sent = append(sent, *s) })
		for i := range sent {
			fmt.Printf("%v seq %d ack %d %q\n", sent[i].Flags, sent[i].Seq, sent[i].Ack, sent[i].Payload)
			to.Input(&sent[i], 0)
		}
	}
	pass(b, a)
	a.Write([]byte("hello"))
	pass(a, b)
	fmt.Println(a.State(), b.State())
	// Output:
	// SYN,ACK seq 500 ack 101 ""
	// PSH,ACK seq 101 ack 501 "hello"
	// ESTABLISHED ESTABLISHED
}
