package certs

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/leftout"
)

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, path string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	return string(out), err
}

// OpenSSL accepts the chain for its names, and holds the root to its
// constraints.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	openssl := leftout.Without(t, "openssl")
	a := openAuthority(t, openStore(t, t.TempDir()).Keys(), "example.test", "192.0.2.7", "2001:db8::7")
	root := write(t, "root.pem", a.RootPEM())
	good := write(t, "good.pem", certPEM(t, a))
	verify := func(cert string, args ...string) (string, error) {
		return run(t, openssl, append(append([]string{"verify", "-x509_strict", "-CAfile", root, "-purpose", "sslserver"}, args...), cert)...)
	}
	for _, args := range [][]string{
		{"-verify_hostname", "example.test"}, {"-verify_hostname", "www.example.test"}, {"-verify_hostname", "localhost"},
		{"-verify_ip", "127.0.0.1"}, {"-verify_ip", "::1"}, {"-verify_ip", "192.0.2.7"}, {"-verify_ip", "2001:db8::7"},
	} {
		if out, err := verify(good, args...); err != nil {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
	for what, names := range map[string][]string{"a name elsewhere": {"example.com"}, "both": {"example.test", "example.com"}} {
		leaf := template(time.Now(), LeafLifetime)
		leaf.DNSNames = names
		p, err := sign(leaf, a.root)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := verify(write(t, "bad.pem", p.certPEM)); err == nil || !strings.Contains(out, "permitted subtree") {
			t.Errorf("%s: %v: %s", what, err, out)
		}
	}
	text, err := run(t, openssl, "x509", "-in", root, "-noout", "-text")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"Name Constraints: critical", "DNS:example.test", "IP:127.0.0.0/255.0.0.0", "IP:192.0.2.7/255.255.255.255",
		"CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "Basic Constraints: critical", "Key Usage: critical",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("the root lacks %q: %s", part, text)
		}
	}
}

// certPEM returns the certificate in use.
func certPEM(t *testing.T, a *Authority) []byte {
	t.Helper()
	k, err := a.opts.Keys.Get(t.Context(), kindLeaf, a.opts.Domain)
	if err != nil {
		t.Fatal(err)
	}
	return k.Certificate
}

// curl, told of the root, speaks with a server, by every name.
func TestCurl(t *testing.T) {
	t.Parallel()
	curl := leftout.Without(t, "curl")
	a := openAuthority(t, openStore(t, t.TempDir()).Keys(), "example.test", "127.0.0.2")
	root := write(t, "root.pem", a.RootPEM())
	listener, err := tls.Listen("tcp", "127.0.0.1:0", a.TLSConfig())
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "hello from ", r.TLS.ServerName)
		}),
		ErrorLog: log.New(io.Discard, "", 0),
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	defer func() { server.Close(); <-done }()
	port := netip.MustParseAddrPort(listener.Addr().String()).Port()
	get := func(host string) (string, error) {
		return run(t, curl, "-sS", "--noproxy", "*", "--cacert", root,
			"--resolve", fmt.Sprintf("%s:%d:127.0.0.1", host, port), fmt.Sprintf("https://%s:%d/", host, port))
	}
	for _, host := range []string{"example.test", "www.example.test", "localhost", "127.0.0.1"} {
		want := "hello from " + host
		if host == "127.0.0.1" {
			want = "hello from " // addresses are not named in the handshake
		}
		if out, err := get(host); err != nil || out != want {
			t.Errorf("%s: %q, %v", host, out, err)
		}
	}
	for _, host := range []string{"example.com", "a.b.example.test"} {
		if out, err := get(host); err == nil || !strings.Contains(out, "unrecognized name") {
			t.Errorf("%s: %q", host, out)
		}
	}
}
