package emunet

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/network-utopia/utopia/host"
)

// The limits of a datagram socket.
const (
	receiveBufferUDP = 208 << 10 // octets that wait to be read, each datagram with overheadUDP more; the rest is dropped
	sendBufferUDP    = 208 << 10 // octets written at one moment; a writer waits for the next
	overheadUDP      = 256
)

// packetConn is a datagram socket, connected where peer is valid.
type packetConn struct {
	h     *Host
	id    uint64
	local place
	peer  netip.AddrPort

	readable sync.Cond
	readers  int
	writable sync.Cond
	writers  int
	closed   bool
	failed   error // an ICMP error of a connected socket, told once
	deadline limit // of reads
	writeBy  limit
	timer    sleeper

	received []datagram
	held     int
	outgoing []datagram
	sending  int // octets of outgoing
	queued   bool
}

// datagram is one that came, or is about to go.
type datagram struct {
	data     []byte
	from, to netip.AddrPort
}

var (
	_ host.AddressedPacketConn = (*packetConn)(nil)
	_ net.Conn                 = (*packetConn)(nil)
)

func (h *Host) listenPacket(ctx context.Context, network, address string) (*packetConn, error) {
	if !isUDP(network) {
		return nil, net.UnknownNetworkError(network)
	}
	l, err := h.bind(ctx, network, address, h.takenUDP)
	if err != nil {
		return nil, err
	}
	return h.newPacketConn(l, netip.AddrPort{})
}

func (h *Host) takenUDP(l place) bool {
	return slices.ContainsFunc(h.sockets[l.port], func(c *packetConn) bool { return c.local.clashes(l) })
}

// connect is Dial for datagrams.
func (h *Host) connect(from netip.Addr, to netip.AddrPort) (*packetConn, error) {
	l := place{addr: from}
	port, ok := h.pick(func(port uint16) bool { return !h.takenUDP(place{addr: from, port: port}) })
	if !ok {
		return nil, syscall.EAGAIN
	}
	l.port = port
	return h.newPacketConn(l, to)
}

func (h *Host) newPacketConn(l place, peer netip.AddrPort) (*packetConn, error) {
	id, err := h.admit()
	if err != nil {
		return nil, err
	}
	c := &packetConn{h: h, id: id, local: l, peer: peer}
	c.readable.L, c.writable.L = &h.net.mu, &h.net.mu
	h.sockets[l.port] = append(h.sockets[l.port], c)
	return c, nil
}

func (c *packetConn) order() rank { return rank{0, c.local.addrPort(), c.peer} }

// arrived takes a datagram, if there is room.
func (c *packetConn) arrived(p *packet) {
	if c.held+len(p.data)+overheadUDP > receiveBufferUDP {
		return
	}
	c.held += len(p.data) + overheadUDP
	c.received = append(c.received, datagram{p.data, p.src, p.dst})
	c.h.net.broadcast(&c.readable, c.readers)
}

// told hears of an ICMP error. Only a connected socket learns of it, as on Linux.
func (c *packetConn) told(err error) {
	if c.peer.IsValid() {
		c.failed = err
		c.h.net.broadcast(&c.readable, c.readers)
	}
}

// happen wakes readers whose deadline has come.
func (c *packetConn) happen(now Time) {
	c.timer.fired(now)
	if c.deadline.passed(now) {
		c.h.net.broadcast(&c.readable, c.readers)
	}
	c.sleep()
}

// sleep has the socket called when a reader's deadline comes.
func (c *packetConn) sleep() {
	if c.readers > 0 && c.deadline.at > 0 && !c.deadline.passed(c.h.net.clock()) {
		c.timer.until(c.h.net, c.deadline.at, keySocket|c.id, c)
	}
}

