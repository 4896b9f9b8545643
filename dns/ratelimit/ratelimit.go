package ratelimit

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"
)

// Defaults and limits of Options.
const (
	DefaultRate    = 200 // responses of one kind to one network a second, as NSD has it
	DefaultTotal   = 10  // times Rate: responses of all kinds to one network
	DefaultSlip    = 2
	DefaultWindow  = 15 * time.Second
	DefaultBuckets = 1 << 17 // 1 MB
	MaxRate        = 1_000_000
	MaxSlip        = 10
	MaxWindow      = time.Hour
	MinBuckets     = 1 << 6
	MaxBuckets     = 1 << 26 // 512 MB
	MaxExempt      = 512
	NoSlip         = -1 // as Options.Slip: what is limited is not answered at all
)

// The prefixes that count as one client, in bits.
const (
	PrefixBits4 = 24
	PrefixBits6 = 56
)

// Class is a kind of response.
type Class uint8

// The classes, and what their keys are to tell apart.
const (
	Positive    Class = iota // an answer: the name that owns it
	Synthesized              // an answer for a name that anybody can make up: the wildcard's parent, the DNAME
	NXDomain                 // the zone
	NoData                   // the zone
	Referral                 // the cut
	Error                    // the response code
	classes

	total Class = classes // all responses to a client
)

// Verdict is what is to be done with a response.
type Verdict uint8

// The verdicts.
const (
	Send Verdict = iota // as it is
	Slip                // truncated and empty
	Drop                // not at all
)

// String gives "send", "slip" or "drop".
func (v Verdict) String() string { return [...]string{"send", "slip", "drop"}[v] }

// Options of a Limiter. Zero values mean the defaults.
type Options struct {
	Rate    int            // responses of one kind to one client a second, from 1 to MaxRate
	Classes map[Class]int  // the Rate of a class, where it has one of its own
	Total   int            // responses of all kinds to one client a second, from 1 to MaxRate
	Slip    int            // every how many limited responses one is truncated, to MaxSlip; NoSlip for none
	Window  time.Duration  // how long a client must be silent at most until it is served again, to MaxWindow
	Buckets int            // accounts; rounded up to a power of two
	Exempt  []netip.Prefix // networks that are not limited, at most MaxExempt
}

func (o *Options) withDefaults() {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.Rate, DefaultRate)
	def(&o.Total, min(DefaultTotal*o.Rate, MaxRate))
	def(&o.Slip, DefaultSlip)
	def(&o.Buckets, DefaultBuckets)
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
}

func (o *Options) check() error {
	rates := map[string]int{"rate": o.Rate, "total": o.Total}
	for c, r := range o.Classes {
		if c >= classes {
			return fmt.Errorf("ratelimit: there is no class %d", c)
		}
		rates[fmt.Sprintf("rate of class %d", c)] = r
	}
	for what, r := range rates {
		if r < 1 || r > MaxRate {
			return fmt.Errorf("ratelimit: the %s is %d; it is from 1 to %d", what, r, MaxRate)
		}
	}
	switch {
	case o.Slip != NoSlip && (o.Slip < 1 || o.Slip > MaxSlip):
		return fmt.Errorf("ratelimit: slip is %d; it is from 1 to %d, or NoSlip", o.Slip, MaxSlip)
	case o.Window < time.Second || o.Window > MaxWindow:
		return fmt.Errorf("ratelimit: the window is %v; it is from 1s to %v", o.Window, MaxWindow)
	case o.Buckets < MinBuckets || o.Buckets > MaxBuckets:
		return fmt.Errorf("ratelimit: %d buckets; there are from %d to %d", o.Buckets, MinBuckets, MaxBuckets)
	case len(o.Exempt) > MaxExempt:
		return fmt.Errorf("ratelimit: %d exempt networks; there are at most %d", len(o.Exempt), MaxExempt)
	}
	for _, p := range o.Exempt {
		if !p.IsValid() {
			return fmt.Errorf("ratelimit: %v is no network", p)
		}
	}
	return nil
}

// Limiter has the accounts. It may be used by many goroutines at once.
type Limiter struct {
	sets   []set
	seed   [2]uint64
	cost   [classes + 1]uint64 // of one response, microseconds of credit
	most   uint64              // how far ahead of now an account may be even, microseconds
	slip   uint64              // 0 for never
	exempt []network
}

// set is one cache line of accounts.
type set [ways]atomic.Uint64

const ways = 8

// New makes a limiter. Seed decides where accounts stand in the table and is to
// be a secret; with the same seed, the same responses at the same times get the
// same verdicts.
func New(opts Options, seed [2]uint64) (*Limiter, error) {
	opts.withDefaults()
	if err := opts.check(); err != nil {
		return nil, err
	}
	size := MinBuckets
	for size < opts.Buckets {
		size *= 2
	}
	l := &Limiter{
		sets: make([]set, size/ways), seed: seed,
		most: uint64((time.Second + opts.Window) / time.Microsecond),
		slip: uint64(max(opts.Slip, 0)),
	}
	for c := range l.cost {
		rate := opts.Rate
		if r, ok := opts.Classes[Class(c)]; ok {
			rate = r
		}
		if Class(c) == total {
			rate = opts.Total
		}
		l.cost[c] = uint64(second / rate)
	}
	for _, p := range opts.Exempt {
		l.exempt = append(l.exempt, networkOf(p))
	}
	return l, nil
}

// Exempt says whether a client is not limited.
func (l *Limiter) Exempt(client netip.Addr) bool { return l.exempts(addressOf(client)) }

func (l *Limiter) exempts(a address) bool {
	for i := range l.exempt {
		if l.exempt[i].has(a) {
			return true
		}
	}
	return false
}

// Decide debits a response to a client, and says what is to be done with it.
// The key tells what the class is counted by; Key makes one of a name. It
// allocates nothing.
func (l *Limiter) Decide(now time.Time, client netip.Addr, class Class, key uint64) Verdict {
	a := addressOf(client)
	if l.exempts(a) {
		return Send
	}
	at, network := uint64(now.UnixMicro()), a.network()
	verdict := l.debit(at, l.hash(network, class, key), class)
	if verdict == Send { // a flood of one kind leaves the other kinds their share of the total
		verdict = l.debit(at, l.hash(network, total, 0), total)
	}
	if verdict == Slip && class == Error {
		return Drop
	}
	return verdict
}
