package batch

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/leftout"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ given, want Options }{
		{Options{}, Options{Size: DefaultSize, MaxDatagram: DefaultMaxDatagram, MaxAnswer: DefaultMaxAnswer}},
		{Options{Size: -1, MaxDatagram: -1, MaxAnswer: -1}, Options{Size: DefaultSize, MaxDatagram: DefaultMaxDatagram, MaxAnswer: DefaultMaxAnswer}},
		{Options{Size: 1, MaxDatagram: 1, MaxAnswer: 1}, Options{Size: 1, MaxDatagram: 1, MaxAnswer: 1}},
		{Options{Size: MaxSize, MaxDatagram: 65535, MaxAnswer: 65535}, Options{Size: MaxSize, MaxDatagram: 65535, MaxAnswer: 65535}},
		{Options{Size: MaxSize + 1, MaxDatagram: 65536, MaxAnswer: 65536}, Options{Size: MaxSize, MaxDatagram: 65535, MaxAnswer: 65535}},
	} {
		if got := c.given.withDefaults(); got != c.want {
			t.Errorf("%+v means %+v, want %+v", c.given, got, c.want)
		}
	}
}

func TestEcho(t *testing.T) {
	both(t, func(t *testing.T, pc net.PacketConn) {
		c := newConn(t, pc, Options{})
		first, second := dial(t, host.AddrPort(pc.LocalAddr())), dial(t, host.AddrPort(pc.LocalAddr()))
		write(t, first, "one", "", "three")
		write(t, second, "four")
		seen, local := 0, host.AddrPort(pc.LocalAddr())
		serve(t, pc, c, func(batch []Datagram) bool {
			for _, d := range batch {
				from := first
				if string(d.Data) == "four" {
					from = second
				}
				if d.Remote != host.AddrPort(from.LocalAddr()) || d.Local != local || d.Cut || d.Err != nil || len(d.Answer) != 0 {
					t.Errorf("%+v, want one from %v to %v", d, from.LocalAddr(), local)
				}
			}
			seen += len(batch)
			echo(batch)
			if failed := c.Send(); failed != 0 {
				t.Errorf("%d failed: %+v", failed, batch)
			}
			return seen == 4
		})
		if a, b := read(t, first), read(t, first); a != "one" || b != "three" { // there was no answer to the empty one
			t.Errorf("%q, %q", a, b)
		}
		if got := read(t, second); got != "four" {
			t.Errorf("%q", got)
		}
	})
}

// What waits is taken at once, as far as Size, and the rest after that.
func TestSize(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		leftout.Because(t, "only Linux reads many at once")
	}
	for _, c := range []struct {
		size, waiting int
		want          []int
	}{
		{4, 4, []int{4}}, {4, 5, []int{4, 1}}, {1, 2, []int{1, 1}}, {4, 9, []int{4, 4, 1}}, {0, 65, []int{64, 1}},
	} {
		pc := open(t, "udp4", "127.0.0.1:0")
		conn := newConn(t, pc, Options{Size: c.size})
		write(t, dial(t, host.AddrPort(pc.LocalAddr())), slices.Repeat([]string{"x"}, c.waiting)...)
		var got []int
		seen := 0
		serve(t, pc, conn, func(batch []Datagram) bool {
			got, seen = append(got, len(batch)), seen+len(batch)
			return seen == c.waiting
		})
		if !slices.Equal(got, c.want) || conn.Size() != max(c.size, 1) && c.size > 0 {
			t.Errorf("size %d, %d waiting: batches of %v, want %v", c.size, c.waiting, got, c.want)
		}
	}
	if c := newConn(t, plain{open(t, "udp4", "127.0.0.1:0")}, Options{Size: 9}); c.Size() != 1 {
		t.Errorf("of another socket %d are read at once", c.Size())
	}
}

