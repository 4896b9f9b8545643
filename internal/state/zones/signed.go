package zones

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

const (
	// keepPast is how much of the steps of a signed zone stays for IXFR, in octets.
	keepPast = zone.DefaultHistoryOctets
	// The copy of a signed zone is written anew when its steps have half its size; these are the least and the most
	// octets of them.
	fewSteps  = 4 << 20
	manySteps = 64 << 20
)

// Signed keeps a zone as it was signed here, so that a restart need not sign it again: a copy, and the steps since.
// Steps are not synced one by one. After a power cut an older version may be what is kept, and never half of one:
// what is missing can be signed again. Its methods are safe for concurrent use, but for two Saves at once.
type Signed struct {
	journal *Journal
	store   *Store
	apex    dns.Name

	mu     sync.Mutex
	serial uint32 // of the version that the steps lead to
	begun  bool   // there is such a version
	copied bool   // a copy is there that the steps lead on from
	full   int64  // octets of steps from which it is written anew
}

// LoadSigned reads what is kept of a zone as it was signed, and its past. Without anything the error is
// fs.ErrNotExist; a copy that is damaged or of another zone is an error too, and is to be passed over.
func (s *Store) LoadSigned(apex dns.Name) (*zone.Zone, zone.History, error) {
	z, past, err := s.loadSigned(apex)
	if err != nil {
		return nil, zone.History{}, fmt.Errorf("the signed copy of %s: %w", apex, err)
	}
	return z, past, nil
}

func (s *Store) loadSigned(apex dns.Name) (*zone.Zone, zone.History, error) {
	z, err := s.loadCopy(apex, signedEnd)
	if err != nil {
		return nil, zone.History{}, err
	}
	j := s.newJournal(apex, stepsEnd)
	state, err := j.look()
	if errors.Is(err, fs.ErrNotExist) {
		return z, zone.History{}, nil
	}
	if err != nil {
		return nil, zone.History{}, err
	}
	// Steps that do not lead on from the copy are older: a crash came between the two.
	z, ok, err := state.leadOn(z)
	if err != nil || !ok {
		return z, zone.History{}, err
	}
	return z, state.Past(zone.HistoryLimits{}), nil
}

// Signed opens what is kept of a zone as it was signed, to be continued. Kept is what LoadSigned gave, or nil: then
// what there may be goes, and a copy is due.
func (s *Store) Signed(apex dns.Name, kept *zone.Zone) (*Signed, error) {
	if kept == nil {
		for _, end := range [...]string{signedEnd, stepsEnd} {
			if err := s.f.Remove(fileName(apex) + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("the signed copy of %s: %w", apex, err)
			}
		}
	}
	j, state, err := s.journal(apex, stepsEnd)
	if err != nil {
		return nil, err
	}
	k := &Signed{journal: j, store: s, apex: apex.Canonical(), serial: state.Version.Serial, begun: state.HasVersion, copied: kept != nil, full: fewSteps}
	if kept != nil {
		k.full, err = k.limit()
		if err == nil {
			err = k.Begin(kept.SOA().Serial)
		}
	}
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return k, nil
}

// limit gives from how many octets of steps the copy is written anew.
func (s *Signed) limit() (int64, error) {
	info, err := s.store.f.Stat(fileName(s.apex) + signedEnd)
	if err != nil {
		return 0, fmt.Errorf("the signed copy of %s: %w", s.apex, err)
	}
	return max(fewSteps, min(info.Size()/2, manySteps)), nil
}

// Begin says that the next step leads on from the version with a serial; where the last one does not lead to it, there
// is a gap.
func (s *Signed) Begin(serial uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun && s.serial == serial {
		return nil
	}
	if _, err := s.journal.write(appendVersion(nil, Version{Serial: serial})); err != nil {
		return err
	}
	s.serial, s.begun = serial, true
	return nil
}

// Step keeps what made the next version. Where it does not lead on from the last one, or is too large, a copy is due.
func (s *Signed) Step(d zone.Difference) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, to, ok := d.Serials()
	if !ok || !s.begun || from != s.serial {
		s.copied = false
		return nil
	}
	_, err := s.journal.Write(d)
	switch {
	case err == nil:
		s.serial = to
	case errors.Is(err, ErrTooLarge):
		s.copied, err = false, nil
	default:
		s.copied = false
	}
	return err
}

// Due says whether a copy is to be written: there is none that leads to the version of now, or the steps since are
// many.
func (s *Signed) Due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.copied || s.journal.Size() > s.full
}

// Save writes the copy anew, durably, and takes away the steps that nobody needs any more. Begin was called for the
// zone, and Step with what came since. When ctx ends the copy stays as it was.
func (s *Signed) Save(ctx context.Context, z *zone.Zone) error {
	if err := s.store.saveCopy(ctx, z, signedEnd); err != nil {
		return fmt.Errorf("the signed copy of %s: %w", s.apex, err)
	}
	full, err := s.limit()
	if err == nil {
		err = s.journal.trim(z.SOA().Serial, keepPast)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full, s.copied = full, true
	return nil
}

// Close makes all steps durable, and gives the files back.
func (s *Signed) Close() error {
	s.journal.mu.Lock()
	at := Position(s.journal.written)
	s.journal.mu.Unlock()
	return errors.Join(s.journal.Commit(at), s.journal.Close())
}
