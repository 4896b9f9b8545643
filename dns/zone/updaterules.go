package zone

import (
	"bytes"
	"fmt"

	"github.com/network-utopia/utopia/dns"
)

// changes: RFC 2136 section 3.4.2. What the rules forbid is passed over in
// silence, as they say.
func (u *updater) changes(m *dns.Message) *UpdateError {
	for _, rr := range m.Authority {
		switch rr.Class {
		case dns.ClassANY:
			u.deleteSets(rr.Name, rr.Type)
		case dns.ClassNONE:
			u.deleteOne(rr)
		default:
			if err := u.addOne(rr); err != nil {
				return refuse(dns.RcodeRefused, rr, "%v", err)
			}
		}
	}
	return nil
}

// addOne adds a record as an update does (RFC 2136 section 3.4.2.2): nothing
// beside a CNAME, one CNAME and one DNAME a name, and no older SOA.
func (e *Edit) addOne(rr dns.RR) error {
	apex := rr.Name.Equal(e.zone.apex)
	owns := func(t dns.Type) bool { _, ok := e.RRset(rr.Name, t); return ok }
	switch rr.Type {
	case dns.TypeSOA:
		if !apex || !e.maySucceed(rr) {
			return nil
		}
	case dns.TypeCNAME:
		for _, s := range e.Sets(rr.Name) {
			if s.Type != dns.TypeCNAME && !besideCNAME(s.Type) {
				return nil
			}
		}
	case dns.TypeDNAME: // RFC 6672 section 5.2
		if owns(dns.TypeCNAME) || !apex && owns(dns.TypeNS) {
			return nil
		}
	default:
		if owns(dns.TypeCNAME) && !besideCNAME(rr.Type) || rr.Type == dns.TypeNS && !apex && owns(dns.TypeDNAME) {
			return nil
		}
		return e.addToSet(rr)
	}
	return e.Put(rr.Name, RRset{Type: rr.Type, TTL: rr.TTL, Data: [][]byte{rr.Data}})
}

// typeWKS is that of RFC 1035 section 3.4.2: an address, a protocol and a map.
const typeWKS dns.Type = 11

// addToSet adds a record to its set. A WKS record takes the place of the one
// with its address and protocol.
func (e *Edit) addToSet(rr dns.RR) error {
	if rr.Type == typeWKS && len(rr.Data) >= 5 {
		set, _ := e.RRset(rr.Name, rr.Type)
		for _, data := range set.Data {
			if bytes.HasPrefix(data, rr.Data[:5]) {
				e.Delete(dns.RR{Name: rr.Name, Type: rr.Type, Class: dns.ClassIN, Data: data})
			}
		}
	}
	return e.Add(rr)
}

// besideCNAME says whether records of a type may stand beside a CNAME: what
// DNSSEC puts there (RFC 4034 section 3, RFC 2136 section 3.4.2.2).
func besideCNAME(t dns.Type) bool {
	switch t {
	case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeKEY, dns.TypeSIG, dns.TypeNXT:
		return true
	}
	return false
}

// maySucceed says whether an SOA may take the place of the zone's: one with an
// older serial may not.
func (e *Edit) maySucceed(rr dns.RR) bool {
	soa, ok := rr.SOA()
	now := e.soa()
	return ok && (soa.Serial == now.Serial || SerialAfter(soa.Serial, now.Serial))
}

// soa gives the data of the SOA as it is by now; zero when there is none.
func (e *Edit) soa() dns.SOA {
	set, ok := e.RRset(e.zone.apex, dns.TypeSOA)
	if !ok {
		return dns.SOA{}
	}
	soa, _ := dns.RR{Type: dns.TypeSOA, Data: set.Data[0]}.SOA()
	return soa
}

