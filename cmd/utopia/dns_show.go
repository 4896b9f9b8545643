package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/internal/control"
)

// How many records of a zone are shown when nobody has asked for that zone, and how many are lined up together.
const (
	fewRecords = 100
	linedUp    = 500
)

func newDNSShow(s *session) *cobra.Command {
	var dnssec, changes bool
	c := &cobra.Command{
		Use:   "show [ZONE] [NAME]",
		Short: "Show the zones and their records, and where each comes from",
		Long: `Show prints the records of all zones, of the one named, or of one name and those below it, which may also be
given alone: www stands for www in the domain. Each line has the name, the TTL in seconds, the type, the data, and where
the record comes from: file, line and column, or utopia for what it makes itself. What comes of signing a zone, its
keys, signatures and denials, is shown with --dnssec. Of a zone with more than 100 records that was not asked for only
the head is shown, and of the zones with the names of addresses the PTR records.

With --changes it shows what a zone has (+) and has not (-) on top of what utopia.toml and zone files make: what came by
utopia dns set, delete and import, and by message. That takes a running instance.

Without one it shows what the files of the folder come to. With --json and without arguments it prints the
zones, else one line of JSON for each record.`,
		Example: `  utopia dns show
  utopia dns show www
  utopia dns show example.org
  utopia dns show example.org mail
  utopia dns show --changes`,
		Args:              cobra.MaximumNArgs(2),
		ValidArgsFunction: s.completeZones,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case changes && len(args) > 1:
				return usage("--changes is about a whole zone: leave out %s", args[1])
			case changes:
				return s.showChanges(c.Context(), strings.Join(args, ""))
			}
			return s.names(c.Context(), func(in control.Names) error {
				return s.dnsShow(c.Context(), in, args, dnssec)
			})
		},
	}
	c.Flags().BoolVar(&changes, "changes", false, "show what was changed on top of settings and files")
	c.Flags().BoolVar(&dnssec, "dnssec", false, "show what comes of signing as well")
	c.MarkFlagsMutuallyExclusive("dnssec", "changes")
	return c
}

func (s *session) dnsShow(ctx context.Context, in control.Names, args []string, dnssec bool) error {
	if len(args) == 0 {
		return s.showZones(ctx, in, dnssec)
	}
	at := control.At{Name: args[0]}
	if len(args) > 1 {
		at = control.At{Zone: args[0], Name: args[1]}
	}
	t := s.newRecordTable(dnssec)
	if err := in.Records(ctx, at, t.add); err != nil {
		return err
	}
	t.flush()
	if t.count == 0 {
		s.note("no records at or below %s\n", at.Name)
		return found()
	}
	return nil
}

// showZones prints every zone, with its records where they are few.
func (s *session) showZones(ctx context.Context, in control.Names, dnssec bool) error {
	zones, err := in.Zones(ctx)
	if err != nil {
		return err
	}
	if s.json {
		s.printJSON(zones)
		return nil
	}
	for i, z := range zones {
		if z.Role == "reverse" && !dnssec {
			return s.showReverse(ctx, in, zones[i:])
		}
		if i > 0 {
			s.print("\n")
		}
		s.print("%s\n", zoneHead(z))
		for _, p := range z.Problems {
			s.print("; %s\n", p)
		}
		if z.Failure != "" {
			s.print("; its primaries, last asked at %s: %s\n", z.Tried.Local().Format(time.DateTime), onlyASCII(z.Failure))
		}
		if z.State == "missing" {
			continue
		}
		if z.Records > fewRecords {
			s.print("; utopia dns show %s lists its records\n", z.Name)
			continue
		}
		t := s.newRecordTable(dnssec)
		if err := in.Records(ctx, control.At{Zone: z.Name}, t.add); err != nil {
			return err
		}
		t.flush()
	}
	return nil
}

// showReverse prints the names of addresses: the other records of their zones say nothing more.
func (s *session) showReverse(ctx context.Context, in control.Names, zones []control.Zone) error {
	s.print("\n; names of addresses, each a zone of its own\n")
	t := s.newRecordTable(false)
	for _, z := range zones {
		for _, p := range z.Problems {
			s.print("; %s: %s\n", z.Name, p)
		}
		if z.State == "missing" {
			continue
		}
		err := in.Records(ctx, control.At{Zone: z.Name}, func(r control.Record) error {
			if r.Type == "PTR" {
				return t.add(r)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	t.flush()
	return nil
}

// zoneHead is what is said of a zone as a whole, as a comment of a zone file.
func zoneHead(z control.Zone) string {
	parts := []string{fmt.Sprintf("serial %d", z.Serial), fmt.Sprintf("%d records", z.Records)}
	if z.State == "missing" {
		parts = nil
	}
	if z.Signed {
		parts = append(parts, "signed")
	}
	if len(z.Files) > 0 {
		parts = append(parts, "from "+strings.Join(z.Files, " and "))
	}
	if z.Role == "secondary" {
		parts = append(parts, "from "+strings.Join(z.Primaries, " and "))
	}
	parts = append(parts, zoneState(z))
	return "; " + z.Name + ": " + strings.TrimSuffix(strings.Join(parts, ", "), ", ")
}

// zoneState says what is not as it should be about a zone, or until when a copy is good.
func zoneState(z control.Zone) string {
	secondary := z.Role == "secondary"
	switch {
	case z.State == "kept":
		return "served as it was before its file got an error"
	case z.State == "missing" && secondary && z.Expires.IsZero():
		return "not served: it has not come yet"
	case z.State == "missing" && secondary:
		return "not served: it was good until " + z.Expires.Local().Format(time.DateTime)
	case z.State == "missing":
		return "not served: its file has an error"
	case secondary && !z.Expires.IsZero():
		return "good until " + z.Expires.Local().Format(time.DateTime)
	}
	return ""
}

// recordTable prints records, in columns or as lines of JSON.
type recordTable struct {
	*session
	columns *tabwriter.Writer
	dnssec  bool // also those that come of signing
	count   int
}

func (s *session) newRecordTable(dnssec bool) *recordTable {
	const gap = 2
	return &recordTable{session: s, columns: tabwriter.NewWriter(s.out, 0, 0, gap, ' ', 0), dnssec: dnssec}
}

func (t *recordTable) add(r control.Record) error {
	if r.From == control.FromDNSSEC && !t.dnssec {
		return nil
	}
	t.count++
	if t.json {
		line, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("print a record: %w", err)
		}
		t.print("%s\n", line)
		return nil
	}
	_, err := fmt.Fprintf(t.columns, "%s\t%d\t%s\t%s\t; %s\n", r.Name, r.TTL, r.Type, onlyASCII(r.Data), r.From)
	if t.count%linedUp == 0 {
		err = errors.Join(err, t.columns.Flush())
	}
	return err
}

func (t *recordTable) flush() { _ = t.columns.Flush() } // as print does, where the reader has gone
