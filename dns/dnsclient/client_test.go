package dnsclient

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/transcript"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestExchangeOverUDP(t *testing.T) {
	t.Parallel()
	r := newResponder(t, func(d datagram) { d.reply(pack(t, answerTo(t, d.wire))) }, nil)
	q := testQuery()
	q.ID = 7
	a, err := New(patient()).Exchange(t.Context(), r.addr, q)
	if err != nil {
		t.Fatal(err)
	}
	sent, err := dns.Parse(*r.last.Load())
	if err != nil {
		t.Fatal(err)
	}
	if sent.EDNS == nil || sent.EDNS.UDPSize != DefaultUDPSize || !sent.RecursionDesired {
		t.Errorf("sent %s with EDNS %+v", dns.Summary(sent), sent.EDNS)
	}
	if q.ID != 7 || q.EDNS.UDPSize != 0 {
		t.Errorf("the caller's query was changed: ID %d, EDNS %+v", q.ID, q.EDNS)
	}
	if addr, _ := a.Message.Answer[0].Addr(); addr != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("answer %v", a.Message.Answer)
	}
	want := Answer{Message: a.Message, Size: len(pack(t, a.Message)), Server: netip.MustParseAddrPort(r.addr),
		Network: "udp", Duration: a.Duration, Elapsed: a.Elapsed, Tries: 1, Query: a.Query}
	if !reflect.DeepEqual(*a, want) {
		t.Errorf("answer %+v, want %+v", *a, want)
	}
	if a.Duration <= 0 || a.Elapsed < a.Duration {
		t.Errorf("took %v, %v in all", a.Duration, a.Elapsed)
	}
}

func TestExchangeOverTCP(t *testing.T) {
	t.Parallel()
	r := newResponder(t, func(datagram) { t.Error("asked over UDP") }, truthful(t))
	opts := patient()
	opts.TCP = true
	a, err := New(opts).Exchange(t.Context(), r.addr, testQuery())
	if err != nil {
		t.Fatal(err)
	}
	if a.Network != "tcp" || a.Tries != 1 || len(a.Message.Answer) != 1 || a.Server.String() != r.addr {
		t.Errorf("answer %+v", a)
	}
}

// A chosen UDPSize stays, and a query without EDNS goes out without.
func TestExchangeKeepsTheQuery(t *testing.T) {
	t.Parallel()
	r := newResponder(t, func(d datagram) { d.reply(pack(t, answerTo(t, d.wire))) }, nil)
	c := New(patient())
	for _, e := range []*dns.EDNS{nil, {UDPSize: 4096, DO: true, Options: []dns.Option{{Code: dns.OptionNSID}}}} {
		q := testQuery()
		q.EDNS = e
		if _, err := c.Exchange(t.Context(), r.addr, q); err != nil {
			t.Fatal(err)
		}
		sent, err := dns.Parse(*r.last.Load())
		if err != nil {
			t.Fatal(err)
		}
		q.ID = sent.ID
		if !sent.Equal(q) {
			t.Errorf("sent %+v, want %+v", sent, q)
		}
	}
}

