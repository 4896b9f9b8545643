package serve

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestMaxConns(t *testing.T) {
	t.Parallel()
	n := &notes{}
	opts := n.options()
	opts.MaxConns = 2
	l := New(opts)
	one, two := serve(t, l, echo(l)), serve(t, l, echo(l)) // all listeners share the limit
	first, second := dial(t, one), dial(t, two)
	if !served(first) || !served(second) || l.Conns() != 2 || n.refusals(RefusedConns) != 0 {
		t.Fatalf("at the limit: %d connections, %d refused", l.Conns(), n.refusals(RefusedConns))
	}
	for _, address := range []string{one, two} {
		if served(dial(t, address)) {
			t.Error("one past the limit is served")
		}
	}
	if l.Conns() != 2 || n.refusals(RefusedConns) != 2 {
		t.Errorf("%d connections, %d refused", l.Conns(), n.refusals(RefusedConns))
	}
	first.Close()
	eventually(t, "a place is free", func() bool { return l.Conns() == 1 })
	if !served(dial(t, two)) || !served(second) {
		t.Error("not served though there is room")
	}
	if !strings.Contains(n.logged(), "why=conns") {
		t.Errorf("logged %q", n.logged())
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	n, g := &notes{}, &guard{left: 2}
	opts := n.options()
	opts.Guard, opts.MaxConns = g, 1
	l := New(opts)
	address := serve(t, l, echo(l))
	first := dial(t, address)
	if !served(first) || g.client() != netip.MustParseAddr("127.0.0.1") {
		t.Fatalf("asked about %v", g.client())
	}
	// Refused for want of room: the guard's place is given back before the client hears of it.
	if served(dial(t, address)) || g.releases() != 1 || n.refusals(RefusedConns) != 1 {
		t.Errorf("%d releases", g.releases())
	}
	first.Close()
	eventually(t, "released", func() bool { return g.releases() == 2 })
	g.mu.Lock()
	g.left = 0
	g.mu.Unlock()
	if served(dial(t, address)) || n.refusals(RefusedGuard) != 1 || g.releases() != 2 {
		t.Errorf("the guard's refusal: %d, %d releases", n.refusals(RefusedGuard), g.releases())
	}
}

// End comes when the connection is closed and its place is free.
func TestEnd(t *testing.T) {
	t.Parallel()
	g := &guard{left: 1}
	l := New(Options{Guard: g})
	ended := make(chan string, 1)
	address := serve(t, l, func(conn net.Conn) Session {
		return session{end: func() {
			_, err := conn.Read(make([]byte, 1))
			if !errors.Is(err, net.ErrClosed) || l.Conns() != 0 || g.releases() != 1 {
				ended <- "too early"
			}
			close(ended)
		}}
	})
	conn := dial(t, address)
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the client read %v", err)
	}
	if why := <-ended; why != "" {
		t.Error(why)
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	for where, begin := range map[string]func(*guard) func(net.Conn) Session{
		"begin": func(*guard) func(net.Conn) Session { return func(net.Conn) Session { panic("in begin") } },
		"run": func(*guard) func(net.Conn) Session {
			return func(net.Conn) Session { return session{run: func() { panic("in run") }} }
		},
		"end": func(*guard) func(net.Conn) Session {
			return func(net.Conn) Session { return session{end: func() { panic("in end") }} }
		},
	} {
		n, g := &notes{}, &guard{left: 1}
		opts := n.options()
		opts.Guard = g
		l := New(opts)
		address := serve(t, l, begin(g))
		for round := range 2 { // the second finds the first one's place free
			if served(dial(t, address)) {
				t.Errorf("%s: served", where)
			}
			eventually(t, "released after a panic", func() bool { return g.releases() == round+1 })
		}
		eventually(t, "both panics counted", func() bool { return slices.Equal(n.panics(), []string{"tcp", "tcp"}) })
		if l.Conns() != 0 {
			t.Errorf("%s: %d connections", where, l.Conns())
		}
		if log := n.logged(); !strings.Contains(log, "in "+where) || !strings.Contains(log, "conn_test.go") || !strings.Contains(log, "remote=127.0.0.1:") {
			t.Errorf("%s: logged %q", where, log)
		}
	}
}

// A session that ends with a panic still has its End called.
func TestEndAfterPanic(t *testing.T) {
	t.Parallel()
	l := New(Options{}) // no callback, no log
	ended := make(chan struct{})
	address := serve(t, l, func(net.Conn) Session {
		return session{run: func() { panic("a bug") }, end: func() { close(ended) }}
	})
	dial(t, address)
	<-ended
}

func TestAcceptTriesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &notes{}
		l := New(n.options())
		in, ended, begun := &script{accept: make(chan any)}, make(chan error, 1), atomic.Int32{}
		go func() {
			ended <- l.Serve(in, func(net.Conn) Session { return session{run: func() { begun.Add(1) }} })
		}()
		fail := func() time.Duration {
			before := time.Now()
			in.accept <- syscall.EMFILE // taken once the pause before it is over
			return time.Since(before)
		}
		for i, want := range []time.Duration{0, 5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000} {
			if got := fail(); got != want*time.Millisecond {
				t.Errorf("pause %d: %v, want %d ms", i, got, want)
			}
		}
		server, client := net.Pipe()
		in.accept <- server // after which a failure counts as the first again
		if got := fail(); got != 0 {
			t.Errorf("after a success: %v", got)
		}
		if got := fail(); got != 5*time.Millisecond {
			t.Errorf("the first pause after a success: %v", got)
		}
		client.Close()
		if begun.Load() != 1 || !strings.Contains(n.logged(), "cannot accept a connection") {
			t.Errorf("%d sessions, logged %q", begun.Load(), n.logged())
		}
		// Shutdown does not wait for a pause to end.
		for range 10 {
			fail()
		}
		before := time.Now()
		go func() { in.accept <- net.ErrClosed }()
		shutdown(t, l)
		if took := time.Since(before); took != 0 {
			t.Errorf("Shutdown took %v", took)
		}
		if err := <-ended; err != ErrClosed {
			t.Error(err)
		}
	})
}

