package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/network-utopia/utopia/dns"
)

const (
	throwers = 4  // sockets that packets are thrown from
	volley   = 64 // packets between two sane questions on a socket: as many wait in the server's queue at most
	silence  = 15 * time.Second
	again    = time.Second // after which a sane question is asked again: it, or its answer, was lost
	// At the end the server may hold so much more memory than after the first tenth of the packets: of a heap that is
	// collected now and then, two readings differ.
	maxGrowthRatio  = 1.25
	maxGrowthOctets = 16 << 20
)

// hostileZone has something for every part of the engine: what is asked hits it, as long as no octet of it has changed.
const hostileZone = `$ORIGIN bench.test.
$TTL 300
@        SOA ns1 hostmaster 1 7200 900 1209600 300
@        NS  ns1
@        MX  10 mail
@        HTTPS 1 . alpn=h2
@        A   192.0.2.1
ns1      A   192.0.2.1
www      A   192.0.2.1
mail     A   192.0.2.1
ftp      A   192.0.2.1
alias    CNAME www
*.wild   TXT "wild"
tree     DNAME www
a.b.c    SRV 0 0 1 www
sub      NS  ns.sub
ns.sub   A   192.0.2.2
sub      DS  4711 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
$GENERATE 1-100 many A 10.0.0.$
`

// hostileAccess opens what is behind keys and networks, so that packets get there: transfers for all on this machine, and
// updates with the key that those of the corpus name, and do not have.
const hostileAccess = `transfer-to = ["127.0.0.0/8"]
update = ["key key"]
[dns.keys]
key = { secret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" }
`

// mutateCommand throws mutated packets at our server, and is an error when it crashes, falls silent, answers what must
// not be answered, or grows.
func mutateCommand(ctx context.Context, o dnsOptions, dir string, out, progress io.Writer) (err error) {
	zone := filepath.Join(dir, "hostile.zone")
	if err := os.WriteFile(zone, []byte(hostileZone), 0o600); err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	target, err := ours{binary: o.utopia, dir: dir, threads: o.threads, access: hostileAccess}.start(starting, zone, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.stop()) }()
	corpus, err := corpus()
	if err != nil {
		return err
	}
	began := time.Now()
	all := newTally()
	tenth := max(o.mutate/10, 1)
	var first, last int64
	for done := 0; done < o.mutate; {
		n := min(tenth, o.mutate-done)
		t, err := assault(ctx, target.address, corpus, o.seed, done, n)
		if err != nil {
			return fmt.Errorf("after %d packets: %w", done, err)
		}
		all.add(t)
		done += n
		u, err := target.usage()
		if err != nil {
			return err
		}
		if last = u.Memory; first == 0 {
			first = last
		}
		fmt.Fprintf(progress, "%d packets, %d answers, %d MB, %.0f s\n", done, all.answers(), u.Memory>>20, time.Since(began).Seconds())
	}
	if _, err := fmt.Fprint(out, all.table(o, time.Since(began), first, last)); err != nil {
		return err
	}
	return grown(first, last)
}

// grown is an error when the memory has grown.
func grown(first, last int64) error {
	if float64(last) > maxGrowthRatio*float64(first)+maxGrowthOctets {
		return fmt.Errorf("the server holds %d MB, and held %d MB after the first tenth", last>>20, first>>20)
	}
	return nil
}

// tally is what came back.
type tally struct {
	sent   int
	codes  map[string]int // answers to mutated packets, by code
	sane   int            // sane questions that were answered
	asking int            // sane questions that were asked again
}

func newTally() *tally { return &tally{codes: map[string]int{}} }

func (t *tally) add(other *tally) {
	t.sent, t.sane, t.asking = t.sent+other.sent, t.sane+other.sane, t.asking+other.asking
	for code, n := range other.codes {
		t.codes[code] += n
	}
}

func (t *tally) answers() (n int) {
	for _, c := range t.codes {
		n += c
	}
	return n
}

func (t *tally) table(o dnsOptions, took time.Duration, first, last int64) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d mutated packets in %.0f s, seed %d; %d sane questions between them were answered right, %d had to be asked again\n",
		t.sent, took.Seconds(), o.seed, t.sane, t.asking)
	fmt.Fprintf(&out, "memory after the first tenth %d MB, at the end %d MB\n", first>>20, last>>20)
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	var codes []string
	for code := range t.codes {
		codes = append(codes, code)
	}
	slices.SortFunc(codes, func(a, b string) int { return t.codes[b] - t.codes[a] })
	for _, code := range codes {
		fmt.Fprintf(w, "%s\t%d\t%.1f %%\t\n", code, t.codes[code], 100*float64(t.codes[code])/float64(t.sent))
	}
	none := t.sent - t.answers()
	fmt.Fprintf(w, "no answer\t%d\t%.1f %%\t\n", none, 100*float64(none)/float64(t.sent))
	_ = w.Flush() // into memory
	return out.String()
}

