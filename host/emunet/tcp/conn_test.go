package tcp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RFC 9293 section 3.5, figure 6. The last acknowledgement of the handshake goes out with what the dialling end says
// at that moment, or alone.
func TestHandshake(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms)
	want := `0 SYN 1000:1001(0) ack 0 win 65535
1 SYN,ACK 5000:5001(0) ack 1001 win 65535
0 ACK 1001:1001(0) ack 5001 win 32768`
	if got := w.said(); got != want {
		t.Errorf("said\n%s\nwant\n%s", got, want)
	}
	if w.now != 150*ms || w.end[0].rtt.smooth != 100*ms || w.end[1].rtt.smooth != 100*ms {
		t.Errorf("at %v; round trips %v and %v", w.now, w.end[0].rtt.smooth, w.end[1].rtt.smooth)
	}
}

func TestHandshakeNeedsSeveralTries(t *testing.T) {
	t.Parallel()
	c := Dial(Config{}, 1, 0)
	var at []Time
	now := Time(0)
	for len(at) < 20 {
		c.Output(now, func(s *Segment) { at = append(at, now) })
		next, ok := c.Next()
		if !ok {
			break
		}
		now = next
		c.Timeout(now)
	}
	want := []Time{0, 1, 3, 7, 15, 31, 63} // seconds: RFC 6298 section 5.5, and six more tries as on Linux
	for i := range want {
		if i >= len(at) || at[i] != want[i]*time.Second {
			t.Fatalf("SYNs at %v, want %v s", at, want)
		}
	}
	if len(at) != len(want) || now != 127*time.Second || c.State() != Closed || !errors.Is(c.Err(), syscall.ETIMEDOUT) {
		t.Errorf("given up at %v after %d tries, in %v, with %v", now, len(at), c.State(), c.Err())
	}
	w := &wire{t: t, delay: 50 * ms}
	w.end[0] = Dial(Config{}, 1, 0)
	w.out(0)
	w.air = nil // lost
	w.end[1] = Accept(Config{}, 9, &Segment{Flags: SYN, Seq: 1, MSS: 1460, Window: 65535}, 0)
	w.run(2 * time.Second)
	if c := w.end[0]; c.State() != Established || c.cc.window != 1460 || c.rtt.rto != 3*time.Second {
		t.Errorf("after a lost SYN the window is %d, the timer %v, in %v", c.cc.window, c.rtt.rto, c.State())
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	c := Dial(Config{}, 100, 0)
	var syn Segment
	c.Output(0, func(s *Segment) { syn = *s })
	reset, ok := Refuse(&syn)
	if !ok || reset.Flags != RST|ACK || reset.Ack != 101 {
		t.Fatalf("a SYN is refused with %+v", reset)
	}
	wrong := reset
	wrong.Ack++
	c.Input(&wrong, 1)
	if c.State() != SynSent {
		t.Error("a reset of something else is obeyed")
	}
	c.Input(&reset, 1)
	if c.State() != Closed || !errors.Is(c.Err(), syscall.ECONNREFUSED) {
		t.Errorf("%v, %v", c.State(), c.Err())
	}
	if _, ok := Refuse(&reset); ok {
		t.Error("a reset is answered")
	}
	if r, _ := Refuse(&Segment{Flags: ACK, Ack: 77}); r.Flags != RST || r.Seq != 77 {
		t.Errorf("a lost connection is refused with %+v", r)
	}
}

// RFC 9293 section 3.5, figure 7.
func TestBothDial(t *testing.T) {
	t.Parallel()
	w := bothDial(t, nil)
	w.run(100 * ms)
	w.states(Established, Established)
	w.write(0, []byte("hello"))
	w.run(200 * ms)
	if got, err := w.read(1); string(got) != "hello" || err != nil {
		t.Errorf("%q, %v\n%s", got, err, w.said())
	}
}

// RFC 9293 section 3.6: either end may have said all it has to say while the other goes on.
func TestHalfClose(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms)
	w.said()
	w.end[0].Write([]byte("question"))
	w.end[0].CloseWrite()
	w.out(0)
	w.run(w.now + 60*ms)
	w.states(FinWait1, CloseWait)
	if got, err := w.read(1); string(got) != "question" || err != io.EOF {
		t.Errorf("%q, %v", got, err)
	}
	w.run(w.now + 60*ms)
	w.states(FinWait2, CloseWait)
	if n := w.end[0].Write([]byte("more")); n != 0 || !errors.Is(w.end[0].WriteError(), syscall.EPIPE) {
		t.Errorf("Write after CloseWrite took %d, %v", n, w.end[0].WriteError())
	}
	w.write(1, []byte("answer"))
	w.end[1].CloseWrite()
	w.out(1)
	w.run(w.now + 55*ms)
	w.states(TimeWait, LastAck)
	if got, err := w.read(0); string(got) != "answer" || err != io.EOF {
		t.Errorf("%q, %v", got, err)
	}
	w.run(w.now + 50*ms)
	w.states(TimeWait, Closed)
	if w.end[1].Err() != nil {
		t.Error(w.end[1].Err())
	}
	want := `0 FIN,PSH,ACK 1001:1010(8) ack 5001 win 32768
1 ACK 5001:5001(0) ack 1010 win 32767
1 PSH,ACK 5001:5007(6) ack 1010 win 32767
1 FIN,ACK 5007:5008(0) ack 1010 win 32767
0 ACK 1010:1010(0) ack 5007 win 32767
0 ACK 1010:1010(0) ack 5008 win 32767`
	if got := w.said(); got != want {
		t.Errorf("said\n%s\nwant\n%s", got, want)
	}
	w.run(w.now + timeWait - 56*ms)
	w.states(TimeWait, Closed)
	w.run(w.now + 10*ms)
	w.states(Closed, Closed)
}

