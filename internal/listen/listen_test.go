package listen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/leftout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	system   = host.NewOS(host.OSOptions{})
	loopback = netip.MustParseAddr("127.0.0.1")
)

func TestOpen(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, err := Open(ctx, system, []netip.Addr{loopback}, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.Listeners) != 1 || len(s.Packets) != 1 {
		t.Fatalf("%d listeners, %d datagram sockets", len(s.Listeners), len(s.Packets))
	}
	tcp, udp := host.AddrPort(s.Listeners[0].Addr()), host.AddrPort(s.Packets[0].LocalAddr())
	if tcp != udp || tcp.Addr() != loopback {
		t.Errorf("TCP at %v and UDP at %v", tcp, udp)
	}
	alone, err := Open(ctx, system, []netip.Addr{loopback}, 0, 0)
	if err != nil || len(alone.Packets) != 0 {
		t.Errorf("without datagrams: %v, %v", alone, err)
	}
	alone.Close()
}

// crowded is a host where UDP has given away the ports that TCP finds free, as happens now and then where many tests
// run at once.
type crowded struct {
	host.Host
	times int
}

func (c *crowded) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	if c.times > 0 {
		c.times--
		return nil, &net.OpError{Op: "listen", Net: network, Err: syscall.EADDRINUSE}
	}
	return c.Host.ListenPacket(ctx, network, address)
}

func TestOpenLooksForAPortThatIsFreeForBoth(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), &crowded{system, 3}, []netip.Addr{loopback}, 0, 1)
	if err != nil || len(s.Listeners) != 1 || len(s.Packets) != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	port := host.AddrPort(s.Listeners[0].Addr()).Port()
	s.Close()
	if _, err := Open(t.Context(), &crowded{system, 1}, []netip.Addr{loopback}, port, 1); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a port that was asked for: %v", err)
	}
	if _, err := Open(t.Context(), &crowded{system, 99}, []netip.Addr{loopback}, 0, 1); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("without end: %v", err)
	}
}

func TestOpenAllOrNone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	taken, err := Open(ctx, system, []netip.Addr{loopback}, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := host.AddrPort(taken.Listeners[0].Addr()).Port()
	other := netip.MustParseAddr("127.0.0.2")
	if _, err := Open(ctx, system, []netip.Addr{other, loopback}, port, 1); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("one of two addresses is taken: %v", err)
	}
	again, err := Open(ctx, system, []netip.Addr{other}, port, 1)
	if err != nil {
		t.Fatalf("the other address was not given back: %v", err)
	}
	again.Close()
}

func TestBothUnspecifiedAddresses(t *testing.T) {
	t.Parallel()
	probe, err := Open(t.Context(), system, []netip.Addr{netip.IPv6Loopback()}, 0, 0)
	if err != nil {
		leftout.Because(t, "this machine has no IPv6: %v", err)
	}
	port := host.AddrPort(probe.Listeners[0].Addr()).Port()
	probe.Close()
	s, err := Open(t.Context(), system, []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}, port, 1)
	if err != nil {
		t.Fatalf("0.0.0.0 and :: exclude each other: %v", err)
	}
	s.Close()
}

func TestReachable(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"0.0.0.0:1": "127.0.0.1:1", "[::]:1": "[::1]:1", "192.0.2.1:1": "192.0.2.1:1", "host1": "host1",
	} {
		if got := reachable(address); got != want {
			t.Errorf("reachable(%s) = %s", address, got)
		}
	}
}

// answering accepts connections, says whether each is the service's own, and closes it.
func answering(t *testing.T, self *Self, own chan<- bool) control.Endpoint {
	t.Helper()
	s, err := Open(t.Context(), system, []netip.Addr{loopback}, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := s.Listeners[0].Accept()
			if err != nil {
				return
			}
			io.ReadFull(conn, make([]byte, 1))
			own <- self.Is(host.AddrPort(conn.RemoteAddr()))
			fmt.Fprint(conn, "y")
			conn.Close()
		}
	})
	t.Cleanup(func() { s.Close(); serving.Wait() })
	return control.Endpoint{Protocol: "test", Network: "tcp", Address: s.Listeners[0].Addr().String()}
}

func oneByte(_ context.Context, conn net.Conn, _ control.Endpoint) error {
	if _, err := conn.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 1))
	return err
}

