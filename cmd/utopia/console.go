package main

import (
	"time"

	"github.com/spf13/cobra"
)

func newConsole(s *session) *cobra.Command {
	c := &cobra.Command{Use: "console", Short: "The console: a web page for whoever runs this machine"}
	c.AddCommand(newConsoleLink(s))
	return c
}

func newConsoleLink(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "link",
		Short: "Print a new link that opens the console once",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			link, err := s.instance().ConsoleLink(c.Context())
			if err != nil {
				return err
			}
			if s.json {
				s.printJSON(link)
				return nil
			}
			s.print("%s\n", link.URL)
			if terminal(s.err) {
				s.note("It works once, within %s.\n", time.Until(link.Expires).Round(time.Minute))
			}
			return nil
		},
	}
}
