package zone

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
)

func rrOf(t interface {
	Helper()
	Fatal(...any)
}, text string) dns.RR {
	t.Helper()
	records, err := Read(strings.NewReader(text+"\n"), ReadOptions{Origin: origin})
	if err != nil || len(records) != 1 {
		t.Fatal(records, err)
	}
	return records[0].RR
}

// TestEditModel applies random additions and deletions to a zone and to a map of records; the zone, its counts, the
// difference and the zone that a Builder makes of the same records must agree.
func TestEditModel(t *testing.T) {
	t.Parallel()
	owners := []string{"@", "a", "b.a", "*.a", "x.*", "c", "UP.c", "z"}
	data := []string{"TXT 1", "TXT 2", "A 192.0.2.1", "A 192.0.2.2", "NS ns1", "NS NS1", "DNAME b", "MX 1 c"}
	rapid.Check(t, func(rt *rapid.T) {
		z, _ := load(t, head+"a TXT 1\nb.a NS ns1\n")
		records := map[string]dns.RR{}
		for rr := range z.All() {
			records[keyOf(rr)] = rr
		}
		for range rapid.IntRange(1, 3).Draw(rt, "edits") {
			e := z.Edit()
			before := maps.Clone(records)
			for range rapid.IntRange(0, 8).Draw(rt, "steps") {
				rr := rrOf(t, rapid.SampledFrom(owners).Draw(rt, "owner")+rapid.SampledFrom([]string{" 1 ", " 2 "}).Draw(rt, "ttl")+rapid.SampledFrom(data).Draw(rt, "data"))
				if rapid.Bool().Draw(rt, "add") {
					if err := e.Add(rr); err != nil {
						rt.Fatal(err)
					}
					for k, other := range records {
						if other.SameSet(rr) {
							other.TTL = rr.TTL
							records[k] = other
						}
					}
					records[keyOf(rr)] = rr
				} else {
					_, was := records[keyOf(rr)]
					if got := e.Delete(rr); got != was {
						rt.Fatalf("Delete %s: %v", rr, got)
					}
					delete(records, keyOf(rr))
				}
			}
			next := e.Zone()
			holds(rt, next, records)
			holds(rt, z, before)
			checkDifference(rt, e.Difference(), before, records)
			z = next
		}
	})
}

// keyOf tells records apart as RFC 2181 section 5 does.
func keyOf(rr dns.RR) string {
	rr = rr.Canonical()
	return fmt.Sprintf("%s %s %x", rr.Name, rr.Type, rr.Data)
}

func holds(t *rapid.T, z *Zone, want map[string]dns.RR) {
	b := NewBuilder(origin)
	got := map[string]dns.RR{}
	for rr := range z.All() {
		got[keyOf(rr)] = rr
	}
	if len(got) != len(want) || z.Len() != len(want) {
		t.Fatalf("%d records, %d different, want %d", z.Len(), len(got), len(want))
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if !got[k].Equal(want[k]) {
			t.Fatalf("%s, want %s", got[k], want[k])
		}
		b.Add(Record{RR: want[k]})
	}
	built, _, err := b.Build()
	if err == nil && z.count != built.count { // not every set of records makes a zone
		t.Fatalf("counts %+v, want %+v", z.count, built.count)
	}
}

func checkDifference(t *rapid.T, d Difference, before, after map[string]dns.RR) {
	got := maps.Clone(before)
	for _, rr := range d.Deleted {
		if was, ok := got[keyOf(rr)]; !ok || was.TTL != rr.TTL {
			t.Fatalf("deleted %s, which was not there", rr)
		}
		delete(got, keyOf(rr))
	}
	for _, rr := range d.Added {
		if _, ok := got[keyOf(rr)]; ok {
			t.Fatalf("added %s, which was there", rr)
		}
		got[keyOf(rr)] = rr
	}
	if !maps.EqualFunc(got, after, dns.RR.Equal) {
		t.Fatalf("difference %+v leads elsewhere", d)
	}
	same := func(a, b dns.RR) bool { return a.Equal(b) && slices.Equal(a.Data, b.Data) }
	for _, rr := range d.Added {
		if slices.ContainsFunc(d.Deleted, func(o dns.RR) bool { return same(o, rr) }) {
			t.Fatalf("%s is deleted and added", rr)
		}
	}
}

func TestEditRefuses(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head)
	e := z.Edit()
	if err := e.Add(dns.NameRR(dns.Root, 1, dns.TypeNS, origin)); !errors.Is(err, ErrNotInZone) {
		t.Error(err)
	}
	if err := e.Put(dns.Root, RRset{Type: dns.TypeA}); !errors.Is(err, ErrNotInZone) {
		t.Error(err)
	}
	if len(e.Sets(dns.Root)) != 0 {
		t.Error("sets outside the zone")
	}
	txt := func(octets int) RRset {
		return RRset{Type: 65280, TTL: 1, Data: [][]byte{make([]byte, octets)}}
	}
	name, _ := origin.Prepend("large")
	if err := e.Put(name, txt(maxSetOctets-recordHead+1)); !errors.Is(err, ErrSetTooLarge) {
		t.Error(err)
	}
	if err := e.Put(name, txt(maxSetOctets-recordHead)); err != nil {
		t.Error(err)
	}
	if n, ok := e.Zone().At(name); !ok || len(n.Sets()[0].Data[0]) != maxSetOctets-recordHead {
		t.Error("the largest set is not there")
	}
	// The same limit holds for files.
	for octets, fits := range map[int]bool{maxSetOctets - recordHead: true, maxSetOctets - recordHead + 1: false} {
		b := NewBuilder(origin)
		b.Add(Record{RR: dns.RR{Name: name, Type: 65280, Class: dns.ClassIN, TTL: 1, Data: make([]byte, octets)}})
		_, _, err := b.Build()
		if strings.Contains(err.Error(), "no answer has room for") == fits {
			t.Errorf("%d octets: %v", octets, err)
		}
	}
}

func TestBefore(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head+"a TXT 1\nb.ent TXT 1\nw.ent TXT 1\nz TXT 1\n")
	for name, want := range map[string]string{
		"@": "@", "a": "a @", "0": "@", "b": "a @", "ent": "a @", "x.a": "a @", "c.ent": "b.ent a @", "zz": "z ns1 w.ent b.ent a @",
	} {
		full, err := dns.ParseName(name, origin)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for n := range z.Before(full) {
			got = append(got, rel(n.Name()))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("before %s: %q, want %s", name, got, want)
		}
	}
	for range z.Before(dns.Root) {
		t.Error("a name outside the zone has names before it")
	}
	for range z.Before(origin) {
		break // an early end must not panic
	}
}
