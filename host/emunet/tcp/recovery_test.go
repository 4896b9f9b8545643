package tcp

import (
	"testing"
	"time"
)

// Initial and restart windows are RFC 6928's, for segments of all sizes.
func TestInitialWindow(t *testing.T) {
	t.Parallel()
	for mss, want := range map[int]int{500: 5000, 1460: 14600, 4000: 14600, 9000: 18000} {
		var c control
		if c.start(mss); c.window != want {
			t.Errorf("segments of %d: begins with %d, want %d", mss, c.window, want)
		}
		c.window = 100 * mss
		c.idle(time.Hour, time.Second)
		if c.window != want {
			t.Errorf("segments of %d: begins anew with %d, want %d", mss, c.window, want)
		}
	}
}

// RFC 2861 section 3.1: half of the window for each timeout without a word, and three quarters of it are remembered.
func TestIdleWindow(t *testing.T) {
	t.Parallel()
	for silence, want := range map[Time]int{999 * ms: 80000, time.Second: 40000, 1999 * ms: 40000, 2 * time.Second: 20000, 9 * time.Second: 10000} {
		c := control{mss: 1000, window: 80000, threshold: 1000}
		c.idle(silence, time.Second)
		if c.window != want || silence >= time.Second && c.threshold != 60000 {
			t.Errorf("after %v the window is %d, want %d; threshold %d", silence, c.window, want, c.threshold)
		}
	}
}

// However many are lost of one flight, the window is halved once, does not grow until all is mended, and is kept to.
func TestRecoveryKeepsToTheWindow(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms)
	n, recovered := 0, 0
	c := w.end[0]
	w.meddle = func(from int, s *Segment) (bool, Time) {
		if from != 0 || len(s.Payload) == 0 {
			return false, 0
		}
		n++
		if c.cc.recovery {
			recovered++
			if c.cc.window != c.cc.threshold {
				t.Fatalf("while it mends the window is %d, half of what was on its way %d", c.cc.window, c.cc.threshold)
			}
			if over := c.flight.octets - c.cc.window; recovered > 1 && over > 0 {
				t.Fatalf("%d octets more on their way than the window says", over)
			}
		}
		return n >= 71 && n < 90 && n%2 == 0, 0
	}
	w.transfer(300*1460, time.Minute)
	if recovered < 10 || c.cc.threshold < 30*1460 || c.rtt.rto > 400*ms {
		t.Errorf("%d sent again, threshold %d, timer %v", recovered, c.cc.threshold, c.rtt.rto)
	}
	check(t, c)
}

// seg is the number of the first octet of a segment.
func seg(i uint32) uint32 { return 1001 + i*1460 }

// Of all that is lost, the first goes out at once whatever the window says (RFC 6675 section 5, step 4.3), and the second
// waits for the window.
func TestTheFirstLostGoesAtOnce(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms, Config{DelayedACK: -1})
	c := w.end[0]
	w.write(0, pattern(10*1460))
	var got []uint32
	c.Input(&Segment{Seq: 5001, Ack: seg(0), Flags: ACK, Window: 9999, Sacked: 1, Blocks: [maxBlocks]Block{{seg(2), seg(5)}}}, w.now)
	c.Output(w.now, func(s *Segment) { got = append(got, s.Seq) })
	// Two of ten are lost, three have arrived, five are on their way, and five is half of what was.
	if len(got) != 1 || got[0] != seg(0) || c.cc.window != 5*1460 || c.flight.octets != 6*1460 {
		t.Errorf("sent %v, window %d, %d octets on their way", got, c.cc.window, c.flight.octets)
	}
	check(t, c)
}

// What was lost and could not be sent again yet is not forgotten when something is acknowledged.
func TestLostAndWaiting(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms, Config{DelayedACK: -1})
	c := w.end[0]
	c.Write(pattern(40 * 1460))
	c.cc.window = 40 * 1460
	w.out(0)
	again := map[uint32]int{}
	input := func(ack uint32, blocks ...Block) {
		s := Segment{Seq: 5001, Ack: ack, Flags: ACK, Window: 9999, Sacked: len(blocks)}
		copy(s.Blocks[:], blocks)
		c.Input(&s, w.now)
		check(t, c)
		c.Output(w.now, func(s *Segment) { again[(s.Seq-1001)/1460]++ })
		check(t, c)
	}
	input(seg(0), Block{seg(10), seg(15)}) // 0 to 9 are lost
	for i := range uint32(15) {
		at := uint32(0)
		for again[at] > 0 && at < 9 {
			at++
		}
		input(seg(at), Block{seg(10), seg(16 + i)})
	}
	for i := range uint32(10) {
		if again[i] != 1 {
			t.Errorf("segment %d was sent %d times again", i, again[i])
		}
	}
}

// A timeout has the first that is missing sent again, and nothing else (RFC 6298 section 5.4).
func TestTimeoutSendsTheFirst(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms)
	c := w.end[0]
	w.write(0, pattern(10*1460))
	w.air = nil // all are lost
	w.said()
	at, _ := c.Next()
	w.now = at
	c.Timeout(at)
	w.out(0)
	if len(w.air) != 1 || w.air[0].s.Seq != 1001 || c.cc.window != 1460 || c.cc.threshold != 5*1460 {
		t.Errorf("after a timeout %d are sent, the window is %d, the threshold %d", len(w.air), c.cc.window, c.cc.threshold)
	}
	if next, ok := c.Next(); !ok || next != at+2*300*ms {
		t.Errorf("the next is at %v, and the last was at %v", next, at)
	}
	c.Timeout(w.now + 600*ms) // of the same segment: the threshold stays
	if c.cc.threshold != 5*1460 {
		t.Errorf("a second timeout changes the threshold to %d", c.cc.threshold)
	}
}

// Both ends send segments as large as the smaller of both takes; one that says nothing takes 536 (RFC 9293 section
// 3.7.1).
func TestSegmentSizes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want int }{{0, 0, 1460}, {500, 0, 500}, {0, 500, 500}, {9000, 1000, 1000}} {
		w := dialled(t, ms, Config{MSS: c.a}, Config{MSS: c.b})
		for i := range 2 {
			w.write(i, pattern(20000))
			for _, f := range w.air {
				if len(f.s.Payload) > c.want {
					t.Errorf("%+v: end %d sends %d octets", c, i, len(f.s.Payload))
				}
			}
			if len(w.air) == 0 || len(w.air[0].s.Payload) != c.want {
				t.Errorf("%+v: end %d sends no full segments", c, i)
			}
			w.air = nil
		}
	}
	c := Accept(Config{}, 1, &Segment{Flags: SYN, Window: 9999}, 0)
	if c.mss != 536 {
		t.Errorf("to a peer that says nothing segments of %d", c.mss)
	}
	c.Output(0, func(s *Segment) {
		if s.MSS != 1460 || s.Scale != scale {
			t.Errorf("a SYN says %d and %d", s.MSS, s.Scale)
		}
	})
}
