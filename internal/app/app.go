// Package app is the composition root: it reads the settings of one folder, opens its state, builds the services,
// and starts, reloads and stops them. Services meet here and in the state, never in each other.
package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/config"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/service/console"
	"github.com/network-utopia/utopia/internal/state/accounts"
	"github.com/network-utopia/utopia/internal/state/certs"
	"github.com/network-utopia/utopia/internal/state/observe"
	"github.com/network-utopia/utopia/internal/supervise"
	"github.com/network-utopia/utopia/transcript"
)

// Options say what an App runs on.
type Options struct {
	Dir     string    // the folder of utopia.toml; data/ is made beside it
	Host    host.Host // the network that the services are on
	Control host.Host // where the control socket is opened; nil for none, as on an emulated internet
	Log     io.Writer // where the log goes; nil for nowhere
	Verbose bool      // log at debug level, whatever the settings say
	Version string    // of the program
}

// App is one running instance.
type App struct {
	control.Admin // the folder's users and authority

	opts     Options
	log      *slog.Logger
	logging  *logging
	folder   *folder
	observer *observe.Observer
	guards   *guards
	started  time.Time

	supervisor supervise.Supervisor
	socket     *controlServer
	transcript *transcriptFile

	change sync.Mutex // held by whatever changes settings, users or services
	config atomic.Pointer[config.Config]
	mu     sync.Mutex // guards what follows, for the moment of a read or write
	parts  []part     // in the order of their start
	stop   context.CancelFunc
	checks sync.WaitGroup
	lost   chan error // holds one
}

// Open reads the settings and opens the state of a folder, and builds the services without starting them. What is
// wrong with the settings is a config.Problems; what is wrong with the data folder is one clear line. Close must be
// called.
func Open(ctx context.Context, opts Options) (*App, error) {
	a := &App{opts: opts, started: time.Now(), lost: make(chan error, 1)}
	cfg, f, err := lockFolder(opts.Dir)
	if err != nil {
		return nil, err
	}
	a.logging = newLogging(opts.Log, opts.Verbose)
	a.logging.use(cfg.Log)
	a.log = slog.New(a.logging.handler())
	if err := f.open(ctx, cfg, a.log); err != nil {
		return nil, err
	}
	a.folder = f
	a.Admin = admin{a.folder.users, a.folder}
	a.folder.users.applied, a.folder.users.replaced = a.usersChanged, a.passwordReplaced
	a.observer = observe.New(observe.Options{Version: opts.Version})
	a.guards = newGuards(cfg.Limits)
	a.supervisor.BrokenOff = a.brokenOff
	err = errors.Join(a.guards.register(a.observer), a.observer.Register(dnsCollector{a}), a.watch(cfg))
	a.config.Store(cfg)
	if err != nil {
		return nil, errors.Join(err, a.transcript.close(), a.folder.close())
	}
	a.parts, _ = a.build(cfg) // a service that cannot be built does not start, and says why
	return a, nil
}

// watch sets up the transcript's further sinks.
func (a *App) watch(cfg *config.Config) error {
	a.observer.Recorder().Attach(transcript.NewSlog(a.log))
	a.transcript = &transcriptFile{recorder: a.observer.Recorder(), log: a.log}
	return a.transcript.use(cfg.Resolve(cfg.Log.Transcript))
}

// Start starts the services in order, and the control socket before them. A service that cannot start does not keep
// the others from starting: Status tells what is wrong with it. The error is about the instance as a whole.
func (a *App) Start(ctx context.Context) error {
	a.change.Lock()
	defer a.change.Unlock()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	a.stop = stop
	if a.opts.Control != nil {
		server, err := listenControl(running, a.opts.Control, a.folder.data, a)
		if err != nil {
			return err
		}
		a.socket = server
	}
	for _, p := range a.parts {
		_ = a.supervisor.Start(ctx, p.name, p.service) // its error is its state, which Status tells
	}
	a.checks.Go(func() { a.watchOver(running) })
	return nil
}

// Close stops the services, the last started first, within the stop-timeout of the settings, and closes the state
// last.
func (a *App) Close(ctx context.Context) error {
	a.change.Lock()
	defer a.change.Unlock()
	ctx, cancel := context.WithTimeout(ctx, a.config.Load().Limits.StopTimeout.Std())
	defer cancel()
	if a.stop != nil {
		a.stop()
	}
	a.checks.Wait()
	err := a.supervisor.Stop(ctx)
	if a.socket != nil {
		err = errors.Join(err, a.socket.close())
	}
	return errors.Join(err, a.transcript.close(), a.folder.close())
}

// brokenOff tells of a stop that did not wait for all that was under way.
func (a *App) brokenOff(name string, err error) {
	a.log.Warn("what was still under way at the stop-timeout was broken off", "service", name, "err", err)
}

// console returns the console, or nil when it is switched off.
func (a *App) console() *console.Service {
	c, _ := a.supervisor.Service(consoleName).(*console.Service)
	return c
}

// accounts returns the folder's accounts.
func (a *App) accounts() *accounts.Set { return a.folder.users.accounts }

// authority returns the local certificate authority.
func (a *App) authority() *certs.Authority { return a.folder.authority.Load() }
