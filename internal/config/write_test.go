package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/network-utopia/utopia/internal/leftout"
)

func TestWriteFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	mode := func() fs.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if err := WriteFile(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if got := mode(); got != 0o644 {
		t.Errorf("a new file has the mode %o", got)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(path)
	if err := WriteFile(path, []byte("two")); err != nil {
		t.Fatal(err)
	}
	if got := mode(); got != 0o640 {
		t.Errorf("the mode became %o", got)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "two" {
		t.Errorf("got %q, %v", data, err)
	}
	if after, _ := os.Stat(path); os.SameFile(before, after) {
		t.Error("the file was written over, not replaced")
	}
	onlyFiles(t, dir, FileName)
}

func TestWriteFileThroughLink(t *testing.T) {
	t.Parallel()
	real, dir := t.TempDir(), t.TempDir()
	target, link := filepath.Join(real, "settings"), filepath.Join(dir, FileName)
	if err := os.WriteFile(target, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		leftout.Because(t, "there are no symbolic links here: %v", err)
	}
	if err := WriteFile(link, []byte("two")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	if data, _ := os.ReadFile(target); string(data) != "two" {
		t.Errorf("got %q", data)
	}
	onlyFiles(t, real, "settings")
}

// TestWriteFileFails: what cannot be written leaves all as it was.
func TestWriteFileFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := WriteFile(filepath.Join(dir, "no", FileName), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if err := WriteFile(dir, []byte("x")); err == nil {
		t.Error("a folder was written over")
	}
	onlyFiles(t, dir)

	// The last step fails: the target became a folder that is not empty.
	if err := os.MkdirAll(filepath.Join(dir, "x", "y"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := replace(filepath.Join(dir, "x"), []byte("x"), nil); err == nil {
		t.Error("a folder was replaced")
	}
	onlyFiles(t, dir, "x")

	path := filepath.Join(dir, "x", FileName)
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "x"), 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "x"), 0o700) })
	if os.Geteuid() == 0 {
		return // nothing is read-only for root
	}
	if err := WriteFile(path, []byte("new")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a read-only folder: %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "old" {
		t.Errorf("got %q", data)
	}
}

func onlyFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if len(got) != len(want) || len(got) == 1 && got[0] != want[0] {
		t.Errorf("the folder holds %v, want %v", got, want)
	}
}
