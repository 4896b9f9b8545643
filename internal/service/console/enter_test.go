package console

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/guard"
)

func testLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func TestLinkOpensOnce(t *testing.T) {
	t.Parallel()
	f := start(t)
	if r := f.get("/"); r.status != http.StatusSeeOther || r.header.Get("Location") != "/login" {
		t.Errorf("without a session: %d %q", r.status, r.header.Get("Location"))
	}
	link := f.link()
	if !strings.HasPrefix(link, f.base+"/open?token=") || len(link) < len(f.base)+len("/open?token=")+22 {
		t.Errorf("link %s", link)
	}
	r := f.get(link)
	if r.status != 200 || !strings.Contains(r.body, `http-equiv="refresh" content="0; url=/"`) || !strings.Contains(r.body, `href="/"`) {
		t.Errorf("the link gave %d %s", r.status, r.body)
	}
	cookie := r.header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("cookie %q lacks %s", cookie, want)
		}
	}
	if !f.in() {
		t.Error("there is no session")
	}
	if r := f.get(link); r.status != 200 || r.header.Get("Set-Cookie") != "" {
		t.Errorf("a second click in the same browser: %d %q", r.status, r.header.Get("Set-Cookie"))
	}
	f.browser = f.newBrowser()
	if r := f.get(link); r.status != http.StatusForbidden || !strings.Contains(r.body, "utopia console link") || r.header.Get("Set-Cookie") != "" {
		t.Errorf("the link in another browser: %d %s", r.status, r.body)
	}
	if f.in() {
		t.Error("a used link opened a session")
	}
}

func TestLinkIsNotConsumedByOnlookers(t *testing.T) {
	t.Parallel()
	f := start(t)
	link := f.link()
	f.send(http.MethodHead, link, "")
	f.get(link, "Sec-Purpose", "prefetch;prerender")
	f.get(link, "Purpose", "prefetch")
	if f.in() {
		t.Fatal("an onlooker opened a session")
	}
	f.get(link)
	if !f.in() {
		t.Error("the link was consumed by an onlooker")
	}
}

func TestBadLinks(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, path := range []string{"/open", "/open?token=", "/open?token=x", f.link() + "x", f.link()[:len(f.base)+30]} {
		if r := f.get(path); r.status != http.StatusForbidden || r.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d", path, r.status)
		}
	}
	old := start(t, func(o *Options) { o.LinkLife = time.Nanosecond })
	if r := old.get(old.link()); r.status != http.StatusForbidden {
		t.Errorf("an expired link: %d", r.status)
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	l := links{max: 2, life: 15 * time.Minute, expiry: map[hash]time.Time{}}
	at := time.Unix(1000, 0)
	token, expires := l.issue(at)
	if !expires.Equal(at.Add(15 * time.Minute)) {
		t.Errorf("expires %v", expires)
	}
	if !l.use(expires.Add(-1), token) {
		t.Error("not good in its last moment")
	}
	if l.use(at, token) {
		t.Error("good twice")
	}
	token, expires = l.issue(at)
	if l.use(expires, token) {
		t.Error("good once it has expired")
	}
	first, _ := l.issue(at)
	second, _ := l.issue(at.Add(1))
	third, _ := l.issue(at.Add(2))
	if l.use(at, first) || !l.use(at, second) || !l.use(at, third) {
		t.Error("past the limit, not the oldest gave way")
	}
	for range 5 {
		token, _ = l.issue(at) // all of one moment
	}
	if len(l.expiry) > 2 || !l.use(at, token) {
		t.Errorf("%d links are kept", len(l.expiry))
	}
	for h := range l.expiry {
		if strings.Contains(string(h[:]), token) {
			t.Error("a link is kept as it is")
		}
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	s := sessions{max: 2, idle: time.Hour, byHash: map[hash]*session{}}
	at := time.Unix(1000, 0)
	a := s.begin(at, "a")
	if s.find(at, "", true) != nil || s.find(at, a+"x", true) != nil {
		t.Error("a session was found by another token")
	}
	if s.find(at.Add(time.Hour-1), a, true) == nil {
		t.Fatal("a session ended too early")
	}
	if s.find(at.Add(2*time.Hour-2), a, false) == nil {
		t.Fatal("use does not prolong a session")
	}
	if s.find(at.Add(2*time.Hour-1), a, true) != nil || len(s.byHash) != 0 {
		t.Error("a session outlives its idle time, or what a page asks by itself prolongs it")
	}
	a, b := s.begin(at, "a"), s.begin(at, "b")
	s.find(at.Add(time.Minute), a, true)
	c := s.begin(at.Add(2*time.Minute), "c")
	if s.find(at, a, false) == nil || s.find(at, b, false) != nil || s.find(at, c, false) == nil {
		t.Error("past the limit, not the one unused for longest gave way")
	}
	s.end(a)
	if s.find(at, a, true) != nil {
		t.Error("a closed session is there")
	}
}

func TestSessionIdle(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *Options) { o.SessionIdle = time.Nanosecond })
	f.get(f.link())
	if f.in() {
		t.Error("a session outlives its idle time")
	}
}

