package guard

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// v4 returns the n-th IPv4 address.
func v4(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

func admit(t *testing.T, g *Guard, client netip.Addr) (release func()) {
	t.Helper()
	release, err := g.Admit(client)
	if err != nil {
		t.Fatalf("Admit(%v): %v", client, err)
	}
	return release
}

func refused(t *testing.T, g *Guard, client netip.Addr, scope Scope) {
	t.Helper()
	release, err := g.Admit(client)
	var ce ConnectionsError
	if !errors.Is(err, ErrTooManyConnections) || !errors.As(err, &ce) || ce.Scope != scope || release != nil {
		t.Errorf("Admit(%v) = %v, want a refusal of scope %d", client, err, scope)
	}
}

func TestConnectionsInTotal(t *testing.T) {
	t.Parallel()
	g := New(Options{MaxConnections: 3, MaxPerClient: 3})
	first := admit(t, g, v4(1))
	admit(t, g, v4(2))
	admit(t, g, v4(3))
	refused(t, g, v4(4), Total)
	first()
	first() // a second release frees nothing
	admit(t, g, v4(4))
	refused(t, g, v4(1), Total)
	s := g.Snapshot()
	if s.Connections != 3 || s.Clients != 3 || s.RefusedTotal != 2 || s.RefusedClient != 0 {
		t.Errorf("%+v", s)
	}
}

func TestConnectionsOfAClient(t *testing.T) {
	t.Parallel()
	g := New(Options{MaxConnections: 100, MaxPerClient: 2})
	release := admit(t, g, v4(1))
	admit(t, g, v4(1))
	refused(t, g, v4(1), PerClient)
	admit(t, g, v4(2))
	release()
	release()
	admit(t, g, v4(1))
	refused(t, g, v4(1), PerClient)
	if s := g.Snapshot(); s.Connections != 3 || s.Clients != 2 || s.RefusedClient != 2 || s.RefusedTotal != 0 {
		t.Errorf("%+v", s)
	}
}

// Whoever has a /48 must not take all places by coming from each of its /64s.
func TestConnectionsOfANetwork(t *testing.T) {
	t.Parallel()
	v6 := func(net, sub int) netip.Addr {
		return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(net >> 8), byte(net), byte(sub >> 8), byte(sub), 15: 1})
	}
	g := New(Options{MaxConnections: 100, MaxPerClient: 2})
	var release func()
	for i := range 2 * NetworkShare { // at the limit, from as many clients
		release = admit(t, g, v6(1, i))
	}
	refused(t, g, v6(1, 0), PerClient)
	refused(t, g, v6(1, 999), PerClient)
	admit(t, g, v6(2, 0))
	release()
	release()
	admit(t, g, v6(1, 999))
	refused(t, g, v6(1, 998), PerClient)
	if s := g.Snapshot(); s.Connections != 2*NetworkShare+1 || s.Clients != 2*NetworkShare+1 || s.RefusedClient != 3 {
		t.Errorf("%+v", s)
	}
	if n := g.networks.len(); n != 2 {
		t.Errorf("%d networks are counted", n)
	}
	free := New(Options{MaxPerClient: 1, Exempt: []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}})
	for i := range 2 * NetworkShare {
		defer admit(t, free, v6(1, i))()
	}
}

func TestWhatIsOneClient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"fe80::1", "fe80::1%eth0", true},
		{"::", "0.0.0.0", false},
		{"::1", "0.0.0.0", false},
		{"::c000:201", "192.0.2.1", false},
	} {
		g := New(Options{MaxPerClient: 1})
		admit(t, g, addr(c.a))
		release, err := g.Admit(addr(c.b))
		if (err != nil) != c.same {
			t.Errorf("%s and %s: %v", c.a, c.b, err)
		}
		if err == nil {
			release()
		}
	}
	g := New(Options{MaxPerClient: 1})
	admit(t, g, netip.Addr{}) // no address is a client too
	refused(t, g, netip.Addr{}, PerClient)
}

