package disk

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// The modes of what is made where Options say nothing: state is the service's own, and nobody else's to read.
const (
	DefaultFileMode   fs.FileMode = 0o600
	DefaultFolderMode fs.FileMode = 0o700
)

// Options say how files are made. The zero value means the defaults.
type Options struct {
	FileMode   fs.FileMode // of new files, before umask; DefaultFileMode if 0
	FolderMode fs.FileMode // of new folders, before umask; DefaultFolderMode if 0
}

// OS is a Folder of the operating system, held by an os.Root: links that lead out of it are refused.
type OS struct {
	root   *os.Root
	opts   Options
	mu     sync.Mutex // guards failed, and keeps SyncDir calls apart
	failed map[string]error
}

var _ Folder = (*OS)(nil)

// Open opens the folder dir, which must exist. Close gives it back.
func Open(dir string, opts Options) (*OS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	opts.FileMode = cmp.Or(opts.FileMode, DefaultFileMode)
	opts.FolderMode = cmp.Or(opts.FolderMode, DefaultFolderMode)
	return &OS{root: root, opts: opts, failed: map[string]error{}}, nil
}

// Close gives the folder back. Open files stay open.
func (o *OS) Close() error { return o.root.Close() }

// Create is that of Folder.
func (o *OS) Create(name string) (File, error) {
	return o.open("create", name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

// Open is that of Folder.
func (o *OS) Open(name string) (File, error) { return o.open("open", name, os.O_RDONLY) }

// OpenWrite is that of Folder.
func (o *OS) OpenWrite(name string) (File, error) { return o.open("open", name, os.O_RDWR) }

func (o *OS) open(op, name string, flag int) (File, error) {
	if err := valid(op, name); err != nil {
		return nil, err
	}
	f, err := o.root.OpenFile(name, flag, o.opts.FileMode)
	if err != nil {
		return nil, pathError(op, name, err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() { // which may be opened, to be read
		err = syscall.EISDIR
	}
	if err != nil {
		f.Close()
		return nil, pathError(op, name, err)
	}
	return &file{handle: f, name: name}, nil
}

// Mkdir is that of Folder.
func (o *OS) Mkdir(name string) error {
	return o.change("mkdir", name, func() error { return o.root.Mkdir(name, o.opts.FolderMode) })
}

// Rename is that of Folder.
func (o *OS) Rename(from, to string) error {
	if err := valid("rename", to); err != nil {
		return err
	}
	return o.change("rename", from, func() error { return o.root.Rename(from, to) })
}

// Link is that of Folder.
func (o *OS) Link(from, to string) error {
	if err := valid("link", to); err != nil {
		return err
	}
	return o.change("link", from, func() error { return o.root.Link(from, to) })
}

// Remove is that of Folder.
func (o *OS) Remove(name string) error {
	return o.change("remove", name, func() error { return o.root.Remove(name) })
}

func (o *OS) change(op, name string, do func() error) error {
	if err := valid(op, name); err != nil {
		return err
	}
	return pathError(op, name, do())
}

// ReadDir is that of Folder.
func (o *OS) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := valid("readdir", name); err != nil {
		return nil, err
	}
	f, err := o.root.Open(name)
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, pathError("readdir", name, err)
}

// Stat is that of Folder.
func (o *OS) Stat(name string) (fs.FileInfo, error) {
	if err := valid("stat", name); err != nil {
		return nil, err
	}
	info, err := o.root.Stat(name)
	return info, pathError("stat", name, err)
}

// SyncDir is that of Folder. Where the system has no way to sync a folder, it does nothing: such systems keep their
// names by other means, or not at all.
func (o *OS) SyncDir(name string) error {
	if err := valid("syncdir", name); err != nil {
		return err
	}
	f, err := o.root.Open(name)
	if err != nil {
		return pathError("syncdir", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return pathError("syncdir", name, err)
	}
	if runtime.GOOS == "windows" {
		return nil
	}
	return o.syncDir(name, f)
}

// syncDir runs one sync at a time: of two at once, the system might tell only one of a failure that concerns both.
func (o *OS) syncDir(name string, f interface{ Sync() error }) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.failed[name]; err != nil {
		return err
	}
	err := f.Sync()
	if err == nil || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		return nil
	}
	err = pathError("syncdir", name, err)
	o.failed[name] = err
	return err
}

func valid(op, name string) error {
	if !fs.ValidPath(name) || strings.ContainsRune(name, 0) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return nil
}

// pathError says with which call of Folder err came, and about which name.
func pathError(op, name string, err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
