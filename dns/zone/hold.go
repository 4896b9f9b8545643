package zone

import (
	"cmp"
	"slices"

	"github.com/network-utopia/utopia/dns"
)

// Held is all that a name owns of a type, as somebody has decided who looked at
// the whole set: not at single records, as the other parts of a Difference do. On
// top of another zone (Overlay) it is the same set again, whatever that zone has.
// A set without data is one that is not there.
// docs/decisions/0010-sets-that-are-held.md tells why.
type Held struct {
	Name dns.Name
	RRset
	// Released says that the decision is taken back: the set follows the zone
	// below again.
	Released bool
}

type setKey struct {
	name dns.Name // in lower case
	t    dns.Type
}

func (h Held) key() setKey { return setKey{h.Name.Canonical(), h.Type} }

// Hold has the set of a name and type held as it will be, or with release no more.
func (e *Edit) Hold(name dns.Name, t dns.Type, release bool) {
	if e.held == nil {
		e.held = map[setKey]Held{}
	}
	h := Held{Name: name, RRset: RRset{Type: t}, Released: release}
	e.held[h.key()] = h
}

// holding gives what is held, as it is by now, in canonical order.
func (e *Edit) holding() []Held {
	var all []Held
	for _, h := range e.held {
		if set, ok := e.RRset(h.Name, h.Type); ok && !h.Released {
			h.RRset = set
		}
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b Held) int {
		return cmp.Or(a.Name.Compare(b.Name), cmp.Compare(a.Type, b.Type))
	})
	return all
}

// MakeRoom takes away what may not stand beside records of a type: an alias and
// other data (RFC 2181 section 10.1), a DNAME and a delegation (RFC 6672 section
// 5.2).
func (e *Edit) MakeRoom(name dns.Name, t dns.Type) {
	for _, s := range slices.Clone(e.Sets(name)) {
		apex := name.Equal(e.zone.apex)
		alias := s.Type != t && (t == dns.TypeCNAME && !besideCNAME(s.Type) || s.Type == dns.TypeCNAME && !besideCNAME(t))
		cut := !apex && (t == dns.TypeDNAME && s.Type == dns.TypeNS || t == dns.TypeNS && s.Type == dns.TypeDNAME)
		if (alias || cut) && !(apex && (s.Type == dns.TypeSOA || s.Type == dns.TypeNS)) {
			_ = e.Put(name, RRset{Type: s.Type}) // nothing is put
		}
	}
}

// overlayHeld makes held sets what they are held as. The SOA is not: its serial is
// the zone's; and a zone never loses its NS records.
func (e *Edit) overlayHeld(held []Held) {
	for _, h := range held {
		servers := h.Type == dns.TypeNS && h.Name.Equal(e.zone.apex)
		if h.Released || h.Type == dns.TypeSOA || servers && len(h.Data) == 0 || !h.Name.IsSubdomainOf(e.zone.apex) {
			continue
		}
		if len(h.Data) > 0 {
			e.MakeRoom(h.Name, h.Type)
		}
		_ = e.Put(h.Name, h.RRset) // it was in a zone before
	}
}

// joinHeld gives what is held after several differences: records that a later one
// adds and deletes one by one are added to the set and deleted from it.
func joinHeld(differences []Difference) []Held {
	index := map[setKey]int{}
	var all []Held
	for _, d := range differences {
		for _, h := range d.Held {
			i, ok := index[h.key()]
			if !ok {
				i = len(all)
				index[h.key()], all = i, append(all, Held{})
			}
			all[i] = h
		}
		if len(all) == len(d.Held) {
			continue // they are as this one has them
		}
		after := map[setKey]bool{}
		for _, h := range d.Held {
			after[h.key()] = true
		}
		single := func(rr dns.RR) *Held {
			key := setKey{rr.Name.Canonical(), rr.Type}
			if i, ok := index[key]; ok && !after[key] && !all[i].Released {
				return &all[i]
			}
			return nil
		}
		for _, rr := range d.Deleted {
			if h := single(rr); h != nil {
				h.remove(rr)
			}
		}
		for _, rr := range d.Added {
			if h := single(rr); h != nil {
				h.remove(rr)
				i, _ := h.find(rr.Data)
				h.Data, h.TTL = slices.Insert(h.Data, i, rr.Data), rr.TTL
			}
		}
	}
	return slices.DeleteFunc(all, func(h Held) bool { return h.Released })
}

// remove takes a record out of a held set. The set that was given stays as it is.
func (h *Held) remove(rr dns.RR) {
	h.Data = slices.Clone(h.Data)
	if i, there := h.find(rr.Data); there {
		h.Data = slices.Delete(h.Data, i, i+1)
	}
}
