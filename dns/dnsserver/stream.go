package dnsserver

import (
	"encoding/binary"
	"fmt"
	"iter"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/transcript"
)

// StreamHandler is a Handler that answers some queries over a stream with
// several messages: a zone transfer (RFC 5936 section 2.2). A Handler that has
// this method is asked it first, for every query over TCP and TLS.
type StreamHandler interface {
	Handler
	// Stream gives the messages that answer a query, each of which is there until
	// the next one is asked for; false when Respond has the answer. It says so at
	// once: what takes time, and memory, belongs into the sequence, of which no
	// more than Options.MaxStreams run at a time. After an error the connection is
	// closed, so that the client sees that there should have been more. Query may
	// not be kept beyond the end of the sequence.
	Stream(query []byte, from Client) (messages iter.Seq2[[]byte, error], ok bool)
}

// messagesFor asks the handler for a stream; false when it has one message for
// the query.
func (c *session) messagesFor(query []byte) (iter.Seq2[[]byte, error], bool) {
	if h, ok := c.opts.Handler.(StreamHandler); ok {
		return h.Stream(query, c.from)
	}
	return nil, false
}

// streamed answers a query with several messages; false when the connection is
// over. The query lies in the session's buffer, which is not read into
// meanwhile.
func (c *session) streamed(query []byte, messages iter.Seq2[[]byte, error]) bool {
	if !c.flush() {
		return false
	}
	if c.streams.Add(1) > int64(c.opts.MaxStreams) {
		c.streams.Add(-1)
		return c.tooManyStreams(query)
	}
	defer c.streams.Add(-1)
	s := outStream{session: c, end: time.Now().Add(c.opts.StreamTimeout)}
	for message, err := range messages {
		if err != nil {
			c.opts.Log.Error("a response in several messages cannot be made", "remote", c.from.Remote.String(), "err", err)
			c.line("closed: the response cannot be made")
			return false
		}
		if !s.send(message) {
			c.note(RefusedWrite, fmt.Sprintf("closed: the client does not take its response; it had %d messages", s.sent))
			return false
		}
	}
	if s.sent == 0 {
		c.refused(RefusedSilent)
		return false
	}
	c.line(fmt.Sprintf("%d messages, %d octets", s.sent, s.octets))
	c.answered(&c.from, query, s.first[:], s.octets)
	return true
}

// tooManyStreams puts off a client: it may try again.
func (c *session) tooManyStreams(query []byte) bool {
	c.note(RefusedStreams, fmt.Sprintf("%d transfers run, which are the most", c.opts.MaxStreams))
	c.out = failure(append(c.out[:0], 0, 0), query, dns.RcodeServFail)
	binary.BigEndian.PutUint16(c.out, uint16(len(c.out)-2))
	record(c.x, transcript.Sent, c.out[2:])
	return true
}

// outStream is a response in several messages.
type outStream struct {
	*session
	end    time.Time // when all must be sent
	buf    []byte
	sent   int
	octets int
	first  [dns.HeaderLen]byte // the header of the first message
}

// send writes one message; false when the client does not take it in time.
func (s *outStream) send(message []byte) bool {
	if len(message) < dns.HeaderLen || len(message) > dns.MaxMessageLen {
		s.opts.Log.Error("a message of a response is no message", "octets", len(message))
		return false
	}
	if s.sent == 0 { // the others would push out of the transcript what is worth seeing
		copy(s.first[:], message)
		record(s.x, transcript.Sent, message)
	}
	now := time.Now()
	deadline := now.Add(s.opts.WriteTimeout)
	if s.end.Before(deadline) {
		deadline = s.end
	}
	if !now.Before(deadline) || s.conn.SetWriteDeadline(deadline) != nil {
		return false
	}
	s.buf = binary.BigEndian.AppendUint16(s.buf[:0], uint16(len(message)))
	s.buf = append(s.buf, message...)
	if _, err := s.conn.Write(s.buf); err != nil {
		return false
	}
	s.sent++
	s.octets += len(message)
	return true
}
