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

func ExampleReverseNetwork() {
	network, _ := dnsclient.ReverseNetwork(dns.MustParseName("2.0.192.in-addr.arpa."))
	fmt.Println(network)
	// Output: 192.0.2.0/24
}

// A zone, record by record. What came before an error is of no use.
func ExampleClient_Transfer() {
	c := dnsclient.New(dnsclient.Options{Host: host.NewOS(host.OSOptions{}), Tries: 1})
	x := c.Transfer("127.0.0.1:1", dnsclient.NewAXFR(dns.MustParseName("example.test.")))
	var zone []dns.RR
	for rr, err := range x.Records(context.Background()) {
		if err != nil {
			fmt.Println("no zone:", errors.Is(err, dnsclient.ErrUnreachable))
			return
		}
		if rr.Change == dnsclient.Present {
			zone = append(zone, rr.RR)
		}
	}
	fmt.Println(x.Kind(), x.Serial(), len(zone))
	// Output: no zone: true
}

// Who is asked on the way from the root to a name.
func ExampleClient_Trace() {
	c := dnsclient.New(dnsclient.Options{Host: host.NewOS(host.OSOptions{}), Tries: 1})
	q := dns.NewQuery(0, dns.MustParseName("www.example.test."), dns.TypeA)
	for step, err := range c.Trace(context.Background(), q, dnsclient.TraceOptions{Start: []string{"127.0.0.1:1"}}) {
		switch {
		case err != nil:
			fmt.Println(err)
		case step.Err != nil:
			fmt.Println(step.Server, "is of no use")
		case step.Next != "":
			fmt.Println(step.Server, "refers to", step.Next)
		default:
			fmt.Println(step.Server, "answers", step.Answer.Message.Rcode)
		}
	}
	// Output:
	// 127.0.0.1:1 is of no use
	// trace: the root: no server of the zone was of use
}

// Many questions over one connection.
func ExampleClient_Connect() {
	c := dnsclient.New(dnsclient.Options{Host: host.NewOS(host.OSOptions{}), TCP: true, Tries: 1})
	conn := c.Connect("127.0.0.1:1")
	defer conn.Close()
	for _, name := range []string{"www.example.test.", "mail.example.test."} {
		_, err := conn.Exchange(context.Background(), dns.NewQuery(0, dns.MustParseName(name), dns.TypeA))
		fmt.Println(errors.Is(err, dnsclient.ErrUnreachable))
	}
	// Output:
	// true
	// true
}

func ExampleRootHints() {
	first := dnsclient.RootHints()[0]
	fmt.Println(first.Name, first.Addrs[0])
	// Output: A.ROOT-SERVERS.NET. 198.41.0.4
}
