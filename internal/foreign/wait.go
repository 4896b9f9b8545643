package foreign

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/network-utopia/utopia/dns"
)

const (
	askAgain = 20 * time.Millisecond // between two questions to a server that does not answer yet
	patience = 500 * time.Millisecond
)

// WaitFor asks a server for a zone's SOA until it answers with authority, and gives the serial. When the context ends
// before, the error holds its cause and the last thing that went wrong.
func WaitFor(ctx context.Context, server netip.AddrPort, name string) (serial uint32, err error) {
	apex, err := dns.ParseName(name, dns.Root)
	if err != nil {
		return 0, fmt.Errorf("wait for a zone: %w", err)
	}
	for {
		r, err := Ask(ctx, server, dns.NewQuery(uint16(rand.Uint32()), apex, dns.TypeSOA))
		if err == nil {
			if serial, err = authoritative(r); err == nil {
				return serial, nil
			}
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("no answer for %s at %s: %w", name, server, errors.Join(context.Cause(ctx), err))
		case <-time.After(askAgain):
		}
	}
}

func authoritative(r *dns.Message) (serial uint32, err error) {
	if r.Rcode == dns.RcodeSuccess && r.Authoritative && len(r.Answer) > 0 {
		if soa, ok := r.Answer[0].SOA(); ok {
			return soa.Serial, nil
		}
	}
	return 0, fmt.Errorf("the answer was %s", dns.Summary(r))
}

// Ask puts one question over UDP, once, and waits half a second for its answer.
func Ask(ctx context.Context, server netip.AddrPort, q *dns.Message) (*dns.Message, error) {
	wire, err := q.Append(nil, 0)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", server, err)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", server.String())
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", server, err)
	}
	defer func() { _ = conn.Close() }()
	deadline := time.Now().Add(patience)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, fmt.Errorf("ask %s: %w", server, err)
	}
	if _, err := conn.Write(wire); err != nil {
		return nil, fmt.Errorf("ask %s: %w", server, err)
	}
	buf := make([]byte, dns.MaxMessageLen)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, fmt.Errorf("ask %s: %w", server, err)
		}
		r, err := dns.Parse(buf[:n])
		if err != nil {
			return nil, fmt.Errorf("ask %s: %w", server, err)
		}
		if r.ID == q.ID && r.Response {
			return r, nil
		}
	}
}
