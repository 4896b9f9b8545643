// Package guard holds the limits that all servers of an instance share:
// connections in total and for each client, requests for each client in the
// course of time, and the delays that follow failed sign-ins.
//
// A client is an IPv4 address, or the /64 of an IPv6 address, since whoever
// has one IPv6 address has all of its /64. Many have a /48, which are 65,536
// of them: together those may have NetworkShare times the connections of one.
//
// # Failed sign-ins
//
// After a few failures every further one makes the next attempt wait, longer
// each time, and the count of failures decays. A server asks Penalty before it
// looks at an attempt and waits that long; it must not refuse the attempt, or
// an attacker could shut a user out.
//
// Failures count in two places. Those of a client count for that client,
// whichever names it tries, and its delays grow up to MaxPenalty. Those on a
// name count for that name, wherever they come from, which slows attackers
// with many addresses; but these delays never grow beyond MaxUserPenalty, so a
// user under attack waits seconds and is never locked out. A client from
// which a user has signed in is known for that user and has an account of its
// own with it: neither attacks on the name from elsewhere nor the failures of
// others behind the same address delay it, only failures of that client on
// that name. Success clears nothing else, so nobody can use an own account to
// be forgiven for guesses at others.
//
// # Tables
//
// All tables are bounded. When one is full, the entry that matters least of a
// few makes room: the fullest bucket, the lowest count of failures. To push out a client that has failed n times, an attacker needs a
// table full of clients that have failed as often. Connections are never
// forgotten; there are at most MaxConnections of them.
package guard

import (
	"errors"
	"math"
	"net/netip"
	"sync/atomic"
	"time"
)

// Defaults of Options.
const (
	DefaultMaxConnections = 10_000
	DefaultMaxPerClient   = 256
	DefaultRate           = 200
	DefaultBurst          = 1000
	DefaultMaxClients     = 65_536
	DefaultMaxUsers       = 16_384
	DefaultFreeFailures   = 3
	DefaultPenalty        = time.Second
	DefaultMaxPenalty     = 2 * time.Minute
	DefaultMaxUserPenalty = 5 * time.Second
	DefaultHalfLife       = 15 * time.Minute
	DefaultMaxKnown       = 16
)

// NetworkShare is how many times MaxPerClient the clients of one IPv6 /48 may
// have together, which is what one customer is given at most (RFC 6177).
const NetworkShare = 4

// Options are the limits of a Guard. Each zero value means the default.
type Options struct {
	// MaxConnections is how many connections may be open at once.
	MaxConnections int
	// MaxPerClient is how many of them one client may have.
	MaxPerClient int
	// Exempt are networks without the limits for each client; those in total
	// and the delays after failed sign-ins apply to them too.
	Exempt []netip.Prefix

	// Rate is how many requests a client may make in a second on average;
	// Burst is how many at once.
	Rate  float64
	Burst int

	// MaxClients bounds the tables of clients: that of the rates, and that of
	// the failed sign-ins. Less than 64 counts as 64.
	MaxClients int
	// MaxUsers bounds the tables of names that were tried and of users that
	// have signed in. Less than 64 counts as 64.
	MaxUsers int

	// FreeFailures is how many failed sign-ins cost nothing.
	FreeFailures int
	// Penalty is the delay after the first failure beyond those; each further
	// one doubles it.
	Penalty time.Duration
	// MaxPenalty bounds the delay of a client, MaxUserPenalty that of a name.
	MaxPenalty, MaxUserPenalty time.Duration
	// HalfLife is how long it takes until half of the failures are forgotten.
	HalfLife time.Duration
	// MaxKnown is how many clients are known for each user; the one that has
	// not signed in for longest makes room.
	MaxKnown int
}

// withDefaults fills in what is not set.
func (o Options) withDefaults() Options {
	or(&o.MaxConnections, DefaultMaxConnections)
	or(&o.MaxPerClient, DefaultMaxPerClient)
	or(&o.Rate, DefaultRate)
	or(&o.Burst, DefaultBurst)
	or(&o.MaxClients, DefaultMaxClients)
	or(&o.MaxUsers, DefaultMaxUsers)
	or(&o.FreeFailures, DefaultFreeFailures)
	or(&o.Penalty, DefaultPenalty)
	or(&o.MaxPenalty, DefaultMaxPenalty)
	or(&o.MaxUserPenalty, DefaultMaxUserPenalty)
	or(&o.HalfLife, DefaultHalfLife)
	or(&o.MaxKnown, DefaultMaxKnown)
	return o
}

func or[T int | float64 | time.Duration](limit *T, value T) {
	if *limit <= 0 {
		*limit = value
	}
}

// ErrTooManyConnections means that a connection is not admitted. What Admit
// returns is a ConnectionsError, which says whose limit it is.
var ErrTooManyConnections = errors.New("too many connections")

// Scope says whose limit was reached.
type Scope uint8

// The scopes.
const (
	Total     Scope = iota // the whole instance
	PerClient              // one client, or its network
)

// ConnectionsError is ErrTooManyConnections with its scope. It is temporary.
type ConnectionsError struct{ Scope Scope }

