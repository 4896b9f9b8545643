package zone

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
)

// wholeFiles are master files as they are found, with what they say.
var wholeFiles = map[string]struct{ origin, in, want string }{
	// RFC 1035 section 5.3, with TTLs.
	"ISI.EDU.": {"ISI.EDU.", `
@   20  IN  SOA     VENERA      Action\.domains (
                                 20     ; SERIAL
                                 7200   ; REFRESH
                                 600    ; RETRY
                                 3600000; EXPIRE
                                 60)    ; MINIMUM

        NS      A.ISI.EDU.
        NS      VENERA
        NS      VAXA
        MX      10      VENERA
        MX      20      VAXA

A       A       26.3.0.103

VENERA  A       10.1.0.52
        A       128.9.0.32

VAXA    A       10.2.0.27
        A       128.9.0.33
`, `
ISI.EDU. 20 IN SOA VENERA.ISI.EDU. Action\.domains.ISI.EDU. 20 7200 600 3600000 60
ISI.EDU. 20 IN NS A.ISI.EDU.
ISI.EDU. 20 IN NS VAXA.ISI.EDU.
ISI.EDU. 20 IN NS VENERA.ISI.EDU.
ISI.EDU. 20 IN MX 10 VENERA.ISI.EDU.
ISI.EDU. 20 IN MX 20 VAXA.ISI.EDU.
A.ISI.EDU. 20 IN A 26.3.0.103
VAXA.ISI.EDU. 20 IN A 10.2.0.27
VAXA.ISI.EDU. 20 IN A 128.9.0.33
VENERA.ISI.EDU. 20 IN A 10.1.0.52
VENERA.ISI.EDU. 20 IN A 128.9.0.32
`},
	// RFC 2308 section 10, and a delegation.
	"example.": {"example.", `
$ORIGIN EXAMPLE.
$TTL 2d
@       1D      IN SOA  ns1 hostmaster (1 3H 15M 1W 3H)
                NS      ns1
                NS      ns2.other.
ns1             A       192.0.2.1
child           NS      ns.child
ns.child  86400 A       192.0.2.2
`, `
EXAMPLE. 86400 IN SOA ns1.EXAMPLE. hostmaster.EXAMPLE. 1 10800 900 604800 10800
EXAMPLE. 172800 IN NS ns1.EXAMPLE.
EXAMPLE. 172800 IN NS ns2.other.
child.EXAMPLE. 172800 IN NS ns.child.EXAMPLE.
ns.child.EXAMPLE. 86400 IN A 192.0.2.2
ns1.EXAMPLE. 172800 IN A 192.0.2.1
`},
	// A reverse zone by $GENERATE.
	"reverse": {"2.0.192.in-addr.arpa.", `
$TTL 1h
@ SOA ns.example.test. host.example.test. 1 1h 1h 1h 1h
@ NS ns.example.test.
$GENERATE 1-3 $ PTR host-${0,3}.example.test.
10 300 PTR printer.example.test.
`, `
2.0.192.in-addr.arpa. 3600 IN SOA ns.example.test. host.example.test. 1 3600 3600 3600 3600
2.0.192.in-addr.arpa. 3600 IN NS ns.example.test.
1.2.0.192.in-addr.arpa. 3600 IN PTR host-001.example.test.
10.2.0.192.in-addr.arpa. 300 IN PTR printer.example.test.
2.2.0.192.in-addr.arpa. 3600 IN PTR host-002.example.test.
3.2.0.192.in-addr.arpa. 3600 IN PTR host-003.example.test.
`},
	// What a mail domain has today.
	"mail": {"example.test.", `
$TTL 300
@ SOA ns1 host 1 2 3 4 5
@ NS ns1
@ MX 10 mx
@ TXT "v=spf1 mx -all"
@ CAA 0 issue "letsencrypt.org"
mx,a 1 A 192.0.2.3
ns1 A 192.0.2.1
mx A 192.0.2.2
mx AAAA 2001:db8::2
_dmarc TXT "v=DMARC1; p=reject; rua=mailto:postmaster@example.test"
sel._domainkey TXT ( "v=DKIM1; k=ed25519; "
                     "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=" )
_25._tcp.mx TLSA 3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971
_imaps._tcp SRV 0 1 993 mx
www HTTPS 1 . alpn=h2,h3
`, `
example.test. 300 IN SOA ns1.example.test. host.example.test. 1 2 3 4 5
example.test. 300 IN NS ns1.example.test.
example.test. 300 IN MX 10 mx.example.test.
example.test. 300 IN TXT "v=spf1 mx -all"
example.test. 300 IN CAA 0 issue "letsencrypt.org"
_dmarc.example.test. 300 IN TXT "v=DMARC1; p=reject; rua=mailto:postmaster@example.test"
sel._domainkey.example.test. 300 IN TXT "v=DKIM1; k=ed25519; " "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
_imaps._tcp.example.test. 300 IN SRV 0 1 993 mx.example.test.
mx.example.test. 300 IN A 192.0.2.2
mx.example.test. 300 IN AAAA 2001:db8::2
_25._tcp.mx.example.test. 300 IN TLSA 3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971
mx,a.example.test. 1 IN A 192.0.2.3
ns1.example.test. 300 IN A 192.0.2.1
www.example.test. 300 IN HTTPS 1 . alpn="h2,h3"
`},
}

