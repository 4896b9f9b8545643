package dnsclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host/emunet"
)

var testZone = dns.MustParseName("example.test.")

// primary is a name server on a network of its own, in virtual time, that sends
// the messages of a transfer as a test tells it to.
type primary struct {
	t      *testing.T
	client *emunet.Host
	asked  []string // the questions, as "udp IXFR 4" or "tcp AXFR"
}

const primaryAddr = "192.0.2.53"

// message makes one message of a transfer in answer to q.
type message func(q *dns.Message) *dns.Message

// newPrimary answers each question over UDP with udp's message, where it is
// not nil, and over TCP with messages until one of them is nil.
func newPrimary(t *testing.T, udp message, tcp func(q *dns.Message, nth int) *dns.Message) *primary {
	n := emunet.New(1)
	t.Cleanup(func() { n.Close() })
	p := &primary{t: t, client: n.Host("client", "192.0.2.1")}
	server := n.Host("primary", primaryAddr)
	n.Link(p.client, server, emunet.Delay(10*time.Millisecond))
	pc, err := server.ListenPacket(t.Context(), "udp", ":53")
	if err != nil {
		t.Fatal(err)
	}
	l, err := server.Listen(t.Context(), "tcp", ":53")
	if err != nil {
		t.Fatal(err)
	}
	go p.packets(pc, udp)
	go p.streams(l, tcp)
	return p
}

func (p *primary) saw(network string, q *dns.Message) {
	line := network + " " + q.Question[0].Type.String()
	if len(q.Authority) > 0 {
		soa, _ := q.Authority[0].SOA()
		line += fmt.Sprint(" ", soa.Serial)
	}
	p.asked = append(p.asked, line)
}

func (p *primary) packets(pc net.PacketConn, udp message) {
	buffer := make([]byte, 65536)
	for {
		n, from, err := pc.ReadFrom(buffer)
		if err != nil {
			return
		}
		q, err := dns.Parse(buffer[:n])
		if err != nil {
			p.t.Error(err)
			return
		}
		p.saw("udp", q)
		if udp != nil {
			pc.WriteTo(pack(p.t, udp(q)), from)
		}
	}
}

func (p *primary) streams(l net.Listener, tcp func(*dns.Message, int) *dns.Message) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			q, err := dns.Parse(readFrame(conn))
			if err != nil {
				p.t.Error(err)
				return
			}
			p.saw("tcp", q)
			for nth := 0; ; nth++ {
				m := tcp(q, nth)
				if m == nil {
					break
				}
				if _, err := conn.Write(frame(pack(p.t, m))); err != nil {
					return
				}
			}
			io.Copy(io.Discard, conn) // until the client has had enough
		}()
	}
}

// part makes a message with records, as rrs reads them.
func part(t testing.TB, q *dns.Message, records string) *dns.Message {
	m := q.Reply(dns.RcodeSuccess)
	m.Authoritative = true
	if records != "" {
		m.Answer = rrs(t, records)
	}
	return m
}

// parts sends one message for each line of records, the question in the first
// alone, as RFC 5936 section 2.2.1 allows.
func parts(t testing.TB, lines ...string) func(*dns.Message, int) *dns.Message {
	return func(q *dns.Message, nth int) *dns.Message {
		if nth >= len(lines) {
			return nil
		}
		m := part(t, q, lines[nth])
		if nth > 0 {
			m.Question = nil
		}
		return m
	}
}

// carry transfers and tells in one line what came.
func (p *primary) carry(opts Options, q *dns.Message) (told string, x *Transfer, err error) {
	opts.Host = p.client
	x = New(opts).Transfer(primaryAddr, q)
	for rr, e := range x.Records(p.t.Context()) {
		if e != nil {
			err = e
			break
		}
		told += string("=.-+"[rr.Change])
	}
	return told, x, err
}

