package emunet

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const ms = time.Millisecond

// arrivals sends datagrams of so many octets on the wire, one after the other without a pause, and gives what arrives,
// and when.
func arrivals(t *testing.T, a, b *Host, sizes ...int) (which []int, when []time.Duration) {
	t.Helper()
	to := listenPacket(t, b, ":9")
	defer to.Close()
	from := dial(t, a, "udp", at(b, 9))
	defer from.Close()
	start := time.Now()
	for i, size := range sizes {
		p := make([]byte, size-headerIPv4-headerUDP)
		p[0], p[1] = byte(i>>8), byte(i)
		if _, err := from.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, maxPacket)
	for {
		if err := to.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := to.Read(buf); err != nil {
			if !os.IsTimeout(err) {
				t.Fatal(err)
			}
			return which, when
		}
		which, when = append(which, int(buf[0])<<8|int(buf[1])), append(when, time.Since(start))
	}
}

// A packet takes what its bits take at the rate, one after the other, and then the delay.
func TestRateAndDelay(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, l := twoHosts(n, Rate(1*Mbit), Delay(30*ms))
		_, when := arrivals(t, a, b, 1250, 1250, 125)
		for i, want := range []time.Duration{40 * ms, 50 * ms, 51 * ms} {
			if !near(when[i], want) {
				t.Errorf("packet %d arrives after %v, want %v", i, when[i], want)
			}
		}
		there, back := l.Counts()
		if there != (Counts{Packets: 3, Octets: 2625}) || back != (Counts{}) {
			t.Errorf("counts %+v and %+v", there, back)
		}
	})
}

// Each router stores a packet before it passes it on.
func TestStoreAndForward(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, r1, r2 := n.Host("a"), n.Host("b"), n.Router("r1"), n.Router("r2")
		n.Link(a, r1, Rate(1*Mbit), Delay(10*ms))
		n.Link(r1, r2, Rate(2*Mbit), Delay(20*ms))
		n.Link(r2, b, Rate(4*Mbit), Delay(30*ms))
		_, when := arrivals(t, a, b, 1250, 1250)
		if want := 77500 * time.Microsecond; !near(when[0], want) || !near(when[1], want+10*ms) {
			t.Errorf("arrive after %v, want %v and 10 ms more", when, want)
		}
	})
}

func TestDirectionsDiffer(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, _ := twoHosts(n, Rate(1*Mbit), Delay(10*ms), Back(Rate(10*Mbit), Delay(5*ms)))
		_, there := arrivals(t, a, b, 1250)
		_, back := arrivals(t, b, a, 1250)
		if !near(there[0], 20*ms) || !near(back[0], 6*ms) {
			t.Errorf("%v there, %v back", there, back)
		}
	})
}

// The queue takes packets as long as all that wait, the one that is being sent and the new one fit.
func TestDropTail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		queue int
		want  []int
	}{
		{3000, []int{0, 1, 2}},
		{2999, []int{0, 1}},
		{1, []int{0}}, // an idle link takes every packet
	} {
		virtually(t, 1, func(t *testing.T, n *Net) {
			a, b, l := twoHosts(n, Rate(1*Mbit), Queue(c.queue))
			got, _ := arrivals(t, a, b, slices.Repeat([]int{1000}, 5)...)
			there, _ := l.Counts()
			if !slices.Equal(got, c.want) || there.Dropped != uint64(5-len(c.want)) {
				t.Errorf("a queue of %d lets through %v, and dropped %d", c.queue, got, there.Dropped)
			}
		})
	}
	virtually(t, 1, func(t *testing.T, n *Net) { // the default is 100 ms, and at least 64 KiB
		a, b, l := twoHosts(n, Rate(8*Mbit))
		got, _ := arrivals(t, a, b, slices.Repeat([]int{1000}, 200)...)
		l.Set(Rate(1 * Mbit))
		less, _ := arrivals(t, a, b, slices.Repeat([]int{1000}, 200)...)
		if len(got) != 100 || len(less) != 65 {
			t.Errorf("%d and %d packets", len(got), len(less))
		}
	})
}

func TestQueued(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, l := twoHosts(n, Rate(1*Mbit))
		c := dial(t, a, "udp", at(b, 9))
		for range 5 {
			c.Write(make([]byte, 972))
		}
		time.Sleep(12 * ms) // 8 ms each
		if there, _ := l.Counts(); there.Queued != 3500 {
			t.Errorf("%d octets are queued", there.Queued)
		}
	})
}

func TestLoss(t *testing.T) {
	t.Parallel()
	const count = 20000
	for _, share := range []float64{0, 0.01, 0.3, 1} {
		virtually(t, 7, func(t *testing.T, n *Net) {
			a, b, l := twoHosts(n, Loss(share), Rate(10*Mbit))
			var got int
			for range count / 100 {
				which, _ := arrivals(t, a, b, slices.Repeat([]int{100}, 100)...)
				got += len(which)
			}
			lost := float64(count-got) / count
			if deviation := 4 * math.Sqrt(share*(1-share)/count); math.Abs(lost-share) > deviation {
				t.Errorf("of a share of %v %v are lost", share, lost)
			}
			if there, _ := l.Counts(); there.Lost != uint64(count-got) || there.Dropped != 0 || there.Packets != count {
				t.Errorf("counts %+v, lost %d", there, count-got)
			}
		})
	}
}

// Jitter changes the time, by up to what it says, and never the order.
func TestJitter(t *testing.T) {
	t.Parallel()
	virtually(t, 3, func(t *testing.T, n *Net) {
		a, b, _ := twoHosts(n, Delay(100*ms), Jitter(50*ms))
		var least, most, sum time.Duration = time.Hour, 0, 0
		for range 300 {
			_, when := arrivals(t, a, b, 100)
			least, most, sum = min(least, when[0]), max(most, when[0]), sum+when[0]
		}
		if least < 100*ms || least > 102*ms || most < 148*ms || most > 151*ms || sum/300 < 120*ms || sum/300 > 130*ms {
			t.Errorf("from %v to %v, %v on average", least, most, sum/300)
		}
		which, _ := arrivals(t, a, b, slices.Repeat([]int{100}, 300)...)
		if !slices.IsSorted(which) || len(which) != 300 {
			t.Error("jitter changed the order")
		}
	})
}

// What is held up is overtaken.
func TestReorder(t *testing.T) {
	t.Parallel()
	virtually(t, 3, func(t *testing.T, n *Net) {
		a, b, _ := twoHosts(n, Rate(1*Mbit), Delay(100*ms), Reorder(0.1, 30*ms), Queue(1<<20))
		which, when := arrivals(t, a, b, slices.Repeat([]int{125}, 500)...)
		late := 0
		for i, k := range which {
			switch d := when[i] - time.Duration(k+1)*ms - 100*ms; {
			case near(d, 0):
			case near(d, 30*ms):
				late++
			default:
				t.Fatalf("packet %d is late by %v", k, d)
			}
		}
		if len(which) != 500 || slices.IsSorted(which) || late < 30 || late > 70 {
			t.Errorf("%d arrive, %d of them late", len(which), late)
		}
	})
}

func TestCutAndHeal(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, l := twoHosts(n, Delay(50*ms))
		to := listenPacket(t, b, ":9")
		from := dial(t, a, "udp", at(b, 9))
		send := func(text string) {
			if _, err := from.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		send("before")
		time.Sleep(20 * ms)
		l.Cut() // what is under way is lost
		time.Sleep(100 * ms)
		send("while")
		time.Sleep(100 * ms)
		l.Heal()
		send("after")
		buf := make([]byte, 99)
		if k, err := to.Read(buf); string(buf[:k]) != "after" || err != nil {
			t.Errorf("%q, %v", buf[:k], err)
		}
		if there, _ := l.Counts(); there.Lost != 2 {
			t.Errorf("%+v", there)
		}
	})
}

