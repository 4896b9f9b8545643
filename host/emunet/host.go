package emunet

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/host/emunet/tcp"
)

// The limits of a host.
const (
	maxSockets = 1 << 18 // sockets of all kinds, those in TIME-WAIT included; EMFILE past it

	firstEphemeral = 32768
	lastEphemeral  = 60999
)

// Host is a machine on which programs run. It is a host.Host with the addresses that it was given, and loopback
// (127.0.0.0/8 and ::1). It dials addresses alone: names are a resolver's affair.
type Host struct {
	*node
	loopback *direction
	tcp      tcp.Config

	streams   map[pair]*stream
	listeners map[uint16][]*listener
	sockets   map[uint16][]*packetConn
	open      int    // sockets of all kinds
	serial    uint64 // of the sockets made

	pending []sender // what has something to send at this moment
	flushAt Time     // when it does; -1 for never
}

var _ host.Host = (*Host)(nil)

// pair is both ends of a connection.
type pair struct{ local, remote netip.AddrPort }

// sender is a socket that sends when all of a moment have spoken.
type sender interface {
	flush(now Time)
	order() rank
}

// rank orders the sockets of one host by what they are, not by when they were made.
type rank struct {
	kind  int // datagrams, connections, connections to be
	local netip.AddrPort
	peer  netip.AddrPort
}

func (r rank) compare(o rank) int {
	return cmp.Or(cmp.Compare(r.kind, o.kind), r.local.Compare(o.local), r.peer.Compare(o.peer))
}

// reset begins with no sockets.
func (h *Host) reset() {
	h.streams = map[pair]*stream{}
	h.listeners, h.sockets = map[uint16][]*listener{}, map[uint16][]*packetConn{}
	h.open, h.pending, h.flushAt = 0, nil, -1
}

// TCP sets what connections that begin from now on are like; the zero Config is the default.
func (h *Host) TCP(c tcp.Config) {
	h.net.use()
	defer h.net.settle()
	h.tcp = c
}

// Crash stops the host at once, as a power cut does: it says nothing more, and its programs find all their sockets
// closed. Nothing can be opened on it until [Host.Restart].
func (h *Host) Crash() {
	h.net.use()
	defer h.net.settle()
	h.drop()
	h.down = true
}

// Restart ends a crash. The host knows nothing of the connections that it had; whoever speaks on one is told so by a
// reset.
func (h *Host) Restart() {
	h.net.use()
	defer h.net.settle()
	h.down = false
}

// drop closes all sockets without a word.
func (h *Host) drop() {
	for _, s := range h.streams {
		s.vanish()
	}
	for _, same := range h.listeners {
		for _, l := range same {
			l.vanish()
		}
	}
	for _, same := range h.sockets {
		for _, c := range same {
			c.vanish()
		}
	}
	for _, s := range h.pending {
		if d, ok := s.(*dialing); ok {
			d.end(nil, net.ErrClosed)
		}
	}
	h.reset()
}

// admit counts a new socket.
func (h *Host) admit() (id uint64, err error) {
	switch {
	case h.net.closed:
		return 0, net.ErrClosed
	case h.down:
		return 0, syscall.ENETDOWN
	case h.open >= maxSockets:
		return 0, syscall.EMFILE
	}
	h.open++
	return h.newID(), nil
}

// newID is a name for a socket: what happens at one moment is ordered by it.
func (h *Host) newID() uint64 {
	h.serial++
	return uint64(h.id)<<32 | h.serial&(1<<32-1)
}

// sends has a socket send at the end of this moment.
func (h *Host) sends(s sender) {
	h.pending = append(h.pending, s)
	if h.flushAt < 0 {
		h.flushAt = h.net.soon()
		h.net.at(h.flushAt, keyFlush|uint64(h.id), h)
	}
}

// happen sends what was asked for at the moment that is over.
func (h *Host) happen(now Time) {
	pending := h.pending
	h.pending, h.flushAt = nil, -1
	slices.SortStableFunc(pending, func(a, b sender) int { return a.order().compare(b.order()) })
	for _, s := range pending {
		s.flush(now)
	}
	if h.pending == nil {
		clear(pending)
		h.pending = pending[:0]
	}
}

// arrived takes a packet for this host.
func (h *Host) arrived(p *packet, now Time) {
	switch {
	case p.icmp != nil:
		h.told(p.icmp, now)
		h.net.release(p)
	case p.proto == tcpIP:
		h.arrivedTCP(p, now)
	default:
		h.arrivedUDP(p, now)
	}
}

func (h *Host) arrivedTCP(p *packet, now Time) {
	ends := pair{local: p.dst, remote: p.src}
	s := h.streams[ends]
	if s != nil && s.replaceable(&p.segment) {
		s.leave()
		s = nil
	}
	if s != nil {
		s.input(&p.segment, now)
		h.net.release(p)
		return
	}
	if l := h.listening(p.dst); l != nil && p.segment.Flags&(tcp.SYN|tcp.ACK|tcp.RST) == tcp.SYN {
		l.syn(ends, &p.segment, now)
		h.net.release(p)
		return
	}
	reset, ok := tcp.Refuse(&p.segment)
	h.net.release(p)
	if ok {
		h.sendSegment(ends, &reset, now)
	}
}

// sendSegment sends a copy of a segment.
func (h *Host) sendSegment(ends pair, s *tcp.Segment, now Time) {
	p := h.net.newPacket()
	p.src, p.dst, p.proto = ends.local, ends.remote, tcpIP
	p.segment = *s
	p.size = header(ends.remote.Addr()) + s.HeaderLen() + len(s.Payload)
	h.originate(p, now)
}

