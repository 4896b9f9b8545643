package tcp

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

// flying is a segment on its way.
type flying struct {
	at Time
	to int
	s  Segment
}

// wire joins two ends with a delay, and loses or changes what a test tells it to.
type wire struct {
	t     testing.TB
	end   [2]*Conn
	now   Time
	delay Time
	rate  int // octets in a second; 0 for no limit
	free  [2]Time
	air   []flying
	log   []string // what was sent, by both
	// meddle decides about a segment from an end before it is sent: whether it is lost, and by how much it is held up.
	meddle func(from int, s *Segment) (lost bool, held Time)
}

// dialled gives both ends of a connection that is open; the one that dialled is 0.
func dialled(t testing.TB, delay Time, configs ...Config) *wire {
	t.Helper()
	return dialledFrom(t, delay, [2]uint32{1000, 5000}, configs...)
}

// dialledFrom is dialled with initial sequence numbers.
func dialledFrom(t testing.TB, delay Time, iss [2]uint32, configs ...Config) *wire {
	t.Helper()
	w := &wire{t: t, delay: delay}
	configs = append(configs, Config{}, Config{})
	w.end[0] = Dial(configs[0], iss[0], 0)
	w.out(0)
	if len(w.air) != 1 || w.air[0].s.Flags != SYN {
		t.Fatalf("Dial sends %v", w.log)
	}
	w.now = delay
	syn := w.air[0].s
	w.air = nil
	w.end[1] = Accept(configs[1], iss[1], &syn, w.now)
	w.out(1)
	w.run(w.now + 2*delay)
	if w.end[0].State() != Established || w.end[1].State() != Established {
		t.Fatalf("after the handshake %v and %v:\n%s", w.end[0].State(), w.end[1].State(), w.log)
	}
	return w
}

// out has an end send.
func (w *wire) out(i int) {
	w.end[i].Output(w.now, func(s *Segment) {
		w.log = append(w.log, fmt.Sprintf("%d %v %d:%d(%d) ack %d win %d", i, s.Flags, s.Seq, s.Seq+s.Len(), len(s.Payload), s.Ack, s.Window))
		f := flying{at: w.now + w.delay, to: 1 - i, s: *s}
		if w.rate > 0 {
			w.free[i] = max(w.free[i], w.now) + Time(len(s.Payload)+40)*time.Second/Time(w.rate)
			f.at = w.free[i] + w.delay
		}
		if w.meddle != nil {
			lost, held := w.meddle(i, &f.s)
			if lost {
				w.log[len(w.log)-1] += " lost"
				return
			}
			f.at += held
		}
		w.air = append(w.air, f)
	})
}

// step does what comes next, before a time; false for nothing.
func (w *wire) step(until Time) bool {
	slices.SortStableFunc(w.air, func(a, b flying) int { return int(a.at - b.at) })
	next, who := until, -1
	if len(w.air) > 0 && w.air[0].at <= next {
		next, who = w.air[0].at, 2
	}
	for i, c := range w.end {
		if at, ok := c.Next(); ok && at < next {
			next, who = at, i
		}
	}
	if who < 0 {
		return false
	}
	w.now = max(w.now, next)
	if who < 2 {
		w.end[who].Timeout(w.now)
		w.out(who)
		return true
	}
	f := w.air[0]
	w.air = w.air[1:]
	w.end[f.to].Input(&f.s, w.now)
	w.out(f.to)
	return true
}

// run lets time pass.
func (w *wire) run(until Time) {
	for w.step(until) {
	}
	w.now = until
}

// write has an end write all of p now.
func (w *wire) write(i int, p []byte) {
	w.t.Helper()
	if n := w.end[i].Write(p); n != len(p) {
		w.t.Fatalf("Write took %d of %d", n, len(p))
	}
	w.out(i)
}

// read has an end read all that is there.
func (w *wire) read(i int) ([]byte, error) {
	var all []byte
	buf := make([]byte, 3000)
	for {
		n, err := w.end[i].Read(buf)
		all = append(all, buf[:n]...)
		if n == 0 {
			w.out(i)
			return all, err
		}
	}
}

// heard is the log.
func (w *wire) heard() string { return strings.Join(w.log, "\n") }

// said gives the log, and forgets it.
func (w *wire) said() string {
	s := w.heard()
	w.log = nil
	return s
}

// allLost has nothing arrive.
func allLost(int, *Segment) (bool, Time) { return true, 0 }

// bothDial gives two ends that have sent their SYNs at one moment.
func bothDial(t testing.TB, meddle func(int, *Segment) (bool, Time)) *wire {
	w := &wire{t: t, delay: 10 * ms, meddle: meddle}
	w.end[0], w.end[1] = Dial(Config{}, 100, 0), Dial(Config{}, 300, 0)
	w.out(0)
	w.out(1)
	return w
}

func (w *wire) states(a, b State) {
	w.t.Helper()
	if w.end[0].State() != a || w.end[1].State() != b {
		w.t.Errorf("states %v and %v, want %v and %v", w.end[0].State(), w.end[1].State(), a, b)
	}
}

