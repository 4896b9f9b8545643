package dnsserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host/emunet"
	"github.com/network-utopia/utopia/transcript"
)

// Nothing more is read of a connection that has as many answers to come as it may have.
func TestMaxPendingConn(t *testing.T) {
	t.Parallel()
	h := newPatient(t)
	r := start(t, Options{Handler: h, MaxPendingConn: 3})
	conn := dial(t, "tcp", r.tcp)
	send(t, conn, later(t, 1), later(t, 2), later(t, 3), soon(t, 4))
	wantIDs(t, conn, "4 NOERROR") // at the limit
	h.wantAsked(t, 1, 2, 3)
	send(t, conn, soon(t, 5), later(t, 6), soon(t, 7))
	wantIDs(t, conn, "5 NOERROR") // one past it
	wantNothing(t, conn)
	h.release(2)
	wantIDs(t, conn, "2 NXDOMAIN", "7 NOERROR")
	h.wantAsked(t, 6)
	for _, id := range []uint16{6, 1, 3} {
		h.release(id)
		if wire, err := readTCP(conn); err != nil || parse(t, wire).ID != id {
			t.Fatalf("%x, %v", wire, err)
		}
	}
}

// What is no plain query is answered in order, and nothing else waits for it.
func TestUpdatesOfAConnectionAreInOrder(t *testing.T) {
	t.Parallel()
	h := newPatient(t)
	r := start(t, Options{Handler: h})
	conn := dial(t, "tcp", r.tcp)
	update := func(id uint16) []byte {
		wire := framed(queryWire(t, id, "@", dns.TypeSOA, nil))
		wire[2+2] = byte(dns.OpcodeUpdate) << 3
		return wire
	}
	send(t, conn, update(1), update(2), later(t, 3), update(4))
	h.wantAsked(t, 1, 3)
	h.release(2, 3, 4)
	wantIDs(t, conn, "3 NXDOMAIN")
	wantNothing(t, conn)
	if len(h.asked) != 0 {
		t.Error("a second update has begun before the first was over")
	}
	h.release(1)
	wantIDs(t, conn, "1 NOTIMP", "2 NOTIMP", "4 NOTIMP")
	// Those of another connection do not wait.
	send(t, conn, update(5))
	h.wantAsked(t, 2, 4, 5)
	other := dial(t, "tcp", r.tcp)
	send(t, other, update(6))
	h.wantAsked(t, 6)
	h.release(6)
	wantIDs(t, other, "6 NOTIMP")
	h.release(5)
	wantIDs(t, conn, "5 NOTIMP")
}

// While the messages of a transfer leave, others do.
func TestAnswersBetweenTheMessagesOfATransfer(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	p := newPatient(t)
	streams := newStreamer(t, func(query []byte) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			for message := range numbered(3, 1000)(query) {
				if !yield(message, nil) {
					return
				}
				<-goOn
			}
		}
	})
	r := start(t, Options{Handler: handlers{p, streams}})
	conn := dial(t, "tcp", r.tcp)
	send(t, conn, later(t, 1), axfrQuery(t, 2), soon(t, 3))
	got := map[uint16]bool{}
	for range 2 {
		wire, err := readTCP(conn)
		if err != nil {
			t.Fatal(err)
		}
		got[parse(t, wire).ID] = true
	}
	if !got[2] || !got[3] {
		t.Fatalf("answers to %v", got)
	}
	p.release(1)
	wantIDs(t, conn, "1 NXDOMAIN")
	// A second transfer waits for the first, and so does what is behind it.
	send(t, conn, soon(t, 4), axfrQuery(t, 5), soon(t, 6))
	wantIDs(t, conn, "4 NOERROR")
	wantNothing(t, conn)
	goOn <- struct{}{}
	wantIDs(t, conn, "2 NOERROR")
	goOn <- struct{}{}
	wantIDs(t, conn, "2 NOERROR")
	wantNothing(t, conn)
	close(goOn)
	ids := map[uint16]int{}
	for range 4 {
		wire, err := readTCP(conn)
		if err != nil {
			t.Fatal(err)
		}
		ids[parse(t, wire).ID]++
	}
	if ids[5] != 3 || ids[6] != 1 {
		t.Errorf("answers to %v", ids)
	}
}

