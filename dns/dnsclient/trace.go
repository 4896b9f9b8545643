package dnsclient

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/network-utopia/utopia/dns"
)

// The limits that TraceOptions holds where they are zero.
const (
	DefaultMaxSteps  = 100             // questions
	DefaultTraceTime = 2 * time.Minute // for the whole
)

// maxNested is how deep the search for the address of a name server may lead
// to the search for that of another.
const maxNested = 4

// maxServers is how many servers of a zone, and addresses of a server, are
// taken from a referral.
const maxServers = 16

// How a trace can fail, besides as an exchange can.
var (
	// ErrLame says that a server has nothing to say about the zone that it was
	// asked for: no answer of its own, and no referral to a zone below.
	ErrLame = errors.New("lame: no answer of its own, and no referral further down")
	// ErrTraceLimit says that a trace needs more than TraceOptions allow.
	ErrTraceLimit = errors.New("the trace has no end within its limits")
	// ErrNoServers says that no server of a zone was of use.
	ErrNoServers = errors.New("no server of the zone was of use")
)

// TraceOptions are the settings of [Client.Trace]. The zero value begins at
// the root servers of the Internet.
type TraceOptions struct {
	// Start are the servers, with or without ports, that are asked who serves
	// the root: root servers, or resolvers. Empty means [RootHints].
	Start []string
	// Port is that of all servers that are found on the way; zero means
	// [DefaultPort].
	Port string
	// MaxSteps is how many questions are asked; zero means [DefaultMaxSteps].
	MaxSteps int
	// MaxTime is for the whole trace; zero means [DefaultTraceTime].
	MaxTime time.Duration
}

// TraceStep is one question of a trace with its answer.
type TraceStep struct {
	Zone   dns.Name // whose server was asked
	Server string   // its name, or what TraceOptions.Start has
	For    dns.Name // the server whose address is looked for; "" on the way of the question itself
	Answer *Answer  // nil where none came
	// Next is the zone that the answer refers to; "" where it does not.
	Next dns.Name
	// Servers are those of Next, with the glue that is believed: addresses of
	// names in the zone that was asked.
	Servers []NameServer
	// Err is why the step led nowhere; the next server of the zone is asked
	// then. It has ErrLame or what an exchange can fail with in its chain.
	Err error
}

// Trace asks from the root down, one server after another, as a resolver does
// (RFC 1034 section 5.3.3): each step gives what a server answered, and the
// referral that leads to the next one. The last step has the answer to q. An
// error is the last thing that it gives.
//
// A referral is followed only to a zone that is below the one that was asked
// and above the name, and glue is believed only for names in the zone that
// was asked (RFC 2181 section 5.4.1); the address of any other server is looked
// up from the root in the same way. q is sent without RD, but to Start.
func (c *Client) Trace(ctx context.Context, q *dns.Message, opts TraceOptions) iter.Seq2[TraceStep, error] {
	if opts.MaxSteps <= 0 {
		opts.MaxSteps = DefaultMaxSteps
	}
	if opts.MaxTime <= 0 {
		opts.MaxTime = DefaultTraceTime
	}
	if opts.Port == "" {
		opts.Port = DefaultPort
	}
	return func(yield func(TraceStep, error) bool) {
		ctx, cancel := context.WithTimeoutCause(ctx, opts.MaxTime, ErrTraceLimit)
		defer cancel()
		t := &tracer{client: c, opts: opts, ctx: ctx, yield: yield}
		if err := t.run(q); err != nil && !errors.Is(err, errStopped) {
			yield(TraceStep{}, err)
		}
	}
}

// errStopped says that nobody wants to hear more.
var errStopped = errors.New("stopped")

// tracer is one call of Client.Trace.
type tracer struct {
	client *Client
	opts   TraceOptions
	ctx    context.Context
	yield  func(TraceStep, error) bool
	steps  int
	roots  []NameServer
}

func (t *tracer) run(q *dns.Message) error {
	if q.Response || len(q.Question) != 1 {
		return fmt.Errorf("trace: %w", ErrQuery)
	}
	if err := t.prime(q); err != nil {
		return err
	}
	down := *q
	down.RecursionDesired = false
	_, err := t.descend(&down, "", 0)
	return err
}

