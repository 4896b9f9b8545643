package dnssvc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/dns/dnsserver"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/host"
)

const (
	// maxTold is how many servers are told of a change of one zone.
	maxTold = 64
	// tellTries is how often each is told, and tellPause how long after the first
	// time; the pause doubles (RFC 1996 section 3.6).
	tellTries = 5
	tellPause = 15 * time.Second
)

// tellers tell others of changes: for each zone a telling that goes on until all
// have answered, or the next change of the zone comes.
type tellers struct {
	mu    sync.Mutex
	ctx   context.Context // while the service runs; nil otherwise
	stops map[dns.Name]context.CancelFunc
	work  sync.WaitGroup
}

func (t *tellers) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ctx, t.stops = ctx, map[dns.Name]context.CancelFunc{}
	return func() {
		t.mu.Lock()
		t.ctx = nil // whoever comes now has nobody told
		t.mu.Unlock()
		cancel()
		t.work.Wait()
	}
}

// begin runs a telling about a zone in place of the one that runs.
func (t *tellers) begin(name dns.Name, tell func(context.Context)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx == nil {
		return
	}
	if stop := t.stops[name]; stop != nil {
		stop()
	}
	ctx, stop := context.WithCancel(t.ctx)
	t.stops[name] = stop
	t.work.Go(func() {
		defer stop()
		tell(ctx)
	})
}

// tellOthers tells the servers of a zone that it has changed (RFC 1996), without
// waiting for them.
func (s *Service) tellOthers(name dns.Name) {
	st := s.current.Load()
	m := st.find(name)
	if m == nil || m.zone == nil || st.Host == nil {
		return
	}
	targets := st.targets(m)
	if len(targets) == 0 {
		return
	}
	s.tellers.begin(name, func(ctx context.Context) {
		var all sync.WaitGroup
		for _, target := range targets {
			all.Go(func() { st.tell(ctx, m, target) })
		}
		all.Wait()
	})
}

// targets are the servers that are told of a change of a zone: those of its
// policy, and those that its NS records name, as far as our zones have their
// addresses. A server does not tell itself, nor the one that the SOA names as
// the primary.
func (st *state) targets(m *made) []Server {
	all := slices.Clone(m.policy.Notify)
	ns, _ := m.zone.Top().RRset(dns.TypeNS)
	for _, data := range ns.Data {
		if name := dns.Name(data); !name.Equal(m.zone.SOA().MName) {
			for _, a := range st.addressesOf(name) {
				all = append(all, Server{Address: netip.AddrPortFrom(a, StandardPort)})
			}
		}
	}
	var out []Server
	for _, t := range all {
		twice := slices.ContainsFunc(out, func(o Server) bool { return o.Address == t.Address })
		if !twice && !st.isOwn(t.Address) && len(out) < maxTold {
			out = append(out, t)
		}
	}
	return out
}

// addressesOf gives the addresses that our zones have for a host.
func (st *state) addressesOf(name dns.Name) (all []netip.Addr) {
	z := st.set.Find(name)
	if z == nil {
		return nil
	}
	node, _ := z.At(name)
	for _, t := range [...]dns.Type{dns.TypeA, dns.TypeAAAA} {
		set, _ := node.RRset(t)
		for _, data := range set.Data {
			if a, ok := (dns.RR{Type: t, Data: data}).Addr(); ok {
				all = append(all, a)
			}
		}
	}
	return all
}

// isOwn says whether an address is this server's own.
func (st *state) isOwn(at netip.AddrPort) bool {
	return at.Port() == st.Port && slices.Contains(st.Addresses, at.Addr()) ||
		at.Port() == StandardPort && slices.Contains(st.Records, at.Addr())
}

