package app

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/network-utopia/utopia/transcript"
)

// A reload opens the file anew, as after logrotate; an exchange that is under way ends in the new one.
func TestTranscriptFileIsOpenedAnew(t *testing.T) {
	var log bytes.Buffer
	recorder := transcript.New(transcript.Options{})
	file := &transcriptFile{recorder: recorder, log: slog.New(slog.NewTextHandler(&log, nil))}
	path := filepath.Join(t.TempDir(), "t.jsonl")
	if err := file.use(path); err != nil {
		t.Fatal(err)
	}
	underWay := recorder.Begin(context.Background(), "socket", "tcp", netip.AddrPort{}, netip.AddrPort{})
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := file.use(path); err != nil {
		t.Fatal(err)
	}
	underWay.End()
	text, err := os.ReadFile(path)
	if err != nil || bytes.Count(text, []byte("\n")) != 1 {
		t.Errorf("the new file holds %q, %v", text, err)
	}
	late := recorder.Begin(context.Background(), "socket", "tcp", netip.AddrPort{}, netip.AddrPort{})
	if err := file.use(""); err != nil {
		t.Fatal(err)
	}
	late.End()
	if recorder.Begin(context.Background(), "socket", "tcp", netip.AddrPort{}, netip.AddrPort{}) != nil {
		t.Error("exchanges are recorded for no file")
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", &log)
	}
}
