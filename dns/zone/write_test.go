package zone

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
)

func written(t testing.TB, z *Zone) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, z); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWrite(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{`
$TTL 300
@ SOA ns1 hostmaster 2026010100 7200 3600 1209600 59
@ NS ns1
@ NS ns.example.org.
@ 3600 MX 10 mail
ns1 A 192.0.2.1
ns1 AAAA 2001:db8::1
mail 60 A 192.0.2.2
*.w TXT "a b" "c\"d"
x\.y\@z CNAME WWW.Example.Test.
_imaps._tcp SRV 0 1 993 mail
a CAA 0 issue "ca.test"
a TYPE65280 \# 2 abcd
`, `
$ORIGIN example.test.
$TTL 300 ; 5m
@                IN SOA       ns1 hostmaster (
                              2026010100 ; serial
                              7200       ; refresh: 2h
                              3600       ; retry: 1h
                              1209600    ; expire: 2w
                              59 )       ; negative answers
                 IN NS        ns.example.org.
                 IN NS        ns1
            3600 IN MX        10 mail
_imaps._tcp      IN SRV       0 1 993 mail
a                IN CAA       0 issue "ca.test"
                 IN TYPE65280 \# 2 abcd
mail        60   IN A         192.0.2.2
ns1              IN A         192.0.2.1
                 IN AAAA      2001:db8::1
*.w              IN TXT       "a b" "c\"d"
x\.y\@z          IN CNAME     WWW.Example.Test.
`},
		{`
@ 7 SOA . . 1 2 3 4 5
@ 7 NS ns
a23456789.b23456789.c23456789.d23456789 7 A 192.0.2.1
`, `
$ORIGIN example.test.
$TTL 7
@                                IN SOA . . (
                                        1          ; serial
                                        2          ; refresh
                                        3          ; retry
                                        4          ; expire
                                        5 )        ; negative answers
                                 IN NS  ns
a23456789.b23456789.c23456789.d23456789 IN A 192.0.2.1
`},
	} {
		z, _, err := Load(strings.NewReader(tt.in), ReadOptions{Origin: origin})
		if err != nil {
			t.Fatal(err)
		}
		if got := "\n" + written(t, z); got != tt.want {
			t.Errorf("got %s\nwant %s", got, tt.want)
		}
	}
}

// TestWriteApexAsWritten: the zone's own name is written as it stood in the
// file, and names that end in it in another case stay as they are.
func TestWriteApexAsWritten(t *testing.T) {
	t.Parallel()
	z, _, err := Load(strings.NewReader("EXAMPLE.test. 1 SOA a.EXAMPLE.test. a.example.test. 1 2 3 4 5\n"+
		"EXAMPLE.test. 1 NS a.EXAMPLE.test.\nb.example.TEST. 1 A 192.0.2.1\n"), ReadOptions{Origin: origin})
	if err != nil {
		t.Fatal(err)
	}
	text := written(t, z)
	for _, want := range []string{"$ORIGIN EXAMPLE.test.\n", "IN SOA a a.example.test. (\n", "IN NS  a\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	readsBack(t, z)
}

// TestWriteRoot: below the root every name is relative to it.
func TestWriteRoot(t *testing.T) {
	t.Parallel()
	z, _, err := Load(strings.NewReader("@ 1 SOA a b 1 2 3 4 5\n@ 1 NS ns.nic\ntest 1 NS ns.test\nns.test 1 A 192.0.2.1\n"), ReadOptions{Origin: dns.Root})
	if err != nil {
		t.Fatal(err)
	}
	if text := written(t, z); !strings.HasPrefix(text, "$ORIGIN .\n") || !strings.Contains(text, "test    IN NS  ns.test\n") {
		t.Errorf("%s", text)
	}
	readsBack(t, z)
}

// readsBack checks that a zone that is written is read as the same one, record
// by record and octet by octet, and is then written in the same way.
func readsBack(t interface {
	Fatalf(string, ...any)
	Helper()
}, z *Zone) {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, z); err != nil {
		t.Fatalf("%v", err)
	}
	text := b.String()
	back, _, err := Load(&b, ReadOptions{Origin: z.Apex()})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if !back.SameContent(z) || back.SOA() != z.SOA() {
		t.Fatalf("another zone:\n%s", text)
	}
	want, got := slices.Collect(z.All()), slices.Collect(back.All())
	for i := range want {
		if got[i].Name != want[i].Name || got[i].TTL != want[i].TTL || !bytes.Equal(got[i].Data, want[i].Data) {
			t.Fatalf("%s became %s:\n%s", want[i], got[i], text)
		}
	}
	if err := Write(&b, back); err != nil || b.String() != text {
		t.Fatalf("written again: %v\n%s\nbefore:\n%s", err, b.String(), text)
	}
}

