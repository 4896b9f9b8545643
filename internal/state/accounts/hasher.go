package accounts

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultMaxWaiting is the default of Options.MaxWaiting.
const DefaultMaxWaiting = 128

// DefaultMaxHashing returns the default of Options.MaxHashing: one for each
// processor, at most four.
func DefaultMaxHashing() int { return min(runtime.GOMAXPROCS(0), 4) }

const (
	// quiet is how long nobody must have hashed before memory is given back.
	quiet = 2 * time.Second
	// giveBackEvery is how often memory is given back at most: it costs a
	// garbage collection.
	giveBackEvery = 30 * time.Second
)

// ErrBusy means that too many passwords are being checked already. It is
// temporary.
var ErrBusy error = busyError{}

type busyError struct{}

func (busyError) Error() string   { return "too many sign-ins at once, try again later" }
func (busyError) Temporary() bool { return true }

// hasher hashes passwords, a bounded number at once, since each takes much
// memory and a processor for some hundredths of a second.
type hasher struct {
	params  Params
	dummy   digest // what the password of nobody is checked against
	turns   chan struct{}
	waiting atomic.Int64
	most    int64 // that may wait
	memory  memory
}

func newHasher(p Params, hashing, waiting int) *hasher {
	dummy := digest{Params: p, salt: make([]byte, saltLen), hash: make([]byte, hashLen)}
	_, _ = rand.Read(dummy.salt) // never fails
	_, _ = rand.Read(dummy.hash)
	h := &hasher{params: p, dummy: dummy, turns: make(chan struct{}, hashing), most: int64(waiting)}
	h.memory.free = debug.FreeOSMemory
	return h
}

// acquire waits for a turn, and returns what ends it. It returns ErrBusy when
// too many wait already, or when ctx ends first.
func (h *hasher) acquire(ctx context.Context) (release func(), err error) {
	select {
	case h.turns <- struct{}{}:
		return h.release, nil
	default:
	}
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > h.most {
		return nil, ErrBusy
	}
	select {
	case h.turns <- struct{}{}:
		return h.release, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
	}
}

func (h *hasher) release() {
	<-h.turns
	h.memory.used()
}

// hash hashes a new password in its turn.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	release, err := h.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return newDigest(h.params, password).String(), nil
}

// memory gives the memory that hashing took back to the system once nobody
// hashes any more. Go would keep it: some 40 MB for an instance that is idle
// but for a sign-in now and then.
type memory struct {
	free func()

	mu    sync.Mutex
	timer *time.Timer // runs from the last use on
	last  time.Time   // when memory was given back
}

// used notes that memory has been used.
func (m *memory) used() {
	m.mu.Lock()
	defer m.mu.Unlock()
	wait := max(quiet, time.Until(m.last.Add(giveBackEvery)))
	if m.timer == nil {
		m.timer = time.AfterFunc(wait, m.giveBack)
	} else {
		m.timer.Reset(wait)
	}
}

func (m *memory) giveBack() {
	m.mu.Lock()
	m.last = time.Now()
	m.mu.Unlock()
	m.free()
}
