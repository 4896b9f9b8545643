package dnssvc

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/authority"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/host/emunet"
)

// heldKeys makes a key for each zone and keeps it; while failing is set it gives none.
type heldKeys struct {
	mu      sync.Mutex
	keys    map[dns.Name][]*dns.SigningKey
	failing error
}

func (h *heldKeys) Of(_ context.Context, zone dns.Name) ([]*dns.SigningKey, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failing != nil {
		return nil, h.failing
	}
	if h.keys[zone] == nil {
		k, err := dns.GenerateKey(zone, dns.ECDSAP256SHA256, dns.FlagZone|dns.FlagSEP)
		if err != nil {
			return nil, err
		}
		if h.keys == nil {
			h.keys = map[dns.Name][]*dns.SigningKey{}
		}
		h.keys[zone] = []*dns.SigningKey{k}
	}
	return h.keys[zone], nil
}

func (h *heldKeys) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failing = err
}

func signedOptions(signing Signing) (Options, *heldKeys) {
	keys := &heldKeys{}
	opts := options()
	opts.Keys, opts.Signing = keys, signing
	return opts, keys
}

// validated asks the service itself for a name and type with DO, checks all signatures of the answer, and gives it.
func validated(t *testing.T, s *Service, name string, kind dns.Type) *dns.Message {
	t.Helper()
	st := s.current.Load()
	q := dns.NewQuery(1, dns.MustParseName(name), kind)
	q.EDNS = &dns.EDNS{UDPSize: 1232, DO: true}
	r := authority.Answer(st.set, q)
	apex := st.set.Find(q.Question[0].Name)
	keys, ok := apex.Top().RRset(dns.TypeDNSKEY)
	if !ok {
		t.Fatalf("%s: the zone has no key", name)
	}
	key, err := dns.NewPublicKey(keys.Append(nil, apex.Apex())[0])
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, section := range [][]dns.RR{r.Answer, r.Authority} {
		for _, sig := range section {
			if sig.Type != dns.TypeRRSIG {
				continue
			}
			covered, _ := sig.RRSIG()
			var set []dns.RR
			for _, rr := range section {
				if rr.Type == covered.TypeCovered && rr.Name.Equal(sig.Name) {
					set = append(set, rr)
				}
			}
			if _, err := key.VerifySet(sig, set, time.Now()); err != nil {
				t.Errorf("%s %s at %s: %v", name, kind, time.Now(), err)
			}
			checked++
		}
	}
	if checked == 0 {
		t.Errorf("%s %s: no signatures", name, kind)
	}
	return r
}

func count(rrs []dns.RR, t dns.Type) int {
	n := 0
	for _, rr := range rrs {
		if rr.Type == t {
			n++
		}
	}
	return n
}

func TestSigned(t *testing.T) {
	t.Parallel()
	for signing, denial := range map[Signing]dns.Type{SignedNSEC: dns.TypeNSEC, SignedHashed: dns.TypeNSEC3} {
		opts, _ := signedOptions(signing)
		opts.Zones = []Zone{
			{Name: "sub.networkutopia.test", File: writeFile(t, t.TempDir(), "sub", serial(5)+"www A 192.0.2.3\n"), Signing: signing},
			{Name: "plain.test", File: writeFile(t, t.TempDir(), "plain", serial(5))},
		}
		s := newService(t, opts)
		for _, zone := range []string{"networkutopia.test.", "sub.networkutopia.test."} {
			if r := validated(t, s, "www."+zone, dns.TypeA); count(r.Answer, dns.TypeRRSIG) != 1 {
				t.Errorf("www.%s: %s", zone, dns.Summary(r))
			}
			if r := validated(t, s, "no."+zone, dns.TypeA); r.Rcode != dns.RcodeNXDomain || count(r.Authority, denial) == 0 {
				t.Errorf("no.%s: %s", zone, dns.Summary(r))
			}
			validated(t, s, zone, dns.TypeCDS)
		}
		if m := s.current.Load().find(dns.MustParseName("plain.test.")); m.zone.Signed() || !m.renew.IsZero() {
			t.Error("a zone is signed that should not be")
		}
		if got := s.current.Load().find(dns.MustParseName("sub.networkutopia.test.")).zone.SOA().Serial; got != 5 {
			t.Errorf("the first serial is %d, not the user's", got)
		}
	}
}

// TestPresigned: what the user has signed stays as it is.
func TestPresigned(t *testing.T) {
	t.Parallel()
	opts, _ := signedOptions(SignedNSEC)
	text := serial(5) + "@ RRSIG SOA 15 2 60 20300101000000 20200101000000 1 plain.test. AAAA\n"
	opts.Zones = []Zone{{Name: "plain.test", File: writeFile(t, t.TempDir(), "plain", text), Signing: SignedNSEC}}
	m := newService(t, opts).current.Load().find(dns.MustParseName("plain.test."))
	if m.failed != nil || m.zone != m.plain || !m.renew.IsZero() {
		t.Errorf("failed %v, renewed at %s", m.failed, m.renew)
	}
}

