package authority

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/network-utopia/utopia/dns"
)

// PaddingBlock is what the octets of a padded response are a multiple of (RFC
// 8467 section 4.1).
const PaddingBlock = 468

// asked is what the options of a query want of the response.
type asked struct {
	nsid, keepalive, padding bool

	cookie       []byte // the data of the first cookie option; nil for none
	state        dns.CookieState
	badCookieLen bool // a cookie of a length that none has
}

// read looks at the options of a query. Those that are not known, and those
// that came before, are ignored (RFC 6891 section 6.1.2, RFC 7873 section 5.2);
// so is the client subnet, for all clients get the same answers. The options of
// another EDNS version mean nothing.
func (x *exchange) read(e *dns.EDNS) {
	if e == nil || e.Version != 0 {
		return
	}
	for _, o := range e.Options {
		x.note(o.Code, o.Data)
	}
}

// readWire is read for options as they stand in a query; false when they are
// malformed.
func (x *exchange) readWire(options []byte) bool {
	for len(options) > 0 {
		if len(options) < 4 {
			return false
		}
		n := int(binary.BigEndian.Uint16(options[2:]))
		if len(options) < 4+n {
			return false
		}
		x.note(dns.OptionCode(binary.BigEndian.Uint16(options)), options[4:4+n])
		options = options[4+n:]
	}
	return true
}

func (x *exchange) note(code dns.OptionCode, data []byte) {
	switch code {
	case dns.OptionNSID:
		x.nsid = x.opts.NSID != ""
	case dns.OptionTCPKeepalive:
		x.keepalive = x.client.Idle > 0 && x.client.MaxUDP == Stream // RFC 7828 section 3.3.1: over UDP it is ignored
	case dns.OptionPadding:
		x.padding = x.client.Encrypted // RFC 7830 section 6: never in the open
	case dns.OptionCookie:
		if x.opts.Cookies == nil || x.cookie != nil || x.badCookieLen {
			return
		}
		x.state = x.opts.Cookies.Check(data, x.client.Addr, x.now)
		if x.badCookieLen = x.state == dns.CookieMalformed; !x.badCookieLen {
			x.cookie = data
		}
	}
}

// reserve is how many octets addOptions may add, but for padding, which never
// makes a response longer than it may be.
func (x *exchange) reserve() int {
	n := 0
	if x.nsid {
		n += 4 + len(x.opts.NSID)
	}
	if x.cookie != nil {
		n += 4 + dns.CookieLen
	}
	if x.keepalive {
		n += 4 + 2
	}
	return n
}

// optSize is the octets of an OPT record.
func optSize(e *dns.EDNS) int {
	n := optLen
	for _, o := range e.Options {
		n += 4 + len(o.Data)
	}
	return n
}

// addOptions adds options to a response that was packed from base on, and that
// ends with an OPT record of so many octets. It allocates nothing where out has
// room.
func (x *exchange) addOptions(out []byte, base, opt int) []byte {
	end := len(out)
	if x.nsid {
		out = option(out, dns.OptionNSID, len(x.opts.NSID))
		out = append(out, x.opts.NSID...)
	}
	if x.cookie != nil {
		out = option(out, dns.OptionCookie, dns.CookieLen)
		out = x.opts.Cookies.Append(out, x.cookie, x.state, x.client.Addr, x.now)
	}
	if x.keepalive {
		out = option(out, dns.OptionTCPKeepalive, 2)
		tenths := min(x.client.Idle/(100*time.Millisecond), 1<<16-1)
		out = binary.BigEndian.AppendUint16(out, uint16(tenths))
	}
	if size := len(out) - base + 4; x.padding && size <= dns.MaxMessageLen {
		padded := min((size+PaddingBlock-1)/PaddingBlock*PaddingBlock, dns.MaxMessageLen)
		out = option(out, dns.OptionPadding, padded-size)
		for range padded - size {
			out = append(out, 0)
		}
	}
	length := out[end-opt+9:] // behind the root, type, class and TTL
	binary.BigEndian.PutUint16(length, binary.BigEndian.Uint16(length)+uint16(len(out)-end))
	return out
}

