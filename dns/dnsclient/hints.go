package dnsclient

import (
	_ "embed"
	"net/netip"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

//go:embed named.root
var namedRoot string

// RootHints gives the root servers with their addresses, as the well-known
// file named.root names them, to begin an iteration with.
func RootHints() []NameServer {
	var servers []NameServer
	for line := range strings.Lines(namedRoot) {
		if strings.HasPrefix(line, ";") {
			continue
		}
		rr, err := dns.ParseRR(line, dns.Root, 0)
		if err != nil {
			continue // the tests see to it that there is none
		}
		if target, ok := rr.Target(); ok {
			servers = append(servers, NameServer{Name: target})
		}
		servers = withAddress(servers, rr)
	}
	return servers
}

// NameServer is a name server with its addresses, as far as they are known.
type NameServer struct {
	Name  dns.Name
	Addrs []netip.Addr
}

// withAddress gives an address record to the server of its name.
func withAddress(servers []NameServer, rr dns.RR) []NameServer {
	addr, ok := rr.Addr()
	for i := range servers {
		if ok && servers[i].Name.Equal(rr.Name) {
			servers[i].Addrs = append(servers[i].Addrs, addr)
		}
	}
	return servers
}
