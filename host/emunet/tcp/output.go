package tcp

import (
	"syscall"
	"time"
)

// Soon says whether an acknowledgement is due that may wait until the application has had the chance to answer at this
// very moment. Whoever calls Output later than that has it sent alone.
func (c *Conn) Soon() bool { return c.ackSoon && !c.ackNow }

// Urgent says whether Output has something to send that waits for nothing.
func (c *Conn) Urgent() bool { return c.ackNow || c.resetDue || c.probeDue }

// Output gives emit all segments that are due now: data as far as the windows go, and acknowledgements. The segment
// is emit's to keep for the time of the call.
func (c *Conn) Output(now Time, emit func(*Segment)) {
	if c.resetDue {
		c.resetDue = false
		c.emitReset(emit)
	}
	if c.state == Closed {
		return
	}
	if c.state == SynSent || c.state == SynReceived {
		c.outputSyn(now, emit)
		return
	}
	c.outputData(now, emit)
	if c.probeDue {
		c.probeDue = false
		emit(c.segment(c.una-1, ACK))
	}
	if c.ackNow || c.ackSoon { // nothing else was sent
		emit(c.segment(c.nxt, ACK))
	}
}

func (c *Conn) emitReset(emit func(*Segment)) {
	if c.state == SynSent || c.state == SynReceived { // of what was never said: RFC 9293 section 3.10.7.3
		emit(&Segment{Seq: c.resetSeq, Flags: RST})
		return
	}
	emit(&Segment{Seq: c.resetSeq, Ack: c.recv.next, Flags: RST | ACK})
}

// outputSyn sends or repeats the SYN.
func (c *Conn) outputSyn(now Time, emit func(*Segment)) {
	r := c.flight.next()
	fresh := c.nxt == c.iss
	if !fresh && r == nil && !c.ackNow {
		return
	}
	flags := SYN
	if c.state == SynReceived {
		flags |= ACK
	}
	switch {
	case fresh:
		c.nxt = c.iss + 1
		c.flight.add(c.iss, 1, now)
	case r != nil:
		c.flight.resent(r, now)
	}
	if c.timerAt == 0 {
		c.timerAt = now + c.rtt.rto
	}
	s := c.segment(c.iss, flags)
	s.MSS, s.Scale = uint16(c.cfg.MSS), scale
	emit(s)
}

// outputData sends what the windows permit: first what was lost, then what is new.
func (c *Conn) outputData(now Time, emit func(*Segment)) {
	if c.flightEmpty() && c.unsent() > 0 {
		c.cc.idle(now-c.sentAt, c.rtt.rto)
	}
	for r := c.flight.next(); r != nil; r = c.flight.next() {
		if c.flight.octets > 0 && c.flight.octets+int(r.length) > c.cc.window && !c.cc.fast {
			c.cc.limited = true
			return
		}
		c.cc.fast = false
		c.flight.resent(r, now)
		emit(c.data(r.seq, int(r.length)))
		c.afterSend(now)
	}
	for {
		n, ok := c.nextNew(now)
		if !ok {
			return
		}
		s := c.data(c.nxt, n)
		c.flight.add(c.nxt, uint32(n), now)
		c.nxt += uint32(n)
		emit(s)
		c.afterSend(now)
	}
}

func (c *Conn) afterSend(now Time) {
	c.sentAt = now
	if c.timerAt == 0 {
		c.timerAt = now + c.rtt.rto
	}
}

// unsent counts what was written and never sent, the FIN included.
func (c *Conn) unsent() int {
	n := int(int32(c.send.end() - c.nxt))
	if c.finWrite {
		n++
	}
	return n
}

// nextNew is the length of the next new segment, its FIN included; false where nothing may be sent.
func (c *Conn) nextNew(now Time) (n int, ok bool) {
	left := c.unsent()
	if left == 0 {
		c.cc.limited = false
		return 0, false
	}
	octets := min(int(int32(c.send.end()-c.nxt)), c.mss)
	n = octets
	if c.finWrite && octets == int(int32(c.send.end()-c.nxt)) {
		n++
	}
	if c.flight.octets > 0 && c.flight.octets+octets > c.cc.window {
		c.cc.limited = true
		return 0, false
	}
	room := int(int32(c.limit - c.nxt))
	switch {
	case room >= n:
		return n, true
	case octets > 0 && room == octets: // the FIN waits for room
		return octets, true
	}
	return c.squeeze(max(room, 0), now)
}

// squeeze decides what goes into a window that is smaller than the segment: nothing, until it opens, or is half of the
// largest there was, or the sender would wait for nothing else (RFC 9293 section 3.8.6.2.1, RFC 1122 section 4.2.3.4).
func (c *Conn) squeeze(room int, now Time) (n int, ok bool) {
	c.cc.limited = false
	if room > 0 && (c.flightEmpty() || 2*room >= c.maxWin) {
		return room, true
	}
	if c.flightEmpty() && c.timerAt == 0 {
		c.timerAt = now + c.rtt.rto // to probe the closed window: section 3.8.6.1
	}
	return 0, false
}

