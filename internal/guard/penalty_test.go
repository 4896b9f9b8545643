package guard

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// The shape of the delays: three failures are free, then one second, doubled
// with each further one, up to the limit.
func TestPenaltyGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{HalfLife: 365 * 24 * time.Hour})
		want := []time.Duration{0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 120, 120}
		for i, seconds := range want {
			g.Failed(v4(1), "alice")
			p := g.Penalty(v4(1), "alice")
			if p != seconds*time.Second {
				t.Fatalf("after %d failures %v, want %d s", i+1, p, seconds)
			}
			time.Sleep(p) // who waits it out may try again at once
			if p := g.Penalty(v4(1), "alice"); p != 0 {
				t.Fatalf("%v is left after waiting", p)
			}
		}
		if s := g.Snapshot(); s.Failed != uint64(len(want)) || s.FailedClients != 1 || s.FailedUsers != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// Failures are forgotten: half of them in a half-life.
func TestPenaltyDecays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{HalfLife: time.Minute})
		for range 8 {
			g.Failed(v4(1), "alice")
		}
		time.Sleep(time.Minute) // 8 are 4 now
		g.Failed(v4(1), "alice")
		if p := g.Penalty(v4(1), "alice"); p != 2*time.Second {
			t.Errorf("the fifth failure costs %v", p)
		}
		time.Sleep(20 * time.Minute)
		for range 3 {
			g.Failed(v4(1), "alice")
		}
		if p := g.Penalty(v4(1), "alice"); p != 0 {
			t.Errorf("after a long time three failures cost %v", p)
		}
	})
}

// Attempts made at the same time do not share one delay: each adds its own.
func TestPenaltyOfParallelAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{})
		for range 6 {
			g.Failed(v4(1), "alice")
		}
		if p := g.Penalty(v4(1), "bob"); p != (1+2+4)*time.Second {
			t.Errorf("six failures at once cost %v", p)
		}
		for range 100 {
			g.Failed(v4(1), "alice")
		}
		if p := g.Penalty(v4(1), "bob"); p != DefaultMaxPenalty {
			t.Errorf("a hundred cost %v", p)
		}
	})
}

// Whatever an attacker does from elsewhere, a user waits for seconds at most.
func TestUserIsNotLockedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{})
		for i := range 10_000 {
			g.Failed(v4(i), "alice")
		}
		if p := g.Penalty(addr("192.0.2.1"), "alice"); p != DefaultMaxUserPenalty {
			t.Errorf("from a new place alice waits %v, want %v", p, DefaultMaxUserPenalty)
		}
		if p := g.Penalty(addr("192.0.2.1"), "bob"); p != 0 {
			t.Errorf("bob waits %v", p)
		}
		// Once she has been in, not even that.
		g.Succeeded(addr("192.0.2.1"), "Alice")
		if p := g.Penalty(addr("192.0.2.1"), "ALICE"); p != 0 {
			t.Errorf("from where she has signed in alice waits %v", p)
		}
		if p := g.Penalty(addr("192.0.2.2"), "alice"); p == 0 {
			t.Error("success from one place lifts the delay elsewhere")
		}
	})
}

// A client that is known for one user may not guess at others, nor without end
// at that one, and its owner's success does not help.
func TestKnownClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{})
		g.Succeeded(v4(1), "mallory")
		for range 8 {
			g.Failed(v4(1), "alice")
			g.Succeeded(v4(1), "mallory")
		}
		if p := g.Penalty(v4(1), "alice"); p < 30*time.Second {
			t.Errorf("guesses between own successes cost %v", p)
		}
		if p := g.Penalty(v4(1), "mallory"); p != 0 {
			t.Errorf("mallory waits %v", p)
		}
		for range 8 {
			g.Failed(v4(1), "mallory")
			g.Succeeded(v4(1), "mallory")
		}
		if p := g.Penalty(v4(1), "mallory"); p < 30*time.Second {
			t.Errorf("guesses at a user who signs in from the same place cost %v", p)
		}
		if p := g.Penalty(v4(2), "mallory"); p != 0 {
			t.Errorf("elsewhere mallory waits %v", p)
		}
	})
}

func TestMaxKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{MaxKnown: 2})
		for range 10 {
			g.Failed(v4(9), "alice")
		}
		is := func(client int, known bool) {
			t.Helper()
			if p := g.Penalty(v4(client), "alice"); (p == 0) != known {
				t.Errorf("client %d waits %v", client, p)
			}
		}
		for _, c := range []int{1, 2, 1, 3} { // 2 has not been seen for longest
			g.Succeeded(v4(c), "alice")
			time.Sleep(time.Millisecond)
		}
		is(1, true)
		is(2, false)
		is(3, true)
		is(9, false)
		g.SetLimits(Options{MaxKnown: 1})
		g.Succeeded(v4(4), "alice")
		is(4, true)
		is(3, false)
		is(1, false)
	})
}

// An attacker cannot make a penalty be forgotten by failing once from each of
// many addresses.
func TestPenaltyIsNotPushedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{MaxClients: 1024, MaxUsers: 1024})
		for range 10 {
			g.Failed(v4(0), "alice")
		}
		for i := range 50_000 {
			g.Failed(v4(1+i), v4(i).String())
		}
		if p := g.Penalty(v4(0), "bob"); p != DefaultMaxPenalty {
			t.Errorf("the client waits %v after a flood", p)
		}
		if p := g.Penalty(v4(1<<20), "alice"); p != DefaultMaxUserPenalty {
			t.Errorf("attempts on the name wait %v after a flood", p)
		}
	})
}

