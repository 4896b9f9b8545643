package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/control"
)

// asked is an instance that says what it is told to.
type asked struct {
	zones   []control.Zone
	status  control.Status
	err     error
	failing error // of Status
}

func (a asked) Zones(context.Context) ([]control.Zone, error) { return a.zones, a.err }

func (a asked) Status(context.Context, bool) (control.Status, error) { return a.status, a.failing }

// zonesFolder is a folder with the domain and three further zones, one of them with an error.
func zonesFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		ConfigFile: "domain = 'a.test'\n[dns]\nzone-file = 'own.zone'\n[dns.zones]\n'b.test' = { file = 'b.zone' }\n'c.test' = { file = 'c.zone' }\n",
		"own.zone": "x 60 MX 1 nobody\n",
		"b.zone":   "@ 60 SOA n h 1 2 3 4 5\n@ 60 NS n\nn 60 A 192.0.2.1\n",
		"c.zone":   "@ 60 SOA n h 1 2 3 4 5\nx A nowhere\n@ 60 FOO\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	ownLine  = "file: ok: own.zone:1:1: warning: nobody.a.test. has no address (in: x.a.test. MX 1 nobody.a.test.)\nfile: ok: 12 records\n"
	badLines = "file: wrong: c.zone:2:5: bad A data: not understood: \"nowhere\" (in: x A nowhere)\n" +
		"file: wrong: c.zone:3:6: \"FOO\" is no record type, TTL or class (in: @ 60 FOO)\n"
)

func TestCheckZones(t *testing.T) {
	t.Parallel()
	dir := zonesFolder(t)
	files, err := OpenNames(dir)
	if err != nil {
		t.Fatal(err)
	}
	zones, err := files.Zones(t.Context())
	if err != nil || len(zones) != 4 {
		t.Fatalf("%v, %v", zones, err)
	}
	status := control.Status{Services: []control.Service{
		{Name: webName, Endpoints: []control.Endpoint{{Protocol: "HTTP", Network: "tcp", Address: "192.0.2.9:80"}}},
		{Name: dnsName, Endpoints: []control.Endpoint{
			{Protocol: "DNS", Network: "udp", Address: "192.0.2.1:53"}, {Protocol: "HTTPS", Network: "tcp", Address: "192.0.2.1:443"},
			{Protocol: "DNS", Network: "tcp", Address: "192.0.2.1:53"}, {Protocol: "DNS", Network: "tcp", Address: "0.0.0.0:53"},
		}},
	}}
	// answer has the SOA of a zone with its serial, plus so much.
	answer := func(plus uint32) AskAt {
		return func(_ context.Context, at control.Endpoint, name dns.Name, typ dns.Type) (*dns.Message, error) {
			if at.Network == "tcp" {
				return nil, errors.New("timed out")
			}
			m := dns.NewQuery(1, name, typ).Reply(dns.RcodeSuccess)
			m.Authoritative = true
			for _, z := range zones {
				if z.Name == name.String() {
					m.Answer = []dns.RR{dns.SOARR(name, 1, dns.SOA{MName: name, RName: name, Serial: z.Serial + plus})}
				}
			}
			return m, nil
		}
	}
	other := append([]control.Zone(nil), zones...)
	other[1].Sum, other[2].State = "0", "kept"
	for name, tt := range map[string]struct {
		in   Running
		zone string
		ask  AskAt
		want string
	}{
		"not running": {asked{err: control.ErrNotRunning}, "B.test", nil, "file: ok: 3 records\nserved: does not apply: utopia is not running here\n"},
		"silent":      {asked{err: control.ErrSilent}, "b.test", nil, "file: ok: 3 records\nserved: could not tell: " + control.ErrSilent.Error() + "\n"},
		"half silent": {asked{failing: control.ErrSilent}, "b.test", nil, "file: ok: 3 records\nserved: could not tell: " + control.ErrSilent.Error() + "\n"},
		"unknown":     {asked{status: status}, "b.test.", nil, "file: ok: 3 records\nserved: wrong: the running instance does not know it\n"},
		"served": {asked{zones: zones, status: status}, "b.test", answer(0), "file: ok: 3 records\nserved: ok: serial 1\n" +
			"answers at 192.0.2.1:53 (udp): ok\nanswers at 192.0.2.1:53 (tcp): could not tell: timed out\n"},
		"another serial": {asked{zones: zones, status: status}, "b.test", answer(1), "file: ok: 3 records\nserved: ok: serial 1\n" +
			"answers at 192.0.2.1:53 (udp): wrong: answer 1 NOERROR aa 1/0/0 b.test. SOA b.test. b.test. 2 0 0 0 0\nanswers at 192.0.2.1:53 (tcp): could not tell: timed out\n"},
		"changed": {asked{zones: other}, "b.test", answer(0), "file: ok: 3 records\nserved: wrong: its files have changed since the instance read them\n"},
		"kept":    {asked{zones: other}, "c.test", answer(0), badLines + "served: wrong: it is served as it was before its file got an error\n"},
		"all": {asked{zones: zones[:3]}, "", answer(0), ownLine + "served: ok: serial SERIAL\nfile: ok: 3 records\nserved: ok: serial 1\n" +
			badLines + "served: wrong: questions about it get SERVFAIL\n"},
		"the name of an address": {asked{zones: zones, status: status}, "1.0.0.127.in-addr.arpa", answer(0), "file: does not apply: it follows from the domain's addresses\n" +
			"served: ok: serial SERIAL\nanswers at 192.0.2.1:53 (udp): ok\nanswers at 192.0.2.1:53 (tcp): could not tell: timed out\n"},
	} {
		checks, err := CheckZones(t.Context(), dir, tt.zone, tt.in, tt.ask)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i := range checks {
			if made := checks[i].Zone == "a.test." || checks[i].Zone == "1.0.0.127.in-addr.arpa."; made && checks[i].What == "served" {
				checks[i].Text = "serial SERIAL"
			}
		}
		if got := outcomes(checks); got != tt.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, tt.want)
		}
	}
	if _, err := CheckZones(t.Context(), dir, "other.test", asked{}, nil); err == nil {
		t.Error("a zone that is not there")
	}
	if _, err := CheckZones(t.Context(), t.TempDir(), "", asked{}, nil); err == nil || !strings.Contains(err.Error(), "there is no file") {
		t.Errorf("no settings: %v", err)
	}
}

