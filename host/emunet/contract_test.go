package emunet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"github.com/network-utopia/utopia/host"
)

// The suite that package net holds its own connections to, in real time.
func TestConnectionsAreNetConns(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]LinkOption{
		"at once":   nil,
		"some time": {Delay(200 * time.Microsecond), Rate(100 * Mbit)},
		"loss":      {Delay(100 * time.Microsecond), Loss(0.01)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
				n := New(1)
				if n.virtual {
					t.Fatal("the world is taken for a bubble")
				}
				x, y, _ := twoHosts(n, options...)
				a, b := connected(t, x, y)
				return a, b, func() { n.Close() }, nil
			})
		})
	}
}

// What is dialled from one of several addresses leaves from there, on an emulated host as on the operating system's.
func TestDialFrom(t *testing.T) {
	t.Parallel()
	n := New(1)
	defer n.Close()
	router, server, many := n.Router("router"), n.Host("server", "198.51.100.1", "2001:db8::1"), n.Host("many", "192.0.2.1", "192.0.2.2", "2001:db8:1::1", "2001:db8:1::2")
	n.Link(server, router, Delay(ms))
	n.Link(many, router, Delay(ms))
	system := host.NewOS(host.OSOptions{Local: netip.MustParseAddrPort("127.0.0.9:0")})
	for _, c := range []struct {
		from, to host.Host
		address  string // of to
		local    string // "": as the host picks
		want     string
	}{
		{many, server, "198.51.100.1", "192.0.2.1", "192.0.2.1"},
		{many, server, "198.51.100.1", "192.0.2.2", "192.0.2.2"},
		{many, server, "2001:db8::1", "2001:db8:1::1", "2001:db8:1::1"},
		{many, server, "2001:db8::1", "2001:db8:1::2", "2001:db8:1::2"},
		{many, server, "198.51.100.1", "0.0.0.0", "192.0.2.1"},
		{many, server, "198.51.100.1", "", "192.0.2.1"},
		{plainHost{many}, server, "198.51.100.1", "192.0.2.2", "192.0.2.1"}, // a host that cannot
		{system, system, "127.0.0.1", "127.0.0.3", "127.0.0.3"},
		{system, system, "127.0.0.1", "", "127.0.0.9"},
	} {
		local, _ := netip.ParseAddr(c.local)
		for _, network := range []string{"udp", "tcp"} {
			at := net.JoinHostPort(c.address, "0")
			if got := seenFrom(t, c.from, c.to, network, at, local); got != c.want {
				t.Errorf("%s to %s from %q: %s, want %s", network, c.address, c.local, got, c.want)
			}
		}
	}
	for from, to := range map[string]string{"192.0.2.1": "[2001:db8::1]:9", "127.0.0.1": "198.51.100.1:9", "198.51.100.1": "198.51.100.1:9"} {
		if _, err := many.DialFrom(t.Context(), netip.MustParseAddr(from), "udp", to); err == nil {
			t.Errorf("from %s to %s", from, to)
		}
	}
}

// plainHost is a host that does not let callers pick.
type plainHost struct{ host.Host }

