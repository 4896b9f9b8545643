package serve

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/network-utopia/utopia/host"
)

// The bounds of [Linger].
const (
	LingerTime  = 500 * time.Millisecond // for the peer to end its side
	LingerBytes = 256 << 10              // octets that are taken meanwhile
)

// Session is one connection of a client.
type Session interface {
	// Run speaks with the client until either side ends. A panic in it ends the connection alone.
	Run()
	// End is called once, when the connection is closed and its place is free for another: to count and to record.
	End()
}

// Serve has each connection of listener served by a session of its own, until Shutdown; it then returns
// Options.Closed, and otherwise the listener's error. It closes the listener, and returns when all its sessions have
// ended. Sessions need not close their connections.
//
// Connections past Options.MaxConns, and those that Options.Guard refuses, are closed at once. An error of Accept that
// leaves the listener open, such as a lack of descriptors, is logged, and tried again after 5 ms to 1 s.
func (l *Loop) Serve(listener net.Listener, begin func(net.Conn) Session) error {
	defer func() { _ = listener.Close() }() // Shutdown may have closed it
	if err := enter(l, l.listeners, listener); err != nil {
		return err
	}
	defer leave(l, l.listeners, listener)
	var sessions sync.WaitGroup
	defer sessions.Wait()
	failures := pause{stop: l.stop}
	for {
		conn, err := listener.Accept()
		switch {
		case err == nil:
			failures.worked()
		case l.closing.Load():
			return l.opts.Closed
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("%s: accept: %w", l.opts.Name, err)
		default: // such as ECONNABORTED, or no descriptor left
			l.opts.Log.Warn("cannot accept a connection", "err", err)
			failures.failed()
			continue
		}
		if release := l.admit(conn); release != nil {
			sessions.Go(func() { l.run(conn, listener.Addr().Network(), begin, release) })
		}
	}
}

// admit decides whether a connection is served; otherwise it closes it and returns nil.
func (l *Loop) admit(conn net.Conn) (release func()) {
	release = func() {}
	if l.opts.Guard != nil {
		let, err := l.opts.Guard.Admit(host.AddrPort(conn.RemoteAddr()).Addr())
		if err != nil {
			l.refuse(conn, RefusedGuard)
			return nil
		}
		release = let
	}
	if !l.keep(conn) {
		release()
		l.refuse(conn, RefusedConns)
		return nil
	}
	return release
}

func (l *Loop) refuse(conn net.Conn, why Refusal) {
	l.opts.Log.Debug("connection refused", "remote", host.AddrPort(conn.RemoteAddr()).String(), "why", string(why))
	if l.opts.Refused != nil {
		l.opts.Refused(conn, why)
	}
	_ = conn.Close()
}

// keep notes an accepted connection, unless there are too many.
func (l *Loop) keep(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) >= l.opts.MaxConns {
		return false
	}
	l.conns[conn] = struct{}{}
	switch { // one that was accepted while Shutdown looked after the others
	case l.hard:
		hangUp(conn)
	case l.closing.Load():
		_ = conn.SetReadDeadline(past())
	}
	return true
}

func (l *Loop) forget(conn net.Conn) {
	l.mu.Lock()
	delete(l.conns, conn)
	l.mu.Unlock()
}

func (l *Loop) run(conn net.Conn, network string, begin func(net.Conn) Session, release func()) {
	remote := host.AddrPort(conn.RemoteAddr())
	var session Session
	func() {
		defer l.Recover(network, remote)
		session = begin(conn)
		session.Run()
	}()
	_ = conn.Close() // the session may have closed it
	l.forget(conn)
	release()
	if session != nil { // begin did not panic
		defer l.Recover(network, remote)
		session.End()
	}
}

// Linger ends our side of a connection and takes what the client still sends for a moment: closing with unread octets
// would reset the connection, and could destroy answers on their way (RFC 9293 section 3.6.1). It does nothing where
// a side cannot be ended alone. The connection is to be closed thereafter.
func Linger(conn net.Conn) {
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if conn.SetReadDeadline(time.Now().Add(LingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, conn, LingerBytes) // however it ends, the connection is over
	}
}