// Who is no admin any more is out: pages, the live stream and the next request alike. A one-time link has no name.
func TestSessionOfAFormerAdmin(t *testing.T) {
	t.Parallel()
	var former atomic.Bool
	f := start(t, func(o *Options) { o.Admin = func(name string) bool { return name == "alice" && !former.Load() } })
	f.post("/login", login("alice", "wonderland", "/"))
	if !f.in() {
		t.Fatal("an admin is not in")
	}
	live := f.follow("/live")
	live.next("all")
	former.Store(true)
	if !live.ended() || f.in() {
		t.Error("a former admin is in")
	}
	former.Store(false)
	if f.in() {
		t.Error("the session came back")
	}
	former.Store(true)
	f.get(f.link())
	if !f.in() {
		t.Error("a link does not let in where no admin is left")
	}
}

// Whoever knew an admin's former password is out; other sessions stay.
func TestEndSessions(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.post("/login", login("alice", "wonderland", "/"))
	f.EndSessions("bob")
	if !f.in() {
		t.Fatal("the session of another was ended")
	}
	f.EndSessions("Alice")
	if f.in() {
		t.Error("the session goes on")
	}
	f.get(f.link())
	f.EndSessions("")
	if !f.in() {
		t.Error("a session without a name was ended")
	}
}

func login(name, password, next string) url.Values {
	return url.Values{"name": {name}, "password": {password}, "next": {next}}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	f := start(t)
	page := f.get("/login")
	for _, want := range []string{"utopia console link", `type="password"`, `action="/login"`, "networkutopia.test"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the login page lacks %q", want)
		}
	}
	if strings.Contains(page.body, "Sign out") || strings.Contains(page.body, "<nav") {
		t.Error("the login page shows what is for those inside")
	}
	for name, password := range map[string]string{"alice": "wrong", "bob": "wonderland", "mallory": "wonderland", "": ""} {
		r := f.post("/login", login(name, password, "/"))
		if r.status != http.StatusForbidden || r.header.Get("Set-Cookie") != "" || !strings.Contains(r.body, "is wrong, or the user is not an admin") {
			t.Errorf("%s: %d", name, r.status)
		}
	}
	if f.in() {
		t.Fatal("somebody was let in")
	}
	r := f.post("/login", login("alice", "wonderland", "/exchanges/7?x=1"))
	if r.status != http.StatusSeeOther || r.header.Get("Location") != "/exchanges/7?x=1" {
		t.Fatalf("alice: %d %q", r.status, r.header.Get("Location"))
	}
	if !f.in() {
		t.Error("alice has no session")
	}
	if r := f.get("/login?next=/exchanges/7"); r.status != http.StatusSeeOther || r.header.Get("Location") != "/exchanges/7" {
		t.Errorf("the login page for whoever is in: %d", r.status)
	}
}

func TestLoginLeadsBack(t *testing.T) {
	t.Parallel()
	f := start(t)
	r := f.get("/exchanges/7?a=b%26c")
	if got := r.header.Get("Location"); got != "/login?next=%2Fexchanges%2F7%3Fa%3Db%2526c" {
		t.Errorf("location %q", got)
	}
	if page := f.get(r.header.Get("Location")); !strings.Contains(page.body, `name="next" value="/exchanges/7?a=b%26c"`) {
		t.Errorf("the form does not know where to go:\n%s", page.body)
	}
	for next, want := range map[string]string{
		"/": "/", "/exchanges/1": "/exchanges/1", "/?service=dns": "/?service=dns",
		"": "/", "//evil.test/": "/", "http://evil.test/": "/", `/\evil.test/`: "/", "evil": "/", "/a\nb": "/",
		"javascript:alert(1)": "/", "/\t/evil.test": "/", "/%zz": "/", "///evil.test": "/",
	} {
		if got := local(next); got != want {
			t.Errorf("after signing in %q leads to %q, want %q", next, got, want)
		}
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	if r := f.get("/logout"); r.status != http.StatusNotFound || !f.in() {
		t.Error("a mere GET signs out")
	}
	base, err := url.Parse(f.base)
	if err != nil {
		t.Fatal(err)
	}
	before := f.browser.Jar.Cookies(base)
	if r := f.post("/logout", nil); r.status != http.StatusSeeOther {
		t.Errorf("sign out: %d", r.status)
	}
	if len(f.browser.Jar.Cookies(base)) != 0 {
		t.Error("the cookie is still there")
	}
	f.browser.Jar.SetCookies(base, before)
	if f.in() {
		t.Error("the session is still good")
	}
}

// TestEnteringAgainEndsTheSessionBefore: one browser has one session.
func TestEnteringAgainEndsTheSessionBefore(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	f.post("/login", login("alice", "wonderland", "/"))
	if f.sessions.mu.Lock(); len(f.sessions.byHash) != 1 {
		t.Errorf("%d sessions", len(f.sessions.byHash))
	}
	f.sessions.mu.Unlock()
}

func TestNobodyToAsk(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *Options) { o.Authenticate = nil })
	if r := f.post("/login", login("alice", "wonderland", "/")); r.status != http.StatusForbidden {
		t.Errorf("sign-in without accounts: %d", r.status)
	}
}

