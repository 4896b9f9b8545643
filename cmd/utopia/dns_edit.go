package main

import (
	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/control"
)

// settable are the types that are offered for completion: those that people write.
var settable = [...]string{"A", "AAAA", "CAA", "CNAME", "DNAME", "DS", "HTTPS", "MX", "NS", "PTR", "SOA", "SRV", "SSHFP", "SVCB", "TLSA", "TXT"}

func newDNSSet(s *session) *cobra.Command {
	var r control.SetRecords
	var ttl string
	c := &cobra.Command{
		Use:   "set NAME TYPE DATA...",
		Short: "Make records all that a name owns of their type",
		Long: `Set makes the records given all that NAME owns of TYPE, or with --add adds them to what is there. Each DATA is that of
one record as it stands in a zone file, so one with blanks is quoted for the shell; a text (TXT) without quotes of its
own is one string, and cut into several where it is long. A name without a dot at its end is within the zone: so are www,
@ for the zone's own name, and those in the data. NAME may also be one in another zone that is kept here.

The change is in the zone's journal, synced, when the command ends, is signed and answered from, and secondary servers
are told. It stays on top of what utopia.toml and zone files say, also when they say something else later, until utopia
dns revert takes it back; utopia dns show tells such records by "update". Without --ttl the TTL stays as it was; that of new records is dns.ttl. The serial of an SOA goes up
by itself, whatever the one is that is given.

It prints what went (-) and what came (+), what is answered from now on, and for how long others may still have the old
answer. A running instance is needed: only that can change its zones.`,
		Example: `  utopia dns set www A 192.0.2.1 192.0.2.2
  utopia dns set @ MX "10 mail" "20 mail.example.net."
  utopia dns set @ TXT "v=spf1 mx -all" --add --ttl 5m
  utopia dns set blog CNAME pages.example.net. --only
  utopia dns set _submission._tcp SRV "0 1 587 mail" --dry-run`,
		Args:              cobra.MinimumNArgs(3),
		ValidArgsFunction: s.completeRecords(settable[:]),
		RunE: func(c *cobra.Command, args []string) error {
			r.Name, r.Type, r.Data = args[0], args[1], args[2:]
			if c.Flags().Changed("ttl") {
				seconds, err := dns.ParseTTL(ttl)
				if err != nil {
					return usage("--ttl: %w\nhint: such as 300, 5m or 1h30m", err)
				}
				r.TTL = &seconds
			}
			return s.changed(s.instance().SetRecords(c.Context(), r))
		},
	}
	c.Flags().StringVar(&ttl, "ttl", "", "the `TIME` that others may keep the records: in seconds, or as in 1h30m")
	c.Flags().BoolVar(&r.Add, "add", false, "add to what the name owns of the type")
	c.Flags().BoolVar(&r.Only, "only", false, "take away what the name owns of other types")
	c.MarkFlagsMutuallyExclusive("add", "only")
	s.editFlags(c, &r.Zone, &r.DryRun)
	return c
}

func newDNSDelete(s *session) *cobra.Command {
	var r control.DeleteRecords
	c := &cobra.Command{
		Use:   "delete NAME [TYPE [DATA...]]",
		Short: "Take records away",
		Long: `Delete takes away what NAME owns of TYPE, of that only the records whose DATA are given, or with --all everything
that NAME owns; a zone's own SOA and NS records stay. Names and data are as for utopia dns set. Of what is not there
nothing is deleted: it says so, and ends with 1.

The change stays on top of what utopia.toml and zone files say: what a file has, or Utopia makes, and was deleted so is
not answered any more, until utopia dns revert takes that back. It prints what went, what is answered from now on, and for how long
others may still have the old answer.`,
		Example: `  utopia dns delete blog CNAME
  utopia dns delete www A 192.0.2.2
  utopia dns delete old --all --dry-run`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: s.completeRecords(nil),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case r.All && len(args) > 1:
				return usage("--all is for all that the name owns: leave out %s, or --all", args[1])
			case !r.All && len(args) == 1:
				return usage("which records of %s? give a type, or --all\nhint: utopia dns show %s lists them", args[0], args[0])
			case len(args) > 1:
				r.Type, r.Data = args[1], args[2:]
			}
			r.Name = args[0]
			return s.changed(s.instance().DeleteRecords(c.Context(), r))
		},
	}
	c.Flags().BoolVar(&r.All, "all", false, "all that the name owns")
	s.editFlags(c, &r.Zone, &r.DryRun)
	return c
}

func newDNSRevert(s *session) *cobra.Command {
	var r control.RevertRecords
	c := &cobra.Command{
		Use:   "revert NAME [TYPE]",
		Short: "Make of a name what utopia.toml and zone files say, and nothing else",
		Long: `Revert takes back what was changed of NAME, by utopia dns set, delete and import or by message (nsupdate): it owns again
what utopia.toml and zone files make of it, of TYPE or of all types, and follows them from then on. What was changed in a
zone is listed by utopia dns show --changes.`,
		Example: `  utopia dns revert www
  utopia dns revert @ MX --dry-run`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: s.completeRecords(nil),
		RunE: func(c *cobra.Command, args []string) error {
			r.Name = args[0]
			if len(args) > 1 {
				r.Type = args[1]
			}
			return s.changed(s.instance().RevertRecords(c.Context(), r))
		},
	}
	s.editFlags(c, &r.Zone, &r.DryRun)
	return c
}

// editFlags are those of all commands that change zones.
func (s *session) editFlags(c *cobra.Command, zone *string, dry *bool) {
	c.Flags().StringVar(zone, "zone", "", "the `ZONE` that is changed, and that names are within")
	c.Flags().BoolVar(dry, "dry-run", false, "only say what would change")
	_ = c.RegisterFlagCompletionFunc("zone", func(c *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return s.completeZones(c, nil, begun)
	}) // it fails for a flag that is not there
}
