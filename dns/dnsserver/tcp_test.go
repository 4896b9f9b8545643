package dnsserver

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/transcript"
)

func TestTCPPipelining(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	conn := dial(t, "tcp", r.tcp)
	const count = 300
	var all []byte
	for id := range uint16(count) {
		all = append(all, framed(queryWire(t, id, []string{"www", "big", "no"}[id%3], dns.TypeA, nil))...)
	}
	go func() {
		if _, err := conn.Write(all); err != nil {
			t.Error(err)
		}
	}()
	for id := range uint16(count) {
		wire, err := readTCP(conn)
		if err != nil {
			t.Fatal(err)
		}
		m := parse(t, wire)
		if m.ID != id || m.Truncated || len(m.Answer) != []int{1, 200, 0}[id%3] {
			t.Fatalf("answer %d: %s", id, dns.Summary(m))
		}
	}
}

// TestTCPAnyPieces: the stream may be cut anywhere.
func TestTCPAnyPieces(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	conn := dial(t, "tcp", r.tcp)
	if err := conn.(*net.TCPConn).SetNoDelay(true); err != nil {
		t.Fatal(err)
	}
	one, two := queryWire(t, 1, "www", dns.TypeA, nil), queryWire(t, 2, "no", dns.TypeA, nil)
	stream := append(framed(one), framed(two)...)
	for i := range stream {
		if _, err := conn.Write(stream[i : i+1]); err != nil {
			t.Fatal(err)
		}
		if i%7 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	for id := range uint16(2) {
		if wire, err := readTCP(conn); err != nil || parse(t, wire).ID != id+1 {
			t.Fatalf("%x, %v", wire, err)
		}
	}
	// Half a client: it ends its side and still takes the answer.
	if _, err := conn.Write(framed(one)); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if wire, err := readTCP(conn); err != nil || parse(t, wire).ID != 1 {
		t.Fatalf("%x, %v", wire, err)
	}
	if _, err := readTCP(conn); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

// padded makes a query of some size with an EDNS option.
func padded(t testing.TB, id uint16, size int) []byte {
	t.Helper()
	edns := &dns.EDNS{UDPSize: 1232, Options: []dns.Option{{Code: dns.OptionPadding}}}
	short := len(queryWire(t, id, "www", dns.TypeA, edns))
	edns.Options[0].Data = make([]byte, size-short)
	return queryWire(t, id, "www", dns.TypeA, edns)
}

func TestTCPQuerySize(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{100, 511, 512, 513, 2000, DefaultMaxQuery, 65535} {
		m := &counters{}
		r := start(t, Options{Metrics: m, MaxQuery: limit})
		conn := dial(t, "tcp", r.tcp)
		for id, size := range []int{limit, limit - 1, 60, limit} {
			if _, err := conn.Write(framed(padded(t, uint16(id), size))); err != nil {
				t.Fatal(err)
			}
			if wire, err := readTCP(conn); err != nil || parse(t, wire).ID != uint16(id) || parse(t, wire).Rcode != 0 {
				t.Fatalf("limit %d: a query of %d: %x, %v", limit, size, wire, err)
			}
		}
		if limit == 65535 {
			continue
		}
		if _, err := conn.Write(framed(padded(t, 9, limit+1))); err != nil {
			t.Fatal(err)
		}
		wire, err := readTCP(conn)
		if err != nil || dns.Summary(parse(t, wire)) != "answer 9 FORMERR 0/0/0" {
			t.Fatalf("limit %d: one past it: %x, %v", limit, wire, err)
		}
		if _, err := readTCP(conn); err == nil {
			t.Errorf("limit %d: the connection goes on", limit)
		}
		if m.count(RefusedSize) != 1 {
			t.Errorf("limit %d: not counted", limit)
		}
	}
}

func TestTCPQueriesLimit(t *testing.T) {
	t.Parallel()
	m := &counters{}
	r := start(t, Options{Metrics: m, MaxQueries: 3})
	conn := dial(t, "tcp", r.tcp)
	query := framed(queryWire(t, 1, "www", dns.TypeA, nil))
	if _, err := conn.Write(bytes.Repeat(query, 4)); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := readTCP(conn); err != nil {
			t.Fatalf("query %d of 3: %v", i+1, err)
		}
	}
	if wire, err := readTCP(conn); err == nil {
		t.Errorf("the fourth query is answered: %x", wire)
	}
	if m.count(RefusedQueries) != 1 {
		t.Error("not counted")
	}
}

func TestTCPConnsLimit(t *testing.T) {
	t.Parallel()
	m := &counters{}
	r := start(t, Options{Metrics: m, MaxConns: 2})
	query := framed(queryWire(t, 1, "www", dns.TypeA, nil))
	ask := func(conn net.Conn) error {
		if _, err := conn.Write(query); err != nil {
			return err
		}
		_, err := readTCP(conn)
		return err
	}
	one, two := dial(t, "tcp", r.tcp), dial(t, "tcp", r.tcp)
	for _, conn := range []net.Conn{one, two} {
		if err := ask(conn); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask(dial(t, "tcp", r.tcp)); err == nil {
		t.Error("a third connection is served")
	}
	if m.count(RefusedConns) != 1 {
		t.Error("not counted")
	}
	_ = one.Close()
	eventually(t, "there is room again", func() bool { return ask(dial(t, "tcp", r.tcp)) == nil })
	if err := ask(two); err != nil {
		t.Errorf("the other connection: %v", err)
	}
}

type testGuard struct {
	open  atomic.Int64
	deny  atomic.Bool
	asked atomic.Value
}

func (g *testGuard) Admit(client netip.Addr) (func(), error) {
	g.asked.Store(client)
	if g.deny.Load() {
		return nil, errors.New("no")
	}
	g.open.Add(1)
	return func() { g.open.Add(-1) }, nil
}

func TestTCPGuard(t *testing.T) {
	t.Parallel()
	m, g := &counters{}, &testGuard{}
	r := start(t, Options{Metrics: m, Guard: g, MaxConns: 1})
	conn := dial(t, "tcp", r.tcp)
	if _, err := conn.Write(framed(queryWire(t, 1, "www", dns.TypeA, nil))); err != nil {
		t.Fatal(err)
	}
	if _, err := readTCP(conn); err != nil || g.open.Load() != 1 || g.asked.Load() != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("%v, %d open", err, g.open.Load())
	}
	// One too many by the server's own limit is released, too.
	_, _ = readTCP(dial(t, "tcp", r.tcp))
	eventually(t, "only the first is open", func() bool { return m.count(RefusedConns) == 1 && g.open.Load() == 1 })
	_ = conn.Close()
	eventually(t, "all are released", func() bool { return g.open.Load() == 0 })
	g.deny.Store(true)
	if _, err := readTCP(dial(t, "tcp", r.tcp)); err == nil {
		t.Error("a client that the guard refuses is served")
	}
	if m.count(RefusedGuard) != 1 {
		t.Error("not counted")
	}
}

func TestTCPRate(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Rate: budget(1)})
	conn := dial(t, "tcp", r.tcp)
	for _, want := range []dns.Rcode{dns.RcodeSuccess, dns.RcodeRefused} {
		if _, err := conn.Write(framed(queryWire(t, 1, "www", dns.TypeA, nil))); err != nil {
			t.Fatal(err)
		}
		if wire, err := readTCP(conn); err != nil || parse(t, wire).Rcode != want {
			t.Errorf("%x, %v, want %s", wire, err, want)
		}
	}
}

