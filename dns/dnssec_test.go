package dns

import (
	"crypto"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"pgregory.net/rapid"
)

// rfcKey is a key with what an RFC says of it, and with a set that it signed.
type rfcKey struct {
	rfc, private, dnskey, ds, record, rrsig string
	deterministic                           bool
}

var rfcKeys = []rfcKey{
	{
		rfc:     "6605 section 6.1",
		private: "Private-key-format: v1.2\nAlgorithm: 13 (ECDSAP256SHA256)\nPrivateKey: GU6SnQ/Ou+xC5RumuIUIuJZteXT2z0O/ok1s38Et6mQ=\n",
		dnskey: "example.net. 3600 IN DNSKEY 257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edb" +
			" krSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==",
		ds:     "55648 13 2 b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17",
		record: "www.example.net. 3600 IN A 192.0.2.1",
		rrsig: "www.example.net. 3600 IN RRSIG A 13 3 3600 20100909100439 20100812100439 55648 example.net." +
			" qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==",
	},
	{
		rfc:     "6605 section 6.2",
		private: "Private-key-format: v1.2\nAlgorithm: 14 (ECDSAP384SHA384)\nPrivateKey: WURgWHCcYIYUPWgeLmiPY2DJJk02vgrmTfitxgqcL4vwW7BOrbawVmVe0d9V94SR\n",
		dnskey: "example.net. 3600 IN DNSKEY 257 3 14 xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1" +
			"w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8/uX45NBwY8rp65F6Glur8I/mlVNgF6W/qTI37m40",
		ds:     "10771 14 4 72d7b62976ce06438e9c0bf319013cf801f09ecc84b8d7e9495f27e305c6a9b0563a9b5f4d288405c3008a946df983d6",
		record: "www.example.net. 3600 IN A 192.0.2.1",
		rrsig: "www.example.net. 3600 IN RRSIG A 14 3 3600 20100909102025 20100812102025 10771 example.net." +
			" /L5hDKIvGDyI1fcARX3z65qrmPsVz73QD1Mr5CEqOiLP95hxQouuroGCeZOvzFaxsT8Glr74hbavRKayJNuydCuz" +
			"WTSSPdz7wnqXL5bdcJzusdnI0RSMROxxwGipWcJm",
	},
	{
		rfc:     "8080 section 6.1, first",
		private: "Private-key-format: v1.2\nAlgorithm: 15 (ED25519)\nPrivateKey: ODIyNjAzODQ2MjgwODAxMjI2NDUxOTAyMDQxNDIyNjI=\n",
		dnskey:  "example.com. 3600 IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
		ds:      "3613 15 2 3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b",
		record:  "example.com. 3600 IN MX 10 mail.example.com.",
		rrsig: "example.com. 3600 IN RRSIG MX 15 2 3600 1440021600 1438207200 3613 example.com." +
			" oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==",
		deterministic: true,
	},
	{
		rfc:     "8080 section 6.1, second",
		private: "Private-key-format: v1.2\nAlgorithm: 15 (ED25519)\nPrivateKey: DSSF3o0s0f+ElWzj9E/Osxw8hLpk55chkmx0LYN5WiY=\n",
		dnskey:  "example.com. 3600 IN DNSKEY 257 3 15 zPnZ/QwEe7S8C5SPz2OfS5RR40ATk2/rYnE9xHIEijs=",
		ds:      "35217 15 2 401781b934e392de492ec77ae2e15d70f6575a1c0bc59c5275c04ebe80c6614c",
		record:  "example.com. 3600 IN MX 10 mail.example.com.",
		rrsig: "example.com. 3600 IN RRSIG MX 15 2 3600 1440021600 1438207200 35217 example.com." +
			" zXQ0bkYgQTEFyfLyi9QoiY6D8ZdYo4wyUhVioYZXFdT410QPRITQSqJSnzQoSm5poJ7gD7AQR0O7KuI5k2pcBg==",
		deterministic: true,
	},
}

func recordOf(t testing.TB, text string) RR {
	t.Helper()
	rr, err := ParseRR(text, Root, 0)
	if err != nil {
		t.Fatal(err)
	}
	return rr
}

