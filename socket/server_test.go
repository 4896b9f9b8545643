package socket

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
	"sync/atomic"
	"testing"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/leftout"
)

func say(t *testing.T, conn net.Conn, text, want string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	hear(t, conn, want)
}

func hear(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatalf("after %q, waiting for %q: %v", got, want, err)
	}
	if string(got) != want {
		t.Fatalf("answered %q, want %q", got, want)
	}
}

func atEnd(t *testing.T, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("read %d bytes and %v, want the end of the stream", n, err)
	}
}

// The textbook's client: a word without a line end, wait, close.
func TestTCPAnswersAtOnce(t *testing.T) {
	t.Parallel()
	tcp, _ := start(t, Options{})
	conn := connect(t, "tcp", tcp)
	say(t, conn, "hello", "HELLO")
	say(t, conn, " again", " AGAIN")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTCPCarriesASplitCharacter(t *testing.T) {
	t.Parallel()
	tcp, _ := start(t, Options{})
	conn := connect(t, "tcp", tcp)
	say(t, conn, "gr\xc3", "GR")
	say(t, conn, "\xbcn", "ÜN")
}

func TestTCPHalfClose(t *testing.T) {
	t.Parallel()
	tcp, _ := start(t, Options{})
	conn := connect(t, "tcp", tcp)
	if _, err := io.WriteString(conn, "the end\xc3"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != "THE END\xc3" {
		t.Fatalf("read %q, %v", got, err)
	}
}

func TestUDPOneForOne(t *testing.T) {
	t.Parallel()
	_, udp := start(t, Options{})
	conn := connect(t, "udp", udp)
	buf := make([]byte, 1<<16)
	for _, text := range []string{"hello", "", "grün\n", "\xff\x00", "HELLO", strings.Repeat("x", MaxDatagram)} {
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(buf)
		if want := string(AppendUpper(nil, []byte(text))); err != nil || string(buf[:n]) != want {
			t.Fatalf("%.20q is answered %.20q, %v", text, buf[:n], err)
		}
	}
}

func TestUDPAnswerTooLongIsCut(t *testing.T) {
	t.Parallel()
	recorder, ring := watched()
	_, udp := start(t, Options{Transcript: recorder})
	conn := connect(t, "udp", udp)
	buf := make([]byte, 1<<16)
	fits := strings.Repeat("ɐ", MaxDatagram/3)
	for _, text := range []string{fits, fits + "ɐ"} { // at the limit of the answer, and one past it
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(buf)
		if want := strings.Repeat("Ɐ", MaxDatagram/3); err != nil || string(buf[:n]) != want {
			t.Fatalf("answered %d bytes, %v, want %d", n, err, len(want))
		}
	}
	eventually(t, "two exchanges", func() bool { return len(ring.Recent(9)) == 2 && len(ring.Recent(9)[0].Entries) == 3 })
	if got := texts(ring.Recent(1)[0])[1]; got != "= cut: 65508 bytes do not fit into a datagram" {
		t.Errorf("noted %q", got)
	}
}

func TestManyClients(t *testing.T) {
	t.Parallel()
	metrics := newCounts()
	tcp, udp := start(t, Options{Metrics: metrics})
	var clients sync.WaitGroup
	const each = 25
	for i := range each {
		clients.Go(func() {
			conn, err := osHost.Dial(t.Context(), "tcp", tcp)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			talk(t, conn, fmt.Sprintf("client %d of many;", i))
		})
		clients.Go(func() {
			conn, err := osHost.Dial(t.Context(), "udp", udp)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			talk(t, conn, fmt.Sprintf("datagram %d of many", i))
		})
	}
	clients.Wait()
	eventually(t, "all counted", func() bool { return metrics.done("tcp") == each && metrics.done("udp") == 20*each })
	if metrics.in != metrics.out || metrics.in == 0 {
		t.Errorf("counted %d bytes in and %d out", metrics.in, metrics.out)
	}
}

func talk(t *testing.T, conn net.Conn, text string) {
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Error(err)
	}
	got := make([]byte, len(text))
	for range 20 {
		if _, err := io.WriteString(conn, text); err != nil {
			t.Error(err)
			return
		}
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != strings.ToUpper(text) {
			t.Errorf("answered %q, %v", got, err)
			return
		}
	}
}

func TestMaxConns(t *testing.T) {
	t.Parallel()
	metrics := newCounts()
	tcp, _ := start(t, Options{MaxConns: 2, Metrics: metrics})
	first, second := connect(t, "tcp", tcp), connect(t, "tcp", tcp)
	say(t, first, "a", "A")
	say(t, second, "b", "B")
	atEnd(t, connect(t, "tcp", tcp))
	if n := metrics.refusals(RefusedFull); n != 1 {
		t.Errorf("%d refusals counted", n)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a place is free", func() bool { return metrics.done("tcp") == 1 })
	say(t, connect(t, "tcp", tcp), "c", "C")
}

func TestGuard(t *testing.T) {
	t.Parallel()
	metrics := newCounts()
	guard := &refuser{left: 1}
	tcp, _ := start(t, Options{Guard: guard, Metrics: metrics})
	first := connect(t, "tcp", tcp)
	say(t, first, "a", "A")
	atEnd(t, connect(t, "tcp", tcp))
	if n := metrics.refusals(RefusedByGuard); n != 1 {
		t.Errorf("%d refusals counted", n)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "released", func() bool {
		guard.mu.Lock()
		defer guard.mu.Unlock()
		return guard.released == 1
	})
	say(t, connect(t, "tcp", tcp), "b", "B")
}

// A connection that is refused for want of room gives its place with the guard back.
func TestGuardIsReleasedWhenFull(t *testing.T) {
	t.Parallel()
	guard := &refuser{left: 2}
	tcp, _ := start(t, Options{Guard: guard, MaxConns: 1})
	say(t, connect(t, "tcp", tcp), "a", "A")
	atEnd(t, connect(t, "tcp", tcp))
	atEnd(t, connect(t, "tcp", tcp))
	guard.mu.Lock()
	defer guard.mu.Unlock()
	if guard.released != 2 {
		t.Errorf("released %d times", guard.released)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	metrics := newCounts()
	_, udp := start(t, Options{Rate: &refuser{left: 1}, Metrics: metrics})
	conn := connect(t, "udp", udp)
	say(t, conn, "a", "A")
	if _, err := conn.Write([]byte("b")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second is refused", func() bool { return metrics.refusals(RefusedByGuard) == 1 })
	silent(t, conn)
}

func silent(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 99)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes and %v, want silence", n, err)
	}
}

// crowd is a Rate that holds every datagram up until it is let go, and counts those held.
type crowd struct {
	held atomic.Int32
	let  chan struct{}
}

func (c *crowd) Allow(netip.Addr) bool {
	c.held.Add(1)
	<-c.let
	return true
}

// At most Readers datagrams are handled at once, however many wait.
func TestReaders(t *testing.T) {
	t.Parallel()
	c := &crowd{let: make(chan struct{})}
	_, udp := start(t, Options{Readers: 3, Rate: c})
	conn := connect(t, "udp", udp)
	for range 5 {
		if _, err := conn.Write([]byte("a")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "three are handled", func() bool { return c.held.Load() == 3 })
	silent(t, conn)
	if n := c.held.Load(); n != 3 {
		t.Errorf("%d at once", n)
	}
	close(c.let)
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	hear(t, conn, "A")
}

func TestMaxBytes(t *testing.T) {
	t.Parallel()
	metrics := newCounts()
	tcp, _ := start(t, Options{MaxBytes: 5, Metrics: metrics})
	exact := connect(t, "tcp", tcp)
	say(t, exact, "he", "HE")
	say(t, exact, "llo", "LLO")
	if err := exact.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	atEnd(t, exact)
	if n := metrics.refusals(RefusedTooMuch); n != 0 {
		t.Errorf("%d refusals at the limit", n)
	}
	past := connect(t, "tcp", tcp)
	say(t, past, "hello!", "HELLO")
	atEnd(t, past) // and not a reset, though a byte was not taken
	if n := metrics.refusals(RefusedTooMuch); n != 1 {
		t.Errorf("%d refusals past the limit", n)
	}
}

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	metrics := newCounts()
	tcp, _ := start(t, Options{IdleTimeout: 250 * time.Millisecond, Metrics: metrics})
	conn := connect(t, "tcp", tcp)
	begun := time.Now()
	say(t, conn, "a\xc3", "A")
	hear(t, conn, "\xc3") // what was kept is not lost
	atEnd(t, conn)
	if took := time.Since(begun); took < 240*time.Millisecond {
		t.Errorf("closed after %v", took)
	}
	if n := metrics.refusals(RefusedSilence); n != 1 {
		t.Errorf("%d refusals counted", n)
	}
}

// A client that sends and never reads must not hold its place for ever.
func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	metrics := newCounts()
	tcp, _ := start(t, Options{WriteTimeout: 100 * time.Millisecond, Metrics: metrics})
	conn := connect(t, "tcp", tcp)
	piece := bytes.Repeat([]byte("x"), 64<<10)
	for metrics.refusals(RefusedDeafness) == 0 {
		if _, err := conn.Write(piece); err != nil && metrics.refusals(RefusedDeafness) == 0 {
			eventually(t, "the write timed out", func() bool { return metrics.refusals(RefusedDeafness) == 1 })
		}
	}
}

type panics struct{ n int }

func (p *panics) Allow(netip.Addr) bool {
	p.n++
	if p.n == 1 {
		panic("broken")
	}
	return true
}

func TestPanicIsCaught(t *testing.T) {
	t.Parallel()
	metrics := newCounts()
	var once sync.Once
	_, udp := start(t, Options{Rate: &panics{}, Metrics: metrics, Readers: 1})
	conn := connect(t, "udp", udp)
	if _, err := conn.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	say(t, conn, "b", "B")
	tcp, _ := start(t, Options{Metrics: metrics, Quiet: func(netip.AddrPort) bool {
		once.Do(func() { panic("broken") })
		return false
	}})
	first := connect(t, "tcp", tcp)
	if _, err := first.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	if n, err := first.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes", n)
	}
	say(t, connect(t, "tcp", tcp), "b", "B")
	eventually(t, "both panics counted", func() bool { return metrics.panicked() == 2 })
}