func TestTCPIdle(t *testing.T) {
	t.Parallel()
	m := &counters{}
	r := start(t, Options{Metrics: m, IdleTimeout: 1500 * time.Millisecond})
	silent := dial(t, "tcp", r.tcp)
	// A client that sends an octet now and then does not keep the connection.
	slow := dial(t, "tcp", r.tcp)
	go func() {
		for _, c := range framed(queryWire(t, 1, "www", dns.TypeA, nil)) {
			if _, err := slow.Write([]byte{c}); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond) // 36 octets: in all longer than the timeout
		}
	}()
	busy := dial(t, "tcp", r.tcp)
	for range 8 { // in all longer than the timeout, and each far from it
		time.Sleep(250 * time.Millisecond)
		if _, err := busy.Write(framed(queryWire(t, 1, "www", dns.TypeA, nil))); err != nil {
			t.Fatal(err)
		}
		if _, err := readTCP(busy); err != nil {
			t.Fatalf("a busy connection was closed: %v", err)
		}
	}
	for name, conn := range map[string]net.Conn{"silent": silent, "slow": slow} {
		if wire, err := readTCP(conn); err == nil {
			t.Errorf("the %s client got %x", name, wire)
		}
	}
	eventually(t, "three are counted", func() bool { return m.count(RefusedIdle) == 3 })
}

