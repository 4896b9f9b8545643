package zone

import (
	"fmt"
	"slices"

	"github.com/network-utopia/utopia/dns"
)

// UpdateOptions say what an update may do.
type UpdateOptions struct {
	// Allow says whether records of a name and type may be added and deleted (RFC
	// 2136 section 3.3). Deleting all that a name owns needs it for each type that
	// goes. Nil allows nothing.
	Allow func(name dns.Name, t dns.Type) bool
	// Signed refuses the types that signing the zone makes: see IsSigned.
	Signed bool
	// MaxRecords is the most records of the zone afterwards; 0 means
	// DefaultMaxRecords.
	MaxRecords int
}

// UpdateError says why an update changed nothing.
type UpdateError struct {
	Rcode  dns.Rcode // the response code of RFC 2136 section 2.2
	Record dns.RR    // the prerequisite or change at fault; zero when it is none of them
	Reason string
}

// Error gives the code, the reason and the record.
func (e *UpdateError) Error() string {
	s := "update: " + e.Rcode.String() + ": " + e.Reason
	if e.Record.Name != "" {
		s += " (in: " + shorten(e.Record.String(), 120) + ")"
	}
	return s
}

func refuse(code dns.Rcode, rr dns.RR, format string, args ...any) *UpdateError {
	return &UpdateError{code, rr, fmt.Sprintf(format, args...)}
}

// IsSigned says whether records of a type are made by whoever signs a zone, so
// that nobody else may change them in one that is signed by its server: RRSIG,
// NSEC, NSEC3, NSEC3PARAM, DNSKEY, CDS and CDNSKEY.
func IsSigned(t dns.Type) bool {
	switch t {
	case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM, dns.TypeDNSKEY, dns.TypeCDS, dns.TypeCDNSKEY:
		return true
	}
	return false
}

// Update does what an UPDATE message says (RFC 2136): its zone section is
// Question, its prerequisites are Answer, its changes are Authority. All of
// them are made, or none: then the error is of type *UpdateError. The serial
// goes up, unless the update raised it itself. When nothing changed next is z
// and the difference is empty.
//
// The order is that of RFC 2136 section 3: zone, prerequisites, changes as they
// are written, permission for them, and then the changes themselves. Who sent
// it is for the caller to know.
func Update(z *Zone, m *dns.Message, opts UpdateOptions) (next *Zone, d Difference, err error) {
	u := updater{Edit: z.Edit(), UpdateOptions: opts}
	if u.MaxRecords <= 0 {
		u.MaxRecords = DefaultMaxRecords
	}
	for _, step := range [...]func(*dns.Message) *UpdateError{u.zoneSection, u.prerequisites, u.prescan, u.permission, u.changes} {
		if err := step(m); err != nil {
			return z, Difference{}, err
		}
	}
	if !u.changed() {
		return z, Difference{}, nil
	}
	u.raiseSerial()
	next = u.Zone()
	if next.Len() > u.MaxRecords {
		return z, Difference{}, refuse(dns.RcodeRefused, dns.RR{}, "the zone would have %d records; %d are the most", next.Len(), u.MaxRecords)
	}
	return next, u.Difference(), nil
}

// updater is one update in the making.
type updater struct {
	*Edit
	UpdateOptions
}

// zoneSection: RFC 2136 section 3.1.
func (u *updater) zoneSection(m *dns.Message) *UpdateError {
	if len(m.Question) != 1 || m.Question[0].Type != dns.TypeSOA {
		return refuse(dns.RcodeFormErr, dns.RR{}, "the zone section is not one SOA")
	}
	if q := m.Question[0]; q.Class != dns.ClassIN || !q.Name.Equal(u.zone.apex) {
		return refuse(dns.RcodeNotAuth, dns.RR{}, "the zone is %s, not %s", u.zone.apex, q.Name)
	}
	return nil
}

// prerequisites: RFC 2136 section 3.2.
func (u *updater) prerequisites(m *dns.Message) *UpdateError {
	var values []dns.RR
	for _, rr := range m.Answer {
		switch {
		case rr.TTL != 0:
			return refuse(dns.RcodeFormErr, rr, "a prerequisite with a TTL")
		case !rr.Name.IsSubdomainOf(u.zone.apex):
			return refuse(dns.RcodeNotZone, rr, "the name is not in the zone")
		case rr.Class == dns.ClassIN && !rr.Type.IsMeta():
			values = append(values, rr)
		case rr.Class != dns.ClassANY && rr.Class != dns.ClassNONE || rr.Type.IsMeta() && rr.Type != dns.TypeANY:
			return refuse(dns.RcodeFormErr, rr, "no prerequisite has this class and type")
		case len(rr.Data) != 0:
			return refuse(dns.RcodeFormErr, rr, "a prerequisite of class %s with data", rr.Class)
		default:
			if err := u.existence(rr); err != nil {
				return err
			}
		}
	}
	return u.values(values)
}

