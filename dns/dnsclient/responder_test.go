package dnsclient

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsserver/dnsservertest"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/transcript"
)

// responder is a server that answers as a test tells it to, on one port of
// UDP and TCP.
type responder struct {
	addr string
	udp  *net.UDPConn
	asks atomic.Int32           // datagrams and connections that came
	last atomic.Pointer[[]byte] // the last datagram
}

// datagram is a question that came over UDP.
type datagram struct {
	t    testing.TB
	conn *net.UDPConn
	from *net.UDPAddr
	wire []byte
	nth  int // from 1
}

func (d datagram) reply(wire []byte) {
	if _, err := d.conn.WriteToUDP(wire, d.from); err != nil && !errors.Is(err, net.ErrClosed) {
		d.t.Errorf("responder: %v", err)
	}
}

// newResponder serves until the test ends. A nil function leaves questions
// without an answer; a nil stream leaves no TCP listener.
func newResponder(t testing.TB, packet func(datagram), stream func(net.Conn, int)) *responder {
	t.Helper()
	l, pc := dnsservertest.Open(t, host.NewOS(host.OSOptions{}), "127.0.0.1:0")
	r := &responder{addr: l.Addr().String(), udp: pc.(*net.UDPConn)}
	t.Cleanup(func() { pc.Close() })
	go r.servePackets(t, packet)
	if stream == nil {
		l.Close()
	} else {
		t.Cleanup(func() { l.Close() })
		go r.serveStreams(l, stream)
	}
	return r
}

func (r *responder) servePackets(t testing.TB, answer func(datagram)) {
	buffer := make([]byte, 65536)
	for {
		n, from, err := r.udp.ReadFromUDP(buffer)
		if err != nil {
			return
		}
		nth := int(r.asks.Add(1))
		wire := append([]byte(nil), buffer[:n]...)
		r.last.Store(&wire)
		if answer != nil {
			answer(datagram{t, r.udp, from, wire, nth})
		}
	}
}

func (r *responder) serveStreams(l net.Listener, answer func(net.Conn, int)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		nth := int(r.asks.Add(1))
		go func() {
			defer conn.Close()
			answer(conn, nth)
		}()
	}
}

// answerTo makes the right answer to a question: an address, and EDNS if it
// was asked with.
func answerTo(t testing.TB, wire []byte) *dns.Message {
	q, err := dns.Parse(wire)
	if err != nil {
		t.Errorf("responder: %v", err)
		return &dns.Message{}
	}
	m := q.Reply(dns.RcodeSuccess)
	m.Authoritative = true
	m.Answer = []dns.RR{{Name: q.Question[0].Name, Type: dns.TypeA, Class: dns.ClassIN, TTL: 60, Data: []byte{192, 0, 2, 1}}}
	if q.EDNS != nil {
		m.EDNS = &dns.EDNS{UDPSize: 1400}
	}
	return m
}

func pack(t testing.TB, m *dns.Message) []byte {
	wire, err := m.Append(nil, 0)
	if err != nil {
		t.Errorf("responder: %v", err)
	}
	return wire
}

func frame(wire []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...)
}

func readFrame(conn net.Conn) []byte {
	var prefix [2]byte
	if _, err := io.ReadFull(conn, prefix[:]); err != nil {
		return nil
	}
	wire := make([]byte, binary.BigEndian.Uint16(prefix[:]))
	if _, err := io.ReadFull(conn, wire); err != nil {
		return nil
	}
	return wire
}

// truthful is the stream side of an honest server.
func truthful(t testing.TB) func(net.Conn, int) {
	return func(conn net.Conn, _ int) {
		for {
			wire := readFrame(conn)
			if wire == nil {
				return
			}
			if _, err := conn.Write(frame(pack(t, answerTo(t, wire)))); err != nil {
				return
			}
		}
	}
}

// records keeps what a recorder was told.
type records struct{ ended chan transcript.Record }

func newRecords() *records { return &records{make(chan transcript.Record, 100)} }

func (*records) Level(string) transcript.Level                { return transcript.Bytes }
func (*records) Begin(*transcript.Exchange)                   {}
func (*records) Entry(*transcript.Exchange, transcript.Entry) {}
func (r *records) End(x *transcript.Exchange)                 { r.ended <- x.Record() }
func (r *records) recorder() *transcript.Recorder {
	return transcript.New(transcript.Options{Sinks: []transcript.Sink{r}})
}

func (r *records) all() []transcript.Record {
	var out []transcript.Record
	for {
		select {
		case one := <-r.ended:
			out = append(out, one)
		default:
			return out
		}
	}
}

var (
	testName     = dns.MustParseName("www.example.test.")
	testQuestion = dns.Question{Name: testName, Type: dns.TypeA, Class: dns.ClassIN}
)

func testQuery() *dns.Message {
	q := dns.NewQuery(0, testName, dns.TypeA)
	q.RecursionDesired = true
	q.EDNS = &dns.EDNS{}
	return q
}

// impatient are options for tests in which nothing comes.
func impatient() Options {
	return Options{
		Host: host.NewOS(host.OSOptions{}), Timeout: 60 * time.Millisecond, Tries: 2, Pause: time.Millisecond,
	}
}

// patient are options for tests in which an answer must come, however busy
// the machine is.
func patient() Options {
	return Options{Host: host.NewOS(host.OSOptions{}), Timeout: 10 * time.Second, Pause: time.Millisecond}
}
