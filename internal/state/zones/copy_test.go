package zones

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/state/disk"
)

func TestCopy(t *testing.T) {
	t.Parallel()
	s := New(openFolder(t))
	if _, err := s.LoadCopy(apex); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	var lines []string
	for i := range 5000 { // several blocks
		lines = append(lines, fmt.Sprintf("Host%d TXT %s", i, strings.Repeat("x", 200)))
	}
	for _, z := range []*zone.Zone{makeZone(t, 1, lines...), makeZone(t, 2)} {
		must(t, s.SaveCopy(z))
		got, err := s.LoadCopy(apex)
		if err != nil || !same(got, z) {
			t.Fatal(err)
		}
	}
}

func TestDamagedCopy(t *testing.T) {
	t.Parallel()
	f := openFolder(t)
	s := New(f)
	must(t, s.SaveCopy(makeZone(t, 1, "a TXT 1", "b TXT 2")))
	name := fileName(apex) + copyEnd
	data, err := disk.ReadFile(f, name, 1<<20)
	must(t, err)
	for i := range data {
		must(t, disk.Replace(f, name, changed(data, i)))
		if _, err := s.LoadCopy(apex); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("octet %d is changed: %v", i, err)
		}
		must(t, disk.Replace(f, name, data[:i]))
		if _, err := s.LoadCopy(apex); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("cut at octet %d: %v", i, err)
		}
	}
	must(t, disk.Replace(f, name, data))
	if _, err := s.LoadCopy(apex); err != nil {
		t.Error(err)
	}
	if _, err := readCopy(bytes.NewReader(data), dns.MustParseName("other.test.")); !errors.Is(err, errForm) {
		t.Error(err)
	}
}

func TestSecondary(t *testing.T) {
	t.Parallel()
	f, all := openFolder(t), versions(t, 5)
	now := time.Unix(1_800_000_000, 0)
	open := func() *Secondary {
		t.Helper()
		s, err := New(f).Secondary(apex)
		must(t, err)
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	s := open()
	if s.Zone != nil || !s.Refreshed.IsZero() {
		t.Error("a zone of nothing")
	}
	must(t, s.Journal.Refreshed(now)) // a time without a zone is none
	if s = open(); !s.Refreshed.IsZero() {
		t.Error(s.Refreshed)
	}
	must(t, s.Replace(all[0], now))
	must(t, s.Append(step(all, 1)))
	must(t, s.Append(step(all, 2)))
	must(t, s.Journal.Refreshed(now.Add(time.Hour)))
	if s = open(); !same(s.Zone, all[2]) || !s.Refreshed.Equal(now.Add(time.Hour)) {
		t.Errorf("serial %d, %v", s.Zone.SOA().Serial, s.Refreshed)
	}
	// The copy is newer than the journal: a crash came between the two.
	must(t, New(f).SaveCopy(all[4]))
	if s = open(); !same(s.Zone, all[4]) {
		t.Errorf("serial %d", s.Zone.SOA().Serial)
	}
	// A step that does not fit the copy is damage.
	must(t, s.Restart(version(all[4]), now))
	must(t, s.Append(zone.Difference{Deleted: step(all, 4).Added, Added: step(all, 4).Added}))
	d := zone.Between(all[4], all[4].WithSerial(15))
	d.Deleted = append(d.Deleted, dns.NameRR(apex, 1, dns.TypeNS, dns.Root))
	must(t, s.Restart(version(all[4]), now))
	must(t, s.Append(d))
	if _, err := New(f).Secondary(apex); !errors.Is(err, zone.ErrNotThere) {
		t.Error(err)
	}
	must(t, New(f).Remove(apex))
	if names, err := f.ReadDir("."); err != nil || len(names) != 0 {
		t.Errorf("%v, %v", names, err)
	}
	must(t, New(f).Remove(apex)) // again
}

func TestFileNames(t *testing.T) {
	t.Parallel()
	long := dns.Name(strings.Repeat("\x3f"+strings.Repeat("é", 31)+"x", 3) + "\x00")
	if !long.Valid() {
		t.Fatal("the long name is none")
	}
	seen := map[string]string{}
	for _, tt := range []struct{ name, want string }{
		{".", "%root"}, {"example.test.", "example.test"}, {"EXAMPLE.test.", ""}, {"_tcp.a-b.test.", "_tcp.a-b.test"},
		{`a\.b.test.`, "a%2Eb.test"}, {"a.b.test.", "a.b.test"}, {`..\/etc.`, ""}, {`\000.test.`, "%00.test"}, {`\%root.`, "%25root"}, {"root.", "root"},
	} {
		n, err := dns.ParseName(tt.name, "")
		if err != nil {
			continue // it is no name at all
		}
		got := fileName(n)
		if tt.want != "" && got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if other := seen[got]; other != "" && !dns.MustParseName(other).Equal(n) {
			t.Errorf("%s and %s share %s", other, tt.name, got)
		}
		seen[got] = tt.name
		if !fs.ValidPath(got) || strings.Contains(got, "/") {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
	if got := fileName(long); len(got) != 65 || got == fileName("\x01a"+long[64:]) {
		t.Errorf("%s", got)
	}
	if fileName("\x01a"+long[64:]) == fileName("\x01b"+long[64:]) {
		t.Error("two long names share a file")
	}
}

func FuzzCopy(f *testing.F) {
	var b bytes.Buffer
	must(f, writeCopy(f.Context(), &b, makeZone(f, 1, "a TXT 1")))
	f.Add(b.Bytes())
	f.Add([]byte(copyMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		z, err := readCopy(bytes.NewReader(data), apex)
		if err != nil {
			return
		}
		var again bytes.Buffer
		must(t, writeCopy(t.Context(), &again, z))
		if got, err := readCopy(&again, apex); err != nil || !same(got, z) {
			t.Fatal(err)
		}
	})
}
