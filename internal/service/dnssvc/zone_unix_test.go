//go:build unix

package dnssvc

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/network-utopia/utopia/internal/leftout"
)

// A named pipe in the place of a zone file, or of one that it includes, is refused instead of waited for.
func TestZoneFilesAreFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		leftout.Because(t, "there are no named pipes here: %v", err)
	}
	for _, file := range []string{pipe, dir, writeFile(t, dir, "extra.zone", "$INCLUDE pipe\n")} {
		opts := options()
		opts.ZoneFiles = []string{file}
		if _, err := New(opts); err == nil || !strings.Contains(err.Error(), "a folder or device") {
			t.Errorf("%s: %v", file, err)
		}
	}
}
