package static

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestGet(t *testing.T) {
	t.Parallel()
	h, _ := site(t, map[string]string{"index.html": "<p>home</p>", "a.txt": "hello", "empty.css": ""})
	settle()
	w := get(h, "GET", "/a.txt")
	header := w.Header()
	for field, want := range map[string]string{
		"Content-Type":           "text/plain; charset=utf-8",
		"Content-Length":         "5",
		"Last-Modified":          "Wed, 01 May 2024 12:00:00 GMT",
		"Accept-Ranges":          "bytes",
		"X-Content-Type-Options": "nosniff",
		"Server":                 "",
	} {
		if got := header.Get(field); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	if tag := header.Get("Etag"); len(tag) != 18 || tag[0] != '"' {
		t.Errorf("ETag %q", tag)
	}
	if w.Code != 200 || w.Body.String() != "hello" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if w := get(h, "GET", "/empty.css"); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "0" {
		t.Errorf("empty file: %d, %d bytes", w.Code, w.Body.Len())
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	h, _ := site(t, map[string]string{"a.txt": "hello"})
	settle()
	for target, code := range map[string]int{"/a.txt": 200, "/nothing": 404} {
		whole, head := get(h, "GET", target), get(h, "HEAD", target)
		if head.Code != code || head.Body.Len() != 0 {
			t.Errorf("HEAD %s: %d with %d bytes", target, head.Code, head.Body.Len())
		}
		for field := range whole.Header() {
			if got, want := head.Header().Get(field), whole.Header().Get(field); got != want {
				t.Errorf("HEAD %s: %s is %q, and %q with GET", target, field, got, want)
			}
		}
	}
	// Ranges are defined for GET alone (RFC 9110 section 14.2).
	if w := get(h, "HEAD", "/a.txt", "Range", "bytes=0-1"); w.Code != 200 || w.Header().Get("Content-Length") != "5" {
		t.Errorf("HEAD with a range: %d, %s bytes", w.Code, w.Header().Get("Content-Length"))
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	h, _ := site(t, map[string]string{"a.txt": "hello"})
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "get"} {
		for _, target := range []string{"/a.txt", "/nothing"} {
			w := get(h, method, target)
			if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d, Allow %q", method, target, w.Code, w.Header().Get("Allow"))
			}
		}
	}
}

func TestConditional(t *testing.T) {
	t.Parallel()
	h, _ := site(t, map[string]string{"a.txt": "hello"})
	settle()
	tag := get(h, "GET", "/a.txt").Header().Get("Etag")
	const date, before, after = "Wed, 01 May 2024 12:00:00 GMT", "Wed, 01 May 2024 11:59:59 GMT", "Wed, 01 May 2024 12:00:01 GMT"
	for _, c := range []struct {
		fields string
		code   int
	}{
		{"If-None-Match:" + tag, 304},
		{"If-None-Match:W/" + tag, 304}, // weak comparison
		{`If-None-Match:"x", ` + tag, 304},
		{`If-None-Match:"x"`, 200},
		{"If-None-Match:*", 304},
		{"If-Modified-Since:" + date, 304},
		{"If-Modified-Since:" + after, 304},
		{"If-Modified-Since:" + before, 200},
		{"If-Modified-Since:yesterday", 200},
		{`If-None-Match:"x"|If-Modified-Since:` + date, 200}, // the tag decides
		{"If-Match:" + tag, 200},
		{"If-Match:*", 200},
		{"If-Match:W/" + tag, 412}, // strong comparison
		{`If-Match:"x"`, 412},
		{"If-Unmodified-Since:" + date, 200},
		{"If-Unmodified-Since:" + before, 412},
		{"Range:bytes=1-2|If-Range:" + tag, 206},
		{"Range:bytes=1-2|If-Range:W/" + tag, 200},
		{`Range:bytes=1-2|If-Range:"x"`, 200},
		{"Range:bytes=1-2|If-Range:" + date, 206},
		{"Range:bytes=1-2|If-Range:" + before, 200},
		{"Range:bytes=9-|If-None-Match:" + tag, 304},
	} {
		var fields []string
		for field := range strings.SplitSeq(c.fields, "|") {
			name, value, _ := strings.Cut(field, ":")
			fields = append(fields, name, value)
		}
		w := get(h, "GET", "/a.txt", fields...)
		if w.Code != c.code {
			t.Errorf("%s: %d, want %d", c.fields, w.Code, c.code)
		}
		if w.Code == 304 && (w.Body.Len() != 0 || w.Header().Get("Etag") != tag || w.Header().Get("Content-Type") != "") {
			t.Errorf("%s: %q %v", c.fields, w.Body, w.Header())
		}
		if w.Code == 412 && (!strings.Contains(w.Body.String(), "412 Precondition Failed") || w.Header().Get("Etag") != "") {
			t.Errorf("%s: %q %v", c.fields, w.Body, w.Header())
		}
	}
}

func TestRanges(t *testing.T) {
	t.Parallel()
	h, _ := site(t, map[string]string{"a.txt": "0123456789", "empty.txt": ""})
	for _, c := range []struct {
		target, ranges string
		code           int
		body, content  string // Content-Range
	}{
		{"/a.txt", "bytes=0-3", 206, "0123", "bytes 0-3/10"},
		{"/a.txt", "bytes=4-", 206, "456789", "bytes 4-9/10"},
		{"/a.txt", "bytes=-2", 206, "89", "bytes 8-9/10"},
		{"/a.txt", "bytes=-99", 206, "0123456789", "bytes 0-9/10"},
		{"/a.txt", "bytes=9-99", 206, "9", "bytes 9-9/10"},
		{"/a.txt", "bytes=10-", 416, "", "bytes */10"},
		{"/a.txt", "bytes=5-4", 416, "", ""},
		{"/a.txt", "bytes=x", 416, "", ""},
		{"/a.txt", "bytes=1-2-3", 416, "", ""},
		{"/a.txt", "bytes=-", 416, "", ""},
		{"/a.txt", "bytes=--2", 416, "", ""},
		{"/a.txt", "bytes=+1-2", 416, "", ""},
		// Numbers of any size are to be expected (RFC 9110 section 14.1.1).
		{"/a.txt", "bytes=4-99999999999999999999", 206, "456789", "bytes 4-9/10"},
		{"/a.txt", "bytes=-99999999999999999999", 206, "0123456789", "bytes 0-9/10"},
		{"/a.txt", "bytes=99999999999999999999-", 416, "", "bytes */10"},
		{"/a.txt", "bytes=99999999999999999998-99999999999999999999", 416, "", "bytes */10"},
		// No octets are no range (section 14.1.2).
		{"/a.txt", "bytes=-0", 416, "", "bytes */10"},
		{"/a.txt", "bytes=-0, 1-2", 206, "12", "bytes 1-2/10"},
		{"/a.txt", "bytes=50-, 1-2 ,,", 206, "12", "bytes 1-2/10"},
		// The unit is of any case, and an unknown one is ignored (section 14.2).
		{"/a.txt", "Bytes=1-2", 206, "12", "bytes 1-2/10"},
		{"/a.txt", "items=1-2", 200, "0123456789", ""},
		{"/a.txt", "none", 200, "0123456789", ""},
		{"/a.txt", "bytes=", 200, "0123456789", ""},
		{"/a.txt", "bytes=0-9,0-9,0-9", 200, "0123456789", ""}, // more than the file
		{"/empty.txt", "bytes=0-", 200, "", ""},
		{"/empty.txt", "bytes=-5", 200, "", ""},
	} {
		w := get(h, "GET", c.target, "Range", c.ranges)
		if w.Code != c.code || w.Code < 400 && w.Body.String() != c.body || w.Header().Get("Content-Range") != c.content {
			t.Errorf("%s %s: %d %q %q", c.target, c.ranges, w.Code, w.Body, w.Header().Get("Content-Range"))
		}
		if w.Code == 416 && (!strings.Contains(w.Body.String(), "does not have the part") || strings.Contains(w.Body.String(), "invalid")) {
			t.Errorf("%s: %q", c.ranges, w.Body)
		}
	}
}

// A date that lies ahead would be a validator that no change until then can touch.
func TestLastModifiedIsNeverLaterThanNow(t *testing.T) {
	t.Parallel()
	h, dir := site(t, map[string]string{"a.txt": "hello"})
	if err := os.Chtimes(filepath.Join(dir, "a.txt"), old, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	modified, err := http.ParseTime(get(h, "GET", "/a.txt").Header().Get("Last-Modified"))
	if err != nil || modified.After(time.Now()) {
		t.Errorf("Last-Modified is %v, %v", modified, err)
	}
}

func TestMultipleRanges(t *testing.T) {
	t.Parallel()
	h, _ := site(t, map[string]string{"a.html": "0123456789"})
	w := get(h, "GET", "/a.html", "Range", "bytes=0-1,5-6")
	_, params, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if err != nil || w.Code != 206 {
		t.Fatal(w.Code, err)
	}
	parts := multipart.NewReader(w.Body, params["boundary"])
	for _, want := range []string{"01", "56"} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(part)
		if err != nil || string(got) != want || part.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("part %q of %s, %v", got, part.Header.Get("Content-Type"), err)
		}
	}
}

