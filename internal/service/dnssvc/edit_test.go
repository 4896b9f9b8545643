package dnssvc

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/state/zones"
)

// did gives what a change did in short: without the zone's name, and where each record comes from unless by update.
func did(done control.Changed, err error) string {
	var told *control.Error
	switch {
	case errors.As(err, &told):
		return fmt.Sprintf("%s: %s (%s)", told.Kind, told.Message, told.Hint)
	case err != nil:
		return err.Error()
	}
	var out []string
	line := func(sign string, r control.Record) {
		from := " " + r.From[strings.LastIndex(r.From, "/")+1:]
		if r.From == control.FromUpdate {
			from = ""
		}
		out = append(out, strings.TrimSpace(sign+strings.ReplaceAll(fmt.Sprintf("%s %d %s %s", r.Name, r.TTL, r.Type, r.Data), done.Zone, "@")+from))
	}
	for _, r := range done.Deleted {
		line("-", r)
	}
	for _, r := range done.Added {
		line("+", r)
	}
	for _, w := range done.Warnings {
		out = append(out, "! "+strings.ReplaceAll(w, done.Zone, "@"))
	}
	return strings.Join(out, "\n")
}

func dynAt(name string) control.At { return control.At{Zone: "dyn.test", Name: name} }

func set(s *Service, name, kind string, data ...string) string {
	return did(s.SetRecords(context.Background(), control.SetRecords{At: dynAt(name), Type: kind, Data: data}))
}

func remove(s *Service, name, kind string, data ...string) string {
	return did(s.DeleteRecords(context.Background(), control.DeleteRecords{At: dynAt(name), Type: kind, Data: data, All: kind == ""}))
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}

func TestSetRecords(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	s := started(t, opts)
	for _, tt := range []struct{ name, t, data, want string }{
		{"www", "A", "192.0.2.1|192.0.2.2|192.0.2.1", "-www.@ 300 A 192.0.2.80 dyn.zone:5:1\n+www.@ 300 A 192.0.2.1\n+www.@ 300 A 192.0.2.2"},
		{"www", "a", "192.0.2.2|192.0.2.1", ""},
		{"www", "A", "192.0.2.80", "-www.@ 300 A 192.0.2.1\n-www.@ 300 A 192.0.2.2\n+www.@ 300 A 192.0.2.80 dyn.zone:5:1"},
		{"@", "mx", "10 mail|20 mail.example.net.", "+@ 3600 MX 10 mail.@\n+@ 3600 MX 20 mail.example.net.\n" +
			"! mail.@, which the MX record of @ points at, is not there: a name outside the zone ends with a dot"},
		{"@", "TXT", `v=spf1 mx "-all" \;`, `+@ 3600 TXT "v=spf1 mx \"-all\" \\;"`},
		{"@", "TXT", `"one" "two"`, `-@ 3600 TXT "v=spf1 mx \"-all\" \\;"` + "\n" + `+@ 3600 TXT "one" "two"`},
		{"long", "TXT", strings.Repeat("x", 256), `+long.@ 3600 TXT "` + strings.Repeat("x", 255) + `" "x"`},
		{"_submission._tcp", "SRV", "0 1 587 ns1", "+_submission._tcp.@ 3600 SRV 0 1 587 ns1.@"},
		{"caa", "CAA", `0 issue "letsencrypt.org; x=y"`, `+caa.@ 3600 CAA 0 issue "letsencrypt.org; x=y"`},
		{"odd", "TYPE65280", `\# 2 abcd`, `+odd.@ 3600 TYPE65280 \# 2 abcd`},
		{"*.wild", "TXT", "*", `+*.wild.@ 3600 TXT "*"`},
		{"alias", "CNAME", "WWW", "+alias.@ 3600 CNAME WWW.@"},
		{"sub", "NS", "ns.sub", "+sub.@ 3600 NS ns.sub.@"},
		{"ns.sub", "A", "192.0.2.7", "+ns.sub.@ 3600 A 192.0.2.7"},
		{"x.sub", "TXT", "x", `+x.sub.@ 3600 TXT "x"` + "\n! x.sub.@ TXT is not answered: sub.@ is delegated (NS)"},
		{"dn", "DNAME", "www", "+dn.@ 3600 DNAME www.@"},
		{"x.dn", "TXT", "x", `+x.dn.@ 3600 TXT "x"` + "\n! x.dn.@ TXT is not answered: dn.@ owns a DNAME"},
		{"@", "SOA", "ns1 host 99 1d 2h 4w 1m", "-@ 300 SOA ns1.@ host.@ 17 3600 600 86400 60 dyn.zone:2:1\n+@ 300 SOA ns1.@ host.@ 18 86400 7200 2419200 60"},
		{"@", "SOA", "ns1 host 99 1d 2h 4w 1m", ""},
		{"@", "NS", "ns1|ns9", "+@ 300 NS ns9.@\n! ns9.@, which the NS record of @ points at, is not there: a name outside the zone ends with a dot"},
	} {
		expect(t, tt.name+" "+tt.t+" "+tt.data, set(s, tt.name, tt.t, strings.Split(tt.data, "|")...), tt.want)
	}
	if got := serialOf(t, s); got != 19 {
		t.Errorf("serial %d", got)
	}
	if got := texts(t, s, "any.wild"); got != `NOERROR "*"` {
		t.Error(got)
	}
}

