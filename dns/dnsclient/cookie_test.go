package dnsclient

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/network-utopia/utopia/dns"
)

// baker is a server that hands out a cookie, and keeps those that it was shown.
type baker struct {
	mu     sync.Mutex
	shown  []string // client part and what follows, in hexadecimal
	strict bool     // BADCOOKIE for those without the cookie
	reply  func(sent []byte) []byte
}

var serverCookie = bytes.Repeat([]byte{0xab}, 16)

func honestBaker(sent []byte) []byte { return append(bytes.Clone(sent[:8]), serverCookie...) }

func (b *baker) seen() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.shown)
}

func (b *baker) answer(t testing.TB, wire []byte) []byte {
	m := answerTo(t, wire)
	q, err := dns.Parse(wire)
	if err != nil {
		t.Error(err)
		return nil
	}
	sent, ok := q.EDNS.Option(dns.OptionCookie)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shown = append(b.shown, hex.EncodeToString(sent))
	if !ok {
		return pack(t, m)
	}
	if b.strict && !bytes.HasSuffix(sent, serverCookie) {
		m.Rcode, m.Answer = dns.RcodeBadCookie, nil
	}
	if c := b.reply(sent); c != nil {
		m.EDNS.Options = []dns.Option{{Code: dns.OptionCookie, Data: c}}
	}
	return pack(t, m)
}

func (b *baker) serve(t testing.TB) *responder {
	return newResponder(t, func(d datagram) { d.reply(b.answer(t, d.wire)) }, func(c net.Conn, _ int) {
		c.Write(frame(b.answer(t, readFrame(c))))
	})
}

func withCookies() Options {
	o := patient()
	o.Cookies, o.Tries = true, 1
	return o
}

