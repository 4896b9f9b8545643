package websvc

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/testcert"
)

// mounted answers with what it was asked.
var mounted = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s %v", r.Method, r.URL.RequestURI(), body, err)
})

func withMount(a *testcert.Certificate) Options {
	opts := Options{Mounts: []Mount{{Path: "/query", Protocol: "DoX", Handler: mounted}}}
	if a != nil { // an interface that holds nil is not nil
		opts.Certificates, opts.Roots = a, a.Roots
	}
	return opts
}

func TestMounts(t *testing.T) {
	t.Parallel()
	a, m := newAuthority(t), &meter{}
	opts := withMount(a)
	opts.Meter, opts.MaxBody = m, 100
	s := start(t, opts)
	c := client(t, s, a)
	base := "https://" + domain
	if response, body := fetch(t, c, base+"/query?x=1"); body != "GET /query?x=1  <nil>" || response.Header.Get("Server") != serverName {
		t.Errorf("%v %q", response, body)
	}
	for target, want := range map[string]int{"/query/": 404, "/query/x": 404, "/Query": 404, "/a.txt": 200} { // the path alone
		if response, _ := fetch(t, c, base+target); response.StatusCode != want {
			t.Errorf("%s: %s", target, response.Status)
		}
	}
	for size, want := range map[int]int{100: 200, 101: 413} {
		response, err := c.Post(base+"/query", "x/y", strings.NewReader(strings.Repeat("b", size)))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("a body of %d bytes: %s", size, response.Status)
		}
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// Over HTTP a mount is not served, but led to where it is.
func TestMountsOverHTTP(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := start(t, withMount(a))
	_, port, _ := net.SplitHostPort(addressOf(t, s, "HTTPS"))
	for method, code := range map[string]int{"GET": 301, "POST": 308} {
		w := dial(t, addressOf(t, s, "HTTP"))
		w.send(method + " /query?x=1 HTTP/1.1\r\nHost: " + domain + "\r\n\r\n")
		response, _ := w.receive()
		if got := response.Header.Get("Location"); response.StatusCode != code || got != "https://"+domain+":"+port+"/query?x=1" {
			t.Errorf("%s: %s to %q", method, response.Status, got)
		}
	}
	alone := start(t, withMount(nil)) // no HTTPS, no mount
	if response, _ := dial(t, addressOf(t, alone, "HTTP")).get("/query"); response.StatusCode != 404 {
		t.Errorf("without HTTPS: %s", response.Status)
	}
	if e := alone.Endpoints(); len(e) != 1 {
		t.Errorf("%v", e)
	}
}

// What is spoken below HTTPS is among the endpoints, by the settings in force.
func TestMountsAmongTheEndpoints(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	opts := withMount(a)
	opts.HTTPSPort = 65123
	if e := newService(t, opts).Endpoints(); !slices.Contains(e, control.Endpoint{Protocol: "DoX", Network: "tcp", Address: "127.0.0.1:65123"}) || len(e) != 3 {
		t.Errorf("before Start: %v", e)
	}
	s := start(t, withMount(a))
	https := addressOf(t, s, "HTTPS")
	if got := addressOf(t, s, "DoX"); got != https || len(s.Endpoints()) != 3 {
		t.Errorf("%v", s.Endpoints())
	}
	without := withMount(a)
	without.Mounts = nil
	if !s.Replace(newService(t, without)) {
		t.Fatal("not replaced")
	}
	if e := s.Endpoints(); len(e) != 2 {
		t.Errorf("without mounts: %v", e)
	}
	if response, _ := fetch(t, client(t, s, a), "https://"+domain+"/query"); response.StatusCode != 404 {
		t.Errorf("without mounts: %s", response.Status)
	}
}
