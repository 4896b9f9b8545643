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
