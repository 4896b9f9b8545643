package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/network-utopia/utopia/internal/config"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/supervise"
)

// Reload reads the settings and the files that they name anew. Whatever is wrong with them leaves everything as it
// is, but for an error in a zone file, which keeps its zone alone as it is. Then each service takes its new settings over, without closing its sockets where it listens on the same ones.
// Where it must close them, what is under way has the stop-timeout of the settings to end.
func (a *App) Reload(ctx context.Context) (control.Reloaded, error) {
	a.change.Lock()
	defer a.change.Unlock()
	if err := ctx.Err(); err != nil { // the instance has been stopped meanwhile, or nobody waits for the answer
		return control.Reloaded{}, fmt.Errorf("reload: %w", err)
	}
	ctx = context.WithoutCancel(ctx) // half a reload would be worse than one that nobody waits for any more
	a.folder.users.mu.Lock()         // or a user added meanwhile would be forgotten
	defer a.folder.users.mu.Unlock()
	next, err := config.Load(filepath.Join(a.opts.Dir, config.FileName))
	if err != nil {
		return control.Reloaded{}, invalid(err)
	}
	before := a.authority()
	if err := a.renewAuthority(ctx, next); err != nil {
		return control.Reloaded{}, err
	}
	parts, err := a.build(next)
	if err != nil {
		a.folder.authority.Store(before)
		return control.Reloaded{}, invalid(errors.Join(err, discard(parts)))
	}
	if err := a.transcript.use(next.Resolve(next.Log.Transcript)); err != nil {
		a.folder.authority.Store(before)
		return control.Reloaded{}, invalid(errors.Join(err, discard(parts)))
	}
	changed := changedSections(a.config.Load(), next)
	a.config.Store(next)
	a.logging.use(next.Log)
	a.guards.set(next.Limits)
	a.accounts().ReplaceUsers(accountUsers(next))
	done := control.Reloaded{Changed: changed}
	a.exchange(ctx, parts, &done)
	for _, f := range a.failedZones() {
		done.Failed = append(done.Failed, dnsName+": "+f)
	}
	done.Warnings = a.warnings(next)
	return done, nil
}

// changedSections names the sections that changed and are no service's own.
func changedSections(now, next *config.Config) []string {
	changed := []string{}
	for _, section := range []struct {
		name      string
		now, next any
	}{{"users", now.Users, next.Users}, {"log", now.Log, next.Log}, {"limits", now.Limits, next.Limits}} {
		if !reflect.DeepEqual(section.now, section.next) {
			changed = append(changed, section.name)
		}
	}
	return changed
}

// renewAuthority opens the authority of the new domain and addresses, where they are new.
func (a *App) renewAuthority(ctx context.Context, next *config.Config) error {
	now := a.config.Load()
	if now.Domain == next.Domain && slices.Equal(now.Address, next.Address) &&
		slices.Equal(now.DNS.PublicAddress, next.DNS.PublicAddress) {
		return nil
	}
	authority, err := openAuthority(ctx, a.folder.db, next, a.log)
	if err != nil {
		return err
	}
	a.folder.authority.Store(authority)
	return nil
}

// exchange puts the new parts in the places of the old: those that are gone stop first, so that their ports are free.
func (a *App) exchange(ctx context.Context, next []part, done *control.Reloaded) {
	stopping, cancel := context.WithTimeout(ctx, a.config.Load().Limits.StopTimeout.Std())
	defer cancel()
	old := a.running()
	for _, p := range slices.Backward(old) {
		if find(next, p.name) < 0 {
			a.outcome(done, p.name, a.supervisor.Remove(stopping, p.name))
		}
	}
	for i, p := range next {
		k := find(old, p.name)
		if k < 0 {
			a.outcome(done, p.name, a.supervisor.Start(ctx, p.name, p.service))
			continue
		}
		changed := !reflect.DeepEqual(old[k].settings, p.settings)
		switch {
		case a.up(p.name) && p.takesOver(old[k].service):
			next[i].service, next[i].endpoints = old[k].service, old[k].endpoints
			if changed {
				a.outcome(done, p.name, nil)
			}
			continue
		case a.up(p.name) && !changed:
			next[i] = old[k]
			a.discarded(p)
			continue
		}
		a.outcome(done, p.name, a.supervisor.Restart(stopping, p.name, p.service))
	}
	a.mu.Lock()
	a.parts = next
	a.mu.Unlock()
}

func (a *App) discarded(p part) {
	if err := discard([]part{p}); err != nil {
		a.log.Warn("cannot let go of what a reload did not need", "service", p.name, "err", err)
	}
}

func (a *App) outcome(done *control.Reloaded, name string, err error) {
	if err == nil {
		done.Changed = append(done.Changed, name)
		return
	}
	a.log.Error("a service did not take its new settings", "service", name, "err", err)
	text, hint := explain(err)
	if hint != "" {
		text += "\nhint: " + hint
	}
	done.Failed = append(done.Failed, fmt.Sprintf("%s: %s", name, text))
}

func (a *App) up(name string) bool {
	for _, h := range a.supervisor.Health() {
		if h.Name == name {
			return h.State == supervise.Up
		}
	}
	return false
}

func (a *App) running() []part {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.parts)
}

// usersChanged is told when a command has changed the users in the settings file: they are in force at once, what
// else may have been edited there waits for a reload.
func (a *App) usersChanged(cfg *config.Config) {
	for {
		now := a.config.Load()
		next := *now
		next.Users = cfg.Users
		if a.config.CompareAndSwap(now, &next) {
			return
		}
	}
}

// passwordReplaced is told when a command has given a user another password.
func (a *App) passwordReplaced(name string) {
	if c := a.console(); c != nil {
		c.EndSessions(name)
	}
}

func find(parts []part, name string) int {
	return slices.IndexFunc(parts, func(p part) bool { return p.name == name })
}
