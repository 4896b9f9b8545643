package interop

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	servers "github.com/network-utopia/utopia/internal/foreign"
	"github.com/network-utopia/utopia/internal/leftout"
)

// The keys that both sides have.
var (
	courier = servers.Key{Name: "courier", Algorithm: "hmac-sha256", Secret: "c2l4dGVlbiBvY3RldHMgYW5kIG1vcmU="}
	laptop  = servers.Key{Name: "laptop", Algorithm: "hmac-sha512", Secret: "c2l4dGVlbiBvY3RldHMgb2YgYSBsYXB0b3A="}
)

func keyFile(k servers.Key) string {
	return fmt.Sprintf("key %q {\n\talgorithm %s;\n\tsecret %q;\n};\n", k.Name, k.Algorithm, k.Secret)
}

const transferZone = `$TTL 300
@    SOA ns1 host 1 3600 600 86400 60
@    NS  ns1
ns1  A   192.0.2.53
www  A   192.0.2.80
*.w  TXT "any"
sub  NS  ns.sub
ns.sub A 192.0.2.54
`

// exchanging is an instance of ours with the zone dyn.test. Others check where messages come from: from the address that
// it listens on, and not from 127.0.0.1, which the system would pick.
type exchanging struct {
	*instance
	dns netip.AddrPort
}

// exchange starts it with the settings of the zone.
func exchange(t *testing.T, zone string) *exchanging {
	t.Helper()
	in := newInstance(t, "own.test", "courier.key", keyFile(courier), "laptop.key", keyFile(laptop), "dyn.zone", transferZone)
	in.write("utopia.toml", fmt.Sprintf("domain = \"own.test\"\naddress = [%q]\n"+
		"[dns.keys]\ncourier.file = \"courier.key\"\nlaptop.file = \"laptop.key\"\n[dns.zones]\n\"dyn.test\" = { %s }\n", in.address, zone))
	e := &exchanging{in, netip.AddrPortFrom(netip.MustParseAddr(in.address), 8053)}
	in.start()
	return e
}

// has waits until a server has a serial of dyn.test. that is at least so high.
func has(t *testing.T, server netip.AddrPort, want uint32) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var got uint32
	var err error
	for ctx.Err() == nil {
		if got, err = servers.WaitFor(ctx, server, "dyn.test."); err == nil && got >= want {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s has serial %d, want %d: %v", server, got, want, err)
}

// changes sends an update with nsupdate, and gives what that says.
func changes(t *testing.T, server netip.AddrPort, key, lines string) (string, int) {
	t.Helper()
	text := fmt.Sprintf("server %s %d\nzone dyn.test.\n%s\nsend\n", server.Addr(), server.Port(), lines)
	return ask(t, text, leftout.Without(t, "nsupdate"), "-k", key)
}

// transferred asks a server for the whole zone, and gives its records, without the last SOA. Options are further ones of
// dig.
func transferred(t *testing.T, server netip.AddrPort, k servers.Key, options ...string) []string {
	t.Helper()
	args := append([]string{"@" + server.Addr().String(), "-p", fmt.Sprint(server.Port()),
		"-y", k.Algorithm + ":" + k.Name + ":" + k.Secret, "+noall", "+answer", "+onesoa", "dyn.test.", "AXFR"}, options...)
	out, code := ask(t, "", leftout.Without(t, "dig"), args...)
	if code != 0 {
		t.Fatal(out)
	}
	var all []string
	for line := range strings.Lines(out) {
		if line = strings.Join(strings.Fields(line), " "); line != "" && !strings.HasPrefix(line, ";") {
			all = append(all, line)
		}
	}
	return all
}

// withEach runs a test with NSD, Knot and BIND in turn, and an address for it.
func withEach(t *testing.T, test func(t *testing.T, p servers.Program, at netip.AddrPort)) {
	t.Parallel()
	for _, p := range servers.Programs() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			if _, err := p.Path(); err != nil {
				leftout.Because(t, "%v", err)
			}
			at, err := servers.FreeAddress(netip.MustParseAddr("127.0.0.1"))
			if err != nil {
				t.Fatal(err)
			}
			test(t, p, at)
		})
	}
}

