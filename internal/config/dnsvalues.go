package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// dnsPort is the port of a server that is given without one.
const dnsPort = 53

// Server is another name server: where it is, and the key that messages to and
// from it are signed with.
type Server struct {
	Address netip.AddrPort // port 53 where the file gives none
	Key     string         // "" for none
}

// String gives the server as the file has it.
func (s Server) String() string {
	text := s.Address.String()
	if s.Address.Port() == dnsPort {
		text = s.Address.Addr().String()
	}
	return withKey(text, s.Key)
}

// Access says who may have something: the clients of a network, whoever has a
// key, or the clients of a network who have a key.
type Access struct {
	Network netip.Prefix // the zero Prefix: wherever the client is
	Key     string       // "": whether it has a key or not
}

// String gives the access as the file has it.
func (a Access) String() string {
	if !a.Network.IsValid() {
		return withKey("", a.Key)
	}
	return withKey(a.Network.String(), a.Key)
}

// Grant says which records the holder of a key may change.
type Grant struct {
	Key   string
	Names string   // "*", "@", a name within the zone, or "*." and one
	Types []string // in upper case; none for all
}

// String gives the grant as the file has it.
func (g Grant) String() string {
	text := withKey("", g.Key)
	if g.Names != "*" || len(g.Types) > 0 {
		text += " " + g.Names
	}
	return strings.Join(append([]string{text}, g.Types...), " ")
}

func withKey(text, key string) string {
	if key == "" {
		return text
	}
	return strings.TrimSpace(text + " key " + key)
}

// cutKey parts "… key NAME" into the words before it, and the name.
func cutKey(s string) (before []string, key string, bad *fault) {
	words := strings.Fields(s)
	i := slices.Index(words, "key")
	if i < 0 {
		return words, "", nil
	}
	if i+1 >= len(words) {
		return nil, "", faultf("write key and a name of [dns.keys]", "no name follows key in %s", quote(s))
	}
	if i+2 < len(words) {
		return nil, "", faultf("", "nothing may follow the name of the key in %s", quote(s))
	}
	key, bad = parseKeyName(words[i+1])
	return words[:i], key, bad
}

// parseServer reads "ADDRESS[:PORT] [key NAME]".
func parseServer(s string) (Server, *fault) {
	words, key, bad := cutKey(s)
	switch {
	case bad != nil:
		return Server{}, bad
	case len(words) != 1:
		return Server{}, faultf(`write an address, such as "192.0.2.1" or "192.0.2.1:8053 key transfer"`, "%s is no server", quote(s))
	}
	at, err := netip.ParseAddrPort(words[0])
	if err != nil {
		at = netip.AddrPortFrom(netip.Addr{}, dnsPort)
	}
	address := words[0]
	if inner, ok := strings.CutPrefix(address, "["); ok && strings.HasSuffix(inner, "]") {
		address = strings.TrimSuffix(inner, "]")
	}
	if err == nil {
		address = at.Addr().String()
	}
	a, bad := parseAddress(address)
	switch {
	case bad != nil && hostAndPort(words[0]):
		return Server{}, faultf("ports are 1 to 65535", "the port of %s is not one", quote(words[0]))
	case bad != nil:
		return Server{}, bad
	case a.IsUnspecified(), at.Port() == 0:
		return Server{}, faultf("", "%s is not where a server can be", quote(words[0]))
	}
	return Server{netip.AddrPortFrom(a, at.Port()), key}, nil
}

// hostAndPort tells whether a text is an address with a port that is wrong.
func hostAndPort(s string) bool {
	host, port, ok := strings.Cut(s, "]:")
	if !ok {
		host, port, ok = strings.Cut(s, ":")
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	_, number := strconv.ParseUint(port, 10, 16)
	return ok && err == nil && number != nil
}

// parseAccess reads "NETWORK", "key NAME" or "NETWORK key NAME". An address
// stands for the network of it alone.
func parseAccess(s string) (Access, *fault) {
	words, key, bad := cutKey(s)
	switch {
	case bad != nil:
		return Access{}, bad
	case len(words) == 0 && key != "":
		return Access{Key: key}, nil
	case len(words) != 1:
		return Access{}, faultf(`write a network, such as "192.0.2.0/24", or "key transfer"`, "%s is neither a network nor a key", quote(s))
	}
	if a, err := netip.ParseAddr(words[0]); err == nil && a.Zone() == "" && !a.Is4In6() {
		return Access{netip.PrefixFrom(a, a.BitLen()), key}, nil
	}
	p, bad := parseNetwork(words[0])
	return Access{p, key}, bad
}

// grantNames matches the names of a grant.
const grantNames = `^(@|\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*)$`

// parseGrant reads "key NAME [NAMES [TYPE ...]]".
func parseGrant(s string) (Grant, *fault) {
	words := strings.Fields(s)
	if len(words) < 2 || words[0] != "key" {
		return Grant{}, faultf(`write "key laptop", or "key laptop home A AAAA"`, "%s does not begin with a key", quote(s))
	}
	key, bad := parseKeyName(words[1])
	if bad != nil {
		return Grant{}, bad
	}
	g := Grant{Key: key, Names: "*"}
	if len(words) > 2 {
		if slices.Contains(recordTypes(), words[2]) {
			return Grant{}, faultf(didYouMean("key "+key+" * "+strings.Join(words[2:], " ")), "%s stands where the names do", words[2])
		}
		g.Names = strings.ToLower(words[2])
		if len(g.Names) > MaxDomain || !regexp.MustCompile(grantNames).MatchString(g.Names) {
			return Grant{}, faultf(`names are written within the zone: "home", "*.dyn", "@" or "*"`, "%s is not a name, nor a pattern of names", quote(words[2]))
		}
	}
	for _, word := range words[min(3, len(words)):] {
		t, bad := parseType(word)
		switch {
		case bad != nil:
			return Grant{}, bad
		case slices.Contains(g.Types, t):
			return Grant{}, faultf("", "type %s is listed twice", t)
		}
		g.Types = append(g.Types, t)
	}
	return g, nil
}

// recordTypes returns the types that a grant may name, but for those in the
// form TYPE65280 (RFC 3597 section 5).
func recordTypes() []string {
	return strings.Fields("A AAAA AFSDB APL CAA CDNSKEY CDS CERT CNAME CSYNC DHCID DNAME DS EUI48 EUI64 HINFO HIP HTTPS " +
		"IPSECKEY KX LOC MX NAPTR NS OPENPGPKEY PTR RP SMIMEA SOA SRV SSHFP SVCB TLSA TXT URI ZONEMD")
}

func parseType(s string) (string, *fault) {
	t := strings.ToUpper(s)
	if slices.Contains(recordTypes(), t) {
		return t, nil
	}
	if number, ok := strings.CutPrefix(t, "TYPE"); ok {
		if n, err := strconv.ParseUint(number, 10, 16); err == nil && n > 0 {
			return "TYPE" + strconv.FormatUint(n, 10), nil
		}
	}
	hint := suggestion(s, recordTypes())
	if hint == "" {
		hint = "types stand behind the names: key laptop home A AAAA"
	}
	return "", faultf(hint, "%s is not a type of records", quote(s))
}
