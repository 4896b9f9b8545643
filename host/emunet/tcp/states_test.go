package tcp

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Two SYNs that cross are no loss: both ends know the round trip, and begin with ten segments (RFC 6928).
func TestBothDialWithoutLoss(t *testing.T) {
	t.Parallel()
	w := bothDial(t, nil)
	w.run(100 * ms)
	w.states(Established, Established)
	for i, c := range w.end {
		if c.cc.window != 10*1460 || c.rtt.smooth != 20*ms {
			t.Errorf("end %d: the window is %d, the round trip %v", i, c.cc.window, c.rtt.smooth)
		}
	}
	if n := strings.Count(w.said(), "SYN"); n != 4 { // a SYN and a SYN,ACK each
		t.Errorf("%d segments with SYN", n)
	}
}

// Whatever is lost when both dial, both ends are connected in the end.
func TestBothDialWithLoss(t *testing.T) {
	t.Parallel()
	for lost := range 1 << 6 { // of the first six segments
		n := 0
		w := bothDial(t, func(int, *Segment) (bool, Time) {
			n++
			return n <= 6 && lost>>(n-1)&1 != 0, 0
		})
		w.run(30 * time.Second)
		w.states(Established, Established)
		if t.Failed() {
			t.Fatalf("%06b lost:\n%s", lost, w.said())
		}
	}
}

// An acknowledgement of what was never said is refused while there is no connection (RFC 9293 section 3.10.7.3 and, for
// SYN-RECEIVED, 3.10.7.4), with a reset that acknowledges nothing.
func TestWrongAcknowledgement(t *testing.T) {
	t.Parallel()
	c := Dial(Config{}, 100, 0)
	c.Output(0, func(*Segment) {})
	var got []Segment
	keep := func(s *Segment) { got = append(got, *s) }
	c.Input(&Segment{Seq: 7, Ack: 555, Flags: ACK}, 0)
	c.Output(0, keep)
	d := Accept(Config{}, 300, &Segment{Seq: 9, Flags: SYN, MSS: 1460, Window: 1000}, 0)
	d.Output(0, func(*Segment) {})
	for _, ack := range []uint32{300, 302, 299} {
		d.Input(&Segment{Seq: 10, Ack: ack, Flags: ACK}, 0)
		d.Output(0, keep)
	}
	for i, seq := range []uint32{555, 300, 302, 299} {
		if i >= len(got) || got[i].Flags != RST || got[i].Seq != seq || got[i].Ack != 0 {
			t.Fatalf("the answers are %+v", got)
		}
	}
	if len(got) != 4 || c.State() != SynSent || d.State() != SynReceived {
		t.Errorf("%d answers, in %v and %v", len(got), c.State(), d.State())
	}
}

// reach gives a connection of which end 0 is in a state.
func reach(t *testing.T, state State) *wire {
	t.Helper()
	w := dialled(t, 10*ms)
	quiet := func() { w.run(w.now + 100*ms) }
	closeWrite := func(i int) { w.end[i].CloseWrite(); w.out(i) }
	switch state {
	case Established:
	case FinWait1:
		w.meddle = allLost
		closeWrite(0)
	case FinWait2:
		closeWrite(0)
		quiet()
	case CloseWait:
		closeWrite(1)
		quiet()
	case Closing:
		w.meddle = func(_ int, s *Segment) (bool, Time) { return s.Flags&FIN == 0, 0 }
		closeWrite(0)
		closeWrite(1)
		w.run(w.now + 10*ms)
	case LastAck:
		closeWrite(1)
		quiet()
		w.meddle = allLost
		closeWrite(0)
	case TimeWait:
		closeWrite(0)
		quiet()
		closeWrite(1)
		quiet()
	}
	if w.end[0].State() != state {
		t.Fatalf("in %v, want %v", w.end[0].State(), state)
	}
	w.meddle, w.air = nil, nil
	w.said()
	return w
}

// What a reset means for whoever reads and writes, state by state, as on Linux: after the peer's FIN what there is to
// read is complete.
func TestResetInEachState(t *testing.T) {
	t.Parallel()
	for state, want := range map[State]struct{ read, write error }{
		Established: {syscall.ECONNRESET, syscall.ECONNRESET},
		FinWait1:    {syscall.ECONNRESET, syscall.ECONNRESET},
		FinWait2:    {syscall.ECONNRESET, syscall.ECONNRESET},
		CloseWait:   {io.EOF, syscall.EPIPE},
		Closing:     {io.EOF, syscall.ECONNRESET},
		LastAck:     {io.EOF, syscall.ECONNRESET},
		TimeWait:    {io.EOF, syscall.EPIPE},
	} {
		c := reach(t, state).end[0]
		c.Input(&Segment{Seq: c.recv.next, Flags: RST}, 0)
		if c.State() != Closed {
			t.Errorf("in %v a reset leads to %v", state, c.State())
		}
		if err := c.WriteError(); !errors.Is(err, want.write) {
			t.Errorf("in %v: Write: %v, want %v", state, err, want.write)
		}
		if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, want.read) {
			t.Errorf("in %v: Read: %d, %v, want %v", state, n, err, want.read)
		}
	}
}