func TestEachTryHasItsOwnIDAndPort(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	ids, ports := map[uint16]bool{}, map[int]bool{}
	r := newResponder(t, func(d datagram) {
		mu.Lock()
		defer mu.Unlock()
		ids[binary.BigEndian.Uint16(d.wire)], ports[d.from.Port] = true, true
	}, nil)
	opts := impatient()
	opts.Timeout, opts.Tries = 5*time.Millisecond, 50
	if _, err := New(opts).Exchange(t.Context(), r.addr, testQuery()); !errors.Is(err, ErrTimeout) {
		t.Fatalf("got %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	// Tries whose time was over before they began, on a busy machine, are not among those that came; and two may collide.
	came := int(r.asks.Load())
	if few := came * 9 / 10; came < 12 || len(ids) < few || len(ports) < few {
		t.Errorf("%d tries that came had %d ids and %d ports", came, len(ids), len(ports))
	}
}

func TestSilentServerTimesOut(t *testing.T) {
	t.Parallel()
	r := newResponder(t, nil, nil)
	start := time.Now()
	_, err := New(impatient()).Exchange(t.Context(), r.addr, testQuery())
	if took := time.Since(start); took < 120*time.Millisecond {
		t.Errorf("gave up after %v, before two tries of 60ms were over", took)
	}
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, ErrTimeout) || errors.Is(err, ErrUnreachable) {
		t.Fatalf("got %#v", err)
	}
	if e.Server != r.addr || e.Network != "udp" || e.Tries != 2 || !e.Question.Equal(testQuestion) || e.Ignored != 0 {
		t.Errorf("error %+v", e)
	}
	if !e.Timeout() || !e.Temporary() {
		t.Error("a timeout is neither Timeout nor Temporary")
	}
	if got := r.asks.Load(); got != 2 {
		t.Errorf("asked %d times, want 2", got)
	}
}

func TestDefaultsAreThreeTriesOfFiveSeconds(t *testing.T) {
	t.Parallel()
	got := New(Options{}).opts
	want := Options{Timeout: 5 * time.Second, Tries: 3, Pause: 100 * time.Millisecond, UDPSize: 1232,
		MaxMessage: 65535, MaxIgnored: 64, MaxCookies: 1024,
		MaxTransferRecords: 20_000_000, MaxTransferOctets: 4 << 30}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("defaults %+v, want %+v", got, want)
	}
}

func TestAnswerToALaterTryIsTaken(t *testing.T) {
	t.Parallel()
	r := newResponder(t, func(d datagram) {
		if d.nth >= 3 {
			d.reply(pack(t, answerTo(t, d.wire)))
		}
	}, nil)
	opts := impatient()
	opts.Tries = 200 // a busy machine may miss some of its deadlines
	a, err := New(opts).Exchange(t.Context(), r.addr, testQuery())
	if err != nil || a.Tries < 3 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestPortWithoutListenerIsUnreachable(t *testing.T) {
	t.Parallel()
	for _, tcp := range []bool{false, true} {
		r := newResponder(t, nil, nil)
		r.udp.Close()
		opts := patient()
		opts.TCP = tcp
		_, err := New(opts).Exchange(t.Context(), r.addr, testQuery())
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrUnreachable) || errors.Is(err, ErrTimeout) ||
			!errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("TCP %v: got %v", tcp, err)
		}
		if !strings.Contains(err.Error(), ": unreachable: connection refused, after 3 tries in ") {
			t.Errorf("TCP %v: %v", tcp, err)
		}
		if e.Tries != DefaultTries || !e.Temporary() || e.Timeout() {
			t.Errorf("TCP %v: %+v", tcp, e)
		}
	}
}

func TestPauseDoublesBetweenEarlyFailures(t *testing.T) {
	t.Parallel()
	r := newResponder(t, nil, nil)
	r.udp.Close()
	opts := patient()
	opts.Pause, opts.Tries = 20*time.Millisecond, 4
	_, err := New(opts).Exchange(t.Context(), r.addr, testQuery())
	var e *Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if e.Elapsed < 140*time.Millisecond { // 20 + 40 + 80
		t.Errorf("four refused tries took %v, less than their pauses", e.Elapsed)
	}
}

func TestUnknownServerNameIsUnreachable(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		&net.DNSError{Err: "no such host", Name: "ns.invalid", IsNotFound: true},
		&net.DNSError{Err: "server misbehaving", Name: "ns.invalid", IsTemporary: true},
	} {
		opts := patient()
		opts.Host = failingHost{err: err}
		_, got := New(opts).Exchange(t.Context(), "ns.invalid", testQuery())
		var e *Error
		if !errors.As(got, &e) || !errors.Is(got, ErrUnreachable) {
			t.Fatalf("got %v", got)
		}
		wantTries := 1 // what does not exist will not come to exist
		if err.(*net.DNSError).IsTemporary {
			wantTries = DefaultTries
		}
		if e.Tries != wantTries || e.Server != "ns.invalid:53" {
			t.Errorf("%v: %d tries at %s", err, e.Tries, e.Server)
		}
	}
}

