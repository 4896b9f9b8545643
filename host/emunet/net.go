package emunet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// Time is a moment, as what has passed since the network was made.
type Time = time.Duration

// Net is an internet. It is made by [New], and safe for concurrent use: topology, links and hosts may change while
// it runs.
type Net struct {
	seed    uint64
	start   time.Time
	virtual bool // inside a bubble: time waits until everything is at rest

	mu       sync.Mutex // guards everything that follows, and all that hangs on it
	now      Time       // of the last event
	events   events     // what a program may see at once
	inside   events     // packets of which a program sees something later at the soonest
	timer    *time.Timer
	armed    Time          // when the timer ends; -1 for never
	over     chan struct{} // closed when nothing happens any more
	woke     bool          // the event that happens has woken a goroutine
	closed   bool
	nodes    []*node
	names    map[string]bool
	slack    Time // how much later: see findPatient
	patience Time // the least delay for which anything is looked at later
	realms   bool // realms and routes are those of the topology
	captures []*Capture
	free     *packet
	lastUse  Time // when a program last called
	asleep   []*stream
}

// New returns an internet without hosts. Everything that is left to chance on it, such as which packets are lost,
// follows from the seed.
//
// A network that is made inside a bubble of testing/synctest is used in it alone.
func New(seed uint64) *Net {
	n := &Net{
		seed: seed, names: map[string]bool{}, armed: -1, virtual: inBubble(), patience: defaultPatience,
		timer: time.NewTimer(time.Hour), over: make(chan struct{}),
	}
	n.timer.Stop()
	n.start = time.Now()
	go n.run()
	return n
}

// inBubble tells a bubble's clock from the world's: a nanosecond of sleep is exactly that.
func inBubble() bool {
	for range 3 {
		before := time.Now()
		time.Sleep(time.Nanosecond)
		if time.Since(before) != 1 {
			return false
		}
	}
	return true
}

// Close ends the network: whatever waits on it returns [net.ErrClosed], and nothing more is delivered. Captures end. It
// says what could not be captured.
func (n *Net) Close() error {
	err := n.close()
	<-n.over
	return err
}

func (n *Net) close() (err error) {
	n.use()
	defer n.mu.Unlock()
	if n.closed {
		return nil
	}
	for _, node := range n.nodes {
		if node.host != nil {
			node.host.drop()
		}
	}
	n.closed = true
	n.events, n.inside = nil, nil
	n.timer.Reset(1) // for the last time
	for _, c := range n.captures {
		if c.err != nil && err == nil {
			err = c.err
		}
	}
	n.captures = nil
	return err
}

// random returns a source of its own for the thing named, so that what one does changes nothing for another.
func (n *Net) random(kind, id uint64) *rand.Rand {
	return rand.New(rand.NewPCG(n.seed, kind<<56|id))
}

// clock is now.
func (n *Net) clock() Time { return time.Since(n.start) }

// run lets happen what is due until Close.
func (n *Net) run() {
	defer close(n.over)
	for range n.timer.C {
		n.mu.Lock()
		n.armed = -1
		n.happen()
		closed := n.closed
		n.mu.Unlock()
		if closed {
			return
		}
	}
}

// happen lets happen what is due. In a bubble it stops when a goroutine has been woken: what that does at this moment
// comes before what is due next, however close.
func (n *Net) happen() {
	clock := n.clock()
	n.woke = false
	for !(n.virtual && n.woke) {
		from := &n.events
		if len(n.inside) > 0 && (len(n.events) == 0 || n.inside[0].before(n.events[0])) {
			from = &n.inside
		}
		if len(*from) == 0 || (*from)[0].at > clock {
			break
		}
		e := from.pop()
		n.now = max(n.now, e.at)
		e.target.happen(e.at)
	}
	n.arm(clock)
}

// arm sets the timer for the first event that a program can see something of. What happens inside the network is not
// among them: it happens as if in time, but when the next one is looked at.
func (n *Net) arm(clock Time) {
	at := Time(math.MaxInt64)
	if len(n.events) > 0 {
		at = n.events[0].at
	}
	if len(n.inside) > 0 {
		at = min(at, n.inside[0].at+n.slack)
	}
	if n.closed || at == math.MaxInt64 {
		return
	}
	at = max(at, clock+1)
	if n.armed >= 0 && n.armed <= at {
		return
	}
	n.armed = at
	n.timer.Reset(at - clock)
}

// at has something happen; what should have happened already happens next.
func (n *Net) at(t Time, key uint64, what target) {
	if !n.closed {
		n.events.push(event{max(t, n.now), key, what})
	}
}

// use begins a program's call, and settle ends it. Between them the network is locked.
func (n *Net) use() {
	n.mu.Lock()
	n.lastUse = n.clock()
	n.catchUp(n.lastUse)
	if len(n.asleep) > 0 {
		n.wakeAsleep()
	}
}

// catchUp lets happen what has happened inside the network meanwhile: a program must not meet what is no longer so.
func (n *Net) catchUp(clock Time) {
	for len(n.inside) > 0 && n.inside[0].at <= clock && (len(n.events) == 0 || n.inside[0].before(n.events[0])) {
		e := n.inside.pop()
		n.now = max(n.now, e.at)
		e.target.happen(e.at)
	}
}

func (n *Net) settle() {
	n.rest()
	n.mu.Unlock()
}

// rest lets happen what can at this moment.
func (n *Net) rest() {
	if n.virtual {
		n.arm(n.clock())
	} else {
		n.happen()
	}
}

// soon is when what a program asks for now is done: in a bubble after everything else of this moment, so that it
// is the same whoever asks first.
func (n *Net) soon() Time {
	if n.virtual {
		return n.clock() + 1
	}
	return max(n.clock(), n.now)
}

// broadcast wakes who waits.
func (n *Net) broadcast(c *sync.Cond, waiting int) {
	if waiting > 0 {
		n.woke = true
		c.Broadcast()
	}
}

// misuse is the panic of a topology that cannot be.
func misuse(format string, args ...any) {
	panic("emunet: " + fmt.Sprintf(format, args...))
}

func mustAddr(text string) netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		misuse("%q is not the address of a host", text)
	}
	return a.Unmap()
}
