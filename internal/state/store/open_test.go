package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
)

func mustOpen(t testing.TB, dir string) *SQLite {
	t.Helper()
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func someone(user string) Credential {
	return Credential{User: user, ID: "password", Kind: Password, Hash: "hash of " + user, Created: time.Now()}
}

func mustPut(t testing.TB, s *SQLite, users ...string) {
	t.Helper()
	for _, u := range users {
		if err := s.Credentials().Put(t.Context(), someone(u)); err != nil {
			t.Fatalf("Put: %v", err)
		}
	}
}

// oneLine checks an error that a user will see.
func oneLine(t *testing.T, err, want error, parts ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
	text := err.Error()
	if strings.ContainsAny(text, "\n\r") || strings.Contains(text, "SQLITE") || strings.Contains(text, "goose") {
		t.Errorf("not a line for users: %q", text)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 3 {
		s := mustOpen(t, dir)
		all, err := s.Credentials().All(t.Context())
		if err != nil || len(all) != i {
			t.Fatalf("open %d: %v, %v", i, all, err)
		}
		mustPut(t, s, fmt.Sprint("user", i))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// After a clean close one file is the whole database.
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(left) != 1 || filepath.Base(left[0]) != databaseName {
		t.Errorf("left after Close: %v", left)
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "some", "data")
	s := mustOpen(t, dir)
	mustPut(t, s, "alice")
	mode := func(path string, want fs.FileMode) {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	mode(filepath.Join(top, "some"), 0o700)
	mode(dir, 0o700)
	db := filepath.Join(dir, databaseName)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		mode(db+suffix, 0o600)
	}
	s.Close()
	// A copy that others can read is closed to them.
	if err := os.Chmod(db, 0o644); err != nil {
		t.Fatal(err)
	}
	mustPut(t, mustOpen(t, dir), "bob")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		mode(db+suffix, 0o600)
	}
}

func TestOddFolderNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b", "100%41", "a?mode=memory", "a#b", "a&_query_only=1", "ü☃", "file:x", "a'\"b", "a+b;c"} {
		dir := filepath.Join(t.TempDir(), name)
		mustPut(t, mustOpen(t, dir), "alice")
		if _, err := os.Stat(filepath.Join(dir, databaseName)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestNewer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	mustPut(t, s, "alice")
	if _, err := s.write.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (4711, 1)`); err != nil {
		t.Fatal(err)
	}
	s.Close()
	path := filepath.Join(dir, databaseName)
	before, _ := os.ReadFile(path)
	known, err := knownVersion()
	if err != nil || known < 2 {
		t.Fatalf("knownVersion = %d, %v", known, err)
	}
	_, err = Open(t.Context(), dir)
	oneLine(t, err, ErrNewer, dir, "4711", fmt.Sprintf("up to %d", known))
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("a database of a newer version was changed")
	}
}

func TestOlder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, databaseName))
	if err != nil {
		t.Fatal(err)
	}
	files, _ := fs.Sub(migrations, "migrations")
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO credentials VALUES ('alice', 'password', 'password', '', 'hash', 1, 0)`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	s := mustOpen(t, dir)
	if _, err := s.Credentials().Get(t.Context(), "alice", "password"); err != nil {
		t.Errorf("lost in the migration: %v", err)
	}
	if err := s.Keys().Put(t.Context(), Key{Kind: "k", Name: "n", Certificate: []byte("c"), PrivateKey: []byte("k")}); err != nil {
		t.Error(err)
	}
	var mode string
	if err := s.read.QueryRow(`PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal mode %s, %v", mode, err)
	}
}

func TestCorrupt(t *testing.T) {
	t.Parallel()
	intact := t.TempDir()
	s := mustOpen(t, intact)
	mustPut(t, s, "alice")
	s.Close()
	good, err := os.ReadFile(filepath.Join(intact, databaseName))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"text":           bytes.Repeat([]byte("This is not a database.\n"), 500),
		"one byte":       {'S'},
		"511 bytes":      bytes.Repeat([]byte("x"), 511),
		"512 bytes":      bytes.Repeat([]byte("x"), 512),
		"cut off":        good[:len(good)/2+100],
		"pages of noise": append(bytes.Clone(good[:4096]), bytes.Repeat([]byte{0xa5}, len(good)-4096)...),
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, databaseName)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), dir)
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		oneLine(t, err, ErrCorrupt, path)
		if after, _ := os.ReadFile(path); !bytes.Equal(content, after) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	// An empty file is what a crash leaves between making it and filling it.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, databaseName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mustPut(t, mustOpen(t, dir), "alice")
}

func TestNotOurDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, databaseName))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TABLE photos (id INTEGER)`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	_, err = Open(t.Context(), dir)
	oneLine(t, err, ErrCorrupt, dir, "not one of Utopia")

	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, databaseName), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), dir)
	oneLine(t, err, ErrCorrupt, dir)
	if _, err = Open(t.Context(), filepath.Join(intactFile(t), "data")); err == nil {
		t.Error("opened a folder below a file")
	}
	if _, err = Open(t.Context(), intactFile(t)); err == nil {
		t.Error("opened a file as a folder")
	}
}

