package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

// digPage prints an answer in dig's layout.
type digPage struct {
	*digQuestion
	known int // servers that could be asked
	out   *bytes.Buffer
}

func (p digPage) printf(format string, args ...any) { fmt.Fprintf(p.out, format, args...) }

func (p digPage) answer(t told) {
	if p.show.short { // and nothing else, whatever is asked for beside it
		if p.show.answer {
			p.short(t.Message.Answer)
		}
		return
	}
	if t.Truncated && p.show.comments {
		p.printf(";; Truncated, retrying in TCP mode.\n")
	}
	if p.show.cmd {
		p.printf("\n; <<>> utopia dig %s <<>> %s\n", version, onlyASCII(strings.Join(p.args, " ")))
		if p.known == 1 {
			p.printf("; (1 server found)\n")
		} else {
			p.printf("; (%d servers found)\n", p.known)
		}
		p.printf(";; global options: +cmd\n")
	}
	p.message(t.Message)
	if p.show.stats {
		p.stats(t)
	}
}

func (p digPage) short(answers []dns.RR) {
	for _, rr := range answers {
		p.printf("%s\n", recordData(rr))
	}
}

func (p digPage) message(m *dns.Message) {
	if p.show.comments {
		p.header(m)
		p.printf("\n")
		p.pseudoSection(m)
	}
	if p.show.question && len(m.Question) > 0 {
		p.section("QUESTION", func() {
			for _, q := range m.Question {
				p.question(q)
			}
		})
	}
	for _, s := range [...]struct {
		name    string
		shown   bool
		records []dns.RR
	}{
		{"ANSWER", p.show.answer, m.Answer},
		{"AUTHORITY", p.show.authority, m.Authority},
		{"ADDITIONAL", p.show.additional, m.Additional},
	} {
		if s.shown && len(s.records) > 0 {
			p.section(s.name, func() {
				for _, rr := range s.records {
					p.record(rr)
				}
			})
		}
	}
}

func (p digPage) section(name string, print func()) {
	if p.show.comments {
		p.printf(";; %s SECTION:\n", name)
		defer p.printf("\n")
	}
	print()
}

func (p digPage) header(m *dns.Message) {
	additional := len(m.Additional)
	if m.EDNS != nil {
		additional++
	}
	p.printf(";; Got answer:\n;; ->>HEADER<<- opcode: %s, status: %s, id: %d\n;; flags:", m.Opcode, m.Rcode, m.ID)
	for _, f := range [...]struct {
		on   bool
		name string
	}{
		{m.Response, "qr"}, {m.Authoritative, "aa"}, {m.Truncated, "tc"}, {m.RecursionDesired, "rd"},
		{m.RecursionAvailable, "ra"}, {m.AuthenticData, "ad"}, {m.CheckingDisabled, "cd"},
	} {
		if f.on {
			p.printf(" %s", f.name)
		}
	}
	p.printf("; QUERY: %d, ANSWER: %d, AUTHORITY: %d, ADDITIONAL: %d\n",
		len(m.Question), len(m.Answer), len(m.Authority), additional)
	if m.RecursionDesired && !m.RecursionAvailable {
		p.printf(";; WARNING: recursion requested but not available\n")
	}
	if p.edns && m.EDNS == nil && (m.Rcode == dns.RcodeFormErr || m.Rcode == dns.RcodeNotImp) {
		retry := "+noedns"
		if p.dnssec {
			retry = "+nodnssec +noedns"
		}
		p.printf("\n;; WARNING: EDNS query returned status %s - retry with '%s'\n", m.Rcode, retry)
	}
}

func (p digPage) pseudoSection(m *dns.Message) {
	e := m.EDNS
	if e == nil {
		return
	}
	do := ""
	if e.DO {
		do = " do"
	}
	p.printf(";; OPT PSEUDOSECTION:\n; EDNS: version: %d, flags:%s; udp: %d\n", e.Version, do, e.UDPSize)
	for _, o := range e.Options {
		p.printf("; %s\n", optionText(o))
	}
}

// optionText gives an EDNS option as dig does.
func optionText(o dns.Option) string {
	switch d := o.Data; {
	case o.Code == dns.OptionExtendedError && len(d) >= 2:
		return extendedError(binary.BigEndian.Uint16(d), d[2:])
	case o.Code == dns.OptionCookie:
		return "COOKIE: " + hex.EncodeToString(d)
	case o.Code == dns.OptionPadding && len(d) > 0:
		return fmt.Sprintf("PAD: (%d bytes)", len(d))
	case o.Code == dns.OptionTCPKeepalive && len(d) == 2:
		tenths := binary.BigEndian.Uint16(d)
		return fmt.Sprintf("TCP KEEPALIVE: %d.%d secs", tenths/10, tenths%10)
	case o.Code == dns.OptionClientSubnet:
		if text, ok := clientSubnet(d); ok {
			return "CLIENT-SUBNET: " + text
		}
	}
	name := fmt.Sprintf("OPT=%d", o.Code)
	switch o.Code {
	case dns.OptionNSID:
		name = "NSID"
	case dns.OptionClientSubnet:
		name = "CLIENT-SUBNET"
	case dns.OptionTCPKeepalive:
		name = "TCP KEEPALIVE"
	case dns.OptionPadding:
		name = "PAD"
	case dns.OptionExtendedError:
		name = "EDE"
	}
	if len(o.Data) == 0 {
		return name
	}
	return fmt.Sprintf(`%s: % x ("%s")`, name, o.Data, dotted(o.Data))
}

