//go:build !linux

package batch

import (
	"net"

	"github.com/network-utopia/utopia/host"
)

// system is missing: datagrams are read one at a time.
type system struct{}

func newSystem(*net.UDPConn, *host.DatagramSocket, Options) (*system, error) { return nil, nil }

func (*system) serve(func(int)) error { return nil }
func (*system) read(int, *Datagram)   {}
func (*system) queue(int, []byte)     {}
func (*system) told(int) []byte       { return nil }
func (*system) send([]Datagram)       {}
