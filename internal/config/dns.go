package config

import (
	"net/netip"
	"time"
)

// DNS is the [dns] section.
type DNS struct {
	Enabled       bool           `toml:"enabled" default:"true" doc:"Whether the name server runs."`
	RecursiveFor  []netip.Prefix `toml:"recursive-for" example:"127.0.0.0/8" later:"does not look up names of other domains yet" doc:"The networks whose clients may ask for names of other domains. Not given: nobody."`
	ZoneFile      string         `toml:"zone-file" is:"path" example:"extra.zone" doc:"A zone file (RFC 1035 section 5) whose records are added to those that Utopia makes for the domain."`
	PublicAddress []netip.Addr   `toml:"public-address" example:"192.0.2.10" doc:"The addresses that the domain's records give, where they differ from those listened on: behind a router, or with 0.0.0.0."`
	Reverse       bool           `toml:"reverse" default:"false" later:"does not make reverse zones yet" doc:"Whether this server also gives names for the domain's public addresses (PTR), as where their reverse zones are delegated to it. It always does for private addresses."`
	TTL           Duration       `toml:"ttl" default:"1h" min:"1s" max:"7d" doc:"How long others may keep the domain's records. Whole seconds."`

	Notify     []Server `toml:"notify" example:"192.0.2.53" later:"does not tell other servers of changes yet" doc:"For the domain's own zone: as in dns.zones."`
	TransferTo []Access `toml:"transfer-to" example:"192.0.2.53,key transfer" later:"does not hand out whole zones yet" doc:"For the domain's own zone: as in dns.zones."`
	Update     []Grant  `toml:"update" example:"key laptop home A AAAA" later:"does not take updates yet" doc:"For the domain's own zone: as in dns.zones."`
	DNSSEC     string   `toml:"dnssec" default:"on" enum:"on,nsec3,off" later:"does not sign zones yet" doc:"For the domain's own zone: as in dns.zones."`

	Keys  []Key  `toml:"keys" names:"key" doc:"The keys that messages between servers are signed with (TSIG, RFC 8945): one entry for each, by the name that both sides know it by."`
	Zones []Zone `toml:"zones" names:"zone" later:"does not serve further zones yet" doc:"Zones beside the domain's own, by name: \"example.org\" = { file = \"example.org.zone\" }."`
}

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
	c.keys()
	c.zones()
}
