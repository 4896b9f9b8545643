// Package serve is the life of a server, the same for every protocol: it accepts connections and has datagrams read,
// admits and counts, catches panics, and ends all of it softly or hard. What is said on a connection is the
// protocol's own affair.
//
// A room of a house (DNS, FTP, SMTP …) holds one [Loop] and gives it its listeners and datagram sockets, as with
// net/http: Serve, Shutdown, an error that means closed. Connections stay bare: a session gets the very net.Conn that
// the listener gave.
//
// Deadlines are how a Shutdown reaches whoever waits: it moves the read deadlines of all connections and datagram
// sockets into the past. So a session calls [Loop.Await] before it waits for its client.
package serve

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultMaxConns is how many connections a [Loop] has at once where Options.MaxConns is zero.
const DefaultMaxConns = 1000

// The waits between failures in a row.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

// ErrClosed is what Serve and ServePacket return after Shutdown where Options.Closed is nil.
var ErrClosed = errors.New("serve: server closed")

// Guard decides whether a client may have another connection; release is called once the connection is over.
type Guard interface {
	Admit(client netip.Addr) (release func(), err error)
}

// Refusal says why a connection was closed as soon as it was accepted.
type Refusal string

// The refusals.
const (
	RefusedGuard Refusal = "guard" // Options.Guard said no
	RefusedConns Refusal = "conns" // Options.MaxConns
)

// Options are the settings of a [Loop]. The zero value is fit for use.
type Options struct {
	Name     string                             // of the room, before its errors; "" means "serve"
	Closed   error                              // what Serve and ServePacket return after Shutdown; nil means [ErrClosed]
	Log      *slog.Logger                       // nil logs nothing
	MaxConns int                                // connections at once, of all listeners; zero means [DefaultMaxConns]
	Guard    Guard                              // nil admits everyone
	Refused  func(client net.Conn, why Refusal) // called before such a connection is closed; may be nil
	Panicked func(network string, value any)    // counts a panic that was caught and logged; may be nil
}

// Loop serves any number of listeners and datagram sockets until Shutdown. It is made by [New] and safe for concurrent
// use.
type Loop struct {
	opts    Options
	closing atomic.Bool   // set under mu
	stop    chan struct{} // closed with closing
	over    chan struct{} // closed once nothing is served any more, and closing

	mu        sync.Mutex
	serving   int  // calls of Serve and ServePacket under way
	hard      bool // Shutdown has run out of patience
	listeners map[net.Listener]struct{}
	packets   map[net.PacketConn]struct{}
	conns     map[net.Conn]struct{}
}

// New returns a Loop that serves nothing yet.
func New(opts Options) *Loop {
	if opts.Name == "" {
		opts.Name = "serve"
	}
	if opts.Closed == nil {
		opts.Closed = ErrClosed
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.MaxConns <= 0 {
		opts.MaxConns = DefaultMaxConns
	}
	return &Loop{
		opts:      opts,
		stop:      make(chan struct{}),
		over:      make(chan struct{}),
		listeners: make(map[net.Listener]struct{}),
		packets:   make(map[net.PacketConn]struct{}),
		conns:     make(map[net.Conn]struct{}),
	}
}

// Closing says whether Shutdown has been called.
func (l *Loop) Closing() bool { return l.closing.Load() }

// Conns is how many connections are served now.
func (l *Loop) Conns() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

// Await gives the client of conn some time from now for what is read next. After Shutdown it returns
// [os.ErrDeadlineExceeded], which is also what reads that wait at that moment return; [Loop.Closing] tells this end
// from a client's silence.
func (l *Loop) Await(conn net.Conn, timeout time.Duration) error {
	if l.closing.Load() {
		return os.ErrDeadlineExceeded
	}
	if err := conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if l.closing.Load() { // Shutdown may have set its deadline before we set ours
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Shutdown accepts nothing more, wakes whoever waits for a client, and returns when every Serve and ServePacket has;
// they close what they serve. When ctx ends first, connections and datagram sockets are closed as they are, and ctx's
// error is returned. It may be called several times.
func (l *Loop) Shutdown(ctx context.Context) error {
	err := l.wake()
	select {
	case <-l.over:
		return err
	case <-ctx.Done():
	}
	l.mu.Lock()
	l.hard = true
	for conn := range l.conns {
		hangUp(conn) // its session sees the error
	}
	packets := slices.Collect(maps.Keys(l.packets))
	l.mu.Unlock()
	for _, pc := range packets {
		_ = pc.Close() // which may wait for who reads: others need the lock meanwhile
	}
	<-l.over
	return ctx.Err()
}

// wake closes the listeners and makes every waiting read return, so that its goroutine looks at closing.
func (l *Loop) wake() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closing.Swap(true) {
		close(l.stop)
		if l.serving == 0 {
			close(l.over)
		}
	}
	var errs []error
	for listener := range l.listeners {
		if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for conn := range l.conns {
		_ = conn.SetReadDeadline(past()) // fails only where the read does, too
	}
	for pc := range l.packets {
		_ = pc.SetReadDeadline(past())
	}
	return errors.Join(errs...)
}

// past is a deadline that makes reads return at once. The zero time would mean none.
func past() time.Time { return time.Unix(1, 0) }

// hangUp closes a connection without a goodbye: TLS would wait some seconds for a peer to take one.
func hangUp(conn net.Conn) {
	if outer, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = outer.NetConn()
	}
	_ = conn.Close() // it is lost either way
}

// enter notes that something is served from now on, or says why not.
func enter[C comparable](l *Loop, set map[C]struct{}, c C) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing.Load() {
		return l.opts.Closed
	}
	l.serving++
	set[c] = struct{}{}
	return nil
}

func leave[C comparable](l *Loop, set map[C]struct{}, c C) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(set, c)
	l.serving--
	if l.serving == 0 && l.closing.Load() { // nothing enters any more
		close(l.over)
	}
}

// Recover, when it is deferred, ends a panic: it is logged with its stack, and counted by Options.Panicked. Sessions
// are covered by Serve; whoever handles datagrams defers it for each, so that a panic costs one datagram and not its
// reader.
func (l *Loop) Recover(network string, remote netip.AddrPort) {
	if p := recover(); p != nil {
		l.opts.Log.Error("serving a client broke an invariant", "network", network, "remote", remote.String(),
			"panic", p, "stack", string(debug.Stack()))
		if l.opts.Panicked != nil {
			l.opts.Panicked(network, p)
		}
	}
}

// pause waits longer with each failure in a row, so that a lack of descriptors does not become a busy loop. Shutdown
// ends the wait.
type pause struct {
	wait time.Duration
	stop <-chan struct{}
}

func (p *pause) failed() {
	p.wait = min(max(2*p.wait, minPause), maxPause)
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.stop:
	}
}

func (p *pause) worked() { p.wait = 0 }
