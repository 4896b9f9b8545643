package zone_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

const file = `$TTL 1h
@    SOA ns1 hostmaster 1 1d 2h 4w 5m
@    NS  ns1
ns1  A   192.0.2.1
*    TXT "whatever you ask"
`

func ExampleLoad() {
	opts := zone.ReadOptions{Origin: dns.MustParseName("example.test."), File: "example.db"}
	z, warnings, err := zone.Load(strings.NewReader(file), opts)
	if err != nil {
		fmt.Println(err)
		return
	}
	m := z.Lookup(dns.MustParseName("anything.example.test."))
	fmt.Println(z.Apex(), z.Len(), m.Kind, len(warnings))
	// Output: example.test. 4 wildcard 0
}

func ExampleRead() {
	_, err := zone.Read(strings.NewReader("www A 192.0.2\n"), zone.ReadOptions{File: "example.db"})
	fmt.Println(err)
	// Output: example.db:1:7: bad A data: not understood: "192.0.2" (in: www A 192.0.2)
}

func ExampleBuilder() {
	apex := dns.MustParseName("example.test.")
	b := zone.NewBuilder(apex)
	for _, text := range []string{"@ SOA ns1 host 1 2 3 4 5", "@ NS ns1", "www CNAME web", "www A 192.0.2.1"} {
		rr, err := dns.ParseRR(text, apex, 300)
		if err != nil {
			fmt.Println(err)
			return
		}
		b.Add(zone.Record{RR: rr})
	}
	_, warnings, err := b.Build()
	fmt.Println(err)
	fmt.Println(warnings)
	// Output:
	// www.example.test. owns a CNAME and other data (A) (in: www.example.test. CNAME web.example.test.)
	// warning: ns1.example.test. has no address (in: example.test. NS ns1.example.test.)
}

func ExampleSet_Find() {
	var zones []*zone.Zone
	for _, apex := range []string{"test.", "example.test."} {
		z, _, err := zone.Load(strings.NewReader(file), zone.ReadOptions{Origin: dns.MustParseName(apex)})
		if err != nil {
			fmt.Println(err)
			return
		}
		zones = append(zones, z)
	}
	set, err := zone.NewSet(zones...)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(set.Find(dns.MustParseName("www.example.test.")).Apex())
	fmt.Println(set.Find(dns.MustParseName("other.test.")).Apex())
	// Output:
	// example.test.
	// test.
}

func ExampleSign() {
	apex := dns.MustParseName("example.test.")
	z, _, err := zone.Load(strings.NewReader(file), zone.ReadOptions{Origin: apex})
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := dns.GenerateKey(apex, dns.ECDSAP256SHA256, dns.FlagZone|dns.FlagSEP)
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Unix(1_800_000_000, 0)
	signed, err := zone.Sign(z, zone.Signed{}, []*dns.SigningKey{key}, zone.SignPolicy{}, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("signatures:", signed.Made)
	// A later version costs what differs: here the SOA, and its signature.
	next, err := zone.Sign(z.WithSerial(z.SOA().Serial+1), signed, []*dns.SigningKey{key}, zone.SignPolicy{}, now)
	fmt.Println("made:", next.Made, err)
	// When the first is due the zone gets new ones, and then a later serial.
	renewed, err := zone.Renew(next, []*dns.SigningKey{key}, zone.SignPolicy{}, next.Next, zone.DefaultRenewals)
	fmt.Println("renewed some:", renewed.Made > 0, "all by then:", renewed.Next.After(next.Next), err)
	// Output:
	// signatures: 8
	// made: 1 <nil>
	// renewed some: true all by then: true <nil>
}

func ExampleUpdate() {
	apex := dns.MustParseName("example.test.")
	z, _, err := zone.Load(strings.NewReader(file), zone.ReadOptions{Origin: apex})
	if err != nil {
		fmt.Println(err)
		return
	}
	www := dns.MustParseName("www.example.test.")
	m := dns.NewQuery(1, apex, dns.TypeSOA)
	m.Opcode = dns.OpcodeUpdate
	m.Answer = []dns.RR{{Name: www, Type: dns.TypeANY, Class: dns.ClassNONE}} // only if the name is free
	m.Authority = []dns.RR{dns.NameRR(www, 300, dns.TypeCNAME, dns.MustParseName("ns1.example.test."))}
	allow := zone.Grants{{Name: apex, Below: true}}
	next, d, err := zone.Update(z, m, zone.UpdateOptions{Allow: allow.Allow})
	fmt.Println(next.SOA().Serial, d.Added[1].Name, err)
	_, _, err = zone.Update(next, m, zone.UpdateOptions{Allow: allow.Allow})
	fmt.Println(err)
	// Output:
	// 2 www.example.test. <nil>
	// update: YXDOMAIN: the name is in use (in: www.example.test.	0	NONE	ANY	\# 0)
}

func ExampleReadEach() {
	counts := map[dns.Type]int{}
	err := zone.ReadEach(strings.NewReader(file), zone.ReadOptions{}, func(r zone.Record) error {
		counts[r.Type]++
		return nil
	})
	fmt.Println(counts[dns.TypeSOA], counts[dns.TypeNS], err)
	// Output: 1 1 <nil>
}

func ExampleWrite() {
	z, _, err := zone.Load(strings.NewReader(file), zone.ReadOptions{Origin: dns.MustParseName("example.test.")})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := zone.Write(os.Stdout, z); err != nil {
		fmt.Println(err)
	}
	// Output:
	// $ORIGIN example.test.
	// $TTL 3600 ; 1h
	// @   IN SOA ns1 hostmaster (
	//            1          ; serial
	//            86400      ; refresh: 1d
	//            7200       ; retry: 2h
	//            2419200    ; expire: 4w
	//            300 )      ; negative answers: 5m
	//     IN NS  ns1
	// *   IN TXT "whatever you ask"
	// ns1 IN A   192.0.2.1
}
