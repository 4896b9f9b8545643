package emunet_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/network-utopia/utopia/host/emunet"
)

// Two hosts, a router between them, and a dialogue. Inside a bubble of testing/synctest it would cost no time.
func Example() {
	net := emunet.New(1)
	defer net.Close()
	alice, bob := net.Host("alice"), net.Host("bob", "192.0.2.7")
	router := net.Router("router")
	net.Link(alice, router, emunet.Rate(10*emunet.Mbit), emunet.Delay(2*time.Millisecond))
	net.Link(router, bob, emunet.Rate(100*emunet.Mbit), emunet.Delay(3*time.Millisecond))

	ctx := context.Background()
	l, err := bob.Listen(ctx, "tcp", ":7")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(c, "hello, alice")
	}()
	c, err := alice.Dial(ctx, "tcp", "192.0.2.7:7")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	_, _ = io.Copy(os.Stdout, c)
	// Output: hello, alice
}

// A link of which the way up is slower than the way down, and that loses one packet in a hundred.
func ExampleNet_Link() {
	net := emunet.New(1)
	defer net.Close()
	home, provider := net.Host("home"), net.Router("provider")
	line := net.Link(home, provider,
		emunet.Rate(2*emunet.Mbit), emunet.Delay(10*time.Millisecond), emunet.Queue(64<<10), emunet.Loss(0.01),
		emunet.Back(emunet.Rate(20*emunet.Mbit)))

	line.Cut() // and while nothing passes:
	_, err := home.Dial(context.Background(), "udp", "192.0.2.1:53")
	fmt.Println(err)
	line.Heal()
	// Output: <nil>
}

// Behind an address translator: from inside everything can be reached, from outside what is forwarded alone.
func ExampleNet_NAT() {
	net := emunet.New(1)
	defer net.Close()
	alice, isp := net.Host("alice", "192.168.0.2"), net.Router("isp")
	home := net.NAT("home", "203.0.113.7", emunet.NATBehavior{})
	net.Link(alice, home)
	net.Link(home.Outside(), isp, emunet.Delay(5*time.Millisecond))
	bob := net.Host("bob", "198.51.100.1")
	net.Link(bob, isp)

	l, err := bob.Listen(context.Background(), "tcp", ":80")
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := alice.Dial(context.Background(), "tcp", "198.51.100.1:80")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	seen, err := l.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.LocalAddr().String()[:11], "is seen as", seen.RemoteAddr().String()[:11])
	// Output: 192.168.0.2 is seen as 203.0.113.7
}
