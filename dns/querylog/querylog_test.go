package querylog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/transcript"
)

var (
	client = netip.MustParseAddrPort("192.0.2.7:5000")
	server = netip.MustParseAddrPort("[2001:db8::1]:53")
)

// exchange records what say does, as a server would.
func exchange(network string, say func(x *transcript.Exchange)) transcript.Record {
	ring := transcript.NewRing(1, 10)
	r := transcript.New(transcript.Options{Sinks: []transcript.Sink{ring}})
	x := r.Begin(context.Background(), "dns", network, server, client)
	say(x)
	x.End()
	return ring.Recent(1)[0]
}

func say(t *testing.T, x *transcript.Exchange, d transcript.Direction, m *dns.Message) {
	t.Helper()
	wire := wireOf(t, m)
	line, fields := Describe(wire)
	x.Described(d, wire, line, fields)
}

func fieldsIn(wire []byte) map[string]string {
	_, fields := Describe(wire)
	return fields
}

func wireOf(t *testing.T, m *dns.Message) []byte {
	t.Helper()
	wire, err := m.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

func ask(id uint16, name string, typ dns.Type) *dns.Message {
	q := dns.NewQuery(id, dns.MustParseName(name), typ)
	q.RecursionDesired = true
	return q
}

// line takes what differs each time out of a line of the log.
func line(q Query) string {
	q.Took = 85
	text := q.String()
	return text[len("15:04:05.000 "):]
}

func TestOneQuery(t *testing.T) {
	q := ask(7, "www.example.test.", dns.TypeA)
	q.CheckingDisabled, q.EDNS = true, &dns.EDNS{UDPSize: 1232, DO: true}
	a := q.Reply(dns.RcodeSuccess)
	a.Authoritative, a.EDNS = true, &dns.EDNS{UDPSize: 1232, DO: true, Options: []dns.Option{dns.ExtendedError{Code: 18}.Option()}}
	for _, text := range []string{"www.example.test. A 192.0.2.1", "www.example.test. RRSIG A 13 3 60 20300101000000 20290101000000 1 example.test. AAAA"} {
		rr, err := dns.ParseRR(text, dns.Root, 60)
		if err != nil {
			t.Fatal(err)
		}
		a.Answer = append(a.Answer, rr)
	}
	queries := Queries(exchange("udp", func(x *transcript.Exchange) {
		say(t, x, transcript.Received, q)
		say(t, x, transcript.Sent, a)
	}))
	if len(queries) != 1 {
		t.Fatalf("%d queries", len(queries))
	}
	got := queries[0]
	want := "192.0.2.7:5000 udp www.example.test. A rd,cd,edns,do NOERROR 2/0/1 " + fmt.Sprint(len(wireOf(t, a))) + "B 85µs aa,signed,ede18"
	if line(got) != want {
		t.Errorf("%s\nwant %s", line(got), want)
	}
	if got.ID != 7 || got.Server != server || got.Exchange != 1 || got.Service != "dns" || got.Received != len(wireOf(t, q)) || got.Class != "IN" ||
		got.Opcode != "QUERY" || got.Truncated || !got.Signed || !slices.Equal(got.Errors, []int{18}) || got.Took < 0 {
		t.Errorf("%+v", got)
	}
	text, err := json.Marshal(got)
	for _, want := range []string{`"service":"dns"`, `"client":"192.0.2.7:5000"`, `"type":"A"`, `"flags":["rd","cd","edns","do"]`, `"code":"NOERROR"`, `"signed":true`, `"took_us":`} {
		if err != nil || !bytes.Contains(text, []byte(want)) {
			t.Errorf("%s lacks %s (%v)", text, want, err)
		}
	}
}

func TestLines(t *testing.T) {
	reply := func(q *dns.Message, code dns.Rcode) *dns.Message { return q.Reply(code) }
	truncated := func(q *dns.Message) *dns.Message {
		a := q.Reply(dns.RcodeSuccess)
		a.Truncated = true
		return a
	}
	chaos := ask(1, "id.server.", dns.TypeTXT)
	chaos.Question[0].Class, chaos.RecursionDesired = dns.ClassCH, false
	update := ask(1, "example.test.", dns.TypeSOA)
	update.Opcode, update.RecursionDesired = dns.OpcodeUpdate, false
	signed := *update
	signed.Additional = []dns.RR{{Name: dns.MustParseName("key.example.test."), Type: dns.TypeTSIG, Class: dns.ClassANY, Data: tsigData()}}
	odd := dns.Name("\x08<script>\x07\x1b[2J \xff.\x00")
	for name, c := range map[string]struct {
		say  func(x *transcript.Exchange)
		want string
	}{
		"no such name": {func(x *transcript.Exchange) {
			q := ask(1, "no.example.test.", dns.TypeMX)
			say(t, x, transcript.Received, q)
			say(t, x, transcript.Sent, reply(q, dns.RcodeNXDomain))
		}, "no.example.test. MX rd NXDOMAIN 0/0/0 33B 85µs -"},
		"another class": {func(x *transcript.Exchange) {
			say(t, x, transcript.Received, chaos)
			say(t, x, transcript.Sent, reply(chaos, dns.RcodeRefused))
		}, "id.server. CH:TXT - REFUSED 0/0/0 27B 85µs -"},
		"an update": {func(x *transcript.Exchange) {
			say(t, x, transcript.Received, &signed)
			say(t, x, transcript.Sent, reply(update, dns.RcodeNotAuth))
		}, "example.test. UPDATE - NOTAUTH 0/0/0 30B 85µs tsig"},
		"slipped": {func(x *transcript.Exchange) {
			q := ask(1, "a.test.", dns.TypeA)
			say(t, x, transcript.Received, q)
			wire := wireOf(t, truncated(q))
			x.Described(transcript.Sent, wire, "", Limited(fieldsIn(wire)))
		}, "a.test. A rd NOERROR 0/0/0 24B 85µs tc,limited"},
		"dropped": {func(x *transcript.Exchange) {
			say(t, x, transcript.Received, ask(1, "a.test.", dns.TypeA))
			x.Described(transcript.Note, nil, "not answered: over the limit on responses", Silent(true))
		}, "a.test. A rd none - - - limited (not answered: over the limit on responses)"},
		"silent": {func(x *transcript.Exchange) {
			say(t, x, transcript.Received, ask(1, "a.test.", dns.TypeA))
			x.Described(transcript.Note, nil, "not answered", Silent(false))
		}, "a.test. A rd none - - - - (not answered)"},
		"no query": {func(x *transcript.Exchange) {
			wire := append(wireOf(t, ask(1, "a.test.", dns.TypeA)), 1)
			x.Described(transcript.Received, wire, "", fieldsIn(wire))
			say(t, x, transcript.Sent, reply(&dns.Message{Header: dns.Header{ID: 1}}, dns.RcodeFormErr))
		}, "- - - FORMERR 0/0/0 12B 85µs - (malformed message: additional at octet 24: octets after the last record)"},
		"no question": {func(x *transcript.Exchange) {
			q := &dns.Message{Header: dns.Header{ID: 1}, EDNS: &dns.EDNS{UDPSize: 512}}
			say(t, x, transcript.Received, q)
			say(t, x, transcript.Sent, reply(q, dns.RcodeFormErr))
		}, "- - edns FORMERR 0/0/0 12B 85µs -"},
		"a hostile name": {func(x *transcript.Exchange) {
			q := dns.NewQuery(1, odd, 65534)
			say(t, x, transcript.Received, q)
			say(t, x, transcript.Sent, reply(q, dns.RcodeRefused))
		}, `<script>.\027[2J\032\255\.. TYPE65534 - REFUSED 0/0/0 34B 85µs -`},
	} {
		queries := Queries(exchange("tcp", c.say))
		if len(queries) != 1 {
			t.Errorf("%s: %d queries", name, len(queries))
			continue
		}
		got := strings.TrimPrefix(line(queries[0]), "192.0.2.7:5000 tcp ")
		if columns := strings.Fields(line(queries[0])); len(columns) < 10 {
			t.Errorf("%s: %d columns in %s", name, len(columns), got)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("%s: control characters in %q", name, got)
		}
		if c.want != "" && got != c.want {
			t.Errorf("%s: %s\nwant %s", name, got, c.want)
		}
	}
}

// tsigData is that of a TSIG record that nobody verifies.
func tsigData() []byte {
	return append([]byte("\x0bhmac-sha256\x00"), 0, 0, 0, 0, 0, 1, 1, 44, 0, 0, 0, 1, 0, 0, 0, 0)
}

// On a connection answers come in any order, and some not at all.
func TestPairing(t *testing.T) {
	queries := Queries(exchange("tcp", func(x *transcript.Exchange) {
		one, two, three := ask(1, "one.test.", dns.TypeA), ask(2, "two.test.", dns.TypeA), ask(3, "three.test.", dns.TypeAXFR)
		x.Line(transcript.Note, 0, "TLS 1.3")
		say(t, x, transcript.Received, one)
		say(t, x, transcript.Received, two)
		say(t, x, transcript.Received, three)
		say(t, x, transcript.Sent, two.Reply(dns.RcodeSuccess))
		say(t, x, transcript.Sent, three.Reply(dns.RcodeSuccess))
		say(t, x, transcript.Sent, three.Reply(dns.RcodeSuccess)) // another message of it
		x.Line(transcript.Note, 0, "closed")
	}))
	var got []string
	for _, q := range queries {
		got = append(got, q.Name+" "+q.Outcome()+" "+q.Note)
	}
	if want := "two.test. NOERROR ; three.test. NOERROR ; one.test. none not answered"; strings.Join(got, "; ") != want {
		t.Errorf("%s\nwant %s", strings.Join(got, "; "), want)
	}
}

// What is under way has no end yet, and its open query is not told.
func TestUnderWay(t *testing.T) {
	r := exchange("tcp", func(x *transcript.Exchange) { say(t, x, transcript.Received, ask(1, "one.test.", dns.TypeA)) })
	if r.End = (time.Time{}); len(Queries(r)) != 0 {
		t.Error("a query is told before its answer")
	}
}

func TestOpenQueriesAreBounded(t *testing.T) {
	p := NewPairing(transcript.Head{})
	for i := range MaxOpen {
		if _, ok := p.Entry(transcript.Entry{Fields: map[string]string{fieldID: fmt.Sprint(i), fieldName: "a.test."}}); ok {
			t.Fatalf("given up after %d", i)
		}
	}
	if q, ok := p.Entry(transcript.Entry{Fields: map[string]string{fieldID: "9999"}}); !ok || q.ID != 0 || q.Name != "a.test." {
		t.Errorf("past the limit: %v, %v", q, ok)
	}
	if n := len(p.End()); n != MaxOpen || len(p.End()) != 0 {
		t.Errorf("%d are open at the end", n)
	}
}

// FuzzDescribe: whatever came becomes one line.
func FuzzDescribe(f *testing.F) {
	wire, err := ask(1, "www.example.test.", dns.TypeA).Append(nil, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire, wire)
	f.Add(wire[:12], wire[:3])
	f.Fuzz(func(t *testing.T, query, answer []byte) {
		queries := Queries(exchange("udp", func(x *transcript.Exchange) {
			x.Described(transcript.Received, query, "", fieldsIn(query))
			x.Described(transcript.Sent, answer, "", fieldsIn(answer))
		}))
		if len(queries) != 1 {
			t.Fatalf("%d queries", len(queries))
		}
		text := queries[0].String()
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) || len(strings.Fields(text)) < 11 {
			t.Errorf("%q", text)
		}
	})
}
