package zones

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/state/disk"
)

func TestJournal(t *testing.T) {
	t.Parallel()
	f, all := openFolder(t), versions(t, 5)
	j, state := openJournal(t, f)
	if state.HasVersion || len(state.Changes) != 0 || state.Cut != 0 {
		t.Errorf("%+v at the beginning", state)
	}
	must(t, j.Begin(version(all[0])))
	must(t, j.Append(step(all, 1)))
	must(t, j.Append(step(all, 2)))
	now := time.Unix(1_800_000_000, 0)
	must(t, j.Refreshed(now))
	must(t, j.Close())
	if err := j.Append(step(all, 3)); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	j, state = openJournal(t, f)
	if at, err := versionOf(all, state); at != 2 || err != nil || state.Steps != 2 || !state.Refreshed.Equal(now) {
		t.Errorf("%d, %+v, %v", at, state, err)
	}
	// A version that comes of no step ends the history, and the changes stay.
	must(t, j.Begin(Version{100, DigestOf(all[2])}))
	_, state = openJournal(t, f)
	if state.Steps != 0 || len(state.Changes) != 2 || state.Version.Serial != 100 || state.Past(zone.HistoryLimits{}).Len() != 0 {
		t.Errorf("%+v", state)
	}
	// So does a step that begins elsewhere.
	must(t, j.Append(step(all, 3)))
	if _, state = openJournal(t, f); state.Steps != 0 || len(state.Changes) != 3 || state.Version.Serial != 13 {
		t.Errorf("%+v", state)
	}
}

func TestStateFrom(t *testing.T) {
	t.Parallel()
	f, all := openFolder(t), versions(t, 4)
	j, _ := openJournal(t, f)
	must(t, j.Append(zone.Difference{Added: step(all, 1).Added[:1]})) // an older change, of no version
	must(t, j.Begin(version(all[0])))
	for i := 1; i < 4; i++ {
		must(t, j.Append(step(all, i)))
	}
	_, state := openJournal(t, f)
	for serial, want := range map[uint32]int{10: 3, 11: 2, 12: 1, 13: 0, 9: -1, 14: -1} {
		steps, ok := state.From(serial)
		if ok != (want >= 0) || ok && len(steps) != want {
			t.Errorf("from %d: %d steps, %v", serial, len(steps), ok)
		}
	}
	if _, ok := (State{}).From(0); ok {
		t.Error("a way from nothing")
	}
}

func TestCompactKeepsWhatIsSaid(t *testing.T) {
	t.Parallel()
	all := versions(t, 20)
	for _, keep := range []int64{0, 500, 2000, 1 << 20} {
		f := openFolder(t)
		j, _ := openJournal(t, f)
		must(t, j.Begin(version(all[0])))
		for i := 1; i < 20; i++ {
			must(t, j.Append(step(all, i)))
			must(t, j.Refreshed(time.Unix(int64(i), 0)))
		}
		before := j.Size()
		must(t, j.Compact(keep))
		_, state := openJournal(t, f)
		at, err := versionOf(all, state)
		if at != 19 || err != nil || state.Refreshed.Unix() != 19 {
			t.Errorf("keep %d: version %d, %v; refreshed %v", keep, at, err, state.Refreshed)
		}
		kept := int64(0)
		for _, d := range state.Changes[len(state.Changes)-state.Steps:] {
			data, _ := appendDifference(nil, kindStep, d)
			kept += int64(len(data))
		}
		if kept > keep || (keep == 0) != (state.Steps == 0) || (keep == 1<<20) != (state.Steps == 19) || j.Size() >= before {
			t.Errorf("keep %d: %d steps of %d octets; %d octets instead of %d", keep, state.Steps, kept, j.Size(), before)
		}
		// And it goes on.
		must(t, j.Append(zone.Between(all[19], makeZone(t, 30))))
		if _, state = openJournal(t, f); state.Version != version(makeZone(t, 30)) {
			t.Errorf("keep %d: %+v", keep, state.Version)
		}
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	f, all := openFolder(t), versions(t, 3)
	j, _ := openJournal(t, f)
	must(t, j.Begin(version(all[0])))
	must(t, j.Append(step(all, 1)))
	now := time.Unix(1_800_000_000, 0)
	must(t, j.Restart(version(all[2]), now))
	_, state := openJournal(t, f)
	if len(state.Changes) != 0 || state.Version != version(all[2]) || !state.Refreshed.Equal(now) {
		t.Errorf("%+v", state)
	}
	if names, err := f.ReadDir("."); err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	}
}