func TestPartition(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		r := n.Router("r")
		var hosts []*Host
		for i := range 4 {
			h := n.Host(fmt.Sprint("h", i))
			n.Link(h, r, Delay(ms))
			hosts = append(hosts, h)
		}
		n.Link(hosts[0], hosts[1], Delay(ms))
		reach := func() string {
			var b strings.Builder
			for _, from := range hosts {
				for _, to := range hosts {
					if got, _ := arrivals(t, from, to, 50); from != to {
						fmt.Fprint(&b, len(got))
					}
				}
				b.WriteByte(' ')
			}
			return b.String()
		}
		heal := n.Partition(hosts[0], hosts[1])
		if got := reach(); got != "100 100 001 001 " {
			t.Errorf("partitioned: %s", got)
		}
		other := n.Partition(hosts[2]) // both at once
		heal()
		heal() // once more changes nothing
		if got := reach(); got != "101 101 000 110 " {
			t.Errorf("the other partition: %s", got)
		}
		other()
		if got := reach(); got != "111 111 111 111 " {
			t.Errorf("healed: %s", got)
		}
	})
}

// A link can change while it is in use.
func TestSet(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		r := n.Router("r")
		a, b := n.Host("a"), n.Host("b")
		n.Link(a, r, Delay(10*ms))
		l := n.Link(r, b, Delay(100*ms))
		_, slow := arrivals(t, a, b, 100)
		l.Set(Delay(0), Rate(1*Mbit))
		_, fast := arrivals(t, a, b, 125)
		if !near(slow[0], 110*ms) || !near(fast[0], 11*ms) {
			t.Errorf("%v, then %v", slow, fast)
		}
	})
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(n *Net){
		"two machines with the name":     func(n *Net) { n.Host("a"); n.Router("a") },
		"is not the address of a host":   func(n *Net) { n.Host("a", "10.0.0.256") },
		`"127.0.0.1" is not the address`: func(n *Net) { n.Host("a", "127.0.0.1") },
		"joins two machines":             func(n *Net) { a := n.Host("a"); n.Link(a, a) },
		"of one network":                 func(n *Net) { m := New(2); defer m.Close(); n.Link(n.Host("a"), m.Host("b")) },
		"Rate(-1)":                       func(*Net) { Rate(-1) },
		"Delay(-1ns)":                    func(*Net) { Delay(-1) },
		"Loss(1.5)":                      func(*Net) { Loss(1.5) },
		"Reorder(":                       func(*Net) { Reorder(0.5, -1) },
		"Jitter(":                        func(*Net) { Jitter(-1) },
		"Queue(-1)":                      func(*Net) { Queue(-1) },
		"MTU(575)":                       func(*Net) { MTU(576); MTU(575) },
		"MTU(65536)":                     func(*Net) { MTU(65535); MTU(65536) },
		"more than 1048576 machines": func(n *Net) {
			inside(n, func() int { n.nodes = make([]*node, maxNodes-1); return 0 })
			defer func() { n.nodes = nil }()
			n.Host("last").Addr()
			n.Host("one too many")
		},
		"have the same address 10.1.1.1": func(n *Net) {
			a := n.Host("a", "10.1.1.1")
			n.Link(a, n.Host("b", "10.1.1.1"))
			_, _ = a.Dial(background, "udp", "10.1.1.1:9")
		},
		"translates IPv4": func(n *Net) { n.NAT("a", "fd00::1", NATBehavior{}) },
		`Forward("sctp")`: func(n *Net) {
			n.NAT("a", "192.0.2.1", NATBehavior{}).Forward("sctp", 1, netip.MustParseAddrPort("10.0.0.1:1"))
		},
	} {
		func() {
			n := New(1)
			defer n.Close()
			defer func() {
				if why, _ := recover().(string); !strings.Contains(why, name) {
					t.Errorf("%s: panics with %q", name, why)
				}
			}()
			do(n)
		}()
	}
}

