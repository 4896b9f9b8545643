package dnssvc

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/host/emunet"
)

// restarts is a signed zone dyn.test. that is started again and again on what is kept.
type restarts struct {
	*testing.T
	opts Options
	path string // of the zone's file
	dir  string // of what is kept
	log  bytes.Buffer
	now  *Service
	last zone.Signed // as the zone was signed first
}

func newRestarts(t *testing.T, ownSigning, signing Signing) *restarts {
	t.Helper()
	r := &restarts{T: t, dir: t.TempDir()}
	r.opts, r.path = dynamic(t, t.TempDir())
	r.opts.Log = slog.New(slog.NewTextHandler(&r.log, nil))
	r.opts.Keys, r.opts.Signing, r.opts.Zones[0].Signing = &heldKeys{}, ownSigning, signing
	r.start()
	return r
}

// start starts anew on what is kept by now.
func (r *restarts) start() {
	r.Helper()
	r.log.Reset()
	r.opts.Keep = keepIn(r.T, r.dir)
	r.now = newService(r.T, r.opts)
	r.last = r.now.current.Load().find(dynApex).last
	if err := r.now.Start(r.Context()); err != nil {
		r.Fatal(err)
	}
}

// stop stops, once copies are written.
func (r *restarts) stop() {
	r.Helper()
	r.saved()
	if err := r.now.Stop(context.Background()); err != nil {
		r.Fatal(err)
	}
}

// saved waits until what is to be written is.
func (r *restarts) saved() {
	r.Helper()
	waitSaved(r.T, r.now)
}

