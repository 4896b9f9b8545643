package static

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// errNotServed is the error for what is there and is neither a regular file nor a folder.
var errNotServed = errors.New("not a regular file")

// tree is the folder that is served, as long as its path names it.
type tree struct {
	dir string

	mu   sync.RWMutex // held for reading while root is used
	root *os.Root
	info fs.FileInfo // of root
}

func openTree(dir string) (*tree, error) {
	t := &tree{dir: dir}
	root, info, err := openRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder of the site: %w", err)
	}
	t.root, t.info = root, info
	return t, nil
}

func openRoot(dir string) (*os.Root, fs.FileInfo, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	info, err := root.Stat(".")
	if err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	return root, info, nil
}

func (t *tree) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.root == nil {
		return nil
	}
	err := t.root.Close()
	t.root = nil
	return err
}

// use calls what with the folder that the path names now. That is one stat more for each request, and what makes a
// replaced folder visible at once. An old root stays open while its path names nothing, and its inode number with it.
func (t *tree) use(what func(*os.Root) error) error {
	if now, err := os.Stat(t.dir); err == nil {
		t.mu.RLock()
		same := t.root == nil || os.SameFile(t.info, now)
		t.mu.RUnlock()
		if !same {
			t.reopen()
		}
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.root == nil {
		return os.ErrClosed
	}
	return what(t.root)
}

func (t *tree) reopen() {
	root, info, err := openRoot(t.dir)
	if err != nil {
		return // replaced by what is no folder, or in the middle of being replaced: the last one goes on
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.root == nil { // closed meanwhile
		_ = root.Close()
		return
	}
	_ = t.root.Close() // a folder opened for reading has nothing to lose
	t.root, t.info = root, info
}

// file is an open regular file, or a folder, which is not opened.
type file struct {
	*os.File
	info fs.FileInfo
}

func (f *file) folder() bool { return f.info.IsDir() }

// close cannot lose anything: the file was opened for reading.
func (f *file) close() { _ = f.Close() }

// open opens a regular file. It looks at the name before it opens it, since opening a device can have effects, and at
// the file after, since the name may have changed hands; the open itself never waits, as that of a FIFO would.
func (t *tree) open(name string) (*file, error) {
	f := &file{}
	err := t.use(func(root *os.Root) (err error) {
		if f.info, err = root.Stat(name); err != nil || f.folder() {
			return err
		}
		if !f.info.Mode().IsRegular() {
			return errNotServed
		}
		if f.File, err = root.OpenFile(name, os.O_RDONLY|nonblock, 0); err != nil {
			return err
		}
		if f.info, err = f.Stat(); err == nil && !f.info.Mode().IsRegular() {
			err = errNotServed
		}
		if err != nil {
			f.close()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// entries reads up to limit+1 entries of a folder.
func (t *tree) entries(name string, limit int) (entries []fs.DirEntry, err error) {
	err = t.use(func(root *os.Root) error {
		dir, err := root.OpenFile(name, os.O_RDONLY|nonblock, 0)
		if err != nil {
			return err
		}
		entries, err = dir.ReadDir(limit + 1)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return errors.Join(err, dir.Close())
	})
	return entries, err
}

// stat looks at a name, through symbolic links that stay in the tree.
func (t *tree) stat(name string) (info fs.FileInfo, err error) {
	err = t.use(func(root *os.Root) error {
		info, err = root.Stat(name)
		return err
	})
	return info, err
}

// escapes says whether an error means that a symbolic link leads out of the tree. Package os has no value for it.
func escapes(err error) bool {
	var pathError *fs.PathError
	return errors.As(err, &pathError) && strings.Contains(pathError.Err.Error(), "escapes")
}

// settled is how long a file must have been left alone before its times tell its contents apart: longer than the
// interval at which a kernel's clock for files moves on, which is 10 ms at most.
const settled = 20 * time.Millisecond

// entityTag returns a strong validator (RFC 9110 section 8.8.1): a digest of the size, the times of the last change of
// contents and of the inode, in nanoseconds, and the inode. The inode and its time are among them since tools that copy
// or unpack files set the first time back to an old one. A file that has just been changed could change
// again without a trace in these; it has no tag, "", for its first 20 ms.
func (f *file) entityTag(now time.Time) string {
	changed, inode := inodeOf(f.info)
	last := f.info.ModTime()
	if changed.After(last) {
		last = changed
	}
	if age := now.Sub(last); 0 <= age && age < settled {
		return ""
	}
	var key [32]byte
	binary.BigEndian.PutUint64(key[0:], uint64(f.info.Size()))
	binary.BigEndian.PutUint64(key[8:], uint64(f.info.ModTime().UnixNano()))
	binary.BigEndian.PutUint64(key[16:], uint64(changed.UnixNano()))
	binary.BigEndian.PutUint64(key[24:], inode)
	sum := sha256.Sum256(key[:])
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// contentType tells the type by the name, and for names that tell nothing whether it is text.
func (f *file) contentType() (string, error) {
	if t := typeByName(f.info.Name()); t != "" {
		return t, nil
	}
	head := make([]byte, 1024)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if isText(head[:n], n < len(head)) {
		return "text/plain; charset=utf-8", nil
	}
	return "application/octet-stream", nil
}

// isText says whether the beginning of a file is UTF-8 without control characters other than blanks and line ends.
// whole says that it is all of the file, and not cut within a character.
func isText(head []byte, whole bool) bool {
	for len(head) > 0 {
		if !whole && !utf8.FullRune(head) {
			return true
		}
		r, size := utf8.DecodeRune(head)
		if r == utf8.RuneError && size == 1 || r < ' ' && !strings.ContainsRune("\t\n\f\r\x1b", r) {
			return false
		}
		head = head[size:]
	}
	return true
}
