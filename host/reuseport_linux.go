package host

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// reusePort asks for SO_REUSEPORT before the bind.
var reusePort = func(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	if err != nil {
		return err
	}
	return failed
}
