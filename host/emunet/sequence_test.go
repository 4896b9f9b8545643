package emunet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/network-utopia/utopia/host"
)

// sequence is what a program does on a host, and what it sees, call by call.
type sequence struct {
	h    host.Host
	seen bytes.Buffer
}

// note writes down how a call ended.
func (s *sequence) note(what string, n int, err error) {
	how := "ok"
	var op *net.OpError
	var number syscall.Errno
	switch {
	case err == nil:
	case err == io.EOF: // never wrapped
		how = "EOF"
	case errors.As(err, &number):
		how = number.Error()
	case errors.Is(err, net.ErrClosed):
		how = "closed"
	case errors.Is(err, os.ErrDeadlineExceeded):
		how = "too late"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		how = "context"
	default:
		how = fmt.Sprintf("%T", err)
	}
	if errors.As(err, &op) {
		how = fmt.Sprintf("%s %s, source %v, address %v", op.Op, how, op.Source != nil, op.Addr != nil)
	}
	fmt.Fprintf(&s.seen, "%s: %d, %s\n", what, n, how)
}

func (s *sequence) read(c net.Conn, octets int) {
	start := time.Now()
	n, err := c.Read(make([]byte, octets))
	if time.Since(start) > 3*time.Second {
		fmt.Fprintln(&s.seen, "late:")
	}
	s.note("read", n, err)
}

func (s *sequence) write(c net.Conn, octets int) {
	n, err := c.Write(make([]byte, octets))
	s.note("write", n, err)
}

// writeAll writes until it cannot.
func (s *sequence) writeAll(c net.Conn) {
	for {
		if _, err := c.Write(make([]byte, 1<<16)); err != nil {
			s.call("write", err)
			return
		}
	}
}

func (s *sequence) call(what string, err error) { s.note(what, 0, err) }

func (s *sequence) closeWrite(c net.Conn) {
	s.call("CloseWrite", c.(interface{ CloseWrite() error }).CloseWrite())
}

func (s *sequence) closeRead(c net.Conn) {
	s.call("CloseRead", c.(interface{ CloseRead() error }).CloseRead())
}

// reset closes a connection with a reset.
func (s *sequence) reset(c net.Conn) {
	s.call("SetLinger", c.(interface{ SetLinger(int) error }).SetLinger(0))
	s.call("Close", c.Close())
}

// settle gives the network the time for what is under way.
func settle() { time.Sleep(5 * ms) }

var past = time.Unix(1, 0)