// tell tells one server, until it has answered.
func (st *state) tell(ctx context.Context, m *made, target Server) {
	client, err := st.client(target.Key)
	if err != nil {
		st.Log.Error("a server cannot be told of a change", "zone", m.name.String(), "server", target.Address.String(), "err", err)
		return
	}
	q := dns.NewQuery(0, m.name, dns.TypeSOA)
	q.Opcode, q.Authoritative = dns.OpcodeNotify, true
	soa, _ := m.zone.Top().RRset(dns.TypeSOA)
	q.Answer = soa.Append(nil, m.name)
	pause := tellPause
	for try := 1; ; try++ {
		a, err := client.Exchange(ctx, target.Address.String(), q)
		if err == nil { // what it thinks of it is its own business
			st.Log.Debug("a server was told of a change", "zone", m.name.String(), "server", target.Address.String(), "code", a.Message.Rcode.String())
			return
		}
		if ctx.Err() != nil {
			return
		}
		if try == tellTries {
			st.Log.Warn("a server does not answer the news of a change", "zone", m.name.String(), "server", target.Address.String(), "err", err)
			return
		}
		if !sleep(ctx, pause) {
			return
		}
		pause *= 2
	}
}

// sleep waits; false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// client makes a client whose messages are signed with a key, or not.
func (st *state) client(key dns.Name) (*dnsclient.Client, error) {
	opts := dnsclient.Options{Host: outgoing{st.Host, st.Addresses}, Transcript: st.Transcript, Tries: 1}
	if key != "" {
		k, ok := st.key(key)
		if !ok {
			return nil, fmt.Errorf("there is no key %s", key)
		}
		opts.TSIG = &k
	}
	return dnsclient.New(opts), nil
}

// outgoing is the host as other name servers see it: what they are told and asked
// leaves from an address that is listened on, where one fits. So an address that
// they allow, or take news from, is the one at which they know this server.
type outgoing struct {
	host.Host
	addresses []netip.Addr
}

// Dial implements host.Host.
func (o outgoing) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return host.DialFrom(ctx, o.Host, o.toward(address), network, address)
}

// toward gives the first address that fits a peer's: of its family, and of this
// machine, link or world as that is. The zero Addr leaves it to the system, which
// has its way too where all addresses are listened on.
func (o outgoing) toward(peer string) netip.Addr {
	at, err := netip.ParseAddrPort(peer)
	if err != nil {
		return netip.Addr{}
	}
	to := at.Addr().Unmap()
	for _, a := range o.addresses {
		a = a.Unmap()
		if a.Is4() == to.Is4() && !a.IsUnspecified() && a.IsLoopback() == to.IsLoopback() && a.IsLinkLocalUnicast() == to.IsLinkLocalUnicast() {
			return a
		}
	}
	return netip.Addr{}
}

// notified answers the news of a change (RFC 1996 section 3): from a primary, by
// its address or key, it has the zone looked after at once.
func (s *Service) notified(st *state, m *dns.Message, from dnsserver.Client, key dns.Name) *dns.Message {
	if len(m.Question) != 1 || m.Question[0].Type != dns.TypeSOA {
		return failure(m, dns.RcodeFormErr, 0)
	}
	z := st.find(m.Question[0].Name.Canonical())
	if z == nil || m.Question[0].Class != dns.ClassIN {
		return failure(m, dns.RcodeNotAuth, dns.EDENotAuthoritative)
	}
	known := slices.ContainsFunc(z.primaries, func(p Server) bool {
		return p.Key != "" && p.Key.Equal(key) || p.Address.Addr().Unmap() == from.Remote.Addr().Unmap()
	})
	if !known {
		return failure(m, dns.RcodeRefused, dns.EDEProhibited)
	}
	s.wake(z.name, announced(m))
	r := failure(m, dns.RcodeSuccess, 0)
	r.Authoritative = true
	return r
}

// announced gives the serial that a NOTIFY tells of; nil when it tells of none.
func announced(m *dns.Message) *uint32 {
	for _, rr := range m.Answer {
		if soa, ok := rr.SOA(); ok && rr.Name.Equal(m.Question[0].Name) {
			return &soa.Serial
		}
	}
	return nil
}

var errOlder = errors.New("the server has an older version")

// newer says whether a server's version is to be fetched.
func newer(z *zone.Zone, serial uint32) bool {
	return z == nil || zone.SerialAfter(serial, z.SOA().Serial)
}