// clientSubnet gives the option of RFC 7871 section 6: family, prefix lengths of the source and the scope, address.
func clientSubnet(d []byte) (string, bool) {
	if len(d) < 4 {
		return "", false
	}
	size := map[uint16]int{1: 4, 2: 16}[binary.BigEndian.Uint16(d)]
	bits := int(d[2])
	if size == 0 || len(d)-4 > size || bits > 8*size || len(d)-4 < (bits+7)/8 {
		return "", false
	}
	addr, _ := netip.AddrFromSlice(append(bytes.Clone(d[4:]), make([]byte, size-len(d)+4)...))
	return fmt.Sprintf("%v/%d/%d", addr, d[2], d[3]), true
}

// extendedErrors are the codes of RFC 8914 section 4, by their number, as IANA names them.
var extendedErrors = [...]string{
	"Other", "Unsupported DNSKEY Algorithm", "Unsupported DS Digest Type", "Stale Answer", "Forged Answer",
	"DNSSEC Indeterminate", "DNSSEC Bogus", "Signature Expired", "Signature Not Yet Valid", "DNSKEY Missing",
	"RRSIGs Missing", "No Zone Key Bit Set", "NSEC Missing", "Cached Error", "Not Ready", "Blocked", "Censored",
	"Filtered", "Prohibited", "Stale NXDOMAIN Answer", "Not Authoritative", "Not Supported", "No Reachable Authority",
	"Network Error", "Invalid Data",
}

func extendedError(code uint16, text []byte) string {
	s := "EDE: " + strconv.Itoa(int(code))
	if int(code) < len(extendedErrors) {
		s += " (" + extendedErrors[code] + ")"
	}
	if len(text) > 0 {
		s += ": (" + dotted(text) + ")"
	}
	return s
}

func (p digPage) stats(t told) {
	server := t.server
	if addr := t.Server; addr.IsValid() {
		server = fmt.Sprintf("%v#%d", addr.Addr(), addr.Port())
	}
	p.printf(";; Query time: %d msec\n;; SERVER: %s(%s) (%s)\n;; WHEN: %s\n;; MSG SIZE  rcvd: %d\n\n",
		t.Duration.Milliseconds(), server, onlyASCII(t.server), strings.ToUpper(t.Network),
		t.when.Format("Mon Jan 02 15:04:05 MST 2006"), t.Size)
}

// The columns at which the TTL, the class, the type and the data begin where what stands before leaves room.
const (
	columnTTL   = 24
	columnClass = 32
	columnType  = 40
	columnData  = 48
)

func (p digPage) question(q dns.Question) {
	l := line{}
	l.add(q.Name.String())
	l.indent(columnClass)
	l.add(q.Class.String())
	l.indent(columnType)
	l.add(q.Type.String())
	p.printf(";%s\n", l.text)
}

func (p digPage) record(rr dns.RR) {
	l := line{}
	l.add(rr.Name.String())
	l.indent(columnTTL)
	l.add(strconv.FormatUint(uint64(rr.TTL), 10))
	l.indent(columnClass)
	l.add(rr.Class.String())
	l.indent(columnType)
	l.add(rr.Type.String())
	l.indent(columnData)
	l.add(recordData(rr))
	p.printf("%s\n", l.text)
}

// line is a line that is laid out in columns.
type line struct {
	text   []byte
	column int
}

func (l *line) add(s string) {
	s = onlyASCII(s)
	l.text = append(l.text, s...)
	l.column += len(s)
}

// indent goes to a column with tabs and then spaces, and by one at least.
func (l *line) indent(to int) {
	const tab = 8
	to = max(to, l.column+1)
	if tabs := to/tab - l.column/tab; tabs > 0 {
		l.text = append(l.text, strings.Repeat("\t", tabs)...)
		l.column = to / tab * tab
	}
	l.text = append(l.text, strings.Repeat(" ", to-l.column)...)
	l.column = to
}

// longField says behind how many fields the data of a type ends in a long key, digest or signature, and whether that
// is written in hexadecimal. dig writes hexadecimal in upper case, and both in words of 56 characters.
func longField(t dns.Type) (fields int, hexadecimal, ok bool) {
	const (
		typeCERT, typeOPENPGPKEY, typeSMIMEA, typeDHCID, typeZONEMD, typeDLV, typeTA = 37, 61, 53, 49, 63, 32769, 32768
	)
	switch t {
	case dns.TypeDS, dns.TypeCDS, dns.TypeTLSA, typeSMIMEA, typeZONEMD, typeDLV, typeTA:
		return 3, true, true
	case dns.TypeSSHFP:
		return 2, true, true
	case dns.TypeDNSKEY, dns.TypeCDNSKEY, dns.TypeKEY, typeCERT:
		return 3, false, true
	case dns.TypeRRSIG, dns.TypeSIG:
		return 8, false, true
	case typeOPENPGPKEY, typeDHCID:
		return 0, false, true
	}
	return 0, false, false
}

// recordData gives the data of a record as dig does.
func recordData(rr dns.RR) string {
	text := onlyASCII(rr.DataString())
	fields, hexadecimal, ok := longField(rr.Type)
	if strings.HasPrefix(text, `\# `) {
		fields, hexadecimal, ok = 2, true, true
	}
	words := strings.Fields(text)
	if !ok || len(words) <= fields {
		return text
	}
	long := strings.Join(words[fields:], "")
	if hexadecimal {
		long = strings.ToUpper(long)
	}
	const width = 56
	words = words[:fields]
	for ; len(long) > width; long = long[width:] {
		words = append(words, long[:width])
	}
	return strings.Join(append(words, long), " ")
}
