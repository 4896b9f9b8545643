package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/network-utopia/utopia/internal/state/store"
)

// Role is what a user is to this instance.
type Role string

// The roles.
const (
	RoleUser  Role = "user"  // has a mailbox, files and so on
	RoleAdmin Role = "admin" // may also run the instance
)

// Action is something that not everybody who has signed in may do.
type Action uint8

// The actions.
const (
	// Administer is to change how the instance runs, or what belongs to others.
	Administer Action = iota
	// ChangeSecrets is to change one's own password and app passwords.
	ChangeSecrets
)

// Account is somebody who has signed in.
type Account struct {
	Name  string // as the configuration writes it
	Admin bool
	Roles []Role // RoleUser, and RoleAdmin for an administrator
	// AppPassword is the ID of the app password that was used; empty when it
	// was the user's own password.
	AppPassword string
}

// Can says whether the account may do something. An app password lies in some
// program's settings, so it opens neither of the actions, whoever's it is.
func (a Account) Can(action Action) bool {
	if a.Name == "" || a.AppPassword != "" {
		return false
	}
	switch action {
	case Administer:
		return a.Admin
	case ChangeSecrets:
		return true
	}
	return false
}

// Authenticate signs a user in with their own password or an app password.
// Errors are ErrBadCredentials, ErrBusy (temporary: too many are being checked)
// and those of the store. It costs one hash, and so the same time, whether or
// not there is such a user.
func (s *Set) Authenticate(ctx context.Context, name, password string) (Account, error) {
	if password == "" || len(password) > s.opts.MaxPassword {
		return Account{}, ErrBadCredentials // tells nothing about any user
	}
	user, configured := s.user(name)
	cred, plain, err := s.lookup(ctx, fold(name), password)
	found := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Account{}, fmt.Errorf("authenticate: %w", err)
	}
	var d digest
	if found && configured {
		if d, err = parsePHC(cred.Hash); err != nil {
			return Account{}, fmt.Errorf("authenticate %s: %w", name, err)
		}
	} else {
		d = s.hasher.dummy
	}
	release, err := s.hasher.acquire(ctx)
	if err != nil {
		return Account{}, fmt.Errorf("authenticate: %w", err)
	}
	defer release()
	if !d.matches(plain) || !found || !configured {
		return Account{}, ErrBadCredentials
	}
	s.afterUse(ctx, cred, d, plain)
	return newAccount(user, cred), nil
}

// lookup finds the credential that password must be checked against, and the
// form of password that was hashed.
func (s *Set) lookup(ctx context.Context, user, password string) (store.Credential, string, error) {
	if plain, ok := appSecret(password); ok {
		c, err := s.opts.Credentials.Get(ctx, user, plain[:selectorLen])
		if !errors.Is(err, store.ErrNotFound) {
			return c, plain, err
		}
	}
	c, err := s.opts.Credentials.Get(ctx, user, passwordID)
	return c, password, err
}

// afterUse hashes the secret anew when the parameters have changed, and notes
// its use. Neither may keep the user out, so trouble is only logged. It runs
// in the caller's turn at hashing.
func (s *Set) afterUse(ctx context.Context, c store.Credential, d digest, plain string) {
	if d.Params != s.hasher.params {
		err := s.opts.Credentials.Rehash(ctx, c.User, c.ID, c.Hash, newDigest(s.hasher.params, plain).String())
		if err != nil && !errors.Is(err, store.ErrChanged) {
			s.opts.Log.Warn("cannot hash a password anew", "user", c.User, "err", err)
		}
	}
	now := time.Now()
	if now.Sub(c.LastUsed) < s.opts.NoteUse {
		return
	}
	err := s.opts.Credentials.Used(ctx, c.User, c.ID, now)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		s.opts.Log.Warn("cannot note the use of a password", "user", c.User, "err", err)
	}
}

func newAccount(u User, c store.Credential) Account {
	a := Account{Name: u.Name, Admin: u.Admin, Roles: []Role{RoleUser}}
	if u.Admin {
		a.Roles = append(a.Roles, RoleAdmin)
	}
	if c.Kind != store.Password {
		a.AppPassword = c.ID
	}
	return a
}