// prime asks who serves the root (RFC 8109).
func (t *tracer) prime(q *dns.Message) error {
	prime := *q
	prime.Opcode = dns.OpcodeQuery
	prime.Question = []dns.Question{{Name: dns.Root, Type: dns.TypeNS, Class: q.Question[0].Class}}
	prime.RecursionDesired = len(t.opts.Start) > 0
	for _, target := range t.starts() {
		step := TraceStep{Zone: dns.Root, Server: target.name}
		a, err := t.ask(target.address, &prime)
		if err == nil {
			step.Servers = serversOf(dns.Root, dns.Root, a.Message.Answer, a.Message.Additional)
			step.Next = dns.Root
			if len(step.Servers) == 0 {
				step.Next, err = "", ErrLame
			}
		}
		step.Answer, step.Err = a, err
		if err := t.tell(step); err != nil {
			return err
		}
		if step.Err == nil {
			t.roots = step.Servers
			t.findRoots(target.address)
			return nil
		}
	}
	return fmt.Errorf("trace: the root: %w", ErrNoServers)
}

// findRoots asks for the addresses of the root servers where none came with
// their names, as resolvers leave them out.
func (t *tracer) findRoots(server string) {
	for i := range t.roots {
		if slices.ContainsFunc(t.roots, func(s NameServer) bool { return len(s.Addrs) > 0 }) {
			return
		}
		for _, kind := range t.families() {
			q := dns.NewQuery(0, t.roots[i].Name, kind)
			q.RecursionDesired = true
			a, err := t.ask(server, q)
			if err != nil {
				continue
			}
			for _, rr := range a.Message.Answer {
				t.roots = withAddress(t.roots, rr)
			}
		}
	}
}

// target is an address to ask.
type target struct{ name, address string }

func (t *tracer) starts() []target {
	var all []target
	for _, s := range t.opts.Start {
		all = append(all, target{s, s})
	}
	if len(all) == 0 {
		for _, s := range RootHints() {
			all = append(all, t.targets(s)...)
		}
	}
	return all
}

// targets gives the addresses of a server, those of IPv4 first: not every
// network has IPv6.
func (t *tracer) targets(s NameServer) []target {
	var all []target
	for _, kind := range t.families() {
		for _, a := range s.Addrs {
			if a.Is4() == (kind == dns.TypeA) {
				name := strings.TrimSuffix(s.Name.String(), ".")
				all = append(all, target{name, netip.AddrPortFrom(a, 0).Addr().String()})
			}
		}
	}
	for i, one := range all {
		all[i].address = withPort(one.address, t.opts.Port)
	}
	return all
}

// families are the types of the addresses that can be used.
func (t *tracer) families() []dns.Type {
	switch t.client.opts.IPVersion {
	case 4:
		return []dns.Type{dns.TypeA}
	case 6:
		return []dns.Type{dns.TypeAAAA}
	}
	return []dns.Type{dns.TypeA, dns.TypeAAAA}
}

// ask asks one server, and counts it as a step.
func (t *tracer) ask(server string, q *dns.Message) (*Answer, error) {
	if t.steps >= t.opts.MaxSteps {
		return nil, ErrTraceLimit
	}
	t.steps++
	return t.client.Exchange(t.ctx, server, q)
}

// tell hands out a step, unless it was none for want of more steps.
func (t *tracer) tell(step TraceStep) error {
	if errors.Is(step.Err, ErrTraceLimit) && step.Answer == nil {
		return fmt.Errorf("trace: %w: %d questions", ErrTraceLimit, t.steps)
	}
	if !t.yield(step, nil) {
		return errStopped
	}
	if err := t.ctx.Err(); err != nil {
		return fmt.Errorf("trace: %w", context.Cause(t.ctx))
	}
	return nil
}

