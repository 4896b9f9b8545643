package emunet

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/network-utopia/utopia/host/emunet/tcp"
)

// quiet is how long nobody may have used a network until its idle connections stop their keep-alive probes: a program
// that waits for nothing but them waits for ever, and a bubble is to notice.
const quiet = 24 * time.Hour

// stream is one end of a TCP connection, with the methods of a *net.TCPConn that have a meaning here.
type stream struct {
	h    *Host
	id   uint64
	ends pair
	tcp  *tcp.Conn
	emit func(*tcp.Segment) // sends one, at the moment now
	now  Time

	dialing  *dialing  // until the handshake is over
	listener *listener // until it is accepted

	readable, writable sync.Cond
	readers, writers   int
	turn               sync.Cond // of those that write
	turns              int       // who wait for theirs
	writing            bool
	readBy, writeBy    limit
	timer              sleeper
	queued             bool
	closed             bool // by the program
	gone               bool // out of the host's tables
	linger             bool // Close waits for nobody: SetLinger(0)
	deaf               bool // CloseRead
	told               Time // when why it failed; 0 for not yet
}

var _ net.Conn = (*stream)(nil)

func (h *Host) newStream(ends pair, id uint64) *stream {
	s := &stream{h: h, id: id, ends: ends}
	s.readable.L, s.writable.L, s.turn.L = &h.net.mu, &h.net.mu, &h.net.mu
	s.emit = func(segment *tcp.Segment) { h.sendSegment(ends, segment, s.now) }
	h.streams[ends] = s
	return s
}

func (s *stream) order() rank { return rank{1, s.ends.local, s.ends.remote} }

// config is what a new connection to a peer is like.
func (h *Host) config(ends pair) tcp.Config {
	c := h.tcp
	if most := h.mss(ends.remote.Addr()); c.MSS == 0 || c.MSS > most {
		c.MSS = most
	}
	return c
}

// input takes a segment.
func (s *stream) input(segment *tcp.Segment, now Time) {
	s.tcp.Input(segment, now)
	if s.tcp.Soon() {
		s.touch()
	} else {
		s.output(now)
	}
	s.notify()
}

// touch has the stream send at the end of this moment.
func (s *stream) touch() {
	if !s.queued {
		s.queued = true
		s.h.sends(s)
	}
}

func (s *stream) flush(now Time) {
	s.queued = false
	s.output(now)
	s.notify()
}

func (s *stream) output(now Time) {
	s.now = now
	s.tcp.Output(now, s.emit)
	s.sleep()
}

// happen is a timer's end: TCP's, or a deadline.
func (s *stream) happen(now Time) {
	if s.timer.fired(now); s.gone {
		return
	}
	if at, ok := s.tcp.Next(); ok && at <= now {
		s.tcp.Timeout(now)
		s.output(now)
	}
	s.notify()
	s.sleep()
}

// sleep has the stream called when its next timer ends.
func (s *stream) sleep() {
	at, ok := s.tcp.Next()
	n := s.h.net
	if ok && s.tcp.Idle() && n.now-n.lastUse > quiet {
		n.asleep = append(n.asleep, s)
		ok = false
	}
	for _, l := range [...]struct {
		limit
		waiting int
	}{{s.readBy, s.readers}, {s.writeBy, s.writers}} {
		if l.waiting > 0 && l.at > n.now && (!ok || l.at < at) {
			at, ok = l.at, true
		}
	}
	if ok {
		s.timer.until(n, at, keySocket|s.id, s)
	}
}

// wakeAsleep has idle connections send keep-alive probes again.
func (n *Net) wakeAsleep() {
	asleep := n.asleep
	n.asleep = nil
	n.now = max(n.now, n.lastUse)
	for _, s := range asleep {
		s.sleep()
	}
}

// notify tells whoever waits for what has happened.
func (s *stream) notify() {
	n := s.h.net
	over := s.tcp.State() == tcp.Closed
	switch {
	case s.dialing != nil && s.tcp.Established():
		s.dialing.end(s, nil)
	case s.dialing != nil && over:
		s.dialing.end(nil, s.tcp.Err())
	case s.listener != nil && (over || s.tcp.Established()):
		s.listener.ready(s, over)
	}
	if s.readers > 0 && (s.tcp.Readable() || s.readBy.passed(n.now)) {
		n.broadcast(&s.readable, s.readers)
	}
	if s.writers > 0 && (s.tcp.Roomy() || s.tcp.WriteError() != nil || s.writeBy.passed(n.now)) {
		n.broadcast(&s.writable, s.writers)
	}
	if over {
		s.leave()
	}
}

