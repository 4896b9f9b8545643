package main

import (
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/internal/control"
)

func newDNSExplain(s *session) *cobra.Command {
	var dnssec bool
	var address string
	c := &cobra.Command{
		Use:   "explain NAME [TYPE] | -x ADDRESS",
		Short: "Say step by step how the answer to a question comes about",
		Long: `Explain has the name server answer a question (A records, where no type is given) from its zones, and prints what
it did on the way: which zone it looked in, the cut, wildcard or alias that it met, what proves that something is not
there; each step with the RFC that wants it so. It asks nobody else. A name without any dot is one within the domain.
With -x it is asked for the name of an address (PTR).

Without a running instance it answers from the files of the folder.`,
		Example: `  utopia dns explain www
  utopia dns explain nothing.example.org MX --dnssec
  utopia dns explain -x 127.0.0.1`,
		Args: func(c *cobra.Command, args []string) error {
			if address != "" {
				return cobra.ExactArgs(0)(c, args) // the address says all
			}
			return cobra.RangeArgs(1, 2)(c, args)
		},
		ValidArgsFunction: completeExplain,
		RunE: func(c *cobra.Command, args []string) error {
			q, err := explained(args, address)
			if err != nil {
				return err
			}
			q.DNSSEC = dnssec
			return s.names(c.Context(), func(in control.Names) error {
				e, err := in.Explain(c.Context(), q)
				if err != nil {
					return err
				}
				s.printExplanation(e)
				return nil
			})
		},
	}
	c.Flags().BoolVar(&dnssec, "dnssec", false, "as for a client that wants to validate (DO)")
	c.Flags().StringVarP(&address, "reverse", "x", "", "ask for the name of an `ADDRESS`")
	return c
}

// explained is the question that the arguments ask.
func explained(args []string, address string) (control.Question, error) {
	if address != "" {
		addr, err := netip.ParseAddr(address)
		if err != nil {
			return control.Question{}, notAddress(address)
		}
		name, _ := dnsclient.ReverseName(addr) // it is valid
		return control.Question{Name: name.String(), Type: "PTR"}, nil
	}
	q := control.Question{Name: args[0], Type: "A"}
	if len(args) > 1 {
		q.Type = args[1]
	}
	return q, nil
}

// notAddress is what is said about the argument of -x.
func notAddress(s string) error {
	return usage("-x: %q is no address\nhint: such as 192.0.2.1 or 2001:db8::1", s)
}

func completeExplain(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 1 {
		return commonTypes[:], cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (s *session) printExplanation(e control.Explanation) {
	if s.json {
		s.printJSON(e)
		return
	}
	s.print("%s\n", s.paint(s.out, "1", onlyASCII(e.Question)))
	for i, step := range e.Steps {
		s.print("%3d. %s [%s]\n", i+1, onlyASCII(step.Text), step.RFC)
	}
	own := ""
	if e.Own {
		own = ", authoritative"
	}
	s.print("\n%s%s\n", e.Code, own)
	for _, section := range []struct {
		name    string
		records []string
	}{{"answer", e.Answer}, {"authority", e.Authority}, {"additional", e.Additional}} {
		for _, r := range section.records {
			s.print("  %-10s  %s\n", section.name, onlyASCII(r))
		}
	}
}
