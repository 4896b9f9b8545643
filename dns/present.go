package dns

import (
	"bytes"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	mdns "github.com/miekg/dns"
)

// String gives the record in presentation form, as it would stand in a master
// file: owner, TTL, class, type and data, with tabs between them.
func (rr RR) String() string {
	return rr.Name.String() + "\t" + strconv.FormatUint(uint64(rr.TTL), 10) + "\t" +
		rr.Class.String() + "\t" + rr.Type.String() + "\t" + rr.DataString()
}

// DataString gives the data in presentation form. Data of types without one,
// and data that does not fit its type, is given as RFC 3597 section 5 says:
// \# length hexadecimal.
func (rr RR) DataString() string { return string(rr.AppendDataText(nil, "")) }

// otherText writes what appendPlainText does not. Data that miekg/dns would not
// read as it writes it, as it has an octet too few or is of a kind that it does
// not know, is given in the generic form.
func (rr RR) otherText() string {
	if len(rr.Data) == 0 {
		return `\# 0`
	}
	if s, ok := rr.knownData(); ok {
		if data, err := ParseData(rr.Type, s, Root); err == nil && bytes.Equal(data, rr.Data) {
			return s
		}
	}
	return `\# ` + strconv.Itoa(len(rr.Data)) + " " + hex.EncodeToString(rr.Data)
}

func (rr RR) knownData() (string, bool) {
	if _, known := mdns.TypeToRR[uint16(rr.Type)]; !known || rr.Type.IsMeta() ||
		rdataLayout(rr.Type, rr.Class) != rdataLayout(rr.Type, ClassIN) {
		return "", false
	}
	if rr.Type == TypeAMTRELAY {
		return relayString(rr.Data)
	}
	m, size, err := mdns.UnpackRR(rr.appendWire(nil), 0)
	if err != nil || size != len(rr.Name)+10+len(rr.Data) {
		return "", false
	}
	return strings.CutPrefix(m.String(), m.Header().String())
}

// appendWire writes the record behind dst without compression.
func (rr RR) appendWire(dst []byte) []byte {
	dst = append(dst, rr.Name...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(rr.Type))
	dst = binary.BigEndian.AppendUint16(dst, uint16(rr.Class))
	dst = binary.BigEndian.AppendUint32(dst, rr.TTL)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(rr.Data)))
	return append(dst, rr.Data...)
}

// ParseRR reads one record in presentation form. Names in it are relative to
// origin unless they end in a dot; ttl, in seconds, is used when the text
// names none.
func ParseRR(s string, origin Name, ttl uint32) (RR, error) {
	rr, err := parseRR(s, origin, ttl)
	if err != nil {
		return RR{}, fmt.Errorf("dns: record %q: %w", shorten(s, 120), err)
	}
	return rr, nil
}

func parseRR(s string, origin Name, ttl uint32) (RR, error) {
	if words, ok := splitWords(s); ok {
		if rr, err := plainRR(words, origin, ttl); !errors.Is(err, errNotPlain) {
			return rr, err
		}
	}
	m, err := oneRecord(s, origin, ttl)
	if err != nil {
		return RR{}, err
	}
	return fromMiekg(m)
}

var errNotPlain = errors.New("not plain")

// plainRR reads owner, TTL and class in either order, type and data, where they
// stand there in numbers and mnemonics of class IN. Of what is not so it says
// that it is not plain, and of wrong data what is wrong.
func plainRR(words [][]byte, origin Name, ttl uint32) (RR, error) {
	if len(words) < 3 {
		return RR{}, errNotPlain
	}
	p := plain{words: words, origin: origin}
	p.name()
	var stated, class bool
	for len(p.words) > 0 {
		if v, ok := plainNumber(p.words[0]); ok && !stated && v <= MaxTTL {
			ttl, stated = uint32(v), true
		} else if !class && strings.EqualFold(string(p.words[0]), "IN") {
			class = true
		} else {
			break
		}
		p.words = p.words[1:]
	}
	t, ok := plainType(p.word())
	if p.odd || !ok {
		return RR{}, errNotPlain
	}
	data, err := AppendData(nil, t, p.words, origin)
	if err != nil {
		return RR{}, err
	}
	return RR{Name: Name(p.out), Type: t, Class: ClassIN, TTL: ttl, Data: data}, nil
}

// DataError says which token of a record's data in presentation form is wrong,
// where that is known.
type DataError struct {
	Type   Type
	Token  string
	Reason string
}

// Error gives the type, the reason and the token.
func (e *DataError) Error() string {
	s := "bad " + e.Type.String() + " data: " + e.Reason
	if e.Token != "" {
		s += ": " + strconv.Quote(shorten(e.Token, 80))
	}
	return s
}

// ParseData reads the data of a record in presentation form: what stands in a
// master file behind the type, or \# with a length and hexadecimal digits (RFC
// 3597 section 5). Names are relative to origin unless they end in a dot.
// Errors are of type *DataError.
func ParseData(t Type, text string, origin Name) ([]byte, error) {
	if words, ok := splitWords(text); ok {
		return AppendData(nil, t, words, origin)
	}
	return oddData(t, text, origin)
}

// oddData reads data that is not plain.
func oddData(t Type, text string, origin Name) ([]byte, error) {
	switch {
	case t.IsMeta():
		return nil, &DataError{Type: t, Reason: "the type stands in messages alone"}
	case strings.TrimSpace(text) == "":
		return nil, &DataError{Type: t, Reason: "there is none"}
	}
	if data, ok := genericData(text); ok {
		// miekg/dns would drop what is too much for a type that it knows.
		if err := checkData(t, ClassIN, data); err != nil {
			return nil, &DataError{Type: t, Reason: err.Error()}
		}
		return data, nil
	}
	if word := badEscape(text); word != "" {
		return nil, &DataError{Type: t, Token: word, Reason: ErrEscape.Error()}
	}
	if form := ownForm(t); form != "" {
		return nil, &DataError{Type: t, Reason: "want " + form}
	}
	data, err := miekgData(t, text, origin)
	if err != nil {
		return nil, err
	}
	if why := refusal(t, data); why != "" {
		return nil, &DataError{Type: t, Reason: why}
	}
	return data, nil
}

