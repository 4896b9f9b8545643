package transcript

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	client = netip.MustParseAddrPort("127.0.0.1:40000")
	server = netip.MustParseAddrPort("127.0.0.1:8053")
)

func begin(r *Recorder, service string) *Exchange {
	return r.Begin(context.Background(), service, "tcp", server, client)
}

func TestNobodyWatches(t *testing.T) {
	var none *Recorder
	for name, r := range map[string]*Recorder{"nil": none, "no sink": New(Options{})} {
		x := begin(r, "dns")
		if x != nil {
			t.Fatalf("%s: Begin gave an exchange that nobody asked for", name)
		}
		x.Line(Received, 1, "a")
		x.Message(Received, []byte("a"), "a")
		x.Secret(Received, 1, "a", "b")
		x.End()
		if ctx := x.Context(context.Background()); ParentOf(ctx) != 0 {
			t.Errorf("%s: a nil exchange became a parent", name)
		}
		if got := x.Record(); got.ID != 0 || x.Head().ID != 0 {
			t.Errorf("%s: a nil exchange has a record: %+v", name, got)
		}
	}
}

func TestUnwatchedAllocatesNothing(t *testing.T) {
	r := New(Options{Sinks: []Sink{NewFeed(Lines, 1, "web")}})
	ctx := context.Background()
	allocs := testing.AllocsPerRun(100, func() {
		x := r.Begin(ctx, "dns", "udp", server, client)
		x.Line(Received, 12, "query")
		x.End()
	})
	if allocs != 0 {
		t.Errorf("an exchange that nobody watches allocates %v times", allocs)
	}
}

func TestRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := NewRing(10, 10)
		r := New(Options{Sinks: []Sink{ring}})
		start := time.Now()
		x := begin(r, "smtp")
		time.Sleep(time.Second)
		x.Line(Received, 6, "HELO")
		child := r.Begin(x.Context(context.Background()), "dns", "udp", server, client)
		child.End()
		time.Sleep(time.Second)
		x.Line(Sent, 8, "250 hello")
		if got := x.Record(); !got.End.IsZero() {
			t.Error("an exchange under way has an end")
		}
		x.End()
		x.End()
		x.Line(Sent, 1, "after the end")
		got, ok := ring.Get(x.Head().ID)
		if !ok {
			t.Fatal("the ring does not have the exchange")
		}
		want := []Entry{
			{Time: start.Add(time.Second), Dir: Received, Text: "HELO", Bytes: 6},
			{Time: start.Add(2 * time.Second), Dir: Sent, Text: "250 hello", Bytes: 8},
		}
		if fmt.Sprint(got.Entries) != fmt.Sprint(want) {
			t.Errorf("entries\n%v, want\n%v", got.Entries, want)
		}
		if !got.Start.Equal(start) || !got.End.Equal(start.Add(2*time.Second)) || got.Local != server || got.Remote != client {
			t.Errorf("head %+v end %v", got.Head, got.End)
		}
		under := ring.Under(x.Head().ID)
		if len(under) != 1 || under[0].Service != "dns" || under[0].Parent != got.ID {
			t.Errorf("children %+v", under)
		}
	})
}

func TestSecrets(t *testing.T) {
	for _, reveal := range []bool{false, true} {
		ring := NewRing(1, 1)
		x := begin(New(Options{Reveal: reveal, Sinks: []Sink{ring}}), "ftp")
		x.Secret(Received, 13, "PASS ", "swordfish")
		x.End()
		line, err := json.Marshal(ring.Recent(1))
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(line, []byte("swordfish")); got != reveal {
			t.Errorf("reveal %v: the record shows the secret: %v\n%s", reveal, got, line)
		}
		if got := bytes.Contains(line, []byte("PASS "+Redacted)); got == reveal {
			t.Errorf("reveal %v: redacted line present: %v", reveal, got)
		}
	}
}

func TestLimitsOfOneRecord(t *testing.T) {
	x := begin(New(Options{Sinks: []Sink{NewFeed(Bytes, 1)}}), "dns")
	big := make([]byte, MaxRawBytes-1)
	x.Message(Received, big, strings.Repeat("é", MaxText/2))
	x.Message(Received, []byte("abc"), strings.Repeat("é", MaxText/2)+"x")
	x.Message(Received, []byte("abc"), "third")
	for range MaxEntries {
		x.Line(Sent, 1, "more")
	}
	got := x.Record()
	if len(got.Entries) != MaxEntries || got.Omitted != 3 {
		t.Errorf("%d entries, %d omitted; want %d and 3", len(got.Entries), got.Omitted, MaxEntries)
	}
	if text := got.Entries[0].Text; len(text) != MaxText {
		t.Errorf("a text at the limit was cut to %d bytes", len(text))
	}
	if text := got.Entries[1].Text; !strings.HasSuffix(text, "é…") || len(text) != MaxText+len("…") {
		t.Errorf("a text past the limit is %d bytes and ends in %q", len(text), text[len(text)-6:])
	}
	for i, want := range []int{MaxRawBytes - 1, 1, 0} {
		if len(got.Entries[i].Raw) != want || got.Entries[i].Bytes == 0 {
			t.Errorf("entry %d keeps %d raw bytes, want %d", i, len(got.Entries[i].Raw), want)
		}
	}
	big[0] = 1
	if got.Entries[0].Raw[0] == 1 {
		t.Error("the record refers to the caller's buffer")
	}
}

