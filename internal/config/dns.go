package config

import (
	"net/netip"
	"strings"
	"time"
)

// DNS is the [dns] section.
type DNS struct {
	Enabled       bool           `toml:"enabled" default:"true" doc:"Whether the name server runs."`
	RecursiveFor  []netip.Prefix `toml:"recursive-for" example:"127.0.0.0/8" later:"does not look up names of other domains yet" doc:"The networks whose clients may ask for names of other domains. Not given: nobody."`
	ZoneFile      string         `toml:"zone-file" is:"path" example:"extra.zone" doc:"A zone file (RFC 1035 section 5) whose records are added to those that Utopia makes for the domain."`
	PublicAddress []netip.Addr   `toml:"public-address" example:"192.0.2.10" doc:"The addresses that the domain's records give, where they differ from those listened on: behind a router, or with 0.0.0.0."`
	Reverse       bool           `toml:"reverse" default:"false" doc:"Whether this server also gives names (PTR) for the domain's public addresses, as where whoever gave them delegates their names to it. It always does for private addresses of hosts in the domain's zone. Each address has a zone of its own, which follows what changes there; a zone in dns.zones at or above it goes first."`
	TTL           Duration       `toml:"ttl" default:"1h" min:"1s" max:"7d" doc:"How long others may keep the domain's records. Whole seconds."`

	Rotate           bool   `toml:"rotate" default:"true" doc:"Whether the addresses of a name are given in another order each time, so that clients spread over them."`
	NSID             string `toml:"nsid" example:"ns1-fra" doc:"A name for this one of several servers, for those who ask which one answers (dig +nsid). Not given: nothing is told."`
	RateLimit        int    `toml:"rate-limit" default:"200" min:"0" max:"100000" doc:"How many responses of one kind (for one name; for names that do not exist; errors) one network gets over UDP in a second; of all kinds together ten times as many. A network is an IPv4 /24 or an IPv6 /56. Without limits whoever forges its address could flood it through this server. 0: no limits. Not limited are clients on this machine and in recursive-for, those that prove their address with a cookie, and TCP."`
	Slip             int    `toml:"slip" default:"2" min:"0" max:"10" doc:"Every how many of the responses beyond rate-limit an empty one is sent, which has clients that did ask come again over TCP or with a cookie. 0: none."`
	CookieSecretFile string `toml:"cookie-secret-file" is:"path" example:"cookie-secrets" doc:"A file with the secrets of DNS cookies, for servers that share an address: one on each line, of 32 hexadecimal digits. Cookies are made with the first; those of the others are good too. Not given: a secret of this server's own, which changes each day."`

	Notify     []Server `toml:"notify" example:"192.0.2.53" doc:"For the domain's own zone: as in dns.zones."`
	TransferTo []Access `toml:"transfer-to" example:"192.0.2.53,key transfer" doc:"For the domain's own zone: as in dns.zones."`
	Update     []Grant  `toml:"update" example:"key laptop home A AAAA" doc:"For the domain's own zone: as in dns.zones."`
	DNSSEC     string   `toml:"dnssec" default:"on" enum:"on,nsec3,off" doc:"For the domain's own zone: as in dns.zones."`

	Keys  []Key  `toml:"keys" names:"key" doc:"The keys that messages between servers are signed with (TSIG, RFC 8945): one entry for each, by the name that both sides know it by."`
	Zones []Zone `toml:"zones" names:"zone" doc:"Zones beside the domain's own, by name: \"example.org\" = { file = \"example.org.zone\" }."`
}

// MaxNSID is the greatest length of nsid, in characters.
const MaxNSID = 128

// Prefixes wider than these hold more than any one organisation has, so a
// resolver for them would be an open one.
const (
	minBits4 = 8
	minBits6 = 16
)

func (c *checker) dns() {
	for i, p := range c.DNS.RecursiveFor {
		path := item("dns/recursive-for", i)
		local := netip.MustParsePrefix("fc00::/7").Overlaps(p) || netip.MustParsePrefix("fe80::/10").Overlaps(p)
		if p.Addr().Is4() && p.Bits() < minBits4 || p.Addr().Is6() && p.Bits() < minBits6 && (!local || p.Bits() < 7) {
			c.fail(path, "name the networks of your own clients", "%s would make this an open resolver, which anybody could use to attack others", quote(p.String()))
		}
	}
	if time.Duration(c.DNS.TTL)%time.Second != 0 {
		c.fail("dns/ttl", "", "the ttl is a whole number of seconds")
	}
	for i, a := range c.DNS.PublicAddress {
		if a.IsUnspecified() {
			c.fail(item("dns/public-address", i), "give the address at which others reach this machine", "records cannot give %s", quote(a.String()))
		}
	}
	c.outsideData("dns/zone-file", c.DNS.ZoneFile)
	switch {
	case len(c.DNS.NSID) > MaxNSID:
		c.fail("dns/nsid", "", "nsid has at most %d characters, this one has %d", MaxNSID, len(c.DNS.NSID))
	case strings.ContainsFunc(c.DNS.NSID, func(r rune) bool { return r < ' ' || r > '~' }):
		c.fail("dns/nsid", "", "nsid is in printable ASCII, unlike %s", quote(c.DNS.NSID))
	}
	if c.outsideData("dns/cookie-secret-file", c.DNS.CookieSecretFile) {
		c.unpublished("dns/cookie-secret-file", c.DNS.CookieSecretFile, "the secrets", "put them beside utopia.toml")
	}

	c.keys()
	c.zones()
}
