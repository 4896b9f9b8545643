package dnsserver

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/transcript"
)

// answeredAfter sends hostile octets and then a good query from the same
// socket, and wants just the good one answered.
func answeredAfter(t *testing.T, r *running, hostile []byte) {
	t.Helper()
	conn := dial(t, "udp", r.udp)
	for _, wire := range [][]byte{hostile, queryWire(t, 77, "www", dns.TypeA, nil)} {
		if _, err := conn.Write(wire); err != nil {
			t.Fatal(err)
		}
	}
	if m := parse(t, readUDP(t, conn, 5*time.Second)); m.ID != 77 {
		t.Errorf("%x was answered: %s", hostile, dns.Summary(m))
	}
}

func TestUDPSilence(t *testing.T) {
	t.Parallel()
	m := &counters{}
	r := start(t, Options{Metrics: m})
	query := queryWire(t, 66, "www", dns.TypeA, nil)
	response := bytes.Clone(query)
	response[2] |= 0x80
	answeredAfter(t, r, nil)
	answeredAfter(t, r, query[:11])
	answeredAfter(t, r, response)
	answeredAfter(t, r, bytes.Repeat([]byte{0xff}, 65507))
	// What is answered is counted behind its answer, so that the client may be first.
	four := strings.TrimSuffix(strings.Repeat("udp NOERROR, ", 4), ", ")
	eventually(t, "two short datagrams, two responses and four answers are counted", func() bool {
		return m.count(RefusedShort) == 2 && m.count(RefusedResponse) == 2 && m.seen() == four
	})
}

func TestUDPHostileQueriesAreAnswered(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	query := queryWire(t, 66, "www", dns.TypeA, nil)
	for name, tt := range map[string]struct {
		wire []byte
		want string
	}{
		"header alone, and QDCOUNT 0":    {append([]byte{0, 66, 0, 0}, make([]byte, 8)...), "answer 66 FORMERR 0/0/0"},
		"counts that lie":                {append(append(bytes.Clone(query[:6]), 0xff, 0xff), query[8:]...), "answer 66 FORMERR 0/0/0"},
		"octets after the end":           {append(bytes.Clone(query), 0), "answer 66 FORMERR 0/0/0"},
		"cut off":                        {query[:len(query)-1], "answer 66 FORMERR 0/0/0"},
		"64 KiB of zeros after a header": {append(bytes.Clone(query[:12]), make([]byte, 65000)...), "answer 66 FORMERR 0/0/0"},
		"an update":                      {append([]byte{0, 66, 5 << 3, 0}, query[4:]...), "answer 66 NOTIMP 0/0/0 www.example.test. IN A"},
	} {
		got := askUDP(t, r.udp, tt.wire)
		if got == nil {
			t.Errorf("%s: silence", name)
		} else if s := dns.Summary(parse(t, got)); s != tt.want {
			t.Errorf("%s: %s, want %s", name, s, tt.want)
		}
	}
}

func TestUDPSizeLimits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		server int
		edns   *dns.EDNS
		most   int
	}{
		{0, nil, 512},
		{0, &dns.EDNS{UDPSize: 0}, 512},
		{0, &dns.EDNS{UDPSize: 65535}, DefaultMaxUDPSize},
		{0, &dns.EDNS{UDPSize: 600}, 600},
		{4096, &dns.EDNS{UDPSize: 65535}, 4096},
		{1, nil, 512}, // a server's limit below 512 is none
	} {
		r := start(t, Options{MaxUDPSize: tt.server})
		for _, name := range []string{"www", "mid", "big", "huge"} {
			got := askUDP(t, r.udp, queryWire(t, 1, name, dns.TypeANY, tt.edns))
			if len(got) > tt.most || len(got) == 0 {
				t.Errorf("server %d, EDNS %+v, %s: %d octets, most %d", tt.server, tt.edns, name, len(got), tt.most)
			}
		}
	}
}

