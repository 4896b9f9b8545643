package dns

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// What can be wrong on the wire, beside what can be wrong with a name.
var (
	errShort     = errors.New("cut off")
	errLabelType = errors.New("label of an unknown type")
	errPointer   = errors.New("compression pointer does not point back")
	errPointers  = errors.New("name runs through more than 127 compression pointers")
	errRdata     = errors.New("record data does not fit its length")
	errNoPointer = errors.New("compressed name in data that forbids compression")
	errBitmap    = errors.New("bad type bitmap")
)

// rdataLayout says how the data of a type is made, one character a field:
//
//	1 2 4 6  so many octets, 6 standing for 16
//	n        a name that the sender may compress (RFC 1035 section 3.3)
//	d        a name that must be decompressed but is never compressed by us
//	         (RFC 3597 section 4)
//	u        a name that is never compressed
//	s        a character string
//	t        one or more character strings, to the end
//	b        a type bitmap, to the end (RFC 4034 section 4.1.2)
//	*        any octets, to the end
//
// Types that are not listed are opaque. The layouts of A, AAAA, SRV and the
// like belong to class IN; in class CH or HS they are opaque too.
func rdataLayout(t Type, c Class) string {
	switch t {
	case TypeNS, TypeMD, TypeMF, TypeCNAME, TypeMB, TypeMG, TypeMR, TypePTR:
		return "n"
	case TypeSOA:
		return "nn44444"
	case TypeMINFO:
		return "nn"
	case TypeMX:
		return "2n"
	case TypeHINFO:
		return "ss"
	case TypeTXT, TypeSPF:
		return "t"
	case TypeRP:
		return "dd"
	case TypeAFSDB, TypeRT:
		return "2d"
	case TypeSIG:
		return "2114442d*"
	case TypeNXT:
		return "d*"
	case TypeRRSIG:
		return "2114442u*"
	case TypeDNAME:
		return "u"
	case TypeNSEC:
		return "ub"
	case TypeKEY, TypeDNSKEY, TypeCDNSKEY:
		return "211*"
	case TypeDS, TypeCDS:
		return "211*"
	}
	if c == ClassCH || c == ClassHS {
		return "*"
	}
	switch t {
	case TypeA:
		return "4"
	case TypeAAAA:
		return "6"
	case TypePX:
		return "2dd"
	case TypeSRV:
		return "222d"
	case TypeNAPTR:
		return "22sssd"
	case TypeKX:
		return "2u"
	case TypeSVCB, TypeHTTPS:
		return "2u*"
	}
	return "*"
}

// emptyDataAllowed: the prerequisites and deletions of an update carry no
// data (RFC 2136 sections 2.4 and 2.5).
func emptyDataAllowed(c Class) bool { return c == ClassANY || c == ClassNONE }

// canonicalData puts the names in the data of the types of RFC 4034 section
// 6.2 into lower case (without NSEC: RFC 6840 section 5.1).
func canonicalData(t Type, c Class, data []byte) []byte {
	switch t {
	case TypeNSEC, TypeSVCB, TypeHTTPS:
		return data
	}
	out, i, copied := data, 0, false
	for _, f := range rdataLayout(t, c) {
		switch f {
		case '1', '2', '4':
			i += int(f - '0')
		case '6':
			i += 16
		case 's':
			if i < len(data) {
				i += 1 + int(data[i])
			}
		case 'n', 'd', 'u':
			size, err := wireNameLen(data[min(i, len(data)):])
			if err != nil {
				return data
			}
			if !copied && bytes.ContainsFunc(data[i:i+size], isUpperRune) {
				out, copied = bytes.Clone(data), true
			}
			if copied {
				lowerASCII(out[i : i+size])
			}
			i += size
		default:
			return out
		}
	}
	return out
}

func isUpperRune(r rune) bool { return r >= 'A' && r <= 'Z' }

// checkBitmap checks the windows of a type bitmap (RFC 4034 section 4.1.2).
func checkBitmap(b []byte) error {
	for last := -1; len(b) > 0; {
		if len(b) < 2 || int(b[0]) <= last || b[1] == 0 || b[1] > 32 || len(b) < 2+int(b[1]) {
			return errBitmap
		}
		last = int(b[0])
		if b[1+int(b[1])] == 0 {
			return errBitmap // trailing zero octets are left out
		}
		b = b[2+int(b[1]):]
	}
	return nil
}