func TestSetThatIsRefused(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	opts.Keys, opts.Zones[0].Signing = &heldKeys{}, SignedNSEC
	s := started(t, opts)
	expect(t, "an alias", set(s, "alias", "CNAME", "www"), "+alias.@ 3600 CNAME www.@")
	signing := "invalid: %s records are made when a zone is signed: nobody else changes them (dns.dnssec in utopia.toml says how zones are signed)"
	for _, tt := range []struct{ name, t, data, want string }{
		{"www", "CNAME", "ns1", "conflict: www.dyn.test. would own a CNAME and other data (A, CNAME): an alias stands alone (RFC 2181 section 10.1) (--only takes away what else the name owns)"},
		{"alias", "A", "192.0.2.1", "conflict: alias.dyn.test. would own a CNAME and other data (A, CNAME): an alias stands alone (RFC 2181 section 10.1) (--only takes away what else the name owns)"},
		{"@", "CNAME", "www", "conflict: dyn.test. would own a CNAME and other data: an alias stands alone (RFC 2181 section 10.1), and a zone's own name owns SOA and NS (A, AAAA and HTTPS records do for the zone's own name)"},
		{"x", "CNAME", "www|ns1", "conflict: x.dyn.test. would own more than one CNAME or DNAME record (CNAME): an alias stands alone (RFC 2181 section 10.1) (--only takes away what else the name owns)"},
		{"x", "SOA", "ns1 host 1 2 3 4 5", "conflict: x.dyn.test. is not the zone's own name, and would own an SOA record ()"},
		{"x", "RRSIG", "x", fmt.Sprintf(signing, "RRSIG")}, {"@", "CDS", "x", fmt.Sprintf(signing, "CDS")}, {"@", "NSEC3PARAM", "x", fmt.Sprintf(signing, "NSEC3PARAM")},
		{"x", "ANY", "x", "invalid: ANY stands in messages alone: no name owns such records ()"},
		{"x", "A", "nowhere", `invalid: bad A data: not understood: "nowhere" ()`},
		{"@", "MX", "10|ns1", "invalid: bad MX data: it ends too early: want preference exchange (the data of one record are one argument: '10 ns1')"},
		{"a..b", "A", "192.0.2.1", `invalid: dns: name "a..b": empty label ()`},
		{"a.other.test.", "A", "192.0.2.1", "invalid: a.other.test. is not in the zone dyn.test. (a name without a dot at its end is within the zone)"},
		{"x", "TXT", strings.Repeat("x", 65_500), "invalid: dns: TXT at dyn.test.: 65500 octets are too many for a record ()"},
		{"x", "TXT", strings.Repeat("x", 40_000) + "|" + strings.Repeat("y", 40_000), "invalid: the records of this name and type are more than an answer has room for ()"},
	} {
		got := set(s, tt.name, tt.t, strings.Split(tt.data, "|")...)
		expect(t, tt.name+" "+tt.t, got, tt.want)
	}
	if got := set(s, "x", "A"); !strings.HasPrefix(got, "invalid: there is nothing to set") {
		t.Error(got)
	}
	if got := set(s, "x", "NOTYPE", "x"); !strings.Contains(got, `unknown record type "NOTYPE" (such as A`) {
		t.Error(got)
	}
	if got := serialOf(t, s); got != 2 {
		t.Errorf("serial %d: something has changed", got)
	}
	validated(t, s, "alias.dyn.test.", dns.TypeCNAME)
}

