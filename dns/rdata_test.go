package dns

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"
)

// everyType is one record of each type, or more where the data has shapes:
// the text, and the data in hexadecimal where it is worth spelling out.
var everyType = []struct{ text, data string }{
	{"A 192.0.2.1", "c0000201"},
	{"A 255.255.255.255", "ffffffff"},
	{"AAAA 2001:db8::1", "20010db8000000000000000000000001"},
	{"AAAA ::", "00000000000000000000000000000000"},
	{"NS ns1", "036e7331076578616d706c65047465737400"},
	{"NS .", "00"},
	{"CNAME a.b.", "0161016200"},
	{"DNAME d.", "016400"},
	{"PTR p.", "017000"},
	{"MB m.", "016d00"},
	{"MD m.", "016d00"},
	{"MF m.", "016d00"},
	{"MG m.", "016d00"},
	{"MR m.", "016d00"},
	{"MINFO a. b.", "016100016200"},
	{"SOA a. b. 1 2 3 4 5", "0161000162000000000100000002000000030000000400000005"},
	{"SOA a. b. 4294967295 2147483647 0 0 0", "016100016200ffffffff7fffffff000000000000000000000000"},
	{"MX 65535 m.", "ffff016d00"},
	{"MX 0 .", "000000"},
	{`HINFO "cpu" "os"`, "03637075026f73"},
	{`TXT "a"`, "0161"},
	{`TXT "a" "" "b"`, "0161000162"},
	{`TXT "\000\255\""`, "0300ff22"},
	{`SPF "v=spf1 -all"`, "0b763d73706631202d616c6c"},
	{"RP a. b.", "016100016200"},
	{"AFSDB 1 a.", "0001016100"},
	{"X25 311061700956", "0c333131303631373030393536"},
	{`ISDN "150862028003217" "004"`, "0f31353038363230323830303332313703303034"},
	{"RT 10 a.", "000a016100"},
	{"PX 10 a. b.", "000a016100016200"},
	{"KX 10 a.", "000a016100"},
	{"SRV 1 2 3 s.", "000100020003017300"},
	{`NAPTR 100 50 "s" "http+I2R" "" a.`, "00640032017308687474702b49325200016100"},
	{`NAPTR 100 50 "u" "sip" "!^.*$!sip:a@b!" .`, "006400320175037369700e215e2e2a24217369703a6140622100"},
	{"GPOS -32.6882 116.8652 10.0", ""},
	{"LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m", ""},
	{"CERT PKIX 0 0 aaaa", "000100000069a69a"},
	{"DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", ""},
	{"CDS 0 0 0 00", "0000000000"},
	{"DLV 1 13 2 0123", "00010d020123"},
	{"TA 1 13 2 0123", "00010d020123"},
	{"SSHFP 4 2 0123", "04020123"},
	{"TLSA 3 1 1 0123", "0301010123"},
	{"SMIMEA 3 1 1 0123", "0301010123"},
	{"DNSKEY 257 3 13 aaaa", "0101030d69a69a"},
	{"CDNSKEY 0 3 0 AA==", "0000030000"},
	{"KEY 256 3 13 aaaa", "0100030d69a69a"},
	{"RKEY 0 0 1 aaaa", "0000000169a69a"},
	{"RRSIG A 13 2 300 20300101000000 20200101000000 12345 example.test. aaaa", ""},
	{"SIG A 13 2 300 20300101000000 20200101000000 12345 example.test. aaaa", ""},
	{"NSEC b. A RRSIG NSEC", "0162000006400000000003"},
	{"NSEC b. TYPE1234", "016200041b" + strings.Repeat("00", 26) + "20"},
	{`NSEC \# 6 0162000001c0`, "0162000001c0"}, // type 0 has no name
	{`NSEC \# 37 016200ff20` + strings.Repeat("00", 31) + "01", ""},
	{`RRSIG \# 20 00000d02000000010000000100000001000100aa`, ""},
	{"NSEC3 1 0 0 - 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A", ""},
	{"NSEC3 1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG", ""},
	{"NSEC3PARAM 1 0 0 -", "0100000000"},
	{"CSYNC 66 3 A NS AAAA", ""},
	{"ZONEMD 1 1 1 " + strings.Repeat("ab", 48), ""},
	{"DHCID AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=", ""},
	{"IPSECKEY 10 1 2 192.0.2.38 aaaa", "0a0102c000022669a69a"},
	{"IPSECKEY 10 0 2 . aaaa", "0a000269a69a"},
	{"OPENPGPKEY aaaa", "69a69a"},
	{"HIP 2 0123 aaaa rvs.", ""},
	{"TALINK a. b.", "016100016200"},
	{`NINFO "x"`, "0178"},
	{"EUI48 00-00-5e-00-53-2a", "00005e00532a"},
	{"EUI64 00-00-5e-ef-10-00-00-2a", "00005eef1000002a"},
	{"NID 10 0014:4fff:ff20:ee64", "000a00144fffff20ee64"},
	{"L32 10 10.1.2.0", "000a0a010200"},
	{"L64 10 2001:0DB8:1140:1000", "000a20010db811401000"},
	{"LP 10 a.", "000a016100"},
	{"UID 1", "00000001"},
	{"GID 1", "00000001"},
	{`UINFO "x"`, "0178"},
	{"EID 0123", "0123"},
	{"NIMLOC 0123", "0123"},
	{`URI 10 1 "ftp://a/"`, "000a00016674703a2f2f612f"},
	{`CAA 0 issue "ca.test"`, "000569737375656361" + "2e74657374"},
	{`AVC "x"`, "0178"},
	{`RESINFO "qnamemin"`, "08716e616d656d696e"},
	{"APL 1:192.168.32.0/21 !1:192.168.38.0/28", "00011503c0a82000011c83c0a826"},
	{"SVCB 0 a.", "0000016100"},
	{"SVCB 16 a. mandatory=alpn alpn=h2 port=53", ""},
	{"HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1", ""},
	{"AMTRELAY 10 0 1 192.0.2.1", "0a01c0000201"},
	{`TYPE65280 \# 0`, ""},
	{`TYPE65280 \# 3 0102ff`, "0102ff"},
	{`A \# 4 c0000201`, "c0000201"},
	{`MX \# 5 000a016100`, "000a016100"},
}

