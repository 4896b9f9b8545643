package pcap_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"

	"github.com/network-utopia/utopia/transcript"
	"github.com/network-utopia/utopia/transcript/pcap"
)

// One request to an instance that listens at port 8080 becomes a capture in which Wireshark finds HTTP, as it stands at
// port 80 there.
func Example() {
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	request, response := []byte("GET / HTTP/1.0\r\n\r\n"), []byte("HTTP/1.0 204 No Content\r\n\r\n")
	record := transcript.Record{
		Head: transcript.Head{
			ID: 1, Service: "web", Network: "tcp", Start: at,
			Local: netip.MustParseAddrPort("192.0.2.1:8080"), Remote: netip.MustParseAddrPort("192.0.2.2:40000"),
		},
		Entries: []transcript.Entry{
			{Time: at, Dir: transcript.Received, Text: "GET / HTTP/1.0", Bytes: len(request), Raw: request},
			{Time: at, Dir: transcript.Sent, Text: "HTTP/1.0 204 No Content", Bytes: len(response), Raw: response},
		},
		End: at.Add(time.Millisecond),
	}
	var file bytes.Buffer // or an *os.File
	w, err := pcap.New(&file, pcap.Options{Ports: pcap.StandardPorts()})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := w.Records(record); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(w.Counts().Packets, "packets: three open the connection, and three close it")
	// Output: 8 packets: three open the connection, and three close it
}
