package dnsclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/authority"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/host/emunet"
)

// world is an internet with a root, in virtual time.
type world struct {
	t      *testing.T
	net    *emunet.Net
	router emunet.Node
	client *emunet.Host
}

const (
	rootAddr    = "198.41.0.4"
	tldAddr     = "192.0.2.10"
	exampleAddr = "192.0.2.20"
	otherAddr   = "192.0.2.30"
)

func newWorld(t *testing.T) *world {
	n := emunet.New(1)
	t.Cleanup(func() { n.Close() })
	w := &world{t: t, net: n, router: n.Router("router"), client: n.Host("client", "203.0.113.1")}
	n.Link(w.client, w.router, emunet.Delay(time.Millisecond))
	return w
}

// serve runs a name server that answers as answer makes of what the zone would
// answer; nil leaves that as it is.
func (w *world) serve(address, origin, file string, answer func(q, m *dns.Message) *dns.Message) {
	w.t.Helper()
	z, _, err := zone.Load(strings.NewReader(file), zone.ReadOptions{Origin: dns.MustParseName(origin)})
	if err != nil {
		w.t.Fatal(err)
	}
	set, err := zone.NewSet(z)
	if err != nil {
		w.t.Fatal(err)
	}
	w.answer(address, func(query []byte) []byte {
		out := authority.Respond(set, nil, query, 1232)
		if answer != nil {
			out = changedBy(w.t, answer, query, out)
		}
		return out
	})
}

// answer runs a server that answers as respond does, over UDP; nil is silence.
func (w *world) answer(address string, respond func(query []byte) []byte) {
	w.t.Helper()
	h := w.net.Host(address, address)
	w.net.Link(h, w.router, emunet.Delay(5*time.Millisecond))
	pc, err := h.ListenPacket(w.t.Context(), "udp", ":53")
	if err != nil {
		w.t.Fatal(err)
	}
	go func() {
		buffer := make([]byte, 65536)
		for {
			n, from, err := pc.ReadFrom(buffer)
			if err != nil {
				return
			}
			if out := respond(buffer[:n]); out != nil {
				pc.WriteTo(out, from)
			}
		}
	}()
}

func changedBy(t *testing.T, answer func(q, m *dns.Message) *dns.Message, query, response []byte) []byte {
	q, err := dns.Parse(query)
	if err != nil {
		t.Error(err)
		return nil
	}
	m, err := dns.Parse(response)
	if err != nil {
		t.Error(err)
		return nil
	}
	if m = answer(q, m); m == nil {
		return nil
	}
	wire, err := m.Append(nil, 0)
	if err != nil {
		t.Error(err)
	}
	return wire
}

const (
	rootFile = ". 60 SOA a.root. host. 1 2 3 4 5\n. 60 NS a.root.\na.root. 60 A " + rootAddr + "\n" +
		"test. 60 NS ns.test.\nns.test. 60 A " + tldAddr + "\n" +
		"other. 60 NS ns.other.\nns.other. 60 A " + otherAddr + "\n"
	tldFile = "@ 60 SOA ns host 1 2 3 4 5\n@ 60 NS ns\nns 60 A " + tldAddr + "\n" +
		"example 60 NS ns1.example\nns1.example 60 A " + exampleAddr + "\n" +
		"glueless 60 NS ns1.example\nfar 60 NS ns.other.\n"
	exampleFile = "@ 60 SOA ns1 host 1 2 3 4 5\n@ 60 NS ns1\nns1 60 A " + exampleAddr + "\nwww 60 A 192.0.2.99\nalias 60 CNAME www.elsewhere.test.\n"
	otherFile   = "@ 60 SOA ns host 1 2 3 4 5\n@ 60 NS ns\nns 60 A " + otherAddr + "\n"
)

// internet serves the root and what is below it; change, by address, makes
// liars of servers.
func internet(t *testing.T, change map[string]func(q, m *dns.Message) *dns.Message) *world {
	w := newWorld(t)
	w.serve(rootAddr, ".", rootFile, change[rootAddr])
	w.serve(tldAddr, "test.", tldFile, change[tldAddr])
	w.serve(exampleAddr, "example.test.", exampleFile, change[exampleAddr])
	w.serve(otherAddr, "other.", otherFile, change[otherAddr])
	return w
}