// descend follows the referrals from the root to the answer.
func (t *tracer) descend(q *dns.Message, of dns.Name, nested int) (*dns.Message, error) {
	zone, servers := dns.Root, t.roots
	for {
		step, err := t.zone(q, zone, servers, of, nested)
		if err != nil {
			return nil, err
		}
		if step.Next == "" {
			return step.Answer.Message, nil
		}
		zone, servers = step.Next, step.Servers
	}
}

// zone asks the servers of a zone in turn, until one answers or refers to a
// zone below. Those whose addresses are known come first.
func (t *tracer) zone(q *dns.Message, zone dns.Name, servers []NameServer, of dns.Name, nested int) (TraceStep, error) {
	for _, known := range []bool{true, false} {
		for _, s := range servers {
			if (len(t.targets(s)) > 0) != known {
				continue
			}
			if !known {
				var err error
				if s.Addrs, err = t.lookUp(s.Name, nested); err != nil {
					return TraceStep{}, err
				}
			}
			for _, target := range t.targets(s) {
				step := t.question(q, zone, target)
				step.For = of
				if err := t.tell(step); err != nil {
					return step, err
				}
				if step.Err == nil {
					return step, nil
				}
			}
		}
	}
	return TraceStep{}, fmt.Errorf("trace: %s: %w", zone, ErrNoServers)
}

// lookUp finds the addresses of a server whose referral had none. Only the
// limits of the trace are errors: a name without addresses has none.
func (t *tracer) lookUp(name dns.Name, nested int) ([]netip.Addr, error) {
	if nested >= maxNested {
		return nil, nil
	}
	var found []netip.Addr
	for _, kind := range t.families() {
		q := dns.NewQuery(0, name, kind)
		m, err := t.descend(q, name, nested+1)
		switch {
		case errors.Is(err, ErrNoServers):
			continue
		case err != nil:
			return nil, err
		}
		for _, rr := range m.Answer {
			if addr, ok := rr.Addr(); ok && rr.Name.Equal(name) && len(found) < maxServers {
				found = append(found, addr)
			}
		}
		if len(found) > 0 {
			break
		}
	}
	return found, nil
}

// question asks one server of a zone and sees what the answer is.
func (t *tracer) question(q *dns.Message, zone dns.Name, to target) TraceStep {
	step := TraceStep{Zone: zone, Server: to.name}
	step.Answer, step.Err = t.ask(to.address, q)
	if step.Err != nil {
		return step
	}
	m, asked := step.Answer.Message, q.Question[0]
	switch {
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNXDomain:
		step.Err = fmt.Errorf("%w (%s)", ErrLame, m.Rcode)
	case m.Authoritative:
	default:
		step.Next = delegated(zone, asked.Name, m.Authority)
		step.Servers = serversOf(step.Next, zone, m.Authority, m.Additional)
		if step.Next == "" || len(m.Answer) > 0 {
			step.Next, step.Servers, step.Err = "", nil, ErrLame
		}
	}
	return step
}

// delegated gives the zone that NS records refer to, if it lies between the
// zone that was asked and the name; else "".
func delegated(zone, name dns.Name, authority []dns.RR) dns.Name {
	for _, rr := range authority {
		if rr.Type == dns.TypeNS && rr.Name.IsSubdomainOf(zone) && !rr.Name.Equal(zone) && name.IsSubdomainOf(rr.Name) {
			return rr.Name
		}
	}
	return ""
}

// serversOf gives the servers of a zone by its NS records, with the glue for
// names in the zone of the server that gave it.
func serversOf(zone, giver dns.Name, ns, additional []dns.RR) []NameServer {
	var servers []NameServer
	for _, rr := range ns {
		name, ok := rr.Target()
		if ok && rr.Type == dns.TypeNS && rr.Name.Equal(zone) && len(servers) < maxServers {
			servers = append(servers, NameServer{Name: name})
		}
	}
	for _, rr := range additional {
		if rr.Name.IsSubdomainOf(giver) {
			servers = withAddress(servers, rr)
		}
	}
	for i := range servers {
		servers[i].Addrs = servers[i].Addrs[:min(len(servers[i].Addrs), maxServers)]
	}
	return servers
}
