package foreign

import (
	"net/netip"
	"strings"
	"testing"
)

// What the servers do with their settings, server_test.go sees; here is what no test of those three notices.
func TestSettingsFiles(t *testing.T) {
	key := Key{Name: "k.test", Algorithm: "hmac-sha256", Secret: "c2VjcmV0"}
	at := netip.MustParseAddrPort("127.0.0.2:5301")
	s := Settings{Address: netip.MustParseAddrPort("127.0.0.1:5300"), Threads: 3, Zones: []Zone{
		{Name: "a.test.", File: "/zones/a", Secondaries: []Peer{{at, &key}}, Update: []Key{key}},
		{Name: "b.test.", Primaries: []Peer{{at, nil}}},
	}}
	for p, want := range map[Program][]string{
		NSD: {
			"  server-count: 3\n", "  rrl-ratelimit: 0\n", "  notify: 127.0.0.2@5301 k.test\n", "  request-xfr: 127.0.0.2@5301 NOKEY\n",
			`  zonefile: "/dir/copy-of-b.test.zone"`, `  chroot: ""`,
		},
		Knot: {
			"  udp-workers: 3\n", "- id: update-k.test\n  key: k.test\n  action: [update, transfer]\n", "  via: 127.0.0.1\n",
			"  acl: [transfer-peer-7f000002-5301-k.test, update-k.test]\n", "  master: [peer-7f000002-5301]\n",
		},
		BIND: {
			`grant "k.test" zonesub ANY;`, `also-notify { 127.0.0.2 port 5301 key "k.test"; };`, "primaries { 127.0.0.2 port 5301; };",
			"minimal-responses yes;", `allow-transfer { key "k.test"; key "k.test"; };`, "recursion no;",
		},
	} {
		text, err := settingsFile(p, "/dir", s)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s lacks %q:\n%s", p, w, text)
			}
		}
		if n := strings.Count(text, "c2VjcmV0"); n != 1 {
			t.Errorf("%s: the key is there %d times", p, n)
		}
	}
	s.Additional = true
	if text, _ := settingsFile(BIND, "/dir", s); !strings.Contains(text, "minimal-responses no-auth;") {
		t.Error(text)
	}
}
