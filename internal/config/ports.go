package config

import "fmt"

// Port is a standard port of a service.
type Port struct {
	Section string // the section that enables it
	Name    string // the service, in words
	Number  int    // without the offset
}

// maxPort is the greatest port that TCP and UDP have.
const maxPort = 65535

// StandardPorts returns the standard ports of all services, by number.
func StandardPorts() []Port {
	return []Port{
		{"ftp", "FTP active data", 20},
		{"ftp", "FTP control", 21},
		{"mail", "SMTP", 25},
		{"dns", "DNS", 53},
		{"web", "HTTP", 80},
		{"mail", "POP3", 110},
		{"mail", "IMAP", 143},
		{"web", "HTTPS", 443},
		{"mail", "submission with TLS", 465},
		{"mail", "submission", 587},
		{"console", "console", 800},
		{"dns", "DNS over TLS and QUIC", 853},
		{"ftp", "FTP with TLS", 990},
		{"mail", "IMAP with TLS", 993},
		{"mail", "POP3 with TLS", 995},
		{"web", "caching forward proxy", 3128},
		{"p2p", "BitTorrent peer", 6881},
		{"p2p", "tracker", 6969},
		{"p2p", "ring", 7000},
		{"socket", "upper-case socket service", 12000},
	}
}

// Enabled tells whether the service of that section runs. Sections without a
// switch do.
func (c *Config) Enabled(section string) bool {
	switch section {
	case "dns":
		return c.DNS.Enabled
	case "web":
		return c.Web.Enabled
	case "mail":
		return c.Mail.Enabled
	case "ftp":
		return c.FTP.Enabled
	case "p2p":
		return c.P2P.Enabled
	case "socket":
		return c.Socket.Enabled
	case "console":
		return c.Console.Enabled
	}
	return true
}

// ports checks that the offset leaves every port within what TCP and UDP have.
// Two services cannot meet on one port: all move by the same offset.
func (c *checker) ports() {
	if c.PortOffset == nil {
		return
	}
	highest := Port{}
	for _, p := range StandardPorts() {
		if c.Enabled(p.Section) && p.Number > highest.Number {
			highest = p
		}
	}
	if at := highest.Number + *c.PortOffset; at > maxPort {
		c.fail("port-offset", fmt.Sprintf("the greatest offset here is %d", maxPort-highest.Number),
			"port-offset %d would move the %s from port %d to %d, and ports end at %d",
			*c.PortOffset, highest.Name, highest.Number, at, maxPort)
	}
}
