package dns

import (
	"fmt"
	"strings"
)

// How much of a message Summary shows.
const (
	summaryRecords = 3   // answers, after which it says how many more
	summaryData    = 120 // characters of one record's data
)

// Summary gives a message in one line, for a transcript:
//
//	query 4711 www.example.test. IN A +rd +edns
//	answer 4711 NOERROR aa 1/0/1 www.example.test. A 127.0.0.1
//
// The three numbers count the records of the answer, authority and additional
// sections, OPT included. An answer without records shows what was asked.
func Summary(m *Message) string {
	var b strings.Builder
	if m.Response {
		summarizeAnswer(&b, m)
	} else {
		summarizeQuery(&b, m)
	}
	return b.String()
}

// SummarizeWire is Summary for octets that may be no message at all.
func SummarizeWire(wire []byte) string {
	m, err := Parse(wire)
	if err != nil {
		return fmt.Sprintf("%d octets: %v", len(wire), err)
	}
	return Summary(m)
}

func summarizeQuery(b *strings.Builder, m *Message) {
	kind := "query"
	if m.Opcode != OpcodeQuery {
		kind = strings.ToLower(m.Opcode.String())
	}
	fmt.Fprintf(b, "%s %d", kind, m.ID)
	for _, q := range m.Question {
		b.WriteString(" " + q.String())
	}
	if m.RecursionDesired {
		b.WriteString(" +rd")
	}
	if m.EDNS != nil {
		b.WriteString(" +edns")
		if m.EDNS.DO {
			b.WriteString(" +do")
		}
	}
}

func summarizeAnswer(b *strings.Builder, m *Message) {
	fmt.Fprintf(b, "answer %d %s", m.ID, m.Rcode)
	for _, f := range [...]struct {
		on   bool
		name string
	}{
		{m.Authoritative, " aa"}, {m.Truncated, " tc"},
		{m.RecursionAvailable, " ra"}, {m.AuthenticData, " ad"},
	} {
		if f.on {
			b.WriteString(f.name)
		}
	}
	additional := len(m.Additional)
	if m.EDNS != nil {
		additional++
	}
	fmt.Fprintf(b, " %d/%d/%d", len(m.Answer), len(m.Authority), additional)
	shown := m.Answer[:min(len(m.Answer), summaryRecords)]
	for i, rr := range shown {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, " %s %s %s", rr.Name, rr.Type, shorten(rr.DataString(), summaryData))
	}
	if more := len(m.Answer) - len(shown); more > 0 {
		fmt.Fprintf(b, ", and %d more", more)
	}
	if len(m.Answer) == 0 {
		for _, q := range m.Question {
			b.WriteString(" " + q.String())
		}
	}
	for _, e := range m.EDNS.ExtendedErrors() {
		b.WriteString(" " + fmt.Sprintf("EDE %d", e.Code))
	}
}
