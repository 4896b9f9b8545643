package host

import (
	"errors"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// controlSize holds the control messages of ip(7) and ipv6(7) that tell where a datagram was sent to.
var controlSize = unix.CmsgSpace(unix.SizeofInet4Pktinfo) + unix.CmsgSpace(unix.SizeofInet6Pktinfo)

// askForAddresses has the kernel tell with each datagram where it was sent to. A socket of IPv6 takes the option of
// IPv6, and that tells the addresses of IPv4 datagrams as well; one of IPv4 refuses it.
func askForAddresses(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		if failed != nil {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		}
	})
	return errors.Join(err, failed)
}

// addressAsked reads where a datagram was sent to; false for a broadcast or multicast address, or when it is not told.
// It also makes the control messages fit to go out with the answer, whose source they then are: which interface it
// takes is left to the routing table, except for link-local addresses.
func addressAsked(control []byte) (asked netip.Addr, ok bool) {
	for len(control) >= unix.CmsgSpace(0) {
		header, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return netip.Addr{}, false
		}
		switch {
		case header.Level == unix.IPPROTO_IP && header.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			// struct in_pktinfo: the interface, our address, and the address in the header, which differs when it is
			// not ours alone. Some kernels leave out our address for loopback.
			ours := data[4:8]
			asked = netip.AddrFrom4([4]byte(data[8:12]))
			if netip.AddrFrom4([4]byte(ours)).IsUnspecified() {
				copy(ours, data[8:12])
			}
			ok = asked == netip.AddrFrom4([4]byte(ours)) && oneHost(asked)
			clear(data[0:4])
		case header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			asked = netip.AddrFrom16([16]byte(data[0:16])).Unmap()
			ok = oneHost(asked)
			if !asked.IsLinkLocalUnicast() {
				clear(data[16:20])
			}
		}
		control = rest
	}
	return asked, ok
}
