package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/internal/app"
	"github.com/network-utopia/utopia/internal/control"
)

func newDNS(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:   "dns",
		Short: "The zones of the name server",
		Long: `These commands show, change and check the zones that the name server answers for: the domain's own, which Utopia makes
from its settings and from dns.zone-file, and those of dns.zones in utopia.toml.`,
	}
	c.AddCommand(newDNSShow(s), newDNSSet(s), newDNSDelete(s), newDNSImport(s), newDNSRevert(s), newDNSExport(s), newDNSCheck(s),
		newDNSDelegate(s), newDNSExplain(s))
	return c
}

// names calls do with what answers for the zones: the running instance or, where none runs, the files of the folder.
func (s *session) names(ctx context.Context, do func(control.Names) error) error {
	running := s.instance()
	_, err := running.Status(ctx, false)
	switch {
	case err == nil:
		return do(running)
	case !errors.Is(err, control.ErrNotRunning):
		return err
	}
	files, err := app.OpenNames(s.dir)
	if err != nil {
		return err
	}
	if s.verbose {
		s.note("utopia is not running here: this is what its files come to\n")
	}
	return do(files)
}

// completeZones offers the names of the zones.
func (s *session) completeZones(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(c.Context(), completeTimeout)
	defer cancel()
	var list []string
	_ = s.names(ctx, func(in control.Names) error { // a shell has no place for errors
		zones, err := in.Zones(ctx)
		for _, z := range zones {
			list = append(list, z.Name)
		}
		return err
	})
	return list, cobra.ShellCompDirectiveNoFileComp
}
