package disktest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/network-utopia/utopia/internal/state/disk"
)

func readWrite(t *testing.T, f disk.Folder) {
	file, err := f.Create("a")
	must(t, "Create", err)
	defer file.Close()
	content(t, file, "a", "")
	for _, w := range []struct {
		text string
		off  int64
		want string
	}{
		{"hello", 0, "hello"}, {"J", 0, "Jello"}, {"y!", 4, "Jelly!"}, {"x", 8, "Jelly!\x00\x00x"}, {"", 20, "Jelly!\x00\x00x"},
	} {
		n, err := file.WriteAt([]byte(w.text), w.off)
		if n != len(w.text) || err != nil {
			t.Fatalf("WriteAt %q at %d = %d, %v", w.text, w.off, n, err)
		}
		content(t, file, "a", w.want)
	}
	_, err = file.WriteAt([]byte("x"), -1)
	fails(t, "WriteAt before the start", err, nil)
	_, err = file.ReadAt(make([]byte, 1), -1)
	fails(t, "ReadAt before the start", err, nil)
	for _, r := range []struct {
		size int
		off  int64
		want string
		err  error
	}{{2, 1, "el", nil}, {9, 0, "Jelly!\x00\x00x", nil}, {9, 3, "ly!\x00\x00x", io.EOF}, {1, 9, "", io.EOF}, {1, 100, "", io.EOF}, {0, 3, "", nil}} {
		p := make([]byte, r.size)
		n, err := file.ReadAt(p, r.off)
		if string(p[:n]) != r.want || !errors.Is(err, r.err) {
			t.Errorf("ReadAt %d at %d = %q, %v, want %q, %v", r.size, r.off, p[:n], err, r.want, r.err)
		}
	}
	// The file keeps a copy of what was written, and gives copies out.
	p := []byte("abc")
	_, err = file.WriteAt(p, 0)
	must(t, "WriteAt", err)
	p[0] = 'x'
	_, err = file.ReadAt(p, 0)
	must(t, "ReadAt", err)
	p[1] = 'x'
	content(t, file, "a", "abcly!\x00\x00x")
}

func truncate(t *testing.T, f disk.Folder) {
	put(t, f, "a", "hello")
	file, err := f.OpenWrite("a")
	must(t, "OpenWrite", err)
	defer file.Close()
	for _, c := range []struct {
		size int64
		want string
	}{{5, "hello"}, {2, "he"}, {4, "he\x00\x00"}, {0, ""}, {1, "\x00"}} {
		must(t, "Truncate", file.Truncate(c.size))
		content(t, file, fmt.Sprint("cut at ", c.size), c.want)
	}
	fails(t, "Truncate below zero", file.Truncate(-1), nil)
	content(t, file, "a", "\x00")
}

func twoHandles(t *testing.T, f disk.Folder) {
	file, err := f.Create("a")
	must(t, "Create", err)
	defer file.Close()
	other, err := f.OpenWrite("a")
	must(t, "OpenWrite", err)
	_, err = file.WriteAt([]byte("one"), 0)
	must(t, "WriteAt", err)
	content(t, other, "a", "one")
	must(t, "Truncate", other.Truncate(1))
	must(t, "Close", other.Close())
	content(t, file, "a", "o")
}

func nameless(t *testing.T, f disk.Folder) {
	put(t, f, "a", "one")
	put(t, f, "b", "two")
	a, err := f.OpenWrite("a")
	must(t, "OpenWrite", err)
	defer a.Close()
	b, err := f.OpenWrite("b")
	must(t, "OpenWrite", err)
	defer b.Close()
	must(t, "Rename", f.Rename("a", "b"))
	must(t, "Remove", f.Remove("b"))
	for _, file := range []disk.File{a, b} {
		_, err := file.WriteAt([]byte("T"), 0)
		must(t, "WriteAt", err)
		must(t, "Sync", file.Sync())
	}
	content(t, a, "a", "Tne")
	content(t, b, "b", "Two")
	listed(t, f, ".")
}

func closed(t *testing.T, f disk.Folder) {
	file, err := f.Create("a")
	must(t, "Create", err)
	must(t, "Close", file.Close())
	_, readErr := file.ReadAt(make([]byte, 1), 0)
	_, writeErr := file.WriteAt([]byte("x"), 0)
	_, sizeErr := file.Size()
	for what, err := range map[string]error{
		"ReadAt": readErr, "WriteAt": writeErr, "Size": sizeErr, "Truncate": file.Truncate(0), "Sync": file.Sync(), "Close": file.Close(),
	} {
		fails(t, what+" after Close", err, fs.ErrClosed)
	}
	holds(t, f, "a", "")
}

