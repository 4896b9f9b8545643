package websvc

import "fmt"

// Record is a DNS record of the domain that leads clients to the service.
type Record struct {
	Name string // within the domain; "@" for the domain itself
	Type string
	Data string // in presentation form
}

// hosts are the names that the site is served at, within the domain.
func hosts() []string { return []string{"@", "www"} }

// Hosts are the names whose addresses are those of the service.
func Hosts() []string { return hosts() }

// Records are what clients may know of the service beside its addresses: that
// it speaks HTTP/2 over TLS (RFC 9460 section 9.1). For the standard port that
// makes browsers go to HTTPS at once (section 9.5), also those that trust no
// certificate of a local authority; so it is said there only where HTTP leads to
// HTTPS anyway.
func Records(httpsPort uint16, redirect bool) []Record {
	var all []Record
	for _, host := range hosts() {
		switch {
		case httpsPort != StandardHTTPSPort:
			// The name of a port that is not the standard one stands before the host's (section 2.3), and "." would be that.
			name, target := fmt.Sprintf("_%d._https", httpsPort), host
			if host != "@" {
				name += "." + host
			}
			all = append(all, Record{name, "HTTPS", "1 " + target + " alpn=h2"})
		case redirect:
			all = append(all, Record{host, "HTTPS", "1 . alpn=h2"})
		}
	}
	return all
}
