package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/internal/control"
)

func newStatus(s *session) *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use:   "status",
		Short: "Ask every service of the running instance a real question, and show how it is",
		Long: `Status asks every service of the instance that runs in this folder a real question, and prints where it
listens and how it answered. It ends with 0 when all answer, 1 when one does not, 3 when no instance answers here.`,
		Example: "  utopia status --wait 20s",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			status, err := s.await(c.Context(), wait)
			if err != nil {
				return err
			}
			if s.json {
				s.printJSON(status)
			} else {
				s.printStatus(status)
			}
			if !status.OK() {
				return found()
			}
			return nil
		},
	}
	c.Flags().DurationVar(&wait, "wait", 0, "wait up to this long for all services to answer")
	return c
}

// await asks until all services answer or the time is over.
func (s *session) await(ctx context.Context, wait time.Duration) (control.Status, error) {
	const pause = 50 * time.Millisecond
	instance := s.instance()
	for deadline := time.Now().Add(wait); ; {
		status, err := instance.Status(ctx, true)
		if err == nil && status.OK() || time.Now().Add(pause).After(deadline) {
			return status, err
		}
		if err != nil && !errors.Is(err, control.ErrNotRunning) && !errors.Is(err, control.ErrSilent) {
			return status, err
		}
		select {
		case <-ctx.Done():
			return status, ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (s *session) printStatus(status control.Status) {
	s.print("%s, Utopia %s, pid %d, up %s\n\n", status.Domain, status.Version, status.PID,
		time.Since(status.Started).Round(time.Second))
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SERVICE\tSTATE\tANSWERED IN\tEXCHANGES\tLISTENS ON")
	for _, v := range status.Services {
		total := "-"
		if v.Traced {
			total = strconv.FormatUint(v.Total, 10)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", v.Name, v.State, milliseconds(v.Took), total, endpoints(v.Endpoints))
	}
	// What a table on stdout cannot say, since a closed pipe is no news, is not said.
	_ = table.Flush()
	for _, v := range status.Services {
		if v.Error != "" {
			s.print("\n%s\n", s.paint(s.out, "31", v.Error))
		}
		if v.Hint != "" {
			s.print("hint: %s\n", v.Hint)
		}
	}
	for _, w := range status.Warnings {
		s.print("\nwarning: %s\n", w)
	}
}

func milliseconds(took float64) string {
	if took == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f ms", took)
}

// endpoints gives "DNS udp 127.0.0.1:8053, …".
func endpoints(list []control.Endpoint) string {
	var parts []string
	for _, e := range list {
		parts = append(parts, fmt.Sprintf("%s %s/%s", e.Protocol, e.Address, e.Network))
	}
	return strings.Join(parts, ", ")
}
