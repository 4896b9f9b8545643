package crashtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Fate says what becomes of the changes that were not synced when the machine crashed. Its text names it, for a case
// that is to be run again.
type Fate string

// The fates that need no seed.
const (
	Lost  Fate = "lost"  // nothing survives
	Kept  Fate = "kept"  // all does
	Names Fate = "names" // the names do, and no content: renamed files that are empty
	Sizes Fate = "sizes" // the names and the sizes do; new content is zeros
	Data  Fate = "data"  // the content does, and no names
	Torn  Fate = "torn"  // all does, but that of the last write to each file there is only the first half
	// Killed is the crash of the process alone: all is there to be seen, and not on the platter, so that a second crash
	// may still take it.
	Killed Fate = "killed"
)

// Mixed has each change survive or not by itself, and of each write any of its sectors, by a seed.
func Mixed(seed uint64) Fate { return Fate(fmt.Sprintf("mixed:%d", seed)) }

// Shredded is Mixed with a sector torn at any octet.
func Shredded(seed uint64) Fate { return Fate(fmt.Sprintf("shredded:%d", seed)) }

// Fates lists all fates, and those that need a seed with seeds of them.
func Fates(seeds int) []Fate {
	all := []Fate{Lost, Kept, Killed, Names, Sizes, Data, Torn}
	for s := range seeds {
		all = append(all, Mixed(uint64(s+1)), Shredded(uint64(s+1)))
	}
	return all
}

// lot draws what survives.
type lot struct {
	fate            Fate
	rand            *rand.Rand // of Mixed and Shredded
	names, contents float64    // how likely a change survives
}

func (f Fate) lot(step int) *lot {
	kind, number, seeded := strings.Cut(string(f), ":")
	if !seeded {
		if !slices.Contains(Fates(0), f) {
			panic("crashtest: no such fate: " + string(f))
		}
		return &lot{fate: f}
	}
	seed, err := strconv.ParseUint(number, 10, 64)
	if err != nil || kind != "mixed" && kind != "shredded" {
		panic("crashtest: no such fate: " + string(f))
	}
	// The step is a part of the seed, so that each crash of a run has a draw of its own.
	l := &lot{fate: Fate(kind), rand: rand.New(rand.NewPCG(seed, uint64(step)))}
	l.names, l.contents = l.rand.Float64(), l.rand.Float64()
	return l
}

func (l *lot) name() bool {
	if l.rand != nil {
		return l.rand.Float64() < l.names
	}
	return l.fate == Kept || l.fate == Names || l.fate == Sizes || l.fate == Torn
}

// What the trace says of a change.
const (
	allLost     = "LOST"
	allKept     = "kept"
	sizeKept    = "size kept, octets LOST"
	oldNameBack = "the old name is BACK" // of a rename whose new name is kept
)

// write gives data as it is when a part of w has reached it, and says which part. Last is the file's last write.
func (l *lot) write(w *write, last bool, data []byte) ([]byte, string) {
	end := w.off + int64(len(w.data))
	switch {
	case l.rand != nil:
		return l.pieces(w, data)
	case l.fate == Kept, l.fate == Data, l.fate == Torn && (!last || w.cut):
		return w.do(data), allKept
	case l.fate == Torn:
		half := len(w.data) / 2
		return put(data, w.data[:half], w.off), fmt.Sprintf("first %d octets kept", half)
	case l.fate == Sizes && w.cut:
		return w.do(data), allKept
	case l.fate == Sizes:
		return resize(data, max(int64(len(data)), end)), sizeKept
	}
	return data, allLost
}

// pieces draws for each sector of w, and for the size.
func (l *lot) pieces(w *write, data []byte) ([]byte, string) {
	if w.cut {
		if l.rand.Float64() < l.contents {
			return w.do(data), allKept
		}
		return data, allLost
	}
	var kept, octets int
	rest, off := w.data, w.off
	for len(rest) > 0 {
		piece := rest[:min(len(rest), int(sector-off%sector))]
		rest = rest[len(piece):]
		survives := len(piece)
		switch {
		case l.rand.Float64() < l.contents:
		case l.fate == "shredded":
			survives = l.rand.IntN(len(piece))
		default:
			survives = 0
		}
		data = put(data, piece[:survives], off)
		octets += survives
		if survives == len(piece) {
			kept++
		}
		off += int64(len(piece))
	}
	size := l.rand.Float64() < l.contents
	if size {
		data = resize(data, max(int64(len(data)), off))
	}
	return data, said(octets, len(w.data), size)
}

func said(kept, of int, size bool) string {
	switch {
	case kept == of:
		return allKept
	case kept > 0:
		return fmt.Sprintf("%d of %d octets kept", kept, of)
	case size:
		return sizeKept
	}
	return allLost
}