// The same calls in the same order give the same results on an emulated host and on the operating system's.
func TestSequences(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(s *sequence, a, b net.Conn){
		"reset with data unread": func(s *sequence, a, b net.Conn) {
			s.write(b, 10)
			settle()
			s.reset(b)
			settle()
			s.read(a, 4)
			s.read(a, 9)
			s.read(a, 9)
			s.read(a, 9)
			s.write(a, 1)
			s.closeWrite(a)
			s.call("Close", a.Close())
		},
		"reset, writing first": func(s *sequence, a, b net.Conn) {
			s.reset(b)
			settle()
			s.write(a, 1)
			s.write(a, 1)
			s.read(a, 1)
			s.closeWrite(a)
		},
		"reset after the end": func(s *sequence, a, b net.Conn) {
			s.call("Close", b.Close())
			settle()
			s.write(a, 1)
			settle()
			s.write(a, 1)
			s.write(a, 1)
			s.read(a, 1)
			s.closeWrite(a)
		},
		"reset after both ends": func(s *sequence, a, b net.Conn) {
			s.closeWrite(b)
			settle()
			s.closeWrite(a)
			settle()
			s.read(a, 1)
			s.read(b, 1)
			s.closeWrite(a)
			s.closeWrite(b)
			s.write(a, 1)
			s.write(b, 1)
		},
		"CloseWrite twice": func(s *sequence, a, b net.Conn) {
			s.closeWrite(a)
			s.closeWrite(a)
			settle()
			s.read(b, 1)
			s.write(b, 3)
			s.read(a, 9)
			s.closeWrite(a)
			s.write(a, 1)
			s.write(a, 0)
		},
		"CloseRead": func(s *sequence, a, b net.Conn) {
			s.write(b, 10)
			settle()
			s.closeRead(a)
			s.read(a, 4)
			s.read(a, 9)
			s.read(a, 9)
			s.write(b, 3)
			settle()
			s.read(a, 9)
			s.read(a, 9)
			s.write(a, 3)
			s.read(b, 9)
			s.call("Close", a.Close())
			s.closeRead(a)
			s.closeWrite(a)
		},
		"nothing": func(s *sequence, a, b net.Conn) {
			s.read(a, 0)
			s.write(a, 0)
			s.call("SetDeadline", a.SetDeadline(past))
			s.read(a, 0)
			s.write(a, 0)
			s.write(a, 1)
			s.read(a, 1)
			s.call("SetDeadline", a.SetDeadline(time.Time{}))
			s.closeWrite(b)
			settle()
			s.read(a, 0)
			s.read(a, 1)
			s.read(a, 0)
			s.call("Close", a.Close())
			s.read(a, 0)
			s.write(a, 0)
		},
		"nothing, after a reset": func(s *sequence, a, b net.Conn) {
			s.reset(b)
			settle()
			s.read(a, 0)
			s.write(a, 0)
			s.write(a, 0)
			s.write(a, 1)
		},
		"data that is there, too late": func(s *sequence, a, b net.Conn) {
			s.write(b, 10)
			settle()
			s.call("SetDeadline", a.SetDeadline(past))
			s.read(a, 1)
			s.call("SetDeadline", a.SetDeadline(time.Time{}))
			s.read(a, 99)
		},
		"closed with data unread": func(s *sequence, a, b net.Conn) {
			s.write(b, 10)
			settle()
			s.call("Close", a.Close())
			settle()
			s.read(b, 1)
			s.read(b, 1)
			s.write(b, 1)
		},
		"closed after the peer's end": func(s *sequence, a, b net.Conn) {
			s.write(b, 10)
			s.closeWrite(b)
			settle()
			s.read(a, 10)
			s.call("Close", a.Close())
			settle()
			s.read(b, 1)
			s.call("Close", b.Close())
			s.call("Close", b.Close())
		},
		"settings after a close": func(s *sequence, a, b net.Conn) {
			s.call("Close", a.Close())
			s.call("SetDeadline", a.SetDeadline(past))
			s.call("SetReadDeadline", a.SetReadDeadline(past))
			s.call("SetWriteDeadline", a.SetWriteDeadline(past))
			s.call("SetLinger", a.(interface{ SetLinger(int) error }).SetLinger(0))
			s.call("SetNoDelay", a.(interface{ SetNoDelay(bool) error }).SetNoDelay(true))
			s.call("SetKeepAlive", a.(interface{ SetKeepAlive(bool) error }).SetKeepAlive(true))
			s.call("SetKeepAlivePeriod", a.(interface{ SetKeepAlivePeriod(time.Duration) error }).SetKeepAlivePeriod(time.Second))
			s.closeRead(a)
		},
		"a deadline while waiting": func(s *sequence, a, _ net.Conn) {
			for _, at := range []func() time.Time{func() time.Time { return past }, func() time.Time { return time.Now().Add(10 * ms) }} {
				s.call("SetReadDeadline", a.SetReadDeadline(time.Now().Add(time.Hour)))
				time.AfterFunc(10*ms, func() { _ = a.SetReadDeadline(at()) })
				s.read(a, 1)
			}
			s.call("SetReadDeadline", a.SetReadDeadline(time.Now().Add(30*ms)))
			time.AfterFunc(10*ms, func() { _ = a.SetReadDeadline(time.Time{}) }) // for ever
			time.AfterFunc(60*ms, func() { a.Close() })
			s.read(a, 1)
		},
		"a close while reading": func(s *sequence, a, b net.Conn) {
			time.AfterFunc(10*ms, func() { a.Close() })
			s.read(a, 1)
			s.read(b, 1)
		},
		"an end while writing": func(s *sequence, a, _ net.Conn) {
			time.AfterFunc(50*ms, func() { _ = a.(interface{ CloseWrite() error }).CloseWrite() })
			s.writeAll(a)
		},
		"a close while writing": func(s *sequence, a, _ net.Conn) {
			time.AfterFunc(50*ms, func() { a.Close() })
			s.writeAll(a)
		},
		"a reset while writing": func(s *sequence, a, b net.Conn) {
			time.AfterFunc(50*ms, func() { b.Close() }) // much is unread
			s.writeAll(a)
			s.read(a, 1)
		},
		"two who write at once": func(s *sequence, a, b net.Conn) {
			const size = 4 << 20
			var wg sync.WaitGroup
			for i := range 2 {
				wg.Go(func() { _, _ = a.Write(bytes.Repeat([]byte{byte(i)}, size)) })
			}
			got := make([]byte, 2*size)
			_, err := io.ReadFull(b, got)
			s.call("read", err)
			wg.Wait()
			fmt.Fprintln(&s.seen, bytes.Count(got[:size], got[:1]), bytes.Count(got[size:], got[size:][:1]))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compare(t, func(s *sequence) error {
				return onConn(func(a, b net.Conn) error { do(s, a, b); return nil })(s.h)
			})
		})
	}
}

