package config

import (
	"net/netip"
	"strings"
	"unicode"
)

// MaxDomain is the greatest length of the domain, in bytes. A name has 253
// (RFC 1035 section 3.1), less what the domain's own names put before it.
const MaxDomain = 200

const maxLabel = 63 // RFC 1035 section 2.3.4

// parseDomain reads a domain name of letters, digits and hyphens (RFC 1123
// section 2.1), and returns it in lower case without the dot at its end.
func parseDomain(s string) (string, *fault) {
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	if strings.Contains(name, "://") || strings.Contains(name, "/") {
		_, rest, found := strings.Cut(name, "://")
		if !found {
			rest = name
		}
		rest, _, _ = strings.Cut(rest, "/")
		return "", faultf(didYouMean(rest), "%s is a web address, not a domain name", quote(s))
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return "", faultf("addresses stand in the list of address", "%s is an address, not a domain name", quote(s))
	}
	if name == "" {
		return "", faultf("", "the domain is empty")
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if f := checkLabel(label, s); f != nil {
			return "", f
		}
	}
	switch {
	case len(name) > MaxDomain:
		return "", faultf("", "a domain name has at most %d characters here, this one has %d", MaxDomain, len(name))
	case len(labels) == 1:
		return "", faultf(didYouMean(name+".test"), "%s is a top-level domain, not a domain of one's own", quote(s))
	case strings.Trim(labels[len(labels)-1], "0123456789") == "":
		return "", faultf("", "the last part of a domain name is not a number, unlike %s", quote(s))
	}
	return name, nil
}

func checkLabel(label, domain string) *fault {
	switch {
	case label == "":
		return faultf("", "%s has an empty part: a domain name has characters on both sides of each dot", quote(domain))
	case len(label) > maxLabel:
		return faultf("", "each part of a domain name has at most %d characters, %s has %d", maxLabel, quote(label), len(label))
	case strings.HasPrefix(label, "-"), strings.HasSuffix(label, "-"):
		return faultf("", "a part of a domain name neither begins nor ends with a hyphen, unlike %s", quote(label))
	}
	for _, r := range label {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
		case r > unicode.MaxASCII:
			return faultf("write the name in its xn-- form (RFC 5891)", "a domain name is written in ASCII: %s is not", quote(label))
		case r == '_':
			return faultf("", "a domain that has hosts cannot hold an underscore, unlike %s", quote(label))
		case r == '*':
			return faultf("wildcards go into a zone file: zone-file in [dns]", "%s is a pattern, not a domain name", quote(domain))
		default:
			return faultf("", "a domain name cannot hold %s", quote(string(r)))
		}
	}
	return nil
}

// parseAddress reads an IPv4 or IPv6 address that a machine can have.
func parseAddress(s string) (netip.Addr, *fault) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return a, badAddress(s)
	}
	switch {
	case a.Zone() != "":
		return a, faultf("", "%s has a zone, which means nothing to other machines", quote(s))
	case a.Is4In6():
		return a, faultf(didYouMean(a.Unmap().String()), "%s is an IPv4 address in the form of an IPv6 one", quote(s))
	case a.IsMulticast():
		return a, faultf("", "%s is a multicast address, which no machine has for its own", quote(s))
	case a.IsLinkLocalUnicast() && a.Is6():
		return a, faultf("", "%s is a link-local address, which differs from link to link", quote(s))
	case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return a, faultf("", "%s is the broadcast address, which no machine has for its own", quote(s))
	}
	return a, nil
}

// badAddress guesses what was meant by a text that is no address.
func badAddress(s string) *fault {
	hint := ""
	if _, err := netip.ParseAddrPort(s); err == nil {
		return faultf("give the address alone; ports are moved by port-offset", "%s is an address with a port", quote(s))
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return faultf(didYouMean(p.Addr().String()), "%s is a network, not an address", quote(s))
	}
	if a, err := netip.ParseAddr(strings.Trim(strings.TrimSpace(s), "[]")); err == nil {
		return faultf(didYouMean(a.String()), "%s is not an address", quote(s))
	}
	switch s {
	case "localhost":
		hint = didYouMean("127.0.0.1")
	case "*", "any", "all", "":
		hint = didYouMean("0.0.0.0")
	}
	return faultf(hint, "%s is not an IPv4 or IPv6 address", quote(s))
}

// parseNetwork reads a range of addresses, RFC 4632 section 3.1.
func parseNetwork(s string) (netip.Prefix, *fault) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			one := netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
			return p, faultf(didYouMean(one.String()), "%s is an address, not a network", quote(s))
		}
		return p, faultf("", "%s is not a network such as 127.0.0.0/8 or fd00::/8", quote(s))
	}
	switch {
	case p.Addr().Is4In6():
		return p, faultf("", "%s is an IPv4 network in the form of an IPv6 one", quote(s))
	case p.Masked() != p:
		return p, faultf(didYouMean(p.Masked().String()), "%s is an address within a network, not a network", quote(s))
	}
	return p, nil
}

// parsePath reads the path of a file or folder.
func parsePath(s string) (string, *fault) {
	switch {
	case s == "":
		return "", faultf("leave the key out", "the path is empty")
	case s == "~", strings.HasPrefix(s, "~/"):
		return "", faultf("write the path in full, or relative to the folder of utopia.toml", "~ is not understood in a path")
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", faultf("", "a path cannot hold control characters")
	case strings.TrimSpace(s) != s:
		return "", faultf(didYouMean(strings.TrimSpace(s)), "the path begins or ends with a blank")
	}
	return s, nil
}