// handlers answer later, and with streams.
type handlers struct {
	*patient
	streams *streamer
}

func (h handlers) Stream(query []byte, from Client) (iter.Seq2[[]byte, error], bool) {
	return h.streams.Stream(query, from)
}

// A client that asks and does not read has no more memory than for MaxPendingConn answers, and is given up.
func TestPendingAnswersOfADeafClient(t *testing.T) {
	t.Parallel()
	const most = 5
	m, h := &counters{}, newPatient(t)
	h.answer = func(dst, query []byte) []byte { return append(dst, append(query[:12:12], make([]byte, 60_000)...)...) }
	r := start(t, Options{Handler: h, Metrics: m, MaxPendingConn: most, WriteTimeout: 300 * time.Millisecond, IdleTimeout: time.Minute})
	conn := dial(t, "tcp", r.tcp)
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	const queries = 2000
	var all []byte
	for id := range uint16(queries) { // 120 MB of answers
		h.release(id)
		all = append(all, later(t, id)...)
	}
	go func() { _, _ = conn.Write(all) }()
	peak, begun := 0, time.Now()
	for r.loop.Conns() > 0 || len(h.asked) == 0 {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("the connection goes on")
		}
		peak = max(peak, r.placesOf(TCP).now())
		time.Sleep(100 * time.Microsecond)
	}
	if peak != most || m.count(RefusedWrite) != 1 || len(h.asked) == queries {
		t.Errorf("%d answers at once, %d times given up, %d queries taken", peak, m.count(RefusedWrite), len(h.asked))
	}
	if now := r.placesOf(TCP).now(); now != 0 {
		t.Errorf("%d places are still taken", now)
	}
}

func (p *places) now() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

func TestContextOfALaterAnswer(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(*running, *net.TCPConn){
		"a client that resets": func(_ *running, conn *net.TCPConn) {
			_ = conn.SetLinger(0)
			_ = conn.Close()
		},
		"an end of patience": func(r *running, _ *net.TCPConn) {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			if err := r.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Shutdown: %v", err)
			}
		},
	} {
		h := newPatient(t)
		r := start(t, Options{Handler: h, IdleTimeout: time.Minute})
		conn := dial(t, "tcp", r.tcp).(*net.TCPConn)
		send(t, conn, later(t, 1), later(t, 2), soon(t, 3))
		wantIDs(t, conn, "3 NOERROR")
		h.wantAsked(t, 1, 2)
		end(r, conn)
		eventually(t, what+": the contexts have ended", func() bool { return h.ended.Load() == 2 && h.running.Load() == 0 })
		eventually(t, what+": the connection is over", func() bool { return r.loop.Conns() == 0 })
	}
}

// TestPanicOfTheReader ends the connection at once, and what goes on beside it.
func TestPanicOfTheReader(t *testing.T) {
	t.Parallel()
	m, h := &counters{}, newPatient(t)
	h.Handler = HandlerFunc(func([]byte, []byte, Client) []byte { panic("a broken invariant") })
	h.dally = 50 * time.Millisecond
	sink := &sink{level: transcript.Lines}
	r := start(t, Options{Handler: h, Metrics: m, Transcript: transcript.New(transcript.Options{Sinks: []transcript.Sink{sink}})})
	conn := dial(t, "tcp", r.tcp)
	send(t, conn, later(t, 1))
	h.wantAsked(t, 1)
	send(t, conn, soon(t, 2))
	if wire, err := readTCP(conn); !errors.Is(err, io.EOF) {
		t.Errorf("%x, %v", wire, err)
	}
	if h.running.Load() > 0 || h.ended.Load() != 1 || m.panicked() != 1 || m.seen() != "" || m.count(RefusedWrite) > 0 {
		t.Errorf("%d go on; counted %q, %v", h.running.Load(), m.seen(), m.refused)
	}
}

