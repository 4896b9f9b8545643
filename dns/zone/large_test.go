package zone

import (
	"fmt"
	"runtime"
	"testing"

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
