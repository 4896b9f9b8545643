package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/state/store"
)

func openStore(t testing.TB, dir string) *store.SQLite {
	t.Helper()
	s, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openAuthority(t testing.TB, ks store.Keys, domain string, addrs ...string) *Authority {
	t.Helper()
	opts := Options{Keys: ks, Domain: domain}
	for _, a := range addrs {
		opts.Addresses = append(opts.Addresses, netip.MustParseAddr(a))
	}
	a, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return a
}

// handshake connects a client to a server with a's configuration, and returns
// what the client says of it.
func handshake(a *Authority, client *tls.Config) (tls.ConnectionState, error) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	server := tls.Server(theirs, a.TLSConfig())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Handshake()
		theirs.Close()
	}()
	c := tls.Client(ours, client)
	err := c.Handshake()
	state := c.ConnectionState()
	ours.Close()
	<-done
	return state, err
}

func get(t *testing.T, a *Authority, server string) *x509.Certificate {
	t.Helper()
	c, err := a.GetCertificate(&tls.ClientHelloInfo{ServerName: server})
	if err != nil || c == nil {
		t.Fatalf("GetCertificate(%q) = %v, %v", server, c, err)
	}
	return c.Leaf
}

func TestHandshakes(t *testing.T) {
	t.Parallel()
	a := openAuthority(t, openStore(t, t.TempDir()).Keys(), "Example.test.", "192.0.2.7", "2001:db8::7")
	for _, name := range []string{
		"example.test", "EXAMPLE.test", "www.example.test", "WWW.Example.Test", "localhost", "127.0.0.1", "::1",
		"192.0.2.7", "2001:db8::7",
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			state, err := handshake(a, &tls.Config{RootCAs: a.RootPool(), ServerName: name, MaxVersion: version})
			if err != nil || state.Version != version {
				t.Errorf("%s: version %x, %v", name, state.Version, err)
			}
		}
	}
	// Names that are not ours get the alert that RFC 6066 has for it.
	for _, name := range []string{"example.com", "a.b.example.test", "xexample.test", "test", "www.localhost"} {
		_, err := handshake(a, &tls.Config{RootCAs: a.RootPool(), ServerName: name})
		var alert tls.AlertError
		if err == nil || !strings.Contains(err.Error(), "unrecognized name") || errors.As(err, &alert) {
			t.Errorf("%s: %v, want the alert unrecognized_name", name, err)
		}
	}
	if v := a.TLSConfig().MinVersion; v != tls.VersionTLS12 {
		t.Errorf("the least version is %x", v)
	}
	if _, err := handshake(a, &tls.Config{RootCAs: a.RootPool(), ServerName: "example.test", MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
	other := openAuthority(t, openStore(t, t.TempDir()).Keys(), "example.test")
	if _, err := handshake(a, &tls.Config{RootCAs: other.RootPool(), ServerName: "example.test"}); err == nil {
		t.Error("another root of the same domain accepts the certificate")
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	a := openAuthority(t, openStore(t, t.TempDir()).Keys(), "example.test")
	for name, want := range map[string]bool{
		"": true, "example.test": true, "example.test.": true, "WWW.EXAMPLE.TEST.": true, "localhost.": true,
		"LOCALHOST": true, "mail.example.test": true,
		".": false, ".example.test": false, "example.test..": false, "a.b.example.test": false, "com": false,
		"example.test.com": false, "aexample.test": false, "127.0.0.1": false, "*.example.com": false,
	} {
		if got := a.Covers(name); got != want {
			t.Errorf("Covers(%q) = %v", name, got)
		}
		c, err := a.GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		if (c != nil) != want || err != nil {
			t.Errorf("GetCertificate(%q) = %v, %v", name, c != nil, err)
		}
	}
}

func TestRoot(t *testing.T) {
	t.Parallel()
	a := openAuthority(t, openStore(t, t.TempDir()).Keys(), "example.test", "192.0.2.7")
	root, leaf := a.root.cert, get(t, a, "")
	if !root.IsCA || root.MaxPathLen != 0 || !root.MaxPathLenZero || !root.PermittedDNSDomainsCritical ||
		root.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("root: %+v", root)
	}
	if got := fmt.Sprint(root.PermittedDNSDomains, root.PermittedIPRanges); got !=
		"[example.test localhost] [127.0.0.0/8 ::1/128 192.0.2.7/32]" {
		t.Errorf("the root is for %s", got)
	}
	if leaf.IsCA || leaf.KeyUsage != x509.KeyUsageDigitalSignature || len(leaf.ExtKeyUsage) != 1 ||
		leaf.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth {
		t.Errorf("leaf: %+v", leaf)
	}
	if got := fmt.Sprint(leaf.DNSNames, leaf.IPAddresses); got !=
		"[example.test *.example.test localhost] [127.0.0.1 192.0.2.7 ::1]" {
		t.Errorf("the leaf is for %s", got)
	}
	if string(leaf.AuthorityKeyId) != string(root.SubjectKeyId) || len(leaf.SubjectKeyId) != 20 ||
		string(leaf.SubjectKeyId) == string(root.SubjectKeyId) {
		t.Errorf("key identifiers: %x under %x, root %x", leaf.SubjectKeyId, leaf.AuthorityKeyId, root.SubjectKeyId)
	}
	if root.SerialNumber.Cmp(leaf.SerialNumber) == 0 || root.SerialNumber.BitLen() < 64 || leaf.SerialNumber.Sign() <= 0 {
		t.Errorf("serial numbers %v, %v", root.SerialNumber, leaf.SerialNumber)
	}
	now := time.Now()
	for what, c := range map[string]*x509.Certificate{"root": root, "leaf": leaf} {
		if d := now.Sub(c.NotBefore); d < Backdate || d > Backdate+time.Minute {
			t.Errorf("the %s is backdated by %v", what, d)
		}
	}
	if d := leaf.NotAfter.Sub(now); d > LeafLifetime || d < LeafLifetime-time.Minute {
		t.Errorf("the leaf lives for %v", d)
	}
	if d := root.NotAfter.Sub(now); d > RootLifetime || d < RootLifetime-time.Minute {
		t.Errorf("the root lives for %v", d)
	}
	if p := string(a.RootPEM()); strings.Count(p, "BEGIN") != 1 || strings.Contains(p, "PRIVATE") {
		t.Errorf("RootPEM: %s", p)
	}
}

// Whoever trusts the root trusts it for nothing but the domain.
func TestConstraints(t *testing.T) {
	t.Parallel()
	a := openAuthority(t, openStore(t, t.TempDir()).Keys(), "example.test", "192.0.2.7")
	cases := []struct {
		name   string
		change func(c *x509.Certificate)
		ok     bool
	}{
		{"as it is", func(c *x509.Certificate) {}, true},
		{"a deeper name", func(c *x509.Certificate) { c.DNSNames = []string{"a.b.example.test"} }, true},
		{"another domain", func(c *x509.Certificate) { c.DNSNames = []string{"example.com"} }, false},
		{"one that ends alike", func(c *x509.Certificate) { c.DNSNames = []string{"xexample.test"} }, false},
		{"another beside ours", func(c *x509.Certificate) { c.DNSNames = []string{"example.test", "example.com"} }, false},
		{"the domain above", func(c *x509.Certificate) { c.DNSNames = []string{"test"} }, false},
		{"a loopback address", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 9, 9, 9)} }, true},
		{"another address", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 8)} }, false},
		{"another IPv6 address", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("::2")} }, false},
		{"mail of the domain", func(c *x509.Certificate) { c.EmailAddresses = []string{"a@example.test"} }, true},
		{"mail elsewhere", func(c *x509.Certificate) { c.EmailAddresses = []string{"a@example.com"} }, false},
		{"a URI elsewhere", func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "https", Host: "example.com"}} }, false},
		{"no name, to sign programs", func(c *x509.Certificate) {
			c.DNSNames, c.IPAddresses = nil, nil
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
		}, false},
	}
	for _, c := range cases {
		t1 := template(time.Now(), LeafLifetime)
		t1.DNSNames, t1.KeyUsage = []string{"example.test"}, x509.KeyUsageDigitalSignature
		t1.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		c.change(t1)
		p, err := sign(t1, a.root)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.cert.Verify(x509.VerifyOptions{Roots: a.RootPool(), KeyUsages: t1.ExtKeyUsage})
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// An authority under it is none.
	sub := template(time.Now(), LeafLifetime)
	sub.IsCA, sub.KeyUsage = true, x509.KeyUsageCertSign
	mid, err := sign(sub, a.root)
	if err != nil {
		t.Fatal(err)
	}
	end := template(time.Now(), LeafLifetime)
	end.DNSNames = []string{"example.test"}
	p, err := sign(end, mid)
	if err != nil {
		t.Fatal(err)
	}
	between := x509.NewCertPool()
	between.AddCert(mid.cert)
	if _, err := p.cert.Verify(x509.VerifyOptions{Roots: a.RootPool(), Intermediates: between}); err == nil {
		t.Error("an authority below the root is accepted")
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	ks := openStore(t, t.TempDir()).Keys()
	a := openAuthority(t, ks, "example.test", "192.0.2.7", "127.0.0.2")
	b := openAuthority(t, ks, "example.test", "127.0.0.2", "192.0.2.7", "192.0.2.7", "0.0.0.0", "::", "::ffff:192.0.2.7")
	if !get(t, a, "").Equal(get(t, b, "")) || string(a.RootPEM()) != string(b.RootPEM()) {
		t.Error("the second open made new certificates")
	}
	if len(b.Uncovered()) != 0 {
		t.Errorf("left out: %v", b.Uncovered())
	}
	// A stored certificate for other names is not taken.
	old := template(time.Now(), LeafLifetime)
	old.DNSNames, old.IPAddresses = []string{"example.test"}, get(t, a, "").IPAddresses
	p, err := sign(old, a.root)
	if err != nil {
		t.Fatal(err)
	}
	if err := ks.Put(t.Context(), p.key(kindLeaf, "example.test")); err != nil {
		t.Fatal(err)
	}
	if c := get(t, openAuthority(t, ks, "example.test", "192.0.2.7", "127.0.0.2"), ""); len(c.DNSNames) != 3 {
		t.Errorf("taken: a certificate for %v", c.DNSNames)
	}
	// Another domain in the same store has its own root.
	if c := openAuthority(t, ks, "another.test"); string(c.RootPEM()) == string(a.RootPEM()) {
		t.Error("two domains share a root")
	}
	// With another address the root stays, and a new certificate names what
	// the root allows.
	c := openAuthority(t, ks, "example.test", "127.0.0.3", "198.51.100.1")
	if string(c.RootPEM()) != string(a.RootPEM()) {
		t.Error("a new address made a new root")
	}
	if got := fmt.Sprint(get(t, c, "").IPAddresses, c.Uncovered()); got != "[127.0.0.1 127.0.0.3 ::1] [198.51.100.1]" {
		t.Errorf("addresses and those left out: %s", got)
	}
	if _, err := get(t, c, "").Verify(x509.VerifyOptions{Roots: a.RootPool(), DNSName: "127.0.0.3"}); err != nil {
		t.Error(err)
	}
	// A leaf that is damaged is made anew; a damaged root is an error, since a
	// new one would silently no longer be trusted.
	leaf := store.Key{Kind: kindLeaf, Name: "example.test", Certificate: []byte("x"), PrivateKey: []byte("x")}
	if err := ks.Put(t.Context(), leaf); err != nil {
		t.Fatal(err)
	}
	get(t, openAuthority(t, ks, "example.test"), "")
	leaf.Kind = kindRoot
	if err := ks.Put(t.Context(), leaf); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Keys: ks, Domain: "example.test"}); !errors.Is(err, errPair) {
		t.Errorf("Open with a damaged root: %v", err)
	}
}

