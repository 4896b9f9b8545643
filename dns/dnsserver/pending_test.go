package dnsserver

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/transcript"
)

// patient answers later whatever is about a name that begins with "later", or is no plain query: once the message's ID
// is released, or with SERVFAIL once the context has ended.
type patient struct {
	Handler
	asked   chan uint16  // IDs that are being worked out
	ended   atomic.Int64 // contexts that have ended before their answers were ready
	running atomic.Int64 // that are being worked out now
	parents chan transcript.ID
	answer  func(dst, query []byte) []byte // nil asks Handler
	dally   time.Duration                  // how long an end of the context is ignored

	mu    sync.Mutex
	gates map[uint16]chan struct{}
}

func newPatient(t testing.TB) *patient {
	return &patient{
		Handler: zoneHandler(t), asked: make(chan uint16, 4096), parents: make(chan transcript.ID, 4096),
		gates: map[uint16]chan struct{}{},
	}
}

func (p *patient) Later(query []byte, _ Client) bool {
	return query[2]&0x78 != 0 || bytes.Contains(query, []byte("\x05later"))
}

func (p *patient) RespondLater(ctx context.Context, dst, query []byte, from Client) []byte {
	p.running.Add(1)
	defer p.running.Add(-1)
	id := uint16(query[0])<<8 | uint16(query[1])
	from.Tell(uint32(id), false)
	p.asked <- id
	p.parents <- transcript.ParentOf(ctx)
	select {
	case <-p.gate(id):
	case <-ctx.Done():
		p.ended.Add(1)
		time.Sleep(p.dally)
		return failure(dst, query, dns.RcodeServFail)
	}
	if p.answer != nil {
		return p.answer(dst, query)
	}
	return p.Respond(dst, query, from)
}

func (p *patient) gate(id uint16) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gates[id] == nil {
		p.gates[id] = make(chan struct{})
	}
	return p.gates[id]
}

// release has answers be ready.
func (p *patient) release(ids ...uint16) {
	for _, id := range ids {
		close(p.gate(id))
	}
}

// wantAsked waits until some messages are being worked out.
func (p *patient) wantAsked(t testing.TB, ids ...uint16) {
	t.Helper()
	var got []uint16
	for range ids {
		select {
		case id := <-p.asked:
			got = append(got, id)
		case <-time.After(5 * time.Second):
			t.Fatalf("asked about %d, want %d", got, ids)
		}
	}
	if slices.Sort(got); !slices.Equal(got, ids) {
		t.Fatalf("asked about %d, want %d", got, ids)
	}
}

func send(t testing.TB, conn net.Conn, messages ...[]byte) {
	t.Helper()
	if _, err := conn.Write(bytes.Join(messages, nil)); err != nil {
		t.Fatal(err)
	}
}

// later and soon are queries over TCP.
func later(t testing.TB, id uint16) []byte {
	return framed(queryWire(t, id, "later", dns.TypeA, nil))
}

func soon(t testing.TB, id uint16) []byte { return framed(queryWire(t, id, "www", dns.TypeA, nil)) }

// wantIDs reads answers and compares "ID code" of each.
func wantIDs(t testing.TB, conn net.Conn, want ...string) {
	t.Helper()
	for _, w := range want {
		wire, err := readTCP(conn)
		if err != nil {
			t.Fatalf("want %s: %v", w, err)
		}
		if m := parse(t, wire); fmt.Sprint(m.ID, " ", m.Rcode) != w {
			t.Fatalf("%s, want %s", dns.Summary(m), w)
		}
	}
}

// wantNothing wants no message for a while.
func wantNothing(t testing.TB, conn net.Conn) {
	t.Helper()
	if wire := readUDP(t, conn, 50*time.Millisecond); wire != nil {
		t.Fatalf("%x", wire)
	}
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
}

func TestAnswersOutOfOrder(t *testing.T) {
	t.Parallel()
	for _, over := range []Transport{TCP, TLS} {
		m, h := &counters{}, newPatient(t)
		s := startTLS(t, Options{Handler: h, Metrics: m})
		conn := dial(t, "tcp", s.tcp)
		if over == TLS {
			conn = s.dial(t)
		}
		send(t, conn, later(t, 1), soon(t, 2), later(t, 3), soon(t, 4))
		wantIDs(t, conn, "2 NOERROR", "4 NOERROR")
		h.wantAsked(t, 1, 3)
		h.release(3)
		wantIDs(t, conn, "3 NXDOMAIN")
		send(t, conn, soon(t, 5))
		wantIDs(t, conn, "5 NOERROR")
		h.release(1)
		wantIDs(t, conn, "1 NXDOMAIN")
		eventually(t, "all are counted", func() bool {
			return strings.Count(m.seen(), over.String()+" NOERROR") == 3 && strings.Count(m.seen(), over.String()+" NXDOMAIN") == 2
		})
	}
}

