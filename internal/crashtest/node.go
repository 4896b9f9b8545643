package crashtest

import (
	"bytes"
	"io/fs"
	"slices"
	"time"
)

// sector is the piece of a write that reaches the platter in whole or not at all, in octets.
const sector = 512

// node is a file or a folder: what programs see, and what is on the platter.
type node struct {
	folder  bool
	changed time.Time

	// Of a folder. What is missing in onDisk is in Disk.changes.
	names, onDisk map[string]*node

	// Of a file. What is missing in synced is in writes, the oldest first.
	data, synced []byte
	writes       []*write
}

func newFolder() *node {
	return &node{folder: true, changed: time.Now(), names: map[string]*node{}, onDisk: map[string]*node{}}
}

// write is a change of a file's content that was not synced.
type write struct {
	step int
	off  int64  // where data goes; for a cut, the new size
	data []byte // nobody changes it
	cut  bool   // Truncate
}

// do makes the whole change.
func (w *write) do(data []byte) []byte {
	if w.cut {
		return resize(data, w.off)
	}
	return put(data, w.data, w.off)
}

// put writes piece over data, which grows if need be.
func put(data, piece []byte, off int64) []byte {
	if len(piece) == 0 {
		return data
	}
	data = resize(data, max(int64(len(data)), off+int64(len(piece))))
	copy(data[off:], piece)
	return data
}

// resize cuts data, or fills it with zeros.
func resize(data []byte, size int64) []byte {
	if more := size - int64(len(data)); more > 0 {
		return append(data, make([]byte, more)...)
	}
	return data[:size]
}

// change makes a change for programs to see, and keeps it until it is synced.
func (n *node) change(w *write) {
	n.data = w.do(n.data)
	n.writes = append(n.writes, w)
	n.changed = time.Now()
}

// sync brings the writes to the platter that were there when the sync began.
func (n *node) sync(covered []*write) {
	for _, w := range covered {
		if i := slices.Index(n.writes, w); i >= 0 {
			n.synced = w.do(n.synced)
			n.writes = slices.Delete(n.writes, i, i+1)
		}
	}
}

// lose forgets what a failed sync could not write, as Linux does: programs see it still, and no sync will write it.
func (n *node) lose(covered []*write) {
	n.writes = slices.DeleteFunc(n.writes, func(w *write) bool { return slices.Contains(covered, w) })
}

// copies copies nodes as they are, each once.
type copies map[*node]*node

func (c copies) of(n *node) *node {
	if n == nil {
		return nil
	}
	if done := c[n]; done != nil {
		return done
	}
	m := &node{
		folder: n.folder, changed: n.changed, data: bytes.Clone(n.data), synced: bytes.Clone(n.synced),
		writes: make([]*write, 0, len(n.writes)),
	}
	c[n] = m
	for _, w := range n.writes { // of a boot before, which this one's trace does not number
		m.writes = append(m.writes, &write{off: w.off, data: w.data, cut: w.cut})
	}
	if n.folder {
		m.names, m.onDisk = c.all(n.names), c.all(n.onDisk)
	}
	return m
}

func (c copies) all(names map[string]*node) map[string]*node {
	m := map[string]*node{}
	for name, n := range names {
		m[name] = c.of(n)
	}
	return m
}

// info is the fs.FileInfo of a node.
type info struct {
	name    string
	size    int64
	folder  bool
	changed time.Time
}

func (n *node) info(name string) info {
	return info{name: name, size: int64(len(n.data)), folder: n.folder, changed: n.changed}
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) IsDir() bool        { return i.folder }
func (i info) ModTime() time.Time { return i.changed }
func (i info) Sys() any           { return nil }
func (i info) Mode() fs.FileMode {
	if i.folder {
		return fs.ModeDir | 0o700
	}
	return 0o600
}
