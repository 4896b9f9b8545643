package dnssvc

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/state/zones"
)

const (
	// compactFrom is how large a journal gets at least before it is written anew,
	// and keepSteps how much of it stays as steps, for IXFR; in octets.
	compactFrom = 4 << 20
	keepSteps   = 1 << 20
	// maxChanges is how many changes are held one by one.
	maxChanges = 1024
)

// ledger is the journal of a zone that is kept here, with what stands in it: what
// was changed by updates, on top of the zone that settings and files make. It
// knows the zone as it is before it is signed.
type ledger struct {
	journal *zones.Journal
	begun   zones.State // as it was opened

	mu      sync.Mutex        // guards what follows
	changes []zone.Difference // all that were made; those of long ago as their sum
	head    *zone.Zone        // with the changes that are not durable yet; nil before the first and once the journal is broken
	broken  error
	at      zones.Position // of the last change
	noted   zones.Version  // the last version that did not come of a change
	full    int64          // the size from which the journal is written anew

	published zones.Position // of the last change that is answered from; Service.changing guards it
}

// openLedger opens the journal of a zone.
func openLedger(store *zones.Store, name dns.Name, log *slog.Logger) (*ledger, error) {
	j, state, err := store.Journal(name)
	if err != nil {
		return nil, err
	}
	if state.Cut > 0 {
		log.Warn("the end of a zone's journal was not whole and is cut off: a change that was never confirmed", "zone", name.String(), "octets", state.Cut)
	}
	return &ledger{journal: j, begun: state, changes: state.Changes, noted: state.Version, full: max(compactFrom, 2*j.Size())}, nil
}

// onTop gives a zone of settings and files with the changes on top of it, and
// says whether there are any. They are durable then.
func (l *ledger) onTop(base *zone.Zone) (z *zone.Zone, changed bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		l.broken = l.journal.Commit(l.at)
	}
	if l.broken != nil {
		return nil, false, l.broken
	}
	l.changes = []zone.Difference{zone.Join(l.changes...)}
	if d := l.changes[0]; d.IsEmpty() {
		l.changes = nil
	} else {
		changed = true
		base = onTop(base, d)
	}
	l.head, l.published = base, l.at
	return base, changed, nil
}

// onTop gives a zone with changes on top of it.
func onTop(z *zone.Zone, d zone.Difference) *zone.Zone {
	e := z.Edit()
	e.Overlay(d)
	return e.Zone()
}

// note notes which version is answered from by now, unless it came of a change
// that was written.
func (l *ledger) note(v zones.Version) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil && v != l.noted {
		l.broken = l.journal.Begin(v)
		l.noted = v
	}
	return l.broken
}

// digested is a zone, before it is signed, and its digest.
type digested struct {
	zone   *zone.Zone
	digest zones.Digest
}

// of gives the digest of the next version of the zone. It looks only at what is
// another since it was called last.
func (d *digested) of(z *zone.Zone) zones.Digest {
	switch {
	case z == nil:
		return zones.Digest{}
	case d.zone == nil:
		d.digest = zones.DigestOf(z)
	case d.zone != z:
		d.digest = d.digest.With(zone.Between(d.zone, z))
	}
	d.zone = z
	return d.digest
}

// change is an update that was written, and may be answered from once it is
// durable.
type change struct {
	zone *zone.Zone
	at   zones.Position
}

// editing makes the zone that comes after one, and says what differs. When
// nothing does it gives the same zone.
type editing func(*zone.Zone) (*zone.Zone, zone.Difference, error)

// update makes a change, up to the sync. Its serial comes after the one that is
// answered from.
func (l *ledger) update(edit editing, served uint32) (change, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.broken != nil:
		return change{}, l.broken
	case l.head == nil:
		return change{}, errors.New("the zone is not there yet")
	}
	head := l.head
	if zone.SerialAfter(served, head.SOA().Serial) {
		head = head.WithSerial(served) // signing has its own reasons to raise it
	}
	next, d, err := edit(head)
	if err != nil {
		return change{}, err
	}
	if next != head {
		at, err := l.journal.Write(d)
		if err != nil {
			return change{}, err
		}
		l.at, l.head = at, next
		if l.changes = append(l.changes, d); len(l.changes) > maxChanges {
			l.changes = []zone.Difference{zone.Join(l.changes...)}
		}
	}
	// Nothing changed, and yet what was asked for may stand in a change that is
	// not durable: its sync is waited for too.
	return change{l.head, l.at}, nil
}

// commit waits until a change is durable. Where that fails nobody knows what is on
// the disk, and the journal takes nothing more until it is opened anew.
func (l *ledger) commit(c change) error {
	err := l.journal.Commit(c.at)
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.broken = err
	}
	return err
}

// compact writes the journal anew when it has become long.
func (l *ledger) compact() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil || l.journal.Size() < l.full {
		return nil
	}
	if err := l.journal.Compact(keepSteps); err != nil {
		return err
	}
	l.full = max(compactFrom, 2*l.journal.Size())
	return nil
}

func (l *ledger) isBroken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken != nil
}

func (l *ledger) close() error {
	if err := l.journal.Close(); err != nil {
		return fmt.Errorf("close a journal: %w", err)
	}
	return nil
}