// TestWhereNothingIsChanged: zones that are not for a command to change.
func TestWhereNothingIsChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opts, path := dynamic(t, dir)
	key := "@ DNSKEY 257 3 15 " + strings.Repeat("A", 43) + "=\n"
	opts.Zones = append(opts.Zones, Zone{Name: "second.test", Primaries: []Server{{Address: netip.MustParseAddrPort("127.0.0.1:1")}}},
		Zone{Name: "broken.test", File: writeFile(t, dir, "broken.zone", "oops")}, Zone{Name: "keys.test", File: writeFile(t, dir, "keys.zone", dynFile+key)})
	damaged := t.TempDir()
	opts.Keep = keepIn(t, damaged)
	if err := os.WriteFile(damaged+"/dyn.test.journal", []byte("no journal"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := started(t, opts)
	try := func(at control.At) string {
		return did(s.SetRecords(t.Context(), control.SetRecords{At: at, Type: "A", Data: []string{"192.0.2.1"}}))
	}
	for at, want := range map[control.At]string{
		{Zone: "second.test", Name: "www"}: "conflict: second.test. is fetched from its primary: what is changed here would be overwritten (change it there: 127.0.0.1:1)",
		{Name: "www.second.test"}:          "conflict: second.test. is fetched from its primary: what is changed here would be overwritten (change it there: 127.0.0.1:1)",
		{Name: "www.keys.test"}:            "conflict: keys.test. comes with signatures of its own, which a change here would make wrong (change its file and sign it again; then: utopia reload)",
		{Name: "www.dyn.test"}:             "conflict: dyn.test. has no journal that changes could be kept in (the log says why; when that is mended: utopia reload)",
		{Zone: "other.test", Name: "www"}:  "not-found: there is no zone other.test. here (utopia dns show lists the zones)",
		{Name: "1.0.0.127.in-addr.arpa"}:   "conflict: 1.0.0.127.in-addr.arpa. follows the address of networkutopia.test. (change that, or have a zone of your own for such names in dns.zones)",
		{Name: "www.other.test."}:          "not-found: no zone here holds www.other.test. (utopia dns show lists the zones)",
	} {
		expect(t, fmt.Sprint(at), try(at), want)
	}
	if got := try(control.At{Name: "www.broken.test"}); !strings.HasPrefix(got, "not-found: the zone broken.test. is not served: ") || !strings.Contains(got, "utopia reload") {
		t.Error(got)
	}
	if _, err := s.Changes(t.Context(), "second.test"); err == nil {
		t.Error("what was changed in a zone that is fetched")
	}
	// With the journal out of the way a reload takes changes again.
	if err := os.Remove(damaged + "/dyn.test.journal"); err != nil {
		t.Fatal(err)
	}
	_ = path
	next := opts
	next.Before = s
	if !s.Replace(newService(t, next)) {
		t.Fatal("not replaced")
	}
	expect(t, "after a reload", try(control.At{Name: "x.dyn.test"}), "+x.@ 3600 A 192.0.2.1")
}

func TestOtherWaysToSet(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	s := started(t, opts)
	ttl := uint32(5)
	do := func(r control.SetRecords) string { return did(s.SetRecords(t.Context(), r)) }
	for _, seconds := range []uint32{dns.MaxTTL, dns.MaxTTL + 1} {
		got := do(control.SetRecords{At: dynAt("ttl"), Type: "A", Data: []string{"192.0.2.1"}, TTL: &seconds, DryRun: true})
		want := map[bool]string{false: "+ttl.@ 2147483647 A 192.0.2.1", true: "invalid: a TTL of 2147483648 seconds; 2147483647 are the most ()"}
		expect(t, "a TTL", got, want[seconds > dns.MaxTTL])
	}
	expect(t, "add", do(control.SetRecords{At: dynAt("www"), Type: "A", Data: []string{"192.0.2.1"}, Add: true}), "+www.@ 300 A 192.0.2.1")
	expect(t, "add what is there", do(control.SetRecords{At: dynAt("www"), Type: "A", Data: []string{"192.0.2.1"}, Add: true}), "")
	expect(t, "add with a TTL", do(control.SetRecords{At: dynAt("www"), Type: "A", Data: []string{"192.0.2.1"}, Add: true, TTL: &ttl}),
		"-www.@ 300 A 192.0.2.1\n-www.@ 300 A 192.0.2.80 dyn.zone:5:1\n+www.@ 5 A 192.0.2.1\n+www.@ 5 A 192.0.2.80")
	expect(t, "dry", do(control.SetRecords{At: dynAt("www"), Type: "CNAME", Data: []string{"ns1"}, Only: true, DryRun: true}),
		"-www.@ 5 A 192.0.2.1\n-www.@ 5 A 192.0.2.80\n+www.@ 3600 CNAME ns1.@")
	if got := serialOf(t, s); got != 3 {
		t.Errorf("serial %d: a dry run has changed something", got)
	}
	expect(t, "only", do(control.SetRecords{At: dynAt("www"), Type: "CNAME", Data: []string{"ns1"}, Only: true}),
		"-www.@ 5 A 192.0.2.1\n-www.@ 5 A 192.0.2.80\n+www.@ 3600 CNAME ns1.@")
	expect(t, "only at the top", do(control.SetRecords{At: dynAt("@"), Type: "TXT", Data: []string{"x"}, Only: true}), `+@ 3600 TXT "x"`)
	// In the domain itself: a name in short, and the TTL of the settings.
	opts.Hosts, opts.Own, opts.TTL = []string{"web"}, []Own{{Name: "web", Type: "HTTPS", Data: "1 . port=8443"}}, 60e9
	s = started(t, opts)
	expect(t, "in the domain", do(control.SetRecords{At: control.At{Name: "web"}, Type: "A", Data: []string{"192.0.2.1"}}),
		"-web.@ 60 A 127.0.0.1 utopia\n+web.@ 60 A 192.0.2.1\n! web.@ still has HTTPS, which Utopia makes: utopia dns delete web.@ HTTPS takes it away")
	expect(t, "the domain", do(control.SetRecords{At: control.At{Name: "@"}, Type: "TXT", Data: []string{"x"}}), `+@ 60 TXT "x"`)
	expect(t, "of a zone below", do(control.SetRecords{At: control.At{Zone: "networkutopia.test", Name: "sub"}, Type: "DS", Data: []string{"1 13 2 " + strings.Repeat("ab", 32)}}),
		"+sub.@ 60 DS 1 13 2 "+strings.Repeat("AB", 32))
}

func TestDeleteRecords(t *testing.T) {
	t.Parallel()
	opts, path := dynamic(t, t.TempDir())
	if err := os.WriteFile(path, []byte(dynFile+"www A 192.0.2.81\nwww TXT x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := started(t, opts)
	for _, tt := range []struct{ name, t, data, want string }{
		{"www", "MX", "", "not-found: www.dyn.test. owns no MX records; there is 2 A, TXT \"x\" (utopia dns show lists what is there)"},
		{"none", "A", "", "not-found: none.dyn.test. owns no A records (utopia dns show lists what is there)"},
		{"none", "", "", "not-found: none.dyn.test. owns no records that can be deleted (utopia dns show lists what is there)"},
		{"www", "A", "192.0.2.80|192.0.2.99", "not-found: www.dyn.test. owns no A record 192.0.2.99; there is A 192.0.2.81, TXT \"x\" (utopia dns show lists what is there)"},
		{"www", "A", "192.0.2.80|192.0.2.80", "-www.@ 300 A 192.0.2.80 dyn.zone:5:1"},
		{"www", "", "", "-www.@ 300 A 192.0.2.81 dyn.zone:6:1\n-www.@ 300 TXT \"x\" dyn.zone:7:1"},
		{"@", "", "", "not-found: dyn.test. owns no records that can be deleted; there is NS ns1.dyn.test., SOA ns1.dyn.test. host.dyn.test. 3 3600 600 86400 60 (utopia dns show lists what is there)"},
		{"@", "NS", "", "conflict: dyn.test. would own no NS record, and a zone needs one (utopia dns set @ NS puts others in their place)"},
		{"@", "NS", "ns1", "conflict: dyn.test. would own no NS record, and a zone needs one (utopia dns set @ NS puts others in their place)"},
		{"@", "SOA", "", "invalid: a zone is none without its SOA record (utopia dns set @ SOA changes what is in it)"},
		{"@", "DNSKEY", "", "invalid: DNSKEY records are made when a zone is signed: nobody else changes them (dns.dnssec in utopia.toml says how zones are signed)"},
		{"ns1", "A", "", "-ns1.@ 300 A 192.0.2.53 dyn.zone:4:1\n! ns1.@ is a name server of the zone and has no address any more"},
	} {
		var data []string
		if tt.data != "" {
			data = strings.Split(tt.data, "|")
		}
		expect(t, tt.name+" "+tt.t, remove(s, tt.name, tt.t, data...), tt.want)
	}
	if got := serialOf(t, s); got != 4 {
		t.Errorf("serial %d", got)
	}
	for _, r := range []control.DeleteRecords{{}, {All: true, Type: "A"}, {All: true, Data: []string{"x"}}} {
		r.At = dynAt("www")
		if got := did(s.DeleteRecords(t.Context(), r)); !strings.HasPrefix(got, "invalid: which records?") {
			t.Errorf("%+v: %s", r, got)
		}
	}
}

// TestWhatIsAnswered: what a change says about what others see.
func TestWhatIsAnswered(t *testing.T) {
	t.Parallel()
	opts, path := dynamic(t, t.TempDir())
	if err := os.WriteFile(path, []byte(dynFile+"*.wild 77 TXT any\nmore TXT 1\nmore A 192.0.2.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := started(t, opts)
	check := func(what string, done control.Changed, err error, cached uint32, want string) {
		t.Helper()
		got := ""
		if done.Answer != nil {
			got = fmt.Sprint(done.Answer.Code, " ", done.Answer.Own)
			for _, r := range done.Answer.Records {
				got += fmt.Sprintf(" %s %d %s", r.Type, r.TTL, r.Data)
			}
		}
		if err != nil || got != want || done.Cached != cached || done.Serial != serialOf(t, s) {
			t.Errorf("%s: %s for %d, serial %d, %v; want %s for %d", what, got, done.Cached, done.Serial, err, want, cached)
		}
	}
	ttl := uint32(20)
	for _, dry := range []bool{true, false} {
		set := func(name, kind, data string) (control.Changed, error) {
			return s.SetRecords(t.Context(), control.SetRecords{At: dynAt(name), Type: kind, Data: []string{data}, TTL: &ttl, DryRun: dry})
		}
		done, err := set("www", "A", "192.0.2.1")
		check("an address", done, err, 300, "NOERROR true A 20 192.0.2.1")
		done, err = set("new", "A", "192.0.2.1")
		check("what was not there", done, err, 60, "NOERROR true A 20 192.0.2.1")
		done, err = set("x.wild", "TXT", "x")
		check("what a wildcard stood for", done, err, 77, `NOERROR true TXT 20 "x"`)
		done, err = set("sub", "NS", "ns1")
		check("a delegation", done, err, 60, "NOERROR false")
		done, err = s.DeleteRecords(t.Context(), control.DeleteRecords{At: dynAt("more"), Type: "TXT", DryRun: dry})
		check("one of two types", done, err, 300, "NOERROR true")
		if done, err = s.DeleteRecords(t.Context(), control.DeleteRecords{At: dynAt("more"), All: true, DryRun: dry}); !dry {
			check("all", done, err, 300, "NXDOMAIN true")
		}
	}
	done, err := s.SetRecords(t.Context(), control.SetRecords{At: dynAt("www"), Type: "A", Data: []string{"192.0.2.1"}})
	check("what is so already", done, err, 0, "NOERROR true A 20 192.0.2.1")
}

// TestSetIsDurable: what cannot be synced is not confirmed and not answered from; what was confirmed is there after a
// restart, in the place of what the file says.
func TestSetIsDurable(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	folder := newFrailFolder(t)
	opts.Keep = zones.New(folder)
	s := newService(t, opts)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, "before", set(s, "www", "TXT", "kept"), `+www.@ 3600 TXT "kept"`)
	folder.failing.Store(true)
	if got := set(s, "lost", "TXT", "1"); !strings.HasPrefix(got, "internal: the change cannot be kept, and is not made: ") || !strings.HasSuffix(got, "the disk is gone (when that is mended: utopia reload)") {
		t.Error(got)
	}
	folder.failing.Store(false)
	if got := set(s, "lost", "TXT", "1"); !strings.HasPrefix(got, "internal: ") {
		t.Error("a sync that failed is tried again: ", got)
	}
	if got := texts(t, s, "lost"); got != "NXDOMAIN" {
		t.Error(got)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	opts.Keep = zones.New(folder.Folder)
	s = started(t, opts)
	if got := texts(t, s, "www"); got != `NOERROR "kept"` {
		t.Error(got)
	}
}

// TestSetBesideUpdates: changes by command and by message come one after the other, and none is lost.
func TestSetBesideUpdates(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	s := started(t, opts)
	var all sync.WaitGroup
	for w := range 2 {
		all.Go(func() {
			for i := range 10 {
				if got := set(s, fmt.Sprintf("set%d-%d", w, i), "TXT", "1"); !strings.HasPrefix(got, "+set") {
					t.Error(got)
				}
				shared := control.SetRecords{At: dynAt("shared"), Type: "TXT", Data: []string{fmt.Sprint(w, i)}, Add: true}
				if got := did(s.SetRecords(t.Context(), shared)); !strings.HasPrefix(got, "+shared") {
					t.Error(got)
				}
			}
		})
		all.Go(func() {
			for i := range 10 {
				name := fmt.Sprintf("sent%d-%d", w, i)
				if got, _ := send(t, s, "tcp", message(addText(t, name, "1"), addText(t, "shared", name)), &laptop); got != "NOERROR" {
					t.Errorf("%s: %s", name, got)
				}
			}
		})
	}
	all.Wait()
	if got := serialOf(t, s); got != 61 {
		t.Errorf("serial %d after 60 changes", got)
	}
	if got := texts(t, s, "shared"); strings.Count(got, `"`) != 2*40 {
		t.Errorf("%s", got)
	}
}

// TestSetThatCannotBeSigned: it is kept, and the answer says that it is not answered from.
func TestSetThatCannotBeSigned(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	keys := &heldKeys{}
	opts.Keys, opts.Zones[0].Signing = keys, SignedNSEC
	s := started(t, opts)
	keys.fail(errors.New("no keys"))
	expect(t, "set", set(s, "new", "TXT", "1"), `+new.@ 3600 TXT "1"`+"\n! the change is kept, and is answered from when the zone can be signed: no keys")
	if got := texts(t, s, "new"); got != "NXDOMAIN" {
		t.Error(got)
	}
	keys.fail(nil)
	s.renew(timeNow().Add(signAgain + 1e9))
	if got := texts(t, s, "new"); got != `NOERROR "1"` {
		t.Error(got)
	}
}

// TestChangesAreNoNewFiles: a reload does not take what was changed by command for something new in the files, also where
// a name of an address follows from it.
func TestChangesAreNoNewFiles(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	s := started(t, opts)
	before := s.Fingerprint()
	expect(t, "set", did(s.SetRecords(t.Context(), control.SetRecords{At: control.At{Name: "nas"}, Type: "A", Data: []string{"10.0.0.5"}})), "+nas.@ 3600 A 10.0.0.5")
	if s.current.Load().find(dns.MustParseName("5.0.0.10.in-addr.arpa.")) == nil {
		t.Error("the address has no name")
	}
	next := opts
	next.Before = s
	if s.Fingerprint() != before || newService(t, next).Fingerprint() != before {
		t.Error("something is new")
	}
}
