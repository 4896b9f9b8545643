package websvc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/leftout"
	"github.com/network-utopia/utopia/transcript"
)

func TestServes(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	m := &meter{}
	var mu sync.Mutex
	var served []Served
	s := start(t, Options{Certificates: a, Roots: a.Roots, Meter: m, Served: func(s Served) {
		mu.Lock()
		defer mu.Unlock()
		served = append(served, s)
	}})
	c := client(t, s, a)
	for url, proto := range map[string]string{
		"http://" + domain + "/a.txt":      "HTTP/1.1",
		"https://www." + domain + "/a.txt": "HTTP/2.0",
	} {
		response, body := fetch(t, c, url)
		if response.StatusCode != 200 || body != "hello" || response.Proto != proto {
			t.Errorf("%s: %s %q over %s", url, response.Status, body, response.Proto)
		}
		header := response.Header
		if header.Get("Server") != "Utopia" || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Date") == "" {
			t.Errorf("%s: %v", url, header)
		}
	}
	if response, _ := fetch(t, c, "http://"+domain+"/nothing"); response.StatusCode != 404 {
		t.Errorf("nothing: %s", response.Status)
	}
	eventually(t, "all counted", func() bool { return m.String() == "[200:2 404:1]" })
	mu.Lock()
	defer mu.Unlock()
	slices.SortFunc(served, func(a, b Served) int { return a.Code - b.Code + strings.Compare(a.Protocol, b.Protocol) })
	if len(served) != 3 || served[1].Protocol != "HTTP/2.0" || !served[1].TLS || served[0].TLS || served[0].Sent != 5 ||
		served[0].Method != "GET" || served[2].Code != 404 || served[0].Took <= 0 {
		t.Errorf("%+v", served)
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Domain: "NetworkUtopia.test."})
	w := dial(t, addressOf(t, s, "HTTP"))
	for hostField, code := range map[string]int{
		"networkutopia.test":              200,
		"www.networkutopia.test":          200,
		"NETWORKUTOPIA.test":              200,
		"networkutopia.test:8080":         200,
		"networkutopia.test.":             200,
		"Www.NetworkUtopia.Test.:80":      200,
		"networkutopia.test:":             200,
		"localhost":                       200,
		"localhost:8080":                  200,
		"127.0.0.1":                       200,
		"127.0.0.1:8080":                  200,
		"192.0.2.1":                       200,
		"[::1]":                           200,
		"[::1]:8080":                      200,
		"[2001:db8::1]":                   200,
		"other.test":                      421,
		"mail.networkutopia.test":         421,
		"wwww.networkutopia.test":         421,
		"xnetworkutopia.test":             421,
		"networkutopia.test.evil":         421,
		"networkutopia.test..":            421,
		".networkutopia.test":             421,
		"localhost.evil.test":             421,
		"127.0.0.1.evil.test":             421,
		"networkutopia.test:80:80":        421,
		"networkutopia.test:x":            421,
		"networkutopia.test:999999":       421,
		"[::1":                            421,
		"[::1]x":                          421,
		"[127.0.0.1]":                     421,
		"::1":                             421,
		"evil.test,networkutopia.test":    421,
		"[networkutopia.test]":            421,
		"256.1.1.1":                       421,
		"127.1":                           421,
		strings.Repeat("x", 300) + ".com": 421,
	} {
		w.send("GET / HTTP/1.1\r\nHost: " + hostField + "\r\n\r\n")
		response, body := w.receive()
		if response.StatusCode != code {
			t.Errorf("%.40s is answered %d, want %d", hostField, response.StatusCode, code)
		}
		if code == 421 && !strings.Contains(body, "It serves networkutopia.test and www.networkutopia.test.") {
			t.Errorf("%s: %q", hostField, body)
		}
	}
	w.send("GET / HTTP/1.1\r\nHost: <b>x\r\n\r\n")
	if _, body := w.receive(); strings.Contains(body, "<b>") {
		t.Errorf("the page repeats %q", body)
	}
}

