package dnssvc

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/crashtest"
	"github.com/network-utopia/utopia/internal/state/zones"
)

// addressesSet are what www is set to one after the other.
var addressesSet = []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}

// kept runs a service without its sockets over a disk.
func kept(opts Options, d *crashtest.Disk, do func(*Service) error) error {
	opts.Keep, opts.Log = zones.New(d), nil
	s, err := New(opts)
	if err != nil {
		return err
	}
	s.openZones()
	if err := do(s); err != nil {
		_ = s.closeZones() // the disk is gone
		return err
	}
	return s.closeZones()
}

// TestConfirmedSetsSurvive: whenever the power is cut, what a command was told is there, in the place of what the file
// says, also when that says something else by then.
func TestConfirmedSetsSurvive(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	later := opts
	later.Zones = slices.Clone(opts.Zones)
	later.Zones[0].File = writeFile(t, t.TempDir(), "later.zone", dynFile+"www A 192.0.2.90\n")
	crashtest.Run(t, crashtest.Scenario[int]{
		Work: func(d *crashtest.Disk) (confirmed int, err error) {
			err = kept(opts, d, func(s *Service) error {
				for i, address := range addressesSet {
					r := control.SetRecords{At: dynAt("www"), Type: "A", Data: []string{address}}
					if _, err := s.SetRecords(context.Background(), r); err != nil {
						return err
					}
					confirmed = i + 1
					d.Note("%s confirmed", address)
				}
				return nil
			})
			return confirmed, err
		},
		Check: func(d *crashtest.Disk, confirmed int) error {
			return kept(later, d, func(s *Service) error {
				node, _ := s.current.Load().find(dynApex).plain.At(dns.MustParseName("www.dyn.test."))
				set, _ := node.RRset(dns.TypeA)
				if len(set.Data) == 2 && confirmed == 0 {
					return nil // nothing was set
				}
				for _, address := range addressesSet[max(confirmed-1, 0):] {
					if len(set.Data) == 1 && set.Append(nil, node.Name())[0].DataString() == address {
						return nil
					}
				}
				return fmt.Errorf("%d were confirmed, and www has %v", confirmed, set.Data)
			})
		},
	})
}

// TestSetReachesSecondaries: they are told, and fetch what has changed.
func TestSetReachesSecondaries(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, dir, nil)
		p.start(p.a)
		p.start(p.b)
		time.Sleep(30 * time.Second)
		for i, address := range addressesSet {
			if got, want := set(p.a, "new", "A", address), "+new.@ 3600 A "+address; got[len(got)-len(want):] != want {
				t.Error(got)
			}
			time.Sleep(time.Second)
			p.wants("after a change", fmt.Sprint("true ", 2+i))
		}
		if n := p.b.current.Load().find(dynApex).past.Len(); n != len(addressesSet) {
			t.Errorf("%d differences have come", n)
		}
	})
}
