package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// prepare brings the tables up to date. It asks for their version by hand, so
// that a start with nothing to migrate costs one small read.
func (s *SQLite) prepare(ctx context.Context) error {
	known, err := knownVersion()
	if err != nil {
		return err
	}
	have, err := s.version(ctx)
	if err != nil || have == known {
		return err
	}
	release, err := alone(ctx, s.dir)
	if err != nil {
		return err
	}
	defer release()
	if have, err = s.version(ctx); err != nil || have == known {
		return err
	}
	if have > known {
		return &Error{Op: "open data", Kind: ErrNewer, Detail: fmt.Sprintf(
			"data folder %s was written by a newer version of Utopia: its version is %d, this program knows up to %d",
			s.dir, have, known)}
	}
	return s.migrate(ctx)
}

// knownVersion is the highest version that this program can bring tables to.
func knownVersion() (int64, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, err
	}
	var highest int64
	for _, name := range names {
		digits, _, _ := strings.Cut(filepath.Base(name), "_")
		v, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("migration %s: %w", name, err)
		}
		highest = max(highest, v)
	}
	return highest, nil
}

// version is the version of the tables in the file; 0 means that there are none.
func (s *SQLite) version(ctx context.Context) (int64, error) {
	var tables, ours int
	err := s.write.QueryRowContext(ctx,
		`SELECT count(*), coalesce(sum(name = 'goose_db_version'), 0) FROM sqlite_schema`).Scan(&tables, &ours)
	if err != nil || tables == 0 {
		return 0, err
	}
	if ours == 0 {
		return 0, &Error{Op: "open data", Kind: ErrCorrupt, Detail: fmt.Sprintf(
			"%s is a database, but not one of Utopia", filepath.Join(s.dir, databaseName))}
	}
	var v int64
	err = s.write.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version`).Scan(&v)
	return v, err
}

// migrate runs every migration that is missing, each in its own transaction,
// and makes a new database durable.
func (s *SQLite) migrate(ctx context.Context) error {
	var mode string
	if err := s.write.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return errors.New("the file system of the data folder cannot hold a write-ahead log")
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return err
	}
	return syncFolder(s.dir)
}