func TestWholeFiles(t *testing.T) {
	t.Parallel()
	for name, tt := range wholeFiles {
		opts := ReadOptions{Origin: dns.MustParseName(tt.origin), File: name}
		z, warnings, err := Load(strings.NewReader(tt.in), opts)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v, %v", name, err, warnings)
			continue
		}
		got := "\n" + listing(z)
		if got != tt.want {
			t.Errorf("%s: got %swant %s", name, got, tt.want)
		}
		again, _, err := Load(strings.NewReader(got), opts)
		if err != nil || !again.SameContent(z) || !z.SameContent(again) {
			t.Errorf("%s: the listing is another zone: %v", name, err)
		}
	}
}

func listing(z *Zone) string {
	var b strings.Builder
	for rr := range z.All() {
		b.WriteString(strings.ReplaceAll(rr.String(), "\t", " ") + "\n")
	}
	return b.String()
}

// TestReadAsMiekgDoes: whole files hold the same records for miekg/dns, but
// for $GENERATE, whose TTL it takes from nowhere.
func TestReadAsMiekgDoes(t *testing.T) {
	t.Parallel()
	for name, tt := range wholeFiles {
		if strings.Contains(tt.in, "$GENERATE") {
			continue
		}
		records, err := Read(strings.NewReader(tt.in), ReadOptions{Origin: dns.MustParseName(tt.origin)})
		if err != nil {
			t.Fatal(err)
		}
		var theirs []string
		for rr, err := range miekgRecords("$ORIGIN " + tt.origin + "\n" + tt.in) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			theirs = append(theirs, rr.String())
		}
		if len(theirs) != len(records) {
			t.Fatalf("%s: %d records, miekg/dns %d", name, len(records), len(theirs))
		}
		for i, r := range records {
			if r.String() != theirs[i] {
				t.Errorf("%s: %s, miekg/dns %s", name, r, theirs[i])
			}
		}
	}
}

// TestBuilderModel holds the snapshot to what was put in, by the plain way.
func TestBuilderModel(t *testing.T) {
	t.Parallel()
	label := rapid.SampledFrom([]string{"a", "A", "b", "c", "*"})
	rapid.Check(t, func(t *rapid.T) {
		b := NewBuilder(origin)
		all := map[string]bool{}  // the records, in one case
		owns := map[string]bool{} // names that own some
		add := func(text string) {
			rr, err := dns.ParseRR(text, origin, 60)
			if err != nil {
				t.Fatal(err)
			}
			b.Add(Record{RR: rr})
			c := rr.Canonical()
			all[c.String()] = true
			owns[c.Name.String()] = true
		}
		for _, text := range strings.Split("@ SOA n. h. 1 2 3 4 5\n@ NS n.", "\n") {
			add(text)
		}
		for range rapid.IntRange(0, 20).Draw(t, "records") {
			name := strings.Join(rapid.SliceOfN(label, 1, 3).Draw(t, "owner"), ".")
			add(name + rapid.SampledFrom([]string{" A 192.0.2.1", " A 192.0.2.2", " TXT x", " TXT X", " MX 1 M.", " MX 1 m."}).Draw(t, "data"))
		}
		z, _, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		last := dns.Root
		for rr := range z.All() {
			got[rr.Canonical().String()] = true
			if rr.Name.Compare(last) < 0 {
				t.Fatalf("%s after %s", rr.Name, last)
			}
			last = rr.Name
		}
		if !maps.Equal(got, all) || z.Len() != len(all) {
			t.Fatalf("%d records, %d are said to be there\n%v\n%v", len(got), z.Len(), slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(all)))
		}
		for name := range owns {
			n := dns.MustParseName(name)
			for ; n.IsSubdomainOf(origin); n = n.Parent() {
				node, ok := z.At(n)
				if !ok || (len(node.Sets()) > 0) != owns[n.String()] {
					t.Fatalf("%s: there %v, %d sets", n, ok, len(node.Sets()))
				}
			}
		}
	})
}

