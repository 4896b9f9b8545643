package dnsserver

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/transcript"
)

// StreamHandler is a Handler that answers some queries over a stream with
// several messages: a zone transfer (RFC 5936 section 2.2). A Handler that has
// this method is asked it first, for every query over TCP and TLS. Such a
// response has a goroutine of its own: other queries of the connection are
// answered between its messages (RFC 5936 section 4.1.2, RFC 7766 section
// 6.2.1.1), but for those behind a second one, which waits for the first.
type StreamHandler interface {
	Handler
	// Stream gives the messages that answer a query, each of which is there until
	// the next one is asked for; false when Respond has the answer. It says so at
	// once: what takes time, and memory, belongs into the sequence, of which no
	// more than Options.MaxStreams run at a time. After an error the connection is
	// closed, so that the client sees that there should have been more. Query may
	// not be kept: the sequence has a copy of its own.
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

// streamed has a query answered with several messages, by a goroutine of their
// own; false when the connection is over.
func (c *session) streamed(query []byte, messages iter.Seq2[[]byte, error]) bool {
	a := c.beside()
	if !c.claim(a.stream) || !c.claim(a.slots) || !c.flush() {
		return false
	}
	if c.streams.Add(1) > int64(c.opts.MaxStreams) {
		c.streams.Add(-1)
		<-a.slots
		<-a.stream
		c.putOff(query, RefusedStreams, fmt.Sprintf("%d transfers run, which are the most", c.opts.MaxStreams))
		return true
	}
	query, from := bytes.Clone(query), c.handOver()
	a.work.Go(func() {
		defer func() {
			c.streams.Add(-1)
			<-a.slots
			<-a.stream
		}()
		c.stream(query, from, messages)
	})
	return true
}

// stream sends the messages that answer a query, or ends the connection.
func (c *session) stream(query []byte, from Client, messages iter.Seq2[[]byte, error]) {
	defer c.loop.Recover("tcp", from.Remote)
	whole := false
	defer func() {
		if !whole {
			c.stop()
		}
	}()
	s := outStream{session: c, end: time.Now().Add(c.opts.StreamTimeout)}
	for message, err := range messages {
		if err == nil {
			err = s.send(message)
		}
		if err != nil {
			s.failed(err)
			return
		}
	}
	if s.sent == 0 {
		c.refused(RefusedSilent)
		return
	}
	whole = true
	c.line(fmt.Sprintf("%d messages, %d octets", s.sent, s.octets))
	c.answered(&from, query, s.first[:], s.octets)
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

// errUnsent is of a message that the client does not take in time.
var errUnsent = errors.New("not sent")

// send writes one message.
func (s *outStream) send(message []byte) error {
	if len(message) < dns.HeaderLen || len(message) > dns.MaxMessageLen {
		return fmt.Errorf("%d octets are no message", len(message))
	}
	if s.sent == 0 { // the others would push out of the transcript what is worth seeing
		copy(s.first[:], message)
		record(s.x, transcript.Sent, message)
	}
	s.buf = binary.BigEndian.AppendUint16(s.buf[:0], uint16(len(message)))
	s.buf = append(s.buf, message...)
	if err := s.write(s.buf, s.end); err != nil {
		return fmt.Errorf("%w: %w", errUnsent, err)
	}
	s.sent++
	s.octets += len(message)
	return nil
}

// failed tells why there are no more messages.
func (s *outStream) failed(err error) {
	switch {
	case errors.Is(err, errLost): // of which another message has told
	case errors.Is(err, errUnsent):
		s.note(RefusedWrite, fmt.Sprintf("closed: the client does not take its response; it had %d messages", s.sent))
	default:
		s.opts.Log.Error("a response in several messages cannot be made", "remote", s.from.Remote.String(), "err", err)
		s.line("closed: the response cannot be made")
	}
}
