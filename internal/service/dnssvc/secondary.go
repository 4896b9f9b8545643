package dnssvc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/state/zones"
)

// Bounds of the times of an SOA (RFC 1035 section 3.3.13), whatever it says.
const (
	minRefresh = 30 * time.Second
	maxRefresh = 7 * 24 * time.Hour
	minExpire  = 5 * time.Minute
	maxExpire  = 8 * 7 * 24 * time.Hour
	// firstRetry is after how long a zone is asked for again of which nothing has
	// come yet; it doubles up to lastRetry.
	firstRetry = 10 * time.Second
	lastRetry  = time.Hour
	// transferTime bounds one transfer.
	transferTime = 30 * time.Minute
	// maxSteps is how large a journal of a secondary gets before the whole zone is
	// kept anew, in octets.
	maxSteps = 4 << 20
)

// follower is a secondary zone and its goroutine.
type follower struct {
	name      dns.Name
	primaries []Server
	service   *Service
	store     *zones.Store // nil: nothing lasts
	stop      context.CancelFunc
	ended     chan struct{}
	closed    error         // of the journal's end
	news      chan struct{} // of one that waits: look now
	sight     *sight        // where others see how it goes

	mu    sync.Mutex
	told  *uint32 // the serial of the last news
	first int     // which primary is asked first: the one that answered last

	// Of the goroutine alone.
	kept      *zones.Secondary
	zone      *zone.Zone
	refreshed time.Time     // when a primary last said that the zone is up to date
	failed    int           // times in a row
	pause     time.Duration // before the next try while there is no zone
}

// newFollower makes the one who looks after a secondary zone; begin has it begin.
func newFollower(s *Service, st *state, m made) *follower {
	return &follower{
		name: m.name, primaries: m.primaries, service: s, store: st.Keep,
		news: make(chan struct{}, 1), ended: make(chan struct{}), pause: firstRetry, sight: &sight{},
	}
}

// begin has it begin, once.
func (f *follower) begin(ctx context.Context) {
	if f.stop != nil {
		return
	}
	ctx, f.stop = context.WithCancel(ctx)
	go f.run(ctx)
}

// open reads what is kept of the zone. What cannot be read is fetched anew.
func (f *follower) open() {
	if f.store == nil {
		return
	}
	kept, err := f.store.Secondary(f.name)
	if err != nil {
		log := f.service.current.Load().Log.With("zone", f.name.String())
		log.Error("what is kept of a secondary zone cannot be read, and is fetched anew", "err", err)
		if err = f.store.Remove(f.name); err == nil {
			kept, err = f.store.Secondary(f.name)
		}
		if err != nil {
			log.Error("a secondary zone cannot be kept", "err", err)
			return
		}
	}
	f.kept, f.zone, f.refreshed = kept, kept.Zone, kept.Refreshed
}

// run looks after the zone until ctx ends.
func (f *follower) run(ctx context.Context) {
	defer close(f.ended)
	f.open()
	defer f.shut()
	f.report(time.Now(), nil)
	f.publish(time.Now())
	for {
		wait := f.next(time.Now())
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-f.news:
			timer.Stop()
			if f.isOldNews() {
				continue
			}
		}
		f.look(ctx)
		if ctx.Err() != nil {
			return
		}
	}
}

// close ends the goroutine.
func (f *follower) close() error {
	if f.stop != nil {
		f.stop()
		<-f.ended
	}
	return f.closed
}

// shut gives the journal back.
func (f *follower) shut() {
	if f.kept != nil {
		f.closed = f.kept.Close()
	}
}

func clamp(seconds uint32, low, high time.Duration) time.Duration {
	return min(max(time.Duration(seconds)*time.Second, low), high)
}

// expires is when the zone is not to be answered from any more.
func (f *follower) expires() time.Time {
	return f.refreshed.Add(clamp(f.zone.SOA().Expire, minExpire, maxExpire))
}

// next is how long to wait until the primaries are asked: by the SOA's refresh,
// after a failure by its retry, a little earlier each time by chance, so that
// not all zones come at once; and not beyond the time at which it expires.
func (f *follower) next(now time.Time) time.Duration {
	if f.zone == nil {
		if f.failed == 0 {
			return 0
		}
		return f.jitter(f.pause)
	}
	soa := f.zone.SOA()
	wait := f.refreshed.Add(f.jitter(clamp(soa.Refresh, minRefresh, maxRefresh))).Sub(now)
	if f.failed > 0 {
		wait = f.jitter(clamp(soa.Retry, minRefresh, maxRefresh))
	}
	if left := f.expires().Sub(now); left > 0 {
		wait = min(wait, left)
	}
	return max(wait, 0)
}

// jitter takes up to a tenth off a time.
func (f *follower) jitter(d time.Duration) time.Duration {
	return d - rand.N(d/10+1)
}

// isOldNews says whether what the last news told of is here already.
func (f *follower) isOldNews() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.told != nil && !newer(f.zone, *f.told)
}

