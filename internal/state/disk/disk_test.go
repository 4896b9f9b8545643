package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/leftout"
	"github.com/network-utopia/utopia/internal/state/disk"
	"github.com/network-utopia/utopia/internal/state/disk/disktest"
)

func open(t *testing.T, dir string, opts disk.Options) *disk.OS {
	t.Helper()
	f, err := disk.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestConformance(t *testing.T) {
	disktest.Run(t, func(t *testing.T) disk.Folder { return open(t, t.TempDir(), disk.Options{}) })
}

func TestOpenOfNothing(t *testing.T) {
	if _, err := disk.Open(filepath.Join(t.TempDir(), "x"), disk.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		leftout.Because(t, "this system has no modes")
	}
	for _, c := range []struct {
		opts         disk.Options
		file, folder fs.FileMode
	}{
		{disk.Options{}, 0o600, 0o700},
		{disk.Options{FileMode: 0o640, FolderMode: 0o750}, 0o640, 0o750},
	} {
		dir := t.TempDir()
		f := open(t, dir, c.opts)
		if _, err := f.Create("a"); err != nil {
			t.Fatal(err)
		}
		if err := f.Mkdir("d"); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]fs.FileMode{"a": c.file, "d": c.folder} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode().Perm() != want {
				t.Errorf("%+v: %s has %v, %v", c.opts, name, info.Mode(), err)
			}
		}
	}
}

// Links that lead out are refused by every call; those inside are followed.
func TestLinksOut(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"file": secret, "folder": outside, "up": "..", "in": "here"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			leftout.Because(t, "there are no symbolic links here: %v", err)
		}
	}
	f := open(t, dir, disk.Options{})
	if err := disk.Replace(f, "mine to give", nil); err != nil {
		t.Fatal(err)
	}
	for what, try := range map[string]func() error{
		"Open":      func() error { _, err := f.Open("file"); return err },
		"OpenWrite": func() error { _, err := f.OpenWrite("folder/secret"); return err },
		"Create":    func() error { _, err := f.Create("folder/new"); return err },
		"ReadDir":   func() error { _, err := f.ReadDir("folder"); return err },
		"Stat":      func() error { _, err := f.Stat("up"); return err },
		"Mkdir":     func() error { return f.Mkdir("folder/d") },
		"Remove":    func() error { return f.Remove("folder/secret") },
		"Link":      func() error { return f.Link("folder/secret", "mine") },
		"Rename":    func() error { return f.Rename("folder/secret", "mine") },
		"Link to":   func() error { return f.Link("mine to give", "folder/new") },
		"Rename to": func() error { return f.Rename("mine to give", "folder/new") },
		"SyncDir":   func() error { return f.SyncDir("folder") },
	} {
		if err := try(); err == nil {
			t.Errorf("%s followed a link out", what)
		}
	}
	if text, err := os.ReadFile(secret); err != nil || string(text) != "s" {
		t.Errorf("outside: %q, %v", text, err)
	}
	if err := f.Mkdir("here"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Create("in/a"); err != nil {
		t.Errorf("through a link inside: %v", err)
	}
}

// TestStall: what tests have hang is otherwise as any disk.
func TestStall(t *testing.T) {
	t.Parallel()
	disktest.Run(t, func(t *testing.T) disk.Folder { return disktest.NewStall(open(t, t.TempDir(), disk.Options{})) })
	s := disktest.NewStall(open(t, t.TempDir(), disk.Options{}))
	f, err := s.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	goOn := s.Hang()
	ended := make(chan error, 2)
	go func() { ended <- f.Sync() }()
	go func() { ended <- s.SyncDir(".") }()
	for s.Waiting() < 2 {
		time.Sleep(time.Millisecond)
	}
	if _, err := f.WriteAt([]byte("a"), 0); err != nil || len(ended) > 0 {
		t.Errorf("%v; %d syncs are over", err, len(ended))
	}
	goOn()
	goOn()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if s.Waiting() != 0 || f.Sync() != nil {
		t.Error("it still hangs")
	}
}