// TestTCPLongQueryInPieces: what is wrong is known with the length, and said once the header is there.
func TestTCPLongQueryInPieces(t *testing.T) {
	t.Parallel()
	r := start(t, Options{MaxQuery: 100})
	conn := dial(t, "tcp", r.tcp)
	query := framed(padded(t, 9, 101))
	for _, piece := range [][]byte{query[:1], query[1:2], query[2:13], query[13:14]} {
		wantNothing(t, conn)
		send(t, conn, piece)
	}
	if wire, err := readTCP(conn); err != nil || dns.Summary(parse(t, wire)) != "answer 9 FORMERR 0/0/0" {
		t.Fatalf("%x, %v", wire, err)
	}
	query[2+2] |= 0x80
	conn = dial(t, "tcp", r.tcp)
	send(t, conn, query)
	if wire, err := readTCP(conn); err == nil {
		t.Errorf("a response that is too long: %x", wire)
	}
	conn = dial(t, "tcp", r.tcp)
	send(t, conn, query[:5])
	_ = conn.(*net.TCPConn).CloseWrite()
	if wire, err := readTCP(conn); !errors.Is(err, io.EOF) {
		t.Errorf("after half a header: %x, %v", wire, err)
	}
}

// writes is a listener whose connections tell how much is written at once.
type writes struct {
	net.Listener
	most atomic.Int64
}

type writer struct {
	net.Conn
	of *writes
}

func (w *writes) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	return writer{conn, w}, err
}

func (w writer) Write(p []byte) (int, error) {
	w.of.most.Store(max(w.of.most.Load(), int64(len(p))))
	return w.Conn.Write(p)
}

// TestTCPUnsent: responses to queries that wait leave together, as far as a limit.
func TestTCPUnsent(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &writes{Listener: l}
	r.loops++
	go func() { r.ended <- r.Serve(w) }()
	conn := dial(t, "tcp", l.Addr().String())
	const each = 3236 // octets of an answer, and its length
	send(t, conn, bytes.Repeat(framed(queryWire(t, 1, "big", dns.TypeA, nil)), 12))
	for range 12 {
		if wire, err := readTCP(conn); err != nil || len(wire)+2 != each {
			t.Fatalf("%d octets, %v", len(wire), err)
		}
	}
	if most := w.most.Load(); most < maxUnsent || most >= maxUnsent+each {
		t.Errorf("%d octets in one call", most)
	}
}

// TestTCPDeafClient: a client that asks and does not read is given up.
func TestTCPDeafClient(t *testing.T) {
	t.Parallel()
	m := &counters{}
	r := start(t, Options{Metrics: m, WriteTimeout: 200 * time.Millisecond, IdleTimeout: time.Minute})
	conn := dial(t, "tcp", r.tcp)
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	query := framed(queryWire(t, 1, "huge", dns.TypeTXT, nil))
	for range 2000 { // 60 MB of answers
		if _, err := conn.Write(query); err != nil {
			break
		}
	}
	eventually(t, "the write timeout is counted", func() bool { return m.count(RefusedWrite) == 1 })
	eventually(t, "the connection is gone", func() bool { return r.loop.Conns() == 0 })
}

