// Package host is the network as a server or a client sees it: three calls, so that the same code runs on the
// operating system's sockets and on the hosts of an emulated internet.
//
// It is the only package that may open sockets. Everything above takes a [Host] and never knows which one it has.
// The Go names of networks and addresses are those of package net: "tcp", "udp", "127.0.0.1:8053", "[::1]:8053".
package host

import (
	"context"
	"net"
	"net/netip"
)

// Host is a machine on a network.
//
// What it returns is bare: on the operating system a TCP connection is a *net.TCPConn and a UDP socket a *net.UDPConn,
// so that sendfile and batched datagrams apply where the caller asks for them.
//
// Whatever the host, its addresses are of the types of package net or have their method AddrPort, a stream connection
// has CloseWrite, calls on what was closed return [net.ErrClosed], those past a deadline [os.ErrDeadlineExceeded], and a
// datagram socket that can be bound to an unspecified address and is no *net.UDPConn is an [AddressedPacketConn].
type Host interface {
	// Listen opens a stream listener. An address that is taken gives an error for which
	// errors.Is(err, syscall.EADDRINUSE) holds.
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	// ListenPacket opens a datagram socket.
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
	// Dial connects. A dialled "udp" connection is also a net.PacketConn.
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}

// PacketSharer is a Host that can open several datagram sockets on one address, among which the arriving datagrams
// are shared by flow (SO_REUSEPORT), so that each processor may have its own.
type PacketSharer interface {
	// ListenPackets opens n sockets, or none.
	ListenPackets(ctx context.Context, network, address string, n int) ([]net.PacketConn, error)
}

// SourceDialer is a Host whose connections may leave from an address of its own that the caller picks.
type SourceDialer interface {
	// DialFrom is Dial from one of the host's addresses, of the family of the other, and any free port of it. What is
	// no address of the host's gives an error for which errors.Is(err, syscall.EADDRNOTAVAIL) holds.
	DialFrom(ctx context.Context, from netip.Addr, network, address string) (net.Conn, error)
}

// DialFrom connects from an address of the host's where there is one to be used and h is a [SourceDialer], and from the
// one that the host picks elsewhere: the zero Addr leaves it to the host.
func DialFrom(ctx context.Context, h Host, from netip.Addr, network, address string) (net.Conn, error) {
	if d, ok := h.(SourceDialer); ok && from.IsValid() {
		return d.DialFrom(ctx, from, network, address)
	}
	return h.Dial(ctx, network, address)
}

// ListenPackets opens n sockets on one address that share its datagrams where h is a [PacketSharer], and one socket
// elsewhere. The caller closes them all.
func ListenPackets(ctx context.Context, h Host, network, address string, n int) ([]net.PacketConn, error) {
	if sharer, ok := h.(PacketSharer); ok && n > 1 {
		return sharer.ListenPackets(ctx, network, address, n)
	}
	conn, err := h.ListenPacket(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return []net.PacketConn{conn}, nil
}