// transfer moves n octets from 0 to 1, reading as they come, and gives the time that it took.
func (w *wire) transfer(n int, limit Time) Time {
	w.t.Helper()
	sent := pattern(n)
	var got []byte
	began := w.now
	left := sent
	for len(got) < n {
		if k := w.end[0].Write(left); k > 0 {
			left = left[k:]
			w.out(0)
		}
		if !w.step(began + limit) {
			w.t.Fatalf("after %v %d of %d octets are there", limit, len(got), n)
		}
		p, err := w.read(1)
		if err != nil {
			w.t.Fatal(err)
		}
		got = append(got, p...)
	}
	if !bytes.Equal(got, sent) {
		w.t.Fatal("what came is not what was sent")
	}
	return w.now - began
}

// pattern is n octets of which no two stretches are the same.
func pattern(n int) []byte {
	p := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

// anyRun carries a conversation over a wire that loses, holds up and repeats by chance, and checks that each side gets
// what the other has written, to the end.
func anyRun(t testing.TB, seed uint64, loss, held float64, size int) {
	r := rand.New(rand.NewPCG(seed, 7))
	iss := [2]uint32{-uint32(r.IntN(2 * (size + 2))), -uint32(r.IntN(2 * (size + 2)))} // about half of the runs pass 2^32
	w := dialledFrom(t, Time(1+r.IntN(100))*ms, iss, Config{ReceiveBuffer: 2000 + r.IntN(100000), MSS: 100 + r.IntN(1400)}, Config{ReceiveBuffer: 2000 + r.IntN(100000)})
	w.meddle = func(from int, s *Segment) (bool, Time) {
		h := Time(0)
		if r.Float64() < held {
			h = Time(r.IntN(300)) * ms
		}
		if r.Float64() < held/2 {
			w.air = append(w.air, flying{at: w.now + w.delay + 1, to: 1 - from, s: *s}) // it comes twice
		}
		return r.Float64() < loss, h
	}
	sent := [2][]byte{pattern(size), pattern(size / 3)}
	left := sent
	var got [2][]byte
	closed := [2]bool{}
	for w.now < 3*time.Hour {
		for i := range 2 {
			if len(left[i]) > 0 && r.IntN(3) > 0 {
				n := w.end[i].Write(left[i][:min(len(left[i]), 1+r.IntN(5000))])
				left[i] = left[i][n:]
				w.out(i)
			} else if len(left[i]) == 0 && !closed[i] {
				closed[i] = true
				w.end[i].CloseWrite()
				w.out(i)
			}
			if r.IntN(4) > 0 {
				p := make([]byte, 1+r.IntN(9000))
				n, _ := w.end[i].Read(p)
				got[i] = append(got[i], p[:n]...)
				w.out(i)
			}
			check(t, w.end[i])
		}
		if w.end[0].State() == Closed && w.end[1].State() == Closed {
			break
		}
		if !w.step(w.now + time.Second) {
			w.now += 10 * ms
		}
	}
	for i := range 2 {
		rest, err := w.read(i)
		got[i] = append(got[i], rest...)
		if err != io.EOF || !bytes.Equal(got[i], sent[1-i]) {
			t.Fatalf("seed %d: end %d has %d of %d octets, %v, in %v after %v", seed, i, len(got[i]), len(sent[1-i]), err, w.end[i].State(), w.now)
		}
	}
	w.states(Closed, Closed)
}

// check holds a connection to what is always true of it.
func check(t testing.TB, c *Conn) {
	t.Helper()
	var pipe, sacked, lost int
	at := c.una
	for i, r := range c.flight.sent {
		if r.seq != at {
			t.Fatalf("the records have a gap at %d", at)
		}
		at = r.end()
		switch {
		case r.sacked:
			sacked++
		case r.lost:
			if lost++; i < c.flight.resend {
				t.Fatalf("what is lost at %d is passed over", r.seq)
			}
		default:
			pipe += int(r.length)
		}
	}
	if pipe != c.flight.octets || sacked != c.flight.sacked || lost != c.flight.lost {
		t.Fatalf("counted %d octets on the way, %d sacked, %d lost; kept %d, %d, %d", pipe, sacked, lost, c.flight.octets, c.flight.sacked, c.flight.lost)
	}
	if c.state != Closed && at != c.nxt {
		t.Fatalf("records end at %d, not at %d", at, c.nxt)
	}
	held := 0
	for i, p := range c.recv.apart {
		held += len(p.data)
		if len(p.data) == 0 {
			t.Fatalf("an empty piece is kept at %d", p.seq)
		}
		if !before(c.recv.next, p.seq+uint32(len(p.data))) || i > 0 && before(p.seq, c.recv.apart[i-1].seq+uint32(len(c.recv.apart[i-1].data))) {
			t.Fatalf("pieces apart overlap at %d", p.seq)
		}
	}
	if held != c.recv.held {
		t.Fatalf("%d octets apart, counted %d", held, c.recv.held)
	}
	if c.state >= SynReceived && before(c.edge, c.recv.next) {
		t.Fatalf("expects %d, past the edge of the window at %d", c.recv.next, c.edge)
	}
	if c.recv.length+c.recv.held > c.cfg.ReceiveBuffer {
		t.Fatalf("%d octets held, the buffer has room for %d", c.recv.length+c.recv.held, c.cfg.ReceiveBuffer)
	}
}