// existence: RFC 2136 sections 2.4.1, 2.4.3, 2.4.4 and 2.4.5. An empty
// non-terminal is not in use.
func (u *updater) existence(rr dns.RR) *UpdateError {
	sets := u.Sets(rr.Name)
	_, set := findType(sets, rr.Type)
	switch wanted := rr.Class == dns.ClassANY; {
	case rr.Type == dns.TypeANY && wanted && len(sets) == 0:
		return refuse(dns.RcodeNXDomain, rr, "the name owns nothing")
	case rr.Type == dns.TypeANY && !wanted && len(sets) > 0:
		return refuse(dns.RcodeYXDomain, rr, "the name is in use")
	case rr.Type == dns.TypeANY:
	case wanted && !set:
		return refuse(dns.RcodeNXRRset, rr, "the name owns no such set")
	case !wanted && set:
		return refuse(dns.RcodeYXRRset, rr, "the name owns such a set")
	}
	return nil
}

// values: RFC 2136 section 2.4.2. The records of each name and type are
// compared with the zone's as sets, without their TTLs.
func (u *updater) values(rrs []dns.RR) *UpdateError {
	type key struct {
		name dns.Name
		t    dns.Type
	}
	wanted := map[key][]dns.RR{}
	for _, rr := range rrs {
		k := key{rr.Name.Canonical(), rr.Type}
		if !slices.ContainsFunc(wanted[k], rr.SameData) {
			wanted[k] = append(wanted[k], rr)
		}
	}
	for _, rr := range rrs {
		k := key{rr.Name.Canonical(), rr.Type}
		set, _ := u.RRset(rr.Name, rr.Type)
		if _, there := set.find(rr.Data); !there || len(set.Data) != len(wanted[k]) {
			return refuse(dns.RcodeNXRRset, rr, "the name owns another set")
		}
	}
	return nil
}

// find says where data stand in a set, or would.
func (s RRset) find(data []byte) (int, bool) {
	return slices.BinarySearchFunc(s.Data, data, func(a, b []byte) int { return compareData(s.Type, a, b) })
}

// prescan: RFC 2136 section 3.4.1, before anything is changed.
func (u *updater) prescan(m *dns.Message) *UpdateError {
	for _, rr := range m.Authority {
		if !rr.Name.IsSubdomainOf(u.zone.apex) {
			return refuse(dns.RcodeNotZone, rr, "the name is not in the zone")
		}
		if why := malformed(rr); why != "" {
			return refuse(dns.RcodeFormErr, rr, "%s", why)
		}
	}
	return nil
}

// malformed says what is wrong with the form of a change; "" for nothing.
func malformed(rr dns.RR) string {
	all := rr.Class == dns.ClassANY && rr.Type == dns.TypeANY
	switch {
	case rr.Class != dns.ClassIN && rr.Class != dns.ClassANY && rr.Class != dns.ClassNONE:
		return "the class is neither the zone's nor ANY nor NONE"
	case rr.Type.IsMeta() && !all:
		return "the type stands in messages alone"
	case rr.Class != dns.ClassIN && rr.TTL != 0:
		return "a deletion with a TTL"
	case rr.Class == dns.ClassANY && len(rr.Data) != 0:
		return "the deletion of a set with data"
	case rr.Class == dns.ClassIN && rr.Validate() != nil:
		return rr.Validate().Error()
	}
	return ""
}

// permission: RFC 2136 section 3.3.
func (u *updater) permission(m *dns.Message) *UpdateError {
	for _, rr := range m.Authority {
		types := []dns.Type{rr.Type}
		if rr.Type == dns.TypeANY {
			types = u.deletable(rr.Name)
		}
		for _, t := range types {
			switch {
			case u.Signed && IsSigned(t):
				return refuse(dns.RcodeRefused, rr, "the server signs this zone, and %s records are its own", t)
			case u.Allow == nil || !u.Allow(rr.Name, t):
				return refuse(dns.RcodeRefused, rr, "no permission for %s records of %s", t, rr.Name)
			}
		}
	}
	return nil
}
