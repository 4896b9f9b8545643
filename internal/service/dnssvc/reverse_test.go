package dnssvc

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/host/emunet"
	"github.com/network-utopia/utopia/internal/control"
)

// pointers gives the names of all addresses, by address.
func pointers(s *Service) string {
	var lines []string
	for _, m := range s.current.Load().zones {
		if m.reverse == nil {
			continue
		}
		set, _ := m.zone.Top().RRset(dns.TypePTR)
		for _, rr := range set.Append(nil, m.name) {
			lines = append(lines, fmt.Sprintf("%s %d %s", m.reverse.addr, rr.TTL, rr.DataString()))
		}
	}
	return strings.Join(lines, "\n")
}

func reverseName(t testing.TB, address string) dns.Name {
	t.Helper()
	name, ok := dnsclient.ReverseName(netip.MustParseAddr(address))
	if !ok {
		t.Fatal(address)
	}
	return name
}

func (s *Service) reverseZone(t testing.TB, address string) *made {
	t.Helper()
	return s.current.Load().find(reverseName(t, address))
}

func TestReverse(t *testing.T) {
	t.Parallel()
	const file = "nas 60 A 192.168.1.5\nwww 60 A 192.168.1.5\nnas 90 AAAA fd00::5\nshop A 198.18.0.9\nalso A 198.18.0.1\n"
	private := []netip.Addr{loopback, netip.MustParseAddr("::1"), public4, netip.IPv6Unspecified(), netip.MustParseAddr("224.0.0.1")}
	for what, tt := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"private addresses alone": {func(*Options) {}, "127.0.0.1 3600 @\n192.168.1.5 60 nas.@\n::1 3600 @\nfd00::5 90 nas.@"},
		"public ones of the domain too, and no others": {func(o *Options) { o.Reverse = true },
			"127.0.0.1 3600 @\n192.168.1.5 60 nas.@\n198.18.0.1 3600 @\n::1 3600 @\nfd00::5 90 nas.@"},
		"without services": {func(o *Options) { o.Hosts = nil }, "127.0.0.1 3600 ns1.@\n192.168.1.5 60 nas.@\n::1 3600 ns1.@\nfd00::5 90 nas.@"},
		"another TTL":      {func(o *Options) { o.TTL = 7 * time.Second }, "127.0.0.1 7 @\n192.168.1.5 60 nas.@\n::1 7 @\nfd00::5 90 nas.@"},
		"a zone of the user's at the name": {func(o *Options) {
			o.Zones = []Zone{{Name: "5.1.168.192.in-addr.arpa", File: writeFile(t, t.TempDir(), "z", serial(1))}}
		}, "127.0.0.1 3600 @\n::1 3600 @\nfd00::5 90 nas.@"},
		"zones of the user's above, one of them broken": {func(o *Options) {
			dir := t.TempDir()
			o.Zones = []Zone{{Name: "in-addr.arpa", File: writeFile(t, dir, "4", serial(1))}, {Name: "D.F.ip6.arpa.", File: writeFile(t, dir, "6", "oops\n")}}
		}, "::1 3600 @"},
		"all of arpa": {func(o *Options) {
			o.Zones = []Zone{{Name: "arpa", File: writeFile(t, t.TempDir(), "z", serial(1))}}
		}, ""},
		"a zone of the user's that is fetched": {func(o *Options) {
			o.Zones = []Zone{{Name: "127.in-addr.arpa", Primaries: []Server{{Address: netip.MustParseAddrPort("192.0.2.1:53")}}}}
		}, "192.168.1.5 60 nas.@\n::1 3600 @\nfd00::5 90 nas.@"},
	} {
		opts := withFile(t, file)
		opts.Records = private
		tt.change(&opts)
		s := newService(t, opts)
		if got := strings.ReplaceAll(pointers(s), "networkutopia.test.", "@"); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", what, got, tt.want)
		}
	}
}

// TestReverseOfTooMany: a warning says that there are more hosts than get names, and Utopia's own do.
func TestReverseOfTooMany(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{maxHosts - 5: 0, maxHosts - 4: 1} { // beside ns1 and four hosts
		opts := withFile(t, fmt.Sprintf("$GENERATE 1-%d h$ A 10.0.0.5\n", n))
		opts.Records = opts.Records[:1]
		s := newService(t, opts)
		if got := s.Warnings(); len(got) != want {
			t.Errorf("%d hosts: %v", n, got)
		}
		names := "10.0.0.5 3600 h1.networkutopia.test.\n127.0.0.1 3600 networkutopia.test."
		if want > 0 {
			names = "127.0.0.1 3600 networkutopia.test."
		}
		if got := pointers(s); got != names {
			t.Errorf("%d hosts:\n%s", n, got)
		}
	}
}

