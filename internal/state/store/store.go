// Package store keeps what has to last and fits a table: users' secrets, keys
// and certificates. It offers small typed interfaces, and SQLite behind them.
//
// The interfaces know nothing of files or of SQLite, so that an implementation
// over another database can take its place; package storetest holds what each
// must pass. Every write is durable when its method returns nil: it would
// survive a power cut. A write that returns an error has changed nothing, with
// two exceptions: after an error of the context, and when the system crashes
// just after a write that the disk failed, it has happened either whole or not
// at all.
//
// Names, labels and hashes are UTF-8 without NUL. Times are kept to the
// microsecond and come back in UTC. All methods may be called at once from
// many goroutines.
package store

import (
	"context"
	"time"
)

// Store is everything that lasts in tables.
type Store interface {
	// Credentials returns the users' secrets.
	Credentials() Credentials
	// Keys returns the private keys with their certificates.
	Keys() Keys
	// Close waits for calls under way and gives everything back. Every later
	// call returns ErrClosed; closing twice is no error.
	Close() error
}

// CredentialKind says what a credential is.
type CredentialKind string

// The kinds of credentials.
const (
	// Password is the password that a user chose.
	Password CredentialKind = "password"
	// AppPassword is a generated password for one program of the user.
	AppPassword CredentialKind = "app"
)

// Credential is one secret of one user, hashed.
type Credential struct {
	User     string         // whose it is; not empty
	ID       string         // which of the user's it is; not empty
	Kind     CredentialKind // what it is; not empty
	Label    string         // what the user calls it; may be empty
	Hash     string         // the secret, hashed, in a form that says how; not empty
	Created  time.Time
	LastUsed time.Time // zero: never
}

// Credentials keeps the users' secrets. A secret is named by its user and its
// ID together.
type Credentials interface {
	// Put stores c, in place of the credential of that user and ID if there
	// is one.
	Put(ctx context.Context, c Credential) error
	// Add stores c, or returns ErrExists when the user has that ID already.
	Add(ctx context.Context, c Credential) error
	// Get returns one credential, or ErrNotFound.
	Get(ctx context.Context, user, id string) (Credential, error)
	// List returns all credentials of a user, ordered by ID.
	List(ctx context.Context, user string) ([]Credential, error)
	// All returns everybody's credentials, ordered by user, then by ID.
	All(ctx context.Context) ([]Credential, error)
	// Rehash puts hash in the place of old. It returns ErrChanged, and leaves
	// what is there, when the stored hash is no longer old.
	Rehash(ctx context.Context, user, id, old, hash string) error
	// Used records when a credential was last used; an earlier time than the
	// recorded one changes nothing. It returns ErrNotFound when the
	// credential is gone.
	Used(ctx context.Context, user, id string, at time.Time) error
	// Delete removes one credential, or returns ErrNotFound.
	Delete(ctx context.Context, user, id string) error
	// DeleteUser removes all credentials of a user at once and says how many
	// there were.
	DeleteUser(ctx context.Context, user string) (int, error)
}

// Key is a private key with its certificate.
type Key struct {
	Kind        string // what it is for, for example "root"; not empty
	Name        string // whose it is, for example a domain; not empty
	Certificate []byte // PEM, one or more CERTIFICATE blocks, leaf first; not empty
	PrivateKey  []byte // PEM; not empty
	NotAfter    time.Time
}

// Keys keeps private keys and certificates. A key is named by its kind and its
// name together.
type Keys interface {
	// Put stores k, in place of the key of that kind and name if there is one.
	Put(ctx context.Context, k Key) error
	// Swap stores k if the certificate that now stands under k's kind and name
	// is old; a nil old means that nothing stands there. It returns what
	// stands there afterwards, and whether that is k. Of several callers with
	// the same old exactly one swaps; when nothing stands there although old
	// is not nil, it returns ErrNotFound.
	Swap(ctx context.Context, old []byte, k Key) (now Key, swapped bool, err error)
	// Get returns one key, or ErrNotFound.
	Get(ctx context.Context, kind, name string) (Key, error)
	// List returns all keys of a kind, ordered by name.
	List(ctx context.Context, kind string) ([]Key, error)
	// Delete removes one key, or returns ErrNotFound.
	Delete(ctx context.Context, kind, name string) error
}
