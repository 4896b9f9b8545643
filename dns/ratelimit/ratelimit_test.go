package ratelimit

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	start  = time.Unix(1_800_000_000, 0)
	victim = netip.MustParseAddr("192.0.2.7")
	seed   = [2]uint64{0x0123456789abcdef, 0xfedcba9876543210}
)

func limiter(t testing.TB, opts Options) *Limiter {
	t.Helper()
	l, err := New(opts, seed)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// tally counts verdicts.
type tally [3]int

// flood asks n times, evenly over a time, and gives the time when it ended.
func flood(l *Limiter, from time.Time, over time.Duration, n int, client netip.Addr, c Class, key uint64) (tally, time.Time) {
	var got tally
	for i := range n {
		got[l.Decide(from.Add(over*time.Duration(i)/time.Duration(n)), client, c, key)]++
	}
	return got, from.Add(over)
}

// TestRate: at the rate nothing is limited, however long; one more in the
// first second is.
func TestRate(t *testing.T) {
	t.Parallel()
	l := limiter(t, Options{Rate: 10})
	if got, _ := flood(l, start, time.Minute, 600, victim, Positive, 1); got != (tally{600, 0, 0}) {
		t.Errorf("ten a second: %v", got)
	}
	l = limiter(t, Options{Rate: 10})
	if got, _ := flood(l, start, 0, 10, victim, Positive, 1); got != (tally{10, 0, 0}) {
		t.Errorf("ten at once: %v", got)
	}
	if v := l.Decide(start, victim, Positive, 1); v != Slip {
		t.Errorf("the eleventh: %v", v)
	}
	if v := l.Decide(start, victim, Positive, 1); v != Drop {
		t.Errorf("the twelfth: %v", v)
	}
	// In debt by two: 300 ms earn three.
	if v := l.Decide(start.Add(299*time.Millisecond), victim, Positive, 1); v == Send {
		t.Error("sent before the debt was paid")
	}
	l = limiter(t, Options{Rate: 10})
	flood(l, start, 0, 12, victim, Positive, 1)
	if v := l.Decide(start.Add(300*time.Millisecond), victim, Positive, 1); v != Send {
		t.Errorf("after the debt was paid: %v", v)
	}
}

// TestWindow: after a flood the client must be silent for the window, and not
// longer.
func TestWindow(t *testing.T) {
	t.Parallel()
	for _, window := range []time.Duration{time.Second, 15 * time.Second, time.Hour} {
		after := func(silence time.Duration) Verdict {
			l := limiter(t, Options{Rate: 100, Total: 1000, Window: window})
			// Long enough that the debt is as deep as it gets.
			_, end := flood(l, start, window, 220*int(window/time.Second)+1000, victim, Positive, 1)
			return l.Decide(end.Add(silence), victim, Positive, 1)
		}
		if v := after(window - time.Millisecond); v == Send {
			t.Errorf("%v: served before", window)
		}
		if v := after(window + 11*time.Millisecond); v != Send {
			t.Errorf("%v: %v after it", window, v)
		}
	}
}

func TestSlip(t *testing.T) {
	t.Parallel()
	for slip, want := range map[int]tally{
		NoSlip: {1, 0, 600}, 0: {1, 300, 300}, 1: {1, 600, 0}, 2: {1, 300, 300}, 3: {1, 200, 400}, MaxSlip: {1, 60, 540},
	} {
		for _, class := range []Class{Positive, Synthesized, NXDomain, NoData, Referral} {
			l := limiter(t, Options{Rate: 1, Total: 1000, Slip: slip})
			if got, _ := flood(l, start, 0, 601, victim, class, 1); got != want {
				t.Errorf("slip %d, class %d: %v, want %v", slip, class, got, want)
			}
		}
		l := limiter(t, Options{Rate: 1, Slip: slip})
		if got, _ := flood(l, start, 0, 601, victim, Error, 1); got != (tally{1, 0, 600}) {
			t.Errorf("slip %d, errors: %v", slip, got)
		}
	}
	// The first limited response is truncated, also after a while of peace.
	l := limiter(t, Options{Rate: 1, Slip: 10})
	for i := range 3 {
		if got, _ := flood(l, start.Add(time.Duration(i)*time.Minute), 0, 4, victim, Positive, 1); got != (tally{1, 1, 2}) {
			t.Errorf("after %d minutes: %v", i, got)
		}
	}
}

// TestWhatIsOneClient: the network, not the address; and IPv4 in the form of
// IPv6 is IPv4.
func TestWhatIsOneClient(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.0", "192.0.2.255", true},
		{"192.0.2.1", "192.0.3.1", false},
		{"192.0.2.1", "::ffff:192.0.2.9", true},
		{"2001:db8:0:100::1", "2001:db8:0:1ff:ffff::1", true},
		{"2001:db8:0:100::1", "2001:db8:0:200::1", false},
		{"0.0.2.0", "::", false},
		{"0.0.0.0", "::", false},
		{"192.0.2.1", "0:ffff:c000:200::1", false}, // the same octets in other places
	} {
		l := limiter(t, Options{Rate: 1})
		l.Decide(start, netip.MustParseAddr(tt.a), Positive, 1)
		if v := l.Decide(start, netip.MustParseAddr(tt.b), Positive, 1); (v != Send) != tt.same {
			t.Errorf("%s and %s: %v", tt.a, tt.b, v)
		}
	}
}

