package dnsserver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/host/serve"
	"github.com/network-utopia/utopia/transcript"
)

const (
	smallBuffer = 512      // octets that an idle connection holds
	maxUnsent   = 16 << 10 // octets of responses after which they are sent, though more queries wait
)

// deaf is what a transcript says of a client that does not read.
const deaf = "closed: the client does not take its responses"

// Serve answers the queries on the connections of l, until Shutdown; it then
// returns ErrServerClosed, and otherwise l's error. It closes l, and returns
// when all connections are over. Connections past Options.MaxConns, and those
// that Options.Guard refuses, are closed at once.
func (s *Server) Serve(l net.Listener) error {
	return s.loop.Serve(l, func(conn net.Conn) serve.Session { return s.begin(conn, TCP) })
}

// session is one connection of TCP or TLS.
type session struct {
	*Server
	conn    net.Conn
	agreed  string // in the handshake of TLS
	from    Client
	x       *transcript.Exchange
	small   [smallBuffer]byte
	buf     []byte // what was read: small, or a larger one for a larger query
	start   int    // buf[start:end] is not looked at yet
	end     int
	out     []byte // responses, each behind its length
	queries int
	aside   *aside // nil while nothing goes on beside the goroutine that reads
}

func (s *Server) begin(conn net.Conn, transport Transport) *session {
	c := &session{Server: s, conn: conn}
	c.buf = c.small[:]
	c.from = Client{
		Remote: host.AddrPort(conn.RemoteAddr()), Local: host.AddrPort(conn.LocalAddr()), Transport: transport,
		said: &said{},
	}
	return c
}

// End is called when the connection is closed.
func (c *session) End() { c.x.End() }

// Run reads queries and answers them, those of a LaterHandler and transfers
// aside, until the client ends, a limit is reached, or the server stops.
func (c *session) Run() {
	defer c.abandon()
	for {
		query, err := c.next()
		if err != nil {
			c.ended(err)
			return
		}
		if !c.answer(query) {
			return
		}
		if c.queries++; c.queries >= c.opts.MaxQueries {
			if c.settle() {
				c.note(RefusedQueries, fmt.Sprintf("closed after %d queries", c.queries))
				serve.Linger(c.conn)
			}
			return
		}
		// Responses to queries that wait already leave together (RFC 7766
		// section 6.2.1.1).
		if (!c.another() || len(c.out) >= maxUnsent) && !c.flush() {
			return
		}
	}
}

var errTooLong = errors.New("query too long")