// At the limit each range is given; one past it the whole file is, which RFC 9110 section 14.2 allows.
func TestMaxRanges(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789", 1000)
	h, _ := site(t, map[string]string{"a.txt": text})
	ranges := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("%d-%d", 10*i, 10*i))
		}
		return "bytes=" + strings.Join(all, ",")
	}
	if w := get(h, "GET", "/a.txt", "Range", ranges(DefaultMaxRanges)); w.Code != 206 {
		t.Errorf("at the limit: %d", w.Code)
	}
	if w := get(h, "GET", "/a.txt", "Range", ranges(DefaultMaxRanges+1)); w.Code != 200 || w.Body.String() != text {
		t.Errorf("past the limit: %d", w.Code)
	}
}

func TestEntityTag(t *testing.T) {
	t.Parallel()
	h, dir := site(t, map[string]string{"a.txt": "hello"})
	seen := map[string]string{}
	tag := func(after string) {
		t.Helper()
		settle()
		tag := get(h, "GET", "/a.txt").Header().Get("Etag")
		if before, known := seen[tag]; known || tag == "" {
			t.Errorf("after %s the tag is %q, as after %s", after, tag, before)
		}
		seen[tag] = after
		if again := get(h, "GET", "/a.txt").Header().Get("Etag"); again != tag {
			t.Errorf("the tag changes by itself, from %s to %s", tag, again)
		}
	}
	path := filepath.Join(dir, "a.txt")
	tag("the beginning")
	write(t, dir, map[string]string{"a.txt": "hullo"}) // the same size and time
	tag("a change in place")
	write(t, dir, map[string]string{"b.txt": "hallo"})
	if err := os.Rename(filepath.Join(dir, "b.txt"), path); err != nil {
		t.Fatal(err)
	}
	tag("a replacement")
	if err := os.Chtimes(path, old, old.Add(time.Nanosecond)); err != nil {
		t.Fatal(err)
	}
	tag("a nanosecond")
}

