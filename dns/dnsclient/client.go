package dnsclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"sync"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/transcript"
)

// The limits that Options holds where they are zero.
const (
	DefaultTimeout    = 5 * time.Second        // for one try
	DefaultTries      = 3                      // on each transport
	DefaultPause      = 100 * time.Millisecond // after the first try that failed at once
	DefaultUDPSize    = 1232                   // octets, which no path of today fragments
	DefaultMaxMessage = dns.MaxMessageLen      // octets
	DefaultMaxIgnored = 64                     // messages in one try
	DefaultMaxCookies = 1024                   // servers whose cookies are remembered

	DefaultMaxTransferRecords int64 = 20_000_000 // of one zone transfer
	DefaultMaxTransferOctets  int64 = 4 << 30    // of one zone transfer
)

// MaxPadding is the longest that a query is padded to, in octets.
const MaxPadding = 4096

// The ports of a server that is named without one: for UDP and TCP, for TLS
// (RFC 7858 section 3.1) and for HTTPS.
const (
	DefaultPort      = "53"
	DefaultTLSPort   = "853"
	DefaultHTTPSPort = "443"
)

// service is the name under which exchanges stand in the transcript.
const service = "dns"

// Options are the settings of a [Client]. Host must be given; the zero value
// of all else is fit for use.
type Options struct {
	// Host is the network that is asked.
	Host host.Host
	// Transcript takes one exchange for each try; nil records none.
	Transcript *transcript.Recorder

	// Timeout is how long one try waits for its answer, the opening of a TCP
	// connection included; zero means [DefaultTimeout]. The whole of an
	// Exchange is bounded by its context.
	Timeout time.Duration
	// Tries is how often a server is asked on one transport before Exchange
	// gives up; zero means [DefaultTries].
	Tries int
	// Pause is the wait before the second try when the first failed before
	// its time was over, as a refused connection does. It doubles with each
	// try. Zero means [DefaultPause].
	Pause time.Duration

	// UDPSize is announced in queries whose EDNS.UDPSize is zero; zero means
	// [DefaultUDPSize].
	UDPSize uint16
	// MaxMessage is the longest answer taken, in octets; zero means
	// [DefaultMaxMessage].
	MaxMessage int
	// MaxIgnored is how many messages that do not match one try ignores; one
	// more ends the exchange with [ErrFlood], since somebody is guessing.
	// Zero means [DefaultMaxIgnored].
	MaxIgnored int

	// TCP asks over TCP at once.
	TCP bool
	// TLS asks over TLS (RFC 7858); nil does not.
	TLS *TLS
	// HTTPS asks over HTTPS (RFC 8484); nil does not. It goes before TLS.
	HTTPS *HTTPS

	// Cookies sends DNS cookies with queries that have EDNS (RFC 7873): what
	// a server gave is sent to it the next time, an answer whose cookie is not
	// ours is ignored, and BADCOOKIE is answered once with the cookie that
	// came with it. A query that brings its own COOKIE option keeps that, and
	// none of this is done for it.
	Cookies bool
	// MaxCookies is how many servers' cookies are remembered; zero means
	// [DefaultMaxCookies].
	MaxCookies int

	// Padding makes each query that has EDNS a multiple of so many octets
	// long, at most [MaxPadding] (RFC 7830), so that its length tells nothing
	// to whoever sees the encrypted message: RFC 8467 section 4.1 recommends
	// 128. Zero pads nothing.
	Padding int
	// TSIG signs each query, and wants each answer signed with the same key
	// (RFC 8945); nil does neither.
	TSIG *dns.TSIGKey

	// MaxTransferRecords and MaxTransferOctets bound one zone transfer; zero
	// means [DefaultMaxTransferRecords] and [DefaultMaxTransferOctets].
	MaxTransferRecords, MaxTransferOctets int64

	// Sent is called with each question before it goes out, as it goes out,
	// and its octets; nil for nobody. It must not change the message.
	Sent func(q *dns.Message, size int)

	// IgnoreTruncation returns a truncated answer instead of asking over TCP.
	IgnoreTruncation bool
	// KeepEDNS returns the FORMERR or NOTIMP of a server that does not know
	// EDNS instead of asking without it.
	KeepEDNS bool
	// IPVersion is 4 or 6 to use no other for a server that is given by a
	// name; zero takes either.
	IPVersion int
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Tries <= 0 {
		o.Tries = DefaultTries
	}
	if o.Pause <= 0 {
		o.Pause = DefaultPause
	}
	if o.UDPSize == 0 {
		o.UDPSize = DefaultUDPSize
	}
	if o.MaxMessage <= 0 || o.MaxMessage > dns.MaxMessageLen {
		o.MaxMessage = DefaultMaxMessage
	}
	if o.MaxIgnored <= 0 {
		o.MaxIgnored = DefaultMaxIgnored
	}
	o.Padding = min(o.Padding, MaxPadding)
	if o.MaxCookies <= 0 {
		o.MaxCookies = DefaultMaxCookies
	}
	if o.MaxTransferRecords <= 0 {
		o.MaxTransferRecords = DefaultMaxTransferRecords
	}
	if o.MaxTransferOctets <= 0 {
		o.MaxTransferOctets = DefaultMaxTransferOctets
	}
	return o
}

