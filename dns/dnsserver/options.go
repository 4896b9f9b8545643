package dnsserver

import (
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/transcript"
)

// Limits of Options where it names none.
const (
	DefaultBatch        = 64       // UDP queries that are read and answered at once
	DefaultMaxUDPQuery  = 4096     // octets of a query over UDP
	DefaultMaxUDPSize   = 1232     // octets of a response over UDP (RFC 9715)
	DefaultSocketBuffer = 1 << 20  // octets that a UDP socket queues
	DefaultMaxConns     = 1000     // TCP connections at once
	DefaultMaxQueries   = 10_000   // queries on one TCP connection
	DefaultMaxQuery     = 16 << 10 // octets of a query over TCP
	DefaultMaxStreams   = 10       // responses of several messages at once
	DefaultMaxPending   = 1000     // later answers at once over UDP, and as many over all else
	// DefaultMaxPendingClient and DefaultMaxPendingConn are for those of one
	// client, and of one connection.
	DefaultMaxPendingClient = 200
	DefaultMaxPendingConn   = 32
	DefaultIdleTimeout      = 10 * time.Second
	DefaultWriteTimeout     = 10 * time.Second
	// DefaultStreamTimeout is for all messages of a response.
	DefaultStreamTimeout = 30 * time.Minute
	// DefaultPendingTimeout is for one later answer.
	DefaultPendingTimeout = 30 * time.Second
)

// ErrServerClosed is what Serve and ServePacket return after Shutdown.
var ErrServerClosed = errors.New("dnsserver: server closed")

// Transport is what a query came over.
type Transport uint8

// The transports.
const (
	UDP   Transport = iota
	TCP             // RFC 7766
	TLS             // RFC 7858
	HTTPS           // RFC 8484
)

// String gives "udp", "tcp", "tls" or "https".
func (t Transport) String() string {
	switch t {
	case UDP:
		return "udp"
	case TLS:
		return "tls"
	case HTTPS:
		return "https"
	}
	return "tcp"
}

// Encrypted says whether nobody on the way can read what is said.
func (t Transport) Encrypted() bool { return t == TLS || t == HTTPS }

// transportOf is what a network of package net carries.
func transportOf(network string) Transport {
	if network == "udp" {
		return UDP
	}
	return TCP
}

// Client is who asks, and how.
type Client struct {
	Remote    netip.AddrPort
	Local     netip.AddrPort // the address that was asked
	Transport Transport
	quiet     bool // what Options.Quiet said before the response was sent
	// MaxUDP is the most octets of a response over UDP that the server sends;
	// the client's own limit is in its query. 0 over a stream.
	MaxUDP int
	// Time is when the query was read. Queries that are read together have the same.
	Time time.Time

	said *said
}

// Handler answers queries. It is called from many goroutines at once.
type Handler interface {
	// Respond appends the response to a query behind dst and returns the longer
	// dst; when it returns dst as it was, nothing is sent. Query is at least a
	// header, with QR clear. Neither slice may be kept. While it runs, other
	// queries of the same UDP socket or connection wait: what takes time is for a
	// LaterHandler.
	Respond(dst, query []byte, from Client) []byte
}

// HandlerFunc is a function that is a Handler.
type HandlerFunc func(dst, query []byte, from Client) []byte

// Respond calls f.
func (f HandlerFunc) Respond(dst, query []byte, from Client) []byte { return f(dst, query, from) }

// Guard decides whether a client may have another TCP connection; release is
// called once it is over.
type Guard interface {
	Admit(client netip.Addr) (release func(), err error)
}

// Rate decides whether a query of a client is answered now. Over UDP one that
// is not is dropped, over TCP it is refused.
type Rate interface {
	// Allow is told when the query was read.
	Allow(client netip.Addr, over Transport, now time.Time) bool
}

// Metrics counts what the server does. Its methods are called from many
// goroutines at once, and over UDP once for each batch of queries.
type Metrics interface {
	// Answered counts queries that were answered. Their numbers may not be kept.
	Answered(t Transport, a *Answers)
	// Refused counts n connections or messages that were not answered.
	Refused(t Transport, why Refusal, n int)
	// Panic counts a broken invariant, which cost a datagram or a connection. What
	// happens below TLS, and connections that are refused, count as TCP.
	Panic(t Transport)
}

// Refusal says why something was not answered.
type Refusal string

