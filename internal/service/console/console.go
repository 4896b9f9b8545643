// Package console is the web console of a running instance: HTTP/1.1 (RFC 9112) on a loopback address, pages rendered
// by the server and readable without JavaScript, and server-sent events for what happens meanwhile.
//
// # Who may enter
//
// A one-time link ([Service.Link]) or an admin's name and password. Both end in a session, which lives in memory and is
// named by a cookie.
//
// A link is consumed by GET, so that a click opens the console at once. A HEAD or a prefetch does not consume it, and a
// second click from the browser that has the session already leads to the first page. GET /open answers with a page that
// leads on to the first one, and not with a redirect: a redirect that began on another site, such as a webmail, would
// arrive without the cookie, which is SameSite=Strict.
//
// Cookies do not know ports (RFC 6265 section 8.5): a server on another port of the same loopback address that the
// admin visits is sent the cookie as well. So other users of a shared machine should have their servers on other
// loopback addresses.
//
// # What is refused
//
// A Host that is no loopback address (a rebound name of the DNS), a POST that comes from another origin, and any
// request but a plain navigation that another site causes.
package console

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/listen"
	"github.com/network-utopia/utopia/internal/state/observe"
	"github.com/network-utopia/utopia/transcript"
)

// The defaults of the limits in [Options].
const (
	DefaultMaxConns             = 64
	DefaultMaxHeaderBytes       = 16 << 10
	DefaultMaxFormBytes         = 4 << 10
	DefaultMaxLinks             = 16
	DefaultLinkLife             = 15 * time.Minute
	DefaultMaxSessions          = 64
	DefaultSessionIdle          = 12 * time.Hour
	DefaultMaxLogins            = 8
	DefaultMaxStreams           = 16
	DefaultMaxStreamsPerSession = 4
	DefaultStreamInterval       = 250 * time.Millisecond
	DefaultRowsPerSecond        = 10
	DefaultRows                 = 50
	DefaultReadTimeout          = 10 * time.Second
	DefaultWriteTimeout         = 30 * time.Second
	DefaultIdleTimeout          = 2 * time.Minute
)

// Guard decides whether a client may have another connection; release is called once it is over.
type Guard interface {
	Admit(client netip.Addr) (release func(), err error)
}

// Logins slows those down who guess passwords.
type Logins interface {
	// Penalty says how long the client's next try of the name has to wait before it is looked at.
	Penalty(client netip.Addr, name string) time.Duration
	// Failed and Succeeded tell the outcome of a try.
	Failed(client netip.Addr, name string)
	Succeeded(client netip.Addr, name string)
}

// Names tells what the page about the name server shows.
type Names interface {
	// Zones lists the zones: the domain's own first. An error says why there are none.
	Zones(ctx context.Context) ([]control.Zone, error)
	// Traffic tells what was answered since the program started.
	Traffic() control.Traffic
}

// Options are the settings of a [Service]. Of the limits, zero means the default.
type Options struct {
	Host    host.Host
	Address netip.AddrPort // a loopback address
	Domain  string
	Version string
	Log     *slog.Logger // nil for none

	// Status tells what the first page shows.
	Status func(ctx context.Context) (control.Status, error)
	// Ring holds the exchanges that are shown; nil for none. The pages and the live stream read it, so that an open
	// console makes nobody record more than is recorded anyway.
	Ring *transcript.Ring
	// Recorder is asked how many exchanges began, to tell how many the live stream left out; nil for not telling.
	Recorder *transcript.Recorder
	// Names tells of the name server; nil for no page about it.
	Names Names
	// Metrics answers /metrics, without a session; nil for none.
	Metrics http.Handler
	// Authenticate checks a name and password. An error that has a method Temporary() bool which returns true means
	// that it could not tell; any other means that they are wrong. Nil lets nobody sign in by password.
	Authenticate func(ctx context.Context, name, password string) (admin bool, err error)
	// Admin says whether the user of the name, as it was given to Authenticate, is an admin still. It is asked with each
	// request, so that the session of one who was removed or is no admin any more ends at once. Nil lets it stay.
	Admin  func(name string) bool
	Guard  Guard  // nil admits every connection
	Logins Logins // nil slows nobody down

	MaxConns             int           // connections at once
	MaxHeaderBytes       int           // bytes of a request's line and header
	MaxFormBytes         int64         // bytes of a form that is sent
	MaxLinks             int           // one-time links not yet used; the oldest gives way
	LinkLife             time.Duration // of a one-time link
	MaxSessions          int           // at once; the one unused for longest gives way
	SessionIdle          time.Duration // after which a session ends that no page was opened or button pressed in
	MaxLogins            int           // tries of a password at once, those among them that wait for being slowed down
	MaxStreams           int           // live streams at once
	MaxStreamsPerSession int           // of them in one session
	StreamInterval       time.Duration // between two looks of a live stream at the ring
	RowsPerSecond        int           // exchanges that a live stream shows each second, on average
	Rows                 int           // exchanges in the list
	ReadTimeout          time.Duration // for a whole request to arrive
	WriteTimeout         time.Duration // for an answer to leave; of a live stream, for each event
	IdleTimeout          time.Duration // between two requests on one connection
}

