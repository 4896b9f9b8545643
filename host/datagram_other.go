//go:build !linux

package host

import (
	"errors"
	"net"
	"net/netip"
)

const controlSize = 0

func askForAddresses(*net.UDPConn) error { return errors.ErrUnsupported }

func addressAsked([]byte) (asked netip.Addr, ok bool) { return netip.Addr{}, false }
