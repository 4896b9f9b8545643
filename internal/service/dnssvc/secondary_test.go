package dnssvc

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/host/emunet"
	"github.com/network-utopia/utopia/internal/state/zones"
)

func timeNow() time.Time { return time.Now() }

// pair is a primary and a secondary of dyn.test. on an emulated internet.
type pair struct {
	t                 *testing.T
	net               *emunet.Net
	primary, second   *emunet.Host
	a                 *Service
	b                 *Service
	aOptions, options Options
	ask               *dnsclient.Client
}

func newPair(t *testing.T, dir string, change func(*pair)) *pair {
	t.Helper()
	n := emunet.New(1)
	t.Cleanup(func() { _ = n.Close() })
	router := n.Router("router")
	p := &pair{t: t, net: n, primary: n.Host("primary", "192.0.2.52", "192.0.2.53"), second: n.Host("secondary", "198.51.100.52", "198.51.100.53")}
	watcher := n.Host("watcher", "203.0.113.9")
	for _, h := range []*emunet.Host{p.primary, p.second, watcher} {
		n.Link(h, router, emunet.Delay(time.Millisecond))
	}
	p.ask = dnsclient.New(dnsclient.Options{Host: watcher, Tries: 1})
	p.aOptions, _ = dynamic(t, dir)
	p.aOptions.Host, p.aOptions.Port, p.aOptions.Addresses = p.primary, 53, []netip.Addr{netip.MustParseAddr("192.0.2.53")}
	p.aOptions.Zones[0].Notify = []Server{{Address: netip.MustParseAddrPort("198.51.100.53:53"), Key: courier.Name}}
	p.options = options()
	p.options.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	p.options.Domain = "second.test"
	p.options.Host, p.options.Port, p.options.Addresses = p.second, 53, []netip.Addr{netip.MustParseAddr("198.51.100.53")}
	p.options.TSIG = p.aOptions.TSIG
	p.options.Zones = []Zone{{Name: "dyn.test", Primaries: []Server{{Address: netip.MustParseAddrPort("192.0.2.53:53"), Key: courier.Name}}}}
	if change != nil {
		change(p)
	}
	p.a, p.b = newService(t, p.aOptions), newService(t, p.options)
	t.Cleanup(func() { p.stop(p.a); p.stop(p.b) })
	return p
}

func (p *pair) start(s *Service) {
	p.t.Helper()
	if err := s.Start(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) stop(s *Service) {
	p.t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		p.t.Error(err)
	}
}

// says asks the secondary for the zone's serial.
func (p *pair) says() string {
	p.t.Helper()
	a, err := p.ask.Exchange(p.t.Context(), "198.51.100.53", dns.NewQuery(0, dynApex, dns.TypeSOA))
	if err != nil {
		return err.Error()
	}
	if len(a.Message.Answer) == 0 {
		return a.Message.Rcode.String()
	}
	soa, _ := a.Message.Answer[0].SOA()
	return fmt.Sprint(a.Message.Authoritative, " ", soa.Serial)
}

func (p *pair) wants(what, want string) {
	p.t.Helper()
	if got := p.says(); got != want {
		p.t.Errorf("%s: %s, want %s", what, got, want)
	}
}

// update changes the zone at the primary.
func (p *pair) update(name string) {
	p.t.Helper()
	c := dnsclient.New(dnsclient.Options{Host: p.second, TSIG: &laptop})
	a, err := c.Exchange(p.t.Context(), "192.0.2.53", message(addText(p.t, name, "1")))
	if err != nil || a.Message.Rcode != dns.RcodeSuccess {
		p.t.Fatal(a, err)
	}
}

// TestNotify: a change is at the secondary in no time, and comes as a difference.
func TestNotify(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log := &logged{}
		p := newPair(t, dir, func(p *pair) { p.aOptions.Log = slog.New(slog.NewTextHandler(log, nil)) })
		p.start(p.b)
		p.wants("before the primary is there", "SERVFAIL")
		time.Sleep(time.Second)
		p.start(p.a)
		time.Sleep(30 * time.Second)
		p.wants("first", "true 1")
		for i := range 5 {
			p.update(fmt.Sprint("n", i))
			time.Sleep(time.Second)
			p.wants("after an update", fmt.Sprint("true ", 2+i))
		}
		if n := p.b.current.Load().find(dynApex).past.Len(); n != 5 {
			t.Errorf("%d differences can be handed on", n)
		}
		if n := log.count("kind=incremental"); n != 5 {
			t.Errorf("%d differences have come", n)
		}
	})
}

