package main

import (
	"strings"

	"github.com/spf13/cobra"
)

func newReload(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Make the running instance read utopia.toml anew",
		Long: `Reload makes the running instance read utopia.toml and the zone files anew, as SIGHUP does. Services whose
settings have changed take them over. Settings with an error change nothing; a zone file with an error leaves its zone
as it was. The error is shown, and it ends with 1.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			done, err := s.instance().Reload(c.Context())
			if err != nil {
				return err
			}
			if s.json {
				s.printJSON(done)
			} else {
				s.print("reloaded: %s\n", orNothing(done.Changed))
				for _, w := range done.Warnings {
					s.print("warning: %s\n", w)
				}
				for _, f := range done.Failed {
					s.print("%s\n", f)
				}
			}
			if len(done.Failed) > 0 {
				return found()
			}
			return nil
		},
	}
}

func orNothing(services []string) string {
	if len(services) == 0 {
		return "nothing has changed"
	}
	return strings.Join(services, ", ")
}
