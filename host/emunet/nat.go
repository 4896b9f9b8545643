package emunet

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/network-utopia/utopia/host/emunet/tcp"
)

// NATBehavior are the choices of RFC 4787 and 5382 that a translator makes. The zero value is what the RFCs ask for:
// mapping that does not depend on the peer, filtering by the peer's address and port.
type NATBehavior struct {
	// Symmetric gives each peer a port of its own (address and port-dependent mapping), which is what keeps peers behind
	// two of them from finding each other.
	Symmetric bool
	// Open lets everyone in who sends to a mapped port (endpoint-independent filtering).
	Open bool
	// UDPTimeout is how long a mapping of UDP lasts after a packet from inside; zero means 2 minutes (RFC 4787 REQ-5).
	UDPTimeout time.Duration
	// TCPTimeout is the same for a connection; zero means 2 hours and 4 minutes (RFC 5382 REQ-5).
	TCPTimeout time.Duration
	// MaxMappings is how many there may be at once, of both protocols together; zero means 64,512, as many as there are
	// ports from 1024 on.
	MaxMappings int
}

// The limits of a translator.
const (
	firstMapped   = 1024
	maxMapped     = 65535 - firstMapped + 1
	closedMapping = 4 * time.Minute // after a FIN or RST: RFC 5382 REQ-5
	maxPeers      = 4096            // remembered of one mapping; the oldest is forgotten
)

// NAT translates the IPv4 addresses of what is behind it to its own: only what was asked for from inside comes in. It is
// the inner side of itself as a [Node]; [NAT.Outside] is the outer. IPv6 does not pass.
type NAT struct {
	*node
	outside  *node
	behavior NATBehavior
	mappings map[mapKey]*mapping
	ports    map[natPort]*mapping
	forward  map[natPort]netip.AddrPort
	answers  map[mapKey]uint16 // the port that a forwarded host answers from
}

// natPort is a port of the outer address.
type natPort struct {
	proto protocol
	port  uint16
}

// mapKey finds the mapping of what comes from inside; peer is there only where the mapping depends on it.
type mapKey struct {
	proto  protocol
	inside netip.AddrPort
	peer   netip.AddrPort
}

type mapping struct {
	key    mapKey
	port   uint16
	used   Time
	closed bool
	peers  []netip.AddrPort // who was spoken to, the latest last
}

// NAT adds a translator with an address on its outer side, an IPv4 one. It is linked with what is behind it as any
// machine is, and with the internet by [NAT.Outside]:
//
//	home := net.NAT("home", "203.0.113.7", emunet.NATBehavior{})
//	net.Link(alice, home)
//	net.Link(home.Outside(), isp)
func (n *Net) NAT(name, outside string, behavior NATBehavior) *NAT {
	n.use()
	defer n.settle()
	if !mustAddr(outside).Is4() {
		misuse("%s translates IPv4, not %s", name, outside)
	}
	behavior.UDPTimeout = cmp.Or(behavior.UDPTimeout, 2*time.Minute)
	behavior.TCPTimeout = cmp.Or(behavior.TCPTimeout, 2*time.Hour+4*time.Minute)
	behavior.MaxMappings = cmp.Or(behavior.MaxMappings, maxMapped)
	t := &NAT{
		node: n.add(name, nil), outside: n.add(name+" (outside)", []string{outside}), behavior: behavior,
		mappings: map[mapKey]*mapping{}, ports: map[natPort]*mapping{}, forward: map[natPort]netip.AddrPort{}, answers: map[mapKey]uint16{},
	}
	t.inner, t.outside.outer = t, t
	return t
}

// Outside is the side with the translator's own address, to be linked with the internet.
func (t *NAT) Outside() Node { return t.outside }

// Forward lets in what comes to a port of the outer address, and passes it to a host behind: the port forwarding of a home
// router. Network is "tcp" or "udp".
func (t *NAT) Forward(network string, port uint16, to netip.AddrPort) {
	t.net.use()
	defer t.net.settle()
	proto := tcpIP
	switch network {
	case "udp":
		proto = udpIP
	case "tcp":
	default:
		misuse("Forward(%q)", network)
	}
	t.forward[natPort{proto, port}] = to
	t.answers[mapKey{proto: proto, inside: to}] = port
}

// Mappings is how many mappings there are, those whose time is over but that nobody has looked at since included.
func (t *NAT) Mappings() int {
	t.net.use()
	defer t.net.settle()
	return len(t.ports)
}

