package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// slowReader begins a download from the web service and reads no more than its start.
func slowReader(t *testing.T, dir, address string) {
	t.Helper()
	big := filepath.Join(dir, "www", "big")
	if err := os.WriteFile(big, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, 1<<30); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", address+":8080")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "GET /big HTTP/1.1\r\nHost: a.test\r\n\r\n")
	if _, err := io.ReadFull(c, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
}

// A reload that has to close sockets waits for what is under way, but no longer than a stop does: while it lasts,
// nothing else can be changed, and the instance cannot stop.
func TestReloadDoesNotWaitForSlowReaders(t *testing.T) {
	dir, address := folderFor(t)
	_, other := folderFor(t)
	edit(t, dir, "", "\n[limits]\nstop-timeout = \"100ms\"\n")
	a, log := start(t, dir)
	slowReader(t, dir, address)
	edit(t, dir, address, other)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		done, err := a.Reload(context.Background())
		if err != nil || len(done.Failed) > 0 || !slices.Contains(done.Changed, webName) {
			t.Errorf("reload %+v, %v", done, err)
		}
	}()
	select {
	case <-finished:
	case <-time.After(20 * time.Second):
		t.Fatal("the reload waits for a reader that does not read")
	}
	mustBeUp(t, a, dnsName, webName, socketName, consoleName)
	if !strings.Contains(log.String(), "broken off") {
		t.Errorf("the log does not tell of the reader: %s", log)
	}
}

// The stop-timeout is no failure.
func TestCloseBreaksOffSlowReaders(t *testing.T) {
	dir, address := folderFor(t)
	edit(t, dir, "", "\n[limits]\nstop-timeout = \"100ms\"\n")
	a, log := start(t, dir)
	slowReader(t, dir, address)
	if err := a.Close(context.Background()); err != nil {
		t.Errorf("close: %v", err)
	}
	if !bytes.Contains(log.Bytes(), []byte("broken off")) {
		t.Errorf("the log does not tell of the reader: %s", log)
	}
}

// Whoever asked for a reload may leave before it begins, or before it ends: it is done not at all, or whole.
func TestReloadForSomebodyWhoLeft(t *testing.T) {
	dir, address := folderFor(t)
	_, other := folderFor(t)
	a, _ := start(t, dir)
	edit(t, dir, address, other)
	ctx, leave := context.WithCancel(context.Background())
	leave()
	if done, err := a.Reload(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("reload %+v, %v", done, err)
	}
	if got := a.config.Load().Address[0].String(); got != address {
		t.Errorf("the address is %s already", got)
	}
	ctx, leave = context.WithCancel(context.Background())
	defer leave()
	// Its users' lock holds the reload in its middle, after the look whether somebody waits for it.
	a.folder.users.mu.Lock()
	asked, finished := &watched{Context: ctx, asked: make(chan struct{})}, make(chan struct{})
	go func() {
		defer close(finished)
		done, err := a.Reload(asked)
		if err != nil || len(done.Failed) > 0 || len(done.Changed) != 4 {
			t.Errorf("reload %+v, %v", done, err)
		}
	}()
	<-asked.asked
	leave()
	a.folder.users.mu.Unlock()
	<-finished
	mustBeUp(t, a, dnsName, webName, socketName, consoleName)
}

// watched tells when somebody looks whether it has ended.
type watched struct {
	context.Context
	once  sync.Once
	asked chan struct{}
}

func (w *watched) Err() error {
	err := w.Context.Err()
	w.once.Do(func() { close(w.asked) })
	return err
}