// Nor does it help to wait until the failures are forgotten, when the delay is
// longer than that takes.
func TestPendingPenaltyIsNotPushedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{MaxClients: 64 * sample, HalfLife: time.Second, Penalty: time.Minute})
		for range 4 {
			g.Failed(v4(0), "alice")
		}
		time.Sleep(30 * time.Second)
		for i := range 5000 {
			g.Failed(v4(1+i), v4(i).String())
		}
		if p := g.Penalty(v4(0), "bob"); p != 30*time.Second {
			t.Errorf("the client waits %v after a flood", p)
		}
	})
}

// What no longer matters leaves several at a time.
func TestForgottenRecordsLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{MaxClients: 1024})
		for i := range 5000 {
			g.Failed(v4(i), "alice")
		}
		full := g.Snapshot().FailedClients
		time.Sleep(24 * time.Hour)
		for i := range 128 {
			g.Failed(v4(1<<20+i), "alice")
		}
		if n := g.Snapshot().FailedClients; n > full*3/4 {
			t.Errorf("%d of %d are left", n, full)
		}
	})
}

func TestLongAndOddNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{})
		for _, name := range []string{"", "\x00\xff", strings.Repeat("x", 1<<20), "ÅLICE", "\xc3"} {
			for i := range 5 {
				g.Failed(v4(i), name)
			}
			if p := g.Penalty(v4(9), name); p != 3*time.Second {
				t.Errorf("%.10q: %v", name, p)
			}
		}
		if g.Penalty(v4(9), "ålice") == 0 {
			t.Error("case makes another name")
		}
	})
}

func TestLimitsOfPenalties(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{FreeFailures: 1, Penalty: time.Minute, MaxPenalty: 90 * time.Second, MaxUserPenalty: 10 * time.Second})
		g.Failed(v4(1), "alice")
		if p := g.Penalty(v4(1), "alice"); p != 0 {
			t.Errorf("the free failure costs %v", p)
		}
		g.Failed(v4(1), "alice")
		if p := g.Penalty(v4(1), "alice"); p != time.Minute {
			t.Errorf("one past it costs %v", p)
		}
		if p := g.Penalty(v4(2), "alice"); p != 10*time.Second {
			t.Errorf("the name waits %v", p)
		}
		g.Failed(v4(1), "alice")
		if p := g.Penalty(v4(1), "alice"); p != 90*time.Second {
			t.Errorf("past the limit %v", p)
		}
		// A lower limit is lower at once.
		g.SetLimits(Options{MaxPenalty: 3 * time.Second, MaxUserPenalty: time.Second})
		if p, q := g.Penalty(v4(1), "alice"), g.Penalty(v4(2), "alice"); p != 3*time.Second || q != time.Second {
			t.Errorf("after lower limits %v and %v", p, q)
		}
		// No overflow, however high the count and the limits.
		g = New(Options{Penalty: math.MaxInt64 / 2, MaxPenalty: math.MaxInt64 / 2})
		for range 200 {
			g.Failed(v4(1), "alice")
		}
		if p := g.Penalty(v4(1), "alice"); p <= 0 || p > math.MaxInt64/2 {
			t.Errorf("overflow: %v", p)
		}
	})
}

// Properties that hold for any course of events.
func TestPenaltyModel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		checkInBubble(t, func(t *rapid.T) {
			g := New(Options{MaxPenalty: time.Minute, MaxUserPenalty: 4 * time.Second})
			users := []string{"alice", "bob", "carol"}
			failedClient, failedUser := map[int]bool{}, map[string]bool{}
			known := map[int]map[string]bool{}
			last := map[int]bool{} // clients that failed as a stranger
			pick := func(t *rapid.T) (int, string) {
				return rapid.IntRange(0, 3).Draw(t, "client"), rapid.SampledFrom(users).Draw(t, "user")
			}
			t.Repeat(map[string]func(*rapid.T){
				"fail": func(t *rapid.T) {
					c, u := pick(t)
					before := g.Penalty(v4(c), u)
					g.Failed(v4(c), u)
					if after := g.Penalty(v4(c), u); after < before {
						t.Fatalf("a failure shortens the delay from %v to %v", before, after)
					}
					failedUser[u] = true
					if !known[c][u] {
						failedClient[c], last[c] = true, true
					}
				},
				"succeed": func(t *rapid.T) {
					c, u := pick(t)
					g.Succeeded(v4(c), u)
					if known[c] == nil {
						known[c] = map[string]bool{}
					}
					known[c][u] = true
				},
				"wait": func(t *rapid.T) {
					c, u := pick(t)
					before := g.Penalty(v4(c), u)
					d := time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond
					time.Sleep(d)
					if after := g.Penalty(v4(c), u); after != max(0, before-d) {
						t.Fatalf("%v after %v of %v", after, d, before)
					}
				},
				"": func(t *rapid.T) {
					for c := range 5 {
						for _, u := range append(users, "nobody") {
							p := g.Penalty(v4(c), u)
							switch {
							case p < 0 || p > time.Minute:
								t.Fatalf("a delay of %v", p)
							case p > 4*time.Second && !failedClient[c] && !known[c][u]:
								t.Fatalf("client %d, which has not failed, waits %v", c, p)
							case p > 0 && !failedClient[c] && !failedUser[u]:
								t.Fatalf("client %d and %s, who have not failed, wait %v", c, u, p)
							}
						}
					}
				},
			})
		})
	})
}
