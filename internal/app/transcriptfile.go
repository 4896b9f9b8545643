package app

import (
	"fmt"
	"log/slog"
	"os"
	"syscall"

	"github.com/network-utopia/utopia/transcript"
)

// transcriptFile writes every exchange to the file that the settings name.
type transcriptFile struct {
	recorder *transcript.Recorder
	log      *slog.Logger
	file     *os.File
	lines    *transcript.JSONLines // writes to file
	detach   func()
}

// use writes to path from now on, or nowhere when it is empty. A path that is in use is opened anew, since it may have
// been moved away. When path cannot be opened, what was used before goes on.
func (t *transcriptFile) use(path string) error {
	var file *os.File
	if path != "" {
		var err error
		const flags = os.O_APPEND | os.O_CREATE | os.O_WRONLY | syscall.O_NONBLOCK // or a pipe waits for its reader
		if file, err = os.OpenFile(path, flags, 0o600); err != nil {
			return fmt.Errorf("log.transcript: %w", err)
		}
	}
	if file == nil || t.file == nil {
		if err := t.close(); err != nil || file == nil {
			return err
		}
		t.file, t.lines = file, transcript.NewJSONLines(file, t.log)
		t.detach = t.recorder.Attach(t.lines)
		return nil
	}
	t.lines.Use(file) // exchanges that are under way end there
	before := t.file
	t.file = file
	return before.Close()
}

func (t *transcriptFile) close() error {
	if t.file == nil {
		return nil
	}
	t.detach()
	t.lines.Use(nil)
	err := t.file.Close()
	t.file, t.lines, t.detach = nil, nil, nil
	return err
}
