package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/network-utopia/utopia/internal/config"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/state/accounts"
)

// users keeps the two halves of a user together: the settings say who there is, the store has their secrets.
//
// A user is complete once the settings file has been replaced on disk, which is the last step of adding and the first
// of removing. So a crash in between leaves at most secrets of somebody who is not a user, which open nothing, and
// which adding that name again takes away first.
type users struct {
	path     string // of the settings file
	accounts *accounts.Set
	applied  func(*config.Config) // is told of the settings that were written; may be nil
	replaced func(name string)    // is told whose password was replaced; may be nil

	mu sync.Mutex // one change at a time
}

func accountUsers(cfg *config.Config) []accounts.User {
	list := make([]accounts.User, len(cfg.Users))
	for i, u := range cfg.Users {
		list[i] = accounts.User{Name: u.Name, Admin: u.Admin}
	}
	return list
}

// Users lists the users, sorted by name.
func (u *users) Users(ctx context.Context) ([]control.User, error) {
	infos, err := u.accounts.List(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]control.User, 0, len(infos))
	for _, info := range infos {
		user := control.User{Name: info.Name, Admin: info.Admin, HasPassword: info.HasPassword, Configured: info.Configured}
		for _, p := range info.AppPasswords {
			user.AppPasswords = append(user.AppPasswords, control.AppPassword{ID: p.ID, Label: p.Label, Created: p.Created})
		}
		list = append(list, user)
	}
	return list, nil
}

// AddUser adds a user to the settings, with a password or without.
func (u *users) AddUser(ctx context.Context, n control.NewUser) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	before, data, err := u.read()
	if err != nil {
		return err
	}
	if _, ok := before.User(n.Name); ok {
		return &control.Error{Kind: control.Conflict, Message: fmt.Sprintf("there is a user %s already", n.Name),
			Hint: "utopia user passwd " + n.Name + " sets a new password"}
	}
	text, err := config.AddUser(data, n.Name, n.Admin)
	if err != nil { // such as an alias of that name
		return wouldBeWrong("with", n.Name, err)
	}
	after, err := config.Parse(u.path, text)
	if err != nil {
		return wouldBeWrong("with", n.Name, err)
	}
	if err := u.accounts.Remove(ctx, n.Name); err != nil { // what a removed user of that name may have left
		return err
	}
	u.accounts.ReplaceUsers(accountUsers(after))
	if err := u.complete(ctx, n, text); err != nil {
		u.accounts.ReplaceUsers(accountUsers(before))
		return errors.Join(err, u.accounts.Remove(context.WithoutCancel(ctx), n.Name))
	}
	u.told(after)
	return nil
}

func (u *users) complete(ctx context.Context, n control.NewUser, text []byte) error {
	if n.Password != "" {
		if err := u.accounts.SetPassword(ctx, n.Name, n.Password); err != nil {
			return accountError(err, n.Name)
		}
	}
	return config.WriteFile(u.path, text)
}

// SetPassword replaces a user's password.
func (u *users) SetPassword(ctx context.Context, name, password string) error {
	u.mu.Lock() // or it could be set just after the user was removed, and wait for the next one of that name
	defer u.mu.Unlock()
	if err := u.accounts.SetPassword(ctx, name, password); err != nil {
		return u.explain(err, name)
	}
	if u.replaced != nil {
		u.replaced(name)
	}
	return nil
}

// RemoveUser takes a user out of the settings, with all secrets.
func (u *users) RemoveUser(ctx context.Context, name string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	cfg, data, err := u.read()
	if err != nil {
		return err
	}
	if _, ok := cfg.User(name); ok {
		text, err := config.RemoveUser(data, name)
		if err != nil { // such as an alias to the user
			return wouldBeWrong("without", name, err)
		}
		after, err := config.Parse(u.path, text)
		if err != nil {
			return wouldBeWrong("without", name, err)
		}
		if err := config.WriteFile(u.path, text); err != nil {
			return err
		}
		u.accounts.ReplaceUsers(accountUsers(after))
		u.told(after)
	} else if left, err := u.hasSecrets(ctx, name); err != nil || !left {
		return errors.Join(err, accountError(accounts.ErrUnknownUser, name))
	}
	return u.accounts.Remove(context.WithoutCancel(ctx), name) // the user is gone: what opened the door goes too
}

func (u *users) hasSecrets(ctx context.Context, name string) (bool, error) {
	infos, err := u.accounts.List(ctx)
	for _, info := range infos {
		if info.Name == name {
			return true, nil
		}
	}
	return false, err
}

// AddAppPassword makes a password for one program of a user.
func (u *users) AddAppPassword(ctx context.Context, name, label string) (control.AppPassword, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	secret, id, err := u.accounts.AddAppPassword(ctx, name, label)
	return control.AppPassword{ID: id, Label: label, Secret: secret}, u.explain(err, name)
}

// RemoveAppPassword takes a program's password away.
func (u *users) RemoveAppPassword(ctx context.Context, name, id string) error {
	return accountError(u.accounts.RemoveAppPassword(ctx, name, id), name)
}

// read reads the settings file as it is now, which may be newer than what is in force.
func (u *users) read() (*config.Config, []byte, error) {
	cfg, err := config.Load(u.path)
	if err != nil {
		return nil, nil, invalid(err)
	}
	data, err := os.ReadFile(u.path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the settings: %w", err)
	}
	return cfg, data, nil
}

func (u *users) told(cfg *config.Config) {
	if u.applied != nil {
		u.applied(cfg)
	}
}

// invalid makes the settings' problems an error that a command can print, over the socket too.
func invalid(err error) error {
	var problems config.Problems
	if errors.As(err, &problems) {
		return &control.Error{Kind: control.Invalid, Message: problems.Error()}
	}
	return &control.Error{Kind: control.Invalid, Message: err.Error()}
}

// wouldBeWrong is invalid, for settings that are right as they are: the places in them are those of what would be.
func wouldBeWrong(how, name string, err error) error {
	var problems config.Problems
	if !errors.As(err, &problems) {
		return invalid(err)
	}
	return &control.Error{Kind: control.Invalid, Message: fmt.Sprintf("%s the user %s the settings would be wrong:\n%v", how, name, problems)}
}

// explain is accountError, for a user who may have been written into the settings by hand.
func (u *users) explain(err error, name string) error {
	if errors.Is(err, accounts.ErrUnknownUser) {
		if cfg, bad := config.Load(u.path); bad == nil {
			if _, there := cfg.User(name); there {
				return &control.Error{Kind: control.NotFound,
					Message: fmt.Sprintf("the user %s was written into %s after it was read", name, config.FileName),
					Hint:    "utopia reload makes the running instance read it again"}
			}
		}
	}
	return accountError(err, name)
}

func accountError(err error, name string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, accounts.ErrUnknownUser):
		return &control.Error{Kind: control.NotFound, Message: fmt.Sprintf("there is no user %s", name),
			Hint: "utopia user list shows them"}
	case errors.Is(err, accounts.ErrNoAppPassword):
		return &control.Error{Kind: control.NotFound, Message: err.Error(), Hint: "utopia user list shows their numbers"}
	case errors.Is(err, accounts.ErrUnfitPassword), errors.Is(err, accounts.ErrUnfitLabel),
		errors.Is(err, accounts.ErrTooManyAppPasswords):
		return &control.Error{Kind: control.Invalid, Message: err.Error()}
	}
	return err
}
