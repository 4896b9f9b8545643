package zones

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/crashtest"
)

// known is what the outside knows of a journal: which version was acknowledged last, and which was tried last.
type known struct{ acknowledged, tried int }

// journalWork appends steps, compacts in between, and goes on.
func journalWork(all []*zone.Zone, d *crashtest.Disk) (k known, err error) {
	k = known{-1, -1}
	j, _, err := New(d).Journal(apex)
	if err != nil {
		return k, err
	}
	do := func(tried int, err error) error {
		k.tried = tried
		if err == nil {
			k.acknowledged = tried
			d.Note("version %d acknowledged", tried)
		}
		return err
	}
	k.tried = 0
	if err := do(0, j.Begin(version(all[0]))); err != nil {
		return k, err
	}
	for i := 1; i < len(all); i++ {
		if i == 3 || i == 5 {
			if err := j.Compact(700); err != nil {
				return k, err
			}
		}
		k.tried = i
		if err := do(i, j.Append(step(all, i))); err != nil {
			return k, err
		}
	}
	return k, j.Close()
}

// checkJournal wants a version between the acknowledged and the tried one, whole and once, and goes on from there.
func checkJournal(all []*zone.Zone, d *crashtest.Disk, k known) error {
	j, state, err := New(d).Journal(apex)
	if err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	at, err := versionOf(all, state)
	if err != nil {
		return err
	}
	// A check that was cut short may have got one further.
	if at < k.acknowledged || at > k.tried+1 {
		return fmt.Errorf("version %d survived; %d was acknowledged, and %d tried", at, k.acknowledged, k.tried)
	}
	if at < 0 || at == len(all)-1 {
		return j.Close()
	}
	if err := j.Append(step(all, at+1)); err != nil {
		return err
	}
	if err := j.Close(); err != nil {
		return err
	}
	_, state, err = New(d).Journal(apex)
	if err != nil {
		return fmt.Errorf("open once more: %w", err)
	}
	if now, err := versionOf(all, state); err != nil || now != at+1 {
		return fmt.Errorf("version %d was acknowledged, and %d is there: %w", at+1, now, err)
	}
	return nil
}

// versionOf says which version a state is of; -1 for none. All that it says must fit that version.
func versionOf(all []*zone.Zone, s State) (int, error) {
	if !s.HasVersion {
		if len(s.Changes) > 0 {
			return 0, errors.New("changes of nothing")
		}
		return -1, nil
	}
	at := int(s.Version.Serial) - 10
	if at < 0 || at >= len(all) || s.Version != version(all[at]) {
		return 0, fmt.Errorf("version %+v was never there", s.Version)
	}
	e := all[0].Edit()
	for _, d := range s.Changes {
		if err := e.Apply(d); err != nil { // strict: what is there twice, or missing, is an error
			return 0, err
		}
	}
	if !same(e.Zone(), all[at]) {
		return 0, fmt.Errorf("the changes do not lead to version %d", at)
	}
	if err := holds(all, at, s); err != nil {
		return 0, err
	}
	for i := at - s.Steps; i < at; i++ {
		d, ok := s.Past(zone.HistoryLimits{}).Since(uint32(10+i), uint32(10+at))
		e := all[i].Edit()
		if !ok || e.Apply(d) != nil || !same(e.Zone(), all[at]) {
			return 0, fmt.Errorf("the history does not lead from version %d to %d", i, at)
		}
	}
	return at, nil
}

// holds says whether the texts that the changes of a state hold are those of a version, on top of a zone with others.
func holds(all []*zone.Zone, at int, s State) error {
	e := all[0].Edit()
	for k := range at {
		name := dns.MustParseName(fmt.Sprintf("n%d.example.test.", k))
		if err := e.Put(name, zone.RRset{Type: dns.TypeTXT, Data: [][]byte{{1, '?'}}}); err != nil {
			return err
		}
	}
	e.Overlay(zone.Join(s.Changes...))
	e.SetSerial(all[at].SOA().Serial)
	if !same(e.Zone(), all[at]) {
		return fmt.Errorf("what is held is not that of version %d", at)
	}
	return nil
}

func TestJournalSurvives(t *testing.T) {
	t.Parallel()
	all := versions(t, 6)
	crashtest.Run(t, crashtest.Scenario[known]{
		Work:  func(d *crashtest.Disk) (known, error) { return journalWork(all, d) },
		Check: func(d *crashtest.Disk, k known) error { return checkJournal(all, d, k) },
	})
}

