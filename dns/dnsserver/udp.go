package dnsserver

import (
	"fmt"
	"net"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/transcript"
)

// ServePacket answers the queries that arrive at pc with Options.Readers
// goroutines, until Shutdown; it then returns ErrServerClosed, and otherwise
// pc's error. It closes pc, and returns when all goroutines have ended.
//
// Responses leave from the address that was asked. A socket that is bound to an
// unspecified address (0.0.0.0, ::) must tell what that was, as
// host.NewDatagramSocket says; elsewhere it is an error: bind each address.
func (s *Server) ServePacket(pc net.PacketConn) error {
	sock, err := host.NewDatagramSocket(pc)
	if err != nil {
		_ = pc.Close() // what matters is why
		return fmt.Errorf("dnsserver: %w", err)
	}
	if udp, ok := pc.(*net.UDPConn); ok {
		_ = udp.SetReadBuffer(s.opts.SocketBuffer) // as much as the system allows
	}
	return s.loop.ServePacket(pc, s.opts.Readers, func() func() error {
		r := &reader{Server: s, sock: sock, out: make([]byte, 0, s.opts.MaxUDPSize)}
		return r.read
	})
}

// reader is one goroutine of a socket, with what it uses for every datagram.
type reader struct {
	*Server
	sock  *host.DatagramSocket
	query host.Datagram
	from  Client // of the datagram at hand
	out   []byte
}

func (r *reader) read() error {
	if err := r.sock.Receive(&r.query); err != nil {
		return err
	}
	r.answer()
	return nil
}

func (r *reader) answer() {
	r.from = Client{Remote: r.query.Remote, Local: r.query.Local, Transport: UDP, MaxUDP: r.opts.MaxUDPSize}
	defer r.loop.Recover("udp", r.from.Remote)
	if !host.Answerable(r.from.Remote, r.from.Local) {
		r.refused(r.from, RefusedSource)
		return
	}
	r.from.quiet = r.quiet(r.from.Remote)
	start := time.Now()
	query := r.query.Data
	if why := r.unfit(query, r.from); why != "" {
		r.refused(r.from, why) // and not recorded: a forged flood would push out what is worth seeing
		return
	}
	x := r.exchange(r.from)
	defer x.End()
	record(x, transcript.Received, query)
	r.out = r.respond(r.out[:0], query, r.from)
	if len(r.out) == 0 {
		x.Line(transcript.Note, 0, "not answered")
		return
	}
	if err := r.sock.Reply(&r.query, r.out); err != nil {
		r.refused(r.from, RefusedWrite)
		x.Line(transcript.Note, 0, "the answer cannot be sent")
		r.opts.Log.Debug("cannot send a response", "remote", r.from.Remote.String(), "err", err)
		return
	}
	record(x, transcript.Sent, r.out)
	r.answered(query, r.out, r.from, start)
}
