package authority

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/ratelimit"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/dialogue"
)

type fataler interface {
	Helper()
	Fatal(...any)
}

// The server of testdata/options: that of RFC 9018 appendix A, and its time.
var serverTime = time.Unix(1559731985, 0)

func testCookies(t fataler) *dns.Cookies {
	t.Helper()
	secret, err := dns.ParseCookieSecret("e5e973e5a6b2a43f48e7dc849e37bfcf")
	if err != nil {
		t.Fatal(err)
	}
	c, err := dns.NewCookies(secret)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testResponder(t fataler, rate int) *Responder {
	t.Helper()
	limit, err := ratelimit.New(ratelimit.Options{Rate: rate, Buckets: 1 << 12}, [2]uint64{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewResponder(Options{NSID: "ns1-fra", Cookies: testCookies(t), Limit: limit, Rotate: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestOptionDialogues plays testdata/options, whose questions have more words
// than those of testdata.
func TestOptionDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/options/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, path := range files {
		d, err := dialogue.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		set, answers := zonesOf(t, d), map[int][]string{}
		for _, c := range d.Cases {
			count++
			t.Run(c.Title, func(t *testing.T) {
				answers[c.Line] = askOptions(t, set, c.Question)
				if got, want := strings.Join(answers[c.Line], "\n"), strings.Join(c.Want, "\n"); got != want && !*rewrite {
					t.Errorf("%s:%d: Q: %s\ngot\n%s\nwant\n%s", path, c.Line, c.Question, got, want)
				}
			})
		}
		if *rewrite {
			if err := d.Rewrite(answers); err != nil {
				t.Fatal(err)
			}
		}
	}
	if count < 50 {
		t.Errorf("%d cases; there were 50 once", count)
	}
}

// optionQuestion is a question with what the words say that questionWire does
// not know.
type optionQuestion struct {
	wire   []byte
	client Client
	now    time.Time
	before int  // how often the same was asked before
	random bool // but for other names
}

func askOptions(t *testing.T, set *zone.Set, question string) []string {
	t.Helper()
	r, q := testResponder(t, 2), readOptionQuestion(t, question)
	for i := range q.before {
		wire := bytes.Clone(q.wire)
		if q.random {
			wire[dns.HeaderLen+1] = byte('0' + i)
		}
		r.Respond(set, nil, wire, q.client, q.now)
	}
	out, _ := r.Respond(set, []byte("before"), q.wire, q.client, q.now)
	out, ok := bytes.CutPrefix(out, []byte("before"))
	if !ok {
		t.Fatal("what stood before the response was changed")
	}
	if len(out) == 0 {
		return []string{"(silence)"}
	}
	m, err := dns.Parse(out)
	if err != nil {
		t.Fatalf("the answer is malformed: %v", err)
	}
	lines, err := dialogue.Lines(q.wire, out)
	if err != nil {
		t.Fatal(err)
	}
	if m.EDNS == nil {
		return lines
	}
	for _, e := range m.EDNS.ExtendedErrors() {
		lines = append(lines, fmt.Sprintf("because    %q", e.Text))
	}
	for _, o := range m.EDNS.Options {
		switch o.Code {
		case dns.OptionNSID:
			lines = append(lines, fmt.Sprintf("nsid       %q", o.Data))
		case dns.OptionCookie:
			lines = append(lines, fmt.Sprintf("cookie     %x", o.Data))
		case dns.OptionTCPKeepalive:
			lines = append(lines, fmt.Sprintf("keepalive  %d tenths of a second", int(o.Data[0])<<8|int(o.Data[1])))
		case dns.OptionPadding:
			lines = append(lines, fmt.Sprintf("padded     to %d octets", len(out)))
		case dns.OptionExtendedError:
		default:
			lines = append(lines, fmt.Sprintf("option     %d %x", o.Code, o.Data))
		}
	}
	return lines
}

func readOptionQuestion(t *testing.T, question string) optionQuestion {
	t.Helper()
	q := optionQuestion{client: Client{Addr: netip.MustParseAddr("198.51.100.100"), MaxUDP: DefaultUDPSize, Idle: 10 * time.Second}, now: serverTime}
	var options []dns.Option
	var known []string
	id := uint16(4711)
	for _, w := range strings.Fields(question) {
		key, value, _ := strings.Cut(w, "=")
		number, _ := strconv.Atoi(value)
		switch key {
		case "+nsid":
			options = append(options, dns.Option{Code: dns.OptionNSID, Data: []byte(value)})
		case "+cookie":
			options = append(options, dns.Option{Code: dns.OptionCookie, Data: unhexOption(t, value)})
		case "+keepalive":
			options = append(options, dns.Option{Code: dns.OptionTCPKeepalive})
		case "+padding":
			options = append(options, dns.Option{Code: dns.OptionPadding, Data: make([]byte, 20)})
		case "+option":
			code, data, _ := strings.Cut(value, ":")
			n, err := strconv.Atoi(code)
			if err != nil {
				t.Fatal(err)
			}
			options = append(options, dns.Option{Code: dns.OptionCode(n), Data: unhexOption(t, data)})
		case "+tcp":
			q.client.MaxUDP = Stream
		case "+tls":
			q.client.MaxUDP, q.client.Encrypted = Stream, true
		case "+https":
			q.client.MaxUDP, q.client.Encrypted, q.client.Idle = Stream, true, 0
		case "+from":
			q.client.Addr = netip.MustParseAddr(value)
		case "+later":
			d, err := time.ParseDuration(value)
			if err != nil {
				t.Fatal(err)
			}
			q.now = q.now.Add(d)
		case "+after":
			q.before = number
		case "+random":
			q.random = true
		case "+id":
			id = uint16(number)
		default:
			known = append(known, w)
		}
	}
	wire, _, err := dialogue.Query(strings.Join(known, " "))
	if err != nil {
		t.Fatal(err)
	}
	q.wire = withOptions(t, wire, id, options)
	return q
}

func unhexOption(t *testing.T, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func withOptions(t testing.TB, wire []byte, id uint16, options []dns.Option) []byte {
	t.Helper()
	m, err := dns.Parse(wire)
	if err != nil {
		t.Fatal(err)
	}
	m.ID = id
	if len(options) > 0 && m.EDNS == nil {
		m.EDNS = &dns.EDNS{UDPSize: 1232}
	}
	if m.EDNS != nil {
		m.EDNS.Options = options
	}
	if wire, err = m.Append(nil, 0); err != nil {
		t.Fatal(err)
	}
	return wire
}

func TestNSIDLimit(t *testing.T) {
	t.Parallel()
	if _, err := NewResponder(Options{NSID: strings.Repeat("a", MaxNSID+1)}); err == nil {
		t.Error("an NSID that is too long is taken")
	}
	r, err := NewResponder(Options{NSID: strings.Repeat("a", MaxNSID), Cookies: testCookies(t)})
	if err != nil {
		t.Fatal(err)
	}
	// The longest name, the longest options and an extended error fit 512 octets.
	long := strings.Repeat(strings.Repeat("b", 63)+".", 3) + strings.Repeat("b", 61) + "."
	q := dns.NewQuery(1, dns.MustParseName(long), dns.TypeA)
	q.EDNS = &dns.EDNS{UDPSize: 512, Options: []dns.Option{
		{Code: dns.OptionNSID}, {Code: dns.OptionCookie, Data: []byte("12345678")},
	}}
	wire, err := q.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := r.Respond(setOf(t, "test.", oddZone), nil, wire, Client{Addr: netip.IPv6Loopback(), MaxUDP: 1232}, serverTime)
	m, err := dns.Parse(out)
	if err != nil || len(out) > 512 || m.Truncated || m.Rcode != dns.RcodeRefused || len(m.EDNS.Options) != 3 {
		t.Errorf("%d octets, %v: %+v", len(out), err, m)
	}
}

// TestOptionsCountForTheSize: an answer that just fits without the options is
// truncated with them, and never longer than it may be.
func TestOptionsCountForTheSize(t *testing.T) {
	t.Parallel()
	set := setOf(t, "test.", oddZone)
	r := testResponder(t, 100)
	client := Client{Addr: netip.MustParseAddr("192.0.2.1"), MaxUDP: 1232}
	sizes := map[bool]int{}
	for _, cookie := range []bool{false, true} {
		for size := 512; size < 700; size++ {
			q := dns.NewQuery(1, dns.MustParseName("f.test."), dns.TypeTXT)
			q.EDNS = &dns.EDNS{UDPSize: uint16(size)}
			if cookie {
				q.EDNS.Options = []dns.Option{{Code: dns.OptionCookie, Data: []byte("12345678")}}
			}
			wire, err := q.Append(nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			out, _ := r.Respond(set, nil, wire, client, serverTime.Add(time.Duration(size)*time.Second))
			m, err := dns.Parse(out)
			if err != nil || len(out) > size {
				t.Fatalf("%d octets of %d: %v", len(out), size, err)
			}
			if !m.Truncated && sizes[cookie] == 0 {
				sizes[cookie] = size
			}
		}
	}
	if sizes[false] == 0 || sizes[true] != sizes[false]+4+dns.CookieLen {
		t.Errorf("fits %d octets without a cookie, %d with", sizes[false], sizes[true])
	}
}

func TestPadding(t *testing.T) {
	t.Parallel()
	x := exchange{Responder: &Responder{}, client: Client{Encrypted: true}, asked: asked{padding: true}}
	for _, tt := range []struct{ before, after int }{
		{100, 468}, {463, 468}, {464, 468}, {465, 936}, {932, 936}, {933, 1404},
		{65063, 65520}, {65516, 65520}, {65517, 65535}, {65531, 65535}, {65532, 65532}, {65535, 65535},
	} {
		want := tt.after
		m := &dns.Message{EDNS: &dns.EDNS{}}
		out := make([]byte, tt.before-11, tt.before)
		wire, err := m.Append(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, wire[dns.HeaderLen:]...)
		got := x.addOptions(append([]byte("before"), out...), 6, 11)
		if len(got)-6 != want {
			t.Errorf("%d octets are padded to %d, want %d", tt.before, len(got)-6, want)
		}
		rdlen := int(got[6+tt.before-2])<<8 | int(got[6+tt.before-1])
		if rdlen != want-tt.before {
			t.Errorf("%d octets: the OPT record has %d", tt.before, rdlen)
		}
	}
}

// TestNoZonesYet: a server that is starting says so, and does not refuse.
func TestNoZonesYet(t *testing.T) {
	t.Parallel()
	q := dns.NewQuery(1, dns.MustParseName("www.example.test."), dns.TypeA)
	q.EDNS = &dns.EDNS{UDPSize: 1232}
	wire, err := q.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := dns.Parse(Respond(nil, nil, wire, Stream))
	if err != nil || m.Rcode != dns.RcodeServFail {
		t.Fatalf("%v, %v", m, err)
	}
	if e := m.EDNS.ExtendedErrors(); len(e) != 1 || e[0].Code != dns.EDENotReady || e[0].Text == "" {
		t.Errorf("%v", e)
	}
}

// TestTheQuietResponder: without options in force nothing is told, whatever is asked.
func TestTheQuietResponder(t *testing.T) {
	t.Parallel()
	set := setOf(t, "test.", oddZone)
	q := dns.NewQuery(1, dns.MustParseName("a.test."), dns.TypeA)
	q.EDNS = &dns.EDNS{UDPSize: 1232, Options: []dns.Option{
		{Code: dns.OptionNSID}, {Code: dns.OptionCookie, Data: []byte("1234567")}, {Code: dns.OptionTCPKeepalive}, {Code: dns.OptionPadding},
	}}
	wire, err := q.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{Stream, 1232} {
		m, err := dns.Parse(Respond(set, nil, wire, limit))
		if err != nil || m.Rcode != dns.RcodeSuccess || len(m.EDNS.Options) != 0 {
			t.Errorf("%v, %v", m, err)
		}
	}
	ch := dns.NewQuery(1, dns.MustParseName("id.server."), dns.TypeTXT)
	ch.Question[0].Class = dns.ClassCH
	if wire, err = ch.Append(nil, 0); err != nil {
		t.Fatal(err)
	}
	if m, err := dns.Parse(Respond(set, nil, wire, Stream)); err != nil || m.Rcode != dns.RcodeRefused {
		t.Errorf("%v, %v", m, err)
	}
}

// TestOptionsCostNoAllocation: with everything on, a response allocates what it
// does with nothing on.
func TestOptionsCostNoAllocation(t *testing.T) {
	set := setOf(t, "test.", oddZone)
	q := dns.NewQuery(7, dns.MustParseName("a.test."), dns.TypeA)
	q.EDNS = &dns.EDNS{UDPSize: 1232, Options: []dns.Option{
		{Code: dns.OptionNSID}, {Code: dns.OptionCookie, Data: []byte("12345678")},
	}}
	wire, err := q.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 2048)
	client := Client{Addr: netip.MustParseAddr("192.0.2.1"), MaxUDP: 1232}
	count := func(r *Responder) float64 {
		return testing.AllocsPerRun(100, func() {
			if out, o := r.Respond(set, buf, wire, client, serverTime); o != Answered || len(out) == 0 {
				t.Fatal(o)
			}
		})
	}
	if plain, full := count(&Responder{}), count(testResponder(t, 1_000_000)); full > plain {
		t.Errorf("%v allocations, %v without options", full, plain)
	}
}

// FuzzResponder: with everything on, too, what goes out is well-formed and not
// longer than it may be.
func FuzzResponder(f *testing.F) {
	set := setOf(f, "test.", oddZone)
	r := testResponder(f, 1_000_000)
	for _, name := range []string{"a.test.", "x.d.test.", "f.test.", "no.test.", "example.com."} {
		q := dns.NewQuery(7, dns.MustParseName(name), dns.TypeTXT)
		for _, options := range [][]dns.Option{
			{{Code: dns.OptionNSID}, {Code: dns.OptionCookie, Data: []byte("12345678")}},
			{{Code: dns.OptionPadding}, {Code: dns.OptionTCPKeepalive}, {Code: dns.OptionCookie, Data: []byte("1234567890123456")}},
			{{Code: dns.OptionCookie, Data: []byte("1")}},
		} {
			q.EDNS = &dns.EDNS{UDPSize: 512, Options: options}
			wire, err := q.Append(nil, 0)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(wire, uint8(0))
			f.Add(wire, uint8(2))
		}
	}
	clients := []Client{
		{MaxUDP: 512}, {MaxUDP: 1232}, {MaxUDP: Stream, Idle: time.Second}, {MaxUDP: Stream, Encrypted: true},
	}
	f.Fuzz(func(t *testing.T, query []byte, kind uint8) {
		c := clients[int(kind)%len(clients)]
		c.Addr = netip.MustParseAddr("192.0.2.1")
		out, outcome := r.Respond(set, nil, query, c, serverTime)
		if outcome == Silent {
			if len(out) != 0 || len(query) >= dns.HeaderLen && query[2]&0x80 == 0 {
				t.Fatalf("%x: %x", query, out)
			}
			return
		}
		if c.MaxUDP != Stream && len(out) > c.MaxUDP {
			t.Fatalf("%d octets", len(out))
		}
		m, err := dns.Parse(out)
		if err != nil {
			t.Fatalf("malformed response to %x: %v", query, err)
		}
		if m.Rcode == dns.RcodeServFail {
			t.Fatalf("%x: %s", query, dns.Summary(m))
		}
		if cookie, ok := m.EDNS.Option(dns.OptionCookie); ok && len(cookie) != dns.CookieLen {
			t.Fatalf("%x: cookie %x", query, cookie)
		}
	})
}

func TestRotate(t *testing.T) {
	t.Parallel()
	set := func(t dns.Type, owner string, n int) (rrs []dns.RR) {
		for i := range n {
			rrs = append(rrs, dns.RR{Name: dns.MustParseName(owner), Type: t, Class: dns.ClassIN, Data: []byte{byte(i)}})
		}
		return rrs
	}
	order := func(rrs []dns.RR) (s string) {
		for _, rr := range rrs {
			s += strconv.Itoa(int(rr.Data[0]))
		}
		return s
	}
	for turn, want := range map[int]string{
		0: "0" + "01234" + "012" + "012" + "0", 1: "0" + "12340" + "012" + "120" + "0", 2: "0" + "23401" + "012" + "201" + "0",
		65535: "0" + "01234" + "012" + "012" + "0", 7: "0" + "23401" + "012" + "120" + "0",
	} {
		rrs := slices.Concat(set(dns.TypeCNAME, "b.", 1), set(dns.TypeA, "a.", 5), set(dns.TypeMX, "a.", 3), set(dns.TypeAAAA, "a.", 3), set(dns.TypeA, "c.", 1))
		if rotate(rrs, turn); order(rrs) != want {
			t.Errorf("turn %d: %s, want %s", turn, order(rrs), want)
		}
	}
	x := exchange{now: time.Unix(0, 5_000)}
	if x.turn(9) != 9 || x.turn(0) != 5 {
		t.Errorf("turns %d, %d", x.turn(9), x.turn(0))
	}
}
