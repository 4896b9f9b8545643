package websvc

import (
	"context"
	"crypto/tls"
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
)

// running is what exists from Start to Stop.
type running struct {
	server    http.Server
	endpoints []control.Endpoint
	door      listen.Door
	serving   sync.WaitGroup
}

// Start listens on all addresses, or on none.
func (s *Service) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return errors.New("the web service runs already")
	}
	if s.stopped {
		again, err := newSite(s.current.Load().opts)
		if err != nil {
			return fmt.Errorf("the web service: %w", err)
		}
		s.current.Store(again)
		s.stopped = false
	}
	opts := &s.current.Load().opts
	listeners, err := open(ctx, opts)
	if err != nil {
		return fmt.Errorf("the web service: %w", err)
	}
	r := &running{}
	r.door.Admit = s.admit
	r.door.Max = func() int { return s.current.Load().opts.MaxConns }
	s.prepare(&r.server, opts)
	r.server.ConnState = r.door.ConnState
	for _, l := range listeners {
		r.endpoints = append(r.endpoints, endpoint(l.protocol, l.Addr().String()))
		if l.protocol == "HTTPS" {
			s.httpsPort.Store(uint32(host.AddrPort(l.Addr()).Port()))
		}
		r.serve(opts.Log, l)
	}
	s.running = r
	return nil
}

// headerGrace is what net/http adds to the limit of a header.
const headerGrace = 4096

func (s *Service) prepare(server *http.Server, opts *Options) {
	server.Handler = http.HandlerFunc(s.handle)
	server.TLSConfig = &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: s.certificate,
		NextProtos: []string{"h2", "http/1.1"}, // said here, since net/http decides at the first Serve, which is plain
	}
	server.ReadHeaderTimeout = opts.ReadHeaderTimeout
	server.IdleTimeout = opts.IdleTimeout
	server.MaxHeaderBytes = max(1, opts.MaxHeaderBytes-headerGrace)
	server.ErrorLog = slog.NewLogLogger(opts.Log.Handler(), slog.LevelDebug)
	server.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: maxStreams, WriteByteTimeout: opts.WriteTimeout}
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if _, ok := conn.(io.ReaderFrom); ok {
			return context.WithValue(ctx, bareKey{}, true)
		}
		return ctx
	}
}

// maxStreams is how many requests one connection of HTTP/2 may have under way (RFC 9113 section 5.1.2).
const maxStreams = 100

// bareKey marks the context of a connection that is the transport itself, to which the kernel can copy a file.
type bareKey struct{}

// listener is an open listener with what is spoken on it.
type listener struct {
	net.Listener
	protocol string
}

// open opens all listeners, or none.
func open(ctx context.Context, opts *Options) ([]listener, error) {
	plain, err := listen.Open(ctx, opts.Host, opts.Addresses, opts.HTTPPort, 0)
	if err != nil {
		return nil, err
	}
	secured := &listen.Sockets{}
	if opts.Certificates != nil {
		if secured, err = listen.Open(ctx, opts.Host, opts.Addresses, opts.HTTPSPort, 0); err != nil {
			plain.Close()
			return nil, err
		}
	}
	var all []listener
	for i, l := range plain.Listeners {
		all = append(all, listener{l, "HTTP"})
		if secured.Listeners != nil {
			all = append(all, listener{secured.Listeners[i], "HTTPS"})
		}
	}
	return all, nil
}

// admit asks the guard that is in force. A client past its limit is told nothing: that would cost more than it does.
func (s *Service) admit(client netip.Addr) (release func(), err error) {
	guard := s.current.Load().opts.Guard
	if guard == nil {
		return func() {}, nil
	}
	return guard.Admit(client)
}

// serve runs the loop of one listener. One that ends by itself is told in the log, and Check finds it dead.
func (r *running) serve(log *slog.Logger, l listener) {
	guarded := r.door.Listener(l.Listener)
	r.serving.Go(func() {
		loop := func() error { return r.server.Serve(guarded) }
		if l.protocol == "HTTPS" {
			loop = func() error { return r.server.ServeTLS(guarded, "", "") }
		}
		if err := loop(); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the web service no longer answers", "address", l.Addr().String(), "err", err)
		}
	})
}

func (s *Service) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.current.Load().opts.Certificates.GetCertificate(hello)
}

// stopGrace is how long a connection on which no request has begun may stay when the service stops.
const stopGrace = 250 * time.Millisecond

// Stop stops accepting, lets requests under way end, and closes hard when ctx ends first. A service that never ran lets
// go of its folder.
func (s *Service) Stop(ctx context.Context) error {
	s.mu.Lock()
	r, site, handed := s.running, s.current.Load(), s.stopped
	s.running, s.stopped = nil, true
	s.mu.Unlock()
	if !handed {
		defer site.release()
	}
	if r == nil {
		return nil
	}
	// net/http waits 5 s for a first request, as browsers open connections in advance.
	fresh := time.AfterFunc(stopGrace, r.door.CloseUnused)
	defer fresh.Stop()
	err := r.server.Shutdown(ctx)
	if err != nil {
		// The transports first: TLS would try for 5 s to say goodbye on each.
		r.door.CloseAll()
		err = errors.Join(err, r.server.Close())
	}
	r.serving.Wait()
	r.door.Wait()
	return err
}
