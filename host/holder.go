package host

import (
	"fmt"
	"net/netip"
)

// Process is a running program that holds a socket.
type Process struct {
	PID  int    // process id; 0 when it could not be told
	Name string // the program's short name, "" when it could not be told
	User string // the user's name or number, "" when it could not be told
}

// String gives "named (pid 1234)", or what is known of it.
func (p Process) String() string {
	switch {
	case p.PID != 0 && p.Name != "":
		return fmt.Sprintf("%s (pid %d)", p.Name, p.PID)
	case p.User != "":
		return "a process of user " + p.User
	}
	return "another process"
}

// Holder says which process holds the address on "tcp" or "udp": the same port on the same address or on the
// unspecified one. ok is false when nobody holds it, or when this system does not tell. The process id and name are
// missing when the holder belongs to another user and this process may not look.
func Holder(network string, address netip.AddrPort) (p Process, ok bool) {
	return holder(network, address)
}
