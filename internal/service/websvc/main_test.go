package websvc

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/testcert"
	"github.com/network-utopia/utopia/transcript"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const domain = "networkutopia.test"

var (
	osHost   = host.NewOS(host.OSOptions{})
	loopback = netip.MustParseAddr("127.0.0.1")
)

// newAuthority makes a certificate for the domain.
func newAuthority(t *testing.T) *testcert.Certificate {
	t.Helper()
	return testcert.New(t, domain, "www."+domain, "127.0.0.1")
}

// folder makes a site of files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func newService(t *testing.T, opts Options) *Service {
	t.Helper()
	if opts.Host == nil {
		opts.Host = osHost
	}
	if opts.Addresses == nil {
		opts.Addresses = []netip.Addr{loopback}
	}
	if opts.Domain == "" {
		opts.Domain = domain
	}
	if opts.Root == "" {
		opts.Root = folder(t, map[string]string{"index.html": "<p>home</p>", "a.txt": "hello"})
	}
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func start(t *testing.T, opts Options) *Service {
	t.Helper()
	s := newService(t, opts)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return s
}

func addressOf(t *testing.T, s *Service, protocol string) string {
	t.Helper()
	for _, e := range s.Endpoints() {
		if e.Protocol == protocol {
			return e.Address
		}
	}
	t.Fatalf("%s is not served", protocol)
	return ""
}

// client asks the service whatever the name in a URL, verifies its certificate, and speaks HTTP/2 over TLS.
func client(t *testing.T, s *Service, a *testcert.Certificate) *http.Client {
	t.Helper()
	transport := &http.Transport{
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(address)
			protocol := "HTTP"
			if port == "443" {
				protocol = "HTTPS"
			}
			return osHost.Dial(ctx, network, addressOf(t, s, protocol))
		},
	}
	if a != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: a.Roots}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// fetch gets a URL and returns the answer with its body read.
func fetch(t *testing.T, c *http.Client, url string, fields ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// wire is a bare connection to the service.
type wire struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func dial(t *testing.T, address string) *wire {
	t.Helper()
	conn, err := osHost.Dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &wire{conn, t, bufio.NewReader(conn)}
}

// closeWrite says that nothing more will come.
func (w *wire) closeWrite() {
	w.t.Helper()
	if tcp, ok := w.Conn.(interface{ CloseWrite() error }); !ok || tcp.CloseWrite() != nil {
		w.t.Fatal("not closed")
	}
}

func (w *wire) send(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		w.t.Fatal(err)
	}
}

// receive reads one answer to a GET.
func (w *wire) receive() (*http.Response, string) {
	w.t.Helper()
	response, err := http.ReadResponse(w.r, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		w.t.Fatal(err)
	}
	return response, string(body)
}

// closed wants the end of the connection, by FIN or reset.
func (w *wire) closed() {
	w.t.Helper()
	n, err := io.Copy(io.Discard, w.r)
	if n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Errorf("%d bytes and %v, want the end", n, err)
	}
}

func (w *wire) get(target string) (*http.Response, string) {
	w.t.Helper()
	w.send("GET " + target + " HTTP/1.1\r\nHost: " + domain + "\r\n\r\n")
	return w.receive()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func watched() (*transcript.Recorder, *transcript.Ring) {
	ring := transcript.NewRing(50, 1000)
	return transcript.New(transcript.Options{Sinks: []transcript.Sink{ring}}), ring
}

// meter counts by outcome.
type meter struct {
	mu       sync.Mutex
	counts   map[string]int
	received int
	sent     int
}

func (m *meter) Count(outcome string, received, sent int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil {
		m.counts = map[string]int{}
	}
	m.counts[outcome]++
	m.received += received
	m.sent += sent
}

func (m *meter) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.TrimPrefix(fmt.Sprint(m.counts), "map")
}

// doorman is a Guard with so many places, and so many requests.
type doorman struct {
	mu       sync.Mutex
	places   int
	requests int // -1 for no limit, -2 to panic
}

func (d *doorman) Admit(netip.Addr) (func(), error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.places == 0 {
		return nil, errors.New("full")
	}
	d.places--
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.places++
	}, nil
}

func (d *doorman) free() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.places
}

func (d *doorman) Allow(netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.requests {
	case -1:
		return true
	case -2:
		panic("broken")
	case 0:
		return false
	}
	d.requests--
	return true
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
