package dnsserver

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/querylog"
)

func TestTally(t *testing.T) {
	t.Parallel()
	var count tally
	m := &batches{}
	for range 2 { // the second time nothing is left of the first
		for _, code := range []byte{0, 3, 0, 15, 0} {
			response := bytes.Repeat([]byte{code}, 20)
			response[2] = 0x80
			count.answers.add(uint32(code), make([]byte, 12), response, len(response))
		}
		count.refused(RefusedShort)
		count.refused(RefusedRate)
		count.refused(RefusedShort)
		count.flush(m)
		count.flush(m) // nothing
	}
	if got := strings.Join(m.calls, " "); got != "NOERROR NXDOMAIN RCODE15 NOERROR NXDOMAIN RCODE15" || m.in != 120 || m.out != 200 {
		t.Errorf("told of %s, %d octets in, %d out", got, m.in, m.out)
	}
	if m.count(RefusedShort) != 4 || m.count(RefusedRate) != 2 || strings.Count(m.seen(), "NOERROR") != 6 {
		t.Errorf("%v, %s", m.refused, m.seen())
	}
	if got := m.kindsSeen(); got != "map[TYPE0:10 zone 0:6 zone 15:2 zone 3:2]" {
		t.Error(got)
	}
}

// seenOf gives what one query and its response count as.
func seenOf(t *testing.T, query, response []byte) string {
	t.Helper()
	var a Answers
	a.add(0, query, response, len(response))
	c := &counters{}
	c.Answered(TCP, &a)
	delete(c.kinds, "zone 0")
	return strings.TrimPrefix(c.seen(), "tcp ") + " " + strings.TrimPrefix(c.kindsSeen(), "map")
}

