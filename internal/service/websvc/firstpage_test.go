package websvc

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var page = FirstPage{
	Domain: domain, Address: loopback, Offset: 8000, Console: netip.MustParseAddrPort("127.0.0.1:8800"),
}

func render(t *testing.T, p FirstPage) string {
	t.Helper()
	html, err := p.HTML()
	if err != nil {
		t.Fatal(err)
	}
	return string(html)
}

func TestFirstPage(t *testing.T) {
	t.Parallel()
	html := render(t, page)
	if len(html) > 10_000 {
		t.Errorf("%d bytes", len(html))
	}
	for _, want := range []string{
		"<title>networkutopia.test</title>", "<code>www/</code>", "<code>127.0.0.1:8800</code>", "prefers-color-scheme: dark",
		"dig @127.0.0.1 -p 8053 www.networkutopia.test &#43;short", "curl -i http://127.0.0.1:8080/<",
		"utopia cert root &gt; root.pem", "curl --cacert root.pem https://www.networkutopia.test:8443/ \\",
		"--resolve www.networkutopia.test:8443:127.0.0.1<", "utopia connect 127.0.0.1 8080<",
		"echo hello | utopia upper 127.0.0.1:20000<", "utopia trace<", "utopia console link<",
	} {
		if !strings.Contains(strings.ReplaceAll(html, "+short", "&#43;short"), want) {
			t.Errorf("%q is not in the page", want)
		}
	}
}

// The page stands by itself: nothing is loaded and nothing runs, and its elements nest.
func TestFirstPageIsSelfContained(t *testing.T) {
	t.Parallel()
	html := render(t, page)
	for _, bad := range []string{"<script", "src=", "<link", "@import", "url(", "<img", "<iframe", "ZgotmplZ", "<no value>"} {
		if strings.Contains(html, bad) {
			t.Errorf("%s is in the page", bad)
		}
	}
	d := xml.NewDecoder(strings.NewReader(html))
	d.Entity = xml.HTMLEntity
	names := map[string]int{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well formed: %v", err)
		}
		if element, ok := token.(xml.StartElement); ok {
			names[element.Name.Local]++
		}
	}
	for _, once := range []string{"html", "head", "title", "body", "main", "h1"} {
		if names[once] != 1 {
			t.Errorf("%d elements of %s", names[once], once)
		}
	}
}

func TestFirstPageElsewhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		page FirstPage
		want []string
	}{
		"standard ports": {FirstPage{Domain: "example.org", Address: netip.MustParseAddr("192.0.2.7")},
			[]string{"dig @192.0.2.7 -p 53 ", "https://www.example.org/ ", "--resolve www.example.org:443:192.0.2.7<", "upper 192.0.2.7:12000"}},
		"IPv6": {FirstPage{Domain: "example.org", Address: netip.MustParseAddr("2001:db8::1"), Offset: 8000},
			[]string{"dig @2001:db8::1 -p 8053", "http://[2001:db8::1]:8080/", "www.example.org:8443:[2001:db8::1]", "connect 2001:db8::1 8080"}},
		"unspecified":      {FirstPage{Domain: "example.org", Address: netip.IPv4Unspecified()}, []string{"dig @127.0.0.1 "}},
		"unspecified IPv6": {FirstPage{Domain: "example.org", Address: netip.IPv6Unspecified()}, []string{"dig @::1 ", "http://[::1]:80/"}},
		"nothing known":    {FirstPage{Domain: "example.org"}, []string{"dig @127.0.0.1 "}},
		"another folder":   {FirstPage{Domain: "example.org", Root: "site"}, []string{"<code>site/index.html</code>"}},
		"hostile":          {FirstPage{Domain: "<script>x"}, []string{"&lt;script&gt;x"}},
	} {
		html := render(t, c.page)
		for _, want := range c.want {
			if !strings.Contains(html, want) {
				t.Errorf("%s: %q is not in the page", name, want)
			}
		}
		if strings.Contains(html, "onsole") || strings.Contains(html, "<script") {
			t.Errorf("%s: what should not be there is", name)
		}
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestWriteFirstPage(t *testing.T) {
	t.Parallel()
	want := []byte(render(t, page))
	for name, dir := range map[string]string{
		"missing":         filepath.Join(t.TempDir(), "a", "www"),
		"empty":           t.TempDir(),
		"a killed run's":  folder(t, map[string]string{unfinished: "<!DOC"}),
		"a relative name": relative(t),
	} {
		made, err := WriteFirstPage(dir, page)
		if !made || err != nil {
			t.Errorf("%s: %v, %v", name, made, err)
			continue
		}
		got, err := os.ReadFile(filepath.Join(dir, "index.html"))
		if err != nil || !bytes.Equal(got, want) || !slices.Equal(names(t, dir), []string{"index.html"}) {
			t.Errorf("%s: %d bytes, %v, %v", name, len(got), err, names(t, dir))
		}
		if made, err := WriteFirstPage(dir, page); made || err != nil {
			t.Errorf("%s: again: %v, %v", name, made, err)
		}
	}
}

func relative(t *testing.T) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Rel(here, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWriteFirstPageNeverOverwrites(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string]string{
		"own page":    {"index.html": "mine"},
		"other file":  {"notes.txt": "mine"},
		"hidden file": {".git/HEAD": "mine"},
		"a folder":    {"sub/x": "mine"},
	} {
		dir := folder(t, files)
		before := names(t, dir)
		if made, err := WriteFirstPage(dir, page); made || err != nil || !slices.Equal(names(t, dir), before) {
			t.Errorf("%s: %v, %v, %v", name, made, err, names(t, dir))
		}
	}
	// A page that appears between the look and the writing stays.
	dir := folder(t, map[string]string{"index.html": "mine"})
	if made, err := place(dir, []byte("ours")); made || err != nil {
		t.Errorf("place: %v, %v", made, err)
	}
	if made, err := placeDirectly(filepath.Join(dir, "index.html"), []byte("ours")); made || err != nil {
		t.Errorf("placeDirectly: %v, %v", made, err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "index.html")); string(got) != "mine" || len(names(t, dir)) != 1 {
		t.Errorf("%q, %v", got, names(t, dir))
	}
	direct := filepath.Join(t.TempDir(), "index.html")
	if made, err := placeDirectly(direct, []byte("ours")); !made || err != nil {
		t.Errorf("placeDirectly: %v, %v", made, err)
	}
	if _, err := WriteFirstPage(direct, page); err == nil {
		t.Error("a file in the folder's place is fine")
	}
}
