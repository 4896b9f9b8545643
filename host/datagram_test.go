package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/leftout"
)

// socketOn opens a datagram socket until the test ends.
func socketOn(t testing.TB, network, address string) (net.PacketConn, *DatagramSocket) {
	t.Helper()
	pc, err := NewOS(OSOptions{}).ListenPacket(context.Background(), network, address)
	if err != nil {
		leftout.Because(t, "%s %s is not to be had: %v", network, address, err)
	}
	t.Cleanup(func() { pc.Close() })
	if err := pc.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	s, err := NewDatagramSocket(pc)
	if err != nil {
		t.Fatal(err)
	}
	return pc, s
}

func dialUDP(t testing.TB, to netip.AddrPort) net.Conn {
	t.Helper()
	conn, err := NewOS(OSOptions{}).Dial(context.Background(), "udp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Bound to one address, to all of a family or to all there are, a socket answers from the one that was asked.
func TestRepliesLeaveFromTheAddressAsked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		network, address string
		asked            []string
	}{
		{"udp4", "127.0.0.1:0", []string{"127.0.0.1"}},
		{"udp6", "[::1]:0", []string{"::1"}},
		{"udp4", "0.0.0.0:0", []string{"127.0.0.1", "127.0.0.7"}},
		{"udp6", "[::]:0", []string{"::1"}},
		{"udp", ":0", []string{"127.0.0.1", "127.0.0.7", "::1"}}, // both families in one socket
	} {
		t.Run(c.network+" "+c.address, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS != "linux" && (strings.HasPrefix(c.address, "0.0.0.0") || strings.HasPrefix(c.address, "[::]") || c.address == ":0") {
				leftout.Because(t, "only Linux tells which address was asked")
			}
			_, s := socketOn(t, c.network, c.address)
			var d Datagram
			var kept []*Datagram // answered once all others are
			var conns []net.Conn
			for i, address := range c.asked {
				to := netip.AddrPortFrom(netip.MustParseAddr(address), s.local.Port())
				conn := dialUDP(t, to) // connected: an answer from elsewhere would not arrive
				question := fmt.Appendf(nil, "question %d", i)
				if _, err := conn.Write(question); err != nil {
					t.Fatal(err)
				}
				if err := s.Receive(&d); err != nil {
					t.Fatal(err)
				}
				from := conn.LocalAddr().(*net.UDPAddr).AddrPort()
				from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
				if d.Local != to || d.Remote != from || !bytes.Equal(d.Data, question) || !Answerable(d.Remote, d.Local) {
					t.Errorf("received %q from %v to %v, want from %v to %v", d.Data, d.Remote, d.Local, from, to)
				}
				if err := s.Reply(&d, []byte("answer")); err != nil {
					t.Fatal(err)
				}
				buf := make([]byte, 99)
				if n, err := conn.Read(buf); string(buf[:n]) != "answer" {
					t.Errorf("asked at %v: read %q, %v", to, buf[:n], err)
				}
				kept, conns = append(kept, d.Clone(), s.Received(d.Data, d.Remote, d.control[:d.told])), append(conns, conn)
			}
			for i, d := range kept {
				question := fmt.Sprintf("question %d", i/2)
				if string(d.Data) != question || !Answerable(d.Remote, d.Local) {
					t.Errorf("kept %q from %v to %v", d.Data, d.Remote, d.Local)
				}
				if err := s.Reply(d, []byte(question)); err != nil {
					t.Fatal(err)
				}
				buf := make([]byte, 99)
				if n, err := conns[i/2].Read(buf); string(buf[:n]) != question {
					t.Errorf("answered later: read %q, %v", buf[:n], err)
				}
			}
		})
	}
}

// A datagram that went to many at once is not answered by each.
func TestBroadcastIsNotAnswered(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		leftout.Because(t, "only Linux tells which address was asked")
	}
	_, s := socketOn(t, "udp4", "0.0.0.0:0")
	sender, _ := socketOn(t, "udp4", "127.0.0.1:0")
	to := netip.AddrPortFrom(netip.MustParseAddr("127.255.255.255"), s.local.Port())
	if _, err := sender.WriteTo([]byte("anyone?"), net.UDPAddrFromAddrPort(to)); err != nil {
		leftout.Because(t, "broadcast is not to be had: %v", err)
	}
	var d Datagram
	if err := s.Receive(&d); err != nil {
		t.Fatal(err)
	}
	if d.Local.Addr().IsValid() || d.Local.Port() != s.local.Port() || Answerable(d.Remote, d.Local) {
		t.Errorf("sent to %v", d.Local)
	}
	if err := s.Reply(&d, []byte("I")); !errors.Is(err, errSentToAll) {
		t.Errorf("Reply: %v", err)
	}
}

// emulated is a socket that is not the operating system's: it is asked at one of several addresses.
type emulated struct {
	net.PacketConn
	asked netip.AddrPort
	wrote []string
}

func (e *emulated) LocalAddr() net.Addr { return &net.UDPAddr{IP: net.IPv4zero, Port: 53} }

