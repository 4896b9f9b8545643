package static

import (
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hostileTree makes a site with all that a tree should not hold, beside a file that must never be seen.
func hostileTree(t *testing.T) (dir string) {
	t.Helper()
	outside := t.TempDir()
	dir = filepath.Join(outside, "www")
	write(t, outside, map[string]string{"secret.txt": "SECRET", "other/secret.txt": "SECRET"})
	write(t, dir, map[string]string{
		"index.html":           "<p>home</p>",
		"a.txt":                "plain",
		"sub/index.html":       "<p>sub</p>",
		"sub/deep/x.txt":       "deep",
		"empty/x.txt":          "no index here",
		"with space.txt":       "space",
		"grün.txt":             "umlaut",
		"a:b/index.html":       "colon",
		"evil.example/x.txt":   "host-like",
		"%41.txt":              "percent",
		"..a.txt":              "SECRET: hidden by its dot",
		"a..b.txt":             "dots within",
		".htpasswd":            "SECRET",
		".git/config":          "SECRET",
		"sub/.env":             "SECRET",
		".well-known/security": "well-known",
		".well-known/.private": "SECRET",
		"sub/.well-known/x":    "SECRET: only the one at the root is known",
		"semi;colon.txt":       "semicolon",
		"q?.txt":               "question mark",
	})
	for name, to := range map[string]string{
		"inside":        "a.txt",
		"insidedir":     "sub",
		"outside":       "../secret.txt",
		"outsidedir":    "../other",
		"up":            "..",
		"absolute":      filepath.Join(outside, "secret.txt"),
		"absoluteself":  filepath.Join(dir, "a.txt"),
		"passwd":        "/etc/passwd",
		"root":          "/",
		"proc":          "/proc/self/root",
		"loop":          "loop",
		"dangling":      "nowhere",
		"sub/roundtrip": "../../www/a.txt",
		"sub/sibling":   "../a.txt",
		"null":          "/dev/null",
	} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "fifodir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifodir", "index.html"), 0o644); err != nil {
		t.Fatal(err)
	}
	// A device can be made by root alone; for others the name is simply not there.
	_ = syscall.Mknod(filepath.Join(dir, "device"), syscall.S_IFCHR|0o666, 1<<8|5) // /dev/zero, which never ends
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "socket"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return dir
}

