package dnssvc

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/authority"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/state/zones"
)

// What commands change goes the way of an UPDATE: into the zone's journal, and
// out of it on top of what settings and files make. Whoever has the control
// socket needs no grant; what the server makes itself stays its own.

// edit is a change of one zone, before it is made.
type edit struct {
	zone     *made
	ledger   *ledger
	name     dns.Name // at and below which it is
	ask      dns.Type // what the answer is told of; 0 for nothing
	whole    bool     // it is about whole sets, which are held from then on
	dry      bool     // it is only tried
	hint     string   // for who meets an alias
	warnings []string
	do       func(head *zone.Zone, e *zone.Edit) error
}

// SetRecords makes records all that a name owns of their type.
func (s *Service) SetRecords(_ context.Context, r control.SetRecords) (control.Changed, error) {
	c, t, err := s.editOf(r.At, r.Type)
	if err != nil {
		return control.Changed{}, err
	}
	records, err := dataOf(c, t, r.Data)
	if err != nil {
		return control.Changed{}, err
	}
	if len(records) == 0 {
		return control.Changed{}, refused(control.Invalid, "there is nothing to set: no data are given", "utopia dns delete takes records away")
	}
	if r.TTL != nil {
		if err := checkTTL(*r.TTL); err != nil {
			return control.Changed{}, err
		}
	}
	usual := s.current.Load().ttl()
	c.ask, c.dry, c.whole, c.hint = t, r.DryRun, !r.Add || r.Only, "--only takes away what else the name owns"
	c.do = func(_ *zone.Zone, e *zone.Edit) error {
		was, there := e.RRset(c.name, t)
		ttl := usual
		switch {
		case r.TTL != nil:
			ttl = *r.TTL
		case there:
			ttl = was.TTL
		}
		for _, set := range slices.Clone(e.Sets(c.name)) {
			if set.Type == t && !r.Add || set.Type != t && r.Only && !c.staysAt(set.Type) {
				_ = e.Put(c.name, zone.RRset{Type: set.Type}) // nothing is put
			}
		}
		for _, rr := range records {
			rr.TTL = ttl
			if err := e.Add(numbered(rr, was)); err != nil {
				return fromZone(err)
			}
		}
		return nil
	}
	return s.edit(c)
}

// checkTTL says what is wrong with a TTL (RFC 2181 section 8).
func checkTTL(seconds uint32) error {
	if seconds > dns.MaxTTL {
		return refused(control.Invalid, fmt.Sprintf("a TTL of %d seconds; %d are the most", seconds, dns.MaxTTL), "")
	}
	return nil
}

// DeleteRecords takes away records, all of a type, or all of a name.
func (s *Service) DeleteRecords(_ context.Context, r control.DeleteRecords) (control.Changed, error) {
	if r.All != (r.Type == "") || r.All && len(r.Data) > 0 {
		return control.Changed{}, refused(control.Invalid, "which records? give a type, or --all for all that the name owns", "")
	}
	if r.All {
		return s.deleteAll(r)
	}
	c, t, err := s.editOf(r.At, r.Type)
	if err != nil {
		return control.Changed{}, err
	}
	records, err := dataOf(c, t, r.Data)
	if err != nil {
		return control.Changed{}, err
	}
	if t == dns.TypeSOA && c.name.Equal(c.zone.name) {
		return control.Changed{}, refused(control.Invalid, "a zone is none without its SOA record", "utopia dns set @ SOA changes what is in it")
	}
	c.ask, c.dry, c.whole = t, r.DryRun, len(records) == 0
	c.do = func(_ *zone.Zone, e *zone.Edit) error {
		if _, there := e.RRset(c.name, t); !there {
			return c.notThere(e, t.String()+" records")
		}
		if len(records) == 0 {
			return e.Put(c.name, zone.RRset{Type: t})
		}
		for _, rr := range records {
			if !e.Delete(rr) {
				return c.notThere(e, t.String()+" record "+rr.DataString())
			}
		}
		return nil
	}
	return s.edit(c)
}

