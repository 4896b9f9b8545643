//go:build !unix

package static

// nonblock is not needed where a folder holds no FIFO.
const nonblock = 0
