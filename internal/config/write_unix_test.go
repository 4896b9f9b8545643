//go:build unix

package config

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/network-utopia/utopia/internal/leftout"
)

// What root edits is still readable to the user that the service runs as.
func TestWriteFileKeepsOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		leftout.Because(t, "nobody but root can give a file away")
	}
	path := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(path, []byte("one"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 4242, 4343); err != nil {
		leftout.Because(t, "this user namespace has no such users: %v", err)
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
