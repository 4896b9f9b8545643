package crashtest

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"syscall"
	"time"

	"github.com/network-utopia/utopia/internal/state/disk"
)

// Create is that of disk.Folder.
func (d *Disk) Create(name string) (disk.File, error) {
	n := &node{changed: time.Now()}
	if err := d.make(call{op: "create", path: name}, n); err != nil {
		return nil, err
	}
	return &handle{disk: d, node: n, name: name, writes: true}, nil
}

// Mkdir is that of disk.Folder.
func (d *Disk) Mkdir(name string) error { return d.make(call{op: "mkdir", path: name}, newFolder()) }

func (d *Disk) make(c call, n *node) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, existing, err := d.place(c.op, c.path)
	switch {
	case err != nil:
		return err
	case existing != nil:
		return fail(c.op, c.path, fs.ErrExist)
	}
	return d.step(c, func() { d.name(&nameChange{set: []entry{{at, n}}}) })
}

// Open is that of disk.Folder.
func (d *Disk) Open(name string) (disk.File, error) { return d.open(name, false) }

// OpenWrite is that of disk.Folder.
func (d *Disk) OpenWrite(name string) (disk.File, error) { return d.open(name, true) }

func (d *Disk) open(name string, writes bool) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.at("open", name)
	switch {
	case err != nil:
		return nil, err
	case n.folder:
		return nil, fail("open", name, syscall.EISDIR)
	}
	return &handle{disk: d, node: n, name: name, writes: writes}, nil
}

// Rename is that of disk.Folder.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := call{op: "rename", path: from, to: to}
	source, n, err := d.place(c.op, from)
	if err != nil {
		return err
	}
	target, existing, err := d.place(c.op, to)
	switch {
	case err != nil:
		return err
	case n == nil:
		return fail(c.op, from, fs.ErrNotExist)
	case n == d.root || existing == d.root:
		return fail(c.op, from, syscall.EBUSY)
	case n.folder && existing != nil && !existing.folder:
		return fail(c.op, from, syscall.ENOTDIR)
	case n.folder && existing != nil, existing != nil && existing.folder:
		return fail(c.op, from, fs.ErrExist)
	case n == existing: // two names of one file: both stay, says POSIX
		return nil
	case n.folder && holds(n, target.folder):
		return fail(c.op, from, syscall.EINVAL)
	}
	return d.step(c, func() { d.name(d.renaming(source, target, n)...) })
}

// renaming gives the changes of a rename. That of a folder waits for all that was done before, as a journal has it:
// otherwise parts of the tree could hang nowhere, or in a ring.
func (d *Disk) renaming(source, target slot, n *node) []*nameChange {
	switch {
	case n.folder:
		return []*nameChange{{set: []entry{{target, n}, {source, nil}}, after: slices.Clone(d.changes)}}
	case source.folder == target.folder:
		return []*nameChange{{set: []entry{{target, n}, {source, nil}}}}
	}
	set := &nameChange{set: []entry{{target, n}}}
	return []*nameChange{set, {set: []entry{{source, nil}}, waits: set}}
}

// holds says whether other is the folder n, or stands below it.
func holds(n, other *node) bool {
	if n == other {
		return true
	}
	for _, below := range n.names {
		if holds(below, other) {
			return true
		}
	}
	return false
}

// Link is that of disk.Folder.
func (d *Disk) Link(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := call{op: "link", path: from, to: to}
	n, err := d.at(c.op, from)
	if err != nil {
		return err
	}
	target, existing, err := d.place(c.op, to)
	switch {
	case err != nil:
		return err
	case n.folder:
		return fail(c.op, from, syscall.EPERM)
	case existing != nil:
		return fail(c.op, from, fs.ErrExist)
	}
	return d.step(c, func() { d.name(&nameChange{set: []entry{{target, n}}}) })
}

// Remove is that of disk.Folder.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := call{op: "remove", path: name}
	at, n, err := d.place(c.op, name)
	switch {
	case err != nil:
		return err
	case n == nil:
		return fail(c.op, name, fs.ErrNotExist)
	case n == d.root:
		return fail(c.op, name, syscall.EBUSY)
	case n.folder && len(n.names) > 0:
		return fail(c.op, name, syscall.ENOTEMPTY)
	}
	return d.step(c, func() { d.name(&nameChange{set: []entry{{at, nil}}, after: d.touching(n)}) })
}

// ReadDir is that of disk.Folder.
func (d *Disk) ReadDir(name string) ([]fs.DirEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.at("readdir", name)
	switch {
	case err != nil:
		return nil, err
	case !n.folder:
		return nil, fail("readdir", name, syscall.ENOTDIR)
	}
	entries := make([]fs.DirEntry, 0, len(n.names))
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		entries = append(entries, fs.FileInfoToDirEntry(n.names[name].info(name)))
	}
	return entries, nil
}

// Stat is that of disk.Folder.
func (d *Disk) Stat(name string) (fs.FileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.at("stat", name)
	if err != nil {
		return nil, err
	}
	return n.info(path.Base(name)), nil
}

// SyncDir is that of disk.Folder.
func (d *Disk) SyncDir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := call{op: "syncdir", path: name}
	n, err := d.at(c.op, name)
	switch {
	case err != nil:
		return err
	case !n.folder:
		return fail(c.op, name, syscall.ENOTDIR)
	case d.broken[n] != nil:
		return d.broken[n]
	}
	err = d.step(c, func() { d.syncNames(n) })
	if err != nil && !d.crashed {
		d.broken[n] = err
	}
	return err
}
