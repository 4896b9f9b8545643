//go:build unix

package main

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"
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
}
