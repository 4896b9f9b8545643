package interop

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/host/emunet"
	"github.com/network-utopia/utopia/host/pcapng"
	"github.com/network-utopia/utopia/internal/app/apptest"
	"github.com/network-utopia/utopia/socket"
)

// emulatedDay runs an instance on an emulated internet on which packets are lost and overtaken, has visitors use all of
// its services over one family, and gives the captures: of the network, and of the server.
func emulatedDay(t *testing.T, link pcapng.LinkType) (whole, server []byte) {
	var everywhere, there bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		n := apptest.Net(t, 1)
		isp, host := n.Router("isp"), n.Host("server", "192.0.2.1", "2001:db8::1")
		visitor := n.Host("visitor")
		n.Link(host, isp, emunet.Rate(10*emunet.Mbit), emunet.Delay(10*time.Millisecond), emunet.Loss(0.03), emunet.Reorder(0.03, 5*time.Millisecond))
		n.Link(visitor, isp, emunet.Rate(2*emunet.Mbit), emunet.Delay(5*time.Millisecond))
		if link == pcapng.IPv4 {
			home := n.NAT("home", "203.0.113.7", emunet.NATBehavior{})
			n.Link(home.Outside(), isp)
			visitor = n.Host("behind")
			n.Link(visitor, home)
		}
		apptest.Start(t, host, apptest.Site{Domain: "a.test", Files: map[string]string{"www/index.html": strings.Repeat("a page\n", 30000)}})
		for w, at := range map[*bytes.Buffer][]emunet.Node{&everywhere: nil, &there: {host}} {
			if _, err := n.Capture(w, link, at...); err != nil {
				t.Fatal(err)
			}
		}
		address := host.Addrs()[0]
		if link == pcapng.IPv6 {
			address = host.Addrs()[1]
		}
		visit(t, visitor, address)
	})
	return everywhere.Bytes(), there.Bytes()
}

// visit uses the services at an address, and one that is not there.
func visit(t *testing.T, h *emunet.Host, address netip.Addr) {
	ctx := context.Background()
	name, err := dns.ParseName("www.a.test", dns.Root)
	if err != nil {
		t.Fatal(err)
	}
	client := dnsclient.New(dnsclient.Options{Host: h})
	if _, err := client.Exchange(ctx, netip.AddrPortFrom(address, 53).String(), dns.NewQuery(0, name, dns.TypeAAAA)); err != nil {
		t.Error(err)
	}
	page := apptest.Get(t, apptest.Browser(t, h), "http://"+netip.AddrPortFrom(address, 80).String()+"/", "www.a.test")
	if len(page) != 210000 {
		t.Errorf("the page has %d octets", len(page))
	}
	var out bytes.Buffer
	upper := netip.AddrPortFrom(address, 12000).String()
	if err := socket.Upper(ctx, h, "tcp", upper, strings.NewReader("hello\n"), &out, socket.ClientOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := h.Dial(ctx, "tcp", netip.AddrPortFrom(address, 81).String()); err == nil {
		t.Error("port 81 is open")
	}
	c, err := h.Dial(ctx, "udp", netip.AddrPortFrom(address, 9).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 { // one of them may be lost
		fmt.Fprint(c, "anybody?")
		time.Sleep(time.Second)
	}
}

// Captures of an emulated internet are what Wireshark and tcpdump expect of one: checksums are right, nothing is
// malformed, the protocols have their names, and streams are put together again.
func TestEmulatedCaptures(t *testing.T) {
	foreign(t, "tshark")
	foreign(t, "tcpdump")
	for name, link := range map[string]pcapng.LinkType{"IPv4": pcapng.IPv4, "IPv6": pcapng.IPv6} {
		whole, server := emulatedDay(t, link)
		for where, capture := range map[string][]byte{"network": whole, "server": server} {
			t.Run(name+" "+where, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "day.pcapng")
				if err := os.WriteFile(path, capture, 0o600); err != nil {
					t.Fatal(err)
				}
				if out := tcpdumpShort(t, path); strings.Count(out, "\n") < 200 {
					t.Errorf("tcpdump:\n%.500s", out)
				}
				sharkSees(t, path, name)
			})
		}
	}
}

// sharkSees checks what tshark makes of a capture.
func sharkSees(t *testing.T, path, family string) {
	t.Helper()
	read := func(args ...string) string {
		t.Helper()
		return tshark(t, path, args...)
	}
	if bad := read("-Y", `_ws.malformed || ip.checksum.status == "Bad" || tcp.checksum.status == "Bad" || udp.checksum.status == "Bad"`+
		` || icmp.checksum.status == "Bad" || icmpv6.checksum.status == "Bad" || _ws.expert.severity == "Error"`); bad != "" {
		t.Errorf("tshark complains about\n%.1000s", bad)
	}
	protocols := strings.Fields(read("-T", "fields", "-e", "_ws.col.Protocol"))
	icmp := map[string]string{"IPv4": "ICMP", "IPv6": "ICMPv6"}[family]
	for _, want := range []string{"DNS", "HTTP", "TCP", icmp} {
		if !slices.Contains(protocols, want) {
			t.Errorf("tshark names %v, and not %s", slices.Compact(slices.Sorted(slices.Values(protocols))), want)
		}
	}
	if got := strings.TrimSpace(read("-Y", "http.response", "-T", "fields", "-e", "http.content_length", "-e", "http.response.code")); got != "210000\t200" {
		t.Errorf("the answer is put together as %q", got)
	}
	if read("-Y", "tcp.analysis.retransmission") == "" {
		t.Error("tshark sees no segment that was sent again, and some were lost")
	}
	syn := read("-Y", "tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.port == 80 && tcp.options.sack_perm", "-T", "fields",
		"-e", "tcp.options.mss_val", "-e", "tcp.options.wscale.shift")
	if want := map[string]string{"IPv4": "1460\t7\n", "IPv6": "1440\t7\n"}[family]; !strings.HasPrefix(syn, want) {
		t.Errorf("the SYN's options are %q", syn)
	}
}
