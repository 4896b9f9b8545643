package serve

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/network-utopia/utopia/host"
)

func TestShutdownWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	l := New(Options{})
	inside, goOn := make(chan struct{}), make(chan struct{})
	listener, ended := listen(t), make(chan error, 1)
	go func() {
		ended <- l.Serve(listener, func(conn net.Conn) Session {
			return session{run: func() {
				inside <- struct{}{}
				<-goOn
				_, _ = conn.Write([]byte("done"))
			}}
		})
	}()
	conn := dial(t, listener.Addr().String())
	<-inside
	stopped := make(chan error, 2)
	for range 2 { // two at once is as good as one
		go func() { stopped <- l.Shutdown(context.Background()) }()
	}
	eventually(t, "closing", l.Closing)
	if _, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		eventually(t, "the listener is closed", func() bool {
			_, err := net.Dial("tcp", listener.Addr().String())
			return err != nil
		})
	}
	select {
	case err := <-stopped:
		t.Fatalf("Shutdown left a session behind: %v", err)
	case err := <-ended:
		t.Fatalf("Serve left a session behind: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(goOn)
	buf := make([]byte, 4)
	if n, err := conn.Read(buf); string(buf[:n]) != "done" {
		t.Errorf("read %q, %v", buf[:n], err)
	}
	for range 2 {
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	}
	if err := <-ended; err != ErrClosed {
		t.Errorf("Serve: %v", err)
	}
	shutdown(t, l) // and again
}

func TestShutdownWakesIdleSessions(t *testing.T) {
	t.Parallel()
	l := New(Options{})
	address := serve(t, l, echo(l))
	conn := dial(t, address)
	if !served(conn) {
		t.Fatal("not served")
	}
	begun := time.Now()
	shutdown(t, l)
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	if l.Conns() != 0 {
		t.Errorf("%d connections are left", l.Conns())
	}
}

func TestShutdownHard(t *testing.T) {
	t.Parallel()
	l := New(Options{})
	stuck := make(chan struct{}, 2)
	// A session and a reader that look at nothing: only closing ends them.
	serve(t, l, echo(l))
	address := serve(t, l, func(conn net.Conn) Session {
		return session{run: func() {
			stuck <- struct{}{}
			for {
				_ = conn.SetReadDeadline(time.Time{})
				if _, err := conn.Read(make([]byte, 1)); errors.Is(err, net.ErrClosed) {
					return
				}
			}
		}}
	})
	dial(t, address)
	pc, ended := listenPacket(t), make(chan error, 1)
	go func() {
		ended <- l.ServePacket(pc, 1, func() func() error {
			return func() error {
				stuck <- struct{}{}
				for {
					_ = pc.SetReadDeadline(time.Time{})
					if _, _, err := pc.ReadFrom(make([]byte, 1)); errors.Is(err, net.ErrClosed) {
						return err
					}
				}
			}
		})
	}()
	<-stuck
	<-stuck
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := l.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-ended; err != ErrClosed {
		t.Errorf("ServePacket: %v", err)
	}
}

// polite is a connection whose Close waits for its peer, as that of TLS does.
type polite struct {
	net.Conn
	inner chan struct{}
	once  sync.Once
}

func (p *polite) Close() error      { <-p.inner; return p.Conn.Close() }
func (p *polite) NetConn() net.Conn { return underneath{p.Conn, p} }

type underneath struct {
	net.Conn
	of *polite
}

func (u underneath) Close() error {
	u.of.once.Do(func() { close(u.of.inner) })
	return u.Conn.Close()
}

// script is a listener that hands out what it is told to, and does not notice that it was closed.
type script struct {
	accept chan any // net.Conn or error
	closed error    // what Close returns
}

func (s *script) Accept() (net.Conn, error) {
	switch a := (<-s.accept).(type) {
	case net.Conn:
		return a, nil
	case error:
		return nil, a
	}
	return nil, net.ErrClosed
}

// endOnceClosing is what a listener does that Shutdown has closed.
func (s *script) endOnceClosing(l *Loop) {
	for !l.Closing() {
		time.Sleep(time.Millisecond)
	}
	s.accept <- net.ErrClosed
}

func (s *script) Close() error   { return s.closed }
func (s *script) Addr() net.Addr { return &net.TCPAddr{} }

func TestHardShutdownWaitsForNoGoodbye(t *testing.T) {
	t.Parallel()
	l := New(Options{})
	server, client := net.Pipe()
	defer client.Close()
	in, began, ended := &script{accept: make(chan any)}, make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- l.Serve(in, func(conn net.Conn) Session {
			return session{run: func() {
				close(began)
				for {
					_ = conn.SetReadDeadline(time.Time{})
					if _, err := conn.Read(make([]byte, 1)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
						return
					}
				}
			}}
		})
	}()
	in.accept <- &polite{Conn: server, inner: make(chan struct{})}
	<-began
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	go in.endOnceClosing(l)
	if err := l.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-ended; err != ErrClosed {
		t.Error(err)
	}
}