// TestReverseAnswers: what others get for an address, and that nothing beside it is answered for.
func TestReverseAnswers(t *testing.T) {
	t.Parallel()
	opts := withFile(t, "@ 60 SOA Primary.other.test. me 1 2 3 4 5\nnas 60 A 10.0.0.5\nnas AAAA fd00::5\n")
	s := started(t, opts)
	for _, network := range []string{"udp", "tcp"} {
		for _, tt := range []struct {
			name, want string
			t          uint16
		}{
			{"1.0.0.127.in-addr.arpa.", "NOERROR networkutopia.test.", mdns.TypePTR},
			{"5.0.0.10.IN-ADDR.arpa.", "NOERROR nas.networkutopia.test.", mdns.TypePTR},
			{reverseName(t, "fd00::5").String(), "NOERROR nas.networkutopia.test.", mdns.TypePTR},
			{"5.0.0.10.in-addr.arpa.", "NOERROR primary.other.test.", mdns.TypeNS},
			{"5.0.0.10.in-addr.arpa.", "NOERROR", mdns.TypeA},
			{"x.5.0.0.10.in-addr.arpa.", "NXDOMAIN", mdns.TypePTR},
			{"6.0.0.10.in-addr.arpa.", "REFUSED", mdns.TypePTR},
			{"10.in-addr.arpa.", "REFUSED", mdns.TypeSOA},
			{"0.0.127.in-addr.arpa.", "REFUSED", mdns.TypeNS},
			{"5.0.0.10.in-addr.arpa.", "REFUSED", mdns.TypeAXFR},
		} {
			if tt.t == mdns.TypeAXFR && network == "udp" {
				continue
			}
			if got := ask(t, s, network, tt.name, tt.t); got != tt.want {
				t.Errorf("%s %s: %s, want %s", network, tt.name, got, tt.want)
			}
		}
	}
	if got := ask(t, s, "udp", "5.0.0.10.in-addr.arpa.", mdns.TypeSOA); !strings.HasPrefix(got, "NOERROR primary.other.test. me.networkutopia.test. ") {
		t.Error(got)
	}
	got, err := recordsAt(s, "", control.At{Zone: "5.0.0.10.in-addr.arpa"})
	if want := "5.0.0.10.in-addr.arpa. 3600 NS primary.other.test. utopia\n5.0.0.10.in-addr.arpa. 60 PTR nas.networkutopia.test. utopia\n"; err != nil || got != want {
		t.Errorf("shown as\n%s%v", got, err)
	}
}

// changing gives options whose own zone laptop may change and courier may fetch.
func changing(t *testing.T) Options {
	t.Helper()
	opts := withFile(t, "nas 60 A 10.0.0.5\nserver A 198.18.0.1\n")
	apex := dns.MustParseName("networkutopia.test.")
	opts.TSIG, opts.Keep = []dns.TSIGKey{laptop, courier}, keepIn(t, t.TempDir())
	opts.Policy = Policy{
		Update:     []Grant{{Key: laptop.Name, Grant: zone.Grant{Name: apex, Below: true}}},
		TransferTo: []Access{{Key: courier.Name}},
		Notify:     []Server{{Address: netip.MustParseAddrPort("192.0.2.77:53")}},
	}
	opts.Reverse, opts.Records = true, []netip.Addr{loopback, public4}
	return opts
}

// change sends an update of the domain's zone: lines to add, and to delete where they begin with a minus sign.
func (s *Service) tryChange(t testing.TB, lines ...string) {
	t.Helper()
	apex := dns.MustParseName("networkutopia.test.")
	m := dns.NewQuery(0, apex, dns.TypeSOA)
	m.Opcode = dns.OpcodeUpdate
	for _, line := range lines {
		text, deleted := strings.CutPrefix(line, "-")
		rr, err := dns.ParseRR(text, apex, 60)
		if err != nil {
			t.Fatal(err)
		}
		if deleted {
			rr.Class, rr.TTL = dns.ClassNONE, 0
		}
		m.Authority = append(m.Authority, rr)
	}
	if got, _ := send(t, s, "udp", m, &laptop); got != "NOERROR" {
		t.Fatalf("%v: %s", lines, got)
	}
}

