package main

import (
	"bufio"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/internal/control"
)

func newDNSExport(s *session) *cobra.Command {
	var dnssec bool
	c := &cobra.Command{
		Use:   "export [ZONE]",
		Short: "Print a zone as a master file",
		Long: `Export prints a zone, the domain's own unless another is named, as a master file (RFC 1035 section 5): all records,
those that Utopia makes among them, with the serial that is served. Other name servers read it. What comes of signing is
in it with --dnssec.

Without a running instance it prints what the files of the folder come to.`,
		Example: `  utopia dns export > networkutopia.zone
  utopia dns export example.org --dnssec`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: s.completeZones,
		RunE: func(c *cobra.Command, args []string) error {
			if s.json {
				return usage("a master file is not JSON\nhint: utopia dns show ZONE --json has the records")
			}
			out := bufio.NewWriter(s.out)
			err := s.names(c.Context(), func(in control.Names) error {
				return in.Export(c.Context(), strings.Join(args, ""), dnssec, out)
			})
			return errors.Join(err, out.Flush())
		},
	}
	c.Flags().BoolVar(&dnssec, "dnssec", false, "with what comes of signing")
	return c
}
