package dnsclient

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/network-utopia/utopia/dns"
)

// Two answers that are none: they say how to ask again.
var (
	errTruncated = errors.New("truncated: ask over TCP")
	errNoEDNS    = errors.New("the server does not know EDNS: ask without")
)

// exchange is one call of Client.Exchange.
type exchange struct {
	opts     *Options
	client   *Client
	server   string
	network  string // udp or tcp
	query    dns.Message
	start    time.Time
	tries    int
	ignored  int
	mismatch error
	cut      bool // the answer over UDP was truncated
	noEDNS   bool
}

func newExchange(c *Client, server string, q *dns.Message) *exchange {
	x := &exchange{opts: &c.opts, client: c, server: withPort(server), network: "udp", query: *q, start: time.Now()}
	if c.opts.TCP {
		x.network = "tcp"
	}
	if q.EDNS != nil && q.EDNS.UDPSize == 0 {
		filled := *q.EDNS
		filled.UDPSize = c.opts.UDPSize
		x.query.EDNS = &filled
	}
	return x
}

// withPort adds the port 53 to a server that is named without a port.
func withPort(server string) string {
	if _, _, err := net.SplitHostPort(server); err == nil {
		return server
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(server, "["), "]")
	return net.JoinHostPort(bare, DefaultPort)
}

// run tries until there is an answer or no hope. Each change of transport or
// of EDNS, of which there are at most two, starts the tries anew.
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
		case errors.Is(err, errTruncated):
			x.network, x.cut, try = "tcp", true, 0
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
	a.Truncated, a.NoEDNS = x.cut, x.noEDNS
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

// try asks once: one socket, one question, one exchange of the transcript.
func (x *exchange) try(ctx context.Context) (*Answer, error) {
	x.tries++
	limited, cancel := context.WithTimeout(ctx, x.opts.Timeout)
	defer cancel()

	conn, err := x.opts.Host.Dial(limited, x.dialNetwork(), x.server)
	if err != nil {
		return nil, x.unconnected(ctx, dialError(ctx, err))
	}
	defer conn.Close() // nothing is lost: the answer is in, or the try is over
	// A deadline in the past wakes a read, whether time is up or the caller gave up.
	stop := context.AfterFunc(limited, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	t := x.newTry(ctx, conn)
	defer t.log.End()
	answer, err := t.ask(ctx)
	if err != nil {
		t.note(err.Error())
	}
	return answer, err
}

func (x *exchange) dialNetwork() string {
	if x.opts.IPVersion != 0 {
		return x.network + strconv.Itoa(x.opts.IPVersion)
	}
	return x.network
}

// newID gives an ID that nobody can guess (RFC 5452 section 4.5).
func newID() uint16 {
	var b [2]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	return binary.BigEndian.Uint16(b[:])
}
