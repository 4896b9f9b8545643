package dnssvc

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/state/zones"
)

// live is what a service has of its zones while it runs: the ledgers of those
// that are kept here, and those who look after the others. Service.changing
// guards it.
type live struct {
	ctx       context.Context // of those who look after zones; nil while the service does not run
	stop      context.CancelFunc
	ledgers   map[dns.Name]*ledger
	followers map[dns.Name]*follower
	keepers   map[dns.Name]*keeper
}

// withPolicies gives the zones what the settings say about them beside their
// records.
func (o Options) withPolicies(all []made) {
	all[0].policy = o.Policy
	for _, z := range o.Zones {
		name, err := zoneName(z.Name)
		i := slices.IndexFunc(all[1:], func(m made) bool { return m.name == name })
		if err == nil && i >= 0 {
			all[1+i].policy, all[1+i].primaries = z.Policy, z.Primaries
		}
	}
}

// share makes a zone that was made of settings and files of what is there already,
// as far as it is the same.
func (m *made) share(was *made) {
	if was != nil && was.base != nil && m.plain != nil {
		m.plain, m.content = m.plain.Sharing(was.base), was.content
	}
	m.base = m.plain
}

// openZones opens what is kept of the zones, and has the secondary ones looked after.
func (s *Service) openZones() {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.live = live{ledgers: map[dns.Name]*ledger{}, followers: map[dns.Name]*follower{}, keepers: map[dns.Name]*keeper{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.stopTelling = s.tellers.start()
	next := *s.current.Load()
	next.zones = slices.Clone(next.zones)
	for i, m := range next.zones {
		next.zones[i] = s.open(&next, m, nil)
	}
	// Nothing was answered from before: a serial of then is not that of a version
	// which somebody has.
	if err := s.enforce(&state{}, &next); err != nil {
		next.Log.Error("the zones do not fit together", "err", err) // cannot happen: they did before
	}
}

// closeZones closes what openZones has opened. The caller does not hold changing.
func (s *Service) closeZones() error {
	s.changing.Lock()
	was := s.live
	s.live = live{}
	s.changing.Unlock()
	if was.ctx == nil {
		return nil
	}
	was.stop()
	s.stopTelling()
	var errs []error
	for _, f := range was.followers {
		errs = append(errs, f.close())
	}
	for _, l := range was.ledgers {
		errs = append(errs, l.close())
	}
	for _, k := range was.keepers {
		errs = append(errs, k.end())
	}
	return errors.Join(errs...)
}

// retire closes what the next state has no use for any more, and journals that
// are broken, which are opened anew then. Whoever holds changing may wait for
// nobody who looks after a zone: so it is done before.
func (s *Service) retire(next *state) {
	var gone []func() error
	s.changing.Lock()
	for name, f := range s.followers {
		if m := next.find(name); m == nil || !slices.Equal(f.primaries, m.primaries) {
			delete(s.followers, name)
			gone = append(gone, f.close)
		}
	}
	for name, l := range s.ledgers {
		if m := next.find(name); m == nil || len(m.primaries) > 0 || l.isBroken() {
			delete(s.ledgers, name)
			gone = append(gone, l.close)
		}
	}
	for name, k := range s.keepers {
		if m := next.find(name); m == nil || m.last.Zone == nil {
			delete(s.keepers, name)
			gone = append(gone, k.end)
		}
	}
	s.changing.Unlock()
	for _, end := range gone {
		if err := end(); err != nil {
			next.Log.Error("what was kept of a zone cannot be closed", "err", err)
		}
	}
}

// open opens what is kept of a zone that was not looked after before, and gives
// the zone with it. Before is what was answered from, or nil.
func (s *Service) open(next *state, m made, before *made) made {
	switch {
	case s.ctx == nil:
	case len(m.primaries) > 0:
		f := newFollower(s, next, m)
		s.followers[m.name], m.sight = f, f.sight
	case next.Keep != nil && m.base != nil:
		l, err := openLedger(next.Keep, m.name, next.Log)
		if err != nil {
			next.Log.Error("the journal of a zone cannot be read: the zone is served without its changes, and takes none",
				"zone", m.name.String(), "err", err)
			return m
		}
		s.ledgers[m.name] = l
		return s.resumed(l, next, m, before)
	}
	return m
}

// resumed gives a zone with the changes of its journal, and a serial that comes
// after the last one: the same where the zone is the same.
func (s *Service) resumed(l *ledger, next *state, m made, before *made) made {
	plain, changed, err := l.onTop(m.base)
	if err != nil {
		return keep(m, before, err)
	}
	last := l.begun.Version
	same := l.begun.HasVersion && m.content.of(plain) == last.Digest
	signed := m.signing != Unsigned && next.Keys != nil
	was, goesOn := m, m.zone != nil && m.kept.goesOn(l.begun)
	switch now := plain.SOA().Serial; {
	case goesOn:
		plain = m.kept.numbered(plain, m.ownSerial)
	case same && !signed && !m.ownSerial:
		plain = plain.WithSerial(last.Serial)
	case !l.begun.HasVersion, zone.SerialAfter(now, last.Serial), m.ownSerial && !changed && !signed:
		if !changed && m.zone != nil && (m.kept.zone == nil || zone.SerialAfter(m.zone.SOA().Serial, last.Serial)) {
			s.noted(next, &m)
			return m // as it was made
		}
	case same && !signed:
		plain = plain.WithSerial(last.Serial)
	default:
		plain = plain.WithSerial(zone.NextSerial(last.Serial))
	}
	m.plain, m.ownSerial = plain, m.ownSerial && !changed
	switch {
	case !before.isNew():
		m = m.publish(before, next.Options, time.Now())
	case goesOn: // from what was made of what is kept
		m = m.publish(&was, next.Options, time.Now())
		m.follows(&was, m.difference(&was))
	default:
		m = m.publishKept(next.Options, time.Now())
	}
	if same && !signed && before == nil && m.zone != nil && m.zone.SOA().Serial == last.Serial {
		m.past = l.begun.Past(zone.HistoryLimits{})
	}
	return m
}

// renewed gives one zone its place after the one that is answered from.
func (s *Service) renewed(old, next *state, m made, now time.Time) made {
	if m.reverse != nil {
		return m // it follows from the others
	}
	before := old.find(m.name)
	l, f := s.ledgers[m.name], s.followers[m.name]
	switch {
	case f != nil:
		m.sight = f.sight
		if before != nil {
			m.plain, m.zone, m.past = before.plain, before.zone, before.past
		}
		return m
	case l != nil:
		return s.rebased(l, next, m, before, now)
	case next.after != old: // or else it was made for this
		m = succeed(before, m, next.Options, now)
	}
	return s.open(next, m, before)
}

// rebased gives a zone that settings and files make anew, with the changes on top
// of it.
func (s *Service) rebased(l *ledger, next *state, m made, before *made, now time.Time) made {
	if m.failed != nil || m.base == nil {
		return keep(m, before, m.failed)
	}
	plain, changed, err := l.onTop(m.base)
	if err != nil {
		next.Log.Error("the journal of a zone cannot be written: the zone stays as it was", "zone", m.name.String(), "err", err)
		return keep(m, before, err)
	}
	m.plain, m.ownSerial = plain, m.ownSerial && !changed
	return succeed(before, m, next.Options, now)
}

// enforce puts a state in force, with what is to be noted and told of its zones.
func (s *Service) enforce(old, next *state) error {
	if err := next.settle(time.Now()); err != nil {
		return err
	}
	var changed []dns.Name
	for i := range next.zones {
		m := &next.zones[i]
		if before := old.find(m.name); m.zone != nil && (before == nil || before.zone != m.zone) {
			d := m.difference(before)
			m.follows(before, d)
			s.noted(next, m)
			s.keepSigned(next, m, before, d)
			changed = append(changed, m.name)
		}
	}
	s.current.Store(next)
	for _, name := range changed {
		s.tellOthers(name)
	}
	for _, f := range s.followers {
		f.begin(s.ctx)
	}
	return nil
}

// difference is what makes the zone of what was served before.
func (m *made) difference(before *made) zone.Difference {
	if before == nil || before.zone == nil {
		return zone.Difference{}
	}
	return zone.Between(before.zone, m.zone)
}

// follows adds what has changed to the zone's history.
func (m *made) follows(before *made, d zone.Difference) {
	if from, to, ok := d.Serials(); ok && zone.SerialAfter(to, from) && m.past.Len() <= before.past.Len() {
		m.past = before.past.With(d, zone.HistoryLimits{})
	}
}

// noted notes the version of a zone in its journal, so that the serial goes on
// from there after a restart; a change by update stands there already, unless the
// serial was raised meanwhile.
func (s *Service) noted(st *state, m *made) {
	l := s.ledgers[m.name]
	if l == nil || m.plain == nil {
		m.updated = false
		return
	}
	digest := m.content.of(m.plain)
	if m.last.Zone == m.zone {
		digest = digest.Signed()
	}
	stands := m.updated && m.zone.SOA().Serial == m.plain.SOA().Serial
	if m.updated = false; stands {
		return
	}
	if err := l.note(zones.Version{Serial: m.zone.SOA().Serial, Digest: digest}); err != nil {
		st.Log.Error("the version of a zone cannot be noted", "zone", m.name.String(), "err", err)
	}
}
