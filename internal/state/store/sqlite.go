package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
)

// Defaults of Options.
const (
	DefaultReaders     = 4
	DefaultBusyTimeout = 5 * time.Second
)

const (
	databaseName = "utopia.db"
	// minDatabase is the size of SQLite's smallest page.
	minDatabase = 512
	// idleTime is how long a connection that nobody uses keeps its memory.
	idleTime = time.Minute
)

// Options are the limits of a SQLite store. The zero value means the defaults.
type Options struct {
	// Readers is how many reads may run at once. DefaultReaders if 0.
	Readers int
	// BusyTimeout is how long a write waits for another process that writes.
	// DefaultBusyTimeout if 0.
	BusyTimeout time.Duration
}

// SQLite is a Store in one SQLite database: utopia.db in its folder, with a
// write-ahead log that is synced at every commit. Writes pass one after the
// other over one connection; reads have connections of their own and never
// wait for writes.
type SQLite struct {
	dir    string
	write  *sql.DB
	read   *sql.DB
	closed atomic.Bool
}

var _ Store = (*SQLite)(nil)

// Open opens the database in the folder dir, with the default options, and
// brings its tables up to date. It makes the folder (mode 0700) and the
// database (mode 0600) if they are not there.
//
// Errors are ErrNewer, ErrReadOnly, ErrFull, ErrInUse, ErrCorrupt or ErrIO, or
// one of the context; each is one line that names the folder.
func Open(ctx context.Context, dir string) (*SQLite, error) {
	return OpenOptions(ctx, dir, Options{})
}

// OpenOptions is Open with limits.
func OpenOptions(ctx context.Context, dir string, opts Options) (*SQLite, error) {
	if opts.Readers <= 0 {
		opts.Readers = DefaultReaders
	}
	if opts.BusyTimeout <= 0 {
		opts.BusyTimeout = DefaultBusyTimeout
	}
	s, err := open(ctx, dir, opts)
	if err != nil {
		return nil, openError(ctx, dir, err)
	}
	return s, nil
}

func open(ctx context.Context, dir string, opts Options) (*SQLite, error) {
	path, err := filepath.Abs(filepath.Join(dir, databaseName))
	if err != nil {
		return nil, err
	}
	if err := makeFile(path); err != nil {
		return nil, err
	}
	s := &SQLite{dir: filepath.Dir(path)}
	if s.write, err = pool(path, 1, opts, "_synchronous=FULL&_txlock=immediate"); err != nil {
		return nil, err
	}
	if s.read, err = pool(path, opts.Readers, opts, "_query_only=1"); err != nil {
		return nil, errors.Join(err, s.write.Close())
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// makeFile makes sure that the database can be written and read by nobody
// else. SQLite gives its other files the mode of this one.
func makeFile(path string) error {
	dir := filepath.Dir(path)
	if err := makeFolder(dir); err != nil {
		return err
	}
	if err := writable(dir); err != nil {
		return err
	}
	// The file must never be opened while SQLite has it open, not even to be
	// closed at once: that would drop SQLite's locks. O_EXCL sees to it.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &Error{Op: "open data", Kind: ErrCorrupt, Detail: path + " is not a file"}
	}
	// SQLite takes what is too short for a database as an empty one, and
	// would write over it. A crash while the first page is written leaves such
	// a file too, but with a journal.
	if _, err := os.Stat(path + "-journal"); err != nil && 0 < info.Size() && info.Size() < minDatabase {
		return &Error{Op: "open data", Kind: ErrCorrupt, Detail: fmt.Sprintf("%s is %v", path, ErrCorrupt)}
	}
	if info.Mode().Perm()&^fileMode != 0 {
		if err := os.Chmod(path, fileMode); err != nil {
			return err
		}
	}
	return writable(path)
}

// pool makes a pool of at most n connections to the database at path.
func pool(path string, n int, opts Options, params string) (*sql.DB, error) {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/data
	}
	u := url.URL{Scheme: "file", Path: slashed, RawQuery: fmt.Sprintf(
		"_busy_timeout=%d&_foreign_keys=1&_dqs=0&_defensive=1&_pragma=trusted_schema(0)&%s",
		opts.BusyTimeout.Milliseconds(), params)}
	connector, err := sqlite.NewConnector(u.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	if n > 1 { // the writer's connection stays: closing the last one costs a checkpoint
		db.SetConnMaxIdleTime(idleTime)
	}
	return db, nil
}

// Credentials returns the users' secrets.
func (s *SQLite) Credentials() Credentials { return credentials{s} }

// Keys returns the private keys with their certificates.
func (s *SQLite) Keys() Keys { return keys{s} }

// Close waits for calls under way, writes the log back into the database and
// closes it.
func (s *SQLite) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	err := errors.Join(s.read.Close(), s.write.Close())
	if err != nil {
		return &Error{Op: "close data", Kind: kindOf(err), Err: err}
	}
	return nil
}

// exec runs one statement that writes, and says how many rows it changed.
func (s *SQLite) exec(ctx context.Context, op, query string, args ...any) (int, error) {
	res, err := s.write.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, s.fail(ctx, op, err)
	}
	n, err := res.RowsAffected()
	return int(n), s.fail(ctx, op, err)
}

// micros is a time as it is stored: microseconds since 1970, and 0 for none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment is the opposite of micros.
func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// openError makes one clear line of whatever kept the database from opening.
func openError(ctx context.Context, dir string, err error) error {
	const op = "open data"
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	kind := kindOf(err)
	switch {
	case ctx.Err() != nil:
		return &Error{Op: op, Kind: ctx.Err(), Err: err}
	case errors.Is(kind, ErrIO) && noRoom(dir):
		kind = ErrFull
	case kind == nil:
		return folderError(op, dir, err)
	}
	detail := fmt.Sprintf("data folder %s is %v", dir, kind)
	switch {
	case errors.Is(kind, ErrCorrupt):
		detail = fmt.Sprintf("%s is %v", filepath.Join(dir, databaseName), kind)
	case errors.Is(kind, ErrFull):
		detail = fmt.Sprintf("data folder %s: %v", dir, kind)
	case errors.Is(kind, ErrIO):
		detail = fmt.Sprintf("data folder %s: %v: %v", dir, kind, err)
	}
	return &Error{Op: op, Kind: kind, Detail: detail, Err: err}
}