func TestBothClose(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms)
	for i := range 2 {
		w.end[i].CloseWrite()
		w.out(i)
	}
	w.states(FinWait1, FinWait1)
	w.run(w.now + 50*ms)
	w.states(Closing, Closing)
	w.run(w.now + 50*ms)
	w.states(TimeWait, TimeWait)
}

// What an application leaves unread, or what comes when it is gone, is answered by a reset (RFC 2525 section 2.17).
func TestCloseWithoutReading(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms)
	w.write(1, []byte("unread"))
	w.run(w.now + 50*ms)
	w.end[0].Close(w.now)
	w.out(0)
	w.run(w.now + 50*ms)
	w.states(Closed, Closed)
	if !errors.Is(w.end[1].Err(), syscall.ECONNRESET) || !errors.Is(w.end[1].WriteError(), syscall.ECONNRESET) {
		t.Errorf("the peer is told %v", w.end[1].Err())
	}
	w = dialled(t, 50*ms)
	w.end[0].Close(w.now)
	w.out(0)
	w.run(w.now + 50*ms)
	w.states(FinWait1, CloseWait)
	w.write(1, []byte("late"))
	w.run(w.now + 100*ms)
	w.states(Closed, Closed)
	if _, err := w.read(1); err != io.EOF || !errors.Is(w.end[1].WriteError(), syscall.EPIPE) {
		t.Errorf("read: %v, write: %v", err, w.end[1].WriteError())
	}
}

// An orphan does not wait for its peer's FIN for ever.
func TestOrphan(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms)
	w.end[0].Close(w.now)
	w.out(0)
	w.run(w.now + 200*ms)
	w.states(FinWait2, CloseWait)
	w.run(w.now + orphanedFIN)
	w.states(Closed, CloseWait)
}

// RFC 5961 section 3.2: a reset counts at the exact number; within the window it is challenged, elsewhere ignored.
func TestResets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		seq   uint32
		state State
		says  string
	}{
		{1001, Closed, ""},
		{1002, Established, "1 ACK 5001:5001(0) ack 1001 win 32768"},
		{900, Established, ""},
		{1001 + 65535, Established, "1 ACK 5001:5001(0) ack 1001 win 32768"},
		{1002 + 65535, Established, ""},
	} {
		w := dialled(t, 50*ms)
		w.said()
		w.end[1].Input(&Segment{Seq: c.seq, Flags: RST}, w.now)
		w.out(1)
		if got := w.said(); w.end[1].State() != c.state || got != c.says {
			t.Errorf("a reset at %d: %v, %q", c.seq, w.end[1].State(), got)
		}
	}
	w := dialled(t, 50*ms)
	w.said()
	w.end[1].Input(&Segment{Seq: 1001, Flags: SYN}, w.now) // section 4
	w.out(1)
	if got := w.said(); w.end[1].State() != Established || !strings.HasPrefix(got, "1 ACK") {
		t.Errorf("a SYN on a connection: %v, %q", w.end[1].State(), got)
	}
	w.end[1].Input(&Segment{Seq: 1001, Ack: 9999, Flags: ACK, Payload: []byte("forged")}, w.now)
	w.out(1)
	if got := w.said(); w.end[1].Readable() || !strings.HasPrefix(got, "1 ACK") {
		t.Errorf("an acknowledgement of what was never sent: %q", got)
	}
}

