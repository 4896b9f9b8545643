package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/transcript"
)

// reflectors are the ports of services that answer whatever they get (RFC 862 to 868 and their like), the last two of
// them this one, with and without the usual offset. A datagram that claims to come from one of them would be answered
// for ever, or carries an attack on it.
var reflectors = [...]uint16{0, 7, 9, 11, 13, 15, 17, 19, 37, 53, 111, 123, 137, 161, 389, 1900, 5353, 11211, 12000, 20000}

// ServePacket answers the datagrams of pc with Options.Readers goroutines until Shutdown; it then returns
// [ErrServerClosed], and otherwise pc's error. It closes pc.
//
// Not answered, since the source of a datagram can be forged, are datagrams from port 0, from the ports of services
// that answer anything themselves, from the server's own port (two such services would talk to each other for ever),
// from and to addresses that are not one host's, and those past Options.Rate. An answer longer than [MaxDatagram] is
// cut.
//
// An answer leaves from the address that was asked. Where pc is bound to an unspecified address (0.0.0.0, ::), it must
// tell what that was, as [host.NewDatagramSocket] says; elsewhere it is an error: bind each address.
func (s *Server) ServePacket(pc net.PacketConn) error {
	sock, err := host.NewDatagramSocket(pc)
	if err != nil {
		_ = pc.Close() // what matters is why
		return fmt.Errorf("socket: %w", err)
	}
	return s.loop.ServePacket(pc, s.opts.Readers, func() func() error {
		d := &datagrams{server: s, pc: pc, sock: sock}
		return d.read
	})
}

// datagrams is what one reading goroutine holds.
type datagrams struct {
	server *Server
	pc     net.PacketConn
	sock   *host.DatagramSocket // of pc
	got    host.Datagram
	answer []byte // scratch
}

func (d *datagrams) read() error {
	if err := d.sock.Receive(&d.got); err != nil {
		return err
	}
	d.handle()
	return nil
}

func (d *datagrams) handle() {
	start := time.Now()
	s, text, remote, local := d.server, d.got.Data, d.got.Remote, d.got.Local
	defer s.loop.Recover("udp", remote)
	if !answerable(remote, local) {
		s.opts.Metrics.Refused("udp", RefusedSource)
		return
	}
	if s.opts.Rate != nil && !s.opts.Rate.Allow(remote.Addr()) {
		s.opts.Metrics.Refused("udp", RefusedByGuard)
		return
	}
	d.answer = AppendUpper(d.answer[:0], text)
	fits := cutText(d.answer, MaxDatagram)
	if s.quiet(remote) {
		_ = d.send(fits)
		return
	}
	x := s.opts.Transcript.Begin(context.Background(), "socket", "udp", local, remote)
	defer x.End()
	recordDatagram(x, transcript.Received, text)
	if len(fits) < len(d.answer) {
		x.Line(transcript.Note, 0, fmt.Sprintf("cut: %d bytes do not fit into a datagram", len(d.answer)))
	}
	if err := d.send(fits); err != nil {
		x.Line(transcript.Note, 0, "cannot answer: "+plain(err))
		s.opts.Log.Debug("cannot answer a datagram", "remote", remote, "err", err)
		return
	}
	recordDatagram(x, transcript.Sent, fits)
	s.opts.Metrics.Exchange("udp", int64(len(text)), int64(len(fits)), time.Since(start))
}

// send waits no longer than Options.WriteTimeout for room in the socket's queue. A deadline is the whole socket's, but
// every goroutine only moves it forward.
func (d *datagrams) send(answer []byte) error {
	err := d.pc.SetWriteDeadline(time.Now().Add(d.server.opts.WriteTimeout))
	if err == nil {
		err = d.sock.Reply(&d.got, answer)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		d.server.opts.Metrics.Refused("udp", RefusedDeafness)
	}
	return err
}

// answerable says whether a datagram that came from remote, and was sent to local, may be answered.
func answerable(remote, local netip.AddrPort) bool {
	return host.Answerable(remote, local) && remote.Port() != local.Port() && !slices.Contains(reflectors[:], remote.Port())
}