// TestNothingIsReadAfterAnAnswerThatFailed, though it may be there already.
func TestNothingIsReadAfterAnAnswerThatFailed(t *testing.T) {
	t.Parallel()
	h := newPatient(t)
	h.answer = func(dst, query []byte) []byte {
		if query[1] == 1 {
			return dst
		}
		return failure(dst, query, dns.RcodeSuccess)
	}
	r := start(t, Options{Handler: h, MaxPendingConn: 1})
	conn := dial(t, "tcp", r.tcp)
	send(t, conn, later(t, 1), later(t, 2), soon(t, 3))
	h.wantAsked(t, 1)
	h.release(2, 1)
	for {
		wire, err := readTCP(conn)
		if err != nil {
			break
		}
		if id := parse(t, wire).ID; id != 2 { // which may have been looked at before
			t.Errorf("an answer to %d", id)
		}
	}
}

// TestAStopIsNotMissed, though it comes before the reader waits.
func TestAStopIsNotMissed(t *testing.T) {
	t.Parallel()
	conn, client := net.Pipe()
	defer conn.Close()
	defer client.Close()
	s, err := New(Options{Handler: newPatient(t)})
	if err != nil {
		t.Fatal(err)
	}
	c := s.begin(conn, TCP)
	if err := c.await(time.Minute); err != nil {
		t.Fatal(err)
	}
	c.beside()
	c.stop()
	if err := c.await(time.Minute); !errors.Is(err, errStopped) {
		t.Errorf("await: %v", err)
	}
	if _, err := c.next(); !errors.Is(err, errStopped) {
		t.Errorf("next: %v", err)
	}
	if err := c.silent(os.ErrDeadlineExceeded); !errors.Is(err, errStopped) {
		t.Errorf("silent: %v", err)
	}
}

// TestADeafClientCountsOnce, whatever it is owed.
func TestADeafClientCountsOnce(t *testing.T) {
	t.Parallel()
	m, p := &counters{}, newPatient(t)
	p.answer = func(dst, query []byte) []byte { return append(dst, append(query[:12:12], make([]byte, 60_000)...)...) }
	goOn := make(chan struct{})
	h := handlers{p, newStreamer(t, func(query []byte) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			<-goOn
			numbered(10_000, 60_000)(query)(yield)
		}
	})}
	r := start(t, Options{Handler: h, Metrics: m, WriteTimeout: 100 * time.Millisecond, IdleTimeout: time.Minute})
	// Of the first the transfer is what is not taken, of the second an answer.
	first, second := dial(t, "tcp", r.tcp), dial(t, "tcp", r.tcp)
	send(t, first, axfrQuery(t, 1), later(t, 2))
	send(t, second, axfrQuery(t, 1), bytes.Repeat(later(t, 3), 500))
	p.release(3)
	eventually(t, "the second is given up", func() bool { return m.count(RefusedWrite) == 1 })
	close(goOn)
	eventually(t, "the first is given up", func() bool { return m.count(RefusedWrite) >= 2 })
	p.release(2)
	eventually(t, "both have ended", func() bool { return r.loop.Conns() == 0 })
	if n := m.count(RefusedWrite); n != 2 {
		t.Errorf("%d are given up, of 2", n)
	}
}

