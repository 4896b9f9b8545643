package transcript

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Ring keeps the most recent exchanges of each service in memory, those under way among them. It is bounded twice for
// each: in the number of exchanges kept, and in how many it takes each second, so that a busy service pays for only so
// many, and leaves a rare one's exchanges in their place.
type Ring struct {
	size      int
	perSecond int64
	passed    atomic.Uint64

	mu      sync.RWMutex
	circles map[string]*circle
}

// circle is what the ring keeps of one service.
type circle struct {
	second atomic.Int64 // the second that taken counts in
	taken  atomic.Int64

	mu        sync.Mutex
	exchanges []*Exchange // next is the oldest once it is full
	next      int
}

// NewRing returns a Ring that keeps size exchanges of each service and takes at most perSecond new ones of each in a
// second.
func NewRing(size, perSecond int) *Ring {
	return &Ring{size: size, perSecond: int64(perSecond), circles: map[string]*circle{}}
}

func (r *Ring) circle(service string) *circle {
	r.mu.RLock()
	c := r.circles[service]
	r.mu.RUnlock()
	if c != nil {
		return c
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.circles[service] == nil {
		r.circles[service] = &circle{exchanges: make([]*Exchange, 0, r.size)}
	}
	return r.circles[service]
}

// Level is Lines until the service's share of this second is used up.
func (r *Ring) Level(service string) Level {
	if r.circle(service).take(time.Now().Unix(), r.perSecond) {
		return Lines
	}
	r.passed.Add(1)
	return Off
}

func (c *circle) take(now, share int64) bool {
	if before := c.second.Load(); before != now && c.second.CompareAndSwap(before, now) {
		c.taken.Store(0)
	}
	return c.taken.Load() < share && c.taken.Add(1) <= share
}

// spent says whether Level would say Off now.
func (r *Ring) spent(service string, now time.Time) bool {
	c := r.circle(service)
	return c.second.Load() == now.Unix() && c.taken.Load() >= r.perSecond
}

func (r *Ring) pass(_ string, n int) { r.passed.Add(uint64(n)) }

// Begin keeps the exchange in the place of its service's oldest one.
func (r *Ring) Begin(x *Exchange) {
	c := r.circle(x.Head().Service)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.exchanges) < cap(c.exchanges) {
		c.exchanges = append(c.exchanges, x)
		return
	}
	if len(c.exchanges) > 0 {
		c.exchanges[c.next] = x
		c.next = (c.next + 1) % len(c.exchanges)
	}
}

// Entry does nothing: the exchange itself holds its entries.
func (r *Ring) Entry(*Exchange, Entry) {}

// End does nothing: the exchange itself knows that it has ended.
func (r *Ring) End(*Exchange) {}

// Passed is how many exchanges the ring did not take because a second's share was used up.
func (r *Ring) Passed() uint64 { return r.passed.Load() }

// held returns the exchanges kept of the services named, or of all where none is named, the newest first.
func (r *Ring) held(services ...string) []*Exchange {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []*Exchange
	for service, c := range r.circles {
		if len(services) > 0 && !slices.Contains(services, service) {
			continue
		}
		c.mu.Lock()
		all = append(all, c.exchanges...)
		c.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b *Exchange) int { return cmp.Compare(b.Head().ID, a.Head().ID) })
	return all
}

// Recent returns up to n exchanges of the services named, or of all where none is named, the newest first.
func (r *Ring) Recent(n int, services ...string) []Record {
	held := r.held(services...)
	records := make([]Record, 0, min(n, len(held)))
	for _, x := range held[:min(n, len(held))] {
		records = append(records, x.Record())
	}
	return records
}

// Get returns the exchange with the id, if it is still kept.
func (r *Ring) Get(id ID) (Record, bool) {
	held := r.held()
	i := slices.IndexFunc(held, func(x *Exchange) bool { return x.Head().ID == id })
	if i < 0 {
		return Record{}, false
	}
	return held[i].Record(), true
}

// Under returns the exchanges still kept whose parent is id, the oldest first.
func (r *Ring) Under(id ID) []Record {
	var children []Record
	for _, x := range slices.Backward(r.held()) {
		if x.Head().Parent == id {
			children = append(children, x.Record())
		}
	}
	return children
}
