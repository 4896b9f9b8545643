package dns

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// OptionCode is the code of an EDNS option.
type OptionCode uint16

// The options that this code names.
const (
	OptionNSID          OptionCode = 3  // RFC 5001
	OptionClientSubnet  OptionCode = 8  // RFC 7871
	OptionCookie        OptionCode = 10 // RFC 7873
	OptionTCPKeepalive  OptionCode = 11 // RFC 7828
	OptionPadding       OptionCode = 12 // RFC 7830
	OptionExtendedError OptionCode = 15 // RFC 8914
)

// Option is one EDNS option, its data as on the wire.
type Option struct {
	Code OptionCode
	Data []byte
}

// EDNS is what an OPT record says (RFC 6891 section 6.1). The upper bits of
// the response code stand in Header.Rcode instead.
type EDNS struct {
	UDPSize uint16 // the largest UDP payload that the sender takes, octets
	Version uint8
	DO      bool // DNSSEC answers are wanted, RFC 3225
	// Z are the other fifteen flags, which have no meaning yet: senders leave
	// them zero but to try how a server takes them, and Parse drops them (RFC
	// 6891 section 6.1.4). The bit of DO does not count here.
	Z       uint16
	Options []Option
}

const bitDO = 1 << 15

// Equal compares two OPT records, of which either may be nil.
func (e *EDNS) Equal(other *EDNS) bool {
	if e == nil || other == nil {
		return e == other
	}
	return e.UDPSize == other.UDPSize && e.Version == other.Version && e.DO == other.DO && e.Z&^bitDO == other.Z&^bitDO &&
		slices.EqualFunc(e.Options, other.Options, func(a, b Option) bool {
			return a.Code == b.Code && bytes.Equal(a.Data, b.Data)
		})
}

// Option gives the data of the first option with a code.
func (e *EDNS) Option(code OptionCode) (data []byte, ok bool) {
	if e == nil {
		return nil, false
	}
	for _, o := range e.Options {
		if o.Code == code {
			return o.Data, true
		}
	}
	return nil, false
}

func (e *EDNS) wireLen() int {
	if e == nil {
		return 0
	}
	n := 11
	for _, o := range e.Options {
		n += 4 + len(o.Data)
	}
	return n
}

func (e *EDNS) append(dst []byte, code Rcode) []byte {
	dst = append(dst, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(TypeOPT))
	dst = binary.BigEndian.AppendUint16(dst, e.UDPSize)
	dst = append(dst, byte(code>>4), e.Version)
	flags := e.Z &^ bitDO
	if e.DO {
		flags |= bitDO
	}
	dst = binary.BigEndian.AppendUint16(dst, flags)
	dst = binary.BigEndian.AppendUint16(dst, uint16(e.wireLen()-11))
	for _, o := range e.Options {
		dst = binary.BigEndian.AppendUint16(dst, uint16(o.Code))
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(o.Data)))
		dst = append(dst, o.Data...)
	}
	return dst
}

// parseOPT reads an OPT record, given as the record that it looks like.
func parseOPT(rr RR) (*EDNS, Rcode, error) {
	e := &EDNS{
		UDPSize: uint16(rr.Class),
		Version: uint8(rr.TTL >> 16),
		DO:      rr.TTL&bitDO != 0,
	}
	for b := rr.Data; len(b) > 0; {
		if len(b) < 4 {
			return nil, 0, errShort
		}
		n := int(binary.BigEndian.Uint16(b[2:]))
		if len(b) < 4+n {
			return nil, 0, errShort
		}
		e.Options = append(e.Options, Option{
			Code: OptionCode(binary.BigEndian.Uint16(b)),
			Data: bytes.Clone(b[4 : 4+n]),
		})
		b = b[4+n:]
	}
	return e, Rcode(rr.TTL>>24) << 4, nil
}

// ExtendedError is the option of RFC 8914: why an answer is as it is.
type ExtendedError struct {
	Code uint16
	Text string
}

// Extended error codes of RFC 8914 section 4.
const (
	EDENotReady         uint16 = 14
	EDEProhibited       uint16 = 18
	EDENotAuthoritative uint16 = 20
	EDENotSupported     uint16 = 21
	EDEInvalidData      uint16 = 24
)

// Option gives the error in its wire form.
func (e ExtendedError) Option() Option {
	return Option{
		Code: OptionExtendedError,
		Data: append(binary.BigEndian.AppendUint16(nil, e.Code), e.Text...),
	}
}

// String gives the error as "EDE 20 (Not Authoritative): text".
func (e ExtendedError) String() string {
	s := fmt.Sprintf("EDE %d", e.Code)
	switch e.Code {
	case EDENotReady:
		s += " (Not Ready)"
	case EDEProhibited:
		s += " (Prohibited)"
	case EDENotAuthoritative:
		s += " (Not Authoritative)"
	case EDENotSupported:
		s += " (Not Supported)"
	case EDEInvalidData:
		s += " (Invalid Data)"
	}
	if e.Text != "" {
		s += ": " + e.Text
	}
	return s
}

// ExtendedErrors gives the extended errors of a message's OPT record.
func (e *EDNS) ExtendedErrors() []ExtendedError {
	if e == nil {
		return nil
	}
	var out []ExtendedError
	for _, o := range e.Options {
		if o.Code == OptionExtendedError && len(o.Data) >= 2 {
			out = append(out, ExtendedError{binary.BigEndian.Uint16(o.Data), string(o.Data[2:])})
		}
	}
	return out
}