func TestLongDatagramsAreCut(t *testing.T) {
	both(t, func(t *testing.T, pc net.PacketConn) {
		c := newConn(t, pc, Options{MaxDatagram: 100})
		conn := dial(t, host.AddrPort(pc.LocalAddr()))
		write(t, conn, strings.Repeat("a", 99), strings.Repeat("b", 100), strings.Repeat("c", 101), strings.Repeat("d", 60000), "e")
		var got []string
		serve(t, pc, c, func(batch []Datagram) bool {
			for _, d := range batch {
				got = append(got, fmt.Sprint(string(d.Data[:1]), len(d.Data), d.Cut, cap(d.Data) == len(d.Data)))
			}
			return len(got) == 5
		})
		want := []string{"a99 false true", "b100 false true", "c100 true true", "d100 true true", "e1 false true"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q\nwant %q", got, want)
		}
	})
}

// The room for answers is made once; a longer answer is sent too.
func TestRoomForAnswers(t *testing.T) {
	both(t, func(t *testing.T, pc net.PacketConn) {
		c := newConn(t, pc, Options{MaxAnswer: 100})
		conn := dial(t, host.AddrPort(pc.LocalAddr()))
		for _, size := range []int{99, 100, 101, 5000, 7} {
			write(t, conn, "x")
			serve(t, pc, c, func(batch []Datagram) bool {
				d := &batch[0]
				if len(d.Answer) != 0 || cap(d.Answer) != 100 {
					t.Errorf("room for %d octets, %d of them used", cap(d.Answer), len(d.Answer))
				}
				d.Answer = append(d.Answer, bytes.Repeat([]byte("y"), size)...)
				return c.Send() == 0
			})
			if got := read(t, conn); len(got) != size {
				t.Errorf("an answer of %d octets arrives as %d", size, len(got))
			}
		}
	})
}

// An answer that cannot be sent is told, and costs no other.
func TestFailuresAreTold(t *testing.T) {
	both(t, func(t *testing.T, pc net.PacketConn) {
		c := newConn(t, pc, Options{})
		conn := dial(t, host.AddrPort(pc.LocalAddr()))
		write(t, conn, "long", "a", "long", "long", "b", "long")
		seen := 0
		serve(t, pc, c, func(batch []Datagram) bool {
			seen += len(batch)
			failed := 0
			for i := range batch {
				batch[i].Answer = append(batch[i].Answer, batch[i].Data...)
				if len(batch[i].Data) == 4 {
					failed++
					batch[i].Answer = make([]byte, 65508) // one more than fits into an IPv4 packet
				}
			}
			if got := c.Send(); got != failed {
				t.Errorf("%d failed, want %d", got, failed)
			}
			for _, d := range batch {
				if long := len(d.Data) == 4; long != errors.Is(d.Err, syscall.EMSGSIZE) || !long && d.Err != nil {
					t.Errorf("%s: %v", d.Data, d.Err)
				}
			}
			if got := c.Send(); got != 0 { // nothing is sent twice
				t.Errorf("the second time %d failed", got)
			}
			return seen == 6
		})
		write(t, conn, "c")
		serve(t, pc, c, func(batch []Datagram) bool {
			if batch[0].Err != nil {
				t.Errorf("the next datagram comes with %v", batch[0].Err)
			}
			echo(batch)
			return c.Send() == 0
		})
		if got := read(t, conn) + read(t, conn) + read(t, conn); got != "abc" {
			t.Errorf("%q arrived", got)
		}
	})
}