func TestCheckZoneFile(t *testing.T) {
	t.Parallel()
	dir := zonesFolder(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	full := func(text string) string {
		return strings.NewReplacer("own.zone:", in("own.zone:"), "c.zone:", in("c.zone:"), "b.zone:", in("b.zone:")).Replace(text)
	}
	for _, tt := range []struct{ zone, file, want string }{
		{"", "own.zone", full(ownLine)},
		{"A.test.", "own.zone", full(ownLine)},
		{"", "c.zone", full(badLines)},
		{"elsewhere.example", "b.zone", "file: ok: 3 records\n"},
		{"a.test", "b.zone", "file: ok: 12 records\n"},
	} {
		checks, err := CheckZoneFile(dir, tt.zone, in(tt.file))
		if err != nil {
			t.Errorf("%s for %q: %v", tt.file, tt.zone, err)
		}
		if got := outcomes(checks); got != tt.want {
			t.Errorf("%s for %q: got\n%swant\n%s", tt.file, tt.zone, got, tt.want)
		}
	}
	if _, err := CheckZoneFile(dir, "", in("none.zone")); err == nil || !strings.Contains(err.Error(), "is the file of no zone") {
		t.Errorf("a file of no zone: %v", err)
	}
	if _, err := CheckZoneFile(dir, "a..b", in("b.zone")); err == nil {
		t.Error("a zone that has no name")
	}
	empty := t.TempDir()
	if _, err := CheckZoneFile(empty, "", in("b.zone")); err == nil || !strings.Contains(err.Error(), "--zone") {
		t.Errorf("no settings: %v", err)
	}
	if checks, err := CheckZoneFile(empty, "b.test", in("b.zone")); err != nil || outcomes(checks) != "file: ok: 3 records\n" {
		t.Errorf("without settings: %v, %v", checks, err)
	}
}
