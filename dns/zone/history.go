package zone

import (
	"bytes"
	"slices"

	"github.com/network-utopia/utopia/dns"
)

// HistoryLimits say how much of the past is kept; zero values mean the defaults.
type HistoryLimits struct {
	Steps   int // differences
	Records int // records of all of them
	Octets  int // and their size as they are on the wire, uncompressed
}

// Limits of HistoryLimits where it names none.
const (
	DefaultHistorySteps   = 1000
	DefaultHistoryRecords = 100_000
	DefaultHistoryOctets  = 8 << 20
)

func (l HistoryLimits) withDefaults() HistoryLimits {
	for _, v := range [...]struct {
		field  *int
		preset int
	}{{&l.Steps, DefaultHistorySteps}, {&l.Records, DefaultHistoryRecords}, {&l.Octets, DefaultHistoryOctets}} {
		if *v.field <= 0 {
			*v.field = v.preset
		}
	}
	return l
}

// History is how a zone became what it is: the differences between versions
// that follow one another, the newest last. It is immutable, and safe for any
// number of readers; the zero History has no past.
type History struct {
	steps           []step
	records, octets int
}

type step struct {
	from, to        uint32
	difference      Difference
	records, octets int
}

// Len counts the differences.
func (h History) Len() int { return len(h.steps) }

// Size counts the records of all differences, and their octets.
func (h History) Size() (records, octets int) { return h.records, h.octets }

// With gives the history that has one more difference. The oldest ones go, as
// far as the limits want. A difference without serials, or that does not begin
// where the last one ended, leaves nothing of the past: there would be a gap.
func (h History) With(d Difference, limits HistoryLimits) History {
	limits = limits.withDefaults()
	from, to, ok := d.Serials()
	if !ok {
		return History{}
	}
	var next History
	if n := len(h.steps); n > 0 && h.steps[n-1].to == from {
		next = History{slices.Clone(h.steps), h.records, h.octets}
	}
	d.Held = nil
	s := step{from: from, to: to, difference: d}
	s.records, s.octets = d.Size()
	next.steps = append(next.steps, s)
	next.records, next.octets = next.records+s.records, next.octets+s.octets
	for len(next.steps) > 0 && (len(next.steps) > limits.Steps || next.records > limits.Records || next.octets > limits.Octets) {
		next.records -= next.steps[0].records
		next.octets -= next.steps[0].octets
		next.steps = next.steps[1:]
	}
	return next
}

// Since gives the one difference between the version with a serial and the
// newest; false when the history does not reach back so far, or does not end
// at newest.
func (h History) Since(serial, newest uint32) (Difference, bool) {
	n := len(h.steps)
	if n == 0 || h.steps[n-1].to != newest {
		return Difference{}, false
	}
	for i := n - 1; i >= 0; i-- {
		if h.steps[i].from != serial {
			continue
		}
		if i == n-1 {
			return h.steps[i].difference, true
		}
		var all []Difference
		for _, s := range h.steps[i:] {
			all = append(all, s.difference)
		}
		return Join(all...), true
	}
	return Difference{}, false
}

// Between gives the difference between two versions of a zone: what makes the
// old one the new one, the SOA among it when that changed. It looks at every
// name of both that stands on a page which they do not share.
func Between(old, new *Zone) Difference {
	var d Difference
	var c, k cursor
	c.seek(old.root, nil)
	k.seek(new.root, nil)
	for {
		if c.sharesPage(&k) {
			continue
		}
		was, ok1 := c.at()
		now, ok2 := k.at()
		if !ok1 && !ok2 {
			return d
		}
		order := bytes.Compare(was.key, now.key)
		switch {
		case !ok2:
			order = -1
		case !ok1:
			order = 1
		}
		d.between(old, new, was, now, order)
		if order <= 0 {
			c.next()
		}
		if order >= 0 {
			k.next()
		}
	}
}

// sharesPage says whether two cursors are at the begin of the same page, and goes
// behind it with both.
func (c *cursor) sharesPage(k *cursor) bool {
	a, b := &c.step[c.depth-1], &k.step[k.depth-1]
	if a.page != b.page || a.i != 0 || b.i != 0 || a.page.len() == 0 {
		return false
	}
	a.i, b.i = a.page.len()-1, b.page.len()-1
	c.next()
	k.next()
	return true
}

// between appends what differs of one name: order says which of the zones has
// it, the old one alone (-1), the new one alone (1) or both.
func (d *Difference) between(old, new *Zone, was, now item, order int) {
	var before, after []RRset
	owner := dns.Name("")
	if order <= 0 {
		before, owner = old.node(was).Sets(), old.node(was).Name()
	}
	if order >= 0 {
		after, owner = new.node(now).Sets(), new.node(now).Name()
	}
	if order == 0 && bytes.Equal(was.body, now.body) {
		return
	}
	d.Deleted = appendMissing(d.Deleted, owner, before, after)
	d.Added = appendMissing(d.Added, owner, after, before)
}