func TestTranscripts(t *testing.T) {
	t.Parallel()
	recorder, ring := watched()
	tcp, udp := start(t, Options{Transcript: recorder})
	conn := connect(t, "tcp", tcp)
	say(t, conn, "hello\n", "HELLO\n")
	say(t, conn, "again", "AGAIN")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection's exchange", func() bool { return len(ring.Recent(9)) == 1 && !ring.Recent(9)[0].End.IsZero() })
	say(t, connect(t, "udp", udp), "hello", "HELLO")
	eventually(t, "the datagram's exchange", func() bool { return len(ring.Recent(9)) == 2 && !ring.Recent(9)[0].End.IsZero() })
	records := ring.Recent(9)
	if got, want := texts(records[1]), []string{"< hello", "> HELLO", "< again", "> AGAIN", "= the client has ended"}; !slices.Equal(got, want) {
		t.Errorf("TCP: %q", got)
	}
	if got, want := texts(records[0]), []string{"< hello", "> HELLO"}; !slices.Equal(got, want) {
		t.Errorf("UDP: %q", got)
	}
	say(t, connect(t, "udp", udp), "", "")
	eventually(t, "the empty datagram's exchange", func() bool { return len(ring.Recent(9)) == 3 && !ring.Recent(9)[0].End.IsZero() })
	if got, want := texts(ring.Recent(1)[0]), []string{"< ", "> "}; !slices.Equal(got, want) {
		t.Errorf("an empty datagram: %q", got)
	}
	for i, network := range []string{"udp", "tcp"} {
		if h := records[i].Head; h.Network != network || h.Service != "socket" || !h.Remote.IsValid() || !h.Local.IsValid() {
			t.Errorf("head %+v", h)
		}
	}
	if n := records[1].Entries[0].Bytes; n != 6 {
		t.Errorf("the first line took %d bytes", n)
	}
}

