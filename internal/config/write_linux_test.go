package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// A folder that may be written and not read cannot be synced: that comes to light before anything changes.
func TestWriteFileInUnreadableFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o300); err != nil {
		t.Fatal(err)
	}
	err := writeAsCommonUser(t, dir, path)
	_ = os.Chmod(dir, 0o700)
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "old" {
		t.Errorf("an error, and yet the file is %q", data)
	}
	onlyFiles(t, dir, FileName)
}

// writeAsCommonUser calls WriteFile as the owner of dir who is not root, who may read every folder: for files the kernel
// asks the thread's own user (setfsuid(2)).
func writeAsCommonUser(t *testing.T, dir, path string) error {
	t.Helper()
	if os.Geteuid() != 0 {
		return WriteFile(path, []byte("new"))
	}
	const nobody = 65534
	for _, p := range []string{dir, path} {
		if err := os.Chown(p, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { // the way there is root's alone
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := syscall.Setfsuid(nobody); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setfsuid(0); err != nil {
			t.Error(err)
		}
	}()
	return WriteFile(path, []byte("new"))
}