// Bound to one address, to all of a family or to all there are, a socket answers from the one that was asked.
func TestRepliesLeaveFromTheAddressAsked(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		leftout.Because(t, "only Linux tells which address was asked")
	}
	for _, c := range []struct {
		network, address string
		asked            []string
	}{
		{"udp4", "127.0.0.1:0", []string{"127.0.0.1"}},
		{"udp6", "[::1]:0", []string{"::1"}},
		{"udp4", "0.0.0.0:0", []string{"127.0.0.1", "127.0.0.7"}},
		{"udp6", "[::]:0", []string{"::1"}},
		{"udp", ":0", []string{"127.0.0.1", "127.0.0.7", "::1", "127.0.0.1"}}, // both families in one socket
	} {
		t.Run(c.network+" "+c.address, func(t *testing.T) {
			t.Parallel()
			pc := open(t, c.network, c.address)
			b := newConn(t, pc, Options{})
			var conns []net.Conn
			for _, address := range c.asked {
				to := netip.AddrPortFrom(netip.MustParseAddr(address), host.AddrPort(pc.LocalAddr()).Port())
				conn := dial(t, to) // connected: an answer from elsewhere would not arrive
				write(t, conn, conn.LocalAddr().String()+" to "+to.String())
				conns = append(conns, conn)
			}
			seen := 0
			var kept []*host.Datagram
			serve(t, pc, b, func(batch []Datagram) bool {
				for i := range batch {
					d := &batch[i]
					kept = append(kept, b.Keep(d))
					if got := d.Remote.String() + " to " + d.Local.String(); got != string(d.Data) || !host.Answerable(d.Remote, d.Local) {
						t.Errorf("got one from %s, want %s", got, d.Data)
					}
				}
				seen += len(batch)
				echo(batch)
				return b.Send() == 0 && seen == len(conns)
			})
			wantOwn := func() {
				for _, conn := range conns {
					if got, want := read(t, conn), conn.LocalAddr().String()+" to "+conn.RemoteAddr().String(); got != want {
						t.Errorf("answered %q, want %q", got, want)
					}
				}
			}
			wantOwn()
			for _, d := range kept {
				if err := b.Reply(d, d.Data); err != nil {
					t.Error(err)
				}
			}
			wantOwn()
		})
	}
}

// What is kept stays as it is while others are read, and is answered by whoever has it, while Serve runs.
func TestKeep(t *testing.T) {
	both(t, func(t *testing.T, pc net.PacketConn) {
		c := newConn(t, pc, Options{Size: 4, MaxDatagram: 8})
		conn := dial(t, host.AddrPort(pc.LocalAddr()))
		go func() {
			for i := range 3 {
				write(t, conn, fmt.Sprintf("number %d, cut off", i)) // one batch each
				if got := read(t, conn); got != fmt.Sprintf("number %d", i) {
					t.Errorf("answered %q", got)
				}
			}
			pc.SetReadDeadline(time.Unix(1, 0))
		}()
		var kept []*host.Datagram
		err := c.Serve(func(batch []Datagram) {
			for i := range batch {
				d := c.Keep(&batch[i])
				kept = append(kept, d)
				if string(d.Data) != string(batch[i].Data) {
					t.Errorf("kept %q of %q", d.Data, batch[i].Data)
				}
				go func() {
					if err := c.Reply(d, d.Data); err != nil {
						t.Error(err)
					}
				}()
			}
			c.Send()
		})
		if !errors.Is(err, os.ErrDeadlineExceeded) || len(kept) != 3 || string(kept[0].Data) != "number 0" {
			t.Errorf("%v; %d kept", err, len(kept))
		}
		pc.Close()
		if err := c.Reply(kept[0], []byte("late")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// A datagram that went to many at once is not answered by each.
func TestBroadcastIsNotAnswered(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		leftout.Because(t, "only Linux tells which address was asked")
	}
	pc, sender := open(t, "udp4", "0.0.0.0:0"), open(t, "udp4", "127.0.0.1:0")
	c := newConn(t, pc, Options{})
	port := host.AddrPort(pc.LocalAddr()).Port()
	for _, to := range []string{"127.255.255.255", "127.0.0.1"} {
		at := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(to), port))
		if _, err := sender.WriteTo([]byte(to), at); err != nil {
			leftout.Because(t, "no broadcast on loopback: %v", err)
		}
	}
	serve(t, pc, c, func(batch []Datagram) bool {
		echo(batch)
		failed := c.Send()
		if len(batch) != 2 || failed != 1 || batch[0].Local.Addr().IsValid() || !errors.Is(batch[0].Err, errSentToAll) || batch[1].Err != nil {
			t.Errorf("%d failed of %+v", failed, batch)
		}
		return true
	})
	if err := sender.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 99)
	if n, _, err := sender.ReadFrom(buf); err != nil || string(buf[:n]) != "127.0.0.1" {
		t.Errorf("%q, %v", buf[:n], err)
	}
}