// deletable lists the types that a deletion of all that a name owns takes away
// (RFC 2136 section 3.4.2.3): the zone's SOA and NS stay.
func (e *Edit) deletable(name dns.Name) []dns.Type {
	apex := name.Equal(e.zone.apex)
	var types []dns.Type
	for _, s := range e.Sets(name) {
		if !apex || s.Type != dns.TypeSOA && s.Type != dns.TypeNS {
			types = append(types, s.Type)
		}
	}
	return types
}

// deleteSets takes away the set of a type, or with ANY all sets.
func (e *Edit) deleteSets(name dns.Name, t dns.Type) {
	for _, there := range e.deletable(name) {
		if t == dns.TypeANY || t == there {
			_ = e.Put(name, RRset{Type: there}) // the name is in the zone, and nothing is put
		}
	}
}

// deleteOne takes a record away, but not the SOA nor the zone's last NS (RFC
// 2136 section 3.4.2.4).
func (e *Edit) deleteOne(rr dns.RR) {
	if rr.Type == dns.TypeSOA {
		return
	}
	if rr.Type == dns.TypeNS && rr.Name.Equal(e.zone.apex) {
		if set, _ := e.RRset(rr.Name, rr.Type); len(set.Data) == 1 {
			return
		}
	}
	e.Delete(rr)
}

// changed says whether anything is not as it was.
func (e *Edit) changed() bool {
	d := e.Difference()
	return len(d.Deleted)+len(d.Added) > 0
}

// raiseSerial makes the serial later than it was, unless it is by now (RFC 2136
// section 3.6).
func (e *Edit) raiseSerial() {
	if before := e.zone.soa.Serial; !SerialAfter(e.soa().Serial, before) {
		e.SetSerial(NextSerial(before))
	}
}

// NextSerial gives the serial after one, by RFC 1982. It passes over 0, which
// some take for no serial (RFC 2136 section 7.11).
func NextSerial(serial uint32) uint32 { return max(serial+1, 1) }

// SetSerial makes serial that of the zone's SOA.
func (e *Edit) SetSerial(serial uint32) {
	set, ok := e.RRset(e.zone.apex, dns.TypeSOA)
	if !ok {
		return
	}
	soa := e.soa()
	soa.Serial = serial
	// One record with the size of the one before, at the apex, always fits.
	_ = e.Put(e.zone.apex, RRset{Type: dns.TypeSOA, TTL: set.TTL, Data: [][]byte{soa.Data()}})
}

// Check says whether what was changed still makes a zone, as a Builder would
// say: one SOA, at the apex, and NS; a CNAME alone; one DNAME, and no NS beside
// it but at the apex. What was not changed is not looked at.
func (e *Edit) Check() error {
	for key, t := range e.touched {
		if why := t.unsound(key == ""); why != "" {
			return fmt.Errorf("zone %s: %s %s", e.zone.apex, t.spelling+e.zone.named, why)
		}
	}
	return nil
}

// unsound says what is wrong with what a name owns; "" for nothing.
func (t *touched) unsound(apex bool) string {
	count := func(t2 dns.Type) int {
		if i, ok := findType(t.sets, t2); ok {
			return len(t.sets[i].Data)
		}
		return 0
	}
	switch soas := count(dns.TypeSOA); {
	case apex && soas != 1:
		return fmt.Sprintf("would own %d SOA records", soas)
	case !apex && soas != 0:
		return "is not the zone's own name, and would own an SOA record"
	case apex && count(dns.TypeNS) == 0:
		return "would own no NS record"
	case count(dns.TypeCNAME) > 1 || count(dns.TypeDNAME) > 1:
		return "would own more than one CNAME or DNAME record"
	case !apex && count(dns.TypeDNAME) > 0 && count(dns.TypeNS) > 0:
		return "would own a DNAME and be delegated by NS"
	}
	for _, s := range t.sets {
		if count(dns.TypeCNAME) > 0 && s.Type != dns.TypeCNAME && !besideCNAME(s.Type) {
			return "would own a CNAME and other data"
		}
	}
	return ""
}
