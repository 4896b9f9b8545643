package dnsclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/testcert"
)

// certificate makes one for names and addresses that vouches for itself.
func certificate(t testing.TB, names ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	c := testcert.New(t, names...)
	return c.Leaf, c.Roots
}

// overTLSServer serves streams behind TLS.
func overTLSServer(t testing.TB, cert tls.Certificate, serve func(net.Conn, int)) *responder {
	return newResponder(t, func(datagram) { t.Error("asked over UDP") }, func(conn net.Conn, nth int) {
		serve(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"dot"}}), nth)
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t, "127.0.0.1", "ns1.example.test")
	other, otherPool := certificate(t, "ns2.example.test")
	right, wrong := overTLSServer(t, cert, truthful(t)), overTLSServer(t, other, truthful(t))
	for name, c := range map[string]struct {
		server *responder
		opts   TLS
		want   error
	}{
		"opportunistic":                  {right, TLS{}, nil},
		"opportunistic, of another name": {wrong, TLS{Name: "ns1.example.test"}, nil},
		"by address":                     {right, TLS{Verify: true, Roots: pool}, nil},
		"by name":                        {right, TLS{Verify: true, Roots: pool, Name: "ns1.example.test"}, nil},
		"of another name":                {right, TLS{Verify: true, Roots: pool, Name: "ns3.example.test"}, ErrCertificate},
		"of another address":             {wrong, TLS{Verify: true, Roots: otherPool}, ErrCertificate},
		"of another authority":           {wrong, TLS{Verify: true, Roots: pool, Name: "ns2.example.test"}, ErrCertificate},
	} {
		opts := patient()
		opts.TLS = &c.opts
		before := c.server.asks.Load()
		a, err := New(opts).Exchange(t.Context(), c.server.addr, testQuery())
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if c.want == nil && (a == nil || a.Network != "tls" || len(a.Message.Answer) != 1 || a.Server.String() != c.server.addr) {
			t.Errorf("%s: %+v", name, a)
		}
		if n := c.server.asks.Load() - before; n != 1 { // what is not to be trusted is not tried again
			t.Errorf("%s: %d connections", name, n)
		}
	}
}

// The client's own certificate goes to a server that asks for one.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	cert, _ := certificate(t, "127.0.0.1")
	mine, minePool := certificate(t, "client.example.test")
	r := newResponder(t, nil, func(conn net.Conn, nth int) {
		truthful(t)(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: minePool,
			ClientAuth: tls.RequireAndVerifyClientCert}), nth)
	})
	for _, given := range []bool{true, false} {
		opts := patient()
		opts.TLS, opts.Tries = &TLS{}, 1
		if given {
			opts.TLS.Certificates = []tls.Certificate{mine}
		}
		if _, err := New(opts).Exchange(t.Context(), r.addr, testQuery()); (err == nil) != given {
			t.Errorf("given %v: %v", given, err)
		}
	}
}