// TestReverseFollows: names of addresses change with the address records, in the same moment, and no others do.
func TestReverseFollows(t *testing.T) {
	t.Parallel()
	opts := changing(t)
	s := started(t, opts)
	const always = "127.0.0.1 3600 networkutopia.test.\n198.18.0.1 3600 networkutopia.test."
	other := s.reverseZone(t, "127.0.0.1").zone
	for i, tt := range []struct {
		change []string
		want   string // beside those that are always there
	}{
		{nil, "10.0.0.5 60 nas.networkutopia.test."},
		{[]string{"x TXT 1"}, "10.0.0.5 60 nas.networkutopia.test."},
		{[]string{"cam 30 A 10.0.0.6", "cam AAAA fe80::6"}, "10.0.0.5 60 nas.networkutopia.test.\n10.0.0.6 30 cam.networkutopia.test.\nfe80::6 60 cam.networkutopia.test."},
		{[]string{"-cam A 10.0.0.6", "cam A 10.0.0.7"}, "10.0.0.5 60 nas.networkutopia.test.\n10.0.0.7 60 cam.networkutopia.test.\nfe80::6 60 cam.networkutopia.test."},
		{[]string{"a 60 A 10.0.0.5", "-cam AAAA fe80::6"}, "10.0.0.5 60 a.networkutopia.test.\n10.0.0.7 60 cam.networkutopia.test."},
		{[]string{"-a A 10.0.0.5", "-cam A 10.0.0.7", "gone A 198.18.0.2"}, "10.0.0.5 60 nas.networkutopia.test."},
		{[]string{"-nas A 10.0.0.5"}, ""},
	} {
		if len(tt.change) > 0 {
			s.tryChange(t, tt.change...)
		}
		lines := append(strings.Split(always, "\n"), strings.Fields(strings.ReplaceAll(tt.want, " ", "_"))...)
		for i, l := range lines {
			lines[i] = strings.ReplaceAll(l, "_", " ")
		}
		got := strings.Split(pointers(s), "\n")
		slices.Sort(lines)
		if slices.Sort(got); !slices.Equal(got, lines) {
			t.Errorf("step %d: %q, want %q", i, got, lines)
		}
	}
	if s.reverseZone(t, "127.0.0.1").zone != other {
		t.Error("a zone was made anew for nothing")
	}
	if got := ask(t, s, "udp", "5.0.0.10.in-addr.arpa.", mdns.TypePTR); got != "REFUSED" {
		t.Errorf("an address that no host has any more: %s", got)
	}
}

// TestReverseVersions: a zone of an address that changes has a later serial, and goes to those who may fetch the domain's.
func TestReverseVersions(t *testing.T) {
	t.Parallel()
	s := started(t, changing(t))
	name := reverseName(t, "10.0.0.5")
	first := s.reverseZone(t, "10.0.0.5").zone.SOA().Serial
	s.tryChange(t, "a A 10.0.0.5")
	s.tryChange(t, "x TXT 1")
	last := s.reverseZone(t, "10.0.0.5").zone.SOA().Serial
	if !zone.SerialAfter(last, first) {
		t.Errorf("serial %d after %d", last, first)
	}
	if code, tr := fetch(t, s, dnsclient.NewIXFR(name, first), &courier, true); code != "4" || tr.Serial() != last {
		t.Errorf("%s records, serial %d, want %d", code, tr.Serial(), last)
	}
	if code, _ := fetch(t, s, dnsclient.NewAXFR(name), &laptop, true); code != "REFUSED" {
		t.Errorf("fetched by another: %s", code)
	}
	m := dns.NewQuery(0, name, dns.TypeSOA)
	m.Opcode = dns.OpcodeUpdate
	m.Authority = []dns.RR{dns.NameRR(name, 60, dns.TypePTR, name)}
	if got, _ := send(t, s, "udp", m, &laptop); got != "REFUSED" {
		t.Errorf("an update of the zone itself: %s", got)
	}
	for address, want := range map[string]int{"10.0.0.5": 0, "198.18.0.1": 1} {
		if got := s.current.Load().targets(s.reverseZone(t, address)); len(got) != want {
			t.Errorf("of %s are told %v", address, got)
		}
	}
}