// What a server gave goes back to it, and to nobody else.
func TestCookiesAreRemembered(t *testing.T) {
	t.Parallel()
	one, two := &baker{reply: honestBaker}, &baker{reply: honestBaker}
	first, second := one.serve(t), two.serve(t)
	c := New(withCookies())
	for range 2 {
		for _, r := range []*responder{first, second} {
			if _, err := c.Exchange(t.Context(), r.addr, testQuery()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, b := range []*baker{one, two} {
		if len(b.seen()) != 2 || len(b.seen()[0]) != 16 || b.seen()[1] != b.seen()[0]+hex.EncodeToString(serverCookie) {
			t.Errorf("shown %q", b.seen())
		}
	}
	if one.seen()[0] == two.seen()[0] {
		t.Error("two servers could tell that it is the same client")
	}
	a, err := c.Exchange(t.Context(), first.addr, testQuery())
	if err != nil {
		t.Fatal(err)
	}
	if sent, _ := a.Query.EDNS.Option(dns.OptionCookie); len(sent) != 24 {
		t.Errorf("the answer tells of the cookie %x", sent)
	}
}

func TestNoCookieWithoutEDNSOrWish(t *testing.T) {
	t.Parallel()
	b := &baker{reply: honestBaker}
	r := b.serve(t)
	q := testQuery()
	if _, err := New(patient()).Exchange(t.Context(), r.addr, q); err != nil {
		t.Fatal(err)
	}
	q.EDNS = nil
	if _, err := New(withCookies()).Exchange(t.Context(), r.addr, q); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(b.seen()) != "[ ]" {
		t.Errorf("shown %q", b.seen())
	}
}

// BADCOOKIE is answered once with the cookie that came with it.
func TestBadCookie(t *testing.T) {
	t.Parallel()
	for _, tcp := range []bool{false, true} {
		b := &baker{reply: honestBaker, strict: true}
		r := b.serve(t)
		opts := withCookies()
		opts.TCP = tcp
		c := New(opts)
		a, err := c.Exchange(t.Context(), r.addr, testQuery())
		if err != nil || a.Message.Rcode != dns.RcodeSuccess || !a.BadCookie || a.Tries != 2 {
			t.Errorf("TCP %v: %+v, %v", tcp, a, err)
		}
		a, err = c.Exchange(t.Context(), r.addr, testQuery())
		if err != nil || a.BadCookie || a.Tries != 1 {
			t.Errorf("TCP %v, the second time: %+v, %v", tcp, a, err)
		}
	}
	// A server that is never content is believed the second time.
	never := &baker{strict: true, reply: func(sent []byte) []byte { return append(bytes.Clone(sent[:8]), make([]byte, 8)...) }}
	r := never.serve(t)
	a, err := New(withCookies()).Exchange(t.Context(), r.addr, testQuery())
	if err != nil || a.Message.Rcode != dns.RcodeBadCookie || a.Tries != 2 {
		t.Errorf("%+v, %v", a, err)
	}
}

// Answers whose cookie is not ours are somebody else's; servers that send none, or ours back, are believed, and nothing
// is learnt from them.
func TestCookieLies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply func([]byte) []byte
		lie   bool
		learn bool
	}{
		"none":           {func([]byte) []byte { return nil }, false, false},
		"echoed":         {func(sent []byte) []byte { return sent[:8] }, false, false},
		"server 7":       {func(sent []byte) []byte { return append(bytes.Clone(sent[:8]), make([]byte, 7)...) }, false, false},
		"server 8":       {func(sent []byte) []byte { return append(bytes.Clone(sent[:8]), make([]byte, 8)...) }, false, true},
		"server 32":      {func(sent []byte) []byte { return append(bytes.Clone(sent[:8]), make([]byte, 32)...) }, false, true},
		"server 33":      {func(sent []byte) []byte { return append(bytes.Clone(sent[:8]), make([]byte, 33)...) }, false, false},
		"another client": {func(sent []byte) []byte { return append([]byte{sent[0] + 1}, make([]byte, 15)...) }, true, false},
		"too short":      {func(sent []byte) []byte { return sent[:7] }, true, false},
		"empty":          {func([]byte) []byte { return []byte{} }, true, false},
	} {
		b := &baker{reply: c.reply}
		r := b.serve(t)
		opts := withCookies()
		if c.lie {
			opts = impatient()
			opts.Cookies, opts.Tries = true, 1
		}
		client := New(opts)
		a, err := client.Exchange(t.Context(), r.addr, testQuery())
		if c.lie {
			var e *Error
			if !errors.Is(err, ErrTimeout) || !errors.As(err, &e) || e.Ignored != 1 || !errors.As(e.Mismatch, new(*cookieError)) {
				t.Errorf("%s: %+v, %v", name, a, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if learnt := len(client.cookies.get(r.addr)) > 8; learnt != c.learn {
			t.Errorf("%s: learnt %v", name, learnt)
		}
	}
}

// A cookie of the caller's own is sent as it is, and its answer is the caller's business.
func TestOwnCookie(t *testing.T) {
	t.Parallel()
	b := &baker{strict: true, reply: func([]byte) []byte { return []byte("whatever it is") }}
	r := b.serve(t)
	q := testQuery()
	q.EDNS.Options = []dns.Option{{Code: dns.OptionCookie, Data: []byte("12345678")}}
	a, err := New(withCookies()).Exchange(t.Context(), r.addr, q)
	if err != nil || a.Message.Rcode != dns.RcodeBadCookie || a.Tries != 1 || b.seen()[0] != hex.EncodeToString([]byte("12345678")) {
		t.Errorf("%+v, %v, shown %q", a, err, b.seen())
	}
}

func TestCookieJarHasALimit(t *testing.T) {
	t.Parallel()
	const most = 3
	j := &cookieJar{most: most}
	for i := range most {
		j.get(fmt.Sprint(i))
	}
	old := j.get("0")
	if len(j.cookies) != most || !bytes.Equal(old, j.get("0")) {
		t.Errorf("at the limit: %d cookies", len(j.cookies))
	}
	j.learn("0", honestBaker(old)) // it is known: nothing has to go
	j.get("one more")
	if len(j.cookies) != most || j.cookies["one more"] == nil {
		t.Errorf("past the limit: %d cookies", len(j.cookies))
	}
}
