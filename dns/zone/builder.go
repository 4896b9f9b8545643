package zone

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/network-utopia/utopia/dns"
)

// MaxReported is how many warnings, and how many fatal problems, Build tells
// of; the others it counts.
const MaxReported = 20

// Builder gathers the records of a zone, checks them, and makes the snapshot.
type Builder struct {
	apex     dns.Name
	names    map[dns.Name]*draft // by name in lower case
	problems Problems
	told     map[bool]int // problems by whether they are fatal, those past MaxReported among them
	soas     int
}

// draft is a node that is being made.
type draft struct {
	name dns.Name
	pos  Pos
	sets []draftSet
}

type draftSet struct {
	RRset
	pos Pos
}

// NewBuilder begins a zone.
func NewBuilder(apex dns.Name) *Builder {
	return &Builder{apex: apex.Canonical(), names: map[dns.Name]*draft{}, told: map[bool]int{}}
}

// Has says whether a name owns records of a type by now.
func (b *Builder) Has(name dns.Name, t dns.Type) bool {
	d := b.names[name.Canonical()]
	return d != nil && d.set(t) != nil
}

// Owns says whether a name owns any records by now.
func (b *Builder) Owns(name dns.Name) bool { return b.names[name.Canonical()] != nil }

// Add puts in a record. What is wrong with it is told by Build.
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
	}
	b.put(r)
}

func (b *Builder) put(r Record) {
	key := r.Name.Canonical()
	d := b.names[key]
	if d == nil {
		d = &draft{name: r.Name, pos: r.Pos}
		if key == r.Name {
			d.name = key
		}
		b.names[key] = d
	}
	s := d.set(r.Type)
	if s == nil {
		d.sets = append(d.sets, draftSet{RRset{r.Type, r.TTL, [][]byte{r.Data}}, r.Pos})
		return
	}
	for _, data := range s.Data {
		same := r.RR
		same.Data = data
		if bytes.Equal(data, r.Data) || same.SameData(r.RR) {
			b.warn(r, "the same record stands there twice; the second is left out")
			return
		}
	}
	if r.TTL != s.TTL {
		// RFC 2181 section 5.2: the TTLs of a set are the same.
		b.warn(r, "TTL %d, where another record of the set has %d; the lower is used for all", r.TTL, s.TTL)
		s.TTL = min(s.TTL, r.TTL)
	}
	s.Data = append(s.Data, r.Data)
}

func (d *draft) set(t dns.Type) *draftSet {
	for i := range d.sets {
		if d.sets[i].Type == t {
			return &d.sets[i]
		}
	}
	return nil
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
	b.check()
	b.countRest()
	fatal, warnings := b.problems.split()
	if len(fatal) > 0 {
		return nil, warnings, fatal
	}
	z := &Zone{apex: b.apex}
	keys := b.withNonTerminals()
	slices.SortFunc(keys, dns.Name.Compare)
	z.nodes = make([]node, len(keys))
	z.index = make(map[dns.Name]int32, len(keys))
	for i, key := range keys {
		z.index[key] = int32(i)
		z.nodes[i].name = key
		if d := b.names[key]; d != nil {
			z.nodes[i] = d.node()
			for _, s := range d.sets {
				z.records += len(s.Data)
			}
		}
	}
	soa, _ := z.Top().RRset(dns.TypeSOA)
	z.soa, _ = dns.RR{Type: dns.TypeSOA, Data: soa.Data[0]}.SOA()
	return z, warnings, nil
}

func (d *draft) node() node {
	slices.SortFunc(d.sets, func(a, b draftSet) int { return cmp.Compare(a.Type, b.Type) })
	n := node{name: d.name, sets: make([]RRset, len(d.sets))}
	for i, s := range d.sets {
		n.sets[i] = s.RRset
	}
	return n
}

// withNonTerminals gives the names that exist: those that own records and
// those between them and the apex (RFC 4592 section 2.2.2).
func (b *Builder) withNonTerminals() []dns.Name {
	seen := make(map[dns.Name]bool, len(b.names))
	keys := make([]dns.Name, 0, len(b.names))
	for key := range b.names {
		for n := key; len(n) >= len(b.apex) && !seen[n]; n = n.Parent() {
			seen[n] = true
			keys = append(keys, n)
			if n == dns.Root {
				break
			}
		}
	}
	return keys
}

// Load reads a master file and makes the zone of opts.Origin from it. An error
// is of type Problems, or that of r.
func Load(r io.Reader, opts ReadOptions) (*Zone, Problems, error) {
	records, err := Read(r, opts)
	if err != nil {
		return nil, nil, err
	}
	if opts.Origin == "" {
		opts.Origin = dns.Root
	}
	b := NewBuilder(opts.Origin)
	for _, rec := range records {
		b.Add(rec)
	}
	return b.Build()
}
