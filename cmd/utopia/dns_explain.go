package main

import (
	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/internal/control"
)

func newDNSExplain(s *session) *cobra.Command {
	var dnssec bool
	c := &cobra.Command{
		Use:   "explain NAME [TYPE]",
		Short: "Say step by step how the answer to a question comes about",
		Long: `Explain has the name server answer a question (A records, where no type is given) from its zones, and prints what
it did on the way: which zone it looked in, the cut, wildcard or alias that it met, what proves that something is not
there; each step with the RFC that wants it so. It asks nobody else. A name without any dot is one within the domain.

Without a running instance it answers from the files of the folder.`,
		Example: `  utopia dns explain www
  utopia dns explain nothing.example.org MX --dnssec`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: completeExplain,
		RunE: func(c *cobra.Command, args []string) error {
			q := control.Question{Name: args[0], Type: "A", DNSSEC: dnssec}
			if len(args) > 1 {
				q.Type = args[1]
			}
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
	return c
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
