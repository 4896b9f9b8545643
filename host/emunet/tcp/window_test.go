package tcp

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// A lost last segment that is full, its FIN included, is sent again though the window after a timeout is one segment.
func TestLostFullSegmentWithFIN(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms)
	w.lose(1)
	w.end[0].Write(pattern(1460))
	w.end[0].CloseWrite()
	w.out(0)
	w.run(w.now + 2*time.Second)
	w.states(FinWait2, CloseWait)
	if got, _ := w.read(1); len(got) != 1460 {
		t.Errorf("%d octets:\n%s", len(got), w.said())
	}
}

// A FIN takes a sequence number and waits for room in the window as an octet does (RFC 9293 section 3.4). No window that
// was never there is announced meanwhile.
func TestFINAtAClosedWindow(t *testing.T) {
	t.Parallel()
	const size = 10 * 128
	for _, written := range []int{size - 1, size, size + 1} {
		w := dialled(t, 50*ms, Config{}, Config{ReceiveBuffer: size})
		w.said()
		sent := pattern(written)
		w.end[0].Write(sent)
		w.end[0].CloseWrite()
		w.out(0)
		w.run(w.now + time.Hour)
		if c := w.end[1]; before(c.edge, c.recv.next) || before(w.end[0].limit, w.end[0].nxt) {
			t.Errorf("%d octets and a FIN go past the edge of the window", written)
		}
		if strings.Contains(w.said(), "win 65535") {
			t.Errorf("%d octets and a FIN open a window that is closed", written)
		}
		want := FinWait1
		if written < size {
			want = FinWait2
		}
		w.states(want, map[State]State{FinWait1: Established, FinWait2: CloseWait}[want])
		var got []byte
		for range 3 {
			p, _ := w.read(1)
			got = append(got, p...)
			w.run(w.now + time.Second)
		}
		if !bytes.Equal(got, sent) {
			t.Errorf("%d of %d octets", len(got), written)
		}
		w.states(FinWait2, CloseWait)
	}
}

// Two ends that have filled each other's windows, and say no more, do not answer each other's acknowledgements for ever.
func TestNoLoopOfAcknowledgements(t *testing.T) {
	t.Parallel()
	const size = 10 * 128
	w := dialled(t, ms, Config{ReceiveBuffer: size}, Config{ReceiveBuffer: size})
	w.said()
	for i := range 2 {
		w.end[i].Write(pattern(size))
		w.end[i].CloseWrite()
		w.out(i)
	}
	w.run(w.now + 10*time.Second)
	if n := strings.Count(w.said(), "\n"); n > 50 {
		t.Errorf("%d segments in 10 s", n)
	}
}

// A window smaller than a segment, and the smallest there can be, are used to the end.
func TestSmallWindows(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 128, 300, 1000, 1460, 2000} {
		w := dialled(t, ms, Config{}, Config{ReceiveBuffer: size})
		if took := w.transfer(20000, time.Minute); took > 20*time.Second {
			t.Errorf("20,000 octets into a window of %d take %v", size, took)
		}
	}
}

// Octets and a FIN past the edge of the window are not taken, whatever the peer sends.
func TestPastTheEdge(t *testing.T) {
	t.Parallel()
	const size = 1280
	for _, c := range []struct {
		octets int
		fin    bool
		next   uint32
	}{
		{size - 1, true, 1001 + size},
		{size, true, 1001 + size}, // without the FIN
		{size + 1, false, 1001 + size},
		{size + 1, true, 1001 + size},
	} {
		w := dialled(t, ms, Config{}, Config{ReceiveBuffer: size})
		s := Segment{Seq: 1001, Ack: 5001, Flags: ACK, Payload: pattern(c.octets)}
		if c.fin {
			s.Flags |= FIN
		}
		w.end[1].Input(&s, w.now)
		w.said()
		w.out(1)
		check(t, w.end[1])
		if got := w.end[1].recv.next; got != c.next {
			t.Errorf("%d octets, FIN %v: expects %d, want %d", c.octets, c.fin, got, c.next)
		}
		if said := w.said(); !strings.HasSuffix(said, "win 0") {
			t.Errorf("%d octets, FIN %v: said %q", c.octets, c.fin, said)
		}
	}
}