func (o *Options) setDefaults() {
	limit(&o.MaxConns, DefaultMaxConns)
	limit(&o.MaxHeaderBytes, DefaultMaxHeaderBytes)
	limit(&o.MaxFormBytes, DefaultMaxFormBytes)
	limit(&o.MaxLinks, DefaultMaxLinks)
	limit(&o.LinkLife, DefaultLinkLife)
	limit(&o.MaxSessions, DefaultMaxSessions)
	limit(&o.SessionIdle, DefaultSessionIdle)
	limit(&o.MaxLogins, DefaultMaxLogins)
	limit(&o.MaxStreams, DefaultMaxStreams)
	limit(&o.MaxStreamsPerSession, DefaultMaxStreamsPerSession)
	limit(&o.StreamInterval, DefaultStreamInterval)
	limit(&o.RowsPerSecond, DefaultRowsPerSecond)
	limit(&o.Rows, DefaultRows)
	limit(&o.ReadTimeout, DefaultReadTimeout)
	limit(&o.WriteTimeout, DefaultWriteTimeout)
	limit(&o.IdleTimeout, DefaultIdleTimeout)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Ring == nil {
		o.Ring = transcript.NewRing(0, 0)
	}
	if o.Status == nil {
		o.Status = func(context.Context) (control.Status, error) { return control.Status{}, nil }
	}
}

func limit[T int | int64 | time.Duration](field *T, byDefault T) {
	if *field == 0 {
		*field = byDefault
	}
}

// Service is the console. It is safe for concurrent use; once stopped it is not started again.
type Service struct {
	opts     Options
	site     *site
	links    links
	sessions sessions
	streams  *streams
	logins   chan struct{} // holds one for each try of a password under way
	door     listen.Door
	traffic  *observe.History // of the name server
	nonce    string           // what /healthz answers, so that a check knows its own console from another server on the port
	serving  sync.WaitGroup

	mu    sync.Mutex
	http  *http.Server // nil while it is not running
	bound netip.AddrPort
	end   context.CancelFunc // ends the live streams
}

// New returns a console that does not run yet. An address that is not a loopback one is refused.
func New(opts Options) (*Service, error) {
	if !opts.Address.Addr().IsLoopback() {
		return nil, fmt.Errorf("console on %v: only a loopback address may be listened on", opts.Address)
	}
	opts.setDefaults()
	site, err := newSite()
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	s := &Service{
		opts: opts, site: site, bound: opts.Address, nonce: rand.Text(),
		links:    links{max: opts.MaxLinks, life: opts.LinkLife, expiry: map[hash]time.Time{}},
		sessions: sessions{max: opts.MaxSessions, idle: opts.SessionIdle, still: opts.Admin, byHash: map[hash]*session{}},
		streams:  newStreams(opts.MaxStreams, opts.MaxStreamsPerSession),
		logins:   make(chan struct{}, opts.MaxLogins),
		traffic:  observe.NewHistory(trafficIntervals),
	}
	s.door.Max, s.door.Refuse = func() int { return opts.MaxConns }, refuse
	if opts.Guard != nil {
		s.door.Admit = opts.Guard.Admit
	}
	return s, nil
}

