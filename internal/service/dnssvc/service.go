// Package dnssvc makes a supervised service of the name server in
// dns/dnsserver: it makes the domain's zone from the settings and the user's
// zone files, and answers from it over UDP,
// TCP, TLS and, where somebody hands it their requests, HTTPS.
//
// The zone has an SOA and an NS record, addresses at ns1 and at the hosts of the
// domain's services, what these need beside (Options.Own), and what tells of TLS
// and HTTPS (RFC 9461). Where a zone file has records of a name and type,
// those stand and ours of the same name and type do not; A and AAAA count as
// one type here, so that a host whose IPv4 address the user sets does not keep
// our IPv6 address. A CNAME, DNAME or delegation of the user's at a name leaves
// none of ours there.
//
// Zones beside the domain's own come from their files as they stand there. Where
// a zone's file has an error the zone stays as it was, and the others move on;
// of one that has never been there nothing is known, and questions about it get
// SERVFAIL.
//
// # Names of addresses
//
// An address that a host in the domain's zone has gets a zone at its own name (RFC
// 1035 section 3.5, RFC 3596 section 2.5), with a PTR record for the host: a
// private address always, one of the domain's public ones with Options.Reverse. It
// is in step with the domain's zone. A zone of the user's at the name or above it
// goes first. docs/decisions/0009-a-zone-for-each-address.md tells why.
//
// # Signatures
//
// Zones are signed where the settings say so (RFC 9364) and the user has not
// done it: with a key of each zone that is made once and kept, and again before
// the signatures end. What is signed is kept as well, so that a restart of a large
// zone takes seconds, and secondary servers need not fetch all of it.
//
// # Updates, transfers and secondary zones
//
// Whoever signs with a key (RFC 8945) may change what the zone's policy grants to
// the key (RFC 2136): the change is in the zone's journal, synced, before it is
// confirmed, and stays on top of what settings and files make. Transfers (RFC
// 5936, RFC 1995) go to the networks and keys of the policy; its servers, and
// those that the NS records name, are told of changes (RFC 1996). A zone with
// primaries is fetched from them, and kept. docs/explanation/zone-journal.md
// tells more.
//
// # Serials
//
// The SOA's serial is the time at which the zone was made, in seconds since
// 1970, unless the user's zone file has an SOA of its own. When a zone is
// replaced by one with the same records, nothing changes; otherwise the new
// serial comes after the old one (RFC 1982), by one where the clock does not
// say so. A serial in a user's SOA is never changed in a zone that is not signed:
// a change of the zone without a change of that is told in the log. Where a zone
// is signed its signatures change by themselves, so there the serial comes after
// the old one as well.
package dnssvc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsserver"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/listen"
	"github.com/network-utopia/utopia/internal/state/zones"
	"github.com/network-utopia/utopia/transcript"
)

const (
	// StandardPort is the service's port before the offset is added.
	StandardPort = 53
	// StandardTLSPort is the same for TLS (RFC 7858 section 3.1).
	StandardTLSPort = 853
	// DefaultTTL is what Options.TTL means where it is zero.
	DefaultTTL = time.Hour
	// maxSockets bounds the UDP sockets of one address; there are no more than
	// processors.
	maxSockets = 8
)

// Guard decides which clients are served.
type Guard interface {
	// Admit decides whether a client may have another connection; release is
	// called once it is over.
	Admit(client netip.Addr) (release func(), err error)
	// AllowAt decides whether a client's query is answered now.
	AllowAt(client netip.Addr, now time.Time) bool
}

// Certificates chooses the certificate for a TLS handshake.
type Certificates interface {
	GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error)
}

// Meter counts exchanges by their outcome: the response code, or why there was
// no answer.
type Meter interface {
	// Add adds n exchanges with one outcome, and the bytes of their messages.
	Add(outcome string, n, received, sent int)
}

