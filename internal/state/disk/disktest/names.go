package disktest

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/state/disk"
)

func create(t *testing.T, f disk.Folder) {
	put(t, f, "a", "one")
	_, err := f.Create("a")
	fails(t, "Create again", err, fs.ErrExist)
	must(t, "Mkdir", f.Mkdir("d"))
	_, err = f.Create("d")
	fails(t, "Create over a folder", err, fs.ErrExist)
	_, err = f.Create("x/a")
	fails(t, "Create in no folder", err, fs.ErrNotExist)
	_, err = f.Create("a/b")
	fails(t, "Create below a file", err, nil)
	_, err = f.Create(".")
	fails(t, "Create the folder itself", err, nil)
	holds(t, f, "a", "one")
	listed(t, f, ".", "a", "d")
}

func openExisting(t *testing.T, f disk.Folder) {
	must(t, "Mkdir", f.Mkdir("d"))
	put(t, f, "d/a", "one")
	for what, open := range map[string]func(string) (disk.File, error){"Open": f.Open, "OpenWrite": f.OpenWrite} {
		_, err := open("b")
		fails(t, what+" of nothing", err, fs.ErrNotExist)
		_, err = open("d")
		fails(t, what+" of a folder", err, nil)
		_, err = open(".")
		fails(t, what+" of the folder itself", err, nil)
		_, err = open("d/a/b")
		fails(t, what+" below a file", err, nil)
		file, err := open("d/a")
		must(t, what, err)
		content(t, file, what, "one")
		must(t, "Close", file.Close())
	}
	file, err := f.Open("d/a")
	must(t, "Open", err)
	defer file.Close()
	_, err = file.WriteAt([]byte("x"), 0)
	fails(t, "WriteAt of what is open for reading", err, nil)
	fails(t, "Truncate of what is open for reading", file.Truncate(0), nil)
	holds(t, f, "d/a", "one")
}

func names(t *testing.T, f disk.Folder) {
	put(t, f, "a", "")
	must(t, "Mkdir", f.Mkdir("d"))
	for _, name := range []string{"", "..", "../a", "/a", "d/../a", "a/", "d//a", "./a", "d/.", "a\x00"} {
		_, createErr := f.Create(name)
		_, openErr := f.Open(name)
		_, writeErr := f.OpenWrite(name)
		_, listErr := f.ReadDir(name)
		_, statErr := f.Stat(name)
		for what, err := range map[string]error{
			"Create": createErr, "Open": openErr, "OpenWrite": writeErr, "ReadDir": listErr, "Stat": statErr,
			"Mkdir": f.Mkdir(name), "Remove": f.Remove(name), "SyncDir": f.SyncDir(name),
			"Rename from": f.Rename(name, "b"), "Rename to": f.Rename("a", name),
			"Link from": f.Link(name, "b"), "Link to": f.Link("a", name),
		} {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%s of %q: error %v", what, name, err)
			}
		}
	}
	listed(t, f, ".", "a", "d")
}

func folders(t *testing.T, f disk.Folder) {
	must(t, "Mkdir", f.Mkdir("d"))
	must(t, "Mkdir below", f.Mkdir("d/e"))
	fails(t, "Mkdir again", f.Mkdir("d"), fs.ErrExist)
	fails(t, "Mkdir of the folder itself", f.Mkdir("."), fs.ErrExist)
	fails(t, "Mkdir in no folder", f.Mkdir("x/y"), fs.ErrNotExist)
	put(t, f, "a", "")
	fails(t, "Mkdir over a file", f.Mkdir("a"), fs.ErrExist)
	fails(t, "Mkdir below a file", f.Mkdir("a/b"), nil)
	listed(t, f, ".", "a", "d")
	listed(t, f, "d", "e")
	listed(t, f, "d/e")
	_, err := f.ReadDir("x")
	fails(t, "ReadDir of nothing", err, fs.ErrNotExist)
	_, err = f.ReadDir("a")
	fails(t, "ReadDir of a file", err, nil)
}

func rename(t *testing.T, f disk.Folder) {
	must(t, "Mkdir", f.Mkdir("d"))
	put(t, f, "a", "one")
	put(t, f, "b", "two")
	must(t, "Rename", f.Rename("a", "c"))
	must(t, "Rename over a file", f.Rename("c", "b"))
	holds(t, f, "b", "one")
	must(t, "Rename to another folder", f.Rename("b", "d/b"))
	must(t, "Rename to itself", f.Rename("d/b", "d/b"))
	holds(t, f, "d/b", "one")
	listed(t, f, ".", "d")
	listed(t, f, "d", "b")
	fails(t, "Rename of nothing", f.Rename("a", "x"), fs.ErrNotExist)
	fails(t, "Rename into no folder", f.Rename("d/b", "x/b"), fs.ErrNotExist)
	fails(t, "Rename of a file over a folder", f.Rename("d/b", "d"), nil)
	put(t, f, "a", "")
	fails(t, "Rename to below a file", f.Rename("d/b", "a/b"), nil)
	holds(t, f, "d/b", "one")
}

