package crashtest

import (
	"slices"
	"syscall"
)

// Fault is a way in which a call fails while the machine goes on.
type Fault string

// The faults.
const (
	NoSpace    Fault = "no space"    // ENOSPC, of every call that may need room, and of a sync too: Linux finds room late
	BadDisk    Fault = "bad disk"    // EIO, of every call
	ShortWrite Fault = "short write" // ENOSPC of a WriteAt, after the first half
)

// Faults lists all of them.
func Faults() []Fault { return []Fault{NoSpace, BadDisk, ShortWrite} }

// befalls says whether a call can fail so. A sync that does loses what it was to write, and every later one of the
// same file or folder fails likewise, as disk.File and disk.Folder say.
func (f Fault) befalls(op string) bool {
	switch f {
	case NoSpace:
		return slices.Contains([]string{"create", "mkdir", "write", "truncate", "rename", "link", "sync", "syncdir"}, op)
	case ShortWrite:
		return op == "write"
	}
	return f == BadDisk
}

func (f Fault) err() error {
	if f == BadDisk {
		return syscall.EIO
	}
	return syscall.ENOSPC
}