func (h *Host) arrivedUDP(p *packet, now Time) {
	c := h.bound(p.dst, p.src)
	if c == nil {
		h.bounce(p, noPort, now)
		return
	}
	c.arrived(p)
	h.net.release(p)
}

// told passes an ICMP message to the socket that it is about.
func (h *Host) told(m *unreachable, now Time) {
	var err error = syscall.EHOSTUNREACH
	switch m.why {
	case noPort:
		err = syscall.ECONNREFUSED
	case noRoute:
		err = syscall.ENETUNREACH
	}
	if m.proto == udpIP {
		if c := h.bound(m.src, m.dst); c != nil {
			c.told(err)
		}
		return
	}
	if s := h.streams[pair{local: m.src, remote: m.dst}]; s != nil {
		s.unreachable(err, now)
	}
}

// listening finds who listens at an address: the exact one first.
func (h *Host) listening(at netip.AddrPort) *listener {
	var any *listener
	for _, l := range h.listeners[at.Port()] {
		switch {
		case l.local.addr == at.Addr():
			return l
		case l.local.covers(at.Addr()):
			any = l
		}
	}
	return any
}

// bound finds the socket for a datagram: one that is connected to its sender first, then the exact address.
func (h *Host) bound(at, from netip.AddrPort) *packetConn {
	var found *packetConn
	best := 0
	for _, c := range h.sockets[at.Port()] {
		fit := 0
		switch {
		case c.peer.IsValid() && (c.peer != from || c.local.addr != at.Addr()):
		case c.peer.IsValid():
			fit = 3
		case c.local.addr == at.Addr():
			fit = 2
		case c.local.covers(at.Addr()):
			fit = 1
		}
		if fit > best {
			found, best = c, fit
		}
	}
	return found
}

// pick finds a free ephemeral port, by chance.
func (h *Host) pick(free func(port uint16) bool) (uint16, bool) {
	const count = lastEphemeral - firstEphemeral + 1
	first := h.rng.IntN(count)
	for i := range count {
		if port := uint16(firstEphemeral + (first+i)%count); free(port) {
			return port, true
		}
	}
	return 0, false
}

// Listen opens a stream listener: "tcp", "tcp4" or "tcp6".
func (h *Host) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	h.net.use()
	defer h.net.settle()
	l, err := h.listen(ctx, network, address)
	if err != nil {
		return nil, opError("listen", network, asked(network, address), err)
	}
	return l, nil
}

// ListenPacket opens a datagram socket: "udp", "udp4" or "udp6". It is a host.AddressedPacketConn.
func (h *Host) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	h.net.use()
	defer h.net.settle()
	c, err := h.listenPacket(ctx, network, address)
	if err != nil {
		return nil, opError("listen", network, asked(network, address), err)
	}
	return c, nil
}

// Dial connects: over "tcp" in a round trip, over "udp" at once. Without an earlier deadline it gives up after
// [host.DefaultDialTimeout].
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return h.DialFrom(ctx, netip.Addr{}, network, address)
}

// DialFrom is Dial from an address of the host's (host.SourceDialer).
func (h *Host) DialFrom(ctx context.Context, from netip.Addr, network, address string) (net.Conn, error) {
	remote, err := parse(network, address)
	if err != nil {
		return nil, opError("dial", network, nil, err)
	}
	h.net.use()
	defer h.net.settle()
	var first error
	for _, to := range remote.dialled() {
		c, err := h.dial(ctx, from, network, to)
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = opError("dial", network, netAddr(network, to), err)
		}
	}
	return nil, first
}

func (h *Host) dial(ctx context.Context, from netip.Addr, network string, to netip.AddrPort) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, ctxError(err)
	}
	switch picked, err := h.toward(to.Addr()); {
	case err != nil:
		return nil, err
	case !from.IsValid(), from.IsUnspecified():
		from = picked
	case from.IsLoopback() && !to.Addr().IsLoopback():
		return nil, os.NewSyscallError("connect", syscall.EINVAL)
	case !h.has(from) || from.Is4() != to.Addr().Is4():
		return nil, os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)
	}
	if isUDP(network) {
		c, err := h.connect(from, to)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	s, err := h.dialStream(ctx, from, to)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// toward says from which address a peer is reached, or ENETUNREACH.
func (h *Host) toward(to netip.Addr) (from netip.Addr, err error) {
	from = h.source(to)
	if !from.IsValid() || to.IsMulticast() || to.IsUnspecified() {
		return netip.Addr{}, syscall.ENETUNREACH
	}
	if to.IsLoopback() {
		return from, nil
	}
	if _, _, ok := h.route(to); !ok {
		return netip.Addr{}, syscall.ENETUNREACH
	}
	return from, nil
}

// mss is the largest payload of a segment to a peer: what the narrowest link on the path takes.
func (h *Host) mss(to netip.Addr) int {
	least := maxPacket
	if d, _, _ := h.route(to); d != nil {
		least = d.largest()
		at := d.to
		for range firstTTL {
			next, here, ok := at.route(to)
			if here && at.inner != nil {
				next, _, ok = at.inner.outside.route(to)
			}
			if !ok || next == nil {
				break
			}
			least = min(least, next.largest())
			at = next.to
		}
	}
	return least - header(to) - 20
}

// dialTimeout bounds a Dial whose context has no earlier end.
const dialTimeout time.Duration = host.DefaultDialTimeout
