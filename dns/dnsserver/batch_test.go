package dnsserver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/host/batch"
	"github.com/network-utopia/utopia/internal/leftout"
	"github.com/network-utopia/utopia/transcript"
)

// held is a handler that waits inside of its first query, so that those that
// arrive meanwhile make one batch.
type held struct {
	Handler
	once         sync.Once
	inside, goOn chan struct{}
}

func holding(h Handler) *held {
	return &held{Handler: h, inside: make(chan struct{}), goOn: make(chan struct{})}
}

func (h *held) Respond(dst, query []byte, from Client) []byte {
	h.once.Do(func() { close(h.inside); <-h.goOn })
	return h.Handler.Respond(dst, query, from)
}

// inOneBatch sends queries that are read together, and gives the answers by id.
func inOneBatch(t *testing.T, r *running, h *held, queries ...[]byte) map[uint16]*dns.Message {
	t.Helper()
	first, conn := dial(t, "udp", r.udp), dial(t, "udp", r.udp)
	if _, err := first.Write(queryWire(t, 1, "www", dns.TypeA, nil)); err != nil {
		t.Fatal(err)
	}
	<-h.inside
	for _, q := range queries {
		if _, err := conn.Write(q); err != nil {
			t.Fatal(err)
		}
	}
	close(h.goOn)
	answers, wait := map[uint16]*dns.Message{}, 5*time.Second
	for {
		wire := readUDP(t, conn, wait)
		if wire == nil {
			return answers
		}
		wait = 300 * time.Millisecond // the others were sent with it
		m := parse(t, wire)
		answers[m.ID] = m
	}
}

