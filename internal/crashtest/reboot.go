package crashtest

import (
	"bytes"
	"maps"
	"slices"
	"time"
)

// Reboot gives the disk that the next boot finds. The disk it is asked of has crashed, or does now; it can be asked
// again, with the same fate for the same answer, and with others. A fate that is none panics.
func (d *Disk) Reboot(fate Fate) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crash("crash")
	if fate == Killed {
		return d.rebootKilled()
	}
	l := fate.lot(d.steps)
	s := survivors{lot: l, nodes: map[*node]*node{}, fates: map[int]string{}}
	landed, set := d.settle(l.name)
	s.set = map[*node][]entry{}
	for at, to := range set {
		s.set[at.folder] = append(s.set[at.folder], entry{at, to})
	}
	d.blame(s.fates, landed, set)
	return d.next(s.of(d.root), fate, s.fates)
}

// blame marks what was not synced: changes of names as they landed, unless what is found in their slots is what was
// seen there in the end; and writes of files as lost, until survivors says better: it does not come by files without a
// name.
func (d *Disk) blame(fates map[int]string, landed map[*nameChange]bool, set map[slot]*node) {
	for _, c := range d.changes {
		switch {
		case landed[c]:
			fates[c.step] = allKept
		case !slices.ContainsFunc(c.set, func(e entry) bool { return differs(e.slot, set) }):
			// Such as a draft that has its final name by now.
		case c.waits == nil || !c.waits.done && !landed[c.waits]:
			fates[c.step] = allLost
		default:
			fates[c.step] = oldNameBack
		}
	}
	seen := map[*node]bool{}
	var mark func(n *node)
	mark = func(n *node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		for _, w := range n.writes {
			fates[w.step] = allLost
		}
		for _, names := range []map[string]*node{n.names, n.onDisk} {
			for _, below := range names {
				mark(below)
			}
		}
	}
	mark(d.root)
	for c := range landed {
		for _, e := range c.set {
			mark(e.to)
		}
	}
}

// differs says whether the next boot finds something else in a slot than programs saw.
func differs(at slot, set map[slot]*node) bool {
	n, ok := set[at]
	if !ok {
		n = at.folder.onDisk[at.name]
	}
	return n != at.folder.names[at.name]
}

// next makes the disk of the next boot.
func (d *Disk) next(root *node, fate Fate, fates map[int]string) *Disk {
	n := New(d.opts)
	n.root, n.used = root, held(root, map[*node]bool{})
	n.trace.earlier = func() string {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.trace.text(fates) + "      --- boot; what was not synced: " + string(fate) + "\n"
	}
	return n
}

// rebootKilled copies all as it is, with what is not on the platter.
func (d *Disk) rebootKilled() *Disk {
	c := copies{}
	n := d.next(c.of(d.root), Killed, nil)
	done := map[*nameChange]*nameChange{}
	for _, old := range d.changes {
		change := &nameChange{waits: done[old.waits], asked: old.asked} // waits for none that has landed
		for _, e := range old.set {
			change.set = append(change.set, entry{slot{c.of(e.folder), e.name}, c.of(e.to)})
		}
		for _, a := range old.after {
			if done[a] != nil { // or else it has landed
				change.after = append(change.after, done[a])
			}
		}
		done[old] = change
		n.changes = append(n.changes, change)
	}
	return n
}

// survivors copies what can be reached from a folder after the crash.
type survivors struct {
	lot   *lot
	set   map[*node][]entry // the changes of names that landed
	nodes map[*node]*node
	fates map[int]string // by step
}

func (s *survivors) of(n *node) *node {
	if done := s.nodes[n]; done != nil {
		return done
	}
	m := &node{folder: n.folder, changed: time.Now()}
	s.nodes[n] = m
	if !n.folder {
		m.data = s.content(n)
		m.synced = bytes.Clone(m.data)
		return m
	}
	names := maps.Clone(n.onDisk)
	for _, e := range s.set[n] {
		if e.to == nil {
			delete(names, e.name)
		} else {
			names[e.name] = e.to
		}
	}
	m.names = map[string]*node{}
	for _, name := range slices.Sorted(maps.Keys(names)) { // in the same order each time, for the same draws
		m.names[name] = s.of(names[name])
	}
	m.onDisk = maps.Clone(m.names)
	return m
}

func (s *survivors) content(n *node) []byte {
	data := bytes.Clone(n.synced)
	for i, w := range n.writes {
		data, s.fates[w.step] = s.lot.write(w, i == len(n.writes)-1, data)
	}
	return data
}
