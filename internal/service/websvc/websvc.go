// Package websvc makes a supervised service of the web site: the files of package web/static for the domain's own
// hosts, over HTTP and HTTPS on each address (RFC 9110, RFC 9112, RFC 9113). The serving loop is net/http's.
//
// It answers for the domain, www.domain, localhost and addresses; any other Host gets 421 (RFC 9110 section 15.5.20).
// A connection is taken or refused when it is accepted, and stays bare, so that files leave by sendfile. A client that
// reads slowly is waited for as long as it takes 32 KiB in each WriteTimeout.
package websvc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/listen"
	"github.com/network-utopia/utopia/transcript"
	"github.com/network-utopia/utopia/web/static"
)

// The service's ports before the offset is added.
const (
	StandardHTTPPort  = 80
	StandardHTTPSPort = 443
)

// The limits that Options holds where they are zero.
const (
	DefaultMaxConns          = 4096
	DefaultMaxHeaderBytes    = 32 << 10
	DefaultMaxBody           = 64 << 10
	DefaultReadHeaderTimeout = 10 * time.Second
	DefaultBodyTimeout       = 30 * time.Second
	DefaultIdleTimeout       = 2 * time.Minute
	DefaultWriteTimeout      = 30 * time.Second
)

// Guard decides which clients are served.
type Guard interface {
	// Admit decides whether a client may have another connection; release is called once it is over.
	Admit(client netip.Addr) (release func(), err error)
	// Allow decides whether a client's request is answered now, and otherwise it gets 429.
	Allow(client netip.Addr) bool
}

// Certificates chooses the certificate for a TLS handshake.
type Certificates interface {
	GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error)
}

// Meter counts requests by their outcome, a status code, with the bytes of the bodies.
type Meter interface {
	Count(outcome string, received, sent int)
}

// Mount is a path with a handler of its own, for what another service does over HTTPS. Over HTTP a request for it is led
// to HTTPS.
type Mount struct {
	Path     string // as it stands in a request, such as "/dns-query"; nothing below it
	Protocol string // what is spoken there, as the endpoints show it
	Handler  http.Handler
}

// Served tells of a request that was answered.
type Served struct {
	Protocol string // such as "HTTP/2.0"
	TLS      bool
	Method   string
	Code     int
	Received int64 // bytes of the request's body
	Sent     int64 // bytes of the answer's body
	Took     time.Duration
}

// Options are the settings of a [Service]. Of the limits, zero means the default.
type Options struct {
	Host      host.Host
	Addresses []netip.Addr
	HTTPPort  uint16 // with the offset; 0 takes any free one
	HTTPSPort uint16 // the same

	Domain          string   // in lower case, without a dot at the end
	Root            string   // the folder that is served; it must exist
	Index           []string // names of index files; nil means static.DefaultIndex
	HiddenFiles     bool     // whether names that begin with a dot are served
	Listing         bool     // whether folders without an index file are listed
	RedirectToHTTPS bool     // whether HTTP only leads to HTTPS

	Mounts []Mount // what answers in the place of files, over HTTPS

	Certificates Certificates   // nil for no HTTPS
	Roots        *x509.CertPool // what Check verifies our certificate against; nil for not verifying

	Log        *slog.Logger         // nil for none
	Transcript *transcript.Recorder // one exchange for each request; nil for none
	Guard      Guard                // nil admits everyone
	Meter      Meter                // nil for none
	Served     func(Served)         // called after each request; nil for none

	MaxConns          int           // connections at once; with a Guard, zero leaves them to it
	MaxHeaderBytes    int           // bytes of a request's line and header
	MaxBody           int64         // bytes of a request's body
	ReadHeaderTimeout time.Duration // for a request's line and header, and for the TLS handshake
	BodyTimeout       time.Duration // for a request's body
	IdleTimeout       time.Duration // between two requests on one connection
	WriteTimeout      time.Duration // for each 32 KiB of an answer
}

func (o *Options) setDefaults() {
	if o.Guard != nil {
		limit(&o.MaxConns, math.MaxInt)
	}
	limit(&o.MaxConns, DefaultMaxConns)
	limit(&o.MaxHeaderBytes, DefaultMaxHeaderBytes)
	limit(&o.MaxBody, DefaultMaxBody)
	limit(&o.ReadHeaderTimeout, DefaultReadHeaderTimeout)
	limit(&o.BodyTimeout, DefaultBodyTimeout)
	limit(&o.IdleTimeout, DefaultIdleTimeout)
	limit(&o.WriteTimeout, DefaultWriteTimeout)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Addresses = slices.Clone(o.Addresses)
	o.Domain = strings.TrimSuffix(strings.ToLower(o.Domain), ".")
}

func limit[T int | int64 | time.Duration](value *T, fallback T) {
	if *value == 0 {
		*value = fallback
	}
}

// Service serves the site until it is stopped.
type Service struct {
	current atomic.Pointer[site]
	self    listen.Self

	httpsPort atomic.Uint32 // where HTTPS is listened for; 0 before Start

	mu      sync.Mutex
	running *running // nil while it does not run
	stopped bool     // the site was let go of, or handed on
}

