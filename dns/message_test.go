package dns

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"
)

func mustRR(t testing.TB, s string) RR {
	t.Helper()
	rr, err := ParseRR(s, "\x07example\x04test\x00", 300)
	if err != nil {
		t.Fatal(err)
	}
	return rr
}

func mustRRs(t testing.TB, lines ...string) []RR {
	t.Helper()
	var out []RR
	for _, s := range lines {
		out = append(out, mustRR(t, s))
	}
	return out
}

// sampleMessage has every section, EDNS, and names to compress.
func sampleMessage(t testing.TB) *Message {
	t.Helper()
	return &Message{
		Header: Header{
			ID: 4711, Response: true, Authoritative: true, RecursionDesired: true, Rcode: RcodeBadVers,
		},
		Question:   []Question{{mustName(t, "www.example.test."), TypeMX, ClassIN}},
		Answer:     mustRRs(t, "www MX 10 mail", "www MX 20 mail.www"),
		Authority:  mustRRs(t, "@ NS ns1", "@ SOA ns1 host 1 2 3 4 5"),
		Additional: mustRRs(t, "mail A 192.0.2.1", "mail AAAA 2001:db8::1", "x SRV 1 2 3 mail", `t TXT "a b" c`),
		EDNS:       &EDNS{UDPSize: 1232, DO: true, Options: []Option{ExtendedError{20, "no"}.Option()}},
	}
}

func TestMessageRoundTrip(t *testing.T) {
	t.Parallel()
	m := sampleMessage(t)
	prefix := []byte("prefix")
	wire, err := m.Append(prefix, 0)
	if err != nil {
		t.Fatal(err)
	}
	wire, ok := bytes.CutPrefix(wire, prefix)
	if !ok {
		t.Fatal("what stood before was changed")
	}
	got, err := Parse(wire)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Equal(m) {
		t.Errorf("got  %+v\nwant %+v", got, m)
	}
	// example.test. stands once, as the question's tail; SRV is not compressed.
	if n := bytes.Count(wire, []byte("\x07example")); n != 2 {
		t.Errorf("example stands %d times: %q", n, wire)
	}
	var foreign mdns.Msg
	if err := foreign.Unpack(wire); err != nil {
		t.Fatalf("miekg/dns does not read it: %v", err)
	}
	if len(foreign.Answer) != 2 || len(foreign.Extra) != 5 || foreign.Answer[1].(*mdns.MX).Mx != "mail.www.example.test." {
		t.Errorf("miekg/dns reads %v", &foreign)
	}
	theirs, err := foreign.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Parse(theirs); err != nil || !again.Equal(m) {
		t.Errorf("packed by miekg/dns: %v, %+v", err, again)
	}
}

func TestHeaderBits(t *testing.T) {
	t.Parallel()
	for bits := range 1 << 16 {
		want := uint16(bits) &^ (1 << 6) // the reserved bit is dropped
		if got := headerFromBits(1, uint16(bits)).bits(); got != want {
			t.Fatalf("%016b became %016b", bits, got)
		}
	}
}

func TestAppendTruncates(t *testing.T) {
	t.Parallel()
	m := &Message{
		Header:   Header{ID: 1, Response: true},
		Question: []Question{{mustName(t, "www.example.test."), TypeA, ClassIN}},
		EDNS:     &EDNS{UDPSize: 1232},
	}
	for i := range 40 {
		m.Answer = append(m.Answer, AddressRR(m.Question[0].Name, 60, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})))
	}
	m.Answer = append([]RR{mustRR(t, "www TXT first")}, m.Answer...)
	m.Authority = mustRRs(t, "@ NS ns1")
	whole, err := m.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for limit := range len(whole) + 2 {
		wire, err := m.Append(nil, limit)
		if limit == 0 {
			continue
		}
		least := HeaderLen + len(m.Question[0].Name) + 4 + 11
		if limit < least {
			if !errors.Is(err, ErrTooLarge) || len(wire) != 0 {
				t.Fatalf("limit %d: %d octets, %v", limit, len(wire), err)
			}
			continue
		}
		if err != nil || len(wire) > limit {
			t.Fatalf("limit %d: %d octets, %v", limit, len(wire), err)
		}
		got, err := Parse(wire)
		if err != nil {
			t.Fatalf("limit %d: %v", limit, err)
		}
		if got.Truncated != (limit < len(whole)) || got.EDNS == nil {
			t.Fatalf("limit %d of %d: TC %v, EDNS %v", limit, len(whole), got.Truncated, got.EDNS)
		}
		if n := len(got.Answer); n != 0 && n != 1 && n != 41 {
			t.Fatalf("limit %d: an RRset was cut: %d answers", limit, n)
		}
		if len(got.Answer) < 41 && len(got.Authority) > 0 {
			t.Fatalf("limit %d: authority after a cut answer", limit)
		}
	}
}

