package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// OSOptions are the settings of the operating system's own sockets. The zero value is fit for use.
type OSOptions struct {
	// Inherited are sockets that were opened before this process began, as systemd hands them over
	// (sd_listen_fds(3): descriptors 3 and up). Listen and ListenPacket hand out the one that is bound to the
	// address asked for, instead of opening another. The OS host owns them.
	Inherited []*os.File
	// DialTimeout bounds Dial where its context has no earlier deadline; zero means [DefaultDialTimeout].
	DialTimeout time.Duration
	// Local is the address that Dial binds before it connects; the zero AddrPort leaves that to the system.
	Local netip.AddrPort
}

// DefaultDialTimeout is the longest that [OS.Dial] waits for a connection.
const DefaultDialTimeout = 30 * time.Second

// OS is the operating system's network. It is safe for concurrent use.
type OS struct {
	dialer net.Dialer
	local  netip.AddrPort

	mu        sync.Mutex
	inherited []*os.File
}

var (
	_ Host         = (*OS)(nil)
	_ PacketSharer = (*OS)(nil)
	_ SourceDialer = (*OS)(nil)
)

// NewOS returns the operating system's network.
func NewOS(opts OSOptions) *OS {
	if opts.DialTimeout == 0 {
		opts.DialTimeout = DefaultDialTimeout
	}
	return &OS{dialer: net.Dialer{Timeout: opts.DialTimeout}, local: opts.Local, inherited: opts.Inherited}
}

// Listen opens a TCP or Unix listener, or hands out an inherited one.
func (o *OS) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	if l, err := o.inheritedListener(network, address); l != nil || err != nil {
		return l, err
	}
	var config net.ListenConfig
	return config.Listen(ctx, network, address)
}

// ListenPacket opens a UDP socket, or hands out an inherited one.
func (o *OS) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	if c, err := o.inheritedPacket(network, address); c != nil || err != nil {
		return c, err
	}
	var config net.ListenConfig
	return config.ListenPacket(ctx, network, address)
}

// ListenPackets opens n UDP sockets on one address that share its datagrams by flow. Where an inherited socket is
// bound to the address, that one alone is handed out, since it was opened without SO_REUSEPORT.
//
// An address that another process holds is refused even when that process allows sharing: a first socket without
// SO_REUSEPORT is tried before, so that two instances never split one service's questions between them.
func (o *OS) ListenPackets(ctx context.Context, network, address string, n int) ([]net.PacketConn, error) {
	if c, err := o.inheritedPacket(network, address); err != nil {
		return nil, err
	} else if c != nil {
		return []net.PacketConn{c}, nil
	}
	if n < 2 || reusePort == nil {
		c, err := o.ListenPacket(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return []net.PacketConn{c}, nil
	}
	bound, err := probe(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return listenShared(ctx, network, bound, n)
}

// probe binds the address alone and lets it go; it returns the address with its port known.
func probe(ctx context.Context, network, address string) (string, error) {
	var config net.ListenConfig
	c, err := config.ListenPacket(ctx, network, address)
	if err != nil {
		return "", err
	}
	bound := c.LocalAddr().String()
	return bound, c.Close()
}

func listenShared(ctx context.Context, network, address string, n int) ([]net.PacketConn, error) {
	config := net.ListenConfig{Control: reusePort}
	conns := make([]net.PacketConn, 0, n)
	for range n {
		c, err := config.ListenPacket(ctx, network, address)
		if err != nil {
			for _, open := range conns {
				err = errors.Join(err, open.Close())
			}
			return nil, err
		}
		conns = append(conns, c)
	}
	return conns, nil
}

// Dial connects, bounded by the context and by OSOptions.DialTimeout.
func (o *OS) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return o.dial(ctx, o.local, network, address)
}

// DialFrom implements [SourceDialer]. OSOptions.Local does not count then.
func (o *OS) DialFrom(ctx context.Context, from netip.Addr, network, address string) (net.Conn, error) {
	return o.dial(ctx, netip.AddrPortFrom(from, 0), network, address)
}

func (o *OS) dial(ctx context.Context, local netip.AddrPort, network, address string) (net.Conn, error) {
	d := o.dialer
	switch {
	case !local.IsValid():
	case strings.HasPrefix(network, "udp"):
		d.LocalAddr = net.UDPAddrFromAddrPort(local)
	default:
		d.LocalAddr = net.TCPAddrFromAddrPort(local)
	}
	return d.DialContext(ctx, network, address)
}

// Close lets go of the inherited sockets. What was handed out stays open: whoever took it closes it.
func (o *OS) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var errs []error
	for _, f := range o.inherited {
		errs = append(errs, f.Close())
	}
	o.inherited = nil
	return errors.Join(errs...)
}

func (o *OS) inheritedListener(network, address string) (net.Listener, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range o.inherited {
		l, err := net.FileListener(f) // a copy of the descriptor: f stays, for the next start of the service
		if err != nil {
			continue // a datagram socket
		}
		if sameSocket(l.Addr(), network, address) {
			return l, nil
		}
		if err := closeCopy(l, f); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (o *OS) inheritedPacket(network, address string) (net.PacketConn, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range o.inherited {
		c, err := net.FilePacketConn(f)
		if err != nil {
			continue // a stream socket
		}
		if sameSocket(c.LocalAddr(), network, address) {
			return c, nil
		}
		if err := closeCopy(c, f); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// closeCopy closes one copy of an inherited socket, with the name of the socket in the error.
func closeCopy(c interface{ Close() error }, f *os.File) error {
	if u, ok := c.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // the path belongs to whoever opened the socket
	}
	if err := c.Close(); err != nil {
		return fmt.Errorf("close a copy of the inherited socket %s: %w", f.Name(), err)
	}
	return nil
}

// sameSocket says whether a socket bound to have is the one that network and address ask for.
func sameSocket(have net.Addr, network, address string) bool {
	switch have := have.(type) {
	case *net.TCPAddr:
		want, err := net.ResolveTCPAddr(network, address)
		return err == nil && same(have.AddrPort(), want.AddrPort())
	case *net.UDPAddr:
		want, err := net.ResolveUDPAddr(network, address)
		return err == nil && same(have.AddrPort(), want.AddrPort())
	case *net.UnixAddr:
		return network == have.Net && address == have.Name
	}
	return false
}

// same compares addresses whatever form an IPv4 address has.
func same(a, b netip.AddrPort) bool {
	return a.Port() == b.Port() && a.Addr().Unmap() == b.Addr().Unmap()
}
