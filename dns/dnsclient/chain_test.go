package dnsclient_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/authority"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/dns/zone"
)

// signedWorld is a server that answers for a signed root and what is below it,
// as a resolver would.
type signedWorld struct {
	*world
	anchor dns.RR // the DS record of the root
	set    *zone.Set
}

const chainServer = "192.0.2.53"

// newSignedWorld signs the root, test. and example.test.; plain.test. is
// delegated and not signed. change makes a liar of the server.
func newSignedWorld(t *testing.T, nsec3 bool, change func(q, m *dns.Message) *dns.Message) *signedWorld {
	t.Helper()
	w := &signedWorld{world: newWorld(t)}
	policy := zone.SignPolicy{NSEC3: nsec3}
	var zones []*zone.Zone
	ds := ""
	for _, z := range []struct{ origin, file string }{
		{"example.test.", "@ 60 SOA ns host 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.53\nwww 60 A 192.0.2.99\nalias 60 CNAME www\n" +
			"*.wild 60 TXT wild\ndeep.down 60 A 192.0.2.1\ndname 60 DNAME wild\nout 60 CNAME www.plain.test.\n"},
		{"test.", "@ 60 SOA ns host 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.53\nexample 60 NS ns.example\nplain 60 NS ns\n"},
		{".", ". 60 SOA ns. host. 1 2 3 4 5\n. 60 NS ns.\nns. 60 A 192.0.2.53\ntest. 60 NS ns.test.\n"},
	} {
		signed, above := w.sign(z.origin, z.file+ds, policy)
		zones = append(zones, signed)
		ds = above.String() + "\n"
		w.anchor = above
	}
	plain, _, err := zone.Load(strings.NewReader("@ 60 SOA ns host 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.53\nwww 60 A 192.0.2.98\n"),
		zone.ReadOptions{Origin: dns.MustParseName("plain.test.")})
	if err != nil {
		t.Fatal(err)
	}
	if w.set, err = zone.NewSet(append(zones, plain)...); err != nil {
		t.Fatal(err)
	}
	w.listen(change)
	return w
}

