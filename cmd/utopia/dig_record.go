package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

// columns are those at which the TTL, the class, the type and the data begin where what stands before leaves room.
type columns struct{ ttl, class, kind, data int }

func (s digShow) columns() columns {
	switch {
	case s.multiline, s.noTTL && s.noClass:
		return columns{24, 24, 24, 32}
	case s.noTTL, s.noClass:
		return columns{24, 24, 32, 40}
	}
	return columns{24, 32, 40, 48}
}

func (p *digPage) question(q dns.Question) {
	at, l := p.show.columns(), line{}
	l.add(q.Name.String())
	l.indent(at.class)
	l.add(q.Class.String())
	l.indent(at.kind)
	l.add(q.Type.String())
	p.printf(";%s\n", l.text)
}

func (p *digPage) record(rr dns.RR) {
	at, l := p.show.columns(), line{}
	l.add(rr.Name.String())
	if !p.show.noTTL {
		l.indent(at.ttl)
		if p.show.units {
			l.add(shortTTL(rr.TTL))
		} else {
			l.add(strconv.FormatUint(uint64(rr.TTL), 10))
		}
	}
	if !p.show.noClass {
		l.indent(at.class)
		l.add(rr.Class.String())
	}
	l.indent(at.kind)
	l.add(rr.Type.String())
	l.indent(at.data)
	p.printf("%s%s\n", l.text, p.style().text(rr))
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

// ttlUnit is a unit of time to live.
type ttlUnit struct {
	seconds uint32
	letter  string
	name    string
}

var ttlUnits = [...]ttlUnit{{7 * 86400, "w", "week"}, {86400, "d", "day"}, {3600, "h", "hour"}, {60, "m", "minute"}, {1, "s", "second"}}

// shortTTL gives 3690 as 1h1m30s.
func shortTTL(ttl uint32) string {
	var b strings.Builder
	for _, u := range ttlUnits {
		if n := ttl / u.seconds; n > 0 || u.seconds == 1 && b.Len() == 0 {
			fmt.Fprintf(&b, "%d%s", n, u.letter)
		}
		ttl %= u.seconds
	}
	return b.String()
}

// longTTL gives 3690 as 1 hour 1 minute 30 seconds.
func longTTL(ttl uint32) string {
	var words []string
	for _, u := range ttlUnits {
		n := ttl / u.seconds
		if n > 0 || u.seconds == 1 && len(words) == 0 {
			plural := "s"
			if n == 1 {
				plural = ""
			}
			words = append(words, fmt.Sprintf("%d %s%s", n, u.name, plural))
		}
		ttl %= u.seconds
	}
	return strings.Join(words, " ")
}

// dataStyle is how the data of records is printed.
type dataStyle struct {
	multiline, comments, noCrypto bool
	split                         int // characters of a word; 0 does not split
}

// The usual widths of words, as dig has them.
const (
	wordWidth      = 56
	multilineWidth = 44
)

func (p *digPage) style() dataStyle {
	s := p.show
	d := dataStyle{multiline: s.multiline, noCrypto: s.noCrypto, split: s.split}
	d.comments = s.recordComments > 0 || s.recordComments == 0 && s.multiline
	switch {
	case s.split >= 0:
	case s.multiline:
		d.split = multilineWidth
	default:
		d.split = wordWidth
	}
	return d
}

// plainStyle is that of records that stand on one line each.
func plainStyle() dataStyle { return dataStyle{split: wordWidth} }

// short is the data on one line.
func (s dataStyle) short(rr dns.RR) string {
	if s.multiline { // which +short does not heed
		s.multiline, s.comments = false, false
		if s.split == multilineWidth {
			s.split = wordWidth
		}
	}
	return s.text(rr)
}

// margin begins each further line of a record.
const margin = "\n\t\t\t\t"

// text gives the data of a record as dig does.
func (s dataStyle) text(rr dns.RR) string {
	if t, ok := rr.TSIG(); ok {
		return s.tsig(t)
	}
	text := onlyASCII(rr.DataString())
	words := strings.Fields(text)
	if s.multiline {
		switch rr.Type {
		case dns.TypeSOA:
			return s.soa(rr, words)
		case dns.TypeNSEC3:
			return s.nsec3(words)
		}
	}
	fields, hexadecimal, ok := longField(rr.Type)
	if strings.HasPrefix(text, `\# `) {
		fields, hexadecimal, ok = 2, true, true
	}
	if rr.Type == dns.TypeSVCB || rr.Type == dns.TypeHTTPS {
		return bareValues(words)
	}
	if !ok || len(words) <= fields {
		return text
	}
	long := strings.Join(words[fields:], "")
	if hexadecimal {
		long = strings.ToUpper(long)
	}
	return s.long(rr, words[:fields], long)
}

// long joins the first fields and the long last one.
func (s dataStyle) long(rr dns.RR, fields []string, long string) string {
	chunks := chunk(long, s.split)
	comment := ""
	if k, ok := rr.DNSKEY(); ok && rr.Type != dns.TypeKEY {
		if s.noCrypto {
			chunks = []string{fmt.Sprintf("[key id = %d]", k.KeyTag())}
		}
		if s.comments {
			comment = keyComment(k)
		}
	} else if s.noCrypto && omitted(rr.Type) {
		chunks = []string{"[omitted]"}
	}
	if !s.multiline {
		if comment != "" {
			comment = " " + comment
		}
		return strings.Join(append(fields, chunks...), " ") + comment
	}
	head := strings.Join(fields, " ") + " (" + margin
	switch {
	case len(fields) == 2 && fields[0] == `\#`:
		head = strings.Join(fields, " ") + " ( "
	case len(fields) == 0:
		head = "( "
	case rr.Type == dns.TypeRRSIG || rr.Type == dns.TypeSIG:
		const first = 4 // fields before the times
		head = strings.Join(fields[:first], " ") + " (" + margin + strings.Join(fields[first:], " ") + margin
	}
	end := " )"
	if comment != "" {
		end = margin + ")" + comment
	}
	return head + strings.Join(chunks, margin) + end
}

// bareValues takes the quotes off those parameters of an SVCB or HTTPS record that dig prints without.
func bareValues(words []string) string {
	for i, w := range words {
		key, value, ok := strings.Cut(w, "=")
		switch key {
		case "mandatory", "port", "ipv4hint", "ipv6hint", "ech":
			if inner := strings.Trim(value, `"`); ok && inner != "" {
				words[i] = key + "=" + inner
			}
		}
	}
	return strings.Join(words, " ")
}

func omitted(t dns.Type) bool {
	const typeOPENPGPKEY, typeZONEMD = 61, 63
	switch t {
	case dns.TypeRRSIG, dns.TypeSIG, dns.TypeDS, dns.TypeCDS, typeOPENPGPKEY, typeZONEMD:
		return true
	}
	return false
}

// chunk cuts text into words of a width.
func chunk(text string, width int) []string {
	var words []string
	for ; width > 0 && len(text) > width; text = text[width:] {
		words = append(words, text[:width])
	}
	return append(words, text)
}

// keyComment says what a key is for, with a space before.
func keyComment(k dns.DNSKEY) string {
	const secureEntryPoint, revoked = 1, 1 << 7 // RFC 4034 section 2.1.1, RFC 5011 section 7
	kind := "ZSK"
	if k.Flags&secureEntryPoint != 0 {
		kind = "KSK"
		if k.Flags&revoked != 0 {
			kind = "revoked KSK"
		}
	}
	return fmt.Sprintf(" ; %s; alg = %s ; key id = %d", kind, k.Algorithm, k.KeyTag())
}

// soa prints the numbers one below the other.
func (s dataStyle) soa(rr dns.RR, words []string) string {
	soa, ok := rr.SOA()
	const names = 2
	if !ok || len(words) != names+5 {
		return strings.Join(words, " ")
	}
	about := [...]string{"serial", "refresh (" + longTTL(soa.Refresh) + ")", "retry (" + longTTL(soa.Retry) + ")",
		"expire (" + longTTL(soa.Expire) + ")", "minimum (" + longTTL(soa.Minimum) + ")"}
	var b strings.Builder
	b.WriteString(strings.Join(words[:names], " ") + " (")
	for i, number := range words[names:] {
		b.WriteString(margin)
		if s.comments {
			fmt.Fprintf(&b, "%-10s ; %s", number, about[i])
		} else {
			b.WriteString(number)
		}
	}
	if s.comments {
		b.WriteString(margin)
	}
	return b.String() + ")"
}

// nsec3 breaks the line before the next hash and before the types.
func (s dataStyle) nsec3(words []string) string {
	const fields = 4 // before the hash
	if len(words) <= fields {
		return strings.Join(words, " ")
	}
	text := strings.Join(words[:fields], " ") + " (" + margin + words[fields]
	if types := words[fields+1:]; len(types) > 0 {
		text += margin + strings.Join(types, " ")
	}
	return text + " )"
}

// longField says behind how many fields the data of a type ends in a long key, digest or signature, and whether that
// is written in hexadecimal. dig writes hexadecimal in upper case, and both in words.
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
func recordData(rr dns.RR) string { return plainStyle().text(rr) }