// TestReverseLasts: what came by update has its names after a restart and after reloads, also one that was under way
// when the update came.
func TestReverseLasts(t *testing.T) {
	t.Parallel()
	opts := changing(t)
	s := newService(t, opts)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.tryChange(t, "cam A 10.0.0.6")
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	s = started(t, opts)
	const cam = "10.0.0.6 60 cam.networkutopia.test."
	if got := pointers(s); !strings.Contains(got, cam) {
		t.Errorf("after a restart:\n%s", got)
	}
	before := s.reverseZone(t, "10.0.0.6").zone
	opts.Before = s
	next := newService(t, opts)
	s.tryChange(t, "late A 10.0.0.8", "-nas A 10.0.0.5")
	if !s.Replace(next) {
		t.Fatal("not replaced")
	}
	if got := pointers(s); !strings.Contains(got, cam) || !strings.Contains(got, "10.0.0.8 60 late") || strings.Contains(got, "10.0.0.5") {
		t.Errorf("after a reload:\n%s", got)
	}
	if s.reverseZone(t, "10.0.0.6").zone != before {
		t.Error("a reload makes a zone anew for nothing")
	}
	serial := s.reverseZone(t, "198.18.0.1").zone.SOA().Serial
	if len(s.ledgers) != 1 {
		t.Errorf("journals of %d zones: those of addresses need none", len(s.ledgers))
	}
	opts.TransferTo = []Access{{Key: laptop.Name}}
	if !s.Replace(newService(t, opts)) {
		t.Fatal("not replaced")
	}
	if code, _ := fetch(t, s, dnsclient.NewAXFR(reverseName(t, "10.0.0.6")), &courier, true); code != "REFUSED" {
		t.Errorf("who may not fetch the domain's zone any more fetches this one: %s", code)
	}
	opts.TTL = 5 * time.Minute
	if !s.Replace(newService(t, opts)) {
		t.Fatal("not replaced")
	}
	if now := s.reverseZone(t, "198.18.0.1").zone.SOA().Serial; !zone.SerialAfter(now, serial) {
		t.Errorf("with another TTL: serial %d after %d", now, serial)
	}
	opts.Reverse = false
	opts.Zones = []Zone{{Name: "10.in-addr.arpa", File: writeFile(t, t.TempDir(), "z", serialLines)}}
	if !s.Replace(newService(t, opts)) {
		t.Fatal("not replaced")
	}
	if got := pointers(s); got != "127.0.0.1 300 networkutopia.test." {
		t.Errorf("with other settings:\n%s", got)
	}
	if got := ask(t, s, "udp", "6.0.0.10.in-addr.arpa.", mdns.TypePTR); got != "NXDOMAIN" {
		t.Errorf("in the zone of the user's: %s", got)
	}
}

// TestReverseReloads: settings that change nothing in the domain's zone change those of addresses.
func TestReverseReloads(t *testing.T) {
	t.Parallel()
	opts := withFile(t, "@ A 198.18.0.1\nns1 A 198.18.0.1\n")
	opts.Hosts, opts.Records, opts.Keep = nil, []netip.Addr{public4}, keepIn(t, t.TempDir())
	s := started(t, opts)
	for i, reverse := range []bool{false, true, true, false} {
		opts.Reverse, opts.TTL, opts.Before = reverse, time.Duration(i+1)*time.Hour, s
		if !s.Replace(newService(t, opts)) {
			t.Fatal("not replaced")
		}
		m := s.reverseZone(t, "198.18.0.1")
		if (m != nil) != reverse || m != nil && m.reverse.ttl != uint32(3600*(i+1)) {
			t.Errorf("reload %d: %+v", i, m)
		}
	}
}

// someKeys fail for the zones of addresses while failing is set.
type someKeys struct {
	heldKeys
	failing atomic.Bool
}

func (k *someKeys) Of(ctx context.Context, zone dns.Name) ([]*dns.SigningKey, error) {
	if k.failing.Load() && zone.IsSubdomainOf(addresses4) {
		return nil, errors.New("the store is gone")
	}
	return k.heldKeys.Of(ctx, zone)
}