func renameFolders(t *testing.T, f disk.Folder) {
	for _, name := range []string{"d", "d/in", "empty", "full"} {
		must(t, "Mkdir", f.Mkdir(name))
	}
	put(t, f, "d/in/a", "one")
	put(t, f, "full/x", "")
	put(t, f, "file", "")
	fails(t, "Rename of a folder over a full one", f.Rename("d", "full"), fs.ErrExist)
	fails(t, "Rename of a folder over a file", f.Rename("d", "file"), nil)
	fails(t, "Rename of a folder into itself", f.Rename("d", "d/in/d"), nil)
	fails(t, "Rename of the folder itself", f.Rename(".", "x"), nil)
	fails(t, "Rename over the folder itself", f.Rename("d", "."), nil)
	fails(t, "Rename of a folder over an empty one", f.Rename("d", "empty"), fs.ErrExist)
	fails(t, "Rename of a folder to itself", f.Rename("d", "d"), fs.ErrExist)
	must(t, "Remove", f.Remove("empty"))
	must(t, "Rename of a folder", f.Rename("d", "empty"))
	must(t, "Rename of a folder into another", f.Rename("empty", "full/d"))
	holds(t, f, "full/d/in/a", "one")
	listed(t, f, ".", "file", "full")
	listed(t, f, "full", "d", "x")
}

func link(t *testing.T, f disk.Folder) {
	must(t, "Mkdir", f.Mkdir("d"))
	put(t, f, "a", "one")
	put(t, f, "b", "two")
	must(t, "Link", f.Link("a", "d/a"))
	fails(t, "Link over a file", f.Link("a", "b"), fs.ErrExist)
	fails(t, "Link over a folder", f.Link("a", "d"), fs.ErrExist)
	fails(t, "Link to itself", f.Link("a", "a"), fs.ErrExist)
	fails(t, "Link of nothing", f.Link("x", "y"), fs.ErrNotExist)
	fails(t, "Link into no folder", f.Link("a", "x/y"), fs.ErrNotExist)
	fails(t, "Link of a folder", f.Link("d", "e"), nil)
	file, err := f.OpenWrite("d/a")
	must(t, "OpenWrite", err)
	_, err = file.WriteAt([]byte("O"), 0)
	must(t, "WriteAt", err)
	must(t, "Close", file.Close())
	holds(t, f, "a", "One")
	must(t, "Rename of one name over the other", f.Rename("a", "d/a")) // which does nothing, says POSIX
	holds(t, f, "a", "One")
	must(t, "Remove", f.Remove("a"))
	holds(t, f, "d/a", "One")
	listed(t, f, ".", "b", "d")
}

func remove(t *testing.T, f disk.Folder) {
	must(t, "Mkdir", f.Mkdir("d"))
	put(t, f, "d/a", "one")
	fails(t, "Remove of a full folder", f.Remove("d"), fs.ErrExist)
	must(t, "Remove of a file", f.Remove("d/a"))
	fails(t, "Remove again", f.Remove("d/a"), fs.ErrNotExist)
	must(t, "Remove of an empty folder", f.Remove("d"))
	fails(t, "Remove below nothing", f.Remove("d/a"), fs.ErrNotExist)
	fails(t, "Remove of the folder itself", f.Remove("."), nil)
	listed(t, f, ".")
	put(t, f, "d", "a file now")
	holds(t, f, "d", "a file now")
}

func list(t *testing.T, f disk.Folder) {
	before := time.Now()
	for _, name := range []string{"b", "a-", "a", "B"} {
		put(t, f, name, name)
	}
	must(t, "Mkdir", f.Mkdir("a.d"))
	listed(t, f, ".", "B", "a", "a-", "a.d", "b")
	entries, err := f.ReadDir(".")
	must(t, "ReadDir", err)
	for _, e := range entries {
		info, err := e.Info()
		must(t, "Info", err)
		stat, err := f.Stat(e.Name())
		must(t, "Stat", err)
		for _, i := range []fs.FileInfo{info, stat} {
			folder := e.Name() == "a.d"
			if i.Name() != e.Name() || i.IsDir() != folder || e.IsDir() != folder || i.Mode().IsRegular() == folder {
				t.Errorf("%s is said to be %v", e.Name(), i)
			}
			if !folder && i.Size() != int64(len(e.Name())) {
				t.Errorf("the size of %s is %d", e.Name(), i.Size())
			}
			if age := i.ModTime().Sub(before); age < -time.Minute || age > time.Minute {
				t.Errorf("%s was changed at %v, now is %v", e.Name(), i.ModTime(), before)
			}
			if i.Mode().Perm()&0o077 != 0 {
				t.Errorf("others may do %v to %s", i.Mode(), e.Name())
			}
		}
	}
	info, err := f.Stat(".")
	if err != nil || !info.IsDir() {
		t.Errorf("Stat of the folder itself: %v, %v", info, err)
	}
	_, err = f.Stat("x")
	fails(t, "Stat of nothing", err, fs.ErrNotExist)
	_, err = f.Stat("a/b")
	fails(t, "Stat below a file", err, nil)
}
