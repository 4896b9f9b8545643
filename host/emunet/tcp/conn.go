// Package tcp is one end of a TCP connection as a pure state machine: segments and times go in, segments come out. It
// opens no sockets, starts no goroutines and asks no clock, so that a test can hold it to the RFCs segment by segment.
//
// It does what decides how a connection behaves in time: RFC 9293 (the states, the handshake, half-close, reset), RFC
// 5681 (slow start from ten segments as in RFC 6928, congestion avoidance), RFC 2018 and 6675 (selective
// acknowledgement and recovery with it), RFC 6298 (the retransmission timer), RFC 7323 (window scale), RFC 1122 (delayed
// acknowledgements, keep-alive, zero-window probes) and RFC 5961 (resets that were guessed). Both ends are of this
// package, so options are always agreed on. It sends no timestamps, and knows no urgent data.
package tcp

import (
	"cmp"
	"io"
	"syscall"
	"time"
)

// Time is a moment, as what has passed since one that the network chose.
type Time = time.Duration

// Config are the settings of one end. The zero value is fit for use.
type Config struct {
	MSS           int // the largest payload of a segment that fits the path; zero means 1460
	ReceiveBuffer int // octets, at least 128; zero means [DefaultReceiveBuffer]. It bounds the window that is announced
	SendBuffer    int // octets at most; zero means [DefaultSendBuffer]. It grows with the congestion window

	DelayedACK time.Duration // how long an acknowledgement may wait for company; zero means 40 ms, below zero not at all
	// KeepAlive is the silence before a first probe, KeepAliveInterval that between probes, and after KeepAliveCount of
	// them without an answer the connection is given up. Zero means 15 s, 15 s and 9; KeepAlive below zero sends none.
	KeepAlive         time.Duration
	KeepAliveInterval time.Duration
	KeepAliveCount    int
}

// The limits and times of a connection.
const (
	DefaultReceiveBuffer = 4 << 20
	DefaultSendBuffer    = 4 << 20

	minSendBuffer   = 64 << 10
	initialSegments = 10 // RFC 6928
	scale           = 7  // of the window: the largest that can be announced is 8 MiB

	firstRTO   = time.Second            // RFC 6298 section 2.1
	minVar     = 200 * time.Millisecond // the least that the timer adds to the round trip, as in Linux
	maxRTO     = 2 * time.Minute
	synRetries = 6  // 127 s
	retries    = 15 // about 15 minutes: R2 of RFC 9293 section 3.8.3 is at least 100 s

	quickACKs      = 16 // acknowledgements that do not wait, at the beginning and after a loss
	timeWait       = time.Minute
	orphanedFIN    = time.Minute // FIN-WAIT-2 of a connection that nobody holds
	maxApart       = 8192        // pieces kept out of order
	dupThresh      = 3           // RFC 6675
	maxWindowField = 65535
)

func (c Config) withDefaults() Config {
	c.MSS = cmp.Or(c.MSS, 1460)
	c.ReceiveBuffer = min(max(cmp.Or(c.ReceiveBuffer, DefaultReceiveBuffer), 1<<scale), maxWindowField<<scale)
	c.SendBuffer = cmp.Or(c.SendBuffer, DefaultSendBuffer)
	c.DelayedACK = cmp.Or(c.DelayedACK, 40*time.Millisecond)
	c.KeepAlive = cmp.Or(c.KeepAlive, 15*time.Second)
	c.KeepAliveInterval = cmp.Or(c.KeepAliveInterval, 15*time.Second)
	c.KeepAliveCount = cmp.Or(c.KeepAliveCount, 9)
	return c
}

// State is one of RFC 9293 section 3.3.2. LISTEN is not here: a listener is no connection.
type State uint8

// The states.
const (
	Closed State = iota
	SynSent
	SynReceived
	Established
	FinWait1
	FinWait2
	CloseWait
	Closing
	LastAck
	TimeWait
)

// String gives the name that the RFC has for the state.
func (s State) String() string {
	return [...]string{"CLOSED", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT",
		"CLOSING", "LAST-ACK", "TIME-WAIT"}[s]
}

