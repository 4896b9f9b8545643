package websvc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/listen"
	"github.com/network-utopia/utopia/internal/testcert"
)

// What goes over the wire when it is not as it should be. Of net/http's own answers only the code is fixed.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	address := addressOf(t, s, "HTTP")
	h := "Host: " + domain + "\r\n"
	for _, c := range []struct {
		request string
		codes   []int // one for each answer
		closes  bool
	}{
		{"GET /a.txt HTTP/1.1\r\n" + h + "\r\n", []int{200}, false},
		{"GET /a.txt HTTP/1.1\r\n" + h + "Connection: close\r\n\r\n", []int{200}, true},
		{"GET /a.txt HTTP/1.0\r\n\r\n", []int{200}, true}, // no Host: HTTP/1.0
		{"GET /a.txt HTTP/1.0\r\nHost: other.test\r\n\r\n", []int{421}, true},
		{"HEAD /a.txt HTTP/1.0\r\n\r\n", []int{200}, true},
		{"GET http://" + domain + "/a.txt HTTP/1.1\r\nHost: other.test\r\n\r\n", []int{200}, false}, // the target decides
		{"GET http://other.test/a.txt HTTP/1.1\r\n" + h + "\r\n", []int{421}, false},
		{"GET / HTTP/1.1\r\n\r\n", []int{400}, true},
		{"GET / HTTP/1.1\r\n" + h + "Host: other.test\r\n\r\n", []int{400}, true},
		{"GET / HTTP/1.1\r\n" + h + "Bad Field: x\r\n\r\n", []int{400}, true},
		{"GET / HTTP/1.1\r\n" + h + "X: a\x00b\r\n\r\n", []int{400}, true},
		{"GET / HTTP/2.0\r\n" + h + "\r\n", []int{505}, true},
		{"GET / HTTP/1.1\r\n" + h + "Transfer-Encoding: gzip\r\n\r\n", []int{501}, true},
		{"GET / HTTP/1.1\r\n" + h + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", []int{400}, true},
		{"GET / HTTP/1.1\r\n" + h + "Content-Length: -1\r\n\r\n", []int{400}, true},
		{"GET / HTTP/1.1\r\nHost: user@" + domain + "\r\n\r\n", []int{400}, true},
		{"\x16\x03\x01\x00\x05hello\r\n\r\n", []int{400}, true}, // TLS at the wrong door
		{"POST / HTTP/1.1\r\n" + h + "Content-Length: 3\r\n\r\nabc", []int{405}, false},
		{"CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n", []int{421}, false},
		{"OPTIONS * HTTP/1.1\r\n" + h + "\r\n", []int{200}, false}, // net/http's own
		{"GET /../etc/passwd HTTP/1.1\r\n" + h + "\r\n", []int{400}, false},
		// A body on GET is taken and left unread; the next request follows it.
		{"GET /a.txt HTTP/1.1\r\n" + h + "Content-Length: 3\r\n\r\nabcGET /a.txt HTTP/1.1\r\n" + h + "\r\n", []int{200, 200}, false},
		{"GET /a.txt HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /a.txt HTTP/1.1\r\n" + h + "\r\n",
			[]int{200, 200}, false},
		{"GET /a.txt HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\nx\r\n", []int{400}, true},
		// Pipelined.
		{strings.Repeat("GET /a.txt HTTP/1.1\r\n"+h+"\r\n", 5), []int{200, 200, 200, 200, 200}, false},
	} {
		w := dial(t, address)
		w.send(c.request)
		for _, code := range c.codes {
			response, err := http.ReadResponse(w.r, &http.Request{Method: strings.Fields(c.request)[0]})
			if err != nil {
				t.Errorf("%.70q: %v", c.request, err)
				break
			}
			if _, err := io.Copy(io.Discard, response.Body); err != nil {
				t.Errorf("%.70q: %v", c.request, err)
			}
			_ = response.Body.Close()
			if response.StatusCode != code {
				t.Errorf("%.70q is answered %d, want %d", c.request, response.StatusCode, code)
			}
		}
		if c.closes {
			w.closed()
		} else if response, _ := w.get("/a.txt"); response.StatusCode != 200 {
			t.Errorf("%.70q: then %s", c.request, response.Status)
		}
		_ = w.Close()
	}
}