// seenFrom is the address that a peer sees.
func seenFrom(t *testing.T, from, to host.Host, network, address string, local netip.Addr) string {
	t.Helper()
	dial := func(at net.Addr) net.Conn {
		conn, err := host.DialFrom(t.Context(), from, local, network, at.String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("who?")); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	if network == "udp" {
		pc, err := to.ListenPacket(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer pc.Close()
		defer dial(pc.LocalAddr()).Close()
		_, peer, err := pc.ReadFrom(make([]byte, 9))
		if err != nil {
			t.Fatal(err)
		}
		return host.AddrPort(peer).Addr().String()
	}
	l, err := to.Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	defer dial(l.Addr()).Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return host.AddrPort(conn.RemoteAddr()).Addr().String()
}

// The same calls on an emulated host and on the operating system's give the same errors.
func TestErrorsAreTheSystems(t *testing.T) {
	shape := func(err error) string {
		var number syscall.Errno
		var op *net.OpError
		if !errors.As(err, &op) {
			return fmt.Sprintf("%T: %v", err, err)
		}
		_ = errors.As(err, &number)
		var dns *net.DNSError
		return fmt.Sprintf("%s, errno %d, timeout %v, closed %v, deadline %v, cancelled %v, name %v", op.Op, number, op.Timeout(),
			errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.Canceled), errors.As(err, &dns))
	}
	cancelled, cancel := context.WithCancel(background)
	cancel()
	late, cancelLate := context.WithDeadline(background, time.Now().Add(-time.Second))
	defer cancelLate()
	for name, do := range map[string]func(h host.Host) error{
		"refused": func(h host.Host) error {
			_, err := h.Dial(background, "tcp", "127.0.0.1:9")
			return err
		},
		"taken": func(h host.Host) error {
			l, err := h.Listen(background, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer l.Close()
			_, err = h.Listen(background, "tcp", l.Addr().String())
			return err
		},
		"taken by all": func(h host.Host) error {
			l, err := h.Listen(background, "tcp4", "0.0.0.0:0")
			if err != nil {
				return err
			}
			defer l.Close()
			_, err = h.Listen(background, "tcp", fmt.Sprintf("127.0.0.1:%d", l.Addr().(*net.TCPAddr).Port))
			return err
		},
		"taken, datagrams": func(h host.Host) error {
			c, err := h.ListenPacket(background, "udp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = h.ListenPacket(background, "udp", c.LocalAddr().String())
			return err
		},
		"not ours": func(h host.Host) error {
			_, err := h.Listen(background, "tcp", "192.0.2.77:0")
			return err
		},
		"not ours, datagrams": func(h host.Host) error {
			_, err := h.ListenPacket(background, "udp", "192.0.2.77:0")
			return err
		},
		"from what is not ours": func(h host.Host) error {
			_, err := host.DialFrom(background, h, netip.MustParseAddr("192.0.2.77"), "udp", "127.0.0.1:9")
			return err
		},
		"from what is not ours, a stream": func(h host.Host) error {
			_, err := host.DialFrom(background, h, netip.MustParseAddr("192.0.2.77"), "tcp", "127.0.0.1:9")
			return err
		},
		"no network":      func(h host.Host) error { _, err := h.Dial(background, "sctp", "127.0.0.1:9"); return err },
		"wrong listener":  func(h host.Host) error { _, err := h.Listen(background, "udp", "127.0.0.1:0"); return err },
		"wrong socket":    func(h host.Host) error { _, err := h.ListenPacket(background, "tcp", "127.0.0.1:0"); return err },
		"no port":         func(h host.Host) error { _, err := h.Dial(background, "tcp", "127.0.0.1"); return err },
		"a port too high": func(h host.Host) error { _, err := h.Dial(background, "tcp", "127.0.0.1:65536"); return err },
		"cancelled":       func(h host.Host) error { _, err := h.Dial(cancelled, "tcp", "127.0.0.1:9"); return err },
		"too late":        func(h host.Host) error { _, err := h.Dial(late, "tcp", "127.0.0.1:9"); return err },
		"closed twice": func(h host.Host) error {
			l, err := h.Listen(background, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			return errors.Join(l.Close(), l.Close())
		},
		"accept when closed": func(h host.Host) error {
			l, err := h.Listen(background, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			l.Close()
			_, err = l.Accept()
			return err
		},
		"accept too late": func(h host.Host) error {
			l, err := h.Listen(background, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer l.Close()
			if err := l.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Unix(1, 0)); err != nil {
				return err
			}
			_, err = l.Accept()
			return err
		},
		"read after a close": onConn(func(a, _ net.Conn) error { a.Close(); _, err := a.Read(make([]byte, 1)); return err }),
		"write after a close": onConn(func(a, _ net.Conn) error {
			a.Close()
			_, err := a.Write([]byte("x"))
			return err
		}),
		"close after a close": onConn(func(a, _ net.Conn) error { a.Close(); return a.Close() }),
		"deadline after a close": onConn(func(a, _ net.Conn) error {
			a.Close()
			return a.SetDeadline(time.Now())
		}),
		"read too late": onConn(func(a, _ net.Conn) error {
			if err := a.SetReadDeadline(time.Now().Add(ms)); err != nil {
				return err
			}
			_, err := a.Read(make([]byte, 1))
			return err
		}),
		"write too late": onConn(func(a, _ net.Conn) error {
			if err := a.SetWriteDeadline(time.Now().Add(ms)); err != nil {
				return err
			}
			for {
				if _, err := a.Write(make([]byte, 1<<16)); err != nil {
					return err
				}
			}
		}),
		"write after CloseWrite": onConn(func(a, _ net.Conn) error {
			if err := a.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				return err
			}
			_, err := a.Write([]byte("x"))
			return err
		}),
		"reset": onConn(func(a, b net.Conn) error {
			if err := b.(interface{ SetLinger(int) error }).SetLinger(0); err != nil {
				return err
			}
			b.Close()
			time.Sleep(10 * ms)
			_, err := a.Read(make([]byte, 1))
			return err
		}),
		"reset, writing": onConn(func(a, b net.Conn) error {
			if err := b.(interface{ SetLinger(int) error }).SetLinger(0); err != nil {
				return err
			}
			b.Close()
			time.Sleep(10 * ms)
			_, err := a.Write(make([]byte, 1))
			return err
		}),
		"half-closed": onConn(func(a, b net.Conn) error {
			if err := b.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				return err
			}
			_, err := a.Read(make([]byte, 1))
			return err
		}),
		"port unreachable, read": onUDP(func(c net.Conn) error {
			if _, err := c.Write([]byte("x")); err != nil {
				return err
			}
			time.Sleep(10 * ms)
			_, err := c.Read(make([]byte, 1))
			return err
		}),
		"port unreachable, write": onUDP(func(c net.Conn) error {
			if _, err := c.Write([]byte("x")); err != nil {
				return err
			}
			time.Sleep(10 * ms)
			_, err := c.Write([]byte("x"))
			return err
		}),
		"too large": onUDP(func(c net.Conn) error { _, err := c.Write(make([]byte, 65508)); return err }),
		"to another than was dialled": onUDP(func(c net.Conn) error {
			_, err := c.(net.PacketConn).WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7})
			return err
		}),
		"datagram too late": onUDP(func(c net.Conn) error {
			if err := c.SetReadDeadline(time.Now().Add(ms)); err != nil {
				return err
			}
			_, err := c.Read(make([]byte, 1))
			return err
		}),
		"datagram after a close": onUDP(func(c net.Conn) error { c.Close(); _, err := c.Write([]byte("x")); return err }),
		"close of a closed one":  onUDP(func(c net.Conn) error { c.Close(); return c.Close() }),
	} {
		t.Run(name, func(t *testing.T) {
			compare(t, func(s *sequence) error { fmt.Fprint(&s.seen, shape(do(s.h))); return nil })
		})
	}
}

// onConn has a test of an open connection, both ends on one host.
func onConn(do func(a, b net.Conn) error) func(h host.Host) error {
	return func(h host.Host) error {
		l, err := h.Listen(background, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		a, err := h.Dial(background, "tcp", l.Addr().String())
		if err != nil {
			return err
		}
		defer a.Close()
		b, err := l.Accept()
		if err != nil {
			return err
		}
		defer b.Close()
		return do(a, b)
	}
}

// onUDP has a test of a socket that has dialled a port where nobody is.
func onUDP(do func(c net.Conn) error) func(h host.Host) error {
	return func(h host.Host) error {
		c, err := h.Dial(background, "udp", "127.0.0.1:9")
		if err != nil {
			return err
		}
		defer c.Close()
		return do(c)
	}
}

// What a host cannot be reached for, and when one learns of it.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, r := n.Host("a"), n.Host("b"), n.Router("r")
		alone := n.Host("alone")
		n.Link(a, r, Delay(25*ms))
		l := n.Link(b, r, Delay(25*ms))
		for _, c := range []struct {
			name, to string
			from     *Host
			before   func()
			err      error
			after    time.Duration
		}{
			{"refused", at(b, 80), a, nil, syscall.ECONNREFUSED, 100 * ms},
			{"refused, IPv6", netip.AddrPortFrom(b.addrs[1], 80).String(), a, nil, syscall.ECONNREFUSED, 100 * ms},
			{"nobody's address", "10.99.0.1:80", a, nil, syscall.EHOSTUNREACH, 50 * ms},
			{"no way at all", at(b, 80), alone, nil, syscall.ENETUNREACH, 0},
			{"of no host", "224.0.0.1:80", a, nil, syscall.ENETUNREACH, 0},
			{"a cut link", at(b, 80), a, l.Cut, context.DeadlineExceeded, host.DefaultDialTimeout},
			{"crashed", at(b, 80), a, func() { l.Heal(); b.Crash() }, context.DeadlineExceeded, host.DefaultDialTimeout},
			{"crashed itself", at(b, 80), a, a.Crash, syscall.ENETDOWN, 0},
		} {
			if c.before != nil {
				c.before()
			}
			var err error
			took := elapsed(func() { _, err = c.from.Dial(background, "tcp", c.to) })
			if !errors.Is(err, c.err) || !near(took, c.after) {
				t.Errorf("%s: %v after %v, want %v after %v", c.name, err, took, c.err, c.after)
			}
		}
	})
}

