//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package store

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// acquire takes the flock on the file at path, or returns errHeld.
func acquire(path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		f.Close()
		return nil, err
	}
	writePID(f)
	return func() {
		// The file stays: removing it would let two processes hold a lock
		// each, on the old file and on a new one. Only the number goes.
		_ = f.Truncate(0)
		unlock(f)
	}, nil
}

// unlock gives the lock back and closes f. Closing alone would not do while a process that is just being started has a
// copy of the descriptor, from its fork until it runs its program.
func unlock(f *os.File) {
	_ = unix.Flock(int(f.Fd()), unix.LOCK_UN) // or else closing does it
	f.Close()
}

// flock takes the lock on f without waiting, or returns errHeld.
func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return errHeld
		default:
			return err
		}
	}
}

// alone waits until no other process makes or migrates the database in dir,
// and returns what lets the next one in. It locks the folder itself, so it
// leaves nothing behind and has nothing to do with Lock. Where a folder cannot
// be locked (NFS), Lock alone keeps processes apart.
func alone(ctx context.Context, dir string) (release func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		if err := flock(f); !errors.Is(err, errHeld) {
			return func() { unlock(f) }, nil
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// writable says why the folder or the database in it cannot be written, or nil.
func writable(path string) error {
	err := unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	return nil
}