func TestMaxHeaderBytes(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	request := func(size int) string {
		begin := "GET /a.txt HTTP/1.1\r\nHost: " + domain + "\r\nX: "
		return begin + strings.Repeat("x", size-len(begin)-4) + "\r\n\r\n"
	}
	w := dial(t, addressOf(t, s, "HTTP"))
	w.send(request(DefaultMaxHeaderBytes))
	if response, _ := w.receive(); response.StatusCode != 200 {
		t.Errorf("at the limit: %s", response.Status)
	}
	w = dial(t, addressOf(t, s, "HTTP"))
	w.send(request(DefaultMaxHeaderBytes + 1))
	if response, _ := w.receive(); response.StatusCode != 431 {
		t.Errorf("past the limit: %s", response.Status)
	}
	w.closed()
}

func TestMaxBody(t *testing.T) {
	t.Parallel()
	m := &meter{}
	s := start(t, Options{MaxBody: 1000, Meter: m})
	head := "GET /a.txt HTTP/1.1\r\nHost: " + domain + "\r\n"
	chunked := func(n int) string {
		return head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", n, strings.Repeat("x", n))
	}
	sized := func(n int) string {
		return head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", n, strings.Repeat("x", n))
	}
	for name, body := range map[string]func(int) string{"sized": sized, "chunked": chunked} {
		w := dial(t, addressOf(t, s, "HTTP"))
		w.send(body(1000))
		if response, _ := w.receive(); response.StatusCode != 200 {
			t.Errorf("%s, at the limit: %s", name, response.Status)
		}
		w.send(body(1001))
		response, page := w.receive()
		if response.StatusCode != 413 || !strings.Contains(page, "may have 1000 bytes") {
			t.Errorf("%s, past the limit: %s", name, response.Status)
		}
		w.closed()
	}
	// A client that waits to be asked for its body is not asked for one that is too large.
	w := dial(t, addressOf(t, s, "HTTP"))
	w.send(head + "Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n")
	if response, _ := w.receive(); response.StatusCode != 413 {
		t.Errorf("waiting: %s", response.Status)
	}
	eventually(t, "bytes are counted", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.received >= 2000
	})
}

func TestBodyTimeout(t *testing.T) {
	t.Parallel()
	s := start(t, Options{BodyTimeout: 50 * time.Millisecond})
	w := dial(t, addressOf(t, s, "HTTP"))
	w.send("GET /a.txt HTTP/1.1\r\nHost: " + domain + "\r\nContent-Length: 3\r\n\r\na")
	response, body := w.receive()
	if response.StatusCode != 400 || !strings.Contains(body, "did not arrive whole") {
		t.Errorf("%s %q", response.Status, body)
	}
	w.closed()
	// A body in time leaves no deadline behind on the connection.
	w = dial(t, addressOf(t, s, "HTTP"))
	w.send("GET /a.txt HTTP/1.1\r\nHost: " + domain + "\r\nContent-Length: 1\r\n\r\na")
	w.receive()
	time.Sleep(100 * time.Millisecond)
	if response, _ := w.get("/a.txt"); response.StatusCode != 200 {
		t.Error(response.Status)
	}
}

func TestReadHeaderTimeout(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := start(t, Options{ReadHeaderTimeout: 50 * time.Millisecond, Certificates: a})
	for _, begun := range []string{"", "GET / HTT", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "} {
		w := dial(t, addressOf(t, s, "HTTP"))
		w.send(begun)
		if got, err := io.ReadAll(w.r); err != nil || len(got) > 0 && !strings.HasPrefix(string(got), "HTTP/1.1 400 ") {
			t.Errorf("%q: %q, %v", begun, got, err)
		}
	}
	dial(t, addressOf(t, s, "HTTPS")).closed() // a handshake that does not begin
}

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	s := start(t, Options{IdleTimeout: 50 * time.Millisecond})
	w := dial(t, addressOf(t, s, "HTTP"))
	w.get("/a.txt")
	w.closed()
}

