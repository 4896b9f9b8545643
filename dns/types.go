package dns

import (
	"fmt"
	"strconv"
	"strings"

	mdns "github.com/miekg/dns"
)

// Type is the type of a record or of a question.
type Type uint16

// The types that this code names. Every other one is known by its mnemonic or
// as TYPE123 (RFC 3597 section 5) to Type.String and ParseType.
const (
	TypeA          Type = 1
	TypeNS         Type = 2
	TypeMD         Type = 3
	TypeMF         Type = 4
	TypeCNAME      Type = 5
	TypeSOA        Type = 6
	TypeMB         Type = 7
	TypeMG         Type = 8
	TypeMR         Type = 9
	TypePTR        Type = 12
	TypeHINFO      Type = 13
	TypeMINFO      Type = 14
	TypeMX         Type = 15
	TypeTXT        Type = 16
	TypeRP         Type = 17
	TypeAFSDB      Type = 18
	TypeISDN       Type = 20
	TypeRT         Type = 21
	TypeSIG        Type = 24
	TypeKEY        Type = 25
	TypePX         Type = 26
	TypeAAAA       Type = 28
	TypeNXT        Type = 30
	TypeSRV        Type = 33
	TypeNAPTR      Type = 35
	TypeKX         Type = 36
	TypeDNAME      Type = 39
	TypeOPT        Type = 41
	TypeDS         Type = 43
	TypeSSHFP      Type = 44
	TypeRRSIG      Type = 46
	TypeNSEC       Type = 47
	TypeDNSKEY     Type = 48
	TypeNSEC3      Type = 50
	TypeNSEC3PARAM Type = 51
	TypeTLSA       Type = 52
	TypeSMIMEA     Type = 53
	TypeCDS        Type = 59
	TypeCDNSKEY    Type = 60
	TypeSVCB       Type = 64
	TypeHTTPS      Type = 65
	TypeSPF        Type = 99
	TypeNXNAME     Type = 128
	TypeTKEY       Type = 249
	TypeTSIG       Type = 250
	TypeIXFR       Type = 251
	TypeAXFR       Type = 252
	TypeMAILB      Type = 253
	TypeMAILA      Type = 254
	TypeANY        Type = 255
	TypeCAA        Type = 257
	TypeAMTRELAY   Type = 260
)

// String gives the mnemonic, or TYPE123 for a type without one.
func (t Type) String() string {
	if s, ok := mdns.TypeToString[uint16(t)]; ok && t != 0 && t != 65535 {
		return s
	}
	return "TYPE" + strconv.Itoa(int(t))
}

// ParseType reads a mnemonic in any case, or TYPE123 (RFC 3597 section 5).
func ParseType(s string) (Type, error) {
	upper := strings.ToUpper(s)
	if v, ok := mdns.StringToType[upper]; ok {
		return Type(v), nil
	}
	v, err := generic(upper, "TYPE")
	if err != nil {
		return 0, fmt.Errorf("dns: unknown record type %q", shorten(s, 40))
	}
	return Type(v), nil
}

// IsMeta says whether the type stands for a question or for a message's own
// business and never for data in a zone (RFC 6895 section 3.1: OPT and 128 to
// 255).
func (t Type) IsMeta() bool { return t == 0 || t == TypeOPT || t >= 128 && t <= 255 }

// Class is the class of a record or of a question.
type Class uint16

// The classes of RFC 1035 section 3.2.4 and RFC 2136 section 1.3.
const (
	ClassIN   Class = 1
	ClassCH   Class = 3
	ClassHS   Class = 4
	ClassNONE Class = 254
	ClassANY  Class = 255
)

// String gives the mnemonic, or CLASS123 for a class without one.
func (c Class) String() string {
	switch c {
	case ClassIN:
		return "IN"
	case ClassCH:
		return "CH"
	case ClassHS:
		return "HS"
	case ClassNONE:
		return "NONE"
	case ClassANY:
		return "ANY"
	}
	return "CLASS" + strconv.Itoa(int(c))
}