// The refusals.
const (
	RefusedShort    Refusal = "short"    // fewer octets than a header
	RefusedResponse Refusal = "response" // a response (QR is set)
	RefusedSource   Refusal = "source"   // port 0, or an address that is no host's
	RefusedSilent   Refusal = "silent"   // the handler gave no answer
	RefusedRate     Refusal = "rate"     // Options.Rate said no
	RefusedGuard    Refusal = "guard"    // Options.Guard said no
	RefusedConns    Refusal = "conns"    // Options.MaxConns
	RefusedQueries  Refusal = "queries"  // Options.MaxQueries: answered as far as that
	RefusedSize     Refusal = "size"     // Options.MaxQuery
	RefusedStreams  Refusal = "streams"  // Options.MaxStreams
	RefusedPending  Refusal = "pending"  // Options.MaxPending or MaxPendingClient
	RefusedIdle     Refusal = "idle"     // Options.IdleTimeout
	RefusedWrite    Refusal = "write"    // Options.WriteTimeout, or the client is gone
	RefusedTLS      Refusal = "tls"      // the handshake of TLS failed, or took longer than Options.IdleTimeout
	RefusedHTTP     Refusal = "http"     // a request that carries no query (RFC 8484)
)

// Options say how a Server behaves. Handler must be set; zero values of the
// rest mean the defaults.
type Options struct {
	Handler    Handler
	Guard      Guard                // nil admits everyone
	Rate       Rate                 // nil allows everything
	Metrics    Metrics              // nil counts nothing
	Log        *slog.Logger         // nil logs nothing
	Transcript *transcript.Recorder // nil records nothing

	Batch        int           // UDP queries that are read and answered at once; at most batch.MaxSize
	MaxUDPQuery  int           // octets of a query over UDP; a longer one is answered with FORMERR
	MaxUDPSize   int           // octets of a response over UDP; at least 512
	SocketBuffer int           // octets that a UDP socket queues; the system may allow fewer
	MaxConns     int           // connections of TCP and TLS at once
	MaxQueries   int           // queries on one connection, which then ends
	MaxQuery     int           // octets of a query over a stream; a longer one ends the connection
	IdleTimeout  time.Duration // for the next query to be there, whole
	WriteTimeout time.Duration // for responses to leave

	MaxStreams    int           // responses of several messages at once, as zone transfers are; more get SERVFAIL
	StreamTimeout time.Duration // for all messages of one; WriteTimeout counts for each

	// MaxPending is how many answers of a LaterHandler are worked out at once of
	// queries over UDP, where addresses may be forged, and as many of others;
	// MaxPendingClient how many of either are of one client: an IPv4 address, or
	// the /64 of an IPv6 address. A query over UDP past them is dropped, and comes
	// again; others get SERVFAIL.
	MaxPending       int
	MaxPendingClient int
	// MaxPendingConn is how many answers of one connection are worked out, or wait
	// to leave. While there are as many, nothing more is read.
	MaxPendingConn int
	PendingTimeout time.Duration // until the context of a later answer ends

	// Quiet says of which clients nothing is recorded or counted and to whom Rate
	// does not apply: a service that asks itself whether it is well, also while
	// it is flooded. It is asked for each datagram and for the first query of a
	// connection. Nil means of none.
	Quiet func(remote netip.AddrPort) bool
}

func (o Options) withDefaults() Options {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.Batch, DefaultBatch)
	def(&o.MaxUDPQuery, DefaultMaxUDPQuery)
	def(&o.MaxUDPSize, DefaultMaxUDPSize)
	def(&o.SocketBuffer, DefaultSocketBuffer)
	def(&o.MaxConns, DefaultMaxConns)
	def(&o.MaxQueries, DefaultMaxQueries)
	def(&o.MaxQuery, DefaultMaxQuery)
	def(&o.MaxStreams, DefaultMaxStreams)
	def(&o.MaxPending, DefaultMaxPending)
	def(&o.MaxPendingClient, DefaultMaxPendingClient)
	def(&o.MaxPendingConn, DefaultMaxPendingConn)
	o.MaxUDPQuery = max(o.MaxUDPQuery, dns.MinUDPSize)
	o.MaxUDPSize = max(o.MaxUDPSize, dns.MinUDPSize)
	o.MaxQuery = min(max(o.MaxQuery, dns.HeaderLen), dns.MaxMessageLen)
	within := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	within(&o.IdleTimeout, DefaultIdleTimeout)
	within(&o.WriteTimeout, DefaultWriteTimeout)
	within(&o.StreamTimeout, DefaultStreamTimeout)
	within(&o.PendingTimeout, DefaultPendingTimeout)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = noMetrics{}
	}
	return o
}

type noMetrics struct{}

func (noMetrics) Answered(Transport, *Answers)    {}
func (noMetrics) Refused(Transport, Refusal, int) {}
func (noMetrics) Panic(Transport)                 {}
