package zone

import (
	"bytes"
	"iter"
)

// paired is what two trees have for a key; an item without a body is not there.
type paired struct{ was, now item }

func (p paired) key() []byte {
	if p.was.body != nil {
		return p.was.key
	}
	return p.now.key
}

// pairs gives, in the order of their keys, the items of two trees, but for those
// on pages that the trees share: so it costs what one of them has changed of
// the other. What stands there may be the same all the same.
func pairs(old, new *page) iter.Seq[paired] {
	return func(yield func(paired) bool) {
		var c, k cursor
		c.seek(old, nil)
		k.seek(new, nil)
		for {
			if c.skipShared(&k) {
				continue
			}
			was, ok1 := c.at()
			now, ok2 := k.at()
			if !ok1 && !ok2 {
				return
			}
			order := bytes.Compare(was.key, now.key)
			switch {
			case !ok2 || ok1 && order < 0:
				now = item{}
				c.next()
			case !ok1 || order > 0:
				was = item{}
				k.next()
			default:
				c.next()
				k.next()
			}
			if !yield(paired{was, now}) {
				return
			}
		}
	}
}

// skipShared says whether two cursors are at the begin of a page that both trees
// have, and goes behind the largest such with both.
func (c *cursor) skipShared(k *cursor) bool {
	shared := 0
	for n := 1; n <= min(c.depth, k.depth); n++ {
		a, b := c.step[c.depth-n], k.step[k.depth-n]
		if a.page != b.page || a.i != 0 || b.i != 0 || a.page.len() == 0 {
			break
		}
		shared = n
	}
	if shared == 0 {
		return false
	}
	c.leave(c.depth - shared)
	k.leave(k.depth - shared)
	return true
}

// leave goes behind the page at a level.
func (c *cursor) leave(level int) {
	for d := level; d < c.depth; d++ {
		if d > level {
			c.step[d].page = c.step[d-1].page.children[c.step[d-1].i]
		}
		c.step[d].i = c.step[d].page.len() - 1
	}
	c.next()
}

// SameContent says whether two snapshots of a zone answer alike, the SOA's
// serial aside. The case of owners does not matter. It costs what Between does.
func (z *Zone) SameContent(other *Zone) bool {
	a, b := z.soa, other.soa
	a.Serial, b.Serial = 0, 0
	if z.apex != other.apex || z.count != other.count || a != b {
		return false
	}
	for p := range pairs(z.root, other.root) {
		if p.was.body == nil || p.now.body == nil || !z.node(p.was).sameSets(z.node(p.now)) {
			return false
		}
	}
	return true
}

// Sharing gives the same snapshot, made of the pages of an older one as far as they
// are alike: so that it takes no memory of its own for these, and what compares
// the two, or signs one after the other, passes them over.
func (z *Zone) Sharing(old *Zone) *Zone {
	if z.apex != old.apex {
		return z
	}
	var edits []item
	for p := range pairs(old.root, z.root) {
		if !bytes.Equal(p.was.body, p.now.body) {
			edits = append(edits, item{p.key(), p.now.body})
		}
		if len(edits) > z.count.names/2 {
			return z
		}
	}
	return old.changed(z.named, edits)
}

// Between gives the difference between two versions of a zone: what makes the
// old one the new one, the SOA among it when that changed. It looks at every
// name of both that stands on a page which they do not share.
func Between(old, new *Zone) Difference {
	var d Difference
	for p := range pairs(old.root, new.root) {
		if bytes.Equal(p.was.body, p.now.body) {
			continue
		}
		was, now := old.node(p.was), new.node(p.now)
		owner := now.Name()
		if p.now.body == nil {
			owner = was.Name()
		}
		d.Deleted = appendMissing(d.Deleted, owner, was.Sets(), now.Sets())
		d.Added = appendMissing(d.Added, owner, now.Sets(), was.Sets())
	}
	return d
}