// TestADayOfRefreshes: without news the secondary finds changes by itself, and asks as often as the SOA says.
func TestADayOfRefreshes(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		meter := &exchanges{}
		p := newPair(t, dir, func(p *pair) {
			p.aOptions.Zones[0].Notify = nil
			p.aOptions.Meter = meter
		})
		p.start(p.a)
		p.start(p.b)
		time.Sleep(time.Second)
		p.wants("first", "true 1")
		for i := range 24 {
			p.update(fmt.Sprint("n", i))
			time.Sleep(time.Hour)
			p.wants("an hour later", fmt.Sprint("true ", 2+i))
		}
		// An update, an SOA and a transfer each hour, by chance a little more.
		if n := meter.n.Load(); n < 3*24 || n > 3*28+3 {
			t.Errorf("%d exchanges in a day", n)
		}
	})
}

// TestExpire: a zone whose primary is gone is answered from until it has run out, and again when the primary is back.
func TestExpire(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, dir, nil)
		p.start(p.a)
		p.start(p.b)
		time.Sleep(time.Second)
		p.wants("first", "true 1")
		p.stop(p.a)
		time.Sleep(23 * time.Hour)
		p.wants("almost a day", "true 1")
		time.Sleep(2 * time.Hour)
		p.wants("run out", "SERVFAIL")
		p.start(p.a)
		p.update("new")
		time.Sleep(time.Hour + time.Minute)
		p.wants("the primary is back", "true 2")
	})
}

// TestSecondaryKeeps: what was fetched is there after a restart while the primary is away, for as long as it may be.
func TestSecondaryKeeps(t *testing.T) {
	dir, kept := t.TempDir(), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var store *zones.Store
		p := newPair(t, dir, func(p *pair) {
			store = keepIn(t, kept)
			p.options.Keep = store
		})
		p.start(p.a)
		p.start(p.b)
		time.Sleep(time.Second)
		p.update("a")
		time.Sleep(time.Second)
		p.wants("first", "true 2")
		p.stop(p.a)
		p.stop(p.b)
		p.b = newService(t, p.options)
		time.Sleep(20 * time.Hour)
		p.start(p.b)
		time.Sleep(time.Second)
		p.wants("after a restart", "true 2")
		time.Sleep(5 * time.Hour)
		p.wants("run out", "SERVFAIL")
		p.stop(p.b)
		p.b = newService(t, p.options)
		p.start(p.b)
		time.Sleep(time.Second)
		p.wants("run out before the restart", "SERVFAIL")
	})
}

// TestPrimariesInTurn: where one does not answer, or has an older version, the next one is asked.
func TestPrimariesInTurn(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, dir, func(p *pair) {
			z := &p.options.Zones[0]
			z.Primaries = append([]Server{{Address: netip.MustParseAddrPort("203.0.113.9:53")}, {Address: z.Primaries[0].Address}}, z.Primaries...)
		})
		p.start(p.a)
		p.start(p.b)
		time.Sleep(time.Minute)
		p.wants("from the third", "true 1")
	})
}

// TestWhereMessagesLeaveFrom: without keys it goes by addresses, and hosts that have several send from the one at which
// they are known.
func TestWhereMessagesLeaveFrom(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, dir, func(p *pair) {
			p.aOptions.Zones[0].Notify[0].Key = ""
			p.aOptions.Zones[0].TransferTo = []Access{{Network: netip.MustParsePrefix("198.51.100.53/32")}}
			p.options.Zones[0].Primaries[0].Key = ""
		})
		p.start(p.a)
		p.start(p.b)
		time.Sleep(time.Second)
		p.wants("after the start", "true 1")
		p.update("a")
		time.Sleep(time.Second)
		p.wants("after the news", "true 2")
	})
}