// sign gives a signed zone and the DS record for the one above it.
func (w *signedWorld) sign(origin, file string, policy zone.SignPolicy) (*zone.Zone, dns.RR) {
	w.t.Helper()
	name := dns.MustParseName(origin)
	z, _, err := zone.Load(strings.NewReader(file), zone.ReadOptions{Origin: name})
	if err != nil {
		w.t.Fatal(err)
	}
	var keys []*dns.SigningKey
	for _, flags := range []uint16{256, 257} {
		k, err := dns.GenerateKey(name, dns.ECDSAP256SHA256, flags)
		if err != nil {
			w.t.Fatal(err)
		}
		keys = append(keys, k)
	}
	signed, err := zone.Sign(z, zone.Signed{}, keys, policy, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	key, _ := keys[1].RR(60).DNSKEY()
	ds, err := key.DS(name, 2)
	if err != nil {
		w.t.Fatal(err)
	}
	return signed.Zone, dns.RR{Name: name, Type: dns.TypeDS, Class: dns.ClassIN, TTL: 60, Data: ds.Data()}
}

func (w *signedWorld) listen(change func(q, m *dns.Message) *dns.Message) {
	w.answer(chainServer, func(query []byte) []byte {
		q, err := dns.Parse(query)
		if err != nil {
			w.t.Error(err)
			return nil
		}
		if !q.CheckingDisabled || q.EDNS == nil || !q.EDNS.DO {
			w.t.Errorf("%s: a resolver would keep to itself what it does not believe", dns.Summary(q))
		}
		m := authority.Answer(w.set, q)
		if q.EDNS != nil {
			m.EDNS = &dns.EDNS{UDPSize: 4096, DO: q.EDNS.DO}
		}
		if change != nil {
			m = change(q, m)
		}
		if m == nil {
			return nil
		}
		wire, err := m.Append(nil, 0)
		if err != nil {
			w.t.Error(err)
		}
		return wire
	})
}

// chain tells the links in lines: what is proved, by which zone's keys, and
// what vouches for those.
func (w *signedWorld) chain(name string, kind dns.Type, opts dnsclient.ChainOptions) (lines []string, c *dnsclient.Chain) {
	w.t.Helper()
	if opts.Anchors == nil {
		opts.Anchors = []dns.RR{w.anchor}
	}
	client := dnsclient.New(dnsclient.Options{Host: w.client, Timeout: time.Second, Tries: 1, UDPSize: 4096})
	c, err := client.Chain(w.t.Context(), chainServer, dns.NewQuery(0, dns.MustParseName(name), kind), opts)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, l := range c.Links {
		line := fmt.Sprintf("%s %s", l.Set[0].Name, l.Set[0].Type)
		if sig, ok := l.Signature.RRSIG(); ok {
			line += " by " + sig.SignerName.String()
		}
		if l.From != "" {
			line += " from " + l.From.String()
		}
		switch {
		case l.Anchor:
			line += ", anchor"
		case l.Vouches.Name != "":
			line += ", vouched"
		}
		if l.Err != nil {
			line += " ! " + l.Err.Error()
		}
		lines = append(lines, line)
	}
	return lines, c
}

var chainUp = []string{
	"example.test. DNSKEY by example.test., vouched", "example.test. DS by test.", "test. DNSKEY by test., vouched",
	"test. DS by .", ". DNSKEY by ., anchor",
}

func TestChain(t *testing.T) {
	t.Parallel()
	for _, nsec3 := range []bool{false, true} {
		for _, c := range []struct {
			name  string
			kind  dns.Type
			links []string // before those of example.test. and above; nil is not compared
			err   error
		}{
			{"www.example.test.", dns.TypeA, []string{"www.example.test. A by example.test."}, nil},
			{"example.test.", dns.TypeDNSKEY, []string{}, nil},
			{"none.example.test.", dns.TypeA, nil, nil},
			{"www.example.test.", dns.TypeMX, nil, nil},
			{"down.example.test.", dns.TypeA, nil, nil}, // there, and empty
			{"none.down.example.test.", dns.TypeA, nil, nil},
			{"x.wild.example.test.", dns.TypeTXT, nil, nil},
			{"x.wild.example.test.", dns.TypeA, nil, nil},
			{"x.y.wild.example.test.", dns.TypeTXT, nil, nil},
			{"alias.example.test.", dns.TypeA, nil, nil},
			{"x.dname.example.test.", dns.TypeTXT, nil, nil},
			{"example.test.", dns.TypeDS, nil, nil},
			{"plain.test.", dns.TypeDS, nil, nil},
			{"none.", dns.TypeA, nil, nil},
			{"www.plain.test.", dns.TypeA, nil, dnsclient.ErrUnsigned},
			{"none.plain.test.", dns.TypeA, nil, dnsclient.ErrUnsigned},
			{"out.example.test.", dns.TypeA, nil, dnsclient.ErrUnsigned},
		} {
			synctest.Test(t, func(t *testing.T) {
				w := newSignedWorld(t, nsec3, nil)
				got, chain := w.chain(c.name, c.kind, dnsclient.ChainOptions{})
				if !errors.Is(chain.Err, c.err) || chain.Answer == nil {
					t.Errorf("NSEC3 %v: %s %s: %v\n%s", nsec3, c.name, c.kind, chain.Err, strings.Join(got, "\n"))
				}
				if want := append(slices.Clone(c.links), chainUp...); c.links != nil && !slices.Equal(got, want) {
					t.Errorf("%s %s:\n%s\nwant\n%s", c.name, c.kind, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		}
	}
}

// What breaks a chain, and where that shows.
func TestChainsThatAreBroken(t *testing.T) {
	t.Parallel()
	onAnswer := func(name string, kind dns.Type, change func(m *dns.Message)) func(q, m *dns.Message) *dns.Message {
		return func(q, m *dns.Message) *dns.Message {
			if q.Question[0].Type == kind && q.Question[0].Name.Equal(dns.MustParseName(name)) {
				change(m)
			}
			return m
		}
	}
	drop := func(types ...dns.Type) func(m *dns.Message) {
		return func(m *dns.Message) {
			gone := func(rr dns.RR) bool { return slices.Contains(types, rr.Type) }
			m.Answer, m.Authority = slices.DeleteFunc(m.Answer, gone), slices.DeleteFunc(m.Authority, gone)
		}
	}
	for name, c := range map[string]struct {
		asked  string
		kind   dns.Type
		change func(q, m *dns.Message) *dns.Message
		want   error
		text   string
	}{
		"another address": {"www.example.test.", dns.TypeA, onAnswer("www.example.test.", dns.TypeA, func(m *dns.Message) {
			m.Answer[0].Data = []byte{192, 0, 2, 66}
		}), dnsclient.ErrBogus, "www.example.test. A"},
		"no signature":  {"www.example.test.", dns.TypeA, onAnswer("www.example.test.", dns.TypeA, drop(dns.TypeRRSIG)), dnsclient.ErrUnsigned, "www.example.test. A has no signature"},
		"no keys":       {"www.example.test.", dns.TypeA, onAnswer("example.test.", dns.TypeDNSKEY, drop(dns.TypeDNSKEY)), dnsclient.ErrBogus, "example.test. has signatures and no keys"},
		"keys unsigned": {"www.example.test.", dns.TypeA, onAnswer("example.test.", dns.TypeDNSKEY, drop(dns.TypeRRSIG)), dnsclient.ErrBogus, "no key of the zone made the signature"},
		"no DS":         {"www.example.test.", dns.TypeA, onAnswer("example.test.", dns.TypeDS, drop(dns.TypeDS, dns.TypeRRSIG)), dnsclient.ErrUnsigned, "no DS record stands above example.test."},
		"DS unsigned":   {"www.example.test.", dns.TypeA, onAnswer("example.test.", dns.TypeDS, drop(dns.TypeRRSIG)), dnsclient.ErrUnsigned, "example.test. DS has no signature"},
		"DS of another": {"www.example.test.", dns.TypeA, onAnswer("example.test.", dns.TypeDS, func(m *dns.Message) { m.Answer[0].Data[10] ^= 1 }), dnsclient.ErrBogus, "no key of example.test. is the one that is vouched for"},
		"DS of no use":  {"www.example.test.", dns.TypeA, onAnswer("example.test.", dns.TypeDS, func(m *dns.Message) { m.Answer[0].Data[2] = 200 }), dnsclient.ErrUnsigned, "algorithms that are not known here"},
		"no DS answer": {"www.example.test.", dns.TypeA, func(q, m *dns.Message) *dns.Message {
			if q.Question[0].Type == dns.TypeDS {
				return nil
			}
			return m
		}, dnsclient.ErrUnsigned, "timed out"},
		"refused":            {"www.example.test.", dns.TypeA, func(q, _ *dns.Message) *dns.Message { return q.Reply(dns.RcodeRefused) }, dnsclient.ErrUnsigned, "the server answered REFUSED"},
		"NXDOMAIN, no proof": {"none.example.test.", dns.TypeA, onAnswer("none.example.test.", dns.TypeA, drop(dns.TypeNSEC)), dnsclient.ErrBogus, "none.example.test. A is not there is not proved"},
		"NXDOMAIN of what is there": {"www.example.test.", dns.TypeA, onAnswer("www.example.test.", dns.TypeA, func(m *dns.Message) {
			m.Rcode, m.Answer = dns.RcodeNXDomain, nil
		}), dnsclient.ErrBogus, "www.example.test. A is not there is not proved"},
		"NODATA, no proof":   {"www.example.test.", dns.TypeMX, onAnswer("www.example.test.", dns.TypeMX, drop(dns.TypeNSEC)), dnsclient.ErrBogus, "www.example.test. MX is not there is not proved"},
		"wildcard, no proof": {"x.wild.example.test.", dns.TypeTXT, onAnswer("x.wild.example.test.", dns.TypeTXT, drop(dns.TypeNSEC)), dnsclient.ErrBogus, "nothing proves that it is not there itself"},
		"CNAME that nobody signed": {"x.dname.example.test.", dns.TypeTXT, onAnswer("x.dname.example.test.", dns.TypeTXT, func(m *dns.Message) {
			for i, rr := range m.Answer {
				if rr.Type == dns.TypeCNAME {
					m.Answer[i].Data = []byte(dns.MustParseName("www.bank.test."))
				}
			}
		}), dnsclient.ErrUnsigned, "x.dname.example.test. CNAME has no signature"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newSignedWorld(t, false, c.change)
			got, chain := w.chain(c.asked, c.kind, dnsclient.ChainOptions{})
			if !errors.Is(chain.Err, c.want) || !strings.Contains(chain.Err.Error(), c.text) {
				t.Errorf("%s: %v, want %v %s\n%s", name, chain.Err, c.want, c.text, strings.Join(got, "\n"))
			}
		})
	}
}

// Signatures end, and begin, in time.
func TestChainInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newSignedWorld(t, false, nil)
		time.Sleep(15 * 24 * time.Hour)
		if _, c := w.chain("www.example.test.", dns.TypeA, dnsclient.ChainOptions{}); !errors.Is(c.Err, dnsclient.ErrBogus) || !errors.Is(c.Err, dns.ErrSignatureExpired) {
			t.Errorf("%v", c.Err)
		}
	})
}

func TestChainAnchors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newSignedWorld(t, false, nil)
		// An anchor further down ends the chain there, also one that is a key.
		full, c := w.chain("example.test.", dns.TypeDNSKEY, dnsclient.ChainOptions{})
		var key, ds dns.RR
		for _, rr := range c.Answer.Message.Answer {
			if k, ok := rr.DNSKEY(); ok && k.Flags&1 != 0 {
				key = rr
			}
		}
		ds = c.Links[1].Set[0]
		for _, anchor := range []dns.RR{key, ds} {
			got, c := w.chain("www.example.test.", dns.TypeA, dnsclient.ChainOptions{Anchors: []dns.RR{anchor}})
			if c.Err != nil || len(got) != 2 || got[1] != "example.test. DNSKEY by example.test., anchor" {
				t.Errorf("%s: %v, %q", anchor.Type, c.Err, got)
			}
		}
		if len(full) != 5 {
			t.Errorf("%q", full)
		}
		// The root of the Internet is another one, and without an anchor for a root there is no end.
		for _, anchors := range [][]dns.RR{dnsclient.RootAnchors(), {ds}} {
			_, c := w.chain("test.", dns.TypeSOA, dnsclient.ChainOptions{Anchors: anchors})
			if len(anchors) == 2 && !errors.Is(c.Err, dnsclient.ErrBogus) || len(anchors) == 1 && !errors.Is(c.Err, dnsclient.ErrUnsigned) {
				t.Errorf("%v", c.Err)
			}
		}
	})
	anchors := dnsclient.RootAnchors()
	if len(anchors) != 2 || anchors[0].Type != dns.TypeDS || anchors[1].Name != dns.Root {
		t.Errorf("%v", anchors)
	}
}

func TestChainLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newSignedWorld(t, false, nil)
		// The answer, three times keys, two DS sets; six signatures.
		for steps, want := range map[int]error{6: nil, 5: dnsclient.ErrUnsigned} {
			if _, c := w.chain("www.example.test.", dns.TypeA, dnsclient.ChainOptions{MaxSteps: steps}); !errors.Is(c.Err, want) {
				t.Errorf("%d questions: %v", steps, c.Err)
			}
		}
		for checks, want := range map[int]error{6: nil, 5: dnsclient.ErrUnsigned} {
			if _, c := w.chain("www.example.test.", dns.TypeA, dnsclient.ChainOptions{MaxVerifications: checks}); !errors.Is(c.Err, want) {
				t.Errorf("%d signatures: %v", checks, c.Err)
			}
		}
	})
}

// Without an answer there is no chain.
func TestChainWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newSignedWorld(t, false, func(_, _ *dns.Message) *dns.Message { return nil })
		client := dnsclient.New(dnsclient.Options{Host: w.client, Timeout: time.Second, Tries: 1})
		if _, err := client.Chain(t.Context(), chainServer, dns.NewQuery(0, dns.Root, dns.TypeNS), dnsclient.ChainOptions{}); !errors.Is(err, dnsclient.ErrTimeout) {
			t.Errorf("got %v", err)
		}
	})
}