func intactFile(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Damage that is found only when a row is read.
func TestDamageFoundLater(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	var page int64
	err := s.write.QueryRow(`SELECT rootpage FROM sqlite_schema WHERE name = 'credentials'`).Scan(&page)
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, "alice")
	s.Close()
	path := filepath.Join(dir, databaseName)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, 4096), (page-1)*4096); err != nil {
		t.Fatal(err)
	}
	f.Close()
	s = mustOpen(t, dir)
	_, err = s.Credentials().Get(t.Context(), "alice", "password")
	oneLine(t, err, ErrCorrupt)
	oneLine(t, s.Credentials().Put(t.Context(), someone("bob")), ErrCorrupt)
	var e *Error
	if !errors.As(err, &e) || e.Temporary() {
		t.Errorf("%+v", e)
	}
}

// Many first opens at once, as of several programs started together.
func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s, err := Open(t.Context(), dir)
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			defer s.Close()
			if err := s.Credentials().Put(t.Context(), someone(fmt.Sprint(i))); err != nil {
				t.Errorf("Put: %v", err)
			}
		})
	}
	wg.Wait()
	all, err := mustOpen(t, dir).Credentials().All(t.Context())
	if err != nil || len(all) != 8 {
		t.Errorf("%v, %v", all, err)
	}
}

func TestOpenCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := Open(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v", err)
	}
	// While another process makes the tables, a deadline ends the wait.
	release, err := alone(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open beside another: %v", err)
	}
	release()
	mustOpen(t, dir)
}