// leave takes the stream out of the host's tables.
func (s *stream) leave() {
	if s.gone {
		return
	}
	s.gone = true
	if s.h.streams[s.ends] == s {
		delete(s.h.streams, s.ends)
	}
	s.h.open--
}

// vanish is the end of a stream whose host has lost its power.
func (s *stream) vanish() {
	s.gone, s.closed = true, true
	if s.dialing != nil {
		s.dialing.end(nil, net.ErrClosed)
	}
	s.wakeAll()
}

// wakeAll has whoever waits look again.
func (s *stream) wakeAll() {
	s.h.net.broadcast(&s.readable, s.readers)
	s.h.net.broadcast(&s.writable, s.writers)
	s.h.net.broadcast(&s.turn, s.turns)
}

// replaceable says whether a SYN begins a connection anew whose last one is over but for the wait (RFC 9293 section
// 3.6.1).
func (s *stream) replaceable(segment *tcp.Segment) bool {
	return s.tcp.State() == tcp.TimeWait && segment.Flags&(tcp.SYN|tcp.ACK|tcp.RST) == tcp.SYN
}

func (s *stream) unreachable(err error, now Time) {
	s.tcp.Unreachable(err)
	s.output(now)
	s.notify()
}

// Read reads what has arrived, and waits where nothing has.
func (s *stream) Read(p []byte) (int, error) {
	n := s.h.net
	n.use()
	defer n.settle()
	for {
		switch {
		case s.closed:
			return 0, s.opError("read", net.ErrClosed)
		case len(p) == 0:
			return 0, nil
		case s.readBy.passed(n.clock()):
			return 0, s.opError("read", os.ErrDeadlineExceeded)
		case s.tcp.Readable():
			return s.take(p)
		case s.deaf:
			return 0, io.EOF
		}
		s.readers++
		s.sleep()
		n.arm(n.clock())
		s.readable.Wait()
		s.readers--
	}
}

// take reads what there is.
func (s *stream) take(p []byte) (int, error) {
	got, err := s.tcp.Read(p)
	if s.tcp.Urgent() {
		s.touch()
	}
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return got, err
	case s.known():
		return got, io.EOF
	}
	return got, s.opError("read", err)
}

// known says whether why the connection failed has been told: that is done once, as by the system. To whoever asks at
// one moment it is told, so that it is the same whoever asks first.
func (s *stream) known() bool {
	now := s.h.net.clock()
	if s.told == 0 {
		s.told = now
	}
	return s.told < now
}

// Write writes all of p, and waits where the send buffer is full. What two write at once is not mixed.
func (s *stream) Write(p []byte) (written int, err error) {
	n := s.h.net
	n.use()
	defer n.settle()
	for s.writing && !s.closed {
		s.turns++
		n.arm(n.clock())
		s.turn.Wait()
		s.turns--
	}
	s.writing = true
	defer func() {
		s.writing = false
		n.broadcast(&s.turn, s.turns)
	}()
	for {
		if err := s.mayWrite(); err != nil {
			return written, s.opError("write", err)
		}
		if took := s.tcp.Write(p[written:]); took > 0 {
			written += took
			s.touch()
			n.rest()
		}
		switch {
		case written == len(p):
			return written, nil
		case s.tcp.Roomy(): // what was sent at once has made room
			continue
		}
		s.writers++
		s.sleep()
		n.arm(n.clock())
		s.writable.Wait()
		s.writers--
	}
}

// mayWrite says why nothing can be written.
func (s *stream) mayWrite() error {
	err := s.tcp.WriteError()
	switch {
	case s.closed:
		return net.ErrClosed
	case s.writeBy.passed(s.h.net.clock()):
		return os.ErrDeadlineExceeded
	case s.tcp.Err() != nil && s.known():
		return syscall.EPIPE
	}
	return err
}

// CloseWrite ends what this side says; the other may go on (half-close).
func (s *stream) CloseWrite() error {
	s.h.net.use()
	defer s.h.net.settle()
	if err := s.mayShut(); err != nil {
		return s.opError("close", err)
	}
	s.tcp.CloseWrite()
	s.touch()
	return nil
}