// TestShownSurvives: a killed process leaves what it wrote and did not sync. Who opens the journal then answers from that,
// and a power cut later must not take it back.
func TestShownSurvives(t *testing.T) {
	t.Parallel()
	all := versions(t, 3)
	crashtest.Run(t, crashtest.Scenario[known]{
		Work: func(d *crashtest.Disk) (k known, err error) {
			k = known{-1, len(all) - 1}
			j, _, err := New(d).Journal(apex)
			if err != nil {
				return k, err
			}
			if err := j.Begin(version(all[0])); err != nil {
				return k, err
			}
			k.acknowledged = 0
			for i := 1; i < len(all); i++ {
				if _, err := j.Write(step(all, i)); err != nil {
					return k, err
				}
			}
			if err := j.Close(); err != nil { // as a process is killed: without a sync
				return k, err
			}
			again, state, err := New(d).Journal(apex)
			if err != nil {
				return k, err
			}
			if k.acknowledged, err = versionOf(all, state); err != nil {
				return k, err
			}
			d.Note("version %d shown", k.acknowledged)
			return k, again.Close()
		},
		Check: func(d *crashtest.Disk, k known) error { return checkJournal(all, d, k) },
	})
}

// TestGroupCommitSurvives writes steps in order, and commits them at the same time.
func TestGroupCommitSurvives(t *testing.T) {
	t.Parallel()
	all := versions(t, 6)
	crashtest.Run(t, crashtest.Scenario[known]{
		Work: func(d *crashtest.Disk) (k known, err error) {
			k = known{-1, -1}
			j, _, err := New(d).Journal(apex)
			if err != nil {
				return k, err
			}
			if k.tried = 0; j.Begin(version(all[0])) != nil {
				return k, errors.New("no beginning")
			}
			k.acknowledged = 0
			var mu sync.Mutex // guards k.acknowledged and errs
			var errs error
			for i := 1; i < len(all); {
				var wg sync.WaitGroup
				for n := 0; n < 3 && i < len(all); n, i = n+1, i+1 {
					number := i
					k.tried = number
					at, err := j.Write(step(all, i))
					if err != nil {
						wg.Wait()
						return k, err
					}
					wg.Go(func() {
						err := j.Commit(at)
						mu.Lock()
						defer mu.Unlock()
						if errs = errors.Join(errs, err); err == nil {
							k.acknowledged = max(k.acknowledged, number)
						}
					})
				}
				if wg.Wait(); errs != nil {
					return k, errs
				}
			}
			return k, j.Close()
		},
		Check: func(d *crashtest.Disk, k known) error { return checkJournal(all, d, k) },
	})
}

// TestSecondarySurvives: a copy, steps, another copy, and steps again.
func TestSecondarySurvives(t *testing.T) {
	t.Parallel()
	all := versions(t, 6)
	at := func(i int) time.Time { return time.Unix(int64(1000+i), 0) }
	crashtest.Run(t, crashtest.Scenario[known]{
		Work: func(d *crashtest.Disk) (k known, err error) {
			k = known{-1, -1}
			s, err := New(d).Secondary(apex)
			if err != nil {
				return k, err
			}
			for i, z := range all {
				k.tried = i
				if i%3 == 0 {
					err = s.Replace(z, at(i))
				} else if err = s.Append(step(all, i)); err == nil {
					err = s.Journal.Refreshed(at(i))
				}
				if err != nil {
					return k, err
				}
				k.acknowledged = i
			}
			return k, s.Close()
		},
		Check: func(d *crashtest.Disk, k known) error {
			s, err := New(d).Secondary(apex)
			if err != nil {
				return fmt.Errorf("open again: %w", err)
			}
			defer func() { _ = s.Close() }()
			if s.Zone == nil {
				if k.acknowledged >= 0 || !s.Refreshed.IsZero() {
					return errors.New("the zone is gone")
				}
				return nil
			}
			i := int(s.Zone.SOA().Serial) - 10
			if i < k.acknowledged || i > k.tried || !same(s.Zone, all[i]) {
				return fmt.Errorf("version %d survived; %d was acknowledged, and %d tried", i, k.acknowledged, k.tried)
			}
			// The time may lag behind by one: it is noted after the zone.
			if k.acknowledged > 0 && s.Refreshed.Before(at(k.acknowledged)) && s.Refreshed.Before(at(i-1)) {
				return fmt.Errorf("refreshed at %d, version %d", s.Refreshed.Unix(), i)
			}
			return nil
		},
	})
}

func TestCopySurvives(t *testing.T) {
	t.Parallel()
	all := versions(t, 4)
	crashtest.Run(t, crashtest.Scenario[known]{
		Work: func(d *crashtest.Disk) (k known, err error) {
			k = known{-1, -1}
			for i, z := range all {
				k.tried = i
				if err := New(d).SaveCopy(z); err != nil {
					return k, err
				}
				k.acknowledged = i
			}
			return k, nil
		},
		Check: func(d *crashtest.Disk, k known) error {
			z, err := New(d).LoadCopy(apex)
			if errors.Is(err, fs.ErrNotExist) && k.acknowledged < 0 {
				return nil
			}
			if err != nil {
				return err
			}
			if i := int(z.SOA().Serial) - 10; i < k.acknowledged || i > k.tried || !same(z, all[i]) {
				return fmt.Errorf("version %d survived; %d was acknowledged, and %d tried", i, k.acknowledged, k.tried)
			}
			return nil
		},
	})
}