// trace tells the steps in lines: "zone server -> next zone" or what the
// answer or the error was.
func (w *world) trace(name string, kind dns.Type, opts dnsclient.TraceOptions) (steps []string, err error) {
	client := dnsclient.New(dnsclient.Options{Host: w.client, Timeout: time.Second, Tries: 1, IPVersion: 4})
	q := dns.NewQuery(0, dns.MustParseName(name), kind)
	q.RecursionDesired, q.EDNS = true, &dns.EDNS{}
	for step, e := range client.Trace(w.t.Context(), q, opts) {
		if e != nil {
			return steps, e
		}
		line := fmt.Sprintf("%s %s", step.Zone, step.Server)
		if step.For != "" {
			line = "(" + step.For.String() + ") " + line
		}
		switch {
		case step.Err != nil:
			line += " ! " + step.Err.Error()
		case step.Next != "":
			line += " -> " + step.Next.String()
			for _, s := range step.Servers {
				line += fmt.Sprintf(" %s%v", s.Name, s.Addrs)
			}
		default:
			line += fmt.Sprintf(" = %s %d", step.Answer.Message.Rcode, len(step.Answer.Message.Answer))
		}
		if step.Answer != nil && step.Answer.Query.RecursionDesired != (step.Zone == dns.Root && len(steps) < len(opts.Start)) {
			w.t.Errorf("%s: recursion desired is %v", line, step.Answer.Query.RecursionDesired)
		}
		steps = append(steps, line)
	}
	return steps, nil
}