func TestExempt(t *testing.T) {
	t.Parallel()
	g := New(Options{MaxConnections: 4, MaxPerClient: 1, Rate: 1, Burst: 1, Exempt: []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("::ffff:10.0.0.0/104"),
	}})
	for _, a := range []string{"127.0.0.1", "::ffff:127.0.0.1", "fe80::1%eth0", "10.1.2.3"} {
		one, two := admit(t, g, addr(a)), admit(t, g, addr(a))
		for range 3 {
			if !g.Allow(addr(a)) {
				t.Errorf("%s is not allowed a request", a)
			}
		}
		one()
		two()
	}
	admit(t, g, addr("128.0.0.1"))
	refused(t, g, addr("128.0.0.1"), PerClient)
	for range 3 {
		admit(t, g, addr("127.0.0.1"))
	}
	refused(t, g, addr("127.0.0.1"), Total) // the limit in total is for all
}

func TestSetLimits(t *testing.T) {
	t.Parallel()
	g := New(Options{MaxConnections: 10, MaxPerClient: 4})
	var releases []func()
	for range 4 {
		releases = append(releases, admit(t, g, v4(1)))
	}
	g.SetLimits(Options{MaxConnections: 2, MaxPerClient: 2})
	refused(t, g, v4(2), Total)
	releases[0]()
	releases[1]()
	releases[2]()
	admit(t, g, v4(1))
	refused(t, g, v4(1), Total)
	g.SetLimits(Options{MaxConnections: 3, MaxPerClient: 2})
	refused(t, g, v4(1), PerClient)
	admit(t, g, v4(2))
	g.SetLimits(Options{}) // the defaults
	for range DefaultMaxPerClient - 2 {
		admit(t, g, v4(1))
	}
	refused(t, g, v4(1), PerClient)
}

// Whatever comes and goes, the counts are those of a plain list.
func TestConnectionsModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 12).Draw(t, "total")
		perClient := rapid.IntRange(1, 5).Draw(t, "per client")
		g := New(Options{MaxConnections: most, MaxPerClient: perClient})
		type conn struct {
			client  int
			release func()
		}
		var open []conn
		count := map[int]int{}
		var total, client uint64
		t.Repeat(map[string]func(*rapid.T){
			"admit": func(t *rapid.T) {
				c := rapid.IntRange(0, 3).Draw(t, "client")
				release, err := g.Admit(v4(c))
				switch {
				case len(open) >= most:
					total++
					if err == nil {
						t.Fatalf("admitted one past the limit in total")
					}
				case count[c] >= perClient:
					client++
					if err == nil {
						t.Fatalf("admitted one past the limit of a client")
					}
				case err != nil:
					t.Fatalf("refused at %d of %d, %d of %d: %v", len(open), most, count[c], perClient, err)
				default:
					open = append(open, conn{c, release})
					count[c]++
				}
			},
			"release": func(t *rapid.T) {
				if len(open) == 0 {
					t.Skip("none is open")
				}
				i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
				for range rapid.IntRange(1, 2).Draw(t, "times") {
					open[i].release()
				}
				if count[open[i].client]--; count[open[i].client] == 0 {
					delete(count, open[i].client)
				}
				open = append(open[:i], open[i+1:]...)
			},
			"": func(t *rapid.T) {
				s := g.Snapshot()
				if s.Connections != len(open) || s.Clients != len(count) || s.RefusedTotal != total || s.RefusedClient != client {
					t.Fatalf("%+v, want %d connections of %d clients, refused %d and %d", s, len(open), len(count), total, client)
				}
			},
		})
	})
}