// New checks the settings and opens the folder of the site. It opens no socket.
func New(opts Options) (*Service, error) {
	opts.setDefaults()
	switch {
	case opts.Host == nil:
		return nil, errors.New("the web service: no host to listen on")
	case len(opts.Addresses) == 0:
		return nil, errors.New("the web service: no address to listen on")
	case opts.Domain == "":
		return nil, errors.New("the web service: no domain")
	}
	s := &Service{}
	first, err := newSite(opts)
	if err != nil {
		return nil, fmt.Errorf("the web service: %w", err)
	}
	s.current.Store(first)
	return s, nil
}

// Replace takes next's settings over when next listens on the same addresses, and says whether it did. Connections
// stay open, and requests under way end by the old settings. next must neither be started nor used again.
func (s *Service) Replace(next *Service) bool {
	if s == next {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next.mu.Lock()
	defer next.mu.Unlock()
	old, other := s.current.Load(), next.current.Load()
	if s.stopped || next.stopped || !old.listensAs(other) {
		return false
	}
	next.stopped = true // it has nothing left to let go of
	s.current.Store(other)
	old.release()
	return true
}

// Endpoints tells where the service listens; before Start, where it will.
func (s *Service) Endpoints() []control.Endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	opts := &s.current.Load().opts
	if s.running != nil {
		return opts.withMounts(s.running.endpoints)
	}
	var all []control.Endpoint
	for _, a := range opts.Addresses {
		all = append(all, endpoint("HTTP", netip.AddrPortFrom(a, opts.HTTPPort).String()))
		if opts.Certificates != nil {
			all = append(all, endpoint("HTTPS", netip.AddrPortFrom(a, opts.HTTPSPort).String()))
		}
	}
	return opts.withMounts(all)
}

// withMounts adds what is spoken below HTTPS to the endpoints of that.
func (o *Options) withMounts(endpoints []control.Endpoint) []control.Endpoint {
	all := slices.Clone(endpoints)
	for _, e := range endpoints {
		for _, m := range o.Mounts {
			if e.Protocol == "HTTPS" {
				all = append(all, endpoint(m.Protocol, e.Address))
			}
		}
	}
	return all
}

func endpoint(protocol, address string) control.Endpoint {
	return control.Endpoint{Protocol: protocol, Network: "tcp", Address: address}
}

// site is the settings with the open folder. It is shared by the requests that it answers, and closed when the last
// of them is over and its service has another one.
type site struct {
	opts  Options
	files *static.Handler
	users atomic.Int64 // 1 for the service, and 1 for each request; 0 once closed
}

func newSite(opts Options) (*site, error) {
	files, err := static.New(static.Options{
		Root: opts.Root, Index: opts.Index, HiddenFiles: opts.HiddenFiles, Listing: opts.Listing, Log: opts.Log,
	})
	if err != nil {
		return nil, err
	}
	s := &site{opts: opts, files: files}
	s.users.Store(1)
	return s, nil
}

// acquire returns the site in force, which the caller releases.
func (s *Service) acquire() *site {
	for {
		c := s.current.Load()
		if n := c.users.Load(); n > 0 && c.users.CompareAndSwap(n, n+1) {
			return c
		}
		if c == s.current.Load() && c.users.Load() == 0 {
			return nil // stopped
		}
	}
}

func (c *site) release() {
	if c.users.Add(-1) == 0 {
		if err := c.files.Close(); err != nil {
			c.opts.Log.Warn("cannot close the folder of the site", "err", err)
		}
	}
}

// listensAs says whether other can take over the sockets, and what is set once for all of them.
func (c *site) listensAs(other *site) bool {
	a, b := &c.opts, &other.opts
	return a.Host == b.Host && a.HTTPPort == b.HTTPPort && a.HTTPSPort == b.HTTPSPort &&
		slices.Equal(a.Addresses, b.Addresses) && (a.Certificates == nil) == (b.Certificates == nil) &&
		a.MaxHeaderBytes == b.MaxHeaderBytes && a.ReadHeaderTimeout == b.ReadHeaderTimeout && a.IdleTimeout == b.IdleTimeout
}

// ours says whether the site answers for a Host field: without its port and a dot at its end, and whatever its case,
// it is the domain, www.domain, localhost or an address. A request of HTTP/1.0 may have none.
func (c *site) ours(hostport string) bool {
	name := hostName(hostport)
	if hostport == "" || name == c.opts.Domain || name == "www."+c.opts.Domain || name == "localhost" {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}

// hostName returns the name or address in a Host field in lower case (RFC 9110 section 7.2); what is malformed comes
// back as it is, and is nobody's name.
func hostName(hostport string) string {
	name := hostport
	if inner, ok := strings.CutPrefix(hostport, "["); ok {
		address, port, closed := strings.Cut(inner, "]")
		if !closed || port != "" && !isPort(port) || !strings.Contains(address, ":") {
			return hostport
		}
		return address
	}
	if i := strings.LastIndexByte(hostport, ':'); i >= 0 {
		if !isPort(hostport[i:]) {
			return hostport
		}
		name = hostport[:i]
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// isPort says whether text is a colon and a port, which may be empty (RFC 3986 section 3.2.3).
func isPort(text string) bool {
	digits, ok := strings.CutPrefix(text, ":")
	return ok && len(digits) <= 5 && strings.Trim(digits, "0123456789") == ""
}

// isRead says whether a method asks only to read.
func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }
