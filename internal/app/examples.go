package app

import (
	"fmt"
	"net"
	"strconv"
)

// Examples are commands that show what runs here, for somebody who sees it for the first time and calls this program by
// the name given.
func (a *App) Examples(program string) []string {
	cfg := a.config.Load()
	address := cfg.Address[0].String()
	if cfg.Address[0].IsUnspecified() {
		address = "127.0.0.1"
	}
	record := "A"
	if cfg.PublicAddresses()[0].Is6() {
		record = "AAAA"
	}
	at := func(standard uint16) string { return net.JoinHostPort(address, strconv.Itoa(int(port(cfg, standard)))) }
	var lines []string
	for _, e := range []struct{ service, line string }{
		{dnsName, fmt.Sprintf("dig @%s -p %d www.%s %s +short", address, port(cfg, 53), cfg.Domain, record)},
		{webName, fmt.Sprintf("curl -s http://%s/ -H 'Host: www.%s'", at(80), cfg.Domain)},
		{socketName, "echo hello | " + program + " upper " + at(12000)},
	} {
		if a.up(e.service) {
			lines = append(lines, e.line)
		}
	}
	return append(lines, program+" trace")
}