func TestTextsTogetherAreBounded(t *testing.T) {
	feed := NewFeed(Lines, MaxEntries)
	x := begin(New(Options{Sinks: []Sink{feed}}), "dns")
	line := strings.Repeat("x", MaxText)
	for range MaxTexts/MaxText + 2 {
		x.Line(Sent, MaxText, line)
	}
	got := x.Record()
	if len(got.Entries) != MaxTexts/MaxText || got.Omitted != 2 {
		t.Errorf("%d entries, %d omitted; want %d and 2", len(got.Entries), got.Omitted, MaxTexts/MaxText)
	}
	x.Line(Sent, 1, strings.Repeat("y", MaxTexts-MaxTexts/MaxText*MaxText))
	if got := x.Record(); len(got.Entries) != MaxTexts/MaxText+1 {
		t.Error("a text that fits to the byte was omitted")
	}
	if n := len(feed.Events()); n != MaxTexts/MaxText+4 {
		t.Errorf("the feed was told of %d events, want all %d", n, MaxTexts/MaxText+4)
	}
}

func TestFields(t *testing.T) {
	feed := NewFeed(Lines, MaxEntries)
	x := begin(New(Options{Sinks: []Sink{feed}}), "dns")
	x.Described(Received, []byte("abc"), "text", map[string]string{"name": "a\x1b[2J", "long": strings.Repeat("x", MaxText+1)})
	x.Message(Sent, []byte("abc"), "text")
	got := x.Record().Entries
	want := map[string]string{"name": `a\x1b[2J`, "long": strings.Repeat("x", MaxText) + "…"}
	if !maps.Equal(got[0].Fields, want) || got[1].Fields != nil {
		t.Errorf("kept %v and %v, want %v and none", got[0].Fields, got[1].Fields, want)
	}
	<-feed.Events()
	if told := <-feed.Events(); !maps.Equal(told.Entry.Fields, want) {
		t.Errorf("a feed is told %v", told.Entry.Fields)
	}
	(*Exchange)(nil).Described(Sent, nil, "", map[string]string{"a": "b"}) // keeps nothing
}

// What fields hold counts as texts do.
func TestFieldsAreBounded(t *testing.T) {
	x := begin(New(Options{Sinks: []Sink{NewFeed(Lines, 1)}}), "dns")
	line := func(n int) { x.Described(Sent, nil, "", map[string]string{"f": strings.Repeat("x", n-1)}) }
	for range MaxTexts / 512 {
		line(512)
	}
	if got := x.Record(); len(got.Entries) != MaxTexts/512 || got.Omitted != 0 {
		t.Errorf("%d entries, %d omitted at the limit", len(got.Entries), got.Omitted)
	}
	line(1)
	if got := x.Record(); got.Omitted != 1 {
		t.Error("one past the limit was kept")
	}
}

func TestTextsArePrintable(t *testing.T) {
	x := begin(New(Options{Sinks: []Sink{NewFeed(Lines, 1)}}), "upper")
	for text, want := range map[string]string{
		"plain":            "plain",
		"bell\a":           `bell\a`,
		"\x1b[2Jgone":      `\x1b[2Jgone`,
		"two\nlines\r":     `two\nlines\r`,
		"bad \xff utf-8":   `bad \xff utf-8`,
		"right\u202eleft":  `right\u202eleft`,
		"naïve ☺ ünïcode":  "naïve ☺ ünïcode",
		"nul\x00":          `nul\x00`,
		"replaced \uFFFD.": `replaced \ufffd.`,

		strings.Repeat("\x80", MaxText+1): strings.Repeat(`\x80`, MaxText) + "…",
	} {
		x.Line(Received, 0, text)
		got := x.Record().Entries
		if got[len(got)-1].Text != want {
			t.Errorf("%q is kept as %q, want %q", text, got[len(got)-1].Text, want)
		}
	}
}