// TestWriteReadsBack: any zone, with names of any octets, data that fits and
// data that does not, comes back as it was.
func TestWriteReadsBack(t *testing.T) {
	t.Parallel()
	label := rapid.OneOf(
		rapid.SampledFrom([]string{"a", "A", "*", "@", "$ORIGIN", "in", "300", "\x00", "\xff", "a.b", "a b", ";", "\"", "(", "\\", "example", "Test"}),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 1, 10), func(b []byte) string { return string(b) }),
	)
	built := 0
	rapid.Check(t, func(t *rapid.T) {
		name := func(below dns.Name) dns.Name {
			n := below
			for _, l := range rapid.SliceOfN(label, 0, 3).Draw(t, "labels") {
				if next, err := n.Prepend(l); err == nil {
					n = next
				}
			}
			return n
		}
		apex := name(dns.Root)
		ttl := rapid.SampledFrom([]uint32{0, 1, 300, 300, 300, dns.MaxTTL})
		b := NewBuilder(apex)
		add := func(rr dns.RR) {
			if rr.Class = dns.ClassIN; rr.Validate() == nil {
				b.Add(Record{RR: rr})
			}
		}
		add(dns.SOARR(apex, ttl.Draw(t, "ttl"), dns.SOA{MName: name(apex), RName: name(dns.Root), Serial: rapid.Uint32().Draw(t, "serial"), Expire: 86461}))
		add(dns.NameRR(apex, 300, dns.TypeNS, name(apex)))
		for range rapid.IntRange(0, 12).Draw(t, "records") {
			rr := dns.RR{Name: name(apex), TTL: ttl.Draw(t, "ttl"), Data: rapid.SliceOfN(rapid.Byte(), 0, 12).Draw(t, "data")}
			switch rapid.IntRange(0, 5).Draw(t, "kind") {
			case 0:
				rr.Type, rr.Data = dns.TypeA, []byte{192, 0, 2, 1}
			case 1:
				rr = dns.MXRR(rr.Name, rr.TTL, 10, name(apex))
			case 2:
				rr, _ = dns.TXTRR(rr.Name, rr.TTL, string(rr.Data))
			case 3:
				rr.Type = dns.Type(rapid.SampledFrom([]int{65280, 10, 257, 43, 44, 48, 50, 52, 260, 55}).Draw(t, "type"))
			case 4:
				rr = dns.NameRR(rr.Name, rr.TTL, dns.TypePTR, name(apex))
			case 5:
				rr.Type = dns.Type(1 + rapid.IntRange(0, 120).Draw(t, "type"))
			}
			if rr.Type != dns.TypeSOA && rr.Type != dns.TypeCNAME && rr.Type != dns.TypeDNAME {
				add(rr)
			}
		}
		z, _, err := b.Build()
		if err == nil {
			built++
			readsBack(t, z)
		}
	})
	if built == 0 {
		t.Error("no zone was built")
	}
}

// TestWriteWholeFiles: so do the files of the other tests.
func TestWriteWholeFiles(t *testing.T) {
	t.Parallel()
	for name, tt := range wholeFiles {
		z, _, err := Load(strings.NewReader(tt.in), ReadOptions{Origin: dns.MustParseName(tt.origin), File: name})
		if err != nil {
			t.Fatal(err)
		}
		readsBack(t, z)
		for line := range strings.Lines(written(t, z)) {
			if strings.TrimRight(line, " \n") != strings.TrimSuffix(line, "\n") {
				t.Errorf("%s: blanks at the end of %q", name, line)
			}
		}
	}
}

// full is a writer that has room for so many octets.
type full struct{ room int }

var errFull = errors.New("no space left")

func (f *full) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestWriteFails(t *testing.T) {
	t.Parallel()
	z := bigZone(t, 5000)
	size := len(written(t, z))
	if err := Write(&full{size}, z); err != nil {
		t.Error(err)
	}
	for _, room := range []int{0, size / 2, size - 1} {
		if err := Write(&full{room}, z); !errors.Is(err, errFull) || !strings.HasPrefix(err.Error(), "zone: write example.test.: ") {
			t.Errorf("room for %d of %d: %v", room, size, err)
		}
	}
}

// TestTTLOfMost: $TTL is the one that more than half of the records have.
func TestTTLOfMost(t *testing.T) {
	t.Parallel()
	for ttl, text := range map[int]string{
		5: "a 5 A 192.0.2.1\nb 5 A 192.0.2.1\nc 5 A 192.0.2.1\nd 6 A 192.0.2.1\n",
		6: "a 5 A 192.0.2.1\nb 6 A 192.0.2.1\nc 6 A 192.0.2.1\nd 6 A 192.0.2.1\ne 6 TXT x\n",
	} {
		z, _, err := Load(strings.NewReader("@ 1 SOA a b 1 2 3 4 5\n@ 5 NS ns\n"+text), ReadOptions{Origin: origin})
		if err != nil {
			t.Fatal(err)
		}
		if got := written(t, z); !strings.Contains(got, fmt.Sprintf("\n$TTL %d\n", ttl)) {
			t.Errorf("%d: %s", ttl, got)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	var text bytes.Buffer
	records := writeLarge(&text, 20_000)
	z, _, err := Load(&text, ReadOptions{Origin: origin})
	if err != nil {
		b.Fatal(err)
	}
	write := func() {
		if err := Write(&full{1 << 30}, z); err != nil {
			b.Fatal(err)
		}
	}
	allocations := testing.AllocsPerRun(1, write)
	for b.Loop() {
		write()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*records), "ns/record")
	b.ReportMetric(allocations/float64(records), "allocs/record")
}