// onlyLinux leaves out what needs many datagrams in one call.
func onlyLinux(t *testing.T) {
	t.Helper()
	c, err := batch.New(listenUDP(t), batch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Size() == 1 {
		leftout.Because(t, "this system reads one datagram at a time")
	}
}

func listenUDP(t testing.TB) net.PacketConn {
	t.Helper()
	pc, err := host.NewOS(host.OSOptions{}).ListenPacket(context.Background(), "udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	return pc
}

// batches is a Metrics that notes how often it is told something.
type batches struct {
	counters
	calls []string
}

func (b *batches) Answered(t Transport, a *Answers) {
	b.counters.Answered(t, a)
	b.mu.Lock()
	defer b.mu.Unlock()
	for code := range a.Codes() {
		b.calls = append(b.calls, code.String())
	}
}

// One bad datagram costs none of the others of its batch, and what is counted is
// counted once for all of it.
func TestBatch(t *testing.T) {
	t.Parallel()
	onlyLinux(t)
	m, sink := &batches{}, &sink{level: transcript.Lines}
	inner := zoneHandler(t)
	h := holding(HandlerFunc(func(dst, query []byte, from Client) []byte {
		switch query[1] {
		case 66:
			panic("a bug")
		case 67:
			return dst
		}
		return inner.Respond(dst, query, from)
	}))
	r := start(t, Options{Handler: h, Metrics: m, Transcript: transcript.New(transcript.Options{Sinks: []transcript.Sink{sink}})})
	response := queryWire(t, 99, "www", dns.TypeA, nil)
	response[2] |= 0x80
	answers := inOneBatch(t, r, h,
		queryWire(t, 10, "www", dns.TypeA, nil), []byte("short"), queryWire(t, 66, "www", dns.TypeA, nil),
		queryWire(t, 11, "no", dns.TypeA, nil), response, queryWire(t, 67, "www", dns.TypeA, nil), []byte("short"),
		queryWire(t, 12, "ns1", dns.TypeA, nil))
	if len(answers) != 3 || answers[10] == nil || answers[12] == nil || answers[11].Rcode != dns.RcodeNXDomain {
		t.Errorf("%v", answers)
	}
	eventually(t, "all is counted", func() bool {
		return m.panicked() == 1 && m.count(RefusedShort) == 2 && m.count(RefusedResponse) == 1 && m.count(RefusedSilent) == 1 &&
			m.seen() == "udp NOERROR, udp NOERROR, udp NOERROR, udp NXDOMAIN"
	})
	if got := strings.Join(m.calls, " "); got != "NOERROR NOERROR NXDOMAIN" { // the first was alone
		t.Errorf("told of %s", got)
	}
	eventually(t, "all queries are recorded", func() bool { return len(sink.records()) == 6 })
	for _, rec := range sink.records() {
		last := rec.Entries[len(rec.Entries)-1]
		answered := !strings.HasPrefix(rec.Entries[0].Text, "query 6")
		if len(rec.Entries) != 2 || (last.Dir == transcript.Sent) != answered || (last.Text == "not answered") == answered {
			t.Errorf("%+v", rec.Entries)
		}
	}
}

// The octets of a batch's messages are counted.
func TestOctetsAreCounted(t *testing.T) {
	t.Parallel()
	m := &counters{}
	r := start(t, Options{Metrics: m})
	in, out := 0, 0
	for _, name := range []string{"www", "no", "ns1"} {
		query := queryWire(t, 1, name, dns.TypeA, nil)
		in, out = in+len(query), out+len(askUDP(t, r.udp, query))
	}
	eventually(t, "the octets are counted", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.in == in && m.out == out
	})
}

// What a sink's share has no room for is not begun, and counted.
func TestTranscriptsOfABusyServer(t *testing.T) {
	t.Parallel()
	ring := transcript.NewRing(100, 3)
	var own atomic.Bool
	r := start(t, Options{
		Transcript: transcript.New(transcript.Options{Sinks: []transcript.Sink{ring}}),
		Quiet:      func(netip.AddrPort) bool { return own.Load() },
	})
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // the beginning of a second
	for range 10 {
		if askUDP(t, r.udp, queryWire(t, 1, "www", dns.TypeA, nil)) == nil {
			t.Fatal("no answer")
		}
	}
	eventually(t, "ten are recorded or passed", func() bool { return len(ring.Recent(99))+int(ring.Passed()) == 10 })
	own.Store(true)
	for range 3 {
		if askUDP(t, r.udp, queryWire(t, 1, "www", dns.TypeA, nil)) == nil {
			t.Fatal("no answer")
		}
	}
	r.stop(t)
	if n := len(ring.Recent(99)) + int(ring.Passed()); n != 10 {
		t.Errorf("%d were recorded or passed: quiet clients leave no trace", n)
	}
	if n := len(ring.Recent(99)); n < 3 || n > 6 { // a second may have ended meanwhile
		t.Errorf("%d are recorded", n)
	}
}

// A query of as many octets as may be is read, one that is longer is not.
func TestUDPQuerySize(t *testing.T) {
	t.Parallel()
	for _, most := range []int{0, 512, 1000, 100} {
		r := start(t, Options{MaxUDPQuery: most})
		most = max(most, 512) // a limit below 512 is none
		if r.opts.MaxUDPQuery != most && most != 512 {
			t.Errorf("%d", r.opts.MaxUDPQuery)
		}
		limit := r.opts.MaxUDPQuery
		for size, want := range map[int]dns.Rcode{limit - 1: dns.RcodeSuccess, limit: dns.RcodeSuccess, limit + 1: dns.RcodeFormErr, 60000: dns.RcodeFormErr} {
			got := parse(t, askUDP(t, r.udp, padded(t, 5, size)))
			if got.Rcode != want || got.ID != 5 || !got.Response {
				t.Errorf("at most %d, a query of %d octets: %s", limit, size, dns.Summary(got))
			}
		}
	}
	// What was cut off may look whole: it is not answered for what it seems.
	r := start(t, Options{MaxUDPQuery: 512})
	if got := parse(t, askUDP(t, r.udp, append(padded(t, 5, 512), 0))); got.Rcode != dns.RcodeFormErr || len(got.Question) != 0 {
		t.Errorf("%s", dns.Summary(got))
	}
}

func TestBatchSize(t *testing.T) {
	t.Parallel()
	onlyLinux(t)
	m := &batches{}
	h := holding(zoneHandler(t))
	r := start(t, Options{Handler: h, Metrics: m, Batch: 3})
	var queries [][]byte
	for id := range uint16(7) {
		queries = append(queries, queryWire(t, 10+id, "www", dns.TypeA, nil))
	}
	if got := len(inOneBatch(t, r, h, queries...)); got != 7 {
		t.Errorf("%d answers", got)
	}
	eventually(t, "the batches are 1, 3, 3 and 1", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.calls) == 4 && len(m.exchanges) == 8
	})
}

// troubled is a socket that fails now and then.
type troubled struct {
	net.PacketConn
	reads, writes []error
}

func (c *troubled) ReadFrom(p []byte) (int, net.Addr, error) {
	if err := next(&c.reads); err != nil {
		return 0, nil, err
	}
	return c.PacketConn.ReadFrom(p)
}

func (c *troubled) WriteTo(p []byte, to net.Addr) (int, error) {
	if err := next(&c.writes); err != nil {
		return 0, err
	}
	return c.PacketConn.WriteTo(p, to)
}

