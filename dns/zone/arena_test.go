package zone

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
)

// genRecords makes records of few names and types, so that sets and names meet.
func genRecords() *rapid.Generator[[]Record] {
	one := rapid.Custom(func(t *rapid.T) Record {
		name := genWireName(origin).Draw(t, "name")
		kind := rapid.SampledFrom([]dns.Type{65280, 65281, 65282}).Draw(t, "type")
		return Record{
			dns.RR{Name: name, Type: kind, Class: dns.ClassIN, TTL: 1, Data: []byte{rapid.Byte().Draw(t, "data")}},
			Pos{rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "file"), rapid.IntRange(0, 1<<20).Draw(t, "line"), rapid.IntRange(0, 1<<10).Draw(t, "column")},
		}
	})
	return rapid.SliceOfN(one, 0, 40)
}

// TestArenaKeepsRecords: what goes in comes out in the order of names, types and arrival, as it was.
func TestArenaKeepsRecords(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		records := genRecords().Draw(t, "records")
		b := NewBuilder(origin)
		for i, r := range records {
			b.Add(r)
			if rapid.Bool().Draw(t, "ask") {
				askArena(t, b, records[:i+1])
			}
		}
		b.records.sort()
		want := slices.Clone(records)
		slices.SortStableFunc(want, func(x, y Record) int {
			if c := x.Name.Compare(y.Name); c != 0 {
				return c
			}
			return int(x.Type) - int(y.Type)
		})
		if len(b.records.order) != len(want) || b.records.sorted != len(want) {
			t.Fatalf("%d records, %d sorted, want %d", len(b.records.order), b.records.sorted, len(want))
		}
		for i, at := range b.records.order {
			got := b.record(at)
			if got.Name != want[i].Name || got.Pos != want[i].Pos || !got.Equal(want[i].RR) {
				t.Fatalf("record %d is %v, want %v", i, got, want[i])
			}
		}
	})
}

// askArena compares Has and Owns with a look at all records.
func askArena(t *rapid.T, b *Builder, records []Record) {
	asked := rapid.SampledFrom(records).Draw(t, "asked")
	kind := rapid.SampledFrom([]dns.Type{65280, 65281, 65282, 65283}).Draw(t, "kind")
	has := slices.ContainsFunc(records, func(r Record) bool { return r.Name.Equal(asked.Name) && r.Type == kind })
	if got := b.Has(asked.Name, kind); got != has {
		t.Fatalf("%s %s: %v", asked.Name, kind, got)
	}
	below, err := asked.Name.Prepend("zzz")
	if err == nil && b.Owns(below) || !b.Owns(asked.Name) || b.Owns(dns.Root) {
		t.Fatalf("Owns %s: %v, below it: %v", asked.Name, b.Owns(asked.Name), b.Owns(below))
	}
}

// TestArenaSortsRuns: files that are in order, made of parts that are, in reverse, and in none.
func TestArenaSortsRuns(t *testing.T) {
	t.Parallel()
	const n = 3000
	random := rand.New(rand.NewPCG(1, 2))
	for what, order := range map[string]func(i int) int{
		"sorted": func(i int) int { return i }, "reverse": func(i int) int { return n - i },
		"two parts": func(i int) int { return (i + n/2) % n }, "three parts": func(i int) int { return (i + n/3) % n },
		"zigzag": func(i int) int { return i ^ 1 }, "none": func(int) int { return random.IntN(n) },
	} {
		a := newArena(origin)
		for i := range n {
			name, err := origin.Prepend(fmt.Sprintf("n%06d", order(i)))
			if err != nil {
				t.Fatal(err)
			}
			a.add(Record{RR: dns.RR{Name: name, Type: 65280}})
			if i == n/2 {
				a.sort() // what is sorted is one run
			}
		}
		a.sort()
		if !slices.IsSortedFunc(a.order, a.compare) || len(a.order) != n {
			t.Errorf("%s: %d records, not in order", what, len(a.order))
		}
	}
	a := newArena(origin)
	a.sort()
	if len(a.order) != 0 {
		t.Error("records of nothing")
	}
}

// TestArenaAsksALongTail: many records out of order are sorted by the first question, and not by each.
func TestArenaAsksALongTail(t *testing.T) {
	t.Parallel()
	for _, n := range []int{maxTail, maxTail + 1} {
		b := NewBuilder(origin)
		b.Add(Record{RR: rrOf(t, "zz 1 TXT last")})
		for i := range n {
			b.Add(Record{RR: rrOf(t, fmt.Sprintf("n%06d 1 TXT x", n-i))})
		}
		for i := 1; i <= n; i += 100 {
			name, _ := origin.Prepend(fmt.Sprintf("n%06d", i))
			if !b.Has(name, dns.TypeTXT) || b.Has(name, dns.TypeA) {
				t.Errorf("%s: TXT %v, A %v", name, b.Has(name, dns.TypeTXT), b.Has(name, dns.TypeA))
			}
		}
		if want := map[bool]int{true: n + 1, false: 1}[n > maxTail]; b.records.sorted != want {
			t.Errorf("of %d records %d are sorted, want %d", n+1, b.records.sorted, want)
		}
	}
}