// SOA is the data of an SOA record (RFC 1035 section 3.3.13). The five
// numbers after the names are a serial and four times in seconds.
type SOA struct {
	MName, RName                            Name
	Serial, Refresh, Retry, Expire, Minimum uint32
}

// Data gives the record data.
func (s SOA) Data() []byte {
	b := append([]byte(s.MName), s.RName...)
	for _, v := range [...]uint32{s.Serial, s.Refresh, s.Retry, s.Expire, s.Minimum} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// SOA reads the data of an SOA record; ok is false for any other record.
func (rr RR) SOA() (s SOA, ok bool) {
	if rr.Type != TypeSOA {
		return SOA{}, false
	}
	b := rr.Data
	m, n, err := NameFromWire(b)
	if err != nil {
		return SOA{}, false
	}
	r, k, err := NameFromWire(b[n:])
	if err != nil || len(b) != n+k+20 {
		return SOA{}, false
	}
	b = b[n+k:]
	u := func(i int) uint32 { return binary.BigEndian.Uint32(b[4*i:]) }
	return SOA{m, r, u(0), u(1), u(2), u(3), u(4)}, true
}

// Addr gives the address of an A or AAAA record.
func (rr RR) Addr() (a netip.Addr, ok bool) {
	if rr.Type == TypeA && len(rr.Data) == 4 || rr.Type == TypeAAAA && len(rr.Data) == 16 {
		return netip.AddrFromSlice(rr.Data)
	}
	return netip.Addr{}, false
}

// Target gives the one name that the record points at: of NS, CNAME, DNAME,
// PTR, MX, SRV, AFSDB, KX, RT, SVCB and HTTPS records. ok is false for any other.
func (rr RR) Target() (n Name, ok bool) {
	skip := 0
	switch rr.Type {
	case TypeNS, TypeCNAME, TypeDNAME, TypePTR, TypeMB, TypeMD, TypeMF, TypeMG, TypeMR:
	case TypeMX, TypeAFSDB, TypeKX, TypeRT, TypeSVCB, TypeHTTPS:
		skip = 2
	case TypeSRV:
		skip = 6
	default:
		return "", false
	}
	if len(rr.Data) < skip {
		return "", false
	}
	n, _, err := NameFromWire(rr.Data[skip:])
	return n, err == nil
}

// AddressRR makes the A or AAAA record for an address.
func AddressRR(name Name, ttl uint32, addr netip.Addr) RR {
	addr = addr.Unmap()
	t := TypeAAAA
	if addr.Is4() {
		t = TypeA
	}
	return RR{Name: name, Type: t, Class: ClassIN, TTL: ttl, Data: addr.AsSlice()}
}

// NameRR makes a record whose data is one name: NS, CNAME, DNAME or PTR.
func NameRR(name Name, ttl uint32, t Type, target Name) RR {
	return RR{Name: name, Type: t, Class: ClassIN, TTL: ttl, Data: []byte(target)}
}

// MXRR makes an MX record.
func MXRR(name Name, ttl uint32, preference uint16, exchange Name) RR {
	data := append(binary.BigEndian.AppendUint16(nil, preference), exchange...)
	return RR{Name: name, Type: TypeMX, Class: ClassIN, TTL: ttl, Data: data}
}

// TXTRR makes a TXT record of one text, split into strings of 255 octets. It
// fails when the text does not fit a record.
func TXTRR(name Name, ttl uint32, text string) (RR, error) {
	if len(text)+len(text)/255+1 > MaxMessageLen {
		return RR{}, fmt.Errorf("dns: TXT at %s: %d octets are too many for a record", name, len(text))
	}
	var data []byte
	for first := true; first || text != ""; first = false {
		n := min(len(text), 255)
		data = append(append(data, byte(n)), text[:n]...)
		text = text[n:]
	}
	return RR{Name: name, Type: TypeTXT, Class: ClassIN, TTL: ttl, Data: data}, nil
}

// SOARR makes an SOA record.
func SOARR(name Name, ttl uint32, soa SOA) RR {
	return RR{Name: name, Type: TypeSOA, Class: ClassIN, TTL: ttl, Data: soa.Data()}
}
