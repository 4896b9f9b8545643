package emunet

import (
	"net/netip"
	"slices"

	"github.com/network-utopia/utopia/host/emunet/tcp"
)

// protocol is the number that the IP header has for what is in a packet.
type protocol uint8

const (
	icmp4 protocol = 1
	icmp6 protocol = 58
	tcpIP protocol = 6
	udpIP protocol = 17
)

// The lengths of headers.
const (
	headerIPv4 = 20
	headerIPv6 = 40
	headerUDP  = 8
	headerICMP = 8
)

// firstTTL is what hosts begin with (RFC 1700).
const firstTTL = 64

// packet is an IP packet on its way. One place holds it at a time: whoever ends its way releases it.
type packet struct {
	src, dst netip.AddrPort
	proto    protocol
	ttl      uint8
	id       uint16
	size     int // octets, the IP header included
	arrival  Time
	local    bool // stays within one host

	segment tcp.Segment // of TCP
	data    []byte      // of UDP
	icmp    *unreachable

	next *packet // while it is free
}

func (n *Net) newPacket() *packet {
	p := n.free
	if p == nil {
		return &packet{}
	}
	n.free, p.next = p.next, nil
	return p
}

func (n *Net) release(p *packet) {
	*p = packet{next: n.free}
	n.free = p
}

// header is the length of the IP header before an address's packets.
func header(a netip.Addr) int {
	if a.Is4() {
		return headerIPv4
	}
	return headerIPv6
}

// unreachable is an ICMP message: that a packet did not arrive, or could not go on. It quotes the packet's addresses.
type unreachable struct {
	why      reason
	proto    protocol
	src, dst netip.AddrPort
	quoted   []byte // for captures: the beginning of the packet
}

// reason is the meaning of an ICMP message; the numbers differ between IPv4 and IPv6.
type reason uint8

const (
	noRoute reason = iota
	noHost
	noPort
	expired // TTL
)

// numbers gives type and code: RFC 792, RFC 4443 section 3.1 and 3.3.
func (r reason) numbers(v4 bool) (kind, code uint8) {
	if v4 {
		return [...]uint8{3, 3, 3, 11}[r], [...]uint8{0, 1, 3, 0}[r]
	}
	return [...]uint8{1, 1, 1, 3}[r], [...]uint8{0, 3, 4, 0}[r]
}

// receive is a packet's arrival at a node, or its beginning there.
func (v *node) receive(p *packet, now Time) {
	if v.down {
		v.net.release(p)
		return
	}
	if len(v.net.captures) > 0 && !p.local {
		v.net.captureArrival(v, p, now)
	}
	d, here, ok := v.route(p.dst.Addr())
	switch {
	case here && v.host != nil:
		v.host.arrived(p, now)
	case here && v.inner != nil:
		v.inner.outward(p, now)
	case here && v.outer != nil:
		v.outer.inward(p, now)
	case here || v.host != nil: // a router is told nothing; a host passes nothing on
		v.net.release(p)
	case !ok:
		v.bounce(p, noHost, now)
	case p.ttl <= 1:
		v.bounce(p, expired, now)
	default:
		p.ttl--
		d.send(p, now)
	}
}

// bounce releases a packet, and tells its sender why; never about ICMP (RFC 1122 section 3.2.2).
func (v *node) bounce(p *packet, why reason, now Time) {
	if p.icmp != nil {
		v.net.release(p)
		return
	}
	message := &unreachable{why: why, proto: p.proto, src: p.src, dst: p.dst}
	answer := v.net.newPacket()
	answer.proto, answer.dst, answer.icmp = icmp4, netip.AddrPortFrom(p.src.Addr(), 0), message
	if p.src.Addr().Is6() {
		answer.proto = icmp6
	}
	answer.src = netip.AddrPortFrom(v.source(p.src.Addr()), 0)
	if why == noPort {
		answer.src = netip.AddrPortFrom(p.dst.Addr(), 0)
	}
	if len(v.net.captures) > 0 {
		message.quoted = quote(p)
	}
	header := header(p.src.Addr())
	answer.size = header + headerICMP + min(p.size, header+8)
	v.net.release(p)
	v.originate(answer, now)
}

// originate sends a packet that begins here.
func (v *node) originate(p *packet, now Time) {
	d, here, ok := v.route(p.dst.Addr())
	if !ok || v.down {
		v.net.release(p)
		return
	}
	p.ttl = firstTTL
	v.ipID++
	p.id = v.ipID
	if here {
		if v.host == nil {
			v.receive(p, now)
			return
		}
		d, p.local = v.host.loopback, true
	} else if len(v.net.captures) > 0 {
		v.net.capture(v, p, now)
	}
	d.send(p, now)
}

// source is the address from which the machine speaks to another; an invalid one where it has none of that family.
func (v *node) source(to netip.Addr) netip.Addr {
	switch {
	case slices.Contains(v.addrs, to) || to == netip.IPv6Loopback() && v.host != nil:
		return to
	case to.IsLoopback() && v.host != nil:
		return loopback4()
	}
	for _, a := range v.addrs {
		if a.Is4() == to.Is4() {
			return a
		}
	}
	return netip.Addr{}
}
