package main

import (
	"bufio"
	"io"
	"net/netip"
	"os"
	"strings"
)

// resolvConf is where Unix systems say which name servers they ask (resolv.conf(5)).
const resolvConf = "/etc/resolv.conf"

// The limits of what is read of it; the file's own readers have the same for servers and domains.
const (
	maxResolvConf = 64 << 10
	maxResolvers  = 3
	maxSearch     = 6
)

// resolvers are how this machine asks.
type resolvers struct {
	servers []string
	search  []string // domains to complete a name by
}

// systemResolvers are those of resolv.conf or, where it names none, the machine itself.
func systemResolvers() resolvers {
	var r resolvers
	if f, err := os.Open(resolvConf); err == nil {
		r = readResolvConf(f)
		f.Close() // it was only read
	}
	if len(r.servers) == 0 {
		r.servers = []string{"127.0.0.1"}
	}
	return r
}

// readResolvConf gives the addresses of the nameserver lines, and the domains of the last search or domain line.
// Lines that it does not know are for others.
func readResolvConf(from io.Reader) resolvers {
	var r resolvers
	lines := bufio.NewScanner(io.LimitReader(from, maxResolvConf))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			if addr, err := netip.ParseAddr(words[1]); err == nil && len(r.servers) < maxResolvers {
				r.servers = append(r.servers, addr.String())
			}
		case "search":
			r.search = words[1:min(len(words), 1+maxSearch)]
		case "domain":
			r.search = words[1:2]
		}
	}
	return r
}
