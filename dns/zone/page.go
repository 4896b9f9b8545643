package zone

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// The names of a zone stand in a tree of pages in the order of their keys. A
// page is never changed: a change makes new pages from the leaf up to the root,
// and the others are shared with the tree before. Items are packed, so that a
// zone of a million names is some ten thousand pieces of memory and not millions.

// Sizes of pages. A leaf is cut off when it has so many items or octets.
const (
	maxItems    = 64
	maxOctets   = 8 << 10
	keySizeLen  = 2
	maxPageDeep = 12 // levels of a tree: 32 items at least on most of them
)

// page is a node of the tree: a leaf with items, or a branch of other pages.
type page struct {
	slots    []slot  // one for each item, and one that ends the last
	skip     int     // octets that all keys which are searched begin with: those behind are the hints
	data     []byte  // items: the key behind its length in two octets, and in a leaf what belongs to it
	children []*page // of a branch: item i has the first key of child i, and nothing else
}

// slot says where an item begins in data (the lower half), and gives a hint of
// its key (the upper half): four octets of it. What a search costs is the lines
// of memory that it touches, and hints stand close together.
type slot uint64

func makeSlot(hint uint32, at int) slot { return slot(hint)<<32 | slot(at) }

func (s slot) hint() uint32 { return uint32(s >> 32) }

func (s slot) at() uint32 { return uint32(s) }

// hintOf gives the octets of a key behind the first skip ones. Where there are
// fewer than four, zeros stand for the rest: of two keys, the one with the lower
// hint is the first, and with equal hints the keys decide.
func hintOf(key []byte, skip int) uint32 {
	if len(key) >= skip+4 {
		return binary.BigEndian.Uint32(key[skip:])
	}
	var few [4]byte
	copy(few[:], key[min(skip, len(key)):])
	return binary.BigEndian.Uint32(few[:])
}

// item is a key with what belongs to it.
type item struct{ key, body []byte }

func (p *page) len() int { return len(p.slots) - 1 }

func (p *page) key(i int) []byte {
	at := p.slots[i].at()
	start := at + keySizeLen
	return p.data[start : start+uint32(binary.BigEndian.Uint16(p.data[at:]))]
}

func (p *page) body(i int) []byte {
	key := p.key(i)
	return p.data[p.slots[i].at()+keySizeLen+uint32(len(key)) : p.slots[i+1].at()]
}

// first is the first item that a search looks at. What is before the second
// child of a branch can only be in the first, whatever that one's key is: it is
// the apex in one page of each level, and has nothing in common with any other.
func (p *page) first() int {
	if p.children != nil {
		return 1
	}
	return 0
}

// makeHints makes the hints of a page that has its items.
func (p *page) makeHints() {
	from, last := p.first(), p.len()-1
	if from > last {
		return
	}
	p.skip = common(p.key(from), p.key(last)) // and all between them
	for i := from; i <= last; i++ {
		p.slots[i] = makeSlot(hintOf(p.key(i), p.skip), int(p.slots[i].at()))
	}
}

