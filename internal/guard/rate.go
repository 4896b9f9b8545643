package guard

import (
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// rates are the token buckets of clients. Each is one number: when it will be full again (the generic cell rate
// algorithm). Each client has its place in one of many small sets, so that a flood from forged addresses costs no more
// than other requests, and clients hardly ever wait for one another.
type rates struct {
	seed  maphash.Seed
	begin time.Time // instants are nanoseconds since then
	table atomic.Pointer[rateTable]

	change sync.Mutex // of table
}

// rateTable are the buckets with the limits that hold for them.
type rateTable struct {
	sets   []bucketSet
	token  int64 // nanoseconds in which one token comes back
	window int64 // in which a whole burst does
}

// bucketSet is the buckets that share a lock: two lines of the processor's cache.
type bucketSet struct {
	sync.Mutex
	tags [ways]uint32 // of a client's hash, what did not choose the set
	full [ways]int64  // when the bucket is full again; 0 where there is none
}

const ways = 10 // buckets of a set

const (
	least   = 64                // of MaxClients
	longest = math.MaxInt64 / 4 // nanoseconds, so that sums do not overflow
)

func (r *rates) init() {
	r.seed = maphash.MakeSeed()
	r.begin = time.Now().Add(-time.Hour) // so that no instant is 0
}

// set makes new limits hold. What clients have used up stays used up, unless the number of buckets changes.
func (r *rates) set(o *Options) {
	r.change.Lock()
	defer r.change.Unlock()
	token := int64(min(math.Ceil(float64(time.Second)/o.Rate), longest/float64(o.Burst)))
	t := &rateTable{token: token, window: token * int64(o.Burst)}
	old := r.table.Load()
	if n := max(o.MaxClients, least) / ways; old == nil || len(old.sets) != n {
		t.sets = make([]bucketSet, n)
	} else {
		t.sets = old.sets
		t.rescale(r.instant(time.Now()), float64(t.token)/float64(old.token))
	}
	r.table.Store(t)
}

func (r *rates) instant(now time.Time) int64 { return int64(now.Sub(r.begin)) }

// rescale keeps the tokens that are missing, where each now takes by as long to come back.
func (t *rateTable) rescale(now int64, by float64) {
	for i := range t.sets {
		s := &t.sets[i]
		s.Lock()
		for k, full := range s.full {
			if full > now {
				s.full[k] = now + int64(min(float64(full-now)*by, longest))
			}
		}
		s.Unlock()
	}
}

// take takes a token from a client's bucket if there is one.
func (r *rates) take(c client, at time.Time) bool {
	t, now, hash := r.table.Load(), r.instant(at), maphash.Comparable(r.seed, c)
	s := &t.sets[(hash>>32)*uint64(len(t.sets))>>32]
	s.Lock()
	defer s.Unlock()
	k := s.place(uint32(hash))
	full := max(now, min(s.full[k], now+t.window)) // a burst that has become smaller bounds what is missing
	ok := full-now <= t.window-t.token
	if ok {
		full += t.token
	}
	s.full[k] = full
	return ok
}

// place is where the bucket with a tag is. A new one takes the place of the fullest of its set.
func (s *bucketSet) place(tag uint32) int {
	fullest := 0
	for k := range s.tags {
		if s.tags[k] == tag && s.full[k] != 0 {
			return k
		}
		if s.full[k] < s.full[fullest] {
			fullest = k
		}
	}
	s.tags[fullest], s.full[fullest] = tag, 0
	return fullest
}

// len is how many buckets there are.
func (r *rates) len() int {
	n := 0
	sets := r.table.Load().sets
	for i := range sets {
		s := &sets[i]
		s.Lock()
		for _, full := range s.full {
			if full != 0 {
				n++
			}
		}
		s.Unlock()
	}
	return n
}