func TestTCPGarbage(t *testing.T) {
	t.Parallel()
	m := &counters{}
	r := start(t, Options{Metrics: m})
	response := queryWire(t, 1, "www", dns.TypeA, nil)
	response[2] |= 0x80
	for name, stream := range map[string][]byte{
		"a length of zero":        {0, 0},
		"less than a header":      framed([]byte("short")),
		"a response":              framed(response),
		"a web client":            []byte("GET / HTTP/1.1\r\nHost: example.test\r\n\r\n"),
		"the end inside a length": {0},
		"the end inside a query":  framed(response)[:9],
	} {
		conn := dial(t, "tcp", r.tcp)
		if _, err := conn.Write(stream); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if len(got) > 14 { // a FORMERR to what might be a query is fine
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	// What came before the garbage is answered.
	conn := dial(t, "tcp", r.tcp)
	if _, err := conn.Write(append(framed(queryWire(t, 3, "www", dns.TypeA, nil)), 0, 0)); err != nil {
		t.Fatal(err)
	}
	if wire, err := readTCP(conn); err != nil || parse(t, wire).ID != 3 {
		t.Errorf("%x, %v", wire, err)
	}
	if _, err := readTCP(conn); err == nil {
		t.Error("the connection goes on after garbage")
	}
}

// TestTCPMemory: a length that was announced takes no memory.
func TestTCPMemory(t *testing.T) {
	t.Parallel()
	server, client := net.Pipe()
	defer client.Close()
	defer server.Close()
	s, err := New(Options{Handler: zoneHandler(t), MaxQuery: 65535})
	if err != nil {
		t.Fatal(err)
	}
	c := &session{Server: s, conn: server}
	c.buf = c.small[:]
	sent := binary.BigEndian.AppendUint16(nil, 65535)
	sent = append(sent, make([]byte, 3000)...)
	go func() {
		_, _ = client.Write(sent)
		_ = client.Close()
	}()
	if _, err := c.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
	if len(c.buf) > 2*len(sent) {
		t.Errorf("%d octets for %d that came", len(c.buf), len(sent))
	}
	// Once the large query is done with, the buffer is given back.
	c.start, c.end = len(sent), len(sent)
	if c.makeRoom(); len(c.buf) != smallBuffer {
		t.Errorf("%d octets while idle", len(c.buf))
	}
	// So is one that many responses have filled.
	for size, kept := range map[int]bool{maxUnsent: true, maxUnsent + 1: false} {
		server, client := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, client) }()
		c := s.begin(server, TCP)
		c.out = make([]byte, size)
		if !c.flush() || len(c.out) != 0 || (cap(c.out) > 0) != kept {
			t.Errorf("of %d octets %d are kept", size, cap(c.out))
		}
		_ = server.Close()
	}
}

func TestTCPTranscript(t *testing.T) {
	t.Parallel()
	sink := &sink{level: transcript.Lines}
	r := start(t, Options{
		Transcript: transcript.New(transcript.Options{Sinks: []transcript.Sink{sink}}), MaxQueries: 2,
	})
	conn := dial(t, "tcp", r.tcp)
	for id := range uint16(2) {
		if _, err := conn.Write(framed(queryWire(t, id, "www", dns.TypeA, nil))); err != nil {
			t.Fatal(err)
		}
		if _, err := readTCP(conn); err != nil {
			t.Fatal(err)
		}
	}
	_ = conn.Close()
	eventually(t, "the connection is recorded", func() bool { return len(sink.records()) == 1 })
	rec := sink.records()[0]
	var text []string
	for _, e := range rec.Entries {
		text = append(text, e.Text)
	}
	want := []string{
		"query 0 www.example.test. IN A", "answer 0 NOERROR aa 1/0/0 www.example.test. A 127.0.0.1",
		"query 1 www.example.test. IN A", "answer 1 NOERROR aa 1/0/0 www.example.test. A 127.0.0.1",
		"closed after 2 queries",
	}
	if rec.Network != "tcp" || strings.Join(text, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\n%s", rec.Network, strings.Join(text, "\n"))
	}
}

