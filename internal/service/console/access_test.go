package console

import (
	"net/http"
	"strings"
	"testing"
)

func TestHost(t *testing.T) {
	t.Parallel()
	f := start(t)
	for field, ok := range map[string]bool{
		f.address().String(): true, "127.0.0.1": true, "127.9.9.9:80": true, "localhost:9000": true, "LOCALHOST": true,
		"[::1]": true, "[::1]:8800": true,
		"evil.test": false, "evil.test:8800": false, "127.0.0.1.evil.test": false, "localhost.evil.test": false,
		"192.0.2.1": false, "0.0.0.0": false, "[::]:80": false, "127.1": false, "2130706433": false, "localhost.": false,
		"127.0.0.1:80:80": false,
	} {
		for _, path := range []string{"/login", "/healthz", "/metrics", "/open?token=x"} {
			r := f.get(path, "Host", field)
			if refused := r.status == http.StatusMisdirectedRequest; refused == ok {
				t.Errorf("Host %s, %s: %d", field, path, r.status)
			}
		}
	}
}

func TestLoopbackHost(t *testing.T) { // what a well-behaved client does not send
	t.Parallel()
	for _, field := range []string{"", ":8800", "[::1%lo]:80", "[::1", "::1]:80", "127.0.0.1,evil.test", "evil.test@127.0.0.1", " 127.0.0.1", "0x7f.0.0.1"} {
		if loopbackHost(field) {
			t.Errorf("Host %q is taken", field)
		}
	}
}

func TestNothingIsDoneForOtherOrigins(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		headers []string
		ok      bool
	}{
		{"no browser", nil, true},
		{"its own page", []string{"Sec-Fetch-Site", "same-origin"}, true},
		{"its own page, in an old browser", []string{"Origin", "SELF"}, true},
		{"another site", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, false},
		{"another port", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate"}, false},
		{"another origin, in an old browser", []string{"Origin", "http://evil.test"}, false},
		{"another port, in an old browser", []string{"Origin", "http://127.0.0.1:1"}, false},
		{"a sandboxed page", []string{"Origin", "null"}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := start(t).enter()
			for i := range c.headers {
				c.headers[i] = strings.ReplaceAll(c.headers[i], "SELF", f.base)
			}
			r := f.post("/logout", nil, c.headers...)
			if done := !f.in(); done != c.ok || (r.status == http.StatusForbidden) == c.ok {
				t.Errorf("status %d, signed out %v", r.status, done)
			}
			f = start(t)
			if r := f.post("/login", login("alice", "wonderland", "/"), c.headers...); c.ok && len(c.headers) == 0 && r.status != http.StatusSeeOther || !c.ok && r.header.Get("Set-Cookie") != "" {
				t.Errorf("login: status %d", r.status)
			}
		})
	}
}

func TestOthersMayLeadHereAndNotLoad(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	for _, c := range []struct {
		site, mode string
		want       int
	}{
		{"none", "navigate", 200}, {"same-origin", "cors", 200}, {"cross-site", "navigate", 200}, {"same-site", "navigate", 200},
		{"cross-site", "no-cors", 403}, {"same-site", "no-cors", 403}, {"same-site", "cors", 403}, {"cross-site", "", 403},
	} {
		if r := f.get("/", "Sec-Fetch-Site", c.site, "Sec-Fetch-Mode", c.mode); r.status != c.want {
			t.Errorf("%s %s: %d, want %d", c.site, c.mode, r.status, c.want)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	for _, path := range []string{"/", "/login", "/nope", "/exchanges/1", "/open", "/parts/services"} {
		r := f.get(path)
		for _, h := range headers {
			if got := r.header.Get(h[0]); got != h[1] {
				t.Errorf("%s: %s is %q", path, h[0], got)
			}
		}
	}
	policy := f.get("/").header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'self'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %s", policy)
	}
	for name, url := range f.site.urls {
		r := f.get(url)
		if r.status != 200 || !strings.Contains(r.header.Get("Cache-Control"), "immutable") || r.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %q", name, r.status, r.header.Get("Cache-Control"))
		}
	}
	for _, path := range []string{"/assets/htmx.LICENSE", "/assets/console.css", "/assets/", "/assets/../console.go"} {
		if r := f.get(path); r.status == 200 {
			t.Errorf("%s is served", path)
		}
	}
}

func TestWhatNeedsASession(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("utopia_up 1\n")) })
	})
	id := f.say("dns", "the question", "the answer").String()
	for _, path := range []string{"/", "/?service=dns", "/exchanges/" + id, "/exchanges/99", "/nope", "/parts/services", "/live"} {
		if r := f.get(path); r.status != http.StatusSeeOther || strings.Contains(r.body, "the question") {
			t.Errorf("%s without a session: %d", path, r.status)
		}
		r := f.get(path, "HX-Request", "true", "HX-Current-URL", f.base+"/exchanges/1")
		if r.status != http.StatusForbidden || r.header.Get("HX-Redirect") != "/login?next=%2Fexchanges%2F1" {
			t.Errorf("%s, asked by a page: %d %q", path, r.status, r.header.Get("HX-Redirect"))
		}
		if r := f.get(path, "Accept", "text/event-stream"); r.status != http.StatusForbidden {
			t.Errorf("%s, asked for a stream: %d", path, r.status)
		}
	}
	for _, path := range []string{"/login", "/healthz", "/metrics", f.site.urls["console.css"]} {
		if r := f.get(path); r.status != 200 {
			t.Errorf("%s without a session: %d", path, r.status)
		}
	}
	if r := f.get("/", "Cookie", f.cookieName()+"=forged"); r.status != http.StatusSeeOther {
		t.Errorf("a forged cookie: %d", r.status)
	}
	if r := f.post("/", nil); r.status == 200 {
		t.Errorf("POST / without a session: %d", r.status)
	}
}
