package observe

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func metrics(t *testing.T, o *Observer) string {
	t.Helper()
	w := httptest.NewRecorder()
	o.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func TestMetrics(t *testing.T) {
	o := New(Options{Version: "1.2.3"})
	m := o.Meter("dns")
	m.Count("NOERROR", 40, 60)
	m.Add("NOERROR", 2, 80, 120)
	m.Count("NXDOMAIN", 40, 90)
	if o.Meter("dns") != m {
		t.Error("one service has two meters")
	}
	got := metrics(t, o)
	for _, want := range []string{
		`utopia_exchanges_total{outcome="NOERROR",service="dns"} 3`,
		`utopia_exchanges_total{outcome="NXDOMAIN",service="dns"} 1`,
		`utopia_bytes_total{direction="received",service="dns"} 160`,
		`utopia_bytes_total{direction="sent",service="dns"} 270`,
		`version="1.2.3"`,
		"process_resident_memory_bytes",
		"utopia_transcripts_passed_total 0",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if m.Total() != 4 {
		t.Errorf("total %d, want 4", m.Total())
	}
}

func TestOutcomesAreBounded(t *testing.T) {
	o := New(Options{})
	m := o.Meter("web")
	for i := range maxOutcomes + 5 {
		m.Count(fmt.Sprintf("code-%d", i), 0, 0)
	}
	m.Count("code-0", 0, 0)
	got := metrics(t, o)
	if n := strings.Count(got, "utopia_exchanges_total{"); n != maxOutcomes+1 {
		t.Errorf("%d series, want %d", n, maxOutcomes+1)
	}
	for _, want := range []string{
		`utopia_exchanges_total{outcome="other",service="web"} 5`, `utopia_exchanges_total{outcome="code-0",service="web"} 2`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{}).Meter("dns")
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
		if got := m.Rate(); got != 0 {
			t.Errorf("rate of a new meter %v", got)
		}
		for range 20 { // five a second for 20 s
			for range 5 {
				m.Count("ok", 1, 1)
			}
			time.Sleep(time.Second)
		}
		if got := m.Rate(); got != 5 {
			t.Errorf("steady rate %v, want 5", got)
		}
		time.Sleep(4 * time.Second)
		if got := m.Rate(); got != 3 {
			t.Errorf("rate four seconds after the last %v, want 3", got)
		}
		time.Sleep(6 * time.Second)
		if got := m.Rate(); got != 0 {
			t.Errorf("rate ten seconds after the last %v, want 0", got)
		}
		m.Count("ok", 1, 1)
		time.Sleep(365 * 24 * time.Hour)
		if got := m.Rate(); got != 0 {
			t.Errorf("rate after a year %v, want 0", got)
		}
	})
}

func TestRecorderWritesToTheRing(t *testing.T) {
	o := New(Options{RingSize: 2, RingPerSecond: 3})
	for range 4 {
		o.Recorder().Begin(context.Background(), "dns", "udp", netip.AddrPort{}, netip.AddrPort{}).End()
	}
	if n := len(o.Ring().Recent(10)); n != 2 {
		t.Errorf("%d exchanges in the ring, want 2", n)
	}
	if o.Ring().Passed() > 1 {
		t.Errorf("%d passed, want 1 at most", o.Ring().Passed())
	}
}

func TestConcurrentCounting(t *testing.T) {
	o := New(Options{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 500 {
				o.Meter("dns").Count(fmt.Sprint(i), 1, 1)
				o.Meter("dns").Rate()
			}
		})
	}
	wg.Wait()
	if got := o.Meter("dns").Total(); got != 2000 {
		t.Errorf("total %d, want 2000", got)
	}
}

func BenchmarkCount(b *testing.B) {
	m := New(Options{}).Meter("dns")
	b.ReportAllocs()
	for b.Loop() {
		m.Count("NOERROR", 40, 60)
	}
}
