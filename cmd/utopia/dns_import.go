package main

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/internal/app"
	"github.com/network-utopia/utopia/internal/control"
)

func newDNSImport(s *session) *cobra.Command {
	var r control.ImportRecords
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Put the records of a zone file into a zone",
		Long: `Import reads a zone file (RFC 1035 section 5; what it includes lies beside or below it; - is what comes on stdin) and
makes its records all that their names own of their types: in the zone of --zone or, where that is not given, in that
whose file it is in utopia.toml, else in the domain's own. All of it is one change; with any error in the file nothing
changes. Where the file has an alias (CNAME) the name's other records go, and where it has others an alias goes. At most
100000 records are imported at once.

With --replace all records go that the file does not have, except for those that Utopia makes. The zone keeps its own SOA
and NS records, unless --apex takes those of the file: one from another provider names the servers of that. What comes of
signing (RRSIG, NSEC, DNSKEY and the like) is always left out. What is left out is told.

The changes stay on top of what utopia.toml and zone files say, as those of utopia dns set do. It prints what went (-)
and what came (+). A running instance is needed: only that can change its zones.`,
		Example: `  utopia dns import old-provider.zone --dry-run
  utopia dns import club.zone --zone club.test --replace
  utopia dig @192.0.2.1 example.org AXFR | utopia dns import -`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			zones, err := s.instance().Zones(c.Context())
			if err != nil {
				return err
			}
			r.Zone = cmp.Or(r.Zone, app.ZoneOfFile(s.dir, args[0]), zones[0].Name) // there is always the domain's own
			if r.Records, err = app.ReadRecords(args[0], s.in, r.Zone); err != nil {
				return err
			}
			return s.changed(s.instance().ImportRecords(c.Context(), r))
		},
	}
	c.Flags().BoolVar(&r.Replace, "replace", false, "take away what the file does not have")
	c.Flags().BoolVar(&r.Apex, "apex", false, "take the zone's own SOA and NS records from the file too")
	s.editFlags(c, &r.Zone, &r.DryRun)
	return c
}
