package zone

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/network-utopia/utopia/dns"
)

// arena keeps the records that a Builder is given, packed one behind another,
// and their order: a zone of millions of records is gathered in a few hundred
// pieces of memory.
type arena struct {
	apex    int // octets of every owner that are the apex
	chunks  [][]byte
	order   []place // the records: sorted by key and type as far as sorted, then as they came
	sorted  int
	key     []byte // scratch
	files   []string
	fileIDs map[string]uint16
}

const (
	chunkSize = 256 << 10
	maxTail   = 512 // unsorted records that are looked through one by one
)

// place is where a record stands. Later records have later places.
type place struct{ chunk, off uint32 }

// packed is a record of an arena: the octets of its key (2), type (2), TTL (4),
// file (2), line (4), column (2), octets of the spelling (1), octets of the data
// (2), and then key, spelling and data.
type packed []byte

const packedHead = 19

func (p packed) key() []byte    { return p[packedHead:][:binary.BigEndian.Uint16(p)] }
func (p packed) kind() dns.Type { return dns.Type(binary.BigEndian.Uint16(p[2:])) }
func (p packed) ttl() uint32    { return binary.BigEndian.Uint32(p[4:]) }
func (p packed) spelling() []byte {
	return p[packedHead+int(binary.BigEndian.Uint16(p)):][:p[16]]
}

func (p packed) data() []byte {
	start := packedHead + int(binary.BigEndian.Uint16(p)) + int(p[16])
	end := start + int(binary.BigEndian.Uint16(p[17:]))
	return p[start:end:end]
}

func newArena(apex dns.Name) arena {
	return arena{apex: len(apex), fileIDs: map[string]uint16{}}
}

func (a *arena) at(p place) packed { return packed(a.chunks[p.chunk][p.off:]) }

func (a *arena) pos(p packed) Pos {
	return Pos{
		a.files[binary.BigEndian.Uint16(p[8:])],
		int(binary.BigEndian.Uint32(p[10:])), int(binary.BigEndian.Uint16(p[14:])),
	}
}

// file gives the number of a file's name. Past what two octets count the places
// of records are told without it.
func (a *arena) file(name string) uint16 {
	id, ok := a.fileIDs[name]
	if !ok {
		if len(a.files) > 1<<16-1 {
			return a.file("")
		}
		id = uint16(len(a.files))
		a.fileIDs[name], a.files = id, append(a.files, name)
	}
	return id
}

func (a *arena) add(r Record) {
	if a.files == nil {
		a.file("")
	}
	a.key = appendKey(a.key[:0], r.Name, a.apex)
	var spelling dns.Name
	if own := r.Name[:len(r.Name)-a.apex]; own != own.Canonical() {
		spelling = own
	}
	size := packedHead + len(a.key) + len(spelling) + len(r.Data)
	if n := len(a.chunks); n == 0 || len(a.chunks[n-1])+size > cap(a.chunks[n-1]) {
		a.chunks = append(a.chunks, make([]byte, 0, chunkSize))
	}
	last := len(a.chunks) - 1
	c := a.chunks[last]
	here := place{uint32(last), uint32(len(c))}
	c = binary.BigEndian.AppendUint16(c, uint16(len(a.key)))
	c = binary.BigEndian.AppendUint16(c, uint16(r.Type))
	c = binary.BigEndian.AppendUint32(c, r.TTL)
	c = binary.BigEndian.AppendUint16(c, a.file(r.Pos.File))
	c = binary.BigEndian.AppendUint32(c, uint32(r.Pos.Line))
	c = binary.BigEndian.AppendUint16(c, uint16(min(r.Pos.Column, 1<<16-1)))
	c = append(c, byte(len(spelling)))
	c = binary.BigEndian.AppendUint16(c, uint16(len(r.Data)))
	c = append(append(append(c, a.key...), spelling...), r.Data...)
	a.chunks[last] = c
	if a.sorted == len(a.order) && (a.sorted == 0 || a.compare(a.order[a.sorted-1], here) <= 0) {
		a.sorted++
	}
	a.order = append(a.order, here)
}

// compare orders records by name and type, and those of one set as they came.
func (a *arena) compare(x, y place) int {
	p, q := a.at(x), a.at(y)
	if c := bytes.Compare(p.key(), q.key()); c != 0 {
		return c
	}
	if c := int(p.kind()) - int(q.kind()); c != 0 {
		return c
	}
	if c := int(x.chunk) - int(y.chunk); c != 0 {
		return c
	}
	return int(x.off) - int(y.off)
}

// has says whether a name owns records of a type by now, or with type 0 any.
func (a *arena) has(name dns.Name, t dns.Type) bool {
	if len(a.order)-a.sorted > maxTail {
		a.sort()
	}
	key := appendKey(nil, name, a.apex)
	if len(a.find(key, t)) > 0 {
		return true
	}
	return slices.ContainsFunc(a.order[a.sorted:], func(p place) bool { return a.at(p).is(key, t) == 0 })
}

// find gives the sorted records of a name and type, or with type 0 those of all
// its types.
func (a *arena) find(key []byte, t dns.Type) []place {
	sorted := a.order[:a.sorted]
	from, _ := slices.BinarySearchFunc(sorted, key, func(p place, key []byte) int { return a.at(p).is(key, t) })
	to := from
	for to < len(sorted) && a.at(sorted[to]).is(key, t) == 0 {
		to++
	}
	return sorted[from:to]
}

// is compares a record with a name and type; type 0 stands for all.
func (p packed) is(key []byte, t dns.Type) int {
	if c := bytes.Compare(p.key(), key); c != 0 || t == 0 {
		return c
	}
	return int(p.kind()) - int(t)
}

// sort puts all records in order. Files are mostly in order already, or made of
// parts that are: so runs are merged, which takes one pass over what is sorted.
func (a *arena) sort() {
	var runs [][]place
	for from := 0; from < len(a.order); {
		to := from + 1
		for to < len(a.order) && (to < a.sorted || a.compare(a.order[to-1], a.order[to]) <= 0) {
			to++
		}
		runs = append(runs, a.order[from:to])
		from = to
	}
	spare := make([]place, len(a.order))
	for len(runs) > 1 {
		merged, rest := runs[:0], spare
		for len(runs) > 0 {
			var run []place
			n := min(2, len(runs))
			run, rest = a.merge(rest, runs[:n])
			merged, runs = append(merged, run), runs[n:]
		}
		runs = merged
		a.order, spare = spare, a.order
	}
	a.sorted = len(a.order)
}

// merge writes one or two runs, of which the first came first, into dst and
// gives the run and what is left of dst.
func (a *arena) merge(dst []place, runs [][]place) (run, rest []place) {
	x, y := runs[0], []place(nil)
	if len(runs) == 2 {
		y = runs[1]
	}
	n := 0
	for ; len(x) > 0 && len(y) > 0; n++ {
		if a.compare(x[0], y[0]) <= 0 {
			dst[n], x = x[0], x[1:]
		} else {
			dst[n], y = y[0], y[1:]
		}
	}
	n += copy(dst[n:], x)
	n += copy(dst[n:], y)
	return dst[:n], dst[n:]
}
