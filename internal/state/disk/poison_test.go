package disk

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"
	"time"
)

// failing is a file whose n-th Sync fails, counted from 1.
type failing struct {
	handle
	n       int
	err     error
	syncs   int
	written int
	during  func()
}

func (f *failing) Sync() error {
	f.syncs++
	if f.during != nil {
		f.during()
	}
	if f.syncs == f.n {
		return f.err
	}
	return nil
}

func (f *failing) WriteAt(p []byte, _ int64) (int, error) { f.written++; return len(p), nil }
func (f *failing) Truncate(int64) error                   { f.written++; return nil }

// The system says that all is well the second time; the file does not.
func TestAFailedSyncPoisons(t *testing.T) {
	under := &failing{n: 2, err: syscall.EIO}
	f := &file{handle: under, name: "a"}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	first := f.Sync()
	var path *fs.PathError
	if !errors.As(first, &path) || path.Path != "a" || path.Op != "sync" || !errors.Is(first, syscall.EIO) {
		t.Fatalf("the Sync that fails: %v", first)
	}
	_, writeErr := f.WriteAt([]byte("x"), 0)
	for what, err := range map[string]error{"Sync": f.Sync(), "Truncate": f.Truncate(0), "WriteAt": writeErr} {
		if err != first {
			t.Errorf("%s after it: %v, want %v", what, err, first)
		}
	}
	if under.syncs != 2 || under.written != 0 {
		t.Errorf("the system was asked for %d syncs and %d changes", under.syncs, under.written)
	}
}

// A file that was closed too early is no broken disk.
func TestSyncOfAClosedFilePoisonsNothing(t *testing.T) {
	f := &file{handle: &failing{n: 1, err: fs.ErrClosed}, name: "a"}
	if err := f.Sync(); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	if err := f.poison(); err != nil {
		t.Error(err)
	}
}

// A Sync that waited for one that failed must not say that all is well; writes do not wait.
func TestSyncsComeOneByOne(t *testing.T) {
	under := &failing{n: 1, err: syscall.EIO}
	f := &file{handle: under, name: "a"}
	second := make(chan error, 1)
	under.during = func() {
		under.during = nil
		go func() { second <- f.Sync() }()
		if _, err := f.WriteAt([]byte("x"), 0); err != nil {
			t.Errorf("a write while a Sync runs: %v", err)
		}
		select {
		case err := <-second:
			t.Errorf("the second Sync did not wait: %v", err)
			second <- err
		case <-time.After(10 * time.Millisecond):
		}
	}
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("the first: %v", err)
	}
	if err := <-second; !errors.Is(err, syscall.EIO) || under.syncs != 1 {
		t.Errorf("the second: %v, after %d calls of the system", err, under.syncs)
	}
}

func TestAFailedSyncDirPoisonsTheFolder(t *testing.T) {
	o, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if err := o.Mkdir("d"); err != nil {
		t.Fatal(err)
	}
	for _, none := range []error{nil, errors.ErrUnsupported, syscall.EINVAL} { // no way to sync a folder is no failure
		if err := o.syncDir("d", &failing{n: 1, err: none}); err != nil {
			t.Errorf("%v: %v", none, err)
		}
	}
	first := o.syncDir("d", &failing{n: 1, err: syscall.EIO})
	if !errors.Is(first, syscall.EIO) {
		t.Fatal(first)
	}
	if err := o.SyncDir("d"); err != first {
		t.Errorf("the next: %v", err)
	}
	if err := o.SyncDir("."); err != nil {
		t.Errorf("another folder: %v", err)
	}
}