// TestDNSSECExamplesOfRFCs checks keys, DS records and signatures that stand in
// the RFCs, and makes the signatures anew.
func TestDNSSECExamplesOfRFCs(t *testing.T) {
	t.Parallel()
	for _, e := range rfcKeys {
		t.Run(e.rfc, func(t *testing.T) {
			k, err := ParseKeyFiles(e.dnskey, e.private)
			if err != nil {
				t.Fatal(err)
			}
			want, _ := recordOf(t, k.Owner.String()+" DS "+e.ds).DS()
			if got, err := k.DS(k.Owner, want.DigestType); err != nil || string(got.Data()) != string(want.Data()) {
				t.Errorf("DS %x, %v, want %x", got.Data(), err, want.Data())
			}
			if !want.Matches(k.Owner, k.DNSKEY) || want.KeyTag != k.KeyTag() {
				t.Errorf("DS does not match")
			}
			set, sig, key := []RR{recordOf(t, e.record)}, recordOf(t, e.rrsig), recordOf(t, e.dnskey)
			fields, _ := sig.RRSIG()
			now := time.Unix(int64(fields.Inception)+1000, 0)
			v, err := VerifySet(sig, key, set, now)
			if err != nil || v.Wildcard != "" || v.TTL != 3600 {
				t.Errorf("%+v, %v", v, err)
			}
			again, err := SignSet(k, set, fields.Begins(now), fields.Expires(now))
			if err != nil {
				t.Fatal(err)
			}
			if e.deterministic && !again.Equal(sig) {
				t.Errorf("signed anew:\n%s\nwant\n%s", again, sig)
			}
			if _, err := VerifySet(again, key, set, now); err != nil {
				t.Errorf("signed anew: %v", err)
			}
		})
	}
}

// TestDSOfRFCs: RFC 4034 section 5.4 and RFC 4509 section 2.3, of a key whose
// algorithm nobody takes any more.
func TestDSOfRFCs(t *testing.T) {
	t.Parallel()
	rr := recordOf(t, "dskey.example.com. 86400 IN DNSKEY 256 3 5 AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/"+
		"2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9Xzcn"+
		"Of+EPbtG9DMBmADjFDc2w/rljwvFw==")
	k, ok := rr.DNSKEY()
	if !ok || k.KeyTag() != 60485 || k.Algorithm.Supported() {
		t.Fatal(k, ok)
	}
	for _, text := range []string{
		"5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
		"5 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A",
	} {
		d, _ := recordOf(t, "dskey.example.com. DS 60485 "+text).DS()
		if !d.Matches(MustParseName("DSkey.Example.com."), k) {
			t.Errorf("%s does not match", text)
		}
		for what, other := range map[string]DS{
			"tag":       {d.KeyTag + 1, d.Algorithm, d.DigestType, d.Digest},
			"algorithm": {d.KeyTag, 8, d.DigestType, d.Digest},
			"digest":    {d.KeyTag, d.Algorithm, d.DigestType, append([]byte{d.Digest[0] ^ 1}, d.Digest[1:]...)},
			"type":      {d.KeyTag, d.Algorithm, 3, d.Digest},
			"no digest": {d.KeyTag, d.Algorithm, 3, nil},
		} {
			if other.Matches(rr.Name, k) {
				t.Errorf("%s: another %s matches", text, what)
			}
		}
		if d.Matches(MustParseName("example.com."), k) {
			t.Error("another owner matches")
		}
	}
	host := k
	host.Flags = 0
	if d := host.digest(rr.Name, DigestSHA256); d.Matches(rr.Name, host) {
		t.Error("a key that is none of a zone matches")
	}
	for _, bad := range []DigestType{DigestSHA1, 0, 3, 5} {
		if _, err := k.DS(rr.Name, bad); err == nil {
			t.Errorf("digest %d was made", bad)
		}
	}
}

