package emunet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/network-utopia/utopia/host/emunet/tcp"
)

// Packets take the path with the fewest links; hosts pass nothing on.
func TestRoutes(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, c := n.Host("a"), n.Host("b"), n.Host("c")
		r1, r2, r3 := n.Router("r1"), n.Router("r2"), n.Router("r3")
		n.Link(a, r1, Delay(10*ms))
		n.Link(r1, r2, Delay(10*ms))
		n.Link(r2, r3, Delay(10*ms))
		n.Link(r3, b, Delay(10*ms))
		n.Link(c, r1, Delay(ms)) // c is linked with both, and is no router
		n.Link(c, r3, Delay(ms))
		if _, when := arrivals(t, a, b, 100); !near(when[0], 40*ms) {
			t.Errorf("a to b takes %v", when)
		}
		if _, when := arrivals(t, a, c, 100); !near(when[0], 11*ms) {
			t.Errorf("a to c takes %v", when)
		}
		n.Link(r1, r3, Delay(100*ms)) // fewer links, though slower
		if _, when := arrivals(t, a, b, 100); !near(when[0], 120*ms) {
			t.Errorf("a to b takes %v after a new link", when)
		}
		if _, when := arrivals(t, b, a, 100); !near(when[0], 120*ms) {
			t.Errorf("b to a takes %v after a new link", when)
		}
	})
}

func TestManyLinks(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b := n.Host("a"), n.Host("b")
		var last Node = a
		for i := range 64 { // RFC 1700
			r := n.Router(fmt.Sprint("r", i))
			n.Link(last, r, Delay(ms))
			last = r
			if i == 62 { // as many as a packet may pass
				h := n.Host("near")
				n.Link(r, h, Delay(ms))
				if which, _ := arrivals(t, a, h, 100); len(which) != 1 {
					t.Error("a packet does not get past 63 routers")
				}
			}
		}
		n.Link(last, b, Delay(ms))
		c := dial(t, a, "udp", at(b, 9))
		c.Write([]byte("x"))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("past too many routers: %v", err)
		}
	})
}

// Segments are as large as the narrowest link on the path takes.
func TestMTU(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, r := n.Host("a"), n.Host("b"), n.Router("r")
		n.Link(a, r, MTU(9000))
		l := n.Link(r, b, MTU(1280))
		for i, want := range []int{1280 - 40, 1280 - 60} {
			if got := inside(n, func() int { return a.mss(b.addrs[i]) }); got != want {
				t.Errorf("to %v segments of %d, want %d", b.addrs[i], got, want)
			}
		}
		x, y := connected(t, a, b)
		go func() { _, _ = io.CopyN(x, zeros{}, 100*1240) }()
		_, _ = io.CopyN(io.Discard, y, 100*1240)
		if there, _ := l.Counts(); there.Octets > 104*1280 || there.Octets < 100*1280 {
			t.Errorf("%d octets in %d packets", there.Octets, there.Packets)
		}
		if got := inside(n, func() int { return a.mss(netip.MustParseAddr("127.0.0.1")) }); got != maxPacket-40 {
			t.Errorf("on loopback segments of %d", got)
		}
	})
}

// home is a host behind a translator, and one outside.
func home(n *Net, behavior NATBehavior) (inside, outside *Host, nat *NAT) {
	inside, outside = n.Host("inside", "192.168.0.2", "fd00::2"), n.Host("outside", "198.51.100.1", "198.51.100.2", "2001:db8::1")
	isp := n.Router("isp")
	nat = n.NAT("nat", "203.0.113.7", behavior)
	n.Link(inside, nat, Delay(ms))
	n.Link(nat.Outside(), isp, Delay(9*ms))
	n.Link(outside, isp, Delay(15*ms))
	return inside, outside, nat
}

func TestNATTranslates(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		in, out, nat := home(n, NATBehavior{})
		l := serve(t, out, 80, func(c net.Conn, request string) { fmt.Fprint(c, request, " from ", c.RemoteAddr()) })
		defer l.Close()
		c := dial(t, in, "tcp", "198.51.100.1:80")
		c.Write([]byte("hello"))
		buf := make([]byte, 99)
		k, err := c.Read(buf)
		port := c.LocalAddr().(*net.TCPAddr).Port // kept where it is free
		if want := fmt.Sprint("hello from 203.0.113.7:", port); string(buf[:k]) != want || err != nil {
			t.Errorf("%q, %v; want %q", buf[:k], err, want)
		}
		if _, err := out.Dial(background, "tcp", "192.168.0.2:80"); !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("a private address from outside: %v", err)
		}
		if _, err := in.Dial(background, "tcp", "[2001:db8::1]:80"); !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("IPv6 through the translator: %v", err)
		}
		if _, err := in.Dial(background, "tcp", "198.51.100.1:81"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a refusal from outside: %v", err)
		}
		if _, err := in.Dial(background, "tcp", "198.51.77.1:81"); !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("an ICMP error from outside: %v", err)
		}
		u := dial(t, in, "udp", "198.51.100.1:9")
		u.Write([]byte("x"))
		if _, err := u.Read(buf); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("an ICMP error about a datagram: %v", err)
		}
		if nat.Mappings() != 4 {
			t.Errorf("%d mappings", nat.Mappings())
		}
	})
}