func (e *emulated) ReadAddressed(p []byte) (int, netip.AddrPort, netip.AddrPort, error) {
	return copy(p, "question"), netip.MustParseAddrPort("192.0.2.9:40000"), e.asked, nil
}

func (e *emulated) WriteAddressed(p []byte, from, to netip.AddrPort) (int, error) {
	e.wrote = append(e.wrote, fmt.Sprintf("%s from %v to %v", p, from, to))
	return len(p), nil
}

// A host that is not the operating system may bind 0.0.0.0, too.
func TestAddressedPacketConn(t *testing.T) {
	t.Parallel()
	e := &emulated{}
	s, err := NewDatagramSocket(e)
	if err != nil {
		t.Fatal(err)
	}
	var d Datagram
	var first *Datagram // is answered last
	for _, asked := range []string{"192.0.2.1:53", "192.0.2.2:53"} {
		e.asked = netip.MustParseAddrPort(asked)
		if err := s.Receive(&d); err != nil || string(d.Data) != "question" || d.Local != e.asked || !Answerable(d.Remote, d.Local) {
			t.Errorf("received %+v, %v", d, err)
		}
		if first == nil {
			first = d.Clone()
			continue
		}
		if err := errors.Join(s.Reply(&d, []byte("answer")), s.Reply(first, []byte("late"))); err != nil {
			t.Error(err)
		}
	}
	want := "answer from 192.0.2.2:53 to 192.0.2.9:40000, late from 192.0.2.1:53 to 192.0.2.9:40000"
	if got := strings.Join(e.wrote, ", "); got != want {
		t.Errorf("wrote %s", got)
	}
	e.asked = netip.AddrPort{} // sent to all
	if err := s.Receive(&d); err != nil || Answerable(d.Remote, d.Local) {
		t.Errorf("received %+v, %v", d, err)
	}
	if err := s.Reply(&d, []byte("I")); !errors.Is(err, errSentToAll) {
		t.Errorf("Reply: %v", err)
	}
}

func TestDatagramSizes(t *testing.T) {
	t.Parallel()
	_, s := socketOn(t, "udp4", "127.0.0.1:0")
	conn := dialUDP(t, s.local)
	var d Datagram
	var memory *byte
	for _, size := range []int{65507, 0, 1, 512, 65507} { // 65,507 octets are the most over IPv4
		if _, err := conn.Write(bytes.Repeat([]byte("x"), size)); err != nil {
			t.Fatal(err)
		}
		if err := s.Receive(&d); err != nil || len(d.Data) != size {
			t.Fatalf("%d octets of %d, %v", len(d.Data), size, err)
		}
		if memory != nil && memory != &d.buf[0] {
			t.Error("memory was not taken again")
		}
		memory = &d.buf[0]
	}
}

func TestReceiveFails(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		if runtime.GOOS != "linux" && address == "0.0.0.0:0" {
			continue
		}
		pc, s := socketOn(t, "udp4", address)
		conn := dialUDP(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.local.Port()))
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		var d Datagram
		if err := s.Receive(&d); err != nil {
			t.Fatal(err)
		}
		if err := pc.SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		if err := s.Receive(&d); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("past the deadline: %v", err)
		}
		if d.Data != nil || d.Remote.IsValid() || d.Local.IsValid() {
			t.Errorf("after an error it holds %q from %v", d.Data, d.Remote)
		}
		if err := s.Reply(&d, []byte("x")); err == nil {
			t.Error("nothing was answered")
		}
		pc.Close()
		if err := s.Receive(&d); !errors.Is(err, net.ErrClosed) {
			t.Errorf("of a closed socket: %v", err)
		}
	}
}

// otherConn is a socket that is no *net.UDPConn, as those of an emulated host are.
type otherConn struct {
	net.PacketConn
	local net.Addr
}

func (o otherConn) LocalAddr() net.Addr {
	if o.local != nil {
		return o.local
	}
	return o.PacketConn.LocalAddr()
}

func TestOtherSockets(t *testing.T) {
	t.Parallel()
	pc, _ := socketOn(t, "udp4", "127.0.0.1:0")
	s, err := NewDatagramSocket(otherConn{PacketConn: pc})
	if err != nil {
		t.Fatal(err)
	}
	conn := dialUDP(t, s.local)
	if _, err := conn.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	var d Datagram
	if err := s.Receive(&d); err != nil || string(d.Data) != "question" || d.Local != s.local || !d.Remote.Addr().Is4() {
		t.Fatalf("%q from %v to %v, %v", d.Data, d.Remote, d.Local, err)
	}
	if err := s.Reply(&d, []byte("answer")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 99)
	if n, err := conn.Read(buf); string(buf[:n]) != "answer" {
		t.Errorf("read %q, %v", buf[:n], err)
	}
	for _, ip := range []net.IP{net.IPv4zero, net.IPv6unspecified} {
		_, err := NewDatagramSocket(otherConn{pc, &net.UDPAddr{IP: ip, Port: 53}})
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "listen on each address") {
			t.Errorf("bound to %v: %v", ip, err)
		}
	}
	if _, err := NewDatagramSocket(otherConn{pc, &net.UnixAddr{Name: "/s", Net: "unixgram"}}); !errors.Is(err, errNoAddress) {
		t.Errorf("without an address: %v", err)
	}
}

