package authority_test

import (
	"fmt"
	"strings"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/authority"
	"github.com/network-utopia/utopia/dns/zone"
)

func ExampleAnswer() {
	const file = "@ 60 SOA ns1 host 1 2 3 4 5\n@ 60 NS ns1\nns1 60 A 192.0.2.1\nwww 60 CNAME ns1\n"
	z, _, err := zone.Load(strings.NewReader(file), zone.ReadOptions{Origin: dns.MustParseName("example.test.")})
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := zone.NewSet(z)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"www.example.test.", "no.example.test.", "example.com."} {
		q := dns.NewQuery(4711, dns.MustParseName(name), dns.TypeA)
		fmt.Println(dns.Summary(authority.Answer(set, q)))
	}
	// Output:
	// answer 4711 NOERROR aa 2/0/0 www.example.test. CNAME ns1.example.test., ns1.example.test. A 192.0.2.1
	// answer 4711 NXDOMAIN aa 0/1/0 no.example.test. IN A
	// answer 4711 REFUSED 0/0/0 example.com. IN A
}

func ExampleTransfer() {
	apex := dns.MustParseName("example.test.")
	text := "@ 300 SOA ns1 hostmaster 1 7200 900 1209600 60\n@ 300 NS ns1\nns1 300 A 192.0.2.1\n"
	z, _, err := zone.Load(strings.NewReader(text), zone.ReadOptions{Origin: apex})
	if err != nil {
		fmt.Println(err)
		return
	}
	t, code := authority.NewTransfer(z, zone.History{}, dns.NewQuery(1, apex, dns.TypeAXFR), authority.TransferOptions{})
	if code != dns.RcodeSuccess {
		fmt.Println(code)
		return
	}
	for wire, err := range t.Messages() {
		m, parseErr := dns.Parse(wire)
		fmt.Println(t.Kind, len(m.Answer), m.Answer[0].Type, m.Answer[3].Type, err, parseErr)
	}
	// Output: full 4 SOA SOA <nil> <nil>
}
