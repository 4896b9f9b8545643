package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/internal/app"
	"github.com/network-utopia/utopia/internal/control"
)

func newDNSCheck(s *session) *cobra.Command {
	var zone string
	c := &cobra.Command{
		Use:   "check [FILE|ZONE]",
		Short: "Check zones and their files, and that they are served so",
		Long: `Check reads the files of all zones, or of the one named, and says what is wrong in them: file, line and column.
Where an instance runs it sees that each zone is served as its files stand there, and asks for it at each address of the
name server. A FILE alone is checked for the zone that it belongs to in utopia.toml, or for that of --zone.

Each check is ok, wrong, could not tell, or does not apply. It ends with 1 when something is wrong, and with 3 when an
address did not answer.`,
		Example: `  utopia dns check
  utopia dns check example.org
  utopia dns check new.zone --zone example.org`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			checks, err := s.zoneChecks(c.Context(), args, zone)
			if err != nil {
				return err
			}
			return s.printChecks(checks)
		},
	}
	c.Flags().StringVar(&zone, "zone", "", "the zone that the file is for")
	return c
}

func (s *session) zoneChecks(ctx context.Context, args []string, zone string) ([]app.Check, error) {
	if len(args) == 1 && (zone != "" || isFile(args[0])) {
		return app.CheckZoneFile(s.dir, zone, args[0])
	}
	if len(args) == 1 {
		zone = args[0]
	}
	return app.CheckZones(ctx, s.dir, zone, s.instance(), s.askAt)
}

// How long a check waits for one answer, and how often it asks.
const (
	checkTimeout = 2 * time.Second
	checkTries   = 2
)

// askAt asks an address of the name server.
func (s *session) askAt(ctx context.Context, at control.Endpoint, name dns.Name, t dns.Type) (*dns.Message, error) {
	client := dnsclient.New(dnsclient.Options{
		Host: s.network, Transcript: s.recorder(), Timeout: checkTimeout, Tries: checkTries, TCP: at.Network == "tcp",
	})
	answer, err := client.Exchange(ctx, at.Address, dns.NewQuery(0, name, t))
	if err != nil {
		return nil, err
	}
	return answer.Message, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// printChecks prints what was looked at, and ends with the worst of it.
func (s *session) printChecks(checks []app.Check) error {
	if s.json {
		s.printJSON(checks)
	}
	for _, c := range checks {
		if s.json {
			break
		}
		sgr := map[app.Outcome]string{app.OutcomeOK: "32", app.OutcomeWrong: "31", app.OutcomeCouldNotTell: "33"}[c.Outcome]
		line := fmt.Sprintf("%s  %s: %s", c.Zone, c.What, s.paint(s.out, sgr, string(c.Outcome)))
		if c.Text != "" {
			line += ": " + c.Text
		}
		s.print("%s\n", line)
		if c.Hint != "" {
			s.print("hint: %s\n", c.Hint)
		}
	}
	return worst(checks)
}

// worst is how a command ends that has checked: with the worst that it found.
func worst(checks []app.Check) error {
	has := func(o app.Outcome) bool {
		return slices.ContainsFunc(checks, func(c app.Check) bool { return c.Outcome == o })
	}
	switch {
	case has(app.OutcomeWrong):
		return found()
	case has(app.OutcomeCouldNotTell):
		return &exit{code: exitUnreachable}
	}
	return nil
}
