package querylog_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/querylog"
	"github.com/network-utopia/utopia/transcript"
)

func Example() {
	query := dns.NewQuery(1, dns.MustParseName("www.example.test."), dns.TypeAAAA)
	asked, err := query.Append(nil, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	told, err := query.Reply(dns.RcodeNXDomain).Append(nil, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	line, fields := querylog.Describe(asked)
	fmt.Println(line)
	_, toldFields := querylog.Describe(told)
	at := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	filter, err := querylog.NewFilter(querylog.Spec{Name: "example.test", Code: "NXDOMAIN,SERVFAIL"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, q := range querylog.Queries(transcript.Record{
		Head: transcript.Head{ID: 1, Service: "dns", Network: "udp", Remote: netip.MustParseAddrPort("192.0.2.7:5000"), Start: at},
		End:  at.Add(time.Millisecond),
		Entries: []transcript.Entry{
			{Time: at, Dir: transcript.Received, Bytes: len(asked), Text: line, Fields: fields},
			{Time: at.Add(85 * time.Microsecond), Dir: transcript.Sent, Bytes: len(told), Fields: toldFields},
		},
	}) {
		if filter.Wants(q) {
			fmt.Println(q.Question(), q.Outcome(), q.Result())
		}
	}
	// Output:
	// query 1 www.example.test. IN AAAA
	// 192.0.2.7:5000 udp www.example.test. AAAA - NXDOMAIN 0/0/0 34B 85µs -
}
