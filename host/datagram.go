package host

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// maxDatagram is the longest that a datagram can be; a buffer of this size never cuts one off.
const maxDatagram = 1 << 16

var (
	errNoAddress = errors.New("the socket has no address and port")
	errSentToAll = errors.New("the datagram was not sent to one address of this host")
)

// DatagramSocket reads datagrams, and answers each from the address that it was sent to: whoever asked takes no answer
// from another (RFC 1122 section 4.1.3.5). It is made by [NewDatagramSocket], and safe for concurrent use.
//
// On a *net.UDPConn, reading and answering allocate nothing.
type DatagramSocket struct {
	conn      net.PacketConn
	udp       *net.UDPConn        // conn, where it is the operating system's
	addressed AddressedPacketConn // conn, where it is one
	local     netip.AddrPort
	any       bool // bound to an unspecified address: control messages tell which was asked
}

// AddressedPacketConn is a datagram socket, such as an emulated host's, that tells which address was asked without the
// control messages of the operating system. Addresses have no 4-in-6 form.
type AddressedPacketConn interface {
	net.PacketConn
	// ReadAddressed is ReadFrom that also tells where the datagram was sent to: an address of this host, or an invalid
	// one where it was not one of this host alone (broadcast, multicast).
	ReadAddressed(p []byte) (n int, from, to netip.AddrPort, err error)
	// WriteAddressed is WriteTo whose datagram leaves from an address of this host.
	WriteAddressed(p []byte, from, to netip.AddrPort) (n int, err error)
}

// NewDatagramSocket returns the way to read and answer on conn that suits it.
//
// A socket that is bound to an unspecified address (0.0.0.0, ::) must be an [AddressedPacketConn], or a *net.UDPConn on a
// system that tells with each datagram which address was asked (Linux; ip(7), IP_PKTINFO; RFC 3542 section 6).
// Elsewhere it is an error: an answer might leave from another address. Bind each address there.
func NewDatagramSocket(conn net.PacketConn) (*DatagramSocket, error) {
	s := &DatagramSocket{conn: conn, local: AddrPort(conn.LocalAddr())}
	s.udp, _ = conn.(*net.UDPConn)
	s.addressed, _ = conn.(AddressedPacketConn)
	switch {
	case !s.local.IsValid():
		return nil, fmt.Errorf("host: %v: %w", conn.LocalAddr(), errNoAddress)
	case !s.local.Addr().IsUnspecified(), s.addressed != nil:
		return s, nil
	}
	s.any = true
	err := errors.ErrUnsupported
	if s.udp != nil {
		err = askForAddresses(s.udp)
	}
	if err != nil {
		return nil, fmt.Errorf("host: %v is unspecified, and which address was asked cannot be told; listen on each address instead: %w", conn.LocalAddr(), err)
	}
	return s, nil
}

// ControlSize is how many octets of control messages must be received with each datagram for [DatagramSocket.Asked] to
// tell where it was sent to: 0 where the socket is bound to one address, which is the answer. It is for those who make
// system calls of their own, as package batch does.
func (s *DatagramSocket) ControlSize() int {
	if s.any {
		return controlSize
	}
	return 0
}

// Asked tells where a datagram was sent to, as [Datagram.Local] does, from the control messages that recvmsg(2) gave of
// it. It makes them fit to go out with the answer, which then leaves from that address.
func (s *DatagramSocket) Asked(control []byte) netip.AddrPort {
	if !s.any {
		return s.local
	}
	asked, ok := addressAsked(control)
	if !ok {
		asked = netip.Addr{}
	}
	return netip.AddrPortFrom(asked, s.local.Port())
}

// Datagram is one that was read. The zero value is ready for [DatagramSocket.Receive]; each further call takes the
// same memory again. It belongs to one goroutine.
type Datagram struct {
	Data   []byte         // valid until the next Receive
	Remote netip.AddrPort // where it came from; IPv4 is never in its 4-in-6 form
	// Local is where it was sent to. Its address is invalid where that is not one of this host alone (broadcast,
	// multicast), or was not told.
	Local netip.AddrPort

	buf     []byte
	control []byte         // room for control messages
	told    int            // octets of control that make an answer leave from Local
	from    netip.AddrPort // Remote in the socket's own form
	addr    net.Addr       // the same, where the socket is not a *net.UDPConn
}