// TestHardEndOverUDP: an answer that is not ready in time is not waited for.
func TestHardEndOverUDP(t *testing.T) {
	t.Parallel()
	h := newPatient(t)
	h.dally = 50 * time.Millisecond
	r := start(t, Options{Handler: h, PendingTimeout: time.Minute})
	send(t, dial(t, "udp", r.udp), later(t, 1)[2:])
	h.wantAsked(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	err := r.Shutdown(ctx)
	if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took > 5*time.Second || h.running.Load() > 0 {
		t.Errorf("%v after %v; %d go on", err, took, h.running.Load())
	}
}

// TestHardEndOfAReaderThatWaits: for a place, or for the answers that are to leave before it ends.
func TestHardEndOfAReaderThatWaits(t *testing.T) {
	t.Parallel()
	for what, wait := range map[string]func(*testing.T, *net.TCPConn){
		"a place": func(t *testing.T, conn *net.TCPConn) { send(t, conn, later(t, 2)) },
		"the end": func(_ *testing.T, conn *net.TCPConn) { _ = conn.CloseWrite() },
	} {
		h := newPatient(t)
		h.dally = 50 * time.Millisecond
		r := start(t, Options{Handler: h, MaxPendingConn: 1})
		conn := dial(t, "tcp", r.tcp).(*net.TCPConn)
		send(t, conn, later(t, 1))
		h.wantAsked(t, 1)
		wait(t, conn)
		time.Sleep(20 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := r.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || h.ended.Load() == 0 || h.running.Load() > 0 {
			t.Errorf("%s: %v, %d contexts have ended, %d go on", what, err, h.ended.Load(), h.running.Load())
		}
		cancel()
	}
}

func TestPendingTimeout(t *testing.T) {
	t.Parallel()
	h := newPatient(t)
	r := start(t, Options{Handler: h, PendingTimeout: 50 * time.Millisecond})
	conn, udp := dial(t, "tcp", r.tcp), dial(t, "udp", r.udp)
	begun := time.Now()
	send(t, conn, later(t, 1))
	send(t, udp, later(t, 2)[2:])
	wantIDs(t, conn, "1 SERVFAIL")
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("took %v", took)
	}
	if got := parse(t, readUDP(t, udp, 5*time.Second)); got.ID != 2 || got.Rcode != dns.RcodeServFail {
		t.Error(dns.Summary(got))
	}
	send(t, conn, soon(t, 3)) // and it goes on
	wantIDs(t, conn, "3 NOERROR")
}

// A client that ends its side, a limit and a soft end of the server let answers that are worked out leave.
func TestAnswersLeaveBeforeTheEnd(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(r *running, conn *net.TCPConn){
		"half a client":     func(_ *running, conn *net.TCPConn) { _ = conn.CloseWrite() },
		"the last query":    func(_ *running, conn *net.TCPConn) { send(t, conn, soon(t, 3)) },
		"a query too long":  func(_ *running, conn *net.TCPConn) { send(t, conn, framed(padded(t, 3, 2000))) },
		"garbage":           func(_ *running, conn *net.TCPConn) { send(t, conn, []byte{0, 0}) },
		"the server's stop": func(r *running, _ *net.TCPConn) { go func() { _ = r.Shutdown(context.Background()) }() },
	} {
		h := newPatient(t)
		r := start(t, Options{Handler: h, MaxQueries: 3, MaxQuery: 1000})
		conn, udp := dial(t, "tcp", r.tcp).(*net.TCPConn), dial(t, "udp", r.udp)
		send(t, conn, later(t, 1), later(t, 2))
		send(t, udp, later(t, 4)[2:])
		h.wantAsked(t, 1, 2, 4)
		end(r, conn)
		time.Sleep(20 * time.Millisecond)
		var got []uint16
		for _, id := range []uint16{2, 1} {
			h.release(id)
			for len(got) == 0 || got[len(got)-1] != id {
				wire, err := readTCP(conn)
				if err != nil {
					t.Fatalf("%s: %d: %v", what, id, err)
				}
				got = append(got, parse(t, wire).ID)
			}
		}
		rest, err := io.ReadAll(conn)
		if err != nil || len(got) > 3 {
			t.Errorf("%s: %d, %x, %v", what, got, rest, err)
		}
		h.release(4)
		if wire := readUDP(t, udp, 5*time.Second); wire == nil || parse(t, wire).ID != 4 {
			t.Errorf("%s: over UDP %x", what, wire)
		}
	}
}

// A panic costs a datagram or a connection, and what others are owed leaves before.
func TestPanicOfALaterAnswer(t *testing.T) {
	t.Parallel()
	m, h := &counters{}, newPatient(t)
	h.answer = func(dst, query []byte) []byte {
		switch query[1] {
		case 1:
			panic("a broken invariant")
		case 2:
			return dst
		}
		return failure(dst, query, dns.RcodeSuccess)
	}
	r := start(t, Options{Handler: h, Metrics: m})
	for i, id := range []uint16{1, 2} {
		if id == 2 {
			h.release(2)
		}
		conn, udp := dial(t, "tcp", r.tcp), dial(t, "udp", r.udp)
		send(t, conn, later(t, id), later(t, 3+id))
		send(t, udp, later(t, id)[2:])
		send(t, udp, later(t, 3+id)[2:])
		if id == 1 {
			h.wantAsked(t, 1, 1, 4, 4)
			h.release(1)
		} else {
			h.wantAsked(t, 2, 2, 5, 5)
		}
		if i == 0 {
			eventually(t, "two panics are counted", func() bool { return m.panicked() == 2 })
		} else {
			eventually(t, "two silences are counted", func() bool { return m.count(RefusedSilent) == 2 })
		}
		h.release(3 + id)
		if got := parse(t, readUDP(t, udp, 5*time.Second)); got.ID != 3+id {
			t.Error(dns.Summary(got))
		}
		wire, err := readTCP(conn)
		if err != nil || parse(t, wire).ID != 3+id {
			t.Errorf("%x, %v", wire, err)
		}
		if wire, err := readTCP(conn); !errors.Is(err, io.EOF) {
			t.Errorf("the connection goes on: %x, %v", wire, err)
		}
		eventually(t, "all places are free", func() bool { return r.placesOf(TCP).now()+r.placesOf(UDP).now() == 0 })
		if m.count(RefusedIdle) > 0 {
			t.Error("it counts as idle")
		}
	}
}

// A client that waits for an answer is not idle.
func TestIdleAfterALaterAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := emunet.New(1)
		defer n.Close()
		router, servers, clients := n.Router("router"), n.Host("ns1", "192.0.2.1"), n.Host("client", "203.0.113.1")
		n.Link(servers, router, emunet.Delay(time.Millisecond))
		n.Link(clients, router, emunet.Delay(time.Millisecond))
		l, err := servers.Listen(t.Context(), "tcp", "192.0.2.1:53")
		if err != nil {
			t.Fatal(err)
		}
		m, h := &counters{}, newPatient(t)
		s, err := New(Options{Handler: h, Metrics: m, IdleTimeout: 10 * time.Second, PendingTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(l) }()
		conn, err := clients.Dial(t.Context(), "tcp", "192.0.2.1:53")
		if err != nil {
			t.Fatal(err)
		}
		send(t, conn, later(t, 1), later(t, 2))
		time.Sleep(26 * time.Second)
		h.release(1)
		wantIDs(t, conn, "1 NXDOMAIN")
		time.Sleep(2 * time.Second)
		h.release(2)
		wantIDs(t, conn, "2 NXDOMAIN")
		time.Sleep(9900 * time.Millisecond) // long after the last query, and not so after the last answer
		send(t, conn, soon(t, 3))
		wantIDs(t, conn, "3 NOERROR")
		last := time.Now()
		if _, err := readTCP(conn); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if silent := time.Since(last).Round(100 * time.Millisecond); silent != 10*time.Second || m.count(RefusedIdle) != 1 {
			t.Errorf("closed after %v, %d times", silent, m.count(RefusedIdle))
		}
		// One answer, and nothing else.
		if conn, err = clients.Dial(t.Context(), "tcp", "192.0.2.1:53"); err != nil {
			t.Fatal(err)
		}
		send(t, conn, later(t, 6))
		time.AfterFunc(34*time.Second, func() { h.release(6) })
		wantIDs(t, conn, "6 NXDOMAIN")
		last = time.Now()
		if _, err := readTCP(conn); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if silent := time.Since(last).Round(100 * time.Millisecond); silent != 10*time.Second || m.count(RefusedIdle) != 2 {
			t.Errorf("closed after %v, %d times", silent, m.count(RefusedIdle))
		}
		// Who sends half a query and waits is idle.
		if conn, err = clients.Dial(t.Context(), "tcp", "192.0.2.1:53"); err != nil {
			t.Fatal(err)
		}
		send(t, conn, later(t, 4), later(t, 5)[:9])
		last = time.Now()
		time.AfterFunc(15*time.Second, func() { h.release(4) })
		wantIDs(t, conn, "4 NXDOMAIN")
		if _, err := readTCP(conn); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if after := time.Since(last).Round(100 * time.Millisecond); after != 15*time.Second || m.count(RefusedIdle) != 3 {
			t.Errorf("closed after %v, %d times", after, m.count(RefusedIdle))
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, ErrServerClosed) {
			t.Error(err)
		}
	})
}