// Every way to ask for what is not to be had, and its neighbours that are.
var hostile = []struct {
	target string
	code   int
	body   string // for 200
}{
	{"/", 200, "<p>home</p>"},
	{"/index.html", 200, "<p>home</p>"},
	{"/a.txt", 200, "plain"},
	{"/%61.txt", 200, "plain"},
	{"/a%2Etxt", 200, "plain"},
	{"/sub/", 200, "<p>sub</p>"},
	{"/sub/deep/x.txt", 200, "deep"},
	{"/with%20space.txt", 200, "space"},
	{"/gr%C3%BCn.txt", 200, "umlaut"},
	{"/a:b/", 200, "colon"},
	{"/%2541.txt", 200, "percent"}, // decoded once, and not again
	{"/a..b.txt", 200, "dots within"},
	{"/semi;colon.txt", 200, "semicolon"},
	{"/q%3F.txt", 200, "question mark"},
	{"/a.txt?x=/../../secret.txt", 200, "plain"},
	{"/inside", 200, "plain"},
	{"/insidedir/", 200, "<p>sub</p>"},
	{"/sub/sibling", 200, "plain"},
	{"/.well-known/security", 200, "well-known"},
	{"http://x/a.txt", 200, "plain"}, // absolute form
	{"http://x", 200, "<p>home</p>"}, {"http://x?a=b", 200, "<p>home</p>"},

	// Redirects, checked for their target below.
	{"/sub", 301, ""}, {"/a:b", 301, ""}, {"/insidedir", 301, ""}, {"//", 301, ""}, {"///", 301, ""},
	{"//a.txt", 301, ""}, {"//evil.example", 301, ""}, {"//evil.example/", 301, ""}, {"//evil.example/x.txt", 301, ""},
	{"///evil.example/%2e.", 400, ""}, {"/sub//deep/x.txt", 301, ""}, {"/sub//", 301, ""}, {"/evil.example//", 301, ""},

	// Upwards, in every spelling.
	{"/..", 400, ""}, {"/../secret.txt", 400, ""}, {"/sub/../../secret.txt", 400, ""}, {"/./a.txt", 400, ""},
	{"/sub/../a.txt", 400, ""}, {"/.", 400, ""}, {"/sub/..", 400, ""}, {"/sub/.", 400, ""},
	{"/%2e%2e/secret.txt", 400, ""}, {"/%2E%2e/secret.txt", 400, ""}, {"/.%2e/secret.txt", 400, ""},
	{"/%2e./secret.txt", 400, ""}, {"/sub/%2e%2e/%2e%2e/secret.txt", 400, ""}, {"/%2e%2e%2fsecret.txt", 400, ""},
	{"/..%2fsecret.txt", 400, ""}, {"/..%2Fsecret.txt", 400, ""}, {"/sub%2fdeep%2fx.txt", 400, ""}, {"/%2fetc/passwd", 400, ""},
	{"/%252e%252e/secret.txt", 404, ""}, {"/%252e%252e%252fsecret.txt", 404, ""}, {"/..%252fsecret.txt", 404, ""},
	{"/%c0%ae%c0%ae/secret.txt", 400, ""}, {"/%e0%80%ae%e0%80%ae/secret.txt", 400, ""}, {"/..%c0%afsecret.txt", 400, ""},
	{"/..%5csecret.txt", 400, ""}, {"/..\\secret.txt", 400, ""}, {"/sub\\deep\\x.txt", 400, ""}, {"/%5c%5chost%5cshare", 400, ""},
	{"/..%ef%bc%8fsecret.txt", 404, ""},                                             // a full-width slash is no slash
	{"/%ef%bc%8e%ef%bc%8e/secret.txt", 404, ""},                                     // nor are full-width dots dots
	{"/...", 404, ""}, {"/....//secret.txt", 404, ""}, {"/..;/secret.txt", 404, ""}, // hidden by their dots
	{"/..a.txt", 404, ""}, {"//../secret.txt", 400, ""}, {"/sub//../../secret.txt", 400, ""},
	{"/C:/secret.txt", 404, ""}, {"/C:%5csecret.txt", 400, ""}, {"/~root/", 404, ""}, {"/$HOME", 404, ""},

	// Control characters.
	{"/a.txt%00", 400, ""}, {"/%00", 400, ""}, {"/a.txt%00.html", 400, ""}, {"/a%0a.txt", 400, ""}, {"/a%0d%0aX:%20y", 400, ""},
	{"/%1b[2J", 400, ""}, {"/a%7f.txt", 400, ""}, {"/a.txt%09", 400, ""}, {"/%ff", 400, ""}, {"/gr%FCn.txt", 400, ""},
	{"/%ed%a0%80", 400, ""}, {"/a.txt%20", 404, ""}, {"/a.txt.", 404, ""}, {"/a.txt::$DATA", 404, ""},

	// Hidden.
	{"/.htpasswd", 404, ""}, {"/.git/config", 404, ""}, {"/.git/", 404, ""}, {"/.git", 404, ""}, {"/%2egit/config", 404, ""},
	{"/sub/.env", 404, ""}, {"/.well-known/.private", 404, ""}, {"/sub/.well-known/x", 404, ""}, {"/.Well-Known/security", 404, ""},
	{"//.git/config", 404, ""}, {"/.well-known", 301, ""}, {"/.well-known/", 404, ""}, {"/.nothing", 404, ""},

	// Links that lead out, and files that are none.
	{"/outside", 404, ""}, {"/outsidedir/secret.txt", 404, ""}, {"/outsidedir/", 404, ""}, {"/outsidedir", 404, ""},
	{"/up/secret.txt", 404, ""}, {"/up/", 404, ""}, {"/absolute", 404, ""}, {"/absoluteself", 404, ""}, {"/passwd", 404, ""},
	{"/root/etc/passwd", 404, ""}, {"/proc/etc/passwd", 404, ""}, {"/loop", 404, ""}, {"/loop/", 404, ""}, {"/dangling", 404, ""},
	{"/sub/roundtrip", 404, ""}, {"/null", 404, ""}, {"/fifo", 404, ""}, {"/fifo/", 404, ""}, {"/fifo/x", 404, ""},
	{"/fifodir/", 404, ""}, {"/fifodir/index.html", 404, ""}, {"/socket", 404, ""}, {"/device", 404, ""},

	// Not there, and in the wrong shape.
	{"/nothing", 404, ""}, {"/nothing/", 404, ""}, {"/empty/", 404, ""}, {"/a.txt/", 404, ""}, {"/a.txt/x", 404, ""},
	{"/index.html/", 404, ""}, {"/A.TXT", 404, ""}, {"/" + strings.Repeat("x", 256), 404, ""},
	{"/" + strings.Repeat("y/", 2000), 404, ""}, {"/" + strings.Repeat("x", DefaultMaxPath), 414, ""},
}