// receive waits for a datagram.
func (c *packetConn) receive() (datagram, error) {
	for {
		switch {
		case c.closed:
			return datagram{}, net.ErrClosed
		case c.deadline.passed(c.h.net.clock()):
			return datagram{}, os.ErrDeadlineExceeded
		case c.failed != nil:
			err := c.failed
			c.failed = nil
			return datagram{}, err
		case len(c.received) > 0:
			d := c.received[0]
			c.received[0] = datagram{}
			c.received = c.received[1:]
			c.held -= len(d.data) + overheadUDP
			return d, nil
		}
		c.readers++
		c.sleep()
		c.h.net.arm(c.h.net.clock())
		c.readable.Wait()
		c.readers--
	}
}

// ReadAddressed reads a datagram, and tells where it came from and which address of the host it was sent to.
func (c *packetConn) ReadAddressed(p []byte) (n int, from, to netip.AddrPort, err error) {
	c.h.net.use()
	defer c.h.net.settle()
	d, err := c.receive()
	if err != nil {
		return 0, netip.AddrPort{}, netip.AddrPort{}, c.opError("read", netip.AddrPort{}, err)
	}
	return copy(p, d.data), d.from, d.to, nil
}

// ReadFrom reads a datagram; what p has no room for is lost.
func (c *packetConn) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, _, err := c.ReadAddressed(p)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// ReadFromUDPAddrPort is that of *net.UDPConn.
func (c *packetConn) ReadFromUDPAddrPort(p []byte) (int, netip.AddrPort, error) {
	n, from, _, err := c.ReadAddressed(p)
	return n, from, err
}

// Read reads a datagram of any sender, or of the one that was dialled. To read nothing takes none, as in package net.
func (c *packetConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		c.h.net.mu.Lock()
		defer c.h.net.mu.Unlock()
		if c.closed {
			return 0, c.opError("read", netip.AddrPort{}, net.ErrClosed)
		}
		return 0, nil
	}
	n, _, _, err := c.ReadAddressed(p)
	return n, err
}

// WriteAddressed sends a datagram from an address of the host.
func (c *packetConn) WriteAddressed(p []byte, from, to netip.AddrPort) (int, error) {
	c.h.net.use()
	defer c.h.net.settle()
	at := netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if at.Addr().IsUnspecified() {
		at = place{addr: at.Addr(), port: at.Port()}.dialled()[0]
	}
	if err := c.write(p, from.Addr(), at); err != nil {
		return 0, c.opError("write", to, err)
	}
	return len(p), nil
}

func (c *packetConn) write(p []byte, from netip.Addr, to netip.AddrPort) error {
	switch {
	case c.closed:
		return net.ErrClosed
	case c.writeBy.passed(c.h.net.clock()):
		return os.ErrDeadlineExceeded
	case c.failed != nil:
		err := c.failed
		c.failed = nil
		return err
	case !to.IsValid() || to.Port() == 0 && !c.peer.IsValid() || from.IsValid() && !c.h.has(from):
		return syscall.EINVAL
	case len(p)+header(to.Addr())+headerUDP > maxPacket:
		return syscall.EMSGSIZE
	}
	route, err := c.h.toward(to.Addr())
	if err != nil {
		return err
	}
	if !from.IsValid() || from.IsUnspecified() {
		from = route
	}
	if from.Is4() != to.Addr().Is4() {
		return syscall.EINVAL
	}
	if !c.await(len(p) + overheadUDP) {
		return net.ErrClosed
	}
	c.outgoing = append(c.outgoing, datagram{slices.Clone(p), netip.AddrPortFrom(from, c.local.port), to})
	if !c.queued {
		c.queued = true
		c.h.sends(c)
	}
	return nil
}

// await waits until there is room for what is written; false where the socket was closed meanwhile.
func (c *packetConn) await(octets int) bool {
	for c.sending > 0 && c.sending+octets > sendBufferUDP && !c.closed {
		c.writers++
		c.h.net.arm(c.h.net.clock())
		c.writable.Wait()
		c.writers--
	}
	c.sending += octets
	return !c.closed
}