// Servers that do not speak TLS, or not to the end.
func TestNoTLS(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		serve func(net.Conn, int)
		want  error
	}{
		"plain":  {func(c net.Conn, _ int) { c.Write([]byte("220 hello\r\n")); io.Copy(io.Discard, c) }, ErrClosed},
		"closed": {func(net.Conn, int) {}, ErrClosed},
		"silent": {func(c net.Conn, _ int) { io.Copy(io.Discard, c) }, ErrTimeout},
	} {
		r := newResponder(t, nil, c.serve)
		opts := impatient()
		opts.TLS, opts.Timeout = &TLS{}, 300*time.Millisecond
		if _, err := New(opts).Exchange(t.Context(), r.addr, testQuery()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDefaultPorts(t *testing.T) {
	t.Parallel()
	for want, opts := range map[string]Options{
		"tcp 192.0.2.1:853": {TLS: &TLS{}},
		"tcp 192.0.2.1:443": {TLS: &TLS{}, HTTPS: &HTTPS{}, TCP: true},
		"tcp 192.0.2.1:53":  {TCP: true},
	} {
		var saw []string
		opts.Host, opts.Tries = failingHost{err: errors.New("none"), saw: &saw}, 1
		if _, err := New(opts).Exchange(t.Context(), "192.0.2.1", testQuery()); !errors.Is(err, ErrUnreachable) {
			t.Error(err)
		}
		if strings.Join(saw, ", ") != want {
			t.Errorf("dialled %q, want %q", saw, want)
		}
	}
}

// webServer serves HTTPS on loopback.
func webServer(t testing.TB, cert tls.Certificate, h http.HandlerFunc) (addr string) {
	t.Helper()
	l, err := host.NewOS(host.OSOptions{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}, ReadHeaderTimeout: time.Minute,
		ErrorLog: log.New(io.Discard, "", 0)}
	go s.ServeTLS(l, "", "")
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// answerWeb is an honest server of RFC 8484.
func answerWeb(t testing.TB, w http.ResponseWriter, r *http.Request) (question []byte) {
	if r.Method == http.MethodGet {
		question, _ = base64.RawURLEncoding.DecodeString(r.URL.Query().Get("dns"))
	} else {
		question, _ = io.ReadAll(r.Body)
	}
	w.Header().Set("Content-Type", "application/dns-message")
	w.Write(pack(t, answerTo(t, question)))
	return question
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t, "127.0.0.1", "dns.example.test")
	seen := make(chan string, 1)
	addr := webServer(t, cert, func(w http.ResponseWriter, r *http.Request) {
		question := answerWeb(t, w, r)
		seen <- strings.Join([]string{r.Method, r.Host, r.URL.Path, r.Proto, r.Header.Get("Content-Type"), r.Header.Get("Accept")}, " ")
		if h, _, err := dns.ParseHeader(question); err != nil || h.ID != 0 {
			t.Errorf("id %d, %v: no answer can be cached", h.ID, err)
		}
	})
	_, port, _ := net.SplitHostPort(addr)
	for want, opts := range map[string]*HTTPS{
		"POST " + addr + " /dns-query HTTP/2.0 application/dns-message application/dns-message": {TLS: TLS{Verify: true, Roots: pool}},
		"GET " + addr + " /dns-query HTTP/2.0  application/dns-message":                         {Get: true},
		"GET dns.example.test:" + port + " /a%20path HTTP/2.0  application/dns-message": {Get: true, Path: "/a%20path",
			TLS: TLS{Verify: true, Roots: pool, Name: "dns.example.test"}},
	} {
		o := patient()
		o.HTTPS = opts
		a, err := New(o).Exchange(t.Context(), addr, testQuery())
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		if got := <-seen; got != want || a.Network != "https" || len(a.Message.Answer) != 1 || a.Server.String() != addr {
			t.Errorf("%q, want %q: %+v", got, want, a)
		}
	}
	o := patient()
	o.HTTPS = &HTTPS{TLS: TLS{Verify: true, Roots: pool, Name: "other.example.test"}}
	if _, err := New(o).Exchange(t.Context(), addr, testQuery()); !errors.Is(err, ErrCertificate) {
		t.Errorf("another name: %v", err)
	}
}

// A server on the standard port is named without it, as browsers do.
func TestHTTPSNamesNoStandardPort(t *testing.T) {
	t.Parallel()
	o := patient()
	o.HTTPS = &HTTPS{}
	for server, want := range map[string]string{
		"dns.example.test": "dns.example.test", "dns.example.test:8443": "dns.example.test:8443", "2001:db8::1": "[2001:db8::1]",
	} {
		x := newExchange(New(o), server, testQuery())
		r, err := (&try{exchange: x, limited: t.Context()}).request([]byte("x"))
		if err != nil || r.URL.Host != want {
			t.Errorf("%s: %v, %v", server, r, err)
		}
	}
}

func TestHTTPSWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	cert, _ := certificate(t, "127.0.0.1")
	var asks atomic.Int32
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  error
	}{
		"404": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, ErrHTTP},
		"404 with an answer": {func(w http.ResponseWriter, r *http.Request) {
			question, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "application/dns-message")
			w.WriteHeader(404)
			w.Write(pack(t, answerTo(t, question)))
		}, ErrHTTP},
		"redirected": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, ErrHTTP},
		"a page": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Write([]byte("<html>"))
		}, ErrHTTP},
		"another question": {func(w http.ResponseWriter, r *http.Request) {
			question, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "application/dns-message; charset=none")
			w.Write(lies["wrong name"](t, question))
		}, ErrHTTP},
		"malformed": {func(w http.ResponseWriter, r *http.Request) {
			question, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "application/dns-message")
			w.Write(append(pack(t, answerTo(t, question)), 0))
		}, ErrMalformed},
		"too long": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/dns-message")
			w.Write(bytes.Repeat([]byte{0}, 70000))
		}, ErrTooLong},
		"a header without end": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 2*maxHeader))
			answerWeb(t, w, r)
		}, ErrClosed},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/dns-message")
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("x"))
			panic(http.ErrAbortHandler)
		}, ErrClosed},
		"silent": {func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
		}, ErrTimeout},
	} {
		asks.Store(0)
		addr := webServer(t, cert, func(w http.ResponseWriter, r *http.Request) { asks.Add(1); c.serve(w, r) })
		o := patient()
		o.HTTPS, o.Tries = &HTTPS{}, 1
		if c.want == ErrTimeout {
			o.Timeout = 200 * time.Millisecond
		}
		a, err := New(o).Exchange(t.Context(), addr, testQuery())
		if !errors.Is(err, c.want) || asks.Load() != 1 {
			t.Errorf("%s: %+v, %v, asked %d times", name, a, err, asks.Load())
		}
	}
}

func TestHTTPSInterrupted(t *testing.T) {
	t.Parallel()
	cert, _ := certificate(t, "127.0.0.1")
	ctx, cancel := context.WithCancel(t.Context())
	addr := webServer(t, cert, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	o := patient()
	o.HTTPS = &HTTPS{}
	if _, err := New(o).Exchange(ctx, addr, testQuery()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