// Connections stay bare.
func TestTheConnectionIsTheListenersOwn(t *testing.T) {
	t.Parallel()
	l := New(Options{})
	bare := make(chan bool, 1)
	address := serve(t, l, func(conn net.Conn) Session {
		_, ok := conn.(*net.TCPConn)
		bare <- ok
		return session{}
	})
	dial(t, address)
	if !<-bare {
		t.Error("the connection is wrapped")
	}
}

// Clients come and go while the loop stops; run it with -race.
func TestManyClientsWhileItStops(t *testing.T) {
	t.Parallel()
	g := &guard{left: 1000}
	l := New(Options{Guard: g})
	var started, ended atomic.Int32
	address := serve(t, l, func(conn net.Conn) Session {
		started.Add(1)
		inner := echo(l)(conn)
		return session{run: inner.Run, end: func() { ended.Add(1) }}
	})
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					return
				}
				_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
				served(conn)
				conn.Close()
			}
		})
	}
	eventually(t, "some are served", func() bool { return ended.Load() > 50 })
	shutdown(t, l)
	clients.Wait()
	if s, e := started.Load(), ended.Load(); s != e || int(s) != g.releases() {
		t.Errorf("%d begun, %d ended, %d released", s, e, g.releases())
	}
}

func pair(t *testing.T) (server, client *net.TCPConn) {
	t.Helper()
	l := listen(t)
	defer l.Close()
	client = dial(t, l.Addr().String()).(*net.TCPConn)
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn), client
}

// A client that has sent more than was read still gets the last answer, and no reset.
func TestLinger(t *testing.T) {
	t.Parallel()
	server, client := pair(t)
	if _, err := client.Write(make([]byte, 10_000)); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Write([]byte("goodbye")); err != nil {
		t.Fatal(err)
	}
	go func() {
		Linger(server)
		server.Close()
	}()
	time.Sleep(10 * time.Millisecond)
	if got, err := io.ReadAll(client); string(got) != "goodbye" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestLingerEnds(t *testing.T) {
	t.Parallel()
	server, _ := pair(t)
	begun := time.Now()
	Linger(server) // the client neither sends nor ends
	if took := time.Since(begun); took < LingerTime-10*time.Millisecond || took > LingerTime+2*time.Second {
		t.Errorf("took %v", took)
	}
}

// counted is a connection of endless octets.
type counted struct {
	net.Conn
	left, taken int
}

func (c *counted) CloseWrite() error               { return nil }
func (c *counted) SetReadDeadline(time.Time) error { return nil }
func (c *counted) Read(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	c.taken += n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func TestLingerBytes(t *testing.T) {
	t.Parallel()
	for sent, want := range map[int]int{0: 0, LingerBytes: LingerBytes, LingerBytes + 1: LingerBytes, 1 << 30: LingerBytes} {
		c := &counted{left: sent}
		if Linger(c); c.taken != want {
			t.Errorf("of %d octets %d were taken", sent, c.taken)
		}
	}
}

// deaf is a connection whose sides cannot be ended alone; reading it would be a mistake.
type deaf struct{ net.Conn }

type failing struct{ net.Conn }

func (failing) CloseWrite() error { return os.ErrClosed }

func TestLingerWithoutHalfClose(t *testing.T) {
	t.Parallel()
	Linger(deaf{})
	Linger(failing{})
}
