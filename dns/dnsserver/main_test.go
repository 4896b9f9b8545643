package dnsserver

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/authority"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/host"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testZone = `$TTL 300
@    SOA ns1 host 1 2 3 4 60
@    NS  ns1
ns1  A   192.0.2.53
www  A   127.0.0.1
$GENERATE 1-200 big A 192.0.2.$
$GENERATE 1-200 huge TXT "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789 $"
$GENERATE 1-31 mid A 192.0.2.$
`

// zoneHandler answers for example.test.
func zoneHandler(t testing.TB) Handler {
	t.Helper()
	opts := zone.ReadOptions{Origin: dns.MustParseName("example.test.")}
	z, _, err := zone.Load(strings.NewReader(testZone), opts)
	if err != nil {
		t.Fatal(err)
	}
	set, err := zone.NewSet(z)
	if err != nil {
		t.Fatal(err)
	}
	return HandlerFunc(func(dst, query []byte, from Client) []byte {
		return authority.Respond(set, dst, query, from.MaxUDP)
	})
}

// running is a server on one loopback port.
type running struct {
	*Server
	udp, tcp string
	ended    chan error
	loops    int
}

func start(t testing.TB, opts Options) *running {
	t.Helper()
	return startAt(t, opts, "udp", "127.0.0.1")
}

func startAt(t testing.TB, opts Options, network, ip string) *running {
	t.Helper()
	if opts.Handler == nil {
		opts.Handler = zoneHandler(t)
	}
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	os := host.NewOS(host.OSOptions{})
	pc, err := os.ListenPacket(context.Background(), network, net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := os.Listen(context.Background(), "tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	r := &running{Server: s, udp: pc.LocalAddr().String(), tcp: l.Addr().String(), ended: make(chan error, 2), loops: 2}
	go func() { r.ended <- s.ServePacket(pc) }()
	go func() { r.ended <- s.Serve(l) }()
	t.Cleanup(func() { r.stop(t) })
	return r
}

// stop ends the server and wants every loop to say why it ended.
func (r *running) stop(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := r.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	for ; r.loops > 0; r.loops-- {
		if err := <-r.ended; err != ErrServerClosed {
			t.Errorf("a loop ended with %v", err)
		}
	}
}

// counters is a Metrics that remembers.
type counters struct {
	mu        sync.Mutex
	exchanges []string
	in, out   int // octets
	kinds     map[string]int
	refused   map[Refusal]int
	panics    int
}

func (c *counters) Answered(t Transport, a *Answers) {
	c.mu.Lock()
	defer c.mu.Unlock()
	total := 0
	for code, v := range a.Codes() {
		if v.N < 1 || v.In < v.N*dns.HeaderLen || v.Out < v.N*dns.HeaderLen {
			c.exchanges = append(c.exchanges, "impossible")
		}
		for range v.N {
			c.exchanges = append(c.exchanges, t.String()+" "+code.String())
		}
		total += v.N
		c.in, c.out = c.in+v.In, c.out+v.Out
	}
	if c.kinds == nil {
		c.kinds = map[string]int{}
	}
	for typ, n := range a.Types() {
		c.kinds[typ.String()] += n
		total -= n
	}
	for op, n := range a.Opcodes() {
		c.kinds[op.String()] += n
		total -= n
	}
	for zone, n := range a.Zones() {
		c.kinds[fmt.Sprint("zone ", zone)] += n
	}
	if total != 0 {
		c.exchanges = append(c.exchanges, "impossible")
	}
	for what, n := range map[string]int{"TC": a.Truncated, "DO": a.DNSSEC} {
		if n > 0 {
			c.kinds[what] += n
		}
	}
}

// kindsSeen gives all that was counted beside the codes.
func (c *counters) kindsSeen() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(c.kinds)
}

func (c *counters) Refused(_ Transport, why Refusal, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused == nil {
		c.refused = map[Refusal]int{}
	}
	c.refused[why] += n
}

func (c *counters) Panic(Transport) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.panics++
}