// TestReverseWithoutKeys: a zone of an address that cannot be signed at first is missing, and comes when it can.
func TestReverseWithoutKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := emunet.New(1)
		t.Cleanup(func() { _ = n.Close() })
		keys := &someKeys{}
		keys.failing.Store(true)
		opts, _ := signedOptions(SignedNSEC)
		opts.Host, opts.Addresses = n.Host("ns", "198.18.0.1"), []netip.Addr{public4}
		opts.Reverse, opts.Records, opts.Keys = true, []netip.Addr{public4}, keys
		s := started(t, opts)
		m := s.reverseZone(t, "198.18.0.1")
		if m == nil || m.zone != nil || m.reverse == nil || len(s.Failed()) != 1 {
			t.Fatalf("%+v", m)
		}
		if zones, err := s.Zones(t.Context()); err != nil || len(zones) != 2 || zones[1].Role != "reverse" || zones[1].State != "missing" {
			t.Errorf("%+v, %v", zones, err)
		}
		time.Sleep(5 * time.Minute)
		keys.failing.Store(false)
		time.Sleep(5 * time.Minute)
		validated(t, s, "1.0.18.198.in-addr.arpa.", dns.TypePTR)
		if f := s.Failed(); len(f) != 0 {
			t.Error(f)
		}
	})
}

const serialLines = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns.other.test.\n"

// TestReverseSigned: names of public addresses are signed as the domain's zone is, and go on being so; those of private
// ones are not.
func TestReverseSigned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := emunet.New(1)
		t.Cleanup(func() { _ = n.Close() })
		opts, keys := signedOptions(SignedHashed)
		opts.Host, opts.Addresses = n.Host("ns", "198.18.0.1"), []netip.Addr{public4}
		opts.Reverse, opts.Records = true, []netip.Addr{public4, loopback}
		s := started(t, opts)
		name := reverseName(t, "198.18.0.1").String()
		first := s.reverseZone(t, "198.18.0.1").zone.SOA().Serial
		for range 30 {
			time.Sleep(24 * time.Hour)
			validated(t, s, name, dns.TypePTR)
			validated(t, s, "x."+name, dns.TypePTR)
		}
		if last := s.reverseZone(t, "198.18.0.1").zone.SOA().Serial; last == first {
			t.Error("never signed again")
		}
		if s.reverseZone(t, "127.0.0.1").zone.Signed() {
			t.Error("the zone of a private address is signed")
		}
		// While its keys cannot be had it stays as it was, and moves on then.
		keys.fail(errors.New("the store is gone"))
		opts.TTL, opts.Before = 5*time.Minute, s
		if !s.Replace(newService(t, opts)) {
			t.Fatal("not replaced")
		}
		if m := s.reverseZone(t, "198.18.0.1"); m.failed == nil || m.reverse.ttl != 3600 || len(s.Failed()) != 2 {
			t.Errorf("failed: %v", s.Failed())
		}
		keys.fail(nil)
		time.Sleep(time.Hour)
		if m := s.reverseZone(t, "198.18.0.1"); m.failed != nil || m.reverse.ttl != 300 {
			t.Errorf("failed: %v, TTL %d", m.failed, m.reverse.ttl)
		}
		validated(t, s, name, dns.TypePTR)
	})
}

func TestDelegationOfAddresses(t *testing.T) {
	t.Parallel()
	opts, _ := signedOptions(SignedNSEC)
	opts.Reverse, opts.Records = true, []netip.Addr{loopback, public4, public6}
	dir := t.TempDir()
	opts.Zones = []Zone{{Name: "0.10.in-addr.arpa", File: writeFile(t, dir, "z", serialLines)}, {Name: "xin-addr.arpa", File: writeFile(t, dir, "y", serialLines)}}
	s := newService(t, opts)
	d, err := s.Delegation(t.Context(), "")
	if want := []string{"1.0.18.198.in-addr.arpa.", reverseName(t, public6.String()).String()}; err != nil || d.OfAddresses || !slices.Equal(d.Reverse, want) || d.Pointers != nil {
		t.Errorf("%+v, %v", d, err)
	}
	d, err = s.Delegation(t.Context(), "1.0.18.198.in-addr.arpa")
	if err != nil || !d.OfAddresses || d.Reverse != nil || !slices.Equal(d.Servers, []string{"ns1.networkutopia.test."}) || len(d.Glue) != 0 || len(d.DS) != 1 ||
		!slices.Equal(d.Pointers, []control.Record{{Name: d.Zone, TTL: 3600, Type: "PTR", Data: "networkutopia.test."}}) {
		t.Errorf("%+v, %v", d, err)
	}
	for name, want := range map[string]bool{public6Zone(t): true, "0.10.in-addr.arpa": true, "xin-addr.arpa": false} {
		if d, err := s.Delegation(t.Context(), name); err != nil || d.OfAddresses != want {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}

func public6Zone(t testing.TB) string { return reverseName(t, public6.String()).String() }