func next(errs *[]error) (err error) {
	if len(*errs) > 0 {
		err, *errs = (*errs)[0], (*errs)[1:]
	}
	return err
}

// A socket that fails for a moment goes on; an answer that cannot be sent is
// counted and recorded.
func TestTroubledSocket(t *testing.T) {
	t.Parallel()
	m, sink := &counters{}, &sink{level: transcript.Lines}
	s, err := New(Options{
		Handler: zoneHandler(t), Metrics: m, Transcript: transcript.New(transcript.Options{Sinks: []transcript.Sink{sink}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	pc := &troubled{
		PacketConn: listenUDP(t), reads: []error{syscall.ENOBUFS, nil, syscall.ENOBUFS, syscall.ENOBUFS, nil, syscall.ENOBUFS},
		writes: []error{syscall.ENETUNREACH},
	}
	ended := make(chan error)
	go func() { ended <- s.ServePacket(pc) }()
	conn := dial(t, "udp", pc.LocalAddr().String())
	for id := range uint16(3) {
		if _, err := conn.Write(queryWire(t, id, "www", dns.TypeA, nil)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []uint16{1, 2} {
		if got := parse(t, readUDP(t, conn, 5*time.Second)); got.ID != want {
			t.Errorf("answer %d, want %d", got.ID, want)
		}
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, ErrServerClosed) {
		t.Error(err)
	}
	if m.count(RefusedWrite) != 1 || m.seen() != "udp NOERROR, udp NOERROR" {
		t.Errorf("counted %v, %s", m.refused, m.seen())
	}
	if e := sink.records()[0].Entries; len(e) != 2 || e[1].Text != "the answer cannot be sent" {
		t.Errorf("%+v", e)
	}
}

// What failed after queries were answered is no reason to wait; what fails
// without is.
func TestReadAgain(t *testing.T) {
	t.Parallel()
	pc := &troubled{PacketConn: listenUDP(t), reads: []error{nil, syscall.ENOBUFS, syscall.ENOBUFS, nil, net.ErrClosed}}
	s, err := New(Options{Handler: zoneHandler(t)})
	if err != nil {
		t.Fatal(err)
	}
	c, err := batch.New(pc, batch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(s, c)
	conn := dial(t, "udp", pc.LocalAddr().String())
	for range 2 {
		if _, err := conn.Write(queryWire(t, 1, "www", dns.TypeA, nil)); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []error{nil, syscall.ENOBUFS, net.ErrClosed} {
		if err := r.read(); !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", i, err, want)
		}
	}
}

// A hard stop waits for a handler that is at work, and nobody else has to.
func TestHardShutdownOverUDP(t *testing.T) {
	t.Parallel()
	h := holding(zoneHandler(t))
	r := start(t, Options{Handler: h})
	if _, err := dial(t, "udp", r.udp).Write(queryWire(t, 1, "www", dns.TypeA, nil)); err != nil {
		t.Fatal(err)
	}
	<-h.inside
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	stopped, counted := make(chan error, 1), make(chan int, 1)
	go func() { stopped <- r.Shutdown(ctx) }()
	time.Sleep(100 * time.Millisecond) // it is hard now, and waits
	go func() { counted <- r.loop.Conns() }()
	select {
	case <-counted:
	case <-time.After(5 * time.Second):
		t.Error("whoever ends a connection waits, too")
	}
	close(h.goOn)
	if err := <-stopped; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// BenchmarkAround is what the server does for a query apart from the handler and
// the system calls, in batches of 1 and of 64.
func BenchmarkAround(b *testing.B) {
	for name, size := range map[string]int{"batches of 1": 1, "batches of 64": 64} {
		b.Run(name, func(b *testing.B) {
			h := HandlerFunc(func(dst, query []byte, from Client) []byte { return append(dst, query...) })
			ring := transcript.NewRing(100, 0)
			s, err := New(Options{Handler: h, Rate: budget(1 << 60), Transcript: transcript.New(transcript.Options{Sinks: []transcript.Sink{ring}})})
			if err != nil {
				b.Fatal(err)
			}
			conn, err := batch.New(listenUDP(b), batch.Options{Size: size})
			if err != nil {
				b.Fatal(err)
			}
			r := newReader(s, conn)
			query, room := queryWire(b, 1, "www", dns.TypeA, nil), make([]byte, 0, 512)
			queries := make([]batch.Datagram, size)
			b.ReportAllocs()
			for n := 0; n < b.N; n += size {
				for i := range queries {
					queries[i] = batch.Datagram{
						Data: query, Answer: room,
						Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), 999), Local: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 2}), 53),
					}
				}
				r.serve(queries)
			}
		})
	}
}
