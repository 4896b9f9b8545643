package serve

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/host"
)

// echoPackets answers each datagram with itself; one that says "panic" is an error in the program.
func echoPackets(l *Loop, pc net.PacketConn) func() func() error {
	return func() func() error {
		buf := make([]byte, 512)
		return func() error {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return err
			}
			defer l.Recover("udp", host.AddrPort(from))
			if string(buf[:n]) == "panic" {
				panic("in a datagram")
			}
			_, _ = pc.WriteTo(buf[:n], from)
			return nil
		}
	}
}

func dialPacket(t *testing.T, pc net.PacketConn) net.Conn {
	t.Helper()
	conn, err := net.Dial("udp", pc.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestServePacket(t *testing.T) {
	t.Parallel()
	n := &notes{}
	l := New(n.options())
	pc, ended := listenPacket(t), make(chan error, 1)
	go func() { ended <- l.ServePacket(pc, 2, echoPackets(l, pc)) }()
	conn := dialPacket(t, pc)
	for range 4 { // more than there are readers: each survives
		if _, err := conn.Write([]byte("panic")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "four panics", func() bool { return len(n.panics()) == 4 })
	if !served(conn) {
		t.Error("not answered after panics")
	}
	if got := n.panics(); slices.ContainsFunc(got, func(s string) bool { return s != "udp" }) {
		t.Errorf("%q", got)
	}
	if log := n.logged(); !strings.Contains(log, "in a datagram") || !strings.Contains(log, "remote="+conn.LocalAddr().String()) {
		t.Errorf("logged %q", log)
	}
	shutdown(t, l)
	if err := <-ended; err != ErrClosed {
		t.Error(err)
	}
	if pc.Close() == nil {
		t.Error("the socket is still open")
	}
}

// At most as many datagrams are handled at once as there are readers, each with what is its own.
func TestReaders(t *testing.T) {
	t.Parallel()
	for readers, want := range map[int]int32{3: 3, 1: 1, 0: 1, -1: 1} {
		l := New(Options{})
		pc, ended := listenPacket(t), make(chan error, 1)
		var opened, inside atomic.Int32
		goOn := make(chan struct{})
		go func() {
			ended <- l.ServePacket(pc, readers, func() func() error {
				opened.Add(1)
				buf := make([]byte, 1)
				return func() error {
					if _, _, err := pc.ReadFrom(buf); err != nil {
						return err
					}
					inside.Add(1)
					<-goOn
					return nil
				}
			})
		}()
		conn := dialPacket(t, pc)
		for range want + 1 {
			if _, err := conn.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "all readers are at work", func() bool { return inside.Load() == want })
		time.Sleep(5 * time.Millisecond)
		if inside.Load() != want || opened.Load() != want {
			t.Errorf("%d readers: %d opened, %d at work", readers, opened.Load(), inside.Load())
		}
		stopped := make(chan error, 1)
		go func() { stopped <- l.Shutdown(context.Background()) }()
		eventually(t, "closing", l.Closing)
		select {
		case <-ended:
			t.Error("ServePacket left readers behind")
		case <-time.After(5 * time.Millisecond):
		}
		close(goOn)
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if err := <-ended; err != ErrClosed {
			t.Error(err)
		}
	}
}

func TestReadTriesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &notes{}
		l := New(n.options())
		results, ended := make(chan error), make(chan error, 1)
		go func() {
			ended <- l.ServePacket(nowhere{}, 1, func() func() error { return func() error { return <-results } })
		}()
		give := func(err error) time.Duration {
			before := time.Now()
			results <- err
			return time.Since(before)
		}
		for i, step := range []struct {
			err  error
			want time.Duration
		}{
			{syscall.ECONNREFUSED, 0}, {syscall.ECONNREFUSED, 5}, {syscall.ECONNREFUSED, 10}, {nil, 20},
			{syscall.ECONNREFUSED, 0}, {nil, 5}, {nil, 0},
		} {
			if got := give(step.err); got != step.want*time.Millisecond {
				t.Errorf("step %d: a pause of %v, want %d ms", i, got, step.want)
			}
		}
		if !strings.Contains(n.logged(), "cannot read a datagram") {
			t.Errorf("logged %q", n.logged())
		}
		give(net.ErrClosed)
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

// nowhere is a socket that nothing comes to.
type nowhere struct{ net.PacketConn }

func (nowhere) Close() error                    { return nil }
func (nowhere) SetReadDeadline(time.Time) error { return nil }

func TestRecoverWithoutPanic(t *testing.T) {
	n := &notes{}
	l := New(n.options())
	allocs := testing.AllocsPerRun(100, func() { // it is on the path of every datagram
		defer l.Recover("udp", netip.AddrPort{})
	})
	if allocs != 0 || len(n.panics()) != 0 {
		t.Errorf("%v allocations, %d panics", allocs, len(n.panics()))
	}
}