func TestMaxConns(t *testing.T) {
	t.Parallel()
	s := start(t, Options{MaxConns: 2})
	first, second := dial(t, addressOf(t, s, "HTTP")), dial(t, addressOf(t, s, "HTTP"))
	first.get("/a.txt")
	second.get("/a.txt")
	dial(t, addressOf(t, s, "HTTP")).closed()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "there is room again", func() bool {
		conn, err := osHost.Dial(t.Context(), "tcp", addressOf(t, s, "HTTP"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
		n, _ := conn.Read(make([]byte, 1))
		return n == 1
	})
}

// A place with the guard is given back however a connection ends: by HTTP/1.1, HTTP/2, or a failed handshake.
func TestGuard(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	d := &doorman{places: 1, requests: -1}
	s := start(t, Options{Guard: d, Certificates: a})
	released := func(after string) {
		t.Helper()
		eventually(t, "released after "+after, func() bool { return d.free() == 1 })
	}
	w := dial(t, addressOf(t, s, "HTTP"))
	w.get("/a.txt")
	dial(t, addressOf(t, s, "HTTP")).closed()
	dial(t, addressOf(t, s, "HTTPS")).closed()
	_ = w.Close()
	released("HTTP/1.1")
	c := client(t, s, a)
	if response, _ := fetch(t, c, "https://"+domain+"/a.txt"); response.Proto != "HTTP/2.0" {
		t.Error(response.Proto)
	}
	dial(t, addressOf(t, s, "HTTP")).closed()
	c.CloseIdleConnections()
	released("HTTP/2")
	w = dial(t, addressOf(t, s, "HTTPS"))
	w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if response, _ := w.receive(); response.StatusCode != 400 {
		t.Errorf("plain HTTP at the door of TLS: %s", response.Status)
	}
	released("no handshake")
}

func TestRate(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Guard: &doorman{places: 9, requests: 2}})
	w := dial(t, addressOf(t, s, "HTTP"))
	for _, code := range []int{200, 200, 429} {
		if response, _ := w.get("/a.txt"); response.StatusCode != code || (code == 429) != (response.Header.Get("Retry-After") == "1") {
			t.Errorf("%s, want %d", response.Status, code)
		}
	}
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("the service refuses itself: %v", err)
	}
}

// sparse makes a file of a size that no buffer between the two ends takes.
func sparse(t *testing.T, size int64) (dir string) {
	t.Helper()
	dir = t.TempDir()
	f, err := os.Create(filepath.Join(dir, "big.bin"))
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(0); at < size; at += 1 << 20 { // so that a piece out of place shows
		if _, err := fmt.Fprintf(io.NewOffsetWriter(f, at), "piece at %d", at); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// bigClients ask for the big file in each way in which a body leaves: by sendfile, over TLS, and over HTTP/2.
func bigClients(s *Service, a *testcert.Certificate) map[string]func(*testing.T) *http.Response {
	ask := func(url string, h2 bool) func(*testing.T) *http.Response {
		return func(t *testing.T) *http.Response {
			t.Helper()
			c := client(t, s, a)
			transport := c.Transport.(*http.Transport)
			transport.ForceAttemptHTTP2 = h2
			c.Timeout = 0
			response, err := c.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = response.Body.Close() })
			return response
		}
	}
	return map[string]func(*testing.T) *http.Response{
		"HTTP":   ask("http://"+domain+"/big.bin", false),
		"HTTPS":  ask("https://"+domain+"/big.bin", false),
		"HTTP/2": ask("https://"+domain+"/big.bin", true),
	}
}

const bigSize = 24 << 20

// A client that reads slowly gets all of a file, though it takes longer than the timeout.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	const timeout = time.Second
	dir := sparse(t, bigSize)
	s := start(t, Options{Root: dir, Certificates: a, WriteTimeout: timeout})
	file, err := os.ReadFile(filepath.Join(dir, "big.bin"))
	if err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256(file)
	for name, ask := range bigClients(s, a) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response := ask(t)
			got := sha256.New()
			var n int64
			for start := time.Now(); ; {
				m, err := io.CopyN(got, response.Body, 1<<20)
				if n += m; errors.Is(err, io.EOF) {
					if took := time.Since(start); took < timeout {
						t.Errorf("took only %v", took)
					}
					break
				}
				if err != nil {
					t.Fatalf("after %d bytes: %v", n, err)
				}
				time.Sleep(70 * time.Millisecond)
			}
			if n != bigSize || [32]byte(got.Sum(nil)) != want {
				t.Errorf("%d bytes, or others than were sent", n)
			}
		})
	}
}

// A client that stops reading is given up.
func TestDeafReader(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	served := make(chan Served, 9)
	recorder, ring := watched()
	s := start(t, Options{
		Root: sparse(t, bigSize), Certificates: a, WriteTimeout: 500 * time.Millisecond, Transcript: recorder,
		Served: func(s Served) { served <- s },
	})
	for name, ask := range bigClients(s, a) {
		ask(t)
		select {
		case got := <-served:
			if got.Sent >= bigSize {
				t.Errorf("%s: all was sent, to nobody", name)
			}
		case <-time.After(30 * time.Second): // crypto/tls tries for 5 s to say goodbye
			t.Fatalf("%s: never given up", name)
		}
		last := ring.Recent(1)[0].Entries
		if text := last[len(last)-1].Text; !strings.HasPrefix(text, "broken off: ") {
			t.Errorf("%s: noted %q", name, text)
		}
	}
}

