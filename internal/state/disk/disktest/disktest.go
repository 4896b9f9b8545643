// Package disktest is what every implementation of disk.Folder must pass: what a program sees of it. What survives a
// power cut cannot be tried on a disk that is whole; internal/crashtest has that.
package disktest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/network-utopia/utopia/internal/state/disk"
)

// Open gives an empty folder of its own for one test, and closes it when the test ends.
type Open func(t *testing.T) disk.Folder

// Run runs the whole suite, each case on a folder of its own.
func Run(t *testing.T, open Open) {
	cases := []struct {
		name string
		run  func(t *testing.T, f disk.Folder)
	}{
		{"create is exclusive", create},
		{"open finds what is there", openExisting},
		{"names stay inside", names},
		{"folders", folders},
		{"rename", rename},
		{"rename folders", renameFolders},
		{"link", link},
		{"remove", remove},
		{"list and stat", list},
		{"read and write", readWrite},
		{"truncate", truncate},
		{"two handles, one file", twoHandles},
		{"a file without its name", nameless},
		{"closed", closed},
		{"sync", syncs},
		{"many at once", many},
		{"make all folders", mkdirAll},
		{"replace", replace},
		{"read a whole file", readFile},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, open(t))
		})
	}
}

// must fails the test at once when there is an error.
func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// fails checks that err is an *fs.PathError that is want, or any where want is nil.
func fails(t *testing.T, what string, err, want error) {
	t.Helper()
	var path, inner *fs.PathError
	var link *os.LinkError
	switch {
	case err == nil:
		t.Errorf("%s: no error", what)
	case !errors.As(err, &path) || path.Op == "" || path.Path == "":
		t.Errorf("%s: %#v is no *fs.PathError that says which call and path", what, err)
	case errors.As(path.Err, &inner) || errors.As(path.Err, &link):
		t.Errorf("%s: %v names call and path twice", what, err)
	case want != nil && !errors.Is(err, want):
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// put makes a file.
func put(t *testing.T, f disk.Folder, name, content string) {
	t.Helper()
	file, err := f.Create(name)
	must(t, "Create "+name, err)
	n, err := file.WriteAt([]byte(content), 0)
	must(t, "WriteAt "+name, err)
	if n != len(content) {
		t.Fatalf("WriteAt %s = %d, want %d", name, n, len(content))
	}
	must(t, "Close "+name, file.Close())
}

// holds checks the content of a file by its name.
func holds(t *testing.T, f disk.Folder, name, want string) {
	t.Helper()
	file, err := f.Open(name)
	if err != nil {
		t.Errorf("Open %s: %v", name, err)
		return
	}
	defer file.Close()
	content(t, file, name, want)
}

// content checks the content of an open file.
func content(t *testing.T, file disk.File, name, want string) {
	t.Helper()
	size, err := file.Size()
	if err != nil || size != int64(len(want)) {
		t.Errorf("Size of %s = %d, %v, want %d", name, size, err, len(want))
	}
	got, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<20))
	if err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v, want %q", name, got, err, want)
	}
}

// listed checks which names a folder holds.
func listed(t *testing.T, f disk.Folder, name string, want ...string) {
	t.Helper()
	entries, err := f.ReadDir(name)
	must(t, "ReadDir "+name, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", name, got, want)
	}
}