func TestAnswerable(t *testing.T) {
	t.Parallel()
	local := netip.MustParseAddrPort("192.0.2.1:53")
	for remote, want := range map[string]bool{
		"192.0.2.9:40000":              true,
		"192.0.2.9:1":                  true,
		"192.0.2.9:53":                 true,
		"127.0.0.1:65535":              true,
		"[2001:db8::1]:40000":          true,
		"[fe80::1%eth0]:40000":         true,
		"[::ffff:192.0.2.9]:40000":     true,
		"192.0.2.9:0":                  false,
		"[2001:db8::1]:0":              false,
		"0.0.0.0:40000":                false,
		"[::]:40000":                   false,
		"[::ffff:0.0.0.0]:40000":       false,
		"224.0.0.0:40000":              false,
		"223.255.255.255:40000":        true, // one before multicast
		"239.255.255.255:40000":        false,
		"[ff02::1]:40000":              false,
		"[::ffff:224.0.0.1]:40000":     false,
		"255.255.255.255:40000":        false,
		"[::ffff:255.255.255.255]:400": false,
	} {
		if got := Answerable(netip.MustParseAddrPort(remote), local); got != want {
			t.Errorf("from %s: %v", remote, got)
		}
	}
	if Answerable(netip.AddrPort{}, local) || Answerable(netip.AddrPortFrom(netip.Addr{}, 40000), local) {
		t.Error("an address that is none is answered")
	}
	if Answerable(netip.MustParseAddrPort("192.0.2.9:40000"), netip.AddrPortFrom(netip.Addr{}, 53)) {
		t.Error("what was sent to many is answered")
	}
}

// What arrives at a *net.UDPConn is read and answered without garbage. Not parallel: it counts allocations.
func TestDatagramsAllocateNothing(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
		if runtime.GOOS != "linux" && address != "127.0.0.1:0" {
			continue
		}
		_, s := socketOn(t, "udp", address)
		conn := dialUDP(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.local.Port()))
		var d Datagram
		text, buf := []byte("question"), make([]byte, 99)
		allocs := testing.AllocsPerRun(200, func() {
			if _, err := conn.Write(text); err != nil {
				t.Fatal(err)
			}
			if err := s.Receive(&d); err != nil || !Answerable(d.Remote, d.Local) {
				t.Fatal(err)
			}
			if err := s.Reply(&d, d.Data); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(buf); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("bound to %s: %v allocations for each datagram", address, allocs)
		}
	}
}

// BenchmarkDatagrams is a question and its answer on loopback, both sides included.
func BenchmarkDatagrams(b *testing.B) {
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		b.Run(address, func(b *testing.B) {
			pc, s := socketOn(b, "udp", address)
			_ = pc.SetDeadline(time.Time{})
			conn := dialUDP(b, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.local.Port()))
			_ = conn.SetDeadline(time.Time{})
			var d Datagram
			text, buf := []byte("question"), make([]byte, 99)
			b.ReportAllocs()
			for b.Loop() {
				_, err := conn.Write(text)
				err = errors.Join(err, s.Receive(&d), s.Reply(&d, d.Data))
				if _, failed := conn.Read(buf); err != nil || failed != nil {
					b.Fatal(err, failed)
				}
			}
		})
	}
}

func ExampleDatagramSocket() {
	ctx := context.Background()
	h := NewOS(OSOptions{})
	pc, err := h.ListenPacket(ctx, "udp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pc.Close()
	socket, err := NewDatagramSocket(pc)
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := h.Dial(ctx, "udp", pc.LocalAddr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Fprint(client, "hello")

	var d Datagram // for each goroutine one, which it uses again and again
	if err := socket.Receive(&d); err != nil || !Answerable(d.Remote, d.Local) {
		fmt.Println(err)
		return
	}
	if err := socket.Reply(&d, bytes.ToUpper(d.Data)); err != nil {
		fmt.Println(err)
		return
	}
	answer := make([]byte, 512)
	n, _ := client.Read(answer)
	fmt.Println(string(answer[:n]))
	// Output: HELLO
}

func TestAddrPort(t *testing.T) {
	for _, c := range []struct {
		addr net.Addr
		want string
	}{
		{&net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1"), Port: 25}, "192.0.2.1:25"},
		{&net.UDPAddr{IP: net.ParseIP("2001:db8::1"), Port: 53}, "[2001:db8::1]:53"},
		{&net.UnixAddr{Name: "/x"}, "invalid AddrPort"},
	} {
		if got := AddrPort(c.addr); got.String() != c.want {
			t.Errorf("%v gives %v, want %s", c.addr, got, c.want)
		}
	}
}
