package dnssvc

import (
	"context"
	"fmt"
	"slices"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/control"
)

// Changes tells what a zone, the domain's own unless another is named, has and
// has not on top of what settings and files make.
func (s *Service) Changes(_ context.Context, name string) (control.Changed, error) {
	st := s.current.Load()
	if name == "" {
		name = st.own().name.String()
	}
	m, err := st.named(name)
	if err == nil {
		err = m.mine()
	}
	if err != nil {
		return control.Changed{}, err
	}
	var d zone.Difference
	if m.base != nil {
		d = withoutSerial(zone.Between(m.base, m.plain))
	}
	done := control.Changed{Zone: m.name.String(), Serial: m.zone.SOA().Serial}
	done.Deleted, done.Added = listed(d, m.origins(m.name))
	return done, nil
}

// RevertRecords makes of a name what settings and files make of it.
func (s *Service) RevertRecords(_ context.Context, r control.RevertRecords) (control.Changed, error) {
	c, err := s.editAt(r.At)
	var only dns.Type
	if err == nil && r.Type != "" {
		c, only, err = s.editOf(r.At, r.Type)
	}
	if err != nil {
		return control.Changed{}, err
	}
	c.ask, c.dry, c.whole, c.hint = only, r.DryRun, true, "without a type all of the name is reverted"
	c.do = func(_ *zone.Zone, e *zone.Edit) error {
		node, _ := c.zone.base.At(c.name)
		types := []dns.Type{only}
		if only == 0 {
			types = nil
			for _, set := range append(slices.Clone(e.Sets(c.name)), node.Sets()...) {
				types = append(types, set.Type)
			}
		}
		for _, t := range types {
			made, _ := node.RRset(t)
			if err := e.Put(c.name, c.asNow(e, t, made)); err != nil {
				return fromZone(err)
			}
		}
		if e.Difference().IsEmpty() {
			return refused(control.NotFound, fmt.Sprintf("%s is as settings and files say", c.name), "utopia dns show --changes lists what is not")
		}
		return nil
	}
	return s.edit(c)
}

// asNow gives a set of settings and files; an SOA goes on with the serial that
// there is.
func (c *edit) asNow(e *zone.Edit, t dns.Type, made zone.RRset) zone.RRset {
	made.Type = t
	if t == dns.TypeSOA && len(made.Data) == 1 {
		was, _ := e.RRset(c.name, t)
		made.Data = [][]byte{numbered(dns.RR{Type: t, Data: made.Data[0]}, was).Data}
	}
	return made
}