// Options are the settings of a Service.
type Options struct {
	Domain    string
	Records   []netip.Addr  // the addresses that the domain's records give
	Hosts     []string      // the names within the domain that have these addresses, beside ns1: "@" for the domain itself, "www"
	Own       []Own         // further records of the domain, which its services need
	TTL       time.Duration // of our records, whole seconds; DefaultTTL when zero
	Reverse   bool          // names are given (PTR) for public addresses among Records too, and not for local ones alone
	ZoneFiles []string      // master files with more records of the domain; what they $INCLUDE lies beside or below them
	Signing   Signing       // of the domain's own zone
	Zones     []Zone        // beside the domain's own
	Keys      Keys          // that zones are signed with; nil: no zone is signed
	Policy                  // of the domain's own zone
	TSIG      []dns.TSIGKey // the keys that policies and primaries name
	Keep      *zones.Store  // for what must last of zones; nil: no updates, and secondary zones are fetched anew at each start

	// Before is the service that this one is to take the place of, or nil: what
	// cannot be made anew is taken from there.
	Before *Service

	Rotate           bool           // the addresses of a name are given in another order each time (RFC 1794)
	NSID             string         // for clients that ask which server answers (RFC 5001); "" tells nothing
	RateLimit        int            // responses of one kind to one network a second over UDP; 0 for no limits
	Slip             int            // every how many of those beyond are sent truncated; 0 for none
	Unlimited        []netip.Prefix // networks to which RateLimit does not apply
	CookieSecretFile string         // secrets that servers share, one on each line; "" for one of our own
	Limited          *Limited       // counts what RateLimit kept back; nil for nothing
	Counts           *Counts        // counts what is answered; nil for nothing

	Host      host.Host
	Addresses []netip.Addr // to listen on
	Port      uint16       // with the offset; 0 takes any free one
	TLSPort   uint16       // the same, for TLS
	HTTPSPort uint16       // at which somebody hands it the requests of HTTPS, for the records that say so; 0 for nobody

	Certificates Certificates   // nil for no TLS
	Roots        *x509.CertPool // what Check verifies our certificate against; nil for not verifying

	Log        *slog.Logger         // nil for none
	Transcript *transcript.Recorder // nil for none
	Guard      Guard                // also bounds the connections in all; nil admits everyone, up to dnsserver.DefaultMaxConns
	Meter      Meter                // nil for none
}

// Service is the domain's name server.
type Service struct {
	current  atomic.Pointer[state]
	changing sync.Mutex    // whoever makes the next state holds it, and whoever changes what live has; after mu
	replaced chan struct{} // tells of a new state
	self     listen.Self

	live
	tellers     tellers
	stopTelling func()

	mu      sync.Mutex
	server  *dnsserver.Server // nil while it does not run
	sockets *listen.Sockets
	secured *listen.Sockets    // for TLS
	end     context.CancelFunc // of what else runs
	serving sync.WaitGroup
}

// state is what Replace takes over.
type state struct {
	Options
	zones   []made           // the domain's own first, those of addresses last
	index   map[dns.Name]int // where each is
	set     *zone.Set
	hosts   hosts                 // of the domain's zone, that those of addresses are made of
	basis   reverseBasis          // the same, but for the settings; the zero value: they are to be looked at anew
	numbers map[*zone.Zone]uint32 // in Counts
	protect *protection
	after   *state // that its zones were made to come after
}

// New makes the zones. It opens no socket: whatever is wrong with the settings
// and zone files comes to light here. An error of the domain's own zone, where
// there is none to keep, is returned; in a zone file it is of type
// zone.Problems. Failed tells of the others.
func New(opts Options) (*Service, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	opts.Addresses = slices.Clone(opts.Addresses)
	var before *state
	if opts.Before != nil {
		before = opts.Before.current.Load()
		opts.Before = nil // it may go
	}
	zones, err := makeZones(opts, before, time.Now())
	if err == nil && zones[0].zone == nil {
		err = zones[0].failed
	}
	if err != nil {
		return nil, fmt.Errorf("the name server: %w", err)
	}
	st, err := newState(opts, zones, before)
	if err != nil {
		return nil, fmt.Errorf("the name server: %w", err)
	}
	s := &Service{replaced: make(chan struct{}, 1)}
	s.current.Store(st)
	return s, nil
}

func newState(opts Options, zones []made, before *state) (*state, error) {
	now := time.Now()
	p, err := newProtection(opts, now)
	if err != nil {
		return nil, err
	}
	st := &state{Options: opts, zones: zones, protect: p, after: before}
	if before != nil {
		st.takeReverse(before)
	}
	return st, st.settle(now)
}

// Replace takes next's zones and settings over when next listens on the same
// addresses, and says whether it did. Queries are answered all the time; each
// sees the old zones or the new ones. Next must not be started.
func (s *Service) Replace(next *Service) bool {
	old, other := s.current.Load(), next.current.Load()
	if old.Host != other.Host || old.Port != other.Port || old.TLSPort != other.TLSPort || !slices.Equal(old.Addresses, other.Addresses) ||
		(old.Guard == nil) != (other.Guard == nil) || (old.Certificates == nil) != (other.Certificates == nil) {
		return false
	}
	s.retire(other)
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := other.protect.inherit(old.protect); err != nil {
		return false // cannot happen: both were made from good settings
	}
	now, made := s.current.Load(), *other
	made.takeReverse(now) // whatever other was made after
	for i, m := range made.zones {
		made.zones[i] = s.renewed(now, &made, m, time.Now())
	}
	made.after = nil
	if err := s.enforce(now, &made); err != nil {
		return false // cannot happen: they were a set before
	}
	select {
	case s.replaced <- struct{}{}:
	default:
	}
	return true
}