type busy struct{}

func (busy) Error() string   { return "busy" }
func (busy) Temporary() bool { return true }

func TestCouldNotTell(t *testing.T) {
	t.Parallel()
	tries := &tries{}
	for _, err := range []error{busy{}, context.DeadlineExceeded} {
		f := start(t, func(o *Options) {
			o.Authenticate = func(context.Context, string, string) (bool, error) { return true, err }
			o.Logins = tries
		})
		if r := f.post("/login", login("alice", "wonderland", "/")); r.status != http.StatusServiceUnavailable || f.in() {
			t.Errorf("%v: %d", err, r.status)
		}
	}
	if len(tries.failed)+len(tries.succeeded) != 0 {
		t.Errorf("counted as failed: %v", tries.failed)
	}
}

// tries is a Logins that notes what it is told.
type tries struct {
	mu                sync.Mutex
	penalty           time.Duration
	failed, succeeded []string
}

func (l *tries) Penalty(netip.Addr, string) time.Duration { return l.penalty }

func (l *tries) Failed(client netip.Addr, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, name+" from "+client.String())
}

func (l *tries) Succeeded(client netip.Addr, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.succeeded = append(l.succeeded, name+" from "+client.String())
}

func TestFailedLoginsAreSlowedDown(t *testing.T) {
	t.Parallel()
	tries := &tries{penalty: 500 * time.Millisecond}
	f := start(t, func(o *Options) { o.Logins, o.ReadTimeout = tries, 400*time.Millisecond })
	began := time.Now()
	if r := f.post("/login", login("alice", "wrong", "/")); r.status != http.StatusForbidden || time.Since(began) < 500*time.Millisecond {
		t.Errorf("a failed login gave %d after %v", r.status, time.Since(began))
	}
	f.post("/login", login("alice", "wonderland", "/"))
	if len(tries.failed) != 1 || tries.failed[0] != "alice from 127.0.0.1" || len(tries.succeeded) != 1 {
		t.Errorf("failed %v, succeeded %v", tries.failed, tries.succeeded)
	}
	real := start(t, func(o *Options) {
		o.Logins = guard.New(guard.Options{FreeFailures: 1, Penalty: 50 * time.Millisecond})
	})
	for range 2 {
		real.post("/login", login("alice", "wrong", "/"))
	}
	began = time.Now()
	if r := real.post("/login", login("alice", "wonderland", "/")); r.status != http.StatusSeeOther || time.Since(began) < 20*time.Millisecond {
		t.Errorf("after two failures, signing in gave %d after %v", r.status, time.Since(began))
	}
}

func TestMaxLogins(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	f := start(t, func(o *Options) {
		o.MaxLogins = 2
		o.Authenticate = func(context.Context, string, string) (bool, error) {
			asked <- struct{}{}
			<-answer
			return false, errors.New("wrong")
		}
	})
	var under sync.WaitGroup
	for range 2 {
		under.Go(func() {
			if r := f.post("/login", login("alice", "x", "/")); r.status != http.StatusForbidden {
				t.Errorf("at the limit: %d", r.status)
			}
		})
		<-asked
	}
	if r := f.post("/login", login("alice", "x", "/")); r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("past the limit: %d", r.status)
	}
	close(answer)
	under.Wait()
}

// TestStopEndsWaitingLogins: a login that is slowed down does not hold up the stop.
func TestStopEndsWaitingLogins(t *testing.T) {
	t.Parallel()
	waits := &tries{penalty: time.Hour}
	f := start(t, func(o *Options) { o.Logins = waits })
	done := make(chan reply)
	go func() { done <- f.post("/login", login("alice", "wonderland", "/")) }()
	f.eventually("the login is under way", func() bool { return len(f.logins) == 1 })
	if err := f.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if r := <-done; r.status == http.StatusSeeOther {
		t.Error("the login was let in")
	}
}

func TestFormLimit(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *Options) { o.MaxFormBytes = 200 })
	form := "name=alice&password=wonderland&next=/&pad="
	if r := f.send(http.MethodPost, "/login", form+strings.Repeat("x", 200-len(form))); r.status != http.StatusSeeOther {
		t.Errorf("at the limit: %d", r.status)
	}
	if r := f.send(http.MethodPost, "/login", form+strings.Repeat("x", 201-len(form))); r.status != http.StatusRequestEntityTooLarge {
		t.Errorf("past the limit: %d", r.status)
	}
	if r := f.send(http.MethodPost, "/login", "name=%zz"); r.status != http.StatusBadRequest {
		t.Errorf("a bad form: %d", r.status)
	}
}