// TestKindsCountApart: a flood of one kind leaves the others alone.
func TestKindsCountApart(t *testing.T) {
	t.Parallel()
	l := limiter(t, Options{Rate: 5})
	flood(l, start, 0, 10_000, victim, Positive, 1)
	for c := range classes {
		if v := l.Decide(start, victim, c, 2); v != Send {
			t.Errorf("class %d, another key: %v", c, v)
		}
		if v := l.Decide(start, victim, c, 1); (v == Send) != (c != Positive) {
			t.Errorf("class %d, the same key: %v", c, v)
		}
	}
}

func TestClassesMayHaveTheirOwnRate(t *testing.T) {
	t.Parallel()
	l := limiter(t, Options{Rate: 5, Classes: map[Class]int{Error: 2, NXDomain: 9}})
	for class, want := range map[Class]int{Positive: 5, Error: 2, NXDomain: 9, NoData: 5, Referral: 5} {
		if got, _ := flood(l, start, 0, 20, victim, class, 7); got[Send] != want {
			t.Errorf("class %d: %v, want %d", class, got, want)
		}
	}
}

// TestTotal: a flood for all names of a zone is limited as well, and its end
// is as that of any other.
func TestTotal(t *testing.T) {
	t.Parallel()
	l := limiter(t, Options{Rate: 10})
	var got tally
	for i := range 10_000 {
		got[l.Decide(start, victim, Positive, uint64(i))]++
	}
	if got[Send] != 100 || got[Slip] != 9_900/2 {
		t.Errorf("%v", got)
	}
	l = limiter(t, Options{Rate: 10, Total: 30})
	got = tally{}
	for i := range 100 {
		got[l.Decide(start, victim, Positive, uint64(i))]++
	}
	if got[Send] != 30 {
		t.Errorf("%v", got)
	}
}

// TestFloodOfOneNetwork: whatever is forged, what goes to the victim is
// bounded, in responses and in octets; clients elsewhere notice nothing.
func TestFloodOfOneNetwork(t *testing.T) {
	t.Parallel()
	l := limiter(t, Options{})
	rng := rand.New(rand.NewPCG(1, 2))
	var toVictim, toOthers tally
	const seconds, perSecond = 20, 50_000
	for i := range seconds * perSecond {
		now := start.Add(time.Duration(i) * time.Second / perSecond)
		forged := netip.AddrFrom4([4]byte{192, 0, 2, byte(rng.Uint32())})
		toVictim[l.Decide(now, forged, Positive, 1)]++
		if i%100 == 0 { // 500 a second from as many networks
			other := netip.AddrFrom4([4]byte{198, 51, byte(rng.Uint32()), byte(rng.Uint32())})
			toOthers[l.Decide(now, other, Positive, 1)]++
		}
	}
	// One second's credit, and what is earned until the debt is reached.
	if most := 2 * DefaultRate; toVictim[Send] > most {
		t.Errorf("to the victim: %v; at most %d are to be sent", toVictim, most)
	}
	if limited := toVictim[Slip] + toVictim[Drop]; toVictim[Slip] != (limited+1)/2 {
		t.Errorf("to the victim: %v", toVictim)
	}
	if toOthers[Slip]+toOthers[Drop] != 0 {
		t.Errorf("to others: %v", toOthers)
	}
}

