package console

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// loginView is what the login page shows.
type loginView struct {
	Next    string // the page to go to afterwards
	Name    string
	Problem string
}

// open lets in whoever brings a one-time link.
func (s *Service) open(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead || r.Header.Get("Sec-Purpose") != "" || r.Header.Get("Purpose") != "" {
		w.WriteHeader(http.StatusNoContent) // a previewer or a prefetch: nobody has clicked yet
		return
	}
	switch {
	case s.links.use(now(), r.URL.Query().Get("token")):
		s.enter(w, r, "")
	case s.session(r) == nil:
		s.refuse(w, r, http.StatusForbidden, "This link is used up",
			"A link opens the console once, within "+s.opts.LinkLife.String()+" of its making. The command “utopia console link” prints a new one.")
		return
	}
	s.site.write(w, http.StatusOK, "opened", s.layout(r, "Opened", nil))
}

// login shows the form.
func (s *Service) login(w http.ResponseWriter, r *http.Request) {
	next := local(r.URL.Query().Get("next"))
	if s.session(r) != nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	s.site.write(w, http.StatusOK, "login", s.layout(r, "Sign in", loginView{Next: next}))
}

// signIn takes the form.
func (s *Service) signIn(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		status := http.StatusBadRequest
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		s.refuse(w, r, status, "Not understood", "The form that was sent is not the console's.")
		return
	}
	view := loginView{Next: local(r.PostForm.Get("next")), Name: r.PostForm.Get("name")}
	select {
	case s.logins <- struct{}{}:
		defer func() { <-s.logins }()
	default:
		s.again(w, r, view)
		return
	}
	admin, err := s.authenticate(w, r, view.Name, r.PostForm.Get("password"))
	switch {
	case r.Context().Err() != nil: // whoever asked has gone
	case isTemporary(err):
		s.again(w, r, view)
	case err != nil || !admin:
		s.opts.Log.Warn("a sign-in to the console failed", "name", view.Name, "remote", r.RemoteAddr, "admin", admin, "err", err)
		view.Problem = "The name or the password is wrong, or the user is not an admin."
		s.site.write(w, http.StatusForbidden, "login", s.layout(r, "Sign in", view))
	default:
		s.enter(w, r, view.Name)
		http.Redirect(w, r, view.Next, http.StatusSeeOther)
	}
}

func (s *Service) again(w http.ResponseWriter, r *http.Request, view loginView) {
	w.Header().Set("Retry-After", "5")
	view.Problem = "Too many sign-ins are under way. Try again in a moment."
	s.site.write(w, http.StatusServiceUnavailable, "login", s.layout(r, "Sign in", view))
}

// authenticate waits as long as Logins wants and then checks the password. A user who is no admin counts as failed,
// as the answer does not tell the two apart.
func (s *Service) authenticate(w http.ResponseWriter, r *http.Request, name, password string) (admin bool, err error) {
	client := clientOf(r)
	if s.opts.Logins != nil {
		if err := s.pause(w, r, s.opts.Logins.Penalty(client, name)); err != nil {
			return false, err
		}
	}
	if s.opts.Authenticate == nil {
		return false, nil
	}
	admin, err = s.opts.Authenticate(r.Context(), name, password)
	if s.opts.Logins == nil || r.Context().Err() != nil || isTemporary(err) {
		return admin, err
	}
	if err != nil || !admin {
		s.opts.Logins.Failed(client, name)
	} else {
		s.opts.Logins.Succeeded(client, name)
	}
	return admin, err
}

// isTemporary says whether an error tells nothing of the password.
func isTemporary(err error) bool {
	var temporary interface{ Temporary() bool }
	return errors.As(err, &temporary) && temporary.Temporary()
}

// pause lets time go by. It ends early when the client goes or the console stops.
func (s *Service) pause(w http.ResponseWriter, r *http.Request, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	conn := http.NewResponseController(w)
	// The read deadline would end the request: the server reads on, to see the client go.
	err := errors.Join(conn.SetReadDeadline(time.Time{}), conn.SetWriteDeadline(time.Now().Add(d+s.opts.WriteTimeout)))
	if err != nil {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.streams.ended:
		return context.Canceled
	case <-r.Context().Done():
		return r.Context().Err()
	}
}

// logout ends the session.
func (s *Service) logout(w http.ResponseWriter, r *http.Request) {
	s.leave(w, r)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// local returns a path on this console to go to after signing in, and "/" for whatever is none.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

func clientOf(r *http.Request) netip.Addr {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return remote.Addr().Unmap()
}
