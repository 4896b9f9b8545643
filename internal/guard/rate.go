package guard

import (
	"hash/maphash"
	"time"
)

// bucket is a token bucket: how many tokens are missing, and when that was.
// The zero bucket is full.
type bucket struct {
	missing float64
	at      time.Time
}

// weight is how many tokens are missing now.
func (b bucket) weight(o *Options, now time.Time) float64 {
	if passed := now.Sub(b.at); passed > 0 {
		return b.missing - passed.Seconds()*o.Rate
	}
	return b.missing
}

// takeToken takes a token from a client's bucket if there is one.
func takeToken(t *table[bucket], k client, o *Options, now time.Time) bool {
	key := maphash.Comparable(t.seed, k)
	s := t.shard(key)
	s.Lock()
	defer s.Unlock()
	b := s.entries[key]
	b.missing = max(0, min(b.weight(o, now), float64(o.Burst)))
	b.at = now
	ok := b.missing+1 <= float64(o.Burst)+1e-9 // sums of fractions may be a hair above
	if ok {
		b.missing++
	}
	s.put(key, b, o.MaxClients, o, now)
	return ok
}
