package console

import (
	"errors"
	"net/http"
	"net/url"
)

// page is one page of the console that needs a session. To add one, write its template and what it shows, and list it
// in pages.
type page struct {
	path string // as in a pattern of net/http's ServeMux
	file string // its template, without ".html"
	nav  string // its name in the navigation; "" where it does not stand there
	// show returns the page's title and what its template gets. A *problem is shown in the page's place.
	show func(r *http.Request) (title string, data any, err error)
}

func (s *Service) pages() []page {
	pages := []page{
		{path: "/", file: "home", nav: "Overview", show: s.home},
		{path: "/exchanges/{id}", file: "exchange", show: s.exchange},
	}
	if s.opts.Names != nil {
		pages = append(pages, page{path: "/dns", file: "dns", nav: "DNS", show: s.dns})
	}
	return pages
}

// problem is an answer that is no page.
type problem struct {
	status int
	title  string
	text   string
}

// Error gives the text.
func (p *problem) Error() string { return p.text }

// What a page returns that was asked by itself again: it has nothing new to show, or what it shows is no longer kept
// and stays as the reader has it.
var (
	errUnchanged = errors.New("unchanged")
	errGone      = errors.New("not kept any more")
)

// stopPolling is the status that tells htmx to ask no more.
const stopPolling = 286

// handler routes the requests.
func (s *Service) handler() http.Handler {
	mux := http.NewServeMux()
	for _, p := range s.pages() {
		pattern := "GET " + p.path
		if p.path == "/" {
			pattern += "{$}" // and nothing under it
		}
		mux.HandleFunc(pattern, s.inside(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, p) }))
	}
	mux.HandleFunc("GET /parts/services", s.inside(s.servicesPart))
	mux.HandleFunc("GET /live", s.inside(s.live))
	if s.opts.Names != nil {
		mux.HandleFunc("GET /parts/zones", s.inside(s.zonesPart))
		mux.HandleFunc("GET /parts/traffic", s.inside(s.trafficPart))
		mux.HandleFunc("GET /dns/live", s.inside(s.dnsLive))
	}
	mux.HandleFunc("POST /logout", s.logout)
	mux.HandleFunc("GET /login", s.login)
	mux.HandleFunc("POST /login", s.signIn)
	mux.HandleFunc("GET /open", s.open)
	mux.HandleFunc("GET /assets/{name}", s.site.serveAsset)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(s.nonce)) // a client that has gone misses nothing
	})
	if s.opts.Metrics != nil {
		mux.Handle("GET /metrics", s.opts.Metrics)
	}
	mux.HandleFunc("/", s.inside(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, http.StatusNotFound, "There is no such page", "The address may be mistyped.")
	}))
	return s.screened(mux)
}

// inside lets requests through that have a session, and leads others to the login page.
func (s *Service) inside(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.session(r) != nil {
			next(w, r)
			return
		}
		if byItself(r) {
			w.Header().Set("HX-Redirect", loginFor(r.Header.Get("HX-Current-URL"))) // the page that asked is left
			http.Error(w, "There is no session.", http.StatusForbidden)
			return
		}
		http.Redirect(w, r, loginFor(r.URL.RequestURI()), http.StatusSeeOther)
	}
}

// loginFor returns the address of the login page that leads on to the page at the address.
func loginFor(page string) string {
	u, err := url.Parse(page)
	if err != nil {
		return "/login"
	}
	next := local(u.RequestURI())
	if next == "/" {
		return "/login"
	}
	return "/login?" + url.Values{"next": {next}}.Encode()
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request, p page) {
	title, data, err := p.show(r)
	var wrong *problem
	switch {
	case errors.Is(err, errUnchanged):
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, errGone):
		w.Header().Set("HX-Reswap", "none") // but for what says where it goes
		send(w, stopPolling, s.site.render("gone", nil))
	case errors.As(err, &wrong):
		s.refuse(w, r, wrong.status, wrong.title, wrong.text)
	case err != nil:
		s.opts.Log.Error("a page of the console failed", "page", p.file, "err", err)
		s.refuse(w, r, http.StatusInternalServerError, "This page could not be made", "The log tells why.")
	default:
		s.site.write(w, http.StatusOK, p.file, s.layout(r, title, data))
	}
}

// refuse answers with a title and a line of text in a page's place.
func (s *Service) refuse(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	s.site.write(w, status, "problem", s.layout(r, title, text))
}

// layout returns what stands around the page.
func (s *Service) layout(r *http.Request, title string, data any) layout {
	l := layout{
		Title: title, Domain: s.opts.Domain, Version: s.opts.Version, Page: data,
		In: s.sessions.find(now(), s.token(r), false) != nil, Metrics: s.opts.Metrics != nil,
	}
	for _, p := range s.pages() {
		if p.nav != "" {
			l.Nav = append(l.Nav, navItem{Name: p.nav, Path: p.path, Current: r.URL.Path == p.path})
		}
	}
	return l
}
