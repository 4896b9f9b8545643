// Package apptest starts whole instances, and what else an internet needs, on the hosts of an emulated one. It is for
// tests, and what a test of two domains has to say is the topology and who asks whom.
package apptest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns/dnsserver"
	"github.com/network-utopia/utopia/dns/dnsserver/dnsservertest"
	"github.com/network-utopia/utopia/host/emunet"
	"github.com/network-utopia/utopia/internal/app"
)

// Net makes an internet that ends with the test, after all that was started on it. Inside a bubble of testing/synctest
// it lives in the bubble's time.
func Net(t testing.TB, seed uint64) *emunet.Net {
	n := emunet.New(seed)
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// Site is what an instance is to serve.
type Site struct {
	Domain   string
	Settings string            // lines of utopia.toml after those about the domain, its addresses and ports
	Files    map[string]string // what stands in its folder, such as "www/index.html"; missing folders are made
}

// Start runs an instance on a host until the test ends: on the host's addresses, and on the standard ports. What it logs
// is shown where the test fails.
func Start(t testing.TB, h *emunet.Host, site Site) *app.App {
	t.Helper()
	var addresses []string
	for _, a := range h.Addrs() {
		addresses = append(addresses, fmt.Sprintf("%q", a))
	}
	dir := t.TempDir()
	put(t, dir, "utopia.toml", fmt.Sprintf("domain = %q\naddress = [%s]\nport-offset = 0\n%s\n",
		site.Domain, strings.Join(addresses, ", "), site.Settings))
	for name, content := range site.Files {
		put(t, dir, name, content)
	}
	if err := os.MkdirAll(filepath.Join(dir, "www"), 0o700); err != nil { // the default web root
		t.Fatal(err)
	}
	a, err := app.Open(context.Background(), app.Options{Dir: dir, Host: h, Version: "test", Log: t.Output()})
	if err != nil {
		t.Fatalf("%s: %v", site.Domain, err)
	}
	t.Cleanup(func() {
		if err := a.Close(context.Background()); err != nil {
			t.Errorf("%s: close: %v", site.Domain, err)
		}
	})
	if err := a.Start(context.Background()); err != nil {
		t.Fatalf("%s: %v", site.Domain, err)
	}
	return a
}

func put(t testing.TB, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if now := time.Now(); os.Chtimes(path, now, now) != nil { // the test's time, which may be a bubble's
		t.Fatal("the time of ", path)
	}
}

// ServeZone runs a name server on a host until the test ends, over UDP and TCP on port 53, with a zone, such as the root
// or a top-level domain, that a master file (RFC 1035 section 5) holds.
func ServeZone(t testing.TB, h *emunet.Host, origin, master string) {
	t.Helper()
	z := dnsservertest.Load(t, origin, master)
	dnsservertest.Serve(t, h, ":53", dnsserver.Options{Handler: dnsservertest.Zones(t, z)})
}

// Browser is an HTTP client on a host, whose connections end with the test.
func Browser(t testing.TB, h *emunet.Host) *http.Client {
	transport := &http.Transport{DialContext: h.Dial}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Get gives the body of what a URL has; anything but 200 is a failure of the test. The host of the URL is an address;
// name is the site that is meant, "" for the address itself.
func Get(t testing.TB, c *http.Client, url, name string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = name
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s of %s: %s, %v", url, name, response.Status, err)
	}
	return string(body)
}
