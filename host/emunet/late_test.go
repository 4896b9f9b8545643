package emunet

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/network-utopia/utopia/host/pcapng"
)

// Connections that are begun at one moment repeat what was lost in an order that does not depend on who spoke first.
func TestOneMomentAndItsTimers(t *testing.T) {
	t.Parallel()
	var first []byte
	for range 30 {
		var seen bytes.Buffer
		virtually(t, 1, func(t *testing.T, n *Net) {
			a, b, l := twoHosts(n, Delay(ms))
			if _, err := n.Capture(&seen, pcapng.IPv4); err != nil {
				t.Fatal(err)
			}
			l.Cut()
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					time.Sleep(time.Second)
					if c, err := a.Dial(background, "tcp", at(b, uint16(80+i))); err == nil {
						c.Close()
					}
				})
			}
			wg.Wait()
		})
		if first == nil {
			first = seen.Bytes()
		}
		if !bytes.Equal(first, seen.Bytes()) {
			t.Fatal("the order is not always the same")
		}
	}
}

// farAway makes a network on which what arrives at a router may be put off for an hour, and a link from a to that router.
func farAway(n *Net) (a, b *Host, r *Router) {
	a, b, r = n.Host("a"), n.Host("b"), n.Router("r")
	far := n.Router("far")
	n.Link(a, r, Delay(10*ms), Back(Delay(time.Hour)))
	n.Link(far, n.Host("c"), Delay(time.Hour))
	n.Link(r, far, Delay(time.Hour))
	n.Link(far, b, Delay(time.Hour))
	return a, b, r
}

// A link that is new holds for what is on its way, at once.
func TestANewLink(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, r := farAway(n)
		time.AfterFunc(5*ms, func() { n.Link(r, b) })
		if _, when := arrivals(t, a, b, 100); len(when) != 1 || !near(when[0], 10*ms) {
			t.Errorf("arrives after %v", when)
		}
	})
	virtually(t, 1, func(t *testing.T, n *Net) { // what has happened by then has happened
		a, b, r := farAway(n)
		if _, err := dial(t, a, "udp", at(b, 9)).Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * ms)
		l := n.Link(r, b)
		time.Sleep(ms)
		if there, _ := l.Counts(); there.Packets != 0 {
			t.Error("a packet takes a link that was not there")
		}
	})
}

// A link that changes, and loses what comes first, does not keep the next one.
func TestSetThenCut(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, r := n.Host("a"), n.Host("b"), n.Router("r")
		la, lb := n.Link(a, r, Delay(100*ms)), n.Link(r, b, Delay(100*ms))
		to, from := listenPacket(t, b, ":9"), dial(t, a, "udp", at(b, 9))
		start := time.Now()
		for range 2 {
			if _, err := from.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * ms)
		}
		lb.Set(Delay(0))
		la.Cut()
		time.AfterFunc(85*ms, la.Heal) // after the first, and before the second
		if _, err := to.Read(make([]byte, 9)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); !near(took, 110*ms) {
			t.Errorf("arrives after %v", took)
		}
	})
}

// Whoever looks at a capture sees all that has happened, and it has it when it ends.
func TestCaptureIsNotLate(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(n *Net, c *Capture) error{
		"looking": func(*Net, *Capture) error { return nil },
		"beginning another": func(n *Net, _ *Capture) error {
			late, err := n.Capture(io.Discard, pcapng.IPv4, n.nodes[2])
			if err == nil && late.Packets() != 0 {
				err = errors.New("it has what was before")
			}
			return err
		},
		"closing it":          func(_ *Net, c *Capture) error { return c.Close() },
		"closing the network": func(n *Net, _ *Capture) error { return n.Close() },
	} {
		virtually(t, 1, func(t *testing.T, n *Net) {
			a, b, r := farAway(n)
			var seen strings.Builder
			c, err := n.Capture(&seen, pcapng.IPv4, r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := dial(t, a, "udp", at(b, 9)).Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * ms)
			if err := end(n, c); err != nil {
				t.Error(err)
			}
			if got := c.Packets(); got != 1 {
				t.Errorf("%s: %d packets", name, got)
			}
		})
	}
}

// A connection in use leaves no trail of timers that are over.
func TestTimersAreBounded(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		x, y, _ := twoHosts(n, Delay(10*ms))
		a, b := connected(t, x, y)
		if err := a.(*stream).SetKeepAlivePeriod(2 * time.Hour); err != nil {
			t.Fatal(err)
		}
		most := 0
		for range 2000 {
			if _, err := a.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Read(make([]byte, 9)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(300 * ms)
			most = max(most, inside(n, func() int { return len(n.events) }))
		}
		if most > 10 {
			t.Errorf("%d events for one connection", most)
		}
	})
}

// What happens at one moment happens one after the other, a nanosecond apart, so that what one wakes is done before the
// next.
func TestOneAfterTheOther(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a := n.Host("a")
		const count = 20
		var woken [count]Time
		var wg sync.WaitGroup
		at := time.Now().Add(time.Second)
		for i := range woken {
			c := listenPacket(t, a, ":0")
			_ = c.SetReadDeadline(at)
			wg.Go(func() {
				_, _ = c.Read(make([]byte, 1))
				woken[i] = time.Since(at)
			})
		}
		wg.Wait()
		for i, w := range woken {
			if w != Time(i) {
				t.Fatalf("woken at %v", woken)
			}
		}
	})
}

// A capture that ends takes no other with it.
func TestCapturesEndByThemselves(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, _ := twoHosts(n)
		var all []*Capture
		for range 3 {
			c, err := n.Capture(io.Discard, pcapng.IPv4)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		say := func() {
			if _, err := dial(t, a, "udp", at(b, 9)).Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(ms)
		}
		say() // and an answer by ICMP
		if err := all[1].Close(); err != nil {
			t.Error(err)
		}
		say()
		for i, want := range []int{4, 2, 4} {
			if got := all[i].Packets(); got != want {
				t.Errorf("capture %d has %d packets, want %d", i, got, want)
			}
		}
	})
}