// Receive waits for a datagram and reads it into d, which holds none after an error. Read deadlines of the socket hold.
func (s *DatagramSocket) Receive(d *Datagram) (err error) {
	if d.buf == nil {
		d.buf = make([]byte, maxDatagram)
	}
	if s.any && d.control == nil {
		d.control = make([]byte, controlSize)
	}
	var n int
	d.Local = s.local
	switch {
	case s.addressed != nil:
		n, d.from, d.Local, err = s.addressed.ReadAddressed(d.buf)
	case s.udp == nil:
		n, d.addr, err = s.conn.ReadFrom(d.buf)
		d.from = AddrPort(d.addr)
	case !s.any:
		n, d.from, err = s.udp.ReadFromUDPAddrPort(d.buf)
	default:
		n, d.told, _, d.from, err = s.udp.ReadMsgUDPAddrPort(d.buf, d.control)
	}
	if err != nil {
		d.Data, d.Remote, d.Local, d.told = nil, netip.AddrPort{}, netip.AddrPort{}, 0
		return err
	}
	if s.any {
		d.Local = s.Asked(d.control[:d.told])
	}
	d.Data = d.buf[:n]
	d.Remote = netip.AddrPortFrom(d.from.Addr().Unmap(), d.from.Port())
	return nil
}

// Clone gives a copy of d that is not touched by what is received later: Reply takes it whenever the answer is ready, in
// any goroutine.
func (d *Datagram) Clone() *Datagram {
	return &Datagram{
		Data: bytes.Clone(d.Data), Remote: d.Remote, Local: d.Local,
		control: bytes.Clone(d.control[:d.told]), told: d.told, from: d.from, addr: d.addr,
	}
}

// Received makes a datagram, to be answered by Reply, of what a system call of the caller's own has read. Control are
// the control messages that came with it. It keeps copies.
func (s *DatagramSocket) Received(data []byte, remote netip.AddrPort, control []byte) *Datagram {
	d := &Datagram{Data: bytes.Clone(data), Remote: remote, control: bytes.Clone(control), told: len(control), from: remote}
	d.Local = s.Asked(d.control)
	return d
}

// Reply answers d, from d.Local to d.Remote as Receive left them. Write deadlines of the socket hold.
func (s *DatagramSocket) Reply(d *Datagram, answer []byte) (err error) {
	switch {
	case !d.Local.Addr().IsValid():
		return fmt.Errorf("host: reply: %w", errSentToAll)
	case s.addressed != nil:
		_, err = s.addressed.WriteAddressed(answer, d.Local, d.from)
	case s.udp == nil:
		_, err = s.conn.WriteTo(answer, d.addr)
	case !s.any:
		_, err = s.udp.WriteToUDPAddrPort(answer, d.from)
	default:
		_, _, err = s.udp.WriteMsgUDPAddrPort(answer, d.control[:d.told], d.from)
	}
	return err
}

// Answerable says whether a datagram from remote to local may be answered at all. Its source can be forged: nobody
// listens at port 0 (RFC 768), and an address that is not one host's must not be answered (RFC 1122 section 4.1.3.6).
// Local without an address is what [Datagram] has for those sent to many at once, who would all answer one victim.
func Answerable(remote, local netip.AddrPort) bool {
	return local.Addr().IsValid() && remote.Port() != 0 && oneHost(remote.Addr().Unmap())
}

// oneHost says whether an address, not in 4-in-6 form, can be that of a single host.
func oneHost(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// AddrPort is an address and its port, an IPv4 one never in its 4-in-6 form; zero for what has no port, such as the
// address of a Unix socket.
func AddrPort(a net.Addr) netip.AddrPort {
	if a, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
