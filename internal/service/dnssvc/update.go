package dnssvc

import (
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// update makes the changes of an UPDATE (RFC 2136): whoever has signed it with
// a key may change what the zone's policy grants to the key. It is durable when
// the answer says NOERROR.
func (s *Service) update(m *dns.Message, key dns.Name) *dns.Message {
	if len(m.Question) != 1 {
		return failure(m, dns.RcodeFormErr, 0)
	}
	st := s.current.Load()
	z := st.find(m.Question[0].Name.Canonical())
	if z == nil || m.Question[0].Class != dns.ClassIN {
		return failure(m, dns.RcodeNotAuth, dns.EDENotAuthoritative)
	}
	grants := z.policy.grants(key)
	l := s.ledger(z.name)
	if key == "" || len(grants) == 0 || l == nil {
		return failure(m, dns.RcodeRefused, dns.EDEProhibited)
	}
	opts := zone.UpdateOptions{Allow: grants.Allow, Signed: z.signing != Unsigned && st.Keys != nil}
	log := st.Log.With("zone", z.name.String(), "key", key.String())
	err := s.makeChange(log, z.name, l, func(head *zone.Zone) (*zone.Zone, zone.Difference, error) {
		return zone.Update(head, m, opts)
	})
	var refused *zone.UpdateError
	switch {
	case err == nil:
		return failure(m, dns.RcodeSuccess, 0)
	case errors.As(err, &refused):
		log.Info("an update is refused", "code", refused.Rcode.String(), "why", err)
		return failure(m, refused.Rcode, 0)
	}
	log.Error("an update cannot be kept", "err", err)
	return failure(m, dns.RcodeServFail, 0)
}

// makeChange makes a change in a zone, durably, and answers from the zone that it
// makes from then on.
func (s *Service) makeChange(log *slog.Logger, name dns.Name, l *ledger, edit editing) error {
	var served uint32
	if z := s.current.Load().find(name); z != nil && z.zone != nil {
		served = z.zone.SOA().Serial
	}
	c, err := l.update(edit, served)
	if err != nil {
		return err
	}
	if err := l.commit(c); err != nil {
		return err
	}
	if err := s.answerFrom(name, l, c); err != nil {
		return err
	}
	log.Info("a zone was updated", "serial", c.zone.SOA().Serial)
	if err := l.compact(); err != nil {
		log.Error("the journal of a zone cannot be written anew", "err", err)
	}
	return nil
}

// ledger gives the ledger of a zone; nil for none.
func (s *Service) ledger(name dns.Name) *ledger {
	s.changing.Lock()
	defer s.changing.Unlock()
	return s.ledgers[name]
}

// answerFrom answers from a change, signed where the zone is, unless a later one
// is there already.
func (s *Service) answerFrom(name dns.Name, l *ledger, c change) error {
	now := time.Now()
	return s.change(func(st *state) {
		i := slices.IndexFunc(st.zones, func(m made) bool { return m.name == name })
		if i < 0 || s.ledgers[name] != l || c.at <= l.published {
			return
		}
		l.published = c.at
		before := st.zones[i]
		m := before
		m.plain, m.updated, m.ownSerial = c.zone, true, false
		st.zones[i] = m.publish(&before, st.Options, now)
		st.zones[i].ownSerial = before.ownSerial
		if st.zones[i].signingFailed {
			st.zones[i].plain = c.zone // which is signed when that can be done
		}
	})
}