// outward takes a packet from inside to the outside, or back inside where it is meant for the outer address (hairpinning).
func (t *NAT) outward(p *packet, now Time) {
	if !p.dst.Addr().Is4() {
		t.bounce(p, noHost, now)
		return
	}
	if p.icmp != nil {
		t.net.release(p)
		return
	}
	m := t.mapped(p, now)
	if m == nil {
		t.net.release(p)
		return
	}
	m.used = now
	m.note(p)
	m.spoke(p.dst)
	p.src = netip.AddrPortFrom(t.outside.addrs[0], m.port)
	t.outside.receive(p, now)
}

// mapped finds or makes the mapping for a packet from inside; nil where there is no port left.
func (t *NAT) mapped(p *packet, now Time) *mapping {
	key := mapKey{proto: p.proto, inside: p.src}
	if t.behavior.Symmetric {
		key.peer = p.dst
	}
	if m := t.mappings[key]; m != nil {
		if !t.over(m, now) {
			return m
		}
		t.forget(m)
	}
	if port, ok := t.answers[mapKey{proto: p.proto, inside: p.src}]; ok {
		return &mapping{key: key, port: port}
	}
	if len(t.ports) >= t.behavior.MaxMappings {
		t.sweep(now)
	}
	port, ok := t.freePort(p.proto, p.src.Port())
	if !ok || len(t.ports) >= t.behavior.MaxMappings {
		return nil
	}
	m := &mapping{key: key, port: port}
	t.mappings[key], t.ports[natPort{p.proto, port}] = m, m
	return m
}

// freePort prefers the port that the host has itself (RFC 4787 section 4.2.1).
func (t *NAT) freePort(proto protocol, preferred uint16) (uint16, bool) {
	port := max(preferred, firstMapped)
	for range maxMapped {
		at := natPort{proto, port}
		if _, forwarded := t.forward[at]; t.ports[at] == nil && !forwarded {
			return port, true
		}
		if port++; port < firstMapped {
			port = firstMapped
		}
	}
	return 0, false
}

// over says whether a mapping's time is over.
func (t *NAT) over(m *mapping, now Time) bool {
	timeout := t.behavior.UDPTimeout
	switch {
	case m.key.proto == tcpIP && m.closed:
		timeout = closedMapping
	case m.key.proto == tcpIP:
		timeout = t.behavior.TCPTimeout
	}
	return now-m.used > timeout
}

func (t *NAT) forget(m *mapping) {
	delete(t.mappings, m.key)
	delete(t.ports, natPort{m.key.proto, m.port})
}

func (t *NAT) sweep(now Time) {
	for _, m := range t.ports {
		if t.over(m, now) {
			t.forget(m)
		}
	}
}

// note watches a connection end and begin.
func (m *mapping) note(p *packet) {
	if p.proto != tcpIP {
		return
	}
	switch {
	case p.segment.Flags&tcp.SYN != 0:
		m.closed = false
	case p.segment.Flags&(tcp.FIN|tcp.RST) != 0:
		m.closed = true
	}
}

// spoke remembers whom a host behind has sent something.
func (m *mapping) spoke(to netip.AddrPort) {
	if len(m.peers) > 0 && m.peers[len(m.peers)-1] == to {
		return
	}
	if i := slices.Index(m.peers, to); i >= 0 {
		m.peers = slices.Delete(m.peers, i, i+1)
	}
	if len(m.peers) == maxPeers {
		m.peers = slices.Delete(m.peers, 0, 1)
	}
	m.peers = append(m.peers, to)
}

// inward takes a packet that came to the outer address inside, if it may come in.
func (t *NAT) inward(p *packet, now Time) {
	to, ok := t.admitted(p, now)
	if !ok {
		t.net.release(p)
		return
	}
	if p.icmp != nil { // it quotes what we have sent
		quoted := *p.icmp
		quoted.src, quoted.quoted = to, nil
		p.icmp = &quoted
		to = netip.AddrPortFrom(to.Addr(), 0)
	}
	p.dst = to
	t.receive(p, now)
}

// admitted says whom inside a packet is for.
func (t *NAT) admitted(p *packet, now Time) (to netip.AddrPort, ok bool) {
	at, peer := natPort{p.proto, p.dst.Port()}, p.src
	if p.icmp != nil {
		at, peer = natPort{p.icmp.proto, p.icmp.src.Port()}, p.icmp.dst
	}
	m := t.ports[at]
	if m != nil && !t.over(m, now) && (t.behavior.Open || slices.Contains(m.peers, peer)) {
		if p.icmp == nil {
			m.note(p)
		}
		return m.key.inside, true
	}
	to, ok = t.forward[at]
	return to, ok
}
