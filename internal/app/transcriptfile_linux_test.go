package app

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/leftout"
)

// A pipe that nobody reads does not keep a reload, and with it a stop, waiting.
func TestTranscriptIntoPipeWithoutReader(t *testing.T) {
	dir, _ := folderFor(t)
	a, _ := start(t, dir)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		leftout.Because(t, "there are no named pipes here: %v", err)
	}
	edit(t, dir, "", "\n[log]\ntranscript = \"pipe\"\n")
	reloaded := make(chan error, 1)
	go func() {
		_, err := a.Reload(context.Background())
		reloaded <- err
	}()
	select {
	case err := <-reloaded:
		if err == nil || !strings.Contains(err.Error(), "log.transcript") {
			t.Errorf("got %v", err)
		}
	case <-time.After(20 * time.Second):
		syscall.Open(filepath.Join(dir, "pipe"), syscall.O_RDONLY|syscall.O_NONBLOCK, 0) // lets it go on
		t.Fatal("the reload waits for a reader")
	}
	mustBeUp(t, a, dnsName, webName, socketName, consoleName)
}
