package dnssvc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/authority"
	"github.com/network-utopia/utopia/dns/dnsserver"
	"github.com/network-utopia/utopia/host/emunet"
)

// server is a service on an emulated internet, with two clients in different
// networks.
type server struct {
	*Service
	limited Limited
	victim  *emunet.Host // 198.51.100.7
	other   *emunet.Host // 203.0.113.9
}

func onInternet(t *testing.T, change func(*Options)) *server {
	t.Helper()
	n := emunet.New(1)
	t.Cleanup(func() { _ = n.Close() })
	router := n.Router("router")
	ns := n.Host("ns", "192.0.2.53")
	s := &server{victim: n.Host("victim", "198.51.100.7"), other: n.Host("other", "203.0.113.9")}
	for _, h := range []*emunet.Host{ns, s.victim, s.other} {
		n.Link(h, router, emunet.Delay(time.Millisecond))
	}
	opts := options()
	opts.Host, opts.Addresses, opts.Port = ns, []netip.Addr{netip.MustParseAddr("192.0.2.53")}, 53
	opts.RateLimit, opts.Slip, opts.Unlimited, opts.Limited = 10, 2, Loopback(), &s.limited
	if change != nil {
		change(&opts)
	}
	s.Service = started(t, opts)
	return s
}

func question(t *testing.T, options ...dns.Option) []byte {
	t.Helper()
	q := dns.NewQuery(1, dns.MustParseName("www.networkutopia.test."), dns.TypeA)
	q.EDNS = &dns.EDNS{UDPSize: 1232, Options: options}
	wire, err := q.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

// askUDP sends n queries at once, and gives what comes back within a second.
func askUDP(t *testing.T, h *emunet.Host, n int, query []byte) (answers []*dns.Message) {
	t.Helper()
	conn, err := h.Dial(t.Context(), "udp", "192.0.2.53:53")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range n {
		if _, err := conn.Write(query); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2048)
	for {
		size, err := conn.Read(buf)
		if err != nil {
			return answers
		}
		m, err := dns.Parse(buf[:size])
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, m)
	}
}

func askTCP(t *testing.T, h *emunet.Host, query []byte) *dns.Message {
	t.Helper()
	conn, err := h.Dial(t.Context(), "tcp", "192.0.2.53:53")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)); err != nil {
		t.Fatal(err)
	}
	return readTCP(t, conn)
}

func readTCP(t *testing.T, conn net.Conn) *dns.Message {
	t.Helper()
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		t.Fatal(err)
	}
	wire := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, wire); err != nil {
		t.Fatal(err)
	}
	m, err := dns.Parse(wire)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// kinds counts answers, truncated ones and BADCOOKIE.
func kinds(answers []*dns.Message) (whole, truncated, badCookie int) {
	for _, m := range answers {
		switch {
		case m.Rcode == dns.RcodeBadCookie:
			badCookie++
		case m.Truncated:
			truncated++
		case len(m.Answer) > 0:
			whole++
		}
	}
	return whole, truncated, badCookie
}

