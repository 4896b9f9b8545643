package dnsclient

import (
	"net/netip"
	"testing"

	mdns "github.com/miekg/dns"

	"github.com/network-utopia/utopia/dns"
)

func TestReverseName(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::567:89ab", "::1", "::",
		"fe80::1%eth0", "::ffff:192.0.2.1",
	} {
		addr := netip.MustParseAddr(s)
		want, err := mdns.ReverseAddr(addr.WithZone("").Unmap().String())
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := ReverseName(addr); !ok || got.String() != want {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
	if n, ok := ReverseName(netip.Addr{}); ok {
		t.Errorf("the zero address has the name %s", n)
	}
}

func TestReverseNetwork(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"1.2.0.192.in-addr.arpa.":       "192.0.2.1/32",
		"2.0.192.IN-ADDR.arpa.":         "192.0.2.0/24",
		"10.in-addr.arpa.":              "10.0.0.0/8",
		"0.in-addr.arpa.":               "0.0.0.0/8",
		"in-addr.arpa.":                 "0.0.0.0/0",
		"ip6.arpa.":                     "::/0",
		"d.F.ip6.arpa.":                 "fd00::/8",
		"8.b.d.0.1.0.0.2.ip6.arpa.":     "2001:db8::/32",
		"1.8.b.d.0.1.0.0.2.ip6.arpa.":   "2001:db8:1000::/36",
		"arpa.":                         "",
		".":                             "",
		"xin-addr.arpa.":                "",
		"256.in-addr.arpa.":             "",
		"01.in-addr.arpa.":              "",
		"+1.in-addr.arpa.":              "",
		"5.1.2.0.192.in-addr.arpa.":     "",
		"0-31.2.0.192.in-addr.arpa.":    "",
		"10.ip6.arpa.":                  "",
		"g.ip6.arpa.":                   "",
		"2.0.192.in-addr.arpa.example.": "",
	} {
		n := dns.MustParseName(name)
		if got, ok := ReverseNetwork(n); ok != (want != "") || ok && got.String() != want {
			t.Errorf("%s: %v, %v, want %q", name, got, ok, want)
		}
	}
	for _, s := range []string{"192.0.2.1", "0.0.0.0", "2001:db8::567:89ab", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"} {
		addr := netip.MustParseAddr(s)
		name, _ := ReverseName(addr)
		if got, ok := ReverseNetwork(name); !ok || got != netip.PrefixFrom(addr, addr.BitLen()) {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
		below, err := name.Prepend("1")
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := ReverseNetwork(below); ok {
			t.Errorf("%s: %v", below, got)
		}
	}
}
