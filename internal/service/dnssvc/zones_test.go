package dnssvc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"

	"github.com/network-utopia/utopia/dns"
)

const top = "$TTL 60\n@ SOA ns1 h %d 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n"

// several gives options with a further zone for each text; the files lie in a
// folder of their own.
func several(t *testing.T, texts map[string]string) (Options, string) {
	t.Helper()
	opts := options()
	dir := t.TempDir()
	for name, text := range texts {
		opts.Zones = append(opts.Zones, Zone{Name: name, File: writeFile(t, dir, name+"zone", text)})
	}
	return opts, dir
}

func serial(n int) string { return fmt.Sprintf(top, n) }

func TestSeveralZones(t *testing.T) {
	t.Parallel()
	opts, _ := several(t, map[string]string{
		"example.test.":                         serial(1) + "www A 192.0.2.2\n",
		"Sub.NetworkUtopia.test.":               serial(2) + "www A 192.0.2.3\n",
		"2.0.192.in-addr.arpa.":                 strings.ReplaceAll(serial(3), "ns1", "ns1.example.test.")[:60] + "\n@ NS ns1.example.test.\n7 PTR www.example.test.\n",
		"broken.sub.networkutopia.test.":        serial(4) + "www A 192.0.2\n",
		"alias.test.":                           serial(5) + "www CNAME www.example.test.\nb CNAME a.broken.sub.networkutopia.test.\n",
		"no.apex.records.networkutopia.example": "www A 192.0.2.1\n",
	})
	s := started(t, opts)
	for _, tt := range []struct {
		name, want string
		t          uint16
	}{
		{"www.example.test.", "NOERROR 192.0.2.2", mdns.TypeA},
		{"www.sub.networkutopia.test.", "NOERROR 192.0.2.3", mdns.TypeA},
		{"no.sub.networkutopia.test.", "NXDOMAIN", mdns.TypeA},
		{"www.networkutopia.test.", "NOERROR 127.0.0.1", mdns.TypeA},
		{"7.2.0.192.in-addr.arpa.", "NOERROR www.example.test.", mdns.TypePTR},
		{"www.broken.sub.networkutopia.test.", "SERVFAIL", mdns.TypeA},
		{"broken.sub.networkutopia.test.", "SERVFAIL", mdns.TypeSOA},
		{"broken.sub.networkutopia.test.", "NXDOMAIN", mdns.TypeDS}, // the zone above is there, and does not delegate it
		{"www.alias.test.", "NOERROR www.example.test. 192.0.2.2", mdns.TypeA},
		{"b.alias.test.", "NOERROR a.broken.sub.networkutopia.test.", mdns.TypeA},
		{"no.apex.records.networkutopia.example.", "SERVFAIL", mdns.TypeA},
		{"other.test.", "REFUSED", mdns.TypeA},
	} {
		for _, network := range []string{"udp", "tcp"} {
			if got := ask(t, s, network, tt.name, tt.t); got != tt.want {
				t.Errorf("%s %s: %s, want %s", network, tt.name, got, tt.want)
			}
		}
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	failed := s.Failed()
	if len(failed) != 2 {
		t.Fatalf("failed: %v", failed)
	}
	for _, f := range failed {
		if f.Kept || f.Zone == "broken.sub.networkutopia.test" && !strings.Contains(f.String(), "is not served:\n") ||
			f.Zone == "broken.sub.networkutopia.test" && !strings.Contains(f.String(), "broken.sub.networkutopia.test.zone:5:7: bad A data") {
			t.Errorf("%+v: %v", f, f)
		}
	}
}

// TestReplaceOneOfSeveral: an error in a file keeps its zone, the others move
// on; mended, it moves on too.
func TestReplaceOneOfSeveral(t *testing.T) {
	t.Parallel()
	opts, dir := several(t, map[string]string{"a.test.": serial(1), "b.test.": serial(1)})
	own := writeFile(t, dir, "own", "x 60 A 192.0.2.1\n")
	opts.ZoneFiles = []string{own}
	var logged bytes.Buffer
	opts.Log = slog.New(slog.NewTextHandler(&logged, nil))
	s := newService(t, opts)
	first, print := s.current.Load(), s.Fingerprint()
	replace := func(wantFailed int) *state {
		t.Helper()
		opts.Before = s
		next := newService(t, opts)
		if next.current.Load().Before != nil {
			t.Fatal("the service before is kept")
		}
		if !s.Replace(next) {
			t.Fatal("not replaced")
		}
		if failed := s.Failed(); len(failed) != wantFailed {
			t.Fatalf("failed: %v", failed)
		}
		return s.current.Load()
	}

	same := replace(0)
	for i := range same.zones {
		if !same.zones[i].zone.SameContent(first.zones[i].zone) {
			t.Errorf("%s has changed", same.zones[i].name)
		}
	}
	if s.Fingerprint() != print {
		t.Error("another fingerprint of the same files")
	}

	writeFile(t, dir, "a.test.zone", serial(2)+"$GARBAGE\n")
	writeFile(t, dir, "b.test.zone", serial(2))
	writeFile(t, dir, "own", "x 60 A 192.0.2\n")
	opts.TTL *= 2
	now := replace(2)
	if now.own().zone != same.own().zone {
		t.Error("the domain's zone, whose file has an error, has changed")
	}
	for _, m := range now.zones[1:3] {
		if want := map[string]uint32{"a.test.": 1, "b.test.": 2}[m.name.String()]; m.zone.SOA().Serial != want {
			t.Errorf("%s has serial %d", m.name, m.zone.SOA().Serial)
		}
	}
	if s.Fingerprint() == print {
		t.Error("the same fingerprint of other files")
	}
	for _, f := range s.Failed() {
		if !f.Kept || !strings.Contains(f.String(), " is served as it was before:\n"+dir) {
			t.Error(f)
		}
	}

	writeFile(t, dir, "a.test.zone", serial(3))
	writeFile(t, dir, "own", "x 60 A 192.0.2.2\n")
	now = replace(0)
	if got := zoneText(s); !strings.Contains(got, "x.@ 60 IN A 192.0.2.2") {
		t.Error(got)
	}
	if a := now.find(dns.MustParseName("a.test.")); a.zone.SOA().Serial != 3 {
		t.Errorf("a.test has serial %d", a.zone.SOA().Serial)
	}
	if logged.Len() > 0 {
		t.Errorf("logged %s", &logged)
	}
	// A zone that is gone is not answered for any more.
	opts.Zones = nil
	if now = replace(0); now.find(dns.MustParseName("a.test.")) != nil || now.set.Find(dns.MustParseName("a.test.")) != nil {
		t.Errorf("the zones are %v", now.set.Zones())
	}
}

// TestFailedOnNewSockets: what is kept is kept too where the next service opens
// sockets of its own.
func TestFailedOnNewSockets(t *testing.T) {
	t.Parallel()
	opts, dir := several(t, map[string]string{"a.test.": serial(1)})
	s := newService(t, opts)
	writeFile(t, dir, "a.test.zone", "nonsense\n")
	opts.Before, opts.Port = s, 65002
	next := newService(t, opts)
	if s.Replace(next) {
		t.Fatal("replaced")
	}
	if f := next.Failed(); len(f) != 1 || !f[0].Kept || next.current.Load().zones[1].zone != s.current.Load().zones[1].zone {
		t.Errorf("failed: %v", f)
	}
}

// TestWhatIsIncludedCounts: a change of a file that another includes is seen.
func TestWhatIsIncludedCounts(t *testing.T) {
	t.Parallel()
	opts, dir := several(t, map[string]string{"a.test.": serial(1) + "$INCLUDE more\n"})
	writeFile(t, dir, "more", "x A 192.0.2.1\n")
	before := newService(t, opts).Fingerprint()
	writeFile(t, dir, "more", "x A 192.0.2.2\n")
	if newService(t, opts).Fingerprint() == before {
		t.Error("it is not")
	}
}

func TestBadZones(t *testing.T) {
	t.Parallel()
	opts := options()
	file := writeFile(t, t.TempDir(), "a", serial(1))
	for _, tt := range []struct {
		zones []Zone
		want  string
	}{
		{[]Zone{{Name: "NetworkUtopia.test", File: file}}, "networkutopia.test. is there twice"},
		{[]Zone{{Name: "a.test", File: file}, {Name: "A.test.", File: file}}, "a.test. is there twice"},
		{[]Zone{{Name: "a..test", File: file}}, "empty label"},
		{[]Zone{{Name: ".", File: file}}, "no domain"},
	} {
		opts.Zones = tt.zones
		if _, err := New(opts); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v", tt.zones, err)
		}
	}
	opts.Zones = []Zone{{Name: "a.test", File: filepath.Join(t.TempDir(), "none")}}
	s := newService(t, opts)
	if f := s.Failed(); len(f) != 1 || !errors.Is(f[0].Err, fs.ErrNotExist) {
		t.Errorf("%v", f)
	}
	if before := newService(t, options()); true {
		opts = options()
		opts.Domain, opts.Before, opts.ZoneFiles = "other.test", before, []string{filepath.Join(t.TempDir(), "none")}
		if _, err := New(opts); err == nil {
			t.Error("the zone of another domain was kept")
		}
	}
}