// miekgData has miekg/dns read the data.
func miekgData(t Type, text string, origin Name) ([]byte, error) {
	m, err := oneRecord(". 0 IN "+t.String()+" "+text, origin, 0)
	if err != nil {
		return nil, dataError(t, err)
	}
	rr, err := fromMiekg(m)
	if err != nil {
		return nil, &DataError{Type: t, Reason: err.Error()}
	}
	return rr.Data, nil
}

// dataError takes apart what miekg/dns says, which is
// `dns: reason: "token" at line: 1:2`, with a line of no meaning here.
func dataError(t Type, err error) *DataError {
	e := &DataError{Type: t, Reason: strings.TrimPrefix(err.Error(), "dns: ")}
	head, _, ok := cutLast(e.Reason, " at line: ")
	if !ok {
		return e
	}
	e.Reason = head
	reason, quoted, ok := cutLast(head, ": \"")
	if !ok {
		return e
	}
	if token, err := strconv.Unquote(`"` + quoted); err == nil {
		e.Reason, e.Token = reason, strings.Trim(token, " \n")
	}
	// What is left says "bad MX Pref", with names of its own for the fields, and
	// sometimes nothing.
	if e.Reason != "" && !strings.HasPrefix(e.Reason, "bad "+t.String()+" ") {
		return e
	}
	switch form := formOf(t); {
	case e.Token == "" && form == "":
		e.Reason = "it ends too early"
	case e.Token == "":
		e.Reason = "it ends too early: want " + form
	case form == "":
		e.Reason = "not understood"
	default:
		e.Reason = "want " + form + ", not understood"
	}
	return e
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func oneRecord(s string, origin Name, ttl uint32) (mdns.RR, error) {
	zp := mdns.NewZoneParser(strings.NewReader(s+"\n"), origin.String(), "")
	zp.SetDefaultTTL(ttl)
	m, ok := zp.Next()
	if !ok {
		if err := zp.Err(); err != nil {
			return nil, err
		}
		return nil, errors.New("holds no record")
	}
	if _, more := zp.Next(); more || zp.Err() != nil {
		return nil, errors.New("holds more than one record")
	}
	if soa, ok := m.(*mdns.SOA); ok && soa.Minttl == 0 && lacksNumbers(s, origin) {
		return nil, errors.New("SOA has fewer than five numbers")
	}
	return m, nil
}

// lacksNumbers says whether an SOA record, which ends with a zero, ends too
// early: miekg/dns reads the numbers that are not there as zeros. To a whole
// record no further number could be added.
func lacksNumbers(s string, origin Name) bool {
	if strings.Contains(s, ";") {
		return false // behind a comment nothing can be added
	}
	zp := mdns.NewZoneParser(strings.NewReader(s+" 0\n"), origin.String(), "")
	zp.SetDefaultTTL(0)
	_, ok := zp.Next()
	return ok
}

func fromMiekg(m mdns.RR) (RR, error) {
	if n, ok := m.(*mdns.NSEC3); ok {
		if err := setLengths(n); err != nil {
			return RR{}, err
		}
	}
	buf := make([]byte, mdns.Len(m)+16)
	size, err := mdns.PackRR(m, buf, 0, nil, false)
	if err != nil {
		return RR{}, err
	}
	rr, _, err := ParseRecord(buf[:size])
	return rr, err
}

// setLengths puts right the lengths of a salt and a hash: miekg/dns takes every
// hash for one of 20 octets, and counts the digits of a salt in eight bits.
func setLengths(n *mdns.NSEC3) error {
	hash := base32.HexEncoding.WithPadding(base32.NoPadding).DecodedLen(len(n.NextDomain))
	if len(n.Salt) > 2*255 || hash > 255 {
		return errors.New("NSEC3 salt or hash of more than 255 octets")
	}
	n.HashLength, n.SaltLength = uint8(hash), uint8(len(n.Salt)/2)
	return nil
}

// Validate checks that the owner is a name and that the data has the form of
// its type, as Parse does. It is for records that were made by hand.
func (rr RR) Validate() error {
	if !rr.Name.Valid() {
		return fmt.Errorf("dns: record of type %s: %q is no name", rr.Type, string(rr.Name))
	}
	if len(rr.Data) > MaxMessageLen {
		return fmt.Errorf("dns: record %s %s: data of %d octets", rr.Name, rr.Type, len(rr.Data))
	}
	if rr.TTL > MaxTTL {
		return fmt.Errorf("dns: record %s %s: TTL %d is above %d", rr.Name, rr.Type, rr.TTL, MaxTTL)
	}
	if err := checkData(rr.Type, rr.Class, rr.Data); err != nil {
		return fmt.Errorf("dns: record %s %s: data does not fit the type: %w", rr.Name, rr.Type, err)
	}
	return nil
}

// checkData checks the form of uncompressed data.
func checkData(t Type, c Class, data []byte) error {
	if t == TypeOPT || len(data) == 0 && emptyDataAllowed(c) {
		return nil
	}
	for _, f := range rdataLayout(t, c) {
		if f == 'n' || f == 'd' {
			f = 'u'
		}
		size, err := fixedField(f, data)
		if err != nil {
			return err
		}
		data = data[size:]
	}
	if len(data) > 0 {
		return errRdata
	}
	return nil
}