func syncs(t *testing.T, f disk.Folder) {
	must(t, "Mkdir", f.Mkdir("d"))
	file, err := f.Create("d/a")
	must(t, "Create", err)
	_, err = file.WriteAt([]byte("one"), 0)
	must(t, "WriteAt", err)
	for range 2 {
		must(t, "Sync", file.Sync())
		must(t, "SyncDir", f.SyncDir("d"))
		must(t, "SyncDir of the folder itself", f.SyncDir("."))
	}
	must(t, "Close", file.Close())
	reader, err := f.Open("d/a")
	must(t, "Open", err)
	must(t, "Sync of what is open for reading", reader.Sync())
	must(t, "Close", reader.Close())
	fails(t, "SyncDir of nothing", f.SyncDir("x"), fs.ErrNotExist)
	fails(t, "SyncDir of a file", f.SyncDir("d/a"), nil)
	holds(t, f, "d/a", "one")
}

// many has several goroutines work in one folder and in one file.
func many(t *testing.T, f disk.Folder) {
	const workers, rounds = 8, 20
	shared, err := f.Create("shared")
	must(t, "Create", err)
	defer shared.Close()
	created := make([]int, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			letter := []byte{byte('a' + w)}
			for r := range rounds {
				if _, err := shared.WriteAt(letter, int64(r*workers+w)); err != nil {
					t.Errorf("WriteAt: %v", err)
				}
				file, err := f.Create(fmt.Sprint("race", r))
				switch {
				case err == nil:
					created[w]++
					file.Close()
				case !errors.Is(err, fs.ErrExist):
					t.Errorf("Create: %v", err)
				}
				if err := errors.Join(shared.Sync(), f.SyncDir(".")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for _, n := range created {
		total += n
	}
	if total != rounds {
		t.Errorf("%d were told that they made one of %d files", total, rounds)
	}
	content(t, shared, "shared", strings.Repeat("abcdefgh", rounds))
}

func mkdirAll(t *testing.T, f disk.Folder) {
	for range 2 {
		must(t, "MkdirAll", disk.MkdirAll(f, "a/b/c"))
	}
	must(t, "MkdirAll of the folder itself", disk.MkdirAll(f, "."))
	listed(t, f, "a/b", "c")
	put(t, f, "file", "")
	fails(t, "MkdirAll of a file", disk.MkdirAll(f, "file"), fs.ErrExist)
	fails(t, "MkdirAll below a file", disk.MkdirAll(f, "file/a"), nil)
	fails(t, "MkdirAll of a name from outside", disk.MkdirAll(f, "../a"), fs.ErrInvalid)
}

func replace(t *testing.T, f disk.Folder) {
	must(t, "Mkdir", f.Mkdir("d"))
	for _, text := range []string{"one", "", "three", strings.Repeat("x", 100_000)} {
		must(t, "Replace", disk.Replace(f, "d/a", []byte(text)))
		holds(t, f, "d/a", text)
		listed(t, f, "d", "a")
	}
	put(t, f, "d/a.new", "what a crash has left")
	must(t, "Replace", disk.Replace(f, "d/a", []byte("four")))
	holds(t, f, "d/a", "four")
	listed(t, f, "d", "a")
	must(t, "Mkdir", f.Mkdir("d/e"))
	fails(t, "Replace of a folder", disk.Replace(f, "d/e", nil), nil)
	fails(t, "Replace in no folder", disk.Replace(f, "x/a", nil), fs.ErrNotExist)
	listed(t, f, "d", "a", "e")
}

func readFile(t *testing.T, f disk.Folder) {
	text := strings.Repeat("0123456789", 500)
	put(t, f, "a", text)
	for _, limit := range []int64{5000, 5001, 1<<63 - 1} {
		got, err := disk.ReadFile(f, "a", limit)
		if err != nil || string(got) != text {
			t.Errorf("with limit %d: %d octets, %v", limit, len(got), err)
		}
	}
	got, err := disk.ReadFile(f, "a", 4999)
	fails(t, "ReadFile of one octet too many", err, disk.ErrTooLarge)
	if got != nil {
		t.Errorf("%d octets of a file that is too large", len(got))
	}
	_, err = disk.ReadFile(f, "x", 10)
	fails(t, "ReadFile of nothing", err, fs.ErrNotExist)
}