func TestAFileJustChangedHasNoTag(t *testing.T) {
	t.Parallel()
	h, _ := site(t, map[string]string{"a.txt": "hello"})
	f, err := h.tree.open("a.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	changed, _ := inodeOf(f.info)
	for after, want := range map[time.Duration]bool{
		0: false, settled - 1: false, settled: true, time.Hour: true,
		-time.Hour: true, // the clock was set back: better a tag than none for an hour
	} {
		if got := f.entityTag(changed.Add(after)) != ""; got != want {
			t.Errorf("after %v: %v", after, got)
		}
	}
}

func TestIndex(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"one/index.html": "1", "one/index.htm": "2", "two/index.htm": "2", "three/index.html/x": "a folder", "three/index.htm": "3",
		"four/home.txt": "4", "five/index.html/x": "a folder",
	})
	h := open(t, Options{Root: dir})
	for target, want := range map[string]string{"/one/": "1", "/two/": "2", "/three/": "3"} {
		if w := get(h, "GET", target); w.Code != 200 || w.Body.String() != want || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %d %q", target, w.Code, w.Body)
		}
	}
	for _, target := range []string{"/four/", "/five/", "/"} {
		if w := get(h, "GET", target); w.Code != 404 {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
	own := open(t, Options{Root: dir, Index: []string{"home.txt"}})
	if w := get(own, "GET", "/four/"); w.Body.String() != "4" {
		t.Errorf("own index: %d %q", w.Code, w.Body)
	}
	if w := get(own, "GET", "/one/"); w.Code != 404 {
		t.Errorf("index.html where it is no index: %d", w.Code)
	}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	png := "\x89PNG\r\n\x1a\n\x00\x00"
	h, _ := site(t, map[string]string{
		"a.html": "", "a.HTM": "", "a.css": "", "a.js": "", "a.mjs": "", "a.json": "", "a.svg": "", "a.PNG": png, "a.jpeg": "",
		"a.woff2": "", "a.wasm": "", "a.pdf": "", "a.tar.gz": "", "a.mp4": "", "a.md": "", "a.torrent": "", "a.unknown": png,
		"README": "text", "Makefile": "all:\n\techo <html>\n", "core": "\x00ELF", "latin": "caf\xe9", "empty": "",
		"page": "<!DOCTYPE html><script>alert(1)</script>", "a.x y": "text", "a.html text/html; charset=utf-8": "x",
		"long": strings.Repeat("ü", 600) + "\x00", "cut": "x" + strings.Repeat("ü", 600),
	})
	for target, want := range map[string]string{
		"/a.html": "text/html; charset=utf-8", "/a.HTM": "text/html; charset=utf-8", "/a.css": "text/css; charset=utf-8",
		"/a.js": "text/javascript; charset=utf-8", "/a.mjs": "text/javascript; charset=utf-8", "/a.json": "application/json",
		"/a.svg": "image/svg+xml", "/a.PNG": "image/png", "/a.jpeg": "image/jpeg", "/a.woff2": "font/woff2",
		"/a.wasm": "application/wasm", "/a.pdf": "application/pdf", "/a.tar.gz": "application/gzip", "/a.mp4": "video/mp4",
		"/a.md": "text/markdown; charset=utf-8", "/a.torrent": "application/x-bittorrent", "/a.unknown": "application/octet-stream",
		"/README": "text/plain; charset=utf-8", "/Makefile": "text/plain; charset=utf-8", "/core": "application/octet-stream",
		"/latin": "application/octet-stream", "/empty": "text/plain; charset=utf-8",
		"/page":    "text/plain; charset=utf-8", // a name without an end never becomes a page that runs
		"/a.x%20y": "text/plain; charset=utf-8", "/long": "text/plain; charset=utf-8", "/cut": "text/plain; charset=utf-8",
	} {
		w := get(h, "GET", target)
		if got := w.Header().Get("Content-Type"); w.Code != 200 || got != want {
			t.Errorf("%s: %d %q, want %q", target, w.Code, got, want)
		}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(types), "\n") {
		ext, mediaType, ok := strings.Cut(line, " ")
		if _, _, err := mime.ParseMediaType(mediaType); !ok || err != nil || typeByName("x"+ext) != mediaType {
			t.Errorf("%q in the table: %v", line, err)
		}
	}
}

func TestErrorPages(t *testing.T) {
	t.Parallel()
	h, _ := site(t, map[string]string{"a.txt": "hello"})
	w := get(h, "GET", "/<script>alert(1)</script>")
	page := w.Body.String()
	for _, want := range []string{"<!DOCTYPE html>", `lang="en"`, "<title>404 Not Found</title>", "There is nothing at this address.", "</html>"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	if strings.Contains(page, "script") || strings.Contains(page, "%!") || w.Header().Get("Content-Length") != fmt.Sprint(len(page)) {
		t.Errorf("page %q of %s bytes", page, w.Header().Get("Content-Length"))
	}
	if got := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'") {
		t.Errorf("policy %q", got)
	}
}

func TestFail(t *testing.T) {
	t.Parallel()
	h, dir := site(t, nil)
	for err, code := range map[error]int{
		fs.ErrNotExist:       404,
		syscall.ENOTDIR:      404,
		syscall.ELOOP:        404,
		syscall.ENAMETOOLONG: 404,
		fs.ErrPermission:     403,
		syscall.EMFILE:       503,
		syscall.EIO:          500,
		errTooLong:           414,
		errPath:              400,
	} {
		w := get(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.fail(w, r, &fs.PathError{Op: "openat", Path: dir, Err: err})
		}), "GET", "/")
		if w.Code != code || strings.Contains(w.Body.String(), dir) || strings.Contains(w.Body.String(), "openat") {
			t.Errorf("%v: %d %q", err, w.Code, w.Body)
		}
		if (code == 503) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%v: Retry-After %q", err, w.Header().Get("Retry-After"))
		}
	}
}

