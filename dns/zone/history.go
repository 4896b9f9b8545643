package zone

import "slices"

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
