package dnssvc

import (
	"context"
	"net/netip"
	"os"
	"testing"

	"github.com/network-utopia/utopia/internal/control"
)

// TestSetStays: what was set stays what it is, whatever settings and files say later, and over restarts; what is reverted
// follows them again.
func TestSetStays(t *testing.T) {
	t.Parallel()
	opts, path := dynamic(t, t.TempDir())
	s := newService(t, opts)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop(context.Background()) }()
	reload := func() {
		next := opts
		next.Before = s
		if !s.Replace(newService(t, next)) {
			t.Fatal("not replaced")
		}
	}
	restart := func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		s = newService(t, opts)
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ours := func(name, kind, data string, only bool) string {
		return did(s.SetRecords(t.Context(), control.SetRecords{At: control.At{Name: name}, Type: kind, Data: []string{data}, Only: only}))
	}
	set(s, "www", "A", "192.0.2.1")
	set(s, "new", "TXT", "x")
	remove(s, "ns1", "A")
	ours("mail", "A", "192.0.2.9", false)
	ours("www", "CNAME", "mail", true)
	did(s.DeleteRecords(t.Context(), control.DeleteRecords{At: control.At{Name: "ftp"}, Type: "A"}))
	changes := func(what, zone, want string) {
		t.Helper()
		expect(t, what, did(s.Changes(t.Context(), zone)), want)
	}
	const domain = "\n+mail.@ 3600 A 192.0.2.9\n+www.@ 3600 CNAME mail.@"
	check := func(what, dyn, address string) {
		t.Helper()
		changes(what, "dyn.test", dyn)
		changes(what, "", "-ftp.@ 3600 A "+address+" utopia\n-mail.@ 3600 A "+address+" utopia\n-www.@ 3600 A "+address+" utopia"+domain)
	}
	check("at first", "-ns1.@ 300 A 192.0.2.53 dyn.zone:4:1\n-www.@ 300 A 192.0.2.80 dyn.zone:5:1\n+new.@ 3600 TXT \"x\"\n+www.@ 300 A 192.0.2.1", "127.0.0.1")
	// Everything that was decided about is another by now.
	file := "$TTL 300\n@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.54\nwww A 192.0.2.8\nwww A 192.0.2.9\nnew TXT y\n"
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	opts.Records = []netip.Addr{netip.MustParseAddr("192.0.2.77")}
	later := "-new.@ 300 TXT \"y\" dyn.zone:7:1\n-ns1.@ 300 A 192.0.2.54 dyn.zone:4:1\n-www.@ 300 A 192.0.2.8 dyn.zone:5:1\n-www.@ 300 A 192.0.2.9 dyn.zone:6:1\n+new.@ 3600 TXT \"x\"\n+www.@ 300 A 192.0.2.1"
	reload()
	check("after a reload", later, "192.0.2.77")
	restart()
	check("after a restart", later, "192.0.2.77")
	// Reverted, and set to what the file says, they follow it.
	revert := func(at control.At, kind string, dry bool) string {
		return did(s.RevertRecords(t.Context(), control.RevertRecords{At: at, Type: kind, DryRun: dry}))
	}
	for _, dry := range []bool{true, false} {
		expect(t, "revert", revert(dynAt("ns1"), "", dry), "+ns1.@ 300 A 192.0.2.54 dyn.zone:4:1")
		expect(t, "revert an alias", revert(control.At{Name: "www"}, "", dry), "-www.@ 3600 CNAME mail.@\n+www.@ 3600 A 192.0.2.77 utopia")
		expect(t, "revert one type", revert(dynAt("new"), "TXT", dry), "-new.@ 3600 TXT \"x\"\n+new.@ 300 TXT \"y\" dyn.zone:7:1")
		if got := revert(control.At{Name: "www"}, "A", true); dry && got != "conflict: www.networkutopia.test. would own a CNAME and other data (A, CNAME): an alias stands alone (RFC 2181 section 10.1) (without a type all of the name is reverted)" {
			t.Error(got)
		}
	}
	expect(t, "as the file says", set(s, "www", "A", "192.0.2.8", "192.0.2.9"), "-www.@ 300 A 192.0.2.1\n+www.@ 300 A 192.0.2.8 dyn.zone:5:1\n+www.@ 300 A 192.0.2.9 dyn.zone:6:1")
	changes("reverted", "dyn.test", "")
	expect(t, "nothing to revert", revert(dynAt("www"), "", false), "not-found: www.dyn.test. is as settings and files say (utopia dns show --changes lists what is not)")
	if err := os.WriteFile(path, []byte(dynFile), 0o600); err != nil {
		t.Fatal(err)
	}
	opts.Records = []netip.Addr{loopback}
	restart()
	changes("following", "dyn.test", "")
	changes("following", "", "-ftp.@ 3600 A 127.0.0.1 utopia\n-mail.@ 3600 A 127.0.0.1 utopia\n+mail.@ 3600 A 192.0.2.9")
	// The SOA goes on with its serial.
	set(s, "@", "SOA", "ns1 host 1 7 7 7 7")
	changes("the SOA", "dyn.test", "-@ 300 SOA ns1.@ host.@ 1 3600 600 86400 60 dyn.zone:2:1\n+@ 300 SOA ns1.@ host.@ 9 7 7 7 7")
	expect(t, "revert the SOA", revert(dynAt("@"), "", false), "-@ 300 SOA ns1.@ host.@ 9 7 7 7 7\n+@ 300 SOA ns1.@ host.@ 10 3600 600 86400 60 dyn.zone:2:1")
}

// TestSingleRecordsFollowTheFile: what was added or deleted one by one stays on top of what the file has beside it.
func TestSingleRecordsFollowTheFile(t *testing.T) {
	t.Parallel()
	opts, path := dynamic(t, t.TempDir())
	s := started(t, opts)
	add := control.SetRecords{At: dynAt("www"), Type: "A", Data: []string{"192.0.2.1"}, Add: true}
	expect(t, "add", did(s.SetRecords(t.Context(), add)), "+www.@ 300 A 192.0.2.1")
	if err := os.WriteFile(path, []byte(dynFile+"www A 192.0.2.81\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	next := opts
	next.Before = s
	if !s.Replace(newService(t, next)) {
		t.Fatal("not replaced")
	}
	expect(t, "changes", did(s.Changes(t.Context(), "dyn.test")), "+www.@ 300 A 192.0.2.1")
	expect(t, "delete", remove(s, "www", "A", "192.0.2.80"), "-www.@ 300 A 192.0.2.80 dyn.zone:5:1")
	expect(t, "changes", did(s.Changes(t.Context(), "dyn.test")), "-www.@ 300 A 192.0.2.80 dyn.zone:5:1\n+www.@ 300 A 192.0.2.1")
}