// A connection that is accepted while Shutdown closes the others ends as they do.
func TestAcceptedDuringShutdown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hard bool
		want error
	}{"soft": {false, os.ErrDeadlineExceeded}, "hard": {true, net.ErrClosed}} {
		l := New(Options{})
		pair := listen(t)
		dial(t, pair.Addr().String())
		conn, err := pair.Accept()
		if err != nil {
			t.Fatal(err)
		}
		pair.Close()
		in, ended, got := &script{accept: make(chan any)}, make(chan error, 1), make(chan error, 1)
		go func() {
			ended <- l.Serve(in, func(conn net.Conn) Session {
				return session{run: func() { // it does not call Await
					_, err := conn.Read(make([]byte, 1))
					got <- err
				}}
			})
		}()
		eventually(t, "Serve has begun", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.serving == 1 })
		ctx, cancel := context.WithCancel(context.Background())
		stopped := make(chan error, 1)
		go func() { stopped <- l.Shutdown(ctx) }()
		eventually(t, "closing", l.Closing)
		if c.hard {
			cancel()
			eventually(t, "hard", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.hard })
		}
		in.accept <- conn
		if err := <-got; !errors.Is(err, c.want) {
			t.Errorf("%s: the session read %v", name, err)
		}
		in.accept <- net.ErrClosed
		if err := <-ended; err != ErrClosed {
			t.Errorf("%s: %v", name, err)
		}
		if err := <-stopped; (err != nil) != c.hard {
			t.Errorf("%s: Shutdown: %v", name, err)
		}
		cancel()
	}
}

func TestShutdownSaysWhatCouldNotBeClosed(t *testing.T) {
	t.Parallel()
	l := New(Options{})
	broken := errors.New("broken")
	in, ended := &script{accept: make(chan any), closed: broken}, make(chan error, 1)
	go func() { ended <- l.Serve(in, echo(l)) }()
	eventually(t, "Serve has begun", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.serving == 1 })
	go in.endOnceClosing(l)
	if err := l.Shutdown(context.Background()); !errors.Is(err, broken) {
		t.Errorf("Shutdown: %v", err)
	}
	<-ended
}

func TestServeAfterShutdown(t *testing.T) {
	t.Parallel()
	own := errors.New("room: server closed")
	l := New(Options{Closed: own})
	shutdown(t, l)
	listener, pc := listen(t), listenPacket(t)
	if err := l.Serve(listener, echo(l)); err != own {
		t.Errorf("Serve: %v", err)
	}
	if err := l.ServePacket(pc, 1, nil); err != own {
		t.Errorf("ServePacket: %v", err)
	}
	if listener.Close() == nil || pc.Close() == nil {
		t.Error("what was given is still open")
	}
}

func TestErrorsOfWhatIsServed(t *testing.T) {
	t.Parallel()
	l := New(Options{Name: "room"})
	listener, pc := listen(t), listenPacket(t)
	listener.Close()
	pc.Close()
	err := l.Serve(listener, echo(l))
	if !errors.Is(err, net.ErrClosed) || errors.Is(err, ErrClosed) || !strings.HasPrefix(err.Error(), "room: accept: ") {
		t.Errorf("Serve: %v", err)
	}
	err = l.ServePacket(pc, 2, func() func() error {
		return func() error {
			_, _, err := pc.ReadFrom(make([]byte, 1))
			return err
		}
	})
	if !errors.Is(err, net.ErrClosed) || errors.Is(err, ErrClosed) || !strings.HasPrefix(err.Error(), "room: read a datagram: ") {
		t.Errorf("ServePacket: %v", err)
	}
	shutdown(t, l) // nothing is left to wait for
}

func TestAwait(t *testing.T) {
	t.Parallel()
	l := New(Options{})
	server, client := net.Pipe()
	defer client.Close()
	if err := l.Await(server, 20*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) < 15*time.Millisecond {
		t.Errorf("read %v after %v", err, time.Since(begun))
	}
	server.Close()
	if err := l.Await(server, time.Minute); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("of a closed connection: %v", err)
	}
	shutdown(t, l)
	if err := l.Await(server, time.Minute); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after Shutdown: %v", err)
	}
}

// racer is a connection during whose SetReadDeadline Shutdown is called.
type racer struct {
	net.Conn
	stop func()
}

func (r racer) SetReadDeadline(time.Time) error { r.stop(); return nil }

func TestAwaitLosesToShutdown(t *testing.T) {
	t.Parallel()
	l := New(Options{})
	if err := l.Await(racer{stop: func() { shutdown(t, l) }}, time.Minute); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v: the session would wait for a minute", err)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, -1} {
		l := New(Options{MaxConns: n})
		if l.opts.MaxConns != DefaultMaxConns || l.opts.Closed != ErrClosed || l.opts.Log == nil || l.Closing() || l.Conns() != 0 {
			t.Errorf("%+v", l.opts)
		}
	}
}

func TestAddrPort(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]net.Addr{
		"192.0.2.1:1":      &net.TCPAddr{IP: net.ParseIP("192.0.2.1"), Port: 1}, // 16 octets
		"[2001:db8::1]:2":  &net.UDPAddr{IP: net.ParseIP("2001:db8::1"), Port: 2},
		"[fe80::1%eth0]:3": &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 3},
		"invalid AddrPort": &net.UnixAddr{Name: "/s"},
	} {
		if got := host.AddrPort(a); got.String() != want {
			t.Errorf("%v is %v, want %s", a, got, want)
		}
	}
	if got := host.AddrPort(nil); got.IsValid() {
		t.Errorf("no address is %v", got)
	}
}
