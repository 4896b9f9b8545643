package zones

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// Secondary is what is kept of a secondary zone: a copy, and a journal of what was transferred since.
type Secondary struct {
	*Journal
	store *Store
	// Zone is the zone as it was last kept; nil when there is none yet. Refreshed is when it was last up to date.
	Zone      *zone.Zone
	Refreshed time.Time
	Cut       int64 // as that of State
}

// Secondary opens what is kept of a secondary zone, or begins it.
func (s *Store) Secondary(apex dns.Name) (*Secondary, error) {
	j, state, err := s.Journal(apex)
	if err != nil {
		return nil, err
	}
	sec := &Secondary{Journal: j, store: s, Refreshed: state.Refreshed, Cut: state.Cut}
	if err := sec.load(state); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return sec, nil
}

func (s *Secondary) load(state State) error {
	z, err := s.store.LoadCopy(s.apex)
	if errors.Is(err, fs.ErrNotExist) {
		s.Refreshed = time.Time{} // without a copy it is the time of nothing
		return nil
	}
	if err != nil {
		return err
	}
	// A journal that does not lead on from the copy is older: a crash came between the two.
	if s.Zone, _, err = state.leadOn(z); err != nil {
		return fmt.Errorf("the journal of %s: %w", s.apex, err)
	}
	return nil
}

// Replace keeps a whole zone, durably: the copy, and then an empty journal.
func (s *Secondary) Replace(z *zone.Zone, refreshed time.Time) error {
	if err := s.store.SaveCopy(z); err != nil {
		return err
	}
	return s.Restart(Version{z.SOA().Serial, DigestOf(z)}, refreshed)
}