// A datagram that nobody takes is answered by ICMP, and whoever has dialled learns of it.
func TestUnreachableDatagrams(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, r := n.Host("a"), n.Host("b"), n.Router("r")
		n.Link(a, r, Delay(25*ms))
		n.Link(b, r, Delay(25*ms))
		for to, want := range map[string]syscall.Errno{at(b, 9): syscall.ECONNREFUSED, "10.99.0.1:9": syscall.EHOSTUNREACH} {
			c := dial(t, a, "udp", to)
			var err error
			took := elapsed(func() {
				if _, err := c.Write([]byte("x")); err != nil {
					t.Error(err)
				}
				_, err = c.Read(make([]byte, 9))
			})
			after := map[syscall.Errno]time.Duration{syscall.ECONNREFUSED: 100 * ms, syscall.EHOSTUNREACH: 50 * ms}[want]
			if !errors.Is(err, want) || !near(took, after) {
				t.Errorf("%s: %v after %v", to, err, took)
			}
			if _, err := c.Write([]byte("x")); err != nil {
				t.Errorf("it is told more than once: %v", err)
			}
			c.Close()
		}
		c := listenPacket(t, a, ":0") // has not dialled, and may speak with others
		if _, err := c.WriteTo([]byte("x"), &net.UDPAddr{IP: b.Addr().AsSlice(), Port: 9}); err != nil {
			t.Error(err)
		}
		c.SetReadDeadline(time.Now().Add(time.Second))
		if _, _, err := c.ReadFrom(make([]byte, 9)); !os.IsTimeout(err) {
			t.Errorf("a socket for all is told %v", err)
		}
	})
}

