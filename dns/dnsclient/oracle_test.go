package dnsclient_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/dns/dnsserver/dnsservertest"
	"github.com/network-utopia/utopia/host"
)

// oracle serves a name with as many addresses as its first label says, with
// a server that shares no code with this package. It cuts answers to the size
// that the client announced, as servers do.
func oracle(t *testing.T) (address string) {
	t.Helper()
	answer := mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) {
		m := new(mdns.Msg).SetReply(q)
		m.Compress = true
		var count int
		fmt.Sscanf(q.Question[0].Name, "n%d.", &count)
		for i := range count {
			rr, err := mdns.NewRR(fmt.Sprintf("%s 60 IN A 192.0.2.%d", q.Question[0].Name, i%250))
			if err != nil {
				t.Error(err)
				return
			}
			m.Answer = append(m.Answer, rr)
		}
		size := mdns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			m.SetEdns0(1400, opt.Do())
			size = int(opt.UDPSize())
		}
		if _, stream := w.RemoteAddr().(*net.TCPAddr); stream {
			size = mdns.MaxMsgSize
		}
		m.Truncate(size)
		if err := w.WriteMsg(m); err != nil {
			t.Error(err)
		}
	})
	l, pc := dnsservertest.Open(t, host.NewOS(host.OSOptions{}), "127.0.0.1:0")
	for _, s := range []*mdns.Server{{Listener: l, Handler: answer}, {PacketConn: pc, Handler: answer}} {
		started, ended := make(chan struct{}), make(chan error, 1)
		s.NotifyStartedFunc = func() { close(started) }
		go func() { ended <- s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() {
			if err := s.Shutdown(); err != nil {
				t.Error(err)
			}
			<-ended
		})
	}
	return l.Addr().String()
}

func TestAgainstAnotherServer(t *testing.T) {
	t.Parallel()
	server := oracle(t)
	for _, c := range []struct {
		records int
		edns    *dns.EDNS
		tcp     bool
		network string
	}{
		{1, &dns.EDNS{}, false, "udp"},
		{70, &dns.EDNS{}, false, "udp"}, // 1,160 octets
		{80, &dns.EDNS{}, false, "tcp"}, // more than 1,232
		{80, &dns.EDNS{UDPSize: 4096}, false, "udp"},
		{30, nil, false, "udp"},           // 506 octets
		{31, nil, false, "tcp"},           // 522
		{4000, &dns.EDNS{}, false, "tcp"}, // just under 65,535
		{1, nil, true, "tcp"},
	} {
		client := dnsclient.New(dnsclient.Options{Host: host.NewOS(host.OSOptions{}), Timeout: 10 * time.Second, TCP: c.tcp})
		q := dns.NewQuery(0, dns.MustParseName(fmt.Sprintf("n%d.test.", c.records)), dns.TypeA)
		q.EDNS = c.edns
		a, err := client.Exchange(t.Context(), server, q)
		if err != nil {
			t.Errorf("%d records: %v", c.records, err)
			continue
		}
		if len(a.Message.Answer) != c.records || a.Network != c.network || (a.Message.EDNS != nil) != (c.edns != nil) {
			t.Errorf("%d records: got %d over %s, EDNS %v", c.records, len(a.Message.Answer), a.Network, a.Message.EDNS)
		}
		if a.Truncated != (c.network == "tcp" && !c.tcp) {
			t.Errorf("%d records: Truncated is %v", c.records, a.Truncated)
		}
		for i, rr := range a.Message.Answer {
			if want := fmt.Sprintf("192.0.2.%d", i%250); !strings.HasSuffix(rr.String(), want) {
				t.Errorf("record %d is %s", i, rr)
			}
		}
	}
}