func TestLimitOfARecord(t *testing.T) {
	t.Parallel()
	rr := dns.RR{Name: apex, Type: 65280, Class: dns.ClassIN, Data: make([]byte, 30_000)}
	size := len(apex) + 10 + len(rr.Data)
	count := (MaxRecord - 9) / size
	d := zone.Difference{}
	for range count {
		d.Added = append(d.Added, rr)
	}
	d.Added[0].Data = make([]byte, len(rr.Data)+MaxRecord-9-count*size) // to the octet
	data, err := appendDifference(nil, kindStep, d)
	if err != nil || len(data) != frameHead+MaxRecord {
		t.Fatal(len(data), err)
	}
	if e, err := readEntry(data); err != nil || len(e.difference.Added) != count {
		t.Error(err)
	}
	d.Added[0].Data = append(d.Added[0].Data, 0)
	if _, err := appendDifference(nil, kindStep, d); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	j, _ := openJournal(t, openFolder(t))
	if err := j.Append(d); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	must(t, j.Append(zone.Difference{Added: []dns.RR{rr}})) // and it goes on
}

func TestLimitOfAJournal(t *testing.T) {
	t.Parallel()
	f := openFolder(t)
	j, _ := openJournal(t, f)
	j.end = MaxJournal - 10
	if err := j.Begin(Version{}); !errors.Is(err, disk.ErrTooLarge) {
		t.Error(err)
	}
	must(t, j.file.Truncate(MaxJournal+1))
	if _, _, err := New(f).Journal(apex); !errors.Is(err, disk.ErrTooLarge) {
		t.Error(err)
	}
}

// TestTornTail: whatever of the last record is on the disk, the others are there, and what follows is too.
func TestTornTail(t *testing.T) {
	t.Parallel()
	f, all := openFolder(t), versions(t, 3)
	j, _ := openJournal(t, f)
	must(t, j.Begin(version(all[0])))
	must(t, j.Append(step(all, 1)))
	whole := j.Size()
	must(t, j.Append(step(all, 2)))
	full := j.Size()
	data, err := disk.ReadFile(f, j.name(), 1<<20)
	must(t, err)
	for cut := whole; cut < full; cut += 31 {
		for what, torn := range map[string][]byte{
			"cut off": data[:cut],
			"zeros":   append(bytes.Clone(data[:cut]), make([]byte, full-cut)...),
			"changed": changed(data, int(cut)),
		} {
			must(t, disk.Replace(f, j.name(), torn))
			j, state := openJournal(t, f)
			if at, err := versionOf(all, state); at != 1 || err != nil || state.Cut != int64(len(torn))-whole {
				t.Fatalf("%s at %d: version %d, %d octets cut, %v", what, cut, at, state.Cut, err)
			}
			must(t, j.Append(step(all, 2)))
			if _, state = openJournal(t, f); state.Steps != 2 || state.Cut != 0 {
				t.Fatalf("%s at %d: %+v", what, cut, state)
			}
		}
	}
}

func changed(data []byte, at int) []byte {
	out := bytes.Clone(data)
	out[at] ^= 0x20
	return out
}

// TestHeldLasts: what is held, what is held as nothing, and what is released.
func TestHeldLasts(t *testing.T) {
	t.Parallel()
	f := openFolder(t)
	j, _ := openJournal(t, f)
	two := zone.RRset{Type: dns.TypeA, TTL: 60, Data: [][]byte{{192, 0, 2, 1}, {192, 0, 2, 2}}}
	gone := zone.RRset{Type: dns.TypeTXT}
	b, c := dns.MustParseName("b.example.test."), dns.MustParseName("c.example.test.")
	want := []zone.Held{{Name: apex, RRset: two}, {Name: b, RRset: gone}, {Name: c, RRset: gone, Released: true}, {Name: c, RRset: two}}
	must(t, j.Append(zone.Difference{Held: want}))
	if _, state := openJournal(t, f); len(state.Changes) != 1 || !reflect.DeepEqual(state.Changes[0].Held, want) {
		t.Errorf("%+v", state.Changes)
	}
	must(t, j.Compact(0))
	// What is released is what the journal says nothing of any more.
	if _, state := openJournal(t, f); len(state.Changes) != 1 || !reflect.DeepEqual(state.Changes[0].Held, []zone.Held{want[0], want[1], want[3]}) {
		t.Errorf("compacted: %+v", state.Changes)
	}
	large := zone.Held{Name: apex, RRset: zone.RRset{Type: dns.TypeTXT}}
	for range 300 {
		large.Data = append(large.Data, make([]byte, 60_000))
	}
	if err := j.Append(zone.Difference{Held: []zone.Held{large}}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("more than a record holds: %v", err)
	}
}