// CloseRead has reads wait no more: where nothing has arrived they give io.EOF. The peer is told nothing.
func (s *stream) CloseRead() error {
	s.h.net.use()
	defer s.h.net.settle()
	if err := s.mayShut(); err != nil {
		return s.opError("close", err)
	}
	s.deaf = true
	s.h.net.broadcast(&s.readable, s.readers)
	return nil
}

// mayShut says why one side cannot be ended.
func (s *stream) mayShut() error {
	switch state := s.tcp.State(); {
	case s.closed:
		return net.ErrClosed
	case state == tcp.Closed || state == tcp.TimeWait: // both sides have ended
		return os.NewSyscallError("shutdown", syscall.ENOTCONN)
	}
	return nil
}

// Close gives the connection up: what was written is sent yet. Where something has come that was not read, or after
// SetLinger(0), the peer gets a reset.
func (s *stream) Close() error {
	s.h.net.use()
	defer s.h.net.settle()
	if s.closed {
		return s.opError("close", net.ErrClosed)
	}
	s.closed = true
	if s.linger {
		s.tcp.Abort()
	} else {
		s.tcp.Close(s.h.net.clock())
	}
	if !s.gone {
		s.touch()
	}
	s.wakeAll()
	return nil
}

func (s *stream) opError(op string, err error) error {
	failed := opError(op, "tcp", s.RemoteAddr(), err)
	failed.Source = s.LocalAddr()
	return failed
}

// LocalAddr is a *net.TCPAddr.
func (s *stream) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(s.ends.local) }

// RemoteAddr is a *net.TCPAddr.
func (s *stream) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.ends.remote) }

// SetDeadline sets both deadlines.
func (s *stream) SetDeadline(t time.Time) error { return s.deadlines(t, &s.readBy, &s.writeBy) }

// SetReadDeadline ends reads that wait at t.
func (s *stream) SetReadDeadline(t time.Time) error { return s.deadlines(t, &s.readBy) }

// SetWriteDeadline ends writes that wait at t.
func (s *stream) SetWriteDeadline(t time.Time) error { return s.deadlines(t, &s.writeBy) }

func (s *stream) deadlines(t time.Time, set ...*limit) error {
	n := s.h.net
	n.use()
	defer n.settle()
	if s.closed {
		return opError("set", "tcp", s.LocalAddr(), net.ErrClosed)
	}
	for _, l := range set {
		*l = n.limit(t)
	}
	if s.gone {
		return nil
	}
	s.wakeAll()
	return nil
}

// SetLinger decides what Close does with a connection: with 0 it is reset. Other values change nothing, as they do for
// Go's own connections as long as Close need not wait.
func (s *stream) SetLinger(seconds int) error {
	s.h.net.mu.Lock()
	defer s.h.net.mu.Unlock()
	if s.closed {
		return s.opError("set", net.ErrClosed)
	}
	s.linger = seconds == 0
	return nil
}

// SetNoDelay changes nothing: small segments never wait (RFC 896 is off, as in Go).
func (s *stream) SetNoDelay(bool) error {
	s.h.net.mu.Lock()
	defer s.h.net.mu.Unlock()
	if s.closed {
		return s.opError("set", net.ErrClosed)
	}
	return nil
}

// SetKeepAlive turns keep-alive probes on or off.
func (s *stream) SetKeepAlive(on bool) error {
	return s.SetKeepAliveConfig(net.KeepAliveConfig{Enable: on})
}

// SetKeepAlivePeriod sets the silence before a probe, and that between probes.
func (s *stream) SetKeepAlivePeriod(d time.Duration) error {
	return s.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: d, Interval: d})
}

// SetKeepAliveConfig sets the probes.
func (s *stream) SetKeepAliveConfig(c net.KeepAliveConfig) error {
	s.h.net.use()
	defer s.h.net.settle()
	if s.closed {
		return s.opError("set", net.ErrClosed)
	}
	idle := c.Idle
	if !c.Enable {
		idle = -1
	}
	s.tcp.SetKeepAlive(max(idle, -1), max(c.Interval, 0), max(c.Count, 0), s.h.net.clock())
	if !s.gone {
		s.sleep()
	}
	return nil
}