func TestAbort(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms)
	w.write(0, []byte("never mind"))
	w.end[0].Abort()
	w.out(0)
	w.run(w.now + 60*ms)
	w.states(Closed, Closed)
	got, err := w.read(1)
	if string(got) != "never mind" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%q, %v", got, err)
	}
	if n := w.end[1].Write([]byte("x")); n != 0 {
		t.Errorf("a closed connection took %d", n)
	}
}

// RFC 1122 section 4.2.3.9: unreachable is the end of a beginning, and no more than a remark later on.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	c := Dial(Config{}, 1, 0)
	c.Unreachable(syscall.EHOSTUNREACH)
	if c.State() != Closed || !errors.Is(c.Err(), syscall.EHOSTUNREACH) {
		t.Errorf("%v, %v", c.State(), c.Err())
	}
	w := dialled(t, 50*ms)
	w.meddle = allLost
	w.write(0, []byte("x"))
	w.end[0].Unreachable(syscall.EHOSTUNREACH)
	w.states(Established, Established)
	w.run(w.now + time.Hour)
	if c := w.end[0]; c.State() != Closed || !errors.Is(c.Err(), syscall.EHOSTUNREACH) {
		t.Errorf("%v, %v", c.State(), c.Err())
	}
}

// A peer that says nothing for long is asked, and given up when it does not answer (RFC 1122 section 4.2.3.6).
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms, Config{}, Config{KeepAlive: -1})
	w.said()
	w.run(w.now + 46*time.Second)
	probe, answer := "0 ACK 1000:1000(0) ack 5001 win 32768\n", "1 ACK 5001:5001(0) ack 1001 win 32768\n"
	if got, want := w.said()+"\n", strings.Repeat(probe+answer, 3); got != want {
		t.Errorf("in 46 s\n%swant\n%s", got, want)
	}
	if !w.end[0].Idle() {
		t.Error("is not idle")
	}
	w.meddle = allLost
	w.run(w.now + 20*time.Second)
	if w.end[0].Idle() {
		t.Error("is idle, though a probe was not answered")
	}
	w.run(w.now + 10*15*time.Second)
	if c := w.end[0]; c.State() != Closed || !errors.Is(c.Err(), syscall.ETIMEDOUT) {
		t.Errorf("%v, %v", c.State(), c.Err())
	}
	if got := w.said(); strings.Count(got, "ACK 1000") != 9 || strings.Count(got, "0 RST") != 1 {
		t.Errorf("said\n%s", got)
	}
	w = dialled(t, 50*ms)
	w.end[0].SetKeepAlive(-1, 0, 0, w.now)
	w.end[1].SetKeepAlive(time.Second, 2*time.Second, 3, w.now)
	w.meddle = allLost
	w.run(w.now + 8*time.Second)
	w.states(Established, Closed) // 1 s, then three probes of which the last is given 2 s
}

// A window that is closed is probed, for as long as the peer answers (RFC 9293 section 3.8.6.1).
func TestClosedWindow(t *testing.T) {
	t.Parallel()
	const size = 10000
	w := dialled(t, 50*ms, Config{}, Config{ReceiveBuffer: size})
	sent := pattern(3 * size)
	w.write(0, sent)
	w.run(w.now + 30*time.Second)
	if c := w.end[1]; c.recv.length < size-1460 || c.recv.length > size {
		t.Fatalf("%d octets wait to be read", c.recv.length)
	}
	if log := w.said(); !strings.Contains(log, "win 0") {
		t.Errorf("the window was never closed:\n%s", log)
	}
	w.run(w.now + 24*time.Hour)
	w.states(Established, Established)
	if probe := fmt.Sprintf("\n0 ACK %d:", w.end[0].una-1); strings.Count(w.said(), probe) < 24*30-1 { // one in two minutes
		t.Error("the closed window is not probed")
	}
	got, _ := w.read(1)
	if opened := w.said(); !strings.Contains(opened, "win 78") { // 10000 in units of 128
		t.Errorf("reading said\n%s", opened)
	}
	for range 20 {
		w.run(w.now + time.Second)
		p, _ := w.read(1)
		got = append(got, p...)
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("%d of %d octets", len(got), len(sent))
	}
}

