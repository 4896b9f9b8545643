package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/internal/app"
	"github.com/network-utopia/utopia/internal/control"
)

func newDNSDelegate(s *session) *cobra.Command {
	var server string
	var offline bool
	c := &cobra.Command{
		Use:   "delegate [ZONE]",
		Short: "Say what to enter at the registrar, and whether it is so already",
		Long: `Delegate prints what the owner of a zone (the domain's own unless another is named) enters at its registrar, or
whoever keeps the zone above writes into it: the name servers, the addresses of those within the zone (glue), and the DS
records of a zone that is signed; in words, and as records. A zone with names of addresses (PTR) is delegated by whoever
gave the addresses instead, who can also enter such a name without delegating it.

Then it asks the resolver of this machine, or --server, whether it is so already. Each check is ok, wrong, could not
tell, or does not apply. It ends with 1 when something is wrong, and with 3 when the resolver could not tell.`,
		Example: `  utopia dns delegate
  utopia dns delegate example.org --server 9.9.9.9
  utopia dns delegate 10.2.0.192.in-addr.arpa`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: s.completeZones,
		RunE: func(c *cobra.Command, args []string) error {
			resolver, err := s.resolver(server)
			if err != nil {
				return err
			}
			var d control.Delegation
			err = s.names(c.Context(), func(in control.Names) (err error) {
				d, err = in.Delegation(c.Context(), strings.Join(args, ""))
				return err
			})
			if err != nil {
				return err
			}
			var checks []app.Check
			if !offline {
				checks = app.CheckDelegation(c.Context(), d, resolver.lookup)
			}
			return s.printDelegation(d, checks)
		},
	}
	c.Flags().StringVar(&server, "server", "", "ask this resolver: `ADDRESS` or ADDRESS:PORT")
	c.Flags().BoolVar(&offline, "no-check", false, "ask nobody whether it is so already")
	c.MarkFlagsMutuallyExclusive("server", "no-check")
	return c
}

// resolver is whom a check asks for what the world knows.
type resolver struct {
	client  *dnsclient.Client
	servers []string
}

// resolver gives that of the flag or, where it is not given, of the system.
func (s *session) resolver(server string) (resolver, error) {
	r := resolver{servers: systemResolvers().servers, client: dnsclient.New(dnsclient.Options{
		Host: s.network, Transcript: s.recorder(), Timeout: checkTimeout, Tries: checkTries,
	})}
	if server == "" {
		return r, nil
	}
	if _, err := netip.ParseAddrPort(server); err != nil {
		if _, err := netip.ParseAddr(strings.Trim(server, "[]")); err != nil {
			return r, usage("--server: %q is no address", server)
		}
	}
	r.servers = []string{server}
	return r, nil
}

// lookup asks the resolvers in turn, until one answers.
func (r resolver) lookup(ctx context.Context, name dns.Name, t dns.Type) (*dns.Message, error) {
	var last error
	for _, server := range r.servers {
		q := dns.NewQuery(0, name, t)
		q.RecursionDesired = true
		answer, err := r.client.Exchange(ctx, server, q)
		if err == nil {
			return answer.Message, nil
		}
		last = err
	}
	return nil, last
}

// delegationJSON is a delegation with what the world knows of it.
type delegationJSON struct {
	control.Delegation
	Checks []app.Check `json:"checks,omitempty"`
}

func (s *session) printDelegation(d control.Delegation, checks []app.Check) error {
	if s.json {
		s.printJSON(delegationJSON{d, checks})
		return worst(checks)
	}
	if d.OfAddresses {
		s.print("Whoever gave you the addresses enters for %s\n\n", d.Zone)
	} else {
		s.print("At the registrar of %s enter\n\n", d.Zone)
	}
	columns := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, server := range d.Servers {
		fmt.Fprintf(columns, "  name server\t%s\n", strings.Join(append([]string{server}, addressesOf(d, server)...), "\t"))
	}
	for _, r := range d.DS {
		fmt.Fprintf(columns, "  DS\t%s\n", r.Data)
	}
	_ = columns.Flush() // as print does, where the reader has gone
	s.print("\nor, in the zone above it,\n\n")
	columns = tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, server := range d.Servers {
		fmt.Fprintf(columns, "%s\t%d\tIN\tNS\t%s\n", d.Zone, d.TTL, server)
	}
	for _, r := range append(append([]control.Record{}, d.Glue...), d.DS...) {
		fmt.Fprintf(columns, "%s\t%d\tIN\t%s\t%s\n", r.Name, r.TTL, r.Type, r.Data)
	}
	_ = columns.Flush()
	s.printReverse(d)
	if len(checks) == 0 {
		return nil
	}
	s.print("\n")
	return s.printChecks(checks)
}

// printReverse says what there is to do for names of addresses.
func (s *session) printReverse(d control.Delegation) {
	if len(d.Pointers) > 0 {
		s.print("\nor, without a delegation, the name itself,\n\n")
		for _, r := range d.Pointers {
			s.print("%s  %d  IN  %s  %s\n", r.Name, r.TTL, r.Type, r.Data)
		}
	}
	if len(d.Reverse) > 0 {
		s.print("\nThe names of its addresses are delegated by whoever gave you these:\n\n")
		for _, zone := range d.Reverse {
			s.print("  utopia dns delegate %s\n", zone)
		}
	}
}

// addressesOf gives the glue of a server.
func addressesOf(d control.Delegation, server string) []string {
	var list []string
	for _, r := range d.Glue {
		if strings.EqualFold(r.Name, server) {
			list = append(list, r.Data)
		}
	}
	return list
}
