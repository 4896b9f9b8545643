package authority

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/ratelimit"
	"github.com/network-utopia/utopia/dns/zone"
)

// Transport sizes.
const (
	// DefaultUDPSize is the most octets of a response over UDP, and what we say
	// in EDNS that we take: it passes everywhere without fragments (RFC 9715).
	DefaultUDPSize = 1232
	// Stream stands for a transport without a limit but that of a message.
	Stream = 0
)

// MaxNSID is the most octets of a server's name in responses.
const MaxNSID = 128

// Options are what a Responder adds to the zones' data. The zero value adds
// nothing.
type Options struct {
	// NSID names this server among those that share its address, for clients
	// that ask (RFC 5001), also as id.server in class CH (RFC 4892). Empty:
	// nothing is told.
	NSID string
	// Cookies prove clients' addresses (RFC 7873). Nil: cookies are ignored.
	Cookies *dns.Cookies
	// Limit decides which responses over UDP are sent; clients with a good
	// cookie are not limited. Nil: all are.
	Limit *ratelimit.Limiter
	// Rotate has the addresses of an answer begin with another one each time,
	// so that clients spread over them (RFC 1794).
	Rotate bool
}

// Client is who asks, and how.
type Client struct {
	Addr netip.Addr
	// MaxUDP is the most octets of a response over UDP; Stream over a stream.
	MaxUDP int
	// Encrypted says that a stream hides what is in it: responses are padded
	// for clients that want that.
	Encrypted bool
	// Idle is how long the connection may be idle, which clients that ask are
	// told (RFC 7828); zero where the connection is not theirs to keep, as
	// below HTTP.
	Idle time.Duration
}

// Outcome says what became of a query.
type Outcome uint8

// The outcomes.
const (
	Answered  Outcome = iota
	Silent            // no query, so no answer
	Dropped           // limited: no answer
	Slipped           // limited: truncated and empty, so that the client asks over TCP
	BadCookie         // limited: BADCOOKIE, so that the client asks with the cookie in it
)

// Responder writes responses. It may be used by many goroutines at once.
type Responder struct{ opts Options }

// NewResponder makes a responder; an NSID that is too long is an error.
func NewResponder(opts Options) (*Responder, error) {
	if len(opts.NSID) > MaxNSID {
		return nil, fmt.Errorf("authority: an NSID of %d octets; it has at most %d", len(opts.NSID), MaxNSID)
	}
	return &Responder{opts}, nil
}

// Respond is what a Responder without options answers.
func Respond(set *zone.Set, dst, query []byte, maxUDP int) []byte {
	out, _ := (&Responder{}).Respond(set, dst, query, Client{MaxUDP: maxUDP}, time.Time{})
	return out
}

// respond is Respond in the full lane.
func respond(set *zone.Set, dst, query []byte, maxUDP int) []byte {
	x := exchange{Responder: &Responder{}, client: Client{MaxUDP: maxUDP}}
	out, _ := x.full(set, dst, query)
	return out
}

// Respond reads a query, and writes the response behind dst. Over UDP the
// client's own limit, 512 octets or what its EDNS says, counts as well as
// Client.MaxUDP. A nil set means that the zones are not there yet: SERVFAIL.
//
// It returns dst as it was when there is no answer: the octets are fewer than a
// header, or a response (RFC 1035 section 4.1.1, RFC 5625 section 4.2), or the
// limit was reached.
func (r *Responder) Respond(set *zone.Set, dst, query []byte, c Client, now time.Time) ([]byte, Outcome) {
	out, outcome, _ := r.RespondFrom(set, dst, query, c, now)
	return out, outcome
}

// RespondFrom is Respond that says as well which zone was asked about: the one
// that the name in the question is in, nil where it is in none.
func (r *Responder) RespondFrom(set *zone.Set, dst, query []byte, c Client, now time.Time) ([]byte, Outcome, *zone.Zone) {
	x := exchange{Responder: r, client: c, now: now}
	if out, outcome, ok := x.quick(set, dst, query); ok {
		return out, outcome, x.zone
	}
	out, outcome := x.full(set, dst, query)
	return out, outcome, x.zone
}

// full is the lane that knows everything.
func (x *exchange) full(set *zone.Set, dst, query []byte) ([]byte, Outcome) {
	h, _, err := dns.ParseHeader(query)
	if err != nil || h.Response {
		return dst, Silent
	}
	q, err := dns.Parse(query)
	if err != nil {
		return x.malformed(dst, h)
	}
	x.read(q.EDNS)
	if len(q.Question) > 0 {
		x.zone = set.FindFor(q.Question[0].Name, q.Question[0].Type)
	}
	m := x.answer(set, q)
	outcome := x.limit(set, q, m)
	if outcome == Dropped {
		return dst, Dropped
	}
	limit := sizeLimit(q, x.client.MaxUDP)
	out, err := m.Append(dst, limit-x.reserve())
	if err != nil {
		// The response holds what cannot be packed: the fault is ours.
		m = q.Reply(dns.RcodeServFail)
		if out, err = m.Append(dst, limit); err != nil {
			return dst, Silent
		}
	}
	if m.EDNS != nil {
		out = x.addOptions(out, len(dst), optSize(m.EDNS))
	}
	return out, outcome
}

// exchange is one query and its response in the making.
type exchange struct {
	*Responder
	client Client
	now    time.Time
	zone   *zone.Zone // that was asked about
	asked
}

// answer decides the response.
func (x *exchange) answer(set *zone.Set, q *dns.Message) *dns.Message {
	switch {
	case x.badCookieLen:
		return start(q, dns.RcodeFormErr) // RFC 7873 section 5.2.2
	case x.cookie != nil && len(q.Question) == 0 && q.Opcode == dns.OpcodeQuery:
		return x.cookieAlone(q)
	case set == nil:
		m := fail(start(q, dns.RcodeSuccess), dns.RcodeServFail, dns.EDENotReady)
		explain(q, m)
		return m
	case x.opts.NSID != "" && asksForServer(q):
		return x.server(q)
	}
	m := Answer(set, q)
	explain(q, m)
	if x.opts.Rotate {
		rotate(m.Answer, x.turn(q.ID))
	}
	return m
}

// start makes a response that is still empty.
func start(q *dns.Message, code dns.Rcode) *dns.Message {
	m := q.Reply(code)
	if q.EDNS != nil {
		m.EDNS = &dns.EDNS{UDPSize: DefaultUDPSize, DO: q.EDNS.DO}
	}
	return m
}

// malformed answers a query that could not be read. Its question is not known,
// so the header stands alone. What has another opcode need not look like a
// query at all: it gets NOTIMP.
func (x *exchange) malformed(dst []byte, h dns.Header) ([]byte, Outcome) {
	code := dns.RcodeFormErr
	if h.Opcode != dns.OpcodeQuery {
		code = dns.RcodeNotImp
	}
	if x.decide(ratelimit.Error, uint64(code)) != ratelimit.Send {
		return dst, Dropped
	}
	out, err := (&dns.Message{Header: h}).Reply(code).Append(dst, dns.MinUDPSize)
	if err != nil {
		return dst, Silent
	}
	return out, Answered
}

func sizeLimit(q *dns.Message, maxUDP int) int {
	if maxUDP == Stream {
		return dns.MaxMessageLen
	}
	size := dns.MinUDPSize
	if q.EDNS != nil {
		// RFC 6891 section 6.2.3: values below 512 are taken as 512.
		size = max(size, int(q.EDNS.UDPSize))
	}
	return min(size, max(maxUDP, dns.MinUDPSize))
}