func TestLevels(t *testing.T) {
	r := New(Options{Sinks: []Sink{NewFeed(Lines, 1)}})
	x := begin(r, "dns")
	x.Message(Received, []byte("abc"), "m")
	if raw := x.Record().Entries[0].Raw; raw != nil {
		t.Errorf("bytes %q were kept at level Lines", raw)
	}
}

func TestAttachAndDetach(t *testing.T) {
	r := New(Options{})
	a := NewFeed(Lines, 10)
	detach1, detach2 := r.Attach(a), r.Attach(a)
	begin(r, "dns").End()
	if got := len(a.Events()); got != 4 {
		t.Fatalf("%d events from two attachments, want 4", got)
	}
	detach1()
	detach1()
	x := begin(r, "dns")
	if got := len(a.Events()); got != 5 {
		t.Errorf("%d events after one was detached, want 5", got)
	}
	detach2()
	if begin(r, "dns") != nil {
		t.Error("a detached sink is asked")
	}
	x.End()
	if got := len(a.Events()); got != 5 {
		t.Errorf("%d events: a sink that was detached is told of the end of an exchange", got)
	}
}

// What a follower held is let go of with it, though the ring keeps the exchanges that it saw, and one may go on.
func TestADetachedSinkIsLetGo(t *testing.T) {
	ring := NewRing(10, 10)
	r := New(Options{Sinks: []Sink{ring}})
	gone := make(chan struct{})
	var underWay *Exchange
	func() {
		feed := NewFeed(Lines, 10)
		runtime.AddCleanup(feed, func(struct{}) { close(gone) }, struct{}{})
		defer r.Attach(feed)()
		begin(r, "dns").End()
		underWay = begin(r, "dns")
	}()
	for range 100 {
		runtime.GC()
		select {
		case <-gone:
			underWay.End()
			if n := len(ring.Recent(9)); n != 2 {
				t.Errorf("the ring has %d exchanges", n)
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Error("the feed is still held")
}

func TestFeedNeverBlocks(t *testing.T) {
	feed := NewFeed(Lines, 2, "dns")
	r := New(Options{Sinks: []Sink{feed}})
	if begin(r, "web") != nil {
		t.Error("the feed took a service that it does not follow")
	}
	x := begin(r, "dns")
	x.Line(Received, 3, "one")
	x.Line(Sent, 3, "two")
	x.End()
	if first, second := <-feed.Events(), <-feed.Events(); first.Kind != Began || second.Kind != Said || second.Entry.Text != "one" {
		t.Errorf("events %+v, %+v", first, second)
	}
	if feed.Lost() != 2 {
		t.Errorf("%d events lost, want 2", feed.Lost())
	}
}

func TestRingKeepsTheNewest(t *testing.T) {
	ring := NewRing(3, 100)
	r := New(Options{Sinks: []Sink{ring}})
	if got := ring.Recent(5); len(got) != 0 {
		t.Errorf("an empty ring has %d exchanges", len(got))
	}
	for i := range 5 {
		begin(r, []string{"dns", "web"}[i%2]).End()
		if i == 1 {
			if got := ids(ring.Recent(5)); got != "2 1 " {
				t.Errorf("two of three: %s", got)
			}
		}
	}
	if got := ids(ring.Recent(9)); got != "5 4 3 2 1 " {
		t.Errorf("recent %s, want 5 4 3 2 1", got)
	}
	begin(r, "dns").End() // 6: the oldest of its own service gives way
	if got := ids(ring.Recent(9)); got != "6 5 4 3 2 " {
		t.Errorf("recent %s, want 6 5 4 3 2", got)
	}
	if got := ids(ring.Recent(2)); got != "6 5 " {
		t.Errorf("recent 2: %s", got)
	}
	if got := ids(ring.Recent(9, "web")); got != "4 2 " {
		t.Errorf("recent of web: %s", got)
	}
	if _, ok := ring.Get(1); ok {
		t.Error("an exchange past the ring's size is still there")
	}
}

func ids(records []Record) string {
	var b strings.Builder
	for _, r := range records {
		b.WriteString(r.ID.String() + " ")
	}
	return b.String()
}

func TestRingTakesSoManyASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := NewRing(100, 5)
		r := New(Options{Sinks: []Sink{ring}})
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
		for range 6 {
			begin(r, "dns").End()
		}
		if got := len(ring.Recent(100)); got != 5 || ring.Passed() != 1 {
			t.Errorf("%d taken, %d passed; want 5 and 1", got, ring.Passed())
		}
		if begin(r, "web") == nil {
			t.Error("one service has used up the other's share")
		}
		time.Sleep(time.Second)
		if begin(r, "dns") == nil {
			t.Error("the next second has no share of its own")
		}
	})
}

