package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile replaces the file at path by data, so that at any moment, a power
// cut included, there is the old file or the new one. Its mode is kept; a new
// file has 0644, for the settings hold no secrets. Links are followed.
func WriteFile(path string, data []byte) error {
	mode := fs.FileMode(0o644)
	switch target, err := filepath.EvalSymlinks(path); {
	case err == nil:
		path = target
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("write the settings: %w", err)
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("write the settings: %w", &fs.PathError{Op: "write", Path: path, Err: errors.New("not a regular file")})
		}
		mode = info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write the settings: %w", err)
	}
	if err := replace(path, data, mode); err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	return nil
}

// replace writes a file beside path, and gives it the name once it is durable.
func replace(path string, data []byte, mode fs.FileMode) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
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

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
