package tcp

import "slices"

// receiveBuffer puts what arrives in order. It holds the sender's memory; reading copies it.
type receiveBuffer struct {
	next   uint32   // RCV.NXT: the octet that is expected
	ready  [][]byte // in order, to be read
	length int      // octets in ready
	apart  []piece  // out of order, by sequence number, never overlapping
	held   int      // octets in apart
	ranges []span   // what apart covers, merged, by sequence number
	stamp  uint64
}

// gather is the room in which small pieces are copied together: a peer that sends single octets must not take more
// memory than the window allows.
const gather = 2 << 10

type piece struct {
	seq  uint32
	data []byte
}

// span is a range of octets that arrived out of order, with the time of its last change.
type span struct {
	from, to uint32
	stamp    uint64
}

// add takes what is new of data. It says whether it came in order, and whether it closed a gap.
func (b *receiveBuffer) add(seq uint32, data []byte) (inOrder, closed bool) {
	if before(seq, b.next) {
		old := int(b.next - seq)
		if old >= len(data) {
			return false, false
		}
		seq, data = b.next, data[old:]
	}
	if seq != b.next {
		b.keepApart(seq, data)
		return false, false
	}
	b.push(data)
	if len(b.apart) == 0 {
		return true, false
	}
	return true, b.join()
}

func (b *receiveBuffer) push(data []byte) {
	last := len(b.ready) - 1
	switch {
	case last >= 0 && cap(b.ready[last])-len(b.ready[last]) >= len(data): // small pieces that were gathered before
		b.ready[last] = append(b.ready[last], data...)
	case len(data) < gather/2:
		b.ready = append(b.ready, append(make([]byte, 0, gather), data...))
	default:
		b.ready = append(b.ready, data)
	}
	b.length += len(data)
	b.next += uint32(len(data))
}

// join moves what has become in order, and says whether anything has.
func (b *receiveBuffer) join() bool {
	n := 0
	for _, p := range b.apart {
		if before(b.next, p.seq) {
			break
		}
		n++
		b.held -= len(p.data)
		if old := int(b.next - p.seq); old < len(p.data) {
			b.push(p.data[old:])
		}
	}
	b.apart = slices.Delete(b.apart, 0, n)
	b.ranges = slices.DeleteFunc(b.ranges, func(s span) bool { return !before(b.next, s.to) })
	return n > 0
}

// keepApart inserts what is not held yet of data.
func (b *receiveBuffer) keepApart(seq uint32, data []byte) {
	b.cover(seq, seq+uint32(len(data)))
	i := len(b.apart)
	for i > 0 && before(seq, b.apart[i-1].seq) {
		i--
	}
	if i > 0 {
		if end := b.apart[i-1].seq + uint32(len(b.apart[i-1].data)); before(seq, end) {
			old := min(int(end-seq), len(data))
			seq, data = seq+uint32(old), data[old:]
		}
	}
	for len(data) > 0 {
		n := len(data)
		if i < len(b.apart) {
			n = min(n, int(b.apart[i].seq-seq))
		}
		if n > 0 {
			b.apart = slices.Insert(b.apart, i, piece{seq, data[:n:n]})
			b.held += n
			i++
		}
		if n == len(data) {
			return
		}
		skip := min(n+len(b.apart[i].data), len(data))
		seq, data = seq+uint32(skip), data[skip:]
		i++
	}
}

// cover notes that a range has arrived, for the SACK blocks.
func (b *receiveBuffer) cover(from, to uint32) {
	b.stamp++
	i := 0
	for i < len(b.ranges) && before(b.ranges[i].to, from) {
		i++
	}
	j := i
	for j < len(b.ranges) && !before(to, b.ranges[j].from) {
		if before(b.ranges[j].from, from) {
			from = b.ranges[j].from
		}
		to = later(to, b.ranges[j].to)
		j++
	}
	b.ranges = slices.Replace(b.ranges, i, j, span{from, to, b.stamp})
}

// blocks fills in the ranges that changed last, the latest first (RFC 2018 section 4).
func (b *receiveBuffer) blocks(s *Segment) {
	limit := ^uint64(0)
	for s.Sacked = 0; s.Sacked < maxBlocks; s.Sacked++ {
		var latest *span
		for i := range b.ranges {
			if r := &b.ranges[i]; r.stamp < limit && (latest == nil || r.stamp > latest.stamp) {
				latest = r
			}
		}
		if latest == nil {
			return
		}
		s.Blocks[s.Sacked] = Block{latest.from, latest.to}
		limit = latest.stamp
	}
}

// read copies to p.
func (b *receiveBuffer) read(p []byte) (n int) {
	used := 0
	for used < len(b.ready) && n < len(p) {
		m := copy(p[n:], b.ready[used])
		n += m
		if m < len(b.ready[used]) {
			b.ready[used] = b.ready[used][m:]
			break
		}
		b.ready[used] = nil
		used++
	}
	b.length -= n
	b.ready = b.ready[used:]
	return n
}
