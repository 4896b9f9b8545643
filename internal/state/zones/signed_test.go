package zones

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/crashtest"
	"github.com/network-utopia/utopia/internal/state/disk"
)

func openSigned(t testing.TB, f disk.Folder, kept *zone.Zone) *Signed {
	t.Helper()
	k, err := New(f).Signed(apex, kept)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// wantSigned wants a version to be kept, with a history of so many steps.
func wantSigned(t testing.TB, f disk.Folder, want *zone.Zone, steps int) *zone.Zone {
	t.Helper()
	z, past, err := New(f).LoadSigned(apex)
	if err != nil {
		t.Fatal(err)
	}
	if !same(z, want) || past.Len() != steps {
		t.Errorf("serial %d with %d steps, want %d with %d", z.SOA().Serial, past.Len(), want.SOA().Serial, steps)
	}
	if steps > 0 {
		if _, ok := past.Since(want.SOA().Serial-1, want.SOA().Serial); !ok {
			t.Error("the history does not lead here")
		}
	}
	return z
}

func TestSignedIsKept(t *testing.T) {
	t.Parallel()
	all, f := versions(t, 10), openFolder(t)
	if _, _, err := New(f).LoadSigned(apex); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	k := openSigned(t, f, nil)
	if !k.Due() {
		t.Error("no copy, and none is due")
	}
	must(t, k.Begin(10))
	must(t, k.Save(t.Context(), all[0]))
	for i := 1; i < 5; i++ {
		must(t, k.Step(step(all, i)))
	}
	if k.Due() {
		t.Error("a copy is due for nothing")
	}
	wantSigned(t, f, all[4], 4) // written, though not synced
	must(t, k.Close())
	k = openSigned(t, f, wantSigned(t, f, all[4], 4))
	must(t, k.Step(step(all, 5)))
	// Steps that come while the copy of an older version is written.
	must(t, k.Save(t.Context(), all[3]))
	wantSigned(t, f, all[5], 5) // and the past before it stays
	// A gap.
	must(t, k.Step(step(all, 7)))
	if !k.Due() {
		t.Error("a step is missing, and no copy is due")
	}
	must(t, k.Begin(17))
	must(t, k.Step(step(all, 8)))
	wantSigned(t, f, all[3], 0) // no step of now leads on from it
	must(t, k.Save(t.Context(), all[7]))
	if wantSigned(t, f, all[8], 1); k.Due() {
		t.Error("a copy is due after it was made")
	}
	// Once its time is over it stays as it was.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.Save(gone, all[8]); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	must(t, k.Step(zone.Difference{})) // without serials
	if !k.Due() {
		t.Error("no copy is due")
	}
	wantSigned(t, f, all[8], 1)
	must(t, k.Close())
	must(t, New(f).Remove(apex))
	if entries, err := f.ReadDir("."); err != nil || len(entries) > 0 {
		t.Errorf("left over: %v %v", entries, err)
	}
}

// largeStep makes a difference of about so many octets between two serials.
func largeStep(serial uint32, octets int) zone.Difference {
	soa := func(serial uint32) dns.RR {
		return dns.RR{Name: apex, Type: dns.TypeSOA, Class: dns.ClassIN, TTL: 300, Data: dns.SOA{MName: apex, RName: apex, Serial: serial}.Data()}
	}
	d := zone.Difference{Deleted: []dns.RR{soa(serial)}, Added: []dns.RR{soa(serial + 1)}}
	for ; octets > 0; octets -= 50_000 {
		d.Added = append(d.Added, dns.RR{Name: apex, Type: 65280, Class: dns.ClassIN, Data: make([]byte, 50_000)})
	}
	return d
}

// TestSignedLimits: many octets of steps make a copy due, and so does a step that is too large for a record.
func TestSignedLimits(t *testing.T) {
	t.Parallel()
	all, f := versions(t, 2), openFolder(t)
	k := openSigned(t, f, nil)
	must(t, k.Begin(10))
	must(t, k.Save(t.Context(), all[0]))
	serial := uint32(10)
	for ; k.journal.Size()+100_000 <= fewSteps; serial++ {
		if must(t, k.Step(largeStep(serial, 50_000))); k.Due() {
			t.Fatalf("due at %d octets", k.journal.Size())
		}
	}
	for range 2 {
		must(t, k.Step(largeStep(serial, 50_000)))
		serial++
	}
	if !k.Due() {
		t.Errorf("not due at %d octets", k.journal.Size())
	}
	must(t, k.Save(t.Context(), all[0].WithSerial(serial)))
	if size := k.journal.Size(); k.Due() != (size > fewSteps) || size > keepPast {
		t.Errorf("%d octets are left", size)
	}
	// The past has its limit, and what the copy needs has none.
	for range keepPast / 2_000_000 {
		must(t, k.Step(largeStep(serial, 2_000_000)))
		serial++
	}
	must(t, k.Save(t.Context(), all[0].WithSerial(serial)))
	if size := k.journal.Size(); size > keepPast || size < keepPast/2 {
		t.Errorf("%d octets of the past are left", size)
	}
	from := serial
	for range keepPast/2_000_000 + 2 {
		must(t, k.Step(largeStep(serial, 2_000_000)))
		serial++
	}
	must(t, k.Save(t.Context(), all[0].WithSerial(from)))
	if size := k.journal.Size(); size < keepPast+2_000_000 {
		t.Errorf("%d octets of what the copy needs are left", size)
	}
	must(t, k.Save(t.Context(), all[0].WithSerial(serial)))
	k.full = 1 << 30
	if must(t, k.Step(largeStep(serial, MaxRecord+1))); !k.Due() {
		t.Error("a step that is too large is taken")
	}
	must(t, k.Close())
	if k.Step(largeStep(serial, 1)) == nil || k.Begin(7) == nil || k.Save(t.Context(), all[0]) == nil {
		t.Error("it takes more after its end")
	}
}

// TestSignedDamaged: nothing that is damaged, or of another zone, is taken for the zone; and a new one can begin.
func TestSignedDamaged(t *testing.T) {
	t.Parallel()
	all := versions(t, 5)
	for name, spoil := range map[string]func(t *testing.T, f disk.Folder){
		"the copy is cut": func(t *testing.T, f disk.Folder) {
			change(t, f, "example.test.signed", func(b []byte) []byte { return b[:len(b)-9] })
		},
		"a bit of the copy": func(t *testing.T, f disk.Folder) {
			change(t, f, "example.test.signed", func(b []byte) []byte { b[100] ^= 4; return b })
		},
		"a copy of another": func(t *testing.T, f disk.Folder) {
			change(t, f, "example.test.signed", func(b []byte) []byte { b[20] ^= 4; return b })
		},
		"an empty copy": func(t *testing.T, f disk.Folder) {
			change(t, f, "example.test.signed", func([]byte) []byte { return nil })
		},
		"the steps of another": func(t *testing.T, f disk.Folder) {
			change(t, f, "example.test.signed-steps", func(b []byte) []byte { b[25] ^= 4; return b })
		},
		"steps of something else": func(t *testing.T, f disk.Folder) {
			change(t, f, "example.test.signed-steps", func(b []byte) []byte {
				head := len(journalMagic) + len(apex)
				d := zone.Between(all[0], all[0].WithSerial(11))
				d.Deleted = append(d.Deleted, step(all, 4).Deleted...) // which is not there
				out, err := appendDifference(appendVersion(b[:head:head], Version{Serial: 10}), kindStep, d)
				if err != nil {
					t.Fatal(err)
				}
				return out
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := openFolder(t)
			k := openSigned(t, f, nil)
			must(t, k.Begin(10))
			must(t, k.Save(t.Context(), all[0]))
			must(t, k.Step(step(all, 1)))
			must(t, k.Close())
			wantSigned(t, f, all[1], 1)
			spoil(t, f)
			if z, _, err := New(f).LoadSigned(apex); err == nil {
				t.Errorf("taken: serial %d", z.SOA().Serial)
			}
			k = openSigned(t, f, nil)
			must(t, k.Begin(12))
			must(t, k.Save(t.Context(), all[2]))
			must(t, k.Step(step(all, 3)))
			wantSigned(t, f, all[3], 1)
			must(t, k.Close())
		})
	}
}

// change changes a file.
func change(t *testing.T, f disk.Folder, name string, edit func([]byte) []byte) {
	t.Helper()
	file, err := f.OpenWrite(name)
	must(t, err)
	size, err := file.Size()
	must(t, err)
	data := make([]byte, size)
	_, err = file.ReadAt(data, 0)
	must(t, err)
	data = edit(data)
	must(t, file.Truncate(0))
	_, err = file.WriteAt(data, 0)
	must(t, err)
	must(t, file.Close())
}

// TestSignedSurvives cuts the power at every step: what is kept is a whole version that was there, none older than the
// last that was made durable, and its past leads to it.
func TestSignedSurvives(t *testing.T) {
	t.Parallel()
	all := versions(t, 5)
	work := func(d *crashtest.Disk) (k known, err error) {
		k = known{-1, -1}
		s, err := New(d).Signed(apex, nil)
		if err != nil {
			return k, err
		}
		durable := func(version int, err error) error {
			if err == nil {
				k.acknowledged = version
				d.Note("version %d is kept", version)
			}
			return err
		}
		if err := s.Begin(10); err != nil {
			return k, err
		}
		for i := range all {
			if k.tried = i; i > 0 {
				if err := s.Step(step(all, i)); err != nil {
					return k, err
				}
			}
			if i == 0 || i == 2 {
				if err := durable(i, s.Save(context.Background(), all[i])); err != nil {
					return k, err
				}
			}
		}
		return k, durable(len(all)-1, s.Close())
	}
	crashtest.Run(t, crashtest.Scenario[known]{
		Work: work,
		Check: func(d *crashtest.Disk, k known) error {
			z, past, err := New(d).LoadSigned(apex)
			if errors.Is(err, fs.ErrNotExist) && k.acknowledged < 0 {
				return nil
			}
			if err != nil {
				return fmt.Errorf("load: %w", err)
			}
			at := int(z.SOA().Serial) - 10
			// A check that was cut short may have got one further.
			if at < k.acknowledged || at > k.tried+1 || at >= len(all) || !same(z, all[at]) {
				return fmt.Errorf("version %d survived; %d was kept, and %d tried", at, k.acknowledged, k.tried)
			}
			for i := at - past.Len(); i < at; i++ {
				change, ok := past.Since(uint32(10+i), uint32(10+at))
				e := all[i].Edit()
				if !ok || e.Apply(change) != nil || !same(e.Zone(), all[at]) {
					return fmt.Errorf("the history does not lead from version %d to %d", i, at)
				}
			}
			if at == len(all)-1 {
				return nil
			}
			next, err := New(d).Signed(apex, z) // it goes on from there
			if err == nil {
				err = errors.Join(next.Step(step(all, at+1)), next.Close())
			}
			if err != nil {
				return err
			}
			if z, _, err = New(d).LoadSigned(apex); err != nil || !same(z, all[at+1]) {
				return fmt.Errorf("version %d was kept, and is not there: %w", at+1, err)
			}
			return nil
		},
	})
}

// TestLook: what is in a journal can be read while nobody has it open, and it stays as it is, its torn end too.
func TestLook(t *testing.T) {
	t.Parallel()
	all, f := versions(t, 3), openFolder(t)
	if _, err := New(f).Look(apex); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	j, _ := openJournal(t, f)
	must(t, j.Begin(version(all[0])))
	must(t, j.Append(step(all, 1)))
	name := j.name()
	must(t, j.Close())
	change(t, f, name, func(b []byte) []byte { return append(b, 0, 0, 1) })
	torn, err := disk.ReadFile(f, name, 1<<20)
	must(t, err)
	state, err := New(f).Look(apex)
	if at, wrong := versionOf(all, state); at != 1 || err != nil || wrong != nil {
		t.Errorf("version %d, %v, %v", at, err, wrong)
	}
	if now, err := disk.ReadFile(f, name, 1<<20); err != nil || string(now) != string(torn) {
		t.Error("the file was changed", err)
	}
	change(t, f, name, func([]byte) []byte { return []byte("hello") })
	if _, err := New(f).Look(apex); !errors.Is(err, errForm) {
		t.Error(err)
	}
}
