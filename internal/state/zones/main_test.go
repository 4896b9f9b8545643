package zones

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/state/disk"
)

var apex = dns.MustParseName("example.test.")

// makeZone makes a zone of a serial and lines of a master file.
func makeZone(t testing.TB, serial uint32, lines ...string) *zone.Zone {
	t.Helper()
	text := fmt.Sprintf("$TTL 300\n@ SOA ns1 host %d 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n", serial)
	z, _, err := zone.Load(strings.NewReader(text+strings.Join(lines, "\n")+"\n"), zone.ReadOptions{Origin: apex})
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// versions makes a zone and what came of it: version i has the texts of i names, one of them large enough for several
// sectors of a disk, and lacks that of i-3.
func versions(t testing.TB, count int) []*zone.Zone {
	t.Helper()
	var all []*zone.Zone
	for i := range count {
		var lines []string
		for k := max(i-3, 0); k < i; k++ {
			size := 1 + k%3*120
			lines = append(lines, fmt.Sprintf("n%d TXT %s %s %s", k, strings.Repeat("x", size), strings.Repeat("y", size), strings.Repeat("z", size)))
		}
		all = append(all, makeZone(t, uint32(10+i), lines...))
	}
	return all
}

// step makes the next version of one, and holds the texts that it changes.
func step(all []*zone.Zone, i int) zone.Difference {
	d := zone.Between(all[i-1], all[i])
	for _, part := range [...][]dns.RR{d.Deleted, d.Added} {
		for _, rr := range part {
			if rr.Type == dns.TypeTXT {
				node, _ := all[i].At(rr.Name)
				set, _ := node.RRset(rr.Type)
				set.Type = rr.Type // also of one that is not there
				d.Held = append(d.Held, zone.Held{Name: rr.Name, RRset: set})
			}
		}
	}
	return d
}

func version(z *zone.Zone) Version { return Version{z.SOA().Serial, DigestOf(z)} }

func same(a, b *zone.Zone) bool {
	return slices.EqualFunc(slices.Collect(a.All()), slices.Collect(b.All()), dns.RR.Equal)
}

func openFolder(t testing.TB) disk.Folder {
	t.Helper()
	f, err := disk.Open(t.TempDir(), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func openJournal(t testing.TB, f disk.Folder) (*Journal, State) {
	t.Helper()
	j, s, err := New(f).Journal(apex)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j, s
}

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