func TestQuietPeersLeaveNoTrace(t *testing.T) {
	t.Parallel()
	recorder, ring := watched()
	metrics := newCounts()
	tcp, udp := start(t, Options{Transcript: recorder, Metrics: metrics, Quiet: func(netip.AddrPort) bool { return true }})
	conn := connect(t, "tcp", tcp)
	say(t, conn, "a", "A")
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	atEnd(t, conn)
	say(t, connect(t, "udp", udp), "a", "A")
	if n := len(ring.Recent(9)); n != 0 || metrics.done("tcp")+metrics.done("udp") != 0 {
		t.Errorf("%d exchanges recorded", n)
	}
}

func TestAnswerable(t *testing.T) {
	t.Parallel()
	local := netip.MustParseAddrPort("192.0.2.1:12000")
	for remote, want := range map[string]bool{
		"192.0.2.9:40000":       true,
		"127.0.0.1:1024":        true,
		"[2001:db8::1]:40000":   true,
		"192.0.2.9:0":           false,
		"192.0.2.9:7":           false,
		"192.0.2.9:19":          false,
		"192.0.2.9:53":          false,
		"192.0.2.9:12000":       false, // another upper-case service
		"192.0.2.9:20000":       false, // the same, of an instance with an offset
		"192.0.2.9:12001":       true,
		"255.255.255.255:40000": false,
		"224.0.0.251:40000":     false,
		"[ff02::1]:40000":       false,
		"0.0.0.0:40000":         false,
		"[::]:40000":            false,
	} {
		if got := answerable(netip.MustParseAddrPort(remote), local); got != want {
			t.Errorf("answerable(%s) = %v", remote, got)
		}
	}
	if answerable(netip.AddrPort{}, local) {
		t.Error("an address that is none is answered")
	}
	if answerable(netip.MustParseAddrPort("192.0.2.9:40000"), netip.AddrPortFrom(netip.Addr{}, 12000)) {
		t.Error("what was sent to nobody in particular is answered")
	}
}

