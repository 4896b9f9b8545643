package config

import (
	"strings"
)

// Limits of the zones and keys of [dns].
const (
	MaxZones = 1000 // beside the domain's own
	MaxKeys  = 256
)

// What Zone.DNSSEC may be.
const (
	DNSSECOn    = "on"
	DNSSECNSEC3 = "nsec3"
	DNSSECOff   = "off"
)

// Zone is a zone that the name server answers for: an entry of [dns.zones], or
// the domain's own (DNS.Own).
type Zone struct {
	Name       string   // in lower case, without a dot at its end
	File       string   `toml:"file" is:"path" example:"example.org.zone" doc:"The zone file (RFC 1035 section 5) of a zone that is kept here."`
	Primaries  []Server `toml:"primaries" example:"192.0.2.1" doc:"The servers that a zone is fetched from that is kept elsewhere, in the order in which they are asked; this server is a secondary one then. Each is an address, with a port where that is not 53, and \"key NAME\" where requests are signed: \"192.0.2.1:8053 key transfer\"."`
	Notify     []Server `toml:"notify" example:"192.0.2.53" doc:"Servers that are told at once when the zone changes (RFC 1996), beside those that its NS records name; written as those of primaries."`
	TransferTo []Access `toml:"transfer-to" example:"192.0.2.53,key transfer" doc:"Who may fetch the whole zone (RFC 5936): networks, keys (\"key NAME\"), or both at once (\"192.0.2.0/24 key NAME\"). Not given: nobody."`
	Update     []Grant  `toml:"update" example:"key laptop home A AAAA" doc:"Who may change records by messages (RFC 2136), and which: \"key NAME\", then the names and the types. Names are \"home\" for one, \"*.dyn\" for all below dyn, \"@\" for the zone's own and \"*\" for all, which is also meant where none are given; without types, all types. Not given: nobody."`
	DNSSEC     string   `toml:"dnssec" default:"on" enum:"on,nsec3,off" doc:"How the zone is signed (RFC 9364): on with NSEC, nsec3 so that its names cannot be listed (RFC 5155), or off. A file that is signed already stays as it is."`
}

// Own gives the settings of the domain's own zone, which stand in [dns] itself.
func (c *Config) Own() Zone {
	d := c.DNS
	return Zone{Name: c.Domain, File: d.ZoneFile, Notify: d.Notify, TransferTo: d.TransferTo, Update: d.Update, DNSSEC: d.DNSSEC}
}

// zones checks the zones beside the domain's own.
func (c *checker) zones() {
	c.access("dns", c.Own())
	c.crowd("dns/zones", "zones", MaxZones)
	first := map[string]string{c.Domain: "dns"}
	for i, z := range c.DNS.Zones {
		path := join("dns/zones", c.given["dns/zones"][i])
		if z.Name == "" {
			continue // it was refused
		}
		switch other, twice := first[z.Name]; {
		case other == "dns":
			c.failKey(path, "its further records go into zone-file in [dns], its other settings into [dns] itself",
				"%s is the domain itself", quote(z.Name))
			continue
		case twice:
			c.failKey(path, "", "zone %s is there twice; the first is on line %d", quote(z.Name), c.src.line(c.where[other].key.start))
			continue
		}
		first[z.Name] = path
		c.zone(path, z)
		c.access(path, z)
	}
}

// zone checks where the records of a zone come from, and what fits to that.
func (c *checker) zone(path string, z Zone) {
	given := func(key string) bool { _, ok := c.where[join(path, key)]; return ok }
	c.outsideData(join(path, "file"), z.File)
	switch {
	case z.File != "" && len(z.Primaries) > 0:
		c.failKey(join(path, "primaries"), "give file where it is kept here, primaries where it is fetched from elsewhere",
			"zone %s has a file and primaries", quote(z.Name))
	case !given("file") && !given("primaries") && !c.spoilt[path]:
		c.failKey(path, `give file = "`+z.Name+`.zone", or primaries = ["192.0.2.1"]`,
			"nothing says where the records of zone %s come from", quote(z.Name))
	case given("primaries") && given("update"):
		c.failKey(join(path, "update"), "updates go to its primary servers", "zone %s is kept elsewhere", quote(z.Name))
	case given("primaries") && given("dnssec"):
		c.failKey(join(path, "dnssec"), "it is signed where it is kept", "zone %s is kept elsewhere", quote(z.Name))
	}
}

// access checks that the keys exist which the settings of a zone name.
func (c *checker) access(path string, z Zone) {
	for i, s := range z.Primaries {
		c.knownKey(item(join(path, "primaries"), i), s.Key)
	}
	for i, s := range z.Notify {
		c.knownKey(item(join(path, "notify"), i), s.Key)
	}
	for i, a := range z.TransferTo {
		c.knownKey(item(join(path, "transfer-to"), i), a.Key)
	}
	for i, g := range z.Update {
		c.knownKey(item(join(path, "update"), i), g.Key)
	}
}

// crowd refuses more names than there may be in a table.
func (c *checker) crowd(path, what string, most int) {
	if names := c.given[path]; len(names) > most {
		c.failKey(join(path, names[most]), "", "there are at most %d %s, these are %d", most, what, len(names))
	}
}

// zoneWarnings tells once for each key which of the zones' settings have no
// effect in this version.
func (c *checker) zoneWarnings(zones Field) {
	for _, key := range zones.Fields {
		for _, name := range c.given["dns/zones"] {
			at, ok := c.where[join(join("dns/zones", name), key.Name)]
			if ok && key.Later != "" {
				c.src.warn(at.key, "%s of a zone is understood, but this version %s", key.Name, key.Later)
				break
			}
		}
	}
}

// parseZoneName reads the name of a zone. It may be that of a reverse zone, or
// hold underscores, or be a single label, which the domain may not.
func parseZoneName(s string) (string, *fault) {
	return parseRelaxed(s, "a zone", "the root zone")
}

// parseKeyName reads the name of a key, which is a domain name by its form
// alone (RFC 8945 section 4.2).
func parseKeyName(s string) (string, *fault) {
	return parseRelaxed(s, "a key", "")
}

func parseRelaxed(s, what, root string) (string, *fault) {
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	switch {
	case s == "." && root != "":
		return "", faultf("", "%s cannot be served here", root)
	case name == "":
		return "", faultf("", "the name of %s is empty", what)
	case len(name) > MaxDomain:
		return "", faultf("", "the name of %s has at most %d characters here, this one has %d", what, MaxDomain, len(name))
	}
	for _, label := range strings.Split(name, ".") {
		// An underscore stands for nothing that checkLabel would look at.
		if f := checkLabel(strings.ReplaceAll(label, "_", "x"), s); f != nil {
			return "", f
		}
	}
	return name, nil
}
