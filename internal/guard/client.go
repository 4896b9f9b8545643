package guard

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync"
)

// client is what counts as one client: an IPv4 address or the /64 of an IPv6
// address. Whatever is neither is one client.
type client struct {
	bits uint64
	kind uint8 // 4, 6, or 0; 48 is a network
}

func clientOf(a netip.Addr) client {
	switch {
	case a.Is4() || a.Is4In6():
		b := a.As4()
		return client{bits: uint64(binary.BigEndian.Uint32(b[:])), kind: 4}
	case a.Is6():
		b := a.As16()
		return client{bits: binary.BigEndian.Uint64(b[:8]), kind: 6}
	}
	return client{}
}

// network is the /48 of a client of IPv6; false for others.
func (c client) network() (client, bool) {
	const size = 48
	if c.kind != 6 {
		return client{}, false
	}
	return client{bits: c.bits >> (64 - size), kind: size}, true
}

// shards is how many locks a table has.
const shards = 64

// connections counts the open connections of each client.
type connections struct {
	seed   maphash.Seed
	shards [shards]struct {
		sync.Mutex
		open map[client]int
	}
}

func (c *connections) init() {
	c.seed = maphash.MakeSeed()
	for i := range c.shards {
		c.shards[i].open = map[client]int{}
	}
}

// add counts one more connection unless the client has most of them.
func (c *connections) add(k client, most int) bool {
	s := &c.shards[maphash.Comparable(c.seed, k)%shards]
	s.Lock()
	defer s.Unlock()
	n := s.open[k]
	if n >= most {
		return false
	}
	s.open[k] = n + 1
	return true
}

func (c *connections) remove(k client) {
	s := &c.shards[maphash.Comparable(c.seed, k)%shards]
	s.Lock()
	defer s.Unlock()
	if n := s.open[k]; n > 1 {
		s.open[k] = n - 1
	} else {
		delete(s.open, k)
	}
}

// len is how many clients have connections.
func (c *connections) len() int {
	n := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.Lock()
		n += len(s.open)
		s.Unlock()
	}
	return n
}