func TestDialEnds(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, l := twoHosts(n, Delay(50*ms))
		l.Cut()
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		var err error
		if took := elapsed(func() { _, err = a.Dial(ctx, "tcp", at(b, 80)) }); !near(took, time.Second) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v after %v", err, took)
		}
		cancelled, stop := context.WithCancel(background)
		time.AfterFunc(2*time.Second, stop)
		if took := elapsed(func() { _, err = a.Dial(cancelled, "tcp", at(b, 80)) }); !near(took, 2*time.Second) || !errors.Is(err, context.Canceled) {
			t.Errorf("%v after %v", err, took)
		}
		time.AfterFunc(time.Second, a.Crash)
		if took := elapsed(func() { _, err = a.Dial(background, "tcp", at(b, 80)) }); !near(took, time.Second) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v after %v", err, took)
		}
		if left := inside(n, func() int { return len(a.streams) + a.open }); left != 0 {
			t.Errorf("%d sockets are left", left)
		}
		a.Restart()
		l.Heal()
		time.Sleep(time.Second)
		listen(t, b, ":80")
		dial(t, a, "tcp", at(b, 80)).Close()
	})
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a := n.Host("a", "192.0.2.1", "192.0.2.2", "2001:db8::1")
		b := n.Host("b", "192.0.2.9", "2001:db8::9")
		n.Link(a, b, Delay(ms))
		if got := fmt.Sprint(a.Addrs(), " ", a.Name()); got != "[192.0.2.1 192.0.2.2 2001:db8::1] a" {
			t.Error(got)
		}
		for _, c := range []struct{ network, listen, asked, want string }{
			{"tcp", ":80", "192.0.2.2:80", "192.0.2.2:80"},
			{"tcp", ":80", "[2001:db8::1]:80", "[2001:db8::1]:80"},
			{"tcp4", ":80", "192.0.2.1:80", "192.0.2.1:80"},
			{"tcp4", ":80", "[2001:db8::1]:80", "refused"},
			{"tcp6", ":80", "192.0.2.1:80", "refused"},
			{"tcp", "0.0.0.0:80", "[2001:db8::1]:80", "[2001:db8::1]:80"},
			{"tcp", "[::]:80", "192.0.2.1:80", "192.0.2.1:80"},
			{"tcp", "192.0.2.2:80", "192.0.2.2:80", "192.0.2.2:80"},
			{"tcp", "192.0.2.2:80", "192.0.2.1:80", "refused"},
			{"tcp", "127.0.0.1:80", "192.0.2.1:80", "refused"},
		} {
			l, err := a.Listen(background, c.network, c.listen)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := b.Dial(background, "tcp", c.asked)
			got := "refused"
			if err == nil {
				got = conn.RemoteAddr().String()
				served, err := l.Accept()
				if err != nil || served.LocalAddr().String() != got || served.RemoteAddr().String() != conn.LocalAddr().String() {
					t.Errorf("%+v: accepted %v, %v", c, served, err)
				}
			} else if !errors.Is(err, syscall.ECONNREFUSED) {
				t.Error(err)
			}
			if got != c.want {
				t.Errorf("%+v: %s", c, got)
			}
			l.Close()
		}
		for _, address := range []string{"127.0.0.1:7", "127.9.9.9:7", "[::1]:7", "localhost:7", ":7", "192.0.2.2:7"} {
			l := listen(t, a, ":7")
			c := dial(t, a, "tcp", address)
			if c.LocalAddr().(*net.TCPAddr).IP.IsLoopback() != !strings.HasPrefix(address, "192") {
				t.Errorf("%s is dialled from %v", address, c.LocalAddr())
			}
			c.Close()
			l.Close()
		}
	})
}

