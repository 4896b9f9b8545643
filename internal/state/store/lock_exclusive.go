package store

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

// errHeld means that somebody else has the lock.
var errHeld = errors.New("held")

// acquireExclusive takes a lock that is the existence of the file at path, for
// systems without flock. A file whose process is gone is taken over.
func acquireExclusive(path string) (release func(), err error) {
	for range 2 {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
		if err == nil {
			writePID(f)
			f.Close()
			return func() { _ = os.Remove(path) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if pid := holder(path); pid != 0 && running(pid) {
			return nil, errHeld
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, errHeld
}

// running says whether a process of that number exists.
func running(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer func() { _ = p.Release() }()
	if runtime.GOOS == "windows" {
		return true // there, finding it is opening it
	}
	err = p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, fs.ErrPermission)
}
