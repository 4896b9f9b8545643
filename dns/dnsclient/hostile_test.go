package dnsclient

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
)

// lies are datagrams that are no answer to the question.
var lies = map[string]func(t testing.TB, q []byte) []byte{
	"nothing":      func(testing.TB, []byte) []byte { return nil },
	"eleven bytes": func(_ testing.TB, q []byte) []byte { return q[:11] },
	"the question": func(_ testing.TB, q []byte) []byte { return q },
	"wrong id":     changed(func(m *dns.Message) { m.ID++ }),
	"wrong name":   changed(func(m *dns.Message) { m.Question[0].Name = dns.MustParseName("www.example.tesu.") }),
	"wrong type":   changed(func(m *dns.Message) { m.Question[0].Type = dns.TypeAAAA }),
	"wrong class":  changed(func(m *dns.Message) { m.Question[0].Class = dns.ClassCH }),
	"wrong opcode": changed(func(m *dns.Message) { m.Opcode = dns.OpcodeNotify }),
	"no question":  changed(func(m *dns.Message) { m.Question = nil }),
	"NXDOMAIN without question": changed(func(m *dns.Message) {
		m.Question, m.Answer, m.Rcode = nil, nil, dns.RcodeNXDomain
	}),
	"two questions": changed(func(m *dns.Message) { m.Question = append(m.Question, m.Question[0]) }),
	"question cut off": func(t testing.TB, q []byte) []byte {
		return pack(t, answerTo(t, q))[:dns.HeaderLen+len(testName)+3]
	},
	"name cut off": func(t testing.TB, q []byte) []byte {
		return pack(t, answerTo(t, q))[:dns.HeaderLen+5]
	},
	"compressed question": func(t testing.TB, q []byte) []byte {
		wire := append(pack(t, answerTo(t, q))[:dns.HeaderLen], 0xc0, 12, 0, 1, 0, 1)
		return wire
	},
}

func changed(change func(*dns.Message)) func(testing.TB, []byte) []byte {
	return func(t testing.TB, q []byte) []byte {
		m := answerTo(t, q)
		change(m)
		return pack(t, m)
	}
}

// A lie is ignored and counted, and the truth behind it is taken.
func TestLiesAreIgnored(t *testing.T) {
	t.Parallel()
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newResponder(t, func(d datagram) {
				d.reply(lie(t, d.wire))
				d.reply(pack(t, answerTo(t, d.wire)))
			}, nil)
			seen := newRecords()
			opts := patient()
			opts.Transcript = seen.recorder()
			a, err := New(opts).Exchange(t.Context(), r.addr, testQuery())
			if err != nil {
				t.Fatal(err)
			}
			if a.Ignored != 1 || a.Mismatch == nil || a.Tries != 1 || len(a.Message.Answer) != 1 {
				t.Errorf("answer %+v", a)
			}
			if got := lines(seen.all()[0]); len(got) != 3 || !strings.HasPrefix(got[1], "received ignored: ") {
				t.Errorf("transcript %q", got)
			}
		})
	}
}

// Lies alone end in a timeout that tells of them.
func TestOnlyLiesTimeOut(t *testing.T) {
	t.Parallel()
	r := newResponder(t, func(d datagram) {
		d.reply(lies["wrong id"](t, d.wire))
		d.reply(lies["wrong type"](t, d.wire))
	}, nil)
	_, err := New(impatient()).Exchange(t.Context(), r.addr, testQuery())
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, ErrTimeout) || e.Ignored != 4 {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), "answers www.example.test. IN AAAA instead of www.example.test. IN A") {
		t.Errorf("error does not say what came: %v", err)
	}
}

func TestFloodOfLies(t *testing.T) {
	t.Parallel()
	const limit = 5
	for _, sent := range []int{limit, limit + 1} {
		r := newResponder(t, func(d datagram) {
			for range sent {
				d.reply(lies["wrong id"](t, d.wire))
			}
			d.reply(pack(t, answerTo(t, d.wire)))
		}, nil)
		opts := patient()
		opts.MaxIgnored = limit
		a, err := New(opts).Exchange(t.Context(), r.addr, testQuery())
		switch {
		case sent == limit && (err != nil || a.Ignored != limit):
			t.Errorf("at the limit: %+v, %v", a, err)
		case sent > limit && !errors.Is(err, ErrFlood):
			t.Errorf("past the limit: %+v, %v", a, err)
		case sent > limit && r.asks.Load() != 1:
			t.Errorf("asked again, %d times, amid the flood", r.asks.Load())
		}
	}
}