// A socket that is bound to all addresses tells which was asked, and answers from it.
func TestAddressedPacketConn(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a := n.Host("a", "192.0.2.1", "192.0.2.2", "2001:db8::1")
		b := n.Host("b", "192.0.2.9", "2001:db8::9")
		n.Link(a, b, Delay(ms))
		socket, err := host.NewDatagramSocket(listenPacket(t, a, ":53"))
		if err != nil {
			t.Fatal(err)
		}
		for _, asked := range []string{"192.0.2.1:53", "192.0.2.2:53", "[2001:db8::1]:53"} {
			c := dial(t, b, "udp", asked) // takes no answer from elsewhere
			c.Write([]byte("question"))
			var d host.Datagram
			if err := socket.Receive(&d); err != nil || d.Local.String() != asked || string(d.Data) != "question" || d.Remote.String() != c.LocalAddr().String() {
				t.Errorf("%s: %+v, %v", asked, d, err)
			}
			if err := socket.Reply(&d, []byte("answer")); err != nil {
				t.Error(err)
			}
			buf := make([]byte, 99)
			if k, err := c.Read(buf); string(buf[:k]) != "answer" || err != nil {
				t.Errorf("%q, %v", buf[:k], err)
			}
			if _, ok := c.(net.PacketConn); !ok {
				t.Error("a dialled connection is no net.PacketConn")
			}
		}
		other := listenPacket(t, b, ":99")
		dialled := dial(t, a, "udp", "192.0.2.9:53")
		other.WriteTo([]byte("forged"), dialled.LocalAddr())
		dialled.SetReadDeadline(time.Now().Add(time.Second))
		if k, err := dialled.Read(make([]byte, 99)); !os.IsTimeout(err) {
			t.Errorf("read %d octets of another, %v", k, err)
		}
	})
}

// Buffers are bounded: what a program does not read in time is dropped, and it cannot write without end.
func TestDatagramBuffers(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, _ := twoHosts(n)
		const size = 1000
		to, from := listenPacket(t, b, ":9"), dial(t, a, "udp", at(b, 9))
		const fit = receiveBufferUDP / (size + overheadUDP)
		for range fit + 10 {
			from.Write(make([]byte, size))
		}
		time.Sleep(ms)
		if got := inside(n, func() int { return len(to.received) }); got != fit {
			t.Errorf("%d datagrams wait, want %d", got, fit)
		}
		took := elapsed(func() {
			for range 10 * fit {
				from.Write(make([]byte, size))
			}
		})
		if took < 9 || took > 99 {
			t.Errorf("ten times the buffer was written in %v", took)
		}
		k, err := to.Read(make([]byte, 10)) // what does not fit is lost
		if k != 10 || err != nil {
			t.Errorf("%d, %v", k, err)
		}
		if k, err := to.Read(make([]byte, 2000)); k != size || err != nil {
			t.Errorf("%d, %v", k, err)
		}
		large := make([]byte, 65507)
		time.Sleep(ms)
		for inside(n, func() int { return to.held }) > 0 {
			if _, err := to.Read(large); err != nil {
				t.Fatal(err)
			}
		}
		from.Write(large)
		if k, err = to.Read(large); k != 65507 || err != nil {
			t.Errorf("a datagram of the largest size: %d, %v", k, err)
		}
	})
}

