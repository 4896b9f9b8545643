package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What can be wrong, to be asked with errors.Is.
var (
	// ErrNotFound means that there is nothing under that name.
	ErrNotFound = errors.New("not found")
	// ErrExists means that there is something under that name already.
	ErrExists = errors.New("exists already")
	// ErrChanged means that what was to be replaced is no longer there.
	ErrChanged = errors.New("has been changed meanwhile")
	// ErrInvalid means that a value cannot be stored: a required one is empty,
	// or a text is not UTF-8 or holds a NUL.
	ErrInvalid = errors.New("invalid value")
	// ErrClosed means that the store has been closed.
	ErrClosed = errors.New("the store is closed")
	// ErrNewer means that the data was written by a newer version; the error
	// says which version it is and which this program knows.
	ErrNewer = errors.New("written by a newer version")
	// ErrReadOnly means that the data folder or a file in it cannot be written.
	ErrReadOnly = errors.New("not writable")
	// ErrFull means that there is no room: the disk is full or a quota is used
	// up. Nothing was harmed; once there is room, writes work again.
	ErrFull = errors.New("no space left on the disk")
	// ErrInUse means that another process holds the data folder.
	ErrInUse = errors.New("in use by another process")
	// ErrCorrupt means that the database file is damaged or not a database.
	ErrCorrupt = errors.New("damaged, or not a database of Utopia")
	// ErrIO means that the disk failed in some other way.
	ErrIO = errors.New("disk error")
)

// Error is what the store's methods return: what was tried, which of the Err
// values it is, and where the trouble came from.
type Error struct {
	Op     string // what was tried: "open data", "put a credential"
	Kind   error  // one of this package's Err values, an error of the context, or nil
	Detail string // replaces the text of Kind where more is known; one line
	Err    error  // the cause, or nil
}

// Error returns one line.
func (e *Error) Error() string {
	what := e.Detail
	switch {
	case what != "":
	case e.Kind != nil && (!errors.Is(e.Kind, ErrIO) || e.Err == nil):
		what = e.Kind.Error()
	case e.Kind != nil:
		what = e.Kind.Error() + ": " + e.Err.Error()
	case e.Err != nil:
		what = e.Err.Error()
	}
	return e.Op + ": " + strings.ReplaceAll(what, "\n", " ")
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	errs := make([]error, 0, 2)
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// Temporary says whether the same call may succeed later, without anybody
// changing what it asks for.
func (e *Error) Temporary() bool {
	return errors.Is(e.Kind, ErrFull) || errors.Is(e.Kind, ErrInUse)
}

// fail turns an error of database/sql or of SQLite into an *Error, and nil
// into nil.
func (s *SQLite) fail(ctx context.Context, op string, err error) error {
	var known *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return &Error{Op: op, Kind: ErrNotFound}
	case s.closed.Load():
		return &Error{Op: op, Kind: ErrClosed}
	case ctx.Err() != nil:
		return &Error{Op: op, Kind: ctx.Err(), Err: err}
	}
	kind := kindOf(err)
	if errors.Is(kind, ErrIO) && noRoom(s.dir) {
		kind = ErrFull
	}
	return &Error{Op: op, Kind: kind, Err: err}
}

// kindOf says which of the Err values an error of SQLite is, or nil.
func kindOf(err error) error {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return nil
	}
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return ErrFull
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		return ErrIO
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return ErrReadOnly
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return ErrInUse
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return ErrCorrupt
	}
	return nil
}

// invalid says which value of op cannot be stored.
func invalid(op, field string) error {
	return &Error{Op: op, Kind: ErrInvalid, Detail: fmt.Sprintf("the %s is empty, not UTF-8 or holds a NUL", field)}
}
