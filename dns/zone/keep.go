package zone

import (
	"strings"

	"github.com/network-utopia/utopia/dns"
)

// blockSize is the octets of a block that many names or data share.
const blockSize = 4 << 10

// names keeps names, many in one string: the allocator would round each of them
// up, and take longer than the reading.
type names struct{ block strings.Builder }

// keep gives the name for a wire form.
func (n *names) keep(wire []byte) dns.Name {
	if n.block.Cap()-n.block.Len() < len(wire) {
		n.block = strings.Builder{}
		n.block.Grow(blockSize)
	}
	from := n.block.Len()
	n.block.Write(wire)
	return dns.Name(n.block.String()[from:])
}

// chunks keeps the data of many records in blocks.
type chunks struct{ free []byte }

// keep gives a copy. What is as long as a block gets its own.
func (c *chunks) keep(b []byte) []byte {
	if len(b) > blockSize/4 {
		return append([]byte(nil), b...)
	}
	if cap(c.free)-len(c.free) < len(b) {
		c.free = make([]byte, 0, blockSize)
	}
	from := len(c.free)
	c.free = append(c.free, b...)
	return c.free[from:len(c.free):len(c.free)]
}
