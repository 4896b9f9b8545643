package zone

import (
	"fmt"
	"slices"

	"github.com/network-utopia/utopia/dns"
)

// Set is the zones that a server has authority for. It is immutable; a nil
// Set has none.
type Set struct {
	zones map[dns.Name]*Zone
}

// NewSet makes a set. Two zones of one name are an error.
func NewSet(zones ...*Zone) (*Set, error) {
	s := &Set{zones: make(map[dns.Name]*Zone, len(zones))}
	for _, z := range zones {
		if _, twice := s.zones[z.apex]; twice {
			return nil, fmt.Errorf("zone: %s is there twice", z.apex)
		}
		s.zones[z.apex] = z
	}
	return s, nil
}

// Find gives the deepest zone that a name is in, nil when there is none.
func (s *Set) Find(name dns.Name) *Zone {
	z, _ := s.deepest(name)
	return z
}

// FindFor is Find for a question: DS records belong to the parent side of a
// cut (RFC 4035 section 3.1.4.1), so for them a zone above the name goes first,
// where the set has one.
func (s *Set) FindFor(name dns.Name, t dns.Type) *Zone {
	z := s.Find(name)
	if t != dns.TypeDS || name == dns.Root || z == nil && !s.has(name) || z != nil && !z.apex.Equal(name) {
		return z
	}
	if parent := s.Find(name.Parent()); parent != nil {
		return parent
	}
	return z
}

// Zones gives the zones in canonical order of their names.
func (s *Set) Zones() []*Zone {
	if s == nil {
		return nil
	}
	out := make([]*Zone, 0, len(s.zones))
	for _, z := range s.zones {
		if z != nil {
			out = append(out, z)
		}
	}
	slices.SortFunc(out, func(a, b *Zone) int { return a.apex.Compare(b.apex) })
	return out
}