// flush sends what was written.
func (c *packetConn) flush(now Time) {
	c.queued, c.sending = false, 0
	c.h.net.broadcast(&c.writable, c.writers)
	for i, d := range c.outgoing {
		p := c.h.net.newPacket()
		p.src, p.dst, p.proto, p.data = d.from, d.to, udpIP, d.data
		p.size = header(d.to.Addr()) + headerUDP + len(d.data)
		c.outgoing[i] = datagram{}
		c.h.originate(p, now)
	}
	c.outgoing = c.outgoing[:0]
}

// WriteTo sends a datagram. One that was dialled writes to its peer alone.
func (c *packetConn) WriteTo(p []byte, to net.Addr) (int, error) {
	return c.WriteToUDPAddrPort(p, host.AddrPort(to))
}

// WriteToUDPAddrPort is that of *net.UDPConn.
func (c *packetConn) WriteToUDPAddrPort(p []byte, to netip.AddrPort) (int, error) {
	if c.peer.IsValid() {
		return 0, c.opError("write", to, net.ErrWriteToConnected)
	}
	return c.WriteAddressed(p, c.local.addrPort(), to)
}

// Write sends a datagram to the peer that was dialled.
func (c *packetConn) Write(p []byte) (int, error) {
	if !c.peer.IsValid() {
		return 0, c.opError("write", netip.AddrPort{}, syscall.EDESTADDRREQ)
	}
	return c.WriteAddressed(p, c.local.addrPort(), c.peer)
}

func (c *packetConn) opError(op string, to netip.AddrPort, err error) error {
	if !to.IsValid() {
		to = c.peer
	}
	failed := opError(op, "udp", netAddr("udp", to), err)
	failed.Source = c.LocalAddr()
	return failed
}

// Close closes the socket; what was written is sent.
func (c *packetConn) Close() error {
	c.h.net.use()
	defer c.h.net.settle()
	if c.closed {
		return c.opError("close", netip.AddrPort{}, net.ErrClosed)
	}
	c.vanish()
	same := slices.DeleteFunc(c.h.sockets[c.local.port], func(o *packetConn) bool { return o == c })
	if c.h.sockets[c.local.port] = same; len(same) == 0 {
		delete(c.h.sockets, c.local.port)
	}
	c.h.open--
	return nil
}

func (c *packetConn) vanish() {
	c.closed = true
	c.received, c.held = nil, 0
	c.h.net.broadcast(&c.readable, c.readers)
	c.h.net.broadcast(&c.writable, c.writers)
}

// LocalAddr is where the socket is bound, a *net.UDPAddr.
func (c *packetConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.local.addrPort()) }

// RemoteAddr is the peer that was dialled; nil for none.
func (c *packetConn) RemoteAddr() net.Addr { return netAddr("udp", c.peer) }

// SetDeadline sets both deadlines.
func (c *packetConn) SetDeadline(t time.Time) error {
	return c.deadlines(func(at limit) { c.deadline, c.writeBy = at, at }, t)
}

// SetReadDeadline ends reads that wait at t.
func (c *packetConn) SetReadDeadline(t time.Time) error {
	return c.deadlines(func(at limit) { c.deadline = at }, t)
}

// SetWriteDeadline has writes after t fail.
func (c *packetConn) SetWriteDeadline(t time.Time) error {
	return c.deadlines(func(at limit) { c.writeBy = at }, t)
}

func (c *packetConn) deadlines(set func(limit), t time.Time) error {
	c.h.net.use()
	defer c.h.net.settle()
	if c.closed {
		return opError("set", "udp", c.LocalAddr(), net.ErrClosed)
	}
	set(c.h.net.limit(t))
	if c.deadline.passed(c.h.net.clock()) {
		c.h.net.broadcast(&c.readable, c.readers)
	}
	c.sleep()
	return nil
}
