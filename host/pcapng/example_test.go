package pcapng_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"

	"github.com/network-utopia/utopia/host/pcapng"
)

// A capture with one question of the upper-case service and its answer. Written to a file, Wireshark opens it.
func Example() {
	var file bytes.Buffer
	w, err := pcapng.NewWriter(&file, pcapng.IPv4, pcapng.Options{Application: "example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	iface, err := w.Interface("h1")
	if err != nil {
		fmt.Println(err)
		return
	}
	client, server := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

	packet := pcapng.AppendUDP(nil, pcapng.IP{Src: client, Dst: server, TTL: 64}, pcapng.UDP{SrcPort: 40000, DstPort: 12000}, []byte("hello"))
	fmt.Println("out:", len(packet), "octets", w.Packet(iface, at, true, packet, "the question"))
	packet = pcapng.AppendUDP(packet[:0], pcapng.IP{Src: server, Dst: client, TTL: 64}, pcapng.UDP{SrcPort: 12000, DstPort: 40000}, []byte("HELLO"))
	fmt.Println("in:", len(packet), "octets", w.Packet(iface, at.Add(time.Millisecond), false, packet, ""))
	fmt.Println("capture:", file.Len(), "octets")
	// Output:
	// out: 33 octets <nil>
	// in: 33 octets <nil>
	// capture: 260 octets
}
