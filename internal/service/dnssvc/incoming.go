package dnssvc

import (
	"fmt"
	"time"

	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/state/zones"
)

// incoming is a transfer that is being taken in.
type incoming struct {
	*follower
	builder *zone.Builder
	soas    int
	steps   []zone.Difference
	removes bool // the last record was removed
}

// take takes one record.
func (in *incoming) take(rr dnsclient.TransferRecord) error {
	switch rr.Change {
	case dnsclient.Frame:
		if in.soas++; in.soas == 1 {
			in.builder.Add(zone.Record{RR: rr.RR})
		}
	case dnsclient.Present:
		in.builder.Add(zone.Record{RR: rr.RR})
	case dnsclient.Removed:
		if !in.removes {
			in.steps = append(in.steps, zone.Difference{})
		}
		last := &in.steps[len(in.steps)-1]
		last.Deleted = append(last.Deleted, rr.RR)
	case dnsclient.Added:
		if len(in.steps) == 0 {
			return fmt.Errorf("%w: an addition before what is removed", dnsclient.ErrTransfer)
		}
		last := &in.steps[len(in.steps)-1]
		last.Added = append(last.Added, rr.RR)
	}
	in.removes = rr.Change == dnsclient.Removed
	return nil
}

// whole makes the zone of a whole transfer, and keeps it.
func (in *incoming) whole() error {
	z, _, err := in.builder.Build()
	if err != nil {
		return fmt.Errorf("what came is no zone: %w", err)
	}
	if in.zone != nil {
		z = z.Sharing(in.zone)
	}
	now := time.Now()
	if in.kept != nil {
		if err := in.kept.Replace(z, now); err != nil {
			return err
		}
	}
	in.zone, in.refreshed = z, now
	return nil
}

// differences makes the changes of an incremental transfer, and keeps them.
func (in *incoming) differences() error {
	z := in.zone
	for _, d := range in.steps {
		e := z.Edit()
		if err := e.Apply(d); err != nil {
			return err
		}
		if err := e.Check(); err != nil {
			return err
		}
		z = e.Zone()
	}
	now := time.Now()
	if in.kept != nil {
		if err := in.keep(z, now); err != nil {
			return err
		}
	}
	in.zone, in.refreshed = z, now
	return nil
}

// keep keeps the steps that have come, durably.
func (in *incoming) keep(z *zone.Zone, now time.Time) error {
	records := 0
	for _, d := range in.steps {
		n, _ := d.Size()
		records += n
	}
	if in.kept.Size() > maxSteps || records > z.Len()/2 {
		return in.kept.Replace(z, now)
	}
	var at zones.Position
	for _, d := range in.steps {
		var err error
		if at, err = in.kept.Write(d); err != nil {
			return err
		}
	}
	if err := in.kept.Commit(at); err != nil {
		return err
	}
	return in.kept.Journal.Refreshed(now)
}
