package dnssvc

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/control"
)

// ReadRecords reads a master file to be imported into a zone, with what it
// includes beside or below it. More than control.MaxImport records are an error.
func ReadRecords(path, zoneName string) ([]control.Record, error) {
	return readRecords(zoneName, func(apex dns.Name, add func(zone.Record)) error {
		return readFile(path, apex, sha256.New(), add)
	})
}

// ReadRecordsFrom is ReadRecords for what comes from elsewhere, which includes
// nothing.
func ReadRecordsFrom(r io.Reader, zoneName string) ([]control.Record, error) {
	return readRecords(zoneName, func(apex dns.Name, add func(zone.Record)) error {
		opts := zone.ReadOptions{Origin: apex, File: "stdin", MaxRecords: control.MaxImport + 1}
		return zone.ReadEach(r, opts, func(rec zone.Record) error {
			add(rec)
			return nil
		})
	})
}

func readRecords(name string, read func(apex dns.Name, add func(zone.Record)) error) ([]control.Record, error) {
	apex, err := zoneName(name)
	if err != nil {
		return nil, err
	}
	var all []control.Record
	count := 0
	err = read(apex, func(r zone.Record) {
		if count++; count <= control.MaxImport {
			all = append(all, shown(r.RR, r.Pos.String()))
		}
	})
	if err == nil && count > control.MaxImport {
		err = fmt.Errorf("more than %d records are not imported at once\nhint: name the file in utopia.toml, as dns.zone-file or in dns.zones", control.MaxImport)
	}
	return all, err
}

// placed is a record that is to be imported, and where it stands.
type placed struct {
	dns.RR
	place string
}

// importing is an import on its way.
type importing struct {
	*edit
	control.ImportRecords
	order    []setKey // as the sets come in the file
	sets     map[setKey][]placed
	problems []string
	from     origins // to know what Utopia makes itself
	told     map[dns.Type]bool
}

// ImportRecords makes records all that their names own of their types.
func (s *Service) ImportRecords(_ context.Context, r control.ImportRecords) (control.Changed, error) {
	if len(r.Records) > control.MaxImport {
		return control.Changed{}, refused(control.Invalid, fmt.Sprintf("%d records; %d are the most that are imported at once", len(r.Records), control.MaxImport), "")
	}
	if r.Zone == "" {
		r.Zone = s.current.Load().own().name.String()
	}
	c, err := s.editAt(control.At{Zone: r.Zone})
	if err != nil {
		return control.Changed{}, err
	}
	c.dry, c.whole = r.DryRun, true
	in := &importing{edit: c, ImportRecords: r, sets: map[setKey][]placed{}}
	for _, rec := range r.Records {
		in.take(s.current.Load(), rec)
	}
	in.alone()
	if len(in.problems) > 0 {
		return control.Changed{}, refused(control.Invalid, strings.Join(in.problems, "\n"), "nothing was changed")
	}
	if r.Replace {
		if err := in.knowOurs(); err != nil {
			return control.Changed{}, err
		}
	}
	c.do = in.into
	return s.edit(c)
}

// problem notes what is wrong with a record, as far as anybody would read on.
func (in *importing) problem(place, format string, args ...any) {
	if len(in.problems) < zone.MaxReported {
		in.problems = append(in.problems, place+": "+fmt.Sprintf(format, args...))
	}
}

// take takes a record of the file, or says what is wrong with it.
func (in *importing) take(st *state, rec control.Record) {
	rr, err := recordOf(rec)
	switch {
	case err != nil:
		in.problem(rec.From, "%v", err)
		return
	case !rr.Name.IsSubdomainOf(in.zone.name):
		hint := ""
		if m := st.holds(rr.Name); m != nil {
			hint = fmt.Sprintf("; it is in the zone %s: --zone %s", m.name, m.name)
		}
		in.problem(rec.From, "%s is not in the zone %s%s", rr.Name, in.zone.name, hint)
		return
	}
	key := keyOfSet(rr)
	if in.sets[key] == nil {
		in.order = append(in.order, key)
	}
	in.sets[key] = append(in.sets[key], placed{rr, rec.From})
}

// recordOf reads a record as commands have it.
func recordOf(rec control.Record) (rr dns.RR, err error) {
	rr = dns.RR{TTL: rec.TTL, Class: dns.ClassIN}
	if rr.Name, err = dns.ParseName(rec.Name, dns.Root); err != nil {
		return rr, err
	}
	if rr.Type, err = dns.ParseType(rec.Type); err != nil {
		return rr, err
	}
	if rr.Data, err = dns.ParseData(rr.Type, rec.Data, dns.Root); err != nil {
		return rr, err
	}
	return rr, checkTTL(rr.TTL)
}