func waitSaved(t testing.TB, s *Service) {
	t.Helper()
	for range 10_000 {
		s.changing.Lock()
		k := s.keepers[dynApex]
		done := k != nil && !k.busy && !k.Due()
		s.changing.Unlock()
		if done {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("no copy was written")
}

func (r *restarts) made() *made { return r.now.current.Load().find(dynApex) }

func (r *restarts) update(name string) {
	r.Helper()
	if m := r.now.update(message(addText(r.T, name, "a")), laptop.Name); m.Rcode != dns.RcodeSuccess {
		r.Fatal(m.Rcode)
	}
}

// wants wants the serial of now, all to be as it is signed from nothing, and a history from a serial.
func (r *restarts) wants(what string, serial, since uint32) {
	r.Helper()
	m := r.made()
	keys, err := r.opts.Keys.Of(r.Context(), dynApex)
	if err != nil {
		r.Fatal(err)
	}
	policy := zone.SignPolicy{NSEC3: m.signing == SignedHashed, Parent: zone.ParentPublish}
	afresh, err := zone.Sign(m.plain.WithSerial(serial), zone.Signed{}, keys, policy, time.Now())
	if err != nil {
		r.Fatal(err)
	}
	if got := m.zone.SOA().Serial; got != serial {
		r.Errorf("%s: serial %d, want %d", what, got, serial)
	}
	if d := zone.Between(m.zone, afresh.Zone); len(d.Added)+len(d.Deleted) > 0 {
		r.Errorf("%s: what is served is not what signing makes: %v", what, d)
	}
	if since == 0 {
		if n := m.past.Len(); n > 0 {
			r.Errorf("%s: %d steps of the past", what, n)
		}
		return
	}
	if d, ok := m.past.Since(since, serial); !ok {
		r.Errorf("%s: no history since %d", what, since)
	} else if from, to, _ := d.Serials(); from != since || to != serial {
		r.Errorf("%s: a history from %d to %d", what, from, to)
	}
}

// TestRestartOfASignedZone: what has not changed is served as it was, by serial, signatures and history.
func TestRestartOfASignedZone(t *testing.T) {
	t.Parallel()
	for ownSigning, signing := range map[Signing]Signing{Unsigned: SignedNSEC, SignedNSEC: SignedHashed} {
		r := newRestarts(t, ownSigning, signing)
		own := r.now.current.Load().own().zone.SOA().Serial
		r.wants("at first", 1, 0)
		r.saved()
		r.update("a")
		r.update("b")
		r.wants("after two updates", 3, 1)
		r.stop()
		for range 2 {
			time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // the clock is no reason
			r.start()
			r.wants("started again", 3, 1)
			if got := r.now.current.Load().own().zone.SOA().Serial; got != own {
				t.Errorf("the domain's own zone has serial %d, and had %d", got, own)
			}
			if m := r.made(); r.last.Made+m.last.Made > 0 || r.last.Kept < 10 {
				t.Errorf("%d and %d signatures are new, %d were kept", r.last.Made, m.last.Made, r.last.Kept)
			}
			if r.log.Len() > 0 {
				t.Error(r.log.String())
			}
			r.stop()
		}
		r.start()
		r.update("c")
		r.stop()
		manyNames(t, r.path, 1) // a name more in the file
		r.start()
		r.wants("with another file", 5, 1)
		if m := r.made(); r.last.Made > 8 || r.last.Kept < 10 || m.last.Made > 0 {
			t.Errorf("%d and %d signatures are new, %d were kept", r.last.Made, m.last.Made, r.last.Kept)
		}
		r.stop()
		r.opts.Zones[0].Signing = Unsigned
		r.start()
		if m := r.made(); m.zone.Signed() || !zone.SerialAfter(m.zone.SOA().Serial, 5) {
			t.Error("signed still, or serial", m.zone.SOA().Serial)
		}
		if err := r.now.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.opts.Zones[0].Signing = signing
		r.start()
		r.wants("signed again", 7, 5)
		r.stop()
		r.opts.Zones[0].Signing = SignedNSEC + SignedHashed - signing
		r.start()
		r.wants("with the other chain", 8, 5)
		r.stop()
	}
}

// TestRestartWithTheUsersSerial: the serial of the user's file goes first where it is later, also after a restart.
func TestRestartWithTheUsersSerial(t *testing.T) {
	t.Parallel()
	r := newRestarts(t, Unsigned, SignedNSEC)
	r.update("a")
	r.stop()
	writeFile(t, filepath.Dir(r.path), "dyn.zone", string(bytes.Replace([]byte(dynFile), []byte("host 1 "), []byte("host 70 "), 1)))
	r.start()
	r.wants("a later serial in the file", 70, 2)
	r.stop()
	r.start()
	r.wants("and again", 70, 2)
	r.stop()
}

// TestRestartAfterACrash: steps that were lost leave no serial that is used twice, and no history with a gap.
func TestRestartAfterACrash(t *testing.T) {
	t.Parallel()
	r := newRestarts(t, Unsigned, SignedNSEC)
	r.saved()
	r.update("a")
	steps := filepath.Join(r.dir, "dyn.test.signed-steps")
	kept, err := os.ReadFile(steps)
	if err != nil {
		t.Fatal(err)
	}
	r.update("b")
	r.update("c")
	r.stop()
	if err := os.WriteFile(steps, append(kept, 0, 0, 3), 0o600); err != nil { // what the disk had of it
		t.Fatal(err)
	}
	r.start()
	r.wants("the last two steps are lost", 5, 2)
	if _, tr := fetch(t, r.now, dnsclient.NewIXFR(dynApex, 3), &courier, true); tr.Kind() != dnsclient.TransferWhole {
		t.Errorf("of a version that was lost: %s", tr.Kind())
	}
	r.stop()
	r.start()
	r.wants("started again", 5, 2)
	r.stop()
	for _, lost := range []struct {
		file          string
		serial, since uint32
	}{{"dyn.test.signed-steps", 6, 1}, {"dyn.test.signed", 7, 0}, {"dyn.test.journal", 8, 7}} {
		if err := os.Remove(filepath.Join(r.dir, lost.file)); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.wants(lost.file+" is lost", lost.serial, lost.since)
		r.stop()
	}
}

// TestRestartWithBadCopies: what is damaged, of other keys, or has other signatures is not served.
func TestRestartWithBadCopies(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(r *restarts)
		told  bool // and nothing of it is used
	}{
		"a bit": {func(r *restarts) {
			path := filepath.Join(r.dir, "dyn.test.signed")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			data[200] ^= 1
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}, true},
		"keys": {func(r *restarts) { r.opts.Keys = &heldKeys{} }, false},
		"a signature": {func(r *restarts) {
			e := r.made().zone.Edit()
			set, _ := e.RRset(dynApex, dns.TypeRRSIG)
			set.Data = slices.Clone(set.Data)
			set.Data[0] = slices.Clone(set.Data[0])
			set.Data[0][len(set.Data[0])-1] ^= 1
			if err := e.Put(dynApex, set); err != nil {
				t.Fatal(err)
			}
			r.keep(e.Zone())
		}, true},
		"another zone's records": {func(r *restarts) {
			e := r.made().zone.Edit()
			if err := e.Add(addText(t, "foreign", "a")); err != nil {
				t.Fatal(err)
			}
			r.keep(e.Zone())
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRestarts(t, Unsigned, SignedNSEC)
			r.update("a")
			r.stop()
			tt.spoil(r)
			r.start()
			if got := r.made().zone.SOA().Serial; got != 3 {
				t.Errorf("serial %d", got)
			}
			validated(t, r.now, "a.dyn.test.", dns.TypeTXT)
			if _, ok := r.made().zone.At(dns.MustParseName("foreign.dyn.test.")); ok {
				t.Error("a record of the copy is served")
			}
			since := uint32(2)
			if tt.told {
				since = 0
			}
			r.wants(name, 3, since)
			if told := bytes.Contains(r.log.Bytes(), []byte("signed anew")); told != tt.told {
				t.Errorf("the log says %s", r.log.String())
			}
			r.stop()
			r.start()
			r.wants("started again", 3, since)
			r.stop()
		})
	}
}

// keep puts a zone where the signed copy is.
func (r *restarts) keep(z *zone.Zone) {
	r.Helper()
	k, err := r.opts.Keep.Signed(dynApex, nil)
	if err == nil {
		err = errors.Join(k.Begin(z.SOA().Serial), k.Save(r.Context(), z), k.Close())
	}
	if err != nil {
		r.Fatal(err)
	}
}

// TestKeepingFails: a folder that takes no copies is told of, and the zone is served all the same.
func TestKeepingFails(t *testing.T) {
	t.Parallel()
	r := newRestarts(t, Unsigned, SignedNSEC)
	r.stop()
	if err := os.Remove(filepath.Join(r.dir, "dyn.test.signed")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(r.dir, "dyn.test.signed.new"), 0o700); err != nil { // where the draft belongs
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "dyn.test.signed.new", "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.update("a")
	validated(t, r.now, "a.dyn.test.", dns.TypeTXT)
	if err := r.now.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := keepIn(t, r.dir).LoadSigned(dynApex); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a copy is there", err)
	}
	if !bytes.Contains(r.log.Bytes(), []byte("the copy of a signed zone cannot be written")) {
		t.Errorf("the log says %s", r.log.String())
	}
}

// TestRestartWithoutKeys: a zone whose keys cannot be had is missing, whatever is kept of it, and goes on once they are
// there.
func TestRestartWithoutKeys(t *testing.T) {
	t.Parallel()
	r := newRestarts(t, Unsigned, SignedNSEC)
	r.saved()
	r.update("a")
	r.stop()
	keys := r.opts.Keys.(*heldKeys)
	keys.fail(errors.New("the store is gone"))
	r.start()
	if m := r.made(); m.zone != nil || m.failed == nil {
		t.Errorf("served, %v", m.failed)
	}
	keys.fail(nil)
	r.opts.Before = r.now
	if !r.now.Replace(newService(t, r.opts)) {
		t.Fatal("not replaced")
	}
	r.opts.Before = nil
	r.wants("the keys are back", 2, 1)
	r.update("b")
	r.wants("and an update", 3, 1)
	r.stop()
}

// TestRestartAfterWeeks: signatures that have run out meanwhile are made anew, those that are good for long are kept.
func TestRestartAfterWeeks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := emunet.New(1)
		t.Cleanup(func() { _ = n.Close() })
		dir := t.TempDir()
		opts, _ := dynamic(t, t.TempDir())
		opts.Keys, opts.Zones[0].Signing = &heldKeys{}, SignedHashed
		opts.Host, opts.Addresses = n.Host("ns", "192.0.2.53"), []netip.Addr{netip.MustParseAddr("192.0.2.53")}
		serial := uint32(0)
		for _, away := range []time.Duration{0, time.Hour, 5 * 24 * time.Hour, 21 * 24 * time.Hour, 0} {
			time.Sleep(away)
			opts.Keep = keepIn(t, dir)
			s := newService(t, opts)
			first := s.current.Load().find(dynApex).last
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			waitSaved(t, s)
			for _, name := range []string{"www", "no"} {
				validated(t, s, name+".dyn.test.", dns.TypeA)
			}
			m := s.current.Load().find(dynApex)
			if changed := first.Made > 0; changed != (m.zone.SOA().Serial != serial) || away > 14*24*time.Hour && first.Made < 10 ||
				away == 0 && serial > 0 && changed || m.zone.SOA().Serial < serial || !m.renew.After(time.Now()) {
				t.Errorf("away for %v: serial %d after %d, %d signatures are new, %d were kept", away, m.zone.SOA().Serial, serial, first.Made, first.Kept)
			}
			serial = m.zone.SOA().Serial
			if err := s.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestSerialRaisedMeanwhile: an update whose serial somebody else has taken by the time that it is answered from is noted
// with the one that it gets, so that no start uses that again.
func TestSerialRaisedMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRestarts(t, Unsigned, SignedNSEC)
	l := r.now.ledger(dynApex)
	opts := zone.UpdateOptions{Allow: func(dns.Name, dns.Type) bool { return true }}
	c, err := l.update(func(head *zone.Zone) (*zone.Zone, zone.Difference, error) {
		return zone.Update(head, message(addText(t, "a", "a")), opts)
	}, 1)
	if err == nil {
		err = l.commit(c)
	}
	if err != nil {
		t.Fatal(err)
	}
	err = r.now.change(func(st *state) { // as a renewal does
		m := st.find(dynApex)
		before := *m
		m.plain = m.plain.WithSerial(2)
		*m = m.publish(&before, st.Options, time.Now())
	})
	if err != nil || c.zone.SOA().Serial != 2 {
		t.Fatal(c.zone.SOA().Serial, err)
	}
	if err := r.now.answerFrom(dynApex, l, c); err != nil {
		t.Fatal(err)
	}
	r.wants("the update", 3, 1)
	r.stop()
	for _, file := range []string{"dyn.test.signed", "dyn.test.signed-steps"} {
		if err := os.Remove(filepath.Join(r.dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	r.start()
	r.wants("started on the journal alone", 4, 0)
	validated(t, r.now, "a.dyn.test.", dns.TypeTXT)
	r.stop()
}