// A change while something is on its way holds for it as soon as it gets there.
func TestSetWhileOnTheWay(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, r := n.Host("a"), n.Host("b"), n.Router("r")
		far1, far2 := n.Router("far1"), n.Router("far2")
		n.Link(far1, far2, Delay(time.Hour)) // most may be put off for long
		n.Link(a, r, Delay(10*ms))
		l := n.Link(r, b, Delay(100*ms))
		n.Link(a, far1, Delay(time.Hour))
		n.Link(r, n.Host("c"), Delay(time.Hour))
		time.AfterFunc(5*ms, func() { l.Set(Delay(0)) })
		if _, when := arrivals(t, a, b, 100); !near(when[0], 10*ms) {
			t.Errorf("arrives after %v", when)
		}
		l.Set(Delay(time.Hour))
		time.AfterFunc(5*ms, func() { n.Link(r, b) })
		time.AfterFunc(6*ms, func() { l.Set(Delay(20 * ms)) })
		if _, when := arrivals(t, a, b, 100); !near(when[0], 30*ms) {
			t.Errorf("arrives after %v", when)
		}
	})
}

// A writer whose peer never reads does not keep a bubble from noticing that nothing happens; nor do connections that
// nobody holds.
func TestNothingHappensForLong(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, _ := twoHosts(n, Delay(10*ms))
		c, _ := connected(t, a, b)
		d, _ := connected(t, a, b)
		go func() { _, _ = io.Copy(c, zeros{}) }()
		d.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = io.Copy(d, zeros{})
		d.Close() // with much that the peer has no room for
		time.Sleep(3 * 24 * time.Hour)
		if left := inside(n, func() int { return len(n.asleep) }); left == 0 || left > 3 {
			t.Errorf("%d connections sleep", left)
		}
		if left := inside(n, func() int { return len(a.streams) }); left != 1 {
			t.Errorf("%d streams, one of which somebody holds", left)
		}
	})
}

// The events of a network come in the order of their times and keys.
func TestEvents(t *testing.T) {
	t.Parallel()
	r := New(5).random(9, 9)
	for range 200 {
		var h events
		var want []event
		pop := func() {
			slices.SortFunc(want, func(a, b event) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.key, b.key)) })
			if got := h.pop(); got != want[0] {
				t.Fatalf("pop gives %v, want %v", got, want[0])
			}
			want = want[1:]
		}
		for range r.IntN(60) {
			e := event{at: Time(r.IntN(20)), key: uint64(r.IntN(5))}
			h.push(e)
			want = append(want, e)
			if r.IntN(3) == 0 {
				pop()
			}
		}
		for len(want) > 0 {
			pop()
		}
		if len(h) > 0 {
			t.Fatalf("%d are left", len(h))
		}
	}
}

// The network sleeps when nothing happens, and its time is the bubble's.
func TestADayCostsNothing(t *testing.T) {
	t.Parallel()
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, _ := twoHosts(n, Delay(10*ms))
		c, d := connected(t, a, b)
		time.Sleep(100 * 24 * time.Hour)
		if inside(n, func() int { return len(n.asleep) }) == 0 {
			t.Error("keep-alive goes on though nobody has said anything for 100 days")
		}
		if _, err := c.Write([]byte("still there?")); err != nil {
			t.Error(err)
		}
		buf := make([]byte, 99)
		if k, err := d.Read(buf); string(buf[:k]) != "still there?" || err != nil {
			t.Errorf("%q, %v", buf[:k], err)
		}
		time.Sleep(time.Second)
		b.Crash() // noticed by keep-alive again
		start := time.Now()
		if _, err := c.Read(buf); !os.IsTimeout(err) {
			t.Errorf("of a peer that has crashed: %v", err)
		}
		if took := time.Since(start); took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("noticed after %v", took)
		}
	})
}

// A goroutine that waits for what can never come is found by the bubble, keep-alive or not.
func TestABubbleNoticesThatNothingHappens(t *testing.T) {
	t.Parallel()
	defer func() {
		if why := fmt.Sprint(recover()); !strings.Contains(why, "deadlock") {
			t.Errorf("ends with %q", why)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		a, b, _ := twoHosts(n, Delay(10*ms))
		c, _ := connected(t, a, b)
		c.Read(make([]byte, 1))
	})
}

var _ net.Error = errTimeout{}
