package dnsserver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host/serve"
	"github.com/network-utopia/utopia/transcript"
)

// service is the name of the house in transcripts.
const service = "dns"

// Server answers DNS queries on any number of sockets and listeners, and those
// that come over HTTPS: it is the http.Handler of those.
type Server struct {
	opts    Options
	loop    *serve.Loop
	single  sync.Pool    // of *Answers, for queries that come one by one
	streams atomic.Int64 // responses of several messages that are being sent
	groups  sync.Map     // *batch.Group by address, of sockets that share it

	later   LaterHandler    // Options.Handler, where it is one
	pending [2]places       // of later answers: over UDP, and over all else
	ctx     context.Context // of later answers; ends with the patience of Shutdown
	cancel  context.CancelFunc
}

// New makes a server that serves nothing yet.
func New(opts Options) (*Server, error) {
	if opts.Handler == nil {
		return nil, errors.New("dnsserver: no handler")
	}
	opts = opts.withDefaults()
	s := &Server{opts: opts}
	s.later, _ = opts.Handler.(LaterHandler)
	for i := range s.pending {
		s.pending[i] = places{most: opts.MaxPending, each: opts.MaxPendingClient}
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.loop = serve.New(serve.Options{
		Name: "dnsserver", Closed: ErrServerClosed, Log: opts.Log, MaxConns: opts.MaxConns, Guard: opts.Guard,
		Refused:  func(_ net.Conn, why serve.Refusal) { opts.Metrics.Refused(TCP, Refusal(why), 1) },
		Panicked: func(network string, _ any) { opts.Metrics.Panic(transportOf(network)) },
	})
	return s, nil
}

// Shutdown takes no more queries, answers those that have been read, and
// closes everything that is served. When ctx ends first, connections are
// closed as they are, the contexts of later answers end, and its error is
// returned. Either way every Serve and ServePacket has returned when Shutdown
// does.
func (s *Server) Shutdown(ctx context.Context) error {
	defer context.AfterFunc(ctx, s.cancel)()
	return s.loop.Shutdown(ctx)
}

// unfit says why a message is not given to the handler; "" when it is.
func (s *Server) unfit(query []byte, from Client) Refusal {
	switch {
	case len(query) < dns.HeaderLen:
		return RefusedShort
	case query[2]&0x80 != 0:
		return RefusedResponse
	case s.opts.Rate != nil && !from.quiet && !s.opts.Rate.Allow(from.Remote.Addr(), from.Transport, from.Time):
		return RefusedRate
	}
	return ""
}

// respond has the handler answer one query. It returns dst as it was, and why,
// when nothing is to be sent.
func (s *Server) respond(dst, query []byte, from Client) ([]byte, Refusal) {
	return s.fitting(dst, s.opts.Handler.Respond(dst, query, from), query, from)
}

// fitting looks at what a handler has put behind dst.
func (s *Server) fitting(dst, out, query []byte, from Client) ([]byte, Refusal) {
	switch size := len(out) - len(dst); {
	case size < dns.HeaderLen:
		return dst, RefusedSilent
	case from.MaxUDP > 0 && size > from.MaxUDP, size > dns.MaxMessageLen:
		s.opts.Log.Error("a response is longer than its transport takes", "octets", size, "transport", from.Transport.String())
		return failure(dst, query, dns.RcodeServFail), ""
	}
	return out, ""
}

// failure writes a response that is a header alone.
func failure(dst, query []byte, code dns.Rcode) []byte {
	h, _, err := dns.ParseHeader(query)
	if err != nil {
		return dst
	}
	out, err := (&dns.Message{Header: h}).Reply(code).Append(dst, dns.MinUDPSize)
	if err != nil {
		return dst
	}
	return out
}

func (s *Server) quiet(remote netip.AddrPort) bool {
	return s.opts.Quiet != nil && s.opts.Quiet(remote)
}

// exchange opens an exchange with the client; nil when nobody watches, or the
// service asks itself.
func (s *Server) exchange(ctx context.Context, from Client) *transcript.Exchange {
	if from.quiet {
		return nil
	}
	return s.opts.Transcript.Begin(ctx, service, from.Transport.String(), from.Local, from.Remote)
}
