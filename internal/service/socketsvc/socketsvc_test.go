package socketsvc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/leftout"
	"github.com/network-utopia/utopia/socket"
	"github.com/network-utopia/utopia/transcript"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	osHost   = host.NewOS(host.OSOptions{})
	loopback = netip.MustParseAddr("127.0.0.1")
)

func newService(t *testing.T, opts Options) *Service {
	t.Helper()
	if opts.Host == nil {
		opts.Host = osHost
	}
	if opts.Addresses == nil {
		opts.Addresses = []netip.Addr{loopback}
	}
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func start(t *testing.T, opts Options) *Service {
	t.Helper()
	s := newService(t, opts)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func upper(t *testing.T, s *Service, network, text string) (string, error) {
	t.Helper()
	for _, e := range s.Endpoints() {
		if e.Network == network {
			var out bytes.Buffer
			err := socket.Upper(t.Context(), osHost, network, e.Address, strings.NewReader(text), &out, socket.ClientOptions{Timeout: time.Second})
			return out.String(), err
		}
	}
	t.Fatalf("no endpoint for %s", network)
	return "", nil
}

// meter counts by outcome.
type meter struct {
	mu     sync.Mutex
	counts map[string]int
}

func (m *meter) Count(outcome string, _, _ int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil {
		m.counts = map[string]int{}
	}
	m.counts[outcome]++
}

func (m *meter) count(outcome string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts[outcome]
}

// gate is a Guard that is open or shut.
type gate bool

func (g gate) Admit(netip.Addr) (func(), error) {
	if !g {
		return nil, errors.New("shut")
	}
	return func() {}, nil
}

func (g gate) Allow(netip.Addr) bool { return bool(g) }

func TestServes(t *testing.T) {
	t.Parallel()
	m := &meter{}
	ring := transcript.NewRing(20, 1000)
	recorder := transcript.New(transcript.Options{Sinks: []transcript.Sink{ring}})
	s := start(t, Options{Meter: m, Guard: gate(true), Transcript: recorder})
	for _, network := range []string{"tcp", "udp"} {
		if got, err := upper(t, s, network, "hello\n"); got != "HELLO\n" || err != nil {
			t.Errorf("%s: %q, %v", network, got, err)
		}
	}
	for end := time.Now().Add(5 * time.Second); m.count("TCP") != 1 || m.count("UDP") != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("counted %v", m.counts)
		}
	}
	if n := len(ring.Recent(9)); n != 2 {
		t.Errorf("%d exchanges recorded", n)
	}
}

// Asking itself must not fill the transcripts, nor the numbers.
func TestCheck(t *testing.T) {
	t.Parallel()
	m := &meter{}
	ring := transcript.NewRing(20, 1000)
	recorder := transcript.New(transcript.Options{Sinks: []transcript.Sink{ring}})
	s := newService(t, Options{Meter: m, Transcript: recorder, Addresses: []netip.Addr{loopback, netip.MustParseAddr("127.0.0.2")}})
	if err := s.Check(t.Context()); err == nil {
		t.Error("well before it runs")
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := s.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Start(t.Context()); err == nil {
		t.Error("started twice")
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(ring.Recent(9)); n != 0 || m.count("TCP")+m.count("UDP") != 0 {
		t.Errorf("%d exchanges recorded, %v counted", n, m.counts)
	}
	if err := s.Check(t.Context()); err == nil {
		t.Error("well after it was stopped")
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("stopped twice: %v", err)
	}
}

// A service that does not answer rightly is found out.
func TestCheckFindsTrouble(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Guard: gate(false)})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := s.Check(ctx)
	if err == nil || !strings.Contains(err.Error(), "over TCP") || !strings.Contains(err.Error(), "over UDP") {
		t.Errorf("%v", err)
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	before, after := &meter{}, &meter{}
	s := start(t, Options{Guard: gate(true), Meter: before})
	conn, err := osHost.Dial(t.Context(), "tcp", s.Endpoints()[0].Address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	say := func(text string) {
		t.Helper()
		answer := make([]byte, len(text))
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != strings.ToUpper(text) {
			t.Fatalf("%q, %v", answer, err)
		}
	}
	say("before")
	if !s.Replace(newService(t, Options{Guard: gate(false), Meter: after})) {
		t.Fatal("not replaced")
	}
	say("after") // the connection that was open stays
	if got, err := upper(t, s, "tcp", "x\n"); err == nil {
		t.Errorf("the new guard lets a client in: %q", got)
	}
	if got, err := upper(t, s, "udp", "x\n"); err == nil {
		t.Errorf("the new guard lets a datagram in: %q", got)
	}
	if !s.Replace(newService(t, Options{Guard: gate(true), Meter: after})) {
		t.Fatal("not replaced")
	}
	if got, err := upper(t, s, "udp", "x\n"); got != "X\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	// A datagram is counted once its answer has been sent.
	for until := time.Now().Add(10 * time.Second); after.count("UDP") == 0 && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
	if after.count("UDP") != 1 || before.count("UDP") != 0 {
		t.Errorf("counted %d and %d", before.count("UDP"), after.count("UDP"))
	}
	for name, other := range map[string]Options{
		"another port":    {Guard: gate(true), Port: 1},
		"another address": {Guard: gate(true), Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.2")}},
		"another host":    {Guard: gate(true), Host: host.NewOS(host.OSOptions{})},
		"no guard":        {},
	} {
		if s.Replace(newService(t, other)) {
			t.Errorf("replaced by one with %s", name)
		}
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	taken, err := osHost.Listen(t.Context(), "tcp", "127.0.0.3:0")
	if err != nil {
		leftout.Because(t, "127.0.0.3 is not to be had: %v", err)
	}
	defer func() { _ = taken.Close() }()
	port := uint16(taken.Addr().(*net.TCPAddr).Port)
	first, second := netip.MustParseAddr("127.0.0.4"), netip.MustParseAddr("127.0.0.3")
	s := newService(t, Options{Addresses: []netip.Addr{first, second}, Port: port})
	err = s.Start(t.Context())
	var op *net.OpError
	if !errors.Is(err, syscall.EADDRINUSE) || !errors.As(err, &op) {
		t.Fatalf("Start: %v", err)
	}
	// Nothing is left open on the first address, and the service can be started once the port is free.
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{Port: 20000, Addresses: []netip.Addr{loopback, netip.IPv6Loopback()}})
	var got []string
	for _, e := range s.Endpoints() {
		got = append(got, e.Protocol+" "+e.Network+" "+e.Address)
	}
	want := "upper-case tcp 127.0.0.1:20000, upper-case udp 127.0.0.1:20000, upper-case tcp [::1]:20000, upper-case udp [::1]:20000"
	if strings.Join(got, ", ") != want {
		t.Errorf("%q", got)
	}
}

func TestUnspecifiedAddress(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Addresses: []netip.Addr{netip.IPv4Unspecified()}})
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{Addresses: []netip.Addr{loopback}}); err == nil {
		t.Error("no host is fine")
	}
	if _, err := New(Options{Host: osHost}); err == nil {
		t.Error("no address is fine")
	}
}

// The end of a loop by itself is told, since nobody else would notice.
func TestALoopThatEndsIsLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := start(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	s.mu.Lock()
	err := errors.Join(s.sockets.Listeners[0].Close(), s.sockets.Packets[0].Close())
	s.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	s.serving.Wait()
	if n := strings.Count(log.String(), "no longer answers"); n != 2 {
		t.Errorf("logged %q", &log)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Check(ctx); err == nil {
		t.Error("still well")
	}
}
