package apptest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/host/emunet"
	"github.com/network-utopia/utopia/host/pcapng"
	"github.com/network-utopia/utopia/internal/app/apptest"
	"github.com/network-utopia/utopia/socket"
	"github.com/network-utopia/utopia/transcript"
)

const ms = time.Millisecond

// onNet runs a test on an emulated internet inside a bubble.
func onNet(t *testing.T, seed uint64, test func(t *testing.T, n *emunet.Net)) {
	synctest.Test(t, func(t *testing.T) { test(t, apptest.Net(t, seed)) })
}

// resolve asks a server, and whoever it refers to, from the root down: what a resolver does.
func resolve(t *testing.T, h host.Host, server netip.Addr, name dns.Name, kind dns.Type) *dns.Message {
	t.Helper()
	c := dnsclient.New(dnsclient.Options{Host: h})
	for range 10 {
		answer, err := c.Exchange(context.Background(), netip.AddrPortFrom(server, 53).String(), dns.NewQuery(0, name, kind))
		if err != nil {
			t.Fatal(err)
		}
		glue := firstAddress(answer.Message.Additional)
		if len(answer.Message.Answer) > 0 || !glue.IsValid() {
			return answer.Message
		}
		server = glue
	}
	t.Fatalf("%s is not found", name)
	return nil
}

// firstAddress gives that of the first A record.
func firstAddress(section []dns.RR) (a netip.Addr) {
	for _, r := range section {
		if a, ok := r.Addr(); ok && r.Type == dns.TypeA {
			return a
		}
	}
	return a
}

// lookUp looks the address of a name up.
func lookUp(t *testing.T, h host.Host, server netip.Addr, name string) netip.Addr {
	t.Helper()
	wanted, err := dns.ParseName(name, dns.Root)
	if err != nil {
		t.Fatal(err)
	}
	address := firstAddress(resolve(t, h, server, wanted, dns.TypeA).Answer)
	if !address.IsValid() {
		t.Fatalf("%s is not found", name)
	}
	return address
}

// Two domains, a root server, and a visitor who looks up a name from the root down and gets a page.
func TestTwoDomains(t *testing.T) {
	onNet(t, 1, func(t *testing.T, n *emunet.Net) {
		isp := n.Router("isp")
		root, a, b, visitor := n.Host("root", "198.41.0.4"), n.Host("a", "192.0.2.1"), n.Host("b", "192.0.2.2"), n.Host("visitor")
		for _, h := range []*emunet.Host{root, a, b, visitor} {
			n.Link(h, isp, emunet.Rate(100*emunet.Mbit), emunet.Delay(10*ms))
		}
		apptest.ServeZone(t, root, ".", `$TTL 1d
@ SOA a.root-servers.test. nobody.invalid. 1 1h 1h 1w 1h
@ NS a.root-servers.test.
a.root-servers.test. A 198.41.0.4
a.test. NS ns1.a.test.
ns1.a.test. A 192.0.2.1
b.test. NS ns1.b.test.
ns1.b.test. A 192.0.2.2
`)
		apptest.Start(t, a, apptest.Site{Domain: "a.test", Files: map[string]string{"www/index.html": "page of A"}})
		apptest.Start(t, b, apptest.Site{Domain: "b.test", Files: map[string]string{"www/index.html": "page of B"}})
		browser := apptest.Browser(t, visitor)
		for domain, page := range map[string]string{"a.test": "page of A", "b.test": "page of B"} {
			address := lookUp(t, visitor, root.Addr(), "www."+domain)
			if got := apptest.Get(t, browser, "http://"+address.String()+"/", "www."+domain); got != page {
				t.Errorf("www.%s at %v says %q", domain, address, got)
			}
		}
	})
}

