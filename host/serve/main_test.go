package serve

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// session is a Session made of functions; nil ones do nothing.
type session struct{ run, end func() }

func (s session) Run() {
	if s.run != nil {
		s.run()
	}
}

func (s session) End() {
	if s.end != nil {
		s.end()
	}
}

// echo answers what comes until the client or the loop ends.
func echo(l *Loop) func(net.Conn) Session {
	return func(conn net.Conn) Session {
		return session{run: func() {
			buf := make([]byte, 512)
			for l.Await(conn, time.Minute) == nil {
				n, err := conn.Read(buf)
				if err != nil {
					return
				}
				if _, err := conn.Write(buf[:n]); err != nil {
					return
				}
			}
		}}
	}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func listenPacket(t testing.TB) net.PacketConn {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return pc
}

// serve runs Serve until the test ends and gives the address.
func serve(t testing.TB, l *Loop, begin func(net.Conn) Session) string {
	t.Helper()
	listener := listen(t)
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(listener, begin) }()
	t.Cleanup(func() {
		shutdown(t, l)
		if err := <-ended; !errors.Is(err, l.opts.Closed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return listener.Addr().String()
}

func shutdown(t testing.TB, l *Loop) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := l.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func dial(t testing.TB, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// served says whether a connection is answered.
func served(conn net.Conn) bool {
	buf := make([]byte, 1)
	if _, err := conn.Write([]byte("x")); err != nil {
		return false
	}
	_, err := conn.Read(buf)
	return err == nil
}

// eventually waits for what happens in another goroutine.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// notes remembers what the callbacks of Options say.
type notes struct {
	mu       sync.Mutex
	refused  map[Refusal]int
	panicked []string
	log      bytes.Buffer
}

func (n *notes) options() Options {
	return Options{
		Log: slog.New(slog.NewTextHandler(n, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Refused: func(conn net.Conn, why Refusal) {
			n.mu.Lock()
			defer n.mu.Unlock()
			if n.refused == nil {
				n.refused = map[Refusal]int{}
			}
			n.refused[why]++
		},
		Panicked: func(network string, value any) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.panicked = append(n.panicked, network)
		},
	}
}

// Write takes lines of the log.
func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.Write(p)
}

func (n *notes) logged() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.String()
}

func (n *notes) refusals(why Refusal) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.refused[why]
}

func (n *notes) panics() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.panicked...)
}

// guard admits some connections at once.
type guard struct {
	mu       sync.Mutex
	left     int
	released int
	asked    netip.Addr
}

func (g *guard) Admit(client netip.Addr) (func(), error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = client
	if g.left == 0 {
		return nil, errors.New("no")
	}
	g.left--
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.left++
		g.released++
	}, nil
}

func (g *guard) releases() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.released
}

// client is who was asked about last.
func (g *guard) client() netip.Addr {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked
}
