package zone

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
)

// genWireName makes names with any octets in their labels, those that keys escape more often than others.
func genWireName(below dns.Name) *rapid.Generator[dns.Name] {
	octet := rapid.OneOf(rapid.SampledFrom([]byte{0, 1, 2, '*', 'a', 'A', 'b', 0xff}), rapid.Byte())
	return rapid.Custom(func(t *rapid.T) dns.Name {
		n := below
		for range rapid.IntRange(0, 4).Draw(t, "labels") {
			label := rapid.SliceOfN(octet, 1, 5).Draw(t, "label")
			longer, err := n.Prepend(string(label))
			if err != nil {
				t.Fatal(err)
			}
			n = longer
		}
		return n
	})
}

// TestKeysOrderAsNames: keys stand in the order of RFC 4034 section 6.1, begin with those of their ancestors, and give
// the names back.
func TestKeysOrderAsNames(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := genWireName(origin).Draw(t, "a"), genWireName(origin).Draw(t, "b")
		x, y := appendKey(nil, a, len(origin)), appendKey(nil, b, len(origin))
		if got, want := bytes.Compare(x, y), a.Compare(b); got != want {
			t.Fatalf("%s and %s: %d, want %d", a, b, got, want)
		}
		if got := bytes.HasPrefix(x, y); got != a.IsSubdomainOf(b) {
			t.Fatalf("%s below %s: %v", a, b, got)
		}
		if got := nameOfKey(x, origin); got != a.Canonical() {
			t.Fatalf("%s came back as %s", a, got)
		}
		if got := nameOfKey(commonKey(x, y), origin); !a.IsSubdomainOf(got) || !b.IsSubdomainOf(got) ||
			(a.NumLabels() > got.NumLabels() && b.IsSubdomainOf(a.Ancestor(got.NumLabels()+1))) {
			t.Fatalf("%s and %s have %s in common", a, b, got)
		}
		asterisk := false
		for n := a; n != origin; n = n.Parent() {
			asterisk = asterisk || n.Label() == "*"
		}
		if isWildcardKey(x) != (a != origin && a.Label() == "*") || hasAsterisk(x) != asterisk {
			t.Fatalf("%s: wildcard %v, asterisk %v", a, isWildcardKey(x), hasAsterisk(x))
		}
	})
}

// TestLongestKey: the longest names in the form that escapes most.
func TestLongestKey(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("\x00", dns.MaxLabelLen)
	n := dns.Root
	for range 3 {
		n, _ = n.Prepend(label)
	}
	n, err := n.Prepend(strings.Repeat("\x01", 61))
	if err != nil || len(n) != dns.MaxNameLen {
		t.Fatal(len(n), err)
	}
	key := appendKey(nil, n, 1)
	if len(key) > maxKey || nameOfKey(key, dns.Root) != n {
		t.Errorf("%d octets", len(key))
	}
}

// treeModel is a tree and what it ought to hold.
type treeModel struct {
	root  *page
	items map[string]string
}

func (m *treeModel) apply(edits map[string]string) {
	var items []item
	for _, k := range slices.Sorted(maps.Keys(edits)) {
		it := item{key: []byte(k)}
		delete(m.items, k)
		if edits[k] != "" {
			it.body = []byte(edits[k])
			m.items[k] = edits[k]
		}
		items = append(items, it)
	}
	m.root = root(m.root.apply(items))
}

func (m *treeModel) check(t *rapid.T) {
	keys := slices.Sorted(maps.Keys(m.items))
	var c cursor
	c.seek(m.root, nil)
	for _, k := range keys {
		it, ok := c.at()
		if !ok || string(it.key) != k || string(it.body) != m.items[k] {
			t.Fatalf("forward: %q %q %v, want %q", it.key, it.body, ok, k)
		}
		c.next()
	}
	if _, ok := c.at(); ok {
		t.Fatal("forward: more than there are")
	}
	c.next() // stays behind the end
	for _, k := range slices.Backward(keys) {
		if !c.prev() {
			t.Fatalf("backward: ends before %q", k)
		}
		if it, _ := c.at(); string(it.key) != k {
			t.Fatalf("backward: %q, want %q", it.key, k)
		}
	}
	if c.prev() {
		t.Fatal("backward: more than there are")
	}
	checkPages(t, m.root, true)
}

