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

// TestPairs: of two trees of which one was made of the other, all that differs is
// told, in order, and little else.
func TestPairs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		edits := func(count int) map[string]string {
			all := map[string]string{}
			for range count {
				all[fmt.Sprintf("k%05d", random.IntN(9000))] = strings.Repeat("x", random.IntN(4))
			}
			return all
		}
		old := treeModel{root: root(nil), items: map[string]string{}}
		old.apply(edits(rapid.SampledFrom([]int{0, 1, 100, 9000}).Draw(t, "size")))
		next := treeModel{old.root, maps.Clone(old.items)}
		changes := 0
		for range rapid.IntRange(0, 3).Draw(t, "steps") {
			n := rapid.SampledFrom([]int{1, 5, 9000}).Draw(t, "edits")
			next.apply(edits(n))
			changes += n
		}
		for _, backward := range []bool{false, true} {
			was, now := old, next
			if backward {
				was, now = next, old
			}
			told, last := map[string]bool{}, ""
			for p := range pairs(was.root, now.root) {
				key := string(p.key())
				if told[key] || key < last {
					t.Fatalf("%q after %q", key, last)
				}
				told[key], last = true, key
				if string(p.was.body) != was.items[key] || string(p.now.body) != now.items[key] {
					t.Fatalf("%q: %q and %q, want %q and %q", key, p.was.body, p.now.body, was.items[key], now.items[key])
				}
			}
			for key := range old.items {
				if old.items[key] != next.items[key] && !told[key] {
					t.Fatalf("%q is not told", key)
				}
			}
			for key := range next.items {
				if old.items[key] != next.items[key] && !told[key] {
					t.Fatalf("%q is not told", key)
				}
			}
			// Each change makes at most three leaves of one or two; but all may be joined.
			if most := changes * 4 * maxItems; len(told) > most {
				t.Fatalf("%d are told for %d changes", len(told), changes)
			}
		}
	})
}

// TestSharing: the same to the octet, of the pages of before.
func TestSharing(t *testing.T) {
	t.Parallel()
	text := func(hosts int, more string) string {
		var b strings.Builder
		b.WriteString(head)
		for i := range hosts {
			fmt.Fprintf(&b, "h%04d A 192.0.2.1\n", i)
		}
		return b.String() + more
	}
	old, _ := load(t, text(2000, ""))
	pages := pagesOf(old)
	for name, tt := range map[string]struct {
		text  string
		fresh int // pages at most
	}{
		"nothing":       {text(2000, ""), 0},
		"one more":      {text(2000, "new A 192.0.2.2\n"), 4},
		"in other case": {strings.Replace(text(2000, ""), "h1000", "H1000", 1), 3},
		"the apex":      {strings.Replace(text(2000, ""), "@ SOA", "Example.Test. SOA", 1), 3},
		"fewer":         {text(1900, ""), 8},
		"nearly none":   {text(100, ""), 1000},
	} {
		z, _ := load(t, tt.text)
		shared := z.Sharing(old)
		mustBeSame(t, shared, z)
		fresh := 0
		for p := range pagesOf(shared) {
			if !pages[p] {
				fresh++
			}
		}
		if fresh > tt.fresh {
			t.Errorf("%s: %d of %d pages are new", name, fresh, len(pages))
		}
	}
	same, _ := load(t, text(2000, ""))
	if same.Sharing(old) != old {
		t.Error("the same zone is not itself")
	}
	other, _, err := Load(strings.NewReader("@ 1 SOA a. b. 1 2 3 4 5\n@ 1 NS a.\n"), ReadOptions{Origin: dns.MustParseName("other.test.")})
	if err != nil || other.Sharing(old) != other {
		t.Error("shares with another zone", err)
	}
}

// TestHashIndexFollows: the index of hashes after changes is the one that a look at
// the whole zone makes; whoever has signed it.
func TestHashIndexFollows(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head+"a A 192.0.2.1\nb A 192.0.2.1\n")
	base := sign(t, z, nil, []*dns.SigningKey{signKeyOf(t, csk)}, SignPolicy{NSEC3: true}, signNow).Zone
	owners := []string{"@", "a", "2vptu5timamqttgl4luu9kg21e0aor3s", "3VPTU5timamqttgl4luu9kg21e0aor3s", "2vptu5timamqttgl4luu9kg21e0aor3s.a", "short"}
	for n := range base.Nodes() {
		if n.Has(dns.TypeNSEC3) {
			owners = append(owners, n.Name().Label())
		}
	}
	const next = " - 35mthgpgcu1qg68fab165klnsnk3dpvl A"
	data := []string{
		"A 192.0.2.1", "NSEC3PARAM 1 0 0 -", "NSEC3PARAM 1 0 5 -", "NSEC3PARAM 1 1 0 -", "NSEC3 1 0 0" + next, "NSEC3 1 1 0" + next, "NSEC3 1 0 5" + next,
	}
	rapid.Check(t, func(t *rapid.T) {
		z := base
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			e := z.Edit()
			for range rapid.IntRange(1, 4).Draw(t, "changes") {
				rr := rrOf(t, rapid.SampledFrom(owners).Draw(t, "owner")+" 60 "+rapid.SampledFrom(data).Draw(t, "data"))
				if rapid.Bool().Draw(t, "delete") {
					if err := e.Put(rr.Name, RRset{Type: rr.Type}); err != nil {
						t.Fatal(err)
					}
				} else if err := e.Add(rr); err != nil {
					t.Fatal(err)
				}
			}
			z = e.Zone()
			afresh := newZone(z.named, z.root, z.count)
			mustBeSame(t, z, afresh)
			if z.hashes == nil {
				continue
			}
			// Search in the ring.
			digests := hashesOf(afresh)[1:]
			for _, name := range []string{"a", "b", "x", "y"} {
				digest, _ := z.hashes.param.Digest(dns.MustParseName(name + ".example.test."))
				got, exact := z.hashes.at(digest)
				var want string
				i, found := slices.BinarySearch(digests, string(digest))
				if len(digests) > 0 {
					if !found {
						i = (i + len(digests) - 1) % len(digests)
					}
					want = digests[i]
					if next := digests[(i+1)%len(digests)]; next != string(z.hashes.next(got)) {
						t.Fatalf("next of %x: %x, want %x", got, z.hashes.next(got), next)
					}
					if before := digests[(i+len(digests)-1)%len(digests)]; before != string(z.hashes.before(got)) {
						t.Fatalf("before %x: %x, want %x", got, z.hashes.before(got), before)
					}
				}
				if exact != found || !bytes.Equal(got, []byte(want)) {
					t.Fatalf("%x: %x %v, want %x %v", digest, got, exact, want, found)
				}
			}
		}
	})
}
