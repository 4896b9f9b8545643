package authority

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/dialogue"
)

// The key of the signed zones in testdata. It guards nothing.
const (
	dialoguePublic  = "example.test. IN DNSKEY 257 3 15 hdYQnGGi6ETtKhZuX6X7TCaMW9cLx3u8oAByWMfgiew="
	dialoguePrivate = "Private-key-format: v1.3\nAlgorithm: 15 (ED25519)\nPrivateKey: DYEMB1QcoTMaA8Q9I3iIIWvbxNbOOhnzuvU6kmSNyqA=\n"
)

const signedMark = "; signed: "

// signedDialogues are the files with such zones.
var signedDialogues = map[string]zone.SignPolicy{
	"07-signed.txt": {}, "08-hashed.txt": {NSEC3: true},
}

// TestSignedDialogues: the signatures of the zones in testdata are those that
// signing gives, and so they are good. With -rewrite they are written.
func TestSignedDialogues(t *testing.T) {
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	key, err := dns.ParseKeyFiles(dialoguePublic, dialoguePrivate)
	if err != nil {
		t.Fatal(err)
	}
	for name, policy := range signedDialogues {
		policy.Validity, policy.Refresh, policy.Jitter, policy.KeyTTL = zone.MaxValidity, zone.MaxValidity-24*time.Hour, 1, 300
		path := filepath.Join("testdata", name)
		d, err := dialogue.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		plain, _, _ := strings.Cut(d.Zones[0].Text, signedMark)
		z, _, err := zone.Load(strings.NewReader(plain), zone.ReadOptions{Origin: key.Owner})
		if err != nil {
			t.Fatal(err)
		}
		signed, err := zone.Sign(z, zone.Signed{}, []*dns.SigningKey{key}, policy, day)
		if err != nil {
			t.Fatal(err)
		}
		want := plain + signedMark + day.Format(time.DateOnly) + "\n" + addedBySigning(signed.Zone)
		if want == d.Zones[0].Text {
			continue
		}
		if !*rewrite {
			t.Errorf("%s: signed, the zone is\n%s", path, want)
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), d.Zones[0].Text, want, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func addedBySigning(z *zone.Zone) string {
	var out strings.Builder
	for rr := range z.All() {
		switch rr.Type {
		case dns.TypeDNSKEY, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM, dns.TypeRRSIG:
			fmt.Fprintln(&out, strings.ReplaceAll(rr.String(), "\t", " "))
		}
	}
	return out.String()
}