func TestAppendGlue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		server string
		wantTC bool
	}{
		{"in-domain glue is needed (RFC 9471)", "ns.sub", true},
		{"other addresses are not", "ns.other", false},
	} {
		m := &Message{
			Header:     Header{Response: true},
			Question:   []Question{{mustName(t, "x.sub.example.test."), TypeA, ClassIN}},
			Authority:  mustRRs(t, "sub NS "+tt.server),
			Additional: mustRRs(t, tt.server+" A 192.0.2.1", "z.z TXT optional"),
		}
		whole, _ := m.Append(nil, 0)
		rest := mustRRs(t, "z.z TXT optional")
		m.Additional = m.Additional[:1]
		glued, _ := m.Append(nil, 0)
		m.Additional = append(m.Additional, rest...)
		if len(glued) >= len(whole) {
			t.Fatal("the test's records are too small")
		}
		wire, err := m.Append(nil, len(glued))
		if got, _ := Parse(wire); err != nil || got.Truncated || len(got.Additional) != 1 {
			t.Errorf("%s: optional data left out set TC: %+v, %v", tt.name, got, err)
		}
		wire, err = m.Append(nil, len(glued)-1)
		if got, _ := Parse(wire); err != nil || got.Truncated != tt.wantTC {
			t.Errorf("%s: glue left out: %+v, %v", tt.name, got, err)
		}
	}
}

func TestAppendRejects(t *testing.T) {
	t.Parallel()
	good := Question{mustName(t, "a."), TypeA, ClassIN}
	for name, m := range map[string]*Message{
		"extended rcode without EDNS": {Header: Header{Rcode: RcodeBadVers}},
		"invalid question":            {Question: []Question{{Name: "\x03a"}}},
		"zero name":                   {Question: []Question{{}}},
		"invalid owner":               {Question: []Question{good}, Answer: []RR{{Name: "a.", Type: TypeA}}},
		"endless data":                {Question: []Question{good}, Answer: []RR{{Name: Root, Type: TypeA, Data: make([]byte, 65536)}}},
		"endless option":              {EDNS: &EDNS{Options: []Option{{1, make([]byte, 65536)}}}},
	} {
		if wire, err := m.Append([]byte("x"), 0); err == nil || string(wire) != "x" {
			t.Errorf("%s: %d octets, %v", name, len(wire), err)
		}
	}
}

func TestAppendManyNames(t *testing.T) {
	t.Parallel()
	// More names than the table of the packer holds, and offsets past what a
	// pointer reaches.
	m := &Message{Header: Header{Response: true}}
	for i := range 900 {
		n, err := mustName(t, "example.test.").Prepend(strings.Repeat("x", 1+i%40) + hex.EncodeToString([]byte{byte(i >> 8), byte(i)}))
		if err != nil {
			t.Fatal(err)
		}
		m.Answer = append(m.Answer, NameRR(n, 1, TypeCNAME, n))
	}
	wire, err := m.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Parse(wire); err != nil || got.Truncated || !got.Equal(m) {
		t.Fatalf("round trip: %v", err)
	}
}

