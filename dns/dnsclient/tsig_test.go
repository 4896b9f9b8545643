package dnsclient

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
)

func testKey(secret string) *dns.TSIGKey {
	return &dns.TSIGKey{Name: dns.MustParseName("key.test."), Secret: []byte(secret)}
}

// signing makes a server sign what it answers, by the key that it knows.
func signing(t testing.TB, wire []byte, secret string, now time.Time) []byte {
	keys := func(n dns.Name, _ dns.TSIGAlgorithm) (dns.TSIGKey, bool) {
		return *testKey(secret), n.Equal(testKey("").Name)
	}
	s, bad := dns.OpenTSIG(wire, keys, now)
	if bad != nil {
		out, err := bad.Respond(nil, wire, now)
		if err != nil {
			t.Error(err)
		}
		return out
	}
	m := answerTo(t, wire)
	if s == nil {
		return pack(t, m)
	}
	out, err := s.Sign(nil, pack(t, m), now)
	if err != nil {
		t.Error(err)
	}
	return out
}

func TestTSIG(t *testing.T) {
	t.Parallel()
	var datagrams, streams atomic.Int32
	serve := func(secret string, clock time.Duration) *responder {
		now := func() time.Time { return time.Now().Add(clock) }
		return newResponder(t, func(d datagram) { datagrams.Add(1); d.reply(signing(t, d.wire, secret, now())) }, func(c net.Conn, _ int) {
			streams.Add(1)
			c.Write(frame(signing(t, readFrame(c), secret, now())))
		})
	}
	for name, c := range map[string]struct {
		secret, theirs string
		clock          time.Duration
		tcp            bool
		want           dns.Rcode // of the TSIG error
		asked          [2]int32  // over UDP and TCP
	}{
		"signed":           {"a secret", "a secret", 0, false, 0, [2]int32{1, 0}},
		"signed over TCP":  {"a secret", "a secret", 0, true, 0, [2]int32{0, 1}},
		"another secret":   {"a secret", "another secret", 0, false, dns.RcodeBadSig, [2]int32{1, 1}}, // whoever claims so is asked over TCP
		"another over TCP": {"a secret", "another secret", 0, true, dns.RcodeBadSig, [2]int32{0, 1}},
		"another clock":    {"a secret", "a secret", time.Hour, false, dns.RcodeBadTime, [2]int32{1, 0}},
	} {
		datagrams.Store(0)
		streams.Store(0)
		r := serve(c.theirs, c.clock)
		opts := patient()
		opts.TSIG, opts.TCP = testKey(c.secret), c.tcp
		a, err := New(opts).Exchange(t.Context(), r.addr, testQuery())
		var bad *dns.TSIGError
		switch {
		case c.want == 0 && (err != nil || len(a.Message.Answer) != 1):
			t.Errorf("%s: %+v, %v", name, a, err)
		case c.want != 0 && (!errors.Is(err, ErrTSIG) || !errors.As(err, &bad) || bad.Code != c.want || !bad.Peer):
			t.Errorf("%s: %+v, %v", name, a, err)
		}
		if asked := [2]int32{datagrams.Load(), streams.Load()}; asked != c.asked {
			t.Errorf("%s: asked %v, want %v", name, asked, c.asked)
		}
	}
	opts := patient()
	opts.TSIG = &dns.TSIGKey{}
	if _, err := New(opts).Exchange(t.Context(), "192.0.2.1", testQuery()); !errors.Is(err, ErrQuery) && !errors.Is(err, ErrUnreachable) {
		t.Errorf("a key that is none: %v", err)
	}
}

// A datagram that is not signed, or not rightly, is somebody else's; the true one behind it is taken.
func TestTSIGLies(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]func(wire []byte) []byte{
		"unsigned": func(wire []byte) []byte { return pack(t, answerTo(t, wire)) },
		"tampered": func(wire []byte) []byte {
			return bytes.Replace(signing(t, wire, "a secret", time.Now()), []byte{192, 0, 2, 1}, []byte{192, 0, 2, 66}, 1)
		},
		"of another question": func(wire []byte) []byte {
			other, _, err := dns.SignTSIG(nil, pack(t, testQuery()), *testKey("a secret"), time.Now())
			if err != nil {
				t.Error(err)
			}
			out := signing(t, other, "a secret", time.Now())
			copy(out, wire[:2])
			return out
		},
	} {
		r := newResponder(t, func(d datagram) {
			d.reply(lie(d.wire))
			d.reply(signing(t, d.wire, "a secret", time.Now()))
		}, func(c net.Conn, _ int) { c.Write(frame(lie(readFrame(c)))) })
		opts := patient()
		opts.TSIG = testKey("a secret")
		a, err := New(opts).Exchange(t.Context(), r.addr, testQuery())
		if err != nil || a.Ignored != 1 || !bytes.Equal(a.Message.Answer[0].Data, []byte{192, 0, 2, 1}) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
		opts.TCP = true
		if a, err := New(opts).Exchange(t.Context(), r.addr, testQuery()); !errors.Is(err, ErrTSIG) {
			t.Errorf("%s over TCP: %+v, %v", name, a, err)
		}
	}
}

