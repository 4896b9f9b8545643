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

// The limits of what is read of it; the file's own readers have the same for servers.
const (
	maxResolvConf = 64 << 10
	maxResolvers  = 3
)

// systemServers are the name servers of this machine: those of resolv.conf or, where it names none, the machine
// itself.
func systemServers() []string {
	var servers []string
	if f, err := os.Open(resolvConf); err == nil {
		servers = readResolvConf(f)
		f.Close() // it was only read
	}
	if len(servers) == 0 {
		return []string{"127.0.0.1"}
	}
	return servers
}

// readResolvConf gives the addresses of the nameserver lines. Lines that it does not know are for others.
func readResolvConf(r io.Reader) []string {
	var servers []string
	lines := bufio.NewScanner(io.LimitReader(r, maxResolvConf))
	for lines.Scan() && len(servers) < maxResolvers {
		words := strings.Fields(lines.Text())
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		if addr, err := netip.ParseAddr(words[1]); err == nil {
			servers = append(servers, addr.String())
		}
	}
	return servers
}
