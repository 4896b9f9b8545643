package interop

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/internal/leftout"
)

// withReverse is an instance whose zone has hosts at private addresses, and which gives names for its public one.
func withReverse(t *testing.T) *instance {
	t.Helper()
	in := newInstance(t, "a.test", "extra.zone", "nas 60 A 10.0.0.5\nnas 60 AAAA fd00::5\nwww 60 A 10.0.0.5\n", "laptop.key", keyFile(laptop))
	in.write("utopia.toml", fmt.Sprintf("domain = \"a.test\"\naddress = [%q]\n[dns]\nzone-file = \"extra.zone\"\nreverse = true\n"+
		"public-address = [%[1]q, \"198.18.0.1\"]\nupdate = [\"key laptop\"]\n[dns.keys]\nlaptop.file = \"laptop.key\"\n", in.address))
	in.start()
	return in
}

// TestNamesOfAddresses: every program's way to ask for the name of an address finds it, also one that came by nsupdate.
func TestNamesOfAddresses(t *testing.T) {
	t.Parallel()
	in := withReverse(t)
	program := map[string]string{}
	for _, name := range []string{"dig", "kdig", "drill", "host", "nslookup", "nsupdate"} {
		program[name] = leftout.Without(t, name)
	}
	server := netip.MustParseAddrPort(in.at(53))
	out, code := changes(t, server, filepath.Join(in.dir, "laptop.key"), "zone a.test\nupdate add cam.a.test 60 A 10.0.0.6\nupdate delete nas.a.test AAAA\nsend\n")
	if code != 0 {
		t.Fatalf("nsupdate: %s", out)
	}
	for _, client := range [][]string{
		{"dig", "@SERVER", "-p", "8053", "-x", "ADDRESS"},
		{"kdig", "@SERVER", "-p", "8053", "-x", "ADDRESS"},
		{"drill", "-p", "8053", "-x", "ADDRESS", "@SERVER"},
		{"host", "-p", "8053", "ADDRESS", "SERVER"},
		{"nslookup", "-port=8053", "ADDRESS", "SERVER"},
	} {
		for address, want := range map[string]string{
			in.address: " a.test.", "198.18.0.1": " a.test.", "10.0.0.5": " nas.a.test.", "10.0.0.6": " cam.a.test.", "fd00::5": "REFUSED", "10.0.0.7": "REFUSED",
		} {
			words := strings.NewReplacer("SERVER", in.address, "ADDRESS", address)
			var args []string
			for _, arg := range client[1:] {
				args = append(args, words.Replace(arg))
			}
			out, _ := ask(t, "", program[client[0]], args...)
			if !strings.Contains(strings.ReplaceAll(out, "\t", " "), want) {
				t.Errorf("%s %s: want%s\n%s", client[0], address, want, out)
			}
		}
	}
}

// TestSignedNamesOfAddresses: the zone of a public address is signed so that every verifier is content.
func TestSignedNamesOfAddresses(t *testing.T) {
	t.Parallel()
	in := withReverse(t)
	const zone = "1.0.18.198.in-addr.arpa"
	text, err := in.run("", "dns", "export", zone, "--dnssec")
	if err != nil || !strings.Contains(text, "RRSIG") {
		t.Fatal(err, text)
	}
	file := filepath.Join(t.TempDir(), zone)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, v := range verifiers {
		var args []string
		for _, arg := range v.args {
			args = append(args, strings.Replace(arg, "example.test", zone, 1))
		}
		if out, code := ask(t, "", leftout.Without(t, v.program), append(args, file)...); code != 0 {
			t.Errorf("%s: %s", v.program, out)
		}
	}
}