// FuzzHostName holds our reading of a Host field to the standard library's, and to what a name may be.
func FuzzHostName(f *testing.F) {
	for _, hostField := range []string{"networkutopia.test:8080", "[::1]:80", "[::1]", "www.networkutopia.test.", "a:b:c", "[x", ":", "."} {
		f.Add(hostField)
	}
	c := &site{opts: Options{Domain: domain}}
	f.Fuzz(func(t *testing.T, hostField string) {
		name := hostName(hostField)
		if c.ours(hostField) && hostField != "" {
			_, err := netip.ParseAddr(name)
			if err != nil && name != domain && name != "www."+domain && name != "localhost" {
				t.Errorf("%q is ours as %q", hostField, name)
			}
		}
		host, port, err := net.SplitHostPort(hostField)
		if err != nil || !isPort(":"+port) || name == hostField {
			return
		}
		if want := strings.ToLower(strings.TrimSuffix(host, ".")); name != want && name != host {
			t.Errorf("%q is read as %q, and as %q by package net", hostField, name, want)
		}
	})
}

func TestManyClients(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	m := &meter{}
	s := start(t, Options{Certificates: a, Meter: m, Guard: &doorman{places: 50, requests: -1}})
	shared := client(t, s, a) // one connection of HTTP/2, and some of HTTP/1.1
	var clients sync.WaitGroup
	for i := range 20 {
		url := "http://" + domain + "/a.txt"
		if i%2 == 0 {
			url = "https://" + domain + "/a.txt"
		}
		clients.Go(func() {
			for range 10 {
				response, err := shared.Get(url)
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(response.Body)
				if err := errors.Join(err, response.Body.Close()); err != nil || string(body) != "hello" {
					t.Errorf("%q, %v", body, err)
				}
			}
		})
	}
	clients.Wait()
	eventually(t, "all counted", func() bool { return m.String() == "[200:200]" })
}

