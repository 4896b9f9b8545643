package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

func TestZones(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `domain = "a.test"
[dns]
zone-file = "own.zone"
notify = ["[2001:db8::53]:8053 key K."]
update = ["key k home A"]
[dns.keys]
K.file = "k.key"
[dns.zones]
"Example.ORG." = { file = "x.zone", transfer-to = ["192.0.2.7", "10.0.0.0/8 key k", "key k"] }
"2.0.192.in-addr.arpa" = { primaries = ["192.0.2.1", "192.0.2.2:8053"] }
`)
	own := Zone{
		Name: "a.test", File: "own.zone", DNSSEC: DNSSECOn,
		Notify: []Server{{netip.MustParseAddrPort("[2001:db8::53]:8053"), "k"}},
		Update: []Grant{{Key: "k", Names: "home", Types: []string{"A"}}},
	}
	if got := c.Own(); !reflect.DeepEqual(got, own) {
		t.Errorf("the domain's own zone is %+v, want %+v", got, own)
	}
	want := []Zone{
		{Name: "example.org", File: "x.zone", DNSSEC: DNSSECOn, TransferTo: []Access{
			{Network: netip.MustParsePrefix("192.0.2.7/32")}, {netip.MustParsePrefix("10.0.0.0/8"), "k"}, {Key: "k"},
		}},
		{Name: "2.0.192.in-addr.arpa", DNSSEC: DNSSECOn, Primaries: []Server{
			{Address: netip.MustParseAddrPort("192.0.2.1:53")}, {Address: netip.MustParseAddrPort("192.0.2.2:8053")},
		}},
	}
	if !reflect.DeepEqual(c.DNS.Zones, want) {
		t.Errorf("the zones are %+v, want %+v", c.DNS.Zones, want)
	}
	if keys := []Key{{Name: "k", Algorithm: "hmac-sha256", File: "k.key"}}; !reflect.DeepEqual(c.DNS.Keys, keys) {
		t.Errorf("the keys are %+v, want %+v", c.DNS.Keys, keys)
	}
}

// TestDNSValues: what is written in the shortest form reads back as the same.
func TestDNSValues(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `domain = "a.test"
[dns]
notify = ["192.0.2.1:53", "[2001:db8::1]", "[2001:db8::2]:5353   key  k"]
transfer-to = ["2001:db8::1", "  key k"]
update = ["key k *", "key k * txt", "key k @"]
[dns.keys]
k.file = "k.key"
`)
	got := fmt.Sprint(c.DNS.Notify, c.DNS.TransferTo, c.DNS.Update)
	want := "[192.0.2.1 2001:db8::1 [2001:db8::2]:5353 key k] [2001:db8::1/128 key k] [key k key k * TXT key k @]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSecretIsShownNowhere(t *testing.T) {
	t.Parallel()
	c := mustParse(t, "domain = 'a.test'\n[dns.keys]\nk = { secret = 'c2l4dGVlbiBvY3RldHMuLi4=', algorithm = 'hmac-sha512' }\n")
	if c.DNS.Keys[0].Secret != "sixteen octets..." {
		t.Errorf("the secret is %q", string(c.DNS.Keys[0].Secret))
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %s %s", *c, *c, *c, c.TOML(), asJSON, c.DNS.Keys[0].Secret)
	for _, part := range []string{"sixteen", "c2l4d"} {
		if strings.Contains(shown, part) {
			t.Errorf("%s is shown in %s", part, shown)
		}
	}
	if !strings.Contains(shown, hiddenSecret) || !strings.Contains(string(asJSON), `"algorithm":"hmac-sha512"`) {
		t.Errorf("the key is not shown at all: %s", shown)
	}
}

func TestSecretSize(t *testing.T) {
	t.Parallel()
	mustParse(t, "domain = 'a.test'\n[dns.keys]\nk = { secret = 'AAAAAAAAAAAAAAAAAAAAAA==' }\n")
	p := problemsOf(t, "domain = 'a.test'\n[dns.keys]\nk = { secret = 'AAAAAAAAAAAAAAAAAAAA' }\n")
	if !strings.Contains(p[0].Message, "at least 16 octets, this one has 15") {
		t.Error(p[0].Message)
	}
}

// TestNoFaultOfAFault: what follows from a mistake is not told as another.
func TestNoFaultOfAFault(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{
		"[dns.zones]\nz = 'x.zone'", "[dns.zones]\nz = { fille = 'x' }", "[dns.zones]\nz = { file = 1 }",
		"[dns.zones]\nz = { primaries = ['x'] }", "[dns.keys]\nk = 'x'", "[dns.keys]\nk = { sekret = 'x' }",
		"[dns.keys]\nk = { secret = 'x' }", "[dns.keys]\nk = { file = '' }", "[dns.zones]\n'' = { file = 'x' }",
	} {
		if p := problemsOf(t, "domain = 'a.test'\n"+entry); len(p) != 1 {
			t.Errorf("%s: %v", entry, p)
		}
	}
}
