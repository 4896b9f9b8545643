//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package store

import "context"

// acquire makes the lock file, or returns errHeld.
func acquire(path string) (release func(), err error) { return acquireExclusive(path) }

// alone does nothing: without flock, Lock alone keeps two processes apart.
func alone(context.Context, string) (release func(), err error) { return func() {}, nil }

// writable leaves it to the first write to find out.
func writable(string) error { return nil }
