package zone

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/network-utopia/utopia/dns"
)

// Why a record cannot be added.
var (
	ErrNotInZone   = errors.New("the name is not in the zone")
	ErrSetTooLarge = errors.New("the records of this name and type are more than an answer has room for")
)

// Edit gathers changes of a zone and makes the snapshot that comes after it.
// What did not change is shared by the two; the cost is that of what did. An
// Edit belongs to one goroutine. It looks at single records alone: what makes
// sense in a zone is for its caller to know.
type Edit struct {
	zone    *Zone
	touched map[string]*touched // by key
	held    map[setKey]Held     // without their data
}

// touched is what a name owns by now.
type touched struct {
	spelling dns.Name // below the apex
	sets     []RRset  // in the order of their types
}

// Edit begins a change.
func (z *Zone) Edit() *Edit { return &Edit{zone: z, touched: map[string]*touched{}} }

// at gives what a name owns, to look at.
func (e *Edit) at(name dns.Name) *touched {
	if !name.IsSubdomainOf(e.zone.apex) {
		return &touched{}
	}
	var buf [maxKey]byte
	key := appendKey(buf[:0], name, len(e.zone.apex))
	if t := e.touched[string(key)]; t != nil {
		return t
	}
	n, _ := e.zone.get(key)
	return &touched{sets: n.Sets()}
}

// touch gives what a name owns, to change.
func (e *Edit) touch(name dns.Name) *touched {
	key := string(appendKey(nil, name, len(e.zone.apex)))
	t := e.touched[key]
	if t == nil {
		t = &touched{spelling: name[:len(name)-len(e.zone.apex)]}
		if n, ok := e.zone.get([]byte(key)); ok {
			was := n.Name()
			t.spelling, t.sets = was[:len(was)-len(e.zone.apex)], n.Sets()
		}
		e.touched[key] = t
	}
	return t
}

// Sets gives what a name owns by now, ordered by type.
func (e *Edit) Sets(name dns.Name) []RRset { return e.at(name).sets }

// RRset gives the records of a name and type as they are by now.
func (e *Edit) RRset(name dns.Name, t dns.Type) (RRset, bool) {
	sets := e.at(name).sets
	if i, ok := findType(sets, t); ok {
		return sets[i], true
	}
	return RRset{}, false
}

func findType(sets []RRset, t dns.Type) (int, bool) {
	return slices.BinarySearchFunc(sets, t, func(s RRset, t dns.Type) int { return cmp.Compare(s.Type, t) })
}

// Add puts in a record. The TTL of the whole set becomes the record's (RFC 2181
// section 5.2). A record that is there already is put in its place (RFC 2136
// section 3.4.2.2), which may change the case of names in it.
func (e *Edit) Add(rr dns.RR) error {
	set := RRset{Type: rr.Type}
	if !rr.Name.IsSubdomainOf(e.zone.apex) {
		return fmt.Errorf("zone %s: add %s: %w", e.zone.apex, rr.Name, ErrNotInZone)
	}
	if was, ok := e.RRset(rr.Name, rr.Type); ok {
		set.Data = slices.Clone(was.Data)
	}
	set.TTL = rr.TTL
	i, there := slices.BinarySearchFunc(set.Data, rr.Data, func(a, b []byte) int { return compareData(rr.Type, a, b) })
	if there {
		set.Data[i] = rr.Data
	} else {
		set.Data = slices.Insert(set.Data, i, rr.Data)
	}
	return e.Put(rr.Name, set)
}

// Delete takes a record away, whatever its TTL, and says whether it was there.
func (e *Edit) Delete(rr dns.RR) bool {
	set, ok := e.RRset(rr.Name, rr.Type)
	if !ok {
		return false
	}
	i, there := slices.BinarySearchFunc(set.Data, rr.Data, func(a, b []byte) int { return compareData(rr.Type, a, b) })
	if there {
		set.Data = slices.Delete(slices.Clone(set.Data), i, i+1)
		_ = e.Put(rr.Name, set) // the name is in the zone, and the set gets smaller
	}
	return there
}

// Put makes set what a name owns of its type, in place of what was there; a set
// without data takes that away. The data need no order; none may be there twice.
func (e *Edit) Put(name dns.Name, set RRset) error {
	switch {
	case !name.IsSubdomainOf(e.zone.apex):
		return fmt.Errorf("zone %s: put %s: %w", e.zone.apex, name, ErrNotInZone)
	case set.size() > maxSetOctets:
		return fmt.Errorf("zone %s: %s %s: %w", e.zone.apex, name, set.Type, ErrSetTooLarge)
	}
	compare := func(a, b []byte) int { return compareData(set.Type, a, b) }
	if !slices.IsSortedFunc(set.Data, compare) {
		set.Data = slices.SortedFunc(slices.Values(set.Data), compare)
	}
	t := e.touch(name)
	i, there := findType(t.sets, set.Type)
	switch {
	case len(set.Data) > 0 && there:
		t.sets[i] = set
	case len(set.Data) > 0:
		t.sets = slices.Insert(t.sets, i, set)
	case there:
		t.sets = slices.Delete(t.sets, i, i+1)
	}
	return nil
}

// Zone makes the snapshot. The Edit may go on.
func (e *Edit) Zone() *Zone {
	var edits []item
	for _, key := range slices.Sorted(maps.Keys(e.touched)) {
		it := item{key: []byte(key)}
		if t := e.touched[key]; len(t.sets) > 0 {
			it.body = t.pack()
		}
		edits = append(edits, it)
	}
	return e.zone.with(e.zone.named, edits)
}

func (t *touched) pack() []byte {
	body := appendSpelling(nil, t.spelling)
	for _, s := range t.sets {
		body = appendSet(body, s)
	}
	return body
}

// Difference is what makes one version of a zone the next: what IXFR carries
// (RFC 1995 section 4) and the journal keeps. Records whose TTL changes are in
// both parts.
type Difference struct {
	Deleted, Added []dns.RR
	// Held are the sets of which the difference says all that they are, beside
	// what it deletes and adds. IXFR does not tell of them.
	Held []Held
}

// IsEmpty says whether a difference says nothing.
func (d Difference) IsEmpty() bool { return len(d.Deleted)+len(d.Added)+len(d.Held) == 0 }

// Difference gives what changed so far, in canonical order.
func (e *Edit) Difference() Difference {
	d := Difference{Held: e.holding()}
	for _, key := range slices.Sorted(maps.Keys(e.touched)) {
		was, _ := e.zone.get([]byte(key))
		now := e.touched[key]
		before, after := was.Sets(), now.sets
		d.Deleted = appendMissing(d.Deleted, now.spelling+e.zone.named, before, after)
		d.Added = appendMissing(d.Added, now.spelling+e.zone.named, after, before)
	}
	return d
}

// appendMissing appends the records of sets that others do not have.
func appendMissing(dst []dns.RR, owner dns.Name, sets, others []RRset) []dns.RR {
	for _, s := range sets {
		var other RRset
		if i, ok := findType(others, s.Type); ok && (others[i].TTL == s.TTL || s.Type == dns.TypeRRSIG) {
			other = others[i]
		}
		for _, data := range s.Data {
			i, there := slices.BinarySearchFunc(other.Data, data, func(a, b []byte) int { return compareData(s.Type, a, b) })
			if !there || !bytes.Equal(other.Data[i], data) {
				dst = append(dst, dns.RR{Name: owner, Type: s.Type, Class: dns.ClassIN, TTL: s.ttlOf(data), Data: data})
			}
		}
	}
	return dst
}
