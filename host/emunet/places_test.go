package emunet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/leftout"
)

// families leaves out what needs IPv6 where the system has none.
func families(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		leftout.Because(t, "the system has no IPv6 to compare with: %v", err)
	}
	l.Close()
}

// port is the port of a socket's own address, as text.
func port(a net.Addr) string {
	_, p, _ := net.SplitHostPort(a.String())
	return p
}

// ip is the address alone.
func ip(a net.Addr) string {
	h, _, _ := net.SplitHostPort(a.String())
	return h
}

// Where somebody who listens can be reached, by every way to write an address: as on the system.
func TestWhoListensWhere(t *testing.T) {
	t.Parallel()
	families(t)
	networks := []string{"", "4", "6"}
	places := []string{"", "0.0.0.0", "[::]", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:0.0.0.0]", "127.9.9.9", "localhost"}
	for _, family := range networks {
		for _, place := range places {
			if place == "localhost" && family == "6" {
				continue
			}
			t.Run("tcp"+family+" "+place, func(t *testing.T) {
				t.Parallel()
				compare(t, func(s *sequence) error {
					l, err := s.h.Listen(background, "tcp"+family, place+":0")
					if s.call("Listen", err); err != nil {
						return nil
					}
					defer l.Close()
					fmt.Fprintln(&s.seen, ip(l.Addr()))
					for _, f := range networks {
						for _, p := range places {
							if p == "localhost" && f != "4" { // /etc/hosts decides
								continue
							}
							s.dialled(l, "tcp"+f, p)
						}
					}
					return nil
				})
			})
		}
	}
}

// dialled notes from where and whereto a connection is.
func (s *sequence) dialled(l net.Listener, network, place string) {
	c, err := s.h.Dial(background, network, place+":"+port(l.Addr()))
	if err != nil {
		s.call(network+" "+place, err)
		return
	}
	defer c.Close()
	// Another may listen at the same port of the address that was dialled, on a system that many share.
	_ = l.(interface{ SetDeadline(t time.Time) error }).SetDeadline(time.Now().Add(5 * time.Second))
	d, err := l.Accept()
	if err != nil {
		s.call("Accept", err)
		return
	}
	defer d.Close()
	fmt.Fprintln(&s.seen, network, place, ip(c.LocalAddr()), ip(c.RemoteAddr()), ip(d.LocalAddr()), ip(d.RemoteAddr()))
}

// Which two sockets cannot be bound to one port.
func TestClashes(t *testing.T) {
	t.Parallel()
	families(t)
	all := []struct{ family, place string }{
		{"", ""}, {"4", ""}, {"6", ""}, {"", "0.0.0.0"}, {"4", "0.0.0.0"}, {"", "[::]"}, {"6", "[::]"},
		{"", "127.0.0.1"}, {"", "[::1]"}, {"", "127.9.9.9"}, {"", "[::ffff:127.0.0.1]"},
	}
	for _, network := range []string{"tcp", "udp"} {
		for _, first := range all {
			t.Run(network+first.family+" "+first.place, func(t *testing.T) {
				t.Parallel()
				compare(t, func(s *sequence) error {
					for _, second := range all {
						open := func(family, place, port string) (net.Addr, func() error, error) {
							if network == "udp" {
								c, err := s.h.ListenPacket(background, network+family, place+":"+port)
								if err != nil {
									return nil, nil, err
								}
								return c.LocalAddr(), c.Close, nil
							}
							l, err := s.h.Listen(background, network+family, place+":"+port)
							if err != nil {
								return nil, nil, err
							}
							return l.Addr(), l.Close, nil
						}
						a, closeFirst, err := open(first.family, first.place, "0")
						if err != nil {
							return err
						}
						_, closeSecond, err := open(second.family, second.place, port(a))
						s.call(second.family+" "+second.place, err)
						if err != nil {
							fmt.Fprintln(&s.seen, strings.ReplaceAll(err.Error(), ":"+port(a), ":port"))
						}
						_ = closeFirst()
						if err == nil {
							_ = closeSecond()
						}
					}
					return nil
				})
			})
		}
	}
}