// TestFlood: what one network gets is bounded, others notice nothing, and who
// was there first finds a way.
func TestFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := onInternet(t, nil)
		whole, truncated, bad := kinds(askUDP(t, s.victim, 100, question(t)))
		if whole != 10 || truncated != 45 || bad != 0 {
			t.Errorf("a flood gets %d answers, %d truncated, %d BADCOOKIE", whole, truncated, bad)
		}
		if d, l := s.limited.Dropped.Load(), s.limited.Slipped.Load(); d != 45 || l != 45 {
			t.Errorf("counted %d dropped, %d slipped", d, l)
		}
		if whole, _, _ := kinds(askUDP(t, s.other, 1, question(t))); whole != 1 {
			t.Error("another network is not answered")
		}
		if m := askTCP(t, s.victim, question(t)); len(m.Answer) != 1 {
			t.Errorf("over TCP: %s", dns.Summary(m))
		}
		// The victim has a server that knows cookies.
		client := dns.Option{Code: dns.OptionCookie, Data: []byte("12345678")}
		answers := askUDP(t, s.victim, 2, question(t, client))
		if _, _, bad := kinds(answers); bad != 1 || s.limited.BadCookie.Load() != 1 {
			t.Fatalf("%d BADCOOKIE, %d counted", bad, s.limited.BadCookie.Load())
		}
		cookie, ok := answers[0].EDNS.Option(dns.OptionCookie)
		if !ok {
			t.Fatal("no cookie")
		}
		with := question(t, dns.Option{Code: dns.OptionCookie, Data: cookie})
		if whole, _, _ := kinds(askUDP(t, s.victim, 100, with)); whole != 100 {
			t.Errorf("with a cookie %d of 100 are answered", whole)
		}
		// Somebody else who has heard it has nothing.
		if whole, _, _ := kinds(askUDP(t, s.other, 100, with)); whole > 20 {
			t.Errorf("with another's cookie %d are answered", whole)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestLimitsCanBeSet(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		change           func(*Options)
		whole, truncated int
	}{
		"no limits":    {func(o *Options) { o.RateLimit = 0 }, 100, 0},
		"another rate": {func(o *Options) { o.RateLimit = 50 }, 50, 25},
		"no slip":      {func(o *Options) { o.Slip = 0 }, 10, 0},
		"slip 1":       {func(o *Options) { o.Slip = 1 }, 10, 90},
		"ours":         {func(o *Options) { o.Unlimited = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/25")} }, 100, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := onInternet(t, tt.change)
			if whole, truncated, _ := kinds(askUDP(t, s.victim, 100, question(t))); whole != tt.whole || truncated != tt.truncated {
				t.Errorf("%s: %d answers, %d truncated", what, whole, truncated)
			}
		})
	}
	for _, bad := range []func(*Options){
		func(o *Options) { o.RateLimit = 1 << 30 }, func(o *Options) { o.RateLimit, o.Slip = 10, 1000 },
		func(o *Options) { o.NSID = strings.Repeat("a", authority.MaxNSID+1) },
	} {
		opts := options()
		if bad(&opts); second(New(opts)) == nil {
			t.Errorf("taken: %+v", opts)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestNameOfTheServer: NSID for those who ask, when there is one.
func TestNameOfTheServer(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "ns1-fra"} {
		opts := options()
		opts.NSID = name
		s := newService(t, opts)
		out := inForce{s}.Respond(nil, question(t, dns.Option{Code: dns.OptionNSID}), dnsserver.Client{Time: time.Now(), Transport: dnsserver.TCP})
		m, err := dns.Parse(out)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := m.EDNS.Option(dns.OptionNSID); string(got) != name || ok != (name != "") {
			t.Errorf("%q, want %q", got, name)
		}
	}
}

// TestConnectionsAreExplained: the time that a client is told is the one that
// the server waits.
func TestConnectionsAreExplained(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := onInternet(t, nil)
		m := askTCP(t, s.victim, question(t, dns.Option{Code: dns.OptionTCPKeepalive}))
		told, ok := m.EDNS.Option(dns.OptionTCPKeepalive)
		if !ok || len(told) != 2 {
			t.Fatalf("%x", told)
		}
		idle := time.Duration(binary.BigEndian.Uint16(told)) * 100 * time.Millisecond
		conn, err := s.victim.Dial(t.Context(), "tcp", "192.0.2.53:53")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		start := time.Now()
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Fatal("the server speaks first")
		}
		if waited := time.Since(start); waited < idle-time.Second || waited > idle+time.Second {
			t.Errorf("told %v, waited %v", idle, waited)
		}
	})
}

// TestWhatIsPadded: what goes over an encrypted transport, for clients that pad.
func TestWhatIsPadded(t *testing.T) {
	t.Parallel()
	s := newService(t, options())
	query := question(t, dns.Option{Code: dns.OptionPadding})
	for transport := range dnsserver.Transport(4) {
		from := dnsserver.Client{Transport: transport}
		if transport == dnsserver.UDP {
			from.MaxUDP = 1232
		}
		padded := len(inForce{s}.Respond(nil, query, from)) == authority.PaddingBlock
		if want := transport != dnsserver.UDP && transport != dnsserver.TCP; padded != want {
			t.Errorf("%v: padded %v", transport, padded)
		}
	}
}

// TestRotation: clients spread over the addresses, unless that is switched off.
func TestRotation(t *testing.T) {
	t.Parallel()
	for _, rotate := range []bool{false, true} {
		opts := options()
		opts.Rotate = rotate
		opts.Records = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")}
		s := newService(t, opts)
		first := map[string]bool{}
		for id := range uint16(6) {
			query := question(t)
			binary.BigEndian.PutUint16(query, id+1)
			m, err := dns.Parse(inForce{s}.Respond(nil, query, dnsserver.Client{Time: time.Now(), Transport: dnsserver.TCP}))
			if err != nil || len(m.Answer) != 3 {
				t.Fatalf("%v: %v", m, err)
			}
			first[m.Answer[0].DataString()] = true
		}
		if want := map[bool]int{false: 1, true: 3}[rotate]; len(first) != want {
			t.Errorf("rotate %v: %d addresses stood first", rotate, len(first))
		}
	}
}