// checkPages holds the tree to its form: keys of branches are the first ones below, and nothing is too large.
func checkPages(t *rapid.T, p *page, top bool) (depth int) {
	if !top && p.len() == 0 || p.len() > maxItems {
		t.Fatalf("a page of %d items", p.len())
	}
	if p.children == nil {
		return 1
	}
	if top && p.len() == 1 {
		t.Fatal("a root with one child")
	}
	for i, child := range p.children {
		d := checkPages(t, child, false)
		if depth != 0 && d != depth {
			t.Fatal("leaves at different depths")
		}
		depth = d
		if !bytes.Equal(p.key(i), child.key(0)) {
			t.Fatalf("branch has %q, child begins with %q", p.key(i), child.key(0))
		}
	}
	return depth + 1
}

// TestTreeModel applies random changes and compares with a sorted map; trees made before stay as they were.
func TestTreeModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		span := rapid.SampledFrom([]int{10, 500, 5000}).Draw(t, "span")
		m := treeModel{root: root(nil), items: map[string]string{}}
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			before := treeModel{m.root, maps.Clone(m.items)}
			edits := map[string]string{}
			deletes := rapid.SampledFrom([]int{0, 1, 9, 10}).Draw(t, "deletes")
			for range rapid.SampledFrom([]int{1, 30, 3000}).Draw(t, "edits") {
				body := ""
				if random.IntN(10) >= deletes {
					body = strings.Repeat("x", 1+random.IntN(rapid.SampledFrom([]int{4, 400}).Draw(t, "size")))
				}
				edits[fmt.Sprintf("k%05d", random.IntN(span))] = body
			}
			m.apply(edits)
			m.check(t)
			before.check(t)
		}
		for k := range m.items {
			var c cursor
			if !c.seek(m.root, []byte(k)) || c.seek(m.root, []byte(k+"!")) {
				t.Fatalf("seek %q", k)
			}
		}
	})
}

// TestFind compares the search by hints with one by keys alone: keys that begin alike or not, that are shorter than the
// hints, or have the same ones.
func TestFind(t *testing.T) {
	t.Parallel()
	octet := rapid.SampledFrom([]byte{0, 1, 'a', 'b', 0xff})
	key := rapid.Custom(func(t *rapid.T) string {
		begin := rapid.SampledFrom([]string{"", "a", "host", "host\x00\x00\x00\x00"}).Draw(t, "begin")
		return begin + string(rapid.SliceOfN(octet, 0, 7).Draw(t, "rest"))
	})
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfNDistinct(key, 0, maxItems, rapid.ID).Draw(t, "keys")
		slices.Sort(keys)
		if rapid.Bool().Draw(t, "all alike") {
			keys = slices.DeleteFunc(keys, func(k string) bool { return !strings.HasPrefix(k, "host") })
		}
		var leaf, branch pageWriter
		for _, k := range keys {
			leaf.add(item{[]byte(k), []byte("body")}, nil)
			branch.add(item{key: []byte(k)}, &page{})
		}
		asked := append(keys, rapid.SliceOfN(key, 1, 20).Draw(t, "others")...)
		for _, p := range slices.Concat(leaf.done(), branch.done()) {
			for _, k := range asked {
				want, there := slices.BinarySearch(keys[p.first():], k)
				want += p.first()
				if got, exact := p.find([]byte(k)); got != want || exact != there {
					t.Fatalf("%q among %q: %d %v, want %d %v", k, keys, got, exact, want, there)
				}
			}
		}
	})
}

// TestShrunkTree: a zone that has shrunk does not keep the pages of its best days.
func TestShrunkTree(t *testing.T) {
	t.Parallel()
	m := treeModel{root: root(nil), items: map[string]string{}}
	edits := map[string]string{}
	for i := range 5_000 {
		edits[fmt.Sprintf("k%05d", i)] = "body"
	}
	m.apply(edits)
	most := countPages(m.root)
	for i := range 5_000 {
		edits[fmt.Sprintf("k%05d", i)] = ""
		if i%100 == 0 {
			delete(edits, fmt.Sprintf("k%05d", i))
		}
	}
	for k := range edits { // one by one, as updates do
		m.apply(map[string]string{k: ""})
	}
	if left := countPages(m.root); left > most/10 {
		t.Errorf("%d pages for %d items; there were %d", left, len(m.items), most)
	}
}

func countPages(p *page) int {
	n := 1
	for _, c := range p.children {
		n += countPages(c)
	}
	return n
}