// Under concurrency no limit is ever passed, and nothing is left over.
func TestConnectionsAtOnce(t *testing.T) {
	t.Parallel()
	g := New(Options{MaxConnections: 8, MaxPerClient: 3})
	var mu sync.Mutex
	open, total := map[int]int{}, 0
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 500 {
				release, err := g.Admit(v4(i % 4))
				if err != nil {
					continue
				}
				mu.Lock()
				open[i%4]++
				total++
				if open[i%4] > 3 || total > 8 {
					t.Errorf("%d of a client and %d in total", open[i%4], total)
				}
				open[i%4]--
				total--
				mu.Unlock()
				release()
				release()
			}
		})
	}
	wg.Wait()
	if s := g.Snapshot(); s.Connections != 0 || s.Clients != 0 {
		t.Errorf("left over: %+v", s)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{Rate: 2, Burst: 3})
		allowed := func(client, want int) {
			t.Helper()
			n := 0
			for range 10 {
				if g.Allow(v4(client)) {
					n++
				}
			}
			if n != want {
				t.Errorf("%d requests allowed, want %d", n, want)
			}
		}
		allowed(1, 3)
		allowed(2, 3) // each client has its own
		time.Sleep(499 * time.Millisecond)
		allowed(1, 0)
		time.Sleep(time.Millisecond)
		allowed(1, 1)
		time.Sleep(time.Second)
		allowed(1, 2)
		time.Sleep(time.Hour)
		allowed(1, 3) // no more than the burst, however long it was quiet
		if s := g.Snapshot(); s.RefusedRate != 10*6-12 || s.RateClients != 2 {
			t.Errorf("%+v", s)
		}
		g.SetLimits(Options{Rate: 10, Burst: 5})
		time.Sleep(time.Second)
		allowed(1, 5)
		g.SetLimits(Options{Rate: 10, Burst: 2})
		allowed(1, 0)
		time.Sleep(100 * time.Millisecond)
		allowed(1, 1)
	})
}

// A new rate gives back at its own pace what was used up under the old one; a table of another size begins anew.
func TestRateChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{Rate: 1, Burst: 10})
		for g.Allow(v4(1)) {
			continue
		}
		left := func(want int) {
			t.Helper()
			n := 0
			for ; n < 1000 && g.Allow(v4(1)); n++ {
				continue
			}
			if n != want {
				t.Errorf("%d requests are left, want %d", n, want)
			}
		}
		g.SetLimits(Options{Rate: 4, Burst: 10})
		left(0)
		time.Sleep(time.Second)
		left(4)
		g.SetLimits(Options{Rate: 0.5, Burst: 10})
		time.Sleep(3 * time.Second)
		left(1)
		g.SetLimits(Options{Rate: 0.5, Burst: 10, MaxClients: 64})
		left(10)
		g.SetLimits(Options{Rate: 1e-12, Burst: 1 << 40}) // neither overflows
		left(1000)
		g.SetLimits(Options{Rate: 1e12, Burst: 1})
		left(0)
		time.Sleep(time.Nanosecond)
		left(1)
	})
}

// A clock reading that is older than the last does no harm.
func TestAllowAt(t *testing.T) {
	t.Parallel()
	g, now := New(Options{Rate: 1, Burst: 3}), time.Now()
	for i, c := range []struct {
		after time.Duration
		want  bool
	}{
		{0, true}, {-time.Millisecond, true}, {0, true}, {0, false}, {999 * time.Millisecond, false},
		{time.Second, true}, {time.Second, false},
	} {
		if got := g.AllowAt(v4(1), now.Add(c.after)); got != c.want {
			t.Errorf("%d: after %v: %v", i, c.after, got)
		}
	}
}

// checkInBubble is rapid.Check for a test inside synctest, where the clock from
// which rapid takes its seed always starts at the same time.
func checkInBubble(t *testing.T, property func(*rapid.T)) {
	time.Sleep(rand.N(time.Hour))
	rapid.Check(struct{ rapid.TB }{t}, property) // bare, rapid asks for a deadline, which a bubble has not
}