// compare runs something on both kinds of hosts, in real time. A busy machine may be late on one of them: what differs
// differs each time.
func compare(t *testing.T, do func(s *sequence) error) {
	t.Helper()
	var got, want string
	for try := 0; try == 0 || got != want && try < 5; try++ {
		n := New(1)
		emulated, system := &sequence{h: n.Host("a")}, &sequence{h: host.NewOS(host.OSOptions{})}
		err := errors.Join(do(emulated), do(system), n.Close())
		if err != nil {
			t.Fatal(err)
		}
		got, want = emulated.seen.String(), system.seen.String()
	}
	if got != want {
		t.Errorf("emulated:\n%s\nsystem:\n%s", got, want)
	}
}

// Of a reader and a writer that a reset wakes at one moment both learn why.
func TestBothAreTold(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		x, y, _ := twoHosts(n, Delay(ms))
		a, b := connected(t, x, y)
		var read, write error
		var wg sync.WaitGroup
		wg.Go(func() { _, read = a.Read(make([]byte, 1)) })
		wg.Go(func() { _, write = io.Copy(a, zeros{}) })
		time.Sleep(time.Second)
		b.Close()
		wg.Wait()
		if !errors.Is(read, syscall.ECONNRESET) || !errors.Is(write, syscall.ECONNRESET) {
			t.Errorf("the reader is told %v, the writer %v", read, write)
		}
	})
}

// What is written while another writes, and waits for room, comes after it.
func TestWritersWaitForEachOther(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		x, y, _ := twoHosts(n, Delay(ms), Rate(Mbit))
		a, b := connected(t, x, y)
		const size = 300_000
		go func() { _, _ = a.Write(make([]byte, size)) }()
		little := func() bool { // room that the first is not woken for
			c := a.(*stream).tcp
			return c.Writable() >= 10 && !c.Roomy()
		}
		for i := 0; !inside(n, little); i++ {
			if i == 5000 {
				t.Fatal("there is never a little room")
			}
			time.Sleep(ms)
		}
		go func() {
			_, _ = a.Write([]byte("0123456789"))
			a.Close()
		}()
		got, err := io.ReadAll(b)
		if at := bytes.IndexByte(got, '0'); at != size || len(got) != size+10 || err != nil {
			t.Errorf("of %d octets the second's come at %d, %v", len(got), at, err)
		}
	})
}