func (c *counters) count(why Refusal) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused[why]
}

func (c *counters) panicked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.panics
}

func (c *counters) seen() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.exchanges, ", ")
}

// eventually waits for something that happens in another goroutine.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Errorf("never: %s", what)
}

// queryWire makes a query for a name of example.test. (or an absolute one).
func queryWire(t testing.TB, id uint16, name string, typ dns.Type, edns *dns.EDNS) []byte {
	t.Helper()
	n, err := dns.ParseName(name, dns.MustParseName("example.test."))
	if err != nil {
		t.Fatal(err)
	}
	q := dns.NewQuery(id, n, typ)
	q.EDNS = edns
	wire, err := q.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

func dial(t testing.TB, network, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// askUDP sends octets and gives the answer, nil when none came in a while.
func askUDP(t testing.TB, addr string, wire []byte) []byte {
	t.Helper()
	conn := dial(t, "udp", addr)
	if _, err := conn.Write(wire); err != nil {
		t.Fatal(err)
	}
	return readUDP(t, conn, 2*time.Second)
}

func readUDP(t testing.TB, conn net.Conn, wait time.Duration) []byte {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 65536)
	n, err := conn.Read(buf)
	if err != nil {
		return nil
	}
	return buf[:n]
}

func framed(wire []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...)
}

// readTCP reads one message.
func readTCP(conn net.Conn) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	wire := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(conn, wire)
	return wire, err
}

func parse(t testing.TB, wire []byte) *dns.Message {
	t.Helper()
	m, err := dns.Parse(wire)
	if err != nil {
		t.Fatalf("%v: %x", err, wire)
	}
	return m
}

// TestForeignClient: miekg/dns's client agrees.
func TestForeignClient(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	for _, tt := range []struct {
		network, addr, name string
		typ                 uint16
		size                uint16
		want                string
	}{
		{"udp", r.udp, "www.example.test.", mdns.TypeA, 0, "NOERROR 1 false"},
		{"tcp", r.tcp, "www.example.test.", mdns.TypeA, 0, "NOERROR 1 false"},
		{"udp", r.udp, "no.example.test.", mdns.TypeA, 1232, "NXDOMAIN 0 false"},
		{"udp", r.udp, "big.example.test.", mdns.TypeA, 0, "NOERROR 0 true"},
		{"udp", r.udp, "big.example.test.", mdns.TypeA, 4096, "NOERROR 0 true"},
		{"udp", r.udp, "mid.example.test.", mdns.TypeA, 0, "NOERROR 0 true"},
		{"udp", r.udp, "mid.example.test.", mdns.TypeA, 1232, "NOERROR 31 false"},
		{"tcp", r.tcp, "big.example.test.", mdns.TypeA, 0, "NOERROR 200 false"},
		{"tcp", r.tcp, "huge.example.test.", mdns.TypeTXT, 512, "NOERROR 200 false"},
		{"udp", r.udp, "example.com.", mdns.TypeA, 0, "REFUSED 0 false"},
	} {
		c := &mdns.Client{Net: tt.network, Timeout: 5 * time.Second}
		q := new(mdns.Msg).SetQuestion(tt.name, tt.typ)
		if tt.size > 0 {
			q.SetEdns0(tt.size, false)
		}
		a, _, err := c.Exchange(q, tt.addr)
		if err != nil {
			t.Errorf("%s %s: %v", tt.network, tt.name, err)
			continue
		}
		got := fmt.Sprint(mdns.RcodeToString[a.Rcode], " ", len(a.Answer), " ", a.Truncated)
		if got != tt.want {
			t.Errorf("%s %s size %d: %s, want %s", tt.network, tt.name, tt.size, got, tt.want)
		}
	}
}

// loopbackPort gives the port of an address as text.
func loopbackPort(t testing.TB, addr string) uint16 {
	t.Helper()
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return ap.Port()
}
