package dnsserver

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/transcript"
)

// web is a Server that answers over HTTPS alone.
func web(t *testing.T, opts Options) *Server {
	t.Helper()
	if opts.Handler == nil {
		opts.Handler = zoneHandler(t)
	}
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func encoded(query []byte) string {
	return "/dns-query?dns=" + base64.RawURLEncoding.EncodeToString(query)
}

func do(s *Server, method, target, kind string, body io.Reader) *http.Response {
	r := httptest.NewRequest(method, target, body)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

// TestHTTPS: both methods, over HTTP/1.1 and HTTP/2.
func TestHTTPS(t *testing.T) {
	t.Parallel()
	m := &counters{}
	inner := zoneHandler(t)
	var local, remote netip.AddrPort
	h := HandlerFunc(func(dst, query []byte, from Client) []byte {
		local, remote = from.Local, from.Remote
		if from.Transport != HTTPS || !from.Transport.Encrypted() || from.MaxUDP != 0 || from.Time.IsZero() {
			t.Errorf("%+v", from)
		}
		return inner.Respond(dst, query, from)
	})
	server := httptest.NewUnstartedServer(web(t, Options{Handler: h, Metrics: m}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	query := queryWire(t, 0, "big", dns.TypeA, nil)
	for _, method := range []string{"GET", "POST"} {
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+encoded(query), nil)
		if method == "POST" {
			request, err = http.NewRequestWithContext(t.Context(), method, server.URL+"/dns-query", bytes.NewReader(query))
			request.Header.Set("Content-Type", mediaType)
		}
		if err != nil {
			t.Fatal(err)
		}
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != 200 || response.ProtoMajor != 2 || response.Header.Get("Content-Type") != mediaType ||
			response.Header.Get("Cache-Control") != "max-age=300" || response.ContentLength != int64(len(body)) {
			t.Errorf("%s: %v, %v", method, response, err)
		}
		if got := parse(t, body); len(got.Answer) != 200 || got.Truncated {
			t.Errorf("%s: %s", method, dns.Summary(got))
		}
		if local.String() != strings.TrimPrefix(server.URL, "https://") || !remote.Addr().IsLoopback() || remote.Port() == 0 {
			t.Errorf("from %v to %v", remote, local)
		}
	}
	if got := m.seen(); got != "https NOERROR, https NOERROR" || m.in != 2*len(query) {
		t.Errorf("counted %s", got)
	}
}

func TestHTTPSRefusals(t *testing.T) {
	t.Parallel()
	m := &counters{}
	query := queryWire(t, 0, "www", dns.TypeA, nil)
	response := bytes.Clone(query)
	response[2] |= 0x80
	s := web(t, Options{Metrics: m, MaxQuery: 100})
	post := func(body []byte) io.Reader { return bytes.NewReader(body) }
	for name, c := range map[string]struct {
		method, target, kind string
		body                 io.Reader
		want                 int
	}{
		"GET at the limit":       {"GET", encoded(padded(t, 0, 100)), "", nil, 200},
		"GET past it":            {"GET", encoded(padded(t, 0, 101)), "", nil, 414},
		"HEAD":                   {"HEAD", encoded(query), "", nil, 200},
		"POST at the limit":      {"POST", "/", mediaType, post(padded(t, 0, 100)), 200},
		"POST past it":           {"POST", "/", mediaType, post(padded(t, 0, 101)), 413},
		"with a parameter":       {"POST", "/", "Application/DNS-Message; charset=x", post(query), 200},
		"past the web server's":  {"POST", "/", mediaType, iotest.ErrReader(&http.MaxBytesError{}), 413},
		"a body that breaks off": {"POST", "/", mediaType, iotest.ErrReader(io.ErrUnexpectedEOF), 400},
		"no type":                {"POST", "/", "", post(query), 415},
		"another type":           {"POST", "/", "text/html", post(query), 415},
		"a type that is none":    {"POST", "/", "a/b/c;;", post(query), 415},
		"PUT":                    {"PUT", "/", mediaType, post(query), 405},
		"no parameter":           {"GET", "/dns-query", "", nil, 400},
		"an empty one":           {"GET", "/dns-query?dns=", "", nil, 400},
		"padding":                {"GET", encoded(query) + "==", "", nil, 400},
		"not base64url":          {"GET", "/dns-query?dns=AAAA*", "", nil, 400},
		"no message":             {"GET", encoded([]byte("short")), "", nil, 400},
		"no body":                {"POST", "/", mediaType, post(nil), 400},
		"a response":             {"POST", "/", mediaType, post(response), 400},
		"a malformed query":      {"POST", "/", mediaType, post(query[:15]), 200},
	} {
		got := do(s, c.method, c.target, c.kind, c.body)
		text, _ := io.ReadAll(got.Body)
		if got.StatusCode != c.want || (c.want == 200) != (got.Header.Get("Content-Type") == mediaType) || len(text) == 0 {
			t.Errorf("%s: %d %v %q, want %d", name, got.StatusCode, got.Header, text, c.want)
		}
		if (c.want == 405) != (got.Header.Get("Allow") == "GET, HEAD, POST") {
			t.Errorf("%s: %v", name, got.Header)
		}
	}
	if m.count(RefusedHTTP) != 12 || m.count(RefusedShort) != 2 || m.count(RefusedResponse) != 1 || strings.Count(m.seen(), "https") != 5 {
		t.Errorf("counted %v, %s", m.refused, m.seen())
	}
}

func TestHTTPSHandlersThatFail(t *testing.T) {
	t.Parallel()
	m := &counters{}
	query := queryWire(t, 0, "www", dns.TypeA, nil)
	silent := HandlerFunc(func(dst, _ []byte, _ Client) []byte { return dst })
	if got := do(web(t, Options{Handler: silent, Metrics: m}), "GET", encoded(query), "", nil); got.StatusCode != 500 || m.count(RefusedSilent) != 1 {
		t.Errorf("silence: %d", got.StatusCode)
	}
	long := HandlerFunc(func(dst, _ []byte, _ Client) []byte { return append(dst, make([]byte, 65536)...) })
	got := do(web(t, Options{Handler: long}), "GET", encoded(query), "", nil)
	body, _ := io.ReadAll(got.Body)
	if parse(t, body).Rcode != dns.RcodeServFail || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("too long: %x %v", body, got.Header)
	}
	m = &counters{}
	s := web(t, Options{Metrics: m, Rate: budget(1)})
	for _, want := range []int{200, 429} {
		if got := do(s, "GET", encoded(query), "", nil); got.StatusCode != want || (got.Header.Get("Retry-After") == "1") != (want == 429) {
			t.Errorf("%v, want %d", got, want)
		}
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if got := do(s, "GET", encoded(query), "", nil); got.StatusCode != 503 {
		t.Errorf("after Shutdown: %d", got.StatusCode)
	}
	r, w := httptest.NewRequest("GET", encoded(query), nil), broken{httptest.NewRecorder()}
	m = &counters{}
	web(t, Options{Metrics: m}).ServeHTTP(w, r)
	if m.count(RefusedWrite) != 1 || m.seen() != "" {
		t.Errorf("a client that is gone: %v", m.refused)
	}
}

// broken is a connection that is gone.
type broken struct{ *httptest.ResponseRecorder }

func (broken) Write([]byte) (int, error) { return 0, errors.New("gone") }

// The exchange hangs under the request's own, and quiet clients leave no trace.
func TestHTTPSTranscript(t *testing.T) {
	t.Parallel()
	m, sink := &counters{}, &sink{level: transcript.Lines}
	recorder := transcript.New(transcript.Options{Sinks: []transcript.Sink{sink}})
	own := false
	s := web(t, Options{Metrics: m, Transcript: recorder, Rate: budget(1), Quiet: func(netip.AddrPort) bool { return own }})
	request := recorder.Begin(t.Context(), "web", "tls", netip.AddrPort{}, netip.AddrPort{})
	r := httptest.NewRequest("GET", encoded(queryWire(t, 0, "no", dns.TypeA, nil)), nil)
	r = r.WithContext(request.Context(r.Context()))
	s.ServeHTTP(httptest.NewRecorder(), r)
	own = true
	second := httptest.NewRecorder()
	s.ServeHTTP(second, r)
	if second.Code != 200 || len(m.refused) != 0 {
		t.Errorf("the quiet client: %d, counted %v", second.Code, m.refused)
	}
	if len(sink.records()) != 1 || m.seen() != "https NXDOMAIN" {
		t.Fatalf("%d exchanges, counted %s", len(sink.records()), m.seen())
	}
	rec := sink.records()[0]
	if rec.Network != "https" || rec.Service != "dns" || rec.Parent != request.Head().ID || len(rec.Entries) != 2 ||
		rec.Entries[0].Text != "query 0 no.example.test. IN A" || !strings.HasPrefix(rec.Entries[1].Text, "answer 0 NXDOMAIN") {
		t.Errorf("%+v", rec)
	}
}

// RFC 8484 section 5.1, RFC 2308 section 5.
func TestFreshness(t *testing.T) {
	t.Parallel()
	name := dns.MustParseName("example.test.")
	rr := func(text string) dns.RR {
		ttl, text, _ := strings.Cut(text, " ")
		seconds, err := strconv.ParseUint(ttl, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		kind, data, _ := strings.Cut(text, " ")
		typ, err := dns.ParseType(kind)
		if err != nil {
			t.Fatal(err)
		}
		wire, err := dns.ParseData(typ, data, name)
		if err != nil {
			t.Fatal(err)
		}
		return dns.RR{Name: name, Type: typ, Class: dns.ClassIN, TTL: uint32(seconds), Data: wire}
	}
	for i, c := range []struct {
		code              dns.Rcode
		answer, authority []string
		want              string
	}{
		{0, []string{"60 A 192.0.2.1", "30 A 192.0.2.2", "90 A 192.0.2.3"}, []string{"5 NS ns1"}, "max-age=30"},
		{0, []string{"0 A 192.0.2.1"}, nil, "max-age=0"},
		{0, []string{"4294967295 A 192.0.2.1"}, nil, "max-age=0"},
		{0, []string{"2147483647 A 192.0.2.1"}, nil, "max-age=2147483647"},
		{3, nil, []string{"100 SOA a b 1 2 3 4 40"}, "max-age=40"},
		{0, nil, []string{"20 SOA a b 1 2 3 4 40"}, "max-age=20"},
		{3, []string{"50 CNAME x"}, []string{"100 SOA a b 1 2 3 4 40"}, "max-age=40"},
		{0, nil, []string{"100 NS ns1"}, "no-store"},
		{0, nil, nil, "no-store"},
		{2, nil, []string{"100 SOA a b 1 2 3 4 40"}, "no-store"},
		{5, []string{"60 A 192.0.2.1"}, nil, "no-store"},
	} {
		m := &dns.Message{Header: dns.Header{Response: true, Rcode: c.code}}
		for _, text := range c.answer {
			m.Answer = append(m.Answer, rr(text))
		}
		for _, text := range c.authority {
			m.Authority = append(m.Authority, rr(text))
		}
		wire, err := m.Append(nil, dns.MaxMessageLen)
		if err != nil {
			t.Fatal(err)
		}
		if got := freshness(wire); got != c.want {
			t.Errorf("%d: %s, want %s", i, got, c.want)
		}
	}
	if got := freshness([]byte("no message")); got != "no-store" {
		t.Error(got)
	}
}

// FuzzHTTPS: whatever the parameter and the body are, there is an answer, and a
// DNS message where it says so.
func FuzzHTTPS(f *testing.F) {
	query := queryWire(f, 0, "www", dns.TypeA, nil)
	f.Add("GET", "dns="+base64.RawURLEncoding.EncodeToString(query), "", []byte(nil))
	f.Add("GET", "dns=%zz&dns", "", []byte(nil))
	f.Add("POST", "", mediaType, query)
	f.Add("POST", "", "application/dns-message;=", query[:13])
	s, err := New(Options{Handler: zoneHandler(f), MaxQuery: 512})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, params, kind string, body []byte) {
		r := httptest.NewRequest("GET", "/dns-query", bytes.NewReader(body))
		r.Method, r.URL.RawQuery = method, params
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		isMessage := w.Header().Get("Content-Type") == mediaType
		if isMessage != (w.Code == 200) || w.Code < 200 || w.Code >= 500 {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		if isMessage {
			parse(t, w.Body.Bytes())
		}
	})
}
