package dnsclient_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/dns/dnsserver"
	"github.com/network-utopia/utopia/dns/dnsserver/dnsservertest"
	"github.com/network-utopia/utopia/host"
)

// ownServer serves example.test with the server of this house.
func ownServer(t *testing.T) (address string) {
	t.Helper()
	file := "@ 60 SOA ns1 host 1 2 3 4 5\n@ 60 NS ns1\nns1 60 A 192.0.2.1\nwww 60 A 192.0.2.2\nalias 60 CNAME www\n"
	for i := range 100 {
		file += fmt.Sprintf("many 60 A 192.0.2.%d\n", i)
	}
	z := dnsservertest.Load(t, "example.test.", file)
	return dnsservertest.Serve(t, host.NewOS(host.OSOptions{}), "127.0.0.1:0", dnsserver.Options{Handler: dnsservertest.Zones(t, z)}).String()
}

func TestAgainstOwnServer(t *testing.T) {
	t.Parallel()
	server := ownServer(t)
	client := dnsclient.New(dnsclient.Options{Host: host.NewOS(host.OSOptions{}), Timeout: 10 * time.Second})
	for _, c := range []struct {
		name    string
		kind    dns.Type
		code    dns.Rcode
		answers int
		network string
	}{
		{"www.example.test.", dns.TypeA, dns.RcodeSuccess, 1, "udp"},
		{"ALIAS.example.TEST.", dns.TypeA, dns.RcodeSuccess, 2, "udp"},
		{"www.example.test.", dns.TypeMX, dns.RcodeSuccess, 0, "udp"},
		{"none.example.test.", dns.TypeA, dns.RcodeNXDomain, 0, "udp"},
		{"many.example.test.", dns.TypeA, dns.RcodeSuccess, 100, "tcp"},
		{"elsewhere.test.", dns.TypeA, dns.RcodeRefused, 0, "udp"},
	} {
		q := dns.NewQuery(0, dns.MustParseName(c.name), c.kind)
		q.EDNS = &dns.EDNS{}
		a, err := client.Exchange(t.Context(), server, q)
		if err != nil {
			t.Errorf("%s %s: %v", c.name, c.kind, err)
			continue
		}
		m := a.Message
		if m.Rcode != c.code || len(m.Answer) != c.answers || a.Network != c.network || a.Ignored != 0 || a.NoEDNS || m.EDNS == nil {
			t.Errorf("%s %s: %s over %s, %+v", c.name, c.kind, dns.Summary(m), a.Network, a)
		}
	}
	// What EDNS of another version gets is BADVERS, and no fallback.
	q := dns.NewQuery(0, dns.MustParseName("www.example.test."), dns.TypeA)
	q.EDNS = &dns.EDNS{Version: 1}
	if a, err := client.Exchange(t.Context(), server, q); err != nil || a.Message.Rcode != dns.RcodeBadVers || a.Tries != 1 {
		t.Errorf("EDNS version 1: %+v, %v", a, err)
	}
}
