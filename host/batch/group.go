package batch

import (
	"sync"
	"sync/atomic"
	"time"
)

// How a Group decides.
const (
	// groupWindow is the time over which it looks at how busy its readers are.
	groupWindow = 200 * time.Millisecond
	// groupLittle is how much of a window all readers together work at most where one of them would do.
	groupLittle = groupWindow / 2
)

// Group is for the Conns of sockets that share an address (host.ListenPackets), which each have a goroutine. While one
// of them can do the work alone, the system gives it all datagrams: each time that a reader wakes up costs more than the
// datagram that it wakes up for, and one reader that is awake half as often again finds more of them at once than two,
// in caches that are warm. As soon as there is more than it can take, the datagrams are spread over all sockets.
//
// The zero Group is ready for use. Where the system cannot be told, as elsewhere than on Linux, it changes nothing: the
// datagrams are spread.
type Group struct {
	state   atomic.Int32
	busy    atomic.Int64 // nanoseconds that readers worked in the window at hand
	flooded atomic.Bool  // a batch of it was full
	began   atomic.Int64 // when it did, in nanoseconds since 1970
	turning sync.Mutex   // whoever changes the state holds it
}

// The states of a Group.
const (
	spread   = iota // as it is at first
	gathered        // one socket gets all datagrams
	unable          // the system cannot be told: spread for ever
)

// steer tells the system whether one of the sockets that share an address with this one gets all datagrams.
type steer func(toOne bool) error

// worked is told of each batch: whether it was full, and from when until when it was worked at.
func (g *Group) worked(full bool, from, until time.Time, tell steer) {
	switch g.state.Load() {
	case gathered:
		if full {
			g.turn(gathered, spread, tell)
			g.began.Store(until.UnixNano())
		}
	case spread:
		g.busy.Add(int64(until.Sub(from)))
		if full {
			g.flooded.Store(true)
		}
		began := g.began.Load()
		if until.UnixNano()-began < int64(groupWindow) || !g.began.CompareAndSwap(began, until.UnixNano()) {
			return // or another reader looks at it
		}
		little := g.busy.Swap(0) <= int64(groupLittle)
		if flooded := g.flooded.Swap(false); little && !flooded {
			g.turn(spread, gathered, tell)
		}
	}
}

// turn goes from one state to the other, once the system does.
func (g *Group) turn(from, to int32, tell steer) {
	g.turning.Lock()
	defer g.turning.Unlock()
	if g.state.Load() != from {
		return
	}
	if tell(to == gathered) != nil {
		to = unable
	}
	g.state.Store(to)
}
