package transcript

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// TestWants asks as protocol code does, to whom it costs something to have the bytes.
func TestWants(t *testing.T) {
	for level, want := range map[Level][2]bool{Lines: {true, false}, Bytes: {true, true}} {
		x := begin(New(Options{Sinks: []Sink{NewRing(1, 10), NewFeed(level, 10)}}), "web")
		if got := [2]bool{x.Wants(Lines), x.Wants(Bytes)}; got != want {
			t.Errorf("level %d: %v", level, got)
		}
	}
	var none *Exchange
	if none.Wants(Lines) || none.Wants(Off) {
		t.Error("what nobody watches wants nothing")
	}
}

func TestMasked(t *testing.T) {
	for reveal, want := range map[bool]string{false: "*********", true: "swordfish"} {
		x := begin(New(Options{Reveal: reveal, Sinks: []Sink{NewRing(1, 10)}}), "web")
		if got := x.Masked("swordfish"); got != want {
			t.Errorf("reveal %v: %q", reveal, got)
		}
	}
	var none *Exchange
	if got := none.Masked("swordfish"); strings.Contains(got, "fish") {
		t.Errorf("%q", got)
	}
}

// TestBytesAreForThoseWhoAsk has one sink that asks for the bytes among others that do not.
func TestBytesAreForThoseWhoAsk(t *testing.T) {
	var file bytes.Buffer
	ring, lines, all := NewRing(1, 10), NewFeed(Lines, 10), NewFeed(Bytes, 10)
	x := begin(New(Options{Sinks: []Sink{ring, lines, all, NewJSONLines(&file, nil)}}), "dns")
	x.Message(Received, []byte("octets"), "query")
	if raw := x.Record().Entries[0].Raw; string(raw) != "octets" {
		t.Errorf("under way the record has %q", raw)
	}
	x.End()
	for feed, want := range map[*Feed]string{lines: "", all: "octets"} {
		<-feed.Events()
		if e := <-feed.Events(); string(e.Entry.Raw) != want || e.Entry.Text != "query" || e.Entry.Bytes != 6 {
			t.Errorf("entry %+v, want the bytes %q", e.Entry, want)
		}
		if e := <-feed.Events(); e.Kind != Ended || len(e.Record.Entries) != 1 || e.Record.Entries[0].Raw != nil {
			t.Errorf("end %+v", e.Record)
		}
	}
	if strings.Contains(file.String(), "raw") || !strings.Contains(file.String(), "query") {
		t.Errorf("the file has %s", file.String())
	}
	if got := ring.Recent(1)[0].Entries; len(got) != 1 || got[0].Raw != nil {
		t.Errorf("after the end the ring keeps %+v", got)
	}
}

// keeper is a sink that looks at an exchange when it ends.
type keeper struct{ got Record }

func (*keeper) Level(string) Level     { return Bytes }
func (*keeper) Begin(*Exchange)        {}
func (*keeper) Entry(*Exchange, Entry) {}
func (k *keeper) End(x *Exchange)      { k.got = x.Record() }

func TestBytesAreThereAtTheEnd(t *testing.T) {
	k := &keeper{}
	x := begin(New(Options{Sinks: []Sink{NewFeed(Bytes, 1), k}}), "dns")
	x.Message(Received, []byte("octets"), "query")
	x.End()
	if string(k.got.Entries[0].Raw) != "octets" {
		t.Errorf("%+v", k.got)
	}
}

// TestLimitOfFeedBytes fills a feed whose reader is slow: what it says goes on, without the bytes.
func TestLimitOfFeedBytes(t *testing.T) {
	feed := NewFeed(Bytes, 1000)
	r := New(Options{Sinks: []Sink{feed}})
	piece := make([]byte, MaxRawBytes)
	const fit = MaxFeedBytes / MaxRawBytes
	for range fit + 1 {
		r.Begin(context.Background(), "dns", "tcp", server, client).Message(Received, piece, "piece")
	}
	var last Event
	for i := range fit + 1 {
		<-feed.Events()
		e := <-feed.Events()
		if want := i < fit; (e.Entry.Raw != nil) != want || e.Entry.Bytes != len(piece) {
			t.Errorf("message %d has %d bytes", i, len(e.Entry.Raw))
		}
		if i == 0 {
			last = e
		}
	}
	one := func() Event {
		r.Begin(context.Background(), "dns", "tcp", server, client).Message(Received, piece, "piece")
		<-feed.Events()
		return <-feed.Events()
	}
	if e := one(); e.Entry.Raw != nil {
		t.Error("bytes beyond the limit")
	}
	feed.Release(last)
	if e := one(); e.Entry.Raw == nil {
		t.Error("what was released leaves no room")
	}
	if feed.Lost() != 0 {
		t.Errorf("%d events lost", feed.Lost())
	}
}

// TestLostBytesAreReleased loses messages, which must not count for ever.
func TestLostBytesAreReleased(t *testing.T) {
	feed := NewFeed(Bytes, 1)
	r := New(Options{Sinks: []Sink{feed}})
	for range 2 * MaxFeedBytes / MaxRawBytes {
		begin(r, "dns").Message(Received, make([]byte, MaxRawBytes), "lost")
	}
	<-feed.Events()
	x := begin(r, "dns")
	<-feed.Events()
	x.Message(Received, []byte("octets"), "query")
	if e := <-feed.Events(); string(e.Entry.Raw) != "octets" {
		t.Errorf("%+v", e.Entry)
	}
}
