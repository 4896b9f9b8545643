package config

import (
	"net/netip"
	"slices"
)

// Console is the [console] section.
type Console struct {
	Enabled bool       `toml:"enabled" default:"true" doc:"Whether the console runs."`
	Address netip.Addr `toml:"address" example:"127.0.0.1" doc:"The loopback address that the console listens on. Not given: the first loopback address in address, or else 127.0.0.1."`
}

func (c *checker) console() {
	if a := c.Console.Address; a.IsValid() && !a.IsLoopback() {
		c.fail("console/address", "to reach it from afar, forward a port over SSH", "the console listens on a loopback address alone, such as 127.0.0.1 or ::1")
	}
}

// ConsoleAddress returns the loopback address that the console listens on: where the file gives none, one that the
// services have to themselves if there is one, so that instances at several addresses do not meet.
func (c *Config) ConsoleAddress() netip.Addr {
	if c.Console.Address.IsValid() {
		return c.Console.Address
	}
	if i := slices.IndexFunc(c.Address, netip.Addr.IsLoopback); i >= 0 {
		return c.Address[i]
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}
