package dnsserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/transcript"
)

// streamer answers AXFR with a stream of messages, and all else like zoneHandler.
type streamer struct {
	Handler
	messages func(query []byte) iter.Seq2[[]byte, error]
	left     atomic.Int64 // sequences that have ended, however
}

func (s *streamer) Stream(query []byte, from Client) (iter.Seq2[[]byte, error], bool) {
	q, err := dns.Parse(query)
	if err != nil || from.Transport == UDP || q.Question[0].Type != dns.TypeAXFR {
		return nil, false
	}
	messages := s.messages(bytes.Clone(query))
	return func(yield func([]byte, error) bool) {
		defer s.left.Add(1)
		messages(yield)
	}, true
}

func newStreamer(t testing.TB, messages func(query []byte) iter.Seq2[[]byte, error]) *streamer {
	return &streamer{Handler: zoneHandler(t), messages: messages}
}

// numbered gives count messages of the query's ID, each with its number as TTL of a record, out of one buffer.
func numbered(count, octets int) func(query []byte) iter.Seq2[[]byte, error] {
	return func(query []byte) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			var buf []byte
			for i := range count {
				q, err := dns.Parse(query)
				if err != nil {
					yield(nil, err)
					return
				}
				r := q.Reply(dns.RcodeSuccess)
				r.Answer = []dns.RR{{Name: dns.Root, Type: 65280, Class: dns.ClassIN, TTL: uint32(i), Data: make([]byte, octets)}}
				if buf, err = r.Append(buf[:0], 0); !yield(buf, err) {
					return
				}
			}
		}
	}
}

func axfrQuery(t testing.TB, id uint16) []byte {
	return framed(queryWire(t, id, "@", dns.TypeAXFR, nil))
}

// readNumbered wants the messages of numbered.
func readNumbered(t testing.TB, conn net.Conn, id uint16, count int) {
	t.Helper()
	for i := range count {
		wire, err := readTCP(conn)
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if m := parse(t, wire); m.ID != id || len(m.Answer) != 1 || m.Answer[0].TTL != uint32(i) {
			t.Fatalf("message %d: %s", i, dns.Summary(m))
		}
	}
}

// TestStreamBetweenQueries: queries before and after two transfers, all sent at once. The transfers come one after the
// other; the last answer does not wait for the second.
func TestStreamBetweenQueries(t *testing.T) {
	t.Parallel()
	c := &counters{}
	h := newStreamer(t, numbered(100, 3000))
	r := start(t, Options{Handler: h, Metrics: c})
	conn := dial(t, "tcp", r.tcp)
	all := slicesOf(framed(queryWire(t, 1, "www", dns.TypeA, nil)), axfrQuery(t, 2), axfrQuery(t, 3), framed(queryWire(t, 4, "no", dns.TypeA, nil)))
	if _, err := conn.Write(all); err != nil {
		t.Fatal(err)
	}
	if wire, err := readTCP(conn); err != nil || parse(t, wire).ID != 1 {
		t.Fatal(err)
	}
	readNumbered(t, conn, 2, 100)
	third := 0
	for range 101 {
		wire, err := readTCP(conn)
		if err != nil {
			t.Fatal(err)
		}
		switch m := parse(t, wire); {
		case m.ID == 4 && m.Rcode == dns.RcodeNXDomain:
		case m.ID != 3 || m.Answer[0].TTL != uint32(third):
			t.Fatalf("after %d messages: %s", third, dns.Summary(m))
		default:
			third++
		}
	}
	if third != 100 {
		t.Errorf("%d messages", third)
	}
	eventually(t, "four exchanges", func() bool {
		return strings.Count(c.seen(), "tcp NOERROR") == 3 && strings.Count(c.seen(), "tcp NXDOMAIN") == 1
	})
	// Over UDP there is no stream.
	if wire := askUDP(t, r.udp, axfrQuery(t, 5)[2:]); parse(t, wire).Rcode != dns.RcodeRefused {
		t.Errorf("%x", wire)
	}
}

