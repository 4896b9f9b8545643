//go:build !linux

package host

import "net/netip"

func holder(string, netip.AddrPort) (Process, bool) { return Process{}, false }