func TestSignatureStaysLast(t *testing.T) {
	t.Parallel()
	m := sampleMessage(t)
	sig := RR{Name: mustName(t, "key."), Type: TypeTSIG, Class: ClassANY, Data: []byte{1, 2, 3}}
	m.Additional = append(m.Additional, sig)
	wire, err := m.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(wire, []byte{0, 3, 1, 2, 3}) {
		t.Errorf("the signature is not last: %x", wire)
	}
	if got, err := Parse(wire); err != nil || !got.Equal(m) {
		t.Errorf("%v", err)
	}
	// It survives truncation, too.
	wire, err = m.Append(nil, 100)
	if got, _ := Parse(wire); err != nil || !got.Truncated || got.Additional[len(got.Additional)-1].Type != TypeTSIG {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRRHelpers(t *testing.T) {
	t.Parallel()
	soa := SOA{mustName(t, "ns."), mustName(t, "h."), 1, 2, 3, 4, 5}
	if got, ok := SOARR(Root, 60, soa).SOA(); !ok || got != soa {
		t.Errorf("SOA = %+v, %v", got, ok)
	}
	for _, bad := range []RR{
		{Type: TypeA}, {Type: TypeSOA}, {Type: TypeSOA, Data: []byte("\x00")},
		{Type: TypeSOA, Data: make([]byte, 21)}, {Type: TypeSOA, Data: make([]byte, 23)},
	} {
		if _, ok := bad.SOA(); ok {
			t.Errorf("%v is an SOA", bad)
		}
	}
	a := netip.MustParseAddr("192.0.2.1")
	if rr := AddressRR(Root, 1, netip.MustParseAddr("::ffff:192.0.2.1")); rr.Type != TypeA || len(rr.Data) != 4 {
		t.Errorf("mapped address: %+v", rr)
	} else if got, ok := rr.Addr(); !ok || got != a {
		t.Errorf("Addr = %v", got)
	}
	if rr := AddressRR(Root, 1, netip.MustParseAddr("::1")); rr.Type != TypeAAAA {
		t.Errorf("%+v", rr)
	}
	if _, ok := (RR{Type: TypeA, Data: make([]byte, 16)}).Addr(); ok {
		t.Error("A with 16 octets has an address")
	}
	for s, want := range map[string]string{
		"@ NS ns1": "ns1.example.test.", "@ MX 10 m.": "m.", "@ SRV 1 2 3 s.": "s.", "@ PTR p.": "p.",
		"@ DNAME d.": "d.", "@ CNAME c.": "c.", "@ HTTPS 1 .": ".", "@ A 192.0.2.1": "",
	} {
		n, ok := mustRR(t, s).Target()
		if ok != (want != "") || n.String() != want {
			t.Errorf("Target of %s = %s, %v", s, n, ok)
		}
	}
	if _, ok := (RR{Type: TypeSRV, Data: []byte{1}}).Target(); ok {
		t.Error("a short SRV has a target")
	}
	if rr := MXRR(Root, 300, 10, mustName(t, "m.")); rr.DataString() != "10 m." {
		t.Errorf("MX %s", rr.DataString())
	}
	long := strings.Repeat("x", 256)
	if rr, err := TXTRR(Root, 1, long); err != nil || len(rr.Data) != 258 || rr.Data[0] != 255 || rr.Data[256] != 1 {
		t.Errorf("TXT: %v, %v", rr.Data, err)
	}
	if rr, err := TXTRR(Root, 1, ""); err != nil || !bytes.Equal(rr.Data, []byte{0}) {
		t.Errorf("empty TXT: %v, %v", rr.Data, err)
	}
	if _, err := TXTRR(Root, 1, strings.Repeat("x", 65536)); err == nil {
		t.Error("TXT of 65536 octets")
	}
}

func TestRREqual(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b     string
		set, dup bool
	}{
		{"www A 192.0.2.1", "WWW A 192.0.2.1", true, true},
		{"www A 192.0.2.1", "www A 192.0.2.2", true, false},
		{"www A 192.0.2.1", "ww A 192.0.2.1", false, false},
		{"@ MX 10 mail", "@ MX 10 MAIL", true, true},
		{"@ TXT a", "@ TXT A", true, false},
		{"@ SOA NS h 1 2 3 4 5", "@ SOA ns H 1 2 3 4 5", true, true},
		{"@ SRV 1 2 3 A.b.", "@ SRV 1 2 3 a.B.", true, true},
		{`@ NAPTR 1 2 "U" "x" "y" A.`, `@ NAPTR 1 2 "U" "x" "y" a.`, true, true},
		{`@ NAPTR 1 2 "U" "x" "y" A.`, `@ NAPTR 1 2 "u" "x" "y" a.`, true, false},
	} {
		a, b := mustRR(t, tt.a), mustRR(t, tt.b)
		if a.SameSet(b) != tt.set || a.SameData(b) != tt.dup {
			t.Errorf("%s and %s: %v %v", tt.a, tt.b, a.SameSet(b), a.SameData(b))
		}
	}
	rr := mustRR(t, "WWW MX 10 Mail")
	before := string(rr.Data)
	if c := rr.Canonical(); c.Name.String() != "www.example.test." || c.DataString() != "10 mail.example.test." {
		t.Errorf("Canonical = %s", c)
	}
	if string(rr.Data) != before {
		t.Error("Canonical changed its receiver's data")
	}
	other := rr
	other.TTL++
	if rr.Equal(other) || !rr.SameData(other) {
		t.Error("TTL belongs to Equal alone")
	}
}

func TestReply(t *testing.T) {
	t.Parallel()
	q := NewQuery(7, mustName(t, "a."), TypeA)
	q.RecursionDesired, q.CheckingDisabled, q.AuthenticData = true, true, true
	r := q.Reply(RcodeRefused)
	if !r.Response || r.ID != 7 || !r.RecursionDesired || !r.CheckingDisabled || r.AuthenticData ||
		r.Rcode != RcodeRefused || len(r.Question) != 1 || r.EDNS != nil {
		t.Errorf("%+v", r)
	}
}
