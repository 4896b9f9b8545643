package emunet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// place is what a socket is bound to.
type place struct {
	addr netip.Addr // unspecified for all addresses
	dual bool       // of both families
	port uint16
}

// covers says whether a place that is not exactly at an address takes what is sent there.
func (l place) covers(a netip.Addr) bool {
	return l.addr.IsUnspecified() && (l.dual || l.addr.Is4() == a.Is4())
}

// clashes says whether two sockets cannot be bound at one port.
func (l place) clashes(o place) bool {
	return l.addr == o.addr || l.covers(o.addr) || o.covers(l.addr) || l.dual && o.addr.IsUnspecified()
}

func (l place) addrPort() netip.AddrPort { return netip.AddrPortFrom(l.addr, l.port) }

func isUDP(network string) bool { return strings.HasPrefix(network, "udp") }

// parse reads an address as package net has it: an IP address, localhost or nothing, and a port.
func parse(network, address string) (place, error) {
	family := strings.TrimPrefix(strings.TrimPrefix(network, "tcp"), "udp")
	if len(family) == len(network) || family != "" && family != "4" && family != "6" {
		return place{}, net.UnknownNetworkError(network)
	}
	name, service, err := net.SplitHostPort(address)
	if err != nil {
		return place{}, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return place{}, &net.AddrError{Err: "unknown port", Addr: address}
	}
	l := place{port: uint16(port)}
	switch {
	case name == "" && family == "6":
		l.addr = netip.IPv6Unspecified()
	case name == "" || name == "::" && family == "4":
		l.addr = netip.IPv4Unspecified()
	case name == "localhost" && family == "6":
		l.addr = netip.IPv6Loopback()
	case name == "localhost":
		l.addr = loopback4()
	default:
		if l.addr, err = netip.ParseAddr(name); err != nil || l.addr.Zone() != "" {
			return place{}, &net.DNSError{Err: "an emulated host dials addresses, not names", Name: name, IsNotFound: true}
		}
		l.addr = l.addr.Unmap()
	}
	l.dual = family == "" && l.addr.IsUnspecified()
	if family == "4" && !l.addr.Is4() || family == "6" && l.addr.Is4() {
		return place{}, &net.AddrError{Err: "mismatched local address type", Addr: address}
	}
	return l, nil
}

func loopback4() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }

// dialled are the addresses that a connection to the place is tried with, one after the other: the host itself for an
// unspecified one.
func (l place) dialled() []netip.AddrPort {
	v4, v6 := netip.AddrPortFrom(loopback4(), l.port), netip.AddrPortFrom(netip.IPv6Loopback(), l.port)
	switch {
	case !l.addr.IsUnspecified():
		return []netip.AddrPort{l.addrPort()}
	case l.addr.Is4():
		return []netip.AddrPort{v4}
	case l.dual:
		return []netip.AddrPort{v6, v4}
	}
	return []netip.AddrPort{v6}
}

// has says whether the host can be spoken to at an address.
func (h *Host) has(a netip.Addr) bool {
	return a.IsUnspecified() || a.IsLoopback() || slices.Contains(h.addrs, a)
}

// bind decides where a socket is: taken says whether another is in the way.
func (h *Host) bind(ctx context.Context, network, address string, taken func(place) bool) (place, error) {
	l, err := parse(network, address)
	if err != nil {
		return place{}, err
	}
	if err := ctx.Err(); err != nil {
		return place{}, ctxError(err)
	}
	if l.dual { // as in package net, 0.0.0.0 is all of them: "tcp4" is IPv4 alone
		l.addr = netip.IPv6Unspecified()
	}
	if !h.has(l.addr) {
		return place{}, os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)
	}
	if l.port != 0 {
		if taken(l) {
			return place{}, os.NewSyscallError("bind", syscall.EADDRINUSE)
		}
		return l, nil
	}
	port, ok := h.pick(func(port uint16) bool {
		l.port = port
		return !taken(l)
	})
	if !ok {
		return place{}, os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	l.port = port
	return l, nil
}

// netAddr is an address in the form that package net has for the network.
func netAddr(network string, a netip.AddrPort) net.Addr {
	if !a.IsValid() {
		return nil
	}
	if isUDP(network) {
		return net.UDPAddrFromAddrPort(a)
	}
	return net.TCPAddrFromAddrPort(a)
}

// asked is the address that somebody wanted to listen at, for an error; nil where it is none.
func asked(network, address string) net.Addr {
	l, err := parse(network, address)
	if err != nil {
		return nil
	}
	ip := net.IP(l.addr.AsSlice())
	switch {
	case strings.HasPrefix(address, ":"):
		ip = nil
	case l.dual:
		ip = net.IPv4zero
	}
	if isUDP(network) {
		return &net.UDPAddr{IP: ip, Port: int(l.port)}
	}
	return &net.TCPAddr{IP: ip, Port: int(l.port)}
}

// opError is an error as package net gives it.
func opError(op, network string, to net.Addr, err error) *net.OpError {
	var number syscall.Errno
	if errors.As(err, &number) {
		var wrapped *os.SyscallError
		if !errors.As(err, &wrapped) {
			call := map[string]string{"dial": "connect", "listen": "listen", "read": "read", "write": "write", "accept": "accept"}[op]
			err = os.NewSyscallError(call, number)
		}
	}
	return &net.OpError{Op: op, Net: network, Addr: to, Err: err}
}

// errTimeout is a Dial that took too long, as package net has it.
type errTimeout struct{}

func (errTimeout) Error() string   { return "i/o timeout" }
func (errTimeout) Timeout() bool   { return true }
func (errTimeout) Temporary() bool { return true }
func (errTimeout) Is(err error) bool {
	return err == context.DeadlineExceeded //nolint:errorlint // this is Is
}

// errCanceled is a Dial whose context was cancelled.
type errCanceled struct{}

func (errCanceled) Error() string     { return "operation was canceled" }
func (errCanceled) Is(err error) bool { return err == context.Canceled } //nolint:errorlint // this is Is

func ctxError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errTimeout{}
	}
	return errCanceled{}
}
