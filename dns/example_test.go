package dns_test

import (
	"fmt"
	"time"

	"github.com/network-utopia/utopia/dns"
)

func ExampleParseName() {
	origin := dns.MustParseName("example.test.")
	n, err := dns.ParseName(`www\.old`, origin)
	fmt.Println(n, n.NumLabels(), n.IsSubdomainOf(origin), err)
	// Output: www\.old.example.test. 3 true <nil>
}

func ExampleMessage_Append() {
	q := dns.NewQuery(4711, dns.MustParseName("www.example.test."), dns.TypeA)
	wire, err := q.Append(nil, dns.MinUDPSize)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d octets: %q\n", len(wire), wire[dns.HeaderLen:])
	// Output: 34 octets: "\x03www\aexample\x04test\x00\x00\x01\x00\x01"
}

func ExampleParse() {
	_, err := dns.Parse([]byte("no message at all"))
	fmt.Println(err)
	// Output: dns: malformed message: question at octet 12: label of an unknown type
}

func ExampleSummary() {
	m := dns.NewQuery(7, dns.MustParseName("example.test."), dns.TypeMX).Reply(dns.RcodeSuccess)
	m.Answer = []dns.RR{dns.MXRR(m.Question[0].Name, 300, 10, dns.MustParseName("mail.example.test."))}
	fmt.Println(dns.Summary(m))
	// Output: answer 7 NOERROR 1/0/0 example.test. MX 10 mail.example.test.
}

func ExampleParseRR() {
	rr, err := dns.ParseRR("www A 192.0.2.1", dns.MustParseName("example.test."), 300)
	fmt.Println(rr.Name, rr.TTL, rr.Type, rr.DataString(), err)
	// Output: www.example.test. 300 A 192.0.2.1 <nil>
}

func ExampleSignTSIG() {
	key, err := dns.ParseTSIGKey("update.example.test:c2VjcmV0IG9mIHR3byBzaWRlcw==")
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Unix(1_800_000_000, 0)
	query, _ := dns.NewQuery(4711, dns.MustParseName("example.test."), dns.TypeSOA).Append(nil, 0)
	request, verifier, err := dns.SignTSIG(nil, query, key, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	// The server checks the request and signs its response.
	keys := func(dns.Name, dns.TSIGAlgorithm) (dns.TSIGKey, bool) { return key, true }
	signer, fault := dns.OpenTSIG(request, keys, now)
	if fault != nil {
		fmt.Println(fault)
		return
	}
	q, _ := dns.Parse(request)
	reply, _ := q.Reply(dns.RcodeSuccess).Append(nil, 0)
	response, _ := signer.Sign(nil, reply, now)
	fmt.Println(key, "right:", verifier.Verify(response, now))
	// Output: hmac-sha256:update.example.test. right: <nil>
}

func ExampleSignSet() {
	key, err := dns.GenerateKey(dns.MustParseName("example.test."), dns.ECDSAP256SHA256, dns.FlagZone|dns.FlagSEP)
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Unix(1_800_000_000, 0)
	www, _ := dns.ParseRR("*.example.test. 300 A 192.0.2.1", dns.Root, 0)
	sig, err := dns.SignSet(key, []dns.RR{www}, now, now.Add(time.Hour))
	if err != nil {
		fmt.Println(err)
		return
	}
	// A server has made the answer to a question from the wildcard.
	www.Name, sig.Name = dns.MustParseName("www.example.test."), dns.MustParseName("www.example.test.")
	verified, err := dns.VerifySet(sig, key.RR(300), []dns.RR{www}, now)
	fmt.Println(verified.Wildcard, verified.TTL, err)
	// Output: *.example.test. 300 <nil>
}

func ExampleNSEC3PARAM_Owner() {
	p := dns.NSEC3PARAM{Hash: dns.NSEC3SHA1} // no iterations, no salt: RFC 9276
	owner, err := p.Owner(dns.MustParseName("www.example.test."), dns.MustParseName("example.test."))
	fmt.Println(owner, err)
	// Output: v3n2r9chqlp7tdetolmmakfms81udcje.example.test. <nil>
}

func ExampleAppendData() {
	words := [][]byte{[]byte("10"), []byte("mail")}
	data, err := dns.AppendData(nil, dns.TypeMX, words, dns.MustParseName("example.test."))
	fmt.Printf("%q %v\n", data, err)
	_, err = dns.AppendData(nil, dns.TypeMX, words[1:], dns.Root)
	fmt.Println(err)
	// Output:
	// "\x00\n\x04mail\aexample\x04test\x00" <nil>
	// bad MX data: want preference exchange, not understood: "mail"
}

func ExampleRR_AppendDataText() {
	origin := dns.MustParseName("example.test.")
	rr := dns.MXRR(origin, 300, 10, dns.MustParseName("mail.example.test."))
	fmt.Printf("%s\n", rr.AppendDataText(nil, origin))
	fmt.Println(rr.DataString())
	// Output:
	// 10 mail
	// 10 mail.example.test.
}

func ExampleName_AppendRelative() {
	origin := dns.MustParseName("example.test.")
	for _, name := range []string{"example.test.", "www.example.test.", "example.org."} {
		fmt.Printf("%s ", dns.MustParseName(name).AppendRelative(nil, origin))
	}
	// Output: @ www example.org.
}

func ExampleAppendName() {
	name, err := dns.AppendName([]byte("> "), []byte("www"), dns.MustParseName("test."))
	fmt.Printf("%q %v\n", name, err)
	// Output: "> \x03www\x04test\x00" <nil>
}