// In any stretch of time a client gets at most the burst and what the rate
// gives in that time, and a client that keeps to the rate is never refused.
func TestRateModel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		checkInBubble(t, func(t *rapid.T) {
			rate := rapid.Float64Range(1, 50).Draw(t, "rate")
			burst := rapid.IntRange(1, 20).Draw(t, "burst")
			g := New(Options{Rate: rate, Burst: burst})
			var times []time.Time
			for _, ms := range rapid.SliceOfN(rapid.IntRange(0, 400), 1, 80).Draw(t, "pauses in ms") {
				time.Sleep(time.Duration(ms) * time.Millisecond)
				if g.Allow(v4(1)) {
					times = append(times, time.Now())
				}
			}
			for i := range times {
				for j := i; j < len(times); j++ {
					if most := float64(burst) + rate*times[j].Sub(times[i]).Seconds() + 1e-6; float64(j-i+1) > most {
						t.Fatalf("%d requests in %v", j-i+1, times[j].Sub(times[i]))
					}
				}
			}
			period := time.Duration(float64(time.Second)/rate) + time.Nanosecond
			for i := range 50 {
				if !g.Allow(v4(2)) {
					t.Fatalf("refused request %d at the rate", i)
				}
				time.Sleep(period)
			}
		})
	})
}

func TestTableIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{MaxClients: 200, MaxUsers: 100, Rate: 1, Burst: 5})
		for i := range 5000 {
			g.Allow(v4(i))
			g.Failed(v4(i), v4(i).String())
			if s := g.Snapshot(); s.RateClients > 200 || s.FailedClients > 200 || s.FailedUsers > 100 {
				t.Fatalf("after %d clients: %+v", i+1, s)
			}
		}
		if s := g.Snapshot(); s.RateClients < 150 || s.FailedClients < 150 || s.FailedUsers < 75 {
			t.Errorf("the tables are not made use of: %+v", s)
		}
		for i := range 5000 {
			g.Succeeded(v4(i), v4(i).String())
		}
		if n := len(g.known.users); n != 100 {
			t.Errorf("%d known users", n)
		}
		// What is smaller now shrinks with use, down to one for each shard.
		g.SetLimits(Options{MaxClients: 1, MaxUsers: 1, Rate: 1, Burst: 5})
		for i := range 5000 {
			g.Allow(v4(10_000 + i))
			g.Failed(v4(10_000+i), "x")
		}
		if s := g.Snapshot(); s.RateClients > shards || s.FailedClients > shards {
			t.Errorf("after a smaller limit: %+v", s)
		}
	})
}

// Buckets that have filled up again take no room from those that have not.
func TestFullBucketsGoFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{MaxClients: 1024, Rate: 1, Burst: 10})
		for g.Allow(v4(0)) {
			continue
		}
		for i := range 100_000 {
			g.Allow(v4(1 + i))
		}
		if g.Allow(v4(0)) {
			t.Error("many quiet clients made one forget that it had used up its rate")
		}
	})
}

func BenchmarkAdmit(b *testing.B) {
	g := New(Options{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			release, err := g.Admit(v4(1))
			if err != nil {
				b.Fatal(err)
			}
			release()
		}
	})
}

func BenchmarkAdmitRefused(b *testing.B) {
	g := New(Options{MaxPerClient: 1})
	if _, err := g.Admit(v4(1)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Admit(v4(1)); err == nil {
			b.Fatal("admitted")
		}
	}
}

func BenchmarkAllow(b *testing.B) {
	g := New(Options{})
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		g.Allow(v4(i & 1023))
		i++
	}
}

// BenchmarkAllowAt is what a server pays for each query that knows the time, with as many goroutines as processors.
func BenchmarkAllowAt(b *testing.B) {
	g, now := New(Options{Exempt: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}), time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			g.AllowAt(v4(i&1023), now)
		}
	})
}

func BenchmarkAllowFullTable(b *testing.B) {
	g := New(Options{Rate: 0.001})
	for i := range 2 * DefaultMaxClients {
		g.Allow(v4(i))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		g.Allow(v4(1<<20 + i))
		i++
	}
}