// Where the news that a window is open is lost, the probe learns of it (RFC 9293 section 3.8.6.1), at intervals that
// double.
func TestProbes(t *testing.T) {
	t.Parallel()
	const size = 2560
	w := dialled(t, 50*ms, Config{KeepAlive: -1}, Config{ReceiveBuffer: size, KeepAlive: -1})
	sent := pattern(2 * size)
	w.write(0, sent)
	var at []Time
	w.meddle = func(from int, s *Segment) (bool, Time) {
		if from == 0 && s.Seq == w.end[0].una-1 {
			at = append(at, w.now)
		}
		return false, 0
	}
	w.run(w.now + time.Hour)
	if len(at) < 30 || len(at) > 40 {
		t.Fatalf("%d probes in an hour", len(at))
	}
	for i := 2; i < len(at); i++ {
		if a, b := at[i-1]-at[i-2], at[i]-at[i-1]; b != min(2*a, maxRTO) {
			t.Errorf("waited %v after %v", b, a)
		}
	}
	w.meddle = allLost
	got, _ := w.read(1) // says so, in vain
	w.meddle = nil
	w.run(w.now + 3*time.Minute)
	rest, _ := w.read(1)
	if got = append(got, rest...); !bytes.Equal(got, sent) {
		t.Errorf("%d of %d octets", len(got), len(sent))
	}
	if w.end[0].rtt.rto > time.Second {
		t.Errorf("the timer stays at %v", w.end[0].rtt.rto)
	}
}

// Who has given a connection up does not ask a peer for ever that takes nothing: it would never be told.
func TestOrphanAtAClosedWindow(t *testing.T) {
	t.Parallel()
	const size = 2560
	w := dialled(t, 50*ms, Config{}, Config{ReceiveBuffer: size})
	w.write(0, pattern(2*size))
	w.end[0].Close(w.now)
	w.out(0)
	w.run(w.now + time.Hour)
	if w.end[0].State() != Closed {
		t.Errorf("in %v", w.end[0].State())
	}
}

// A FIN goes out with the last octets where the window has room for exactly both, whatever is on its way.
func TestFINFits(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms, Config{}, Config{ReceiveBuffer: 2560})
	w.write(0, pattern(2000))
	w.write(0, pattern(559))
	w.end[0].CloseWrite()
	w.said()
	w.out(0)
	if said := w.said(); !strings.HasPrefix(said, "0 FIN,ACK 3560:3561") {
		t.Errorf("said %q", said)
	}
}

// The sender, too, sends no crumbs: a window that opens by a little is left alone while something is on its way (RFC 9293
// section 3.8.6.2.1).
func TestNoCrumbsFromTheSender(t *testing.T) {
	t.Parallel()
	for opens, want := range map[uint32]int{100: 0, 700: 0, 1920: 1460, 1024: 1024} {
		w := dialled(t, 50*ms, Config{}, Config{ReceiveBuffer: 2048})
		c := w.end[0]
		w.write(0, pattern(9000))
		if c.nxt != 1001+2048-2048%1460 {
			t.Fatalf("%d octets into a window of 2048", c.nxt-1001)
		}
		w.air = nil
		edge := c.nxt + opens
		c.limit = edge // as if the peer had said so
		w.out(0)
		got := 0
		for _, f := range w.air {
			got += len(f.s.Payload)
		}
		if got != want {
			t.Errorf("a window that has room for %d is sent %d, want %d", opens, got, want)
		}
	}
}

// A peer that takes nothing from the beginning is sent nothing.
func TestClosedFromTheBeginning(t *testing.T) {
	t.Parallel()
	c := Accept(Config{}, 1, &Segment{Flags: SYN, MSS: 1460}, 0)
	c.Output(0, func(*Segment) {})
	c.Input(&Segment{Seq: 1, Ack: 2, Flags: ACK}, 0)
	c.Write(pattern(10))
	c.Output(0, func(s *Segment) {
		if len(s.Payload) > 0 {
			t.Errorf("sends %d octets", len(s.Payload))
		}
	})
}

// Room for a third of what may be written is worth waking a writer for.
func TestRoomy(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms, Config{SendBuffer: 30000})
	w.air = nil
	c := w.end[0]
	if c.Write(pattern(20000)); !c.Roomy() || c.Writable() != 10000 {
		t.Errorf("%d of 30,000 are no room", c.Writable())
	}
	if c.Write(pattern(1)); c.Roomy() {
		t.Errorf("%d of 30,000 are room", c.Writable())
	}
}