// Bound to every address, the service answers from the one that was asked.
func TestUDPAnswersFromWhereItWasAsked(t *testing.T) {
	t.Parallel()
	for network, asked := range map[string][]string{
		"udp4": {"127.0.0.1", "127.0.0.7"}, "udp6": {"::1"}, "udp": {"127.0.0.1", "127.0.0.7", "::1"},
	} {
		bind := map[string]string{"udp4": "0.0.0.0:0", "udp6": "[::]:0", "udp": ":0"}[network]
		pc, err := osHost.ListenPacket(t.Context(), network, bind)
		if err != nil {
			t.Logf("%s is not to be had: %v", network, err)
			continue
		}
		recorder, ring := watched()
		s := NewServer(Options{Transcript: recorder})
		var served sync.WaitGroup
		served.Go(func() { _ = s.ServePacket(pc) })
		port := host.AddrPort(pc.LocalAddr()).Port()
		for _, address := range asked {
			to := netip.AddrPortFrom(netip.MustParseAddr(address), port)
			conn := connect(t, "udp", to.String()) // connected: an answer from elsewhere would not arrive
			say(t, conn, "hello", "HELLO")
			eventually(t, "recorded", func() bool { return len(ring.Recent(1)) == 1 && ring.Recent(1)[0].Local == to })
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		served.Wait()
	}
}

// Two services that are made to talk to each other fall silent at once.
func TestNoLoopBetweenServices(t *testing.T) {
	t.Parallel()
	metrics := newCounts()
	_, udp := start(t, Options{Metrics: metrics})
	port := netip.MustParseAddrPort(udp).Port()
	pc, err := osHost.ListenPacket(t.Context(), "udp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), port).String())
	if err != nil {
		leftout.Because(t, "127.0.0.2 is not to be had: %v", err)
	}
	defer func() { _ = pc.Close() }()
	if _, err := pc.WriteTo([]byte("ping"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(udp))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "refused", func() bool { return metrics.refusals(RefusedSource) == 1 })
}

func TestShutdownAnswersWhatWasSent(t *testing.T) {
	t.Parallel()
	s, tcp, _ := startServer(t, Options{})
	idle, busy := connect(t, "tcp", tcp), connect(t, "tcp", tcp)
	say(t, idle, "a", "A")
	say(t, busy, "b", "B")
	if _, err := io.WriteString(busy, "last words"); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	hear(t, busy, "LAST WORDS")
	atEnd(t, busy)
	atEnd(t, idle)
	if _, err := osHost.Dial(t.Context(), "tcp", tcp); err == nil {
		t.Error("still accepts")
	}
}

// A client that never stops talking does not keep the server from stopping, whoever waits.
func TestShutdownDoesNotWaitForTalkers(t *testing.T) {
	t.Parallel()
	s, tcp, _ := startServer(t, Options{})
	conn := connect(t, "tcp", tcp)
	say(t, conn, "a", "A")
	var talker sync.WaitGroup
	talker.Go(func() {
		for { // never as silent as drainWait
			if _, err := conn.Write([]byte("a")); err != nil {
				return
			}
			time.Sleep(drainWait / 10)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 8*drainTotal)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	talker.Wait()
}

// A client that never stops talking is cut off when the time for stopping is up.
func TestShutdownIsBounded(t *testing.T) {
	t.Parallel()
	s, tcp, _ := startServer(t, Options{})
	conn := connect(t, "tcp", tcp)
	say(t, conn, "a", "A")
	var talker sync.WaitGroup
	talker.Go(func() {
		for { // without a pause, so that there is always more to be read
			if _, err := conn.Write(bytes.Repeat([]byte("talk "), 1000)); err != nil {
				return
			}
		}
	})
	talker.Go(func() { _, _ = io.Copy(io.Discard, conn) })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	talker.Wait()
}

func TestServeAfterShutdown(t *testing.T) {
	t.Parallel()
	s := NewServer(Options{})
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := osHost.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc, err := osHost.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); !errors.Is(err, ErrServerClosed) {
		t.Errorf("Serve: %v", err)
	}
	if err := s.ServePacket(pc); !errors.Is(err, ErrServerClosed) {
		t.Errorf("ServePacket: %v", err)
	}
	if l.Close() == nil || pc.Close() == nil {
		t.Error("what was given is still open")
	}
}

// A listener that breaks ends Serve with its error, not with ErrServerClosed.
func TestServeReturnsTheListenersError(t *testing.T) {
	t.Parallel()
	s := NewServer(Options{})
	l, err := osHost.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc, err := osHost.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Close(), pc.Close()); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); errors.Is(err, ErrServerClosed) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
	if err := s.ServePacket(pc); errors.Is(err, ErrServerClosed) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("ServePacket: %v", err)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	o := NewServer(Options{}).opts
	if o.MaxConns != DefaultMaxConns || o.IdleTimeout != DefaultIdleTimeout || o.WriteTimeout != DefaultWriteTimeout ||
		o.Readers != DefaultReaders || o.MaxBytes != 0 || o.Log == nil || o.Metrics == nil {
		t.Errorf("%+v", o)
	}
}
