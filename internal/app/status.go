package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/config"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/supervise"
	"github.com/network-utopia/utopia/transcript"
)

// How often the services are asked whether they are well, and how long they may take.
const (
	checkEvery   = time.Minute
	checkTimeout = 5 * time.Second
	lookEvery    = time.Second // for the data folder
)

// Status tells of the instance and its services; with check each service is asked a real question before.
func (a *App) Status(ctx context.Context, check bool) (control.Status, error) {
	if check {
		a.checkOnce(ctx)
	}
	cfg := a.config.Load()
	s := control.Status{
		Domain: cfg.Domain, Version: a.opts.Version, PID: os.Getpid(), Folder: cfg.Dir(), Started: a.started,
		Warnings: a.warnings(cfg),
	}
	for _, f := range a.failedZones() {
		s.Warnings = append(s.Warnings, "zone "+f)
	}
	parts := a.running()
	for _, h := range a.health(parts) {
		service := control.Service{
			Name: h.Name, State: string(h.State), Since: h.Since, Took: float64(h.Took) / float64(time.Millisecond),
		}
		if h.Err != nil {
			service.Error, service.Hint = explain(h.Err)
		}
		if i := find(parts, h.Name); i >= 0 {
			service.Endpoints = parts[i].endpoints()
		}
		meter := a.observer.Meter(h.Name)
		service.Total, service.Rate = meter.Total(), meter.Rate()
		service.Traced = h.Name != consoleName // it shows the exchanges, and would fill the list with its own
		s.Services = append(s.Services, service)
	}
	return s, nil
}

// health tells of every service, also of those that have not begun to start.
func (a *App) health(parts []part) []supervise.Health {
	all := a.supervisor.Health()
	for _, p := range parts {
		if !slices.ContainsFunc(all, func(h supervise.Health) bool { return h.Name == p.name }) {
			all = append(all, supervise.Health{Name: p.name, State: supervise.Starting, Since: a.started})
		}
	}
	return all
}

// checkOnce asks all services at once.
func (a *App) checkOnce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var asked sync.WaitGroup
	for _, p := range a.running() {
		asked.Go(func() {
			before := a.up(p.name)
			h, err := a.supervisor.Check(ctx, p.name)
			if err == nil && before && h.State == supervise.Failed {
				a.log.Error("a service does not answer as it should", "service", p.name, "err", h.Err)
			}
		})
	}
	asked.Wait()
}

// watchOver asks the services now and then until ctx ends, so that the console and the log tell of one that has died,
// and looks more often whether the data folder is still the one that was opened.
func (a *App) watchOver(ctx context.Context) {
	services, data := time.NewTicker(checkEvery), time.NewTicker(lookEvery)
	defer services.Stop()
	defer data.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-services.C:
			a.checkOnce(ctx)
		case <-data.C:
			if err := a.folder.present(); err != nil {
				a.lost <- err
				return
			}
		}
	}
}

// Lost tells, once, why the instance cannot go on: its data folder was removed or replaced while it ran. Nothing more
// could be kept there, and another instance could start on what is in its place.
func (a *App) Lost() <-chan error { return a.lost }

// Follow adds a sink to the instance's transcripts until detach is called.
func (a *App) Follow(sink transcript.Sink) (detach func()) { return a.observer.Recorder().Attach(sink) }

// ConsoleLink returns a new one-time link to the console.
func (a *App) ConsoleLink(ctx context.Context) (control.Link, error) {
	c := a.console()
	if c == nil {
		return control.Link{}, &control.Error{Kind: control.NotFound, Message: "the console is switched off",
			Hint: "console.enabled in " + config.FileName + " switches it on"}
	}
	if !a.up(consoleName) {
		return control.Link{}, &control.Error{Kind: control.Internal, Message: "the console is not running",
			Hint: "utopia status says why"}
	}
	return c.Link(ctx)
}

// warnings are what the owner should know and nothing fails for.
func (a *App) warnings(cfg *config.Config) []string {
	var list []string
	for _, address := range a.authority().Uncovered() {
		list = append(list, fmt.Sprintf("certificates do not name %v: the root of %s was made before, and a new one would have "+
			"to be trusted anew", address, cfg.Domain))
	}
	for _, w := range cfg.Warnings {
		list = append(list, fmt.Sprintf("%s:%d:%d: %s", config.FileName, w.Line, w.Column, w.Message))
	}
	if d := a.names(); d != nil {
		for _, w := range d.Warnings() {
			list = append(list, zoneProblem(w).String())
		}
	}
	return list
}

// failedZones are the zones whose files have errors.
func (a *App) failedZones() []string {
	var list []string
	if d := a.names(); d != nil {
		for _, f := range d.Failed() {
			list = append(list, f.String())
		}
	}
	return list
}

// explain puts an error into words for the owner: what happened, and what to do about it.
func explain(err error) (text, hint string) {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "listen" {
		return explainListen(op)
	}
	var missing unbuilt
	if errors.As(err, &missing) {
		return missing.Error(), "mend that, then: utopia reload"
	}
	return err.Error(), ""
}

func explainListen(op *net.OpError) (text, hint string) {
	network := strings.TrimRight(op.Net, "46") // the family shows in the address
	where := network
	if op.Addr != nil {
		where = fmt.Sprintf("%s (%s)", op.Addr, network)
	}
	switch {
	case errors.Is(op.Err, syscall.EADDRINUSE):
		by := "another process"
		if address, ok := addressOf(op.Addr); ok {
			if p, ok := host.Holder(network, address); ok {
				by = p.String()
			}
		}
		return fmt.Sprintf("%s is taken by %s", where, by),
			"stop that one, or set port-offset or address in " + config.FileName + "; then: utopia reload"
	case errors.Is(op.Err, syscall.EACCES):
		return "this process may not listen on " + where,
			"ports below 1024 need a right of their own: set port-offset = 8000, or give the program CAP_NET_BIND_SERVICE"
	case errors.Is(op.Err, syscall.EADDRNOTAVAIL):
		return "this machine has no address to listen on " + where, "set address in " + config.FileName + "; then: utopia reload"
	}
	return op.Error(), ""
}

func addressOf(a net.Addr) (netip.AddrPort, bool) {
	address := host.AddrPort(a)
	return address, address.IsValid()
}
