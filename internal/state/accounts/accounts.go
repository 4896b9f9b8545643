// Package accounts says who may sign in. The users and their roles come from
// the configuration; their secrets, hashed with argon2id (RFC 9106), are kept
// in a store. Both are needed: a user without a secret cannot sign in, nor can
// a secret whose user is no longer configured.
//
// A user has one password of their own and any number of app passwords, one
// for each program, which can be taken back one by one. An app password opens
// the services but not what only the user in person may do (see Account.Can).
//
// Names are compared without regard to ASCII case. Passwords are taken as the
// bytes they are: no Unicode normalisation is applied, so a client that
// composes letters in another way than the one that set the password does not
// get in.
package accounts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/network-utopia/utopia/internal/state/store"
)

// Defaults of Options.
const (
	DefaultMinPassword     = 8
	DefaultMaxPassword     = 1024
	DefaultMaxAppPasswords = 100
	DefaultMaxLabel        = 100
	DefaultNoteUse         = time.Hour
)

// passwordID is the ID under which the store has a user's own password.
const passwordID = "password"

var (
	// ErrBadCredentials means that the name, the password or both are wrong.
	// It does not say which.
	ErrBadCredentials = errors.New("wrong user name or password")
	// ErrUnknownUser means that the configuration has no such user.
	ErrUnknownUser = errors.New("no such user")
	// ErrUnfitPassword means that a new password cannot be accepted; the text
	// of the error says why.
	ErrUnfitPassword = errors.New("unfit password")
	// ErrUnfitLabel means that the label of an app password cannot be accepted.
	ErrUnfitLabel = errors.New("unfit label")
	// ErrTooManyAppPasswords means that the user has to remove one first.
	ErrTooManyAppPasswords = errors.New("too many app passwords")
	// ErrNoAppPassword means that the user has no app password of that ID.
	ErrNoAppPassword = errors.New("no such app password")
)

// Options are what a Set needs and its limits. Zero limits mean the defaults.
type Options struct {
	Credentials store.Credentials // where the secrets are
	Users       []User            // who is configured
	Log         *slog.Logger      // for what does not keep anybody out; nil: nowhere

	// Hash is how new passwords are hashed. Older ones are hashed anew when
	// they are next used.
	Hash Params
	// MaxHashing is how many passwords are hashed at once; each takes
	// Hash.Memory. DefaultMaxHashing if 0.
	MaxHashing int
	// MaxWaiting is how many more may wait for their turn. DefaultMaxWaiting if 0.
	MaxWaiting int
	// MinPassword and MaxPassword bound a password, in bytes.
	MinPassword, MaxPassword int
	// MaxAppPasswords is how many app passwords a user may have.
	MaxAppPasswords int
	// MaxLabel is how long the label of an app password may be, in bytes.
	MaxLabel int
	// NoteUse is how old the recorded last use of a secret may get before the
	// next use is recorded: recording costs a disk write.
	NoteUse time.Duration
}

// User is a user as the configuration has them.
type User struct {
	Name  string
	Admin bool
}

// Set is the users of this instance. Its methods may be called at once from
// many goroutines.
type Set struct {
	opts   Options
	hasher *hasher
	users  atomic.Pointer[map[string]User] // by folded name; never changed in place
	change sync.Mutex                      // held while app passwords are counted and added
}

// New returns the set of the configured users.
func New(opts Options) *Set {
	setDefault(&opts.MinPassword, DefaultMinPassword)
	setDefault(&opts.MaxPassword, DefaultMaxPassword)
	setDefault(&opts.MaxAppPasswords, DefaultMaxAppPasswords)
	setDefault(&opts.MaxLabel, DefaultMaxLabel)
	setDefault(&opts.MaxHashing, DefaultMaxHashing())
	setDefault(&opts.MaxWaiting, DefaultMaxWaiting)
	setDefault(&opts.NoteUse, DefaultNoteUse)
	opts.Hash = opts.Hash.withDefaults()
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Set{opts: opts, hasher: newHasher(opts.Hash, opts.MaxHashing, opts.MaxWaiting)}
	s.ReplaceUsers(opts.Users)
	return s
}

func setDefault[T int | time.Duration](limit *T, value T) {
	if *limit <= 0 {
		*limit = value
	}
}

// ReplaceUsers puts users in the place of the configured ones, all at once.
// Of names that differ only by case the last one counts; the configuration
// refuses them.
func (s *Set) ReplaceUsers(users []User) {
	m := make(map[string]User, len(users))
	for _, u := range users {
		m[fold(u.Name)] = u
	}
	s.users.Store(&m)
}

// fold makes names that are the same equal, and is the name that the store has.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// user returns a configured user.
func (s *Set) user(name string) (User, bool) {
	u, ok := (*s.users.Load())[fold(name)]
	return u, ok
}

// SetPassword gives a configured user a password, in place of the one before.
// It is durable on return. Errors are ErrUnknownUser, ErrUnfitPassword, ErrBusy
// and those of the store.
func (s *Set) SetPassword(ctx context.Context, user, password string) error {
	if _, ok := s.user(user); !ok {
		return fmt.Errorf("set password: %w: %q", ErrUnknownUser, user)
	}
	if err := s.fit(password); err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	return s.opts.Credentials.Put(ctx, store.Credential{
		User: fold(user), ID: passwordID, Kind: store.Password, Hash: hash, Created: time.Now(),
	})
}

