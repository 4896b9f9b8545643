package dnssvc

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/state/zones"
)

// keptZone is a zone as it was signed before a restart; the zero one is none.
type keptZone struct {
	zone *zone.Zone
	past zone.History
}

// loadKept reads what is kept of a zone that is signed here, and puts the changes
// of its journal on top of it already, so that it is compared with its like.
func (m *made) loadKept(opts Options) {
	if opts.Keep == nil || opts.Keys == nil || m.signing == Unsigned || m.plain == nil {
		return
	}
	var err error
	m.kept.zone, m.kept.past, err = opts.Keep.LoadSigned(m.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		opts.Log.Warn("what is kept of a signed zone cannot be used: it is signed anew", "zone", m.name.String(), "err", err)
	}
	if m.kept.zone == nil {
		return
	}
	if state, err := opts.Keep.Look(m.name); err == nil { // or else it is told when the journal is opened
		m.plain = onTop(m.plain, zone.Join(state.Changes...))
	}
	m.plain = m.kept.numbered(m.plain, m.ownSerial)
}

// isNew says whether nothing was answered from a zone since the start.
func (m *made) isNew() bool { return m == nil || m.zone == nil }

// publishKept is publish for a zone that nothing was answered from since the start:
// it takes what is kept for what it was before. What is not good of that shows as
// it is compared with what signing makes of the zone of now.
func (m made) publishKept(opts Options, now time.Time) made {
	if m.kept.zone == nil {
		return m.publish(nil, opts, now)
	}
	before := made{zone: m.kept.zone, past: m.kept.past, last: zone.Signed{Zone: m.kept.zone}}
	if m.last.Zone == m.kept.zone {
		before.last = m.last
	}
	next := m.publish(&before, opts, now)
	if next.failed == nil {
		next.past = m.kept.past
		next.follows(&before, next.difference(&before))
		return next
	}
	if errors.Is(next.failed, zone.ErrNotKept) {
		opts.Log.Warn("what is kept of a signed zone cannot be used: it is signed anew", "zone", m.name.String(), "err", next.failed)
		m.kept = keptZone{}
	}
	m.last = zone.Signed{}
	return m.publish(nil, opts, now)
}

// goesOn says whether nothing was served since, by what the journal knows.
func (k keptZone) goesOn(j zones.State) bool {
	return k.zone != nil && !(j.HasVersion && zone.SerialAfter(j.Version.Serial, k.zone.SOA().Serial))
}

// numbered gives a zone the serial of what is kept, where its own is none that the
// user has chosen.
func (k keptZone) numbered(z *zone.Zone, ownSerial bool) *zone.Zone {
	if k.zone == nil || ownSerial {
		return z
	}
	return z.WithSerial(k.zone.SOA().Serial)
}

// keeper keeps a zone as it is signed, for the next start.
type keeper struct {
	*zones.Signed
	saving   sync.WaitGroup
	busy     bool      // a copy is being written; Service.changing guards it
	noSooner time.Time // than this the next one is begun, after one that failed; the same
}

// keepSigned keeps what has become of a zone. The difference is that to before,
// which is nil at the start.
func (s *Service) keepSigned(st *state, m, before *made, d zone.Difference) {
	if s.ctx == nil || st.Keep == nil || m.zone == nil || m.last.Zone != m.zone || m.reverse != nil {
		return
	}
	log := st.Log.With("zone", m.name.String())
	k := s.keepers[m.name]
	var err error
	switch {
	case k == nil:
		if k, err = s.beginKeeping(st, m); err != nil {
			log.Error("a signed zone cannot be kept: it is signed anew at the next start", "err", err)
			return
		}
	case before != nil && before.zone != nil:
		err = k.Step(d)
	}
	due := k.Due() && !k.busy && !time.Now().Before(k.noSooner)
	if due {
		err = errors.Join(err, k.Begin(m.zone.SOA().Serial))
	}
	if err != nil {
		log.Error("the changes of a signed zone cannot be kept", "err", err)
	}
	if !due || err != nil {
		return
	}
	k.busy = true
	ctx, z := s.ctx, m.zone
	k.saving.Go(func() {
		err := k.Save(ctx, z)
		s.changing.Lock()
		defer s.changing.Unlock()
		if k.busy = false; err != nil && ctx.Err() == nil {
			log.Error("the copy of a signed zone cannot be written", "err", err)
			k.noSooner = time.Now().Add(signAgain)
		}
	})
}

// beginKeeping goes on from what was kept, where the zone did.
func (s *Service) beginKeeping(st *state, m *made) (*keeper, error) {
	kept := m.kept.zone
	m.kept = keptZone{}
	signed, err := st.Keep.Signed(m.name, kept)
	if err != nil {
		return nil, err
	}
	k := &keeper{Signed: signed}
	s.keepers[m.name] = k
	if kept != nil && kept != m.zone {
		err = k.Step(zone.Between(kept, m.zone))
	}
	return k, err
}

// end gives the files back, once nobody writes.
func (k *keeper) end() error {
	k.saving.Wait()
	if err := k.Close(); err != nil {
		return fmt.Errorf("close what is kept of a signed zone: %w", err)
	}
	return nil
}