// TestUDPAnswerAtTheLimit: a handler may give as much as it was told, and not an octet more.
func TestUDPAnswerAtTheLimit(t *testing.T) {
	t.Parallel()
	h := HandlerFunc(func(dst, query []byte, from Client) []byte {
		size := from.MaxUDP + int(query[1])
		return append(dst, append(failure(nil, query, dns.RcodeSuccess), make([]byte, size-dns.HeaderLen)...)...)
	})
	r := start(t, Options{Handler: h, MaxUDPSize: 700})
	for id, want := range []int{700, dns.HeaderLen} {
		if got := askUDP(t, r.udp, queryWire(t, uint16(id), "www", dns.TypeA, nil)); len(got) != want {
			t.Errorf("%d past the limit: %d octets, want %d", id, len(got), want)
		}
	}
}

// TestRepliesLeaveFromTheAddressAsked: also when the socket is bound to all
// addresses.
func TestRepliesLeaveFromTheAddressAsked(t *testing.T) {
	t.Parallel()
	var local atomic.Value
	inner := zoneHandler(t)
	h := HandlerFunc(func(dst, query []byte, from Client) []byte {
		local.Store(from.Local.Addr())
		return inner.Respond(dst, query, from)
	})
	for _, tt := range []struct {
		bound string
		asked []string
	}{
		{"udp4 0.0.0.0", []string{"127.0.0.1", "127.0.0.9"}},
		{"udp6 ::", []string{"::1"}},
		{"udp ::", []string{"::1", "127.0.0.9"}}, // both families in one socket
	} {
		network, ip, _ := strings.Cut(tt.bound, " ")
		r := startAt(t, Options{Handler: h}, network, ip)
		for _, ip := range tt.asked {
			// A connected socket takes answers from the address asked alone.
			to := netip.AddrPortFrom(netip.MustParseAddr(ip), loopbackPort(t, r.udp))
			got := askUDP(t, to.String(), queryWire(t, 5, "www", dns.TypeA, nil))
			if got == nil {
				t.Errorf("bound to %s, asked at %s: no answer from there", tt.bound, ip)
				continue
			}
			if seen := local.Load().(netip.Addr); seen != to.Addr() {
				t.Errorf("bound to %s, asked at %s: the handler sees %s", tt.bound, ip, seen)
			}
		}
	}
}

// packets is a net.PacketConn that is no *net.UDPConn, as those of an emulated
// host are.
type packets struct{ net.PacketConn }