func TestBacklog(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, _ := twoHosts(n, Delay(ms))
		l := listen(t, b, ":80")
		for range backlog {
			dial(t, a, "tcp", at(b, 80))
		}
		ctx, cancel := context.WithTimeout(background, 20*time.Second)
		defer cancel()
		if _, err := a.Dial(ctx, "tcp", at(b, 80)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one more than the backlog: %v", err)
		}
		if _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
		dial(t, a, "tcp", at(b, 80))
	})
}

func TestSocketsAreBounded(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, _, _ := twoHosts(n)
		inside(n, func() int { a.open = maxSockets - 1; return a.open })
		c := listenPacket(t, a, ":0")
		if _, err := a.ListenPacket(background, "udp", ":0"); !errors.Is(err, syscall.EMFILE) {
			t.Errorf("one socket too many: %v", err)
		}
		c.Close()
		listenPacket(t, a, ":0")
	})
}

// A host that has lost its power says nothing, and after a restart it knows nothing.
func TestCrashAndRestart(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, _ := twoHosts(n, Delay(50*ms))
		c, d := connected(t, a, b)
		l := listen(t, b, ":80")
		var wg sync.WaitGroup
		var ended []error
		var mu sync.Mutex
		wait := func(do func() error) {
			wg.Go(func() {
				err := do()
				mu.Lock()
				defer mu.Unlock()
				ended = append(ended, err)
			})
		}
		u := listenPacket(t, b, ":9")
		wait(func() error { _, err := d.Read(make([]byte, 1)); return err })
		wait(func() error { _, err := io.Copy(d, zeros{}); return err })
		wait(func() error { _, err := l.Accept(); return err })
		wait(func() error { _, _, err := u.ReadFrom(make([]byte, 1)); return err })
		time.Sleep(ms)
		b.Crash()
		wg.Wait()
		if len(ended) != 4 || slices.ContainsFunc(ended, func(err error) bool { return !errors.Is(err, net.ErrClosed) }) {
			t.Errorf("the programs are told %v", ended)
		}
		c.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := io.Copy(io.Discard, c); !os.IsTimeout(err) {
			t.Errorf("the peer is told %v", err)
		}
		if _, err := b.Listen(background, "tcp", ":80"); !errors.Is(err, syscall.ENETDOWN) {
			t.Errorf("listening on a crashed host: %v", err)
		}
		b.Restart()
		listen(t, b, ":80")
		c.SetReadDeadline(time.Time{})
		c.Write([]byte("hello?"))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after the restart the peer is told %v", err)
		}
	})
}

// After Close nothing waits any more.
func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		a, b, _ := twoHosts(n, Delay(50*ms))
		c, _ := connected(t, a, b)
		done := make(chan error)
		go func() { _, err := c.Read(make([]byte, 1)); done <- err }()
		go func() { _, err := a.Dial(background, "tcp", at(b, 80)); done <- err }()
		time.Sleep(ms)
		if err := errors.Join(n.Close(), n.Close()); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := <-done; !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
		if _, err := a.Listen(background, "tcp", ":80"); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

// A connection's end does not keep a port: TIME-WAIT is no reason to refuse the next one (RFC 9293 section 3.6.1).
func TestPortsAreReused(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, _ := twoHosts(n)
		l := listen(t, b, ":80")
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close() // first: the wait is here
			}
		}()
		for range lastEphemeral - firstEphemeral + 100 {
			var c net.Conn
			if took := elapsed(func() { c = dial(t, a, "tcp", at(b, 80)) }); took > ms {
				t.Fatalf("a connection at a port that was used before takes %v", took)
			}
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Fatal(err)
			}
			c.Close()
		}
	})
}

// In real time the same network works on the world's clock.
func TestRealTime(t *testing.T) {
	t.Parallel()
	n := New(1)
	defer n.Close()
	a, b, _ := twoHosts(n, Delay(20*ms), Rate(100*Mbit))
	l := serve(t, b, 80, func(c net.Conn, request string) { _, _ = c.Write(bytes.ToUpper([]byte(request))) })
	defer l.Close()
	took := elapsed(func() {
		c := dial(t, a, "tcp", at(b, 80))
		defer c.Close()
		_, _ = c.Write([]byte("hello"))
		buf := make([]byte, 9)
		if k, err := io.ReadFull(c, buf[:5]); string(buf[:k]) != "HELLO" || err != nil {
			t.Errorf("%q, %v", buf[:k], err)
		}
	})
	if took < 80*ms || took > 5*time.Second { // a busy machine may be late
		t.Errorf("two round trips of 40 ms took %v", took)
	}
}