// Endpoints tells where the service listens; before Start, where it will.
func (s *Service) Endpoints() []control.Endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []control.Endpoint
	add := func(protocol, network, address string) {
		all = append(all, control.Endpoint{Protocol: protocol, Network: network, Address: address})
	}
	if s.server != nil {
		for i, l := range s.sockets.Listeners {
			add("DNS", "udp", l.Addr().String())
			add("DNS", "tcp", l.Addr().String())
			if len(s.secured.Listeners) > 0 {
				add(overTLS, "tcp", s.secured.Listeners[i].Addr().String())
			}
		}
		return all
	}
	st := s.current.Load()
	for _, a := range st.Addresses {
		add("DNS", "udp", netip.AddrPortFrom(a, st.Port).String())
		add("DNS", "tcp", netip.AddrPortFrom(a, st.Port).String())
		if st.Certificates != nil {
			add(overTLS, "tcp", netip.AddrPortFrom(a, st.TLSPort).String())
		}
	}
	return all
}

// overTLS is the name of DNS over TLS among the endpoints.
const overTLS = "DoT"

// Start listens on all addresses, or on none. When an address is taken,
// errors.Is(err, syscall.EADDRINUSE) holds, and a *net.OpError in err names it.
func (s *Service) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		return errors.New("the name server runs already")
	}
	st := s.current.Load()
	if st.Host == nil || len(st.Addresses) == 0 {
		return errors.New("the name server: no host or no address to listen on")
	}
	sockets, secured, err := st.open(ctx)
	if err != nil {
		return fmt.Errorf("the name server: %w", err)
	}
	current := inForce{s}
	opts := dnsserver.Options{
		Handler: current, Rate: current, Metrics: current, Log: st.Log, Transcript: st.Transcript,
		Quiet: s.self.Is,
	}
	if st.Guard != nil {
		opts.Guard, opts.MaxConns = current, math.MaxInt
	}
	server, err := dnsserver.New(opts)
	if err != nil {
		sockets.Close()
		secured.Close()
		return fmt.Errorf("the name server: %w", err)
	}
	s.openZones()
	for _, l := range sockets.Listeners {
		s.serve(st.Log, func() error { return server.Serve(l) })
	}
	config := &tls.Config{GetCertificate: current.certificate}
	for _, l := range secured.Listeners {
		s.serve(st.Log, func() error { return server.ServeTLS(l, config) })
	}
	for _, pc := range sockets.Packets {
		s.serve(st.Log, func() error { return server.ServePacket(pc) })
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	s.serving.Go(func() { s.renewing(running) })
	s.server, s.sockets, s.secured, s.end = server, sockets, secured, end
	return nil
}

// open opens all sockets, or none.
func (st *state) open(ctx context.Context) (sockets, secured *listen.Sockets, err error) {
	sockets, err = listen.Open(ctx, st.Host, st.Addresses, st.Port, min(runtime.GOMAXPROCS(0), maxSockets))
	if err != nil {
		return nil, nil, err
	}
	secured = &listen.Sockets{}
	if st.Certificates != nil {
		if secured, err = listen.Open(ctx, st.Host, st.Addresses, st.TLSPort, 0); err != nil {
			sockets.Close()
			return nil, nil, err
		}
	}
	return sockets, secured, nil
}

// serve runs one of the server's loops. One that ends by itself is told in the
// log, and Check finds it dead.
func (s *Service) serve(log *slog.Logger, loop func() error) {
	s.serving.Go(func() {
		if err := loop(); !errors.Is(err, dnsserver.ErrServerClosed) {
			log.Error("the name server no longer answers", "err", err)
		}
	})
}

// Stop answers what has been read and closes, hard when ctx ends first.
func (s *Service) Stop(ctx context.Context) error {
	s.mu.Lock()
	server, end := s.server, s.end
	s.server, s.sockets, s.secured = nil, nil, nil
	s.mu.Unlock() // whoever asks where it listens need not wait for its clients
	if server == nil {
		return nil
	}
	end()
	err := server.Shutdown(ctx)
	s.serving.Wait()
	return errors.Join(err, s.closeZones())
}

// ServeHTTP answers DNS queries that come over HTTPS (RFC 8484): whoever serves
// the Web hands them in. While the service does not run the answer is 503.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	server := s.server
	s.mu.Unlock()
	if server == nil {
		http.Error(w, "The name server does not run.", http.StatusServiceUnavailable)
		return
	}
	server.ServeHTTP(w, r)
}

// fqdn gives a domain as the settings have it, in the form of a name.
func fqdn(domain string) string { return strings.TrimSuffix(domain, ".") + "." }
