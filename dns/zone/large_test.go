package zone

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
)

// BenchmarkMillion makes a zone of a million names and tells its size.
func BenchmarkMillion(b *testing.B) {
	for b.Loop() {
		z := million(b)
		b.StopTimer()
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/float64(z.Len()), "octets/record")
		b.ReportMetric(float64(m.HeapObjects)/float64(z.Len()), "objects/record")
		b.StartTimer()
		runtime.KeepAlive(z)
	}
}

func million(tb testing.TB) *Zone {
	builder := NewBuilder(origin)
	builder.Add(Record{RR: rrOf(tb, "@ 1 SOA a. b. 1 2 3 4 5")})
	builder.Add(Record{RR: rrOf(tb, "@ 1 NS a.")})
	for i := range 1_000_000 {
		name, err := origin.Prepend(fmt.Sprintf("h%07d", i))
		if err != nil {
			tb.Fatal(err)
		}
		builder.Add(Record{RR: dns.RR{Name: name, Type: dns.TypeA, Class: dns.ClassIN, TTL: 300, Data: []byte{192, 0, byte(i >> 8), byte(i)}}})
	}
	z, _, err := builder.Build()
	if err != nil {
		tb.Fatal(err)
	}
	return z
}

// BenchmarkLookupMillion finds names of a zone of a million in no order.
func BenchmarkLookupMillion(b *testing.B) {
	z := million(b)
	names := make([]dns.Name, 4096)
	for i := range names {
		names[i], _ = origin.Prepend(fmt.Sprintf("h%07d", i*7919%1_000_000))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if z.Lookup(names[i%len(names)]).Kind != Exact {
			b.Fatal("not found")
		}
	}
}

// BenchmarkSignMillion changes one name of a signed zone of a million: the edit,
// the signatures, and the difference that goes to secondary servers. The zone is
// signed as a whole before, which takes a minute.
func BenchmarkSignMillion(b *testing.B) {
	z := million(b)
	k, err := dns.GenerateKey(origin, dns.ECDSAP256SHA256, csk)
	if err != nil {
		b.Fatal(err)
	}
	keys := []*dns.SigningKey{k}
	for name, p := range map[string]SignPolicy{"NSEC": {}, "NSEC3": {NSEC3: true}} {
		first := sign(b, z, nil, keys, p, signNow)
		b.Run(name+"/change", func(b *testing.B) {
			last, plain := first, z
			for i := 0; b.Loop(); i++ {
				e := plain.Edit()
				if err := e.Add(rrOf(b, fmt.Sprintf("h%07dx 60 A 192.0.2.1", i*7919%1_000_000))); err != nil {
					b.Fatal(err)
				}
				plain = e.Zone().WithSerial(plain.SOA().Serial + 1)
				next := follow(b, plain, last, keys, p, signNow)
				if d := Between(last.Zone, next.Zone); len(d.Added) < 5 {
					b.Fatal(d)
				}
				last = next
			}
		})
		b.Run(name+"/renewal", func(b *testing.B) { // all that is due in one hour, in steps
			steps, longest, due := 0, time.Duration(0), first.Next
			for b.Loop() {
				for s := first; !s.Next.After(due); steps++ {
					start := time.Now()
					if s, err = Renew(s, keys, p, due, DefaultRenewals); err != nil {
						b.Fatal(err)
					}
					longest = max(longest, time.Since(start))
				}
			}
			b.ReportMetric(float64(steps)/float64(b.N), "steps")
			b.ReportMetric(longest.Seconds()*1000, "ms/longest")
		})
		b.Run(name+"/whole", func(b *testing.B) { // every signature is there
			for b.Loop() {
				sign(b, z, first.Zone, keys, p, signNow)
			}
		})
	}
}
