package dnssvc

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

var (
	hostApex = dns.MustParseName("a.test.")
	public4  = netip.MustParseAddr("198.18.0.1") // for measurements (RFC 2544): nobody's, and yet not local here
	public6  = netip.MustParseAddr("2001:2::1")  // RFC 5180
)

func zoneOfLines(t testing.TB, lines string) *zone.Zone {
	t.Helper()
	z, _, err := zone.Load(strings.NewReader("$TTL 60\n@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\n"+lines), zone.ReadOptions{Origin: hostApex})
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// list gives the names of each address in short.
func (h hosts) list() string {
	var lines []string
	for a, names := range *h.byAddr {
		for _, n := range names {
			lines = append(lines, fmt.Sprintf("%s %s %d", a, n.name, n.ttl))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestIsLocal(t *testing.T) {
	t.Parallel()
	for network, want := range map[string]bool{
		"9.255.255.255/32": false, "10.0.0.0/8": true, "10.255.255.255/32": true, "11.0.0.0/32": false, "0.0.0.0/0": false, "8.0.0.0/7": false,
		"172.15.255.255/32": false, "172.16.0.0/12": true, "172.31.255.255/32": true, "172.32.0.0/32": false, "172.0.0.0/8": false,
		"192.167.255.255/32": false, "192.168.0.0/16": true, "192.168.255.255/32": true, "192.169.0.0/32": false,
		"100.63.255.255/32": false, "100.64.0.0/10": true, "100.127.255.255/32": true, "100.128.0.0/32": false,
		"127.0.0.1/32": true, "169.254.1.1/32": true, "192.0.2.1/32": true, "198.51.100.1/32": true, "203.0.113.1/32": true, "192.0.3.0/32": false,
		"::1/128": true, "::2/128": false, "::/0": false, "fc00::/7": true, "fd00::/8": true, "fdff::1/128": true, "fe00::/128": false,
		"fe80::1/128": true, "febf::1/128": true, "fec0::1/128": false, "2001:db8::/32": true, "2001:db9::/128": false, "3fff::1/128": true, "4000::/128": false,
		"198.18.0.1/32": false, "2001:2::1/128": false,
	} {
		if got := IsLocal(netip.MustParsePrefix(network)); got != want {
			t.Errorf("%s: %v", network, got)
		}
	}
	for address, want := range map[string]bool{
		"198.18.0.1": true, "2001:2::1": true, "10.0.0.1": false, "::1": false, "224.0.0.1": false, "ff02::1": false, "0.0.0.0": false,
		"255.255.255.255": false, "::ffff:198.18.0.1": false,
	} {
		if got := isPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is public: %v", address, got)
		}
	}
}

// TestHosts: which records of a zone name a host.
func TestHosts(t *testing.T) {
	t.Parallel()
	z := zoneOfLines(t, `@ A 10.0.0.1
Nas 300 A 10.0.0.2
nas AAAA fd00::2
nas A 198.18.0.1
nas A 198.18.0.2
six AAAA 2001:2::1
*.dev A 10.0.0.3
_x A 10.0.0.4
a_b A 10.0.0.4
-a A 10.0.0.4
a- A 10.0.0.4
x\.y A 10.0.0.4
m\195\188ll A 10.0.0.4
a-1.2 A 10.0.0.5
alias CNAME nas
mapped AAAA ::ffff:10.0.0.6
`)
	const local = "10.0.0.1 a.test. 60\n10.0.0.2 nas.a.test. 60\n10.0.0.5 a-1.2.a.test. 60\n"
	for _, tt := range []struct {
		public []netip.Addr
		want   string
	}{
		{nil, local + "fd00::2 nas.a.test. 60"},
		{[]netip.Addr{public4, public6}, local + "198.18.0.1 nas.a.test. 60\n2001:2::1 six.a.test. 60\nfd00::2 nas.a.test. 60"},
	} {
		h := hosts{}.follow(z, tt.public, nil)
		if got := h.list(); got != tt.want || h.count != strings.Count(tt.want, "\n")+1 {
			t.Errorf("%v: %d\n%s", tt.public, h.count, got)
		}
		if next := h.follow(z, tt.public, nil); next.byAddr != h.byAddr {
			t.Error("the same zone has other hosts")
		}
		if next := h.follow(z, []netip.Addr{public6}, nil); !strings.Contains(next.list(), public6.String()) || strings.Contains(next.list(), public4.String()) {
			t.Errorf("with other public addresses:\n%s", next.list())
		}
	}
}

// TestBestName: which of several names an address is given.
func TestBestName(t *testing.T) {
	t.Parallel()
	for names, want := range map[string]string{
		"@ www ns1 mail ftp":        "@",
		"www ns1 mail ftp":          "mail",
		"www ns1 ftp":               "ftp",
		"www ns1":                   "ns1",
		"nas www @":                 "nas",
		"www.nas nas":               "nas",
		"b a":                       "a",
		"a.b z":                     "z",
		"imap.b ns2.b nsx.b smtp":   "nsx.b",
		"mail.b www":                "mail.b",
		"ns smtp":                   "ns",
		"glue.sub":                  "",
		"sub":                       "",
		"below.gone www":            "www",
		"gone":                      "gone",
		"glue.sub below.gone ns1.b": "ns1.b",
		"WWW Nas":                   "nas",
	} {
		lines := "sub NS glue.sub\ngone DNAME example.org.\n"
		for _, n := range strings.Fields(names) {
			lines += n + " A 10.0.0.1\n"
		}
		best := func(isOurs bool) string {
			h := hosts{}.follow(zoneOfLines(t, lines), nil, nil)
			host, ok := h.best(netip.MustParseAddr("10.0.0.1"), isOurs)
			if !ok {
				return ""
			}
			return string(host.name.AppendRelative(nil, hostApex))
		}
		if got := best(false); got != want {
			t.Errorf("%s: %q, want %q", names, got, want)
		}
		if strings.Contains(names, "@") {
			want = "@"
		}
		if got := best(true); got != want {
			t.Errorf("%s, at our own address: %q, want %q", names, got, want)
		}
	}
}

// TestHostsFollow has random changes: what is known from the changes is what a look at the whole zone finds.
func TestHostsFollow(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	z := zoneOfLines(t, "")
	public := []netip.Addr{public4}
	h := hosts{}.follow(z, public, nil)
	addresses := []string{"10.0.0.1", "10.0.0.2", "fd00::1", "198.18.0.1", "198.18.0.2"}
	owners := []string{"@", "a", "b", "c.d", "*.e", "_f", "d"}
	names := 0
	for range 2000 {
		e := z.Edit()
		for range 1 + random.IntN(3) {
			owner, err := dns.ParseName(owners[random.IntN(len(owners))], hostApex)
			if err != nil {
				t.Fatal(err)
			}
			rr := dns.AddressRR(owner, uint32(60*(1+random.IntN(2))), netip.MustParseAddr(addresses[random.IntN(len(addresses))]))
			if random.IntN(10) == 0 && owner != hostApex {
				rr = dns.NameRR(owner, 60, dns.TypeNS, dns.Root)
			}
			if random.IntN(2) == 0 {
				e.Delete(rr)
			} else if err := e.Add(rr); err != nil {
				t.Fatal(err)
			}
		}
		before := h
		z = e.Zone()
		h = h.follow(z, public, nil)
		want := hostsOf(z, public, nil)
		if h.list() != want.list() || h.count != want.count {
			t.Fatalf("%d hosts\n%s\nwant %d\n%s", h.count, h.list(), want.count, want.list())
		}
		for a := range *h.byAddr {
			was, ok1 := before.best(a, false)
			is, ok2 := h.best(a, false)
			if (was != is || ok1 != ok2) && h.byAddr == before.byAddr {
				t.Fatal("another name without other hosts")
			}
			names++
		}
	}
	if names == 0 {
		t.Fatal("no names")
	}
}

// TestMaxHosts has as many address records as are looked at, one more, and then one less again.
func TestMaxHosts(t *testing.T) {
	t.Parallel()
	ours := []dns.Name{hostApex, dns.MustParseName("www.a.test.")}
	z := zoneOfLines(t, fmt.Sprintf("@ A 127.0.0.1\nwww A 127.0.0.1\n$GENERATE 1-%d h$ AAAA fd00::$\n", maxHosts-2))
	full := hosts{}.follow(z, nil, ours)
	if full.count != maxHosts || len(*full.byAddr) < 2 || strings.Count(full.list(), "\n")+1 != maxHosts {
		t.Fatalf("%d hosts, %d of them known", full.count, strings.Count(full.list(), "\n")+1)
	}
	one := dns.AddressRR(dns.MustParseName("more.a.test."), 60, netip.MustParseAddr("10.1.0.1"))
	e := z.Edit()
	if err := e.Add(one); err != nil {
		t.Fatal(err)
	}
	const alone = "127.0.0.1 a.test. 60\n127.0.0.1 www.a.test. 60"
	more := e.Zone()
	over := full.follow(more, nil, ours)
	if got := over.list(); over.count != maxHosts+1 || got != alone || hostsOf(more, nil, ours).list() != alone {
		t.Errorf("one too many: %d\n%s", over.count, got)
	}
	if was, is := full.warning(), over.warning(); was != nil || len(is) != 1 || !strings.HasPrefix(is[0].String(), "warning: a.test. has 1025 addresses") {
		t.Errorf("warnings: %v, then %v", was, is)
	}
	// Another one makes no difference, one of ours does, and a cut may.
	e = more.Edit()
	e.Delete(dns.AddressRR(dns.MustParseName("h1.a.test."), 60, netip.MustParseAddr("fd00::1")))
	if err := e.Add(dns.AddressRR(dns.MustParseName("other.a.test."), 60, netip.MustParseAddr("10.1.0.2"))); err != nil {
		t.Fatal(err)
	}
	same := over.follow(e.Zone(), nil, ours)
	if same.byAddr != over.byAddr {
		t.Error("a host that is not looked at makes a difference")
	}
	if err := e.Add(dns.NameRR(ours[1], 60, dns.TypeNS, dns.Root)); err != nil {
		t.Fatal(err)
	}
	if cut := same.follow(e.Zone(), nil, ours); cut.byAddr == same.byAddr {
		t.Error("a cut makes no difference")
	}
	e.Delete(dns.AddressRR(ours[1], 60, loopback))
	if err := e.Add(dns.AddressRR(dns.MustParseName("third.a.test."), 60, netip.MustParseAddr("10.1.0.3"))); err != nil {
		t.Fatal(err)
	}
	if gone := same.follow(e.Zone(), nil, ours); gone.list() != "127.0.0.1 a.test. 60" {
		t.Errorf("without one of ours:\n%s", gone.list())
	}
	e = more.Edit()
	e.Delete(one)
	if again := over.follow(e.Zone(), nil, ours); again.count != maxHosts || again.list() != full.list() {
		t.Errorf("one less: %d", again.count)
	}
}
