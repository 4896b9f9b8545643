package zone

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/network-utopia/utopia/dns"
)

// Why a difference does not fit a zone.
var (
	ErrNotThere = errors.New("a record that is to be deleted is not there")
	ErrThere    = errors.New("a record that is to be added is there already")
)

// Serials gives the serials of the two versions that a difference is between:
// those of the SOA records that it deletes and adds. It has both when it comes
// from Update, from IXFR or from the journal.
func (d Difference) Serials() (from, to uint32, ok bool) {
	before, ok1 := findSOA(d.Deleted)
	after, ok2 := findSOA(d.Added)
	return before.Serial, after.Serial, ok1 && ok2
}

func findSOA(rrs []dns.RR) (dns.SOA, bool) {
	for _, rr := range rrs {
		if soa, ok := rr.SOA(); ok {
			return soa, true
		}
	}
	return dns.SOA{}, false
}

// Size counts the records of a difference, and the octets of them on the wire
// without compression.
func (d Difference) Size() (records, octets int) {
	for _, part := range [...][]dns.RR{d.Deleted, d.Added} {
		for _, rr := range part {
			octets += len(rr.Name) + recordHead - 2 + len(rr.Data)
		}
		records += len(part)
	}
	return records, octets
}

// Apply makes the changes of a difference, its SOA among them, in the way of
// RFC 1995: first what is deleted, whatever its TTL. What does not fit is an
// error, of which ErrNotThere, ErrThere, ErrNotInZone and ErrSetTooLarge are
// the kinds, and the Edit is then of no more use. Check afterwards says whether
// the changes make a zone.
func (e *Edit) Apply(d Difference) error {
	for _, rr := range d.Deleted {
		if !e.Delete(rr) {
			return fmt.Errorf("zone %s: delete %s %s: %w", e.zone.apex, rr.Name, rr.Type, ErrNotThere)
		}
	}
	for _, rr := range d.Added {
		if rr.Class != dns.ClassIN || rr.Type.IsMeta() {
			return fmt.Errorf("zone %s: add %s %s %s: no record of a zone", e.zone.apex, rr.Name, rr.Class, rr.Type)
		}
		set, _ := e.RRset(rr.Name, rr.Type)
		if _, there := set.find(rr.Data); there {
			return fmt.Errorf("zone %s: add %s %s: %w", e.zone.apex, rr.Name, rr.Type, ErrThere)
		}
		if err := e.Add(rr); err != nil {
			return err
		}
	}
	return nil
}

// Overlay makes the changes of a difference as far as they make sense in a
// zone that is another by now: deletions of what is not there, additions of
// what is, and what the rules of an update forbid are passed over. The SOA,
// without its serial, changes where it is as the difference found it; the
// serial never does. The zone's last NS records stay. What is held becomes what it
// is held as, and what may not stand beside it goes.
func (e *Edit) Overlay(d Difference) {
	servers, _ := e.RRset(e.zone.apex, dns.TypeNS)
	for _, rr := range d.Deleted {
		if rr.Type != dns.TypeSOA {
			e.Delete(rr)
		}
	}
	for _, rr := range d.Added {
		if rr.Type != dns.TypeSOA && rr.Class == dns.ClassIN && rr.Name.IsSubdomainOf(e.zone.apex) {
			_ = e.addOne(rr) // a set that has become too large stays as it is
		}
	}
	e.overlayHeld(d.Held)
	if _, ok := e.RRset(e.zone.apex, dns.TypeNS); !ok {
		_ = e.Put(e.zone.apex, servers) // where they were before
	}
	e.overlaySOA(d)
}

// overlaySOA changes the SOA of a zone as a difference does.
func (e *Edit) overlaySOA(d Difference) {
	before, ok1 := findSOA(d.Deleted)
	after, ok2 := findSOA(d.Added)
	now := e.soa()
	before.Serial, after.Serial = now.Serial, now.Serial
	if !ok1 || !ok2 || before != now {
		return
	}
	for _, rr := range d.Added {
		if rr.Type == dns.TypeSOA {
			_ = e.Put(e.zone.apex, RRset{Type: rr.Type, TTL: rr.TTL, Data: [][]byte{after.Data()}}) // as large as the one before
		}
	}
}

// Join gives what two differences do that follow one another (RFC 1995 section
// 5, condensation): a record that the first adds and the second deletes is in
// neither part, and nothing of a set that the second releases.
func Join(differences ...Difference) Difference {
	j := joiner{index: map[string]int{}}
	for _, d := range differences {
		for _, rr := range d.Deleted {
			if c := j.at(rr); c.after != nil {
				c.after = nil
			} else if c.before == nil {
				c.before = &rr
			}
		}
		for _, rr := range d.Added {
			j.at(rr).after = &rr
		}
		j.forget(d.Held)
	}
	out := Difference{Held: joinHeld(differences)}
	for _, c := range j.changes {
		if c.before != nil && c.after != nil && c.before.TTL == c.after.TTL && bytes.Equal(c.before.Data, c.after.Data) {
			continue
		}
		if c.before != nil {
			out.Deleted = append(out.Deleted, *c.before)
		}
		if c.after != nil {
			out.Added = append(out.Added, *c.after)
		}
	}
	return out
}

// joiner knows what became of each record, in the order in which they came up.
type joiner struct {
	index   map[string]int
	changes []change
	key     []byte
}

// forget leaves nothing of what became of the sets that are released: they are
// as in the zone below.
func (j *joiner) forget(held []Held) {
	released := map[setKey]bool{}
	for _, h := range held {
		if h.Released {
			released[h.key()] = true
		}
	}
	if len(released) == 0 {
		return
	}
	for i, c := range j.changes {
		for _, rr := range [...]*dns.RR{c.before, c.after} {
			if rr != nil && released[setKey{rr.Name.Canonical(), rr.Type}] {
				j.changes[i] = change{}
			}
		}
	}
}

// change is a record before and after; nil when it was not, or is not there.
type change struct{ before, after *dns.RR }

func (j *joiner) at(rr dns.RR) *change {
	c := rr.Canonical()
	j.key = append(append(append(j.key[:0], c.Name...), byte(c.Type>>8), byte(c.Type)), c.Data...)
	i, ok := j.index[string(j.key)]
	if !ok {
		i = len(j.changes)
		j.index[string(j.key)], j.changes = i, append(j.changes, change{})
	}
	return &j.changes[i]
}
