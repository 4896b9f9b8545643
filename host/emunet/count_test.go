//go:build !race

package emunet

// These tests count for minutes of the network's time what moves, which would take minutes of ours with the race
// detector, and show it nothing that others have not.

import (
	"fmt"
	"io"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// bulk runs flows over one bottleneck, and gives the octets that each has moved in the time after a while to settle.
func bulk(t *testing.T, seed uint64, flows int, settle, run time.Duration, bottleneck ...LinkOption) []float64 {
	moved := make([]float64, flows)
	virtually(t, seed, func(t *testing.T, n *Net) {
		left, right := n.Router("left"), n.Router("right")
		n.Link(left, right, bottleneck...)
		start := time.Now()
		for i := range flows {
			a, b := n.Host(fmt.Sprint("a", i)), n.Host(fmt.Sprint("b", i))
			n.Link(a, left, Rate(100*Mbit), Delay(ms))
			n.Link(b, right, Rate(100*Mbit), Delay(ms))
			c, d := connected(t, a, b)
			go func() { _, _ = io.Copy(c, zeros{}) }()
			go func() {
				buf := make([]byte, 64<<10)
				for {
					k, err := d.Read(buf)
					if err != nil {
						return
					}
					if time.Since(start) > settle {
						moved[i] += float64(k)
					}
				}
			}()
		}
		time.Sleep(settle + run - time.Since(start))
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
	return moved
}

// Flows that share a bottleneck get equal shares of it, and use it up.
func TestFairShares(t *testing.T) {
	t.Parallel()
	const rate = 10 * Mbit
	for flows, run := range map[int]time.Duration{2: 4 * time.Minute, 10: 10 * time.Minute} {
		moved := bulk(t, 1, flows, time.Minute, run, Rate(rate), Delay(23*ms))
		var sum, worst float64
		for _, m := range moved {
			sum += m
		}
		for _, m := range moved {
			worst = max(worst, math.Abs(m*float64(flows)/sum-1))
		}
		used := sum / mss * (mss + headers) * 8 / run.Seconds() / float64(rate)
		t.Logf("%d flows: the share farthest from the fair one is off by %.1f %%; the bottleneck is used to %.1f %%", flows, 100*worst, 100*used)
		if worst > 0.05 || used < 0.99 || used > 1.001 {
			t.Errorf("%d flows: off by %.1f %%, used to %.1f %%", flows, 100*worst, 100*used)
		}
	}
}

// Loss slows a flow down as the square-root law says: MSS/RTT * sqrt(3/2)/sqrt(p) (Mathis, Semke, Mahdavi, Ott 1997).
func TestSquareRootLaw(t *testing.T) {
	t.Parallel()
	const run, rtt = 10 * time.Minute, 100 * ms
	for _, p := range []float64{0.0025, 0.01} {
		moved := bulk(t, 1, 1, 10*time.Second, run, Delay(rtt/2-2*ms), Loss(p), Back(Loss(0)))
		rate := moved[0] / run.Seconds()
		law := mss / rtt.Seconds() * math.Sqrt(1.5/p)
		t.Logf("loss of %.2f %%: %.0f octets/s, %.2f times the law", 100*p, rate, rate/law)
		if math.Abs(rate/law-1) > 0.2 {
			t.Errorf("loss of %v: %.0f octets/s, the law says %.0f", p, rate, law)
		}
	}
}
