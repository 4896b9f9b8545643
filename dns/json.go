package dns

import (
	"encoding/hex"
	"encoding/json"
)

// jsonRR is a record in the form of RFC 8427 section 2.1, with its data both
// in presentation form and in hexadecimal.
type jsonRR struct {
	Name      string `json:"NAME"`
	Type      Type   `json:"TYPE"`
	TypeName  string `json:"TYPEname"`
	Class     Class  `json:"CLASS"`
	ClassName string `json:"CLASSname"`
	TTL       uint32 `json:"TTL"`
	Data      string `json:"rdata"`
	DataHex   string `json:"RDATAHEX"`
}

// MarshalJSON gives the record in the form of RFC 8427 section 2.1. The
// presentation form of the data, which that form has only for some types,
// stands under "rdata".
func (rr RR) MarshalJSON() ([]byte, error) {
	return json.Marshal(jsonRR{
		Name: rr.Name.String(), Type: rr.Type, TypeName: rr.Type.String(),
		Class: rr.Class, ClassName: rr.Class.String(), TTL: rr.TTL,
		Data: rr.DataString(), DataHex: hex.EncodeToString(rr.Data),
	})
}

type jsonQuestion struct {
	Name      string `json:"NAME"`
	Type      Type   `json:"TYPE"`
	TypeName  string `json:"TYPEname"`
	Class     Class  `json:"CLASS"`
	ClassName string `json:"CLASSname"`
}

// MarshalJSON gives the question in the form of RFC 8427 section 2.1.
func (q Question) MarshalJSON() ([]byte, error) {
	return json.Marshal(jsonQuestion{
		q.Name.String(), q.Type, q.Type.String(), q.Class, q.Class.String(),
	})
}

type jsonOption struct {
	Code OptionCode `json:"code"`
	Data string     `json:"dataHEX"`
}

// MarshalJSON gives the option's code, and its data in hexadecimal.
func (o Option) MarshalJSON() ([]byte, error) {
	return json.Marshal(jsonOption{o.Code, hex.EncodeToString(o.Data)})
}

type jsonEDNS struct {
	UDPSize uint16   `json:"udpSize"`
	Version uint8    `json:"version"`
	DO      uint8    `json:"DO"`
	Options []Option `json:"options,omitempty"`
}

type jsonMessage struct {
	ID         uint16     `json:"ID"`
	QR         uint8      `json:"QR"`
	Opcode     Opcode     `json:"Opcode"`
	AA         uint8      `json:"AA"`
	TC         uint8      `json:"TC"`
	RD         uint8      `json:"RD"`
	RA         uint8      `json:"RA"`
	AD         uint8      `json:"AD"`
	CD         uint8      `json:"CD"`
	Rcode      Rcode      `json:"RCODE"`
	RcodeName  string     `json:"RCODEname"`
	QDCount    int        `json:"QDCOUNT"`
	ANCount    int        `json:"ANCOUNT"`
	NSCount    int        `json:"NSCOUNT"`
	ARCount    int        `json:"ARCOUNT"`
	QName      string     `json:"QNAME,omitempty"`
	QType      *Type      `json:"QTYPE,omitempty"`
	QTypeName  string     `json:"QTYPEname,omitempty"`
	QClass     *Class     `json:"QCLASS,omitempty"`
	QClassName string     `json:"QCLASSname,omitempty"`
	Questions  []Question `json:"questionRRs,omitempty"`
	Answer     []RR       `json:"answerRRs,omitempty"`
	Authority  []RR       `json:"authorityRRs,omitempty"`
	Additional []RR       `json:"additionalRRs,omitempty"`
	EDNS       *jsonEDNS  `json:"EDNS,omitempty"`
}

// MarshalJSON gives the message in the form of RFC 8427 section 2.1. A lone
// question stands in QNAME, QTYPE and QCLASS, several in questionRRs. ARCOUNT
// counts the OPT record, which stands under "EDNS".
func (m *Message) MarshalJSON() ([]byte, error) {
	j := jsonMessage{
		ID: m.ID, QR: bit(m.Response), Opcode: m.Opcode, AA: bit(m.Authoritative),
		TC: bit(m.Truncated), RD: bit(m.RecursionDesired), RA: bit(m.RecursionAvailable),
		AD: bit(m.AuthenticData), CD: bit(m.CheckingDisabled),
		Rcode: m.Rcode, RcodeName: m.Rcode.String(),
		QDCount: len(m.Question), ANCount: len(m.Answer),
		NSCount: len(m.Authority), ARCount: len(m.Additional),
		Answer: m.Answer, Authority: m.Authority, Additional: m.Additional,
	}
	if len(m.Question) == 1 {
		q := m.Question[0]
		j.QName = q.Name.String()
		j.QType, j.QTypeName = &q.Type, q.Type.String()
		j.QClass, j.QClassName = &q.Class, q.Class.String()
	} else {
		j.Questions = m.Question
	}
	if e := m.EDNS; e != nil {
		j.ARCount++
		j.EDNS = &jsonEDNS{e.UDPSize, e.Version, bit(e.DO), e.Options}
	}
	return json.Marshal(j)
}

func bit(on bool) uint8 {
	if on {
		return 1
	}
	return 0
}
