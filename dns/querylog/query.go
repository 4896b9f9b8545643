package querylog

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/transcript"
)

// MaxOpen is how many queries of one connection a Pairing holds that wait for their answers. When there are more the
// oldest is given up.
const MaxOpen = 1000

// Query is one query and what became of it.
type Query struct {
	Exchange  transcript.ID  `json:"exchange"`
	Service   string         `json:"service"`
	Time      time.Time      `json:"time"` // when it had come
	Transport string         `json:"transport"`
	Client    netip.AddrPort `json:"client"`
	Server    netip.AddrPort `json:"server"` // the address that was asked
	ID        int            `json:"id"`
	Opcode    string         `json:"opcode"`
	Name      string         `json:"name"` // in presentation form; "" where there is no question
	Type      string         `json:"type"`
	Class     string         `json:"class"`
	Flags     []string       `json:"flags"`              // of rd, ad, cd, edns and do
	Key       string         `json:"tsig_key,omitempty"` // that signed it
	Malformed string         `json:"malformed,omitempty"`
	Received  int            `json:"query_octets"`

	Code        string   `json:"code,omitempty"` // "" where it was not answered
	AnswerFlags []string `json:"answer_flags,omitempty"`
	Answer      int      `json:"answer_count"` // records in the sections
	Authority   int      `json:"authority_count"`
	Additional  int      `json:"additional_count"`
	Sent        int      `json:"answer_octets"`
	Took        int64    `json:"took_us"` // microseconds from the query to its answer
	Signed      bool     `json:"signed"`  // RRSIG records are in the answer
	Truncated   bool     `json:"truncated"`
	Limited     bool     `json:"limited"` // a limit on responses kept it back, or made it small
	Errors      []int    `json:"extended_errors,omitempty"`
	Note        string   `json:"note,omitempty"` // what else was noted

	Asked []byte `json:"-"` // the messages, where the transcript has them
	Told  []byte `json:"-"`
}

// Queries gives the queries of an exchange, in the order of their answers; of one that is under way, those that have
// been answered.
func Queries(r transcript.Record) []Query {
	p := NewPairing(r.Head)
	var all []Query
	for _, e := range r.Entries {
		if q, ok := p.Entry(e); ok {
			all = append(all, q)
		}
	}
	if !r.End.IsZero() {
		all = append(all, p.End()...)
	}
	return all
}

// Pairing puts the queries and answers of one exchange together.
type Pairing struct {
	head transcript.Head
	open []Query
}

// NewPairing begins with an exchange.
func NewPairing(h transcript.Head) *Pairing { return &Pairing{head: h} }

// Entry takes the next entry of the exchange. It gives the query that this completes, if it does.
func (p *Pairing) Entry(e transcript.Entry) (q Query, ok bool) {
	switch {
	case e.Fields == nil:
		return Query{}, false
	case e.Dir == transcript.Received:
		p.open = append(p.open, p.query(e))
		if len(p.open) > MaxOpen {
			return p.take(0), true
		}
		return Query{}, false
	case e.Dir == transcript.Sent:
		return p.answered(e)
	case e.Fields[fieldSilent] != "" && len(p.open) > 0:
		q = p.take(len(p.open) - 1)
		q.Note, q.Limited = e.Text, e.Fields[fieldLimited] != ""
		return q, true
	}
	return Query{}, false
}

// End gives those that have had no answer when the exchange ends.
func (p *Pairing) End() []Query {
	rest := p.open
	p.open = nil
	for i := range rest {
		rest[i].Note = "not answered"
	}
	return rest
}

func (p *Pairing) take(i int) Query {
	q := p.open[i]
	p.open = slices.Delete(p.open, i, i+1)
	return q
}

func (p *Pairing) query(e transcript.Entry) Query {
	f := e.Fields
	q := Query{
		Exchange: p.head.ID, Service: p.head.Service, Time: e.Time, Transport: p.head.Network,
		Client: p.head.Remote, Server: p.head.Local, Opcode: f[fieldOpcode], Name: f[fieldName], Type: f[fieldType],
		Class: f[fieldClass], Flags: strings.Fields(f[fieldFlags]), Key: f[fieldKey], Malformed: f[fieldMalformed],
		Received: e.Bytes, Asked: e.Raw,
	}
	q.ID, _ = strconv.Atoi(f[fieldID])
	if q.Opcode == "" && q.Malformed == "" {
		q.Opcode = dns.OpcodeQuery.String()
	}
	if q.Class == "" && q.Name != "" {
		q.Class = dns.ClassIN.String()
	}
	return q
}