// Error returns one line.
func (e ConnectionsError) Error() string {
	if e.Scope == PerClient {
		return "too many connections from this client"
	}
	return "too many connections"
}

// Is makes errors.Is(err, ErrTooManyConnections) true.
func (e ConnectionsError) Is(target error) bool { return target == ErrTooManyConnections }

// Temporary says that it may be tried again.
func (e ConnectionsError) Temporary() bool { return true }

// Guard keeps the limits. Its methods may be called at once from many
// goroutines; it starts none itself.
type Guard struct {
	limits atomic.Pointer[Options]

	open        atomic.Int64 // connections
	connections connections
	networks    connections // the same, of each IPv6 /48
	rates       rates
	failures    table[record] // of clients
	tried       table[record] // of names
	known       knownUsers

	refusedTotal, refusedClient, refusedRate, failed, succeeded atomic.Uint64
}

// New returns a guard with the given limits.
func New(opts Options) *Guard {
	g := &Guard{}
	g.connections.init()
	g.networks.init()
	g.rates.init()
	g.failures.init()
	g.tried.init()
	g.known.init()
	g.SetLimits(opts)
	return g
}

// SetLimits changes the limits. Connections beyond a lower limit stay; tables
// beyond a smaller size shrink as they are used, but that of the rates begins
// anew when its size changes.
func (g *Guard) SetLimits(opts Options) {
	opts = opts.withDefaults()
	opts.Exempt = append([]netip.Prefix(nil), opts.Exempt...)
	for i, p := range opts.Exempt {
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			opts.Exempt[i] = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
	}
	g.limits.Store(&opts)
	g.rates.set(&opts)
}

// Admit lets a client have another connection, or returns a ConnectionsError.
// The caller calls release once the connection is over; further calls of it do
// nothing.
func (g *Guard) Admit(client netip.Addr) (release func(), err error) {
	o := g.limits.Load()
	for {
		n := g.open.Load()
		if n >= int64(o.MaxConnections) {
			g.refusedTotal.Add(1)
			return nil, ConnectionsError{Scope: Total}
		}
		if g.open.CompareAndSwap(n, n+1) {
			break
		}
	}
	most, together := o.MaxPerClient, NetworkShare*o.MaxPerClient
	if o.exempts(client) {
		most, together = math.MaxInt, math.MaxInt
	}
	k := clientOf(client)
	ok := g.connections.add(k, most)
	if n, within := k.network(); ok && within && !g.networks.add(n, together) {
		g.connections.remove(k)
		ok = false
	}
	if !ok {
		g.open.Add(-1)
		g.refusedClient.Add(1)
		return nil, ConnectionsError{Scope: PerClient}
	}
	a := &admission{guard: g, client: k}
	return a.release, nil
}

// admission is a connection that was admitted.
type admission struct {
	guard  *Guard
	client client
	over   atomic.Bool
}

func (a *admission) release() {
	if a.over.Swap(true) {
		return
	}
	a.guard.connections.remove(a.client)
	if n, within := a.client.network(); within {
		a.guard.networks.remove(n)
	}
	a.guard.open.Add(-1)
}

// Allow says whether a client may make a request now, and counts it if so.
func (g *Guard) Allow(client netip.Addr) bool { return g.AllowAt(client, time.Now()) }

// AllowAt is Allow for those who know what time it is. Times that are a little
// out of order do no harm.
func (g *Guard) AllowAt(client netip.Addr, now time.Time) bool {
	o := g.limits.Load()
	if o.exempts(client) {
		return true
	}
	if !g.rates.take(clientOf(client), now) {
		g.refusedRate.Add(1)
		return false
	}
	return true
}

// Snapshot is the state of a guard at one moment, for metrics.
type Snapshot struct {
	Connections int // open now
	Clients     int // that have them

	RefusedTotal  uint64 // connections refused since the start, by the limit in total
	RefusedClient uint64 // the same, by the limit for each client
	RefusedRate   uint64 // requests refused
	Failed        uint64 // sign-ins that failed
	Succeeded     uint64 // sign-ins that succeeded

	RateClients   int // clients whose rate is remembered
	FailedClients int // clients whose failures are remembered
	FailedUsers   int // names whose failures are remembered
}

// Snapshot returns the state of g.
func (g *Guard) Snapshot() Snapshot {
	return Snapshot{
		Connections:   int(g.open.Load()),
		Clients:       g.connections.len(),
		RefusedTotal:  g.refusedTotal.Load(),
		RefusedClient: g.refusedClient.Load(),
		RefusedRate:   g.refusedRate.Load(),
		Failed:        g.failed.Load(),
		Succeeded:     g.succeeded.Load(),
		RateClients:   g.rates.len(),
		FailedClients: g.failures.len(),
		FailedUsers:   g.tried.len(),
	}
}

// exempts says whether the limits for each client leave this one out.
func (o *Options) exempts(client netip.Addr) bool {
	if len(o.Exempt) == 0 {
		return false
	}
	client = client.Unmap().WithZone("")
	for _, p := range o.Exempt {
		if p.Contains(client) {
			return true
		}
	}
	return false
}
