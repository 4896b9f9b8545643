package dnsservertest_test

import (
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/dns/dnsserver"
	"github.com/network-utopia/utopia/dns/dnsserver/dnsservertest"
	"github.com/network-utopia/utopia/host"
)

// A test of a client has a server to ask.
func Example() {
	_ = func(t *testing.T) {
		h := host.NewOS(host.OSOptions{})
		z := dnsservertest.Load(t, "example.test.", "@ 60 SOA ns1 host 1 2 3 4 5\n@ 60 NS ns1\nns1 60 A 192.0.2.53\n")
		at := dnsservertest.Serve(t, h, "127.0.0.1:0", dnsserver.Options{Handler: dnsservertest.Zones(t, z)})
		client := dnsclient.New(dnsclient.Options{Host: h})
		a, err := client.Exchange(t.Context(), at.String(), dns.NewQuery(0, dns.MustParseName("ns1.example.test."), dns.TypeA))
		if err != nil || len(a.Message.Answer) != 1 {
			t.Error(a, err)
		}
	}
}
