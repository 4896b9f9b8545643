package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
)

const keyColumns = `kind, name, certificate, private_key, not_after`

// keys is the part of SQLite that keeps private keys and certificates.
type keys struct{ *SQLite }

const putKey = `INSERT INTO keys (` + keyColumns + `) VALUES (?, ?, ?, ?, ?)
	ON CONFLICT (kind, name) DO UPDATE SET certificate = excluded.certificate,
	private_key = excluded.private_key, not_after = excluded.not_after`

func (s keys) Put(ctx context.Context, k Key) error {
	const op = "put a key"
	if err := k.check(op); err != nil {
		return err
	}
	_, err := s.exec(ctx, op, putKey, k.values()...)
	return err
}

func (s keys) Swap(ctx context.Context, old []byte, k Key) (now Key, swapped bool, err error) {
	const op = "swap a key"
	if err := k.check(op); err != nil {
		return Key{}, false, err
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return Key{}, false, s.fail(ctx, op, err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	now, err = getKey(ctx, tx, k.Kind, k.Name)
	absent := errors.Is(err, sql.ErrNoRows)
	switch {
	case err != nil && !absent, absent && old != nil:
		return Key{}, false, s.fail(ctx, op, err)
	case !absent && (old == nil || !bytes.Equal(now.Certificate, old)):
		return now, false, nil
	}
	if _, err = tx.ExecContext(ctx, putKey, k.values()...); err != nil {
		return Key{}, false, s.fail(ctx, op, err)
	}
	if now, err = getKey(ctx, tx, k.Kind, k.Name); err != nil {
		return Key{}, false, s.fail(ctx, op, err)
	}
	if err = tx.Commit(); err != nil {
		return Key{}, false, s.fail(ctx, op, err)
	}
	return now, true, nil
}

func (s keys) Get(ctx context.Context, kind, name string) (Key, error) {
	k, err := getKey(ctx, s.read, kind, name)
	return k, s.fail(ctx, "get a key", err)
}

func (s keys) List(ctx context.Context, kind string) ([]Key, error) {
	const op = "list keys"
	rows, err := s.read.QueryContext(ctx, `SELECT `+keyColumns+` FROM keys WHERE kind = ? ORDER BY name`, kind)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	defer rows.Close()
	var list []Key
	for rows.Next() {
		k, err := scanKey(rows)
		if err != nil {
			return nil, s.fail(ctx, op, err)
		}
		list = append(list, k)
	}
	return list, s.fail(ctx, op, rows.Err())
}

func (s keys) Delete(ctx context.Context, kind, name string) error {
	const op = "delete a key"
	n, err := s.exec(ctx, op, `DELETE FROM keys WHERE kind = ? AND name = ?`, kind, name)
	return missing(op, n, err)
}

// querier is a pool of connections, or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func getKey(ctx context.Context, q querier, kind, name string) (Key, error) {
	return scanKey(q.QueryRowContext(ctx, `SELECT `+keyColumns+` FROM keys WHERE kind = ? AND name = ?`, kind, name))
}

// check says what of k cannot be stored.
func (k Key) check(op string) error {
	switch {
	case !isText(k.Kind):
		return invalid(op, "kind")
	case !isText(k.Name):
		return invalid(op, "name")
	case len(k.Certificate) == 0:
		return invalid(op, "certificate")
	case len(k.PrivateKey) == 0:
		return invalid(op, "private key")
	}
	return nil
}

func (k Key) values() []any {
	return []any{k.Kind, k.Name, k.Certificate, k.PrivateKey, micros(k.NotAfter)}
}

func scanKey(row scanner) (Key, error) {
	var k Key
	var notAfter int64
	if err := row.Scan(&k.Kind, &k.Name, &k.Certificate, &k.PrivateKey, &notAfter); err != nil {
		return Key{}, err
	}
	k.NotAfter = moment(notAfter)
	return k, nil
}
