package dnsserver

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/transcript"
)

var (
	errStopped = errors.New("the connection is to end")
	errLost    = errors.New("an earlier message was not sent whole")
)

// aside is what a connection has beside the goroutine that reads it: those of
// later answers and of transfers. Most connections never have one.
type aside struct {
	ctx     context.Context // ends when the client is gone
	cancel  context.CancelFunc
	work    sync.WaitGroup
	slots   chan struct{} // one is taken for each goroutine
	stream  chan struct{} // taken by a transfer: there is one at a time
	before  chan struct{} // closed once the last message that is no plain query is answered; nil for none. Of the reader alone.
	stopped atomic.Bool   // nothing more is to be read

	writing sync.Mutex // whoever writes to the connection holds it
	lost    bool       // a message was not sent whole: none can follow
	active  time.Time  // when the last message left
}

// beside gives what the connection has beside its reader, who alone calls it.
func (c *session) beside() *aside {
	if c.aside == nil {
		a := &aside{slots: make(chan struct{}, c.opts.MaxPendingConn), stream: make(chan struct{}, 1)}
		a.ctx, a.cancel = context.WithCancel(c.ctx)
		c.aside = a
	}
	return c.aside
}

// claim waits for a place among those beside the reader: so a client that asks
// faster than it is answered, or than it reads, has to wait. What is ready leaves
// before. False when the connection is over.
func (c *session) claim(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
	}
	if !c.flush() {
		return false
	}
	places <- struct{}{}
	return true
}

// write sends whole messages, each behind its length: within
// Options.WriteTimeout and before end, where that is not zero.
func (c *session) write(messages []byte, end time.Time) error {
	a := c.aside
	if a != nil {
		a.writing.Lock()
		defer a.writing.Unlock()
		if a.lost {
			return errLost
		}
	}
	deadline := time.Now().Add(c.opts.WriteTimeout)
	if !end.IsZero() && end.Before(deadline) {
		deadline = end
	}
	err := c.conn.SetWriteDeadline(deadline)
	if err == nil {
		_, err = c.conn.Write(messages)
	}
	if a != nil {
		a.lost, a.active = err != nil, time.Now()
	}
	return err
}

// stop has the reader stop, wherever it is, and end the connection once the
// others are done.
func (c *session) stop() {
	c.aside.stopped.Store(true)
	_ = c.conn.SetReadDeadline(time.Unix(1, 0)) // fails only where the read does, too
}

// await gives the client some time for what is read next. A stop that comes at
// any moment is not missed.
func (c *session) await(timeout time.Duration) error {
	if err := c.loop.Await(c.conn, timeout); err != nil {
		return err
	}
	if c.aside != nil && c.aside.stopped.Load() {
		return errStopped
	}
	return nil
}

// silent says what a client is that has sent nothing until a deadline, which err
// is of. It is not idle while it waits for an answer, nor right after (RFC 7766
// section 6.2.3): then there is no error, and more time.
func (c *session) silent(err error) error {
	a := c.aside
	switch {
	case a == nil:
		return err
	case a.stopped.Load():
		return errStopped
	case c.start < c.end: // half a query
		return err
	case len(a.slots) > 0:
		return c.await(c.opts.IdleTimeout)
	}
	a.writing.Lock()
	left := time.Until(a.active.Add(c.opts.IdleTimeout))
	a.writing.Unlock()
	if left <= 0 {
		return err
	}
	return c.await(left)
}

// settle waits until all answers have left; false when they cannot.
func (c *session) settle() bool {
	if !c.flush() {
		return false
	}
	if c.aside == nil {
		return true
	}
	c.aside.work.Wait()
	return !c.aside.lost // nobody else writes any more
}

// abandon ends what goes on beside the reader, who is done. Nothing does where
// it has settled.
func (c *session) abandon() {
	a := c.aside
	if a == nil {
		return
	}
	a.cancel()
	a.writing.Lock()
	a.lost = true
	a.writing.Unlock()
	a.work.Wait()
}

// answerLater has a query answered by a goroutine of its own; false when the
// connection is over.
func (c *session) answerLater(query []byte) bool {
	a := c.beside()
	if !c.claim(a.slots) {
		return false
	}
	places, client := c.placesOf(c.from.Transport), c.from.Remote.Addr()
	if !places.take(client) {
		<-a.slots
		c.putOff(query, RefusedPending, "not answered: too many answers are being worked out")
		return true
	}
	before, done := a.turn(query)
	query, from := bytes.Clone(query), c.handOver()
	a.work.Go(func() {
		defer func() { <-a.slots }()
		defer places.give(client)
		defer close(done)
		if before != nil {
			<-before
		}
		c.answerAside(query, from)
	})
	return true
}

// handOver gives the client to a goroutine, with room for what its handler tells:
// the reader has room of its own from then on.
func (c *session) handOver() Client {
	from := c.from
	c.from.said = &said{}
	return from
}

// turn gives what a message waits for, nil for nothing, and what is to be closed
// once it is answered.
func (a *aside) turn(query []byte) (before, done chan struct{}) {
	done = make(chan struct{})
	if dns.Opcode(query[2]>>3&0xf) != dns.OpcodeQuery {
		before, a.before = a.before, done
	}
	return before, done
}

// answerAside answers a query, or ends the connection.
func (c *session) answerAside(query []byte, from Client) {
	defer c.loop.Recover("tcp", from.Remote)
	answered := false
	defer func() {
		if !answered {
			c.stop()
		}
	}()
	out, why := c.respondLater(c.x.Context(c.aside.ctx), make([]byte, 2, smallBuffer), query, from)
	c.refused(why)
	size := len(out) - 2
	if size == 0 {
		recordSilence(c.x, &from)
		return
	}
	binary.BigEndian.PutUint16(out, uint16(size))
	recordResponse(c.x, &from, out[2:])
	if err := c.write(out, time.Time{}); err != nil {
		if !errors.Is(err, errLost) {
			c.note(RefusedWrite, deaf)
		}
		return
	}
	answered = true
	c.answered(&from, query, out[2:], size)
}

// putOff has a client try again later.
func (c *session) putOff(query []byte, why Refusal, text string) {
	c.note(why, text)
	at := len(c.out)
	c.out = failure(append(c.out, 0, 0), query, dns.RcodeServFail)
	binary.BigEndian.PutUint16(c.out[at:], uint16(len(c.out)-at-2))
	record(c.x, transcript.Sent, c.out[at+2:])
}