// TestManyZones holds Find to the plain way.
func TestManyZones(t *testing.T) {
	t.Parallel()
	apexes := []string{".", "a.", "b.a.", "d.c.b.a.", "x.", "y.x."}
	var zones []*Zone
	for _, apex := range apexes {
		z, _, err := Load(strings.NewReader("@ 1 SOA n. h. 1 2 3 4 5\n@ 1 NS n.\n"), ReadOptions{Origin: dns.MustParseName(apex)})
		if err != nil {
			t.Fatal(err)
		}
		zones = append(zones, z)
	}
	rapid.Check(t, func(t *rapid.T) {
		var have []*Zone
		for _, z := range zones {
			if rapid.Bool().Draw(t, z.Apex().String()) {
				have = append(have, z)
			}
		}
		s, err := NewSet(have...)
		if err != nil {
			t.Fatal(err)
		}
		labels := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "B", "c", "d", "x", "y"}), 0, 5).Draw(t, "labels")
		name := dns.MustParseName(strings.Join(labels, ".") + ".")
		var want *Zone
		for _, z := range have {
			if name.IsSubdomainOf(z.Apex()) && (want == nil || len(z.Apex()) > len(want.Apex())) {
				want = z
			}
		}
		if got := s.Find(name); got != want {
			t.Fatalf("%s: %v, want %v", name, got, want)
		}
	})
}

// bigZone has n names with an address each.
func bigZone(t testing.TB, n int) *Zone {
	t.Helper()
	var b strings.Builder
	b.WriteString(head)
	for i := range n {
		fmt.Fprintf(&b, "host-%d.dept-%d A 192.0.2.%d\n", i, i%97, i%250)
	}
	z, _ := load(t, b.String())
	return z
}

// TestReadersShareASnapshot: run it with -race.
func TestReadersShareASnapshot(t *testing.T) {
	t.Parallel()
	z := bigZone(t, 500)
	var readers sync.WaitGroup
	for r := range 8 {
		readers.Go(func() {
			for i := range 500 {
				name := dns.MustParseName(fmt.Sprintf("host-%d.dept-%d.example.test.", i, i%97))
				if m := z.Lookup(name); m.Kind != Exact {
					t.Errorf("reader %d: %s: %s", r, name, m.Kind)
				}
				_ = z.WithSerial(uint32(i))
			}
		})
	}
	readers.Wait()
}

// TestLookupAllocatesNothing for names in lower case.
func TestLookupAllocatesNothing(t *testing.T) {
	z := bigZone(t, 100)
	s, err := NewSet(z)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"host-1.dept-1.example.test.", "no.dept-1.example.test.", "a.b.c.d.e.f.example.test."} {
		name := dns.MustParseName(text)
		if n := testing.AllocsPerRun(100, func() { s.Find(name).Lookup(name) }); n > 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	z := bigZone(b, 10_000)
	name := dns.MustParseName("host-4711.dept-55.example.test.")
	b.ReportAllocs()
	for b.Loop() {
		z.Lookup(name)
	}
}

func BenchmarkLoad(b *testing.B) {
	text := listing(bigZone(b, 1000))
	b.ReportAllocs()
	for b.Loop() {
		load(b, text)
	}
}
