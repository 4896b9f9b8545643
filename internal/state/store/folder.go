package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const (
	folderMode = 0o700
	fileMode   = 0o600
)

// makeFolder makes the data folder dir. One that exists keeps its mode: the
// files in it are closed to others anyway.
func makeFolder(dir string) error { return MakeFolder(dir, folderMode) }

// MakeFolder makes dir, and what is missing above it, so that it survives a
// power cut. What exists keeps its mode.
func MakeFolder(dir string, mode fs.FileMode) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MakeFolder(parent, mode); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(parent)
}

// syncFolder makes the entries of dir durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// folderError turns an error of the operating system about dir into an *Error
// of one line.
func folderError(op, dir string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	e := &Error{Op: op, Err: err}
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		e.Kind = ErrReadOnly
		e.Detail = fmt.Sprintf("data folder %s is %v for this user", dir, ErrReadOnly)
		if errors.Is(err, syscall.EROFS) {
			e.Detail = fmt.Sprintf("data folder %s is %v: the file system is mounted read-only", dir, ErrReadOnly)
		}
	case isNoRoom(err):
		e.Kind = ErrFull
		e.Detail = fmt.Sprintf("data folder %s: %v", dir, ErrFull)
	}
	return e
}

// isNoRoom says whether err means that the disk, a quota or a limit of the
// process is used up.
func isNoRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// noRoom tries whether dir can take a few more pages. SQLite tells a full disk
// from a failing one only for some of its writes, and a used-up quota never;
// this is asked when a write has failed anyway.
func noRoom(dir string) bool {
	var end int64
	for _, name := range []string{databaseName, databaseName + "-wal"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			end = max(end, info.Size())
		}
	}
	f, err := os.CreateTemp(dir, "room-*")
	if err != nil {
		return isNoRoom(err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // it only asked for room
	defer f.Close()
	_, err = f.WriteAt(make([]byte, 16<<10), end)
	if err == nil {
		err = f.Sync()
	}
	return isNoRoom(err)
}
