// Package socketsvc makes a supervised service of the upper-case server in package socket: one TCP listener and one
// UDP socket on each address.
package socketsvc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/listen"
	"github.com/network-utopia/utopia/socket"
	"github.com/network-utopia/utopia/transcript"
)

// StandardPort is the service's port before the offset is added.
const StandardPort = 12000

// Guard decides which clients are served.
type Guard interface {
	// Admit decides whether a client may have another connection; release is called once it is over.
	Admit(client netip.Addr) (release func(), err error)
	// Allow decides whether a client's datagram is answered now.
	Allow(client netip.Addr) bool
}

// Meter counts exchanges by their outcome: "TCP" or "UDP" for what was answered, else "panic" or why it was not.
type Meter interface {
	Count(outcome string, received, sent int)
}

// Options are the settings of a [Service].
type Options struct {
	Host      host.Host
	Addresses []netip.Addr
	Port      uint16 // with the offset; 0 takes any free one

	Log        *slog.Logger         // nil for none
	Transcript *transcript.Recorder // nil for none
	Guard      Guard                // also bounds the connections in all; nil admits everyone, up to socket.DefaultMaxConns
	Meter      Meter                // nil for none
}

// Service answers in upper case until it is stopped.
type Service struct {
	settings atomic.Pointer[Options]
	self     listen.Self

	mu      sync.Mutex
	server  *socket.Server // nil while it does not run
	sockets *listen.Sockets
	serving sync.WaitGroup
}

// New checks the settings. It opens nothing.
func New(opts Options) (*Service, error) {
	if opts.Host == nil {
		return nil, errors.New("the upper-case service: no host to listen on")
	}
	if len(opts.Addresses) == 0 {
		return nil, errors.New("the upper-case service: no address to listen on")
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	opts.Addresses = slices.Clone(opts.Addresses)
	s := &Service{}
	s.settings.Store(&opts)
	return s, nil
}

// Replace takes next's settings over when next listens on the same addresses, and says whether it did. Connections
// stay open; next must not be started.
func (s *Service) Replace(next *Service) bool {
	old, other := s.settings.Load(), next.settings.Load()
	if old.Host != other.Host || old.Port != other.Port || !slices.Equal(old.Addresses, other.Addresses) ||
		(old.Guard == nil) != (other.Guard == nil) {
		return false
	}
	s.settings.Store(other)
	return true
}

// Endpoints tells where the service listens; before Start, where it will.
func (s *Service) Endpoints() []control.Endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	endpoint := func(network, address string) control.Endpoint {
		return control.Endpoint{Protocol: "upper-case", Network: network, Address: address}
	}
	var all []control.Endpoint
	if s.server == nil {
		opts := s.settings.Load()
		for _, a := range opts.Addresses {
			address := netip.AddrPortFrom(a, opts.Port).String()
			all = append(all, endpoint("tcp", address), endpoint("udp", address))
		}
		return all
	}
	for i, l := range s.sockets.Listeners {
		all = append(all, endpoint("tcp", l.Addr().String()), endpoint("udp", s.sockets.Packets[i].LocalAddr().String()))
	}
	return all
}

// Start listens on all addresses, or on none.
func (s *Service) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		return errors.New("the upper-case service runs already")
	}
	opts := s.settings.Load()
	sockets, err := listen.Open(ctx, opts.Host, opts.Addresses, opts.Port, 1)
	if err != nil {
		return fmt.Errorf("the upper-case service: %w", err)
	}
	current := inForce{&s.settings}
	serverOptions := socket.Options{
		Log: opts.Log, Transcript: opts.Transcript, Rate: current, Metrics: current,
		Quiet: s.self.Is,
	}
	if opts.Guard != nil {
		serverOptions.Guard, serverOptions.MaxConns = current, math.MaxInt
	}
	server := socket.NewServer(serverOptions)
	for _, l := range sockets.Listeners {
		s.serve(opts.Log, func() error { return server.Serve(l) })
	}
	for _, pc := range sockets.Packets {
		s.serve(opts.Log, func() error { return server.ServePacket(pc) })
	}
	s.server, s.sockets = server, sockets
	return nil
}

// serve runs one of the server's loops. One that ends by itself is told in the log, and Check finds it dead.
func (s *Service) serve(log *slog.Logger, loop func() error) {
	s.serving.Go(func() {
		if err := loop(); !errors.Is(err, socket.ErrServerClosed) {
			log.Error("the upper-case service no longer answers", "err", err)
		}
	})
}

// Stop answers what has arrived and closes, hard when ctx ends first.
func (s *Service) Stop(ctx context.Context) error {
	s.mu.Lock()
	server := s.server
	s.server, s.sockets = nil, nil
	s.mu.Unlock()
	if server == nil {
		return nil
	}
	err := server.Shutdown(ctx)
	s.serving.Wait()
	return err
}

// Check sends a word to each address, over TCP and UDP, and wants it back in upper case.
func (s *Service) Check(ctx context.Context) error {
	s.mu.Lock()
	running := s.server != nil
	s.mu.Unlock()
	if !running {
		return errors.New("the upper-case service does not run")
	}
	return s.self.Check(ctx, s.settings.Load().Host, s.Endpoints(), ask)
}

func ask(_ context.Context, conn net.Conn, _ control.Endpoint) error {
	word := "check " + strings.ToLower(rand.Text())
	if _, err := conn.Write([]byte(word)); err != nil {
		return err
	}
	answer := make([]byte, 0, len(word)+1)
	for len(answer) < len(word) {
		n, err := conn.Read(answer[len(answer):cap(answer)])
		answer = answer[:len(answer)+n]
		if err != nil {
			return err
		}
	}
	if string(answer) != strings.ToUpper(word) {
		return fmt.Errorf("%q is answered %q", word, answer)
	}
	return nil
}

// inForce asks and counts by the settings that are in force at the moment: what package socket wants of its caller.
type inForce struct{ settings *atomic.Pointer[Options] }

// Admit implements socket.Guard; the server has it only where there is a guard.
func (f inForce) Admit(client netip.Addr) (release func(), err error) {
	return f.settings.Load().Guard.Admit(client)
}

// Allow implements socket.Rate.
func (f inForce) Allow(client netip.Addr) bool {
	guard := f.settings.Load().Guard
	return guard == nil || guard.Allow(client)
}

// Exchange implements socket.Metrics.
func (f inForce) Exchange(network string, in, out int64, _ time.Duration) {
	f.count(strings.ToUpper(network), in, out)
}

// Refused implements socket.Metrics: it counts what neither the guard nor Exchange counts.
func (f inForce) Refused(_ string, why socket.Refusal) {
	if why == socket.RefusedSource || why == socket.RefusedFull {
		f.count(string(why), 0, 0)
	}
}

// Panic implements socket.Metrics.
func (f inForce) Panic(string) { f.count("panic", 0, 0) }

func (f inForce) count(outcome string, in, out int64) {
	if m := f.settings.Load().Meter; m != nil {
		m.Count(outcome, int(in), int(out))
	}
}
