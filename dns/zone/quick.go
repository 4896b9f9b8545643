package zone

import "github.com/network-utopia/utopia/dns"

// quickType reads the type of a record, the common ones without a search.
func quickType(w []byte) (dns.Type, bool) {
	switch string(w) {
	case "A":
		return dns.TypeA, true
	case "AAAA":
		return dns.TypeAAAA, true
	case "NS":
		return dns.TypeNS, true
	case "CNAME":
		return dns.TypeCNAME, true
	case "MX":
		return dns.TypeMX, true
	case "TXT":
		return dns.TypeTXT, true
	case "PTR":
		return dns.TypePTR, true
	case "SRV":
		return dns.TypeSRV, true
	case "DS":
		return dns.TypeDS, true
	case "RRSIG":
		return dns.TypeRRSIG, true
	case "NSEC":
		return dns.TypeNSEC, true
	case "NSEC3":
		return dns.TypeNSEC3, true
	}
	t, err := dns.ParseType(string(w))
	return t, err == nil
}

// quickClass reads a class. What cannot be one, as it begins with another
// letter than C, H, I, N or A or is a common type, costs nothing.
func quickClass(w []byte) (dns.Class, bool) {
	switch string(w) {
	case "IN":
		return dns.ClassIN, true
	case "A", "AAAA", "NS", "CNAME", "NSEC", "NSEC3":
		return 0, false
	}
	switch w[0] | 0x20 {
	case 'i', 'c', 'h', 'n', 'a':
		c, err := dns.ParseClass(string(w))
		return c, err == nil
	}
	return 0, false
}

// quickTTL reads a TTL, plain seconds without more ado.
func quickTTL(w []byte) (uint32, bool) {
	if w[0] < '0' || w[0] > '9' {
		return 0, false
	}
	var v uint32
	for _, c := range w {
		if c < '0' || c > '9' || len(w) > 9 {
			ttl, err := dns.ParseTTL(string(w))
			return ttl, err == nil
		}
		v = v*10 + uint32(c-'0')
	}
	return v, true
}
