// Package dnsservertest runs name servers (RFC 1034, RFC 1035) for tests, on any
// host.Host: this machine, or a host of an emulated internet.
package dnsservertest

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/authority"
	"github.com/network-utopia/utopia/dns/dnsserver"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/host"
)

// Patience is how long a server has to end with its test.
const Patience = 5 * time.Second

// tries is how often a free port is looked for.
const tries = 20

// Open opens a listener of TCP and a socket of UDP on one port, which may be 0 for
// any that is free for both. Whoever serves on them closes them.
func Open(t testing.TB, h host.Host, address string) (net.Listener, net.PacketConn) {
	t.Helper()
	for range tries {
		l, err := h.Listen(context.Background(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		pc, err := h.ListenPacket(context.Background(), "udp", withPort(address, l))
		if err == nil {
			return l, pc
		}
		_ = l.Close() // nobody has called
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
	t.Fatalf("no port of %s is free for both UDP and TCP", address)
	return nil, nil
}

// withPort gives an address the port of a listener.
func withPort(address string, l net.Listener) string {
	name, _, _ := net.SplitHostPort(address) // it is listened on
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return net.JoinHostPort(name, port)
}

// Serve runs a name server on an address, over UDP and TCP, until the test ends,
// and gives the address with its port; an unspecified address is given as it is.
// The test fails where the server does not end well, within Patience.
func Serve(t testing.TB, h host.Host, address string, opts dnsserver.Options) netip.AddrPort {
	t.Helper()
	server, err := dnsserver.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	l, pc := Open(t, h, address)
	ended := make(chan error, 2)
	go func() { ended <- server.ServePacket(pc) }()
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		for range cap(ended) {
			if err := <-ended; !errors.Is(err, dnsserver.ErrServerClosed) {
				t.Error(err)
			}
		}
	})
	return host.AddrPort(l.Addr())
}

// Zones answers from zones, as an authoritative server without any options.
func Zones(t testing.TB, zones ...*zone.Zone) dnsserver.Handler {
	t.Helper()
	set, err := zone.NewSet(zones...)
	if err != nil {
		t.Fatal(err)
	}
	return dnsserver.HandlerFunc(func(dst, query []byte, from dnsserver.Client) []byte {
		return authority.Respond(set, dst, query, from.MaxUDP)
	})
}

// Load reads the zone of a name from the text of a master file (RFC 1035 section
// 5).
func Load(t testing.TB, origin, master string) *zone.Zone {
	t.Helper()
	z, _, err := zone.Load(strings.NewReader(master), zone.ReadOptions{Origin: dns.MustParseName(origin)})
	if err != nil {
		t.Fatal(err)
	}
	return z
}
