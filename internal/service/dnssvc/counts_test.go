package dnssvc

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsserver"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/transcript"
)

// countedOver gives what was counted over one transport, and of the zones, as text.
func countedOver(t control.Traffic, transport string) string {
	for _, one := range t.Transports {
		if one.Transport == transport {
			var zones []string
			for _, z := range t.Zones {
				zones = append(zones, fmt.Sprint(z.Zone, "=", z.Queries))
			}
			return fmt.Sprint(one.Codes, one.Types, one.Opcodes, " tc ", one.Truncated, " do ", one.DNSSEC, " ", strings.Join(zones, " "))
		}
	}
	return "no such transport"
}

func TestCounts(t *testing.T) {
	counts := &Counts{}
	opts := withFile(t, "")
	opts.Zones = []Zone{{Name: "other.test", File: writeFile(t, t.TempDir(), "other.zone", "$TTL 300\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n$GENERATE 1-99 big A 192.0.2.$\n")}}
	opts.Counts = counts
	s := started(t, opts)
	domain := fqdn(opts.Domain)
	for _, q := range []string{domain, "www." + domain, "no." + domain} {
		ask(t, s, "udp", q, mdns.TypeA)
	}
	ask(t, s, "udp", domain, mdns.TypeMX)
	ask(t, s, "udp", "example.org.", mdns.TypeAAAA)
	ask(t, s, "udp", "big.other.test.", mdns.TypeA)
	ask(t, s, "udp", domain, mdns.TypeNULL)
	ask(t, s, "udp", "1.0.0.127.in-addr.arpa.", mdns.TypePTR)
	ask(t, s, "tcp", "ns1.other.test.", mdns.TypeA)
	ask(t, s, "tcp", domain, mdns.TypeAXFR)
	deadline := time.Now().Add(5 * time.Second)
	want := "map[NOERROR:6 NXDOMAIN:1 REFUSED:1] map[A:4 AAAA:1 MX:1 PTR:1 other:1] map[] tc 1 do 0 =1 reverse=1 " + domain + "=6 other.test.=2"
	got := countedOver(counts.Traffic(), "udp")
	for got != want && time.Now().Before(deadline) { // what was answered is counted a moment later
		time.Sleep(time.Millisecond)
		got = countedOver(counts.Traffic(), "udp")
	}
	if got != want {
		t.Errorf("over UDP: %s\nwant %s", got, want)
	}
	if got, want := countedOver(counts.Traffic(), "tcp"), "map[NOERROR:1 REFUSED:1] map[A:1 AXFR:1] map[] tc 0 do 0 =1 reverse=1 "; !strings.HasPrefix(got, want) {
		t.Errorf("over TCP: %s\nwant %s", got, want)
	}
	next := opts // a reload counts on, and zones that are new are counted too
	next.Zones = append(next.Zones, Zone{Name: "third.test", File: opts.Zones[0].File})
	next.Before = s
	if !s.Replace(newService(t, next)) {
		t.Fatal("not replaced")
	}
	ask(t, s, "tcp", "ns1.third.test.", mdns.TypeA)
	if got := countedOver(counts.Traffic(), "tcp"); !strings.HasSuffix(got, "other.test.=2 third.test.=1") {
		t.Errorf("after a reload: %s", got)
	}
}

// What is limited is noted in the transcript, and counted as what it is: BADCOOKIE, and not YXRRSET.
func TestLimitedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed, counts := transcript.NewFeed(transcript.Lines, 1000), &Counts{}
		s := onInternet(t, func(o *Options) {
			o.Counts = counts
			o.Transcript = transcript.New(transcript.Options{Sinks: []transcript.Sink{feed}})
		})
		askUDP(t, s.victim, 40, question(t))
		askUDP(t, s.victim, 40, question(t, dns.Option{Code: dns.OptionCookie, Data: []byte("12345678")}))
		codes := counts.Traffic().Transports[dnsserver.UDP].Codes
		if n := s.limited.BadCookie.Load(); n == 0 || codes["BADCOOKIE"] != n || codes["YXRRSET"] != 0 {
			t.Errorf("counted %v; %d got BADCOOKIE", codes, n)
		}
		limited, silent := uint64(0), uint64(0)
		for len(feed.Events()) > 0 {
			if e := <-feed.Events(); e.Kind == transcript.Said && e.Entry.Fields["limited"] != "" {
				limited++
				if e.Entry.Fields["silent"] != "" {
					silent++
				}
			}
		}
		dropped := s.limited.Dropped.Load()
		if want := s.limited.Slipped.Load() + s.limited.BadCookie.Load() + dropped; dropped == 0 || limited != want || silent != dropped {
			t.Errorf("%d are told as limited, %d of them as not answered; want %d and %d", limited, silent, want, dropped)
		}
	})
}

func TestCountedZonesAreBounded(t *testing.T) {
	t.Parallel()
	var c Counts
	var names []dns.Name
	for i := range MaxCountedZones + 1 {
		names = append(names, dns.MustParseName(fmt.Sprint("z", i, ".")))
	}
	if n := len(c.number(names[:MaxCountedZones])); n != MaxCountedZones+int(firstNumber) {
		t.Errorf("%d counters at the limit", n)
	}
	if n := len(c.number(names)); n != MaxCountedZones+int(firstNumber) || c.numbers[names[MaxCountedZones]] != ofNone || c.numbers[names[0]] != firstNumber {
		t.Errorf("%d counters past the limit", n)
	}
	if (*Counts)(nil).numbersOf([]made{{name: names[0]}}) != nil {
		t.Error("nothing is counted, and yet zones have numbers")
	}
	if z := (&Counts{}).Traffic().Zones; len(z) != 2 || z[ofNone].Zone != "" || z[ofReverse].Zone != Reverse {
		t.Errorf("before there are zones: %v", z)
	}
}

// BenchmarkRespond is what the service does for a plain query, beside the server.
func BenchmarkRespond(b *testing.B) {
	for name, counts := range map[string]*Counts{"counting": {}, "not counting": nil} {
		b.Run(name, func(b *testing.B) {
			opts := options()
			opts.Counts = counts
			s, err := New(opts)
			if err != nil {
				b.Fatal(err)
			}
			wire, err := dns.NewQuery(1, dns.MustParseName("www."+fqdn(opts.Domain)), dns.TypeA).Append(nil, 0)
			if err != nil {
				b.Fatal(err)
			}
			from := dnsserver.Client{Remote: netip.MustParseAddrPort("192.0.2.1:1000"), MaxUDP: 1232, Time: time.Now()}
			h, room := inForce{s}, make([]byte, 0, 512)
			b.ReportAllocs()
			for b.Loop() {
				h.Respond(room, wire, from)
			}
		})
	}
}
