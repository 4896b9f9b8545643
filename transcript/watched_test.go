package transcript

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := NewRing(10, 2)
		r := New(Options{Sinks: []Sink{ring}})
		begin := func() *Exchange {
			return r.Begin(context.Background(), "dns", "udp", netip.AddrPort{}, netip.AddrPort{})
		}
		for i, want := range []bool{true, true, false, false} {
			if got := r.Watched("dns", time.Now()); got != want {
				t.Errorf("after %d exchanges of 2 in a second: %v", i, got)
			}
			if r.Watched("dns", time.Now()) != want { // to ask takes nothing
				t.Errorf("asked again after %d", i)
			}
			if (begin() != nil) != want {
				t.Errorf("Watched said %v, and Begin the opposite", want)
			}
		}
		if !r.Watched("web", time.Now()) {
			t.Error("one service's share is another's")
		}
		time.Sleep(time.Second)
		if !r.Watched("dns", time.Now()) {
			t.Error("a new second has no share")
		}
		before := ring.Passed()
		r.Pass("dns", 40)
		if n := ring.Passed() - before; n != 40 {
			t.Errorf("%d passed, want 40", n)
		}
	})
}

// Whoever is attached counts from then on, each by its own rules, until it is detached.
func TestWatchedByOthers(t *testing.T) { synctest.Test(t, testWatchedByOthers) } // where no second ends

func testWatchedByOthers(t *testing.T) {
	full := NewRing(10, 0) // takes nothing
	now := time.Now()
	for name, c := range map[string]struct {
		sink Sink
		want bool
	}{
		"a feed of the service":    {NewFeed(Lines, 1, "dns"), true},
		"a feed of another":        {NewFeed(Lines, 1, "web"), false},
		"a log that takes nothing": {NewSlog(slog.New(slog.DiscardHandler)), false},
		"a ring with room":         {NewRing(1, 1), true},
		"a ring without":           {NewRing(1, 0), false},
	} {
		r := New(Options{Sinks: []Sink{full}})
		if ring, ok := c.sink.(*Ring); ok {
			ring.circle("dns").second.Store(now.Unix())
		}
		if r.Begin(context.Background(), "dns", "udp", netip.AddrPort{}, netip.AddrPort{}); r.Watched("dns", now) {
			t.Errorf("%s: watched before", name)
		}
		detach := r.Attach(c.sink)
		if got := r.Watched("dns", now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		r.Pass("dns", 3)
		if ring, ok := c.sink.(*Ring); ok && ring.Passed() != 3 {
			t.Errorf("%s: %d passed", name, ring.Passed())
		}
		held := (*r.sinks.Load())[1].(*attached)
		detach()
		if r.Watched("dns", now) || !held.spent("dns", now) {
			t.Errorf("%s: watched after", name)
		}
		held.pass("dns", 1) // nobody
	}
	var none *Recorder
	none.Pass("dns", 1)
	if none.Watched("dns", now) {
		t.Error("nil watches")
	}
}

// A feed whose reader is behind wants no more, until it has caught up.
func TestWatchedByAFeedThatIsBehind(t *testing.T) {
	feed := NewFeed(Lines, 4, "dns")
	r := New(Options{Sinks: []Sink{feed}})
	now := time.Now()
	x := begin(r, "dns")
	x.Line(Received, 1, "a")
	if !r.Watched("dns", now) {
		t.Error("not watched with half the buffer free")
	}
	x.Line(Received, 1, "b")
	if r.Watched("dns", now) || r.Watched("web", now) {
		t.Error("watched with more than half of it taken")
	}
	r.Pass("dns", 40)
	r.Pass("web", 7)
	if feed.Lost() != 40 {
		t.Errorf("lost %d, want 40", feed.Lost())
	}
	<-feed.Events()
	if !r.Watched("dns", now) {
		t.Error("not watched when the reader has caught up")
	}
}
