//go:build unix

package main

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestOpeningACaptureEnds waits for a reader of a named pipe who never comes.
func TestOpeningACaptureEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openPatiently(ctx, pipe); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// Whoever still opens it would make a file of that name while the folder is removed: a reader lets it through.
	reader, err := syscall.Open(pipe, syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(reader)
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, err := syscall.Read(reader, make([]byte, 1)); errors.Is(err, syscall.EAGAIN) { // there is a writer, who says nothing
			return
		}
	}
	t.Error("the pipe was never opened")
}