// TestArenaFiles: past what two octets count, places are told without the file's name.
func TestArenaFiles(t *testing.T) {
	t.Parallel()
	a := newArena(origin)
	const most = 1 << 16
	for i := range most + 2 {
		a.add(Record{dns.RR{Name: origin, Type: 65280}, Pos{fmt.Sprintf("file%d", i), i, 1 << 17}})
	}
	for i, want := range map[int]Pos{
		0: {"file0", 0, 1<<16 - 1}, most - 2: {fmt.Sprintf("file%d", most-2), most - 2, 1<<16 - 1},
		most - 1: {"", most - 1, 1<<16 - 1}, most + 1: {"", most + 1, 1<<16 - 1},
	} {
		if got := a.pos(a.at(a.order[i])); got != want {
			t.Errorf("record %d: %+v, want %+v", i, got, want)
		}
	}
}

// TestBuilderIgnoresOrder: the same records make the same zone in whatever order they come.
func TestBuilderIgnoresOrder(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(`
@ 300 SOA ns1 host 7 2 3 4 5
@ 300 NS ns1
@ 300 NS ns2
ns1 300 A 192.0.2.1
ns2 300 AAAA 2001:db8::1
a 300 TXT 1
a 300 TXT 2
a 300 MX 10 b
a 300 MX 2 c
b.a 300 A 192.0.2.2
*.a 300 A 192.0.2.3
x.*.b 300 TXT 1
sub 300 NS ns.sub
ns.sub 300 A 192.0.2.4
d 300 DNAME a
`), "\n")
	var records []Record
	for _, line := range lines {
		records = append(records, Record{RR: rrOf(t, line)})
	}
	build := func(records []Record) *Zone {
		b := NewBuilder(origin)
		for _, r := range records {
			b.Add(r)
		}
		z, _, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	want := build(records)
	rapid.Check(t, func(t *rapid.T) {
		got := build(rapid.Permutation(records).Draw(t, "records"))
		if !got.SameContent(want) || !want.SameContent(got) || got.count != want.count || listing(got) != listing(want) {
			t.Fatalf("got %s", listing(got))
		}
	})
}

// TestBuilderKeepsNothing: a record's memory may be used again after Add.
func TestBuilderKeepsNothing(t *testing.T) {
	t.Parallel()
	b := NewBuilder(origin)
	for _, line := range strings.Split(strings.TrimSpace(strings.TrimPrefix(head, "$TTL 300\n")), "\n") {
		b.Add(Record{RR: rrOf(t, strings.Replace(line, " ", " 300 ", 1))})
	}
	rr := rrOf(t, "a 300 A 192.0.2.9")
	b.Add(Record{RR: rr})
	copy(rr.Data, "XXXX")
	z, _, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if set, _ := z.At2(t, "a").RRset(dns.TypeA); string(set.Data[0]) != "\xc0\x00\x02\x09" {
		t.Errorf("%x", set.Data)
	}
}

// TestPlacesOfProblems: a warning names the line of the record that it is about, not that of another of its set.
func TestPlacesOfProblems(t *testing.T) {
	t.Parallel()
	_, warnings := load(t, head+"m 300 MX 1 ns1\nm 300 MX 2 none\nm 300 MX 3 ns1\nm 300 MX 4 nil\n")
	var lines []int
	for _, w := range warnings {
		lines = append(lines, w.Pos.Line)
	}
	if !slices.Equal(lines, []int{6, 8}) {
		t.Errorf("warnings for lines %v: %v", lines, warnings)
	}
}

// TestLargeSets: duplicates among many records of a set are found without comparing each with each.
func TestLargeSets(t *testing.T) {
	t.Parallel()
	b := NewBuilder(origin)
	b.Add(Record{RR: rrOf(t, "@ 300 SOA ns1 host 7 2 3 4 5")})
	b.Add(Record{RR: rrOf(t, "@ 300 NS elsewhere.")})
	name, _ := origin.Prepend("many")
	const n = 4000
	for i := range 2 * n {
		b.Add(Record{RR: dns.RR{Name: name, Type: dns.TypeA, Class: dns.ClassIN, TTL: 300, Data: []byte{192, 0, byte(i % n >> 8), byte(i % n)}}})
	}
	z, warnings, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	set, _ := z.At2(t, "many").RRset(dns.TypeA)
	if len(set.Data) != n || len(warnings) != MaxReported+1 {
		t.Errorf("%d records, %d warnings", len(set.Data), len(warnings))
	}
	if want := fmt.Sprintf("%d more of them", n-MaxReported); !strings.HasSuffix(warnings[MaxReported].Text, want) {
		t.Errorf("the last warning is %q", warnings[MaxReported])
	}
}
