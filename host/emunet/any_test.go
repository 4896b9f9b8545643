package emunet

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/host/pcapng"
)

// anyStory runs an internet by chance in a bubble, and checks what is left at the end. Patience says how long the
// network may put off what nobody sees.
func anyStory(t *testing.T, seed uint64, patience Time) (s *story) {
	s = &story{}
	virtually(t, seed, func(t *testing.T, n *Net) {
		n.patience = patience
		a := &anyNet{t: t, r: rand.New(rand.NewPCG(seed, 3)), net: n, start: time.Now(), served: map[*Host]func(){}}
		a.build()
		var all []*Capture
		for _, c := range []struct {
			w    io.Writer
			link pcapng.LinkType
			at   []Node
		}{
			{&s.v4, pcapng.IPv4, nil}, {&s.v6, pcapng.IPv6, nil}, {&s.all4, pcapng.IPv4, a.nodes()}, {&s.all6, pcapng.IPv6, a.nodes()},
		} {
			capture, err := n.Capture(c.w, c.link, c.at...)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, capture)
		}
		a.program()
		a.end()
		time.Sleep(2 * time.Hour)
		a.wg.Wait()
		a.nothingIsLeft()
		if a.nats == 0 && !a.crash {
			a.sumsAddUp(all)
		}
		var logs []string
		for _, b := range a.logs {
			logs = append(logs, b.String())
		}
		slices.Sort(logs) // whose log was made first is nobody's affair
		s.seen = fmt.Sprint(logs, a.now())
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
	return s
}

// nodes are all machines.
func (a *anyNet) nodes() (all []Node) {
	for _, v := range a.net.nodes {
		all = append(all, v)
	}
	return all
}

// nothingIsLeft holds a network on which nobody has a socket, and nobody has had one for long, to that.
func (a *anyNet) nothingIsLeft() {
	a.t.Helper()
	a.net.mu.Lock()
	defer a.net.mu.Unlock()
	for _, h := range a.hosts {
		if len(h.streams)+len(h.listeners)+len(h.sockets)+h.open+len(h.pending) > 0 || h.flushAt >= 0 {
			a.t.Errorf("%s has %d streams, %d listeners, %d sockets, %d open, %d pending", h.name, len(h.streams), len(h.listeners), len(h.sockets), h.open, len(h.pending))
			for ends, s := range h.streams {
				a.t.Errorf("%v in %v, closed %v", ends, s.tcp.State(), s.closed)
			}
		}
	}
	if n := a.net; len(n.events)+len(n.inside)+len(n.asleep) > 0 {
		a.t.Errorf("%d and %d events, %d asleep", len(n.events), len(n.inside), len(n.asleep))
	}
}

// sumsAddUp compares what links count with what the machines have sent and received.
func (a *anyNet) sumsAddUp(all []*Capture) {
	a.t.Helper()
	var begun, passed, dropped, lost int
	for _, l := range a.links {
		for _, d := range []*direction{l.there, l.back} {
			passed += int(d.counts.Packets)
			lost += int(d.counts.Lost)
			dropped += int(d.counts.Dropped)
			if d.line.length != 0 || d.backlog(a.net.clock()) != 0 {
				a.t.Errorf("%v has something on the line", d)
			}
		}
	}
	for i, c := range all {
		if i < 2 {
			begun += c.packets
		} else {
			passed -= c.packets
		}
	}
	if passed-lost+begun != 0 {
		a.t.Errorf("%d packets more were sent on links, or begun, than have arrived, were dropped (%d) or lost (%d)", passed-lost+begun, dropped, lost)
	}
}

// In real time, too, nothing but what was said arrives, and everything comes to its end.
func TestAnyNetInRealTime(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	defer all.Wait()
	for seed := range uint64(8) {
		all.Go(func() {
			n := New(seed)
			a := &anyNet{t: t, r: rand.New(rand.NewPCG(seed, 3)), net: n, start: time.Now(), served: map[*Host]func(){}}
			a.build()
			defer time.AfterFunc(1500*ms, func() { n.Close() }).Stop()
			a.program()
			if err := n.Close(); err != nil {
				t.Error(err)
			}
			a.wg.Wait()
		})
	}
}

func FuzzAnyNet(f *testing.F) {
	for seed := range uint64(3) {
		f.Add(seed + 100)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		if anyStory(t, seed, defaultPatience).sum() != anyStory(t, seed, 1<<62).sum() {
			t.Errorf("seed %d gives two runs", seed)
		}
	})
}

// The same internet and the same programs give the same run, whether the network puts anything off or not, and leave
// nothing behind.
func TestAnyNet(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		first := anyStory(t, seed, defaultPatience)
		for name, patience := range map[string]Time{"again": defaultPatience, "without patience": 1 << 62} {
			s := anyStory(t, seed, patience)
			if s.sum() != first.sum() {
				t.Errorf("seed %d, %s: seen %v, captures %v %v %v %v", seed, name, s.seen == first.seen, bytes.Equal(s.v4.Bytes(), first.v4.Bytes()),
					bytes.Equal(s.v6.Bytes(), first.v6.Bytes()), bytes.Equal(s.all4.Bytes(), first.all4.Bytes()), bytes.Equal(s.all6.Bytes(), first.all6.Bytes()))
			}
		}
		if t.Failed() {
			t.Fatal("seed ", seed)
		}
	}
}
