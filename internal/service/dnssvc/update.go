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
	code := s.makeChange(st.Log.With("zone", z.name.String(), "key", key.String()), z.name, l, m, opts)
	return failure(m, code, 0)
}

// makeChange makes the changes of a message in a zone, durably, and answers from
// the zone that they make from then on.
func (s *Service) makeChange(log *slog.Logger, name dns.Name, l *ledger, m *dns.Message, opts zone.UpdateOptions) dns.Rcode {
	var served uint32
	if z := s.current.Load().find(name); z != nil && z.zone != nil {
		served = z.zone.SOA().Serial
	}
	c, err := l.update(m, opts, served)
	var refused *zone.UpdateError
	if errors.As(err, &refused) {
		log.Info("an update is refused", "code", refused.Rcode.String(), "why", err)
		return refused.Rcode
	}
	if err == nil {
		err = l.commit(c)
	}
	if err == nil {
		err = s.answerFrom(name, l, c)
	}
	if err != nil {
		log.Error("an update cannot be kept", "err", err)
		return dns.RcodeServFail
	}
	log.Info("a zone was updated", "serial", c.zone.SOA().Serial)
	if err := l.compact(); err != nil {
		log.Error("the journal of a zone cannot be written anew", "err", err)
	}
	return dns.RcodeSuccess
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
	})
}