func TestCheck(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	m := &meter{}
	recorder, ring := watched()
	s := newService(t, Options{Certificates: a, Roots: a.Roots, Meter: m, Transcript: recorder, Guard: &doorman{places: 9}})
	if err := s.Check(t.Context()); err == nil {
		t.Error("well before it runs")
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err == nil {
		t.Error("started twice")
	}
	for range 3 {
		if err := s.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// Certificates that nobody can verify are found out, and so is a server that is another's.
	if !s.Replace(newService(t, Options{Certificates: a, Roots: newAuthority(t).Roots, Guard: &doorman{places: 9}, Meter: m})) {
		t.Fatal("not replaced")
	}
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "HTTPS at") || strings.Contains(err.Error(), "HTTP at") {
		t.Errorf("a certificate of another authority: %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(ring.Recent(9)); n != 0 || m.String() != "[]" {
		t.Errorf("%d exchanges recorded, %v counted", n, m)
	}
	if err := s.Check(t.Context()); err == nil {
		t.Error("well after it was stopped")
	}
}

func TestCheckOfAnswers(t *testing.T) {
	t.Parallel()
	for answer, well := range map[string]bool{
		"HTTP/1.1 200 OK\r\nServer: Utopia\r\n\r\n":        true,
		"HTTP/1.1 404 Not Found\r\nServer: Utopia\r\n\r\n": true,
		"HTTP/1.1 500 Oh\r\nServer: Utopia\r\n\r\n":        false,
		"HTTP/1.1 200 OK\r\nServer: other\r\n\r\n":         false,
		"HTTP/1.1 200 OK\r\n\r\n":                          false,
		"220 mail\r\n":                                     false,
		"":                                                 false,
	} {
		ours, theirs := net.Pipe()
		var peer sync.WaitGroup
		peer.Go(func() {
			defer func() { _ = theirs.Close() }()
			_, _ = theirs.Read(make([]byte, 4096))
			_, _ = io.WriteString(theirs, answer)
		})
		if err := get(ours, domain); (err == nil) != well {
			t.Errorf("%q: %v", answer, err)
		}
		_ = ours.Close()
		peer.Wait()
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := start(t, Options{Certificates: a, Root: folder(t, map[string]string{"a.txt": "old"})})
	w := dial(t, addressOf(t, s, "HTTP"))
	if _, body := w.get("/a.txt"); body != "old" {
		t.Errorf("before: %q", body)
	}
	before := s.current.Load()
	next := newService(t, Options{Certificates: a, Root: folder(t, map[string]string{"a.txt": "new"})})
	if !s.Replace(next) {
		t.Fatal("not replaced")
	}
	if _, body := w.get("/a.txt"); body != "new" { // on the connection that was open
		t.Errorf("after: %q", body)
	}
	eventually(t, "the old folder is let go of", func() bool { return before.users.Load() == 0 })
	if err := next.Stop(t.Context()); err != nil || s.current.Load().users.Load() != 1 {
		t.Errorf("what was handed on is let go of: %v", err)
	}
	if s.Replace(next) || s.Replace(s) {
		t.Error("replaced by what has nothing left")
	}
	for name, other := range map[string]Options{
		"another port":      {Certificates: a, HTTPPort: 1},
		"another TLS port":  {Certificates: a, HTTPSPort: 1},
		"another address":   {Certificates: a, Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.2")}},
		"no certificates":   {},
		"another limit":     {Certificates: a, MaxHeaderBytes: 9999},
		"another idle time": {Certificates: a, IdleTimeout: time.Second},
	} {
		if s.Replace(newService(t, other)) {
			t.Errorf("replaced by one with %s", name)
		}
	}
}

// While settings are exchanged over and over, no request fails.
func TestReplaceUnderLoad(t *testing.T) {
	t.Parallel()
	roots := []string{folder(t, map[string]string{"a": "one"}), folder(t, map[string]string{"a": "two"})}
	s := start(t, Options{Root: roots[0]})
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 3 {
		w := dial(t, addressOf(t, s, "HTTP"))
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if response, body := w.get("/a"); response.StatusCode != 200 || body != "one" && body != "two" {
					t.Errorf("%s %q", response.Status, body)
					return
				}
			}
		})
	}
	for i := range 100 {
		if !s.Replace(newService(t, Options{Root: roots[i%2]})) {
			t.Fatal("not replaced")
		}
	}
	close(stop)
	clients.Wait()
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	taken, err := osHost.Listen(t.Context(), "tcp", "127.0.0.5:0")
	if err != nil {
		leftout.Because(t, "127.0.0.5 is not to be had: %v", err)
	}
	defer func() { _ = taken.Close() }()
	port := uint16(taken.Addr().(*net.TCPAddr).Port)
	a := newAuthority(t)
	s := newService(t, Options{
		Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.6"), netip.MustParseAddr("127.0.0.5")}, HTTPPort: port,
		Certificates: a, Roots: a.Roots,
	})
	err = s.Start(t.Context())
	var op *net.OpError
	if !errors.Is(err, syscall.EADDRINUSE) || !errors.As(err, &op) {
		t.Fatalf("Start: %v", err)
	}
	if conn, err := osHost.Dial(t.Context(), "tcp", fmt.Sprintf("127.0.0.6:%d", port)); err == nil {
		_ = conn.Close()
		t.Error("the first address is still listened on")
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStartAgain(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	for range 2 {
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.current.Load().users.Load(); n != 0 {
		t.Errorf("the folder is still held, by %d", n)
	}
}

func TestStopWithoutStart(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	for range 2 {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if n := s.current.Load().users.Load(); n != 0 {
		t.Errorf("the folder is still held, by %d", n)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	good := Options{Host: osHost, Addresses: []netip.Addr{loopback}, Domain: domain, Root: t.TempDir()}
	for name, change := range map[string]func(*Options){
		"no host":    func(o *Options) { o.Host = nil },
		"no address": func(o *Options) { o.Addresses = nil },
		"no domain":  func(o *Options) { o.Domain = "" },
	} {
		opts := good
		change(&opts)
		if _, err := New(opts); err == nil {
			t.Errorf("%s is fine", name)
		}
	}
	opts := good
	opts.Root = filepath.Join(opts.Root, "missing")
	if _, err := New(opts); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is missing: %v", err)
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	opts := Options{Addresses: []netip.Addr{loopback, netip.IPv6Loopback()}, HTTPPort: 8080, HTTPSPort: 8443}
	list := func(opts Options) string {
		var all []string
		for _, e := range newService(t, opts).Endpoints() {
			all = append(all, e.Protocol+" "+e.Network+" "+e.Address)
		}
		return strings.Join(all, ", ")
	}
	if got := list(opts); got != "HTTP tcp 127.0.0.1:8080, HTTP tcp [::1]:8080" {
		t.Error(got)
	}
	opts.Certificates = newAuthority(t)
	if got := list(opts); got != "HTTP tcp 127.0.0.1:8080, HTTPS tcp 127.0.0.1:8443, HTTP tcp [::1]:8080, HTTPS tcp [::1]:8443" {
		t.Error(got)
	}
}

func TestUnspecifiedAddress(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Addresses: []netip.Addr{netip.IPv4Unspecified()}})
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTranscript(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	recorder, ring := watched()
	s := start(t, Options{Certificates: a, Transcript: recorder})
	c := client(t, s, a)
	for _, url := range []string{"http://" + domain + "/a.txt?q", "https://" + domain + "/a.txt?q"} {
		fetch(t, c, url, "Authorization", "Basic c2VjcmV0", "Cookie", "id=secret", "Proxy-Authorization", "x secret", "X-Note", "shown")
	}
	eventually(t, "both are over", func() bool {
		records := ring.Recent(9)
		return len(records) == 2 && !records[0].End.IsZero() && !records[1].End.IsZero()
	})
	for i, want := range [][]string{
		{"< GET /a.txt?q HTTP/2.0", "> HTTP/2.0 200 OK", "tls"},
		{"< GET /a.txt?q HTTP/1.1", "> HTTP/1.1 200 OK", "tcp"},
	} {
		record := ring.Recent(9)[i]
		var lines []string
		for _, e := range record.Entries {
			lines = append(lines, e.Dir.String()+" "+e.Text)
		}
		all := strings.Join(lines, "\n")
		for _, line := range append(want[:2], "< Host: "+domain, "< Authorization: "+transcript.Redacted, "< Cookie: "+transcript.Redacted,
			"< Proxy-Authorization: "+transcript.Redacted, "< X-Note: shown", "> Content-Type: text/plain; charset=utf-8",
			"> Content-Length: 5", "> (200 OK, 5 bytes of body)") {
			if !slices.Contains(lines, line) {
				t.Errorf("%q is missing in\n%s", line, all)
			}
		}
		if strings.Contains(all, "ecret") {
			t.Errorf("a secret in\n%s", all)
		}
		if record.Network != want[2] || record.Service != "web" || !record.Local.IsValid() || !record.Remote.IsValid() {
			t.Errorf("head %+v", record.Head)
		}
		if tls := strings.Contains(all, "= TLS 1.3, TLS_"); tls != (want[2] == "tls") {
			t.Errorf("handshake in\n%s", all)
		}
	}
}

func TestSetCookieIsRedacted(t *testing.T) {
	t.Parallel()
	recorder, ring := watched()
	x := recorder.Begin(t.Context(), "web", "tcp", netip.AddrPort{}, netip.AddrPort{})
	recordHeader(x, "HTTP/1.1", 204, http.Header{"Set-Cookie": {"id=secret", "b=secret"}, "Date": {"now"}})
	if got := fmt.Sprint(ring.Recent(1)[0].Entries); strings.Contains(got, "secret") || strings.Count(got, transcript.Redacted) != 2 {
		t.Error(got)
	}
}

func TestRedirectToHTTPS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := start(t, Options{Certificates: a, RedirectToHTTPS: true})
	_, port, _ := net.SplitHostPort(addressOf(t, s, "HTTPS"))
	w := dial(t, addressOf(t, s, "HTTP"))
	for _, c := range []struct {
		method, target, host string
		code                 int
		location             string
	}{
		{"GET", "/a%20b?x=y", domain, 301, "https://" + domain + ":" + port + "/a%20b?x=y"},
		{"GET", "//evil.test/", "WWW." + domain + ":80", 301, "https://www." + domain + ":" + port + "//evil.test/"},
		{"GET", "/", "[::1]:1", 301, "https://[::1]:" + port + "/"},
		{"POST", "/", domain, 308, "https://" + domain + ":" + port + "/"},
		{"GET", "/", "evil.test", 421, ""},
	} {
		w.send(c.method + " " + c.target + " HTTP/1.1\r\nHost: " + c.host + "\r\n\r\n")
		response, _ := w.receive()
		if response.StatusCode != c.code || response.Header.Get("Location") != c.location {
			t.Errorf("%s %s at %s: %s to %q", c.method, c.target, c.host, response.Status, response.Header.Get("Location"))
		}
	}
	if response, body := fetch(t, client(t, s, a), "https://"+domain+"/a.txt"); response.StatusCode != 200 || body != "hello" {
		t.Errorf("%s %q", response.Status, body)
	}
	site := s.current.Load()
	for hostField, want := range map[string]string{domain: "https://" + domain + "/", "[::1]": "https://[::1]/", "": "https://" + domain + "/"} {
		w := &recorder{header: http.Header{}}
		r, err := http.NewRequestWithContext(context.Background(), "GET", "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = hostField
		site.redirect(&answer{ResponseWriter: w, control: http.NewResponseController(w)}, r, StandardHTTPSPort)
		if got := w.header.Get("Location"); got != want {
			t.Errorf("from %q to %q, want %q", hostField, got, want)
		}
	}
}

// recorder is a ResponseWriter without a connection.
type recorder struct {
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(int)             {}
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

func TestALoopThatEndsIsLogged(t *testing.T) {
	t.Parallel()
	log := &lockedBuffer{}
	s := start(t, Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	r := &running{}
	s.prepare(&r.server, &s.current.Load().opts)
	r.door.Max = func() int { return 1 }
	l, err := osHost.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.serve(s.current.Load().opts.Log, listener{l, "HTTP"})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r.serving.Wait()
	if !strings.Contains(log.String(), "no longer answers") {
		t.Errorf("logged %q", log)
	}
}

func TestPanicIsCaught(t *testing.T) {
	t.Parallel()
	m := &meter{}
	log := &lockedBuffer{}
	recorder, ring := watched()
	s := start(t, Options{
		Guard: &doorman{places: 9, requests: -2}, Meter: m, Log: slog.New(slog.NewTextHandler(log, nil)), Transcript: recorder,
	})
	w := dial(t, addressOf(t, s, "HTTP"))
	response, body := w.get("/")
	if response.StatusCode != 500 || !strings.Contains(body, "made a mistake") || strings.Contains(body, "broken") {
		t.Errorf("%s %q", response.Status, body)
	}
	w.closed()
	eventually(t, "counted and logged", func() bool {
		return m.String() == "[500:1 panic:1]" && strings.Contains(log.String(), "panic=broken")
	})
	if got := fmt.Sprint(ring.Recent(1)[0].Entries); !strings.Contains(got, "a fault of its own") {
		t.Error(got)
	}
}

func TestReplacedFolderIsSeen(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"www/a": "old", "new/a": "new"})
	s := start(t, Options{Root: filepath.Join(dir, "www")})
	w := dial(t, addressOf(t, s, "HTTP"))
	if _, body := w.get("/a"); body != "old" {
		t.Errorf("before: %q", body)
	}
	if err := errors.Join(os.Rename(filepath.Join(dir, "www"), filepath.Join(dir, "old")),
		os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "www"))); err != nil {
		t.Fatal(err)
	}
	if _, body := w.get("/a"); body != "new" {
		t.Errorf("after: %q", body)
	}
}
