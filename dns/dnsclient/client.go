package dnsclient

import (
	"context"
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
)

// DefaultPort is the port of a server that is named without one.
const DefaultPort = "53"

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
	return o
}

// Client asks name servers. It is safe for concurrent use, and holds no
// socket between two calls.
type Client struct {
	opts    Options
	buffers sync.Pool // of *[]byte, for one message each
}

// New makes a Client.
func New(opts Options) *Client {
	c := &Client{opts: opts.withDefaults()}
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
	Network string         // "udp" or "tcp"
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
}

// Exchange asks a server and returns its answer, whatever the response code.
//
// server is an address or name with or without a port: "127.0.0.1",
// "[::1]:8053", "ns1.example.test:53". q is sent as it is, but for its ID,
// which is chosen at random for each try, and for EDNS.UDPSize, which is
// filled in where it is zero; q itself stays unchanged. With a nil q.EDNS the
// question goes out without EDNS. It must be a query with one question.
//
// Errors of the exchange are of type *Error. The end of ctx ends it with the
// context's cause within that.
func (c *Client) Exchange(ctx context.Context, server string, q *dns.Message) (*Answer, error) {
	return newExchange(c, server, q).run(ctx)
}