// However many open at once, over however many connections, there is one root.
func TestOneRoot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stores := []*store.SQLite{openStore(t, dir), openStore(t, dir)}
	for round := range 5 {
		domain := fmt.Sprintf("d%d.test", round)
		roots := make([]string, 8)
		leaves := make([]*Authority, len(roots))
		var wg sync.WaitGroup
		for i := range roots {
			wg.Go(func() {
				a, err := Open(context.Background(), Options{Keys: stores[i%2].Keys(), Domain: domain})
				if err != nil {
					t.Errorf("Open: %v", err)
					return
				}
				roots[i], leaves[i] = string(a.RootPEM()), a
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		for i := range roots {
			if roots[i] != roots[0] {
				t.Fatalf("round %d: two roots", round)
			}
			if _, err := handshake(leaves[i], &tls.Config{RootCAs: leaves[0].RootPool(), ServerName: domain}); err != nil {
				t.Errorf("round %d: %v", round, err)
			}
		}
	}
}

func TestDomains(t *testing.T) {
	t.Parallel()
	ks := openStore(t, t.TempDir()).Keys()
	label := strings.Repeat("a", 63)
	long := label + "." + label + "." + label + "." + strings.Repeat("b", 61)
	for domain, ok := range map[string]bool{
		"a.test": true, "test": true, "xn--bcher-kva.test": true, label + ".test": true, long: true,
		"": false, ".": false, "a..test": false, "-a.test": false, "a-.test": false, label + "a.test": false,
		long + "b": false, "*.test": false, "a b.test": false, "bücher.test": false, "192.0.2.1": false, "::1": false,
		"a_b.test": false,
	} {
		a, err := Open(t.Context(), Options{Keys: ks, Domain: domain})
		if !ok {
			if !errors.Is(err, ErrDomain) {
				t.Errorf("Open(%q): %v", domain, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("Open(%q): %v", domain, err)
			continue
		}
		if _, err := handshake(a, &tls.Config{RootCAs: a.RootPool(), ServerName: domain}); err != nil {
			t.Errorf("handshake with %q: %v", domain, err)
		}
		for _, c := range []*x509.Certificate{a.root.cert, get(t, a, "")} {
			if n := len(c.Subject.CommonName); n > 64 { // ub-common-name
				t.Errorf("%q: a common name of %d", domain, n)
			}
		}
	}
}

func TestMaxAddresses(t *testing.T) {
	t.Parallel()
	ks := openStore(t, t.TempDir()).Keys()
	opts := Options{Keys: ks, Domain: "a.test", MaxAddresses: 4, Addresses: []netip.Addr{
		netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), // two loopback ones come by themselves
	}}
	if _, err := Open(t.Context(), opts); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	opts.Addresses = append(opts.Addresses, netip.MustParseAddr("192.0.2.3"))
	if _, err := Open(t.Context(), opts); !errors.Is(err, ErrTooManyAddresses) {
		t.Errorf("one past it: %v", err)
	}
}

func TestKeysMatch(t *testing.T) {
	t.Parallel()
	a := openAuthority(t, openStore(t, t.TempDir()).Keys(), "a.test")
	c := a.leaf.Load().tls
	if !c.PrivateKey.(*ecdsa.PrivateKey).PublicKey.Equal(c.Leaf.PublicKey) {
		t.Error("the key is not the certificate's")
	}
}

func BenchmarkMake(b *testing.B) {
	ks := openStore(b, b.TempDir()).Keys()
	for i := 0; b.Loop(); i++ {
		openAuthority(b, ks, fmt.Sprintf("d%d.test", i))
	}
}

func BenchmarkGetCertificate(b *testing.B) {
	a := openAuthority(b, openStore(b, b.TempDir()).Keys(), "a.test")
	hello := &tls.ClientHelloInfo{ServerName: "www.a.test"}
	b.ReportAllocs()
	for b.Loop() {
		if c, err := a.GetCertificate(hello); c == nil || err != nil {
			b.Fatal(err)
		}
	}
}
