package dns_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/network-utopia/utopia/dns"
)

func ExampleCookies() {
	secret, err := dns.ParseCookieSecret("e5e973e5a6b2a43f48e7dc849e37bfcf")
	if err != nil {
		fmt.Println(err)
		return
	}
	cookies, err := dns.NewCookies(secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	client, now := netip.MustParseAddr("198.51.100.100"), time.Unix(1559731985, 0)
	first := []byte{0x24, 0x64, 0xc4, 0xab, 0xcf, 0x10, 0xc9, 0x57} // what the client made
	state := cookies.Check(first, client, now)
	whole := cookies.Append(nil, first, state, client, now)
	fmt.Printf("%x\n", whole)
	fmt.Println(cookies.Check(whole, client, now.Add(time.Minute)).Proves())
	// Output:
	// 2464c4abcf10c957010000005cf79f111f8130c3eee29480
	// true
}
