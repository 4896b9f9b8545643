package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// WriteFile replaces the file at path by data, so that at any moment, a power
// cut included, there is the old file or the new one. Its mode is kept, and its
// owner as far as this process may; a new file has 0644, for the settings hold
// no secrets. Links are followed.
func WriteFile(path string, data []byte) error {
	var old fs.FileInfo
	switch target, err := filepath.EvalSymlinks(path); {
	case err == nil:
		path = target
		if old, err = os.Stat(path); err != nil {
			return fmt.Errorf("write the settings: %w", err)
		}
		if !old.Mode().IsRegular() {
			return fmt.Errorf("write the settings: %w", &fs.PathError{Op: "write", Path: path, Err: errors.New("not a regular file")})
		}
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write the settings: %w", err)
	}
	if err := replace(path, data, old); err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	return nil
}

// replace writes a file beside path, and gives it the name once it is durable.
// Old is the file that has the name now, or nil.
func replace(path string, data []byte, old fs.FileInfo) (err error) {
	// The folder is opened first: where that fails, nothing has changed yet.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	f, err := os.CreateTemp(dir.Name(), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if old != nil {
		keepOwner(f, old) // which may take bits of the mode away
		mode = old.Mode().Perm()
	}
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the names in a folder durable, where the file system has a way
// to: some have none, and refuse.
func syncDir(dir *os.File) error {
	err := dir.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		return nil
	}
	return err
}
