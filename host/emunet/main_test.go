package emunet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// virtually runs a test on a network inside a bubble.
func virtually(t *testing.T, seed uint64, test func(t *testing.T, n *Net)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := New(seed)
		defer func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}()
		if !n.virtual {
			t.Fatal("a bubble is taken for the world")
		}
		test(t, n)
	})
}

var background = context.Background()

func listen(t testing.TB, h *Host, address string) net.Listener {
	t.Helper()
	l, err := h.Listen(background, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func listenPacket(t testing.TB, h *Host, address string) *packetConn {
	t.Helper()
	c, err := h.ListenPacket(background, "udp", address)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*packetConn)
}

func dial(t testing.TB, h *Host, network, address string) net.Conn {
	t.Helper()
	c, err := h.Dial(background, network, address)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// at is an address and port of a host.
func at(h interface{ Addr() netip.Addr }, port uint16) string {
	return netip.AddrPortFrom(h.Addr(), port).String()
}

// connected gives both ends of a connection between two hosts.
func connected(t testing.TB, from, to *Host) (a, b net.Conn) {
	t.Helper()
	l := listen(t, to, ":0")
	defer l.Close()
	a = dial(t, from, "tcp", at(to, l.Addr().(*net.TCPAddr).AddrPort().Port()))
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

// twoHosts is two hosts and the link between them.
func twoHosts(n *Net, options ...LinkOption) (a, b *Host, l *Link) {
	a, b = n.Host("a"), n.Host("b")
	return a, b, n.Link(a, b, options...)
}

// serve answers each connection with what respond writes, once a request has come.
func serve(t testing.TB, h *Host, port uint16, respond func(c net.Conn, request string)) net.Listener {
	l := listen(t, h, fmt.Sprintf(":%d", port))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4096)
				for {
					k, err := c.Read(buf)
					if err != nil {
						return
					}
					respond(c, string(buf[:k]))
				}
			}()
		}
	}()
	return l
}

// inside reads what belongs to the network.
func inside[T any](n *Net, read func() T) T {
	n.mu.Lock()
	defer n.mu.Unlock()
	return read()
}

// elapsed is how long something takes.
func elapsed(do func()) time.Duration {
	start := time.Now()
	do()
	return time.Since(start)
}

// near says whether two times differ by less than a microsecond: what the network adds so that no two things happen at
// one moment.
func near(got, want time.Duration) bool { return (got - want).Abs() < time.Microsecond }

// zeros is a source without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// echoDatagrams answers each datagram with what is in it, from the address that it was sent to, until it is closed.
func echoDatagrams(c *packetConn) {
	buf := make([]byte, 2000)
	for {
		k, from, to, err := c.ReadAddressed(buf)
		if err != nil {
			return
		}
		if _, err := c.WriteAddressed(buf[:k], to, from); err != nil {
			return
		}
	}
}