func TestSocketsThatDoNotFit(t *testing.T) {
	t.Parallel()
	if _, err := New(plain{open(t, "udp4", "0.0.0.0:0")}, Options{}); err == nil || !strings.Contains(err.Error(), "listen on each address") {
		t.Errorf("an unspecified address that cannot be told: %v", err)
	}
	closed := open(t, "udp4", "0.0.0.0:0")
	closed.Close()
	if _, err := New(closed, Options{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed socket: %v", err)
	}
}

// closeNow returns once the socket counts as closed. Close itself waits until nobody reads any more.
func closeNow(pc net.PacketConn) error {
	go pc.Close()
	for pc.SetWriteDeadline(time.Now().Add(time.Minute)) == nil {
		time.Sleep(time.Millisecond)
	}
	return nil
}

// Whoever waits, and whoever is kept busy by a flood, sees that the socket is closed or that a deadline is over.
func TestServeEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(net.PacketConn) error
		want error
	}{
		"closed":   {closeNow, net.ErrClosed},
		"deadline": {func(pc net.PacketConn) error { return pc.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, pc net.PacketConn) {
				served := newConn(t, pc, Options{Size: 1})
				write(t, dial(t, host.AddrPort(pc.LocalAddr())), slices.Repeat([]string{"x"}, 100)...)
				batches := 0
				err := served.Serve(func([]Datagram) {
					if batches++; batches == 3 {
						if err := c.end(pc); err != nil {
							t.Error(err)
						}
					}
				})
				if !errors.Is(err, c.want) || batches != 3 {
					t.Errorf("after %d batches: %v", batches, err)
				}
				if failed := served.Send(); failed != 0 {
					t.Errorf("nothing was answered, and %d failed", failed)
				}
			})
		})
	}
}

// Answers that cannot be sent any more are all told.
func TestSendAfterClose(t *testing.T) {
	both(t, func(t *testing.T, pc net.PacketConn) {
		c := newConn(t, pc, Options{})
		write(t, dial(t, host.AddrPort(pc.LocalAddr())), "a", "b", "c")
		err := c.Serve(func(batch []Datagram) {
			closeNow(pc)
			echo(batch)
			if failed := c.Send(); failed != len(batch) {
				t.Errorf("%d failed of %d", failed, len(batch))
			}
			for _, d := range batch {
				if !errors.Is(d.Err, net.ErrClosed) {
					t.Errorf("%v", d.Err)
				}
			}
		})
		if !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

// Nobody waits in vain, however batches and arrivals fall together: a wake-up that got lost would stop everything.
func TestEveryoneIsAnswered(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 64} {
		pc := open(t, "udp4", "127.0.0.1:0")
		c := newConn(t, pc, Options{Size: size})
		var serving, asking sync.WaitGroup
		serving.Go(func() {
			err := c.Serve(func(batch []Datagram) {
				echo(batch)
				c.Send()
			})
			if !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		})
		for i := range 4 {
			conn := dial(t, host.AddrPort(pc.LocalAddr()))
			asking.Go(func() {
				buf := make([]byte, 99)
				for k := range 1000 {
					question := fmt.Sprint(i, " ", k)
					if _, err := conn.Write([]byte(question)); err != nil {
						t.Error(err)
						return
					}
					if n, err := conn.Read(buf); err != nil || string(buf[:n]) != question {
						t.Errorf("size %d, %s: %q, %v", size, question, buf[:n], err)
						return
					}
				}
			})
		}
		asking.Wait()
		pc.Close()
		serving.Wait()
	}
}

// Neither a datagram nor a batch costs an allocation, also where the address that was asked is told.
func TestNothingIsAllocated(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		pc := open(t, "udp4", address)
		c := newConn(t, pc, Options{})
		conn := dial(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), host.AddrPort(pc.LocalAddr()).Port()))
		var serving sync.WaitGroup
		serving.Go(func() {
			c.Serve(func(batch []Datagram) {
				echo(batch)
				c.Send()
			})
		})
		question, buf := []byte("question"), make([]byte, 99)
		allocs := testing.AllocsPerRun(300, func() {
			for range 3 {
				conn.Write(question)
			}
			for range 3 {
				if _, err := conn.Read(buf); err != nil {
					t.Fatal(err)
				}
			}
		})
		pc.Close()
		serving.Wait()
		if allocs != 0 {
			t.Errorf("%s: %v allocations for three datagrams", address, allocs)
		}
	}
}