// TestFloodOfManyNetworks: addresses at random fill the table many times over.
// Who is in debt stays so, and an innocent client is hardly ever limited.
func TestFloodOfManyNetworks(t *testing.T) {
	t.Parallel()
	l := limiter(t, Options{Buckets: 1 << 12})
	rng := rand.New(rand.NewPCG(3, 4))
	flood(l, start, time.Second, 100_000, victim, Positive, 1)
	now := start.Add(time.Second)
	var noise, innocent, guilty tally
	for i := range 400_000 {
		now = now.Add(10 * time.Microsecond)
		from := netip.AddrFrom4([4]byte{byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32()), 1})
		noise[l.Decide(now, from, Positive, rng.Uint64())]++
		if i%4000 == 0 {
			innocent[l.Decide(now, netip.AddrFrom4([4]byte{198, 51, 100, 1}), Positive, 2)]++
			guilty[l.Decide(now, victim, Positive, 1)]++
		}
	}
	if guilty[Send] != 0 {
		t.Errorf("the account in debt was pushed out: %v", guilty)
	}
	if innocent[Drop] > 0 || noise[Slip]+noise[Drop] > 20 {
		t.Errorf("innocent %v, noise %v", innocent, noise)
	}
}

// TestCollision: two accounts that cannot be told apart share one. The innocent
// client gets a truncated response first, not silence.
func TestCollision(t *testing.T) {
	t.Parallel()
	l := limiter(t, Options{Rate: 5, Buckets: MinBuckets})
	place := func(key uint64) [2]uint64 {
		h := l.hash(addressOf(victim).network(), Positive, key)
		return [2]uint64{h & uint64(len(l.sets)-1), h >> tagShift}
	}
	other := uint64(2)
	for place(other) != place(1) {
		other++ // some ten million keys
	}
	flood(l, start, 0, 5, victim, Positive, 1)
	if v := l.Decide(start, victim, Positive, other); v != Slip {
		t.Errorf("%v", v)
	}
	if v := l.Decide(start.Add(401*time.Millisecond), victim, Positive, other); v != Send {
		t.Errorf("later: %v", v)
	}
}

func TestExempt(t *testing.T) {
	t.Parallel()
	l := limiter(t, Options{Rate: 1, Exempt: []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("2001:db8:1::5/48"),
		netip.MustParsePrefix("2001:db8:9:9:1::/65"), netip.MustParsePrefix("198.51.100.1/32"),
	}})
	for client, want := range map[string]bool{
		"127.0.0.1": true, "127.255.255.255": true, "::ffff:127.0.0.1": true, "::1": true, "2001:db8:1:ffff::1": true,
		"2001:db8:9:9:7fff::": true, "2001:db8:9:9:8000::": false, "2001:db8:9:8:1::": false, "198.51.100.1": true, "198.51.100.0": false,
		"128.0.0.0": false, "126.255.255.255": false, "::2": false, "2001:db8:2::1": false,
	} {
		a := netip.MustParseAddr(client)
		if l.Exempt(a) != want {
			t.Errorf("%s is exempt: %v", client, !want)
		}
		got, _ := flood(l, start, 0, 100, a, Positive, 1)
		if (got[Send] == 100) != want {
			t.Errorf("%s: %v", client, got)
		}
	}
}

