//go:build !linux

package host

import "syscall"

// reusePort is nil where SO_REUSEPORT is missing or does not share datagrams by flow.
var reusePort func(network, address string, c syscall.RawConn) error
