package dnsclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/host"
)

func ExampleClient_Exchange() {
	h := host.NewOS(host.OSOptions{})
	silent, err := h.ListenPacket(context.Background(), "udp", "127.0.0.1:0") // a server that never answers
	if err != nil {
		fmt.Println(err)
		return
	}
	defer silent.Close()

	c := dnsclient.New(dnsclient.Options{Host: h, Timeout: 10 * time.Millisecond, Tries: 2})
	q := dns.NewQuery(0, dns.MustParseName("www.example.test."), dns.TypeA)
	q.RecursionDesired = true
	q.EDNS = &dns.EDNS{} // with EDNS, of the client's own size

	answer, err := c.Exchange(context.Background(), silent.LocalAddr().String(), q)
	var failed *dnsclient.Error
	switch {
	case errors.Is(err, dnsclient.ErrTimeout) && errors.As(err, &failed):
		fmt.Println("no answer to", failed.Tries, "questions")
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println(answer.Message.Rcode, answer.Message.Answer)
	}
	// Output: no answer to 2 questions
}

func ExampleReverseName() {
	name, _ := dnsclient.ReverseName(netip.MustParseAddr("192.0.2.1"))
	fmt.Println(name)
	// Output: 1.2.0.192.in-addr.arpa.
}
