package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed templates assets
var files embed.FS

// site holds the templates and the assets.
type site struct {
	pages     map[string]*template.Template // by the name of the page's file, each with the layout
	fragments *template.Template            // the parts that the pages share
	assets    map[string]asset              // by their name in URLs
	urls      map[string]string             // of the assets, by the name of their file
}

type asset struct {
	contentType string
	content     []byte
}

// contentTypes of the assets. What has another extension, such as a licence, is not served.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// newSite reads the files that are part of the program: templates/layout.html stands around every page,
// templates/parts.html holds what several share, and each further file is a page that defines "content".
func newSite() (*site, error) {
	s := &site{pages: map[string]*template.Template{}, assets: map[string]asset{}, urls: map[string]string{}}
	if err := s.loadAssets(); err != nil {
		return nil, err
	}
	shared, err := template.New("").Funcs(template.FuncMap{
		"asset": s.assetURL, "clock": clock, "moment": moment, "machine": machine, "count": count,
	}).
		ParseFS(files, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		page, err := shared.Clone()
		if err == nil {
			page, err = page.ParseFS(files, name)
		}
		if err != nil {
			return nil, err
		}
		s.pages[strings.TrimSuffix(path.Base(name), ".html")] = page
	}
	s.fragments = shared
	return s, nil
}

func (s *site) loadAssets() error {
	entries, err := files.ReadDir("assets")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		contentType, ok := contentTypes[path.Ext(entry.Name())]
		if !ok {
			continue
		}
		content, err := files.ReadFile("assets/" + entry.Name())
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		name := hex.EncodeToString(sum[:6]) + "-" + entry.Name()
		s.assets[name] = asset{contentType, content}
		s.urls[entry.Name()] = "/assets/" + name
	}
	return nil
}

func (s *site) assetURL(name string) (string, error) {
	url, ok := s.urls[name]
	if !ok {
		return "", fmt.Errorf("there is no asset %s", name)
	}
	return url, nil
}

// serveAsset answers for an asset. Its name changes with its content, so it may be kept for ever.
func (s *site) serveAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := s.assets[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(a.content) // a client that has gone misses nothing
}

// layout is what stands around a page.
type layout struct {
	Title   string
	Domain  string
	Version string
	In      bool // there is a session
	Metrics bool // there are metrics
	Nav     []navItem
	Page    any // what the page itself shows
}

type navItem struct {
	Name, Path string
	Current    bool
}

// write renders a page and sends it.
func (s *site) write(w http.ResponseWriter, status int, page string, l layout) {
	var b bytes.Buffer
	if err := s.pages[page].ExecuteTemplate(&b, "layout", l); err != nil {
		panic(fmt.Errorf("render %s: %w", page, err)) // the templates are part of the program, and tests render each
	}
	send(w, status, b.Bytes())
}

// render renders a part that pages share.
func (s *site) render(part string, data any) []byte {
	var b bytes.Buffer
	if err := s.fragments.ExecuteTemplate(&b, part, data); err != nil {
		panic(fmt.Errorf("render %s: %w", part, err))
	}
	return bytes.TrimSpace(b.Bytes())
}

func send(w http.ResponseWriter, status int, html []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(html) // a client that has gone misses nothing
}
