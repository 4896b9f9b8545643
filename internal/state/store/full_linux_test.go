package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/network-utopia/utopia/internal/leftout"
)

// systemHelpers are the helpers that need this operating system.
func systemHelpers() map[string]func(args []string) error {
	return map[string]func(args []string) error{
		"full": helpFull, "read-only": helpReadOnly, "unwritable": helpUnwritable,
	}
}

// noMount is the exit code of a helper that may not mount anything.
const noMount = 77

// inNamespace runs a helper that has file systems of its own, or returns false
// where that is not allowed.
func inNamespace(t *testing.T, what string, args ...string) (ran bool) {
	t.Helper()
	cmd := helperCommand(what, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return true
	case errors.As(err, &exit) && exit.ExitCode() != noMount:
		t.Fatalf("%v: %s", err, out)
	}
	return false
}

// mountTmpfs mounts a small file system on dir for this process alone.
func mountTmpfs(dir, size string) {
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size+",mode=0700")
	}
	if err != nil {
		os.Exit(noMount)
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if inNamespace(t, "full", dir, "tmpfs") {
		return
	}
	t.Log("no namespaces here: a limit on the size of files stands for the full disk")
	if out, err := helperCommand("full", dir, "limit").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// A limit on file sizes is tried in any case: SQLite takes it, as it does a
// used-up quota, for a disk that fails.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	if out, err := helperCommand("full", t.TempDir(), "limit").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// helpFull fills the disk, and makes room again.
func helpFull(args []string) error {
	dir, ctx := filepath.Join(args[0], "data"), context.Background()
	relieve := limitFiles
	if args[1] == "tmpfs" {
		mountTmpfs(args[0], "768k")
		ballast := filepath.Join(args[0], "ballast")
		if err := os.WriteFile(ballast, make([]byte, 512<<10), 0o600); err != nil {
			return err
		}
		relieve = func() (func() error, error) { return func() error { return os.Remove(ballast) }, nil }
	}
	s, err := Open(ctx, dir)
	if err != nil {
		return err
	}
	makeRoom, err := relieve()
	if err != nil {
		return err
	}
	if args[1] == "limit" {
		if err := openLimited(ctx, args[0]); err != nil {
			return err
		}
	}
	n, err := fillStore(ctx, s, 0)
	if err != nil {
		return err
	}
	if err := keptAll(ctx, s, n); err != nil {
		return fmt.Errorf("while it is full: %w", err)
	}
	if args[1] == "tmpfs" {
		if err := openFull(ctx, args[0]); err != nil {
			return err
		}
	}
	if err := makeRoom(); err != nil {
		return err
	}
	for range 20 {
		if err := putLarge(ctx, s, n); err != nil {
			return fmt.Errorf("a write after there is room again: %w", err)
		}
		n++
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = Open(ctx, dir); err != nil {
		return err
	}
	defer s.Close()
	return keptAll(ctx, s, n)
}

// limitFiles makes files of more than 256 KiB impossible until it is undone.
func limitFiles() (undo func() error, err error) {
	signal.Ignore(unix.SIGXFSZ)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		return nil, err
	}
	small := was
	small.Cur = 256 << 10
	return func() error { return unix.Setrlimit(unix.RLIMIT_FSIZE, &was) }, unix.Setrlimit(unix.RLIMIT_FSIZE, &small)
}

func putLarge(ctx context.Context, s *SQLite, n int) error {
	c := someone(fmt.Sprint("user", n))
	c.Label = strings.Repeat("x", 2000)
	return s.Credentials().Put(ctx, c)
}

// fillStore puts credentials until there is no room, and returns how many were
// acknowledged.
func fillStore(ctx context.Context, s *SQLite, n int) (int, error) {
	for ; n < 10_000; n++ {
		err := putLarge(ctx, s, n)
		if err == nil {
			continue
		}
		var e *Error
		if !errors.Is(err, ErrFull) || !errors.As(err, &e) || !e.Temporary() || strings.Contains(err.Error(), "\n") {
			return n, fmt.Errorf("the error of a full disk: %w", err)
		}
		if n == 0 {
			return n, errors.New("nothing fits")
		}
		return n, nil
	}
	return n, errors.New("the disk is never full")
}

func keptAll(ctx context.Context, s *SQLite, n int) error {
	all, err := s.Credentials().All(ctx)
	if err != nil {
		return err
	}
	have := map[string]bool{}
	for _, c := range all {
		have[c.User] = len(c.Label) == 2000
	}
	for i := range n {
		if !have[fmt.Sprint("user", i)] {
			return fmt.Errorf("user%d was acknowledged and is missing", i)
		}
	}
	if len(all) != n {
		return fmt.Errorf("%d are there, %d were acknowledged", len(all), n)
	}
	return nil
}

// openLimited tries a first start where no file may have the size of a database.
func openLimited(ctx context.Context, top string) error {
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	tiny := was
	tiny.Cur = 2 << 10
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &tiny); err != nil {
		return err
	}
	_, err := Open(ctx, filepath.Join(top, "new"))
	if !errors.Is(err, ErrFull) || strings.Contains(err.Error(), "\n") {
		return fmt.Errorf("a first start with no room for the database: %w", err)
	}
	fmt.Println(err)
	return unix.Setrlimit(unix.RLIMIT_FSIZE, &was)
}