// A transfer is signed now and then, and at its end.
func TestTSIGTransfer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		signs  string // a sign for each message: s signed, u not, t tampered with
		secret string
		want   error
	}{
		"each":            {"sss", "a secret", nil},
		"now and then":    {"sus", "a secret", nil},
		"not at the end":  {"ssu", "a secret", ErrTSIG},
		"not at first":    {"uss", "a secret", ErrTSIG},
		"tampered":        {"sts", "a secret", ErrTSIG},
		"tampered at end": {"sst", "a secret", ErrTSIG},
		"another secret":  {"sss", "another", ErrTSIG},
	} {
		r := newResponder(t, nil, func(conn net.Conn, _ int) {
			wire := readFrame(conn)
			q, err := dns.Parse(wire)
			if err != nil {
				t.Error(err)
				return
			}
			q.Additional = nil
			s, bad := dns.OpenTSIG(wire, func(dns.Name, dns.TSIGAlgorithm) (dns.TSIGKey, bool) { return *testKey(c.secret), true }, time.Now())
			if bad != nil {
				out, _ := bad.Respond(nil, wire, time.Now())
				conn.Write(frame(out))
				io.Copy(io.Discard, conn)
				return
			}
			next := parts(t, "5, @ NS a", "a A 192.0.2.1", "b A 192.0.2.1, 5")
			for nth, how := range c.signs {
				out := pack(t, next(q, nth))
				if how == 'u' {
					s.Unsigned(out)
				} else if out, err = s.Sign(nil, out, time.Now()); err != nil {
					t.Error(err)
				}
				if how == 't' {
					out = bytes.Replace(out, []byte{192, 0, 2, 1}, []byte{192, 0, 2, 66}, 1)
				}
				conn.Write(frame(out))
			}
			io.Copy(io.Discard, conn)
		})
		opts := patient()
		opts.TSIG = testKey("a secret")
		var last error
		records := 0
		for _, err := range New(opts).Transfer(r.addr, NewAXFR(testZone)).Records(t.Context()) {
			last = err
			records++
		}
		if !errors.Is(last, c.want) || c.want == nil && records != 5 {
			t.Errorf("%s: %d records, %v", name, records, last)
		}
	}
}

// Padded queries have a length that tells nothing, with cookie and signature.
func TestPadding(t *testing.T) {
	t.Parallel()
	sizes := make(chan int, 1)
	r := newResponder(t, func(d datagram) {
		sizes <- len(d.wire)
		d.reply(signing(t, d.wire, "a secret", time.Now()))
	}, nil)
	for _, c := range []struct {
		block, want int
		change      func(*Options, *dns.Message)
	}{
		{0, 45, func(*Options, *dns.Message) {}},
		{128, 128, func(*Options, *dns.Message) {}},
		{7, 49, func(*Options, *dns.Message) {}},  // 45 and the option's four
		{49, 49, func(*Options, *dns.Message) {}}, // nothing is left to fill
		{48, 96, func(*Options, *dns.Message) {}},
		{128, 128, func(o *Options, _ *dns.Message) { o.Cookies = true }},
		{128, 256, func(o *Options, _ *dns.Message) { o.TSIG = testKey("a secret") }},
		{128, 34, func(_ *Options, q *dns.Message) { q.EDNS = nil }},
		{MaxPadding, MaxPadding, func(*Options, *dns.Message) {}},
		{MaxPadding + 1, MaxPadding, func(*Options, *dns.Message) {}},
	} {
		opts, q := patient(), testQuery()
		opts.Padding = c.block
		c.change(&opts, q)
		if _, err := New(opts).Exchange(t.Context(), r.addr, q); err != nil {
			t.Error(err)
		}
		if got := <-sizes; got != c.want {
			t.Errorf("padded to %d: %d octets, want %d", c.block, got, c.want)
		}
	}
}