// deleteAll takes all of a name away.
func (s *Service) deleteAll(r control.DeleteRecords) (control.Changed, error) {
	c, err := s.editAt(r.At)
	if err != nil {
		return control.Changed{}, err
	}
	c.dry, c.whole = r.DryRun, true
	c.do = func(_ *zone.Zone, e *zone.Edit) error {
		var gone []dns.Type
		for _, set := range e.Sets(c.name) {
			if !c.staysAt(set.Type) {
				gone = append(gone, set.Type)
			}
		}
		if len(gone) == 0 {
			return c.notThere(e, "records that can be deleted")
		}
		for _, t := range gone {
			_ = e.Put(c.name, zone.RRset{Type: t}) // nothing is put
		}
		return nil
	}
	if owned, _ := c.zone.plain.At(c.name); len(owned.Sets()) > 0 {
		c.ask = owned.Sets()[0].Type
	}
	return s.edit(c)
}

// staysAt says whether records of a type stay where all of the name go: a zone's
// SOA and NS.
func (c *edit) staysAt(t dns.Type) bool {
	return c.name.Equal(c.zone.name) && (t == dns.TypeSOA || t == dns.TypeNS)
}

// notThere says that something is not there, and what is.
func (c *edit) notThere(e *zone.Edit, what string) error {
	text := fmt.Sprintf("%s owns no %s", c.name, what)
	var there []string
	for _, set := range e.Sets(c.name) {
		if len(set.Data) == 1 {
			there = append(there, set.Type.String()+" "+set.Append(nil, c.name)[0].DataString())
		} else {
			there = append(there, fmt.Sprintf("%d %s", len(set.Data), set.Type))
		}
	}
	if len(there) > 0 {
		text += "; there is " + strings.Join(there, ", ")
	}
	return refused(control.NotFound, text, "utopia dns show lists what is there")
}

// editOf begins a change of the records of a name and type.
func (s *Service) editOf(at control.At, kind string) (*edit, dns.Type, error) {
	t, err := dns.ParseType(kind)
	switch {
	case err != nil:
		return nil, 0, refused(control.Invalid, err.Error(), "such as A, AAAA, CNAME, MX or TXT")
	case t.IsMeta():
		return nil, 0, refused(control.Invalid, t.String()+" stands in messages alone: no name owns such records", "")
	case zone.IsSigned(t):
		return nil, 0, refused(control.Invalid, t.String()+" records are made when a zone is signed: nobody else changes them",
			"dns.dnssec in utopia.toml says how zones are signed")
	}
	c, err := s.editAt(at)
	return c, t, err
}

// editAt begins a change at a name. The zone must be one that may be changed here.
func (s *Service) editAt(at control.At) (*edit, error) {
	m, name, err := s.current.Load().within(at)
	if m != nil {
		err = cmp.Or(m.mine(), err)
	}
	if err != nil {
		return nil, err
	}
	if m.plain.Signed() || m.plain.Top().Has(dns.TypeDNSKEY) {
		return nil, refused(control.Conflict, fmt.Sprintf("%s comes with signatures of its own, which a change here would make wrong", m.name),
			"change its file and sign it again; then: utopia reload")
	}
	l := s.ledger(m.name)
	if l == nil {
		return nil, refused(control.Conflict, fmt.Sprintf("%s has no journal that changes could be kept in", m.name),
			"the log says why; when that is mended: utopia reload")
	}
	return &edit{zone: m, ledger: l, name: name}, nil
}

// mine says why nothing of a zone is changed here that is kept elsewhere, or
// follows another.
func (m *made) mine() error {
	switch {
	case m.reverse != nil:
		return refused(control.Conflict, fmt.Sprintf("%s follows the address of %s", m.name, m.reverse.host.name),
			"change that, or have a zone of your own for such names in dns.zones")
	case len(m.primaries) == 0:
		return nil
	}
	return refused(control.Conflict, fmt.Sprintf("%s is fetched from its primary: what is changed here would be overwritten", m.name),
		"change it there: "+m.primaries[0].Address.String())
}

