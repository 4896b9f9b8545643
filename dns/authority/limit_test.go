package authority

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/ratelimit"
)

// TestClassify: what counts together, and by which name.
func TestClassify(t *testing.T) {
	t.Parallel()
	set := setOf(t, "test.", oddZone)
	for question, want := range map[string]struct {
		class ratelimit.Class
		name  string
	}{
		"a.test. A":           {ratelimit.Positive, "a.test."},
		"A.TEST. A":           {ratelimit.Positive, "A.TEST."},
		"b.test. A":           {ratelimit.Positive, "b.test."},
		"x.d.test. A":         {ratelimit.Synthesized, "d.test."},
		"other.w.test. CNAME": {ratelimit.Synthesized, "w.test."},
		"more.of.w.test. A":   {ratelimit.Synthesized, "w.test."},
		"no.test. A":          {ratelimit.NXDomain, "test."},
		"deep.no.test. A":     {ratelimit.NXDomain, "test."},
		"a.test. MX":          {ratelimit.NoData, "test."},
		"w.test. MX":          {ratelimit.NoData, "test."},
		"x.y.test. A":         {ratelimit.Referral, "y.test."},
		"example. A":          {ratelimit.Error, "."},
		"test. AXFR":          {ratelimit.Error, "."},
	} {
		name, typ, _ := strings.Cut(question, " ")
		qtype, err := dns.ParseType(typ)
		if err != nil {
			t.Fatal(err)
		}
		q := dns.NewQuery(1, dns.MustParseName(name), qtype)
		class, by := classify(set, q, Answer(set, q))
		if class != want.class || by.String() != want.name {
			t.Errorf("%s: class %d by %s, want %d by %s", question, class, by, want.class, want.name)
		}
	}
}

type counts map[Outcome]int