func TestSelf(t *testing.T) {
	t.Parallel()
	var self Self
	own := make(chan bool, 9)
	e := answering(t, &self, own)
	if err := self.Check(t.Context(), system, []control.Endpoint{e, e}, oneByte); err != nil {
		t.Error(err)
	}
	conn, err := system.Dial(t.Context(), "tcp", e.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := oneByte(t.Context(), conn, e); err != nil {
		t.Fatal(err)
	}
	if got := [3]bool{<-own, <-own, <-own}; got != [3]bool{true, true, false} {
		t.Errorf("own connections are %v, want the check's two alone", got)
	}
	if self.asking.Load() != 0 {
		t.Error("it still asks")
	}
}

func TestSelfTellsWhatFails(t *testing.T) {
	t.Parallel()
	var self Self
	own := make(chan bool, 9)
	good := answering(t, &self, own)
	gone := control.Endpoint{Protocol: "gone", Network: "tcp", Address: "127.0.0.1:1"}
	boom := errors.New("boom")
	err := self.Check(t.Context(), system, []control.Endpoint{gone, good},
		func(ctx context.Context, conn net.Conn, e control.Endpoint) error {
			return errors.Join(oneByte(ctx, conn, e), boom)
		})
	if !errors.Is(err, syscall.ECONNREFUSED) || !errors.Is(err, boom) ||
		!strings.Contains(err.Error(), "gone at 127.0.0.1:1 over TCP") || !strings.Contains(err.Error(), good.Address) {
		t.Errorf("check: %v", err)
	}
	if err := self.Check(t.Context(), system, nil, oneByte); err == nil {
		t.Error("a service that listens nowhere is well")
	}
}

func TestSelfWaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	var self Self
	s, err := Open(t.Context(), system, []netip.Addr{loopback}, 0, 0) // nobody accepts, the kernel does
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	silent := control.Endpoint{Protocol: "silent", Network: "tcp", Address: s.Listeners[0].Addr().String()}
	err = self.Check(ctx, system, []control.Endpoint{silent}, oneByte)
	want := "silent at " + silent.Address + " over TCP: no answer in time: context deadline exceeded"
	if !errors.Is(err, context.DeadlineExceeded) || err.Error() != want {
		t.Errorf("check: %v, want %s", err, want)
	}
}

// serveHTTP serves through a door until the test ends.
func serveHTTP(t *testing.T, d *Door) string {
	t.Helper()
	s, err := Open(t.Context(), system, []netip.Addr{loopback}, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ConnState: d.ConnState, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(d.Listener(s.Listeners[0])) })
	t.Cleanup(func() { server.Close(); serving.Wait(); d.Wait() })
	return s.Listeners[0].Addr().String()
}

func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := system.Dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	return conn
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

func TestDoorCountsConnections(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	inside := 0
	d := &Door{
		Max: func() int { return 2 },
		Admit: func(netip.Addr) (func(), error) {
			mu.Lock()
			defer mu.Unlock()
			inside++
			return func() { mu.Lock(); inside--; mu.Unlock() }, nil
		},
		Refuse: func(conn net.Conn) { fmt.Fprint(conn, "full") },
	}
	address := serveHTTP(t, d)
	first, _ := connect(t, address), connect(t, address)
	eventually(t, "two are in", func() bool { return d.Open() == 2 })
	if said, err := io.ReadAll(connect(t, address)); string(said) != "full" || err != nil {
		t.Errorf("one past the limit is told %q, %v", said, err)
	}
	first.Close()
	eventually(t, "one has gone", func() bool { return d.Open() == 1 })
	third := connect(t, address)
	eventually(t, "the place is taken again", func() bool { return d.Open() == 2 })
	d.CloseAll()
	if _, err := third.Read(make([]byte, 1)); err == nil {
		t.Error("CloseAll left one open")
	}
	eventually(t, "all were given back", func() bool { mu.Lock(); defer mu.Unlock(); return inside == 0 && d.Open() == 0 })
}

func TestDoorAsksItsGuard(t *testing.T) {
	t.Parallel()
	d := &Door{Max: func() int { return 9 }, Admit: func(netip.Addr) (func(), error) { return nil, errors.New("no") }}
	if said, err := io.ReadAll(connect(t, serveHTTP(t, d))); len(said) != 0 || err != nil {
		t.Errorf("one that the guard refuses is told %q, %v", said, err)
	}
	if d.Open() != 0 {
		t.Error("one that was refused counts")
	}
}

func TestCloseUnused(t *testing.T) {
	t.Parallel()
	d := &Door{Max: func() int { return 9 }}
	address := serveHTTP(t, d)
	used, unused := connect(t, address), connect(t, address)
	fmt.Fprint(used, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := used.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both are in", func() bool { return d.Open() == 2 })
	d.CloseUnused()
	if _, err := unused.Read(make([]byte, 1)); err == nil {
		t.Error("an unused connection stays")
	}
	if d.Open() > 1 {
		eventually(t, "one is left", func() bool { return d.Open() == 1 })
	}
	fmt.Fprint(used, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := used.Read(make([]byte, 1)); err != nil {
		t.Errorf("a connection in use was closed: %v", err)
	}
}
