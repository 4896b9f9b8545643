package dnsclient

import (
	"net/netip"
	"testing"

	mdns "github.com/miekg/dns"
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