// assault throws the packets from number first on, n of them, from several sockets.
func assault(ctx context.Context, at netip.AddrPort, corpus [][]byte, seed uint64, first, n int) (*tally, error) {
	type result struct {
		t   *tally
		err error
	}
	results := make(chan result)
	for i := range throwers {
		go func() {
			from, to := first+n*i/throwers, first+n*(i+1)/throwers
			t, err := throw(ctx, at, newMutator(corpus, seed), from, to)
			results <- result{t, err}
		}()
	}
	all := newTally()
	var err error
	for range throwers {
		r := <-results
		all.add(r.t)
		err = errors.Join(err, r.err)
	}
	return all, err
}

// throw throws the packets of some numbers from one socket.
func throw(ctx context.Context, at netip.AddrPort, m *mutator, from, to int) (*tally, error) {
	t := newTally()
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", at.String())
	if err != nil {
		return t, err
	}
	defer func() { _ = conn.Close() }()
	th := &thrower{conn: conn, tally: t, buf: make([]byte, dns.MaxMessageLen)}
	for from < to && ctx.Err() == nil {
		for end := min(from+volley, to); from < end; from++ {
			p := m.packet(uint64(from))
			id := t.sent % len(th.sent)
			number(p, uint16(id))
			if _, err := conn.Write(p); err != nil {
				return t, fmt.Errorf("packet %d: %w", from, err)
			}
			th.sent[id] = answerable(p)
			t.sent++
		}
		if err := th.checkSanity(); err != nil {
			return t, fmt.Errorf("with seed %d, after packet %d: %w", m.seed, from-1, err)
		}
	}
	return t, ctx.Err()
}

// number makes the ID of a packet its number, so that an answer says what it answers.
func number(p []byte, n uint16) {
	if len(p) >= 2 {
		p[0], p[1] = byte(n>>8), byte(n)
	}
}

// answerable says whether a server may answer a packet at all: it has a header, and is no response.
func answerable(p []byte) bool {
	const headerLen, qr = 12, 0x80
	return len(p) >= headerLen && p[2]&qr == 0
}

// thrower is one socket.
type thrower struct {
	conn  net.Conn
	tally *tally
	sent  [remembered]bool // of each packet, by its ID, whether it may be answered
	buf   []byte
}

// remembered is how many packets of a socket have an ID of their own. Answers come in any order, since those to updates
// take longer, but none so late that its ID is another packet's.
const remembered = 1 << 15

// saneID is that of sane questions: no packet has it.
const saneID = 0xfffe

// checkSanity asks a sane question behind a volley, and reads until it is answered right.
func (th *thrower) checkSanity() error {
	q := dns.NewQuery(saneID, dns.MustParseName("www.bench.test."), dns.TypeA)
	wire, err := q.Append(nil, 0)
	if err != nil {
		return err
	}
	for end := time.Now().Add(silence); time.Now().Before(end); th.tally.asking++ {
		if _, err := th.conn.Write(wire); err != nil {
			return fmt.Errorf("a sane question: %w", err)
		}
		answered, err := th.readUntilSane(q)
		if answered {
			th.tally.sane++
		}
		if answered || err != nil {
			return err
		}
	}
	return fmt.Errorf("a sane question was not answered for %v", silence)
}

// readUntilSane reads answers, and says whether the one to the sane question came.
func (th *thrower) readUntilSane(q *dns.Message) (bool, error) {
	if err := th.conn.SetReadDeadline(time.Now().Add(again)); err != nil {
		return false, err
	}
	for {
		n, err := th.conn.Read(th.buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("the server's socket: %w", err)
		}
		r, err := dns.Parse(th.buf[:n])
		if err != nil {
			return false, fmt.Errorf("an answer is malformed: %w: %x", err, th.buf[:n])
		}
		if r.ID == saneID {
			return true, sane(q, r)
		}
		if err := th.count(r); err != nil {
			return false, err
		}
	}
}

// sane finds fault with the answer to the sane question.
func sane(q, r *dns.Message) error {
	if r.Response && r.Authoritative && r.Rcode == dns.RcodeSuccess && len(r.Question) == 1 && r.Question[0] == q.Question[0] {
		for _, rr := range r.Answer {
			if a, ok := rr.Addr(); ok && a == netip.AddrFrom4([4]byte{192, 0, 2, 1}) {
				return nil
			}
		}
	}
	return fmt.Errorf("the answer to a sane question is %s", dns.Summary(r))
}

// count counts the answer to a packet.
func (th *thrower) count(r *dns.Message) error {
	if !r.Response {
		return fmt.Errorf("an answer is a query: %s", dns.Summary(r))
	}
	if int(r.ID) >= len(th.sent) || !th.sent[r.ID] {
		return fmt.Errorf("what deserves no answer got %s", dns.Summary(r))
	}
	th.tally.codes[r.Rcode.String()]++
	return nil
}
