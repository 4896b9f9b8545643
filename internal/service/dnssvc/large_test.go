package dnssvc

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/host/emunet"
)

// manyNames writes dyn.test. with so many names.
func manyNames(t testing.TB, path string, names int, more ...string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprint(w, dynFile)
	for i := range names {
		fmt.Fprintf(w, "h%07d A 192.0.2.%d\n", i, i%250)
	}
	fmt.Fprintln(w, strings.Join(more, "\n"))
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLargeSigned: an update, and a reload of a file with one record more, sign what has changed of a zone, and nothing else.
func TestLargeSigned(t *testing.T) {
	t.Parallel()
	for _, signing := range []Signing{SignedNSEC, SignedHashed} {
		opts, path := dynamic(t, t.TempDir())
		opts.Keys = &heldKeys{}
		opts.Zones[0].Signing = signing
		manyNames(t, path, 2000)
		s := started(t, opts)
		find := func() *made { return s.current.Load().find(dynApex) }
		wants := func(what string, before *made) {
			t.Helper()
			now := find()
			if n := now.last.Made + now.last.Kept; n > 20 || now.zone == before.zone {
				t.Errorf("%s: %d signatures were looked at", what, n)
			}
			validated(t, s, "new.dyn.test.", dns.TypeTXT)
			validated(t, s, "no.dyn.test.", dns.TypeTXT)
			if d, ok := now.past.Since(before.zone.SOA().Serial, now.zone.SOA().Serial); !ok || len(d.Added) > 12 {
				t.Errorf("%s: %d records are new, %v", what, len(d.Added), ok)
			}
		}
		before := find()
		if code, _ := send(t, s, "udp", message(addText(t, "new", "a")), &laptop); code != "NOERROR" {
			t.Fatal(code)
		}
		wants("an update", before)
		before = find()
		manyNames(t, path, 2000, "from-file TXT a")
		opts.Before = s
		if !s.Replace(newService(t, opts)) {
			t.Fatal("not replaced")
		}
		wants("a reload", before)
		before = find()
		opts.Before = s
		if !s.Replace(newService(t, opts)) || find().base != before.base || find().zone != before.zone {
			t.Error("a reload of what is the same makes another zone")
		}
	}
}

// TestRenewalInSteps: the signatures of a large zone are not renewed at once: so updates wait for a moment only, and
// secondaries are told step by step.
func TestRenewalInSteps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := emunet.New(1)
		t.Cleanup(func() { _ = n.Close() })
		opts, path := dynamic(t, t.TempDir())
		opts.Log = nil
		opts.Host, opts.Addresses = n.Host("ns", "192.0.2.53"), []netip.Addr{netip.MustParseAddr("192.0.2.53")}
		opts.Keys = &heldKeys{}
		opts.Zones[0].Signing = SignedNSEC
		manyNames(t, path, 3000)
		s := started(t, opts)
		find := func() *made { return s.current.Load().find(dynApex) }
		first, most := find().zone, 0
		time.Sleep(time.Until(find().renew) - time.Minute)
		last := find().zone
		for until := time.Now().Add(26 * time.Hour); time.Now().Before(until); time.Sleep(signNoSooner / 2) {
			if now := find().zone; now != last {
				most, last = max(most, len(zone.Between(last, now).Added)), now
			}
		}
		// A step has the SOA too, with its signature, and those of one name more.
		made, steps := len(zone.Between(first, last).Added), find().past.Len()
		if most < 100 || most > zone.DefaultRenewals+5 || made < 6000 || steps < made/zone.DefaultRenewals {
			t.Errorf("%d records came in %d steps of at most %d", made, steps, most)
		}
		if _, ok := find().past.Since(first.SOA().Serial, find().zone.SOA().Serial); !ok {
			t.Error("a secondary of before has to fetch the whole zone")
		}
		validated(t, s, "h0002999.dyn.test.", dns.TypeA)
	})
}

// BenchmarkUpdateMillion confirms updates of a signed zone of a million names, one after the other. To see the time
// without that of the disk, give a TMPDIR in memory.
func BenchmarkUpdateMillion(b *testing.B) {
	for _, signing := range []Signing{SignedNSEC, SignedHashed} {
		opts := options()
		path := filepath.Join(b.TempDir(), "dyn.zone")
		manyNames(b, path, 1_000_000)
		opts.TSIG = []dns.TSIGKey{laptop}
		opts.Keep, opts.Keys = keepIn(b, b.TempDir()), &heldKeys{}
		opts.Zones = []Zone{{Name: "dyn.test", File: path, Signing: signing, Policy: Policy{
			Update: []Grant{{Key: laptop.Name, Grant: zone.Grant{Name: dynApex, Below: true}}},
		}}}
		s := started(b, opts)
		waitSaved(b, s)
		b.Run(fmt.Sprint(map[Signing]string{SignedNSEC: "NSEC", SignedHashed: "NSEC3"}[signing]), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if m := s.update(message(addText(b, fmt.Sprintf("h%07dx", i*7919%1_000_000), "a")), laptop.Name); m.Rcode != dns.RcodeSuccess {
					b.Fatal(m.Rcode)
				}
			}
		})
		b.Run(fmt.Sprint(map[Signing]string{SignedNSEC: "NSEC", SignedHashed: "NSEC3"}[signing], "/reload"), func(b *testing.B) {
			var held time.Duration // while updates of other zones wait
			for i := 0; b.Loop(); i++ {
				manyNames(b, path, 1_000_000, fmt.Sprintf("reload%d A 192.0.2.1", i))
				opts.Before = s
				next := newService(b, opts)
				start := time.Now()
				if !s.Replace(next) {
					b.Fatal("not replaced")
				}
				held += time.Since(start)
			}
			b.ReportMetric(held.Seconds()*1000/float64(b.N), "ms/held")
		})
	}
}

// BenchmarkRestartMillion starts a signed zone of a million names on what is kept of it.
func BenchmarkRestartMillion(b *testing.B) {
	for _, signing := range []Signing{SignedNSEC, SignedHashed} {
		dir, opts := b.TempDir(), options()
		path := filepath.Join(b.TempDir(), "dyn.zone")
		manyNames(b, path, 1_000_000)
		opts.Zones = []Zone{{Name: "dyn.test", File: path, Signing: signing}}
		opts.Keys = &heldKeys{}
		start := func() *Service {
			opts.Keep = keepIn(b, dir)
			s := newService(b, opts)
			if err := s.Start(b.Context()); err != nil {
				b.Fatal(err)
			}
			return s
		}
		stop := func(s *Service) {
			if err := s.Stop(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		first := time.Now()
		s := start()
		signed := time.Since(first)
		waitSaved(b, s)
		saved := time.Since(first) - signed
		serial := s.current.Load().find(dynApex).zone.SOA().Serial
		stop(s)
		b.Run(fmt.Sprint("NSEC3=", signing == SignedHashed), func(b *testing.B) {
			for b.Loop() {
				s := start()
				if m := s.current.Load().find(dynApex); m.zone.SOA().Serial != serial || m.last.Made > 0 {
					b.Fatal("serial", m.zone.SOA().Serial, "was", serial, "made", m.last.Made)
				}
				stop(s)
			}
			info, err := os.Stat(filepath.Join(dir, "dyn.test.signed"))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(signed.Seconds(), "s/first")
			b.ReportMetric(saved.Seconds(), "s/copy")
			b.ReportMetric(float64(info.Size())/1e6, "MB/copy")
		})
	}
}
