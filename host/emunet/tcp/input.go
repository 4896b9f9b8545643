package tcp

import (
	"syscall"
)

// Input takes a segment from the peer (RFC 9293 section 3.10.7).
func (c *Conn) Input(s *Segment, now Time) {
	switch c.state {
	case Closed: // whoever has lost the connection answers as a listener that is not there: see Refuse
		return
	case SynSent:
		c.inputSynSent(s, now)
		return
	}
	if c.state == SynReceived && c.crossed(s) {
		c.opened(s.Ack, int(s.Window))
		c.establish(s, now)
		c.ackNow = true
		return
	}
	if !c.acceptable(s) {
		if s.Flags&RST == 0 {
			c.ackNow = true
			if s.Flags&FIN != 0 && c.state == TimeWait {
				c.dropAt = now + timeWait
			}
		}
		return
	}
	c.alive(now)
	switch {
	case s.Flags&RST != 0:
		c.inputReset(s)
	case s.Flags&SYN != 0: // RFC 5961 section 4: answered, never obeyed
		c.ackNow = true
	case s.Flags&ACK != 0:
		if c.inputAck(s, now) {
			c.inputData(s, now)
		}
	}
}

func (c *Conn) inputSynSent(s *Segment, now Time) {
	acks := s.Flags&ACK != 0
	if acks && s.Ack != c.iss+1 {
		if s.Flags&RST == 0 {
			c.resetDue, c.resetSeq = true, s.Ack
		}
		return
	}
	switch {
	case s.Flags&RST != 0:
		if acks {
			c.close(syscall.ECONNREFUSED)
		}
	case s.Flags&SYN != 0 && acks:
		c.synced(s)
		c.establish(s, now)
		// The application has waited for this, and is about to say something: the acknowledgement goes with it.
		c.ackNow, c.ackSoon = false, true
	case s.Flags&SYN != 0: // both ends dial: RFC 9293 section 3.5, figure 7
		c.synced(s)
		c.state = SynReceived
	}
}

// crossed recognises the answer to our SYN after the peer's own SYN has come: both have dialled (RFC 9293 section 3.5,
// figure 7).
func (c *Conn) crossed(s *Segment) bool {
	return s.Flags&(SYN|ACK|RST) == SYN|ACK && s.Seq+1 == c.recv.next && s.Ack == c.nxt
}

// establish ends the handshake.
func (c *Conn) establish(s *Segment, now Time) {
	c.state = Established
	c.acknowledge(s.Ack, now)
	if !c.rtt.known { // the handshake needed more than one try: RFC 6298 section 5.7, RFC 6928 section 2
		c.rtt.rto = 3 * firstRTO
		c.cc.window = c.mss
	}
	c.alive(now)
}

// acceptable is the test of RFC 9293 section 3.10.7.4 on the sequence number. What is old says nothing new, except
// that our acknowledgement may have been lost.
func (c *Conn) acceptable(s *Segment) bool {
	end := s.Seq + s.Len()
	if s.Len() == 0 {
		return !before(s.Seq, c.recv.next) && !before(c.edge, s.Seq)
	}
	return before(c.recv.next, end) && before(s.Seq, c.edge)
}

// inputReset obeys a reset whose number is exact; another may be a guess (RFC 5961 section 3.2).
func (c *Conn) inputReset(s *Segment) {
	switch {
	case s.Seq != c.recv.next:
		c.ackNow = true
	case c.state == SynReceived:
		c.close(syscall.ECONNREFUSED)
	case c.state == TimeWait || c.orphan:
		c.close(nil)
	case c.state == CloseWait: // as on Linux: what there was to read is complete
		c.close(syscall.EPIPE)
	default:
		c.close(syscall.ECONNRESET)
	}
}

// inputAck takes the acknowledgement and the window; false where the segment goes no further.
func (c *Conn) inputAck(s *Segment, now Time) bool {
	switch news := before(c.una, s.Ack) && !before(c.nxt, s.Ack); {
	case c.state == SynReceived && news:
		c.establish(s, now)
	case c.state == SynReceived:
		c.resetDue, c.resetSeq = true, s.Ack
		return false
	case before(c.nxt, s.Ack):
		c.ackNow = true
		return false
	}
	if before(s.Ack, c.una) {
		return true
	}
	c.opened(s.Ack, int(s.Window)<<scale)
	c.acknowledge(s.Ack, now)
	if c.flight.sack(s.Blocks[:s.Sacked]) || s.Sacked > 0 {
		c.detectLoss()
	}
	if c.flightEmpty() { // where a closed window was probed, there is an answer
		if !c.orphan { // nobody waits for an orphan: its peer is not asked for ever
			c.tries = 0
		}
		if before(c.una, c.limit) {
			c.timerAt = 0
			c.rtt.restore()
		}
	}
	c.afterAck(s.Ack, now)
	return c.state != Closed
}

