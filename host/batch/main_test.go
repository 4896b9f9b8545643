package batch

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/leftout"
)

// plain is a datagram socket that is no *net.UDPConn, as those of an emulated host are.
type plain struct{ net.PacketConn }

// open opens a socket until the test ends.
func open(t testing.TB, network, address string) net.PacketConn {
	t.Helper()
	pc, err := host.NewOS(host.OSOptions{}).ListenPacket(context.Background(), network, address)
	if err != nil {
		leftout.Because(t, "%s %s is not to be had: %v", network, address, err)
	}
	t.Cleanup(func() { pc.Close() })
	return pc
}

func dial(t testing.TB, to netip.AddrPort) net.Conn {
	t.Helper()
	conn, err := host.NewOS(host.OSOptions{}).Dial(context.Background(), "udp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func write(t testing.TB, conn net.Conn, datagrams ...string) {
	t.Helper()
	for _, d := range datagrams {
		if _, err := conn.Write([]byte(d)); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t testing.TB, conn net.Conn) string {
	t.Helper()
	buf := make([]byte, maxDatagram)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func newConn(t testing.TB, pc net.PacketConn, opts Options) *Conn {
	t.Helper()
	c, err := New(pc, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serve serves until answer says that it has seen enough.
func serve(t testing.TB, pc net.PacketConn, c *Conn, answer func([]Datagram) (enough bool)) {
	t.Helper()
	if err := pc.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	done := false
	err := c.Serve(func(batch []Datagram) {
		if answer(batch) {
			done = true
			pc.SetReadDeadline(time.Unix(1, 0))
		}
	})
	if !errors.Is(err, os.ErrDeadlineExceeded) || !done {
		t.Fatalf("Serve ended with %v; enough: %v", err, done)
	}
}

// echo answers each datagram of a batch with itself.
func echo(batch []Datagram) {
	for i := range batch {
		batch[i].Answer = append(batch[i].Answer, batch[i].Data...)
	}
}

// both runs a test with the system's calls for many datagrams where there are such, and with one datagram at a time.
func both(t *testing.T, test func(t *testing.T, pc net.PacketConn)) {
	t.Parallel()
	t.Run("many", func(t *testing.T) { t.Parallel(); test(t, open(t, "udp4", "127.0.0.1:0")) })
	t.Run("one", func(t *testing.T) { t.Parallel(); test(t, plain{open(t, "udp4", "127.0.0.1:0")}) })
}
