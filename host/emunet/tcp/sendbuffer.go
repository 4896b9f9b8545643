package tcp

// sendBuffer holds what was written and is not yet acknowledged, in blocks that are never moved, so that segments on
// their way refer to the same memory.
type sendBuffer struct {
	blocks [][]byte
	skip   int    // octets of blocks[0] that are acknowledged
	base   uint32 // sequence number of the first octet held
	length int
}

// The sizes of blocks: small for a dialogue, large for a transfer.
const (
	minBlock = 2 << 10
	maxBlock = 64 << 10
)

// end is the sequence number after the last octet.
func (b *sendBuffer) end() uint32 { return b.base + uint32(b.length) }

// write takes all of p.
func (b *sendBuffer) write(p []byte) {
	b.length += len(p)
	for len(p) > 0 {
		last := len(b.blocks) - 1
		if last < 0 || len(b.blocks[last]) == cap(b.blocks[last]) {
			b.blocks = append(b.blocks, make([]byte, 0, min(max(len(p), minBlock, b.length/2), maxBlock)))
			last++
		}
		block := b.blocks[last]
		n := copy(block[len(block):cap(block)], p)
		b.blocks[last] = block[:len(block)+n]
		p = p[n:]
	}
}

// at returns n octets from sequence number seq on; they must be held. Only where they span blocks are they copied.
func (b *sendBuffer) at(seq uint32, n int) []byte {
	from := int(seq-b.base) + b.skip
	i := 0
	for from >= len(b.blocks[i]) {
		from -= len(b.blocks[i])
		i++
	}
	if from+n <= len(b.blocks[i]) {
		return b.blocks[i][from : from+n : from+n]
	}
	joined := make([]byte, 0, n)
	for len(joined) < n {
		piece := b.blocks[i][from:]
		joined = append(joined, piece[:min(len(piece), n-len(joined))]...)
		i, from = i+1, 0
	}
	return joined
}

// release lets go of what comes before seq.
func (b *sendBuffer) release(seq uint32) {
	n := min(int(seq-b.base), b.length)
	b.base += uint32(n)
	b.length -= n
	b.skip += n
	for len(b.blocks) > 0 && b.skip >= cap(b.blocks[0]) {
		b.skip -= cap(b.blocks[0])
		b.blocks[0] = nil
		b.blocks = b.blocks[1:]
	}
	if b.length == 0 {
		b.blocks, b.skip = nil, 0
	}
}