// ParseClass reads a mnemonic in any case, or CLASS123.
func ParseClass(s string) (Class, error) {
	upper := strings.ToUpper(s)
	for _, c := range []Class{ClassIN, ClassCH, ClassHS, ClassNONE, ClassANY} {
		if upper == c.String() {
			return c, nil
		}
	}
	v, err := generic(upper, "CLASS")
	if err != nil {
		return 0, fmt.Errorf("dns: unknown class %q", shorten(s, 40))
	}
	return Class(v), nil
}

// Opcode says what kind of message it is; four bits.
type Opcode uint8

// The opcodes of RFC 1035, 1996, 2136 and 8490.
const (
	OpcodeQuery  Opcode = 0
	OpcodeIQuery Opcode = 1
	OpcodeStatus Opcode = 2
	OpcodeNotify Opcode = 4
	OpcodeUpdate Opcode = 5
	OpcodeDSO    Opcode = 6
)

// String gives the mnemonic, or OPCODE9 for an opcode without one.
func (o Opcode) String() string {
	switch o {
	case OpcodeQuery:
		return "QUERY"
	case OpcodeIQuery:
		return "IQUERY"
	case OpcodeStatus:
		return "STATUS"
	case OpcodeNotify:
		return "NOTIFY"
	case OpcodeUpdate:
		return "UPDATE"
	case OpcodeDSO:
		return "DSO"
	}
	return "OPCODE" + strconv.Itoa(int(o))
}

// ParseOpcode reads a mnemonic in any case, or OPCODE9.
func ParseOpcode(s string) (Opcode, error) {
	return parseCode(s, "OPCODE", "opcode", OpcodeDSO, 15)
}

// Rcode is the response code; four bits in the header and eight more in the
// OPT record (RFC 6891 section 6.1.3).
type Rcode uint16

// The response codes of RFC 1035, 2136, 6891 and 7873.
const (
	RcodeSuccess   Rcode = 0
	RcodeFormErr   Rcode = 1
	RcodeServFail  Rcode = 2
	RcodeNXDomain  Rcode = 3
	RcodeNotImp    Rcode = 4
	RcodeRefused   Rcode = 5
	RcodeYXDomain  Rcode = 6
	RcodeYXRRset   Rcode = 7
	RcodeNXRRset   Rcode = 8
	RcodeNotAuth   Rcode = 9
	RcodeNotZone   Rcode = 10
	RcodeDSOTypeNI Rcode = 11
	RcodeBadVers   Rcode = 16
	RcodeBadKey    Rcode = 17
	RcodeBadTime   Rcode = 18
	RcodeBadMode   Rcode = 19
	RcodeBadName   Rcode = 20
	RcodeBadAlg    Rcode = 21
	RcodeBadTrunc  Rcode = 22
	RcodeBadCookie Rcode = 23
)

// String gives the mnemonic, or RCODE99 for a code without one. Code 16 is
// BADVERS: its other name, BADSIG, stands in TSIG records alone.
func (r Rcode) String() string {
	switch r {
	case RcodeBadVers:
		return "BADVERS"
	case RcodeDSOTypeNI:
		return "DSOTYPENI"
	}
	if s, ok := mdns.RcodeToString[int(r)]; ok {
		return s
	}
	return "RCODE" + strconv.Itoa(int(r))
}

// ParseRcode reads a mnemonic in any case, or RCODE99.
func ParseRcode(s string) (Rcode, error) {
	return parseCode(s, "RCODE", "response code", RcodeBadCookie, 4095)
}

// parseCode reads the mnemonic of a code up to last in any case, or the prefix
// with a number up to most.
func parseCode[T interface {
	~uint8 | ~uint16
	fmt.Stringer
}](s, prefix, what string, last, most T) (T, error) {
	upper := strings.ToUpper(s)
	for code := T(0); code <= last; code++ {
		if upper == code.String() {
			return code, nil
		}
	}
	v, err := generic(upper, prefix)
	if err != nil || v > uint16(most) {
		return 0, fmt.Errorf("dns: unknown %s %q", what, shorten(s, 40))
	}
	return T(v), nil
}

// generic reads TYPE123 and its like: the prefix and digits alone.
func generic(s, prefix string) (uint16, error) {
	digits, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return 0, strconv.ErrSyntax
	}
	v, err := strconv.ParseUint(digits, 10, 16)
	return uint16(v), err
}