// openFull tries a first start where there is no room at all.
func openFull(ctx context.Context, top string) error {
	f, err := os.Create(filepath.Join(top, "filler"))
	if err != nil {
		return err
	}
	for err == nil {
		_, err = f.Write(make([]byte, 512))
	}
	defer os.Remove(f.Name())
	defer f.Close()
	_, err = Open(ctx, filepath.Join(top, "new"))
	if !errors.Is(err, ErrFull) || strings.Contains(err.Error(), "\n") {
		return fmt.Errorf("a first start on a full disk: %w", err)
	}
	fmt.Println(err)
	return nil
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	if !inNamespace(t, "read-only", t.TempDir()) {
		leftout.Because(t, "no file system can be mounted read-only here")
	}
}

// Folders and files whose mode does not allow it.
func TestUnwritable(t *testing.T) {
	t.Parallel()
	if out, err := helperCommand("unwritable", t.TempDir()).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func helpUnwritable(args []string) error {
	dir := filepath.Join(args[0], "data")
	s, err := Open(context.Background(), dir)
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	if err := beNobody(); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		return err
	}
	if err := refusedReadOnly(dir); err != nil {
		return err
	}
	if err := refusedReadOnly(filepath.Join(dir, "new")); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Join(dir, databaseName), 0o400); err != nil {
		return err
	}
	if _, err := Open(context.Background(), dir); !errors.Is(err, ErrReadOnly) {
		return fmt.Errorf("opened a read-only file: %w", err)
	}
	return nil
}

// beNobody gives up root's right to write anywhere, for this thread, which the
// caller keeps.
func beNobody() error {
	if os.Geteuid() != 0 {
		return nil
	}
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}

// helpReadOnly opens what lies on a file system that is mounted read-only.
func helpReadOnly(args []string) error {
	dir, ctx := args[0], context.Background()
	mountTmpfs(dir, "4m")
	s, err := Open(ctx, dir)
	if err != nil {
		return err
	}
	if err := s.Credentials().Put(ctx, someone("alice")); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return err
	}
	if err := refusedReadOnly(dir); err != nil {
		return err
	}
	if err := refusedReadOnly(filepath.Join(dir, "new")); err != nil {
		return err
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, ""); err != nil {
		return err
	}
	if s, err = Open(ctx, dir); err != nil {
		return err
	}
	defer s.Close()
	_, err = s.Credentials().Get(ctx, "alice", "password")
	return err
}

func refusedReadOnly(dir string) error {
	_, openErr := Open(context.Background(), dir)
	_, lockErr := Lock(dir)
	for _, err := range []error{openErr, lockErr} {
		if !errors.Is(err, ErrReadOnly) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), dir) {
			return fmt.Errorf("the error of a read-only folder: %w", err)
		}
	}
	return nil
}
