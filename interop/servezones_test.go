package interop

import (
	"net/netip"
	"testing"

	"github.com/network-utopia/utopia/dns/dnsserver"
	"github.com/network-utopia/utopia/dns/dnsserver/dnsservertest"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/host"
)

// serveZones runs our own server with zones.
func serveZones(t *testing.T, zones ...*zone.Zone) netip.AddrPort {
	t.Helper()
	return dnsservertest.Serve(t, host.NewOS(host.OSOptions{}), "127.0.0.1:0", dnsserver.Options{Handler: dnsservertest.Zones(t, zones...)})
}