// wake has a secondary zone looked after now.
func (s *Service) wake(name dns.Name, serial *uint32) {
	s.changing.Lock()
	f := s.followers[name]
	s.changing.Unlock()
	if f == nil {
		return
	}
	f.mu.Lock()
	f.told = serial
	f.mu.Unlock()
	select {
	case f.news <- struct{}{}:
	default: // it looks soon anyway
	}
}

// look asks the primaries in turn, and takes what is new.
func (f *follower) look(ctx context.Context) {
	st := f.service.current.Load()
	log := st.Log.With("zone", f.name.String())
	var errs []error
	for i := range f.primaries {
		at := (f.first + i) % len(f.primaries)
		err := f.ask(ctx, st, f.primaries[at])
		if err == nil {
			f.first, f.failed, f.pause = at, 0, firstRetry
			f.report(time.Now(), nil)
			f.publish(time.Now())
			return
		}
		if ctx.Err() != nil {
			return
		}
		errs = append(errs, fmt.Errorf("%s: %w", f.primaries[at].Address, err))
	}
	if f.failed++; f.failed > 1 {
		f.pause = min(2*f.pause, lastRetry)
	}
	f.report(time.Now(), errors.Join(errs...))
	log.Warn("a zone cannot be fetched", "kept", f.zone != nil, "err", errors.Join(errs...))
	f.publish(time.Now())
}

// ask asks one primary for its version, and fetches that when it is newer.
func (f *follower) ask(ctx context.Context, st *state, p Server) error {
	client, err := st.client(p.Key)
	if err != nil {
		return err
	}
	server := p.Address.String()
	a, err := client.Exchange(ctx, server, dns.NewQuery(0, f.name, dns.TypeSOA))
	if err != nil {
		return err
	}
	soa, ok := answeredSOA(a.Message, f.name)
	if !ok {
		return fmt.Errorf("it does not answer for the zone: %s", dns.Summary(a.Message))
	}
	expired := f.zone != nil && !time.Now().Before(f.expires())
	switch {
	case f.zone != nil && soa.Serial == f.zone.SOA().Serial:
		return f.upToDate()
	case !expired && !newer(f.zone, soa.Serial):
		return fmt.Errorf("%w: %d, and here is %d", errOlder, soa.Serial, f.zone.SOA().Serial)
	}
	ctx, cancel := context.WithTimeout(ctx, transferTime)
	defer cancel()
	if f.zone != nil && !expired {
		if err = f.fetch(ctx, client.Transfer(server, dnsclient.NewIXFR(f.name, f.zone.SOA().Serial))); err == nil || ctx.Err() != nil {
			return err
		}
		st.Log.Debug("the changes of a zone cannot be fetched: the whole zone is", "zone", f.name.String(), "server", server, "err", err)
	}
	return f.fetch(ctx, client.Transfer(server, dnsclient.NewAXFR(f.name)))
}

// answeredSOA gives the SOA of an authoritative answer.
func answeredSOA(m *dns.Message, name dns.Name) (dns.SOA, bool) {
	if m.Rcode != dns.RcodeSuccess || !m.Authoritative {
		return dns.SOA{}, false
	}
	i := slices.IndexFunc(m.Answer, func(rr dns.RR) bool { return rr.Type == dns.TypeSOA && rr.Name.Equal(name) })
	if i < 0 {
		return dns.SOA{}, false
	}
	return m.Answer[i].SOA()
}

// upToDate notes that the zone is as a primary has it.
func (f *follower) upToDate() error {
	f.refreshed = time.Now()
	if f.kept == nil {
		return nil
	}
	if f.kept.Size() > maxSteps {
		return f.kept.Replace(f.zone, f.refreshed)
	}
	return f.kept.Journal.Refreshed(f.refreshed)
}

// fetch takes a transfer in. Nothing of it counts before it has come to its end.
func (f *follower) fetch(ctx context.Context, t *dnsclient.Transfer) error {
	in := incoming{follower: f, builder: zone.NewBuilder(f.name)}
	for rr, err := range t.Records(ctx) {
		if err != nil {
			return err
		}
		if err := in.take(rr); err != nil {
			return err
		}
	}
	switch t.Kind() {
	case dnsclient.TransferUpToDate:
		return f.upToDate()
	case dnsclient.TransferDifferences:
		return in.differences()
	}
	return in.whole()
}

// publish answers from the zone as it is by now, or no longer when it has run
// out.
func (f *follower) publish(now time.Time) {
	z := f.zone
	if z != nil && !now.Before(f.expires()) {
		z = nil
	}
	err := f.service.change(func(st *state) {
		i := slices.IndexFunc(st.zones, func(m made) bool { return m.name == f.name })
		if i < 0 || f.service.followers[f.name] != f || st.zones[i].zone == z {
			return
		}
		log := st.Log.With("zone", f.name.String())
		if z == nil {
			log.Error("a zone has run out: its primaries could not be reached for too long, and it is not answered from any more")
		} else {
			log.Info("a zone is as its primary has it", "serial", z.SOA().Serial)
		}
		st.zones[i].plain, st.zones[i].zone = z, z
	})
	if err != nil {
		f.service.current.Load().Log.Error("a zone cannot be answered from", "zone", f.name.String(), "err", err)
	}
}