func TestOtherPacketConns(t *testing.T) {
	t.Parallel()
	os := host.NewOS(host.OSOptions{})
	open := func(address string) net.PacketConn {
		pc, err := os.ListenPacket(context.Background(), "udp4", address)
		if err != nil {
			t.Fatal(err)
		}
		return packets{pc}
	}
	s, err := New(Options{Handler: zoneHandler(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ServePacket(open("0.0.0.0:0")); err == nil || !strings.Contains(err.Error(), "listen on each address") {
		t.Errorf("an unspecified address: %v", err)
	}
	pc := open("127.0.0.1:0")
	ended := make(chan error)
	go func() { ended <- s.ServePacket(pc) }()
	if got := askUDP(t, pc.LocalAddr().String(), queryWire(t, 5, "www", dns.TypeA, nil)); parse(t, got).ID != 5 {
		t.Errorf("%x", got)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != ErrServerClosed {
		t.Error(err)
	}
	if err := s.ServePacket(open("127.0.0.1:0")); err != ErrServerClosed {
		t.Errorf("after Shutdown: %v", err)
	}
}

// scripted hands out datagrams with sources that the kernel would not.
type scripted struct {
	net.PacketConn
	in     chan net.Addr
	query  []byte
	out    chan net.Addr
	closed chan struct{}
	once   sync.Once
}

func (s *scripted) ReadFrom(p []byte) (int, net.Addr, error) {
	select {
	case a := <-s.in:
		return copy(p, s.query), a, nil
	case <-s.closed:
		return 0, nil, net.ErrClosed
	}
}
func (s *scripted) WriteTo(p []byte, to net.Addr) (int, error) {
	s.out <- to
	return len(p), nil
}
func (s *scripted) SetReadDeadline(time.Time) error { return s.Close() }
func (s *scripted) LocalAddr() net.Addr             { return &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 53} }
func (s *scripted) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func TestForgedSourcesAreNotAnswered(t *testing.T) {
	t.Parallel()
	m := &counters{}
	s, err := New(Options{Handler: zoneHandler(t), Metrics: m})
	if err != nil {
		t.Fatal(err)
	}
	conn := &scripted{
		in: make(chan net.Addr), out: make(chan net.Addr, 10), closed: make(chan struct{}),
		query: queryWire(t, 9, "www", dns.TypeA, nil),
	}
	ended := make(chan error)
	go func() { ended <- s.ServePacket(conn) }()
	forged := []string{"192.0.2.9:0", "0.0.0.0:1000", "224.0.0.1:1000", "255.255.255.255:1000", "[::]:1000", "[ff02::1]:1000"}
	for _, from := range append(forged, "192.0.2.9:53", "192.0.2.9:1") {
		conn.in <- net.UDPAddrFromAddrPort(netip.MustParseAddrPort(from))
	}
	for _, want := range []string{"192.0.2.9:53", "192.0.2.9:1"} {
		if got := <-conn.out; got.String() != want {
			t.Errorf("an answer to %s", got)
		}
	}
	if n := m.count(RefusedSource); n != len(forged) {
		t.Errorf("%d refused, want %d", n, len(forged))
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != ErrServerClosed {
		t.Error(err)
	}
}

func TestUDPRate(t *testing.T) {
	t.Parallel()
	m := &counters{}
	r := start(t, Options{Metrics: m, Rate: budget(1)})
	query := queryWire(t, 1, "www", dns.TypeA, nil)
	if got := askUDP(t, r.udp, query); got == nil {
		t.Error("the first query got no answer")
	}
	conn := dial(t, "udp", r.udp)
	if _, err := conn.Write(query); err != nil {
		t.Fatal(err)
	}
	if got := readUDP(t, conn, 100*time.Millisecond); got != nil {
		t.Errorf("past the rate: %x", got)
	}
	eventually(t, "the dropped query is counted", func() bool { return m.count(RefusedRate) == 1 })
}

// budget allows as many queries, ever.
func budget(n int64) Rate {
	left := &atomic.Int64{}
	left.Store(n)
	return allower(func() bool { return left.Add(-1) >= 0 })
}

type allower func() bool

func (a allower) Allow(netip.Addr, Transport, time.Time) bool { return a() }

func TestHandlersThatFail(t *testing.T) {
	t.Parallel()
	m := &counters{}
	h := HandlerFunc(func(dst, query []byte, from Client) []byte {
		switch query[1] {
		case 1:
			panic("a bug")
		case 2:
			return append(dst, make([]byte, 70000)...)
		case 3:
			return dst
		case 4:
			return append(dst, 1, 2, 3)
		}
		return append(dst, append(query[:2:2], append([]byte{0x80}, query[3:]...)...)...)
	})
	r := start(t, Options{Handler: h, Metrics: m})
	conn := dial(t, "udp", r.udp)
	for id := range uint16(6) {
		if id == 0 {
			continue
		}
		if _, err := conn.Write(queryWire(t, id, "www", dns.TypeA, nil)); err != nil {
			t.Fatal(err)
		}
	}
	if got := parse(t, readUDP(t, conn, 5*time.Second)); got.ID != 2 || got.Rcode != dns.RcodeServFail {
		t.Errorf("a response that is too long: %s", dns.Summary(got))
	}
	if got := parse(t, readUDP(t, conn, 5*time.Second)); got.ID != 5 {
		t.Errorf("after the failures: %s", dns.Summary(got))
	}
	eventually(t, "one panic and two silences are counted", func() bool {
		return m.panicked() == 1 && m.count(RefusedSilent) == 2
	})
	// Over TCP the panic costs the connection, not the server.
	for range 2 {
		tcp := dial(t, "tcp", r.tcp)
		if _, err := tcp.Write(framed(queryWire(t, 1, "www", dns.TypeA, nil))); err != nil {
			t.Fatal(err)
		}
		if _, err := readTCP(tcp); err == nil {
			t.Error("an answer from a handler that panicked")
		}
	}
}

// TestManyClients asks from many sockets at once; run it with -race.
func TestManyClients(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Metrics: &counters{}})
	var clients sync.WaitGroup
	for i := range 16 {
		clients.Go(func() {
			conn, err := net.Dial("udp", r.udp)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			buf := make([]byte, 2048)
			for k := range 50 {
				id := uint16(i<<8 | k)
				if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
					t.Error(err)
				}
				if _, err := conn.Write(queryWire(t, id, "www", dns.TypeA, nil)); err != nil {
					t.Error(err)
					return
				}
				n, err := conn.Read(buf)
				if err != nil {
					t.Error(err)
					return
				}
				if m, err := dns.Parse(buf[:n]); err != nil || m.ID != id || len(m.Answer) != 1 {
					t.Errorf("%v, %v", m, err)
				}
			}
		})
	}
	clients.Wait()
}

// TestUDPAllocatesNothing: what the server does for a datagram, the handler
// aside, leaves no garbage.
func TestUDPAllocatesNothing(t *testing.T) {
	h := HandlerFunc(func(dst, query []byte, from Client) []byte {
		at := len(dst)
		dst = append(dst, query...)
		dst[at+2] |= 0x80
		return dst
	})
	r := start(t, Options{Handler: h, Rate: budget(1 << 40)})
	conn := dial(t, "udp", r.udp)
	query, buf := queryWire(t, 1, "www", dns.TypeA, nil), make([]byte, 2048)
	allocs := testing.AllocsPerRun(200, func() {
		if _, err := conn.Write(query); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(buf); err != nil {
			t.Fatal(err)
		}
	})
	if allocs >= 1 {
		t.Errorf("%v allocations for each query", allocs)
	}
}

func TestUDPTranscript(t *testing.T) {
	t.Parallel()
	sink := &sink{level: transcript.Bytes}
	recorder := transcript.New(transcript.Options{Sinks: []transcript.Sink{sink}})
	own := dialLater{}
	r := start(t, Options{Transcript: recorder, Quiet: own.quiet, Metrics: &own.counters, Rate: budget(1)})
	query := queryWire(t, 4711, "www", dns.TypeA, &dns.EDNS{UDPSize: 1232})
	if askUDP(t, r.udp, query) == nil {
		t.Fatal("no answer")
	}
	eventually(t, "the exchange is recorded", func() bool { return len(sink.records()) == 1 })
	rec := sink.records()[0]
	if rec.Service != "dns" || rec.Network != "udp" || rec.Local.String() != r.udp || !rec.Remote.IsValid() {
		t.Errorf("%+v", rec.Head)
	}
	want := []string{
		"query 4711 www.example.test. IN A +edns",
		"answer 4711 NOERROR aa 1/0/1 www.example.test. A 127.0.0.1",
	}
	if len(rec.Entries) != 2 || rec.Entries[0].Text != want[0] || rec.Entries[1].Text != want[1] ||
		rec.Entries[0].Dir != transcript.Received || rec.Entries[1].Dir != transcript.Sent ||
		!bytes.Equal(rec.Entries[0].Raw, query) {
		t.Errorf("%+v", rec.Entries)
	}
	// A client that the service knows leaves no trace, and has no rate.
	conn := dial(t, "udp", r.udp)
	own.addr.Store(conn.LocalAddr().(*net.UDPAddr).AddrPort())
	for range 2 {
		if _, err := conn.Write(query); err != nil {
			t.Fatal(err)
		}
		if readUDP(t, conn, 5*time.Second) == nil {
			t.Error("the quiet client got no answer")
		}
	}
	if n := len(sink.records()); n != 1 || own.seen() != "udp NOERROR" {
		t.Errorf("%d exchanges, counted %s", n, own.seen())
	}
}

// TestUDPTranscriptTimes: what was received is recorded when it was; what is no query is not, and what the handler is
// silent about is.
func TestUDPTranscriptTimes(t *testing.T) {
	t.Parallel()
	const thinks = 100 * time.Millisecond
	sink := &sink{level: transcript.Lines}
	inner := zoneHandler(t)
	h := HandlerFunc(func(dst, query []byte, from Client) []byte {
		time.Sleep(thinks)
		if query[1] == 8 {
			return dst
		}
		return inner.Respond(dst, query, from)
	})
	r := start(t, Options{Handler: h, Transcript: transcript.New(transcript.Options{Sinks: []transcript.Sink{sink}})})
	if askUDP(t, r.udp, queryWire(t, 7, "www", dns.TypeA, nil)) == nil {
		t.Fatal("no answer")
	}
	conn := dial(t, "udp", r.udp)
	for _, message := range [][]byte{[]byte("short"), queryWire(t, 8, "www", dns.TypeA, nil)} {
		if _, err := conn.Write(message); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both are recorded", func() bool { return len(sink.records()) == 2 })
	answered, silent := sink.records()[0], sink.records()[1]
	if took := answered.Entries[1].Time.Sub(answered.Entries[0].Time); took < thinks || answered.Entries[0].Time.Sub(answered.Start) > thinks {
		t.Errorf("begun %v, %+v", answered.Start, answered.Entries)
	}
	if n := len(silent.Entries); n != 2 || !strings.HasPrefix(silent.Entries[0].Text, "query 8") || silent.Entries[1].Dir != transcript.Note {
		t.Errorf("%+v", silent.Entries)
	}
}

type dialLater struct {
	counters
	addr atomic.Value
}

// quiet is true of the one client that was dialled.
func (d *dialLater) quiet(remote netip.AddrPort) bool { return d.addr.Load() == remote }

// sink keeps ended exchanges.
type sink struct {
	level transcript.Level
	mu    sync.Mutex
	ended []transcript.Record
}

func (s *sink) Level(string) transcript.Level                { return s.level }
func (s *sink) Begin(*transcript.Exchange)                   {}
func (s *sink) Entry(*transcript.Exchange, transcript.Entry) {}
func (s *sink) End(x *transcript.Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, x.Record())
}

func (s *sink) records() []transcript.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]transcript.Record(nil), s.ended...)
}

func TestSocketClosedFromOutside(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Handler: zoneHandler(t)})
	if err != nil {
		t.Fatal(err)
	}
	pc, err := host.NewOS(host.OSOptions{}).ListenPacket(context.Background(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- s.ServePacket(pc) }()
	time.Sleep(10 * time.Millisecond)
	_ = pc.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
	if _, err := New(Options{}); err == nil {
		t.Error("a server without a handler")
	}
}

// BenchmarkUDP counts round trips of several clients with a zone behind the
// server; both sides share the processors.
func BenchmarkUDP(b *testing.B) {
	r := start(b, Options{})
	query := queryWire(b, 1, "www", dns.TypeA, &dns.EDNS{UDPSize: 1232})
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("udp", r.udp)
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		buf := make([]byte, 2048)
		for pb.Next() {
			if _, err := conn.Write(query); err != nil {
				b.Error(err)
				return
			}
			if _, err := conn.Read(buf); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
