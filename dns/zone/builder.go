package zone

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/network-utopia/utopia/dns"
)

// MaxReported is how many warnings, and how many fatal problems, Build tells
// of; the others it counts.
const MaxReported = 20

// Builder gathers the records of a zone, checks them, and makes the snapshot.
type Builder struct {
	apex     dns.Name // in lower case
	named    dns.Name // as the SOA has it
	records  arena
	problems Problems
	told     map[bool]int // problems by whether they are fatal, those past MaxReported among them
	soas     int
}

// NewBuilder begins a zone.
func NewBuilder(apex dns.Name) *Builder {
	apex = apex.Canonical()
	return &Builder{apex: apex, named: apex, records: newArena(apex), told: map[bool]int{}}
}

// Has says whether a name owns records of a type by now.
func (b *Builder) Has(name dns.Name, t dns.Type) bool {
	return name.IsSubdomainOf(b.apex) && b.records.has(name, t)
}

// Owns says whether a name owns any records by now.
func (b *Builder) Owns(name dns.Name) bool { return b.Has(name, 0) }

// Add puts in a record, of which it keeps nothing. What is wrong with it is
// told by Build.
func (b *Builder) Add(r Record) {
	switch {
	case r.Class != dns.ClassIN:
		b.fatal(r, "class %s: only IN is served", r.Class)
		return
	case r.Type.IsMeta():
		b.fatal(r, "type %s stands in messages alone, never in a zone", r.Type)
		return
	}
	if err := r.Validate(); err != nil {
		b.fatal(r, "%s", reason(err))
		return
	}
	if !r.Name.IsSubdomainOf(b.apex) {
		b.fatal(r, "out of zone: %s is not in %s", r.Name, b.apex)
		return
	}
	if r.Type == dns.TypeSOA {
		if !r.Name.Equal(b.apex) {
			b.fatal(r, "an SOA belongs to the zone's own name, %s", b.apex)
			return
		}
		if b.soas++; b.soas > 1 {
			b.fatal(r, "a second SOA")
			return
		}
		b.named = r.Name
	}
	b.records.add(r)
}

func (b *Builder) fatal(r Record, format string, args ...any) {
	b.tell(true, r, format, args)
}

func (b *Builder) warn(r Record, format string, args ...any) {
	b.tell(false, r, format, args)
}

func (b *Builder) tell(fatal bool, r Record, format string, args []any) {
	if b.told[fatal]++; b.told[fatal] <= MaxReported {
		b.problems = append(b.problems, Problem{r.Pos, fatal, describe(r.RR), fmt.Sprintf(format, args...)})
	}
}

// countRest tells how many problems were left out.
func (b *Builder) countRest() {
	for _, fatal := range [...]bool{true, false} {
		if more := b.told[fatal] - MaxReported; more > 0 {
			b.problems = append(b.problems, Problem{Fatal: fatal, Text: fmt.Sprintf("%d more of them", more)})
		}
	}
}

// Build checks the zone as a whole and makes the snapshot. Warnings come back
// with it; an error is of type Problems and holds what is fatal. The Builder
// must not be used afterwards.
func (b *Builder) Build() (*Zone, Problems, error) {
	b.records.sort()
	var w pageWriter
	var count tally
	var body []byte
	for name := range b.records.names() {
		body = b.pack(body[:0], name)
		it := item{b.records.at(name[0]).key(), body}
		count.add(it, 1)
		w.add(it, nil)
	}
	z := newZone(b.named, root(w.done()), count)
	b.check(z)
	b.countRest()
	fatal, warnings := b.problems.split()
	if len(fatal) > 0 {
		return nil, warnings, fatal
	}
	return z, warnings, nil
}

// names gives the sorted records, those of each name together.
func (a *arena) names() iter.Seq[[]place] {
	return func(yield func([]place) bool) {
		for from := 0; from < len(a.order); {
			key := a.at(a.order[from]).key()
			to := from + 1
			for to < len(a.order) && bytes.Equal(a.at(a.order[to]).key(), key) {
				to++
			}
			if !yield(a.order[from:to]) {
				return
			}
			from = to
		}
	}
}

// pack makes the body of a name from its records.
func (b *Builder) pack(body []byte, name []place) []byte {
	body = appendSpelling(body, dns.Name(b.records.at(name[0]).spelling()))
	for from := 0; from < len(name); {
		kind := b.records.at(name[from]).kind()
		to := from + 1
		for to < len(name) && b.records.at(name[to]).kind() == kind {
			to++
		}
		set := b.set(kind, name[from:to])
		if size := set.size(); size > maxSetOctets {
			b.fatal(b.record(name[from]), "the records of this name and type have %d octets, which no answer has room for: %d are the most", size, maxSetOctets)
		} else {
			body = appendSet(body, set)
		}
		from = to
	}
	return body
}

// set joins the records of one name and type, which come in the order of the
// file.
func (b *Builder) set(kind dns.Type, places []place) RRset {
	first := b.records.at(places[0])
	set := RRset{Type: kind, TTL: first.ttl(), Data: make([][]byte, 1, len(places))}
	set.Data[0] = first.data()
	if len(places) == 1 {
		return set
	}
	twice := b.duplicates(kind, places)
	set.Data = set.Data[:0]
	for i, at := range places {
		p := b.records.at(at)
		if twice[i] {
			b.warn(b.record(at), "the same record stands there twice; the second is left out")
			continue
		}
		if p.ttl() != set.TTL && kind != dns.TypeRRSIG {
			// RFC 2181 section 5.2: the TTLs of a set are the same.
			b.warn(b.record(at), "TTL %d, where another record of the set has %d; the lower is used for all", p.ttl(), set.TTL)
			set.TTL = min(set.TTL, p.ttl())
		}
		set.Data = append(set.Data, p.data())
	}
	slices.SortFunc(set.Data, func(x, y []byte) int { return compareData(kind, x, y) })
	return set
}

// duplicates says which of the records of a set stand there for the second time.
func (b *Builder) duplicates(kind dns.Type, places []place) []bool {
	order := make([]int, len(places))
	for i := range order {
		order[i] = i
	}
	compare := func(i, k int) int {
		return compareData(kind, b.records.at(places[i]).data(), b.records.at(places[k]).data())
	}
	slices.SortStableFunc(order, compare)
	twice := make([]bool, len(places))
	for i := 1; i < len(order); i++ {
		twice[order[i]] = compare(order[i-1], order[i]) == 0
	}
	return twice
}

// record gives a record as it was added.
func (b *Builder) record(at place) Record {
	p := b.records.at(at)
	name := nameOfKey(p.key(), b.named)
	if s := p.spelling(); len(s) > 0 {
		name = dns.Name(s) + b.named
	}
	return Record{dns.RR{Name: name, Type: p.kind(), Class: dns.ClassIN, TTL: p.ttl(), Data: p.data()}, b.records.pos(p)}
}

// Load reads a master file and makes the zone of opts.Origin from it. An error
// is of type Problems, or that of r.
func Load(r io.Reader, opts ReadOptions) (*Zone, Problems, error) {
	if opts.Origin == "" {
		opts.Origin = dns.Root
	}
	b := NewBuilder(opts.Origin)
	err := ReadEach(r, opts, func(rec Record) error {
		b.Add(rec)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return b.Build()
}
