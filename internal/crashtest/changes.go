package crashtest

import "slices"

// slot is a place for a name in a folder.
type slot struct {
	folder *node
	name   string
}

// nameChange is a change of names that is not on the platter: each of its slots is given a node, or emptied, all at
// once.
type nameChange struct {
	step  int
	set   []entry
	after []*nameChange // it lands only when these have; a sync of it syncs them
	// Of the old name's end, in a rename to another folder: the new name, without which it does not land. A sync of the
	// old folder does not sync the new one: it asks, and the end waits.
	waits *nameChange
	asked bool
	done  bool // it has landed
}

type entry struct {
	slot
	to *node // nil empties the slot
}

func (c *nameChange) touches(folder *node) bool {
	return slices.ContainsFunc(c.set, func(e entry) bool { return e.folder == folder })
}

func (c *nameChange) shares(other *nameChange) bool {
	return slices.ContainsFunc(c.set, func(e entry) bool {
		return slices.ContainsFunc(other.set, func(o entry) bool { return o.slot == e.slot })
	})
}

// land brings the change to the platter.
func (c *nameChange) land() {
	for _, e := range c.set {
		if e.to == nil {
			delete(e.folder.onDisk, e.name)
		} else {
			e.folder.onDisk[e.name] = e.to
		}
	}
	c.done = true
}

// name makes changes of names for programs to see, and keeps each until its folder is synced.
func (d *Disk) name(changes ...*nameChange) {
	for _, c := range changes {
		c.step = d.steps
		for _, e := range c.set {
			if e.to == nil {
				delete(e.folder.names, e.name)
			} else {
				e.folder.names[e.name] = e.to
			}
		}
		d.changes = append(d.changes, c)
	}
}

// touching lists the changes of a folder's names that are not on the platter.
func (d *Disk) touching(folder *node) []*nameChange {
	var found []*nameChange
	for _, c := range d.changes {
		if c.touches(folder) {
			found = append(found, c)
		}
	}
	return found
}

// syncNames brings to the platter what was done to the names in a folder, and what that stands on.
func (d *Disk) syncNames(folder *node) {
	needed := map[*nameChange]bool{}
	for i, c := range slices.Backward(d.changes) { // what a change stands on is older
		switch {
		case needed[c]:
		case !c.touches(folder):
			continue
		case c.waits != nil && !c.waits.done:
			c.asked = true
			continue
		}
		needed[c] = true
		if c.waits != nil {
			needed[c.waits] = true
		}
		for _, a := range c.after {
			needed[a] = true
		}
		for _, older := range d.changes[:i] {
			if older.shares(c) {
				needed[older] = true
			}
		}
	}
	d.changes = slices.DeleteFunc(d.changes, func(c *nameChange) bool {
		lands := needed[c] || c.asked && c.waits.done
		if lands {
			c.land()
		}
		return lands
	})
}

// settle draws which changes of names have landed when the machine crashed, and gives the slots that they set. A
// change keeps those of the same slots that come after it from landing without it.
func (d *Disk) settle(survives func() bool) (landed map[*nameChange]bool, set map[slot]*node) {
	landed, set = map[*nameChange]bool{}, map[slot]*node{}
	open := func(c *nameChange) bool { return c != nil && !c.done && !landed[c] }
	stuck := map[slot]bool{}
	for _, c := range d.changes {
		stays := slices.ContainsFunc(c.set, func(e entry) bool { return stuck[e.slot] }) ||
			slices.ContainsFunc(c.after, open) || open(c.waits)
		if stays || !survives() {
			for _, e := range c.set {
				stuck[e.slot] = true
			}
			continue
		}
		landed[c] = true
		for _, e := range c.set {
			set[e.slot] = e.to
		}
	}
	return landed, set
}
