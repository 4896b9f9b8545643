package zone

import (
	"maps"

	"github.com/network-utopia/utopia/dns"
)

// WithMissing gives a set with all zones of this one, and with names of zones
// that the server should have and has not: their file has an error, or they
// could not be fetched in time. Nothing is known of the names in them, also
// where a zone above is there; so Find gives nil for them. The name of a zone
// that is there changes nothing.
func (s *Set) WithMissing(names ...dns.Name) *Set {
	next := &Set{zones: make(map[dns.Name]*Zone, len(names))}
	if s != nil {
		maps.Copy(next.zones, s.zones)
	}
	for _, n := range names {
		if n = n.Canonical(); next.zones[n] == nil {
			next.zones[n] = nil
		}
	}
	return next
}

// Missing says whether a question is about a zone that should be here and is
// not. The answer to that is SERVFAIL: another server may know more.
func (s *Set) Missing(name dns.Name, t dns.Type) bool {
	if s.FindFor(name, t) != nil {
		return false
	}
	_, missing := s.deepest(name)
	return missing
}

// deepest gives the deepest zone that a name is in, nil when that is missing,
// and whether there is one.
func (s *Set) deepest(name dns.Name) (*Zone, bool) {
	if s == nil || len(s.zones) == 0 {
		return nil, false
	}
	for n := name.Canonical(); ; n = n.Parent() {
		if z, ok := s.zones[n]; ok {
			return z, true
		}
		if n == dns.Root || n == "" {
			return nil, false
		}
	}
}

// has says whether there is a zone of that name, be it missing.
func (s *Set) has(name dns.Name) bool {
	if s == nil {
		return false
	}
	_, ok := s.zones[name.Canonical()]
	return ok
}