// within is place, for changes: in a zone that is named a name may also be that
// of a zone below, whose delegation is meant.
func (st *state) within(at control.At) (*made, dns.Name, error) {
	if at.Zone == "" || at.Name == "" {
		return st.place(at)
	}
	m, err := st.named(at.Zone)
	if err != nil {
		return m, "", err
	}
	name, err := dns.ParseName(at.Name, m.name)
	if err != nil {
		return m, "", refused(control.Invalid, err.Error(), "")
	}
	if !name.IsSubdomainOf(m.name) {
		return m, "", refused(control.Invalid, fmt.Sprintf("%s is not in the zone %s", name, m.name), "a name without a dot at its end is within the zone")
	}
	return m, name, nil
}

// dataOf reads the data of records of the name and type of a change. The same
// data twice is one record.
func dataOf(c *edit, t dns.Type, data []string) ([]dns.RR, error) {
	var records []dns.RR
	for _, text := range data {
		rr := dns.RR{Name: c.name, Type: t, Class: dns.ClassIN}
		var err error
		if rr.Data, err = readData(t, text, c.zone.name); err != nil {
			return nil, badData(c, t, data, err)
		}
		if !slices.ContainsFunc(records, rr.SameData) {
			records = append(records, rr)
		}
	}
	return records, nil
}

// readData reads the data of a record in presentation form. A text that is not
// quoted is one string, whatever is in it, as it comes from a shell that has
// taken its quotes away; one that is too long for that is cut into several (RFC
// 7208 section 3.3).
func readData(t dns.Type, text string, origin dns.Name) ([]byte, error) {
	if (t == dns.TypeTXT || t == dns.TypeSPF) && !strings.HasPrefix(strings.TrimSpace(text), `"`) && !strings.HasPrefix(text, `\# `) {
		rr, err := dns.TXTRR(origin, 0, text)
		return rr.Data, err
	}
	return dns.ParseData(t, text, origin)
}

// badData says what is wrong with data, and where somebody may have forgotten
// that the data of a record are one argument, that.
func badData(c *edit, t dns.Type, data []string, err error) error {
	whole := strings.Join(data, " ")
	if len(data) > 1 {
		if _, bad := readData(t, whole, c.zone.name); bad == nil {
			return refused(control.Invalid, err.Error(), fmt.Sprintf("the data of one record are one argument: '%s'", whole))
		}
	}
	return refused(control.Invalid, err.Error(), "")
}

// numbered gives a record, an SOA with the serial that there was: it goes up by
// itself.
func numbered(rr dns.RR, was zone.RRset) dns.RR {
	soa, ok := rr.SOA()
	if !ok || len(was.Data) == 0 {
		return rr
	}
	now, _ := dns.RR{Type: dns.TypeSOA, Data: was.Data[0]}.SOA()
	soa.Serial = now.Serial
	rr.Data = soa.Data()
	return rr
}

// refused is an error that tells why something is not done, and what to do.
func refused(kind control.Kind, text, hint string) error {
	return &control.Error{Kind: kind, Message: text, Hint: hint}
}

// fromZone makes an error of a zone one for a person.
func fromZone(err error) error {
	if errors.Is(err, zone.ErrSetTooLarge) {
		return refused(control.Invalid, zone.ErrSetTooLarge.Error(), "")
	}
	return err
}

// errDry ends a change that was only tried, before anything is written.
var errDry = errors.New("only tried")

