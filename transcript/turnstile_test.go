package transcript

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestTurnstile: whatever becomes of exchanges, each is counted once, also where many are passed at once.
func TestTurnstile(t *testing.T) { synctest.Test(t, testTurnstile) } // where no second ends

func testTurnstile(t *testing.T) {
	ring := NewRing(10, 2) // takes two in a second
	r := New(Options{Sinks: []Sink{ring}})
	all, dns := NewTurnstile(""), NewTurnstile("dns")
	detachAll, detachDNS := r.Attach(all), r.Attach(dns)
	now := time.Now()
	for range 2 {
		if r.Watched("dns", now) {
			begin(r, "dns").End()
		}
	}
	begin(r, "web").End()
	for range 3 { // the ring has had its share, and nobody else wants any
		if r.Watched("dns", now) {
			t.Error("a turnstile wants exchanges")
		}
		r.Pass("dns", 40)
	}
	if all.Count() != 123 || dns.Count() != 122 {
		t.Errorf("counted %d and %d, want 123 and 122", all.Count(), dns.Count())
	}
	begin(r, "dns").End() // past the share
	if dns.Count() != 123 {
		t.Errorf("counted %d, want 123", dns.Count())
	}
	detachAll()
	detachDNS()
	begin(r, "dns").End()
	r.Pass("dns", 5)
	if dns.Count() != 123 || all.Count() != 124 {
		t.Errorf("counted %d and %d when they were detached", all.Count(), dns.Count())
	}
}
