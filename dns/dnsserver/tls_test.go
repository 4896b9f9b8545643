package dnsserver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/host/emunet"
	"github.com/network-utopia/utopia/internal/testcert"
	"github.com/network-utopia/utopia/transcript"
)

// certificates makes a certificate for ns1.example.test, and what trusts it.
func certificates(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	c := testcert.New(t, "ns1.example.test")
	server = &tls.Config{
		Certificates: []tls.Certificate{c.Leaf},
		MinVersion:   tls.VersionTLS10, // which the server must not follow
	}
	return server, &tls.Config{RootCAs: c.Roots, ServerName: "ns1.example.test"}
}

// secured is a server with a listener for TLS.
type secured struct {
	*running
	address string
	client  *tls.Config
}

func startTLS(t *testing.T, opts Options) secured {
	t.Helper()
	r := start(t, opts)
	l, err := host.NewOS(host.OSOptions{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, client := certificates(t)
	r.loops++
	go func() { r.ended <- r.ServeTLS(l, server) }()
	return secured{r, l.Addr().String(), client}
}

func (s secured) dial(t *testing.T) *tls.Conn {
	t.Helper()
	conn := tls.Client(dial(t, "tcp", s.address), s.client)
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestTLS: several queries on one connection, pipelined, and what is recorded
// and counted.
func TestTLS(t *testing.T) {
	t.Parallel()
	m, sink := &counters{}, &sink{level: transcript.Lines}
	inner := zoneHandler(t)
	h := HandlerFunc(func(dst, query []byte, from Client) []byte {
		if from.Transport != TLS || !from.Transport.Encrypted() || from.MaxUDP != 0 || from.Time.IsZero() {
			t.Errorf("%+v", from)
		}
		return inner.Respond(dst, query, from)
	})
	s := startTLS(t, Options{Handler: h, Metrics: m, Transcript: transcript.New(transcript.Options{Sinks: []transcript.Sink{sink}})})
	conn := s.dial(t)
	var all []byte
	for id := range uint16(3) {
		all = append(all, framed(queryWire(t, id, "big", dns.TypeA, nil))...)
	}
	for _, part := range [][]byte{all[:3], all[3:50], all[50:]} { // records of TLS say nothing of messages
		if _, err := conn.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	for id := range uint16(3) {
		wire, err := readTCP(conn)
		if err != nil {
			t.Fatal(err)
		}
		if got := parse(t, wire); got.ID != id || len(got.Answer) != 200 || got.Truncated {
			t.Errorf("%d: %s", id, dns.Summary(got))
		}
	}
	if err := conn.CloseWrite(); err != nil {
		t.Error(err)
	}
	if _, err := readTCP(conn); err != io.EOF { // with a goodbye: without, it would be unexpected
		t.Errorf("the end: %v", err)
	}
	eventually(t, "it is recorded", func() bool { return len(sink.records()) == 1 })
	rec := sink.records()[0]
	if rec.Network != "tls" || len(rec.Entries) != 7 || rec.Entries[0].Text != "TLS 1.3, TLS_AES_128_GCM_SHA256" || rec.Entries[0].Dir != transcript.Note {
		t.Errorf("%s: %+v", rec.Network, rec.Entries)
	}
	if got := m.seen(); got != "tls NOERROR, tls NOERROR, tls NOERROR" {
		t.Errorf("counted %s", got)
	}
}

func TestTLSForeignClient(t *testing.T) {
	t.Parallel()
	s := startTLS(t, Options{})
	for _, protocols := range [][]string{nil, {"dot"}, {"h2", "dot"}} {
		config := s.client.Clone()
		config.NextProtos = protocols
		c := &mdns.Client{Net: "tcp-tls", TLSConfig: config, Timeout: 5 * time.Second}
		a, _, err := c.Exchange(new(mdns.Msg).SetQuestion("www.example.test.", mdns.TypeA), s.address)
		if err != nil || len(a.Answer) != 1 {
			t.Errorf("%v: %v, %v", protocols, a, err)
		}
	}
}

// Who speaks no TLS, an old one or another protocol gets no further.
func TestTLSRefusals(t *testing.T) {
	t.Parallel()
	m := &counters{}
	s := startTLS(t, Options{Metrics: m, IdleTimeout: 700 * time.Millisecond}) // a handshake takes its time on a busy machine
	for i, change := range []func(*tls.Config){
		func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11; c.MinVersion = tls.VersionTLS10 },
		func(c *tls.Config) { c.NextProtos = []string{"h2"} },
	} {
		config := s.client.Clone()
		change(config)
		if err := tls.Client(dial(t, "tcp", s.address), config).Handshake(); err == nil {
			t.Errorf("%d: a handshake", i)
		}
	}
	plain := dial(t, "tcp", s.address)
	if _, err := plain.Write(framed(queryWire(t, 1, "www", dns.TypeA, nil))); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(plain); strings.Contains(string(rest), "example") {
		t.Errorf("in the open: %q, %v", rest, err)
	}
	silent := dial(t, "tcp", s.address) // waits for a handshake no longer than for a query
	if _, err := io.ReadAll(silent); err != nil {
		t.Error(err)
	}
	eventually(t, "four are counted", func() bool { return m.count(RefusedTLS) == 4 })
	idle := s.dial(t)
	if _, err := readTCP(idle); err != io.EOF {
		t.Errorf("after the handshake: %v", err)
	}
	eventually(t, "the idle one is counted", func() bool { return m.count(RefusedIdle) == 1 })
}

// The connections of TLS share the limits of those of TCP.
func TestTLSLimits(t *testing.T) {
	t.Parallel()
	m := &counters{}
	s := startTLS(t, Options{Metrics: m, MaxConns: 2, MaxQueries: 2, MaxQuery: 100})
	first, second := dial(t, "tcp", s.tcp), s.dial(t)
	eventually(t, "two are open", func() bool { return s.loop.Conns() == 2 })
	if err := tls.Client(dial(t, "tcp", s.address), s.client).Handshake(); err == nil {
		t.Error("a third connection")
	}
	_ = first.Close()
	for range 2 {
		if _, err := second.Write(framed(queryWire(t, 1, "www", dns.TypeA, nil))); err != nil {
			t.Fatal(err)
		}
		if _, err := readTCP(second); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := readTCP(second); err != io.EOF {
		t.Errorf("after the last query: %v", err)
	}
	eventually(t, "one is open no more", func() bool { return s.loop.Conns() == 0 })
	long := s.dial(t)
	if _, err := long.Write(framed(padded(t, 1, 101))); err != nil {
		t.Fatal(err)
	}
	if wire, err := readTCP(long); err != nil || parse(t, wire).Rcode != dns.RcodeFormErr {
		t.Errorf("a query that is too long: %x, %v", wire, err)
	}
	if m.count(RefusedConns) != 1 || m.count(RefusedQueries) != 1 {
		t.Errorf("%v", m.refused)
	}
}

// Shutdown ends connections that wait, also within the handshake, and hard ones
// that do not take their goodbye.
func TestTLSShutdown(t *testing.T) {
	t.Parallel()
	s := startTLS(t, Options{})
	dial(t, "tcp", s.address) // has said nothing
	idle := s.dial(t)
	if _, err := idle.Write(framed(queryWire(t, 1, "www", dns.TypeA, nil))); err != nil {
		t.Fatal(err)
	}
	if _, err := readTCP(idle); err != nil { // now the handshake is over on both sides
		t.Fatal(err)
	}
	eventually(t, "both are open", func() bool { return s.loop.Conns() == 2 })
	began := time.Now()
	s.stop(t)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("Shutdown took %v", took)
	}
	if _, err := readTCP(idle); err != io.EOF {
		t.Errorf("the idle one: %v", err)
	}
}

// recording keeps what was read.
type recording struct {
	net.Conn
	read []byte
}

func (r *recording) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.read = append(r.read, p[:n]...)
	return n, err
}

// The last that a client hears is that this is all (RFC 5246 section 7.2.1, where
// it can be seen from outside).
func TestTLSGoodbye(t *testing.T) {
	t.Parallel()
	s := startTLS(t, Options{MaxQueries: 1})
	config := s.client.Clone()
	config.MaxVersion = tls.VersionTLS12
	for name, last := range map[string]func(*tls.Conn) error{
		"the client ends": (*tls.Conn).CloseWrite,
		"the server ends": func(c *tls.Conn) error {
			_, err := c.Write(framed(queryWire(t, 1, "www", dns.TypeA, nil)))
			return err
		},
	} {
		bare := &recording{Conn: dial(t, "tcp", s.address)}
		conn := tls.Client(bare, config)
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		if err := last(conn); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var kinds []byte
		for rest := bare.read; len(rest) >= 5; rest = rest[min(len(rest), 5+int(rest[3])<<8+int(rest[4])):] {
			kinds = append(kinds, rest[0])
		}
		const alert = 21
		if kinds[len(kinds)-1] != alert {
			t.Errorf("%s: records of kinds %d, the last is no alert", name, kinds)
		}
	}
}

// On an emulated internet it is the same.
func TestTLSOverEmunet(t *testing.T) {
	t.Parallel()
	n := emunet.New(1)
	defer n.Close()
	router, servers, clients := n.Router("router"), n.Host("ns1", "192.0.2.1"), n.Host("client", "203.0.113.1")
	n.Link(servers, router, emunet.Delay(time.Millisecond))
	n.Link(clients, router, emunet.Delay(time.Millisecond))
	l, err := servers.Listen(t.Context(), "tcp", "192.0.2.1:853")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Handler: zoneHandler(t)})
	if err != nil {
		t.Fatal(err)
	}
	server, client := certificates(t)
	ended := make(chan error, 1)
	go func() { ended <- s.ServeTLS(l, server) }()
	bare, err := clients.Dial(t.Context(), "tcp", "192.0.2.1:853")
	if err != nil {
		t.Fatal(err)
	}
	conn := tls.Client(bare, client)
	if _, err := conn.Write(framed(queryWire(t, 7, "www", dns.TypeA, nil))); err != nil {
		t.Fatal(err)
	}
	if wire, err := readTCP(conn); err != nil || parse(t, wire).ID != 7 {
		t.Errorf("%x, %v", wire, err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, ErrServerClosed) {
		t.Error(err)
	}
}
