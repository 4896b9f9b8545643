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
	groupLittle = groupWindow * 3 / 4
	// groupMany is how many batches in a row are full when a reader has more than it can take. Fewer are a burst, which
	// it is through with in a millisecond or so; and as many datagrams wait in a socket without a loss.
	groupMany = 4
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
	flooded atomic.Bool  // a reader had more than it could take
	began   atomic.Int64 // when that window did, in nanoseconds since 1970
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

// worked is told of each batch: how many in a row were full, this one the last, and from when until when it was worked
// at.
func (g *Group) worked(full int, from, until time.Time, tell steer) {
	many := full >= groupMany
	switch g.state.Load() {
	case gathered:
		if many {
			g.turn(gathered, spread, tell)
			g.began.Store(until.UnixNano())
		}
	case spread:
		g.busy.Add(int64(until.Sub(from)))
		if many {
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