func TestUnreadableFile(t *testing.T) {
	t.Parallel()
	h, dir := site(t, map[string]string{"a.txt": "hello", "b.txt": "hello"})
	for path, mode := range map[string]os.FileMode{
		filepath.Dir(dir): 0o755, dir: 0o755, filepath.Join(dir, "a.txt"): 0, filepath.Join(dir, "b.txt"): 0o644,
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	withoutPrivilege(t, func() {
		for path, want := range map[string]int{"/a.txt": 403, "/b.txt": 200} {
			if w := get(h, "GET", path); w.Code != want {
				t.Errorf("%s: %d, want %d", path, w.Code, want)
			}
		}
	})
}

func TestListing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"d/b.txt": strings.Repeat("x", 1234), "d/a&<b>.txt": "", "d/sub/x": "", "d/.hidden": "", "d/java:script": "", "d/q?#%": "",
		"with/index.html": "index",
	})
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "d", "out")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "d", "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	h := open(t, Options{Root: dir, Listing: true})
	if w := get(h, "GET", "/with/"); w.Body.String() != "index" {
		t.Errorf("an index file is listed: %q", w.Body)
	}
	w := get(h, "GET", "/d/")
	page := w.Body.String()
	last := 0
	for _, want := range []string{
		`<a href="../">..</a>`, `<a href="./sub/">sub/</a>`, `<a href="./a&amp;%3Cb%3E.txt">a&amp;&lt;b&gt;.txt</a>`,
		`<a href="./b.txt">b.txt</a></td><td>1.23 kB</td><td>2024-05-01 12:00`, `<a href="./java:script">java:script</a>`,
		`<a href="./q%3F%23%25">q?#%</a>`,
	} {
		at := strings.Index(page, want)
		if at < last {
			t.Errorf("%s is at %d, after what stands at %d", want, at, last)
		}
		last = at
	}
	for _, hidden := range []string{".hidden", "out", "fifo"} {
		if strings.Contains(page, `"./`+hidden) {
			t.Errorf("%s is listed", hidden)
		}
	}
	if strings.Contains(get(h, "GET", "/").Body.String(), `"../"`) {
		t.Error("the root leads up")
	}
	if w := get(h, "HEAD", "/d/"); w.Code != 200 || w.Body.Len() != 0 {
		t.Errorf("HEAD: %d", w.Code)
	}
}

