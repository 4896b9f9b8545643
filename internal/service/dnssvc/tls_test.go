package dnssvc

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/testcert"
)

func withTLS(a *testcert.Certificate) Options {
	opts := options()
	opts.Certificates, opts.Roots = a, a.Roots
	return opts
}

// askTLS asks a started service for an address over TLS.
func askTLS(t *testing.T, s *Service, a *testcert.Certificate, domain string) (*mdns.Msg, error) {
	t.Helper()
	for _, e := range s.Endpoints() {
		if e.Protocol == "DoT" {
			c := &mdns.Client{Net: "tcp-tls", TLSConfig: &tls.Config{RootCAs: a.Roots, ServerName: domain}, Timeout: 5 * time.Second}
			q := new(mdns.Msg).SetQuestion("www."+domain+".", mdns.TypeA)
			q.SetEdns0(1232, false).IsEdns0().Option = []mdns.EDNS0{&mdns.EDNS0_PADDING{Padding: make([]byte, 10)}, &mdns.EDNS0_TCP_KEEPALIVE{Code: mdns.EDNS0TCPKEEPALIVE}}
			m, _, err := c.Exchange(q, e.Address)
			return m, err
		}
	}
	t.Fatal("no endpoint of DoT")
	return nil, nil
}

func TestTLS(t *testing.T) {
	t.Parallel()
	a := testcert.New(t, "networkutopia.test")
	s := started(t, withTLS(a))
	m, err := askTLS(t, s, a, "networkutopia.test")
	if err != nil || len(m.Answer) != 1 {
		t.Fatalf("%v, %v", m, err)
	}
	padded, kept := false, false
	for _, o := range m.IsEdns0().Option {
		_, isPadding := o.(*mdns.EDNS0_PADDING)
		_, isKeepalive := o.(*mdns.EDNS0_TCP_KEEPALIVE)
		padded, kept = padded || isPadding, kept || isKeepalive
	}
	if !padded || !kept {
		t.Errorf("padding %v, how long the connection may be idle %v: %v", padded, kept, m)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if e := s.Endpoints(); len(e) != 3 || e[2].Protocol != "DoT" || e[2].Network != "tcp" || e[2].Address == e[1].Address {
		t.Errorf("%v", e)
	}
}

func TestTLSEndpointsBeforeStart(t *testing.T) {
	t.Parallel()
	opts := withTLS(testcert.New(t, "networkutopia.test"))
	opts.TLSPort = 65002
	if e := newService(t, opts).Endpoints(); len(e) != 3 || e[2] != (control.Endpoint{Protocol: "DoT", Network: "tcp", Address: "127.0.0.1:65002"}) {
		t.Errorf("%v", e)
	}
}

// Check finds a certificate that clients would refuse, and sockets that are
// dead.
func TestCheckOverTLS(t *testing.T) {
	t.Parallel()
	a := testcert.New(t, "networkutopia.test")
	opts := withTLS(a)
	opts.Roots = testcert.New(t, "networkutopia.test").Roots
	s := started(t, opts)
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "DoT") || strings.Contains(err.Error(), "UDP") {
		t.Errorf("another root: %v", err)
	}
	opts = withTLS(a)
	opts.Roots = nil // not to be verified
	if s = started(t, opts); s.Check(t.Context()) != nil {
		t.Error(s.Check(t.Context()))
	}
	_ = s.secured.Listeners[0].Close()
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "DoT") {
		t.Errorf("a dead listener: %v", err)
	}
}

// A reload brings certificates for another domain, without closing sockets.
func TestReplaceOfCertificates(t *testing.T) {
	t.Parallel()
	first, second := testcert.New(t, "networkutopia.test"), testcert.New(t, "other.test")
	opts := withTLS(first)
	s := started(t, opts)
	next := opts
	next.Domain, next.Certificates, next.Roots = "other.test", second, second.Roots
	if !s.Replace(newService(t, next)) {
		t.Fatal("not replaced")
	}
	if m, err := askTLS(t, s, second, "other.test"); err != nil || len(m.Answer) != 1 {
		t.Errorf("%v, %v", m, err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Options){
		"no certificates": func(o *Options) { o.Certificates = nil },
		"another port":    func(o *Options) { o.TLSPort = 65003 },
	} {
		other := opts
		change(&other)
		if s.Replace(newService(t, other)) {
			t.Errorf("%s: replaced", name)
		}
	}
}

// Where the port for TLS is taken, nothing is served, and all sockets are closed
// again.
func TestTLSPortTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	free := started(t, options())
	opts := withTLS(testcert.New(t, "networkutopia.test"))
	opts.Port = netip.MustParseAddrPort(free.Endpoints()[0].Address).Port()
	opts.TLSPort = netip.MustParseAddrPort(l.Addr().String()).Port()
	if err := free.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := newService(t, opts)
	var op *net.OpError
	if err := s.Start(t.Context()); !errors.Is(err, syscall.EADDRINUSE) || !errors.As(err, &op) || op.Addr.String() != l.Addr().String() {
		t.Fatalf("%v", err)
	}
	l.Close()
	if err := s.Start(t.Context()); err != nil { // what was opened first is closed again
		t.Fatal(err)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestServeHTTP(t *testing.T) {
	t.Parallel()
	s := newService(t, options())
	ask := func() (int, []byte) {
		query, err := new(mdns.Msg).SetQuestion("www.networkutopia.test.", mdns.TypeA).Pack()
		if err != nil {
			t.Fatal(err)
		}
		r, w := httptest.NewRequest("POST", "/dns-query", bytes.NewReader(query)), httptest.NewRecorder()
		r.Header.Set("Content-Type", "application/dns-message")
		s.ServeHTTP(w, r)
		body, _ := io.ReadAll(w.Result().Body)
		return w.Code, body
	}
	if code, _ := ask(); code != 503 {
		t.Errorf("before Start: %d", code)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	code, body := ask()
	m := new(mdns.Msg)
	if err := m.Unpack(body); code != 200 || err != nil || len(m.Answer) != 1 {
		t.Errorf("%d, %v, %v", code, m, err)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if code, _ := ask(); code != 503 {
		t.Errorf("after Stop: %d", code)
	}
}
