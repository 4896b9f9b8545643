package dnssvc

import (
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// readFile hands the records of a master file to add, which keeps nothing of
// them, and all that it reads to sum. What the file includes must lie in its folder or below: the
// folder is opened as a root that nothing leads out of.
func readFile(path string, apex dns.Name, sum hash.Hash, add func(zone.Record)) (err error) {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("zone file: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	// To open a named pipe would wait for its writer, and nothing would end that.
	if info, err := root.Stat(name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("zone file %s is a folder or device", path)
	}
	f, err := root.Open(name)
	if err != nil {
		return fmt.Errorf("zone file %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	where := places{dir: dir}
	err = zone.ReadEach(io.TeeReader(f, sum), zone.ReadOptions{Origin: apex, File: name, Include: summed{root.FS(), sum}}, func(r zone.Record) error {
		r.Pos.File = where.inFull(r.Pos.File)
		add(r)
		return nil
	})
	var problems zone.Problems
	if errors.As(err, &problems) {
		for i := range problems {
			problems[i].Pos.File = where.inFull(problems[i].Pos.File)
		}
		return problems
	}
	return err
}

// places turns the names of files in a folder into paths. Most records are of
// the same file as the one before.
type places struct{ dir, name, path string }

func (p *places) inFull(name string) string {
	if p.path == "" || p.name != name {
		p.name, p.path = name, filepath.Join(p.dir, name)
	}
	return p.path
}

// summed is files of which all that is read is summed up too.
type summed struct {
	files fs.FS
	sum   hash.Hash
}

// Open opens a file.
func (s summed) Open(name string) (fs.File, error) {
	f, err := s.files.Open(name)
	if err != nil {
		return nil, err
	}
	return summedFile{f, s.sum}, nil
}

// Stat tells of a file without opening it, which would wait for the writer of
// a pipe.
func (s summed) Stat(name string) (fs.FileInfo, error) { return fs.Stat(s.files, name) }

type summedFile struct {
	fs.File
	sum hash.Hash
}

// Read reads a file.
func (f summedFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	f.sum.Write(p[:n]) // never fails
	return n, err
}