func slicesOf(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestStreamsAtOnce(t *testing.T) {
	t.Parallel()
	c := &counters{}
	release := make(chan struct{})
	h := newStreamer(t, func(query []byte) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			<-release
			numbered(3, 10)(query)(yield)
		}
	})
	r := start(t, Options{Handler: h, Metrics: c, MaxStreams: 2})
	var conns []net.Conn
	for id := range uint16(2) {
		conn := dial(t, "tcp", r.tcp)
		if _, err := conn.Write(axfrQuery(t, id)); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	eventually(t, "two streams run", func() bool { return r.streams.Load() == 2 })
	// One past the limit is put off, and its connection goes on.
	late := dial(t, "tcp", r.tcp)
	if _, err := late.Write(slicesOf(axfrQuery(t, 7), framed(queryWire(t, 8, "www", dns.TypeA, nil)))); err != nil {
		t.Fatal(err)
	}
	if wire, err := readTCP(late); err != nil || parse(t, wire).Rcode != dns.RcodeServFail || parse(t, wire).ID != 7 {
		t.Fatalf("%x, %v", wire, err)
	}
	if wire, err := readTCP(late); err != nil || parse(t, wire).ID != 8 {
		t.Fatalf("%x, %v", wire, err)
	}
	if c.count(RefusedStreams) != 1 {
		t.Errorf("%d refusals", c.count(RefusedStreams))
	}
	close(release)
	for id, conn := range conns {
		readNumbered(t, conn, uint16(id), 3)
	}
	if _, err := late.Write(axfrQuery(t, 9)); err != nil {
		t.Fatal(err)
	}
	readNumbered(t, late, 9, 3)
	eventually(t, "no stream runs", func() bool { return r.streams.Load() == 0 })
}

// TestStreamFails: the client sees the connection end, and not the end of the transfer.
func TestStreamFails(t *testing.T) {
	t.Parallel()
	for what, messages := range map[string]func(query []byte) iter.Seq2[[]byte, error]{
		"an error": func(query []byte) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) {
				yield(bytes.Clone(query), nil)
				yield(nil, errors.New("no more"))
			}
		},
		"no message": func(query []byte) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) {
				yield(bytes.Clone(query), nil)
				yield([]byte("short"), nil)
			}
		},
		"too long": func(query []byte) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) {
				yield(bytes.Clone(query), nil)
				yield(make([]byte, dns.MaxMessageLen+1), nil)
			}
		},
		"panic": func(query []byte) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) {
				yield(bytes.Clone(query), nil)
				panic("a broken invariant")
			}
		},
	} {
		c, h := &counters{}, newStreamer(t, messages)
		r := start(t, Options{Handler: h, Metrics: c})
		conn := dial(t, "tcp", r.tcp)
		if _, err := conn.Write(axfrQuery(t, 1)); err != nil {
			t.Fatal(err)
		}
		if _, err := readTCP(conn); err != nil {
			t.Errorf("%s: the first message: %v", what, err)
		}
		if wire, err := readTCP(conn); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %x, %v", what, wire, err)
		}
		eventually(t, what+": the slot is free", func() bool { return r.streams.Load() == 0 && h.left.Load() == 1 })
		if (c.panicked() == 1) != (what == "panic") || c.count(RefusedIdle) > 0 {
			t.Errorf("%s: %d panics, %v", what, c.panicked(), c.refused)
		}
	}
}

// TestStreamOfAnError: it counts by the code of its first message.
func TestStreamOfAnError(t *testing.T) {
	t.Parallel()
	c := &counters{}
	r := start(t, Options{Metrics: c, Handler: newStreamer(t, func(query []byte) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) { yield(failure(nil, query, dns.RcodeNotAuth), nil) }
	})})
	conn := dial(t, "tcp", r.tcp)
	send(t, conn, axfrQuery(t, 1))
	wantIDs(t, conn, "1 NOTAUTH")
	eventually(t, "it is counted", func() bool { return c.seen() == "tcp NOTAUTH" })
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out != dns.HeaderLen || c.in != len(axfrQuery(t, 1))-2 {
		t.Errorf("%d octets in, %d out", c.in, c.out)
	}
}

// TestStreamOfAQuietClient is not counted.
func TestStreamOfAQuietClient(t *testing.T) {
	t.Parallel()
	c := &counters{}
	r := start(t, Options{Metrics: c, Handler: newStreamer(t, numbered(1, 10)), Quiet: func(netip.AddrPort) bool { return true }})
	conn := dial(t, "tcp", r.tcp)
	send(t, conn, axfrQuery(t, 1))
	wantIDs(t, conn, "1 NOERROR")
	r.stop(t)
	if c.seen() != "" {
		t.Error(c.seen())
	}
}

