package crashtest

import (
	"bytes"
	"io"
	"io/fs"
	"slices"
	"syscall"
	"time"
)

// handle is an open file.
type handle struct {
	disk   *Disk
	node   *node
	name   string
	writes bool // it may be written

	// Guarded by the disk's lock.
	closed bool
	failed error // what Sync said when it failed
}

// ready says why a call cannot be done.
func (h *handle) ready(op string) error {
	switch {
	case h.disk.crashed:
		return fail(op, h.name, ErrCrashed)
	case h.closed:
		return fail(op, h.name, fs.ErrClosed)
	}
	return nil
}

// writable says why a call that changes the content to end at end cannot be done.
func (h *handle) writable(op string, off, end int64) error {
	switch err := h.ready(op); {
	case err != nil:
		return err
	case !h.writes:
		return fail(op, h.name, syscall.EBADF)
	case h.failed != nil:
		return h.failed
	case off < 0:
		return fail(op, h.name, syscall.EINVAL)
	case end < off || !h.disk.room(end-int64(len(h.node.data))): // end < off: past what an int64 counts
		return fail(op, h.name, syscall.ENOSPC)
	}
	return nil
}

// room says whether the disk takes so many octets more, and counts them.
func (d *Disk) room(more int64) bool {
	if more > d.opts.Capacity {
		return false
	}
	if more > 0 && d.used+more > d.opts.Capacity {
		d.used = held(d.root, map[*node]bool{})
	}
	if more > 0 && d.used+more > d.opts.Capacity {
		return false
	}
	d.used += max(more, 0) // what gets smaller or is removed is found when room is short
	return true
}

// held is how many octets the files have that can be reached, each counted once.
func held(n *node, seen map[*node]bool) int64 {
	if seen[n] {
		return 0
	}
	seen[n] = true
	total := int64(len(n.data))
	for _, below := range n.names {
		total += held(below, seen)
	}
	return total
}

func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if err := h.ready("read"); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, fail("read", h.name, syscall.EINVAL)
	}
	n := copy(p, h.node.data[min(off, int64(len(h.node.data))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) WriteAt(p []byte, off int64) (int, error) {
	d := h.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := h.writable("write", off, off+int64(len(p))); err != nil || len(p) == 0 {
		return 0, err
	}
	p = bytes.Clone(p)
	c := call{op: "write", path: h.name, off: off, length: int64(len(p))}
	err := d.step(c, func() { h.node.change(&write{step: d.steps, off: off, data: p}) })
	if err == nil {
		return len(p), nil
	}
	if !d.crashed && d.plan.fault == ShortWrite {
		p = p[:len(p)/2]
		h.node.change(&write{step: d.steps, off: off, data: p})
		return len(p), err
	}
	return 0, err
}

func (h *handle) Truncate(size int64) error {
	d := h.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := h.writable("truncate", size, size); err != nil {
		return err
	}
	c := call{op: "truncate", path: h.name, off: size}
	return d.step(c, func() { h.node.change(&write{step: d.steps, off: size, cut: true}) })
}

func (h *handle) Size() (int64, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	return int64(len(h.node.data)), h.ready("size")
}

func (h *handle) Sync() error {
	d := h.disk
	d.mu.Lock()
	covered := slices.Clone(h.node.writes)
	d.mu.Unlock()
	time.Sleep(d.opts.SyncTime)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := h.ready("sync"); err != nil {
		return err
	}
	if h.failed != nil {
		return h.failed
	}
	err := d.step(call{op: "sync", path: h.name}, func() { h.node.sync(covered) })
	if err != nil && !d.crashed {
		h.node.lose(covered)
		h.failed = err
	}
	return err
}

func (h *handle) Close() error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	err := h.ready("close")
	h.closed = true
	return err
}
