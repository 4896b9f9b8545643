package dnssvc

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/state/zones"
)

// imported reads a file, and imports it into a zone.
func imported(t *testing.T, s *Service, text string, r control.ImportRecords) string {
	t.Helper()
	path := writeFile(t, t.TempDir(), "in.zone", text)
	zoneName := r.Zone
	if zoneName == "" {
		zoneName = "networkutopia.test"
	}
	var err error
	if r.Records, err = ReadRecords(path, zoneName); err != nil {
		return strings.ReplaceAll(err.Error(), path, "in.zone")
	}
	for i := range r.Records {
		r.Records[i].From = strings.ReplaceAll(r.Records[i].From, path, "in.zone")
	}
	return did(s.ImportRecords(t.Context(), r))
}

func TestImport(t *testing.T) {
	t.Parallel()
	opts, path := dynamic(t, t.TempDir())
	if err := os.WriteFile(path, []byte(dynFile+"www A 192.0.2.81\nold TXT x\nalias CNAME www\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := started(t, opts)
	into := control.ImportRecords{Zone: "dyn.test"}
	file := "$TTL 60\nwww A 192.0.2.1\nwww A 192.0.2.1\nalias A 192.0.2.2\nold CNAME new\n@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\n$GENERATE 1-2 n$ TXT t$\nNew 30 TXT a\nnew 20 TXT b\n"
	want := "-alias.@ 300 CNAME www.@ dyn.zone:8:1\n-old.@ 300 TXT \"x\" dyn.zone:7:1\n-www.@ 300 A 192.0.2.80 dyn.zone:5:1\n-www.@ 300 A 192.0.2.81 dyn.zone:6:1\n" +
		"+alias.@ 60 A 192.0.2.2\n+n1.@ 60 TXT \"t1\"\n+n2.@ 60 TXT \"t2\"\n+New.@ 20 TXT \"a\"\n+New.@ 20 TXT \"b\"\n+old.@ 60 CNAME new.@\n+www.@ 60 A 192.0.2.1"
	dry := into
	dry.DryRun = true
	expect(t, "dry", imported(t, s, file, dry), want)
	expect(t, "import", imported(t, s, file, into), want)
	expect(t, "again", imported(t, s, file, into), "")
	if got := serialOf(t, s); got != 2 {
		t.Errorf("serial %d", got)
	}
	replace := into
	replace.Replace = true
	expect(t, "replace", imported(t, s, "ns1 300 A 192.0.2.53\nnew 20 TXT a\nnew 20 TXT b\n", replace),
		"-alias.@ 60 A 192.0.2.2\n-n1.@ 60 TXT \"t1\"\n-n2.@ 60 TXT \"t2\"\n-old.@ 60 CNAME new.@\n-www.@ 60 A 192.0.2.1")
	// A zone's own SOA and NS, and what comes of signing.
	from := "@ 300 SOA other host 9 1 2 3 4\n@ 300 NS ns1\n@ 300 NS ns2.example.net.\n@ 300 DNSKEY 257 3 13 AAAA\n@ 300 NSEC a NS\na 300 NSEC @ TXT\na 300 TXT a\nns1 300 A 192.0.2.53\n"
	signing := "\n! in.zone:4:1: DNSKEY records are left out: such records are made when a zone is signed\n! in.zone:5:1: NSEC records are left out: such records are made when a zone is signed"
	expect(t, "what is left out", imported(t, s, from, into), "+a.@ 300 TXT \"a\"\n! in.zone:1:1: SOA records are left out: the zone keeps its own; --apex takes those of the file\n"+
		"! in.zone:2:1: NS records are left out: the zone keeps its own; --apex takes those of the file"+signing)
	into.Apex = true
	expect(t, "the apex", imported(t, s, from, into), "-@ 300 SOA ns1.@ host.@ 4 3600 600 86400 60 dyn.zone:2:1\n+@ 300 NS ns2.example.net.\n+@ 300 SOA other.@ host.@ 5 1 2 3 4"+signing)
	expect(t, "the apex again", imported(t, s, from, into), strings.TrimPrefix(signing, "\n"))
}

func TestImportThatIsRefused(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	s := started(t, opts)
	for text, want := range map[string]string{
		"a TXT x\nb A nowhere\nc A\n": "in.zone:2:5: bad A data: not understood: \"nowhere\" (in: b A nowhere)\nin.zone:3:3: bad A data: there is none (in: c A)",
		"$INCLUDE ../x\n":             "",
		"a TXT x\nb.other.test. TXT x\nc.dyn.test. TXT x\nd A 192.0.2.1\nd CNAME a\ne CNAME a\ne CNAME b\ne CNAME a\n": "invalid: in.zone:2:1: b.other.test. is not in the zone networkutopia.test.\n" +
			"in.zone:3:1: c.dyn.test. is not in the zone networkutopia.test.; it is in the zone dyn.test.: --zone dyn.test.\n" +
			"in.zone:5:1: d.networkutopia.test. is an alias (CNAME) and has other records: an alias stands alone\n" +
			"in.zone:6:1: e.networkutopia.test. has more than one CNAME record (nothing was changed)",
		"a CNAME b\na CNAME b\n": "+a.@ 3600 CNAME b.@\n! b.@, which the CNAME record of a.@ points at, is not there: a name outside the zone ends with a dot",
		"@ CNAME b\n":            "",
	} {
		got := imported(t, s, text, control.ImportRecords{})
		if want == "" && !strings.Contains(got, "in.zone:1:10: cannot open the file") && !strings.HasPrefix(got, "conflict: networkutopia.test. would own a CNAME") || want != "" && got != want {
			t.Errorf("%q:\n%s\nwant\n%s", text, got, want)
		}
	}
	many := make([]string, 30)
	for i := range many {
		many[i] = "x.other.test. TXT x\n"
	}
	if got := imported(t, s, strings.Join(many, ""), control.ImportRecords{}); strings.Count(got, "\n") != 19 {
		t.Errorf("%d problems", strings.Count(got, "\n")+1)
	}
	for want, rec := range map[string]control.Record{
		"f:1: dns: name \"a..b\": empty label":                      {Name: "a..b", Type: "A", Data: "192.0.2.1"},
		"f:1: dns: unknown record type \"X\"":                       {Name: "a", Type: "X"},
		"f:1: bad A data: not understood: \"nowhere\"":              {Name: "a", Type: "A", Data: "nowhere"},
		"f:1: bad ANY data: the type stands in messages alone":      {Name: "a.dyn.test.", Type: "ANY", Data: "\\# 0"},
		"f:1: a. is not in the zone dyn.test.":                      {Name: "a", Type: "A", Data: "192.0.2.1"},
		"f:1: a TTL of 2147483648 seconds; 2147483647 are the most": {Name: "a.dyn.test.", Type: "A", Data: "192.0.2.1", TTL: dns.MaxTTL + 1},
	} {
		rec.From = "f:1"
		got := did(s.ImportRecords(t.Context(), control.ImportRecords{Zone: "dyn.test", Records: []control.Record{rec}}))
		expect(t, fmt.Sprint(rec), got, "invalid: "+want+" (nothing was changed)")
	}
}

// TestReplaceKeepsOurs: what Utopia makes stays where the file has nothing of it, and goes where the file says otherwise.
func TestReplaceKeepsOurs(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	dir := t.TempDir()
	opts.Hosts, opts.Own = []string{"@", "www"}, []Own{{Name: "www", Type: "HTTPS", Data: "1 . port=8443"}}
	opts.ZoneFiles = []string{writeFile(t, dir, "own.zone", "mine 60 TXT x\n")}
	s := started(t, opts)
	expect(t, "by hand", did(s.SetRecords(t.Context(), control.SetRecords{At: control.At{Name: "hand"}, Type: "TXT", Data: []string{"x"}})), `+hand.@ 3600 TXT "x"`)
	replace := control.ImportRecords{Replace: true}
	expect(t, "replace", imported(t, s, "$TTL 60\nnew TXT x\nwww CNAME new\n", replace),
		"-hand.@ 3600 TXT \"x\"\n-mine.@ 60 TXT \"x\" own.zone:1:1\n-www.@ 3600 A 127.0.0.1 utopia\n-www.@ 3600 HTTPS 1 . port=\"8443\" utopia\n+new.@ 60 TXT \"x\"\n+www.@ 60 CNAME new.@")
	var b strings.Builder
	if err := s.Export(t.Context(), "", false, &b); err != nil {
		t.Fatal(err)
	}
	expect(t, "what was exported", imported(t, s, b.String(), replace), "")
	writeFile(t, dir, "own.zone", "mine 60 TXT y\n")
	if got := imported(t, s, b.String(), replace); !strings.HasPrefix(got, "conflict: the file of networkutopia.test. has changed since it was read") {
		t.Error(got)
	}
}

// TestImportLimit has as many records as are imported at once, and one more.
func TestImportLimit(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	opts.Log = nil
	s := started(t, opts)
	text := fmt.Sprintf("$TTL 60\n$GENERATE 1-50000 a$ TXT x\n$GENERATE 1-%d b$ TXT x\n", control.MaxImport-50_000)
	records, err := ReadRecordsFrom(strings.NewReader(text), "dyn.test")
	if err != nil || len(records) != control.MaxImport || !strings.HasPrefix(records[0].From, "stdin:2:") {
		t.Fatal(len(records), err)
	}
	done, err := s.ImportRecords(t.Context(), control.ImportRecords{Zone: "dyn.test", Records: records})
	if err != nil || len(done.Added) != control.MaxImport {
		t.Errorf("%d added, %v", len(done.Added), err)
	}
	path := writeFile(t, t.TempDir(), "more.zone", text+"one TXT more\n")
	if _, err := ReadRecords(path, "dyn.test"); err == nil || !strings.HasPrefix(err.Error(), "more than 100000 records are not imported at once") {
		t.Error(err)
	}
	if _, err := ReadRecordsFrom(strings.NewReader("$INCLUDE x\n"), "dyn.test"); err == nil || !strings.HasPrefix(err.Error(), "stdin:1:1: $INCLUDE is not allowed here") {
		t.Error(err)
	}
	if _, err := ReadRecordsFrom(strings.NewReader(""), "a..b"); err == nil {
		t.Error("a zone without a name")
	}
	r := control.ImportRecords{Zone: "dyn.test", Records: make([]control.Record, control.MaxImport+1)}
	if got := did(s.ImportRecords(t.Context(), r)); !strings.HasPrefix(got, "invalid: 100001 records; 100000 are the most") {
		t.Error(got)
	}
	// The zone has more than that by now.
	r = control.ImportRecords{Zone: "dyn.test", Replace: true}
	if got := did(s.ImportRecords(t.Context(), r)); !strings.HasPrefix(got, "conflict: dyn.test. has 100004 records; a zone of up to 100000 can be replaced") {
		t.Error(got)
	}
}

// TestImportOfMoreThanAJournalTakes: it changes nothing, and the next change is made.
func TestImportOfMoreThanAJournalTakes(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	s := started(t, opts)
	text := `"` + strings.Repeat(strings.Repeat("x", 255)+`" "`, 200) + `"`
	var records []control.Record
	for i := range zones.MaxRecord / 51_000 {
		records = append(records, control.Record{Name: fmt.Sprintf("n%d.dyn.test.", i), Type: "TXT", Data: text})
	}
	got := did(s.ImportRecords(t.Context(), control.ImportRecords{Zone: "dyn.test", Records: records}))
	expect(t, "too much", got, "invalid: the change is more than the journal of a zone takes at once (make it in several parts)")
	expect(t, "the next", set(s, "x", "TXT", "x"), `+x.@ 3600 TXT "x"`)
	if got := serialOf(t, s); got != 2 {
		t.Errorf("serial %d", got)
	}
}