type failingHost struct {
	host.Host
	err error
	saw *[]string
}

func (h failingHost) Dial(_ context.Context, network, address string) (net.Conn, error) {
	if h.saw != nil {
		*h.saw = append(*h.saw, network+" "+address)
	}
	return nil, h.err
}

func TestServerAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		server  string
		version int
		tcp     bool
		want    string
	}{
		{"192.0.2.1", 0, false, "udp 192.0.2.1:53"},
		{"192.0.2.1:8053", 0, true, "tcp 192.0.2.1:8053"},
		{"::1", 0, false, "udp [::1]:53"},
		{"[::1]", 6, false, "udp6 [::1]:53"},
		{"[fe80::1%eth0]:5353", 0, false, "udp [fe80::1%eth0]:5353"},
		{"ns1.example.test", 4, true, "tcp4 ns1.example.test:53"},
		{"ns1.example.test:8053", 0, false, "udp ns1.example.test:8053"},
	} {
		var saw []string
		opts := Options{Host: failingHost{err: errors.New("none"), saw: &saw}, Tries: 1, IPVersion: c.version, TCP: c.tcp}
		if _, err := New(opts).Exchange(t.Context(), c.server, testQuery()); !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: %v", c.server, err)
		}
		if len(saw) != 1 || saw[0] != c.want {
			t.Errorf("%s: dialled %q, want %q", c.server, saw, c.want)
		}
	}
}

func TestContextEndsTheExchange(t *testing.T) {
	t.Parallel()
	r := newResponder(t, nil, nil)
	cause := errors.New("the user went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(30*time.Millisecond, func() { cancel(cause) })
	_, err := New(patient()).Exchange(ctx, r.addr, testQuery())
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, cause) || errors.Is(err, ErrTimeout) || e.Tries != 1 || e.Temporary() {
		t.Errorf("cancelled: %v", err)
	}

	ctx, stop := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer stop()
	_, err = New(patient()).Exchange(ctx, r.addr, testQuery())
	if !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	if _, err = New(patient()).Exchange(ctx, r.addr, testQuery()); !errors.Is(err, ErrTimeout) {
		t.Errorf("deadline already over: %v", err)
	}
}

func TestContextEndsAPause(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	opts := Options{Host: failingHost{err: syscall.ECONNREFUSED}, Pause: time.Hour}
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := New(opts).Exchange(ctx, "192.0.2.1", testQuery()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOnlyQueriesWithOneQuestionAreSent(t *testing.T) {
	t.Parallel()
	none, two, response, big := testQuery(), testQuery(), testQuery(), testQuery()
	none.Question = nil
	two.Question = append(two.Question, two.Question[0])
	response.Response = true
	big.EDNS.Options = []dns.Option{{Code: 65001, Data: make([]byte, 65500)}}
	for name, q := range map[string]*dns.Message{"none": none, "two": two, "response": response, "big": big} {
		r := newResponder(t, nil, nil)
		if _, err := New(impatient()).Exchange(t.Context(), r.addr, q); !errors.Is(err, ErrQuery) {
			t.Errorf("%s: got %v", name, err)
		}
		if n := r.asks.Load(); n != 0 {
			t.Errorf("%s: %d datagrams went out", name, n)
		}
	}
}

// A client is one for all goroutines.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	r := newResponder(t, func(d datagram) { d.reply(pack(t, answerTo(t, d.wire))) }, truthful(t))
	c := New(patient())
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			q := testQuery()
			q.Question[0].Name = dns.MustParseName(fmt.Sprintf("n%d.example.test.", i))
			a, err := c.Exchange(t.Context(), r.addr, q)
			if err != nil {
				t.Error(err)
				return
			}
			if !a.Message.Answer[0].Name.Equal(q.Question[0].Name) {
				t.Errorf("question %d got the answer for %s", i, a.Message.Answer[0].Name)
			}
		})
	}
	wg.Wait()
}