// A write waits BusyTimeout for another process's, and no longer.
func TestBusyTimeout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const wait = 200 * time.Millisecond
	s, err := OpenOptions(t.Context(), dir, Options{BusyTimeout: wait, Readers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	other := mustOpen(t, dir)
	begin := func() *sql.Tx {
		tx, err := other.write.Begin()
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	tx := begin()
	start := time.Now()
	err = s.Credentials().Put(t.Context(), someone("alice"))
	oneLine(t, err, ErrInUse)
	var e *Error
	if !errors.As(err, &e) || !e.Temporary() {
		t.Errorf("not temporary: %v", err)
	}
	if took := time.Since(start); took < wait/2 || took > 20*wait {
		t.Errorf("waited %v", took)
	}
	if _, err := s.Credentials().All(t.Context()); err != nil {
		t.Errorf("a read beside a write of another process: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	patient, err := OpenOptions(t.Context(), dir, Options{BusyTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer patient.Close()
	tx = begin()
	time.AfterFunc(wait/10, func() { _ = tx.Rollback() })
	mustPut(t, patient, "alice")
}

func TestReaders(t *testing.T) {
	t.Parallel()
	for readers, want := range map[int]int{-1: DefaultReaders, 0: DefaultReaders, 1: 1, 9: 9} {
		s, err := OpenOptions(t.Context(), t.TempDir(), Options{Readers: readers})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.read.Stats().MaxOpenConnections; got != want {
			t.Errorf("Readers %d: %d", readers, got)
		}
		// One reader is free again after each kind of read, also a failing one.
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		for range 20 {
			_, _ = s.Credentials().All(ctx)
			_, _ = s.Credentials().Get(ctx, "nobody", "x")
			_, _ = s.Keys().List(ctx, "x")
			if _, err := s.Keys().Get(ctx, "x", "x"); !errors.Is(err, ErrNotFound) {
				t.Fatal(err)
			}
		}
		cancel()
		s.Close()
	}
}

// Connections are as the package promises, each of them.
func TestPragmas(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	for query, want := range map[string]string{
		"PRAGMA journal_mode": "wal", "PRAGMA synchronous": "2", "PRAGMA foreign_keys": "1",
		"PRAGMA busy_timeout": "5000", "PRAGMA trusted_schema": "0", "PRAGMA page_size": "4096",
	} {
		var got string
		if err := s.write.QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %s, %v, want %s", query, got, err, want)
		}
	}
	if _, err := s.read.Exec(`DELETE FROM credentials`); err == nil {
		t.Error("a reader can write")
	}
	if n := s.write.Stats().MaxOpenConnections; n != 1 {
		t.Errorf("%d writers", n)
	}
}

// A start must be quick: it takes a few milliseconds, and a tenth of a second would be a mistake. The best of some is
// looked at, and the bounds are wide: the machine may be busy.
func TestOpenIsQuick(t *testing.T) {
	best := func(limit time.Duration, f func()) {
		t.Helper()
		least := time.Hour
		for range 10 {
			start := time.Now()
			f()
			least = min(least, time.Since(start))
		}
		if least > limit {
			t.Errorf("took %v, more than %v", least, limit)
		}
	}
	var dir string
	best(600*time.Millisecond, func() {
		dir = t.TempDir()
		mustOpen(t, dir).Close()
	})
	best(100*time.Millisecond, func() { mustOpen(t, dir).Close() })
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause\nof two lines")
	for want, e := range map[string]*Error{
		"op: not found":                      {Op: "op", Kind: ErrNotFound},
		"op: detail":                         {Op: "op", Kind: ErrNotFound, Detail: "detail", Err: cause},
		"op: cause of two lines":             {Op: "op", Err: cause},
		"op: disk error: cause of two lines": {Op: "op", Kind: ErrIO, Err: cause},
		"op: disk error":                     {Op: "op", Kind: ErrIO},
		"op: no space left on the disk":      {Op: "op", Kind: ErrFull, Err: cause},
		"op: context canceled":               {Op: "op", Kind: context.Canceled, Err: cause},
	} {
		if e.Error() != want {
			t.Errorf("%q, want %q", e.Error(), want)
		}
		if (e.Kind != nil && !errors.Is(e, e.Kind)) || (e.Err != nil && !errors.Is(e, e.Err)) {
			t.Errorf("%q hides its causes", want)
		}
	}
}

func TestFolderErrors(t *testing.T) {
	t.Parallel()
	for errno, want := range map[syscall.Errno]error{
		syscall.EACCES: ErrReadOnly, syscall.EPERM: ErrReadOnly, syscall.EROFS: ErrReadOnly,
		syscall.ENOSPC: ErrFull, syscall.EDQUOT: ErrFull, syscall.EFBIG: ErrFull,
	} {
		err := folderError("open data", "the/folder", &fs.PathError{Op: "open", Path: "the/folder/x", Err: errno})
		oneLine(t, err, want, "the/folder")
		oneLine(t, err, errno)
	}
	err := folderError("open data", "the/folder", &fs.PathError{Op: "open", Path: "the/folder/x", Err: syscall.EIO})
	oneLine(t, err, syscall.EIO, "the/folder/x")
	if err := folderError("open data", "the/folder", nil); err != nil {
		t.Errorf("no error became %v", err)
	}
	if err := folderError("", "", fmt.Errorf("%w", &Error{Kind: ErrNewer})); !errors.Is(err, ErrNewer) {
		t.Errorf("a known error became %v", err)
	}
}
