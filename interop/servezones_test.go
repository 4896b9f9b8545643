package interop

import (
	"context"
	"net/netip"
	"testing"

	"github.com/network-utopia/utopia/dns/authority"
	"github.com/network-utopia/utopia/dns/dnsserver"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/host"
	servers "github.com/network-utopia/utopia/internal/foreign"
)

// serveZones runs our own server with zones.
func serveZones(t *testing.T, zones ...*zone.Zone) netip.AddrPort {
	t.Helper()
	set, err := zone.NewSet(zones...)
	if err != nil {
		t.Fatal(err)
	}
	server, err := dnsserver.New(dnsserver.Options{
		Handler: dnsserver.HandlerFunc(func(dst, query []byte, from dnsserver.Client) []byte {
			return authority.Respond(set, dst, query, from.MaxUDP)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	at, err := servers.FreeAddress(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	system := host.NewOS(host.OSOptions{})
	udp, err := system.ListenPacket(t.Context(), "udp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := system.Listen(t.Context(), "tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.ServePacket(udp) }()
	go func() { _ = server.Serve(tcp) }()
	t.Cleanup(func() {
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return at
}