// edit makes a change, and tells of it.
func (s *Service) edit(c *edit) (control.Changed, error) {
	before := s.current.Load()
	var d zone.Difference
	var next *zone.Zone
	err := s.makeChange(before.Log.With("zone", c.zone.name.String(), "by", "command"), c.zone.name, c.ledger,
		func(head *zone.Zone) (*zone.Zone, zone.Difference, error) {
			var step zone.Difference
			var err error
			next, d, step, err = c.on(head)
			if err == nil && c.dry {
				err = errDry
			}
			return next, step, err
		})
	var told *control.Error
	switch {
	case err == nil, errors.Is(err, errDry):
	case errors.As(err, &told):
		return control.Changed{}, refused(told.Kind, err.Error(), told.Hint)
	case errors.Is(err, zones.ErrTooLarge):
		return control.Changed{}, refused(control.Invalid, "the change is more than the journal of a zone takes at once", "make it in several parts")
	default:
		return control.Changed{}, refused(control.Internal, fmt.Sprintf("the change cannot be kept, and is not made: %v", err),
			"when that is mended: utopia reload")
	}
	done := c.told(before, next, d)
	after := s.current.Load()
	if now := after.find(c.zone.name); now != nil && now.zone != nil {
		done.Serial = now.zone.SOA().Serial
		if now.signingFailed && !c.dry {
			done.Warnings = append(done.Warnings, fmt.Sprintf("the change is kept, and is answered from when the zone can be signed: %v", now.failed))
		}
	}
	set := after.set
	if c.dry {
		set = before.with(c.zone.name, next)
	}
	if c.ask != 0 {
		done.Answer = answer(set, c.name, c.ask)
	}
	return done, nil
}

// on makes the change on top of what a zone is by now. D is what differs, and
// step that with the new serial.
func (c *edit) on(head *zone.Zone) (next *zone.Zone, d, step zone.Difference, err error) {
	e := head.Edit()
	if err := c.do(head, e); err != nil {
		return head, d, step, err
	}
	if err := e.Check(); err != nil {
		return head, d, step, c.unsound(e, err)
	}
	if e.Difference().IsEmpty() {
		return head, d, step, nil
	}
	if c.whole {
		c.hold(e)
	}
	e.SetSerial(zone.NextSerial(head.SOA().Serial))
	next, step = e.Zone(), e.Difference()
	if next.Len() > zone.DefaultMaxRecords {
		return head, d, step, refused(control.Invalid, fmt.Sprintf("the zone would have %d records; %d are the most", next.Len(), zone.DefaultMaxRecords), "")
	}
	return next, withoutSerial(step), step, nil
}

// hold has the sets held that are changed, so that they stay as they are whatever
// settings and files say later. What is as those say by now is theirs again.
func (c *edit) hold(e *zone.Edit) {
	d := e.Difference()
	seen := map[setKey]bool{}
	for _, part := range [...][]dns.RR{d.Deleted, d.Added} {
		for _, rr := range part {
			if rr.Type == dns.TypeSOA || seen[keyOfSet(rr)] {
				continue
			}
			seen[keyOfSet(rr)] = true
			now, _ := e.RRset(rr.Name, rr.Type)
			node, _ := c.zone.base.At(rr.Name)
			made, _ := node.RRset(rr.Type)
			same := now.TTL == made.TTL && slices.EqualFunc(now.Data, made.Data, bytes.Equal)
			e.Hold(rr.Name, rr.Type, same)
		}
	}
}

// withoutSerial gives a difference without an SOA of which only the serial has
// changed.
func withoutSerial(d zone.Difference) zone.Difference {
	other := func(in []dns.RR) func(dns.RR) bool {
		return func(rr dns.RR) bool {
			same := func(there dns.RR) bool { return unnumbered(there).Equal(unnumbered(rr)) }
			return rr.Type == dns.TypeSOA && slices.ContainsFunc(in, same)
		}
	}
	return zone.Difference{
		Deleted: slices.DeleteFunc(slices.Clone(d.Deleted), other(d.Added)),
		Added:   slices.DeleteFunc(slices.Clone(d.Added), other(d.Deleted)),
	}
}

