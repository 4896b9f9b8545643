package dnsclient

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/network-utopia/utopia/dns"
)

// Answers that are none: they say how to ask again.
var (
	errTruncated = errors.New("truncated: ask over TCP")
	errNoEDNS    = errors.New("the server does not know EDNS: ask without")
	errBadCookie = errors.New("the server wants its cookie: ask with it")
)

// The networks of an exchange, as Answer.Network names them.
const (
	overUDP   = "udp"
	overTCP   = "tcp"
	overTLS   = "tls"
	overHTTPS = "https"
)

// exchange is one call of Client.Exchange.
type exchange struct {
	opts     *Options
	client   *Client
	server   string
	network  string // one of the above
	held     *Conn  // keeps the connection from one exchange to the next; nil closes it after each try
	onlyUDP  bool   // a truncated answer is an error instead of a reason for TCP
	query    dns.Message
	start    time.Time
	tries    int
	ignored  int
	mismatch error
	cut      bool // the answer over UDP was truncated
	noEDNS   bool
	cookied  bool // a cookie was refused, and the one that came with it sent
}

func newExchange(c *Client, server string, q *dns.Message) *exchange {
	x := &exchange{opts: &c.opts, client: c, query: *q, start: time.Now()}
	port := DefaultPort
	switch {
	case c.opts.HTTPS != nil:
		x.network, port = overHTTPS, DefaultHTTPSPort
	case c.opts.TLS != nil:
		x.network, port = overTLS, DefaultTLSPort
	case c.opts.TCP:
		x.network = overTCP
	default:
		x.network = overUDP
	}
	x.server = withPort(server, port)
	if q.EDNS != nil && q.EDNS.UDPSize == 0 {
		filled := *q.EDNS
		filled.UDPSize = c.opts.UDPSize
		x.query.EDNS = &filled
	}
	return x
}

// withPort adds the port to a server that is named without one.
func withPort(server, port string) string {
	if _, _, err := net.SplitHostPort(server); err == nil {
		return server
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(server, "["), "]")
	return net.JoinHostPort(bare, port)
}

// run tries until there is an answer or no hope. Each change of transport, of
// EDNS or of the cookie, of which there are three at most, starts the tries
// anew.
func (x *exchange) run(ctx context.Context) (*Answer, error) {
	if n := len(x.query.Question); x.query.Response || n != 1 {
		return nil, x.fail(fmt.Errorf("%w: a response, or %d questions", ErrQuery, n))
	}
	for try := 1; ; try++ {
		began := time.Now()
		answer, err := x.try(ctx)
		switch {
		case err == nil:
			return x.tell(answer), nil
		case errors.Is(err, errTruncated) && !x.onlyUDP:
			x.network, x.cut, try = overTCP, true, 0
		case errors.Is(err, errComplaint) && !x.onlyUDP:
			x.network, try = overTCP, 0
		case errors.Is(err, errBadCookie):
			x.cookied, try = true, 0
		case errors.Is(err, errNoEDNS):
			x.query.EDNS, x.noEDNS, try = nil, true, 0
		case try >= x.opts.Tries || ctx.Err() != nil || !mayRetry(err):
			return nil, x.fail(err)
		default:
			if err := x.pause(ctx, try, time.Since(began)); err != nil {
				return nil, x.fail(err)
			}
		}
	}
}

// tell adds to an answer what is known of the exchange as a whole.
func (x *exchange) tell(a *Answer) *Answer {
	a.Elapsed, a.Tries = time.Since(x.start), x.tries
	a.Ignored, a.Mismatch = x.ignored, x.mismatch
	a.Truncated, a.NoEDNS, a.BadCookie = x.cut, x.noEDNS, x.cookied
	return a
}

func (x *exchange) fail(err error) error {
	e := &Error{
		Server: x.server, Network: x.network, Tries: x.tries, Ignored: x.ignored, Mismatch: x.mismatch,
		Elapsed: time.Since(x.start), Err: err,
	}
	if len(x.query.Question) > 0 {
		e.Question = x.query.Question[0]
	}
	return e
}

// pause waits so that two tries begin at least Options.Pause apart, which
// matters only where a try failed at once.
func (x *exchange) pause(ctx context.Context, try int, took time.Duration) error {
	const maxDoublings = 6
	left := x.opts.Pause<<min(try-1, maxDoublings) - took
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return timeoutError(ctx, nil)
	}
}

// try asks once: one socket, one question, one exchange of the transcript. A
// kept connection that the server closed while it was idle, which is its
// right, does not count (RFC 7766 section 6.2.4).
func (x *exchange) try(ctx context.Context) (*Answer, error) {
	x.tries++
	limited, cancel := context.WithTimeout(ctx, x.opts.Timeout)
	defer cancel()
	if kept := x.held.take(x.network); kept != nil {
		if answer, err := x.tryOn(ctx, limited, kept); err == nil || !errors.Is(err, ErrClosed) {
			return answer, err
		}
	}
	l, err := x.open(limited)
	if err != nil {
		return nil, x.unconnected(ctx, linkError(ctx, err))
	}
	return x.tryOn(ctx, limited, l)
}

// tryOn asks over a link, and closes it or hands it back to be kept. ctx is
// the caller's; limited ends with the try.
func (x *exchange) tryOn(ctx, limited context.Context, l *link) (*Answer, error) {
	// A deadline in the past wakes a read, whether time is up or the caller gave up.
	stop := context.AfterFunc(limited, l.interrupt)
	t := x.newTry(ctx, l)
	t.limited = limited
	defer t.log.End()
	answer, err := t.ask(ctx)
	if err != nil {
		t.note(err.Error())
	}
	if untouched := stop(); !untouched || !reusable(err) || !x.held.keep(l) {
		l.close() // nothing is lost: the answer is in, or the try is over
	}
	return answer, err
}

// reusable says whether a connection is fit for another question after a try
// that ended so: its messages were read to their ends.
func reusable(err error) bool {
	return err == nil || errors.Is(err, errNoEDNS) || errors.Is(err, errBadCookie) || errors.Is(err, ErrMalformed)
}

// newID gives an ID that nobody can guess (RFC 5452 section 4.5).
func newID() uint16 {
	var b [2]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	return binary.BigEndian.Uint16(b[:])
}