// A peer that takes little at a time is not sent crumbs, and does not ask for them (RFC 9293 section 3.8.6.2).
func TestNoCrumbs(t *testing.T) {
	t.Parallel()
	w := dialled(t, 5*ms, Config{}, Config{ReceiveBuffer: 20000})
	w.write(0, pattern(60000))
	w.run(w.now + time.Second)
	w.said()
	buf := make([]byte, 10)
	for range 4000 { // 40,000 octets, ten at a time
		w.end[1].Read(buf)
		w.out(1)
		w.run(w.now + ms)
	}
	log := w.said()
	if n := strings.Count(log, "\n") + 1; n > 100 {
		t.Errorf("%d segments for 40,000 octets:\n%.2000s", n, log)
	}
}

func TestSendBuffer(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms, Config{SendBuffer: 100 << 10})
	c := w.end[0]
	if n := c.Write(make([]byte, 1<<20)); n != minSendBuffer || c.Roomy() || c.Writable() != 0 {
		t.Errorf("took %d, room for %d more", n, c.Writable())
	}
	w.out(0)
	w.run(w.now + 100*ms)
	if c.Roomy() {
		t.Errorf("room for %d of %d already", c.Writable(), c.sendLimit())
	}
	w.run(w.now + 100*ms)
	if !c.Roomy() {
		t.Errorf("room for %d of %d only", c.Writable(), c.sendLimit())
	}
	for range 100 {
		c.Write(make([]byte, 1<<20))
		w.out(0)
		w.run(w.now + 100*ms)
		if c.send.length > 100<<10 {
			t.Fatalf("%d octets are kept to be sent", c.send.length)
		}
		w.read(1)
	}
}

// One octet at a time, a peer must not take more memory than the window says.
func TestSmallPiecesAreGathered(t *testing.T) {
	t.Parallel()
	w := dialled(t, ms)
	const n = 20000
	sent := pattern(n)
	for i := range sent {
		w.write(0, sent[i:i+1])
		w.run(w.now + 2*ms)
	}
	memory := 0
	for _, b := range w.end[1].recv.ready {
		memory += cap(b)
	}
	if memory > 2*n+gather {
		t.Errorf("%d octets take %d of memory, in %d pieces", n, memory, len(w.end[1].recv.ready))
	}
	if got, _ := w.read(1); !bytes.Equal(got, sent) {
		t.Error("what is read is not what was sent")
	}
}

// What comes apart is bounded in pieces, too.
func TestPiecesApartAreBounded(t *testing.T) {
	t.Parallel()
	w := dialled(t, ms)
	c := w.end[1]
	for i := range uint32(maxApart + 10) {
		c.Input(&Segment{Seq: 1003 + 2*i, Ack: 5001, Flags: ACK, Payload: []byte("x")}, w.now)
	}
	if n := len(c.recv.apart); n != maxApart {
		t.Errorf("%d pieces are kept, want %d", n, maxApart)
	}
	check(t, c)
}

func TestSegmentOptions(t *testing.T) {
	t.Parallel()
	syn := Segment{Flags: SYN, MSS: 1460, Scale: 7}
	sack := Segment{Flags: ACK, Sacked: 2, Blocks: [maxBlocks]Block{{1, 2}, {0x01020304, 0x05060708}}}
	for _, c := range []struct {
		s    Segment
		want string
	}{
		{syn, "\x02\x04\x05\xb4\x04\x02\x03\x03\x07\x01\x01\x01"},
		{sack, "\x01\x01\x05\x12\x00\x00\x00\x01\x00\x00\x00\x02\x01\x02\x03\x04\x05\x06\x07\x08"},
		{Segment{Flags: ACK}, ""},
	} {
		if got := string(c.s.AppendOptions(nil)); got != c.want || c.s.HeaderLen() != 20+len(c.want) || len(got)%4 != 0 {
			t.Errorf("%v: %x, header of %d", c.s.Flags, got, c.s.HeaderLen())
		}
	}
	if s := (SYN | ACK).String(); s != "SYN,ACK" {
		t.Error(s)
	}
	if s := Flags(0).String(); s != "-" {
		t.Error(s)
	}
}