// unsound says what is wrong with what a change would make of its zone.
func (c *edit) unsound(e *zone.Edit, err error) error {
	_, alias := e.RRset(c.name, dns.TypeCNAME)
	_, servers := e.RRset(c.zone.name, dns.TypeNS)
	text := strings.TrimPrefix(err.Error(), "zone "+c.zone.name.String()+": ")
	switch {
	case !servers:
		return refused(control.Conflict, text+", and a zone needs one", "utopia dns set @ NS puts others in their place")
	case alias && c.name.Equal(c.zone.name):
		return refused(control.Conflict, text+": an alias stands alone (RFC 2181 section 10.1), and a zone's own name owns SOA and NS",
			"A, AAAA and HTTPS records do for the zone's own name")
	case alias:
		return refused(control.Conflict, fmt.Sprintf("%s (%s): an alias stands alone (RFC 2181 section 10.1)", text, typesOf(e.Sets(c.name))), c.hint)
	}
	return refused(control.Conflict, text, "")
}

func typesOf(sets []zone.RRset) string {
	var types []string
	for _, set := range sets {
		types = append(types, set.Type.String())
	}
	return strings.Join(types, ", ")
}

// with gives the zones that are answered from with another version of one, to be
// asked.
func (st *state) with(name dns.Name, z *zone.Zone) *zone.Set {
	var there []*zone.Zone
	var missing []dns.Name
	for _, m := range st.zones {
		switch {
		case m.name == name:
			there = append(there, z)
		case m.zone != nil:
			there = append(there, m.zone)
		default:
			missing = append(missing, m.name)
		}
	}
	set, err := zone.NewSet(there...)
	if err != nil {
		return st.set // cannot happen: no name is there twice
	}
	return set.WithMissing(missing...)
}

// told tells of a change that was made.
func (c *edit) told(before *state, next *zone.Zone, d zone.Difference) control.Changed {
	from := c.zone.origins(c.name)
	done := control.Changed{Zone: c.zone.name.String(), DryRun: c.dry, Warnings: c.warnings}
	done.Deleted, done.Added = listed(d, from)
	if len(done.Deleted)+len(done.Added) > 0 {
		done.Cached = c.cached(before, d)
		done.Warnings = append(done.Warnings, c.remarks(next, d, from)...)
	}
	return done
}

// listed gives what differs as commands have it.
func listed(d zone.Difference, from origins) (deleted, added []control.Record) {
	list := func(part []dns.RR) []control.Record {
		all := make([]control.Record, 0, len(part))
		for _, rr := range part {
			all = append(all, shown(rr, from.of(rr)))
		}
		return all
	}
	return list(d.Deleted), list(d.Added)
}

// answer is what a client is told that asks for a name and type.
func answer(set *zone.Set, name dns.Name, t dns.Type) *control.Answer {
	r, _ := authority.Explain(set, dns.NewQuery(0, name, t))
	a := &control.Answer{Name: name.String(), Type: t.String(), Code: r.Rcode.String(), Own: r.Authoritative, Records: []control.Record{}}
	for _, rr := range r.Answer {
		a.Records = append(a.Records, shown(rr, ""))
	}
	return a
}

// cached is for how many seconds others may have what was answered before: the
// TTL of records that went, and for what is new that of the denial (RFC 2308
// section 5) or of the wildcard that stood for it.
func (c *edit) cached(before *state, d zone.Difference) uint32 {
	var most uint32
	seen := map[setKey]bool{}
	for _, rr := range d.Deleted {
		seen[keyOfSet(rr)] = true
		most = max(most, rr.TTL)
	}
	for _, rr := range d.Added {
		if seen[keyOfSet(rr)] {
			continue
		}
		seen[keyOfSet(rr)] = true
		r, _ := authority.Explain(before.set, dns.NewQuery(0, rr.Name, rr.Type))
		for _, section := range [...][]dns.RR{r.Answer, r.Authority} {
			if len(section) > 0 {
				most = max(most, section[0].TTL)
				break
			}
		}
	}
	return most
}

// setKey is a name in lower case, and a type.
type setKey struct {
	name dns.Name
	t    dns.Type
}

func keyOfSet(rr dns.RR) setKey { return setKey{rr.Name.Canonical(), rr.Type} }
