package disk

import (
	"errors"
	"io"
	"io/fs"
	"sync"
)

// handle is the part of *os.File that a file stands on.
type handle interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
	Sync() error
}

// file is a File of the operating system.
type file struct {
	handle handle
	name   string

	syncing sync.Mutex // one Sync at a time

	mu     sync.Mutex // guards failed, for a moment
	failed error      // what Sync said when it failed
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.handle.ReadAt(p, off)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, pathError("read", f.name, err)
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.poison(); err != nil {
		return 0, err
	}
	n, err := f.handle.WriteAt(p, off)
	return n, pathError("write", f.name, err)
}

func (f *file) Truncate(size int64) error {
	if err := f.poison(); err != nil {
		return err
	}
	return pathError("truncate", f.name, f.handle.Truncate(size))
}

func (f *file) Size() (int64, error) {
	info, err := f.handle.Stat()
	if err != nil {
		return 0, pathError("size", f.name, err)
	}
	return info.Size(), nil
}

// Sync lets others write meanwhile, but not sync: of two syncs at once, the system tells one of a failure that concerns
// both, and the other that all is well.
func (f *file) Sync() error {
	f.syncing.Lock()
	defer f.syncing.Unlock()
	if err := f.poison(); err != nil {
		return err
	}
	err := pathError("sync", f.name, f.handle.Sync())
	if err != nil && !errors.Is(err, fs.ErrClosed) {
		f.mu.Lock()
		f.failed = err
		f.mu.Unlock()
	}
	return err
}

func (f *file) Close() error { return pathError("close", f.name, f.handle.Close()) }

// poison is the error of the Sync that failed, if one did.
func (f *file) poison() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}