// Close, CloseWrite and Abort in each state, and again: what is said, and how it ends.
func TestEndsInEachState(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		state State
		do    string
		then  State
		says  string // flags of what goes out at once
		last  State  // an hour later, the peer answering
	}{
		{Established, "closeWrite", FinWait1, "FIN,ACK", FinWait2},
		{Established, "close", FinWait1, "FIN,ACK", Closed},
		{Established, "abort", Closed, "RST,ACK", Closed},
		{FinWait1, "closeWrite", FinWait1, "", FinWait2},
		{FinWait1, "close", FinWait1, "", Closed},
		{FinWait1, "abort", Closed, "RST,ACK", Closed},
		{FinWait2, "closeWrite", FinWait2, "", FinWait2},
		{FinWait2, "close", FinWait2, "", Closed},
		{FinWait2, "abort", Closed, "RST,ACK", Closed},
		{CloseWait, "closeWrite", LastAck, "FIN,ACK", Closed},
		{CloseWait, "close", LastAck, "FIN,ACK", Closed},
		{CloseWait, "abort", Closed, "RST,ACK", Closed},
		{Closing, "closeWrite", Closing, "", Closed},
		{Closing, "close", Closing, "", Closed},
		{Closing, "abort", Closed, "RST,ACK", Closed},
		{LastAck, "closeWrite", LastAck, "", Closed},
		{LastAck, "close", LastAck, "", Closed},
		{LastAck, "abort", Closed, "RST,ACK", Closed},
		{TimeWait, "closeWrite", TimeWait, "", Closed},
		{TimeWait, "close", TimeWait, "", Closed},
		{TimeWait, "abort", Closed, "", Closed},
	} {
		w := reach(t, x.state)
		c := w.end[0]
		do := map[string]func(){"closeWrite": c.CloseWrite, "close": func() { c.Close(w.now) }, "abort": c.Abort}[x.do]
		for _, says := range []string{x.says, ""} { // the second changes nothing
			do()
			w.out(0)
			if got, _, _ := strings.Cut(strings.TrimPrefix(w.said(), "0 "), " "); c.State() != x.then || got != says {
				t.Errorf("%s in %v leads to %v and says %q, want %v and %q", x.do, x.state, c.State(), got, x.then, says)
			}
		}
		w.run(w.now + time.Hour)
		if c.State() != x.last {
			t.Errorf("%s in %v ends in %v, want %v", x.do, x.state, c.State(), x.last)
		}
		check(t, c)
	}
}

// A FIN that comes again is acknowledged again, in each state that has seen one, and begins the wait anew in TIME-WAIT
// (RFC 9293 section 3.10.7.4).
func TestFINAgain(t *testing.T) {
	t.Parallel()
	for _, state := range []State{CloseWait, Closing, LastAck, TimeWait} {
		w := reach(t, state)
		c := w.end[0]
		w.run(w.now + 50*ms)
		w.said()
		again := Segment{Seq: c.recv.next - 1, Ack: c.una, Flags: FIN | ACK}
		c.Input(&again, w.now)
		w.out(0)
		if got := w.said(); !strings.HasPrefix(got, "0 ACK") || c.State() != state {
			t.Errorf("in %v: %q, and %v", state, got, c.State())
		}
		if at, ok := c.Next(); state == TimeWait && (!ok || at != w.now+timeWait) {
			t.Errorf("the wait ends at %v, want a minute from %v", at, w.now)
		}
	}
}

// Data after the peer's FIN is not taken, and changes nothing.
func TestDataAfterFIN(t *testing.T) {
	t.Parallel()
	for _, state := range []State{CloseWait, Closing, LastAck, TimeWait} {
		w := reach(t, state)
		c := w.end[0]
		c.Input(&Segment{Seq: c.recv.next, Ack: c.una, Flags: ACK, Payload: []byte("late")}, w.now)
		w.out(0)
		if n, err := c.Read(make([]byte, 9)); n != 0 || err != io.EOF || c.State() != state {
			t.Errorf("in %v: %d, %v, and %v", state, n, err, c.State())
		}
	}
}

