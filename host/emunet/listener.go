package emunet

import (
	"context"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/network-utopia/utopia/host/emunet/tcp"
)

// backlog is how many connections may wait to be accepted, those whose handshake is under way included; a SYN past it
// is dropped, as on Linux.
const backlog = 4096

// listener is a stream listener.
type listener struct {
	h        *Host
	local    place
	accepted []*stream
	opening  int // handshakes under way
	waiting  sync.Cond
	waiters  int
	closed   bool
	deadline limit
	timer    sleeper
	id       uint64
}

func (h *Host) listen(ctx context.Context, network, address string) (*listener, error) {
	if isUDP(network) {
		return nil, net.UnknownNetworkError(network)
	}
	taken := func(l place) bool {
		return slices.ContainsFunc(h.listeners[l.port], func(o *listener) bool { return o.local.clashes(l) })
	}
	at, err := h.bind(ctx, network, address, taken)
	if err != nil {
		return nil, err
	}
	id, err := h.admit()
	if err != nil {
		return nil, err
	}
	l := &listener{h: h, local: at, id: id}
	l.waiting.L = &h.net.mu
	h.listeners[at.port] = append(h.listeners[at.port], l)
	return l, nil
}

// syn begins a connection.
func (l *listener) syn(ends pair, segment *tcp.Segment, now Time) {
	if l.opening+len(l.accepted) >= backlog {
		return
	}
	id, err := l.h.admit()
	if err != nil {
		return
	}
	s := l.h.newStream(ends, id)
	s.tcp = tcp.Accept(l.h.config(ends), l.h.rng.Uint32(), segment, now)
	s.listener = l
	l.opening++
	s.output(now)
}

// ready takes a connection whose handshake is over.
func (l *listener) ready(s *stream, failed bool) {
	s.listener = nil
	l.opening--
	if failed {
		return
	}
	if l.closed {
		s.tcp.Abort()
		s.touch()
		return
	}
	l.accepted = append(l.accepted, s)
	l.h.net.broadcast(&l.waiting, l.waiters)
}

// Accept waits for a connection.
func (l *listener) Accept() (net.Conn, error) {
	n := l.h.net
	n.use()
	defer n.settle()
	for {
		switch {
		case l.closed:
			return nil, opError("accept", "tcp", l.Addr(), net.ErrClosed)
		case l.deadline.passed(n.clock()):
			return nil, opError("accept", "tcp", l.Addr(), os.ErrDeadlineExceeded)
		case len(l.accepted) > 0:
			s := l.accepted[0]
			l.accepted[0] = nil
			l.accepted = l.accepted[1:]
			return s, nil
		}
		l.waiters++
		l.sleep()
		n.arm(n.clock())
		l.waiting.Wait()
		l.waiters--
	}
}

func (l *listener) sleep() {
	if l.waiters > 0 && l.deadline.at > 0 && !l.deadline.passed(l.h.net.clock()) {
		l.timer.until(l.h.net, l.deadline.at, keySocket|l.id, l)
	}
}

// happen wakes whoever waits when the deadline has come.
func (l *listener) happen(now Time) {
	l.timer.fired(now)
	if l.deadline.passed(now) {
		l.h.net.broadcast(&l.waiting, l.waiters)
	}
	l.sleep()
}

// SetDeadline ends Accepts that wait at t, as that of *net.TCPListener does.
func (l *listener) SetDeadline(t time.Time) error {
	l.h.net.use()
	defer l.h.net.settle()
	if l.closed {
		return opError("set", "tcp", l.Addr(), net.ErrClosed)
	}
	l.deadline = l.h.net.limit(t)
	l.h.net.broadcast(&l.waiting, l.waiters)
	return nil
}

// Close stops listening. Connections that nobody has accepted are reset.
func (l *listener) Close() error {
	l.h.net.use()
	defer l.h.net.settle()
	if l.closed {
		return opError("close", "tcp", l.Addr(), net.ErrClosed)
	}
	same := slices.DeleteFunc(l.h.listeners[l.local.port], func(o *listener) bool { return o == l })
	if l.h.listeners[l.local.port] = same; len(same) == 0 {
		delete(l.h.listeners, l.local.port)
	}
	l.h.open--
	for _, s := range l.accepted {
		s.closed = true
		s.tcp.Abort()
		s.touch()
	}
	l.vanish()
	return nil
}

func (l *listener) vanish() {
	l.closed = true
	l.accepted = nil
	l.h.net.broadcast(&l.waiting, l.waiters)
}

// Addr is where it listens, a *net.TCPAddr.
func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.local.addrPort()) }