// Case is no difference between two names, whatever the server makes of it.
func TestAnswerInOtherCase(t *testing.T) {
	t.Parallel()
	r := newResponder(t, func(d datagram) {
		m := answerTo(t, d.wire)
		m.Question[0].Name = dns.MustParseName("WWW.eXample.TEST.")
		d.reply(pack(t, m))
	}, nil)
	if _, err := New(patient()).Exchange(t.Context(), r.addr, testQuery()); err != nil {
		t.Error(err)
	}
}

func TestAnswerFromAnotherAddress(t *testing.T) {
	t.Parallel()
	other, err := host.NewOS(host.OSOptions{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	r := newResponder(t, func(d datagram) {
		if _, err := other.WriteTo(pack(t, answerTo(t, d.wire)), d.from); err != nil {
			t.Error(err)
		}
	}, nil)
	a, err := New(impatient()).Exchange(t.Context(), r.addr, testQuery())
	if !errors.Is(err, ErrTimeout) {
		t.Errorf("got %+v, %v", a, err)
	}
}

// A matching answer that cannot be read ends the exchange: asking again
// would bring the same.
func TestMalformedAnswer(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func([]byte) []byte{
		"cut off":  func(w []byte) []byte { return w[:len(w)-3] },
		"trailing": func(w []byte) []byte { return append(w, 0) },
		"loop": func(w []byte) []byte { // the answer's owner points at itself
			end := dns.HeaderLen + len(testName) + 4
			return append(w[:end], 0xc0, byte(end), 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4)
		},
	} {
		r := newResponder(t, func(d datagram) {
			m := answerTo(t, d.wire)
			m.EDNS = nil
			d.reply(spoil(pack(t, m)))
		}, nil)
		_, err := New(patient()).Exchange(t.Context(), r.addr, testQuery())
		var e *Error
		var p *dns.ParseError
		if !errors.Is(err, ErrMalformed) || !errors.As(err, &p) || !errors.As(err, &e) || e.Temporary() {
			t.Errorf("%s: got %v", name, err)
		}
		if n := r.asks.Load(); n != 1 {
			t.Errorf("%s: asked %d times", name, n)
		}
	}
}

func TestErrorWithoutQuestionIsTaken(t *testing.T) {
	t.Parallel()
	for _, code := range []dns.Rcode{dns.RcodeFormErr, dns.RcodeServFail, dns.RcodeNotImp, dns.RcodeRefused} {
		r := newResponder(t, func(d datagram) {
			m := answerTo(t, d.wire)
			m.Question, m.Answer, m.Rcode = nil, nil, code
			d.reply(pack(t, m))
		}, nil)
		a, err := New(patient()).Exchange(t.Context(), r.addr, testQuery())
		if err != nil || a.Message.Rcode != code || a.Ignored != 0 {
			t.Errorf("%s: %+v, %v", code, a, err)
		}
	}
}

// Truncated answers, also those cut in the midst of a record, lead to TCP.
func TestTruncatedLeadsToTCP(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func([]byte) []byte{
		"whole":               func(w []byte) []byte { return w },
		"cut off":             func(w []byte) []byte { return w[:len(w)-3] },
		"header and question": func(w []byte) []byte { return w[:dns.HeaderLen+len(testName)+4] },
	} {
		r := newResponder(t, func(d datagram) {
			m := answerTo(t, d.wire)
			m.Truncated, m.EDNS = true, nil
			d.reply(spoil(pack(t, m)))
		}, truthful(t))
		a, err := New(patient()).Exchange(t.Context(), r.addr, testQuery())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if a.Network != "tcp" || a.Tries != 2 || a.Message.Truncated || !a.Truncated {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestIgnoreTruncation(t *testing.T) {
	t.Parallel()
	r := newResponder(t, func(d datagram) {
		m := answerTo(t, d.wire)
		m.Truncated = true
		d.reply(pack(t, m))
	}, func(net.Conn, int) { t.Error("asked over TCP") })
	opts := patient()
	opts.IgnoreTruncation = true
	a, err := New(opts).Exchange(t.Context(), r.addr, testQuery())
	if err != nil || a.Network != "udp" || !a.Message.Truncated || a.Truncated || len(a.Message.Answer) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestTruncatedThenTCPRefused(t *testing.T) {
	t.Parallel()
	r := newResponder(t, func(d datagram) {
		m := answerTo(t, d.wire)
		m.Truncated = true
		d.reply(pack(t, m))
	}, nil)
	_, err := New(patient()).Exchange(t.Context(), r.addr, testQuery())
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, ErrUnreachable) || e.Network != "tcp" || e.Tries != 1+DefaultTries {
		t.Errorf("got %v", err)
	}
}

func TestTruncatedOverTCPIsTheAnswer(t *testing.T) {
	t.Parallel()
	r := newResponder(t, nil, func(conn net.Conn, _ int) {
		m := answerTo(t, readFrame(conn))
		m.Truncated = true
		conn.Write(frame(pack(t, m)))
	})
	opts := patient()
	opts.TCP = true
	a, err := New(opts).Exchange(t.Context(), r.addr, testQuery())
	if err != nil || !a.Message.Truncated || a.Tries != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}

// formErr answers like a server from before EDNS: FORMERR to what has an OPT
// record, with or without the question.
func formErr(t testing.TB, code dns.Rcode, withQuestion bool) func(datagram) {
	return func(d datagram) {
		m := answerTo(t, d.wire)
		if m.EDNS != nil {
			m.EDNS, m.Answer, m.Rcode = nil, nil, code
			if !withQuestion {
				m.Question = nil
			}
		}
		d.reply(pack(t, m))
	}
}

func TestServerWithoutEDNS(t *testing.T) {
	t.Parallel()
	for _, code := range []dns.Rcode{dns.RcodeFormErr, dns.RcodeNotImp} {
		for _, withQuestion := range []bool{true, false} {
			r := newResponder(t, formErr(t, code, withQuestion), nil)
			a, err := New(patient()).Exchange(t.Context(), r.addr, testQuery())
			if err != nil || !a.NoEDNS || a.Tries != 2 || a.Message.Rcode != dns.RcodeSuccess {
				t.Errorf("%s: %+v, %v", code, a, err)
			}

			opts := patient()
			opts.KeepEDNS = true
			a, err = New(opts).Exchange(t.Context(), r.addr, testQuery())
			if err != nil || a.NoEDNS || a.Tries != 1 || a.Message.Rcode != code {
				t.Errorf("KeepEDNS, %s: %+v, %v", code, a, err)
			}
		}
	}
}

// FORMERR from a server that does know EDNS, or to a question without it, is
// the answer.
func TestFormErrThatIsMeant(t *testing.T) {
	t.Parallel()
	r := newResponder(t, func(d datagram) {
		m := answerTo(t, d.wire)
		m.Answer, m.Rcode = nil, dns.RcodeFormErr
		d.reply(pack(t, m))
	}, nil)
	for _, e := range []*dns.EDNS{{}, nil} {
		q := testQuery()
		q.EDNS = e
		a, err := New(patient()).Exchange(t.Context(), r.addr, q)
		if err != nil || a.Message.Rcode != dns.RcodeFormErr || a.Tries != 1 || a.NoEDNS {
			t.Errorf("EDNS %v: %+v, %v", e, a, err)
		}
	}
}

// All turns in one exchange: no EDNS over UDP, then truncated, then TCP.
func TestNoEDNSThenTruncatedThenTCP(t *testing.T) {
	t.Parallel()
	r := newResponder(t, func(d datagram) {
		m := answerTo(t, d.wire)
		if m.EDNS != nil {
			m.EDNS, m.Answer, m.Rcode = nil, nil, dns.RcodeFormErr
		} else {
			m.Truncated = true
		}
		d.reply(pack(t, m))
	}, truthful(t))
	a, err := New(patient()).Exchange(t.Context(), r.addr, testQuery())
	if err != nil || a.Tries != 3 || !a.NoEDNS || a.Network != "tcp" || a.Message.EDNS != nil {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestMaxMessage(t *testing.T) {
	t.Parallel()
	r := newResponder(t, func(d datagram) { d.reply(pack(t, answerTo(t, d.wire))) }, truthful(t))
	a, err := New(patient()).Exchange(t.Context(), r.addr, testQuery())
	if err != nil {
		t.Fatal(err)
	}
	for _, tcp := range []bool{false, true} {
		opts := patient()
		opts.TCP, opts.MaxMessage = tcp, a.Size
		if _, err := New(opts).Exchange(t.Context(), r.addr, testQuery()); err != nil {
			t.Errorf("TCP %v: at the limit: %v", tcp, err)
		}
		opts.MaxMessage--
		if _, err := New(opts).Exchange(t.Context(), r.addr, testQuery()); !errors.Is(err, ErrTooLong) {
			t.Errorf("TCP %v: past the limit: %v", tcp, err)
		}
	}
}

// The longest message that there is comes through, on both transports as far
// as they can carry it.
func TestLongestMessages(t *testing.T) {
	t.Parallel()
	long := func(wire []byte, size int) []byte {
		m := answerTo(t, wire)
		m.EDNS = &dns.EDNS{UDPSize: 1400}
		m.EDNS.Options = []dns.Option{{Code: 65001, Data: make([]byte, size-len(pack(t, m))-4)}}
		return pack(t, m)
	}
	const maxDatagram = 65507 // over IPv4
	r := newResponder(t, func(d datagram) { d.reply(long(d.wire, maxDatagram)) }, func(conn net.Conn, _ int) {
		conn.Write(frame(long(readFrame(conn), dns.MaxMessageLen)))
	})
	for _, c := range []struct {
		tcp  bool
		size int
	}{{false, maxDatagram}, {true, dns.MaxMessageLen}} {
		opts := patient()
		opts.TCP = c.tcp
		a, err := New(opts).Exchange(t.Context(), r.addr, testQuery())
		if err != nil || a.Size != c.size {
			t.Errorf("TCP %v: %+v, %v", c.tcp, a, err)
		}
	}
}

// streams are servers that do not keep to the end of what they began.
var streams = map[string]struct {
	serve func(testing.TB, net.Conn)
	want  error
}{
	"closed at once":        {func(testing.TB, net.Conn) {}, ErrClosed},
	"closed after the ask":  {func(_ testing.TB, c net.Conn) { readFrame(c) }, ErrClosed},
	"half a length":         {func(_ testing.TB, c net.Conn) { readFrame(c); c.Write([]byte{0}) }, ErrClosed},
	"length and no message": {func(_ testing.TB, c net.Conn) { readFrame(c); c.Write([]byte{0, 60}) }, ErrClosed},
	"half a message":        {writeHalf, ErrClosed},
	"half closed":           {func(t testing.TB, c net.Conn) { writeHalf(t, c); c.(*net.TCPConn).CloseWrite(); io.Copy(io.Discard, c) }, ErrClosed},
	"never a word":          {func(_ testing.TB, c net.Conn) { io.Copy(io.Discard, c) }, ErrTimeout},
	"half and then nothing": {func(t testing.TB, c net.Conn) { writeHalf(t, c); io.Copy(io.Discard, c) }, ErrTimeout},
	"a byte now and then":   {drip, ErrTimeout},
	"no message":            {func(_ testing.TB, c net.Conn) { readFrame(c); c.Write([]byte{0, 0}); io.Copy(io.Discard, c) }, ErrTimeout},
	"reset":                 {func(_ testing.TB, c net.Conn) { readFrame(c); c.(*net.TCPConn).SetLinger(0) }, ErrClosed},
	"frames of wrong ids":   {wrongFrames, ErrFlood},
}

func writeHalf(t testing.TB, c net.Conn) {
	wire := frame(pack(t, answerTo(t, readFrame(c))))
	c.Write(wire[:len(wire)/2])
}

// drip would take 20 seconds for its answer.
func drip(t testing.TB, c net.Conn) {
	for _, b := range frame(pack(t, answerTo(t, readFrame(c)))) {
		if _, err := c.Write([]byte{b}); err != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func wrongFrames(t testing.TB, c net.Conn) {
	lie := frame(lies["wrong id"](t, readFrame(c)))
	for range DefaultMaxIgnored + 1 {
		if _, err := c.Write(lie); err != nil {
			return
		}
	}
	io.Copy(io.Discard, c)
}

func TestUnreliableStreams(t *testing.T) {
	t.Parallel()
	for name, s := range streams {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newResponder(t, nil, func(conn net.Conn, _ int) { s.serve(t, conn) })
			opts := patient()
			opts.TCP, opts.Tries = true, 2
			if s.want == ErrTimeout {
				opts.Timeout = 150 * time.Millisecond
			}
			start := time.Now()
			_, err := New(opts).Exchange(t.Context(), r.addr, testQuery())
			if !errors.Is(err, s.want) {
				t.Fatalf("got %v, want %v", err, s.want)
			}
			wantTries := int32(2)
			if s.want == ErrFlood {
				wantTries = 1
			}
			if got := r.asks.Load(); got != wantTries {
				t.Errorf("connected %d times, want %d", got, wantTries)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v: the deadline did not hold", took)
			}
		})
	}
}

// A connection that the server closed while it was idle is opened again.
func TestClosedStreamIsTriedAgain(t *testing.T) {
	t.Parallel()
	r := newResponder(t, nil, func(conn net.Conn, nth int) {
		if nth > 1 {
			truthful(t)(conn, nth)
		}
	})
	opts := patient()
	opts.TCP = true
	a, err := New(opts).Exchange(t.Context(), r.addr, testQuery())
	if err != nil || a.Tries != 2 {
		t.Errorf("%+v, %v", a, err)
	}
}

// A stream that answers in pieces and puts a stray message before the answer.
func TestSlowButWholeStream(t *testing.T) {
	t.Parallel()
	r := newResponder(t, nil, func(conn net.Conn, _ int) {
		q := readFrame(conn)
		out := append(frame(lies["wrong name"](t, q)), frame(pack(t, answerTo(t, q)))...)
		for len(out) > 0 {
			n := min(7, len(out))
			if _, err := conn.Write(out[:n]); err != nil {
				return
			}
			out = out[n:]
			time.Sleep(time.Millisecond)
		}
	})
	opts := patient()
	opts.TCP = true
	a, err := New(opts).Exchange(t.Context(), r.addr, testQuery())
	if err != nil || a.Ignored != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}

// FuzzMatch: whatever comes, nothing is taken that does not carry the id and
// the question, but for errors that say nothing.
func FuzzMatch(f *testing.F) {
	q := testQuery()
	q.ID = 0x1234
	honest := answerTo(f, pack(f, q))
	f.Add(pack(f, honest))
	f.Add(pack(f, q))
	for _, name := range []string{"wrong id", "no question", "two questions", "compressed question", "name cut off"} {
		f.Add(lies[name](f, pack(f, q)))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		err := match(q, wire)
		m, parseErr := dns.Parse(wire)
		if parseErr != nil {
			return // match looks at the beginning only
		}
		right := m.ID == q.ID && m.Response && m.Opcode == q.Opcode
		asked := len(m.Question) == 1 && m.Question[0].Equal(q.Question[0])
		nothing := len(m.Question) == 0 && saysNothing(m.Rcode&0xf)
		if want := right && (asked || nothing); (err == nil) != want {
			t.Errorf("match says %v of %s", err, dns.Summary(m))
		}
	})
}

// The ID is drawn anew and from the whole range.
func TestNewIDCoversItsRange(t *testing.T) {
	t.Parallel()
	var high, low [256]bool
	for range 20_000 {
		id := binary.BigEndian.AppendUint16(nil, newID())
		high[id[0]], low[id[1]] = true, true
	}
	for i := range 256 {
		if !high[i] || !low[i] {
			t.Fatalf("octet %d never came", i)
		}
	}
}

// hangingHost never connects, as a network that drops every packet.
type hangingHost struct{ host.Host }

func (hangingHost) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
}

func TestConnectionThatNeverComesTimesOut(t *testing.T) {
	t.Parallel()
	opts := impatient()
	opts.Host, opts.TCP = hangingHost{}, true
	_, err := New(opts).Exchange(t.Context(), "192.0.2.1", testQuery())
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, ErrTimeout) || errors.Is(err, ErrUnreachable) || e.Tries != 2 {
		t.Errorf("got %v", err)
	}
}