func TestStopLetsRequestsEnd(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{Root: sparse(t, bigSize)})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	address := addressOf(t, s, "HTTP")
	busy, idle, fresh := dial(t, address), dial(t, address), dial(t, address)
	idle.get("/nothing")
	busy.send("GET /big.bin HTTP/1.1\r\nHost: " + domain + "\r\n\r\n")
	response, err := http.ReadResponse(busy.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the third connection is accepted", func() bool { return s.running.door.Open() == 3 })
	var stopped sync.WaitGroup
	stopped.Go(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	idle.closed()
	fresh.closed()
	n, err := io.Copy(io.Discard, response.Body)
	if err := errors.Join(err, response.Body.Close()); n != bigSize || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	begun := time.Now()
	stopped.Wait()
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("took %v more", took)
	}
	if _, err := osHost.Dial(t.Context(), "tcp", address); err == nil {
		t.Error("still accepts")
	}
}

func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := newService(t, Options{Root: sparse(t, bigSize), Certificates: a})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, ask := range bigClients(s, a) {
		ask(t) // and not read
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Stop: %v", err)
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	eventually(t, "the folder is let go of", func() bool { return s.current.Load().users.Load() == 0 })
}

// HTTP/2 ends a stream by its deadline even while nothing is written: between two writes there must be none.
func TestNoDeadlineBetweenWrites(t *testing.T) {
	t.Parallel()
	for streams, want := range map[bool]bool{true: true, false: false} {
		w := &deadlines{recorder: recorder{header: http.Header{}}}
		a := &answer{ResponseWriter: w, control: http.NewResponseController(w), timeout: time.Second, streams: streams}
		if n, err := a.Write(make([]byte, 2*pieceSize+1)); n != 2*pieceSize+1 || err != nil {
			t.Fatal(n, err)
		}
		if got := w.last.IsZero(); got != want || w.set < 3 {
			t.Errorf("streams %v: none is %v after %d", streams, got, w.set)
		}
	}
}

type deadlines struct {
	recorder
	last time.Time
	set  int
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.last = at
	d.set++
	return nil
}

// stalling is a connection that takes a part of what it is given and then times out, a few times over; what it has
// taken from the file and not sent is lost, as it is where the kernel cannot send a file itself.
type stalling struct {
	deadlines
	stalls, takes int
}

func (s *stalling) ReadFrom(src io.Reader) (int64, error) {
	if s.stalls == 0 {
		return io.Copy(&s.body, src)
	}
	s.stalls--
	n, err := io.CopyN(&s.body, src, int64(s.takes))
	if err == nil {
		_, _ = io.CopyN(io.Discard, src, 10)
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

func TestSendfileGoesOnAfterATimeout(t *testing.T) {
	t.Parallel()
	const size = 10 * pieceSize
	path := filepath.Join(sparse(t, size), "big.bin")
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for takes, whole := range map[int]bool{pieceSize: true, pieceSize - 1: false} { // at the limit, and one below it
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		w := &stalling{deadlines: deadlines{recorder: recorder{header: http.Header{}}}, stalls: 3, takes: takes}
		a := &answer{ResponseWriter: w, control: http.NewResponseController(w), timeout: time.Second, bare: true}
		n, err := io.CopyN(a, f, size)
		if got := err == nil; got != whole || n != a.sent || n != int64(w.body.Len()) {
			t.Errorf("taking %d: %d bytes, %v", takes, n, err)
		}
		if whole && !bytes.Equal(w.body.Bytes(), want) {
			t.Error("other bytes than the file's")
		}
		_ = f.Close()
	}
}

// The connection that net/http gets is the one that was accepted: sendfile needs a *net.TCPConn.
func TestConnectionsStayBare(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	defer func() { _ = s.Stop(context.Background()) }()
	l, err := osHost.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &listen.Door{Max: func() int { return 1 }}
	dial(t, l.Addr().String())
	conn, err := d.Listener(l).Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := conn.(*net.TCPConn); !ok {
		t.Errorf("a %T", conn)
	}
	var server http.Server
	s.prepare(&server, &s.current.Load().opts)
	if server.ConnContext(t.Context(), conn).Value(bareKey{}) == nil {
		t.Error("a TCP connection is not known as bare")
	}
	if server.ConnContext(t.Context(), tls.Server(conn, nil)).Value(bareKey{}) != nil {
		t.Error("a TLS connection counts as bare")
	}
	d.ConnState(conn, http.StateClosed)
	if err := errors.Join(conn.Close(), l.Close()); err != nil {
		t.Error(err)
	}
}
