package console

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/guard"
	"github.com/network-utopia/utopia/internal/supervise"
	"github.com/network-utopia/utopia/transcript"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

var (
	_ supervise.Service = (*Service)(nil)
	_ Guard             = (*guard.Guard)(nil)
	_ Logins            = (*guard.Guard)(nil)
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // pages show the machine's own time
	goleak.VerifyTestMain(m)
}

// fixture is a console that listens, and a browser.
type fixture struct {
	*Service
	t        *testing.T
	ring     *transcript.Ring
	recorder *transcript.Recorder
	browser  *http.Client
	base     string
}

var admins = map[string]string{"alice": "wonderland", "bob": "is no admin"}

func start(t *testing.T, change ...func(*Options)) *fixture {
	t.Helper()
	ring := transcript.NewRing(500, 1<<30)
	recorder := transcript.New(transcript.Options{Sinks: []transcript.Sink{ring}})
	opts := Options{
		Host: host.NewOS(host.OSOptions{}), Address: netip.MustParseAddrPort("127.0.0.1:0"),
		Domain: "networkutopia.test", Version: "1.2.3", Ring: ring, Recorder: recorder,
		StreamInterval: 10 * time.Millisecond,
		Status:         func(context.Context) (control.Status, error) { return sample(), nil },
		Authenticate: func(_ context.Context, name, password string) (bool, error) {
			if password != "wonderland" {
				return false, errors.New("wrong")
			}
			return admins[name] == password, nil
		},
	}
	for _, c := range change {
		c(&opts)
	}
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := &fixture{Service: s, t: t, ring: ring, recorder: recorder, base: "http://" + s.Endpoints()[0].Address}
	f.browser = f.newBrowser()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return f
}

// newBrowser returns a client with cookies that does not follow redirects.
func (f *fixture) newBrowser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.t.Fatal(err)
	}
	transport := &http.Transport{}
	f.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// reply is an answer, read whole.
type reply struct {
	status int
	header http.Header
	body   string
}

func (f *fixture) send(method, path, body string, headers ...string) reply {
	f.t.Helper()
	if !strings.HasPrefix(path, "http://") {
		path = f.base + path
	}
	request, err := http.NewRequestWithContext(f.t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
	}
	response, err := f.browser.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(content)}
}

func (f *fixture) get(path string, headers ...string) reply {
	f.t.Helper()
	return f.send(http.MethodGet, path, "", headers...)
}

func (f *fixture) post(path string, form url.Values, headers ...string) reply {
	f.t.Helper()
	return f.send(http.MethodPost, path, form.Encode(), headers...)
}

func (f *fixture) link() string {
	f.t.Helper()
	l, err := f.Link(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return l.URL
}

// enter opens a session by a one-time link.
func (f *fixture) enter() *fixture {
	f.t.Helper()
	if r := f.get(f.link()); r.status != http.StatusOK {
		f.t.Fatalf("the link gave status %d", r.status)
	}
	if !f.in() {
		f.t.Fatal("there is no session after the link was opened")
	}
	return f
}

func (f *fixture) in() bool {
	f.t.Helper()
	return f.get("/").status == http.StatusOK
}

var (
	local8053 = netip.MustParseAddrPort("127.0.0.1:8053")
	remote1   = netip.MustParseAddrPort("127.0.0.1:40001")
)

// say records an exchange of two lines.
func (f *fixture) say(service, question, answer string) transcript.ID {
	x := f.recorder.Begin(context.Background(), service, "udp", local8053, remote1)
	x.Line(transcript.Received, len(question), question)
	x.Line(transcript.Sent, len(answer), answer)
	x.End()
	return x.Head().ID
}

func sample() control.Status {
	began := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	return control.Status{
		Domain: "networkutopia.test", Started: began, Warnings: []string{"web.root is empty"},
		Services: []control.Service{
			{Name: "dns", State: "up", Traced: true, Since: began, Rate: 12.34, Total: 1234567, Endpoints: []control.Endpoint{
				{Protocol: "DNS", Network: "udp", Address: "127.0.0.1:8053"},
				{Protocol: "DNS", Network: "tcp", Address: "127.0.0.1:8053"},
			}},
			{Name: "web", State: "up", Traced: true, Since: began, Rate: 0.4, Total: 321, Endpoints: []control.Endpoint{
				{Protocol: "HTTP", Network: "tcp", Address: "0.0.0.0:8080"},
				{Protocol: "HTTPS", Network: "tcp", Address: "[::1]:8443"},
			}},
			{Name: "socket", State: "failed", Traced: true, Since: began, Error: "127.0.0.1:20000 is taken by nc (pid 42)", Hint: "stop it"},
			{Name: "ftp", State: "starting", Traced: true},
			{Name: "p2p", State: "stopped", Traced: true, Since: began},
			{Name: "console", State: "up", Since: began},
		},
	}
}

func TestOnlyLoopback(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"127.0.0.1:8800": true, "127.8.9.10:8800": true, "[::1]:8800": true,
		"0.0.0.0:8800": false, "[::]:8800": false, "192.0.2.1:8800": false, "[2001:db8::1]:8800": false,
	} {
		_, err := New(Options{Address: netip.MustParseAddrPort(address)})
		if (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := New(Options{}); err == nil {
		t.Error("a console without an address was made")
	}
}

func TestLife(t *testing.T) {
	t.Parallel()
	f := start(t)
	if e := f.Endpoints(); len(e) != 1 || e[0].Protocol != "HTTP" || e[0].Network != "tcp" || strings.HasSuffix(e[0].Address, ":0") {
		t.Errorf("endpoints %+v", e)
	}
	if err := f.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	if err := f.Stop(t.Context()); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := f.Stop(t.Context()); err != nil {
		t.Errorf("stop again: %v", err)
	}
	if err := f.Check(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("check of a stopped console: %v", err)
	}
	if l, err := f.Link(t.Context()); err == nil {
		t.Errorf("a stopped console gives the link %v", l)
	}
}

func TestAddressTaken(t *testing.T) {
	t.Parallel()
	f := start(t)
	other, err := New(Options{Host: host.NewOS(host.OSOptions{}), Address: netip.MustParseAddrPort(f.Endpoints()[0].Address)})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("start on an address that is taken: %v", err)
	}
	if err := other.Stop(t.Context()); err != nil {
		t.Errorf("stop of what did not start: %v", err)
	}
}

// TestCheckKnowsItself lets another server answer on the console's port.
func TestCheckKnowsItself(t *testing.T) {
	t.Parallel()
	f, impostor := start(t), start(t)
	f.mu.Lock()
	f.bound = impostor.address()
	f.mu.Unlock()
	if err := f.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "another server") {
		t.Errorf("check: %v", err)
	}
}