// All forms that an answer may have, in one message and in many, over TCP and
// UDP, and what was asked for it.
func TestTransferForms(t *testing.T) {
	t.Parallel()
	whole := []string{"5, @ NS ns1", "ns1 A 192.0.2.1", "5"}
	for name, c := range map[string]struct {
		q     *dns.Message
		tcp   bool
		udp   string // nothing comes over UDP where it is ""
		parts []string
		want  string
		kind  TransferKind
		asked string
	}{
		"AXFR":                       {NewAXFR(testZone), false, "", whole, "=..=", TransferWhole, "tcp AXFR"},
		"AXFR, empty messages":       {NewAXFR(testZone), false, "", []string{"", "5", "", "@ NS a", "", "5"}, "=.=", TransferWhole, "tcp AXFR"},
		"AXFR, one message":          {NewAXFR(testZone), true, "", []string{"5, @ NS a, 5"}, "=.=", TransferWhole, "tcp AXFR"},
		"IXFR over TCP, differences": {NewIXFR(testZone, 4), true, "", []string{"5, 4", "a A 192.0.2.1, 5", "5"}, "=--+=", TransferDifferences, "tcp IXFR 4"},
		"IXFR over TCP, whole":       {NewIXFR(testZone, 4), true, "", whole, "=..=", TransferWhole, "tcp IXFR 4"},
		"IXFR over TCP, up to date":  {NewIXFR(testZone, 5), true, "", []string{"5"}, "=", TransferUpToDate, "tcp IXFR 5"},
		"IXFR over TCP, SOA alone":   {NewIXFR(testZone, 4), true, "", []string{"5", "@ NS a, 5"}, "=.=", TransferWhole, "tcp IXFR 4"},
		"IXFR over UDP, differences": {NewIXFR(testZone, 4), false, "5, 4, 5, 5", nil, "=-+=", TransferDifferences, "udp IXFR 4"},
		"IXFR over UDP, whole":       {NewIXFR(testZone, 4), false, "5, @ NS a, 5", nil, "=.=", TransferWhole, "udp IXFR 4"},
		"IXFR over UDP, up to date":  {NewIXFR(testZone, 5), false, "5", nil, "=", TransferUpToDate, "udp IXFR 5"},
		// What does not fit a datagram is a lone SOA record of a newer zone (RFC 1995 section 2).
		"IXFR over UDP, does not fit": {NewIXFR(testZone, 4), false, "5", whole, "=..=", TransferWhole, "udp IXFR 4, tcp IXFR 4"},
		"IXFR over UDP, cut off":      {NewIXFR(testZone, 4), false, "5, 4, 5", whole, "=..=", TransferWhole, "udp IXFR 4, tcp IXFR 4"},
		"IXFR over UDP, a lie":        {NewIXFR(testZone, 4), false, "5, www.bank.test. A 192.0.2.1, 5", whole, "=..=", TransferWhole, "udp IXFR 4, tcp IXFR 4"},
		"IXFR over UDP, silent":       {NewIXFR(testZone, 4), false, "", whole, "=..=", TransferWhole, "udp IXFR 4, tcp IXFR 4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var udp message
				if c.udp != "" {
					udp = func(q *dns.Message) *dns.Message { return part(t, q, c.udp) }
				}
				p := newPrimary(t, udp, parts(t, c.parts...))
				told, x, err := p.carry(Options{TCP: c.tcp, Tries: 1}, c.q)
				if err != nil || told != c.want || x.Kind() != c.kind || x.Serial() != 5 {
					t.Errorf("%s, %v of serial %d, %v; want %s, %v", told, x.Kind(), x.Serial(), err, c.want, c.kind)
				}
				if asked := strings.Join(p.asked, ", "); asked != c.asked {
					t.Errorf("asked %s, want %s", asked, c.asked)
				}
				if messages, records, octets := x.Size(); records != int64(len(c.want)) || messages == 0 || octets == 0 {
					t.Errorf("%d messages, %d records, %d octets", messages, records, octets)
				}
			})
		})
	}
}

// A truncated answer over UDP is followed by TCP, and what a server says to it by UDP counts for nothing.
func TestTransferAfterTruncationAndRefusal(t *testing.T) {
	t.Parallel()
	for name, udp := range map[string]func(*dns.Message){
		"truncated": func(m *dns.Message) { m.Truncated, m.Answer = true, nil },
		"FORMERR":   func(m *dns.Message) { m.Rcode, m.Answer = dns.RcodeFormErr, nil },
		"NOTIMP":    func(m *dns.Message) { m.Rcode, m.Answer = dns.RcodeNotImp, nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPrimary(t, func(q *dns.Message) *dns.Message { m := part(t, q, "5"); udp(m); return m }, parts(t, "5, 4, 5, 5"))
			told, x, err := p.carry(Options{}, NewIXFR(testZone, 4))
			if err != nil || told != "=-+=" || x.Kind() != TransferDifferences || strings.Join(p.asked, ", ") != "udp IXFR 4, tcp IXFR 4" {
				t.Errorf("%s: %s, %v, asked %q", name, told, err, p.asked)
			}
		})
	}
}

