package querylog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

// The names of fields.
const (
	fieldID        = "id"
	fieldOpcode    = "opcode" // where it is not QUERY
	fieldName      = "name"   // of the first question, as its type and class
	fieldType      = "type"
	fieldClass     = "class" // where it is not IN
	fieldFlags     = "flags" // with spaces between them
	fieldKey       = "tsig"  // the key that signed it (RFC 8945)
	fieldMalformed = "malformed"
	fieldCode      = "code" // of a response, as all that follow
	fieldCounts    = "counts"
	fieldSigned    = "signed" // RRSIG records are in it
	fieldErrors    = "ede"    // extended errors
	fieldLimited   = "limited"
	fieldSilent    = "silent" // of a note: the query is not answered
)

const yes = "yes"

// Describe gives the line and the fields of a message for its transcript. Octets that are no message have a field that
// says so.
func Describe(wire []byte) (line string, fields map[string]string) {
	m, err := dns.Parse(wire)
	if err != nil {
		return fmt.Sprintf("%d octets: %v", len(wire), err), malformed(wire, err)
	}
	return dns.Summary(m), fieldsOf(m)
}

func fieldsOf(m *dns.Message) map[string]string {
	f := map[string]string{fieldID: strconv.Itoa(int(m.ID))}
	set := func(name, value string) {
		if value != "" {
			f[name] = value
		}
	}
	if m.Opcode != dns.OpcodeQuery {
		set(fieldOpcode, m.Opcode.String())
	}
	if len(m.Question) > 0 {
		q := m.Question[0]
		set(fieldName, q.Name.String())
		set(fieldType, q.Type.String())
		if q.Class != dns.ClassIN {
			set(fieldClass, q.Class.String())
		}
	}
	set(fieldFlags, strings.Join(flagsOf(m), " "))
	if n := len(m.Additional); n > 0 && m.Additional[n-1].Type == dns.TypeTSIG {
		set(fieldKey, m.Additional[n-1].Name.String())
	}
	if m.Response {
		describeResponse(m, set)
	}
	return f
}

// malformed tells what can be told of octets that are no message: the header may be one.
func malformed(wire []byte, err error) map[string]string {
	f := map[string]string{fieldMalformed: strings.TrimPrefix(err.Error(), "dns: ")}
	if h, _, err := dns.ParseHeader(wire); err == nil {
		f[fieldID] = strconv.Itoa(int(h.ID))
	}
	return f
}

func describeResponse(m *dns.Message, set func(name, value string)) {
	set(fieldCode, m.Rcode.String())
	additional := len(m.Additional)
	if m.EDNS != nil {
		additional++
	}
	set(fieldCounts, fmt.Sprintf("%d/%d/%d", len(m.Answer), len(m.Authority), additional))
	for _, section := range [...][]dns.RR{m.Answer, m.Authority, m.Additional} {
		for _, rr := range section {
			if rr.Type == dns.TypeRRSIG {
				set(fieldSigned, yes)
			}
		}
	}
	var errors []string
	for _, e := range m.EDNS.ExtendedErrors() {
		errors = append(errors, strconv.Itoa(int(e.Code)))
	}
	set(fieldErrors, strings.Join(errors, " "))
}

// flagsOf gives a message's flags, in the order of the header, and what its EDNS says.
func flagsOf(m *dns.Message) []string {
	var flags []string
	for _, f := range [...]struct {
		on   bool
		name string
	}{
		{m.Authoritative, "aa"}, {m.Truncated, "tc"}, {m.RecursionDesired, "rd"}, {m.RecursionAvailable, "ra"},
		{m.AuthenticData, "ad"}, {m.CheckingDisabled, "cd"}, {m.EDNS != nil, "edns"}, {m.EDNS != nil && m.EDNS.DO, "do"},
	} {
		if f.on {
			flags = append(flags, f.name)
		}
	}
	return flags
}

// Limited adds to a response's fields that a limit on responses made it so small.
func Limited(fields map[string]string) map[string]string {
	fields[fieldLimited] = yes
	return fields
}

// Silent gives the fields of a note that says that a query is not answered, by a limit or otherwise.
func Silent(limited bool) map[string]string {
	f := map[string]string{fieldSilent: yes}
	if limited {
		f[fieldLimited] = yes
	}
	return f
}