// hears says whether a datagram from one address reaches a socket behind the translator.
func hears(t *testing.T, in *packetConn, from *packetConn, to netip.AddrPort) bool {
	t.Helper()
	if _, err := from.WriteToUDPAddrPort([]byte("knock"), to); err != nil {
		t.Fatal(err)
	}
	in.SetReadDeadline(time.Now().Add(time.Second))
	_, _, err := in.ReadFrom(make([]byte, 99))
	if err != nil && !os.IsTimeout(err) {
		t.Fatal(err)
	}
	return err == nil
}

// seenAs sends a datagram out, and gives the address that it is seen with.
func seenAs(t *testing.T, in *packetConn, at *packetConn) netip.AddrPort {
	t.Helper()
	if _, err := in.WriteToUDPAddrPort([]byte("hello"), at.local.addrPort()); err != nil {
		t.Fatal(err)
	}
	_, from, _, err := at.ReadAddressed(make([]byte, 99))
	if err != nil {
		t.Fatal(err)
	}
	return from
}

// The behaviours of RFC 4787: section 4.1 mapping, section 5 filtering.
func TestNATBehaviours(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		behavior                   NATBehavior
		same, otherPort, otherHost bool
	}{
		"as the RFC asks": {NATBehavior{}, true, false, false},
		"open":            {NATBehavior{Open: true}, true, true, true},
		"symmetric":       {NATBehavior{Symmetric: true}, false, false, false},
	} {
		virtually(t, 1, func(t *testing.T, n *Net) {
			in, out, _ := home(n, c.behavior)
			s := listenPacket(t, in, ":5000")
			one, two := listenPacket(t, out, "198.51.100.1:1"), listenPacket(t, out, "198.51.100.2:2")
			port := listenPacket(t, out, "198.51.100.1:3")
			mapped := seenAs(t, s, one)
			if mapped.Addr().String() != "203.0.113.7" {
				t.Errorf("%s: seen as %v", name, mapped)
			}
			if !hears(t, s, one, mapped) {
				t.Errorf("%s: an answer does not come in", name)
			}
			if got := hears(t, s, port, mapped); got != c.otherPort {
				t.Errorf("%s: from another port: %v", name, got)
			}
			if got := hears(t, s, two, mapped); got != c.otherHost {
				t.Errorf("%s: from another host: %v", name, got)
			}
			if got := seenAs(t, s, two) == mapped; got != c.same {
				t.Errorf("%s: the same address for two peers: %v", name, got)
			}
		})
	}
}

// Two hosts behind one translator with the same port of their own, and one that speaks to the other by the outer address.
func TestNATShares(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		in, out, nat := home(n, NATBehavior{Open: true})
		second := n.Host("second", "192.168.0.3")
		n.Link(second, nat)
		one := listenPacket(t, out, "198.51.100.1:1")
		a, b := listenPacket(t, in, ":5000"), listenPacket(t, second, ":5000")
		x, y := seenAs(t, a, one), seenAs(t, b, one)
		if x.Port() != 5000 || y.Port() != 5001 {
			t.Errorf("seen as %v and %v", x, y)
		}
		if !hears(t, b, a, y) { // hairpinning, RFC 4787 section 6
			t.Error("a host does not reach its neighbour by the outer address")
		}
		if !hears(t, b, one, y) || !hears(t, a, one, x) {
			t.Error("an answer does not come in")
		}
	})
}

func TestNATForwards(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		in, out, nat := home(n, NATBehavior{})
		listen(t, in, ":80")
		if _, err := out.Dial(background, "tcp", "203.0.113.7:8000"); err == nil {
			t.Error("a port is open that nobody has forwarded")
		}
		nat.Forward("tcp", 8000, netip.MustParseAddrPort("192.168.0.2:80"))
		c := dial(t, out, "tcp", "203.0.113.7:8000")
		if c.RemoteAddr().String() != "203.0.113.7:8000" {
			t.Errorf("connected with %v", c.RemoteAddr())
		}
		nat.Forward("udp", 9000, netip.MustParseAddrPort("192.168.0.2:90"))
		s, from := listenPacket(t, in, ":90"), listenPacket(t, out, "198.51.100.1:1")
		if !hears(t, s, from, netip.MustParseAddrPort("203.0.113.7:9000")) {
			t.Error("a datagram is not forwarded")
		}
		if got := seenAs(t, s, from); got.String() != "203.0.113.7:9000" {
			t.Errorf("the answer comes from %v", got)
		}
	})
}