// answered completes the oldest query that has the response's ID.
func (p *Pairing) answered(e transcript.Entry) (Query, bool) {
	f := e.Fields
	id, _ := strconv.Atoi(f[fieldID])
	i := slices.IndexFunc(p.open, func(q Query) bool { return q.ID == id })
	if i < 0 {
		return Query{}, false // another message of an answer that has several
	}
	q := p.take(i)
	q.Code, q.AnswerFlags, q.Sent, q.Told = f[fieldCode], strings.Fields(f[fieldFlags]), e.Bytes, e.Raw
	q.Took = e.Time.Sub(q.Time).Microseconds()
	q.Signed, q.Limited = f[fieldSigned] != "", f[fieldLimited] != ""
	q.Truncated = slices.Contains(q.AnswerFlags, "tc")
	_, _ = fmt.Sscanf(f[fieldCounts], "%d/%d/%d", &q.Answer, &q.Authority, &q.Additional) // or they stay 0
	for _, code := range strings.Fields(f[fieldErrors]) {
		if n, err := strconv.Atoi(code); err == nil {
			q.Errors = append(q.Errors, n)
		}
	}
	return q, true
}

// NoAnswer is what stands in the place of a response code where there is none.
const NoAnswer = "none"

// Kind is what was asked for in one word: the type, or the opcode where that is not QUERY; a class that is not IN stands
// before it. "-" where that is not known.
func (q Query) Kind() string {
	switch {
	case q.Opcode != "" && q.Opcode != dns.OpcodeQuery.String():
		return q.Opcode
	case q.Type == "":
		return "-"
	case q.Class != dns.ClassIN.String():
		return q.Class + ":" + q.Type
	}
	return q.Type
}

// Outcome is the response code, or NoAnswer.
func (q Query) Outcome() string {
	if q.Code == "" {
		return NoAnswer
	}
	return q.Code
}

// Marks are what is to be said of the answer in single words: its flags aa, tc, ra and ad, signed, limited, ede with each
// extended error's number, and tsig.
func (q Query) Marks() []string {
	var marks []string
	for _, flag := range q.AnswerFlags {
		if slices.Contains([]string{"aa", "tc", "ra", "ad"}, flag) {
			marks = append(marks, flag)
		}
	}
	for _, m := range [...]struct {
		on   bool
		name string
	}{{q.Signed, "signed"}, {q.Limited, "limited"}, {q.Key != "", "tsig"}} {
		if m.on {
			marks = append(marks, m.name)
		}
	}
	for _, code := range q.Errors {
		marks = append(marks, "ede"+strconv.Itoa(code))
	}
	return marks
}

// Question gives the client's side of a line of the log: its address, the transport, the name, Kind, and the flags. What
// is empty is "-", so that each line has the same columns.
func (q Query) Question() string {
	return strings.Join([]string{q.Client.String(), or(q.Transport), or(q.Name), q.Kind(), or(strings.Join(q.Flags, ","))}, " ")
}

// Result gives the server's side, behind the Outcome: the records in the sections, the octets, the time, and the Marks;
// and at the end the note, or what is wrong with the query, in words.
func (q Query) Result() string {
	counts, sent, took := "-", "-", "-"
	if q.Code != "" {
		counts, sent = fmt.Sprintf("%d/%d/%d", q.Answer, q.Authority, q.Additional), fmt.Sprintf("%dB", q.Sent)
		took = fmt.Sprintf("%dµs", q.Took)
	}
	line := strings.Join([]string{counts, sent, took, or(strings.Join(q.Marks(), ","))}, " ")
	for _, words := range [...]string{q.Malformed, q.Note} {
		if words != "" {
			line += " (" + words + ")"
		}
	}
	return line
}

// String gives a line of the log, with the time of day in the machine's own zone.
func (q Query) String() string {
	return q.Time.Local().Format("15:04:05.000") + " " + q.Question() + " " + q.Outcome() + " " + q.Result()
}

func or(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