func TestHostilePaths(t *testing.T) {
	t.Parallel()
	address := serve(t, open(t, Options{Root: hostileTree(t)}))
	if len(hostile) < 60 {
		t.Fatalf("only %d paths", len(hostile))
	}
	for _, c := range hostile {
		response, body := raw(t, address, c.target)
		if response.StatusCode != c.code || c.code == 200 && body != c.body {
			t.Errorf("%.60s is answered %d %.40q, want %d", c.target, response.StatusCode, body, c.code)
		}
		if strings.Contains(body, "SECRET") || strings.Contains(body, "root:") {
			t.Errorf("%.60s tells a secret", c.target)
		}
		if response.Header.Get("X-Content-Type-Options") != "nosniff" && c.code != 400 { // net/http itself refuses some
			t.Errorf("%.60s has no nosniff", c.target)
		}
		if c.code == 301 {
			staysHere(t, c.target, response.Header.Get("Location"))
		}
	}
}

// staysHere resolves a redirect as a browser does.
func staysHere(t *testing.T, target, location string) {
	t.Helper()
	base := &url.URL{Scheme: "http", Host: "here.test", Path: target}
	to, err := base.Parse(location)
	if err != nil || to.Scheme != "http" || to.Host != "here.test" {
		t.Errorf("%s redirects to %q, which is %v, %v", target, location, to, err)
	}
	if strings.HasPrefix(location, "//") || location == "" {
		t.Errorf("%s redirects to %q", target, location)
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	h := open(t, Options{Root: hostileTree(t)})
	for target, want := range map[string]string{
		"/sub":                    "./sub/",
		"/sub?a=b&c":              "./sub/?a=b&c",
		"/sub/deep":               "./deep/",
		"/a:b":                    "./a:b/",
		"/x/../sub":               "",
		"http://h//evil.example/": "/evil.example/",
		"http://h//":              "/",
		"http://h//sub//deep//":   "/sub/deep/",
		"http://h//a%3fb?c":       "/a%3Fb?c",
		"http://h//sub":           "/sub",
	} {
		if got := get(h, "GET", target).Header().Get("Location"); got != want {
			t.Errorf("%s redirects to %q, want %q", target, got, want)
		}
	}
}

func TestHiddenFilesShown(t *testing.T) {
	t.Parallel()
	h := open(t, Options{Root: hostileTree(t), HiddenFiles: true})
	for target, code := range map[string]int{"/.git/config": 200, "/sub/.env": 200, "/..a.txt": 200, "/../secret.txt": 400, "/..": 400} {
		if got := get(h, "GET", "http://h"+target).Code; got != code {
			t.Errorf("%s is answered %d, want %d", target, got, code)
		}
	}
}

func TestMaxPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"abc": "x", "äb": "x"})
	h := open(t, Options{Root: dir, MaxPath: 4})
	for target, code := range map[string]int{"/abc": 200, "/abcd": 414, "/%C3%A4b": 200, "/%C3%A4bc": 414} {
		if got := get(h, "GET", target).Code; got != code {
			t.Errorf("%s is answered %d, want %d", target, got, code)
		}
	}
}

// A FIFO must not hold a request up, also when it takes a file's place between the look and the open.
func TestFIFONeverBlocks(t *testing.T) {
	t.Parallel()
	h := open(t, Options{Root: hostileTree(t)})
	done := make(chan error, 1)
	go func() {
		err := h.tree.use(func(root *os.Root) error {
			f, err := root.OpenFile("fifo", os.O_RDONLY|nonblock, 0)
			if err == nil {
				err = f.Close()
			}
			return err
		})
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("opening a FIFO waits for its writer")
	}
}

// Whatever the path, the answer is one of ours and nothing from outside the tree.
func FuzzPath(f *testing.F) {
	for _, c := range hostile {
		if len(c.target) < 80 {
			f.Add(c.target)
		}
	}
	outside := f.TempDir()
	dir := filepath.Join(outside, "www")
	for _, file := range []string{filepath.Join(outside, "s"), filepath.Join(dir, ".s"), filepath.Join(dir, "a", "b")} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			f.Fatal(err)
		}
		text := "SECRET"
		if filepath.Base(file) == "b" {
			text = "fine"
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			f.Fatal(err)
		}
	}
	if err := os.Symlink("..", filepath.Join(dir, "up")); err != nil {
		f.Fatal(err)
	}
	h, err := New(Options{Root: dir})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = h.Close() })
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.URL = u
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch w.Code {
		case 200, 301, 400, 404, 414:
		default:
			t.Errorf("%q is answered %d", target, w.Code)
		}
		if strings.Contains(w.Body.String(), "SECRET") {
			t.Errorf("%q tells a secret", target)
		}
		if location := w.Header().Get("Location"); w.Code == 301 {
			to, err := (&url.URL{Scheme: "http", Host: "here.test", Path: "/"}).Parse(location)
			if err != nil || to.Host != "here.test" {
				t.Errorf("%q redirects to %q", target, location)
			}
		}
	})
}
