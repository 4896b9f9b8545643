package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
)

// ErrTooLarge is the error of ReadFile about a file that is larger than its reader takes.
var ErrTooLarge = errors.New("larger than allowed")

// replacing is what Replace appends to a name, for the file that is to have it.
const replacing = ".new"

// MkdirAll makes the folder name, and what is missing above it, durably. Folders that exist are synced into the one
// above all the same: one that a killed process has just made is there to be seen, and not yet on the disk.
func MkdirAll(f Folder, name string) error {
	if name == "." {
		return nil
	}
	above := path.Dir(name)
	if err := MkdirAll(f, above); err != nil {
		return err
	}
	if err := f.Mkdir(name); err != nil {
		info, statErr := f.Stat(name)
		if !errors.Is(err, fs.ErrExist) || statErr != nil || !info.IsDir() {
			return err
		}
	}
	return f.SyncDir(above)
}

// Replace puts data under name, durably: after a power cut at any moment there is the old file or the new one, and once
// Replace has returned nil, the new one. Meanwhile the new file stands under name + ".new", where a crash may leave it;
// the next Replace takes that away. Two at once on one name are the caller's to prevent.
//
// After an error the old file may still be there, or already the new one: an error of the last step, the SyncDir, leaves
// the name changed.
func Replace(f Folder, name string, data []byte) error {
	draft := name + replacing
	if err := f.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeNew(f, draft, data); err != nil {
		_ = f.Remove(draft) // or else the next Replace does
		return err
	}
	if err := f.Rename(draft, name); err != nil {
		_ = f.Remove(draft) // or else the next Replace does
		return err
	}
	return f.SyncDir(path.Dir(name))
}

// writeNew makes a file with a durable content; its name is not.
func writeNew(f Folder, name string, data []byte) error {
	file, err := f.Create(name)
	if err != nil {
		return err
	}
	if _, err = file.WriteAt(data, 0); err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// ReadFile returns what is in a file of at most limit octets; of a larger one the error is ErrTooLarge.
func ReadFile(f Folder, name string, limit int64) ([]byte, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	// One octet more than allowed tells a file at the limit from one past it, also while the file grows.
	data, err := io.ReadAll(io.NewSectionReader(file, 0, min(limit, math.MaxInt64-1)+1))
	if err == nil && int64(len(data)) > limit {
		err = &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%w: more than %d octets", ErrTooLarge, limit)}
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}
