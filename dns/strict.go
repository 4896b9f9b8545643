package dns

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
)

// ownForm gives the form of the types that are read here in every case, as
// miekg/dns takes wrong ones for right, and "" for others.
func ownForm(t Type) string {
	switch t {
	case TypeHINFO:
		return "two strings, for the processor and the system"
	case TypeISDN:
		return "a string, and perhaps a second one"
	case TypeAMTRELAY:
		return "precedence, 0 or 1, the type of the relay, and the relay"
	}
	return ""
}

// formOf gives the fields of a type as its RFC names them, for who got one wrong;
// "" where there is one alone, or their number is not fixed.
func formOf(t Type) string {
	switch t {
	case TypeMX, TypeKX, TypeRT:
		return "preference exchange"
	case TypeAFSDB:
		return "subtype hostname"
	case TypeRP:
		return "mbox-dname txt-dname"
	case TypeSRV:
		return "priority weight port target"
	case TypeNAPTR:
		return `order preference "flags" "services" "regexp" replacement`
	case TypeCAA:
		return `flags tag "value"`
	case TypeSVCB, TypeHTTPS:
		return "priority target key=value ..."
	case TypeTLSA, TypeSMIMEA:
		return "usage selector matching-type data"
	case TypeSSHFP:
		return "algorithm type fingerprint"
	case TypeDS, TypeCDS:
		return "key-tag algorithm digest-type digest"
	case TypeDNSKEY, TypeCDNSKEY:
		return "flags protocol algorithm key"
	case TypeNSEC3PARAM:
		return "algorithm flags iterations salt"
	case TypeSOA:
		return "mname rname serial refresh retry expire minimum"
	}
	return ""
}

// refusal says why data that has the form of its type is not taken from a
// master file, "" where it is. What comes in messages is taken all the same, and
// written as RFC 3597 section 5 says, which is taken here too.
func refusal(t Type, data []byte) string {
	switch t {
	case TypeDS, TypeCDS:
		if len(data) == 4 {
			return "the digest is missing"
		}
	case TypeDNSKEY, TypeCDNSKEY:
		if len(data) == 4 {
			return "the key is missing"
		}
	case TypeRRSIG:
		if len(data) > 18 {
			if n, err := wireNameLen(data[18:]); err == nil && 18+n == len(data) {
				return "the signature is missing"
			}
		}
	case TypeTLSA, TypeSMIMEA:
		if len(data) == 3 {
			return "the data of the certificate is missing"
		}
	case TypeSSHFP:
		if len(data) == 2 {
			return "the fingerprint is missing"
		}
	case TypeCAA:
		if len(data) >= 2 && len(data) >= 2+int(data[1]) && !isCAATag(data[2:2+int(data[1])]) {
			return "a tag is made of letters and digits"
		}
	case TypeSVCB, TypeHTTPS:
		return badMandatory(data)
	}
	return ""
}

// isCAATag: RFC 8659 section 4.1.
func isCAATag(tag []byte) bool {
	for _, c := range tag {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return len(tag) > 0
}

// badMandatory: the keys that a client must know are there (RFC 9460 section
// 8).
func badMandatory(data []byte) string {
	if len(data) < 2 {
		return ""
	}
	n, err := wireNameLen(data[2:])
	if err != nil {
		return ""
	}
	var keys, mandatory []uint16
	for rest := data[2+n:]; len(rest) >= 4; {
		key, size := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		if rest = rest[4:]; size > len(rest) {
			return ""
		}
		keys = append(keys, key)
		for v := rest[:size]; key == 0 && len(v) >= 2; v = v[2:] {
			mandatory = append(mandatory, binary.BigEndian.Uint16(v))
		}
		rest = rest[size:]
	}
	for _, key := range mandatory {
		if key == 0 || !slices.Contains(keys, key) {
			return "what mandatory names is not there"
		}
	}
	return ""
}

// relayString gives an AMTRELAY record's data (RFC 8777 section 4.3). miekg/dns
// takes the bit for discovery for part of the relay's type.
func relayString(data []byte) (string, bool) {
	if len(data) < 2 {
		return "", false
	}
	kind, rest := data[1]&0x7f, data[2:]
	relay := "."
	switch {
	case kind == 0 && len(rest) == 0:
	case kind == 1 && len(rest) == 4, kind == 2 && len(rest) == 16:
		addr, _ := netip.AddrFromSlice(rest)
		relay = addr.String()
	case kind == 3:
		n, size, err := NameFromWire(rest)
		if err != nil || size != len(rest) {
			return "", false
		}
		relay = n.String()
	default:
		return "", false
	}
	return fmt.Sprintf("%d %d %d %s", data[0], data[1]>>7, kind, relay), true
}
