package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/network-utopia/utopia/host"
)

// sockaddr builds what the kernel gives.
func sockaddr(family uint16, ip string, port uint16, zone uint32) *address {
	var a address
	binary.NativeEndian.PutUint16(a[0:], family)
	binary.BigEndian.PutUint16(a[2:], port)
	addr := netip.MustParseAddr(ip)
	if family == unix.AF_INET {
		copy(a[4:], addr.AsSlice())
		return &a
	}
	wide := addr.As16()
	copy(a[8:], wide[:])
	binary.NativeEndian.PutUint32(a[24:], zone)
	return &a
}

func TestRemote(t *testing.T) {
	t.Parallel()
	loopback, err := net.InterfaceByIndex(1)
	if err != nil {
		t.Fatal(err)
	}
	s := &system{zones: map[uint32]string{}}
	for want, a := range map[string]*address{
		"192.0.2.1:53":                         sockaddr(unix.AF_INET, "192.0.2.1", 53, 0),
		"[2001:db8::1]:65535":                  sockaddr(unix.AF_INET6, "2001:db8::1", 65535, 0),
		"192.0.2.1:1":                          sockaddr(unix.AF_INET6, "::ffff:192.0.2.1", 1, 7), // never in 4-in-6 form, nor with a zone
		"[fe80::1%" + loopback.Name + "]:5353": sockaddr(unix.AF_INET6, "fe80::1", 5353, 1),
		"[fe80::1%99999]:5353":                 sockaddr(unix.AF_INET6, "fe80::1", 5353, 99999), // an interface that is gone
		netip.AddrPort{}.String():              sockaddr(unix.AF_UNIX, "::", 0, 0),
	} {
		for range 2 { // the second time the name is remembered
			if got := s.remote(a).String(); got != want {
				t.Errorf("%x: %s, want %s", a, got, want)
			}
		}
	}
	for i := range uint32(2 * maxZones) {
		s.zone(100_000 + i)
	}
	if len(s.zones) != maxZones {
		t.Errorf("%d names are remembered, want %d", len(s.zones), maxZones)
	}
}

// pair gives two connected sockets of which one takes no more once the other's queue is full, as those of UDP do not on
// loopback.
func pair(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		conn, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		t.Cleanup(func() { conn.Close() })
		ends[i] = conn.(*net.UnixConn)
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	return ends[0], ends[1]
}

// overPair is a system whose answers all go to a pair's other end, and a batch for it.
func overPair(t *testing.T, conn *net.UnixConn, size int) (*system, []Datagram) {
	t.Helper()
	pc := open(t, "udp4", "127.0.0.1:0")
	sock, err := host.NewDatagramSocket(pc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSystem(pc.(*net.UDPConn), sock, Options{Size: size, MaxDatagram: 512})
	if err != nil {
		t.Fatal(err)
	}
	if s.raw, err = conn.SyscallConn(); err != nil {
		t.Fatal(err)
	}
	for i := range s.in {
		s.in[i].Hdr.Namelen = 0
		s.queue(i, fmt.Append(nil, i))
	}
	return s, make([]Datagram, size)
}

// A socket that takes no more for now is waited for, and nothing is lost or sent twice.
func TestSendWaits(t *testing.T) {
	t.Parallel()
	const size = 300
	near, far := pair(t)
	s, batch := overPair(t, near, size)
	var reading sync.WaitGroup
	reading.Go(func() {
		buf := make([]byte, 9)
		for i := range size {
			n, err := far.Read(buf)
			if err != nil || string(buf[:n]) != fmt.Sprint(i) {
				t.Errorf("read %q, %v; want %d", buf[:n], err, i)
				return
			}
		}
	})
	s.send(batch)
	reading.Wait()
	for i, d := range batch {
		if d.Err != nil {
			t.Errorf("%d: %v", i, d.Err)
		}
	}
}

// What a write deadline leaves unsent is told.
func TestSendHonoursDeadlines(t *testing.T) {
	t.Parallel()
	const size = 300
	near, far := pair(t)
	if err := near.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	s, batch := overPair(t, near, size)
	s.send(batch)
	sent := 0
	for ; batch[sent].Err == nil; sent++ {
		if sent == size-1 {
			t.Fatal("nothing was too much")
		}
	}
	for i, d := range batch[sent:] {
		if !errors.Is(d.Err, os.ErrDeadlineExceeded) {
			t.Errorf("%d: %v", sent+i, d.Err)
		}
	}
	if err := far.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	arrived := 0
	for buf := make([]byte, 9); ; arrived++ {
		if _, err := far.Read(buf); err != nil {
			break
		}
	}
	if arrived != sent || sent == 0 {
		t.Errorf("%d are said to be sent, %d arrived", sent, arrived)
	}
}

// What reading fails with, but for an interruption, is what Serve returns.
func TestReceiveFails(t *testing.T) {
	t.Parallel()
	near, _ := pair(t)
	s, _ := overPair(t, near, 3)
	bad := [3]unix.Mmsghdr{}
	bad[0].Hdr.SetIovlen(MaxSize + 1)
	s.in = bad[:]
	err := s.serve(func(int) { t.Error("something was read") })
	if err == nil || err.Error() != "batch: recvmmsg: "+syscall.EMSGSIZE.Error() {
		t.Errorf("%v", err)
	}
}

// The scheduler hears of a call once in so many datagrams.
func TestTheSchedulerHearsOfCalls(t *testing.T) {
	t.Parallel()
	near, far := pair(t)
	s, _ := overPair(t, near, 3)
	fd := uintptr(0)
	raw, err := far.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(f uintptr) { fd = f }); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct{ before, after int }{{0, 2}, {unheard - 2, unheard}, {unheard, 2}, {unheard + 60, 2}} {
		for range 2 {
			if _, err := near.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		s.quiet = c.before
		if !s.tryReceive(fd) || s.failed != 0 || s.got != 2 || s.quiet != c.after {
			t.Errorf("%d: it has not heard of %d datagrams, want %d: %d, %v", i, s.quiet, c.after, s.got, s.failed)
		}
	}
}
