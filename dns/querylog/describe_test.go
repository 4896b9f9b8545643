package querylog

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/transcript"
)

func records(t *testing.T, lines ...string) []dns.RR {
	t.Helper()
	var all []dns.RR
	for _, text := range lines {
		rr, err := dns.ParseRR(text, dns.Root, 60)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rr)
	}
	return all
}

const signature = "a.test. RRSIG A 13 2 60 20300101000000 20290101000000 1 test. AAAA"

func TestDescribe(t *testing.T) {
	plain := ask(7, "a.test.", dns.TypeA)
	for name, c := range map[string]struct {
		change func(m *dns.Message)
		want   map[string]string
	}{
		"a query":  {func(*dns.Message) {}, map[string]string{"flags": "rd"}},
		"no flags": {func(m *dns.Message) { m.RecursionDesired = false }, map[string]string{}},
		"all flags of a query": {func(m *dns.Message) {
			m.AuthenticData, m.CheckingDisabled, m.EDNS = true, true, &dns.EDNS{UDPSize: 512, DO: true}
		}, map[string]string{"flags": "rd ad cd edns do"}},
		"another type":   {func(m *dns.Message) { m.Question[0].Type = 65534 }, map[string]string{"flags": "rd", "type": "TYPE65534"}},
		"another class":  {func(m *dns.Message) { m.Question[0].Class = dns.ClassCH }, map[string]string{"flags": "rd", "class": "CH"}},
		"another opcode": {func(m *dns.Message) { m.Opcode = dns.OpcodeNotify }, map[string]string{"flags": "rd", "opcode": "NOTIFY"}},
		"no question":    {func(m *dns.Message) { m.Question = nil }, map[string]string{"flags": "rd", "name": "", "type": ""}},
		"two questions":  {func(m *dns.Message) { m.Question = append(m.Question, ask(1, "b.test.", dns.TypeMX).Question...) }, map[string]string{"flags": "rd"}},
		"signed with a key": {func(m *dns.Message) {
			m.Additional = []dns.RR{{Name: dns.MustParseName("key."), Type: dns.TypeTSIG, Class: dns.ClassANY, Data: tsigData()}}
		}, map[string]string{"flags": "rd", "tsig": "key."}},
		"an answer": {func(m *dns.Message) {
			*m = *m.Reply(dns.RcodeSuccess)
			m.Authoritative, m.Answer = true, records(t, "a.test. A 192.0.2.1", "a.test. A 192.0.2.2")
		}, map[string]string{"flags": "aa rd", "code": "NOERROR", "counts": "2/0/0"}},
		"all flags of an answer": {func(m *dns.Message) {
			*m = *m.Reply(dns.RcodeSuccess)
			m.Authoritative, m.Truncated, m.RecursionAvailable, m.AuthenticData = true, true, true, true
		}, map[string]string{"flags": "aa tc rd ra ad", "code": "NOERROR", "counts": "0/0/0"}},
		"signatures in the answer": {func(m *dns.Message) {
			*m = *m.Reply(dns.RcodeSuccess)
			m.Answer = records(t, "a.test. A 192.0.2.1", signature)
		}, map[string]string{"flags": "rd", "code": "NOERROR", "counts": "2/0/0", "signed": "yes"}},
		"signatures beside it": {func(m *dns.Message) {
			*m = *m.Reply(dns.RcodeNXDomain)
			m.Authority = records(t, "test. SOA ns1 host 1 2 3 4 5", signature)
		}, map[string]string{"flags": "rd", "code": "NXDOMAIN", "counts": "0/2/0", "signed": "yes"}},
		"signatures at the end": {func(m *dns.Message) {
			*m = *m.Reply(dns.RcodeSuccess)
			m.Additional = records(t, signature)
		}, map[string]string{"flags": "rd", "code": "NOERROR", "counts": "0/0/1", "signed": "yes"}},
		"a code of EDNS, and why": {func(m *dns.Message) {
			*m = *m.Reply(dns.RcodeBadCookie)
			m.EDNS = &dns.EDNS{UDPSize: 1232, Options: []dns.Option{dns.ExtendedError{Code: 18}.Option(), dns.ExtendedError{Code: 20}.Option()}}
		}, map[string]string{"flags": "rd edns", "code": "BADCOOKIE", "counts": "0/0/1", "ede": "18 20"}},
	} {
		m := *plain
		m.Question = slices.Clone(plain.Question)
		c.change(&m)
		want := map[string]string{"id": "7", "name": "a.test.", "type": "A"}
		maps.Copy(want, c.want)
		maps.DeleteFunc(want, func(_, value string) bool { return value == "" })
		if line, got := Describe(wireOf(t, &m)); line != dns.Summary(&m) || !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestDescribeNoMessage(t *testing.T) {
	wire := wireOf(t, ask(7, "a.test.", dns.TypeA))
	for length, id := range map[int]string{0: "", 11: "", 12: "7", len(wire) - 1: "7"} {
		line, got := Describe(wire[:length])
		if !strings.Contains(line, " octets: ") || got["id"] != id || got["malformed"] == "" || strings.HasPrefix(got["malformed"], "dns: ") || got["name"] != "" {
			t.Errorf("%d octets: %v", length, got)
		}
	}
}

func TestLimitedAndSilent(t *testing.T) {
	if got := Limited(map[string]string{"code": "NOERROR"}); !maps.Equal(got, map[string]string{"code": "NOERROR", "limited": "yes"}) {
		t.Errorf("%v", got)
	}
	if limited, silent := Silent(true), Silent(false); limited["limited"] == "" || silent["limited"] != "" || limited["silent"] == "" || silent["silent"] == "" {
		t.Errorf("%v, %v", limited, silent)
	}
}

// Two queries of one ID are answered in their order, and what belongs to no query is nobody's answer.
func TestPairingOfOneID(t *testing.T) {
	r := exchange("tcp", func(x *transcript.Exchange) {
		one, two := ask(5, "one.test.", dns.TypeA), ask(5, "two.test.", dns.TypeA)
		say(t, x, transcript.Sent, one.Reply(dns.RcodeServFail))
		x.Described(transcript.Note, nil, "not answered", Silent(false))
		say(t, x, transcript.Received, one)
		say(t, x, transcript.Received, two)
		say(t, x, transcript.Sent, one.Reply(dns.RcodeSuccess))
		say(t, x, transcript.Sent, two.Reply(dns.RcodeNXDomain))
		say(t, x, transcript.Sent, two.Reply(dns.RcodeServFail))
	})
	var got []string
	for _, q := range Queries(r) {
		got = append(got, q.Name+" "+q.Code)
	}
	if strings.Join(got, ", ") != "one.test. NOERROR, two.test. NXDOMAIN" {
		t.Errorf("%s", got)
	}
}

// The messages are there where the transcript has them.
func TestMessagesAreHandedOn(t *testing.T) {
	q := ask(7, "a.test.", dns.TypeA)
	asked, told := wireOf(t, q), wireOf(t, q.Reply(dns.RcodeSuccess))
	p := NewPairing(transcript.Head{ID: 1, Service: "dns", Network: "udp", Remote: client, Local: server})
	p.Entry(transcript.Entry{Time: time.Unix(1, 0), Dir: transcript.Received, Raw: asked, Bytes: len(asked), Fields: fieldsIn(asked)})
	got, ok := p.Entry(transcript.Entry{Time: time.Unix(1, 5000), Dir: transcript.Sent, Raw: told, Bytes: len(told), Fields: fieldsIn(told)})
	if !ok || string(got.Asked) != string(asked) || string(got.Told) != string(told) || got.Took != 5 {
		t.Errorf("%+v, %v", got, ok)
	}
}

// Fields that nobody could have made so are read all the same.
func TestOddFields(t *testing.T) {
	p := NewPairing(transcript.Head{})
	p.Entry(transcript.Entry{Fields: map[string]string{fieldID: "x"}})
	q, ok := p.Entry(transcript.Entry{Dir: transcript.Sent, Fields: map[string]string{fieldID: "0", fieldCounts: "1/x", fieldErrors: "y 3"}})
	if !ok || q.ID != 0 || q.Answer != 1 || q.Authority != 0 || !slices.Equal(q.Errors, []int{3}) || q.Outcome() != NoAnswer {
		t.Errorf("%+v, %v", q, ok)
	}
}

func TestKindAndOutcome(t *testing.T) {
	for want, q := range map[string]Query{
		"A none":            {Opcode: "QUERY", Class: "IN", Type: "A"},
		"CH:TXT REFUSED":    {Opcode: "QUERY", Class: "CH", Type: "TXT", Code: "REFUSED"},
		"UPDATE NOERROR":    {Opcode: "UPDATE", Class: "IN", Type: "SOA", Code: "NOERROR"},
		"- FORMERR":         {Malformed: "it is no message", Code: "FORMERR"},
		"OPCODE7 NOTIMP":    {Opcode: "OPCODE7", Code: "NOTIMP"},
		"TYPE65280 NOERROR": {Opcode: "QUERY", Class: "IN", Type: "TYPE65280", Code: "NOERROR"},
	} {
		if got := q.Kind() + " " + q.Outcome(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
