package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/network-utopia/utopia/internal/config"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/state/accounts"
	"github.com/network-utopia/utopia/internal/state/certs"
	"github.com/network-utopia/utopia/internal/state/disk"
	"github.com/network-utopia/utopia/internal/state/store"
	"github.com/network-utopia/utopia/internal/state/zones"
)

// DataDir is the name of the folder that holds all state, beside the settings.
const DataDir = config.DataDir

// folder is the state of one folder, held by this process alone.
type folder struct {
	data      string // the path of the data folder
	opened    os.FileInfo
	release   func() error
	db        *store.SQLite
	users     *users
	disk      *disk.OS     // of what is kept of zones
	zones     *zones.Store // in it
	authority atomic.Pointer[certs.Authority]
}

// load reads the settings of a folder.
func load(dir string) (*config.Config, error) {
	cfg, err := config.Load(filepath.Join(dir, config.FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s here: utopia up makes one", config.FileName)
	}
	return cfg, err
}

// lockFolder reads the settings of a folder and locks its data, for which it makes a folder where there is none. The
// settings are those that were there once the lock was held: before, a command may have been changing the users.
func lockFolder(dir string) (*config.Config, *folder, error) {
	cfg, err := load(dir)
	if err != nil {
		return nil, nil, err // so that no folder for data is made where there are no settings
	}
	f := &folder{data: filepath.Join(cfg.Dir(), DataDir)}
	release, err := store.Lock(f.data)
	if err != nil {
		return nil, nil, inUse(err)
	}
	f.release = func() error { release(); return nil }
	if cfg, err = load(dir); err != nil {
		return nil, nil, errors.Join(err, f.release())
	}
	return cfg, f, nil
}

// open opens what is in a locked data folder. Where it cannot, it gives the folder back.
func (f *folder) open(ctx context.Context, cfg *config.Config, log *slog.Logger) (err error) {
	if f.opened, err = os.Stat(f.data); err != nil {
		return errors.Join(fmt.Errorf("open the data folder: %w", err), f.release())
	}
	if f.db, err = store.Open(ctx, f.data); err != nil {
		return errors.Join(err, f.release())
	}
	if err := f.openZones(); err != nil {
		return errors.Join(err, f.db.Close(), f.release())
	}
	f.users = &users{
		path:     filepath.Join(cfg.Dir(), config.FileName),
		accounts: accounts.New(accounts.Options{Credentials: f.db.Credentials(), Users: accountUsers(cfg), Log: log}),
	}
	authority, err := openAuthority(ctx, f.db, cfg, log)
	if err != nil {
		return errors.Join(err, f.close())
	}
	f.authority.Store(authority)
	return nil
}

// openZones opens the folder of what is kept of zones, in the data folder.
func (f *folder) openZones() error {
	all, err := disk.Open(f.data, disk.Options{})
	if err != nil {
		return fmt.Errorf("open the data folder: %w", err)
	}
	err = disk.MkdirAll(all, zonesDir)
	if err = errors.Join(err, all.Close()); err != nil {
		return fmt.Errorf("open the folder of zones: %w", err)
	}
	if f.disk, err = disk.Open(filepath.Join(f.data, zonesDir), disk.Options{}); err != nil {
		return fmt.Errorf("open the folder of zones: %w", err)
	}
	f.zones = zones.New(f.disk)
	return nil
}

// zonesDir is where in the data folder the journals of zones and the copies of secondary ones are.
const zonesDir = "zones"

// ErrInUse means that another process has the folder: an instance, or for a moment a command.
var ErrInUse = store.ErrInUse

// inUse says what to do about a folder that another process holds.
func inUse(err error) error {
	if errors.Is(err, ErrInUse) {
		return fmt.Errorf("%w\nhint: stop that one, or run this one in a folder of its own (-C)", err)
	}
	return err
}

func openAuthority(ctx context.Context, db *store.SQLite, cfg *config.Config, log *slog.Logger) (*certs.Authority, error) {
	addresses := append([]netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()}, cfg.PublicAddresses()...)
	for _, a := range cfg.Address {
		if !a.IsUnspecified() {
			addresses = append(addresses, a)
		}
	}
	return certs.Open(ctx, certs.Options{Keys: db.Keys(), Domain: cfg.Domain, Addresses: addresses, Log: log})
}

// present says whether the path still leads to the folder that was opened.
func (f *folder) present() error {
	now, err := os.Stat(f.data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the data folder %s was removed", f.data)
	case err == nil && !os.SameFile(now, f.opened):
		return fmt.Errorf("another folder was put in the place of the data folder %s", f.data)
	}
	return nil // what else is wrong with it is no reason to stop
}

// close closes the store, then gives the folder back. A change of the users that is under way ends before: it may be
// about to write the settings, which are another process's from then on.
func (f *folder) close() error {
	f.users.mu.Lock()
	defer f.users.mu.Unlock()
	return errors.Join(f.disk.Close(), f.db.Close(), f.release())
}

// Folder is a folder in which no instance runs, for the commands that work on it.
type Folder struct {
	control.Admin
	folder *folder
}

// OpenFolder takes the folder until Close. It fails with ErrInUse where another process has it, and where there are no
// settings.
func OpenFolder(ctx context.Context, dir string) (*Folder, error) {
	cfg, f, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	if err := f.open(ctx, cfg, nil); err != nil {
		return nil, err
	}
	return &Folder{Admin: admin{f.users, f}, folder: f}, nil
}

// Close gives the folder back.
func (f *Folder) Close() error { return f.folder.close() }

// admin is what the commands may do with a folder's users and authority.
type admin struct {
	*users
	folder *folder
}

// RootCertificate returns the local authority's root.
func (a admin) RootCertificate(context.Context) (control.Root, error) {
	return control.Root{PEM: string(a.folder.authority.Load().RootPEM())}, nil
}
