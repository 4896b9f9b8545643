package dnssvc

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// Zone is a zone beside the domain's own that is kept here.
type Zone struct {
	Name    string // with or without its final dot
	File    string // its master file; what that includes lies beside or below it
	Signing Signing
	// Primaries are the servers that the zone is fetched from, where it has no file.
	Primaries []Server
	Policy
}

// made is a zone that was made.
type made struct {
	name      dns.Name
	files     []string   // that it is made from
	base      *zone.Zone // what its files and the settings say
	plain     *zone.Zone // that with the changes by updates
	zone      *zone.Zone // what is served; nil while the zone is missing: there is nothing to answer from
	signing   Signing
	last      zone.Signed // how zone was signed, where that was done here
	renew     time.Time   // when it is to be signed again; zero for never
	due       bool        // what is to be renewed of its signatures is, in the next step
	content   digested    // of plain, for the journal
	kept      keptZone    // what zone was before the start, until it is kept again
	warnings  zone.Problems
	fileAlone bool              // nothing but its files has records for it
	ownSerial bool              // the SOA is the user's
	sum       [sha256.Size]byte // of the files that it was made from
	past      zone.History      // how the zone became what it is
	policy    Policy
	primaries []Server // of a secondary zone
	reverse   *reverse // of the zone of an address; nil for any other
	sight     *sight   // of how that goes; nil while nobody looks after it
	updated   bool     // what is new came by an update
	failed    error    // why it is not what its files say by now; nil when it is

	signingFailed bool // failed says why it could not be signed
}

// Failed is a zone that could not be made from its files.
type Failed struct {
	Zone string // without its final dot
	Kept bool   // it is served as it was before; otherwise questions about it get SERVFAIL
	Err  error  // zone.Problems, or why a file cannot be read
}

// String says what has become of the zone, and why.
func (f Failed) String() string {
	what := "is not served"
	if f.Kept {
		what = "is served as it was before"
	}
	return fmt.Sprintf("%s %s:\n%v", f.Zone, what, f.Err)
}

// Failed are the zones that are not as their files would have them.
func (s *Service) Failed() []Failed {
	var all []Failed
	for _, m := range s.current.Load().zones {
		if m.failed != nil {
			all = append(all, Failed{strings.TrimSuffix(m.name.String(), "."), m.zone != nil, m.failed})
		}
	}
	return all
}

// Warnings are what is odd about the zones that are served.
func (s *Service) Warnings() zone.Problems {
	st := s.current.Load()
	var all zone.Problems
	for _, m := range st.zones {
		all = append(all, m.warnings...)
	}
	return append(all, st.hosts.warning()...)
}

// Fingerprint stands for the text of all zone files as it is in force.
func (s *Service) Fingerprint() [sha256.Size]byte {
	h := sha256.New()
	given, _ := s.current.Load().partReverse() // those of addresses follow, also from changes that no file has
	for _, m := range given {
		h.Write([]byte(m.name)) // never fails
		h.Write(m.sum[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// own gives the domain's own zone.
func (st *state) own() *made { return &st.zones[0] }

// find gives the zone of a name, or nil.
func (st *state) find(name dns.Name) *made {
	if st != nil {
		if i, ok := st.index[name]; ok {
			return &st.zones[i]
		}
	}
	return nil
}

// makeZones makes the domain's own zone and the others. One whose file has an
// error stays as before has it; where that has none, it is missing.
func makeZones(opts Options, before *state, now time.Time) ([]made, error) {
	own, err := makeOwn(opts, uint32(now.Unix()))
	if own.name == "" {
		return nil, err
	}
	if err != nil {
		own = keep(own, before.find(own.name), err)
	}
	all := []made{own}
	for _, z := range opts.Zones {
		m, err := makeOther(z)
		if m.name == "" {
			return nil, err
		}
		if err != nil {
			m = keep(m, before.find(m.name), err)
		}
		all = append(all, m)
	}
	opts.withPolicies(all)
	for i, m := range all {
		was := before.find(m.name)
		if m.failed == nil {
			m.share(was)
		}
		if was.isNew() && m.failed == nil {
			m.loadKept(opts)
			all[i] = m.publishKept(opts, now)
		} else {
			all[i] = succeed(was, m, opts, now)
		}
		if opts.Keep != nil {
			all[i].content.of(all[i].plain) // which takes its time the first time
		}
	}
	return all, nil
}

// keep gives what is served of a zone whose files have an error: what was
// served before, if anything.
func keep(m made, before *made, err error) made {
	kept := made{name: m.name, reverse: m.reverse}
	if before != nil {
		kept = *before
	}
	kept.files, kept.failed, kept.signingFailed = m.files, err, false
	return kept
}

// makeOther makes a zone from its file alone.
func makeOther(z Zone) (made, error) {
	name, err := zoneName(z.Name)
	if err != nil {
		return made{}, err
	}
	m := made{name: name, files: []string{z.File}, fileAlone: true, ownSerial: true}
	if len(z.Primaries) > 0 {
		m.files, m.fileAlone, m.ownSerial = nil, false, false
		return m, nil // it is missing until it has come
	}
	b := zone.NewBuilder(name)
	sum := sha256.New()
	err = readFile(z.File, name, sum, b.Add)
	m.sum = [sha256.Size]byte(sum.Sum(nil))
	m.signing = z.Signing
	if err == nil {
		m.plain, m.warnings, err = b.Build()
	}
	return m, err
}

// zoneName reads the name of a zone.
func zoneName(s string) (dns.Name, error) {
	name, err := dns.ParseName(fqdn(s), dns.Root)
	if err == nil && name == dns.Root {
		err = errors.New("no domain")
	}
	if err != nil {
		return "", err
	}
	return name.Canonical(), nil
}

// settle adds the zones of addresses, and puts all zones together that are to be
// answered from.
func (st *state) settle(now time.Time) error {
	st.withPolicies(st.zones)
	st.addReverse(now)
	st.index = make(map[dns.Name]int, len(st.zones))
	var there []*zone.Zone
	var missing []dns.Name
	for i, m := range st.zones {
		if _, twice := st.index[m.name]; twice {
			return fmt.Errorf("zone %s is there twice", m.name)
		}
		st.index[m.name] = i
		if m.zone != nil {
			there = append(there, m.zone)
		} else {
			missing = append(missing, m.name)
		}
	}
	set, err := zone.NewSet(there...)
	if err == nil && len(missing) > 0 {
		set = set.WithMissing(missing...)
	}
	st.set, st.numbers = set, st.Counts.numbersOf(st.zones)
	return err
}

// succeed gives the zone that comes after before. Before is nil where there was
// none.
func succeed(before *made, next made, opts Options, now time.Time) made {
	if next.failed != nil {
		return keep(next, before, next.failed)
	}
	return next.publish(before, opts, now)
}