// Conn is one end of a connection. It is not safe for concurrent use: whoever holds it holds a lock.
//
// After each call, [Conn.Output] sends what is due now, and [Conn.Next] says when to call [Conn.Timeout].
type Conn struct {
	cfg   Config
	state State
	err   error // why it was closed; nil after an orderly close
	soft  error // an ICMP error of an established connection (RFC 1122 section 4.2.3.9), told if it times out

	send     sendBuffer
	iss      uint32
	una, nxt uint32 // SND.UNA, SND.NXT
	limit    uint32 // the right edge of the peer's window: SND.UNA+SND.WND
	maxWin   int    // the largest window that the peer has announced
	mss      int    // the smaller of both ends'
	finWrite bool   // nothing more will be written
	cc       control
	flight   flight
	rtt      estimator

	recv     receiveBuffer
	edge     uint32 // the right edge of the window announced last
	finAt    uint32
	finKnown bool
	finRead  bool // the peer's FIN has come in order
	orphan   bool // closed by the application

	ackNow   bool // an acknowledgement is due with the next Output
	ackSoon  bool // due, but it may wait for the application's answer
	unacked  int  // octets received since the last one
	quick    int  // acknowledgements that do not wait
	resetDue bool
	resetSeq uint32

	ackAt    Time // the delayed acknowledgement; 0 for none
	timerAt  Time // retransmission, or the probe of a closed window; 0 for none
	dropAt   Time // end of TIME-WAIT, or of an orphan in FIN-WAIT-2; 0 for none
	aliveAt  Time // the next keep-alive probe; 0 for none
	tries    int  // timeouts in a row
	probes   int  // keep-alive probes in a row
	probeDue bool
	sentAt   Time // of the last segment with data
	out      Segment
}

func newConn(cfg Config, iss uint32, now Time) *Conn {
	cfg = cfg.withDefaults()
	c := &Conn{cfg: cfg, iss: iss, una: iss, nxt: iss, mss: cfg.MSS, quick: quickACKs, sentAt: now}
	c.send.base, c.limit = iss+1, iss+1
	c.rtt.start()
	return c
}

// Dial begins a connection; iss is its initial sequence number.
func Dial(cfg Config, iss uint32, now Time) *Conn {
	c := newConn(cfg, iss, now)
	c.state = SynSent
	return c
}

// Accept answers a SYN.
func Accept(cfg Config, iss uint32, syn *Segment, now Time) *Conn {
	c := newConn(cfg, iss, now)
	c.state = SynReceived
	c.synced(syn)
	return c
}

// synced takes over what the peer's SYN says.
func (c *Conn) synced(syn *Segment) {
	c.recv.next = syn.Seq + 1
	c.edge = c.recv.next
	c.opened(c.una+1, int(syn.Window))            // never scaled on a SYN
	c.mss = min(c.mss, cmp.Or(int(syn.MSS), 536)) // RFC 9293 section 3.7.1
	c.cc.start(c.mss)
	c.ackNow = true
}

// opened takes over a window that the peer announces with an acknowledgement. Its right edge never moves back: what says
// so is old.
func (c *Conn) opened(ack uint32, window int) {
	c.limit = later(c.limit, ack+uint32(window))
	c.maxWin = max(c.maxWin, window)
}

// State is the state that the connection is in.
func (c *Conn) State() State { return c.state }

// Err says why a connection is closed: a syscall.Errno, or nil when both ends ended it, or it still lives.
func (c *Conn) Err() error { return c.err }

// Established says whether the handshake is over, and data may flow or has flowed.
func (c *Conn) Established() bool { return c.state >= Established }

// Writable is how many octets Write would take.
func (c *Conn) Writable() int {
	if c.finWrite || c.state == Closed || c.state < Established {
		return 0
	}
	return max(c.sendLimit()-c.send.length, 0)
}

// Roomy says whether a third of the send buffer is free: a writer that waits is woken then, and not for each octet.
func (c *Conn) Roomy() bool { return 3*c.Writable() >= c.sendLimit() }

// sendLimit grows with the congestion window: enough to keep the path full while the application is asked for more.
func (c *Conn) sendLimit() int {
	return min(max(minSendBuffer, 2*c.cc.window), c.cfg.SendBuffer)
}

// Write takes as much of p as there is room for, and says how much. Whoever is not taken everything waits for room.
// Output sends it.
func (c *Conn) Write(p []byte) int {
	n := min(len(p), c.Writable())
	c.send.write(p[:n])
	return n
}