// TestEveryType: text to data to text to a compressed message and back, with
// miekg/dns beside it.
func TestEveryType(t *testing.T) {
	t.Parallel()
	seen := map[Type]bool{}
	for _, tt := range everyType {
		rr, err := ParseRR("o "+tt.text, mustName(t, "example.test."), 60)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		seen[rr.Type] = true
		if want := tt.data; want != "" && hex.EncodeToString(rr.Data) != want {
			t.Errorf("%s: data %x, want %s", tt.text, rr.Data, want)
		}
		if err := rr.Validate(); err != nil {
			t.Errorf("%s: %v", tt.text, err)
		}
		if len(rr.Data) > 0 {
			data, err := ParseData(rr.Type, rr.DataString(), Root)
			if err != nil || !bytes.Equal(data, rr.Data) {
				t.Errorf("%s: %q reads back as %x, %v", tt.text, rr.DataString(), data, err)
			}
		}
		m := &Message{Header: Header{Response: true}, Answer: []RR{rr, rr}, Question: []Question{{rr.Name, rr.Type, ClassIN}}}
		wire, err := m.Append(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Parse(wire); err != nil || !back.Equal(m) {
			t.Errorf("%s: through a message: %v", tt.text, err)
		}
		var foreign mdns.Msg
		if err := foreign.Unpack(wire); err != nil {
			t.Errorf("%s: miekg/dns: %v", tt.text, err)
		}
	}
	for code, name := range mdns.TypeToString {
		typ := Type(code)
		_, parsed := mdns.TypeToRR[code]
		// ATMA, NULL and their like have no presentation form there.
		if parsed && !typ.IsMeta() && !seen[typ] && name != "NULL" && name != "NXNAME" && name != "NXT" && name != "NSAP-PTR" {
			t.Errorf("no test of %s", name)
		}
	}
}

// TestDataIsChecked: data of a known layout that is cut anywhere, or has one
// octet more, is refused on the wire.
func TestDataIsChecked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		free bool // its last field takes whatever is left
	}{
		{"A 192.0.2.1", false},
		{"AAAA 2001:db8::1", false},
		{"NS a.b.", false},
		{"CNAME a.b.", false},
		{"DNAME a.b.", false},
		{"PTR a.b.", false},
		{"SOA a. b. 1 2 3 4 5", false},
		{"MINFO a. b.", false},
		{"MX 1 a.", false},
		{"HINFO a bc", false},
		{"RP a. b.", false},
		{"AFSDB 1 a.", false},
		{"RT 1 a.", false},
		{"PX 1 a. b.", false},
		{"KX 1 a.", false},
		{"SRV 1 2 3 a.", false},
		{`NAPTR 1 2 "a" "b" "c" d.`, false},
	} {
		rr, err := ParseRR(". "+tt.text, Root, 60)
		if err != nil {
			t.Fatal(err)
		}
		for n := range rr.Data {
			short := rr
			short.Data = rr.Data[:n]
			if short.Validate() == nil {
				t.Errorf("%s: %d of %d octets are accepted", tt.text, n, len(rr.Data))
			}
		}
		long := rr
		long.Data = append(bytes.Clone(rr.Data), 0)
		if long.Validate() == nil {
			t.Errorf("%s: one octet more is accepted", tt.text)
		}
	}
	for name, data := range map[string]string{
		"RRSIG": "00010d02", "SIG": "00010d02", "DNSKEY": "0101", "DS": "0001", "NSEC": "", "SVCB": "0001", "TXT": "05616263",
	} {
		typ, err := ParseType(name)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := hex.DecodeString(data)
		if err != nil {
			t.Fatal(err)
		}
		if (RR{Name: Root, Type: typ, Class: ClassIN, Data: raw}).Validate() == nil {
			t.Errorf("%s with %q is accepted", name, data)
		}
	}
}

