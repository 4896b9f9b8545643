package store

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"
)

const credentialColumns = `user_name, id, kind, label, hash, created, last_used`

// credentials is the part of SQLite that keeps users' secrets.
type credentials struct{ *SQLite }

func (s credentials) Put(ctx context.Context, c Credential) error {
	const op = "put a credential"
	if err := c.check(op); err != nil {
		return err
	}
	_, err := s.exec(ctx, op, `INSERT INTO credentials (`+credentialColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (user_name, id) DO UPDATE SET kind = excluded.kind, label = excluded.label,
		hash = excluded.hash, created = excluded.created, last_used = excluded.last_used`, c.values()...)
	return err
}

func (s credentials) Add(ctx context.Context, c Credential) error {
	const op = "add a credential"
	if err := c.check(op); err != nil {
		return err
	}
	n, err := s.exec(ctx, op, `INSERT INTO credentials (`+credentialColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (user_name, id) DO NOTHING`, c.values()...)
	if err == nil && n == 0 {
		err = &Error{Op: op, Kind: ErrExists}
	}
	return err
}

func (s credentials) Get(ctx context.Context, user, id string) (Credential, error) {
	c, err := scanCredential(s.read.QueryRowContext(ctx,
		`SELECT `+credentialColumns+` FROM credentials WHERE user_name = ? AND id = ?`, user, id))
	return c, s.fail(ctx, "get a credential", err)
}

func (s credentials) List(ctx context.Context, user string) ([]Credential, error) {
	return s.list(ctx, `SELECT `+credentialColumns+` FROM credentials WHERE user_name = ? ORDER BY id`, user)
}

func (s credentials) All(ctx context.Context) ([]Credential, error) {
	return s.list(ctx, `SELECT `+credentialColumns+` FROM credentials ORDER BY user_name, id`)
}

func (s credentials) list(ctx context.Context, query string, args ...any) ([]Credential, error) {
	const op = "list credentials"
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	defer rows.Close()
	var list []Credential
	for rows.Next() {
		c, err := scanCredential(rows)
		if err != nil {
			return nil, s.fail(ctx, op, err)
		}
		list = append(list, c)
	}
	return list, s.fail(ctx, op, rows.Err())
}

func (s credentials) Rehash(ctx context.Context, user, id, old, hash string) error {
	const op = "rehash a credential"
	if !isText(hash) {
		return invalid(op, "hash")
	}
	n, err := s.exec(ctx, op, `UPDATE credentials SET hash = ? WHERE user_name = ? AND id = ? AND hash = ?`,
		hash, user, id, old)
	if err == nil && n == 0 {
		err = &Error{Op: op, Kind: ErrChanged}
	}
	return err
}

func (s credentials) Used(ctx context.Context, user, id string, at time.Time) error {
	const op = "note the use of a credential"
	n, err := s.exec(ctx, op, `UPDATE credentials SET last_used = max(last_used, ?) WHERE user_name = ? AND id = ?`,
		micros(at), user, id)
	return missing(op, n, err)
}

func (s credentials) Delete(ctx context.Context, user, id string) error {
	const op = "delete a credential"
	n, err := s.exec(ctx, op, `DELETE FROM credentials WHERE user_name = ? AND id = ?`, user, id)
	return missing(op, n, err)
}

func (s credentials) DeleteUser(ctx context.Context, user string) (int, error) {
	return s.exec(ctx, "delete a user's credentials", `DELETE FROM credentials WHERE user_name = ?`, user)
}

// missing is ErrNotFound when a statement that should have met a row met none.
func missing(op string, n int, err error) error {
	if err == nil && n == 0 {
		return &Error{Op: op, Kind: ErrNotFound}
	}
	return err
}

// check says what of c cannot be stored.
func (c Credential) check(op string) error {
	switch {
	case !isText(c.User):
		return invalid(op, "user")
	case !isText(c.ID):
		return invalid(op, "ID")
	case !isText(string(c.Kind)):
		return invalid(op, "kind")
	case !isText(c.Hash):
		return invalid(op, "hash")
	case c.Label != "" && !isText(c.Label):
		return invalid(op, "label")
	}
	return nil
}

// isText says whether every database can keep s, and whether it says anything.
func isText(s string) bool {
	return s != "" && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

func (c Credential) values() []any {
	return []any{c.User, c.ID, string(c.Kind), c.Label, c.Hash, micros(c.Created), micros(c.LastUsed)}
}

// scanner is a row, or the rows at their present one.
type scanner interface{ Scan(dest ...any) error }

func scanCredential(row scanner) (Credential, error) {
	var c Credential
	var created, used int64
	err := row.Scan(&c.User, &c.ID, (*string)(&c.Kind), &c.Label, &c.Hash, &created, &used)
	if err != nil {
		return Credential{}, err
	}
	c.Created, c.LastUsed = moment(created), moment(used)
	return c, nil
}