func TestRingUnderConcurrency(t *testing.T) {
	ring := NewRing(8, 1<<30)
	feed := NewFeed(Lines, 64)
	r := New(Options{Sinks: []Sink{ring, feed}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				x := begin(r, "dns")
				x.Line(Received, 1, "q")
				ring.Recent(4)
				x.End()
			}
		})
	}
	wg.Wait()
	if got := ring.Recent(100); len(got) != 8 || got[0].End.IsZero() {
		t.Errorf("%d exchanges, the newest %+v", len(got), got[0])
	}
}

type flaky struct {
	bytes.Buffer
	err error
}

func (f *flaky) Write(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return f.Buffer.Write(p)
}

func TestJSONLines(t *testing.T) {
	var log bytes.Buffer
	out := &flaky{}
	r := New(Options{Sinks: []Sink{NewJSONLines(out, slog.New(slog.NewTextHandler(&log, nil)))}})
	exchange := func() {
		x := begin(r, "dns")
		x.Line(Received, 33, "query")
		x.End()
	}
	exchange()
	var got Record
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != 1 || got.Service != "dns" || got.Local != server || got.Entries[0].Dir != Received || got.Entries[0].Bytes != 33 {
		t.Errorf("line %s is read as %+v", out.Bytes(), got)
	}
	for _, want := range []string{`"direction":"received"`, `"remote":"127.0.0.1:40000"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("line %s lacks %s", out.Bytes(), want)
		}
	}
	var d Direction
	if err := json.Unmarshal([]byte(`"sideways"`), &d); err == nil {
		t.Error("an unknown direction was read")
	}
	out.err = errors.New("disk full")
	exchange()
	exchange()
	if n := strings.Count(log.String(), "disk full"); n != 1 {
		t.Errorf("the failure is logged %d times, want once", n)
	}
	out.err = nil
	exchange()
	if n := bytes.Count(out.Bytes(), []byte("\n")); n != 2 {
		t.Errorf("%d lines after writing worked again, want 2", n)
	}
}

// A file that is moved away and opened anew loses nothing, also of exchanges that are under way.
func TestJSONLinesUse(t *testing.T) {
	var log, first, second bytes.Buffer
	lines := NewJSONLines(&first, slog.New(slog.NewTextHandler(&log, nil)))
	r := New(Options{Sinks: []Sink{lines}})
	x, y := begin(r, "dns"), begin(r, "web")
	lines.Use(&second)
	x.End()
	lines.Use(nil)
	y.End()
	if first.Len() != 0 || bytes.Count(second.Bytes(), []byte("\n")) != 1 || log.Len() != 0 {
		t.Errorf("first %q, second %q, log %q", &first, &second, &log)
	}
}

func TestSlog(t *testing.T) {
	var log bytes.Buffer
	level := new(slog.LevelVar)
	r := New(Options{Sinks: []Sink{NewSlog(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level})))}})
	if begin(r, "dns") != nil {
		t.Error("exchanges are recorded for a log that does not take them")
	}
	level.Set(slog.LevelDebug)
	x := begin(r, "dns")
	x.Line(Received, 1, "the query")
	x.Line(Sent, 1, "the answer")
	x.End()
	for _, want := range []string{"service=dns", `first="the query"`, `last="the answer"`, "remote=127.0.0.1:40000"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log.String())
		}
	}
}

func Example() {
	ring := NewRing(100, 1000)
	recorder := New(Options{Sinks: []Sink{ring}})

	x := recorder.Begin(context.Background(), "pop3", "tcp", server, client)
	x.Line(Received, 12, "USER alice")
	x.Line(Sent, 5, "+OK")
	x.Secret(Received, 16, "PASS ", "swordfish")
	x.End()

	for _, record := range ring.Recent(1) {
		for _, e := range record.Entries {
			fmt.Fprintln(os.Stdout, e.Dir, e.Text)
		}
	}
	// Output:
	// < USER alice
	// > +OK
	// < PASS •••
}

func BenchmarkUnwatched(b *testing.B) {
	r := New(Options{Sinks: []Sink{NewFeed(Lines, 1, "web")}})
	ctx := context.Background()
	for b.Loop() {
		x := r.Begin(ctx, "dns", "udp", server, client)
		x.Line(Received, 12, "query")
		x.End()
	}
}

func BenchmarkRingPastItsShare(b *testing.B) {
	r := New(Options{Sinks: []Sink{NewRing(100, 0)}})
	ctx := context.Background()
	for b.Loop() {
		r.Begin(ctx, "dns", "udp", server, client).End()
	}
}
