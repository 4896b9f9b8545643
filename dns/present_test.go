package dns

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestRRString(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"www A 192.0.2.1":                        "www.example.test.\t300\tIN\tA\t192.0.2.1",
		"www 60 IN AAAA 2001:DB8::1":             "www.example.test.\t60\tIN\tAAAA\t2001:db8::1",
		"@ MX 10 mail":                           "example.test.\t300\tIN\tMX\t10 mail.example.test.",
		`@ TXT "a \"b\"" c`:                      "example.test.\t300\tIN\tTXT\t\"a \\\"b\\\"\" \"c\"",
		`@ TYPE65280 \# 3 abcdef`:                "example.test.\t300\tIN\tTYPE65280\t\\# 3 abcdef",
		`@ TYPE1 \# 4 c0000201`:                  "example.test.\t300\tIN\tA\t192.0.2.1",
		"@ CAA 0 issue \"ca.test\"":              "example.test.\t300\tIN\tCAA\t0 issue \"ca.test\"",
		"@ 1h SOA ns1 host. 1 2 3 4 5":           "example.test.\t3600\tIN\tSOA\tns1.example.test. host. 1 2 3 4 5",
		`_25._tcp TLSA 3 1 1 d2abde240d7cd3ee`:   "_25._tcp.example.test.\t300\tIN\tTLSA\t3 1 1 d2abde240d7cd3ee",
		`a\.b CNAME *.c\000.`:                    "a\\.b.example.test.\t300\tIN\tCNAME\t*.c\\000.",
		"@ HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1": "example.test.\t300\tIN\tHTTPS\t1 . alpn=\"h2\" ipv4hint=\"192.0.2.1\"",
	} {
		rr := mustRR(t, in)
		if got := rr.String(); got != want {
			t.Errorf("%s\n got %q\nwant %q", in, got, want)
		}
		if back, err := ParseRR(rr.String(), "", 0); err != nil || !back.Equal(rr) {
			t.Errorf("%s does not read back: %v, %v", rr, back, err)
		}
	}
	for _, tt := range []struct {
		rr   RR
		want string
	}{
		{RR{Name: Root, Type: TypeA, Class: ClassANY}, ".\t0\tANY\tA\t\\# 0"},
		{RR{Name: Root, Type: TypeA, Class: ClassIN, Data: []byte{1}}, ".\t0\tIN\tA\t\\# 1 01"},
		{RR{Name: Root, Type: TypeA, Class: ClassCH, Data: []byte{1, 2, 3, 4}}, ".\t0\tCH\tA\t\\# 4 01020304"},
		{RR{Name: Root, Type: TypeTSIG, Class: ClassANY, Data: []byte{1}}, ".\t0\tANY\tTSIG\t\\# 1 01"},
	} {
		if got := tt.rr.String(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestParseRRRejects(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "; comment", "www", "www A", "www A 1.2.3", "www A 192.0.2.1 x", "www NOSUCH x",
		"a A 192.0.2.1\nb A 192.0.2.2", "$ORIGIN a.", "a..b A 192.0.2.1",
		"$GENERATE 1-2 a$ A 192.0.2.$", "$INCLUDE /etc/hostname", "www MX 70000 a", "(",
	} {
		if rr, err := ParseRR(bad, "\x04test\x00", 0); err == nil {
			t.Errorf("ParseRR(%q) = %s", bad, rr)
		}
	}
	if rr, err := ParseRR("www A 192.0.2.1", "", 0); err == nil {
		t.Errorf("relative name without an origin: %s", rr)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	q := NewQuery(4711, mustName(t, "www.networkutopia.test."), TypeA)
	q.EDNS = &EDNS{UDPSize: 1232}
	if got, want := Summary(q), "query 4711 www.networkutopia.test. IN A +edns"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	q.RecursionDesired, q.EDNS.DO = true, true
	if got, want := Summary(q), "query 4711 www.networkutopia.test. IN A +rd +edns +do"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	a := q.Reply(RcodeSuccess)
	a.Authoritative = true
	a.EDNS = &EDNS{}
	a.Answer = mustRRs(t, "www.networkutopia.test. A 127.0.0.1")
	if got, want := Summary(a), "answer 4711 NOERROR aa 1/0/1 www.networkutopia.test. A 127.0.0.1"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for range 4 {
		a.Answer = append(a.Answer, a.Answer[0])
	}
	if got := Summary(a); !strings.HasSuffix(got, ", and 2 more") {
		t.Errorf("got %s", got)
	}
	refused := q.Reply(RcodeRefused)
	refused.Truncated = true
	refused.EDNS = &EDNS{Options: []Option{ExtendedError{Code: EDENotAuthoritative}.Option()}}
	if got, want := Summary(refused), "answer 4711 REFUSED tc 0/0/1 www.networkutopia.test. IN A EDE 20"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	long, err := TXTRR(Root, 1, strings.Repeat("x", 5000))
	if err != nil {
		t.Fatal(err)
	}
	a.Answer = []RR{long, long, long, long}
	if got := Summary(a); len(got) > 600 {
		t.Errorf("%d characters", len(got))
	}
	if got := Summary(&Message{Header: Header{ID: 1, Opcode: OpcodeNotify}}); got != "notify 1" {
		t.Errorf("got %s", got)
	}
	if got := SummarizeWire([]byte("GET /")); got != "5 octets: dns: malformed message: header at octet 5: cut off" {
		t.Errorf("got %s", got)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(sampleMessage(t))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"ID": 4711., "QR": 1., "AA": 1., "RD": 1., "RCODEname": "BADVERS", "QDCOUNT": 1., "ANCOUNT": 2.,
		"ARCOUNT": 5., "QNAME": "www.example.test.", "QTYPEname": "MX", "QCLASSname": "IN",
	} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
	rr := got["answerRRs"].([]any)[0].(map[string]any)
	if rr["NAME"] != "www.example.test." || rr["TYPEname"] != "MX" || rr["rdata"] != "10 mail.example.test." ||
		rr["RDATAHEX"] != "000a046d61696c076578616d706c65047465737400" || rr["TTL"] != 300. {
		t.Errorf("%v", rr)
	}
	if e := got["EDNS"].(map[string]any); e["udpSize"] != 1232. || e["DO"] != 1. {
		t.Errorf("%v", e)
	}
	if text, err := json.Marshal(&Message{}); err != nil || strings.Contains(string(text), "QNAME") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestExtendedErrors(t *testing.T) {
	t.Parallel()
	e := &EDNS{Options: []Option{{OptionCookie, []byte("12345678")}, ExtendedError{20, "not ours"}.Option(), {OptionExtendedError, []byte{1}}}}
	got := e.ExtendedErrors()
	if len(got) != 1 || got[0] != (ExtendedError{20, "not ours"}) {
		t.Errorf("%v", got)
	}
	if s := got[0].String(); s != "EDE 20 (Not Authoritative): not ours" {
		t.Error(s)
	}
	if (*EDNS)(nil).ExtendedErrors() != nil {
		t.Error("errors of nothing")
	}
	if data, ok := e.Option(OptionCookie); !ok || string(data) != "12345678" {
		t.Error(data, ok)
	}
	if _, ok := (*EDNS)(nil).Option(OptionCookie); ok {
		t.Error("an option of nothing")
	}
}

func TestParseData(t *testing.T) {
	t.Parallel()
	origin := mustName(t, "example.test.")
	data, err := ParseData(TypeMX, "10 mail", origin)
	if want := MXRR(Root, 0, 10, mustName(t, "mail.example.test.")); err != nil || string(data) != string(want.Data) {
		t.Errorf("%q, %v", data, err)
	}
	if data, err := ParseData(65280, `\# 2 abcd`, origin); err != nil || string(data) != "\xab\xcd" {
		t.Errorf("%q, %v", data, err)
	}
	for _, tt := range []struct {
		typ         Type
		text, token string
	}{
		{TypeA, "192.0.2", "192.0.2"},
		{TypeA, "192.0.2.1 more", "more"},
		{TypeMX, "70000 mail", "70000"},
		{TypeMX, "10 a..b", "a..b"},
		{TypeA, "", ""},
		{TypeOPT, "x", ""},
		{TypeANY, "x", ""},
		{TypeA, "192.0.2.1\nb. 0 IN A 192.0.2.2", ""},
		{TypeDNSKEY, "256 3 13 !!!!", ""},
		{65280, `\# 3 abcd`, ""},
	} {
		_, err := ParseData(tt.typ, tt.text, origin)
		var de *DataError
		if !errors.As(err, &de) || de.Type != tt.typ || (tt.token != "" && de.Token != tt.token) {
			t.Errorf("%s %q: %v", tt.typ, tt.text, err)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	if err := mustRR(t, "@ SOA ns h 1 2 3 4 5").Validate(); err != nil {
		t.Error(err)
	}
	if err := (RR{Name: Root, Type: TypeA, Class: ClassIN, Data: []byte("abcd"), TTL: MaxTTL}).Validate(); err != nil {
		t.Error(err)
	}
	for _, bad := range []RR{
		{Name: "a.", Type: TypeA, Class: ClassIN, Data: []byte("abcd")},
		{Name: Root, Type: TypeA, Class: ClassIN, Data: []byte("abcd"), TTL: MaxTTL + 1},
		{Name: Root, Type: TypeA, Class: ClassIN, Data: []byte("abcde")},
		{Name: Root, Type: TypeNS, Class: ClassIN, Data: []byte("\xc0\x00")},
		{Name: Root, Type: 65280, Class: ClassIN, Data: make([]byte, 65536)},
	} {
		if err := bad.Validate(); err == nil {
			t.Errorf("%s %s of %d octets is valid", string(bad.Name), bad.Type, len(bad.Data))
		}
	}
}

func TestSummaries(t *testing.T) {
	t.Parallel()
	question := []Question{{Name: mustName(t, "a.test."), Type: TypeA, Class: ClassIN}}
	rr := mustRR(t, "a.test. A 192.0.2.1")
	for want, m := range map[string]*Message{
		"query 1":                                 {Header: Header{ID: 1}},
		"query 1 a.test. IN A":                    {Header: Header{ID: 1}, Question: question},
		"query 1 a.test. IN A a.test. IN A":       {Header: Header{ID: 1}, Question: append(question, question...)},
		"update 2 a.test. IN A":                   {Header: Header{ID: 2, Opcode: OpcodeUpdate}, Question: question},
		"opcode9 3":                               {Header: Header{ID: 3, Opcode: 9}},
		"answer 4 NXDOMAIN aa 0/1/0 a.test. IN A": {Header: Header{ID: 4, Response: true, Authoritative: true, Rcode: RcodeNXDomain}, Question: question, Authority: []RR{rr}},
		"answer 5 NOERROR tc ra ad 0/0/0":         {Header: Header{ID: 5, Response: true, Truncated: true, RecursionAvailable: true, AuthenticData: true}},
		"answer 6 BADVERS 0/0/1":                  {Header: Header{ID: 6, Response: true, Rcode: RcodeBadVers}, EDNS: &EDNS{}},
		"answer 7 NOERROR 2/0/0 a.test. A 192.0.2.1, a.test. A 192.0.2.1": {Header: Header{ID: 7, Response: true}, Question: question, Answer: []RR{rr, rr}},
		"answer 8 RCODE99 0/0/0": {Header: Header{ID: 8, Response: true, Rcode: 99}},
	} {
		if got := Summary(m); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	wire, err := NewQuery(9, mustName(t, "a.test."), TypeMX).Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := SummarizeWire(wire); got != "query 9 a.test. IN MX" {
		t.Error(got)
	}
	// A name from the wire cannot break the line of a transcript.
	odd := NewQuery(9, "\x04a\r\nb\x00", TypeMX)
	if got := Summary(odd); got != `query 9 a\013\010b. IN MX` {
		t.Error(got)
	}
	odd.Response = true
	odd.Answer = []RR{{Name: Root, Type: TypeTXT, Class: ClassIN, Data: []byte("\x03a\nb")}}
	if got := Summary(odd); strings.Contains(got, "\n") {
		t.Errorf("%q", got)
	}
}

// TestJSONWhole spells out the form of RFC 8427.
func TestJSONWhole(t *testing.T) {
	t.Parallel()
	m := NewQuery(32784, mustName(t, "example.test."), TypeA).Reply(RcodeSuccess)
	m.Answer = mustRRs(t, "@ A 192.0.2.1")
	m.EDNS = &EDNS{UDPSize: 1232, Options: []Option{{OptionNSID, []byte("x")}}}
	got, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
  "ID": 32784,
  "QR": 1,
  "Opcode": 0,
  "AA": 0,
  "TC": 0,
  "RD": 0,
  "RA": 0,
  "AD": 0,
  "CD": 0,
  "RCODE": 0,
  "RCODEname": "NOERROR",
  "QDCOUNT": 1,
  "ANCOUNT": 1,
  "NSCOUNT": 0,
  "ARCOUNT": 1,
  "QNAME": "example.test.",
  "QTYPE": 1,
  "QTYPEname": "A",
  "QCLASS": 1,
  "QCLASSname": "IN",
  "answerRRs": [
    {
      "NAME": "example.test.",
      "TYPE": 1,
      "TYPEname": "A",
      "CLASS": 1,
      "CLASSname": "IN",
      "TTL": 300,
      "rdata": "192.0.2.1",
      "RDATAHEX": "c0000201"
    }
  ],
  "EDNS": {
    "udpSize": 1232,
    "version": 0,
    "DO": 0,
    "options": [
      {
        "code": 3,
        "dataHEX": "78"
      }
    ]
  }
}`
	if string(got) != want {
		t.Errorf("got %s", got)
	}
}

// Data that ends too early is no data, also where miekg/dns would take it.
func TestDataThatEndsTooEarly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ        Type
		text, want string
	}{
		{TypeSOA, "a b 1 2 3 4", "bad SOA data: SOA has fewer than five numbers"},
		{TypeSOA, "a b 1", "bad SOA data: SOA has fewer than five numbers"},
		{TypeSOA, "a b", "bad SOA data: it ends too early: want mname rname serial refresh retry expire minimum"},
		{TypeSOA, "a b 1 2 3 4 0", ""},
		{TypeSOA, "a b 0 0 0 0 0", ""},
		{TypeSOA, `\# 24 0161000162000000000100000002000000030000000400000000`, "bad SOA data: "},
		{TypeSOA, `\# 26 0161000162000000000100000002000000030000000400000000`, ""},
		{TypeMX, "10", "bad MX data: it ends too early: want preference exchange"},
		{TypeSRV, "1 2", "bad SRV data: it ends too early: want priority weight port target"},
		{TypeRRSIG, "A", "bad RRSIG data: it ends too early"},
		{TypeA, "1.2.3", `bad A data: not understood: "1.2.3"`},
		{TypeHTTPS, "1 . port=99999", `bad HTTPS data: want priority target key=value ..., not understood: "port=99999"`},
	} {
		_, err := ParseData(tt.typ, tt.text, Root)
		if got := fmt.Sprint(err); (err == nil) != (tt.want == "") || !strings.HasPrefix(got, tt.want) && err != nil {
			t.Errorf("%s %s: %v, want %s", tt.typ, tt.text, err, tt.want)
		}
	}
	if rr, err := ParseRR("a. SOA b c ( 1 2 3 4 0 ) ; with a comment", Root, 0); err != nil {
		t.Errorf("%v, %v", rr, err)
	}
	if rr, err := ParseRR("a. SOA b c ( 1 2 3 4 )", Root, 0); err == nil {
		t.Errorf("taken: %v", rr)
	}
}

func TestDataErrorText(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*DataError{
		"bad A data: there is none":                                 {Type: TypeA, Reason: "there is none"},
		`bad MX data: field Pref: "70k"`:                            {Type: TypeMX, Reason: "field Pref", Token: "70k"},
		`bad TYPE65280 data: x: "` + strings.Repeat("y", 80) + `…"`: {Type: 65280, Reason: "x", Token: strings.Repeat("y", 200)},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
