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