func TestMaxListing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "", "b": ""})
	h := open(t, Options{Root: dir, Listing: true, MaxListing: 2})
	if page := get(h, "GET", "/").Body.String(); strings.Contains(page, "more") || strings.Count(page, "<tr>") != 2 {
		t.Errorf("at the limit: %s", page)
	}
	write(t, dir, map[string]string{"c": ""})
	if page := get(h, "GET", "/").Body.String(); !strings.Contains(page, "more here than the 2 entries") || strings.Count(page, "<tr>") != 2 {
		t.Errorf("past the limit: %s", page)
	}
}

func TestBytesText(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1 kB", 1234: "1.23 kB", 999_499: "999 kB", 999_500: "1 MB", 12_300_000: "12.3 MB",
		1e9: "1 GB", 5e15: "5e+03 TB",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("bytesText(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestNewNeedsAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"file": ""})
	if _, err := New(Options{Root: filepath.Join(dir, "missing")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is missing: %v", err)
	}
	if _, err := New(Options{Root: filepath.Join(dir, "file")}); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("a file: %v", err)
	}
}

func TestReplacedFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"www/a": "old", "www.new/a": "new", "third/a": "third"})
	www := filepath.Join(dir, "www")
	h := open(t, Options{Root: www})
	expect := func(when, want string) {
		t.Helper()
		if w := get(h, "GET", "/a"); w.Body.String() != want {
			t.Errorf("%s: %d %q, want %q", when, w.Code, w.Body, want)
		}
	}
	step := func(from, to string) {
		t.Helper()
		if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	expect("at first", "old")
	step("www", "www.old")
	expect("between the two steps", "old")
	step("www.new", "www")
	expect("after the second", "new")
	step("www", "www.new")
	if err := os.Symlink("third", www); err != nil {
		t.Fatal(err)
	}
	expect("a link in its place", "third")
	if err := os.Remove(www); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("www.old", www); err != nil {
		t.Fatal(err)
	}
	expect("the link turned", "old")
}