// Later answers stand in the transcript of what asked for them, which exchanges of the handler have as parent. Of
// clients that are quiet nothing is recorded or counted.
func TestTranscriptOfLaterAnswers(t *testing.T) {
	t.Parallel()
	for _, quiet := range []bool{false, true} {
		m, h, sink := &counters{}, newPatient(t), &sink{level: transcript.Lines}
		r := start(t, Options{
			Handler: h, Metrics: m, Transcript: transcript.New(transcript.Options{Sinks: []transcript.Sink{sink}}),
			Quiet: func(netip.AddrPort) bool { return quiet },
		})
		conn, udp := dial(t, "tcp", r.tcp), dial(t, "udp", r.udp)
		send(t, conn, later(t, 1), soon(t, 2))
		wantIDs(t, conn, "2 NOERROR")
		h.release(1, 3)
		wantIDs(t, conn, "1 NXDOMAIN")
		send(t, udp, later(t, 3)[2:])
		if readUDP(t, udp, 5*time.Second) == nil {
			t.Error("no answer over UDP")
		}
		send(t, udp, []byte("short"))
		send(t, udp, soon(t, 4)[2:])
		if readUDP(t, udp, 5*time.Second) == nil {
			t.Error("no answer after a short datagram")
		}
		_ = conn.Close()
		if quiet {
			eventually(t, "the connection is over", func() bool { return r.loop.Conns() == 0 })
			r.stop(t)
			if m.seen() != "" || m.count(RefusedShort) != 0 || len(sink.records()) != 0 {
				t.Errorf("counted %s and %v, recorded %d", m.seen(), m.refused, len(sink.records()))
			}
			continue
		}
		eventually(t, "all are recorded", func() bool { return len(sink.records()) == 3 })
		parents := []transcript.ID{<-h.parents, <-h.parents}
		for _, rec := range sink.records() {
			var text []string
			for _, e := range rec.Entries {
				text = append(text, strings.Join(strings.Fields(e.Text)[:2], " "))
			}
			want := "query 3, answer 3"
			switch {
			case rec.Network == "tcp":
				want = "query 1, query 2, answer 2, answer 1"
			case text[0] == "query 4":
				continue
			}
			if got := strings.Join(text, ", "); got != want || !slices.Contains(parents, rec.ID) {
				t.Errorf("%s: %s of %v", rec.Network, got, parents)
			}
		}
	}
}

// Many clients, whose answers come in any order, while the server stops; run it with -race.
func TestManyLaterAnswersAtTheEnd(t *testing.T) {
	t.Parallel()
	h := newPatient(t)
	m := &counters{}
	r := start(t, Options{Handler: h, Metrics: m, MaxPendingConn: 7})
	const conns, each = 8, 12 // what one read takes
	answered := make(chan int, conns)
	for range conns {
		conn := dial(t, "tcp", r.tcp)
		var all [][]byte
		for id := range uint16(each) {
			all = append(all, later(t, id))
		}
		send(t, conn, bytes.Join(all, nil))
		go func() {
			n := 0
			for {
				if _, err := readTCP(conn); err != nil {
					answered <- n
					return
				}
				n++
			}
		}()
	}
	eventually(t, "some are worked out", func() bool { return h.running.Load() == 7*conns })
	stopped := make(chan error, 1)
	go func() { stopped <- r.Shutdown(context.Background()) }()
	for id := range uint16(each) {
		h.release(each - 1 - id)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	for range conns {
		if n := <-answered; n != each { // all had been read
			t.Errorf("%d answers", n)
		}
	}
}
