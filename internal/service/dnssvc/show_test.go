package dnssvc

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/control"
)

// recordsAt gives the records at a place in short, without the folder.
func recordsAt(s *Service, dir string, at control.At) (string, error) {
	var b strings.Builder
	err := s.Records(context.Background(), at, func(r control.Record) error {
		if r.Type != "SOA" || r.From != control.FromUtopia {
			fmt.Fprintf(&b, "%s %d %s %s %s\n", r.Name, r.TTL, r.Type, r.Data, strings.TrimPrefix(r.From, dir+"/"))
		}
		return nil
	})
	return b.String(), err
}

func TestRecords(t *testing.T) {
	t.Parallel()
	opts, dir := several(t, map[string]string{"sub.networkutopia.test.": serial(1) + "www CNAME NS1\n$INCLUDE more/x\n"})
	writeFile(t, dir, "more/x", "x TXT \"1\"\nX 120 TXT \"1\"\n")
	opts.ZoneFiles = []string{writeFile(t, dir, "own", "ftp 60 A 192.0.2.7\n"), writeFile(t, dir, "second", "b.www 60 TXT b\n")}
	s := newService(t, opts)
	for _, tt := range []struct {
		at   control.At
		want string
	}{
		{control.At{Zone: "NetworkUtopia.test"}, "networkutopia.test. 3600 A 127.0.0.1 utopia\nnetworkutopia.test. 3600 NS ns1.networkutopia.test. utopia\n" +
			"ftp.networkutopia.test. 60 A 192.0.2.7 own:1:1\nmail.networkutopia.test. 3600 A 127.0.0.1 utopia\n" +
			"ns1.networkutopia.test. 3600 A 127.0.0.1 utopia\nwww.networkutopia.test. 3600 A 127.0.0.1 utopia\nb.www.networkutopia.test. 60 TXT \"b\" second:1:1\n"},
		{control.At{Name: "www"}, "www.networkutopia.test. 3600 A 127.0.0.1 utopia\nb.www.networkutopia.test. 60 TXT \"b\" second:1:1\n"},
		{control.At{Name: "B.www"}, "b.www.networkutopia.test. 60 TXT \"b\" second:1:1\n"},
		{control.At{Name: "www.sub"}, "www.sub.networkutopia.test. 60 CNAME NS1.sub.networkutopia.test. sub.networkutopia.test.zone:5:1\n"},
		{control.At{Name: "x.sub.networkutopia.test"}, "x.sub.networkutopia.test. 60 TXT \"1\" more/x:1:1\n"},
		{control.At{Zone: "sub.networkutopia.test", Name: "X"}, "x.sub.networkutopia.test. 60 TXT \"1\" more/x:1:1\n"},
		{control.At{Zone: "sub.networkutopia.test", Name: "@"}, "sub.networkutopia.test. 60 SOA ns1.sub.networkutopia.test. h.sub.networkutopia.test. 1 2 3 4 5 sub.networkutopia.test.zone:2:1\n" +
			"sub.networkutopia.test. 60 NS ns1.sub.networkutopia.test. sub.networkutopia.test.zone:3:1\n" +
			"ns1.sub.networkutopia.test. 60 A 192.0.2.1 sub.networkutopia.test.zone:4:1\n" +
			"www.sub.networkutopia.test. 60 CNAME NS1.sub.networkutopia.test. sub.networkutopia.test.zone:5:1\nx.sub.networkutopia.test. 60 TXT \"1\" more/x:1:1\n"},
		{control.At{Name: "nothing"}, ""},
	} {
		if got, err := recordsAt(s, dir, tt.at); err != nil || sorted(got) != sorted(tt.want) {
			t.Errorf("%+v: %v\n%swant\n%s", tt.at, err, got, tt.want)
		}
	}
	for _, tt := range []struct {
		at   control.At
		want control.Kind
	}{
		{control.At{Name: "www.example.org."}, control.NotFound},
		{control.At{Name: "www.", Zone: "networkutopia.test"}, control.NotFound},
		{control.At{Name: "www.sub", Zone: "networkutopia.test"}, control.NotFound}, // it is in the zone below
		{control.At{Zone: "www.networkutopia.test"}, control.NotFound},
		{control.At{Name: "a..b"}, control.Invalid},
		{control.At{Name: "a..b", Zone: "networkutopia.test"}, control.Invalid},
		{control.At{Zone: "a..b"}, control.Invalid},
	} {
		var told *control.Error
		if _, err := recordsAt(s, dir, tt.at); !errors.As(err, &told) || told.Kind != tt.want {
			t.Errorf("%+v: %v", tt.at, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	err := s.Records(ended, control.At{Name: "www"}, func(control.Record) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// TestOrigins: where a record comes from is never told wrongly.
func TestOrigins(t *testing.T) {
	t.Parallel()
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	opts, dir := several(t, map[string]string{"a.test.": serial(1) + "@ DNSKEY 256 3 15 " + key + "\n"})
	s := newService(t, opts)
	m := s.current.Load().find(dns.MustParseName("a.test."))
	from := func(line string) string {
		t.Helper()
		rr, err := dns.ParseRR(line, m.name, 60)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(m.origins(m.name).of(rr), dir+"/")
	}
	for line, want := range map[string]string{
		"NS1 A 192.0.2.1":          "a.test.zone:4:1", // case tells no records apart
		"ns1 999 A 192.0.2.1":      control.FromUpdate,
		"@ SOA ns1 h 9 2 3 4 5":    "a.test.zone:2:1", // neither does a serial
		"@ SOA ns1 h 1 2 3 4 6":    control.FromUpdate,
		"ns1 A 192.0.2.2":          control.FromUpdate,
		"@ DNSKEY 256 3 15 " + key: "a.test.zone:5:1",
		"@ DNSKEY 257 3 15 " + key: control.FromDNSSEC,
		"ns1 NSEC a.test. A":       control.FromDNSSEC,
		"ns1 RRSIG A 15 3 60 20300101000000 20200101000000 1 @ aaaa": control.FromDNSSEC,
	} {
		if got := from(line); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	secondary := *m
	secondary.primaries = []Server{{}}
	rr, _ := dns.ParseRR("ns1 RRSIG A 15 3 60 20300101000000 20200101000000 1 @ aaaa", m.name, 60)
	if got := secondary.origins(m.name).of(rr); got != control.FromTransfer || describe(&secondary, false).Role != "secondary" {
		t.Errorf("of a secondary zone: %s", got)
	}
	writeFile(t, dir, "a.test.zone", "\n"+serial(1)) // the lines have moved
	if got := from("x A 192.0.2.9"); got != control.FromUpdate {
		t.Errorf("not in the file that was read: %s", got)
	}
	for _, line := range []string{"ns1 A 192.0.2.1"} {
		if got := from(line); got != "a file that has changed since" {
			t.Errorf("%s of a file that has changed: %s", line, got)
		}
	}
	writeFile(t, dir, "a.test.zone", "nonsense\n")
	if got := from("ns1 A 192.0.2.1"); got != "a file that has changed since" {
		t.Errorf("of a file with an error: %s", got)
	}
}

// TestMaxOrigins has as many records as places are told of, and one more.
func TestMaxOrigins(t *testing.T) {
	t.Parallel()
	for _, n := range []int{maxOrigins, maxOrigins + 1} {
		text := fmt.Sprintf("@ 60 SOA ns1 h 1 2 3 4 5\n@ 60 NS ns1.other.test.\n$GENERATE 1-50000 a$ 60 A 192.0.2.1\n$GENERATE 1-%d b$ 60 A 192.0.2.1\n", n-50002)
		opts, dir := several(t, map[string]string{"a.test.": text})
		m := newService(t, opts).current.Load().find(dns.MustParseName("a.test."))
		o := m.origins(m.name)
		last := dns.AddressRR(dns.MustParseName(fmt.Sprintf("b%d.a.test.", n-50002)), 60, netip.MustParseAddr("192.0.2.1"))
		want := dir + "/a.test.zone:4:19"
		if n > maxOrigins {
			want = "its file"
		}
		if got := o.of(last); len(o.places) != maxOrigins || got != want {
			t.Errorf("%d records in %s: %d places, then %q, want %q", n, dir, len(o.places), got, want)
		}
	}
}

func TestZoneList(t *testing.T) {
	t.Parallel()
	opts, dir := several(t, map[string]string{"c.test.": serial(1), "b.test.": "nonsense\n", "a.test.": serial(9) + "x 60 MX 1 y\n"})
	s := newService(t, opts)
	zones, err := s.Zones(t.Context())
	if err != nil || len(zones) != 5 || zones[4].Role != "reverse" {
		t.Fatalf("%v, %v", zones, err)
	}
	if z := zones[0]; z.Name != "networkutopia.test." || z.Role != "domain" || z.Files != nil || z.State != "served" || z.Records != 7 || z.Signed {
		t.Errorf("%+v", z)
	}
	a := zones[1]
	if a.Name != "a.test." || a.Role != "primary" || !reflect.DeepEqual(a.Files, []string{filepath.Join(dir, "a.test.zone")}) || a.Serial != 9 || len(a.Warnings) != 1 {
		t.Errorf("%+v", a)
	}
	if z := zones[2]; z.Name != "b.test." || z.State != "missing" || len(z.Problems) != 1 || z.Records != 0 {
		t.Errorf("%+v", z)
	}
	writeFile(t, dir, "a.test.zone", "one\ntwo\n")
	opts.Before = s
	if !s.Replace(newService(t, opts)) {
		t.Fatal("not replaced")
	}
	zones, _ = s.Zones(t.Context())
	if z := zones[1]; z.State != "kept" || len(z.Problems) != 2 || z.Serial != 9 || z.Sum != a.Sum {
		t.Errorf("%+v", z)
	}
	files, err := Inspect(opts)
	if err != nil || files[0].State != "served" || files[1].Sum == files[0].Sum {
		t.Errorf("%+v, %v", files, err)
	}
	if _, err := Inspect(Options{Domain: "a..b"}); err == nil {
		t.Error("a domain that is none")
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	opts, _ := several(t, map[string]string{"a.test.": serial(7) + "www CNAME ns1\n", "b.test.": "nonsense\n"})
	s := newService(t, opts)
	for _, name := range []string{"", "A.test"} {
		var b strings.Builder
		if err := s.Export(t.Context(), name, name == "", &b); err != nil {
			t.Fatal(err)
		}
		m := s.current.Load().own()
		if name != "" {
			m = s.current.Load().find(dns.MustParseName("a.test."))
		}
		again, _, err := zone.Load(strings.NewReader(b.String()), zone.ReadOptions{Origin: m.name})
		if err != nil || !again.SameContent(m.zone) || again.SOA() != m.zone.SOA() {
			t.Errorf("%q reads back otherwise: %v\n%s", name, err, b.String())
		}
	}
	for _, bad := range []string{"b.test", "c.test", "a..b"} {
		if err := s.Export(t.Context(), bad, false, io.Discard); err == nil {
			t.Errorf("%s is exported", bad)
		}
	}
}

func TestDelegation(t *testing.T) {
	t.Parallel()
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	opts, _ := several(t, map[string]string{"a.test.": serial(1) +
		"@ NS ns.other.test.\n@ NS ns2\nns2 AAAA 2001:db8::1\nns2 A 192.0.2.2\n" +
		"@ DNSKEY 257 3 15 " + key + "\n@ DNSKEY 256 3 15 " + key + "\n@ DNSKEY 385 3 15 " + key + "\n@ DNSKEY 1 3 15 " + key + "\n", "b.test.": "nonsense\n"})
	opts.Port = 8053
	s := newService(t, opts)
	d, err := s.Delegation(t.Context(), "A.test")
	if err != nil || d.Zone != "a.test." || d.TTL != 60 || d.Port != 8053 ||
		!reflect.DeepEqual(d.Servers, []string{"ns.other.test.", "ns1.a.test.", "ns2.a.test."}) {
		t.Errorf("%+v, %v", d, err)
	}
	glue := []control.Record{
		{Name: "ns1.a.test.", TTL: 60, Type: "A", Data: "192.0.2.1"}, {Name: "ns2.a.test.", TTL: 60, Type: "A", Data: "192.0.2.2"},
		{Name: "ns2.a.test.", TTL: 60, Type: "AAAA", Data: "2001:db8::1"},
	}
	if !reflect.DeepEqual(d.Glue, glue) {
		t.Errorf("glue %+v", d.Glue)
	}
	rr, err := dns.ParseRR("a.test. DNSKEY 257 3 15 "+key, dns.Root, 60)
	if err != nil {
		t.Fatal(err)
	}
	k, _ := rr.DNSKEY()
	if len(d.DS) != 1 || !strings.HasPrefix(d.DS[0].Data, fmt.Sprintf("%d 15 2 ", k.KeyTag())) {
		t.Errorf("DS %+v", d.DS)
	}
	if own, err := s.Delegation(t.Context(), ""); err != nil || own.Zone != "networkutopia.test." || len(own.Glue) != 1 || own.DS == nil || len(own.DS) != 0 {
		t.Errorf("%+v, %v", own, err)
	}
	for _, bad := range []string{"b.test", "c.test", "a..b"} {
		if _, err := s.Delegation(t.Context(), bad); err == nil {
			t.Errorf("a delegation of %s", bad)
		}
	}
}