func (c *Conn) flightEmpty() bool { return len(c.flight.sent) == 0 }

// acknowledge takes what is new of an acknowledgement.
func (c *Conn) acknowledge(ack uint32, now Time) {
	if !before(c.una, ack) {
		return
	}
	n := int(ack - c.una)
	c.una = ack
	if at, once := c.flight.acked(ack); once {
		c.rtt.sample(now - at)
	}
	c.tries = 0
	if before(c.send.base, ack) {
		c.send.release(ack)
	}
	if c.cc.recovery && !before(ack, c.cc.until) {
		c.cc.recovery, c.cc.timedOut = false, false
	}
	c.cc.acked(n)
	c.timerAt = 0
	if !c.flightEmpty() {
		c.timerAt = now + c.rtt.rto
	}
}

// detectLoss begins fast recovery where a segment is missing.
func (c *Conn) detectLoss() {
	inFlight := int(c.nxt - c.una)
	if c.flight.markLost() && !c.cc.recovery {
		c.cc.lost(inFlight, c.nxt)
		c.cc.fast = true
	}
}

// afterAck moves on once our FIN is acknowledged.
func (c *Conn) afterAck(ack uint32, now Time) {
	if !c.finWrite || ack != c.finSeq()+1 {
		return
	}
	switch c.state {
	case FinWait1:
		c.state = FinWait2
		if c.orphan {
			c.dropAt = now + orphanedFIN
		}
	case Closing:
		c.enterTimeWait(now)
	case LastAck:
		c.close(nil)
	}
}

// finSeq is the number of our FIN.
func (c *Conn) finSeq() uint32 { return c.send.end() }

func (c *Conn) enterTimeWait(now Time) {
	c.state = TimeWait
	c.dropAt = now + timeWait
	c.timerAt, c.aliveAt = 0, 0
}

// inputData takes the segment's octets and its FIN.
func (c *Conn) inputData(s *Segment, now Time) {
	if s.Len() == 0 {
		return
	}
	if !c.receiving() {
		c.ackNow = true
		return
	}
	if c.orphan && len(s.Payload) > 0 && before(c.recv.next, s.Seq+uint32(len(s.Payload))) {
		c.Abort() // nobody will read it
		return
	}
	if at := s.Seq + uint32(len(s.Payload)); s.Flags&FIN != 0 && before(at, c.edge) {
		c.finKnown, c.finAt = true, at
	}
	if len(s.Payload) > 0 {
		c.inputPayload(s, now)
	}
	if c.finKnown && c.recv.next == c.finAt {
		c.inputFIN(now)
	} else if s.Flags&FIN != 0 {
		c.ackNow = true
	}
}

func (c *Conn) inputPayload(s *Segment, now Time) {
	seq, data := s.Seq, s.Payload
	if over := int(int32(seq + uint32(len(data)) - c.edge)); over > 0 {
		data = data[: len(data)-over : len(data)-over] // no spare capacity: see receiveBuffer.push
	}
	if len(data) == 0 || len(c.recv.apart) >= maxApart && seq != c.recv.next {
		c.ackNow = true
		return
	}
	inOrder, closed := c.recv.add(seq, data)
	switch {
	case !inOrder || closed || len(c.recv.apart) > 0:
		c.ackNow = true
		c.quick = quickACKs
	default:
		c.acknowledgeLater(s, now)
	}
}

// acknowledgeLater decides when what came in order is acknowledged: every second full segment at once (RFC 1122
// section 4.2.3.2), the first ones and those after a loss each at once, and others when the answer goes out or the
// time is over. The last segment of what was written (PSH) waits for the answer that the application may have ready.
func (c *Conn) acknowledgeLater(s *Segment, now Time) {
	c.unacked += len(s.Payload)
	switch {
	case c.quick > 0 || c.cfg.DelayedACK < 0:
		c.quick = max(c.quick-1, 0)
		if s.Flags&PSH != 0 {
			c.ackSoon = true
		} else {
			c.ackNow = true
		}
	case c.unacked >= 2*c.mss:
		c.ackNow = true
	case c.ackAt == 0:
		c.ackAt = now + c.cfg.DelayedACK
	}
}

func (c *Conn) inputFIN(now Time) {
	c.recv.next++
	c.finRead = true
	c.ackSoon = true
	switch c.state {
	case Established:
		c.state = CloseWait
	case FinWait1:
		c.state = Closing
	case FinWait2:
		c.enterTimeWait(now)
	}
}
