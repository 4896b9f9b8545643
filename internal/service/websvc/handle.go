package websvc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/network-utopia/utopia/transcript"
	"github.com/network-utopia/utopia/web/static"
)

// serverName is the Server field. It tells no version.
const serverName = "Utopia"

// handle answers one request: it is the handler of all listeners.
func (s *Service) handle(w http.ResponseWriter, r *http.Request) {
	c := s.acquire()
	if c == nil { // stopped, and closed hard
		panic(http.ErrAbortHandler)
	}
	defer c.release()
	start := time.Now()
	remote, _ := netip.ParseAddrPort(r.RemoteAddr) // of an emulated host too; otherwise the zero value
	remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
	a := &answer{
		ResponseWriter: w, control: http.NewResponseController(w), timeout: c.opts.WriteTimeout,
		bare: r.Context().Value(bareKey{}) != nil, streams: r.ProtoMajor > 1, proto: r.Proto,
	}
	own := s.self.Is(remote)
	body := &counted{ReadCloser: r.Body}
	if r.ContentLength != 0 {
		// In a copy: net/http looks at the body of its own, to answer without a body that the client waits to send.
		r = r.WithContext(r.Context())
		r.Body = body
	}
	if !own {
		if a.x = c.begin(r, remote); a.x != nil {
			if a.x.Wants(transcript.Bytes) {
				a.bytes = newBytesOf(a.x, r)
				body.bytes = a.bytes
			}
			r = r.WithContext(a.x.Context(r.Context()))
		}
		defer func() { c.done(r, a, body.n, start) }()
	}
	defer c.recovered(a, r)
	a.extend()
	a.Header().Set("Server", serverName)
	switch {
	case !own && c.opts.Guard != nil && !c.opts.Guard.Allow(remote.Addr()):
		a.Header().Set("Retry-After", "1")
		static.ErrorPage(a, r, http.StatusTooManyRequests, "You ask faster than this server answers. Try again in a moment.")
	case !c.ours(r.Host):
		static.ErrorPage(a, r, http.StatusMisdirectedRequest, c.misdirected(r.Host))
	case !c.takeBody(a, r):
	case (c.opts.RedirectToHTTPS || c.mount(r) != nil) && r.TLS == nil && c.opts.Certificates != nil:
		c.redirect(a, r, int(s.httpsPort.Load()))
	case c.mount(r) != nil && r.TLS != nil:
		c.mount(r).ServeHTTP(a, r)
	default:
		c.files.ServeHTTP(a, r)
	}
	a.bytes.drain(r, c.opts.MaxBody)
	a.finish()
}

// mount is the handler of a request that no file answers; nil for none.
func (c *site) mount(r *http.Request) http.Handler {
	for _, m := range c.opts.Mounts {
		if r.URL.Path == m.Path {
			return m.Handler
		}
	}
	return nil
}

// misdirected says what is served here, to whom a name led that is not ours.
func (c *site) misdirected(host string) string {
	if len(host) > 255 { // no name is longer (RFC 1035 section 2.3.4)
		host = "that name"
	}
	return fmt.Sprintf("This server does not answer for %s. It serves %s and www.%s.", host, c.opts.Domain, c.opts.Domain)
}

// takeBody limits the body of a request in bytes and time; false when it has answered. Nothing is done with the body of
// GET and HEAD (RFC 9110 section 9.3.1), so that is taken now, and the connection is ready for the next request.
func (c *site) takeBody(w *answer, r *http.Request) bool {
	if r.ContentLength == 0 {
		return true
	}
	if r.ContentLength <= c.opts.MaxBody {
		_ = w.control.SetReadDeadline(time.Now().Add(c.opts.BodyTimeout)) // not supported: then the transport has none
		r.Body = http.MaxBytesReader(w.ResponseWriter, r.Body, c.opts.MaxBody)
		if !isRead(r.Method) {
			return true
		}
		_, err := io.Copy(io.Discard, r.Body)
		var tooLarge *http.MaxBytesError
		switch {
		case err == nil:
			_ = w.control.SetReadDeadline(time.Time{})
			return true
		case !errors.As(err, &tooLarge):
			w.Header().Set("Connection", "close")
			static.ErrorPage(w, r, http.StatusBadRequest, "The body of the request did not arrive whole.")
			return false
		}
	}
	w.Header().Set("Connection", "close")
	static.ErrorPage(w, r, http.StatusRequestEntityTooLarge,
		fmt.Sprintf("The body of a request may have %d bytes.", c.opts.MaxBody))
	return false
}

// redirect leads to the same address over HTTPS. The host is one of ours, so it leads nowhere else.
func (c *site) redirect(w *answer, r *http.Request, port int) {
	name := hostName(r.Host)
	if name == "" {
		name = c.opts.Domain
	}
	if port != StandardHTTPSPort {
		name = net.JoinHostPort(name, strconv.Itoa(port))
	} else if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	target := r.URL.EscapedPath()
	if !strings.HasPrefix(target, "/") {
		target = "/"
	}
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", "https://"+name+target)
	code := http.StatusPermanentRedirect // keeps the method
	if isRead(r.Method) {
		code = http.StatusMovedPermanently
	}
	static.ErrorPage(w, r, code, "This site is served over HTTPS.")
}

// recovered turns a panic into a 500 where nothing was sent yet, and into a closed connection otherwise.
func (c *site) recovered(a *answer, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	c.opts.Log.Error("a request was given up", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
	if m := c.opts.Meter; m != nil {
		m.Count("panic", 0, 0)
	}
	a.x.Line(transcript.Note, 0, "the server broke off: a fault of its own")
	if a.code != 0 {
		panic(http.ErrAbortHandler)
	}
	a.Header().Set("Connection", "close")
	static.ErrorPage(a, r, http.StatusInternalServerError, "The server has made a mistake.")
	a.finish()
}

// done closes the books on a request.
func (c *site) done(r *http.Request, a *answer, received int64, start time.Time) {
	a.x.End()
	if m := c.opts.Meter; m != nil {
		m.Count(strconv.Itoa(a.code), int(received), int(a.sent))
	}
	if c.opts.Served != nil {
		c.opts.Served(Served{
			Protocol: r.Proto, TLS: r.TLS != nil, Method: r.Method, Code: a.code,
			Received: received, Sent: a.sent, Took: time.Since(start),
		})
	}
}

// counted is a request's body that counts.
type counted struct {
	io.ReadCloser
	n     int64
	bytes *bytesOf // nil where nobody asks for them
}

// Read is io.Reader.
func (b *counted) Read(p []byte) (int, error) {
	b.bytes.toBeAsked()
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	b.bytes.asked(p[:n], err)
	return n, err
}