func TestForeignFiles(t *testing.T) {
	t.Parallel()
	f := openFolder(t)
	j := &Journal{apex: apex, ends: journalEnd}
	other := &Journal{apex: dns.MustParseName("other.test.")}
	odd := append(j.head(), 0, 0, 0, 0, 0, 0, 0, 0, '?')
	seal(odd[len(j.head()):])
	long := append(j.head(), appendVersion(nil, Version{})...)
	long = append(long, 0)
	seal(long[len(j.head()):])
	inside, _ := appendDifference(nil, kindStep, zone.Difference{Added: []dns.RR{{Name: apex, Type: dns.TypeA, Class: dns.ClassIN, Data: []byte{1}}}})
	few := append(append(make([]byte, frameHead), kindStep), 0, 0, 0, 1)
	seal(few)
	many := append(append(make([]byte, frameHead), kindStep), 0, 0, 0, 0, 0, 0, 0, 0, 7)
	seal(many)
	a := dns.RR{Name: apex, Type: dns.TypeA, Class: dns.ClassIN, Data: []byte{192, 0, 2, 1}}
	orphan := append(append(make([]byte, frameHead), kindStep), 0, 0, 0, 0, 0, 0, 0, 0)
	strange := appendRR(appendRR(orphan[:len(orphan):len(orphan)], dns.RR{Name: apex, Type: dns.TypeTXT, Class: dns.ClassANY}), a)
	orphan = appendRR(orphan, a)
	seal(orphan)
	seal(strange)
	for what, content := range map[string][]byte{
		"held in no set": append(j.head(), orphan...), "held in another set": append(j.head(), strange...),
		"empty": {}, "text": []byte("hello\n"), "another zone's": other.head(), "an unknown kind": odd, "a version that is too long": long,
		"a record that is none": append(j.head(), inside...), "no counts": append(j.head(), few...), "too much": append(j.head(), many...),
	} {
		must(t, disk.Replace(f, j.name(), content))
		if _, _, err := New(f).Journal(apex); !errors.Is(err, errForm) {
			t.Errorf("%s: %v", what, err)
		}
		if got, err := disk.ReadFile(f, j.name(), 1<<20); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: the file was changed", what)
		}
	}
}

// TestConcurrentCommits: all that was acknowledged is there, in the order in which it was written.
func TestConcurrentCommits(t *testing.T) {
	t.Parallel()
	f := openFolder(t)
	j, _ := openJournal(t, f)
	must(t, j.Begin(Version{Serial: 0}))
	var mu sync.Mutex
	z := makeZone(t, 0)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 20 {
				mu.Lock()
				e := z.Edit()
				name, _ := apex.Prepend(fmt.Sprintf("w%d-%d", w, i))
				if err := e.Add(dns.NameRR(name, 1, dns.TypeCNAME, apex)); err != nil {
					t.Error(err)
				}
				e.SetSerial(z.SOA().Serial + 1)
				at, err := j.Write(e.Difference())
				if err != nil {
					t.Error(err)
				}
				z = e.Zone()
				mu.Unlock()
				if err := j.Commit(at); err != nil {
					t.Error(err)
				}
				if rand.N(20) == 0 {
					if err := j.Compact(1000); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	_, state := openJournal(t, f)
	e := makeZone(t, 0).Edit()
	for _, d := range state.Changes {
		must(t, e.Apply(d))
	}
	if !same(e.Zone(), z) {
		t.Error("the changes do not lead to the zone")
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	all := versions(t, 8)
	d := DigestOf(all[0])
	for i := 1; i < 8; i++ {
		before := d
		if signed := d.Signed(); signed == d || signed.With(step(all, i)) != d.With(step(all, i)).Signed() {
			t.Errorf("version %d: signed, it is told apart as %x", i, signed)
		}
		if d = d.With(step(all, i)); d != DigestOf(all[i]) || d == before {
			t.Fatalf("version %d", i)
		}
	}
	z := makeZone(t, 1, "a TXT 1")
	if DigestOf(z) != DigestOf(z.WithSerial(9)) {
		t.Error("the serial matters")
	}
	if DigestOf(z) != DigestOf(makeZone(t, 1, "A TXT 1")) {
		t.Error("the case of owners matters")
	}
	for _, other := range []string{"a TXT 2", "a 9 TXT 1", "b TXT 1", "a TYPE65280 \\# 2 0131"} {
		if DigestOf(z) == DigestOf(makeZone(t, 1, other)) {
			t.Errorf("%s is the same", other)
		}
	}
}

func FuzzJournal(f *testing.F) {
	j := &Journal{apex: apex, ends: journalEnd}
	z := makeZone(f, 10)
	e := z.Edit()
	e.SetSerial(11)
	data := appendVersion(j.head(), version(z))
	data, err := appendDifference(data, kindStep, e.Difference())
	must(f, err)
	f.Add(data)
	f.Add(appendRefreshed(data, time.Unix(5, 0)))
	data, err = appendDifference(j.head(), kindOverlay, e.Difference())
	must(f, err)
	f.Add(data)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		j := &Journal{apex: apex, ends: journalEnd}
		entries, end, err := j.entries(data)
		if err != nil {
			return
		}
		var s State
		for _, e := range entries {
			s.take(e)
		}
		if s.Steps > len(s.Changes) || end > len(data) {
			t.Fatalf("%+v", s)
		}
		s.Past(zone.HistoryLimits{})
		out, err := compacted(entries, 300)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := j.entries(append(j.head(), out...))
		if err != nil {
			t.Fatal(err)
		}
		var short State
		for _, e := range again {
			short.take(e)
		}
		if s.HasVersion && short.Version != s.Version || !short.Refreshed.Equal(s.Refreshed) || short.Steps > s.Steps {
			t.Fatalf("%+v became %+v", s, short)
		}
	})
}
