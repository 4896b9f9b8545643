package dnssvc

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/state/zones"
)

// described gives what the service tells of one of its zones.
func described(t *testing.T, s *Service, name string) control.Zone {
	t.Helper()
	all, err := s.Zones(t.Context())
	for _, z := range all {
		if z.Name == name {
			return z
		}
	}
	t.Fatalf("no zone %s: %v, %v", name, all, err)
	return control.Zone{}
}

// TestWhatIsToldOfASecondary follows one from before its first transfer until it has run out, and over a restart.
func TestWhatIsToldOfASecondary(t *testing.T) {
	dir, kept := t.TempDir(), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var store *zones.Store
		p := newPair(t, dir, func(p *pair) {
			store = keepIn(t, kept)
			p.options.Keep = store
		})
		tell := func() control.Zone { return described(t, p.b, "dyn.test.") }
		if z := tell(); z.Role != "secondary" || z.State != "missing" || len(z.Primaries) != 1 || !z.Tried.IsZero() {
			t.Errorf("before the start: %+v", z)
		}
		p.start(p.b)
		time.Sleep(5 * time.Second)
		if z := tell(); z.State != "missing" || z.Tried.IsZero() || !strings.HasPrefix(z.Failure, "192.0.2.53:53: ") || !z.Refreshed.IsZero() || !z.Expires.IsZero() {
			t.Errorf("without its primary: %+v", z)
		}
		p.start(p.a)
		time.Sleep(time.Minute)
		z := tell()
		if z.State != "served" || z.Failure != "" || z.Refreshed.IsZero() || !z.Transferred.Equal(z.Refreshed) || z.Expires.Sub(z.Refreshed) != 24*time.Hour {
			t.Errorf("after the first transfer: %+v", z)
		}
		time.Sleep(2 * time.Hour)
		if again := tell(); !again.Transferred.Equal(z.Transferred) || !again.Refreshed.After(z.Refreshed) || !again.Expires.After(z.Expires) || !again.Tried.Equal(again.Refreshed) {
			t.Errorf("refreshed: %+v", again)
		}
		p.update("a")
		time.Sleep(time.Second)
		if again := tell(); again.Serial != 2 || !again.Transferred.After(z.Transferred) {
			t.Errorf("after a change: %+v", again)
		}
		next := p.options // a reload keeps what is known
		next.Before = p.b
		if !p.b.Replace(newService(t, next)) {
			t.Fatal("not replaced")
		}
		before := tell()
		if before.Refreshed.IsZero() || len(before.Primaries) != 1 {
			t.Errorf("after a reload: %+v", before)
		}
		p.stop(p.a)
		p.stop(p.b)
		p.b = newService(t, p.options)
		p.start(p.b)
		time.Sleep(25 * time.Hour)
		if z := tell(); z.State != "missing" || z.Failure == "" || !z.Expires.Equal(z.Refreshed.Add(24*time.Hour)) || before.Refreshed.Sub(z.Refreshed) >= time.Second || !z.Transferred.IsZero() {
			t.Errorf("run out: %+v", z)
		}
	})
}

func TestWhatIsToldOfSignatures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for signing, denial := range map[Signing]string{SignedNSEC: "NSEC", SignedHashed: "NSEC3"} {
			opts, _ := signedOptions(signing)
			s := newService(t, opts)
			z := described(t, s, fqdn(opts.Domain))
			if !z.Signed || z.Denial != denial || z.Resign.IsZero() || !z.SignedUntil.After(z.Resign) {
				t.Errorf("%s: %+v", denial, z)
			}
			if left := time.Until(z.SignedUntil); left < 12*24*time.Hour || left > 15*24*time.Hour {
				t.Errorf("%s: signatures hold for %v", denial, left)
			}
		}
		s := newService(t, options())
		if z := described(t, s, fqdn(options().Domain)); z.Signed || z.Denial != "" || !z.SignedUntil.IsZero() || !z.Resign.IsZero() {
			t.Errorf("not signed: %+v", z)
		}
	})
}