// tooMany is what a connection past the limit is told. It is sent unasked, as RFC 9110 section 15.6.4 lets a server do.
const tooMany = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 52\r\n\r\n" +
	"The console has too many connections at the moment.\n"

// refusalTimeout bounds how long telling it may hold up the next connection.
const refusalTimeout = 100 * time.Millisecond

func refuse(conn net.Conn) {
	_ = conn.SetWriteDeadline(time.Now().Add(refusalTimeout))
	_, _ = conn.Write([]byte(tooMany)) // whether the refused client hears of it is its own affair
}

// Start listens. For an address that is taken errors.Is(err, syscall.EADDRINUSE) holds.
func (s *Service) Start(ctx context.Context) error {
	l, err := s.opts.Host.Listen(ctx, "tcp", s.opts.Address.String())
	if err != nil {
		return fmt.Errorf("listen on %v: %w", s.opts.Address, err)
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	server := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: s.opts.ReadTimeout,
		ReadTimeout:       s.opts.ReadTimeout,
		WriteTimeout:      s.opts.WriteTimeout,
		IdleTimeout:       s.opts.IdleTimeout,
		MaxHeaderBytes:    s.opts.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return running },
		ConnState:         s.door.ConnState,
	}
	s.mu.Lock()
	s.http, s.end = server, end
	if bound := host.AddrPort(l.Addr()); bound.IsValid() {
		s.bound = bound
	}
	s.mu.Unlock()
	if s.opts.Names != nil {
		s.serving.Go(func() { s.sample(running) })
	}
	s.serving.Go(func() {
		err := server.Serve(s.door.Listener(l))
		if !errors.Is(err, http.ErrServerClosed) {
			s.opts.Log.Error("the console stopped serving", "err", err)
		}
	})
	return nil
}

// Stop ends the live streams, finishes the requests under way until ctx ends, and then closes hard. Sessions and links
// end with it.
func (s *Service) Stop(ctx context.Context) error {
	s.mu.Lock()
	server, end := s.http, s.end
	s.http = nil
	s.mu.Unlock()
	if server == nil {
		return nil
	}
	s.streams.close()
	s.door.CloseUnused()
	err := server.Shutdown(ctx)
	end()
	s.serving.Wait()
	if closing := server.Close(); err == nil { // what was accepted at the last moment, or outlived ctx
		err = closing
	}
	s.door.Wait()
	if err != nil {
		return fmt.Errorf("finish the console's requests: %w", err)
	}
	return nil
}

// Check asks /healthz over the network and expects this console's own answer.
func (s *Service) Check(ctx context.Context) error {
	address := s.address().String()
	client := http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return s.opts.Host.Dial(ctx, "tcp", address) },
		DisableKeepAlives: true,
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		return fmt.Errorf("ask the console: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask the console: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return fmt.Errorf("ask the console: %w", err)
	}
	if response.StatusCode != http.StatusOK || string(body) != s.nonce {
		return fmt.Errorf("ask the console: what answers on %s, with status %d, is another server", address, response.StatusCode)
	}
	return nil
}

// Endpoints tells where the console listens.
func (s *Service) Endpoints() []control.Endpoint {
	return []control.Endpoint{{Protocol: "HTTP", Network: "tcp", Address: s.address().String()}}
}

// EndSessions ends the sessions of an admin whose password was replaced: whoever knew the old one leaves.
func (s *Service) EndSessions(admin string) { s.sessions.endOf(admin) }

// Link returns a new one-time link. It fails while the console is not running.
func (s *Service) Link(context.Context) (control.Link, error) {
	s.mu.Lock()
	running := s.http != nil
	s.mu.Unlock()
	if !running {
		return control.Link{}, errors.New("the console is not running")
	}
	token, expires := s.links.issue(now())
	return control.Link{URL: "http://" + s.address().String() + "/open?token=" + token, Expires: expires}, nil
}

func (s *Service) address() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bound
}