// One GET with a DNS look-up: a round trip for the look-up, one for the handshake, one for the page, and what the octets
// take. Nothing else takes time.
func TestThreeRoundTrips(t *testing.T) {
	for _, rate := range []int64{0, 1 * emunet.Mbit, 10 * emunet.Mbit} {
		onNet(t, 1, func(t *testing.T, n *emunet.Net) {
			client, server := n.Host("client"), n.Host("server")
			link := n.Link(client, server, emunet.Delay(50*ms), emunet.Rate(rate))
			apptest.Start(t, server, apptest.Site{Domain: "a.test", Files: map[string]string{"www/index.html": "small page"}})
			browser := apptest.Browser(t, client)
			start := time.Now()
			address := lookUp(t, client, server.Addr(), "www.a.test")
			page := apptest.Get(t, browser, "http://"+address.String()+"/", "www.a.test")
			took := time.Since(start)
			there, back := link.Counts()
			if page != "small page" || there.Packets != 3 || back.Packets != 3 {
				t.Errorf("%q in %d packets there and %d back", page, there.Packets, back.Packets)
			}
			want := 300 * ms
			if rate > 0 {
				want += time.Duration(int64(there.Octets+back.Octets) * 8 * int64(time.Second) / rate)
			}
			t.Logf("at %d bit/s: %v; three round trips and what %d octets take: %v", rate, took, there.Octets+back.Octets, want)
			if off := (took - want).Abs(); off > time.Microsecond {
				t.Errorf("at %d bit/s it took %v; three round trips and %d octets are %v", rate, took, there.Octets+back.Octets, want)
			}
		})
	}
}

// HTTPS costs one round trip more (RFC 8446 section 2), and certificates live in the bubble's time.
func TestFourRoundTrips(t *testing.T) {
	onNet(t, 1, func(t *testing.T, n *emunet.Net) {
		client, server := n.Host("client"), n.Host("server")
		n.Link(client, server, emunet.Delay(50*ms))
		a := apptest.Start(t, server, apptest.Site{Domain: "a.test", Files: map[string]string{"www/index.html": "small page"}})
		root, err := a.RootCertificate(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(root.PEM))
		browser := apptest.Browser(t, client)
		browser.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: "www.a.test", MinVersion: tls.VersionTLS13}
		start := time.Now()
		address := lookUp(t, client, server.Addr(), "www.a.test")
		page := apptest.Get(t, browser, "https://"+address.String()+"/", "www.a.test")
		if took := time.Since(start); page != "small page" || (took-400*ms).Abs() > time.Microsecond {
			t.Errorf("%q after %v", page, took)
		}
		time.Sleep(time.Hour)
		if got := apptest.Get(t, browser, "https://"+address.String()+"/", "www.a.test"); got != "small page" {
			t.Errorf("an hour later: %q", got)
		}
	})
}

// The upper-case service of an instance, over both transports; TCP mends losses, UDP does not.
func TestUpper(t *testing.T) {
	onNet(t, 1, func(t *testing.T, n *emunet.Net) {
		client, server, r := n.Host("client"), n.Host("server"), n.Router("r")
		n.Link(client, r, emunet.Delay(20*ms), emunet.Rate(1*emunet.Mbit))
		link := n.Link(server, r, emunet.Delay(30*ms), emunet.Loss(0.1))
		apptest.Start(t, server, apptest.Site{Domain: "a.test"})
		lines := strings.Repeat("hello, world\n", 50)
		upper := func(network string) (string, error) {
			var out bytes.Buffer
			err := socket.Upper(context.Background(), client, network, netip.AddrPortFrom(server.Addr(), 12000).String(),
				strings.NewReader(lines), &out, socket.ClientOptions{})
			return out.String(), err
		}
		whole := func(network string) {
			t.Helper()
			if got, err := upper(network); err != nil || got != strings.ToUpper(lines) {
				t.Errorf("%s: %d octets, %v", network, len(got), err)
			}
		}
		whole("tcp")
		if there, back := link.Counts(); there.Lost == 0 || back.Lost == 0 {
			t.Errorf("nothing was lost: %+v, %+v", there, back)
		}
		if _, err := upper("udp"); !errors.Is(err, socket.ErrNoAnswer) {
			t.Errorf("udp with losses: %v", err)
		}
		link.Set(emunet.Loss(0))
		whole("udp")
	})
}

// run is a while of an instance whose site is in a folder: what it says of itself in its transcripts, and the capture.
func run(t *testing.T, seed uint64, www string) string {
	var captured bytes.Buffer
	var seen, told strings.Builder
	cryptotest.SetGlobalRandom(t, seed)
	onNet(t, seed, func(t *testing.T, n *emunet.Net) {
		client, server, r := n.Host("client"), n.Host("server"), n.Router("r")
		n.Link(client, r, emunet.Delay(20*ms), emunet.Rate(1*emunet.Mbit), emunet.Jitter(5*ms))
		n.Link(server, r, emunet.Delay(30*ms), emunet.Loss(0.05))
		a := apptest.Start(t, server, apptest.Site{
			Domain: "a.test", Settings: fmt.Sprintf("[web]\nroot = %q", www),
		})
		capture, err := n.Capture(&captured, pcapng.IPv4)
		if err != nil {
			t.Fatal(err)
		}
		defer capture.Close()
		defer a.Follow(transcript.NewJSONLines(&seen, nil))()
		browser, start := apptest.Browser(t, client), time.Now()
		for range 3 {
			address := lookUp(t, client, server.Addr(), "www.a.test")
			apptest.Get(t, browser, "http://"+address.String()+"/", "www.a.test")
			err := socket.Upper(context.Background(), client, "udp", netip.AddrPortFrom(address, 12000).String(),
				strings.NewReader("one\ntwo\n"), &told, socket.ClientOptions{})
			fmt.Fprintln(&told, err, time.Since(start)) // a datagram may be lost
			time.Sleep(time.Second)
		}
		if capture.Packets() == 0 || seen.Len() == 0 {
			t.Error("nothing was captured, or followed")
		}
	})
	return fmt.Sprintf("%x", sha256.Sum256(append(captured.Bytes(), seen.String()+told.String()...)))
}

// A whole instance gives the same transcripts and the same captures for the same seed.
func TestTheSameDay(t *testing.T) {
	www := t.TempDir() // one for all: an entity tag tells files apart by what the disk says of them
	if err := os.WriteFile(filepath.Join(www, "index.html"), []byte("page"), 0o600); err != nil {
		t.Fatal(err)
	}
	first := run(t, 1, www)
	for i := range 99 {
		if again := run(t, 1, www); again != first {
			t.Fatalf("run %d differs", i+2)
		}
	}
	if run(t, 2, www) == first {
		t.Error("another seed gives the same run")
	}
}

// The name of an address, from the root down: whoever gave the addresses delegates two of them, one by IPv6. A third,
// which the domain also has, nobody delegates.
func TestNamesOfAddresses(t *testing.T) {
	onNet(t, 1, func(t *testing.T, n *emunet.Net) {
		isp := n.Router("isp")
		root, server, visitor := n.Host("root", "198.41.0.4"), n.Host("server", "198.18.0.1", "2001:2::1", "10.99.0.1"), n.Host("visitor")
		for _, h := range []*emunet.Host{root, server, visitor} {
			n.Link(h, isp, emunet.Delay(10*ms))
		}
		reverse := map[string]dns.Name{}
		for _, a := range []string{"198.18.0.1", "2001:2::1", "10.99.0.1"} {
			reverse[a], _ = dnsclient.ReverseName(netip.MustParseAddr(a))
		}
		apptest.ServeZone(t, root, ".", "$TTL 1d\n@ SOA a.root-servers.test. nobody.invalid. 1 1h 1h 1w 1h\n@ NS a.root-servers.test.\n"+
			"a.root-servers.test. A 198.41.0.4\na.test. NS ns1.a.test.\nns1.a.test. A 198.18.0.1\n"+
			reverse["198.18.0.1"].String()+" NS ns1.a.test.\n"+reverse["2001:2::1"].String()+" NS ns1.a.test.\n")
		apptest.Start(t, server, apptest.Site{Domain: "a.test", Settings: "dns.reverse = true"})
		for a, name := range reverse {
			m := resolve(t, visitor, root.Addr(), name, dns.TypePTR)
			if a == "10.99.0.1" {
				if m.Rcode != dns.RcodeNXDomain {
					t.Errorf("%s, which nobody delegates: %s", a, dns.Summary(m))
				}
				m = resolve(t, visitor, server.Addr(), name, dns.TypePTR) // whose own resolver is told of the server
			}
			if !m.Authoritative || len(m.Answer) != 1 || m.Answer[0].DataString() != "a.test." {
				t.Errorf("%s: %s", a, dns.Summary(m))
			}
		}
	})
}