func TestEmptyStream(t *testing.T) {
	t.Parallel()
	c := &counters{}
	r := start(t, Options{Handler: newStreamer(t, numbered(0, 0)), Metrics: c})
	conn := dial(t, "tcp", r.tcp)
	if _, err := conn.Write(axfrQuery(t, 1)); err != nil {
		t.Fatal(err)
	}
	if wire, err := readTCP(conn); !errors.Is(err, io.EOF) {
		t.Errorf("%x, %v", wire, err)
	}
	if c.count(RefusedSilent) != 1 {
		t.Error("not counted")
	}
}

// TestSlowReader: a client that takes nothing pins what it was promised for no longer than the timeouts say.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	for what, opts := range map[string]Options{
		"each message": {WriteTimeout: 50 * time.Millisecond},
		"all of them":  {StreamTimeout: 50 * time.Millisecond},
	} {
		c := &counters{}
		h := newStreamer(t, numbered(10_000, 60_000))
		opts.Handler, opts.Metrics = h, c
		r := start(t, opts)
		conn := dial(t, "tcp", r.tcp)
		if _, err := conn.Write(axfrQuery(t, 1)); err != nil {
			t.Fatal(err)
		}
		eventually(t, what+": given up", func() bool {
			return h.left.Load() == 1 && r.streams.Load() == 0 && c.count(RefusedWrite) == 1
		})
	}
}

// TestStreamTimeoutOfAQuickReader: the time counts for the whole, also where each message is taken at once.
func TestStreamTimeoutOfAQuickReader(t *testing.T) {
	t.Parallel()
	h := newStreamer(t, func(query []byte) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			for yield(query, nil) {
				time.Sleep(5 * time.Millisecond)
			}
		}
	})
	r := start(t, Options{Handler: h, StreamTimeout: 60 * time.Millisecond})
	conn := dial(t, "tcp", r.tcp)
	if _, err := conn.Write(axfrQuery(t, 1)); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, conn); err != nil || n == 0 {
		t.Error(n, err)
	}
	if h.left.Load() != 1 {
		t.Error("the stream goes on")
	}
}

// TestStreamIsFinishedAtTheEnd: a soft end lets a transfer finish, a hard one does not.
func TestStreamIsFinishedAtTheEnd(t *testing.T) {
	t.Parallel()
	for _, hard := range []bool{false, true} {
		goOn := make(chan struct{})
		h := newStreamer(t, func(query []byte) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) {
				if !yield(bytes.Clone(query), nil) {
					return
				}
				<-goOn
				yield(bytes.Clone(query), nil)
			}
		})
		r := start(t, Options{Handler: h})
		conn := dial(t, "tcp", r.tcp)
		if _, err := conn.Write(axfrQuery(t, 1)); err != nil {
			t.Fatal(err)
		}
		if _, err := readTCP(conn); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if !hard {
			cancel()
			ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second)
		}
		ended := make(chan error, 1)
		go func() { ended <- r.Shutdown(ctx) }()
		if hard {
			<-ctx.Done()
			time.Sleep(10 * time.Millisecond)
		}
		close(goOn)
		if _, err := readTCP(conn); (err != nil) != hard {
			t.Errorf("hard %v: %v", hard, err)
		}
		if err := <-ended; (err != nil) != hard {
			t.Errorf("hard %v: Shutdown: %v", hard, err)
		}
		cancel()
	}
}

// TestStreamTranscript: the first message and a count stand there, not every message.
func TestStreamTranscript(t *testing.T) {
	t.Parallel()
	sink := &sink{level: transcript.Lines}
	recorder := transcript.New(transcript.Options{Sinks: []transcript.Sink{sink}})
	r := start(t, Options{Handler: newStreamer(t, numbered(50, 10)), Transcript: recorder})
	conn := dial(t, "tcp", r.tcp)
	if _, err := conn.Write(axfrQuery(t, 1)); err != nil {
		t.Fatal(err)
	}
	readNumbered(t, conn, 1, 50)
	_ = conn.Close()
	eventually(t, "the connection is recorded", func() bool { return len(sink.records()) == 1 })
	entries := sink.records()[0].Entries
	if len(entries) != 3 || entries[1].Dir != transcript.Sent || !strings.HasPrefix(entries[2].Text, "50 messages, ") {
		t.Errorf("%+v", entries)
	}
}
