package crashtest

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/network-utopia/utopia/internal/state/disk"
)

// ErrCrashed is the error of every call after the crash.
var ErrCrashed = errors.New("the machine has crashed")

// DefaultCapacity is how many octets of content a disk holds.
const DefaultCapacity = 64 << 20

// Options are the limits of a Disk. The zero value means the defaults.
type Options struct {
	// Capacity is how many octets the files may hold together; past it, the error is ENOSPC. DefaultCapacity if 0.
	Capacity int64
	// SyncTime is how long Sync of a file takes; what is written meanwhile is not covered by it. So a group commit has
	// something to group. It is meant for tests inside testing/synctest; none if 0.
	SyncTime time.Duration
}

// Disk is a disk.Folder in memory that can crash. It is safe for concurrent use, and each call is one step: they
// happen one after the other.
type Disk struct {
	opts Options

	mu      sync.Mutex
	root    *node
	changes []*nameChange // of names, and not on the platter; the oldest first
	broken  map[*node]error
	used    int64 // octets; at least what the files hold

	steps   int
	plan    plan
	crashed bool
	failed  bool
	struck  string // the call at which the crash or the fault came
	trace   trace
}

var _ disk.Folder = (*Disk)(nil)

// New makes an empty disk.
func New(opts Options) *Disk {
	if opts.Capacity <= 0 {
		opts.Capacity = DefaultCapacity
	}
	return &Disk{opts: opts, root: newFolder(), broken: map[*node]error{}}
}

// Moment is when in a step the crash comes.
type Moment string

// The moments. A crash during a step is one before it, with a part of what was not synced surviving.
const (
	Before Moment = "before" // the call has done nothing
	After  Moment = "after"  // the call has done all, but does not return it
)

// plan is what is to happen at a step.
type plan struct {
	step   int
	moment Moment // "" for none
	fault  Fault  // "" for none
}

// CrashAt has the disk crash at its n-th step, counted from 1. A step is a call that changes something or syncs, and
// that nothing else keeps from it. It takes the place of what was planned before.
func (d *Disk) CrashAt(n int, when Moment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plan = plan{step: n, moment: when}
}

// FailAt has the n-th step fail, counted from 1, if that fault can befall it. It takes the place of what was planned
// before.
func (d *Disk) FailAt(n int, how Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plan = plan{step: n, fault: how}
}

// Crash has the disk crash now.
func (d *Disk) Crash() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crash("crash")
}

func (d *Disk) crash(how string) {
	if !d.crashed {
		d.crashed = true
		d.trace.note("*** " + how)
	}
}

// Steps is how many steps there were.
func (d *Disk) Steps() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.steps
}

// Crashed says whether the disk has crashed.
func (d *Disk) Crashed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.crashed
}

// Failed says whether the fault of FailAt has come.
func (d *Disk) Failed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// Note writes a line into the trace, such as what was acknowledged.
func (d *Disk) Note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trace.note(fmt.Sprintf(format, args...))
}

// step runs one call that changes something, at the moment that the plan says. The caller holds the lock, and has
// checked that the call can be done.
func (d *Disk) step(c call, do func()) error {
	d.steps++
	planned := d.steps == d.plan.step
	switch {
	case planned && d.plan.moment == Before:
		d.struck = c.String()
		d.crash("crash before " + d.struck)
		return fail(c.op, c.path, ErrCrashed)
	case planned && d.plan.fault.befalls(c.op):
		d.failed, d.struck = true, c.String()
		d.trace.add(d.steps, c, d.plan.fault)
		return fail(c.op, c.path, d.plan.fault.err())
	}
	do()
	d.trace.add(d.steps, c, "")
	if planned && d.plan.moment == After {
		d.struck = c.String()
		d.crash("crash after " + d.struck)
		return fail(c.op, c.path, ErrCrashed)
	}
	return nil
}

// at finds what stands under a name, for a call that names it.
func (d *Disk) at(op, name string) (*node, error) {
	if d.crashed {
		return nil, fail(op, name, ErrCrashed)
	}
	if !fs.ValidPath(name) || strings.ContainsRune(name, 0) {
		return nil, fail(op, name, fs.ErrInvalid)
	}
	n := d.root
	if name == "." {
		return n, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if !n.folder {
			return nil, fail(op, name, syscall.ENOTDIR)
		}
		if n = n.names[part]; n == nil {
			return nil, fail(op, name, fs.ErrNotExist)
		}
	}
	return n, nil
}

// place finds the slot that a name is, and what is in it: nil where it is free.
func (d *Disk) place(op, name string) (slot, *node, error) {
	n, err := d.at(op, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return slot{}, nil, err
	}
	if name == "." {
		return slot{}, n, nil
	}
	above, base := ".", name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		above, base = name[:i], name[i+1:]
	}
	folder, err := d.at(op, above)
	if err != nil {
		return slot{}, nil, fail(op, name, errors.Unwrap(err))
	}
	return slot{folder, base}, n, nil
}

func fail(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }
