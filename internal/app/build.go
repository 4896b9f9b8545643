package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/network-utopia/utopia/internal/config"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/service/console"
	"github.com/network-utopia/utopia/internal/service/dnssvc"
	"github.com/network-utopia/utopia/internal/service/socketsvc"
	"github.com/network-utopia/utopia/internal/service/websvc"
	"github.com/network-utopia/utopia/internal/state/accounts"
	"github.com/network-utopia/utopia/internal/state/zones"
	"github.com/network-utopia/utopia/internal/supervise"
)

// The names of the services, as commands, transcripts and metrics show them.
const (
	dnsName     = "dns"
	webName     = "web"
	socketName  = "socket"
	consoleName = "console"
)

// part is one service with what the app needs to know of it.
type part struct {
	name      string
	service   supervise.Service
	endpoints func() []control.Endpoint
	settings  []any                        // what it was built from, to tell whether that has changed
	takesOver func(supervise.Service) bool // makes a running service take over what this one was built with
}

// served is what every service of the layer below has.
type served[S any] interface {
	supervise.Service
	Endpoints() []control.Endpoint
	Replace(next S) bool
}

func newPart[S served[S]](name string, service S, settings []any) part {
	return part{
		name: name, service: service, endpoints: service.Endpoints, settings: settings,
		takesOver: func(running supervise.Service) bool {
			old, ok := running.(S)
			return ok && old.Replace(service)
		},
	}
}

// build makes the services of the settings, without starting them. All that can be wrong with the settings and the
// files that they name comes to light here, and is the error. The parts are all there nonetheless: in the place of a
// service that could not be built stands one that does not start, for the others need not wait until it can be.
func (a *App) build(cfg *config.Config) (parts []part, failed error) {
	for _, s := range []struct {
		name    string
		enabled bool
		build   func(*config.Config) (part, error)
	}{
		{dnsName, cfg.DNS.Enabled, a.buildDNS},
		{webName, cfg.Web.Enabled, a.buildWeb},
		{socketName, cfg.Socket.Enabled, a.buildSocket},
		{consoleName, cfg.Console.Enabled, a.buildConsole},
	} {
		if !s.enabled {
			continue
		}
		p, err := s.build(cfg)
		if err != nil {
			failed = errors.Join(failed, err)
			p = part{name: s.name, service: unbuilt{err}, endpoints: func() []control.Endpoint { return nil }}
		}
		parts = append(parts, p)
	}
	return parts, failed
}

// unbuilt stands in the place of a service that could not be built, and is the reason.
type unbuilt struct{ error }

// Start says why there is nothing to start.
func (u unbuilt) Start(context.Context) error { return u }

// Stop has nothing to stop.
func (u unbuilt) Stop(context.Context) error { return nil }

// Check says why there is nothing to ask.
func (u unbuilt) Check(context.Context) error { return u }

// Unwrap gives what went wrong.
func (u unbuilt) Unwrap() error { return u.error }

// discard lets go of parts that were built and are not needed.
func discard(parts []part) error {
	var errs []error
	for _, p := range parts {
		errs = append(errs, p.service.Stop(context.Background())) // it never ran: there is nothing to wait for
	}
	return errors.Join(errs...)
}

// port is a standard port with the offset.
func port(cfg *config.Config, standard uint16) uint16 {
	return standard + uint16(cfg.Offset(privileged()))
}

func (a *App) buildDNS(cfg *config.Config) (part, error) {
	opts, err := dnsOptions(cfg)
	if err != nil {
		return part{}, err
	}
	opts.Keep = a.folder.zones
	opts.Host, opts.Log, opts.Transcript = a.opts.Host, a.log, a.observer.Recorder()
	opts.Guard, opts.Meter = a.guards.byService[dnsName], a.observer.Meter(dnsName)
	opts.Certificates, opts.Roots = a.authority(), a.authority().RootPool()
	opts.Limited, opts.Counts = &a.guards.responses, &a.guards.answered
	opts.Keys = zones.NewSigningKeys(a.folder.db.Keys())
	opts.Before = a.names()
	service, err := dnssvc.New(opts)
	if err != nil {
		return part{}, err
	}
	for _, f := range service.Failed() {
		a.log.Error("a zone is not what its file says", "zone", f.Zone, "served as before", f.Kept, "err", f.Err)
	}
	// The files may have changed while the settings have not.
	settings := []any{
		cfg.Domain, cfg.Address, opts.Port, opts.Records, opts.Hosts, opts.Own, opts.HTTPSPort, cfg.DNS, opts.TSIG, service.Fingerprint(),
	}
	if opts.CookieSecretFile != "" {
		text, err := os.ReadFile(opts.CookieSecretFile)
		if err != nil {
			return part{}, fmt.Errorf("the name server's file: %w", err)
		}
		settings = append(settings, sha256.Sum256(text))
	}
	return newPart(dnsName, service, settings), nil
}

// names returns the name server that runs, or nil.
func (a *App) names() *dnssvc.Service {
	s, _ := a.supervisor.Service(dnsName).(*dnssvc.Service)
	return s
}

// dnsOptions are the options that the settings alone decide.
func dnsOptions(cfg *config.Config) (dnssvc.Options, error) {
	opts := dnssvc.Options{
		Domain: cfg.Domain, Addresses: cfg.Address, Port: port(cfg, 53), Records: cfg.PublicAddresses(),
		TLSPort: port(cfg, dnssvc.StandardTLSPort),
		Reverse: cfg.DNS.Reverse, TTL: cfg.DNS.TTL.Std(), Signing: signing(cfg.DNS.DNSSEC),
		Rotate: cfg.DNS.Rotate, NSID: cfg.DNS.NSID, RateLimit: cfg.DNS.RateLimit, Slip: cfg.DNS.Slip,
		// What these get they asked for, or another of our own clients did: who forges their addresses is within reach.
		Unlimited: append(dnssvc.Loopback(), cfg.DNS.RecursiveFor...),
	}
	ownRecords(cfg, &opts)
	if cfg.DNS.CookieSecretFile != "" {
		opts.CookieSecretFile = cfg.Resolve(cfg.DNS.CookieSecretFile)
	}
	if cfg.DNS.ZoneFile != "" {
		opts.ZoneFiles = []string{cfg.Resolve(cfg.DNS.ZoneFile)}
	}
	return opts, dnsPolicy(cfg, &opts)
}

// ownRecords are those that the services need that are switched on: each says which.
func ownRecords(cfg *config.Config, opts *dnssvc.Options) {
	if cfg.Web.Enabled {
		https := port(cfg, websvc.StandardHTTPSPort)
		opts.Hosts, opts.HTTPSPort = append(opts.Hosts, websvc.Hosts()...), https
		for _, r := range websvc.Records(https, cfg.Web.RedirectToHTTPS) {
			opts.Own = append(opts.Own, dnssvc.Own(r))
		}
	}
	// These have a name already, and nothing else that would send anybody there.
	if cfg.Mail.Enabled {
		opts.Hosts = append(opts.Hosts, "mail")
	}
	if cfg.FTP.Enabled {
		opts.Hosts = append(opts.Hosts, "ftp")
	}
}

func signing(dnssec string) dnssvc.Signing {
	switch dnssec {
	case config.DNSSECOn:
		return dnssvc.SignedNSEC
	case config.DNSSECNSEC3:
		return dnssvc.SignedHashed
	}
	return dnssvc.Unsigned
}

func (a *App) buildWeb(cfg *config.Config) (part, error) {
	authority := a.authority()
	opts := websvc.Options{
		Host: a.opts.Host, Addresses: cfg.Address,
		HTTPPort: port(cfg, websvc.StandardHTTPPort), HTTPSPort: port(cfg, websvc.StandardHTTPSPort),
		Domain: cfg.Domain, Root: cfg.Resolve(cfg.Web.Root), Index: cfg.Web.Index, HiddenFiles: cfg.Web.HiddenFiles,
		RedirectToHTTPS: cfg.Web.RedirectToHTTPS,
		Certificates:    authority, Roots: authority.RootPool(),
		Log: a.log, Transcript: a.observer.Recorder(),
		Guard: a.guards.byService[webName], Meter: a.observer.Meter(webName),
	}
	if cfg.DNS.Enabled {
		opts.Mounts = []websvc.Mount{{Path: "/dns-query", Protocol: "DoH", Handler: http.HandlerFunc(a.dnsQuery)}}
	}
	service, err := websvc.New(opts)
	if err != nil {
		return part{}, err
	}
	return newPart(webName, service, []any{cfg.Domain, cfg.Address, opts.HTTPPort, opts.HTTPSPort, cfg.Web, cfg.DNS.Enabled, authority.Domain()}), nil
}

// dnsQuery has the name server that runs answer a query over HTTPS (RFC 8484).
func (a *App) dnsQuery(w http.ResponseWriter, r *http.Request) {
	names := a.names()
	if names == nil {
		http.Error(w, "The name server does not run.", http.StatusServiceUnavailable)
		return
	}
	names.ServeHTTP(w, r)
}

func (a *App) buildSocket(cfg *config.Config) (part, error) {
	opts := socketsvc.Options{
		Host: a.opts.Host, Addresses: cfg.Address, Port: port(cfg, socketsvc.StandardPort),
		Log: a.log, Transcript: a.observer.Recorder(),
		Guard: a.guards.byService[socketName], Meter: a.observer.Meter(socketName),
	}
	service, err := socketsvc.New(opts)
	if err != nil {
		return part{}, err
	}
	return newPart(socketName, service, []any{cfg.Address, opts.Port, cfg.Socket}), nil
}

func (a *App) buildConsole(cfg *config.Config) (part, error) {
	address := netip.AddrPortFrom(cfg.ConsoleAddress(), port(cfg, 800))
	service, err := console.New(console.Options{
		Host: a.opts.Host, Address: address, Domain: cfg.Domain, Version: a.opts.Version, Log: a.log,
		Status:       func(ctx context.Context) (control.Status, error) { return a.Status(ctx, false) },
		Ring:         a.observer.Ring(),
		Recorder:     a.observer.Recorder(),
		Names:        a,
		Metrics:      a.observer.Handler(),
		Authenticate: a.signIn,
		Admin:        a.isAdmin,
		Guard:        a.guards.byService[consoleName],
		Logins:       a.guards.logins,
	})
	if err != nil {
		return part{}, err
	}
	return part{
		name: consoleName, service: service, endpoints: service.Endpoints,
		settings:  []any{cfg.Domain, address},
		takesOver: func(supervise.Service) bool { return false }, // its address or name has changed: sessions end
	}, nil
}

// isAdmin says whether somebody who has signed in may still administer.
func (a *App) isAdmin(name string) bool {
	return slices.ContainsFunc(a.config.Load().Users, func(u config.User) bool {
		return u.Admin && strings.EqualFold(u.Name, name)
	})
}

// signIn lets those enter the console who may administer.
func (a *App) signIn(ctx context.Context, name, password string) (bool, error) {
	account, err := a.accounts().Authenticate(ctx, name, password)
	return err == nil && account.Can(accounts.Administer), err
}