// Requests go on while the folder is replaced over and over, and each is answered from one of the two.
func TestReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"one/a": "one", "two/a": "two"})
	www := filepath.Join(dir, "www")
	if err := os.Symlink("one", www); err != nil {
		t.Fatal(err)
	}
	h := open(t, Options{Root: www})
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if w := get(h, "GET", "/a"); w.Code != 200 || w.Body.String() != "one" && w.Body.String() != "two" {
					t.Errorf("%d %q", w.Code, w.Body)
					return
				}
			}
		})
	}
	for i := range 200 {
		next := filepath.Join(dir, "next")
		if err := errors.Join(os.Symlink([]string{"one", "two"}[i%2], next), os.Rename(next, www)); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	clients.Wait()
}

func TestClosed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "x"})
	h, err := New(Options{Root: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.Close(), h.Close()); err != nil {
		t.Error(err)
	}
	if w := get(h, "GET", "/a"); w.Code != 500 {
		t.Errorf("%d", w.Code)
	}
}

// readerFrom is a ResponseWriter that, as net/http's, is an io.ReaderFrom.
type readerFrom struct {
	http.ResponseWriter
	from io.Reader
}

func (r *readerFrom) ReadFrom(src io.Reader) (int64, error) {
	r.from = src
	return io.Copy(r.ResponseWriter, src)
}

// What reaches ReadFrom must be a file, or a part of one, and nothing around it: only that is sent by sendfile.
func TestSendfileApplies(t *testing.T) {
	t.Parallel()
	h, _ := site(t, map[string]string{"a.bin": strings.Repeat("x", 100_000)})
	for _, ranges := range []string{"", "bytes=5-50000"} {
		var direct *readerFrom
		get(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			direct = &readerFrom{ResponseWriter: w}
			h.ServeHTTP(direct, r)
		}), "GET", "/a.bin", "Range", ranges)
		limited, ok := direct.from.(*io.LimitedReader)
		if !ok {
			t.Fatalf("%q: ReadFrom a %T", ranges, direct.from)
		}
		if _, ok := limited.R.(syscall.Conn); !ok {
			t.Errorf("%q: a part of a %T", ranges, limited.R)
		}
	}
}

func TestBigFileOverTCP(t *testing.T) {
	t.Parallel()
	text := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	h, _ := site(t, map[string]string{"big.bin": string(text)})
	_, body := raw(t, serve(t, h), "/big.bin")
	if body != string(text) {
		t.Errorf("%d bytes came, %d were sent", len(body), len(text))
	}
}
