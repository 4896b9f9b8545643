package console

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// headers are sent with every answer. Nothing is loaded from anywhere else, nothing inline is run, and nothing is kept
// by caches but what has its hash in its name. The referrer policy lets no other origin, such as another port, know an
// address of the console; "no-referrer" would moreover make forms say "Origin: null", and then a browser that sends no
// Fetch Metadata could not sign in.
var headers = [...][2]string{
	{"Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"},
	{"X-Frame-Options", "DENY"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "same-origin"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cache-Control", "no-store"},
}

// screened refuses what no user of the console sends, before next sees it.
func (s *Service) screened(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, h := range headers {
			w.Header().Set(h[0], h[1])
		}
		switch {
		case !loopbackHost(r.Host):
			s.refuse(w, r, http.StatusMisdirectedRequest, "Not this way",
				"The console answers to loopback addresses alone, such as http://"+s.address().String()+"/.")
		case origins.Check(r) != nil || strayed(r):
			s.refuse(w, r, http.StatusForbidden, "Refused", "Another site caused this request. Open the console's first page and try again there.")
		default:
			r.Body = http.MaxBytesReader(w, r.Body, s.opts.MaxFormBytes)
			next.ServeHTTP(w, r)
		}
	})
}

// loopbackHost says whether a Host field (RFC 9110 section 7.2) names a loopback address or localhost. A page whose
// own name was rebound to a loopback address has that name there. The port is not looked at: it says nothing of where
// the request comes from, and it is another one where the console's port is forwarded over SSH.
func loopbackHost(field string) bool {
	name, _, err := net.SplitHostPort(field)
	if err != nil { // there is no port
		name = field
		if strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") {
			name = name[1 : len(name)-1]
		}
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Zone() == "" && addr.IsLoopback()
}

// strayed says whether another site causes the request, as far as the browser tells (Fetch Metadata), and it is no
// navigation: other pages may lead to the console, but not load from it.
func strayed(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

// cookieName differs for consoles on different ports, since cookies do not.
func (s *Service) cookieName() string {
	return "utopia_console_" + strconv.Itoa(int(s.address().Port()))
}

// token returns what the request's cookie holds, or "".
func (s *Service) token(r *http.Request) string {
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return ""
	}
	return c.Value
}

// session returns the session of the request, or nil. What a page asks for by itself does not count as use, or an open
// page would keep its session for ever.
func (s *Service) session(r *http.Request) *session {
	return s.sessions.find(now(), s.token(r), !byItself(r))
}

// byItself says whether a page that is open asks, and not its reader.
func byItself(r *http.Request) bool {
	return r.Header.Get("HX-Request") != "" || r.Header.Get("Accept") == "text/event-stream"
}

// enter opens a session in place of the one that the browser may have had: for the admin, or without a name for whoever
// has a one-time link.
func (s *Service) enter(w http.ResponseWriter, r *http.Request, admin string) {
	s.sessions.end(s.token(r))
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: s.sessions.begin(now(), admin), Path: "/",
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	s.opts.Log.Info("the console was entered", "by", cmp.Or(admin, "a one-time link"), "remote", r.RemoteAddr)
}

// leave closes the session and takes the cookie away.
func (s *Service) leave(w http.ResponseWriter, r *http.Request) {
	s.sessions.end(s.token(r))
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}