func TestCheckEnds(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := New(Options{Host: host.NewOS(host.OSOptions{}), Address: netip.MustParseAddrPort(l.Addr().String())})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Check(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("check: %v", err)
	}
}

func TestStopEndsStreamsAndUnusedConnections(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	stream := f.follow("/live")
	stream.next("all")
	unused, err := net.Dial("tcp", f.address().String())
	if err != nil {
		t.Fatal(err)
	}
	defer unused.Close()
	f.eventually("the connection is held", func() bool { return f.door.Open() >= 2 })
	began := time.Now()
	if err := f.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if _, err := unused.Read(make([]byte, 1)); err == nil {
		t.Error("an unused connection outlives the console")
	}
}

func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	f := start(t, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(asked)
			<-answer
			fmt.Fprint(w, "whole")
		})
	})
	got := make(chan reply)
	go func() { got <- f.get("/metrics") }()
	<-asked
	stopped := make(chan error)
	go func() { stopped <- f.Stop(context.Background()) }()
	f.eventually("it does not listen", func() bool {
		c, err := net.Dial("tcp", f.address().String())
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	close(answer)
	if r := <-got; r.body != "whole" {
		t.Errorf("the request under way got %q", r.body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestStopBreaksOffWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	f := start(t, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(asked)
			<-r.Context().Done()
		})
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		if response, err := f.browser.Get(f.base + "/metrics"); err == nil {
			response.Body.Close()
		}
	}()
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := f.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop: %v", err)
	}
	<-done
}

func TestMaxConns(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *Options) { o.MaxConns = 2 })
	dial := func() net.Conn {
		c, err := net.Dial("tcp", f.address().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	health := func(c net.Conn) int {
		fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: %v\r\n\r\n", f.address())
		return readStatus(t, c)
	}
	first, second := dial(), dial()
	if a, b := health(first), health(second); a != 200 || b != 200 {
		t.Fatalf("at the limit: %d, %d", a, b)
	}
	third := dial()
	if got := readStatus(t, third); got != http.StatusServiceUnavailable {
		t.Errorf("past the limit: %d", got)
	}
	first.Close()
	f.eventually("a place is free again", func() bool { return health(dial()) == 200 })
}

// readStatus reads one answer whole, so that its length is checked as well.
func readStatus(t *testing.T, c net.Conn) int {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

func TestGuardDecidesConnections(t *testing.T) {
	t.Parallel()
	g := guard.New(guard.Options{MaxPerClient: 1})
	f := start(t, func(o *Options) { o.Guard = g })
	if r := f.get("/healthz"); r.status != 200 {
		t.Fatalf("the first connection: %d", r.status)
	}
	c, err := net.Dial("tcp", f.address().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := readStatus(t, c); got != http.StatusServiceUnavailable {
		t.Errorf("a connection that the guard refuses: %d", got)
	}
	f.browser.CloseIdleConnections()
	f.eventually("the guard has the connection back", func() bool { return g.Snapshot().Connections == 0 })
}

func TestReadTimeout(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *Options) { o.ReadTimeout = 20 * time.Millisecond })
	c, err := net.Dial("tcp", f.address().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n") // and no end of the header
	if _, err := io.ReadAll(c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a request that does not end: %v", err)
	}
}

func TestHeaderLimit(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *Options) { o.MaxHeaderBytes = 8 << 10 })
	if r := f.get("/healthz", "X", strings.Repeat("x", 7<<10)); r.status != 200 {
		t.Errorf("within the limit: %d", r.status)
	}
	// net/http reads some kB more than it was told, for the sake of its buffers.
	if r := f.get("/healthz", "X", strings.Repeat("x", 24<<10)); r.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("past the limit: %d", r.status)
	}
}

// eventually waits for something that happens soon.
func (f *fixture) eventually(what string, is func() bool) {
	f.t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestLogsNoSecret(t *testing.T) {
	t.Parallel()
	file, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f := start(t, func(o *Options) { o.Log = testLog(file) })
	link := f.link()
	f.get(link)
	f.post("/login", url.Values{"name": {"alice"}, "password": {"hunter2"}})
	f.post("/login", url.Values{"name": {"alice"}, "password": {"wonderland"}})
	log, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(link, "token=")
	for _, secret := range []string{token, "hunter2", "wonderland"} {
		if strings.Contains(string(log), secret) {
			t.Errorf("the log tells a secret:\n%s", log)
		}
	}
	if n := strings.Count(string(log), "entered"); n != 2 {
		t.Errorf("%d entries are logged, want 2:\n%s", n, log)
	}
}