// Mappings end: of datagrams after two minutes, of connections after four minutes from their end or two hours of silence.
func TestNATForgets(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		in, out, nat := home(n, NATBehavior{})
		s, one := listenPacket(t, in, ":5000"), listenPacket(t, out, "198.51.100.1:1")
		mapped := seenAs(t, s, one)
		time.Sleep(119 * time.Second)
		if !hears(t, s, one, mapped) {
			t.Error("forgotten after 119 s")
		}
		time.Sleep(2 * time.Second) // what comes in does not keep it
		if hears(t, s, one, mapped) {
			t.Error("kept for 121 s")
		}
		l := listen(t, out, ":80")
		c := dial(t, in, "tcp", "198.51.100.1:80")
		d, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		for _, end := range []net.Conn{c, d} {
			if err := end.(*stream).SetKeepAlive(false); err != nil {
				t.Fatal(err)
			}
		}
		c.Write([]byte("x"))
		time.Sleep(2*time.Hour + 3*time.Minute)
		d.Write([]byte("y"))
		if k, err := c.Read(make([]byte, 9)); k != 1 || err != nil {
			t.Errorf("after two hours of silence: %v", err)
		}
		time.Sleep(time.Second)
		const silence = 2*time.Hour + 4*time.Minute // RFC 5382 REQ-5
		if inside(n, func() bool { return anyOver(nat, n.clock()+silence-2*time.Second) || !anyOver(nat, n.clock()+silence) }) {
			t.Error("the silence of a connection may not last two hours and four minutes, or may last longer")
		}
		c.Close()
		d.Close()
		time.Sleep(time.Second)
		n.mu.Lock()
		for _, m := range nat.ports {
			if m.key.proto == tcpIP && !m.closed {
				t.Error("the end of a connection is not seen")
			}
		}
		n.mu.Unlock()
		time.Sleep(4*time.Minute - 2*time.Second) // RFC 5382 REQ-5
		if kept := inside(n, func() bool { return len(nat.mappings) == 2 && !anyOver(nat, n.clock()) }); !kept {
			t.Error("a connection that has ended is forgotten before four minutes")
		}
		time.Sleep(2 * time.Second)
		inside(n, func() int { nat.behavior.MaxMappings = 1; return 1 }) // has the next one look for what is over
		dial(t, in, "tcp", "198.51.100.1:80")
		if got := nat.Mappings(); got != 1 {
			t.Errorf("%d mappings are kept", got)
		}
		if hears(t, one, s, one.local.addrPort()) {
			t.Error("there are more mappings than there may be")
		}
	})
}

// anyOver says whether the time of a connection's mapping is over.
func anyOver(nat *NAT, now Time) bool {
	for _, m := range nat.mappings {
		if m.key.proto == tcpIP && nat.over(m, now) {
			return true
		}
	}
	return false
}

// Peers of a mapping are bounded: the oldest is forgotten.
func TestNATPeersAreBounded(t *testing.T) {
	t.Parallel()
	m := &mapping{}
	first := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), 1)
	for i := range maxPeers {
		m.spoke(netip.AddrPortFrom(first.Addr(), uint16(i+1)))
	}
	if len(m.peers) != maxPeers || m.peers[0] != first {
		t.Errorf("%d peers, the first %v", len(m.peers), m.peers[0])
	}
	m.spoke(first) // is the latest now
	m.spoke(netip.AddrPortFrom(first.Addr(), maxPeers+1))
	if len(m.peers) != maxPeers || m.peers[0].Port() != 3 || m.peers[maxPeers-2] != first {
		t.Errorf("%d peers, the first %v", len(m.peers), m.peers[0])
	}
}

// A host's connections can be given settings of their own.
func TestTCPConfig(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, l := twoHosts(n, Delay(ms))
		b.TCP(tcp.Config{ReceiveBuffer: 5000, MSS: 500})
		c, d := connected(t, a, b)
		sent, _ := c.Write(make([]byte, 1000))
		time.Sleep(ms)
		if there, _ := l.Counts(); there.Packets != 4 { // a SYN, an acknowledgement, and two segments of 500
			t.Errorf("%d packets", there.Packets)
		}
		c.SetWriteDeadline(time.Now().Add(time.Second))
		for {
			k, err := c.Write(make([]byte, 1000))
			if sent += k; err != nil {
				break
			}
		}
		if sent < 64<<10 || sent > 65<<10+5000 {
			t.Errorf("%d octets were taken, with a window of 5000 and a send buffer of 64 KiB", sent)
		}
		d.SetReadDeadline(time.Now().Add(1))
		if k, _ := d.Read(make([]byte, 1<<16)); k < 4500 || k > 5000 {
			t.Errorf("%d octets came into a window of 5000", k)
		}
	})
}