// next gives the next query. It is whole within Options.IdleTimeout, or an
// error.
func (c *session) next() ([]byte, error) {
	if c.aside != nil && c.aside.stopped.Load() {
		return nil, errStopped
	}
	if query, err := c.buffered(); query != nil || err != nil {
		return query, err
	}
	if err := c.await(c.opts.IdleTimeout); err != nil {
		return nil, err
	}
	for {
		c.makeRoom()
		n, err := c.conn.Read(c.buf[c.end:])
		c.end += n
		if query, err := c.buffered(); query != nil || err != nil {
			return query, err
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = c.silent(err)
		}
		if err != nil {
			if c.start < c.end && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// wanted is how long the next message is said to be, its length included; 2
// while that is not known.
func (c *session) wanted() int {
	if c.end-c.start < 2 {
		return 2
	}
	return 2 + int(binary.BigEndian.Uint16(c.buf[c.start:]))
}

// another says whether a whole query has been read.
func (c *session) another() bool { return c.end-c.start >= 2 && c.end-c.start >= c.wanted() }

// buffered gives a query that has been read already, nil when there is none
// yet. Of one that is too long it wants the header, to answer that.
func (c *session) buffered() ([]byte, error) {
	have := c.end - c.start
	switch {
	case have >= 2 && c.wanted() > 2+c.opts.MaxQuery:
		if have >= 2+dns.HeaderLen {
			return nil, errTooLong
		}
		return nil, nil
	case !c.another():
		return nil, nil
	}
	from := c.start + 2
	c.start += c.wanted()
	return c.buf[from:c.start], nil
}

// makeRoom gives the next read a place. A buffer grows with what has come, to
// at most twice that: a length that was only announced takes no memory.
func (c *session) makeRoom() {
	have := c.end - c.start
	if c.start > 0 {
		target := c.buf
		if have <= smallBuffer/2 {
			target = c.small[:] // an idle connection gives a large buffer back
		}
		copy(target, c.buf[c.start:c.end])
		c.buf, c.start, c.end = target, 0, have
	}
	if c.end == len(c.buf) {
		larger := make([]byte, min(2*len(c.buf), 2+c.opts.MaxQuery))
		copy(larger, c.buf)
		c.buf = larger
	}
}

// answer puts the response to a query among those to be sent; false when the
// connection is over.
func (c *session) answer(query []byte) bool {
	c.from.Time, *c.from.said = time.Now(), said{}
	if c.queries == 0 {
		c.from.quiet = c.quiet(c.from.Remote)
		c.x = c.exchange(context.Background(), c.from)
		if c.agreed != "" {
			c.line(c.agreed)
		}
	}
	record(c.x, transcript.Received, query)
	why := c.unfit(query, c.from)
	if why == "" {
		if messages, ok := c.messagesFor(query); ok {
			return c.streamed(query, messages)
		}
		if c.isLater(query, c.from) {
			return c.answerLater(query)
		}
	}
	at := len(c.out)
	c.out = append(c.out, 0, 0)
	switch why {
	case "":
		c.out, why = c.respond(c.out, query, c.from)
	case RefusedRate:
		c.out = failure(c.out, query, dns.RcodeRefused)
	}
	c.refused(why)
	size := len(c.out) - at - 2
	if size == 0 {
		c.out = c.out[:at]
		// A message that is no query: whoever sends it speaks something else.
		if c.settle() {
			c.line("closed: the client sent what is not answered")
		}
		return false
	}
	binary.BigEndian.PutUint16(c.out[at:], uint16(size))
	recordResponse(c.x, &c.from, c.out[at+2:])
	c.answered(&c.from, query, c.out[at+2:], size)
	return true
}

// refused counts what is not answered, or not as it was meant; "" stands for
// nothing.
func (c *session) refused(why Refusal) {
	if why != "" && !c.from.quiet {
		c.opts.Metrics.Refused(c.from.Transport, why, 1)
	}
}

// flush sends the responses; false when the connection is over.
func (c *session) flush() bool {
	if len(c.out) == 0 {
		return true
	}
	err := c.write(c.out, time.Time{})
	if cap(c.out) > maxUnsent {
		c.out = nil
	}
	c.out = c.out[:0]
	if err != nil {
		if !errors.Is(err, errLost) { // which was noted
			c.note(RefusedWrite, deaf)
		}
		return false
	}
	return true
}

// ended says goodbye after a read that failed.
func (c *session) ended(err error) {
	if isGone(err) || !c.settle() {
		return
	}
	switch {
	case errors.Is(err, errTooLong):
		// The length is not to be trusted, but the header is there: say what is
		// wrong before hanging up.
		h := c.buf[c.start+2 : c.end]
		if h[2]&0x80 == 0 {
			c.out = failure([]byte{0, dns.HeaderLen}, h, dns.RcodeFormErr)
			record(c.x, transcript.Sent, c.out[2:])
			c.flush()
		}
		c.note(RefusedSize, fmt.Sprintf("closed: a query of %d octets; %d are the most", c.wanted()-2, c.opts.MaxQuery))
		serve.Linger(c.conn)
	case errors.Is(err, os.ErrDeadlineExceeded) && c.loop.Closing():
		c.line("closed: the server stops")
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.note(RefusedIdle, fmt.Sprintf("closed: no query for %v", c.opts.IdleTimeout))
	}
}

// isGone says whether a read has failed because there is no connection any more.
// A client that ends its side still has its answers, as does one that is to go.
func isGone(err error) bool {
	for _, there := range []error{io.EOF, io.ErrUnexpectedEOF, os.ErrDeadlineExceeded, errTooLong, errStopped} {
		if errors.Is(err, there) {
			return false
		}
	}
	return true
}

func (c *session) note(why Refusal, text string) {
	c.refused(why)
	c.line(text)
}

func (c *session) line(text string) { c.x.Line(transcript.Note, 0, text) }
