package socket

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/network-utopia/utopia/host/serve"
	"github.com/network-utopia/utopia/transcript"
)

// Options are the settings of a [Server]. The zero value is fit for use.
type Options struct {
	Log        *slog.Logger         // nil for none
	Transcript *transcript.Recorder // one exchange for each datagram and each TCP connection; may be nil
	Guard      Guard                // for TCP connections; nil admits everyone
	Rate       Rate                 // for datagrams; nil allows all
	Metrics    Metrics              // nil for none

	MaxConns     int           // TCP connections at once; zero means [DefaultMaxConns]
	MaxBytes     int64         // bytes answered on one TCP connection; zero means no limit
	IdleTimeout  time.Duration // silence of a TCP client; zero means [DefaultIdleTimeout]
	WriteTimeout time.Duration // for one answer to leave; zero means [DefaultWriteTimeout]
	Readers      int           // goroutines for each datagram socket; zero means [DefaultReaders]

	// Quiet says of which peers nothing is recorded or counted: a service that asks itself whether it is well
	// would otherwise fill the transcripts. Nil means of none. It is asked when the first bytes have come.
	Quiet func(remote netip.AddrPort) bool
}

// Server answers in upper case. It is made by [NewServer], and serves any number of listeners and datagram sockets.
type Server struct {
	opts Options
	loop *serve.Loop
}

// NewServer returns a Server that serves nothing yet.
func NewServer(opts Options) *Server {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Metrics == nil {
		opts.Metrics = noMetrics{}
	}
	if opts.MaxConns == 0 {
		opts.MaxConns = DefaultMaxConns
	}
	if opts.IdleTimeout == 0 {
		opts.IdleTimeout = DefaultIdleTimeout
	}
	if opts.WriteTimeout == 0 {
		opts.WriteTimeout = DefaultWriteTimeout
	}
	if opts.Readers == 0 {
		opts.Readers = DefaultReaders
	}
	return &Server{opts: opts, loop: serve.New(serve.Options{
		Name: "socket", Closed: ErrServerClosed, Log: opts.Log, MaxConns: opts.MaxConns, Guard: opts.Guard,
		Refused:  func(_ net.Conn, why serve.Refusal) { opts.Metrics.Refused("tcp", refusalOf(why)) },
		Panicked: func(network string, _ any) { opts.Metrics.Panic(network) },
	})}
}

func refusalOf(why serve.Refusal) Refusal {
	if why == serve.RefusedConns {
		return RefusedFull
	}
	return RefusedByGuard
}

// Shutdown stops accepting, answers what TCP clients have already sent and closes their connections, after a second at
// most those of clients that go on sending. When ctx ends first, it closes them as they are and returns ctx's error. It
// returns when every Serve and ServePacket has, and closes what they serve.
func (s *Server) Shutdown(ctx context.Context) error { return s.loop.Shutdown(ctx) }

func (s *Server) quiet(remote netip.AddrPort) bool {
	return s.opts.Quiet != nil && s.opts.Quiet(remote)
}