// fit says why a new password cannot be accepted, or nil.
func (s *Set) fit(password string) error {
	switch {
	case password == "":
		return fmt.Errorf("%w: it is empty", ErrUnfitPassword)
	case len(password) < s.opts.MinPassword:
		return fmt.Errorf("%w: it has %d bytes, at least %d are needed", ErrUnfitPassword, len(password), s.opts.MinPassword)
	case len(password) > s.opts.MaxPassword:
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrUnfitPassword, len(password), s.opts.MaxPassword)
	case hasControl(password):
		return fmt.Errorf("%w: it holds a control character", ErrUnfitPassword)
	}
	return nil
}

// hasControl finds what protocols and terminals do not carry: NUL and the
// other ASCII control characters.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// AddAppPassword makes an app password for a configured user. The secret is
// returned once and kept only hashed; id names it from then on. The label is
// what the user calls it. Errors are ErrUnknownUser, ErrUnfitLabel,
// ErrTooManyAppPasswords, ErrBusy and those of the store.
func (s *Set) AddAppPassword(ctx context.Context, user, label string) (secret, id string, err error) {
	if _, ok := s.user(user); !ok {
		return "", "", fmt.Errorf("add app password: %w: %q", ErrUnknownUser, user)
	}
	if len(label) > s.opts.MaxLabel || hasControl(label) || !utf8.ValidString(label) {
		return "", "", fmt.Errorf("add app password: %w: at most %d bytes of UTF-8 without control characters",
			ErrUnfitLabel, s.opts.MaxLabel)
	}
	s.change.Lock()
	defer s.change.Unlock()
	if err := s.roomForApp(ctx, user); err != nil {
		return "", "", fmt.Errorf("add app password: %w", err)
	}
	for {
		plain := newAppSecret()
		id = plain[:selectorLen]
		hash, err := s.hasher.hash(ctx, plain)
		if err != nil {
			return "", "", fmt.Errorf("add app password: %w", err)
		}
		err = s.opts.Credentials.Add(ctx, store.Credential{
			User: fold(user), ID: id, Kind: store.AppPassword, Label: label, Hash: hash, Created: time.Now(),
		})
		if errors.Is(err, store.ErrExists) {
			continue // one chance in a million for each one that there is
		}
		if err != nil {
			return "", "", err
		}
		return group(plain), id, nil
	}
}

// roomForApp returns ErrTooManyAppPasswords unless the user may have another.
func (s *Set) roomForApp(ctx context.Context, user string) error {
	list, err := s.opts.Credentials.List(ctx, fold(user))
	if err != nil {
		return err
	}
	apps := 0
	for _, c := range list {
		if c.Kind == store.AppPassword {
			apps++
		}
	}
	if apps >= s.opts.MaxAppPasswords {
		return fmt.Errorf("%w: %d are allowed", ErrTooManyAppPasswords, s.opts.MaxAppPasswords)
	}
	return nil
}

// RemoveAppPassword takes an app password back, or returns ErrNoAppPassword.
// The user need not be configured any more.
func (s *Set) RemoveAppPassword(ctx context.Context, user, id string) error {
	c, err := s.opts.Credentials.Get(ctx, fold(user), id)
	if err == nil && c.Kind != store.AppPassword {
		err = store.ErrNotFound
	}
	if err == nil {
		err = s.opts.Credentials.Delete(ctx, fold(user), id)
	}
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("remove app password: %w: %q", ErrNoAppPassword, id)
	}
	return err
}

// Remove takes all secrets of a user back, whether configured or not.
// It is no error when there are none.
func (s *Set) Remove(ctx context.Context, user string) error {
	_, err := s.opts.Credentials.DeleteUser(ctx, fold(user))
	return err
}

// Info is what there is to know about a user.
type Info struct {
	Name         string // as the configuration writes it
	Admin        bool
	Configured   bool // false: only secrets are left, which open nothing
	HasPassword  bool
	PasswordSet  time.Time // zero: never
	PasswordUsed time.Time // zero: never; may be Options.NoteUse behind
	AppPasswords []AppPassword
}

// AppPassword describes an app password.
type AppPassword struct {
	ID      string
	Label   string
	Created time.Time
	Used    time.Time // zero: never; may be Options.NoteUse behind
}

// List returns all users, configured or with secrets left, ordered by name.
func (s *Set) List(ctx context.Context) ([]Info, error) {
	all, err := s.opts.Credentials.All(ctx)
	if err != nil {
		return nil, err
	}
	infos := map[string]*Info{}
	for key, u := range *s.users.Load() {
		infos[key] = &Info{Name: u.Name, Admin: u.Admin, Configured: true}
	}
	for _, c := range all {
		info := infos[c.User]
		if info == nil {
			info = &Info{Name: c.User}
			infos[c.User] = info
		}
		switch c.Kind {
		case store.Password:
			info.HasPassword, info.PasswordSet, info.PasswordUsed = true, c.Created, c.LastUsed
		case store.AppPassword:
			info.AppPasswords = append(info.AppPasswords, AppPassword{c.ID, c.Label, c.Created, c.LastUsed})
		}
	}
	list := make([]Info, 0, len(infos))
	for _, info := range infos {
		slices.SortFunc(info.AppPasswords, func(a, b AppPassword) int {
			return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
		})
		list = append(list, *info)
	}
	slices.SortFunc(list, func(a, b Info) int { return strings.Compare(fold(a.Name), fold(b.Name)) })
	return list, nil
}
