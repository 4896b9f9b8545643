package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	lockName = "lock"
	// pidWait is how long a lock may be held before its holder's process
	// number is in the file.
	pidWait = 100 * time.Millisecond
)

// Lock takes the data folder dir for this process, making the folder if need
// be, and returns what gives it back. While another process holds it, the
// error is ErrInUse and says which.
//
// The lock is an flock on the file "lock" in dir, which holds the process
// number of the holder. The kernel releases it when the process ends, however
// it ends; the file stays. Where a system has no flock, the file itself is the
// lock: it is made when the folder is taken and removed when it is given back,
// and one that a dead process left behind is taken over when no process of
// that number runs.
//
// Within one process too, a second Lock on the folder returns ErrInUse.
func Lock(dir string) (release func(), err error) {
	if err := makeFolder(dir); err != nil {
		return nil, folderError("lock data", dir, err)
	}
	release, err = acquire(filepath.Join(dir, lockName))
	if errors.Is(err, errHeld) {
		pid := holder(filepath.Join(dir, lockName))
		return nil, inUse(dir, pid)
	}
	if err != nil {
		return nil, folderError("lock data", dir, err)
	}
	return release, nil
}

// inUse says who holds dir; a pid of 0 means that it is not known.
func inUse(dir string, pid int) error {
	who := "another process"
	if pid != 0 {
		who = "process " + strconv.Itoa(pid)
	}
	return &Error{
		Op:     "lock data",
		Kind:   ErrInUse,
		Detail: fmt.Sprintf("data folder %s is in use by %s", dir, who),
	}
}

// holder reads the process number in a lock file. Its holder writes it just
// after it took the lock, so an empty file is looked at again for a moment.
func holder(path string) int {
	for end := time.Now().Add(pidWait); ; time.Sleep(5 * time.Millisecond) {
		if pid := readPID(path); pid != 0 || time.Now().After(end) {
			return pid
		}
	}
}

// readPID returns the process number in the file, or 0.
func readPID(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

// writePID records this process as the holder. A full disk must not keep
// anybody from taking the lock, so a failure only costs the other side the
// number.
func writePID(f *os.File) {
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
}
