//go:build unix

package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What root edits is still readable to the user that the service runs as.
func TestWriteFileKeepsOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("nobody but root can give a file away")
	}
	path := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(path, []byte("one"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 4242, 4343); err != nil {
		t.Skip(err) // a user namespace without such users
	}
	if err := WriteFile(path, []byte("two")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if s := info.Sys().(*syscall.Stat_t); s.Uid != 4242 || s.Gid != 4343 || info.Mode().Perm() != 0o640 {
		t.Errorf("the new file belongs to %d:%d and has the mode %o", s.Uid, s.Gid, info.Mode().Perm())
	}
}

// A folder that may be written and not read cannot be synced: that comes to light before anything changes.
func TestWriteFileInUnreadableFolder(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may read every folder")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o300); err != nil {
		t.Fatal(err)
	}
	err := WriteFile(path, []byte("new"))
	_ = os.Chmod(dir, 0o700)
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "old" {
		t.Errorf("an error, and yet the file is %q", data)
	}
	onlyFiles(t, dir, FileName)
}