// Servers that do not transfer, or not to the end.
func TestTransferFails(t *testing.T) {
	t.Parallel()
	with := func(lines []string, change func(nth int, m *dns.Message)) func(*testing.T) func(*dns.Message, int) *dns.Message {
		return func(t *testing.T) func(*dns.Message, int) *dns.Message {
			next := parts(t, lines...)
			return func(q *dns.Message, nth int) *dns.Message {
				m := next(q, nth)
				if m != nil && change != nil {
					change(nth, m)
				}
				return m
			}
		}
	}
	three := []string{"5, @ NS a", "a A 192.0.2.1", "5"}
	for name, c := range map[string]struct {
		serve func(*testing.T) func(*dns.Message, int) *dns.Message
		want  error
		came  string
		text  string
	}{
		"refused": {with(three, func(_ int, m *dns.Message) { m.Rcode, m.Answer = dns.RcodeRefused, nil }), nil, "", "the server answered REFUSED"},
		"refused, and why": {with(three, func(_ int, m *dns.Message) {
			m.Rcode, m.Answer = dns.RcodeRefused, nil
			m.EDNS = &dns.EDNS{Options: []dns.Option{dns.ExtendedError{Code: dns.EDEProhibited, Text: "not you"}.Option()}}
		}), nil, "", "the server answered REFUSED, EDE 18 (Prohibited): not you"},
		"given up in between": {with(three, func(nth int, m *dns.Message) {
			if nth == 1 {
				m.Rcode, m.Answer = dns.RcodeServFail, nil
			}
		}), nil, "=.", "the server answered SERVFAIL"},
		"another id":        {with(three, changeNth(1, func(m *dns.Message) { m.ID++ })), ErrTransfer, "=.", ""},
		"another id first":  {with(three, changeNth(0, func(m *dns.Message) { m.ID++ })), ErrTransfer, "", ""},
		"a question":        {with(three, changeNth(1, func(m *dns.Message) { m.Response = false })), ErrTransfer, "=.", ""},
		"another opcode":    {with(three, changeNth(1, func(m *dns.Message) { m.Opcode = dns.OpcodeNotify })), ErrTransfer, "=.", ""},
		"truncated":         {with(three, changeNth(1, func(m *dns.Message) { m.Truncated = true })), ErrTransfer, "=.", ""},
		"no question first": {with(three, changeNth(0, func(m *dns.Message) { m.Question = nil })), ErrTransfer, "", ""},
		"another question": {with(three, changeNth(1, func(m *dns.Message) {
			m.Question = []dns.Question{{Name: testName, Type: dns.TypeAXFR, Class: dns.ClassIN}}
		})), ErrTransfer, "=.", "answers www.example.test. IN AXFR instead of"},
		"another zone's record": {with([]string{"5, @ NS a", "www.bank.test. A 192.0.2.66", "5"}, nil), ErrTransfer, "=.", "www.bank.test."},
		"another serial":        {with([]string{"5, @ NS a", "6"}, nil), ErrTransfer, "=.", "begins with serial 5 and ends with 6"},
		"more behind the end":   {with([]string{"5, @ NS a, 5, a A 192.0.2.1"}, nil), ErrTransfer, "", "behind its end"},
		"no more":               {with([]string{"5, @ NS a"}, nil), ErrTimeout, "=.", ""},
		"never a record": {func(t *testing.T) func(*dns.Message, int) *dns.Message {
			return func(q *dns.Message, _ int) *dns.Message { return part(t, q, "") }
		}, ErrFlood, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPrimary(t, nil, c.serve(t))
				told, _, err := p.carry(Options{}, NewAXFR(testZone))
				var e *Error
				var code *RcodeError
				if !errors.As(err, &e) || e.Network != "tcp" || told != c.came {
					t.Fatalf("%q, %v; want %q", told, err, c.came)
				}
				if c.want == nil && !errors.As(err, &code) || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
					t.Errorf("%v, want %v %s", err, c.want, c.text)
				}
			})
		})
	}
}

func changeNth(n int, change func(*dns.Message)) func(int, *dns.Message) {
	return func(nth int, m *dns.Message) {
		if nth == n {
			change(m)
		}
	}
}

// Slow is not dead: a message now and then is progress, silence is none.
func TestTransferTimeWithoutProgress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		every time.Duration
		want  error
	}{{4900 * time.Millisecond, nil}, {5100 * time.Millisecond, ErrTimeout}} {
		synctest.Test(t, func(t *testing.T) {
			lines := []string{"5"}
			for range 50 {
				lines = append(lines, "a A 192.0.2.1")
			}
			next := parts(t, append(lines, "5")...)
			p := newPrimary(t, nil, func(q *dns.Message, nth int) *dns.Message {
				if nth > 0 {
					time.Sleep(c.every)
				}
				return next(q, nth)
			})
			began := time.Now()
			_, _, err := p.carry(Options{Timeout: 5 * time.Second}, NewAXFR(testZone))
			if !errors.Is(err, c.want) {
				t.Errorf("every %v: %v", c.every, err)
			}
			if took := time.Since(began); c.want == nil && took < 4*time.Minute || c.want != nil && took > 6*time.Second {
				t.Errorf("every %v: took %v", c.every, took)
			}
			time.Sleep(2 * c.every) // until the server wakes
		})
	}
}

func TestTransferLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		records, octets int64
		want            error
	}{{4, 0, nil}, {3, 0, ErrTooLong}, {0, 1, ErrTooLong}} {
		synctest.Test(t, func(t *testing.T) {
			p := newPrimary(t, nil, parts(t, "5, @ NS a", "a A 192.0.2.1", "5"))
			_, x, err := p.carry(Options{MaxTransferRecords: c.records, MaxTransferOctets: c.octets}, NewAXFR(testZone))
			if !errors.Is(err, c.want) {
				t.Errorf("%+v: %v", c, err)
			}
			if c.want != nil {
				return
			}
			_, _, octets := x.Size()
			for _, limit := range []int64{octets, octets - 1} {
				_, _, err := p.carry(Options{MaxTransferOctets: limit}, NewAXFR(testZone))
				if (err == nil) != (limit == octets) || err != nil && !errors.Is(err, ErrTooLong) {
					t.Errorf("%d of %d octets: %v", limit, octets, err)
				}
			}
		})
	}
	// Messages without a record.
	for _, n := range []int{5, 6} {
		synctest.Test(t, func(t *testing.T) {
			p := newPrimary(t, nil, parts(t, append(make([]string, n), "5, 5")...))
			_, _, err := p.carry(Options{MaxIgnored: 5}, NewAXFR(testZone))
			if (err == nil) != (n == 5) || err != nil && !errors.Is(err, ErrFlood) {
				t.Errorf("%d empty messages: %v", n, err)
			}
		})
	}
}

// Whoever has seen enough stops, and the context stops what waits.
func TestTransferStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPrimary(t, nil, parts(t, "5, @ NS a", "5"))
		x := New(Options{Host: p.client}).Transfer(primaryAddr, NewAXFR(testZone))
		for _, err := range x.Messages(t.Context()) {
			if err != nil {
				t.Error(err)
			}
			break
		}
		for _, err := range x.Messages(t.Context()) {
			if !errors.Is(err, ErrQuery) {
				t.Errorf("used twice: %v", err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p = newPrimary(t, nil, parts(t, "5, @ NS a"))
		var last error
		for _, err := range New(Options{Host: p.client}).Transfer(primaryAddr, NewAXFR(testZone)).Records(ctx) {
			last = err
		}
		if !errors.Is(last, context.DeadlineExceeded) {
			t.Errorf("got %v", last)
		}
	})
}

func TestTransferQueries(t *testing.T) {
	t.Parallel()
	two, response := NewAXFR(testZone), NewAXFR(testZone)
	two.Question = append(two.Question, two.Question[0])
	response.Response = true
	noSerial := NewIXFR(testZone, 1)
	noSerial.Authority = nil
	wrongSerial := NewIXFR(testZone, 1)
	wrongSerial.Authority = rrs(t, "a A 192.0.2.1")
	for name, c := range map[string]struct {
		q    *dns.Message
		opts Options
	}{
		"two": {two, Options{}}, "response": {response, Options{}}, "no serial": {noSerial, Options{}}, "wrong serial": {wrongSerial, Options{}},
		"no transfer": {testQuery(), Options{}}, "over HTTPS": {NewAXFR(testZone), Options{HTTPS: &HTTPS{}}},
	} {
		c.opts.Host = failingHost{err: errors.New("dialled")}
		count := 0
		for _, err := range New(c.opts).Transfer("192.0.2.1", c.q).Records(t.Context()) {
			if count++; !errors.Is(err, ErrQuery) || strings.Contains(err.Error(), "dialled") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if count != 1 {
			t.Errorf("%s: %d errors", name, count)
		}
	}
	for _, err := range New(Options{Host: failingHost{err: errors.New("none")}}).Transfer("192.0.2.1", NewAXFR(testZone)).Records(t.Context()) {
		if !errors.Is(err, ErrUnreachable) {
			t.Errorf("unreachable: %v", err)
		}
	}
}

// Transfers over TLS are those of RFC 9103.
func TestTransferOverTLS(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t, "127.0.0.1")
	r := overTLSServer(t, cert, func(c net.Conn, _ int) {
		q, err := dns.Parse(readFrame(c))
		if err != nil {
			t.Error(err)
			return
		}
		c.Write(frame(pack(t, part(t, q, "5, @ NS a, 5"))))
		readFrame(c)
	})
	opts := patient()
	opts.TLS = &TLS{Verify: true, Roots: pool}
	count := 0
	for a, err := range New(opts).Transfer(r.addr, NewIXFR(testZone, 3)).Messages(t.Context()) {
		count++
		if err != nil || a.Network != "tls" || len(a.Message.Answer) != 3 || a.Size == 0 || a.Query == nil {
			t.Errorf("%+v, %v", a, err)
		}
	}
	if count != 1 {
		t.Errorf("%d messages", count)
	}
}