// TestTheAnswerToATooLongQueryIsRecorded as every other is.
func TestTheAnswerToATooLongQueryIsRecorded(t *testing.T) {
	t.Parallel()
	sink := &sink{level: transcript.Bytes}
	r := start(t, Options{Transcript: transcript.New(transcript.Options{Sinks: []transcript.Sink{sink}}), MaxQuery: 100})
	conn := dial(t, "tcp", r.tcp)
	var answers [2][]byte
	for i, size := range []int{100, 101} {
		if _, err := conn.Write(framed(padded(t, uint16(i), size))); err != nil {
			t.Fatal(err)
		}
		var err error
		if answers[i], err = readTCP(conn); err != nil {
			t.Fatal(err)
		}
	}
	_ = conn.Close()
	eventually(t, "the connection is recorded", func() bool { return len(sink.records()) == 1 })
	entries := sink.records()[0].Entries
	if len(entries) != 4 || !bytes.Equal(entries[1].Raw, answers[0]) || entries[2].Dir != transcript.Sent || !bytes.Equal(entries[2].Raw, answers[1]) {
		t.Errorf("%+v", entries)
	}
}

func TestShutdownAnswersWhatWasRead(t *testing.T) {
	t.Parallel()
	inside, goOn := make(chan struct{}), make(chan struct{})
	inner := zoneHandler(t)
	h := HandlerFunc(func(dst, query []byte, from Client) []byte {
		inside <- struct{}{}
		<-goOn
		return inner.Respond(dst, query, from)
	})
	r := start(t, Options{Handler: h})
	udp, tcp, idle := dial(t, "udp", r.udp), dial(t, "tcp", r.tcp), dial(t, "tcp", r.tcp)
	query := queryWire(t, 8, "www", dns.TypeA, nil)
	if _, err := udp.Write(query); err != nil {
		t.Fatal(err)
	}
	<-inside
	if _, err := tcp.Write(framed(query)); err != nil {
		t.Fatal(err)
	}
	<-inside
	stopped := make(chan error)
	go func() { stopped <- r.Shutdown(context.Background()) }()
	// An idle connection ends at once.
	if _, err := readTCP(idle); !errors.Is(err, io.EOF) {
		t.Errorf("idle: %v", err)
	}
	close(goOn)
	if m := parse(t, readUDP(t, udp, 5*time.Second)); m.ID != 8 {
		t.Error(dns.Summary(m))
	}
	if wire, err := readTCP(tcp); err != nil || parse(t, wire).ID != 8 {
		t.Errorf("%x, %v", wire, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", r.tcp); err == nil {
		t.Error("the listener is still open")
	}
}

func TestShutdownHard(t *testing.T) {
	t.Parallel()
	m := &counters{}
	r := start(t, Options{WriteTimeout: time.Minute, IdleTimeout: time.Minute, Metrics: m})
	conn := dial(t, "tcp", r.tcp)
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	query := framed(queryWire(t, 1, "huge", dns.TypeTXT, nil))
	for range 2000 {
		if _, err := conn.Write(query); err != nil {
			break // the server does not read on while it cannot write
		}
	}
	eventually(t, "the server is stuck", func() bool {
		before := len(m.seen())
		time.Sleep(200 * time.Millisecond)
		return before > 0 && len(m.seen()) == before
	})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := r.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a hard stop took %v", took)
	}
}