// cookieFrom has a service make a cookie for a client.
func cookieFrom(t *testing.T, s *Service, old []byte) []byte {
	t.Helper()
	from := dnsserver.Client{Time: time.Now(), Remote: netip.MustParseAddrPort("198.51.100.7:1000"), Transport: dnsserver.TCP}
	m, err := dns.Parse(inForce{s}.Respond(nil, question(t, dns.Option{Code: dns.OptionCookie, Data: old}), from))
	if err != nil {
		t.Fatal(err)
	}
	cookie, ok := m.EDNS.Option(dns.OptionCookie)
	if !ok {
		t.Fatal("no cookie")
	}
	return cookie
}

// takes says whether a cookie is good for the service: then it has nothing to
// answer to a query for a cookie but NOERROR.
func takes(t *testing.T, s *Service, cookie []byte) bool {
	t.Helper()
	q := &dns.Message{EDNS: &dns.EDNS{UDPSize: 1232, Options: []dns.Option{{Code: dns.OptionCookie, Data: cookie}}}}
	wire, err := q.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	from := dnsserver.Client{Time: time.Now(), Remote: netip.MustParseAddrPort("198.51.100.7:1000"), Transport: dnsserver.TCP}
	m, err := dns.Parse(inForce{s}.Respond(nil, wire, from))
	if err != nil {
		t.Fatal(err)
	}
	return m.Rcode == dns.RcodeSuccess
}

// TestOwnSecretChanges: after a day there is another, and cookies of the last
// hour are good all the same.
func TestOwnSecretChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, options())
		secret := func() dns.CookieSecret { return s.current.Load().protect.current.Load().secrets[0] }
		first := secret()
		time.Sleep(secretLife - time.Minute)
		cookie := cookieFrom(t, s, []byte("12345678"))
		if !takes(t, s, cookie) || secret() != first {
			t.Error("before a day is over")
		}
		time.Sleep(2 * time.Minute)
		if !takes(t, s, cookie) || secret() == first {
			t.Error("after it")
		}
		if next := cookieFrom(t, s, cookie); bytes.Equal(next, cookie) || !takes(t, s, next) {
			t.Errorf("%x becomes %x", cookie, next)
		}
		if s2 := newService(t, options()); takes(t, s2, cookie) {
			t.Error("another server takes it")
		}
	})
}

// TestReplaceKeepsWhatIsRemembered: cookies stay good over a reload, and a
// flood that is going on stays limited.
func TestReplaceKeepsWhatIsRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := onInternet(t, nil)
		cookie := cookieFrom(t, s.Service, []byte("12345678"))
		askUDP(t, s.victim, 500, question(t))
		opts := s.current.Load().Options
		opts.TTL, opts.NSID = time.Minute, "new"
		if !s.Replace(newService(t, opts)) {
			t.Fatal("not replaced")
		}
		if !takes(t, s.Service, cookie) {
			t.Error("the cookie is lost")
		}
		answers := askUDP(t, s.victim, 100, question(t, dns.Option{Code: dns.OptionNSID}))
		if whole, truncated, _ := kinds(answers); whole != 0 || truncated == 0 {
			t.Errorf("a flood gets %d answers, %d truncated", whole, truncated)
		}
		if name, _ := answers[0].EDNS.Option(dns.OptionNSID); string(name) != "new" {
			t.Errorf("the new settings are not in force: %q", name)
		}
		opts.Slip = 1
		if !s.Replace(newService(t, opts)) {
			t.Fatal("not replaced")
		}
		askUDP(t, s.victim, 10, question(t))
		if _, truncated, _ := kinds(askUDP(t, s.victim, 100, question(t))); truncated < 80 {
			t.Errorf("of a flood %d are truncated", truncated)
		}
		opts.RateLimit = 1000
		if !s.Replace(newService(t, opts)) {
			t.Fatal("not replaced")
		}
		if whole, _, _ := kinds(askUDP(t, s.victim, 100, question(t))); whole != 100 {
			t.Errorf("with a higher limit %d are answered", whole)
		}
	})
}

const (
	secretA = "e5e973e5a6b2a43f48e7dc849e37bfcf"
	secretB = "dd3bdf9344b678b185a6f5cb60fca715"
)