func TestTranscriptHasOneExchangeForEachTry(t *testing.T) {
	t.Parallel()
	r := newResponder(t, func(d datagram) {
		m := answerTo(t, d.wire)
		m.Truncated, m.Answer = true, nil
		d.reply(pack(t, m))
	}, truthful(t))
	seen := newRecords()
	opts := patient()
	opts.Transcript = seen.recorder()
	parent := opts.Transcript.Begin(t.Context(), "smtp", "tcp", netip.AddrPort{}, netip.AddrPort{})
	if _, err := New(opts).Exchange(parent.Context(t.Context()), r.addr, testQuery()); err != nil {
		t.Fatal(err)
	}
	all := seen.all()
	if len(all) != 2 {
		t.Fatalf("%d exchanges, want 2: %+v", len(all), all)
	}
	wants := [][]string{
		{"sent query # www.example.test. IN A +rd +edns", "received answer # NOERROR aa tc 0/0/1 www.example.test. IN A",
			"note truncated: ask over TCP"},
		{"sent query # www.example.test. IN A +rd +edns", "received answer # NOERROR aa 1/0/1 www.example.test. A 192.0.2.1"},
	}
	for i, x := range all {
		network := []string{"udp", "tcp"}[i]
		if x.Service != "dns" || x.Network != network || x.Remote.String() != r.addr || !x.Local.IsValid() ||
			x.Parent != parent.Head().ID {
			t.Errorf("head %+v", x.Head)
		}
		if got := lines(x); !reflect.DeepEqual(got, wants[i]) {
			t.Errorf("exchange %d: %q\nwant %q", i+1, got, wants[i])
		}
		if raw := x.Entries[0].Raw; len(raw) != x.Entries[0].Bytes || !bytes.Contains(raw, []byte("example")) {
			t.Errorf("exchange %d: raw message %q", i+1, raw)
		}
	}
}

// lines are the entries of a record with the message id as #.
func lines(x transcript.Record) []string {
	var out []string
	for _, e := range x.Entries {
		words := strings.Fields(e.Text)
		if len(words) > 1 && (words[0] == "query" || words[0] == "answer") {
			words[1] = "#"
		}
		dir, _ := e.Dir.MarshalText()
		out = append(out, string(dir)+" "+strings.Join(words, " "))
	}
	return out
}

func TestTranscriptOfAFailedConnection(t *testing.T) {
	t.Parallel()
	seen := newRecords()
	opts := Options{Host: failingHost{err: syscall.ENETUNREACH}, Tries: 1, Transcript: seen.recorder()}
	if _, err := New(opts).Exchange(t.Context(), "192.0.2.1", testQuery()); err == nil {
		t.Fatal("no error")
	}
	all := seen.all()
	if len(all) != 1 || all[0].Remote.String() != "192.0.2.1:53" || len(all[0].Entries) != 1 ||
		!strings.HasPrefix(all[0].Entries[0].Text, "unreachable: ") {
		t.Errorf("transcript %+v", all)
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	e := &Error{Server: "192.0.2.1:53", Network: "udp", Question: testQuestion, Tries: 3, Ignored: 2,
		Mismatch: errors.New("id 1 instead of 2"), Elapsed: 15*time.Second + 1200*time.Microsecond, Err: ErrTimeout}
	const want = "ask 192.0.2.1:53 over UDP for www.example.test. IN A: timed out, after 3 tries in 15.001s; " +
		"ignored 2 that did not match (the last: id 1 instead of 2)"
	if got := e.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := (&Error{Server: "s:53", Network: "tcp", Question: testQuestion, Tries: 1, Err: ErrClosed}).Error(); got !=
		"ask s:53 over TCP for www.example.test. IN A: connection closed before the answer was whole" {
		t.Errorf("got %s", got)
	}
}