func TestAnswersLaterOverUDP(t *testing.T) {
	t.Parallel()
	m, h := &counters{}, newPatient(t)
	r := startAt(t, Options{Handler: h, Metrics: m}, "udp4", "0.0.0.0")
	// A connected socket takes answers from the address asked alone.
	conn := dial(t, "udp", fmt.Sprintf("127.0.0.9:%d", loopbackPort(t, r.udp)))
	send(t, conn, later(t, 1)[2:])
	send(t, conn, soon(t, 2)[2:])
	send(t, conn, later(t, 3)[2:])
	h.wantAsked(t, 1, 3)
	for _, id := range []uint16{2, 3, 1} {
		if id != 2 {
			h.release(id)
		}
		if got := parse(t, readUDP(t, conn, 5*time.Second)); got.ID != id || got.Question[0].Name.String() != map[bool]string{true: "www.example.test.", false: "later.example.test."}[id == 2] {
			t.Errorf("%s, want %d", dns.Summary(got), id)
		}
	}
	eventually(t, "all are counted", func() bool {
		return strings.Count(m.seen(), "udp NOERROR") == 1 && strings.Count(m.seen(), "udp NXDOMAIN") == 2
	})
}

// TestTellOfLaterAnswers: what is told of one stays with it, while others come and go.
func TestTellOfLaterAnswers(t *testing.T) {
	t.Parallel()
	m, h := &counters{}, newPatient(t)
	r := start(t, Options{Handler: h, Metrics: m})
	conn, udp := dial(t, "tcp", r.tcp), dial(t, "udp", r.udp)
	send(t, conn, later(t, 1), later(t, 2), soon(t, 3))
	send(t, udp, later(t, 4)[2:])
	send(t, udp, later(t, 5)[2:])
	h.wantAsked(t, 1, 2, 4, 5)
	h.release(2, 1, 5, 4)
	want := map[string]int{"zone 1": 1, "zone 2": 1, "zone 4": 1, "zone 5": 1}
	eventually(t, "each is counted with its zone", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		for zone, n := range want {
			if m.kinds[zone] != n {
				return false
			}
		}
		return len(m.exchanges) == 5
	})
}

func TestAnswersLaterOnOtherPacketConns(t *testing.T) {
	t.Parallel()
	h := newPatient(t)
	s, err := New(Options{Handler: h})
	if err != nil {
		t.Fatal(err)
	}
	pc := packets{listenUDP(t)}
	ended := make(chan error)
	go func() { ended <- s.ServePacket(pc) }()
	conn := dial(t, "udp", pc.LocalAddr().String())
	send(t, conn, later(t, 1)[2:])
	h.wantAsked(t, 1)
	send(t, conn, soon(t, 2)[2:])
	for _, id := range []uint16{2, 1} {
		if got := parse(t, readUDP(t, conn, 5*time.Second)); got.ID != id {
			t.Errorf("%s, want %d", dns.Summary(got), id)
		}
		if id == 2 {
			h.release(1)
		}
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != ErrServerClosed {
		t.Error(err)
	}
}

func TestAnswersLaterOverHTTPS(t *testing.T) {
	t.Parallel()
	m, h := &counters{}, newPatient(t)
	s := web(t, Options{Handler: h, Metrics: m, MaxPending: 1})
	ask := func(ctx context.Context, id uint16) (*httptest.ResponseRecorder, chan struct{}) {
		w, done := httptest.NewRecorder(), make(chan struct{})
		target := "/dns-query?dns=" + base64.RawURLEncoding.EncodeToString(later(t, id)[2:])
		go func() {
			defer close(done)
			s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil).WithContext(ctx))
		}()
		return w, done
	}
	code := func(w *httptest.ResponseRecorder, done chan struct{}) string {
		<-done
		return fmt.Sprint(w.Code, " ", parse(t, w.Body.Bytes()).Rcode)
	}
	first, firstDone := ask(t.Context(), 1)
	h.wantAsked(t, 1)
	if got := code(ask(t.Context(), 2)); got != "200 SERVFAIL" || m.count(RefusedPending) != 1 {
		t.Errorf("one past the limit: %s, %d refused", got, m.count(RefusedPending))
	}
	h.release(1)
	if got := code(first, firstDone); got != "200 NXDOMAIN" {
		t.Error(got)
	}
	// The context ends with the request, and with the patience of Shutdown.
	gone, cancel := context.WithCancel(t.Context())
	_, done := ask(gone, 3)
	h.wantAsked(t, 3)
	cancel()
	<-done
	_, done = ask(t.Context(), 4)
	h.wantAsked(t, 4)
	s.cancel()
	<-done
	if h.ended.Load() != 2 {
		t.Errorf("%d contexts have ended", h.ended.Load())
	}
}

