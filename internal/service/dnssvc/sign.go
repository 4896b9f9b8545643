package dnssvc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// Keys gives the keys that zones are signed with.
type Keys interface {
	// Of gives the keys of a zone, and makes them where there are none.
	Of(ctx context.Context, zone dns.Name) ([]*dns.SigningKey, error)
}

// Signing says how a zone is signed.
type Signing uint8

// The kinds of Signing.
const (
	Unsigned     Signing = iota
	SignedNSEC           // names that do not exist are denied by their neighbours (RFC 4034 section 4)
	SignedHashed         // by hashes of them, so that they cannot be listed (RFC 5155)
)

const (
	// keyWait bounds how long the store may take to give the keys of a zone.
	keyWait = 10 * time.Second
	// signAgain is after how long a zone is signed again that could not be.
	signAgain = time.Minute
	// signNoSooner spreads the work of zones whose signatures end at many times.
	signNoSooner = time.Second
)

// publish makes what is served of what a zone holds: with the serial that comes
// after before's when anything differs from it, and signed as it should be.
// Before is nil where nothing was served.
func (m made) publish(before *made, opts Options, now time.Time) made {
	if m.plain == nil {
		return m
	}
	if before != nil && before.plain != nil && !m.ownSerial && before.plain.SameContent(m.plain) {
		m.plain = before.plain // a later serial alone is no change
	}
	m.zone, m.renew = m.plain, time.Time{}
	if m.signing == Unsigned || opts.Keys == nil {
		return m.numbered(before, opts.Log)
	}
	signed, err := m.signed(before, opts, now)
	switch {
	case errors.Is(err, zone.ErrPresigned):
		return m.numbered(before, opts.Log)
	case err != nil:
		// Unsigned answers would be bogus where the parent says that the zone is signed.
		m = keep(m, before, err)
		m.renew, m.signingFailed = now.Add(signAgain), true
		return m
	}
	if m.signingFailed {
		m.failed, m.signingFailed = nil, false
	}
	m.zone, m.last, m.renew, m.due = signed.Zone, signed, signed.Next, false
	return m
}

// numbered gives a zone that is not signed here the serial that follows.
func (m made) numbered(before *made, log *slog.Logger) made {
	switch {
	case before == nil || before.zone == nil:
		return m
	case before.zone.SameContent(m.plain):
		if !m.ownSerial {
			m.zone = before.zone
		}
		return m
	}
	was, now := before.zone.SOA().Serial, m.plain.SOA().Serial
	switch {
	case zone.SerialAfter(now, was):
	case m.ownSerial:
		log.Warn("the zone has changed, and the serial of its SOA has not gone up: secondary servers will not notice",
			"zone", m.name.String(), "before", was, "now", now)
	default:
		m.zone = m.plain.WithSerial(was + 1)
	}
	return m
}

// signed signs a zone. Its serial is that of the zone itself where that comes
// after the one served before, and else the next one: signatures are renewed
// when the user's records have not changed, and secondary servers must notice.
func (m made) signed(before *made, opts Options, now time.Time) (zone.Signed, error) {
	ctx, cancel := context.WithTimeout(context.Background(), keyWait)
	defer cancel()
	keys, err := opts.Keys.Of(ctx, m.name)
	if err != nil {
		return zone.Signed{}, err
	}
	policy := zone.SignPolicy{NSEC3: m.signing == SignedHashed, Parent: zone.ParentPublish}
	if before == nil || before.zone == nil {
		return zone.Sign(m.plain, m.last, keys, policy, now)
	}
	last, renewed := before.last, 0
	switch {
	case last.Zone != before.zone: // it was not signed here
		last = zone.Signed{Zone: before.zone}
	case m.due:
		if last, err = zone.Renew(last, keys, policy, now, zone.DefaultRenewals); err != nil {
			return zone.Signed{}, err
		}
		renewed = last.Made
	}
	plain, was := m.plain, before.zone.SOA().Serial
	raised := zone.SerialAfter(plain.SOA().Serial, was)
	if !raised {
		plain = plain.WithSerial(was)
	}
	signed, err := zone.Sign(plain, last, keys, policy, now)
	signed.Made += renewed
	if err != nil || raised || signed.Zone == before.zone {
		return signed, err
	}
	next, err := zone.Sign(plain.WithSerial(was+1), signed, keys, policy, now)
	next.Made, next.Kept = next.Made+signed.Made, next.Kept+signed.Kept
	return next, err
}

// renewal is when the first of the zones is to be signed again; the zero time
// when none is.
func (st *state) renewal() time.Time {
	var first time.Time
	for _, m := range st.zones {
		if !m.renew.IsZero() && (first.IsZero() || m.renew.Before(first)) {
			first = m.renew
		}
	}
	return first
}

// renewing signs zones again before their signatures end, until ctx does.
func (s *Service) renewing(ctx context.Context) {
	for {
		wait := time.NewTimer(s.untilRenewal(time.Now()))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-s.replaced:
			wait.Stop()
		case <-wait.C:
			s.renew(time.Now())
		}
	}
}

// untilRenewal is how long nothing is to be signed.
func (s *Service) untilRenewal(now time.Time) time.Duration {
	const never = 24 * time.Hour
	next := s.current.Load().renewal()
	if next.IsZero() {
		return never
	}
	return max(next.Sub(now), signNoSooner)
}

// renew signs the zones whose time has come, as much as is done in a moment: others
// wait for it. The rest has its turn a second later.
func (s *Service) renew(now time.Time) {
	err := s.change(func(st *state) {
		signatures := 0
		for i, m := range st.zones {
			if m.renew.IsZero() || m.renew.After(now) || signatures >= zone.DefaultRenewals {
				continue
			}
			next := m
			next.due = true
			st.zones[i] = next.publish(&m, st.Options, now)
			signatures += st.zones[i].last.Made
			st.told(m, st.zones[i])
		}
	})
	if err != nil {
		s.current.Load().Log.Error("zones are not signed again", "err", err)
	}
}

// told says in the log what has become of a zone.
func (st *state) told(before, m made) {
	if m.zone == before.zone && m.failed == nil {
		return // nothing was due of the names that were looked at
	}
	if m.failed != nil {
		st.Log.Error("a zone cannot be signed", "zone", m.name.String(), "err", m.failed)
		return
	}
	st.Log.Debug("signed again", "zone", m.name.String(), "serial", m.zone.SOA().Serial, "signatures", m.last.Made, "next", m.renew)
}

// change puts a changed copy of the state in force. One at a time does; who
// answers meanwhile does so by the old one.
func (s *Service) change(edit func(*state)) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	next := *s.current.Load()
	next.zones = append([]made(nil), next.zones...)
	edit(&next)
	if err := s.enforce(s.current.Load(), &next); err != nil {
		return fmt.Errorf("the name server: %w", err)
	}
	return nil
}
