package dnsserver_test

import (
	"context"
	"fmt"
	"strings"

	mdns "github.com/miekg/dns"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/authority"
	"github.com/network-utopia/utopia/dns/dnsserver"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/host"
)

func Example() {
	const file = "@ 60 SOA ns1 host 1 2 3 4 5\n@ 60 NS ns1\nns1 60 A 192.0.2.1\n"
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
	server, err := dnsserver.New(dnsserver.Options{
		Handler: dnsserver.HandlerFunc(func(dst, query []byte, from dnsserver.Client) []byte {
			return authority.Respond(set, dst, query, from.MaxUDP)
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	pc, err := host.NewOS(host.OSOptions{}).ListenPacket(context.Background(), "udp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ended := make(chan error)
	go func() { ended <- server.ServePacket(pc) }()

	q := new(mdns.Msg).SetQuestion("ns1.example.test.", mdns.TypeA)
	a, _, err := new(mdns.Client).Exchange(q, pc.LocalAddr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Answer[0].(*mdns.A).A)
	fmt.Println(server.Shutdown(context.Background()), <-ended)
	// Output:
	// 192.0.2.1
	// <nil> dnsserver: server closed
}
