package ratelimit_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/network-utopia/utopia/dns/ratelimit"
)

func ExampleLimiter_Decide() {
	l, err := ratelimit.New(ratelimit.Options{Rate: 3}, [2]uint64{1, 2}) // a real seed is secret
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Unix(1_800_000_000, 0)
	for i := range 6 {
		client := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) // one network
		fmt.Print(l.Decide(now, client, ratelimit.Positive, l.Key("\x03www\x07example\x04test\x00")), " ")
	}
	// Output: send send send slip drop slip
}