// data is the segment with the n sequence numbers from seq on.
func (c *Conn) data(seq uint32, n int) *Segment {
	s := c.segment(seq, ACK)
	if fin := seq+uint32(n) == c.finSeq()+1; c.finWrite && fin {
		s.Flags |= FIN
		n--
	}
	if n > 0 {
		s.Payload = c.send.at(seq, n)
		if seq+uint32(n) == c.send.end() {
			s.Flags |= PSH
		}
	}
	return s
}

// segment begins one that says what we have received and how much we take.
func (c *Conn) segment(seq uint32, flags Flags) *Segment {
	s := &c.out
	*s = Segment{Seq: seq, Flags: flags}
	if flags&ACK == 0 {
		s.Window = uint16(min(c.room(), maxWindowField))
		return s
	}
	s.Ack = c.recv.next
	room := c.room()
	if flags&SYN == 0 {
		room = c.announce(room) >> scale << scale
		s.Window = uint16(room >> scale)
		c.recv.blocks(s)
	} else {
		room = min(room, maxWindowField)
		s.Window = uint16(room)
	}
	c.edge = later(c.edge, c.recv.next+uint32(room)) // a window never shrinks
	c.ackNow, c.ackSoon = false, false
	c.ackAt, c.unacked = 0, 0
	return s
}

// announce is the window to say when there is room for so much: its edge stays where it is until it moves by a whole
// segment (RFC 9293 section 3.8.6.2.2), and never moves back.
func (c *Conn) announce(room int) int {
	left := int(int32(c.edge - c.recv.next))
	if room-left < c.leastOpening() {
		return left
	}
	return min(room, maxWindowField<<scale)
}

// Next says when Timeout is to be called; false for never.
func (c *Conn) Next() (at Time, ok bool) {
	for _, t := range [...]Time{c.ackAt, c.timerAt, c.dropAt, c.aliveAt} {
		if t != 0 && (!ok || t < at) {
			at, ok = t, true
		}
	}
	return at, ok
}

// Timeout does what is due at now. Output sends it.
func (c *Conn) Timeout(now Time) {
	due := func(t *Time) bool {
		if *t == 0 || *t > now {
			return false
		}
		*t = 0
		return true
	}
	if due(&c.ackAt) {
		c.ackNow = true
	}
	if due(&c.dropAt) {
		c.close(nil)
		return
	}
	if due(&c.timerAt) {
		c.retransmit()
	}
	if c.state != Closed && due(&c.aliveAt) {
		c.probeAlive(now)
	}
}

// retransmit is the timeout of RFC 6298 section 5.4 to 5.7, or the probe of a closed window.
func (c *Conn) retransmit() {
	limit := retries
	if c.state == SynSent || c.state == SynReceived {
		limit = synRetries
	}
	if c.tries++; c.tries > limit {
		c.giveUp()
		return
	}
	c.rtt.backOff() // Output sets the timer again
	if c.flightEmpty() {
		c.probeDue = true
		return
	}
	if c.state >= Established {
		c.cc.timeout(int(c.nxt-c.una), c.nxt, c.tries == 1)
	}
	c.flight.timeout()
}

// giveUp ends a connection whose peer is gone.
func (c *Conn) giveUp() {
	err := c.soft
	if err == nil {
		err = syscall.ETIMEDOUT
	}
	c.close(err)
}

// alive puts off the keep-alive probe: something has been heard.
func (c *Conn) alive(now Time) {
	c.probes = 0
	if c.cfg.KeepAlive < 0 || c.state < Established || c.state == TimeWait {
		c.aliveAt = 0
		return
	}
	c.aliveAt = now + c.cfg.KeepAlive
}

// probeAlive sends a keep-alive probe (RFC 1122 section 4.2.3.6): not while data is on its way, which is a probe itself.
func (c *Conn) probeAlive(now Time) {
	wait := c.cfg.KeepAliveInterval
	switch {
	case !c.flightEmpty() || c.unsent() > 0:
		wait = c.cfg.KeepAlive
	case c.probes >= c.cfg.KeepAliveCount:
		c.resetDue, c.resetSeq = true, c.nxt
		c.giveUp()
		return
	default:
		c.probes++
		c.probeDue = true
	}
	c.aliveAt = now + max(wait, time.Millisecond)
}

// Refuse is what a listener that is not there says to a segment (RFC 9293 section 3.10.7.1); false for nothing.
func Refuse(s *Segment) (reset Segment, ok bool) {
	switch {
	case s.Flags&RST != 0:
		return Segment{}, false
	case s.Flags&ACK != 0:
		return Segment{Seq: s.Ack, Flags: RST}, true
	}
	return Segment{Ack: s.Seq + s.Len(), Flags: RST | ACK}, true
}
