package dnsserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/host/batch"
	"github.com/network-utopia/utopia/transcript"
)

// ServePacket answers the queries that arrive at pc, one batch after the other,
// until Shutdown; it then returns ErrServerClosed, and otherwise pc's error. It
// closes pc. Several sockets that share an address (host.ListenPackets), each
// with a ServePacket of its own, use several processors.
//
// Responses leave from the address that was asked. A socket that is bound to an
// unspecified address (0.0.0.0, ::) must tell what that was, as
// host.NewDatagramSocket says; elsewhere it is an error: bind each address.
func (s *Server) ServePacket(pc net.PacketConn) error {
	conn, err := batch.New(pc, batch.Options{
		Size: s.opts.Batch, MaxDatagram: s.opts.MaxUDPQuery, MaxAnswer: s.opts.MaxUDPSize,
		Group: s.group(pc.LocalAddr()),
	})
	if err != nil {
		_ = pc.Close() // what matters is why
		return fmt.Errorf("dnsserver: %w", err)
	}
	if udp, ok := pc.(*net.UDPConn); ok {
		_ = udp.SetReadBuffer(s.opts.SocketBuffer) // as much as the system allows
	}
	return s.loop.ServePacket(pc, 1, func() func() error { return newReader(s, conn).read })
}

// group gives what the sockets at an address share.
func (s *Server) group(address net.Addr) *batch.Group {
	g, _ := s.groups.LoadOrStore(address.String(), &batch.Group{})
	return g.(*batch.Group)
}

// reader is the goroutine of a socket, with what it uses for every batch.
type reader struct {
	*Server
	conn    *batch.Conn
	aside   sync.WaitGroup // later answers
	handled []handled
	count   tally
	served  bool // something, since read was called

	now     time.Time // when the batch at hand was read
	watched bool      // somebody wants transcripts of it
	passed  int       // exchanges of it that nobody wanted
}

// handled is what is known of a datagram of the batch at hand.
type handled struct {
	from Client
	said said
	x    *transcript.Exchange
}

func newReader(s *Server, conn *batch.Conn) *reader {
	return &reader{Server: s, conn: conn, handled: make([]handled, conn.Size())}
}

// read answers batches until that fails. When it fails after some were
// answered, and not for good, that is no error: it may be called again.
func (r *reader) read() error {
	r.served = false
	err := r.conn.Serve(r.serve)
	if r.loop.Closing() || errors.Is(err, net.ErrClosed) {
		r.aside.Wait() // who has been read is answered, while there is a socket
	}
	if r.served && !errors.Is(err, net.ErrClosed) {
		r.opts.Log.Debug("reading datagrams was interrupted", "err", err)
		return nil
	}
	return err
}

// serve answers a batch. What is counted or asked once for each batch costs
// next to nothing when there is much to do.
func (r *reader) serve(queries []batch.Datagram) {
	r.served = true
	r.now = time.Now()
	r.watched = r.opts.Transcript.Watched(service, r.now)
	for i := range queries {
		r.answer(&queries[i], &r.handled[i])
	}
	r.conn.Send()
	for i := range queries {
		r.finish(&queries[i], &r.handled[i])
	}
	if r.passed > 0 {
		r.opts.Transcript.Pass(service, r.passed)
		r.passed = 0
	}
	r.count.flush(r.opts.Metrics)
}

// answer puts the response to a query with it. A panic costs this one alone.
func (r *reader) answer(q *batch.Datagram, h *handled) {
	h.x, h.said = nil, said{}
	h.from = Client{Remote: q.Remote, Local: q.Local, Transport: UDP, MaxUDP: r.opts.MaxUDPSize, Time: r.now, said: &h.said}
	defer r.loop.Recover("udp", q.Remote)
	if !host.Answerable(q.Remote, q.Local) {
		r.count.refused(RefusedSource)
		return
	}
	h.from.quiet = r.quiet(q.Remote)
	if why := r.unfit(q.Data, h.from); why != "" {
		r.refused(h.from, why) // and not recorded: a forged flood would push out what is worth seeing
		return
	}
	switch {
	case r.watched:
		h.x = r.exchange(context.Background(), h.from)
		record(h.x, transcript.Received, q.Data)
	case !h.from.quiet:
		r.passed++
	}
	if q.Cut { // what is not there cannot be read, and its beginning may mean something else
		q.Answer = failure(q.Answer, q.Data, dns.RcodeFormErr)
		return
	}
	if r.isLater(q.Data, h.from) {
		r.answerLater(q, h)
		return
	}
	answer, why := r.respond(q.Answer, q.Data, h.from)
	q.Answer = answer
	r.refused(h.from, why)
}

// finish counts and records what has become of a query.
func (r *reader) finish(q *batch.Datagram, h *handled) {
	switch {
	case len(q.Answer) == 0:
		recordSilence(h.x, &h.from)
	case q.Err != nil:
		r.refused(h.from, RefusedWrite)
		h.x.Line(transcript.Note, 0, "the answer cannot be sent")
		r.opts.Log.Debug("cannot send a response", "remote", q.Remote.String(), "err", q.Err)
	default:
		recordResponse(h.x, &h.from, q.Answer)
		if !h.from.quiet {
			r.count.answers.add(h.said.zone, q.Data, q.Answer, len(q.Answer))
		}
	}
	h.x.End()
}

// refused counts a query that is not answered; "" stands for none.
func (r *reader) refused(from Client, why Refusal) {
	if why != "" && !from.quiet {
		r.count.refused(why)
	}
}
