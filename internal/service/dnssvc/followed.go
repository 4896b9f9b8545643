package dnssvc

import (
	"sync/atomic"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/control"
)

// followed is what is to be told of a secondary zone. The one who looks after
// the zone replaces it; it is read at any time.
type followed struct {
	refreshed   time.Time // when a primary last said that the zone is up to date; zero for never
	transferred time.Time // when the version at hand came, since the start
	expires     time.Time
	tried       time.Time // when the primaries were last asked
	failure     string    // why that was in vain; "" when it was not
	zone        *zone.Zone
}

// report notes how the last look at the primaries went.
func (f *follower) report(now time.Time, failure error) {
	next := followed{refreshed: f.refreshed, tried: now, zone: f.zone}
	if was := f.sight.seen.Load(); was != nil {
		next.transferred = was.transferred
		if f.zone != nil && f.zone != was.zone {
			next.transferred = now
		}
	} else {
		next.tried = time.Time{} // it has only read what was kept
	}
	if failure != nil {
		next.failure = failure.Error()
	}
	if f.zone != nil {
		next.expires = f.expires()
	}
	f.sight.seen.Store(&next)
}

// sight is where a zone's followed is found; all states share it.
type sight struct{ seen atomic.Pointer[followed] }

// describeFollowed tells of a secondary zone.
func (m *made) describeFollowed(z *control.Zone) {
	for _, p := range m.primaries {
		z.Primaries = append(z.Primaries, p.Address.String())
	}
	if m.sight == nil {
		return
	}
	if f := m.sight.seen.Load(); f != nil {
		z.Refreshed, z.Transferred, z.Expires, z.Tried, z.Failure = f.refreshed, f.transferred, f.expires, f.tried, f.failure
	}
}

// signedUntil is when the first of the signatures at the zone's own name ends;
// zero where it has none. Those of other names end within SignPolicy.Jitter of
// it, where they were made here.
func signedUntil(z *zone.Zone, now time.Time) (first time.Time) {
	set, ok := z.Top().RRset(dns.TypeRRSIG)
	if !ok {
		return time.Time{}
	}
	for _, data := range set.Data {
		sig, ok := dns.RR{Name: z.Apex(), Type: dns.TypeRRSIG, Class: dns.ClassIN, Data: data}.RRSIG()
		if !ok {
			continue
		}
		if end := sig.Expires(now); first.IsZero() || end.Before(first) {
			first = end
		}
	}
	return first
}

// describeSigning tells of the signatures of a zone that is there.
func (m *made) describeSigning(z *control.Zone, now time.Time) {
	z.Signed = m.zone.Top().Has(dns.TypeDNSKEY)
	z.SignedUntil, z.Resign = signedUntil(m.zone, now), m.renew
	if z.Signed && m.zone.Top().Has(dns.TypeNSEC3PARAM) {
		z.Denial = dns.TypeNSEC3.String()
	} else if z.Signed {
		z.Denial = dns.TypeNSEC.String()
	}
}
