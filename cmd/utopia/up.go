package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/internal/app"
	"github.com/network-utopia/utopia/internal/control"
)

func newUp(s *session) *cobra.Command {
	var addresses []string
	c := &cobra.Command{
		Use:   "up [DOMAIN]",
		Short: "Serve the domain of this folder; on a first run, make the folder's files",
		Long: `Up serves the domain of this folder until it is interrupted. On a first run it makes utopia.toml for the domain
named, or for networkutopia.test, with data/ for what it keeps and www/ for the web site.

The address is what is listened on, and what the domain's records give. Ports are the standard ones plus an offset:
8000 for a .test domain or where ports below 1024 may not be opened, else 0; so DNS is at 8053 and the Web at 8080.

SIGHUP makes it read its settings anew; SIGINT and SIGTERM end it.`,
		Example: `  utopia up
  utopia up a.test --address 127.0.0.2`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			first := app.FirstRun{Dir: s.dir, Domain: strings.Join(args, "")}
			for _, text := range addresses {
				address, err := netip.ParseAddr(text)
				if err != nil {
					return usage("--address %q is no IP address", text)
				}
				first.Addresses = append(first.Addresses, address)
			}
			return s.up(c.Context(), first)
		},
	}
	c.Flags().StringSliceVar(&addresses, "address", nil, "on a first run: the address to serve at (default 127.0.0.1)")
	return c
}

// up serves until ctx ends.
func (s *session) up(ctx context.Context, first app.FirstRun) error {
	signal.Ignore(syscall.SIGPIPE) // whoever read the log may go: the services stay
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP) // from the first: until then it would end the program
	defer signal.Stop(reload)
	made, err := first.Prepare()
	if errors.Is(err, app.ErrUsage) {
		return usage("%w", err)
	}
	if err != nil {
		return err
	}
	a, err := app.Open(ctx, app.Options{
		Dir: s.dir, Host: s.network, Control: s.network, Log: s.err, Verbose: s.verbose, Version: version,
	})
	if err != nil {
		return err
	}
	err = a.Start(ctx)
	if err == nil {
		err = s.serve(ctx, a, reload, made)
	}
	return errors.Join(err, a.Close(context.WithoutCancel(ctx)))
}

func (s *session) serve(ctx context.Context, a *app.App, reload <-chan os.Signal, made bool) error {
	status, err := a.Status(ctx, false)
	if err != nil {
		return err
	}
	s.printUp(status, made)
	if !anyUp(status) {
		return errors.New("no service could start")
	}
	s.printNext(ctx, a, made)
	for {
		select {
		case <-ctx.Done():
			if terminal(s.err) {
				s.note("stopping\n")
			}
			return nil
		case <-reload:
			s.reloaded(a.Reload(ctx))
		case err := <-a.Lost():
			return fmt.Errorf("%w: stopping", err)
		}
	}
}

func anyUp(status control.Status) bool {
	for _, v := range status.Services {
		if v.State == "up" {
			return true
		}
	}
	return false
}

func (s *session) reloaded(done control.Reloaded, err error) {
	if err != nil {
		s.note("utopia: not reloaded: %s\n", message(err))
		return
	}
	s.note("reloaded: %s\n", orNothing(done.Changed))
	for _, text := range append(done.Failed, done.Warnings...) {
		s.note("%s\n", text)
	}
}

// printUp says what is served where, and what is not.
func (s *session) printUp(status control.Status, made bool) {
	if s.json {
		s.printJSON(status)
		return
	}
	if made {
		s.print("Made utopia.toml, data/ and www/ for %s.\n", status.Domain)
	}
	s.print("Utopia %s serves %s:\n", status.Version, s.paint(s.out, "1", status.Domain))
	for _, v := range status.Services {
		if v.State == "up" {
			s.print("  %-8s %s\n", v.Name, endpoints(v.Endpoints))
		}
	}
	for _, v := range status.Services {
		if v.State != "up" {
			s.note("%s\n", s.paint(s.err, "31", v.Name+" is not served: "+v.Error))
			if v.Hint != "" {
				s.note("hint: %s\n", v.Hint)
			}
		}
	}
	for _, w := range status.Warnings {
		s.note("warning: %s\n", w)
	}
}

// printNext prints the link to the console and, on a first run, commands that show what has just been made.
func (s *session) printNext(ctx context.Context, a *app.App, made bool) {
	if s.json {
		return
	}
	if s.journal { // no place for a secret
		s.print("Console: utopia console link prints a link that opens it once.\n")
	} else if link, err := a.ConsoleLink(ctx); err == nil {
		s.print("Console, opens once: %s\n", link.URL)
	}
	if !made {
		return
	}
	s.print("Try from another terminal:\n")
	for _, line := range a.Examples(s.program) {
		s.print("  %s\n", line)
	}
	s.print("Your own pages go into www/, your settings into utopia.toml. Ctrl-C stops.\n")
}
