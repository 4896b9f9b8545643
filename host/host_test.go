package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/leftout"
)

// TestMain is also the other process of TestHolderOfAnotherProcess.
func TestMain(m *testing.M) {
	if os.Getenv("HOST_TEST_CHILD") == "" {
		os.Exit(m.Run())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	time.Sleep(time.Minute) // killed before
}

func TestListenAndDial(t *testing.T) {
	o := NewOS(OSOptions{})
	ctx := context.Background()
	l, err := o.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			io.Copy(c, c)
			c.Close()
		}
	}()
	c, err := o.Dial(ctx, "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		t.Fatalf("the connection is a %T: not bare", c)
	}
	fmt.Fprint(tcp, "hello")
	tcp.CloseWrite()
	if got, err := io.ReadAll(tcp); string(got) != "hello" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestTakenAddress(t *testing.T) {
	o := NewOS(OSOptions{})
	ctx := context.Background()
	l, err := o.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := o.Listen(ctx, "tcp", l.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second listener: %v, want EADDRINUSE", err)
	}
	conns, err := o.ListenPackets(ctx, "udp", "127.0.0.1:0", 2)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(conns)
	if second, err := o.ListenPackets(ctx, "udp", conns[0].LocalAddr().String(), 2); !errors.Is(err, syscall.EADDRINUSE) {
		closeAll(second)
		t.Errorf("another group on one address: %v, want EADDRINUSE", err)
	}
}

func closeAll(conns []net.PacketConn) {
	for _, c := range conns {
		c.Close()
	}
}

func TestListenPacketsShareDatagrams(t *testing.T) {
	if runtime.GOOS != "linux" {
		leftout.Because(t, "SO_REUSEPORT shares datagrams by flow on Linux alone")
	}
	o := NewOS(OSOptions{})
	ctx := context.Background()
	conns, err := ListenPackets(ctx, o, "udp", "127.0.0.1:0", 2)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(conns)
	if len(conns) != 2 || conns[0].LocalAddr().String() != conns[1].LocalAddr().String() {
		t.Fatalf("%d sockets on %v", len(conns), conns)
	}
	got := make(chan int, 64)
	for i, c := range conns {
		go func() {
			buf := make([]byte, 16)
			for {
				if _, _, err := c.ReadFrom(buf); err != nil {
					return
				}
				got <- i
			}
		}()
	}
	for range 64 { // 64 flows all onto one of two sockets: one chance in 2^63
		c, err := o.Dial(ctx, "udp", conns[0].LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte("x"))
		c.Close()
	}
	seen := map[int]int{}
	for range 64 {
		select {
		case i := <-got:
			seen[i]++
		case <-time.After(5 * time.Second):
			t.Fatalf("datagrams are missing: %v", seen)
		}
	}
	if len(seen) != 2 {
		t.Errorf("one socket got all: %v", seen)
	}
}

// onlyThree is a Host that cannot share.
type onlyThree struct{ Host }

func TestListenPacketsFallsBackToOne(t *testing.T) {
	conns, err := ListenPackets(context.Background(), onlyThree{NewOS(OSOptions{})}, "udp", "127.0.0.1:0", 4)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(conns)
	if len(conns) != 1 {
		t.Errorf("%d sockets, want 1", len(conns))
	}
}

func TestInheritedSockets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s")
	u, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	for _, s := range []interface{ File() (*os.File, error) }{l.(*net.TCPListener), p.(*net.UDPConn), u.(*net.UnixListener)} {
		f, err := s.File()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	o := NewOS(OSOptions{Inherited: files})
	defer o.Close()
	l.Close()
	p.Close()
	u.(*net.UnixListener).SetUnlinkOnClose(false)
	u.Close()
	ctx := context.Background()
	for round := range 2 { // a service that stops and starts again gets the same socket
		got, err := o.Listen(ctx, "tcp", l.Addr().String())
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		packets, err := o.ListenPackets(ctx, "udp", p.LocalAddr().String(), 4)
		if err != nil || len(packets) != 1 {
			t.Fatalf("round %d: %d sockets, %v", round, len(packets), err)
		}
		packets[0].Close()
		got.Close()
	}
	if _, err := net.Listen("tcp", l.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the inherited socket was not kept: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the inherited Unix socket's path is gone: %v", err)
	}
	other, err := o.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other.Close()
}

func TestDialHonoursItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := NewOS(OSOptions{}).Dial(ctx, "tcp", "127.0.0.1:1"); err == nil {
		t.Error("Dial ignored its context")
	}
}

func TestHolder(t *testing.T) {
	if runtime.GOOS != "linux" {
		leftout.Because(t, "only Linux tells who holds a socket")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := l.Addr().(*net.TCPAddr).AddrPort()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	p, ok := Holder("tcp", address)
	if !ok || p.PID != os.Getpid() || p.Name != strings.TrimSpace(string(comm)) {
		t.Errorf("the holder is %+v, %v; want this process, %d %s", p, ok, os.Getpid(), comm)
	}
	if _, ok := Holder("udp", address); ok {
		t.Error("the UDP port of that number is said to be held")
	}
	if p, ok := Holder("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), address.Port())); ok {
		t.Errorf("another address is said to be held by %v", p)
	}
	if _, ok := Holder("tcp", netip.AddrPortFrom(netip.IPv4Unspecified(), address.Port())); !ok {
		t.Error("a listener on all addresses would clash, and no holder is named")
	}
}

func TestHolderOfIPv6AndUDP(t *testing.T) {
	if runtime.GOOS != "linux" {
		leftout.Because(t, "only Linux tells who holds a socket")
	}
	c, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		leftout.Because(t, "this machine has no IPv6: %v", err)
	}
	defer c.Close()
	if p, ok := Holder("udp", c.LocalAddr().(*net.UDPAddr).AddrPort()); !ok || p.PID != os.Getpid() {
		t.Errorf("the holder is %+v, %v", p, ok)
	}
}

func TestHolderOfAnotherProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		leftout.Because(t, "only Linux tells who holds a socket")
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "HOST_TEST_CHILD=1")
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	var address string
	if _, err := fmt.Fscanln(out, &address); err != nil {
		t.Fatal(err)
	}
	p, ok := Holder("tcp", netip.MustParseAddrPort(address))
	if !ok || p.PID != child.Process.Pid {
		t.Errorf("the holder is %+v, %v; want pid %d", p, ok, child.Process.Pid)
	}
	if want := fmt.Sprintf("(pid %d)", child.Process.Pid); !strings.Contains(p.String(), want) {
		t.Errorf("%q does not name the process", p)
	}
}

func TestProcessString(t *testing.T) {
	for want, p := range map[string]Process{
		"named (pid 7)":             {PID: 7, Name: "named", User: "bind"},
		"a process of user bind":    {User: "bind"},
		"another process":           {},
		"a process of user nobody2": {PID: 7, User: "nobody2"},
	} {
		if got := p.String(); got != want {
			t.Errorf("%+v is %q, want %q", p, got, want)
		}
	}
}

func Example() {
	var h Host = NewOS(OSOptions{})
	l, err := h.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	fmt.Println(l.Addr().Network())
	// Output: tcp
}