// typicalSets are sets of all kinds of data; in the names upper case stands
// where it must not matter.
var typicalSets = []string{
	"www A 192.0.2.2\nwww A 192.0.2.1\nwww A 192.0.2.10",
	"WWW.Sub AAAA 2001:db8::1",
	"@ MX 10 Mail\n@ MX 5 mail.Example.ORG.",
	"@ NS NS1\n@ NS ns2",
	"@ SOA Ns1 Host.Master 1 2 3 4 5",
	"*.wild TXT \"a\" \"b\"\n*.wild TXT a\n*.wild TXT aa",
	"a.*.b CNAME X.y",
	"_dns._udp SRV 1 2 53 NS1",
	`n NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:a@B.c!" Repl.Ace`,
	"h HTTPS 1 Svc.Target alpn=h2",
	"c CAA 0 issue \"ca.example.net\"",
	"s NSEC Next.Name A RRSIG NSEC TYPE1234",
	"d DNAME Other.Place",
	"x TYPE65280 \\# 3 414243",
	"p PTR Host.Name",
	"t TLSA 3 1 1 0123456789abcdef",
	"sub DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
}

func readSet(t testing.TB, text string) []RR {
	t.Helper()
	var set []RR
	for line := range strings.Lines(text) {
		rr, err := ParseRR(strings.TrimSpace(line), MustParseName("Example.Test."), 300)
		if err != nil {
			t.Fatal(err)
		}
		set = append(set, rr)
	}
	return set
}

var signingAlgorithms = []DNSSECAlgorithm{ECDSAP256SHA256, ECDSAP384SHA384, Ed25519}

