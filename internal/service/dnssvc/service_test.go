package dnssvc

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/transcript"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.MustParseAddr("127.0.0.1")

func options() Options {
	return Options{
		Domain: "networkutopia.test", Addresses: []netip.Addr{loopback}, Records: []netip.Addr{loopback},
		Hosts: []string{"@", "www", "mail", "ftp"},
		Host:  host.NewOS(host.OSOptions{}),
	}
}

func newService(t testing.TB, opts Options) *Service {
	t.Helper()
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func started(t testing.TB, opts Options) *Service {
	t.Helper()
	s := newService(t, opts)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask has miekg/dns's client ask a started service, and gives the code and the
// answers in short.
func ask(t *testing.T, s *Service, network, name string, typ uint16) string {
	t.Helper()
	q := new(mdns.Msg).SetQuestion(name, typ)
	for _, e := range s.Endpoints() {
		if e.Network != network {
			continue
		}
		a, _, err := (&mdns.Client{Net: network, Timeout: 5 * time.Second}).Exchange(q, e.Address)
		if err != nil {
			t.Fatal(err)
		}
		out := []string{mdns.RcodeToString[a.Rcode]}
		for _, rr := range a.Answer {
			out = append(out, strings.TrimPrefix(rr.String(), rr.Header().String()))
		}
		return strings.Join(out, " ")
	}
	t.Fatalf("no endpoint of %s", network)
	return ""
}

func TestServe(t *testing.T) {
	t.Parallel()
	s := started(t, options())
	for _, network := range []string{"udp", "tcp"} {
		for name, want := range map[string]string{
			"networkutopia.test.": "NOERROR 127.0.0.1", "www.networkutopia.test.": "NOERROR 127.0.0.1",
			"ns1.networkutopia.test.": "NOERROR 127.0.0.1", "mail.networkutopia.test.": "NOERROR 127.0.0.1",
			"ftp.NetworkUtopia.test.": "NOERROR 127.0.0.1", "no.networkutopia.test.": "NXDOMAIN",
			"example.com.": "REFUSED",
		} {
			if got := ask(t, s, network, name, mdns.TypeA); got != want {
				t.Errorf("%s %s: %s, want %s", network, name, got, want)
			}
		}
	}
	if got := ask(t, s, "udp", "networkutopia.test.", mdns.TypeNS); got != "NOERROR ns1.networkutopia.test." {
		t.Error(got)
	}
	if got := ask(t, s, "udp", "networkutopia.test.", mdns.TypeSOA); !strings.HasPrefix(got, "NOERROR ns1.networkutopia.test. hostmaster.networkutopia.test. ") {
		t.Error(got)
	}
	if got := ask(t, s, "udp", "www.networkutopia.test.", mdns.TypeAAAA); got != "NOERROR" {
		t.Error(got)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLifeCycle(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.Port = 65000
	if got, want := newService(t, opts).Endpoints(), (control.Endpoint{Protocol: "DNS", Network: "udp", Address: "127.0.0.1:65000"}); len(got) != 2 || got[0] != want {
		t.Errorf("before Start: %v", got)
	}
	s := newService(t, options())
	if err := s.Check(t.Context()); err == nil {
		t.Error("a service that does not run is well")
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("Stop before Start: %v", err)
	}
	for range 2 { // it can be started again
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Start(t.Context()); err == nil {
			t.Error("a second Start")
		}
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if e := s.Endpoints(); len(e) != 2 || e[0].Address != e[1].Address || e[0].Network != "udp" || e[1].Network != "tcp" {
			t.Errorf("%v", e)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	noHost := options()
	noHost.Host = nil
	if err := newService(t, noHost).Start(t.Context()); err == nil {
		t.Error("Start without a host")
	}
}

func TestSeveralAddresses(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.Addresses = []netip.Addr{loopback, netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("0.0.0.0")}
	opts.Records = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("0.0.0.0")}
	s := started(t, opts)
	if n := len(s.Endpoints()); n != 6 {
		t.Errorf("%d endpoints", n)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if got := ask(t, s, "udp", "www.networkutopia.test.", mdns.TypeA); got != "NOERROR 192.0.2.1" {
		t.Error(got)
	}
	if got := ask(t, s, "udp", "ns1.networkutopia.test.", mdns.TypeAAAA); got != "NOERROR 2001:db8::1" {
		t.Error(got)
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	first := started(t, options())
	at := netip.MustParseAddrPort(first.Endpoints()[0].Address)
	opts := options()
	opts.Addresses, opts.Port = []netip.Addr{at.Addr()}, at.Port()
	check := func(network string) {
		t.Helper()
		err := newService(t, opts).Start(t.Context())
		var op *net.OpError
		if !errors.Is(err, syscall.EADDRINUSE) || !errors.As(err, &op) || op.Addr.String() != at.String() || !strings.HasPrefix(op.Net, network) {
			t.Errorf("%s: %v", network, err)
		}
	}
	check("tcp")
	// The datagram port alone is taken: what was opened before is closed again.
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp4", at.String())
	if err != nil {
		t.Fatal("another process took the port: ", err)
	}
	check("udp")
	_ = pc.Close()
	s := newService(t, opts)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestReplaceWithoutAGap asks all the time while zones are replaced.
func TestReplaceWithoutAGap(t *testing.T) {
	t.Parallel()
	s := started(t, options())
	done := make(chan struct{})
	var asked atomic.Int64
	var clients sync.WaitGroup
	for _, network := range []string{"udp", "tcp"} {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				got := ask(t, s, network, "www.networkutopia.test.", mdns.TypeA)
				if !strings.HasPrefix(got, "NOERROR 127.0.0.") {
					t.Errorf("%s: %s", network, got)
				}
				asked.Add(1)
			}
		})
	}
	serial := s.current.Load().own().zone.SOA().Serial
	for i := range 20 {
		opts := options()
		opts.Host = s.current.Load().Host
		opts.Records = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i)})}
		if !s.Replace(newService(t, opts)) {
			t.Fatal("not replaced")
		}
		now := s.current.Load().own().zone.SOA().Serial
		if !zone.SerialAfter(now, serial) {
			t.Fatalf("serial %d after %d", now, serial)
		}
		serial = now
		for n := asked.Load(); asked.Load() < n+2; {
			time.Sleep(time.Millisecond)
		}
	}
	close(done)
	clients.Wait()
	if got := ask(t, s, "udp", "www.networkutopia.test.", mdns.TypeA); got != "NOERROR 127.0.0.21" {
		t.Error(got)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestReplaceNeedsTheSameSockets(t *testing.T) {
	t.Parallel()
	base := options()
	base.Port = 65001
	for name, tt := range map[string]struct {
		change func(*Options)
		want   bool
	}{
		"nothing":   {func(*Options) {}, true},
		"domain":    {func(o *Options) { o.Domain = "other.test" }, true},
		"TTL":       {func(o *Options) { o.TTL = time.Minute }, true},
		"port":      {func(o *Options) { o.Port++ }, false},
		"addresses": {func(o *Options) { o.Addresses = append(o.Addresses, netip.MustParseAddr("127.0.0.2")) }, false},
		"host":      {func(o *Options) { o.Host = host.NewOS(host.OSOptions{}) }, false},
		"guard":     {func(o *Options) { o.Guard = &testGuard{} }, false},
	} {
		opts := base
		opts.Addresses = []netip.Addr{loopback}
		tt.change(&opts)
		if got := newService(t, base).Replace(newService(t, opts)); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSerial(t *testing.T) {
	t.Parallel()
	base := options()
	s := newService(t, base)
	now := uint32(time.Now().Unix())
	first := s.current.Load().own().zone
	if d := now - first.SOA().Serial; d > 5 {
		t.Errorf("serial %d at %d", first.SOA().Serial, now)
	}
	same := newService(t, base)
	same.current.Load().own().zone = same.current.Load().own().zone.WithSerial(now + 1000)
	if !s.Replace(same) || s.current.Load().own().zone != first {
		t.Error("nothing has changed, and the zone has")
	}
	changed := base
	changed.TTL = 30 * time.Second
	if !s.Replace(newService(t, changed)) {
		t.Fatal("not replaced")
	}
	if got := s.current.Load().own().zone.SOA().Serial; !zone.SerialAfter(got, first.SOA().Serial) {
		t.Errorf("serial %d after %d", got, first.SOA().Serial)
	}
	// The clock went back: the serial does not.
	s.current.Load().own().zone = s.current.Load().own().zone.WithSerial(now + 5000)
	if !s.Replace(newService(t, base)) || s.current.Load().own().zone.SOA().Serial != now+5001 {
		t.Errorf("serial %d, want %d", s.current.Load().own().zone.SOA().Serial, now+5001)
	}
}

func writeFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func withFile(t *testing.T, text string) Options {
	t.Helper()
	opts := options()
	opts.Records = append(opts.Records, netip.MustParseAddr("::1"))
	opts.ZoneFiles = []string{writeFile(t, t.TempDir(), "extra.zone", text)}
	return opts
}

// zoneText gives a zone without its SOA, one record a line.
func zoneText(s *Service) string {
	var b strings.Builder
	for rr := range s.current.Load().own().zone.All() {
		if _, isSOA := rr.SOA(); !isSOA {
			b.WriteString(strings.TrimSuffix(strings.ReplaceAll(strings.ReplaceAll(rr.String(), "\t", " "), "networkutopia.test.", "@"), " ") + "\n")
		}
	}
	return b.String()
}

const oursBoth = "@ 3600 IN NS ns1.@\n@ 3600 IN A 127.0.0.1\n@ 3600 IN AAAA ::1\n" +
	"ftp.@ 3600 IN A 127.0.0.1\nftp.@ 3600 IN AAAA ::1\nmail.@ 3600 IN A 127.0.0.1\nmail.@ 3600 IN AAAA ::1\n" +
	"ns1.@ 3600 IN A 127.0.0.1\nns1.@ 3600 IN AAAA ::1\nwww.@ 3600 IN A 127.0.0.1\nwww.@ 3600 IN AAAA ::1\n"

func without(text string, prefixes ...string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		keep := true
		for _, p := range prefixes {
			keep = keep && !strings.HasPrefix(line, p)
		}
		if keep {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestUsersRecordsWin(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ file, want string }{
		"an empty file":      {"; nothing\n", oursBoth},
		"a new name":         {"zzz 60 TXT hello\n", oursBoth + "zzz.@ 60 IN TXT \"hello\"\n"},
		"an address of www":  {"www 60 A 192.0.2.1\n", without(oursBoth, "www") + "www.@ 60 IN A 192.0.2.1\n"},
		"only IPv6 of www":   {"www 60 AAAA 2001:db8::1\n", without(oursBoth, "www") + "www.@ 60 IN AAAA 2001:db8::1\n"},
		"another type of it": {"www 60 TXT x\n", strings.Replace(oursBoth, "www.@ 3600 IN AAAA ::1\n", "www.@ 60 IN TXT \"x\"\nwww.@ 3600 IN AAAA ::1\n", 1)},
		"an alias":           {"www 60 CNAME example.com.\n", without(oursBoth, "www") + "www.@ 60 IN CNAME example.com.\n"},
		"a delegation":       {"www 60 NS ns.example.com.\n", without(oursBoth, "www") + "www.@ 60 IN NS ns.example.com.\n"},
		"name servers":       {"@ 60 NS a.example.com.\n@ 60 NS b.example.com.\n", without(oursBoth, "@ 3600 IN NS") + "@ 60 IN NS a.example.com.\n@ 60 IN NS b.example.com.\n"},
	} {
		opts := withFile(t, tt.file)
		s := newService(t, opts)
		got := zoneText(s)
		if sorted(got) != sorted(tt.want) {
			t.Errorf("%s: got\n%swant\n%s", name, got, tt.want)
		}
		soa := s.current.Load().own().zone.SOA()
		if soa.MName.String() != "ns1.networkutopia.test." || soa.Minimum != negativeTTL {
			t.Errorf("%s: %+v", name, soa)
		}
	}
}

func sorted(text string) string {
	return strings.Join(slices.Sorted(strings.Lines(text)), "")
}

func TestUsersSOA(t *testing.T) {
	t.Parallel()
	const soa = "@ 60 SOA a.example.com. b.example.com. 41 2 3 4 5\n"
	opts := withFile(t, soa)
	var logged bytes.Buffer
	opts.Log = slog.New(slog.NewTextHandler(&logged, nil))
	s := newService(t, opts)
	if got := s.current.Load().own().zone.SOA(); got.Serial != 41 || got.MName.String() != "a.example.com." {
		t.Errorf("%+v", got)
	}
	next := func(text string) {
		t.Helper()
		writeFile(t, filepath.Dir(opts.ZoneFiles[0]), "extra.zone", text)
		if !s.Replace(newService(t, opts)) {
			t.Fatal("not replaced")
		}
	}
	next(strings.Replace(soa, "41", "42", 1) + "new 60 A 192.0.2.1\n")
	if got := s.current.Load().own().zone.SOA().Serial; got != 42 || strings.Contains(logged.String(), "has not gone up") {
		t.Errorf("serial %d\n%s", got, &logged)
	}
	next(strings.Replace(soa, "41", "43", 1) + "new 60 A 192.0.2.1\n")
	if got := s.current.Load().own().zone.SOA().Serial; got != 43 {
		t.Errorf("the user's new serial alone: %d", got)
	}
	next(strings.Replace(soa, "41", "43", 1) + "new 60 A 192.0.2.2\n")
	if got := s.current.Load().own().zone.SOA().Serial; got != 43 || !strings.Contains(logged.String(), "has not gone up") {
		t.Errorf("serial %d\n%s", got, &logged)
	}
}

func TestBadZoneFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "secret", "top secret\n")
	sub := filepath.Join(dir, "zones")
	if err := os.MkdirAll(sub, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "secret"), filepath.Join(sub, "link")); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"www A 1.2.3\n":                  `DIR/extra.zone:1:7: bad A data: not understood: "1.2.3" (in: www A 1.2.3)`,
		"www CNAME a\nwww A 192.0.2.1\n": "DIR/extra.zone:1:1: www.networkutopia.test. owns a CNAME and other data (A) (in: www.networkutopia.test. CNAME a.networkutopia.test.)",
		"example.com. A 192.0.2.1\n":     "DIR/extra.zone:1:1: out of zone: example.com. is not in networkutopia.test. (in: example.com. A 192.0.2.1)",
		"a SOA b c 1 2 3 4 5\n":          "DIR/extra.zone:1:1: an SOA belongs to the zone's own name, networkutopia.test. (in: a.networkutopia.test. SOA b.networkutopia.test. c.networkutopia.test. 1 2 3 4 5)",
		"$INCLUDE ../secret\n":           "DIR/extra.zone:1:10: cannot open the file: open ../secret: invalid argument (in: $INCLUDE ../secret)",
		"$INCLUDE /etc/hostname\n":       "DIR/extra.zone:1:10: cannot open the file: open /etc/hostname: invalid argument (in: $INCLUDE /etc/hostname)",
		"$INCLUDE link\n":                "DIR/extra.zone:1:10: cannot open the file: openat link: path escapes from parent (in: $INCLUDE link)",
		"$INCLUDE more\n":                "DIR/extra.zone:1:10: cannot open the file: openat more: no such file or directory (in: $INCLUDE more)",
	} {
		opts := options()
		opts.ZoneFiles = []string{writeFile(t, sub, "extra.zone", text)}
		s, err := New(opts)
		want = "the name server: " + strings.ReplaceAll(want, "DIR", sub)
		if err == nil || err.Error() != want || s != nil {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
		var problems zone.Problems
		if !errors.As(err, &problems) {
			t.Errorf("%q: the error is no zone.Problems", text)
		}
	}
	opts := options()
	opts.ZoneFiles = []string{filepath.Join(sub, "none.zone")}
	if _, err := New(opts); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "none.zone") {
		t.Errorf("%v", err)
	}
	opts.ZoneFiles = []string{filepath.Join(dir, "none", "none.zone")}
	if _, err := New(opts); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	writeFile(t, sub, "hosts/a", "a 60 A 192.0.2.1\n")
	opts.ZoneFiles = []string{writeFile(t, sub, "good.zone", "$INCLUDE hosts/a\n"), writeFile(t, sub, "more.zone", "b 60 A 192.0.2.2\n")}
	if s := newService(t, opts); !strings.Contains(zoneText(s), "a.@ 60 IN A 192.0.2.1\nb.@ 60 IN A 192.0.2.2\n") {
		t.Errorf("%s", zoneText(s))
	}
}

func TestBadDomains(t *testing.T) {
	t.Parallel()
	for _, domain := range []string{"", "a..test", strings.Repeat("a", 64) + ".test", strings.Repeat("a.", 126) + "b"} {
		opts := options()
		opts.Domain = domain
		if _, err := New(opts); err == nil {
			t.Errorf("%q is a domain", domain)
		}
	}
}

// What is odd about the zone in force is told, and what was odd about the one before is not.
func TestWarnings(t *testing.T) {
	t.Parallel()
	odd, even := withFile(t, "a 60 MX 10 nowhere\n"), withFile(t, "a 60 MX 10 mail\n")
	even.Host = odd.Host
	s := newService(t, odd)
	if w := s.Warnings(); len(w) != 1 || !strings.Contains(w[0].String(), "nowhere.networkutopia.test. has no address") {
		t.Errorf("%v", w)
	}
	if !s.Replace(newService(t, even)) {
		t.Fatal("not taken over")
	}
	if w := s.Warnings(); len(w) != 0 {
		t.Errorf("after: %v", w)
	}
}

type testGuard struct{ refuse atomic.Bool }

func (g *testGuard) AllowAt(netip.Addr, time.Time) bool { return !g.refuse.Load() }
func (g *testGuard) Admit(netip.Addr) (func(), error) {
	if g.refuse.Load() {
		return nil, errors.New("no")
	}
	return func() {}, nil
}

type testMeter struct {
	mu   sync.Mutex
	seen []string
}

func (m *testMeter) Add(outcome string, n, received, sent int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range n {
		m.seen = append(m.seen, outcome)
	}
}

// String gives the outcomes in order of the alphabet: each is counted once its
// answer has been sent, so that those of two clients come in any order.
func (m *testMeter) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(slices.Sorted(slices.Values(m.seen)), " ")
}

func TestMeterTranscriptAndGuard(t *testing.T) {
	t.Parallel()
	meter, guard, sink := &testMeter{}, &testGuard{}, &counter{}
	opts := options()
	opts.Meter, opts.Guard = meter, guard
	opts.Transcript = transcript.New(transcript.Options{Sinks: []transcript.Sink{sink}})
	s := started(t, opts)
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask(t, s, "udp", "www.networkutopia.test.", mdns.TypeA)
	ask(t, s, "tcp", "no.networkutopia.test.", mdns.TypeA)
	conn, err := net.Dial("udp", s.Endpoints()[0].Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("short")); err != nil {
		t.Fatal(err)
	}
	// Its own check leaves no trace.
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end) && (meter.String() != "NOERROR NXDOMAIN short" || sink.ended.Load() != 2); {
		time.Sleep(time.Millisecond)
	}
	if meter.String() != "NOERROR NXDOMAIN short" || sink.ended.Load() != 2 {
		t.Errorf("counted %s, %d exchanges recorded", meter, sink.ended.Load())
	}
	// A flood from this machine's address does not make the service ill over
	// UDP; connections are the guard's business also for the check.
	guard.refuse.Store(true)
	if err := s.Check(t.Context()); err == nil || strings.Contains(err.Error(), "UDP") || !strings.Contains(err.Error(), "TCP") {
		t.Errorf("the guard refuses all: %v", err)
	}
}

type counter struct{ ended atomic.Int64 }

func (c *counter) Level(string) transcript.Level                { return transcript.Lines }
func (c *counter) Begin(*transcript.Exchange)                   {}
func (c *counter) Entry(*transcript.Exchange, transcript.Entry) {}
func (c *counter) End(*transcript.Exchange)                     { c.ended.Add(1) }

// TestCheckSeesADeadLoop: a socket that is closed from outside is found.
func TestCheckSeesADeadLoop(t *testing.T) {
	t.Parallel()
	s := newService(t, options())
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, l := range s.sockets.Listeners {
		_ = l.Close()
	}
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "over TCP") {
		t.Errorf("%v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
