package app

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/config"
)

func settingsOf(t *testing.T, text string, files ...string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i+1 < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, config.FileName)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

const courierFile = "key \"Courier\" {\n\talgorithm hmac-sha512;\n\tsecret \"c2l4dGVlbiBvY3RldHMuLi4=\";\n};\n"

func TestDNSPolicy(t *testing.T) {
	t.Parallel()
	cfg := settingsOf(t, `domain = "a.test"
[dns]
notify = ["192.0.2.53 key courier"]
transfer-to = ["192.0.2.0/24", "key courier"]
update = ["key laptop", "key laptop @ TXT", "key laptop home A AAAA", "key courier *.Dyn"]
[dns.keys]
laptop = { secret = "c2l4dGVlbiBvY3RldHMuLi4=" }
courier.file = "courier.key"
[dns.zones]
"b.test" = { primaries = ["192.0.2.1:8053 key courier"] }
"c.test" = { file = "c.zone", update = ["key laptop www"] }
`, "courier.key", courierFile)
	opts, err := dnsOptions(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(opts.TSIG) != 2 || opts.TSIG[0].Algorithm != dns.HMACSHA256 || opts.TSIG[1].Algorithm != dns.HMACSHA512 || string(opts.TSIG[1].Secret) != "sixteen octets..." {
		t.Errorf("%d keys", len(opts.TSIG))
	}
	if n := opts.Notify; len(n) != 1 || n[0].Key != dns.MustParseName("courier.") || n[0].Address != netip.MustParseAddrPort("192.0.2.53:53") {
		t.Errorf("%v", n)
	}
	if a := opts.TransferTo; len(a) != 2 || a[0].Key != "" || a[1].Network.IsValid() {
		t.Errorf("%v", a)
	}
	var grants []string
	for _, g := range opts.Update {
		grants = append(grants, fmt.Sprint(g.Key, g.Name, g.Below, g.Types))
	}
	want := "laptop.a.test.false [] laptop.a.test.true [] laptop.a.test.false [TXT] laptop.home.a.test.false [A AAAA] courier.dyn.a.test.true []"
	if got := strings.Join(grants, " "); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if z := opts.Zones; len(z) != 2 || len(z[0].Primaries) != 1 || z[0].File != "" || len(z[1].Update) != 1 || z[1].Update[0].Name != dns.MustParseName("www.c.test.") {
		t.Errorf("%+v", z)
	}
}

func TestKeyFiles(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		courierFile: "",
		"nonsense":  "courier.key: ",
		strings.ReplaceAll(courierFile, "C", "K"):  "has no key of this name",
		strings.Repeat("# much\n", maxKeyFile/7+1): "is longer than 65536 octets",
		"-": "no such file",
	} {
		cfg := settingsOf(t, "domain = 'a.test'\n[dns.keys]\ncourier.file = 'courier.key'\n", "courier.key", text)
		if text == "-" {
			if err := os.Remove(cfg.Resolve("courier.key")); err != nil {
				t.Fatal(err)
			}
		}
		_, err := dnsOptions(cfg)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "key courier: ")) {
			t.Errorf("%.20q: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "c2l4") {
			t.Errorf("the secret is shown: %v", err)
		}
	}
}
