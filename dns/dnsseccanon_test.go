package dns

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestSignedData writes out by hand what is signed of a set (RFC 4034 section
// 3.1.8.1 and 6.2): the RRSIG without its signature, then the records, with the
// owner of the wildcard, names in lower case, the original TTL, in the order of
// their data, each once.
func TestSignedData(t *testing.T) {
	t.Parallel()
	sig := RRSIG{
		TypeCovered: TypeMX, Algorithm: 15, Labels: 2, OriginalTTL: 300,
		Expiration: 0x6a000000, Inception: 0x69000000, KeyTag: 0x1234, SignerName: MustParseName("Test."),
	}
	set := []RR{
		recordOf(t, "*.W.Test. 7 MX 20 B."), recordOf(t, "*.w.test. 300 MX 10 C.Test."), recordOf(t, "*.w.test. 300 MX 20 b."),
	}
	want := "000f 0f 02 0000012c 6a000000 69000000 1234 0474657374 00" +
		"012a 0177 0474657374 00 000f 0001 0000012c 000a 000a 0163 0474657374 00" +
		"012a 0177 0474657374 00 000f 0001 0000012c 0005 0014 0162 00"
	if got := hex.EncodeToString(signedData(sig, set[0].Name, set)); got != strings.ReplaceAll(want, " ", "") {
		t.Errorf("%s\nwant\n%s", got, strings.ReplaceAll(want, " ", ""))
	}
	// The order is that of the octets of the data, and not of any number in it.
	texts := readSet(t, "a TXT b\na TXT aa\na TXT a")
	data := signedData(RRSIG{SignerName: Root}, texts[0].Name, texts)
	if one, two, three := bytes.Index(data, []byte("\x01a")), bytes.Index(data, []byte("\x01b")), bytes.Index(data, []byte("\x02aa")); !(one < two && two < three) {
		t.Errorf("%d %d %d", one, two, three)
	}
}

// TestNamesInData: which names in data are in lower case when they are signed
// (RFC 4034 section 6.2, RFC 6840 section 5.1), and which stay.
func TestNamesInData(t *testing.T) {
	t.Parallel()
	for text, lowered := range map[string]bool{
		"NS A.B.": true, "CNAME A.B.": true, "SOA A.B. A.B. 1 2 3 4 5": true, "PTR A.B.": true, "MX 1 A.B.": true, "SRV 1 2 3 A.B.": true,
		"DNAME A.B.": true, `NAPTR 1 2 "" "" "" A.B.`: true, "KX 1 A.B.": true, "AFSDB 1 A.B.": true, "RP A.B. A.B.": true, "MINFO A.B. A.B.": true,
		"NSEC A.B. A": false, "SVCB 1 A.B.": false, "HTTPS 1 A.B.": false, `TXT "A.B."`: false, `HINFO "A.B" "A.B"`: false,
		`CAA 0 issue "A.B"`: false,
	} {
		rr := recordOf(t, "x. "+text)
		data := signedData(RRSIG{SignerName: Root}, rr.Name, []RR{rr})
		if got := !bytes.Contains(data, []byte("A")); got != lowered {
			t.Errorf("%s: in lower case %v", text, got)
		}
	}
}

// TestSignatureForm: ECDSA signatures are two numbers of the curve's size, with
// their zeros in front (RFC 6605 section 4).
func TestSignatureForm(t *testing.T) {
	t.Parallel()
	for _, e := range rfcKeys[:2] {
		k, err := ParseKeyFiles(e.dnskey, e.private)
		if err != nil {
			t.Fatal(err)
		}
		a, size := k.Algorithm, len(k.PublicKey)/2
		public, err := NewPublicKey(k.RR(1))
		if err != nil {
			t.Fatal(err)
		}
		zeros := 0
		for i := 0; i < 1000 && zeros == 0; i++ { // the signatures are the same in every run
			data := []byte{byte(i), byte(i >> 8)}
			sig, err := k.sign(data)
			if err != nil || len(sig) != 2*size {
				t.Fatalf("%s: %d octets, %v", a, len(sig), err)
			}
			if sig[0] == 0 || sig[size] == 0 {
				zeros++
			}
			if err := public.verify(data, sig); err != nil {
				t.Fatal(a, i, err)
			}
		}
		if zeros == 0 {
			t.Errorf("%s: no signature began with a zero", a)
		}
		if _, err := rawSignature([]byte("no DER"), size); err == nil {
			t.Error("anything is a signature")
		}
		if der, ok := derSignature(make([]byte, 2*size), size); !ok || ecdsa.VerifyASN1(public.key.(*ecdsa.PublicKey), make([]byte, 32), der) {
			t.Error("zeros verify")
		}
	}
}

// TestKeysSignForOneAnother: no key verifies what another has signed, whatever
// the record says.
func TestKeysSignForOneAnother(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	var keys []*SigningKey
	for _, a := range append(signingAlgorithms, signingAlgorithms...) {
		keys = append(keys, mustKey(t, a))
	}
	rapid.Check(t, func(t *rapid.T) {
		signer := rapid.SampledFrom(keys).Draw(t, "signer")
		verifier := rapid.SampledFrom(keys).Draw(t, "verifier")
		set := []RR{AddressRR(MustParseName("a.example.test."), 60, netip.MustParseAddr("192.0.2.1"))}
		sig, err := SignSet(signer, set, now, now)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := sig.RRSIG()
		s.Algorithm, s.KeyTag = verifier.Algorithm, verifier.KeyTag()
		sig.Data = s.Data()
		_, err = VerifySet(sig, verifier.RR(60), set, now)
		if (err == nil) != (signer == verifier) || err != nil && !errors.Is(err, ErrSignature) {
			t.Fatalf("%s by %s: %v", signer, verifier, err)
		}
	})
}

// TestSignatureOutsideTheZone: a zone's key says nothing about names of others,
// however well it signs (RFC 4035 section 5.3.1).
func TestSignatureOutsideTheZone(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	k := mustKey(t, Ed25519)
	for owner, want := range map[string]error{
		"a.example.test.": nil, "example.test.": nil, "test.": ErrSignatureOther, "a.example.org.": ErrSignatureOther, "anexample.test.": ErrSignatureOther,
	} {
		set := []RR{AddressRR(MustParseName(owner), 60, netip.MustParseAddr("192.0.2.1"))}
		s := RRSIG{
			TypeCovered: TypeA, Algorithm: k.Algorithm, Labels: signedLabels(set[0].Name), OriginalTTL: 60,
			Expiration: uint32(now.Unix()), Inception: uint32(now.Unix()), KeyTag: k.KeyTag(), SignerName: k.Owner,
		}
		var err error
		if s.Signature, err = k.sign(signedData(s, set[0].Name, set)); err != nil {
			t.Fatal(err)
		}
		sig := RR{Name: set[0].Name, Type: TypeRRSIG, Class: ClassIN, TTL: 60, Data: s.Data()}
		if _, err := VerifySet(sig, k.RR(60), set, now); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", owner, err, want)
		}
	}
}

