package guard

import (
	"hash/maphash"
	"math"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// forgotten is a count of failures that no longer matters.
const forgotten = 1.0 / 64

// maxName is how much of a name is looked at.
const maxName = 255

// record counts failures.
type record struct {
	count float64   // as it was at the time of the last one
	at    time.Time // of the last one
	until time.Time // the next attempt waits until then
}

// decayed is the count as it is now.
func (r record) decayed(o *Options, now time.Time) float64 {
	if passed := now.Sub(r.at); passed > 0 {
		return r.count * math.Exp2(-passed.Seconds()/o.HalfLife.Seconds())
	}
	return r.count
}

// weight is the count as it is now, and 0 once it no longer matters. Who still
// has to wait matters however fast failures are forgotten.
func (r record) weight(o *Options, now time.Time) float64 {
	w := r.decayed(o, now)
	switch {
	case now.Before(r.until):
		return max(w, float64(o.FreeFailures))
	case w < forgotten:
		return 0
	}
	return w
}

// fail counts another failure and puts the next attempt off, by no more than
// most from now.
func (r *record) fail(o *Options, most time.Duration, now time.Time) {
	r.count = r.decayed(o, now) + 1
	r.at = now
	if !r.until.After(now) {
		r.until = now
	}
	r.until = r.until.Add(o.delay(r.count, most))
	if latest := now.Add(most); r.until.After(latest) {
		r.until = latest
	}
}

// wait is how long the next attempt waits. The limit may have been lowered
// since the failure.
func (r record) wait(most time.Duration, now time.Time) time.Duration {
	return max(0, min(r.until.Sub(now), most))
}

// delay is what a failure costs when it is number count.
func (o *Options) delay(count float64, most time.Duration) time.Duration {
	// Counts decay from the first moment on, so a third failure is 2.99….
	beyond := math.Ceil(count-0.5) - float64(o.FreeFailures)
	if beyond < 1 {
		return 0
	}
	d := float64(o.Penalty) * math.Exp2(min(beyond-1, 62))
	if d >= float64(most) {
		return most
	}
	return time.Duration(d)
}

// Penalty says how long the next attempt of a client to sign in as user has to
// wait, from now. The server waits that long, and then looks at the attempt
// whatever Penalty would say by then.
func (g *Guard) Penalty(client netip.Addr, user string) time.Duration {
	o, now, k, name := g.limits.Load(), time.Now(), clientOf(client), foldName(user)
	if r, ok := g.known.get(name, k); ok {
		return r.wait(o.MaxPenalty, now)
	}
	return max(
		g.failures.get(maphash.Comparable(g.failures.seed, k)).wait(o.MaxPenalty, now),
		g.tried.get(maphash.String(g.tried.seed, name)).wait(o.MaxUserPenalty, now),
	)
}

// Failed counts an attempt of a client to sign in as user that failed. The
// user need not exist.
func (g *Guard) Failed(client netip.Addr, user string) {
	g.failed.Add(1)
	o, now, k, name := g.limits.Load(), time.Now(), clientOf(client), foldName(user)
	if g.known.fail(name, k, o, now) {
		return
	}
	countFailure(&g.failures, maphash.Comparable(g.failures.seed, k), o.MaxClients, o.MaxPenalty, o, now)
	countFailure(&g.tried, maphash.String(g.tried.seed, name), o.MaxUsers, o.MaxUserPenalty, o, now)
}

// countFailure counts a failure in a table of at most entries records, for a
// delay of at most longest.
func countFailure(t *table[record], key uint64, entries int, longest time.Duration, o *Options, now time.Time) {
	s := t.shard(key)
	s.Lock()
	defer s.Unlock()
	r := s.entries[key]
	r.fail(o, longest, now)
	s.put(key, r, entries, o, now)
}

// Succeeded notes that a client has signed in as user. From then on the client
// is known for that user.
func (g *Guard) Succeeded(client netip.Addr, user string) {
	g.succeeded.Add(1)
	g.known.add(foldName(user), clientOf(client), g.limits.Load(), time.Now())
}

// foldName makes names that are the same equal, as far as it needs to be known
// here: a name that is counted twice costs an attacker nothing less.
func foldName(user string) string {
	return strings.ToLower(user[:min(len(user), maxName)])
}

// knownUsers are the users that have signed in, each with the clients that
// they did it from. Only who has a password can add to it.
type knownUsers struct {
	sync.Mutex
	users map[string][]knownClient
}

// knownClient is a client that a user has signed in from, with the failures of
// that client on that user.
type knownClient struct {
	client client
	seen   time.Time
	record record
}

func (u *knownUsers) init() { u.users = map[string][]knownClient{} }

// find returns the known client, or nil. It is called with u locked.
func (u *knownUsers) find(name string, k client) *knownClient {
	list := u.users[name]
	for i := range list {
		if list[i].client == k {
			return &list[i]
		}
	}
	return nil
}

func (u *knownUsers) get(name string, k client) (record, bool) {
	u.Lock()
	defer u.Unlock()
	if c := u.find(name, k); c != nil {
		return c.record, true
	}
	return record{}, false
}

// fail counts a failure of a known client, and says whether it is one.
func (u *knownUsers) fail(name string, k client, o *Options, now time.Time) bool {
	u.Lock()
	defer u.Unlock()
	c := u.find(name, k)
	if c != nil {
		c.record.fail(o, o.MaxPenalty, now)
	}
	return c != nil
}

// add makes a client known, in the place of the one that was seen least
// recently if there are too many.
func (u *knownUsers) add(name string, k client, o *Options, now time.Time) {
	u.Lock()
	defer u.Unlock()
	if c := u.find(name, k); c != nil {
		c.seen = now
		return
	}
	list, ok := u.users[name]
	if !ok {
		for other := range u.users { // any: it only loses its privilege
			if len(u.users) < o.MaxUsers {
				break
			}
			delete(u.users, other)
		}
	}
	for len(list) >= o.MaxKnown {
		oldest := 0
		for i, c := range list {
			if c.seen.Before(list[oldest].seen) {
				oldest = i
			}
		}
		list[oldest] = list[len(list)-1]
		list = list[:len(list)-1]
	}
	u.users[name] = append(list, knownClient{client: k, seen: now})
}