func TestExemptPrefixesOfEveryLength(t *testing.T) {
	t.Parallel()
	for bits := range 129 {
		p := netip.PrefixFrom(netip.MustParseAddr("2001:db8:1:2:3:4:5:6"), bits)
		l := limiter(t, Options{Exempt: []netip.Prefix{p}})
		b := p.Addr().As16()
		if !l.Exempt(p.Addr()) {
			t.Errorf("%v lacks its own address", p)
		}
		for flip := range 128 {
			other := b
			other[flip/8] ^= 0x80 >> (flip % 8)
			if a := netip.AddrFrom16(other); l.Exempt(a) != p.Contains(a) {
				t.Errorf("%v has %v: %v", p, a, l.Exempt(a))
			}
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	l := limiter(t, Options{})
	names := []string{
		"", "\x00", "\x01a\x00", "\x03www\x07example\x04test\x00", "\x03wwx\x07example\x04test\x00",
		"\x03www\x07example\x04tesu\x00", "\x04xwww\x07example\x04test\x00", strings.Repeat("\x01a", 127) + "\x00",
	}
	seen := map[uint64]string{}
	for _, n := range names {
		k := l.Key(n)
		if other, ok := seen[k]; ok {
			t.Errorf("%q and %q", n, other)
		}
		seen[k] = n
		if l.Key(strings.ToUpper(n)) != k || l.KeyBytes([]byte(n)) != k {
			t.Errorf("%q: case counts, or what holds it", n)
		}
	}
	another, err := New(Options{}, [2]uint64{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	if another.Key(names[3]) == l.Key(names[3]) {
		t.Error("the seed does not count")
	}
}

// TestHashSpreads: accounts fill the sets evenly, whatever differs.
func TestHashSpreads(t *testing.T) {
	t.Parallel()
	l := limiter(t, Options{Buckets: 1 << 12}) // 512 sets
	const n = 1 << 16
	for what, hash := range map[string]func(i uint64) uint64{
		"keys":      func(i uint64) uint64 { return l.hash(1, Positive, i) },
		"networks":  func(i uint64) uint64 { return l.hash(i<<8, Positive, 1) },
		"networks6": func(i uint64) uint64 { return l.hash(i<<40|6, NXDomain, 1) },
		"names": func(i uint64) uint64 {
			return l.hash(1, Positive, l.Key("\x08"+string(binary.BigEndian.AppendUint64(nil, i))+"\x04test\x00"))
		},
	} {
		var sets [512]int
		tags := map[uint64]int{}
		for i := range uint64(n) {
			if what == "names" {
				i = i&7 | i>>3&7<<8 | i>>6&7<<16 | i>>9&7<<24 | i>>12&7<<32 | i>>15&1<<40 // bits that fold keeps
			}
			h := hash(i)
			sets[h&511]++
			tags[h>>tagShift]++
		}
		var chi float64
		for _, c := range sets {
			d := float64(c) - n/512
			chi += d * d / (n / 512)
		}
		if chi < 511-5*32 || chi > 511+5*32 { // five standard deviations
			t.Errorf("%s: sets are filled with chi² = %.0f", what, chi)
		}
		if len(tags) < 60_000 { // of 65,536 in 2^20 some 2,000 meet
			t.Errorf("%s: %d tags", what, len(tags))
		}
	}
	classOf := map[uint64]bool{}
	for c := range total + 1 {
		classOf[l.hash(1, c, 1)] = true
	}
	if len(classOf) != int(total)+1 {
		t.Error("classes do not count")
	}
}

// TestClock: times that go back a little change nothing, and after a leap the
// accounts start anew.
func TestClock(t *testing.T) {
	t.Parallel()
	for back, want := range map[time.Duration]bool{
		time.Microsecond: false, time.Second: false, 10 * time.Second: false,
		time.Minute: true, 24 * time.Hour: true, 100 * 24 * time.Hour: true,
	} {
		l := limiter(t, Options{Rate: 5})
		_, end := flood(l, start, time.Second, 100_000, victim, Positive, 1)
		if v := l.Decide(end.Add(-back), victim, Positive, 1); (v == Send) != want {
			t.Errorf("%v back: %v", back, v)
		}
	}
	for _, unix := range []int64{0, 1, 1 << 32, 1 << 40} {
		l := limiter(t, Options{Rate: 5})
		if got, _ := flood(l, time.Unix(unix, 0), 0, 7, victim, Positive, 1); got != (tally{5, 1, 1}) {
			t.Errorf("at %d: %v", unix, got)
		}
	}
}

// TestAgainstTheRule compares with an account in plain numbers: credit of one
// second at most, debt of the window at most.
func TestAgainstTheRule(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom([]int{1, 2, 5, 10, 100, 1000}).Draw(t, "rate") // microseconds divide evenly
		window := rapid.IntRange(1, 20).Draw(t, "window")
		slip := rapid.IntRange(1, MaxSlip).Draw(t, "slip")
		l, err := New(Options{Rate: rate, Total: MaxRate, Window: time.Duration(window) * time.Second, Slip: slip}, seed)
		if err != nil {
			t.Fatal(err)
		}
		cost := int64(second / rate)
		now, balance, limited := start, int64(second), 0
		for range rapid.IntRange(1, 200).Draw(t, "queries") {
			pause := rapid.SampledFrom([]int64{0, 1, 1000, 100_000, 900_000, 5_000_000}).Draw(t, "pause")
			now = now.Add(time.Duration(pause) * time.Microsecond)
			balance = max(min(balance+pause, second)-cost, -int64(window)*second)
			want := Send
			if balance < 0 {
				want = Drop
				if limited%slip == 0 {
					want = Slip
				}
				limited++
			} else {
				limited = 0
			}
			if got := l.Decide(now, victim, Positive, 1); got != want {
				t.Fatalf("%v, want %v (balance %d)", got, want, balance)
			}
		}
	})
}

func TestOptions(t *testing.T) {
	t.Parallel()
	good := []Options{
		{}, {Rate: 1}, {Rate: MaxRate}, {Total: 1}, {Total: MaxRate}, {Slip: 1}, {Slip: MaxSlip}, {Slip: NoSlip},
		{Window: time.Second}, {Window: MaxWindow}, {Buckets: MinBuckets}, {Buckets: MinBuckets + 1},
		{Classes: map[Class]int{Error: 1}}, {Exempt: make([]netip.Prefix, 0, 1)},
	}
	for _, o := range good {
		if _, err := New(o, seed); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	many := make([]netip.Prefix, MaxExempt+1)
	for i := range many {
		many[i] = netip.MustParsePrefix("127.0.0.0/8")
	}
	if _, err := New(Options{Exempt: many[1:]}, seed); err != nil {
		t.Error(err)
	}
	for _, o := range []Options{
		{Rate: -1}, {Rate: MaxRate + 1}, {Total: -1}, {Total: MaxRate + 1}, {Slip: -2}, {Slip: MaxSlip + 1},
		{Window: time.Second - 1}, {Window: MaxWindow + 1}, {Buckets: MinBuckets - 1}, {Buckets: MaxBuckets + 1},
		{Classes: map[Class]int{Error: 0}}, {Classes: map[Class]int{classes: 1}}, {Exempt: many}, {Exempt: make([]netip.Prefix, 1)},
	} {
		if _, err := New(o, seed); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	if l := limiter(t, Options{Buckets: MinBuckets + 1}); len(l.sets)*ways != 2*MinBuckets {
		t.Errorf("%d sets", len(l.sets))
	}
	if l := limiter(t, Options{}); len(l.sets)*ways != DefaultBuckets {
		t.Errorf("%d sets", len(l.sets))
	}
}

// TestManyAtOnce: goroutines that share accounts send hardly more than the
// limit together.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	l := limiter(t, Options{Rate: 1000, Buckets: MinBuckets})
	var mu sync.Mutex
	var sum tally
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, _ := flood(l, start, 0, 20_000, victim, Positive, 1)
			mu.Lock()
			defer mu.Unlock()
			for i, n := range got {
				sum[i] += n
			}
		})
	}
	wg.Wait()
	if sum[Send] < 1000 || sum[Send] > 1010 {
		t.Errorf("%v", sum)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	l := limiter(t, Options{Exempt: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if n := testing.AllocsPerRun(1000, func() {
		l.Decide(start, victim, Positive, l.Key("\x03www\x07example\x04test\x00"))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestVerdictString(t *testing.T) {
	t.Parallel()
	for v, want := range map[Verdict]string{Send: "send", Slip: "slip", Drop: "drop"} {
		if v.String() != want {
			t.Errorf("%d: %s", v, v)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	l := limiter(b, Options{Exempt: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}})
	names := make([]string, 1024)
	for i := range names {
		names[i] = "\x08" + string(binary.BigEndian.AppendUint64(nil, rand.Uint64())) + "\x07example\x04test\x00"
	}
	for what, client := range map[string]func(i int) netip.Addr{
		"exempt": func(int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) },
		"flood":  func(int) netip.Addr { return victim },
		"many":   func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}) },
	} {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				l.Decide(start, client(i), Positive, l.Key(names[i%len(names)]))
			}
		})
	}
}