// FuzzVerifySet: whatever stands in the three records, nothing breaks, and only
// what was signed verifies.
func FuzzVerifySet(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	k, err := ParseKeyFiles(rfcKeys[2].dnskey, rfcKeys[2].private)
	if err != nil {
		f.Fatal(err)
	}
	set := RR{Name: MustParseName("a.example.com."), Type: TypeTXT, Class: ClassIN, TTL: 60, Data: []byte("\x01a")}
	sig, err := SignSet(k, []RR{set}, now, now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(k.Data(), sig.Data, set.Data)
	for _, e := range rfcKeys[:2] {
		key, other := recordOf(f, e.dnskey), recordOf(f, e.rrsig)
		f.Add(key.Data, other.Data, set.Data)
	}
	f.Fuzz(func(t *testing.T, keyData, sigData, data []byte) {
		key := RR{Name: k.Owner, Type: TypeDNSKEY, Class: ClassIN, Data: keyData}
		other := sig
		other.Data = sigData
		changed := set
		changed.Data = data
		_, err := VerifySet(other, key, []RR{changed}, now)
		if err == nil && bytes.Equal(keyData, k.Data()) && !(bytes.Equal(data, set.Data) && equalFold(sigData, sig.Data)) {
			t.Fatalf("verifies: %x over %x", sigData, data)
		}
	})
}