// common is how many octets two keys begin with alike.
func common(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// find gives the first item, from p.first on, whose key is not before the one
// looked for, and whether it is that.
func (p *page) find(key []byte) (i int, exact bool) {
	from, end := p.first(), p.len()
	if from >= end {
		return from, false
	}
	hint := hintOf(key, p.skip)
	low, high := p.alike(from, hint)
	for low < high {
		mid := int(uint(low+high) >> 1)
		switch c := bytes.Compare(p.key(mid), key); {
		case c == 0:
			return mid, true
		case c < 0:
			low = mid + 1
		default:
			high = mid
		}
	}
	// The hints know nothing of what stands before them.
	if p.skip > 0 {
		prefix := p.key(min(low, end-1))[:p.skip]
		switch c := bytes.Compare(key[:min(p.skip, len(key))], prefix); {
		case c < 0:
			return from, false
		case c > 0:
			return end, false
		}
	}
	return low, false
}

// alike gives the range of the items, from one on, that have a hint: those before
// it have lower ones, those behind it higher ones.
func (p *page) alike(from int, hint uint32) (low, high int) {
	low, high = from, p.len()
	for low < high {
		mid := int(uint(low+high) >> 1)
		if p.slots[mid].hint() < hint {
			low = mid + 1
		} else {
			high = mid
		}
	}
	for high = low; high < p.len() && p.slots[high].hint() == hint; high++ {
	}
	return low, high
}

// child gives the child that a key is in, if it is anywhere.
func (p *page) child(key []byte) int {
	i, exact := p.find(key)
	if exact || i == 0 {
		return i
	}
	return i - 1
}

// pageWriter cuts a sequence of items into pages.
type pageWriter struct {
	open  page // the one that is being filled; its memory is used again
	pages []*page
}

func (w *pageWriter) add(it item, child *page) {
	p := &w.open
	if len(p.slots) == 0 {
		p.slots = append(p.slots, 0)
	}
	p.data = binary.BigEndian.AppendUint16(p.data, uint16(len(it.key)))
	p.data = append(append(p.data, it.key...), it.body...)
	p.slots = append(p.slots, makeSlot(0, len(p.data)))
	if child != nil {
		p.children = append(p.children, child)
	}
	if p.len() >= maxItems || len(p.data) >= maxOctets {
		w.cut()
	}
}

// cut ends the page, which takes no more memory than it needs.
func (w *pageWriter) cut() {
	p := &w.open
	if len(p.slots) < 2 {
		return
	}
	made := &page{
		slots: slices.Clip(slices.Clone(p.slots)), data: slices.Clip(slices.Clone(p.data)), children: slices.Clip(slices.Clone(p.children)),
	}
	made.makeHints()
	w.pages = append(w.pages, made)
	p.slots, p.data, p.children = p.slots[:0], p.data[:0], p.children[:0]
}

func (w *pageWriter) done() []*page {
	w.cut()
	return w.pages
}

// root puts branches over pages until there is one.
func root(pages []*page) *page {
	for len(pages) > 1 {
		var w pageWriter
		for _, p := range pages {
			w.add(item{key: p.key(0)}, p)
		}
		pages = w.done()
	}
	if len(pages) == 0 {
		return &page{slots: []slot{0}}
	}
	for pages[0].len() == 1 && pages[0].children != nil {
		pages = pages[0].children
	}
	return pages[0]
}

// apply makes the pages that come after p, in which the items of edits stand in
// place of those with their keys; one without a body takes that away. Edits are
// in the order of their keys, each key once.
func (p *page) apply(edits []item) []*page {
	switch {
	case len(edits) == 0:
		return []*page{p}
	case p.children == nil:
		return p.applyToLeaf(edits)
	}
	var children []*page
	for i, child := range p.children {
		n := len(edits)
		if i+1 < p.len() {
			n = 0
			for n < len(edits) && bytes.Compare(edits[n].key, p.key(i+1)) < 0 {
				n++
			}
		}
		children = append(children, child.apply(edits[:n])...)
		edits = edits[n:]
	}
	return branches(joinSmall(children))
}

func (p *page) applyToLeaf(edits []item) []*page {
	items := make([]item, 0, p.len()+len(edits))
	take := func(e item) {
		if e.body != nil {
			items = append(items, e)
		}
	}
	for i := range p.len() {
		for len(edits) > 0 && bytes.Compare(edits[0].key, p.key(i)) < 0 {
			take(edits[0])
			edits = edits[1:]
		}
		if len(edits) > 0 && bytes.Equal(edits[0].key, p.key(i)) {
			take(edits[0])
			edits = edits[1:]
			continue
		}
		items = append(items, item{p.key(i), p.body(i)})
	}
	for _, e := range edits {
		take(e)
	}
	return leaves(items)
}

// leaves cuts items into pages that are about alike, so that one that has just
// been cut in two takes more items before it is cut again.
func leaves(items []item) []*page {
	total := 0
	for _, it := range items {
		total += keySizeLen + len(it.key) + len(it.body)
	}
	count := max((total+maxOctets-1)/maxOctets, (len(items)+maxItems-1)/maxItems, 1)
	var w pageWriter
	perPage := (len(items) + count - 1) / count
	for i, it := range items {
		if i > 0 && i%perPage == 0 {
			w.cut()
		}
		w.add(it, nil)
	}
	return w.done()
}

// branches is leaves for what stands above.
func branches(children []*page) []*page {
	count := (len(children) + maxItems - 1) / maxItems
	if count == 0 {
		return nil
	}
	var w pageWriter
	perPage := (len(children) + count - 1) / count
	for i, p := range children {
		if i > 0 && i%perPage == 0 {
			w.cut()
		}
		w.add(item{key: p.key(0)}, p)
	}
	return w.done()
}

// joinSmall makes one page of two neighbours that fill half of it, so that a
// zone that shrinks does not keep the pages of its best days.
func joinSmall(pages []*page) []*page {
	out := pages[:0:0]
	for _, p := range pages {
		if n := len(out); n > 0 && small(out[n-1], p) {
			out[n-1] = join(out[n-1], p)
			continue
		}
		out = append(out, p)
	}
	return out
}

func small(a, b *page) bool {
	return a.len()+b.len() <= maxItems/2 && len(a.data)+len(b.data) <= maxOctets/2
}

func join(pages ...*page) *page {
	var w pageWriter
	for _, p := range pages {
		for i := range p.len() {
			var child *page
			if p.children != nil {
				child = p.children[i]
			}
			w.add(item{p.key(i), p.body(i)}, child)
		}
	}
	return w.done()[0]
}

// cursor is a place in a tree: at an item, or behind the last one.
type cursor struct {
	depth int // steps, the last of which is in a leaf
	step  [maxPageDeep]struct {
		page *page
		i    int
	}
}

// seek goes to the first item whose key is not before the one looked for, and
// says whether it is that.
func (c *cursor) seek(p *page, key []byte) (exact bool) {
	for c.depth = 0; p.children != nil; c.depth++ {
		i := p.child(key)
		c.step[c.depth].page, c.step[c.depth].i = p, i
		p = p.children[i]
	}
	i, exact := p.find(key)
	c.step[c.depth].page, c.step[c.depth].i = p, i
	c.depth++
	if i == p.len() {
		c.step[c.depth-1].i--
		c.next()
	}
	return exact
}

// last goes to the last item, where there is one.
func (c *cursor) last(p *page) {
	c.seek(p, nil)
	c.leave(0)
	c.prev()
}

// at gives the item that the cursor is at; false behind the last one.
func (c *cursor) at() (item, bool) {
	s := &c.step[c.depth-1]
	if s.i < 0 || s.i >= s.page.len() {
		return item{}, false
	}
	return item{s.page.key(s.i), s.page.body(s.i)}, true
}

// next goes to the next item, and behind the last one in the end.
func (c *cursor) next() {
	leaf := c.depth - 1
	last := c.step[leaf].page.len()
	if c.step[leaf].i = min(c.step[leaf].i+1, last); c.step[leaf].i < last {
		return
	}
	for d := leaf - 1; d >= 0; d-- {
		if c.step[d].i+1 < c.step[d].page.len() {
			c.step[d].i++
			c.descend(d, func(*page) int { return 0 })
			return
		}
	}
}

// prev goes to the item before; false when there is none.
func (c *cursor) prev() bool {
	d := c.depth - 1
	for d >= 0 && c.step[d].i == 0 {
		d--
	}
	if d < 0 {
		return false
	}
	c.step[d].i--
	c.descend(d, func(p *page) int { return p.len() - 1 })
	return true
}

// descend goes from a level down to a leaf.
func (c *cursor) descend(d int, pick func(*page) int) {
	for ; d < c.depth-1; d++ {
		below := c.step[d].page.children[c.step[d].i]
		c.step[d+1].page, c.step[d+1].i = below, pick(below)
	}
}