// option writes the head of an option.
func option(out []byte, code dns.OptionCode, size int) []byte {
	out = binary.BigEndian.AppendUint16(out, uint16(code))
	return binary.BigEndian.AppendUint16(out, uint16(size))
}

// cookieAlone answers who asks for nothing but a cookie, or whether the one it
// has is good (RFC 7873 section 5.4).
func (x *exchange) cookieAlone(q *dns.Message) *dns.Message {
	if x.state == dns.CookieBad {
		return start(q, dns.RcodeBadCookie)
	}
	return start(q, dns.RcodeSuccess)
}

// asksForServer says whether the question is who answers, in the way from
// before there was an option (RFC 4892 section 2).
func asksForServer(q *dns.Message) bool {
	if q.Opcode != dns.OpcodeQuery || q.EDNS != nil && q.EDNS.Version != 0 || len(q.Question) != 1 {
		return false
	}
	switch ask := q.Question[0]; {
	case ask.Class != dns.ClassCH || ask.Type != dns.TypeTXT:
		return false
	default:
		name := strings.ToLower(string(ask.Name))
		return name == "\x02id\x06server\x00" || name == "\x08hostname\x04bind\x00"
	}
}

// server tells which server answers.
func (x *exchange) server(q *dns.Message) *dns.Message {
	m := start(q, dns.RcodeSuccess)
	m.Authoritative = true
	m.Answer = []dns.RR{{
		Name: q.Question[0].Name, Type: dns.TypeTXT, Class: dns.ClassCH,
		Data: append([]byte{byte(len(x.opts.NSID))}, x.opts.NSID...),
	}}
	return m
}

// The extended errors with what they say to a person (RFC 8914 section 3):
// nothing that the query does not tell already.
var (
	edeNotReady  = dns.ExtendedError{Code: dns.EDENotReady, Text: "the zones are not loaded yet"}.Option()
	edeNoZone    = dns.ExtendedError{Code: dns.EDENotAuthoritative, Text: "no zone of this server has the name"}.Option()
	edeClass     = dns.ExtendedError{Code: dns.EDENotAuthoritative, Text: "zones are in class IN"}.Option()
	edeTransfer  = dns.ExtendedError{Code: dns.EDEProhibited, Text: "zone transfers are not for this client"}.Option()
	edeOpcode    = dns.ExtendedError{Code: dns.EDENotSupported, Text: "the opcode is not implemented"}.Option()
	edeQueryType = dns.ExtendedError{Code: dns.EDENotSupported, Text: "the type is not implemented"}.Option()
)

// explain adds a text to the extended errors that have none.
func explain(q, m *dns.Message) {
	if m.EDNS == nil || m.Rcode == dns.RcodeSuccess {
		return
	}
	for i, o := range m.EDNS.Options {
		if o.Code == dns.OptionExtendedError && len(o.Data) == 2 {
			m.EDNS.Options[i] = explained(q, o)
		}
	}
}

func explained(q *dns.Message, o dns.Option) dns.Option {
	var ask dns.Question
	if len(q.Question) > 0 {
		ask = q.Question[0]
	}
	switch code := binary.BigEndian.Uint16(o.Data); {
	case code == dns.EDENotReady:
		return edeNotReady
	case code == dns.EDENotAuthoritative && ask.Class != dns.ClassIN:
		return edeClass
	case code == dns.EDENotAuthoritative:
		return edeNoZone
	case code == dns.EDEProhibited && (ask.Type == dns.TypeAXFR || ask.Type == dns.TypeIXFR):
		return edeTransfer
	case code == dns.EDENotSupported && q.Opcode != dns.OpcodeQuery:
		return edeOpcode
	case code == dns.EDENotSupported:
		return edeQueryType
	}
	return o
}
