package socket

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/transcript"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var osHost = host.NewOS(host.OSOptions{})

// counts is a Metrics that remembers.
type counts struct {
	mu        sync.Mutex
	exchanges map[string]int
	in, out   int64
	refused   map[Refusal]int
	panics    int
}

func newCounts() *counts {
	return &counts{exchanges: map[string]int{}, refused: map[Refusal]int{}}
}

func (c *counts) Exchange(network string, in, out int64, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exchanges[network]++
	c.in += in
	c.out += out
}

func (c *counts) Refused(_ string, why Refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused[why]++
}

func (c *counts) Panic(string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.panics++
}

func (c *counts) panicked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.panics
}

func (c *counts) refusals(why Refusal) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused[why]
}

func (c *counts) done(network string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exchanges[network]
}

// start serves both networks on one free port of loopback until the test ends.
func start(t *testing.T, opts Options) (tcp, udp string) {
	t.Helper()
	s, tcp, udp := startServer(t, opts)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return tcp, udp
}

func startServer(t *testing.T, opts Options) (s *Server, tcp, udp string) {
	t.Helper()
	l, err := osHost.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc, err := osHost.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = NewServer(opts)
	var served sync.WaitGroup
	served.Go(func() {
		if err := s.Serve(l); !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	served.Go(func() {
		if err := s.ServePacket(pc); !errors.Is(err, ErrServerClosed) {
			t.Errorf("ServePacket: %v", err)
		}
	})
	t.Cleanup(served.Wait) // runs after the cleanup that start adds
	return s, l.Addr().String(), pc.LocalAddr().String()
}

// connect dials and gives the connection a deadline, so that a test that hangs says where.
func connect(t *testing.T, network, address string) net.Conn {
	t.Helper()
	conn, err := osHost.Dial(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// watched is a recorder with the ring that holds its exchanges.
func watched() (*transcript.Recorder, *transcript.Ring) {
	ring := transcript.NewRing(50, 1000)
	return transcript.New(transcript.Options{Sinks: []transcript.Sink{ring}}), ring
}

// texts are the entries of an exchange, each with its direction.
func texts(r transcript.Record) []string {
	var all []string
	for _, e := range r.Entries {
		all = append(all, e.Dir.String()+" "+e.Text)
	}
	return all
}

// eventually waits for what another goroutine does just after the last byte that the test saw.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// refuser is a Guard and a Rate that admits n times.
type refuser struct {
	mu       sync.Mutex
	left     int
	released int
}

var errRefused = errors.New("refused")

func (r *refuser) Admit(netip.Addr) (func(), error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == 0 {
		return nil, errRefused
	}
	r.left--
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.left++
		r.released++
	}, nil
}

func (r *refuser) Allow(netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left--
	return r.left >= 0
}
