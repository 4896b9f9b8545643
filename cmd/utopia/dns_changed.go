package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/control"
)

// changed prints what a change of a zone did, or would do.
func (s *session) changed(done control.Changed, err error) error {
	if err != nil {
		return err
	}
	if s.json {
		s.printJSON(done)
		return nil
	}
	for _, w := range done.Warnings {
		s.note("warning: %s\n", w)
	}
	if len(done.Deleted)+len(done.Added) == 0 {
		s.print("; nothing changes: it is so already\n")
		return nil
	}
	s.printChanges(done)
	if done.DryRun {
		s.print("; a dry run: nothing was changed\n")
	} else {
		s.print("; %s: serial %d\n", done.Zone, done.Serial)
	}
	s.printAnswer(done)
	return nil
}

// showChanges prints what a zone has and has not on top of what settings and files make.
func (s *session) showChanges(ctx context.Context, zone string) error {
	d, err := s.instance().Changes(ctx, zone)
	switch {
	case err != nil:
		return err
	case s.json:
		s.printJSON(d)
		return nil
	case len(d.Deleted)+len(d.Added) == 0:
		s.print("; %s is as settings and files say\n", d.Zone)
	}
	s.printChanges(d)
	return nil
}

func (s *session) printChanges(d control.Changed) {
	t := changedTable{session: s, columns: tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)}
	for _, r := range d.Deleted {
		t.add(s.paint(s.out, "31", "-"), r)
	}
	for _, r := range d.Added {
		t.add(s.paint(s.out, "32", "+"), r)
	}
	_ = t.columns.Flush() // as print does, where the reader has gone
}

// changedTable prints records that went and came.
type changedTable struct {
	*session
	columns *tabwriter.Writer
	count   int
}

func (t *changedTable) add(sign string, r control.Record) {
	line := fmt.Sprintf("%s %s\t%d\t%s\t%s", sign, r.Name, r.TTL, r.Type, onlyASCII(r.Data))
	if r.From != control.FromUpdate {
		line += "\t; " + r.From
	}
	fmt.Fprintln(t.columns, line)
	if t.count++; t.count%linedUp == 0 {
		_ = t.columns.Flush()
	}
}

// printAnswer says what others see of a change.
func (s *session) printAnswer(done control.Changed) {
	from := "from now on"
	if done.DryRun {
		from = "then"
	}
	if a := done.Answer; a != nil {
		switch {
		case len(a.Records) > 0:
			for _, r := range a.Records {
				s.print("; answered %s: %s %d %s %s\n", from, r.Name, r.TTL, r.Type, onlyASCII(r.Data))
			}
		case a.Code != "NOERROR":
			s.print("; answered %s: %s (%s %s)\n", from, a.Code, a.Name, a.Type)
		case !a.Own:
			s.print("; answered %s: a referral to the servers of another zone (%s %s)\n", from, a.Name, a.Type)
		default:
			s.print("; answered %s: no records (%s %s)\n", from, a.Name, a.Type)
		}
	}
	if done.Cached > 0 {
		s.print("; others may have the old answer for up to %s\n", dns.FormatTTL(done.Cached))
	}
}