// asks sends each name as a query over UDP, all within one second.
func asks(t *testing.T, r *Responder, client string, names ...string) counts {
	t.Helper()
	set := setOf(t, "test.", oddZone)
	got := counts{}
	for _, n := range names {
		wire, err := dns.NewQuery(1, dns.MustParseName(n), dns.TypeA).Append(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, o := r.Respond(set, nil, wire, Client{Addr: netip.MustParseAddr(client), MaxUDP: 1232}, serverTime)
		got[o]++
	}
	return got
}

func repeat(n int, name func(i int) string) (names []string) {
	for i := range n {
		names = append(names, name(i))
	}
	return names
}

func numbered(suffix string) func(int) string {
	return func(i int) string { return strings.Repeat("n", i+1) + suffix }
}

// TestMadeUpNamesCountTogether: an attacker gets no more by asking for ever
// other names.
func TestMadeUpNamesCountTogether(t *testing.T) {
	t.Parallel()
	for what, name := range map[string]func(int) string{
		"one name":         func(int) string { return "a.test." },
		"below a wildcard": numbered(".w.test."),
		"below a DNAME":    numbered(".d.test."),
		"below a cut":      numbered(".y.test."),
		"not there":        numbered(".test."),
	} {
		got := asks(t, testResponder(t, 2), "192.0.2.1", repeat(42, name)...)
		if got[Answered] != 2 || got[Slipped] != 20 || got[Dropped] != 20 {
			t.Errorf("%s: %v", what, got)
		}
	}
	if got := asks(t, testResponder(t, 2), "192.0.2.1", repeat(42, numbered(".example."))...); got[Answered] != 2 || got[Dropped] != 40 {
		t.Errorf("errors: %v", got)
	}
}

// TestMalformedIsLimited: what cannot be read is answered as seldom.
func TestMalformedIsLimited(t *testing.T) {
	t.Parallel()
	r, set := testResponder(t, 2), setOf(t, "test.", oddZone)
	garbage := []byte{0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0}
	client := Client{Addr: netip.MustParseAddr("192.0.2.1"), MaxUDP: 1232}
	got := counts{}
	for range 42 {
		out, o := r.Respond(set, nil, garbage, client, serverTime)
		if (len(out) > 0) != (o == Answered) {
			t.Fatalf("%d octets, outcome %d", len(out), o)
		}
		got[o]++
	}
	if got[Answered] != 2 || got[Dropped] != 40 {
		t.Errorf("%v", got)
	}
	client.MaxUDP = Stream
	if _, o := r.Respond(set, nil, garbage, client, serverTime); o != Answered {
		t.Errorf("over a stream: %d", o)
	}
}

// TestSlippedResponses are no longer than the query with its OPT record and
// what the server adds.
func TestSlippedResponses(t *testing.T) {
	t.Parallel()
	r, set := testResponder(t, 1), setOf(t, "test.", oddZone)
	client := Client{Addr: netip.MustParseAddr("192.0.2.1"), MaxUDP: 1232}
	ask := func(options ...dns.Option) (query []byte, m *dns.Message, o Outcome) {
		q := dns.NewQuery(1, dns.MustParseName("f.test."), dns.TypeTXT)
		q.EDNS = &dns.EDNS{UDPSize: 1232, Options: options}
		query, err := q.Append(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		out, o := r.Respond(set, nil, query, client, serverTime)
		if o == Dropped {
			return query, nil, o
		}
		if m, err = dns.Parse(out); err != nil {
			t.Fatal(err)
		}
		if o == Slipped && len(out) != len(query) {
			t.Errorf("%d octets for %d", len(out), len(query))
		}
		if o == BadCookie && len(out) != len(query)+dns.CookieLen-dns.ClientCookieLen {
			t.Errorf("%d octets for %d", len(out), len(query))
		}
		return query, m, o
	}
	ask()
	if _, m, o := ask(); o != Slipped || !m.Truncated || m.Rcode != dns.RcodeSuccess || len(m.Answer)+len(m.Authority)+len(m.Additional) != 0 {
		t.Errorf("outcome %d: %v", o, m)
	}
	if _, _, o := ask(); o != Dropped {
		t.Errorf("outcome %d", o)
	}
	cookie := dns.Option{Code: dns.OptionCookie, Data: []byte("12345678")}
	_, m, o := ask(cookie)
	if o != BadCookie || m.Truncated || m.Rcode != dns.RcodeBadCookie || m.Authoritative || len(m.Answer) != 0 {
		t.Fatalf("outcome %d: %v", o, m)
	}
	whole, ok := m.EDNS.Option(dns.OptionCookie)
	if !ok {
		t.Fatal("no cookie")
	}
	// With what it learnt the client is served at once.
	if _, m, o := ask(dns.Option{Code: dns.OptionCookie, Data: whole}); o != Answered || len(m.Answer) == 0 {
		t.Errorf("outcome %d: %v", o, m)
	}
}

// TestSlippedReferrals: nothing is left of the addresses, either.
func TestSlippedReferrals(t *testing.T) {
	t.Parallel()
	r, set := testResponder(t, 1), setOf(t, "test.", oddZone)
	client := Client{Addr: netip.MustParseAddr("192.0.2.1"), MaxUDP: 1232}
	query, err := dns.NewQuery(1, dns.MustParseName("x.y.test."), dns.TypeA).Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	whole, _ := r.Respond(set, nil, query, client, serverTime)
	empty, o := r.Respond(set, nil, query, client, serverTime)
	if m, err := dns.Parse(whole); err != nil || len(m.Additional) == 0 {
		t.Fatalf("%v, %v", m, err)
	}
	if o != Slipped || len(empty) != len(query) {
		t.Errorf("outcome %d, %d octets for %d", o, len(empty), len(query))
	}
}

// TestExemptClients get everything; their neighbours do not.
func TestExemptClients(t *testing.T) {
	t.Parallel()
	limit, err := ratelimit.New(ratelimit.Options{Rate: 1, Exempt: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, [2]uint64{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewResponder(Options{Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	names := repeat(10, func(int) string { return "a.test." })
	if got := asks(t, r, "127.0.0.1", names...); got[Answered] != 10 {
		t.Errorf("%v", got)
	}
	if got := asks(t, r, "128.0.0.1", names...); got[Answered] != 1 {
		t.Errorf("%v", got)
	}
}

func BenchmarkRespond(b *testing.B) {
	set := setOf(b, "test.", oddZone)
	q := dns.NewQuery(7, dns.MustParseName("a.test."), dns.TypeA)
	q.EDNS = &dns.EDNS{UDPSize: 1232, Options: []dns.Option{{Code: dns.OptionCookie, Data: []byte("12345678")}}}
	wire, err := q.Append(nil, 0)
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 2048)
	client := Client{Addr: netip.MustParseAddr("192.0.2.1"), MaxUDP: 1232}
	for what, r := range map[string]*Responder{"plain": {}, "everything": testResponder(b, 1_000_000)} {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			now := serverTime
			for b.Loop() {
				now = now.Add(time.Microsecond)
				r.Respond(set, buf, wire, client, now)
			}
		})
	}
}
