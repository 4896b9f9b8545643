package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "some", "data")
	for range 3 {
		release, err := Lock(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Lock(dir)
		oneLine(t, err, ErrInUse, fmt.Sprintf("data folder %s is in use by process %d", dir, os.Getpid()))
		release()
		if text, err := os.ReadFile(filepath.Join(dir, lockName)); err != nil || len(text) != 0 {
			t.Errorf("after release the file holds %q, %v", text, err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if info, err = os.Stat(filepath.Join(dir, lockName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestLockWhileProcessesStart: a process that is being started has a copy of every descriptor for a moment, and does not
// keep the folder with it.
func TestLockWhileProcessesStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	over := make(chan struct{})
	var starting sync.WaitGroup
	for range 4 {
		starting.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
					_ = exec.Command(os.Args[0], "-test.run=^$").Run() // that it starts is what matters
				}
			}
		})
	}
	for range 300 {
		release, err := Lock(dir)
		if err != nil {
			t.Error(err)
			break
		}
		release()
	}
	close(over)
	starting.Wait()
}

// What a file says does not matter, only who holds it.
func TestLockFileOfTheDead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "1\n", "garbage", "-5", strings.Repeat("9", 100)} {
		dir := t.TempDir()
		path := filepath.Join(dir, lockName)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		release, err := Lock(dir)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got, _ := os.ReadFile(path); string(got) != strconv.Itoa(os.Getpid())+"\n" {
			t.Errorf("the file holds %q", got)
		}
		release()
	}
}

// A holder that could not write its number is another process.
func TestLockOfUnknownHolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	release, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := os.Truncate(filepath.Join(dir, lockName), 0); err != nil {
		t.Fatal(err)
	}
	_, err = Lock(dir)
	oneLine(t, err, ErrInUse, "in use by another process")
}

func TestLockWhereThereIsNoFolder(t *testing.T) {
	t.Parallel()
	file := intactFile(t)
	for _, dir := range []string{file, filepath.Join(file, "data")} {
		if _, err := Lock(dir); err == nil || errors.Is(err, ErrInUse) {
			t.Errorf("Lock(%s): %v", dir, err)
		}
	}
}

// The lock of a process ends with the process, however it ends.
func TestLockOfAnotherProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := startHelper(t, "lock", dir)
	if line := h.line(t); line != "locked" {
		t.Fatalf("the helper says %q", line)
	}
	_, err := Lock(dir)
	oneLine(t, err, ErrInUse, dir, fmt.Sprintf("process %d", h.cmd.Process.Pid))
	h.kill()
	release, err := Lock(dir)
	if err != nil {
		t.Fatalf("after kill -9: %v", err)
	}
	release()
}

// Of many that try at once exactly one holds the lock at any time.
func TestLockAtOnce(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(dir string) (func(), error){
		"flock":     Lock,
		"exclusive": func(dir string) (func(), error) { return acquireExclusive(filepath.Join(dir, lockName)) },
	} {
		dir := t.TempDir()
		var holders, taken atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 10 {
					release, err := take(dir)
					if err != nil {
						if !errors.Is(err, ErrInUse) && err != errHeld {
							t.Errorf("%s: %v", name, err)
						}
						continue
					}
					if holders.Add(1) != 1 {
						t.Errorf("%s: two holders", name)
					}
					taken.Add(1)
					holders.Add(-1)
					release()
				}
			})
		}
		wg.Wait()
		if taken.Load() == 0 {
			t.Errorf("%s: nobody got it", name)
		}
	}
}

// The way of systems without flock.
func TestExclusiveFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), lockName)
	release, err := acquireExclusive(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := acquireExclusive(path); err != errHeld {
		t.Errorf("a second one: %v", err)
	}
	release()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("after release: %v", err)
	}
	// A process that is gone left its file behind.
	gone := exec.Command(os.Args[0], "-test.run=^$")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{strconv.Itoa(gone.Process.Pid) + "\n", "garbage", ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		release, err := acquireExclusive(path)
		if err != nil {
			t.Fatalf("over the file of the dead, %q: %v", text, err)
		}
		release()
	}
	// One that is not gone did not.
	if err := os.WriteFile(path, []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := acquireExclusive(path); err != errHeld {
		t.Errorf("held by process 1: %v", err)
	}
	if _, err := acquireExclusive(filepath.Join(path, "x")); err == nil || err == errHeld {
		t.Errorf("below a file: %v", err)
	}
}