// TestReplaceSigned: without a change nothing is signed again; with one, the serial goes on from what was served.
func TestReplaceSigned(t *testing.T) {
	t.Parallel()
	opts, _ := signedOptions(SignedNSEC)
	dir := t.TempDir()
	file := func(text string) string { return writeFile(t, dir, "sub", text) }
	opts.Zones = []Zone{{Name: "sub.test", File: file(serial(5)), Signing: SignedNSEC}}
	s := newService(t, opts)
	sub, own := dns.MustParseName("sub.test."), dns.MustParseName("networkutopia.test.")
	served := func(name dns.Name) *zone.Zone { return s.current.Load().find(name).zone }
	replace := func() {
		t.Helper()
		opts.Before = s
		if !s.Replace(newService(t, opts)) {
			t.Fatal("not replaced")
		}
	}
	before, beforeOwn := served(sub), served(own)
	replace()
	if served(sub) != before || served(own) != beforeOwn {
		t.Error("signed again for nothing")
	}
	for i, tt := range []struct {
		text string
		want uint32
	}{
		{serial(5) + "a TXT 1\n", 6}, // changed without a word in the serial
		{serial(6) + "a TXT 2\n", 7}, // the user's has been given out
		{serial(9) + "a TXT 3\n", 9}, // the user's is ahead
		{serial(3) + "a TXT 3\n", 9}, // nothing but the user's serial is another
		{serial(3) + "a TXT 4\n", 10},
	} {
		file(tt.text)
		replace()
		if got := served(sub).SOA().Serial; got != tt.want {
			t.Errorf("step %d: serial %d, want %d", i, got, tt.want)
		}
		validated(t, s, "sub.test.", dns.TypeSOA)
		validated(t, s, "a.sub.test.", dns.TypeTXT)
	}
	opts.Zones[0].Signing = Unsigned
	replace()
	if served(sub).Signed() {
		t.Error("still signed")
	}
}

// TestNoKeys: without keys nothing is served at first, and what was served goes on later.
func TestNoKeys(t *testing.T) {
	t.Parallel()
	failure := errors.New("the store is gone")
	opts, keys := signedOptions(SignedNSEC)
	keys.fail(failure)
	if _, err := New(opts); !errors.Is(err, failure) {
		t.Errorf("started without keys: %v", err)
	}
	keys.fail(nil)
	s := newService(t, opts)
	before := s.current.Load().own().zone
	keys.fail(failure)
	opts.Records = []netip.Addr{netip.MustParseAddr("192.0.2.99")}
	opts.Before = s
	if !s.Replace(newService(t, opts)) {
		t.Fatal("not replaced")
	}
	if m := s.current.Load().own(); m.zone != before || !errors.Is(m.failed, failure) || m.renew.IsZero() {
		t.Errorf("failed %v, renewed at %s", m.failed, m.renew)
	}
	if f := s.Failed(); len(f) != 1 || !f[0].Kept {
		t.Errorf("Failed: %v", f)
	}
}

// TestRenewal lets two months pass. At every hour all that is served validates, and the serial goes up with the
// signatures; for four days the keys cannot be had, which nobody notices.
func TestRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := emunet.New(1)
		t.Cleanup(func() { _ = n.Close() })
		opts, keys := signedOptions(SignedHashed)
		opts.Host, opts.Addresses = n.Host("ns", "192.0.2.53"), []netip.Addr{netip.MustParseAddr("192.0.2.53")}
		var log strings.Builder
		opts.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		s := started(t, opts)
		first := s.current.Load().own().zone.SOA().Serial
		last, renewals := first, 0
		for hour := range 60 * 24 {
			time.Sleep(time.Hour)
			switch hour {
			case 32 * 24:
				keys.fail(errors.New("the store is gone"))
			case 36 * 24:
				keys.fail(nil)
			}
			for _, q := range []string{"www", "ns1", "no", "mail"} {
				validated(t, s, q+".networkutopia.test.", dns.TypeA)
			}
			validated(t, s, "networkutopia.test.", dns.TypeDNSKEY)
			serial := s.current.Load().own().zone.SOA().Serial
			if serial != last && !zone.SerialAfter(serial, last) {
				t.Fatalf("serial %d after %d", serial, last)
			}
			if serial != last {
				renewals++
			}
			last = serial
		}
		if renewals < 8 || renewals > 60*24/2 {
			t.Errorf("signed again %d times", renewals)
		}
		if text := log.String(); !strings.Contains(text, "signed again") || !strings.Contains(text, "the store is gone") {
			t.Errorf("the log says %s", text)
		}
		if s.current.Load().own().failed != nil {
			t.Error("not signed again once the keys were back")
		}
	})
}