func TestTrace(t *testing.T) {
	t.Parallel()
	const (
		prime = ". 198.41.0.4 -> . a.root.[198.41.0.4]"
		root  = ". a.root -> test. ns.test.[192.0.2.10]"
		tld   = "test. ns.test -> example.test. ns1.example.test.[192.0.2.20]"
	)
	for _, c := range []struct {
		name string
		kind dns.Type
		want []string
	}{
		{"www.example.test.", dns.TypeA, []string{prime, root, tld, "example.test. ns1.example.test = NOERROR 1"}},
		{"www.example.test.", dns.TypeMX, []string{prime, root, tld, "example.test. ns1.example.test = NOERROR 0"}},
		{"none.example.test.", dns.TypeA, []string{prime, root, tld, "example.test. ns1.example.test = NXDOMAIN 0"}},
		{"alias.example.test.", dns.TypeA, []string{prime, root, tld, "example.test. ns1.example.test = NOERROR 1"}},
		{"example.test.", dns.TypeDS, []string{prime, root, "test. ns.test = NOERROR 0"}}, // the parent's business
		{"none.test.", dns.TypeA, []string{prime, root, "test. ns.test = NXDOMAIN 0"}},
		{"none.", dns.TypeA, []string{prime, ". a.root = NXDOMAIN 0"}},
		{".", dns.TypeNS, []string{prime, ". a.root = NOERROR 1"}},
		// Without glue the server's own address is looked up from the root.
		{"x.far.test.", dns.TypeA, []string{prime, root, "test. ns.test -> far.test. ns.other.[]",
			"(ns.other.) . a.root -> other. ns.other.[192.0.2.30]", "(ns.other.) other. ns.other = NOERROR 1",
			"far.test. ns.other ! lame: no answer of its own, and no referral further down (REFUSED)"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			got, err := internet(t, nil).trace(c.name, c.kind, dnsclient.TraceOptions{Start: []string{rootAddr}})
			if lame := strings.Contains(c.name, "far"); lame != errors.Is(err, dnsclient.ErrNoServers) || !lame && err != nil {
				t.Errorf("%s %s: %v", c.name, c.kind, err)
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("%s %s:\n%s\nwant\n%s", c.name, c.kind, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// Without a start it is the root servers that everybody knows.
func TestTraceBeginsAtTheRootHints(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got, err := internet(t, nil).trace("www.example.test.", dns.TypeA, dnsclient.TraceOptions{})
		if err != nil || len(got) != 4 || !strings.HasPrefix(got[0], ". A.ROOT-SERVERS.NET -> . a.root.[") {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestRootHints(t *testing.T) {
	t.Parallel()
	hints := dnsclient.RootHints()
	if len(hints) != 13 {
		t.Fatalf("%d root servers", len(hints))
	}
	for i, s := range hints {
		if want := string(rune('A'+i)) + ".ROOT-SERVERS.NET."; s.Name.String() != want || len(s.Addrs) != 2 || !s.Addrs[0].Is4() || !s.Addrs[1].Is6() {
			t.Errorf("%d: %s %v", i, s.Name, s.Addrs)
		}
	}
	if hints[0].Addrs[0] != netip.MustParseAddr("198.41.0.4") {
		t.Error(hints[0])
	}
}

// A resolver that leaves the root servers' addresses out is asked for them.
func TestTraceBeginsAtAResolver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := internet(t, map[string]func(q, m *dns.Message) *dns.Message{otherAddr: func(q, _ *dns.Message) *dns.Message {
			m := q.Reply(dns.RcodeSuccess)
			m.RecursionAvailable = true
			switch asked := q.Question[0]; {
			case !q.RecursionDesired:
				m.Rcode = dns.RcodeRefused
			case asked.Type == dns.TypeNS:
				m.Answer = []dns.RR{dns.NameRR(dns.Root, 60, dns.TypeNS, dns.MustParseName("a.root."))}
			case asked.Type == dns.TypeA:
				m.Answer = []dns.RR{dns.AddressRR(asked.Name, 60, netip.MustParseAddr(rootAddr))}
			}
			return m
		}})
		got, err := w.trace("www.example.test.", dns.TypeA, dnsclient.TraceOptions{Start: []string{otherAddr}})
		if err != nil || len(got) != 4 || got[0] != ". 192.0.2.30 -> . a.root.[]" || got[3] != "example.test. ns1.example.test = NOERROR 1" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// ns makes a referral.
func ns(zone, server string, glue ...string) func(q, m *dns.Message) *dns.Message {
	return func(q, _ *dns.Message) *dns.Message {
		m := q.Reply(dns.RcodeSuccess)
		m.Authority = []dns.RR{dns.NameRR(dns.MustParseName(zone), 60, dns.TypeNS, dns.MustParseName(server))}
		for i := 0; i < len(glue); i += 2 {
			m.Additional = append(m.Additional, dns.AddressRR(dns.MustParseName(glue[i]), 60, netip.MustParseAddr(glue[i+1])))
		}
		return m
	}
}

// What servers may say that must not be followed.
func TestTraceOfLies(t *testing.T) {
	t.Parallel()
	const lame = "lame: no answer of its own, and no referral further down"
	for name, c := range map[string]struct {
		at    string
		lie   func(q, m *dns.Message) *dns.Message
		steps int    // in all
		last  string // of the last step
		err   error
	}{
		"up to the root":        {exampleAddr, ns(".", "a.root.", "a.root.", rootAddr), 4, lame, dnsclient.ErrNoServers},
		"up to the parent":      {exampleAddr, ns("test.", "ns.test.", "ns.test.", tldAddr), 4, lame, dnsclient.ErrNoServers},
		"to itself":             {exampleAddr, ns("example.test.", "ns1.example.test."), 4, lame, dnsclient.ErrNoServers},
		"to another branch":     {exampleAddr, ns("sub.example.test.", "ns1.example.test."), 4, lame, dnsclient.ErrNoServers},
		"to somebody else":      {tldAddr, ns("bank.", "ns.bank.", "ns.bank.", exampleAddr), 3, lame, dnsclient.ErrNoServers},
		"an answer not its own": {exampleAddr, func(_, m *dns.Message) *dns.Message { m.Authoritative = false; return m }, 4, lame, dnsclient.ErrNoServers},
		"an answer beside a referral": {tldAddr, func(q, m *dns.Message) *dns.Message {
			m.Answer = []dns.RR{dns.AddressRR(q.Question[0].Name, 60, netip.MustParseAddr("192.0.2.66"))}
			return m
		}, 3, lame, dnsclient.ErrNoServers},
		"nothing at all":            {exampleAddr, func(q, _ *dns.Message) *dns.Message { return q.Reply(dns.RcodeSuccess) }, 4, lame, dnsclient.ErrNoServers},
		"SERVFAIL":                  {tldAddr, func(q, _ *dns.Message) *dns.Message { return q.Reply(dns.RcodeServFail) }, 3, lame + " (SERVFAIL)", dnsclient.ErrNoServers},
		"silence":                   {tldAddr, func(_, _ *dns.Message) *dns.Message { return nil }, 3, "timed out", dnsclient.ErrNoServers},
		"another question's answer": {tldAddr, func(_, m *dns.Message) *dns.Message { m.ID++; return m }, 3, "timed out", dnsclient.ErrNoServers},
		"a root without servers":    {rootAddr, func(q, _ *dns.Message) *dns.Message { return q.Reply(dns.RcodeSuccess) }, 1, lame, dnsclient.ErrNoServers},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := internet(t, map[string]func(q, m *dns.Message) *dns.Message{c.at: c.lie})
			got, err := w.trace("www.example.test.", dns.TypeA, dnsclient.TraceOptions{Start: []string{rootAddr}})
			if !errors.Is(err, c.err) || len(got) != c.steps || !strings.Contains(got[len(got)-1], c.last) {
				t.Errorf("%s: %v\n%s", name, err, strings.Join(got, "\n"))
			}
		})
	}
}

// Glue for a name that the giver has no say about is not believed: the address is looked up where it is at home.
func TestTraceOutOfBailiwickGlue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := internet(t, map[string]func(q, m *dns.Message) *dns.Message{
			tldAddr: ns("example.test.", "ns.other.", "ns.other.", "192.0.2.66", "ns1.example.test.", "192.0.2.66"),
		})
		got, err := w.trace("www.example.test.", dns.TypeA, dnsclient.TraceOptions{Start: []string{rootAddr}})
		if !errors.Is(err, dnsclient.ErrNoServers) || len(got) != 6 || !strings.HasPrefix(got[2], "test. ns.test -> example.test. ns.other.[]") ||
			!strings.HasPrefix(got[5], "example.test. ns.other ! lame") {
			t.Errorf("%v\n%s", err, strings.Join(got, "\n"))
		}
	})
}

// A second server steps in for one that is of no use.
func TestTraceAsksTheNextServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := internet(t, map[string]func(q, m *dns.Message) *dns.Message{
			tldAddr: func(q, m *dns.Message) *dns.Message {
				m = ns("example.test.", "dead.example.test.", "dead.example.test.", "192.0.2.77", "ns1.example.test.", exampleAddr)(q, m)
				m.Authority = append(m.Authority, dns.NameRR(dns.MustParseName("example.test."), 60, dns.TypeNS, dns.MustParseName("ns1.example.test.")))
				return m
			},
		})
		got, err := w.trace("www.example.test.", dns.TypeA, dnsclient.TraceOptions{Start: []string{"192.0.2.78", rootAddr}})
		if err != nil || len(got) != 6 || !strings.Contains(got[0], " ! ask 192.0.2.78:53") || !strings.Contains(got[4], "example.test. ns1.example.test = NOERROR 1") &&
			!strings.Contains(got[5], "example.test. ns1.example.test = NOERROR 1") {
			t.Errorf("%v\n%s", err, strings.Join(got, "\n"))
		}
	})
}