// What datagram sockets do with the same calls.
func TestDatagramSequences(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(s *sequence, a net.Conn, b net.PacketConn){
		"empty": func(s *sequence, a net.Conn, b net.PacketConn) {
			s.write(a, 0)
			s.write(a, 1)
			s.write(a, 0)
			settle()
			s.readFrom(b, 9)
			s.readFrom(b, 9)
			s.readFrom(b, 0)
			s.call("SetDeadline", b.SetDeadline(past))
			s.readFrom(b, 9)
		},
		"truncated": func(s *sequence, a net.Conn, b net.PacketConn) {
			s.write(a, 10)
			s.write(a, 20)
			s.write(a, 30)
			settle()
			s.readFrom(b, 4)
			s.readFrom(b, 0)
			s.readFrom(b, 99)
		},
		"a read of nothing": func(s *sequence, a net.Conn, b net.PacketConn) {
			_, err := b.WriteTo([]byte("hello"), a.LocalAddr())
			s.call("WriteTo", err)
			settle()
			s.read(a, 0)
			s.call("SetDeadline", a.SetDeadline(past))
			s.read(a, 0)
			s.write(a, 0)
			s.call("SetDeadline", a.SetDeadline(time.Time{}))
			s.read(a, 9)
			s.call("Close", a.Close())
			s.read(a, 0)
			s.write(a, 0)
		},
		"told once": func(s *sequence, a net.Conn, b net.PacketConn) {
			s.call("Close", b.Close())
			s.write(a, 1)
			settle()
			s.read(a, 1)
			s.write(a, 1)
			settle()
			s.write(a, 1)
			s.write(a, 1)
			settle()
			s.call("SetDeadline", a.SetDeadline(past))
			s.read(a, 1)
			s.call("SetDeadline", a.SetDeadline(time.Now().Add(ms)))
			s.read(a, 1)
			s.read(a, 1)
		},
		"told while there is something to read": func(s *sequence, a net.Conn, b net.PacketConn) {
			_, err := b.WriteTo([]byte("hello"), a.LocalAddr())
			s.call("WriteTo", err)
			s.call("Close", b.Close())
			s.write(a, 1)
			settle()
			s.read(a, 9)
			s.read(a, 9)
		},
		"closed while reading": func(s *sequence, a net.Conn, b net.PacketConn) {
			time.AfterFunc(10*ms, func() { a.Close() })
			s.read(a, 9)
			time.AfterFunc(10*ms, func() { _ = b.SetReadDeadline(past) })
			s.readFrom(b, 9)
			s.call("SetReadDeadline", b.SetReadDeadline(time.Now().Add(30*ms)))
			time.AfterFunc(10*ms, func() { _ = b.SetReadDeadline(time.Time{}) })
			time.AfterFunc(60*ms, func() { b.Close() })
			s.readFrom(b, 9)
			s.readFrom(b, 9)
			s.call("SetDeadline", b.SetDeadline(past))
		},
		"where to": func(s *sequence, a net.Conn, b net.PacketConn) {
			for _, to := range []net.Addr{
				&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.UDPAddr{IP: net.IPv4zero, Port: 9},
				&net.UDPAddr{IP: net.ParseIP("::ffff:127.0.0.1"), Port: 9},
			} {
				_, err := b.WriteTo([]byte("x"), to)
				s.call(to.String(), err)
			}
		},
		"dialled to nobody": func(s *sequence, _ net.Conn, _ net.PacketConn) {
			for _, to := range []string{"127.0.0.1:0", ":9", "0.0.0.0:9", "[::]:9", "[::ffff:127.0.0.1]:9", "127.9.9.9:9"} {
				c, err := s.h.Dial(background, "udp", to)
				if s.call("Dial "+to, err); err != nil {
					continue
				}
				fmt.Fprintln(&s.seen, c.RemoteAddr(), ip(c.LocalAddr()))
				s.write(c, 1)
				settle()
				s.write(c, 1)
				c.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compare(t, func(s *sequence) error {
				b, err := s.h.ListenPacket(background, "udp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				defer b.Close()
				a, err := s.h.Dial(background, "udp", b.LocalAddr().String())
				if err != nil {
					return err
				}
				defer a.Close()
				do(s, a, b)
				return nil
			})
		})
	}
}

func (s *sequence) readFrom(c net.PacketConn, octets int) {
	n, _, err := c.ReadFrom(make([]byte, octets))
	s.note("ReadFrom", n, err)
}

// A dial that is given up before it has said anything says nothing.
func TestDialIsGivenUpAtOnce(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, l := twoHosts(n, Delay(ms))
		ctx, cancel := context.WithCancel(background)
		time.AfterFunc(0, cancel)
		if _, err := a.Dial(ctx, "tcp", at(b, 80)); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if there, _ := l.Counts(); there.Packets != 0 {
			t.Errorf("%d packets were sent", there.Packets)
		}
		if left := inside(n, func() int { return len(a.streams) + a.open }); left != 0 {
			t.Errorf("%d sockets are left", left)
		}
	})
}