// WriteError says why nothing more can be written: EPIPE after a close or a reset, or the error that ended the
// connection; nil while it can.
func (c *Conn) WriteError() error {
	switch {
	case c.state == Closed && c.err != nil:
		return c.err
	case c.finWrite || c.state == Closed:
		return syscall.EPIPE
	}
	return nil
}

// Readable says whether Read would not have to wait.
func (c *Conn) Readable() bool { return c.recv.length > 0 || c.finRead || c.state == Closed }

// Read copies what has arrived to p; io.EOF after the peer's FIN, even if a reset came later, 0 and nil where there is
// nothing yet.
func (c *Conn) Read(p []byte) (int, error) {
	if c.recv.length > 0 {
		n := c.recv.read(p)
		c.afterRead()
		return n, nil
	}
	switch {
	case c.state == Closed && c.err != nil && !c.finRead:
		return 0, c.err
	case c.finRead || c.state == Closed:
		return 0, io.EOF
	}
	return 0, nil
}

// afterRead announces the window when it has at least doubled (RFC 9293 section 3.8.6.2.2).
func (c *Conn) afterRead() {
	if left := int(c.edge - c.recv.next); c.receiving() && c.room() >= 2*left && c.room() >= left+c.leastOpening() {
		c.ackNow = true
	}
}

// room is the window that there is to announce.
func (c *Conn) room() int { return max(c.cfg.ReceiveBuffer-c.recv.length-c.recv.held, 0) }

// leastOpening is by how much the edge of the window moves at least: a segment, or half of what there can be.
func (c *Conn) leastOpening() int { return min(c.mss, c.cfg.ReceiveBuffer/2) }

// receiving says whether the peer may still send data.
func (c *Conn) receiving() bool {
	return c.state == Established || c.state == FinWait1 || c.state == FinWait2
}

// CloseWrite ends this end's data: a FIN follows what was written (half-close).
func (c *Conn) CloseWrite() {
	if c.finWrite {
		return
	}
	c.finWrite = true
	switch c.state {
	case SynSent, SynReceived:
		c.close(nil)
	case Established:
		c.state = FinWait1
	case CloseWait:
		c.state = LastAck
	}
}

// Close gives the connection up, as close(2) does: what was written is sent yet, and acknowledged or given up. Where data
// has come that nobody has read, the peer is told by a reset (RFC 2525 section 2.17).
func (c *Conn) Close(now Time) {
	if c.recv.length > 0 && c.state != TimeWait {
		c.Abort()
		return
	}
	c.orphan = true
	c.CloseWrite()
	if c.state == FinWait2 && c.dropAt == 0 {
		c.dropAt = now + orphanedFIN
	}
}

// Abort ends the connection at once, with a reset for the peer.
func (c *Conn) Abort() {
	if c.state != Closed && c.state != TimeWait && c.state != SynSent {
		c.resetDue, c.resetSeq = true, c.nxt
	}
	c.close(syscall.ECONNABORTED)
}

// close ends the connection with its reason.
func (c *Conn) close(err error) {
	c.state, c.err = Closed, err
	c.ackNow, c.ackSoon, c.probeDue = false, false, false
	c.ackAt, c.timerAt, c.dropAt, c.aliveAt = 0, 0, 0, 0
	c.send = sendBuffer{}
	c.flight = flight{}
}

// SetKeepAlive changes the probes from now on; their meaning is that of [Config].
func (c *Conn) SetKeepAlive(idle, interval time.Duration, count int, now Time) {
	c.cfg.KeepAlive, c.cfg.KeepAliveInterval, c.cfg.KeepAliveCount = idle, interval, count
	c.cfg = c.cfg.withDefaults()
	c.probes, c.aliveAt = 0, 0
	c.alive(now)
}

// Unreachable tells of an ICMP error about a segment of this connection. One that is not established is closed; others
// go on, and tell the error if they time out (RFC 1122 section 4.2.3.9).
func (c *Conn) Unreachable(err error) {
	if c.state == SynSent || c.state == SynReceived {
		c.close(err)
		return
	}
	c.soft = err
}

// Idle says whether a connection waits for nothing but its next probe, of the peer or of its closed window, and the last
// one was answered.
func (c *Conn) Idle() bool {
	return c.state >= Established && c.probes == 0 && c.tries == 0 && c.flightEmpty() && c.dropAt == 0 && c.ackAt == 0
}
