package zone

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

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
			ttl, err := parseTTL(string(w))
			return ttl, err == nil
		}
		v = v*10 + uint32(c-'0')
	}
	return v, true
}

// parseTTL reads seconds, or numbers with the units w, d, h, m and s.
func parseTTL(s string) (uint32, error) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, fmt.Errorf("%q is no time", shorten(s, 40))
	}
	var total uint64
	for rest := s; rest != ""; {
		n := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if n < 0 {
			n = len(rest)
		}
		v, err := strconv.ParseUint(rest[:n], 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%q is no time in seconds, nor as in 1h30m", shorten(s, 40))
		}
		rest = rest[n:]
		unit := uint64(1)
		if rest != "" {
			if unit = seconds(rest[0]); unit == 0 {
				return 0, fmt.Errorf("%q is no time in seconds, nor as in 1h30m", shorten(s, 40))
			}
			rest = rest[1:]
		}
		if total += v * unit; total > dns.MaxTTL {
			return 0, fmt.Errorf("%q is more than %d seconds", shorten(s, 40), dns.MaxTTL)
		}
	}
	return uint32(total), nil
}

func seconds(unit byte) uint64 {
	switch unit | 0x20 {
	case 's':
		return 1
	case 'm':
		return 60
	case 'h':
		return 3600
	case 'd':
		return 86400
	case 'w':
		return 604800
	}
	return 0
}