// A dial whose context ends is over then, and leaves nothing; one whose context ends later does not notice.
func TestDialAndItsContext(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, _ := twoHosts(n, Delay(50*ms))
		l := listen(t, b, ":80")
		at := at(b, 80)
		var open bytes.Buffer
		for after := 100*ms - 3; after < 100*ms+300; after++ { // the handshake takes 100 ms and some nanoseconds
			ctx, cancel := context.WithTimeout(background, after)
			c, err := a.Dial(ctx, "tcp", at)
			if (err == nil) != (c != nil) {
				t.Fatal(c, err)
			}
			cancel()
			if err == nil {
				if _, err := c.Write([]byte("x")); err != nil {
					t.Errorf("the end of its context ends a connection: %v", err)
				}
				c.Close()
				fmt.Fprint(&open, "1")
			} else {
				fmt.Fprint(&open, "0")
			}
			time.Sleep(time.Second)
		}
		if got := open.String(); !bytes.Contains(open.Bytes(), []byte("0")) || got[len(got)-1] != '1' {
			t.Errorf("connected: %s", got)
		}
		for {
			_ = l.(*listener).SetDeadline(time.Now().Add(ms))
			c, err := l.Accept()
			if err != nil {
				break
			}
			c.Close()
		}
		time.Sleep(5 * time.Minute)
		if left := inside(n, func() int { return len(a.streams) + a.open + len(b.streams) + b.open - 1 }); left != 0 {
			t.Errorf("%d sockets are left", left)
		}
	})
}

// Machines without addresses get some, by the order in which they were added.
func TestAddressesGiven(t *testing.T) {
	t.Parallel()
	for number, want := range map[int]string{
		1: "[10.0.0.1 fd00::1]", 255: "[10.0.0.255 fd00::ff]", 256: "[10.0.1.0 fd00::100]", 300: "[10.0.1.44 fd00::12c]",
		65536: "[10.1.0.0 fd00::1:0]", maxNodes: "[10.16.0.0 fd00::10:0]",
	} {
		n := New(1)
		inside(n, func() int { n.nodes = make([]*node, number-1); return 0 })
		if got := fmt.Sprint(n.Router("r").Addrs()); got != want {
			t.Errorf("machine %d has %s, want %s", number, got, want)
		}
		inside(n, func() int { n.nodes = nil; return 0 })
		n.Close()
	}
	n := New(1)
	defer n.Close()
	h := n.Host("h")
	for network, want := range map[string]string{"tcp": "127.0.0.1", "tcp4": "127.0.0.1", "tcp6": "::1"} {
		l, err := h.Listen(background, network, "localhost:0")
		if err != nil {
			t.Fatal(err)
		}
		if got := ip(l.Addr()); got != want {
			t.Errorf("%s: localhost is %s, want %s", network, got, want)
		}
	}
}

// Who waits to be accepted, or is about to be, when nobody listens any more is reset, and nothing is left.
func TestListenerClosesOnWaiting(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, _ := twoHosts(n, Delay(10*ms))
		l := listen(t, b, ":80")
		c := dial(t, a, "tcp", at(b, 80))
		time.AfterFunc(25*ms, func() { l.Close() }) // after the SYN of the second, before its handshake is over
		d := dial(t, a, "tcp", at(b, 80))
		for i, conn := range []net.Conn{c, d} {
			if took := elapsed(func() {
				if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("connection %d: %v", i, err)
				}
			}); took > 30*ms {
				t.Errorf("connection %d is told after %v", i, took)
			}
			conn.Close()
		}
		if left := inside(n, func() int { return len(a.streams) + a.open + len(b.streams) + b.open }); left != 0 {
			t.Errorf("%d sockets are left", left)
		}
	})
}