func TestMaxPending(t *testing.T) {
	t.Parallel()
	for what, opts := range map[string]Options{"of the server": {MaxPending: 2}, "of a client": {MaxPendingClient: 2}} {
		m, h := &counters{}, newPatient(t)
		opts.Handler, opts.Metrics = h, m
		r := start(t, opts)
		udp := dial(t, "udp", r.udp)
		for id := range uint16(2) {
			send(t, udp, later(t, id)[2:])
		}
		h.wantAsked(t, 0, 1)
		// One past the limit over UDP is dropped.
		send(t, udp, later(t, 2)[2:])
		eventually(t, "it is counted", func() bool { return m.count(RefusedPending) == 1 })
		send(t, udp, soon(t, 3)[2:])
		if got := parse(t, readUDP(t, udp, 5*time.Second)); got.ID != 3 {
			t.Errorf("%s: %s", what, dns.Summary(got))
		}
		// That takes nothing from TCP. One past the limit has an answer there, and its connection goes on.
		one, two := dial(t, "tcp", r.tcp), dial(t, "tcp", r.tcp)
		send(t, one, later(t, 11))
		send(t, two, later(t, 12))
		h.wantAsked(t, 11, 12)
		send(t, two, bytes.Repeat(later(t, 13), DefaultMaxPendingConn)) // which takes no place of the connection's either
		for range DefaultMaxPendingConn {
			wantIDs(t, two, "13 SERVFAIL")
		}
		send(t, two, soon(t, 14))
		wantIDs(t, two, "14 NOERROR")
		if m.count(RefusedPending) != 1+DefaultMaxPendingConn {
			t.Errorf("%s: %d refused", what, m.count(RefusedPending))
		}
		// There is room once others are done.
		h.release(0, 1, 11, 12, 2, 15)
		wantIDs(t, one, "11 NXDOMAIN")
		wantIDs(t, two, "12 NXDOMAIN")
		eventually(t, "all places are free", func() bool {
			return r.placesOf(UDP).left() == 2 && r.placesOf(TLS).left() == 2
		})
		for range 2 {
			readUDP(t, udp, 5*time.Second)
		}
		send(t, two, later(t, 15))
		wantIDs(t, two, "15 NXDOMAIN")
		send(t, udp, later(t, 2)[2:])
		if got := parse(t, readUDP(t, udp, 5*time.Second)); got.ID != 2 {
			t.Errorf("%s: %s", what, dns.Summary(got))
		}
	}
}

// left is how many places the clients of a test have, which are one.
func (p *places) left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.of) == 0 && p.taken == 0 {
		return min(p.most, p.each)
	}
	return -1
}

// A client is an IPv4 address, or the /64 of an IPv6 address.
func TestPlaces(t *testing.T) {
	t.Parallel()
	p := &places{most: 5, each: 2}
	for _, c := range []struct {
		client string
		want   bool
	}{
		{"192.0.2.1", true}, {"192.0.2.1", true}, {"192.0.2.1", false},
		{"2001:db8::1", true}, {"2001:db8::ffff:1%eth0", true}, {"2001:db8::2", false},
		{"2001:db8:0:1::1", true}, {"2001:db8:0:2::1", false}, // the sixth
	} {
		if got := p.take(netip.MustParseAddr(c.client)); got != c.want {
			t.Errorf("%s: %v", c.client, got)
		}
	}
	p.give(netip.MustParseAddr("2001:db8::2"))
	if p.take(netip.MustParseAddr("192.0.2.1")) || !p.take(netip.MustParseAddr("192.0.2.2")) {
		t.Error("a place went to the wrong client")
	}
	for _, client := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"} {
		p.give(netip.MustParseAddr(client))
	}
	if p.taken != 0 || len(p.of) != 0 {
		t.Errorf("%d are taken, of %v", p.taken, p.of)
	}
}