func mustKey(t testing.TB, a DNSSECAlgorithm) *SigningKey {
	t.Helper()
	k, err := GenerateKey(MustParseName("Example.test."), a, FlagZone|FlagSEP)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestSignOracle has miekg/dns check our signatures over sets of all kinds.
func TestSignOracle(t *testing.T) {
	t.Parallel()
	for _, a := range signingAlgorithms {
		k := mustKey(t, a)
		key := miekgOf(t, k.RR(60)).(*mdns.DNSKEY)
		if key.KeyTag() != k.KeyTag() {
			t.Errorf("tag %d, miekg says %d", k.KeyTag(), key.KeyTag())
		}
		now := time.Now()
		for _, text := range typicalSets {
			set := readSet(t, text)
			sig, err := SignSet(k, set, now.Add(-time.Hour), now.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			var theirs []mdns.RR
			for _, rr := range set {
				theirs = append(theirs, miekgOf(t, rr))
			}
			s := miekgOf(t, sig).(*mdns.RRSIG)
			if err := s.Verify(key, theirs); err != nil || !s.ValidityPeriod(now) {
				t.Errorf("%s, %s: %v", a, text, err)
			}
			if v, err := VerifySet(sig, k.RR(60), set, now); err != nil || v.Wildcard != "" {
				t.Errorf("%s, %s: our own check: %+v, %v", a, text, v, err)
			}
		}
	}
}

func miekgOf(t testing.TB, rr RR) mdns.RR {
	t.Helper()
	m, _, err := mdns.UnpackRR(rr.appendWire(nil), 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestVerifyOracle checks signatures that miekg/dns makes, also of RSA.
func TestVerifyOracle(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for a, bits := range map[DNSSECAlgorithm]int{RSASHA256: 2048, RSASHA512: 1024, ECDSAP256SHA256: 256, ECDSAP384SHA384: 384, Ed25519: 256} {
		key := &mdns.DNSKEY{
			Hdr:   mdns.RR_Header{Name: "example.test.", Rrtype: mdns.TypeDNSKEY, Class: mdns.ClassINET, Ttl: 60},
			Flags: 256, Protocol: 3, Algorithm: uint8(a),
		}
		private, err := key.Generate(bits)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := fromMiekg(key)
		if err != nil {
			t.Fatal(err)
		}
		public, err := NewPublicKey(ours)
		if err != nil {
			t.Fatal(err)
		}
		if public.KeyTag() != key.KeyTag() {
			t.Errorf("%s: tag %d, want %d", a, public.KeyTag(), key.KeyTag())
		}
		for _, text := range typicalSets {
			set := readSet(t, text)
			var theirs []mdns.RR
			for _, rr := range set {
				theirs = append(theirs, miekgOf(t, rr))
			}
			s := &mdns.RRSIG{
				Algorithm: uint8(a), KeyTag: key.KeyTag(), SignerName: "example.test.",
				Inception: uint32(now.Unix()) - 60, Expiration: uint32(now.Unix()) + 60,
			}
			if err := s.Sign(private.(crypto.Signer), theirs); err != nil {
				t.Fatal(err)
			}
			sig, err := fromMiekg(s)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := public.VerifySet(sig, set, now); err != nil {
				t.Errorf("%s, %s: %v", a, text, err)
			}
			sig.Data[len(sig.Data)-1] ^= 1
			if _, err := public.VerifySet(sig, set, now); !errors.Is(err, ErrSignature) {
				t.Errorf("%s, %s, spoilt: %v", a, text, err)
			}
		}
	}
}

// TestSetsInAnyForm: order, case and doubles of a set's records do not matter,
// any other change does.
func TestSetsInAnyForm(t *testing.T) {
	t.Parallel()
	keys := map[DNSSECAlgorithm]*SigningKey{}
	for _, a := range signingAlgorithms {
		keys[a] = mustKey(t, a)
	}
	now := time.Unix(1_800_000_000, 0)
	rapid.Check(t, func(r *rapid.T) {
		k := keys[rapid.SampledFrom(signingAlgorithms).Draw(r, "algorithm")]
		set := readSet(t, rapid.SampledFrom(typicalSets).Draw(r, "set"))
		sig, err := SignSet(k, set, now, now)
		if err != nil {
			r.Fatal(err)
		}
		again, _ := SignSet(k, set, now, now)
		if !sig.Equal(again) {
			r.Fatal("two signatures of one set differ")
		}
		other := rapid.Permutation(set).Draw(r, "order")
		for i := range other {
			other[i] = other[i].Canonical()
			if rapid.Bool().Draw(r, "doubled") {
				other = append(other, set[i])
			}
			other[i].TTL = 1 // a cache counts down
		}
		v, err := VerifySet(sig, k.RR(60), other, now)
		if err != nil || v.TTL != 0 {
			r.Fatalf("%+v, %v", v, err)
		}
		i := rapid.IntRange(0, len(other)-1).Draw(r, "spoilt record")
		spoilt := append([]byte(nil), other[i].Data...)
		at := rapid.IntRange(0, len(spoilt)-1).Draw(r, "spoilt octet")
		spoilt[at] ^= 0x81
		other[i].Data = spoilt
		if _, err := VerifySet(sig, k.RR(60), other, now); !errors.Is(err, ErrSignature) {
			r.Fatalf("a spoilt record is taken: %v", err)
		}
	})
}

// TestVerifySetConditions goes through RFC 4035 section 5.3.1.
func TestVerifySetConditions(t *testing.T) {
	t.Parallel()
	k := mustKey(t, Ed25519)
	now := time.Unix(1_800_000_000, 0)
	from, to := now.Add(-time.Hour), now.Add(time.Hour)
	set := readSet(t, "a.b A 192.0.2.1")
	sign := func(set []RR) RR {
		sig, err := SignSet(k, set, from, to)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	good := sign(set)
	edit := func(change func(*RRSIG)) RR {
		s, _ := good.RRSIG()
		change(&s)
		rr := good
		rr.Data = s.Data()
		return rr
	}
	owner := func(rr RR, name string) RR { rr.Name = MustParseName(name); return rr }
	class := func(rr RR) RR { rr.Class = ClassCH; return rr }
	flags := k.DNSKEY
	flags.Flags = FlagSEP
	noZone := RR{Name: k.Owner, Type: TypeDNSKEY, Class: ClassIN, Data: flags.Data()}
	flags = k.DNSKEY
	flags.Protocol = 2
	protocol := RR{Name: k.Owner, Type: TypeDNSKEY, Class: ClassIN, Data: flags.Data()}
	for _, tt := range []struct {
		name string
		sig  RR
		key  RR
		set  []RR
		at   time.Time
		want error
	}{
		{"good", good, k.RR(1), set, now, nil},
		{"first second", good, k.RR(1), set, from, nil},
		{"too early", good, k.RR(1), set, from.Add(-time.Second), ErrSignatureEarly},
		{"last second", good, k.RR(1), set, to, nil},
		{"expired", good, k.RR(1), set, to.Add(time.Second), ErrSignatureExpired},
		{"ends before it begins", edit(func(s *RRSIG) { s.Expiration = s.Inception - 1 }), k.RR(1), set, from.Add(-time.Second), ErrSignatureExpired},
		{"other type", edit(func(s *RRSIG) { s.TypeCovered = TypeAAAA }), k.RR(1), set, now, ErrSignatureOther},
		{"other algorithm", edit(func(s *RRSIG) { s.Algorithm = 13 }), k.RR(1), set, now, ErrSignatureOther},
		{"other tag", edit(func(s *RRSIG) { s.KeyTag++ }), k.RR(1), set, now, ErrSignatureOther},
		{"other signer", edit(func(s *RRSIG) { s.SignerName = MustParseName("test.") }), k.RR(1), set, now, ErrSignatureOther},
		{"signer of another zone", edit(func(s *RRSIG) { s.SignerName = MustParseName("example.org.") }), k.RR(1), set, now, ErrSignatureOther},
		{"key of another zone", good, owner(k.RR(1), "b.example.test."), set, now, ErrSignatureOther},
		{"more labels than the owner", edit(func(s *RRSIG) { s.Labels++ }), k.RR(1), set, now, ErrSignatureOther},
		{"fewer labels", edit(func(s *RRSIG) { s.Labels-- }), k.RR(1), set, now, ErrSignature},
		{"other TTL", edit(func(s *RRSIG) { s.OriginalTTL++ }), k.RR(1), set, now, ErrSignature},
		{"later end", edit(func(s *RRSIG) { s.Expiration++ }), k.RR(1), set, now, ErrSignature},
		{"other owner", owner(good, "b.example.test."), k.RR(1), set, now, ErrSignatureOther},
		{"other class", class(good), k.RR(1), set, now, ErrSignatureOther},
		{"no zone key", good, noZone, set, now, ErrSignatureOther},
		{"protocol 2", good, protocol, set, now, ErrSignatureOther},
		{"no set", good, k.RR(1), nil, now, ErrSignatureOther},
		{"no RRSIG", set[0], k.RR(1), set, now, ErrSignatureOther},
		{"two sets", good, k.RR(1), append(readSet(t, "b A 192.0.2.1"), set...), now, ErrSignatureOther},
		{"no key", good, set[0], set, now, ErrKeyData},
	} {
		_, err := VerifySet(tt.sig, tt.key, tt.set, tt.at)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestVerifyWildcard: fewer labels in the signature than in the owner tell the
// wildcard (RFC 4035 section 5.3.4).
func TestVerifyWildcard(t *testing.T) {
	t.Parallel()
	k := mustKey(t, ECDSAP256SHA256)
	now := time.Unix(1_800_000_000, 0)
	set := readSet(t, "*.w A 192.0.2.1")
	sig, err := SignSet(k, set, now, now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := VerifySet(sig, k.RR(1), set, now); err != nil || v.Wildcard != "" || v.TTL != 60 {
		t.Errorf("the wildcard itself: %+v, %v", v, err)
	}
	for name, good := range map[string]bool{
		"x.w.example.test.": true, "y.x.w.example.test.": true, "X.W.Example.test.": true,
		"x.example.test.": false, "w.example.test.": false, "x.v.example.test.": false,
	} {
		set[0].Name, sig.Name = MustParseName(name), MustParseName(name)
		v, err := VerifySet(sig, k.RR(1), set, now)
		if (err == nil) != good || good && !v.Wildcard.Equal(MustParseName("*.w.example.test.")) {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

func TestVerifiedTTL(t *testing.T) {
	t.Parallel()
	k := mustKey(t, Ed25519)
	now := time.Unix(1_800_000_000, 0)
	for _, tt := range []struct {
		original, set, sig uint32
		left               int
		want               uint32
	}{
		{300, 300, 300, 1000, 300}, {300, 200, 300, 1000, 200}, {300, 300, 100, 1000, 100},
		{300, 999, 999, 1000, 300}, {300, 300, 300, 50, 50}, {300, 300, 300, 0, 0},
	} {
		set := readSet(t, "a A 192.0.2.1\na A 192.0.2.2")
		for i := range set {
			set[i].TTL = tt.original
		}
		sig, err := SignSet(k, set, now, now.Add(time.Duration(tt.left)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		set[0].TTL, sig.TTL = tt.set, tt.sig
		if v, err := VerifySet(sig, k.RR(1), set, now); err != nil || v.TTL != min(tt.want, tt.original) {
			t.Errorf("%+v: %+v, %v", tt, v, err)
		}
	}
}

// TestSignatureTimesTurnOver: the 32 bits of the times run out in 2106 (RFC 4034
// section 3.1.5).
func TestSignatureTimesTurnOver(t *testing.T) {
	t.Parallel()
	k := mustKey(t, Ed25519)
	turn := time.Unix(1<<32, 0)
	set := readSet(t, "a A 192.0.2.1")
	sig, err := SignSet(k, set, turn.Add(-time.Hour), turn.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	s, _ := sig.RRSIG()
	for _, d := range []time.Duration{-time.Hour, -1, 0, 1, time.Hour} {
		if _, err := VerifySet(sig, k.RR(1), set, turn.Add(d)); err != nil {
			t.Errorf("%v: %v", d, err)
		}
		if !s.Expires(turn.Add(d)).Equal(turn.Add(time.Hour)) || !s.Begins(turn.Add(d)).Equal(turn.Add(-time.Hour)) {
			t.Errorf("%v: %v to %v", d, s.Begins(turn.Add(d)), s.Expires(turn.Add(d)))
		}
	}
}

func TestSignSetRefuses(t *testing.T) {
	t.Parallel()
	k := mustKey(t, Ed25519)
	now := time.Unix(1_800_000_000, 0)
	set := readSet(t, "a A 192.0.2.1\na A 192.0.2.2")
	ttl := append([]RR(nil), set...)
	ttl[1].TTL++
	const most = 1<<31 - 1
	for _, tt := range []struct {
		name    string
		set     []RR
		seconds int64
		want    error
	}{
		{"nothing", nil, 1, errNoSet},
		{"two TTLs", ttl, 1, errNoSet},
		{"two owners", readSet(t, "a A 192.0.2.1\nb A 192.0.2.1"), 1, errNoSet},
		{"no owner", []RR{{Type: TypeA}}, 1, errNoSet},
		{"another zone", []RR{recordOf(t, "a.example.org. A 192.0.2.1")}, 1, ErrSignatureOther},
		{"backwards", set, -1, errPeriod},
		{"the longest", set, most, nil},
		{"too long", set, most + 1, errPeriod},
	} {
		_, err := SignSet(k, tt.set, now, now.Add(time.Duration(tt.seconds)*time.Second))
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestKeysOfBadForm: whatever stands in a DNSKEY record, it is refused or does
// not verify, and nothing breaks.
func TestKeysOfBadForm(t *testing.T) {
	t.Parallel()
	rsaKey := func(exponent string, octets int) []byte {
		e, _ := hex.DecodeString(exponent)
		n := strings.Repeat("\xff", max(octets, 0))
		return append(append([]byte{byte(len(e))}, e...), n...)
	}
	zero := rsaKey("010001", 256)
	zero[4] = 0
	long := append([]byte{0, 0, 3, 1, 0, 1}, rsaKey("", 256)[1:]...)
	for _, tt := range []struct {
		name string
		a    DNSSECAlgorithm
		key  []byte
		want error
	}{
		{"no RSA key", RSASHA256, nil, ErrKeyData},
		{"two octets", RSASHA256, []byte{1, 3}, ErrKeyData},
		{"good", RSASHA256, rsaKey("010001", 256), nil},
		{"long exponent length", RSASHA256, long, nil},
		{"no exponent", RSASHA256, append([]byte{0, 0, 0}, rsaKey("", 256)...), ErrKeyData},
		{"exponent cut off", RSASHA256, []byte{5, 1, 2, 3}, ErrKeyData},
		{"smallest modulus", RSASHA256, rsaKey("03", minRSAKey), nil},
		{"modulus too small", RSASHA256, rsaKey("03", minRSAKey-1), ErrKeyData},
		{"largest modulus", RSASHA512, rsaKey("03", maxRSAKey), nil},
		{"modulus too large", RSASHA512, rsaKey("03", maxRSAKey+1), ErrKeyData},
		{"modulus with a zero", RSASHA256, zero, ErrKeyData},
		{"largest exponent", RSASHA256, rsaKey("7fffffff", 256), nil},
		{"exponent too large", RSASHA256, rsaKey("80000000", 256), ErrKeyData},
		{"exponent 2", RSASHA256, rsaKey("02", 256), ErrKeyData},
		{"P-256 off the curve", ECDSAP256SHA256, make([]byte, 64), ErrKeyData},
		{"P-256 short", ECDSAP256SHA256, make([]byte, 63), ErrKeyData},
		{"P-384 long", ECDSAP384SHA384, make([]byte, 97), ErrKeyData},
		{"Ed25519 short", Ed25519, make([]byte, 31), ErrKeyData},
		{"Ed25519 long", Ed25519, make([]byte, 33), ErrKeyData},
		{"RSASHA1", 5, rsaKey("010001", 256), ErrAlgorithm},
		{"Ed448", 16, make([]byte, 57), ErrAlgorithm},
	} {
		rr := RR{Name: Root, Type: TypeDNSKEY, Class: ClassIN, Data: DNSKEY{256, 3, tt.a, tt.key}.Data()}
		k, err := NewPublicKey(rr)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if err == nil && !errors.Is(k.verify([]byte("data"), make([]byte, 256)), ErrSignature) {
			t.Errorf("%s: verifies", tt.name)
		}
	}
	// CDNSKEY is of the same form and signs nothing.
	k := mustKey(t, Ed25519)
	rr := k.RR(1)
	rr.Type = TypeCDNSKEY
	if _, err := NewPublicKey(rr); !errors.Is(err, ErrKeyData) {
		t.Errorf("CDNSKEY: %v", err)
	}
	for _, a := range signingAlgorithms {
		k := mustKey(t, a)
		public, err := NewPublicKey(k.RR(1))
		if err != nil {
			t.Fatal(err)
		}
		sig, _ := k.sign([]byte("data"))
		for _, bad := range [][]byte{nil, sig[1:], append(sig, 0), make([]byte, len(sig))} {
			if err := public.verify([]byte("data"), bad); !errors.Is(err, ErrSignature) {
				t.Errorf("%s: %x: %v", a, bad, err)
			}
		}
		if err := public.verify([]byte("data"), sig); err != nil {
			t.Error(a, err)
		}
	}
}

// TestTypedViews: each view reads what it writes, and nothing of other types or
// cut off.
func TestTypedViews(t *testing.T) {
	t.Parallel()
	views := map[Type]func(RR) ([]byte, bool){
		TypeDNSKEY:     func(rr RR) ([]byte, bool) { v, ok := rr.DNSKEY(); return v.Data(), ok },
		TypeDS:         func(rr RR) ([]byte, bool) { v, ok := rr.DS(); return v.Data(), ok },
		TypeRRSIG:      func(rr RR) ([]byte, bool) { v, ok := rr.RRSIG(); return v.Data(), ok },
		TypeNSEC:       func(rr RR) ([]byte, bool) { v, ok := rr.NSEC(); return v.Data(), ok },
		TypeNSEC3:      func(rr RR) ([]byte, bool) { v, ok := rr.NSEC3(); return v.Data(), ok },
		TypeNSEC3PARAM: func(rr RR) ([]byte, bool) { v, ok := rr.NSEC3PARAM(); return v.Data(), ok },
		TypeTSIG:       func(rr RR) ([]byte, bool) { v, ok := rr.TSIG(); return v.RR().Data, ok },
	}
	tsig := TSIG{Key: Root, Algorithm: HMACSHA1.Name(), MAC: []byte("mac"), Other: []byte("other")}.RR()
	for _, rr := range []RR{
		recordOf(t, rfcKeys[0].dnskey), recordOf(t, "a. DS "+rfcKeys[0].ds), recordOf(t, rfcKeys[0].rrsig), tsig,
		recordOf(t, "a. NSEC b. A TYPE1000"),
		recordOf(t, "a. NSEC3 1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A TYPE1000"),
		recordOf(t, "a. NSEC3PARAM 1 0 12 aabbccdd"),
	} {
		// The fields that have no length of their own may end anywhere.
		least := map[Type]int{TypeDNSKEY: 4, TypeDS: 4, TypeRRSIG: rrsigFixed + 13}[rr.Type]
		for kind, view := range views {
			data, ok := view(rr)
			want := kind == rr.Type || kind == TypeNSEC3PARAM && rr.Type == TypeNSEC3
			if ok != want || kind == rr.Type && string(data) != string(rr.Data) {
				t.Errorf("%s as %s: %v %x", rr, kind, ok, data)
			}
		}
		for n := range rr.Data {
			short := rr
			short.Data = rr.Data[:n]
			_, ok := views[rr.Type](short)
			// Behind the name of NSEC and the hash of NSEC3 an empty bitmap is one.
			empty := rr.Type == TypeNSEC && n == 3 || rr.Type == TypeNSEC3 && n == 30
			if window := (rr.Type == TypeNSEC || rr.Type == TypeNSEC3) && n == len(rr.Data)-len(NewTypeBitmap(1000)); window {
				empty = true
			}
			if ok != (empty || least > 0 && n >= least) {
				t.Errorf("%s cut to %d octets: %v", rr.Type, n, ok)
			}
		}
	}
	for _, alias := range []Type{TypeCDS, TypeCDNSKEY} {
		rr := RR{Name: Root, Type: alias, Class: ClassIN, Data: []byte{1, 2, 3, 4, 5}}
		_, ds := rr.DS()
		_, key := rr.DNSKEY()
		if ds != (alias == TypeCDS) || key != (alias == TypeCDNSKEY) {
			t.Errorf("%s: %v %v", alias, ds, key)
		}
	}
}

func TestAlgorithmNames(t *testing.T) {
	t.Parallel()
	for a, want := range map[DNSSECAlgorithm]string{
		1: "1", 5: "5", 7: "7", 8: "RSASHA256", 10: "RSASHA512", 12: "12", 13: "ECDSAP256SHA256", 14: "ECDSAP384SHA384", 15: "ED25519", 16: "16",
	} {
		if got := a.String(); got != want || a.Supported() != (len(want) > 2) {
			t.Errorf("%d: %s, %v", a, got, a.Supported())
		}
	}
	for d := range DigestType(7) {
		if got := d.Supported(); got != (d == 1 || d == 2 || d == 4) || got != (d.sum(nil) != nil) {
			t.Errorf("digest %d: %v", d, got)
		}
	}
}

// TestKeysHideThemselves: a signing key in a log shows no private part.
func TestKeysHideThemselves(t *testing.T) {
	t.Parallel()
	e := rfcKeys[2]
	k, err := ParseKeyFiles(e.dnskey, e.private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(struct{ Key *SigningKey }{k})
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %v %s", k, k, k, struct{ K *SigningKey }{k}, text)
	for _, secret := range []string{"ODIy", "82260384628080122645190204142262", hex.EncodeToString([]byte("822603846"))} {
		if strings.Contains(shown, secret) {
			t.Errorf("%s is in %s", secret, shown)
		}
	}
	if got := k.String(); got != "example.com. ED25519 3613" {
		t.Error(got)
	}
}