// TestSharedSecrets: servers with one file take each other's cookies, and a
// roll-over leaves them good.
func TestSharedSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	with := func(text string) *Service {
		opts := options()
		opts.CookieSecretFile = writeFile(t, dir, "secrets", text)
		return newService(t, opts)
	}
	a, b := with(secretA+"\n"), with("# both\r\n\r\n "+secretA+" # the first\n")
	cookie := cookieFrom(t, a, []byte("12345678"))
	if !takes(t, b, cookie) {
		t.Error("the other server does not take it")
	}
	if !takes(t, with(secretB+"\n"+strings.ToUpper(secretA)), cookie) || takes(t, with(secretB), cookie) {
		t.Error("the roll-over")
	}
	// A reload takes what the file says, also where there was a secret of our own.
	own := newService(t, options())
	next := with(secretA)
	opts := next.current.Load().Options
	opts.Host = own.current.Load().Host
	if !own.Replace(newService(t, opts)) || !takes(t, own, cookie) {
		t.Error("the reload")
	}
	opts.CookieSecretFile = ""
	if !own.Replace(newService(t, opts)) || takes(t, own, cookie) {
		t.Error("the file is gone, and its secret is not")
	}
}

func TestBadSecretFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, tt := range map[string]struct{ text, want string }{
		"empty":    {"\n# nothing\n", "has no secret"},
		"short":    {secretA + "\n" + secretB[1:] + "\n", "short:2: dns: a cookie secret has 32 hexadecimal digits"},
		"odd":      {"x" + secretA[1:], "odd:1: dns: a cookie secret has no other characters than hexadecimal digits"},
		"two":      {secretA + " " + secretB, "two:1: dns: a cookie secret has 32 hexadecimal digits"},
		"many":     {strings.Repeat(secretA+"\n", dns.MaxCookieSecrets+1), "has 5 secrets; at most 4 are taken"},
		"long":     {strings.Repeat("#\n", maxSecretFile/2) + "\n", "is longer than 4096 octets"},
		"one line": {secretA + strings.Repeat(" ", maxSecretFile-len(secretA)), ""},
		"longest":  {secretA + "\n" + strings.Repeat("#\n", (maxSecretFile-34)/2), ""},
	} {
		opts := options()
		opts.CookieSecretFile = writeFile(t, dir, name, tt.text)
		_, err := New(opts)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v", name, err)
		case err != nil && (strings.Contains(err.Error(), secretA[2:8]) || strings.Contains(err.Error(), secretB[2:8])):
			t.Errorf("%s: the error tells a secret: %v", name, err)
		}
	}
	opts := options()
	opts.CookieSecretFile = dir
	if _, err := New(opts); err == nil || !strings.Contains(err.Error(), "is no file") {
		t.Errorf("a folder: %v", err)
	}
	opts.CookieSecretFile = filepath.Join(dir, "none")
	if _, err := New(opts); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// refusing admits nobody's queries.
type refusing struct{ Guard }

func (refusing) AllowAt(netip.Addr, time.Time) bool { return false }

// TestGuardOverUDP: by a forged address nobody is shut out where responses are limited; connections are their client's own.
func TestGuardOverUDP(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		limit int
		over  dnsserver.Transport
		want  bool
	}{
		{0, dnsserver.UDP, false}, {200, dnsserver.UDP, true}, {200, dnsserver.TCP, false}, {200, dnsserver.TLS, false}, {0, dnsserver.HTTPS, false},
	} {
		opts := options()
		opts.RateLimit, opts.Guard = tt.limit, refusing{}
		if got := (inForce{newService(t, opts)}).Allow(loopback, tt.over, time.Now()); got != tt.want {
			t.Errorf("rate-limit %d, %s: %v", tt.limit, tt.over, got)
		}
	}
}

// TestGuardOfSpecialMessages: updates, notifications and transfers over UDP are not counted by the limit on responses, so
// the guard has its say about them.
func TestGuardOfSpecialMessages(t *testing.T) {
	t.Parallel()
	for _, over := range []dnsserver.Transport{dnsserver.UDP, dnsserver.TCP} {
		for _, opcode := range []dns.Opcode{dns.OpcodeUpdate, dns.OpcodeNotify} {
			for guarded, want := range map[bool]bool{false: true, true: over == dnsserver.TCP} {
				opts := options()
				opts.RateLimit = 200
				if guarded {
					opts.Guard = refusing{}
				}
				q := dns.NewQuery(1, dns.MustParseName("networkutopia.test."), dns.TypeSOA)
				q.Opcode = opcode
				wire, err := q.Append(nil, 0)
				if err != nil {
					t.Fatal(err)
				}
				from := dnsserver.Client{Remote: netip.AddrPortFrom(loopback, 5300), Transport: over}
				if over == dnsserver.UDP {
					from.MaxUDP = 1232
				}
				if out := (inForce{newService(t, opts)}).Respond(nil, wire, from); (len(out) > 0) != want {
					t.Errorf("%s over %s, guarded %v: %d octets", opcode, over, guarded, len(out))
				}
			}
		}
	}
}
