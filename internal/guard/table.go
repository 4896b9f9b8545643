package guard

import (
	"hash/maphash"
	"sync"
	"time"
)

// sample is how many entries of a full table are compared for the one that
// makes room.
const sample = 8

// weighed is an entry of a table. Its weight says how much it matters that it
// is remembered; an entry without weight says nothing that a new one does not.
type weighed interface {
	weight(o *Options, now time.Time) float64
}

// table is a bounded map. The keys of clients and of names are hashed with a
// seed that nobody outside knows, so nobody can fill one shard on purpose; the
// hash itself is the key, so names cost nothing however long they are.
type table[E weighed] struct {
	seed   maphash.Seed
	shards [shards]shard[E]
}

// shard is the part of a table under one lock.
type shard[E weighed] struct {
	sync.Mutex
	entries map[uint64]E
}

func (t *table[E]) init() {
	t.seed = maphash.MakeSeed()
	for i := range t.shards {
		t.shards[i].entries = map[uint64]E{}
	}
}

// shard returns the shard of a key. The caller locks it.
func (t *table[E]) shard(key uint64) *shard[E] { return &t.shards[key%shards] }

// put stores the entry of a key, with the shard locked. Of the whole table's
// most entries the shard keeps its share.
func (s *shard[E]) put(key uint64, e E, most int, o *Options, now time.Time) {
	if _, ok := s.entries[key]; !ok {
		for room := share(most, key%shards); len(s.entries) >= room; {
			s.makeRoom(o, now)
		}
	}
	s.entries[key] = e
}

// share is how many of most entries a shard may hold: together most, but each
// at least one, so that a table may always hold as many as it has shards.
func share(most int, shard uint64) int {
	n := most / shards
	if shard < uint64(most%shards) {
		n++
	}
	return max(n, 1)
}

// makeRoom drops what no longer matters among a few entries taken at random,
// or else the one of them that matters least.
func (s *shard[E]) makeRoom(o *Options, now time.Time) {
	var least uint64
	lowest, seen := 0.0, 0
	for key, e := range s.entries {
		w := e.weight(o, now)
		if w <= 0 {
			delete(s.entries, key)
		}
		if seen == 0 || w < lowest {
			least, lowest = key, w
		}
		if seen++; seen == sample {
			break
		}
	}
	delete(s.entries, least)
}

// get returns the entry of a key, or the zero entry.
func (t *table[E]) get(key uint64) E {
	s := t.shard(key)
	s.Lock()
	defer s.Unlock()
	return s.entries[key]
}

// len is how many entries there are.
func (t *table[E]) len() int {
	n := 0
	for i := range t.shards {
		s := &t.shards[i]
		s.Lock()
		n += len(s.entries)
		s.Unlock()
	}
	return n
}