// Servers that lead ever further, and never to the end.
func TestTraceHasLimits(t *testing.T) {
	t.Parallel()
	// Each name of a server is to be looked up by way of another name without glue.
	endless := func(q, _ *dns.Message) *dns.Message {
		m := q.Reply(dns.RcodeSuccess)
		zone := q.Question[0].Name.Ancestor(2)
		for i := range 5 {
			server, err := dns.ParseName(fmt.Sprintf("ns.x%d%s", i, zone), dns.Root)
			if err != nil {
				t.Error(err)
			}
			m.Authority = append(m.Authority, dns.NameRR(zone, 60, dns.TypeNS, server))
		}
		return m
	}
	synctest.Test(t, func(t *testing.T) {
		w := internet(t, map[string]func(q, m *dns.Message) *dns.Message{tldAddr: endless})
		got, err := w.trace("www.example.test.", dns.TypeA, dnsclient.TraceOptions{Start: []string{rootAddr}})
		if !errors.Is(err, dnsclient.ErrTraceLimit) || len(got) != dnsclient.DefaultMaxSteps {
			t.Errorf("%d steps, %v", len(got), err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := internet(t, nil)
		for steps, want := range map[int]error{3: dnsclient.ErrTraceLimit, 4: nil} {
			got, err := w.trace("www.example.test.", dns.TypeA, dnsclient.TraceOptions{Start: []string{rootAddr}, MaxSteps: steps})
			if !errors.Is(err, want) || len(got) != steps {
				t.Errorf("%d steps: %d, %v", steps, len(got), err)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := internet(t, map[string]func(q, m *dns.Message) *dns.Message{exampleAddr: func(_, _ *dns.Message) *dns.Message { return nil }})
		began := time.Now()
		_, err := w.trace("www.example.test.", dns.TypeA, dnsclient.TraceOptions{Start: []string{rootAddr}, MaxTime: 300 * time.Millisecond})
		if took := time.Since(began); !errors.Is(err, dnsclient.ErrTraceLimit) || took != 300*time.Millisecond {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// A delegation may have more servers than are taken.
func TestTraceTakesSomeServers(t *testing.T) {
	t.Parallel()
	for _, n := range []int{16, 17} {
		synctest.Test(t, func(t *testing.T) {
			w := internet(t, map[string]func(q, m *dns.Message) *dns.Message{tldAddr: func(q, _ *dns.Message) *dns.Message {
				m := q.Reply(dns.RcodeSuccess)
				for i := range n {
					name := dns.MustParseName(fmt.Sprintf("ns%d.example.test.", i))
					m.Authority = append(m.Authority, dns.NameRR(dns.MustParseName("example.test."), 60, dns.TypeNS, name))
					m.Additional = append(m.Additional, dns.AddressRR(name, 60, netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + i)})))
				}
				return m
			}})
			got, err := w.trace("www.example.test.", dns.TypeA, dnsclient.TraceOptions{Start: []string{rootAddr}})
			if !errors.Is(err, dnsclient.ErrNoServers) || len(got) != 3+16 {
				t.Errorf("%d servers: %d steps, %v", n, len(got), err)
			}
		})
	}
}

func TestTraceStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := internet(t, nil)
		client := dnsclient.New(dnsclient.Options{Host: w.client, Tries: 1, Timeout: time.Second})
		q := dns.NewQuery(0, dns.MustParseName("www.example.test."), dns.TypeA)
		steps := 0
		for range client.Trace(t.Context(), q, dnsclient.TraceOptions{Start: []string{rootAddr}}) {
			if steps++; steps == 2 {
				break
			}
		}
		if steps != 2 {
			t.Errorf("%d steps", steps)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		gone := errors.New("gone")
		var last error
		for step, err := range client.Trace(ctx, q, dnsclient.TraceOptions{Start: []string{rootAddr}}) {
			if step.Zone == dns.MustParseName("test.") {
				cancel(gone)
			}
			last = err
		}
		if !errors.Is(last, gone) {
			t.Errorf("got %v", last)
		}
		for _, err := range client.Trace(t.Context(), &dns.Message{}, dnsclient.TraceOptions{}) {
			if !errors.Is(err, dnsclient.ErrQuery) {
				t.Errorf("no question: %v", err)
			}
		}
	})
}
