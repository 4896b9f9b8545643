// Package listen is what every service of the house does with its addresses: it opens all sockets or none, lets the
// connections of an HTTP server in, and asks itself, as a client would, whether it answers.
package listen

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/network-utopia/utopia/host"
)

// Sockets are the open sockets of a service: for each address a listener and, where they were asked for, one or more
// datagram sockets on the same port.
type Sockets struct {
	Listeners []net.Listener
	Packets   []net.PacketConn
}

// Open listens for TCP on each address and, where packets is not 0, opens up to so many UDP sockets that share its
// datagrams. It opens all or none. Port 0 takes any free one, the same for both.
func Open(ctx context.Context, h host.Host, addresses []netip.Addr, port uint16, packets int) (*Sockets, error) {
	s := &Sockets{}
	for _, a := range addresses {
		if err := s.add(ctx, h, netip.AddrPortFrom(a, port), packets); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

func (s *Sockets) add(ctx context.Context, h host.Host, at netip.AddrPort, packets int) error {
	const tries = 8 // the free port of TCP may be one that UDP has given to somebody
	for try := 1; ; try++ {
		l, pcs, err := pair(ctx, h, at, packets)
		if err == nil {
			s.Listeners, s.Packets = append(s.Listeners, l), append(s.Packets, pcs...)
			return nil
		}
		if at.Port() != 0 || try == tries || !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
	}
}

// pair opens the sockets of one address.
func pair(ctx context.Context, h host.Host, at netip.AddrPort, packets int) (net.Listener, []net.PacketConn, error) {
	l, err := h.Listen(ctx, "tcp"+family(at.Addr()), at.String())
	if err != nil || packets == 0 {
		return l, nil, err
	}
	if at.Port() == 0 {
		at = netip.AddrPortFrom(at.Addr(), host.AddrPort(l.Addr()).Port())
	}
	pcs, err := host.ListenPackets(ctx, h, "udp"+family(at.Addr()), at.String(), packets)
	if err != nil {
		_ = l.Close() // nothing was served on it
		return nil, nil, err
	}
	return l, pcs, nil
}

// Close closes the sockets, of a service that was not served on them.
func (s *Sockets) Close() {
	for _, l := range s.Listeners {
		_ = l.Close() // nothing was served on it
	}
	for _, pc := range s.Packets {
		_ = pc.Close()
	}
}

// family keeps 0.0.0.0 and :: apart: package net takes either for both.
func family(a netip.Addr) string {
	if a.Unmap().Is4() {
		return "4"
	}
	return "6"
}

// reachable turns an unspecified address, which is listened on, into one that can be called.
func reachable(address string) string {
	a, err := netip.ParseAddrPort(address)
	switch {
	case err != nil || !a.Addr().IsUnspecified():
		return address
	case a.Addr().Is4():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port()).String()
	}
	return netip.AddrPortFrom(netip.IPv6Loopback(), a.Port()).String()
}
