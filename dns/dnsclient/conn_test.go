package dnsclient

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Questions go over one connection, whatever the transport, and after the
// server closed it over another.
func TestConnIsKept(t *testing.T) {
	t.Parallel()
	cert, _ := certificate(t, "127.0.0.1")
	for name, c := range map[string]struct {
		server *responder
		opts   func(*Options)
		opened int32 // for six questions
	}{
		"tcp":                     {newResponder(t, nil, truthful(t)), func(o *Options) { o.TCP = true }, 1},
		"tls":                     {overTLSServer(t, cert, truthful(t)), func(o *Options) { o.TLS = &TLS{} }, 1},
		"closed after each":       {newResponder(t, nil, answering(t, 1)), func(o *Options) { o.TCP = true }, 6},
		"tls, closed after each":  {overTLSServer(t, cert, answering(t, 1)), func(o *Options) { o.TLS = &TLS{} }, 6},
		"closed after the second": {newResponder(t, nil, answering(t, 2)), func(o *Options) { o.TCP = true }, 3},
	} {
		opts := patient()
		opts.Tries = 1 // a connection that was closed meanwhile is no try
		c.opts(&opts)
		conn := New(opts).Connect(c.server.addr)
		for range 6 {
			if a, err := conn.Exchange(t.Context(), testQuery()); err != nil || len(a.Message.Answer) != 1 || a.Tries != 1 {
				t.Errorf("%s: %+v, %v", name, a, err)
			}
		}
		if n := c.server.asks.Load(); n != c.opened {
			t.Errorf("%s: %d connections, want %d", name, n, c.opened)
		}
		conn.Close()
		if _, err := conn.Exchange(t.Context(), testQuery()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: closed: %v", name, err)
		}
	}
}

// answering answers so many questions on each connection, and closes it.
func answering(t testing.TB, questions int) func(net.Conn, int) {
	return func(c net.Conn, _ int) {
		for range questions {
			wire := readFrame(c)
			if wire == nil {
				return
			}
			c.Write(frame(pack(t, answerTo(t, wire))))
		}
		if secured, ok := c.(*tls.Conn); ok {
			secured.Close()
		}
	}
}

func TestConnOverHTTPS(t *testing.T) {
	t.Parallel()
	cert, _ := certificate(t, "127.0.0.1")
	var mu sync.Mutex
	from := map[string]int{}
	addr := webServer(t, cert, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		from[r.RemoteAddr]++
		mu.Unlock()
		answerWeb(t, w, r)
	})
	opts := patient()
	opts.HTTPS = &HTTPS{}
	conn := New(opts).Connect(addr)
	defer conn.Close()
	for range 5 {
		if _, err := conn.Exchange(t.Context(), testQuery()); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(from) != 1 {
		t.Errorf("connections and their questions: %v", from)
	}
}

// A question whose time is over takes its connection with it, and the next has another.
func TestConnAfterATimeout(t *testing.T) {
	t.Parallel()
	r := newResponder(t, nil, func(c net.Conn, nth int) {
		if nth == 1 {
			readFrame(c)
			readFrame(c) // until the client closes it
			return
		}
		truthful(t)(c, nth)
	})
	opts := patient()
	opts.TCP, opts.Tries, opts.Timeout = true, 1, 200*time.Millisecond
	conn := New(opts).Connect(r.addr)
	defer conn.Close()
	if _, err := conn.Exchange(t.Context(), testQuery()); !errors.Is(err, ErrTimeout) {
		t.Fatal(err)
	}
	if a, err := conn.Exchange(t.Context(), testQuery()); err != nil || a.Ignored != 0 {
		t.Errorf("%+v, %v", a, err)
	}
}

// UDP has no connection to keep: every question has its own port, and TCP is kept for what was truncated.
func TestConnOverUDP(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	ports := map[int]bool{}
	r := newResponder(t, func(d datagram) {
		mu.Lock()
		ports[d.from.Port] = true
		mu.Unlock()
		m := answerTo(t, d.wire)
		m.Truncated = d.nth > 4
		d.reply(pack(t, m))
	}, truthful(t))
	conn := New(patient()).Connect(r.addr)
	defer conn.Close()
	for range 4 {
		if a, err := conn.Exchange(t.Context(), testQuery()); err != nil || a.Network != "udp" {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	mu.Lock()
	if len(ports) < 2 {
		t.Errorf("four questions from the ports %v", ports)
	}
	mu.Unlock()
	for range 2 {
		if a, err := conn.Exchange(t.Context(), testQuery()); err != nil || a.Network != "tcp" {
			t.Fatalf("%+v, %v", a, err)
		}
	}
}

func TestConnTakesManyAtOnce(t *testing.T) {
	t.Parallel()
	r := newResponder(t, nil, truthful(t))
	opts := patient()
	opts.TCP = true
	conn := New(opts).Connect(r.addr)
	defer conn.Close()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := conn.Exchange(t.Context(), testQuery()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := r.asks.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// Where a message was left unread there is no telling where the next begins: the connection is not used again.
func TestConnAfterAMessageTooLong(t *testing.T) {
	t.Parallel()
	r := newResponder(t, nil, func(c net.Conn, nth int) {
		if nth == 1 {
			if readFrame(c) != nil {
				c.Write(frame(make([]byte, 200)))
			}
		}
		truthful(t)(c, nth)
	})
	opts := patient()
	opts.TCP, opts.Tries, opts.MaxMessage = true, 1, 100
	conn := New(opts).Connect(r.addr)
	defer conn.Close()
	if _, err := conn.Exchange(t.Context(), testQuery()); !errors.Is(err, ErrTooLong) {
		t.Fatal(err)
	}
	if a, err := conn.Exchange(t.Context(), testQuery()); err != nil || a.Ignored != 0 || r.asks.Load() != 2 {
		t.Errorf("%+v, %v, %d connections", a, err, r.asks.Load())
	}
}