// TLS says how a server is spoken to over TLS, of version 1.2 or later.
type TLS struct {
	// Verify wants a certificate that one of Roots has vouched for, for Name.
	// Without it the connection is opportunistic (RFC 7858 section 4.1): it
	// cannot be read on its way, and whoever answers is believed.
	Verify bool
	// Name is whom the certificate must be for; empty means the server as it
	// was named, without its port.
	Name string
	// Roots are the authorities; nil means those of the system.
	Roots *x509.CertPool
	// Certificates are the client's own, for servers that ask for one.
	Certificates []tls.Certificate
}

// HTTPS says how a server is spoken to over HTTPS.
type HTTPS struct {
	TLS
	// Path of the resource; empty means [DefaultPath].
	Path string
	// Get asks with GET, of which the answers can be cached on their way;
	// otherwise it is POST.
	Get bool
}

// DefaultPath is the path of RFC 8484's example, which most servers have.
const DefaultPath = "/dns-query"

// Client asks name servers. It is safe for concurrent use, and holds no
// socket between two calls; a [Conn] does.
type Client struct {
	opts    Options
	buffers sync.Pool // of *[]byte, for one message each
	cookies cookieJar
}

// New makes a Client.
func New(opts Options) *Client {
	c := &Client{opts: opts.withDefaults()}
	c.cookies.most = c.opts.MaxCookies
	c.buffers.New = func() any {
		b := make([]byte, c.opts.MaxMessage+1) // one more, so that what is too long is seen to be
		return &b
	}
	return c
}

// Answer is what a server said.
type Answer struct {
	Message *dns.Message
	Size    int            // octets of the message
	Server  netip.AddrPort // that answered; zero on a network without such addresses
	Network string         // "udp", "tcp", "tls" or "https"
	// Duration is the time from the sending of the question to the arrival of
	// the answer; the opening of a TCP connection is not in it.
	Duration time.Duration
	// Elapsed is the time of the whole exchange: every try, pause and
	// connection.
	Elapsed   time.Duration
	Tries     int   // sent questions, this one included
	Ignored   int   // messages that did not match and were ignored, in all tries
	Mismatch  error // why the last of those did not; nil if there was none
	Truncated bool  // the answer over UDP was truncated, and this one came over TCP
	NoEDNS    bool  // the server refused EDNS, and answered a question without it
	BadCookie bool  // the server refused a cookie, and answered a question with the one it gave
	// Query is the question as it went out at last: with its ID, and with what
	// the client added.
	Query *dns.Message
}

// Exchange asks a server and returns its answer, whatever the response code.
//
// server is an address or name with or without a port: "127.0.0.1",
// "[::1]:8053", "ns1.example.test:53". Over HTTPS the question has the ID 0
// (RFC 8484 section 4.1). q is sent as it is, but for its ID,
// which is chosen at random for each try, and for EDNS.UDPSize, which is
// filled in where it is zero; q itself stays unchanged. With a nil q.EDNS the
// question goes out without EDNS. It must be a query with one question.
//
// Errors of the exchange are of type *Error. The end of ctx ends it with the
// context's cause within that.
func (c *Client) Exchange(ctx context.Context, server string, q *dns.Message) (*Answer, error) {
	return newExchange(c, server, q).run(ctx)
}
