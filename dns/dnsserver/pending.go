package dnsserver

import (
	"context"
	"net/netip"
	"sync"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/host/batch"
)

// LaterHandler is a Handler some of whose answers take time: it asks other
// servers, or waits for a disk. Such a query has a goroutine of its own, and
// those behind it do not wait. Over TCP and TLS its answer leaves when it is
// ready, before those of earlier queries or between the messages of a transfer
// (RFC 7766 sections 6.2.1.1 and 7).
//
// Messages of one connection that are no plain queries (their opcode is not
// QUERY) are an exception: they are answered in the order in which they came,
// so that of two updates the later one has the last word.
type LaterHandler interface {
	Handler
	// Later says whether the answer to a query takes time. It is asked for every
	// query that Respond would have, and says so at a glance.
	Later(query []byte, from Client) bool
	// RespondLater is Respond for those queries. Its context ends after
	// Options.PendingTimeout, when the client is known to be gone (over UDP that is
	// never known, nor of one that has only ended its side), and when Shutdown runs
	// out of patience; exchanges that begin under it have the query's as parent.
	// After it has ended there is still an answer to be given, if only SERVFAIL: a
	// connection with a query that has none is closed.
	RespondLater(ctx context.Context, dst, query []byte, from Client) []byte
}

// isLater says whether the answer to a query takes time.
func (s *Server) isLater(query []byte, from Client) bool {
	return s.later != nil && s.later.Later(query, from)
}

// respondLater is respond for those.
func (s *Server) respondLater(ctx context.Context, dst, query []byte, from Client) ([]byte, Refusal) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.PendingTimeout)
	defer cancel()
	return s.fitting(dst, s.later.RespondLater(ctx, dst, query, from), query, from)
}

// placesOf gives the places of the later answers of a transport. Forged addresses
// take none from clients that are who they say.
func (s *Server) placesOf(t Transport) *places {
	if t == UDP {
		return &s.pending[0]
	}
	return &s.pending[1]
}

// places are those of later answers.
type places struct {
	most, each int // in all, and of one client

	mu    sync.Mutex
	taken int
	of    map[netip.Prefix]int
}

// take takes a place; false when there is none.
func (p *places) take(client netip.Addr) bool {
	key := clientKey(client)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.most || p.of[key] >= p.each {
		return false
	}
	if p.of == nil {
		p.of = map[netip.Prefix]int{}
	}
	p.taken++
	p.of[key]++
	return true
}

// give gives it back.
func (p *places) give(client netip.Addr) {
	key := clientKey(client)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.of[key]--; p.of[key] == 0 {
		delete(p.of, key)
	}
}

// clientKey is what counts as one client: whoever has one IPv6 address has all
// of its /64.
func clientKey(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	key, _ := a.Prefix(bits) // not of an invalid address: those are one client
	return key
}

// answerLater has a datagram answered by a goroutine of its own.
func (r *reader) answerLater(q *batch.Datagram, h *handled) {
	places, client := r.placesOf(UDP), h.from.Remote.Addr()
	if !places.take(client) {
		r.refused(h.from, RefusedPending)
		return
	}
	kept, of := r.conn.Keep(q), *h
	h.x, of.from.said = nil, &of.said // it goes on without the batch
	r.aside.Go(func() {
		defer places.give(client)
		one := reader{Server: r.Server, conn: r.conn}
		one.answerKept(kept, &of)
	})
}

// answerKept answers a datagram when the answer is ready, and counts and records
// what becomes of it as serve does.
func (r *reader) answerKept(kept *host.Datagram, h *handled) {
	q := batch.Datagram{Data: kept.Data, Remote: kept.Remote, Local: kept.Local}
	func() {
		defer r.loop.Recover("udp", q.Remote)
		answer, why := r.respondLater(h.x.Context(r.ctx), nil, q.Data, h.from)
		q.Answer = answer
		r.refused(h.from, why)
	}()
	if len(q.Answer) > 0 {
		q.Err = r.conn.Reply(kept, q.Answer)
	}
	r.finish(&q, h)
	r.count.flush(r.opts.Metrics)
}

// respondHTTP is respond for a request, which has a goroutine of its own.
func (s *Server) respondHTTP(ctx context.Context, query []byte, from Client) ([]byte, Refusal) {
	if !s.isLater(query, from) {
		return s.respond(nil, query, from)
	}
	places, client := s.placesOf(HTTPS), from.Remote.Addr()
	if !places.take(client) {
		s.countHTTP(from, RefusedPending)
		return failure(nil, query, dns.RcodeServFail), ""
	}
	defer places.give(client)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	return s.respondLater(ctx, nil, query, from)
}