func TestOutgoing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ listening, peer, want string }{
		{"192.0.2.1 192.0.2.2 2001:db8::1", "203.0.113.1:53", "192.0.2.1"},
		{"192.0.2.1 192.0.2.2 2001:db8::1", "[2001:db8::9]:53", "2001:db8::1"},
		{"192.0.2.1", "[2001:db8::9]:53", ""},
		{"192.0.2.1", "[::ffff:203.0.113.1]:53", "192.0.2.1"},
		{"0.0.0.0 ::", "203.0.113.1:53", ""},
		{":: 192.0.2.1", "203.0.113.1:53", "192.0.2.1"},
		{"127.0.0.1 192.0.2.1", "203.0.113.1:53", "192.0.2.1"}, // no way leads from there
		{"127.0.0.1", "203.0.113.1:53", ""},
		{"192.0.2.1 127.0.0.3", "127.0.0.1:53", "127.0.0.3"},
		{"fe80::1%eth0 2001:db8::1", "[2001:db8::9]:53", "2001:db8::1"},
		{"fe80::1%eth0 2001:db8::1", "[fe80::2%eth0]:53", "fe80::1%eth0"},
		{"192.0.2.1", "ns1.example.test:53", ""},
	} {
		var o outgoing
		for a := range strings.FieldsSeq(c.listening) {
			o.addresses = append(o.addresses, netip.MustParseAddr(a))
		}
		want, _ := netip.ParseAddr(c.want)
		if got := o.toward(c.peer); got != want {
			t.Errorf("listening on %s, to %s: from %v, want %v", c.listening, c.peer, got, want)
		}
	}
}

// TestNotifyOfStrangers: nobody else can have a zone looked after.
func TestNotifyOfStrangers(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, dir, nil)
		p.start(p.a)
		p.start(p.b)
		time.Sleep(time.Second)
		for name, want := range map[string]string{"dyn.test.": "REFUSED", "other.test.": "NOTAUTH", "second.test.": "REFUSED"} {
			q := dns.NewQuery(0, dns.MustParseName(name), dns.TypeSOA)
			q.Opcode = dns.OpcodeNotify
			a, err := p.ask.Exchange(t.Context(), "198.51.100.53", q)
			if err != nil || a.Message.Rcode.String() != want {
				t.Errorf("%s: %v, %v", name, a, err)
			}
		}
		q := dns.NewQuery(0, dynApex, dns.TypeNS)
		q.Opcode = dns.OpcodeNotify
		if a, err := p.ask.Exchange(t.Context(), "198.51.100.53", q); err != nil || a.Message.Rcode != dns.RcodeFormErr {
			t.Error(a, err)
		}
	})
}

// TestSecondaryComesAndGoes: reloads add and take away zones, and change where they come from.
func TestSecondaryComesAndGoes(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, dir, nil)
		p.start(p.a)
		with := p.options.Zones
		reload := func(all []Zone) {
			t.Helper()
			next := p.options
			next.Zones, next.Before = all, p.b
			if !p.b.Replace(newService(t, next)) {
				t.Fatal("not replaced")
			}
			time.Sleep(time.Minute)
		}
		p.options.Zones = nil
		p.b = newService(t, p.options)
		p.start(p.b)
		p.wants("without the zone", "REFUSED")
		reload(with)
		p.wants("with it", "true 1")
		reload(with)
		p.wants("again", "true 1")
		reload([]Zone{{Name: "dyn.test", Primaries: []Server{{Address: with[0].Primaries[0].Address}}}})
		p.wants("from the same, without the key", "SERVFAIL")
		reload(with)
		p.wants("with the key again", "true 1")
		reload(nil)
		p.wants("taken away", "REFUSED")
	})
}

// TestNotifyGoesOn: a server that does not answer is told again, and not for ever.
func TestNotifyGoesOn(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, dir, func(p *pair) {
			soa := &p.aOptions.Zones[0]
			soa.Notify = append(soa.Notify, Server{Address: netip.MustParseAddrPort("203.0.113.77:53")})
		})
		p.start(p.a)
		p.update("a") // the secondary is not there yet
		time.Sleep(20 * time.Second)
		p.start(p.b)
		time.Sleep(2 * time.Minute)
		p.wants("told later, or found", "true 2")
		time.Sleep(time.Hour)
	})
}

// exchanges counts what is answered.
type exchanges struct{ n atomic.Int64 }

func (e *exchanges) Add(_ string, n, _, _ int) { e.n.Add(int64(n)) }

// logged keeps what is logged.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), s)
}
