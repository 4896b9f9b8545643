package app

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/network-utopia/utopia/internal/config"
	"github.com/network-utopia/utopia/internal/service/websvc"
	"github.com/network-utopia/utopia/internal/state/store"
)

// DefaultDomain is what a first run serves when no domain is named.
const DefaultDomain = "networkutopia.test"

// ErrUsage means that what was asked for does not fit the folder, or is no domain.
var ErrUsage = errors.New("usage")

// usageError is an ErrUsage with words of its own.
type usageError string

func (e usageError) Error() string        { return string(e) }
func (e usageError) Is(target error) bool { return target == ErrUsage }

// FirstRun makes a folder ready to serve a domain, unless it is already.
type FirstRun struct {
	Dir       string
	Domain    string       // "" for the one that the folder has, or DefaultDomain
	Addresses []netip.Addr // none for those that the folder has, or 127.0.0.1
}

// Prepare makes utopia.toml and the web site's folder with its first page where they are missing, and says whether it
// made the settings. Where there are settings, a domain or address that differs from them is an ErrUsage. The settings
// are written last, so that a first run that was cut off is a first run again.
func (r FirstRun) Prepare() (made bool, err error) {
	path := filepath.Join(r.Dir, config.FileName)
	cfg, err := config.Load(path)
	if err == nil {
		if err := r.agree(cfg); err != nil {
			return false, err
		}
		return false, missingSite(cfg)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if _, err := os.Lstat(path); err == nil {
		// What it leads to may be on a disk that is not there yet.
		return false, fmt.Errorf("%s is a link, and what it leads to is not there", path)
	}
	if r.Domain == "" {
		r.Domain = DefaultDomain
	}
	text := config.Default(r.Domain, r.Addresses)
	if cfg, err = config.Parse(path, text); err != nil {
		return false, r.refused(err)
	}
	if err := store.MakeFolder(cfg.Dir(), 0o755); err != nil {
		return false, fmt.Errorf("make the folder: %w", err)
	}
	if err := makeSite(cfg); err != nil {
		return false, err
	}
	return true, config.WriteFile(path, text)
}

// missingSite makes the folder of the web site where later runs do not find it. One that lies elsewhere than beside the
// settings is the owner's business: it may be on a disk that is not there yet.
func missingSite(cfg *config.Config) error {
	_, err := os.Stat(cfg.Resolve(cfg.Web.Root))
	if !cfg.Web.Enabled || filepath.IsAbs(cfg.Web.Root) || !errors.Is(err, fs.ErrNotExist) {
		return nil // what else is wrong with it, the web service tells
	}
	return makeSite(cfg)
}

// makeSite makes the folder of the web site with a first page, unless there is something in it.
func makeSite(cfg *config.Config) error {
	page := websvc.FirstPage{
		Domain: cfg.Domain, Address: cfg.Address[0], Offset: cfg.Offset(privileged()), Root: cfg.Web.Root,
		Console: netip.AddrPortFrom(cfg.ConsoleAddress(), port(cfg, 800)),
	}
	if _, err := websvc.WriteFirstPage(cfg.Resolve(cfg.Web.Root), page); err != nil {
		return fmt.Errorf("make the first page: %w", err)
	}
	return nil
}

// agree says whether what was asked for is what the folder has.
func (r FirstRun) agree(cfg *config.Config) error {
	domain, err := r.domain()
	if err != nil {
		return err
	}
	if domain != "" && domain != cfg.Domain {
		return usageError(fmt.Sprintf("this folder serves %s, not %s\nhint: change domain in %s, or use another folder (-C)",
			cfg.Domain, domain, config.FileName))
	}
	if len(r.Addresses) > 0 && !slices.Equal(r.Addresses, cfg.Address) {
		return usageError(fmt.Sprintf("--address is for a first run: this folder serves at %v\nhint: change address in %s",
			cfg.Address, config.FileName))
	}
	return nil
}

// domain is the domain that was asked for, in the form in which settings have it.
func (r FirstRun) domain() (string, error) {
	if r.Domain == "" {
		return "", nil
	}
	cfg, err := config.Parse(config.FileName, config.Default(r.Domain, nil))
	if err != nil {
		return "", r.refused(err)
	}
	return cfg.Domain, nil
}

// refused turns what is wrong with the settings that would have been written into what is wrong with the arguments.
func (r FirstRun) refused(err error) error {
	var problems config.Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		return err
	}
	text := problems[0].Message
	if problems[0].Hint != "" {
		text += "\nhint: " + problems[0].Hint
	}
	return usageError(text)
}
