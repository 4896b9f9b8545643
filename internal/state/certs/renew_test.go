package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/internal/state/store"
)

// verify checks a certificate as a client would, at the present time.
func verify(t *testing.T, a *Authority, c *x509.Certificate) {
	t.Helper()
	if _, err := c.Verify(x509.VerifyOptions{Roots: a.RootPool(), DNSName: "a.test"}); err != nil {
		t.Errorf("at %v: %v", time.Now(), err)
	}
}

// A certificate serves for two thirds of its life and is then renewed.
func TestRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := openStore(t, t.TempDir()).Keys()
		a := openAuthority(t, ks, "a.test")
		first := get(t, a, "a.test")
		time.Sleep(LeafLifetime - RenewBefore - time.Second)
		if c := get(t, a, "a.test"); !c.Equal(first) {
			t.Fatal("renewed too early")
		}
		time.Sleep(time.Second)
		second := get(t, a, "a.test")
		if second.Equal(first) {
			t.Fatal("not renewed when due")
		}
		verify(t, a, second)
		if left := time.Until(second.NotAfter); left != LeafLifetime {
			t.Errorf("the new one lives for %v", left)
		}
		if c := get(t, a, "a.test"); !c.Equal(second) {
			t.Error("renewed twice")
		}
		if c := get(t, openAuthority(t, ks, "a.test"), ""); !c.Equal(second) {
			t.Error("the renewed certificate was not stored")
		}
		// One that ended while nobody came is never handed out.
		time.Sleep(2 * LeafLifetime)
		third := get(t, a, "a.test")
		verify(t, a, third)
		// A stored one that is due is renewed at the next start.
		time.Sleep(LeafLifetime - RenewBefore)
		fourth := get(t, openAuthority(t, ks, "a.test"), "")
		if fourth.Equal(third) {
			t.Error("the start took a certificate that was due")
		}
		verify(t, a, fourth)
	})
}

// Many handshakes at the time of renewal make one certificate.
func TestRenewalIsDoneOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := openAuthority(t, openStore(t, t.TempDir()).Keys(), "a.test")
		for _, wait := range []time.Duration{LeafLifetime - RenewBefore, 2 * LeafLifetime} {
			time.Sleep(wait)
			var mu sync.Mutex
			seen := map[string]int{}
			var wg sync.WaitGroup
			before := get2(a).SerialNumber.String()
			for range 20 {
				wg.Go(func() {
					c, err := a.GetCertificate(&tls.ClientHelloInfo{})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					seen[c.Leaf.SerialNumber.String()]++
					mu.Unlock()
				})
			}
			wg.Wait()
			delete(seen, before) // still valid, it may be handed out meanwhile
			if len(seen) != 1 {
				t.Errorf("after %v: %d new certificates", wait, len(seen))
			}
			verify(t, a, get2(a))
		}
	})
}

// While somebody renews, a certificate that still serves is handed out at once;
// one that has ended is not, and the handshake waits.
func TestHandshakesDuringRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := openAuthority(t, openStore(t, t.TempDir()).Keys(), "a.test")
		time.Sleep(LeafLifetime - time.Second)
		a.renewing.Lock()
		verify(t, a, get(t, a, "")) // does not wait
		time.Sleep(2 * time.Second)
		got := make(chan *tls.Certificate, 1)
		go func() {
			c, _ := a.GetCertificate(&tls.ClientHelloInfo{})
			got <- c
		}()
		for range 1000 {
			runtime.Gosched()
		}
		if len(got) != 0 {
			t.Error("did not wait for the renewal")
		}
		a.renewing.Unlock()
		verify(t, a, (<-got).Leaf)
	})
}

// get2 returns the certificate in use without asking for it.
func get2(a *Authority) *x509.Certificate { return a.leaf.Load().tls.Leaf }

// A store that fails keeps no handshake from a fresh certificate, and is not
// asked again for each one.
func TestRenewalWithoutStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		st, err := store.Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		a, err := Open(t.Context(), Options{Keys: st.Keys(), Domain: "a.test", Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		st.Close()
		time.Sleep(LeafLifetime)
		for range 10 {
			verify(t, a, get(t, a, "a.test"))
		}
		if text := log.String(); strings.Count(text, "WARN") != 1 || strings.Contains(text, "PRIVATE") {
			t.Errorf("the log says %s", text)
		}
		// The next start makes another.
		verify(t, a, get(t, openAuthority(t, openStore(t, dir).Keys(), "a.test"), ""))
	})
}

// Near the end of the root certificates end with it, and are not renewed for
// nothing. Once it has ended, the next start makes a new root.
func TestEndOfRoot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := openStore(t, t.TempDir()).Keys()
		a := openAuthority(t, ks, "a.test")
		time.Sleep(RootLifetime - 10*24*time.Hour)
		last := get(t, a, "a.test")
		verify(t, a, last)
		if !last.NotAfter.Equal(a.root.cert.NotAfter) {
			t.Errorf("the certificate ends at %v, the root at %v", last.NotAfter, a.root.cert.NotAfter)
		}
		time.Sleep(24 * time.Hour)
		if c := get(t, a, "a.test"); !c.Equal(last) {
			t.Error("renewed though it could not live longer")
		}
		b := openAuthority(t, ks, "a.test")
		if string(b.RootPEM()) != string(a.RootPEM()) || !get(t, b, "").Equal(last) {
			t.Error("a start before the end of the root made something new")
		}
		time.Sleep(10 * 24 * time.Hour)
		roots := make([]*Authority, 6)
		var wg sync.WaitGroup
		for i := range roots {
			wg.Go(func() { roots[i] = openAuthority(t, ks, "a.test") })
		}
		wg.Wait()
		for _, r := range roots {
			if string(r.RootPEM()) == string(a.RootPEM()) || string(r.RootPEM()) != string(roots[0].RootPEM()) {
				t.Fatal("not one new root after the end of the old one")
			}
			verify(t, r, get(t, r, ""))
		}
	})
}