func TestBitmaps(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]error{
		"":                                nil, // RFC 4034 leaves an empty one open; RFC 9824 uses it
		"000140":                          nil,
		"0006400000000003":                nil,
		"0020" + strings.Repeat("01", 32): nil,
		"0001400101ff":                    nil,
		"00":                              errBitmap,
		"0000":                            errBitmap,
		"000100":                          errBitmap, // trailing zero octets
		"00024000":                        errBitmap,
		"0002":                            errBitmap,
		"0021" + strings.Repeat("01", 33): errBitmap,
		"000140000140":                    errBitmap, // windows go up
		"010140000140":                    errBitmap,
	} {
		raw, err := hex.DecodeString(data)
		if err != nil {
			t.Fatal(err)
		}
		if got := checkBitmap(raw); !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", data, got, want)
		}
	}
}

// TestCanonicalData lists which types have names in lower case in the
// canonical form: those of RFC 4034 section 6.2, less NSEC (RFC 6840 section
// 5.1), and no others.
func TestCanonicalData(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"NS A.B.":                  "a.b.",
		"CNAME A.B.":               "a.b.",
		"PTR A.B.":                 "a.b.",
		"DNAME A.B.":               "a.b.",
		"MX 10 A.":                 "10 a.",
		"MINFO A. B.":              "a. b.",
		"SOA A. B. 1 2 3 4 5":      "a. b. 1 2 3 4 5",
		"RP A. B.":                 "a. b.",
		"AFSDB 1 A.":               "1 a.",
		"RT 1 A.":                  "1 a.",
		"PX 1 A. B.":               "1 a. b.",
		"KX 1 A.":                  "1 a.",
		"SRV 1 2 3 A.":             "1 2 3 a.",
		`NAPTR 1 2 "A" "B" "C" D.`: `1 2 "A" "B" "C" d.`,
		"NSEC A. A":                "A. A",
		"SVCB 1 A.":                "1 A.",
		"HTTPS 1 A.":               "1 A.",
		"TXT ABC":                  `"ABC"`,
		"HINFO CPU OS":             `"CPU" "OS"`,
		"LP 1 A.":                  "1 A.",
		"TALINK A. B.":             "A. B.",
		"CAA 0 issue CA.test":      `0 issue "CA.test"`,
		"RRSIG A 13 2 1 20300101000000 20200101000000 1 A. aaaa": "A 13 2 1 20300101000000 20200101000000 1 a. aaaa",
	} {
		rr := mustRR(t, "O "+text)
		before := bytes.Clone(rr.Data)
		c := rr.Canonical()
		if c.DataString() != want || c.Name.String() != "o.example.test." {
			t.Errorf("%s: %s %s, want %s", text, c.Name, c.DataString(), want)
		}
		if !bytes.Equal(before, rr.Data) {
			t.Errorf("%s: the record itself was changed", text)
		}
		if again := c.Canonical(); !bytes.Equal(again.Data, c.Data) {
			t.Errorf("%s: the canonical form has another", text)
		}
	}
	for _, broken := range []string{"", "\x05a", "\xc0\x00", "\x00\x05"} {
		for typ := range Type(300) {
			_ = canonicalData(typ, ClassIN, []byte(broken)) // must not crash
		}
	}
}

// TestValidateAsParse: Validate takes what ParseRecord takes, less the data
// with compressed names, and allocates nothing.
func TestValidateAsParse(t *testing.T) {
	r := rand.New(rand.NewPCG(1035, 3))
	types := []Type{TypeA, TypeAAAA, TypeNS, TypeSOA, TypeMX, TypeTXT, TypeSRV, TypeHINFO, TypeNSEC, TypeRRSIG, TypeDS, TypeNAPTR, TypeRP, TypeHTTPS, 65280}
	taken := 0
	for range 50_000 {
		rr := RR{Name: Root, Type: types[r.IntN(len(types))], Class: Class(1 + r.IntN(3)), Data: make([]byte, r.IntN(24))}
		for i := range rr.Data {
			rr.Data[i] = byte(r.IntN(4))
			if r.IntN(40) == 0 {
				rr.Data[i] = 0xc0
			}
		}
		err := rr.Validate()
		back, _, theirs := ParseRecord(rr.appendWire(nil))
		if err == nil {
			taken++
			if theirs != nil || !bytes.Equal(back.Data, rr.Data) {
				t.Fatalf("%s %x is valid, and parses as %x, %v", rr.Type, rr.Data, back.Data, theirs)
			}
		} else if theirs == nil && bytes.Equal(back.Data, rr.Data) {
			t.Fatalf("%s %x parses: %v", rr.Type, rr.Data, err)
		}
	}
	if taken < 5000 {
		t.Errorf("just %d of the records are valid: the test tests little", taken)
	}
	rr := mustRR(t, "@ SOA ns h 1 2 3 4 5")
	if n := testing.AllocsPerRun(100, func() { _ = rr.Validate() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