// alone looks for aliases in the file that do not stand alone in it, and for
// more than one (RFC 2181 section 10.1).
func (in *importing) alone() {
	types := map[dns.Name]int{}
	for _, key := range in.order {
		types[key.name]++
	}
	for _, key := range in.order {
		records := in.sets[key]
		differs := func(p placed) bool { return !p.SameData(records[0].RR) }
		switch {
		case key.t == dns.TypeCNAME && types[key.name] > 1:
			in.problem(records[0].place, "%s is an alias (CNAME) and has other records: an alias stands alone", key.name)
		case key.t != dns.TypeCNAME && key.t != dns.TypeDNAME:
		case slices.ContainsFunc(records, differs):
			in.problem(records[0].place, "%s has more than one %s record", key.name, key.t)
		}
	}
}

// knowOurs finds out what of the zone Utopia makes itself.
func (in *importing) knowOurs() error {
	if n := in.zone.plain.Len(); n > control.MaxImport {
		return refused(control.Conflict, fmt.Sprintf("%s has %d records; a zone of up to %d can be replaced", in.zone.name, n, control.MaxImport),
			"change its file; then: utopia reload")
	}
	in.from = in.zone.origins(in.zone.name)
	if in.from.rest == fromChanged {
		return refused(control.Conflict, fmt.Sprintf("the file of %s has changed since it was read", in.zone.name), "utopia reload reads it")
	}
	return nil
}

// into makes the changes of the import.
func (in *importing) into(head *zone.Zone, e *zone.Edit) error {
	in.warnings, in.told = nil, map[dns.Type]bool{}
	for _, key := range in.order {
		if why := in.leftOut(key); why != "" {
			in.leave(e, key, why)
			continue
		}
		e.MakeRoom(key.name, key.t)
		if err := in.put(e, key); err != nil {
			return err
		}
	}
	if !in.Replace {
		return nil
	}
	for node := range head.Nodes() {
		for _, set := range node.Sets() {
			key := setKey{node.Name().Canonical(), set.Type}
			ours := in.from.of(set.Append(nil, node.Name())[0]) == control.FromUtopia
			if in.sets[key] == nil && !ours && !in.isApex(key) {
				_ = e.Put(key.name, zone.RRset{Type: key.t}) // nothing is put
			}
		}
	}
	return nil
}

// isApex says whether a set is the zone's own SOA or NS.
func (in *importing) isApex(key setKey) bool {
	return key.name == in.zone.name && (key.t == dns.TypeSOA || key.t == dns.TypeNS)
}

// leftOut says why a set of the file is not taken; "" where it is.
func (in *importing) leftOut(key setKey) string {
	switch {
	case zone.IsSigned(key.t):
		return "such records are made when a zone is signed"
	case in.isApex(key) && !in.Apex:
		return "the zone keeps its own; --apex takes those of the file"
	}
	return ""
}

// leave warns of a set that is left out, once for each type, where it would have
// changed anything.
func (in *importing) leave(e *zone.Edit, key setKey, why string) {
	was, _ := e.RRset(key.name, key.t)
	there, given := was.Append(nil, key.name), in.sets[key]
	same := true
	for _, p := range given {
		same = same && slices.ContainsFunc(there, numbered(p.RR, was).SameData)
	}
	for _, rr := range there {
		same = same && slices.ContainsFunc(given, func(p placed) bool { return numbered(p.RR, was).SameData(rr) })
	}
	if !same && !in.told[key.t] {
		in.told[key.t] = true
		in.warnings = append(in.warnings, fmt.Sprintf("%s: %s records are left out: %s", given[0].place, key.t, why))
	}
}

// put puts a set of the file in the place of what is there. Its TTL is the lowest
// of its records (RFC 2181 section 5.2).
func (in *importing) put(e *zone.Edit, key setKey) error {
	was, _ := e.RRset(key.name, key.t)
	records := in.sets[key]
	_ = e.Put(records[0].Name, zone.RRset{Type: key.t}) // nothing is put
	ttl := records[0].TTL
	for _, p := range records {
		ttl = min(ttl, p.TTL)
	}
	for _, p := range records {
		rr := numbered(p.RR, was)
		rr.TTL = ttl
		if err := e.Add(rr); err != nil {
			return fmt.Errorf("%s: %w", p.place, fromZone(err))
		}
	}
	return nil
}