func wireOf(t *testing.T, m *dns.Message) []byte {
	t.Helper()
	wire, err := m.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

func TestWhatIsCounted(t *testing.T) {
	t.Parallel()
	name := dns.MustParseName("www.example.test.")
	ask := func(typ dns.Type, do bool) *dns.Message {
		q := dns.NewQuery(1, name, typ)
		if do {
			q.EDNS = &dns.EDNS{UDPSize: 1232, DO: true}
		}
		return q
	}
	withOpcode := func(op dns.Opcode) *dns.Message {
		q := ask(dns.TypeSOA, true)
		q.Opcode = op
		return q
	}
	edns := func(m *dns.Message, code dns.Rcode) *dns.Message {
		m.Rcode, m.EDNS = code, &dns.EDNS{UDPSize: 1232}
		return m
	}
	truncated := ask(dns.TypeTXT, false).Reply(dns.RcodeSuccess)
	truncated.Truncated = true
	for _, tt := range []struct {
		query, response *dns.Message
		want            string
	}{
		{ask(dns.TypeA, false), ask(dns.TypeA, false).Reply(dns.RcodeNXDomain), "NXDOMAIN [A:1]"},
		{ask(dns.TypeCAA, true), ask(dns.TypeCAA, true).Reply(dns.RcodeSuccess), "NOERROR [CAA:1 DO:1]"},
		{ask(258, false), ask(258, false).Reply(dns.RcodeSuccess), "NOERROR [TYPE0:1]"},
		{ask(65535, true), ask(65535, true).Reply(dns.RcodeSuccess), "NOERROR [DO:1 TYPE0:1]"},
		{ask(dns.TypeMD, false), ask(dns.TypeMD, false).Reply(dns.RcodeSuccess), "NOERROR [TYPE0:1]"},
		{ask(dns.TypeTXT, false), truncated, "NOERROR [TC:1 TXT:1]"},
		{ask(dns.TypeA, true), edns(ask(dns.TypeA, true).Reply(0), dns.RcodeBadCookie), "BADCOOKIE [A:1 DO:1]"},
		{ask(dns.TypeA, true), edns(ask(dns.TypeA, true).Reply(0), dns.RcodeBadVers), "BADVERS [A:1 DO:1]"},
		{ask(dns.TypeA, true), edns(ask(dns.TypeA, true).Reply(0), dns.RcodeSuccess), "NOERROR [A:1 DO:1]"},
		{ask(dns.TypeA, true), edns(ask(dns.TypeA, true).Reply(0), 24), "RCODE24 [A:1 DO:1]"},
		{ask(dns.TypeA, true), edns(ask(dns.TypeA, true).Reply(0), 4095), "RCODE24 [A:1 DO:1]"},
		{&dns.Message{Header: dns.Header{ID: 1}, EDNS: &dns.EDNS{UDPSize: 512}}, edns(&dns.Message{Header: dns.Header{ID: 1, Response: true}}, dns.RcodeBadCookie), "BADCOOKIE [TYPE0:1]"},
		{withOpcode(dns.OpcodeUpdate), withOpcode(dns.OpcodeUpdate).Reply(dns.RcodeYXRRset), "YXRRSET [UPDATE:1]"},
		{withOpcode(dns.OpcodeNotify), withOpcode(dns.OpcodeNotify).Reply(dns.RcodeSuccess), "NOERROR [NOTIFY:1]"},
		{withOpcode(15), withOpcode(15).Reply(dns.RcodeNotImp), "NOTIMP [OPCODE15:1]"},
	} {
		if got := seenOf(t, wireOf(t, tt.query), wireOf(t, tt.response)); got != tt.want {
			t.Errorf("%s, %s: counted as %s, want %s", dns.Summary(tt.query), dns.Summary(tt.response), got, tt.want)
		}
	}
}

// Every type that is counted apart is so, and no slot of a type is one of an
// opcode.
func TestCountedTypes(t *testing.T) {
	t.Parallel()
	if len(counted) > firstOp {
		t.Fatalf("%d types have %d slots", len(counted), firstOp)
	}
	if slices.Contains(CountedTypes(), OtherType) {
		t.Error("all others are no type")
	}
	for _, typ := range CountedTypes() {
		query := wireOf(t, dns.NewQuery(1, dns.Root, typ))
		if got, want := seenOf(t, query, query), "NOERROR ["+typ.String()+":1]"; got != want {
			t.Errorf("counted as %s, want %s", got, want)
		}
	}
}

// FuzzTally: whatever is sent is counted once; and what can be read as it was
// read.
func FuzzTally(f *testing.F) {
	query := dns.NewQuery(1, dns.MustParseName("www.example.test."), dns.TypeAAAA)
	query.EDNS = &dns.EDNS{UDPSize: 1232, DO: true}
	wire, err := query.Append(nil, 0)
	if err != nil {
		f.Fatal(err)
	}
	bad := query.Reply(dns.RcodeBadCookie)
	bad.EDNS = &dns.EDNS{UDPSize: 1232}
	response, err := bad.Append(nil, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire, response)
	f.Add(wire[:12], response[:12])
	f.Add(wire[:20], response[:len(response)-5])
	f.Fuzz(func(t *testing.T, query, response []byte) {
		if len(query) < dns.HeaderLen || len(response) < dns.HeaderLen {
			return
		}
		var a Answers
		a.add(0, query, response, len(response))
		codes, kinds := 0, 0
		for code, v := range a.Codes() {
			codes += v.N
			if m, err := dns.Parse(response); err == nil && len(m.Answer)+len(m.Authority)+len(m.Additional) == 0 && len(m.Question) < 2 && m.Rcode != code && m.Rcode < OtherCode {
				t.Errorf("%v counts as %v: %x", m.Rcode, code, response)
			}
		}
		for typ, n := range a.Types() {
			kinds += n
			if m, err := dns.Parse(query); err == nil && len(m.Question) > 0 && typ != m.Question[0].Type && slices.Contains(CountedTypes(), m.Question[0].Type) {
				t.Errorf("%v counts as %v: %x", m.Question[0].Type, typ, query)
			}
		}
		for _, n := range a.Opcodes() {
			kinds += n
		}
		if codes != 1 || kinds != 1 {
			t.Errorf("%d codes, %d kinds", codes, kinds)
		}
		a.reset()
		if a.codes != [codeSlots]Volume{} || a.kinds != [typeSlots]int{} || a.Truncated+a.DNSSEC+len(a.zones) != 0 {
			t.Error("something is left")
		}
	})
}

// BenchmarkTally counts batches of 64 queries of four types, in two zones.
func BenchmarkTally(b *testing.B) {
	var queries, responses [64][]byte
	for i := range queries {
		typ := []dns.Type{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeHTTPS}[i%4]
		queries[i] = queryWire(b, uint16(i), "www", typ, &dns.EDNS{UDPSize: 1232, DO: i%2 == 0})
		responses[i] = bytes.Clone(queries[i])
		responses[i][2] |= 0x80
		if i%3 > 0 {
			binary.BigEndian.PutUint16(responses[i][6:], 1)
		}
	}
	var count tally
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(queries) {
		for i := range queries {
			count.answers.add(uint32(i%2), queries[i], responses[i], len(responses[i]))
		}
		count.flush(noMetrics{})
	}
}

// The query log's filters know each transport by the name that it has here.
func TestTransportsOfTheQueryLog(t *testing.T) {
	t.Parallel()
	var names []string
	for _, transport := range []Transport{UDP, TCP, TLS, HTTPS} {
		names = append(names, transport.String())
	}
	if want := querylog.Transports(); !slices.Equal(names, want) {
		t.Errorf("%v, and the query log has %v", names, want)
	}
}