// startPeer starts one of them with one zone, until the test ends.
func startPeer(t *testing.T, p servers.Program, at netip.AddrPort, z servers.Zone) *servers.Server {
	t.Helper()
	s, err := servers.Start(t.Context(), p, servers.Settings{Address: at, Zones: []servers.Zone{z}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

// TestForeignSecondaries: what changes here by nsupdate is at NSD, Knot and BIND at once, told by NOTIFY and fetched by
// IXFR, all of it signed.
func TestForeignSecondaries(t *testing.T) {
	withEach(t, func(t *testing.T, p servers.Program, at netip.AddrPort) {
		in := exchange(t, fmt.Sprintf("file = \"dyn.zone\", dnssec = \"off\", transfer-to = [\"key courier\"], notify = [\"%s key courier\"], update = [\"key laptop\"]", at))
		other := startPeer(t, p, at, servers.Zone{
			Name: "dyn.test.", Primaries: []servers.Peer{{Address: in.dns, Key: &courier}},
			Secondaries: []servers.Peer{{Address: netip.MustParseAddrPort("127.0.0.1:1"), Key: &courier}}, // so that dig may ask it
		})
		has(t, at, 1)
		for i := range 3 {
			out, code := changes(t, in.dns, filepath.Join(in.dir, "laptop.key"), fmt.Sprintf("update add n%d.dyn.test. 60 TXT \"%d\"\nupdate delete n%d.dyn.test.", i, i, i-1))
			if code != 0 {
				t.Fatal(out)
			}
			has(t, at, uint32(2+i))
		}
		ours, theirs := transferred(t, in.dns, courier), transferred(t, at, courier)
		if len(ours) != 8 || !sameLines(ours, theirs) {
			t.Errorf("ours\n%s\ntheirs\n%s\n%s", strings.Join(ours, "\n"), strings.Join(theirs, "\n"), other.Said())
		}
		if err := in.stop(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if log := in.printed.String(); !strings.Contains(log, "kind=incremental") {
			t.Errorf("nothing was fetched as a difference:\n%s", log)
		}
	})
}

// TestSignedZonesGoOnAfterARestart: the zone has the serial, the signatures and the history that it had, so NSD, Knot and
// BIND fetch what changes then as a difference from what they have.
func TestSignedZonesGoOnAfterARestart(t *testing.T) {
	withEach(t, func(t *testing.T, p servers.Program, at netip.AddrPort) {
		in := exchange(t, fmt.Sprintf("file = \"dyn.zone\", transfer-to = [\"key courier\"], notify = [\"%s key courier\"], update = [\"key laptop\"]", at))
		startPeer(t, p, at, servers.Zone{Name: "dyn.test.", Primaries: []servers.Peer{{Address: in.dns, Key: &courier}}})
		serial := func() uint32 {
			n, err := servers.WaitFor(t.Context(), in.dns, "dyn.test.")
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		change := func(name string) {
			if out, code := changes(t, in.dns, filepath.Join(in.dir, "laptop.key"), "update add "+name+".dyn.test. 60 TXT x"); code != 0 {
				t.Fatal(out)
			}
			has(t, at, serial())
		}
		change("before")
		was := serial()
		if err := in.stop(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		in.start()
		if got := serial(); got != was {
			t.Errorf("serial %d after the restart, %d before", got, was)
		}
		change("after")
		if err := in.stop(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if log := in.printed.String(); !strings.Contains(log, "kind=incremental") || strings.Contains(log, "kind=full") {
			t.Errorf("not fetched as a difference:\n%s", log)
		}
	})
}

func sameLines(a, b []string) bool {
	seen := map[string]int{}
	for _, line := range a {
		seen[strings.ToLower(line)]++
	}
	for _, line := range b {
		seen[strings.ToLower(line)]--
	}
	for _, n := range seen {
		if n != 0 {
			return false
		}
	}
	return true
}

// TestForeignPrimaries: what changes at NSD, Knot and BIND is here at once.
func TestForeignPrimaries(t *testing.T) {
	withEach(t, func(t *testing.T, p servers.Program, at netip.AddrPort) {
		in := exchange(t, fmt.Sprintf("primaries = [\"%s key courier\"], transfer-to = [\"key courier\"]", at))
		file := filepath.Join(t.TempDir(), "zone")
		if err := os.WriteFile(file, []byte(transferZone), 0o644); err != nil {
			t.Fatal(err)
		}
		z := servers.Zone{Name: "dyn.test.", File: file, Secondaries: []servers.Peer{{Address: in.dns, Key: &courier}}}
		if p != servers.NSD {
			z.Update = []servers.Key{laptop}
		}
		other := startPeer(t, p, at, z)
		has(t, in.dns, 1)
		for i := range 3 {
			if p == servers.NSD {
				text := strings.Replace(transferZone, "host 1 ", fmt.Sprintf("host %d ", 2+i), 1) + fmt.Sprintf("n%d TXT 1\n", i)
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				time.Sleep(1100 * time.Millisecond) // NSD looks at the seconds of a file's time
				if err := os.Chtimes(file, time.Now(), time.Now()); err != nil {
					t.Fatal(err)
				}
				if err := other.Reload(); err != nil {
					t.Fatal(err)
				}
			} else if out, code := changes(t, at, filepath.Join(in.dir, "laptop.key"), fmt.Sprintf("update add n%d.dyn.test. 60 TXT \"%d\"", i, i)); code != 0 {
				t.Fatalf("%s\n%s", out, other.Said())
			}
			has(t, in.dns, uint32(2+i))
		}
		if ours, theirs := transferred(t, in.dns, courier), transferred(t, at, courier, "-b", in.address); !sameLines(ours, theirs) {
			t.Errorf("ours\n%s\ntheirs\n%s\n%s", strings.Join(ours, "\n"), strings.Join(theirs, "\n"), other.Said())
		}
		// The other one goes, and what was fetched is answered from, also after a restart.
		if err := other.Stop(); err != nil {
			t.Error(err)
		}
		if err := in.stop(syscall.SIGKILL); err == nil {
			t.Error("it was killed, and ended well")
		}
		in.start()
		has(t, in.dns, 4)
	})
}

// TestNsupdate: additions, deletions, prerequisites, and keys that may not; what was confirmed outlives kill -9.
func TestNsupdate(t *testing.T) {
	t.Parallel()
	leftout.Without(t, "nsupdate")
	in := exchange(t, `file = "dyn.zone", dnssec = "off", transfer-to = ["127.0.0.0/8", "key courier"], update = ["key laptop *.dyn", "key laptop www A AAAA", "key courier @ TXT"]`)
	in.write("wrong.key", keyFile(servers.Key{Name: "laptop", Algorithm: "hmac-sha512", Secret: "d3JvbmcsIHdyb25nLCB3cm9uZywgd3Jvbmc="}))
	in.write("nobody.key", keyFile(servers.Key{Name: "nobody", Algorithm: "hmac-sha256", Secret: courier.Secret}))
	for _, c := range []struct{ key, lines, want string }{
		{"laptop", "update add a.dyn.dyn.test. 60 A 192.0.2.1", ""},
		{"laptop", "prereq nxdomain b.dyn.dyn.test.\nupdate add b.dyn.dyn.test. 60 TXT \"b\"", ""},
		{"laptop", "prereq nxdomain b.dyn.dyn.test.\nupdate add b.dyn.dyn.test. 60 TXT \"c\"", "YXDOMAIN"},
		{"laptop", "prereq yxdomain c.dyn.dyn.test.\nupdate add b.dyn.dyn.test. 60 TXT \"c\"", "NXDOMAIN"},
		{"laptop", "prereq yxrrset b.dyn.dyn.test. TXT \"x\"\nupdate add b.dyn.dyn.test. 60 TXT \"c\"", "NXRRSET"},
		{"laptop", "prereq nxrrset b.dyn.dyn.test. TXT\nupdate add b.dyn.dyn.test. 60 TXT \"c\"", "YXRRSET"},
		{"laptop", "prereq yxrrset b.dyn.dyn.test. TXT \"b\"\nupdate delete b.dyn.dyn.test. TXT \"b\"\nupdate add b.dyn.dyn.test. 60 TXT \"d\"", ""},
		{"laptop", "update delete www.dyn.test. A\nupdate add www.dyn.test. 60 AAAA 2001:db8::80", ""},
		{"laptop", "update add www.dyn.test. 60 TXT \"x\"", "REFUSED"},
		{"laptop", "update add ns1.dyn.test. 60 A 192.0.2.1", "REFUSED"},
		{"courier", "update add dyn.test. 60 TXT \"x\"", ""},
		{"courier", "update add www.dyn.test. 60 A 192.0.2.1", "REFUSED"},
		{"wrong", "update add a.dyn.dyn.test. 60 A 192.0.2.2", "BADSIG"},
		{"nobody", "update add a.dyn.dyn.test. 60 A 192.0.2.2", "BADKEY"},
	} {
		out, code := changes(t, in.dns, filepath.Join(in.dir, c.key+".key"), c.lines)
		if (code == 0) != (c.want == "") || !strings.Contains(out, c.want) {
			t.Errorf("%s: %s\nexit code %d, want %s\n%s", c.key, c.lines, code, c.want, out)
		}
	}
	before := transferred(t, in.dns, courier)
	for _, want := range []string{"a.dyn.dyn.test. 60 IN A 192.0.2.1", `b.dyn.dyn.test. 60 IN TXT "d"`, "www.dyn.test. 60 IN AAAA 2001:db8::80", `dyn.test. 60 IN TXT "x"`} {
		if !strings.Contains(strings.Join(before, "\n")+"\n", want+"\n") {
			t.Errorf("%s is not there:\n%s", want, strings.Join(before, "\n"))
		}
	}
	if err := in.stop(syscall.SIGKILL); err == nil {
		t.Error("it was killed, and ended well")
	}
	in.start()
	if after := transferred(t, in.dns, courier); !sameLines(before, after) {
		t.Errorf("after kill -9\n%s\nbefore\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
}

// TestLargeTransfer: many signed messages, as dig and kdig check them.
func TestLargeTransfer(t *testing.T) {
	t.Parallel()
	in := exchange(t, `file = "dyn.zone", dnssec = "off", transfer-to = ["key courier"]`)
	in.write("dyn.zone", strings.Replace(transferZone, "host 1 ", "host 2 ", 1)+"$GENERATE 1-20000 host$ A 192.0.2.1\n")
	if out, err := in.run("", "reload"); err != nil {
		t.Fatal(err, out)
	}
	has(t, in.dns, 2)
	if n := len(transferred(t, in.dns, courier)); n != 20_007 {
		t.Errorf("dig has %d records", n)
	}
	out, code := ask(t, "", leftout.Without(t, "kdig"), "@"+in.dns.Addr().String(), "-p", fmt.Sprint(in.dns.Port()),
		"-y", courier.Algorithm+":"+courier.Name+":"+courier.Secret, "dyn.test.", "AXFR")
	if code != 0 || !strings.Contains(out, "20008") || strings.Contains(strings.ToLower(out), "warning") {
		t.Errorf("kdig: exit code %d\n%.400s\n… %.400s", code, out, out[max(0, len(out)-400):])
	}
	out, _ = ask(t, "", leftout.Without(t, "dig"), "@"+in.dns.Addr().String(), "-p", fmt.Sprint(in.dns.Port()), "dyn.test.", "AXFR")
	if !strings.Contains(out, "Transfer failed") {
		t.Errorf("without a key:\n%.400s", out)
	}
}