// What crosses a SYN and is no answer to ours does not end the handshake.
func TestNotCrossed(t *testing.T) {
	t.Parallel()
	for _, s := range []Segment{
		{Seq: 300, Ack: 555, Flags: SYN | ACK}, {Seq: 299, Ack: 101, Flags: SYN | ACK}, {Seq: 300, Ack: 101, Flags: SYN}, {Seq: 300, Ack: 100, Flags: SYN | ACK},
	} {
		c := Dial(Config{}, 100, 0)
		c.Output(0, func(*Segment) {})
		c.Input(&Segment{Seq: 300, Flags: SYN, MSS: 1460, Window: 9999}, 0)
		if c.Input(&s, 0); c.State() != SynReceived {
			t.Errorf("%v %d, ack %d leads to %v", s.Flags, s.Seq, s.Ack, c.State())
		}
	}
}

// What is to be told to whoever holds a connection.
func TestQuestions(t *testing.T) {
	t.Parallel()
	c := Dial(Config{}, 100, 0)
	c.Output(0, func(*Segment) {})
	if c.Soon() || c.Urgent() || c.Readable() || c.Writable() != 0 || c.Established() || c.Idle() {
		t.Error("something can be done before the handshake")
	}
	c.Input(&Segment{Seq: 300, Ack: 101, Flags: SYN | ACK, MSS: 1460, Window: 9999}, 0)
	if !c.Soon() || c.Urgent() || c.Readable() || c.Writable() == 0 || !c.Established() {
		t.Error("the handshake's last acknowledgement does not wait for what is said")
	}
	c.Output(0, func(*Segment) {})
	if c.Soon() || c.Urgent() || !c.Idle() {
		t.Error("something is due")
	}
	c.Input(&Segment{Seq: 301, Ack: 101, Flags: ACK, Payload: []byte("x")}, 0)
	if c.Soon() || !c.Urgent() || !c.Readable() {
		t.Error("a segment is not acknowledged at once")
	}
	c.Input(&Segment{Seq: 302, Ack: 101, Flags: ACK | PSH, Payload: []byte("y")}, 0)
	c.Output(0, func(*Segment) {})
	c.Input(&Segment{Seq: 303, Ack: 101, Flags: FIN | ACK}, 0)
	if !c.Soon() || c.Urgent() {
		t.Error("the acknowledgement of a FIN does not wait for an answer")
	}
	if n, _ := c.Read(make([]byte, 9)); n != 2 || !c.Readable() {
		t.Errorf("read %d", n)
	}
	c.Abort()
	if !c.Urgent() || !c.Readable() {
		t.Error("a reset waits")
	}
}

// A connection that is closed has nothing due.
func TestNothingIsDueWhenClosed(t *testing.T) {
	t.Parallel()
	w := reach(t, Established)
	c := w.end[0]
	c.Write([]byte("x"))
	c.Input(&Segment{Seq: c.recv.next + 5, Ack: c.una, Flags: ACK, Payload: []byte("y")}, w.now)
	if c.Input(&Segment{Seq: c.recv.next, Flags: RST}, w.now); c.Urgent() || c.Soon() {
		t.Error("an acknowledgement is due")
	}
	if at, ok := c.Next(); ok {
		t.Errorf("a timer ends at %v", at)
	}
	w.said()
	if w.out(0); w.said() != "" || c.Idle() {
		t.Error("it says something yet, or is idle")
	}
}

// A FIN that comes before what is missing does not offend who has gone: what is missing may be nothing but old.
func TestOrphanAndAnEarlyFIN(t *testing.T) {
	t.Parallel()
	w := reach(t, FinWait2)
	c := w.end[0]
	c.Close(w.now)
	c.Input(&Segment{Seq: c.recv.next + 9, Ack: c.una, Flags: FIN | ACK}, w.now)
	if c.State() != FinWait2 {
		t.Errorf("in %v", c.State())
	}
}

// While a FIN waits for room the probe of the window asks whether the peer is there, and no other.
func TestNoProbeBesideAProbe(t *testing.T) {
	t.Parallel()
	const size = 1280
	w := dialled(t, 50*ms, Config{}, Config{ReceiveBuffer: size, KeepAlive: -1})
	w.end[0].Write(pattern(size))
	w.end[0].CloseWrite()
	w.out(0)
	w.run(w.now + 10*time.Minute)
	w.said()
	w.run(w.now + 10*time.Minute)
	if n := strings.Count(w.said(), "\n0 ACK"); n < 4 || n > 6 { // one in two minutes
		t.Errorf("%d probes in ten minutes", n)
	}
}
