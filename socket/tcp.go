package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/host/serve"
	"github.com/network-utopia/utopia/transcript"
)

const (
	readSize   = 4096                  // bytes read and answered at once
	drainWait  = 50 * time.Millisecond // after Shutdown, silence that means the client has had its answers
	drainTotal = time.Second           // after Shutdown, the longest that a client is answered which is never silent
)

// Serve answers the connections of l, each in a goroutine, until Shutdown; it then returns [ErrServerClosed], and
// otherwise l's error. It closes l, and returns when all connections are over. Connections past Options.MaxConns, and
// those that Options.Guard refuses, are closed at once.
func (s *Server) Serve(l net.Listener) error { return s.loop.Serve(l, s.begin) }

// session is one TCP connection.
type session struct {
	server  *Server
	conn    net.Conn
	start   time.Time
	x       *transcript.Exchange
	begun   bool
	quiet   bool
	stream  caser
	answer  []byte // scratch
	in, out int64
	last    time.Time // after Shutdown: when answering ends
}

func (s *Server) begin(conn net.Conn) serve.Session {
	return &session{server: s, conn: conn, start: time.Now()}
}

// End is called when the connection is closed.
func (c *session) End() {
	c.x.End()
	if !c.quiet {
		c.server.opts.Metrics.Exchange("tcp", c.in, c.out, time.Since(c.start))
	}
}

// Run reads and answers until the client ends, a limit is reached, or the server stops.
func (c *session) Run() {
	buf := make([]byte, readSize)
	for {
		n, err := c.read(buf)
		c.open()
		if limit := c.server.opts.MaxBytes; limit > 0 && c.in+int64(n) > limit {
			if c.reply(buf[:limit-c.in]) && c.finish() {
				c.refused(RefusedTooMuch, fmt.Sprintf("closed: %d bytes are all that one connection may send", limit))
				serve.Linger(c.conn)
			}
			return
		}
		if n > 0 && !c.reply(buf[:n]) {
			return
		}
		if err != nil {
			c.ended(err)
			return
		}
	}
}

func (c *session) read(buf []byte) (int, error) {
	err := c.server.loop.Await(c.conn, c.server.opts.IdleTimeout)
	if err == nil {
		var n int
		if n, err = c.conn.Read(buf); n > 0 || err == nil {
			return n, err
		}
	}
	if !c.server.loop.Closing() || !errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, err
	}
	// The server stops: what is on its way is still answered. Shutdown's own deadline may come after ours, once, and
	// is then no sign of silence.
	if c.last.IsZero() {
		c.last = time.Now().Add(drainTotal)
	}
	for {
		until := time.Now().Add(drainWait)
		if until.After(c.last) {
			until = c.last
		}
		if err := c.conn.SetReadDeadline(until); err != nil {
			return 0, err
		}
		n, err := c.conn.Read(buf)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Before(until) {
			return n, err
		}
	}
}

// open begins the exchange once the client has said something, or gone.
func (c *session) open() {
	if c.begun {
		return
	}
	c.begun = true
	remote := host.AddrPort(c.conn.RemoteAddr())
	if c.quiet = c.server.quiet(remote); !c.quiet {
		local := host.AddrPort(c.conn.LocalAddr())
		c.x = c.server.opts.Transcript.Begin(context.Background(), "socket", "tcp", local, remote)
	}
}

// reply answers one piece of the stream; false when the connection is over.
func (c *session) reply(piece []byte) bool {
	c.in += int64(len(piece))
	record(c.x, transcript.Received, piece)
	c.answer = c.stream.append(c.answer[:0], piece)
	return c.send()
}

// finish sends what was kept of an unfinished character.
func (c *session) finish() bool {
	c.answer = c.stream.end(c.answer[:0])
	return c.send()
}

func (c *session) send() bool {
	if len(c.answer) == 0 {
		return true
	}
	err := c.conn.SetWriteDeadline(time.Now().Add(c.server.opts.WriteTimeout))
	n := 0
	if err == nil {
		n, err = c.conn.Write(c.answer)
	}
	c.out += int64(n)
	record(c.x, transcript.Sent, c.answer[:n])
	switch {
	case err == nil:
		return true
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.refused(RefusedDeafness, fmt.Sprintf("closed: the client has taken no answer for %v", c.server.opts.WriteTimeout))
	default:
		c.x.Line(transcript.Note, 0, "the client is gone: "+plain(err))
	}
	return false
}

// ended says goodbye after a read that returned err.
func (c *session) ended(err error) {
	sent := c.finish()
	switch {
	case !sent:
		return
	case errors.Is(err, io.EOF):
		c.x.Line(transcript.Note, 0, "the client has ended")
	case errors.Is(err, os.ErrDeadlineExceeded) && c.server.loop.Closing():
		c.x.Line(transcript.Note, 0, "closed: the server stops")
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.refused(RefusedSilence, fmt.Sprintf("closed: nothing was sent for %v", c.server.opts.IdleTimeout))
	default:
		c.x.Line(transcript.Note, 0, "the client is gone: "+plain(err))
	}
}

func (c *session) refused(why Refusal, text string) {
	c.x.Line(transcript.Note, 0, text)
	if !c.quiet {
		c.server.opts.Metrics.Refused("tcp", why)
	}
}
