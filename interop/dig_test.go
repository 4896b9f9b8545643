package interop

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	servers "github.com/network-utopia/utopia/internal/foreign"
	"github.com/network-utopia/utopia/internal/leftout"
)

// digKey signs what transferred.test is asked for.
var digKey = servers.Key{Name: "transfer", Algorithm: "hmac-sha256", Secret: "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="}

const digZone = `@ 300 SOA ns1 hostmaster 2026112201 7200 3600 1209600 300
@ 300 NS ns1
ns1 300 A 192.0.2.53
www 300 A 192.0.2.1
mx 300 MX 10 mail
mail 300 AAAA 2001:db8::25
txt 300 TXT "a \"b\"" "c"
key 300 DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==
sub 300 NS ns.sub
ns.sub 300 A 192.0.2.9
`

// digChanges are what differs between two runs of the same program.
var digChanges = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`, id: \d+\n`), ", id: N\n"},
	{regexp.MustCompile(`Query time: \d+ msec`), "Query time: N msec"},
	{regexp.MustCompile(`;; WHEN: .*`), ";; WHEN: NOW"},
	{regexp.MustCompile(`; <<>> .*? <<>> .*\n`), "; <<>> NAME <<>> ARGS\n"},
	{regexp.MustCompile(`;; Couldn't verify signature: .*\n`), ""}, // on stderr, where ours says it in words of its own
	{regexp.MustCompile(`COOKIE: [0-9a-f]+`), "COOKIE: N"},
	{regexp.MustCompile(`(TSIG\s+hmac-sha256\. )\d+ (\d+ \d+ (?:\(\s+)?)[^ ]+( \)|) \d+`), "${1}NOW ${2}MAC${3} ID"},
}

func sameEachTime(text string) string {
	for _, c := range digChanges {
		text = c.pattern.ReplaceAllString(text, c.with)
	}
	return text
}

// TestOurDigPrintsWhatDigPrints asks NSD, Knot and BIND with both: transfers, with and without a key, several questions, options.
func TestOurDigPrintsWhatDigPrints(t *testing.T) {
	t.Parallel()
	dig := foreign(t, "dig")
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("zone", digZone)
	keyFile := write("key", `key "transfer" { algorithm hmac-sha256; secret "`+digKey.Secret+`"; };`)
	questions := write("questions", "www.transferred.test\nmx.transferred.test MX +nostats\n")
	me := servers.Peer{Address: netip.MustParseAddrPort("127.0.0.1:53"), Key: &digKey}
	signed := []string{"-k", keyFile}
	for _, p := range servers.Programs() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			if _, err := p.Path(); err != nil {
				leftout.Because(t, "%v", err)
			}
			at := startForeign(t, p, servers.Settings{Zones: []servers.Zone{{Name: "transferred.test", File: file, Secondaries: []servers.Peer{me}}}})
			for _, c := range []struct {
				ask string
				key []string
			}{
				{"transferred.test AXFR", signed}, {"transferred.test AXFR +multi +short", signed}, {"transferred.test IXFR=2026112201", signed},
				{"transferred.test IXFR=2026112100 +multi", signed}, {"transferred.test AXFR +all", signed}, {"transferred.test SOA", signed},
				{"transferred.test AXFR", nil}, {"other.test AXFR", signed},
				{"www.transferred.test mx.transferred.test MX +qr", nil}, {"-f " + questions, nil}, {"transferred.test SOA +multi", nil},
				{"www.transferred.test +nsid", nil}, {"www.transferred.test +cookie", nil}, {"www.transferred.test +cookie=0123456789abcdef +qr", nil},
				{"sub.transferred.test +norec", nil}, {"nx.transferred.test +dnssec", nil}, {"key.transferred.test DNSKEY +multi", nil},
				{"www.transferred.test +tcp +keepopen txt.transferred.test TXT +tcp", nil}, {"transferred.test SOA +opcode=status", nil},
				{"www.transferred.test +subnet=192.0.2.0/24", nil},
			} {
				args := append([]string{"@" + at.Addr().String(), "-p", strconv.Itoa(int(at.Port()))}, append(strings.Fields(c.ask), c.key...)...)
				theirs, _ := ask(t, "", dig, args...)
				ours := ourDig(t, args...)
				if sameEachTime(ours) != sameEachTime(theirs) {
					t.Errorf("%s: ours\n%s\ndig's\n%s", c.ask, sameEachTime(ours), sameEachTime(theirs))
				}
			}
		})
	}
}

// ourDig gives what utopia dig prints on its output.
func ourDig(t *testing.T, args ...string) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, path, append([]string{"dig"}, args...)...)
	out, _ := c.Output() // how it ends is not dig's way
	return string(out)
}
