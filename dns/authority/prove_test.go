package authority

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

var signedNow = time.Unix(1_800_000_000, 0)

// proofRecords is what zones are made of, at random.
var proofRecords = []string{
	"a A 192.0.2.1", "a TXT a", "b CNAME a", "b.b CNAME c.w", "d DNAME a.a", "d TXT d", "a.a A 192.0.2.2", "x.a.a MX 1 a",
	"*.w A 192.0.2.3", "x.w TXT x", "*.v CNAME a", "*.u CNAME x.w.v", "y.*.w TXT y", "w A 192.0.2.4",
	"deep.down.ent TXT e", "*.ent MX 5 a", "* TXT all", "* A 192.0.2.5",
	"s NS ns.s\ns DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\nns.s A 192.0.2.6",
	"t NS ns.t\nns.t A 192.0.2.7\nns.t AAAA 2001:db8::7", "t.down.ent NS ns1", "@ TXT top", "@ MX 1 a", "c CNAME s", "e CNAME x.t",
	"z DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "A.Z SRV 1 2 3 a",
}

func signingKey(t testing.TB, apex string) *dns.SigningKey {
	t.Helper()
	k, err := dns.GenerateKey(dns.MustParseName(apex), dns.Ed25519, dns.FlagZone|dns.FlagSEP)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func signedSet(t fataler, z *zone.Zone, k *dns.SigningKey, p zone.SignPolicy) *zone.Set {
	signed, err := zone.Sign(z, zone.Signed{}, []*dns.SigningKey{k}, p, signedNow)
	if err != nil {
		t.Fatal(err)
	}
	set, err := zone.NewSet(signed.Zone)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestEveryAnswerValidates makes zones at random, signs them, asks questions at
// random, and has the answers validated. Without DO, and with all that DNSSEC
// adds taken away, they are those of the zone that is not signed.
func TestEveryAnswerValidates(t *testing.T) {
	t.Parallel()
	k := signingKey(t, "test.")
	public, err := dns.NewPublicKey(k.RR(60))
	if err != nil {
		t.Fatal(err)
	}
	label := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "s", "t", "u", "v", "w", "x", "y", "z", "*", "ent", "down", "ns", "deep", "no"})
	kinds := rapid.SampledFrom([]dns.Type{
		dns.TypeA, dns.TypeTXT, dns.TypeMX, dns.TypeNS, dns.TypeDS, dns.TypeCNAME, dns.TypeDNAME, dns.TypeSOA, dns.TypeDNSKEY, dns.TypeANY,
	})
	rapid.Check(t, func(t *rapid.T) {
		text := "$TTL 60\n@ SOA ns1 host 1 2 3 4 30\n@ NS ns1\nns1 A 192.0.2.9\n"
		for _, line := range proofRecords {
			if rapid.Bool().Draw(t, line) {
				text += line + "\n"
			}
		}
		z, _, err := zone.Load(strings.NewReader(text), zone.ReadOptions{Origin: dns.MustParseName("test.")})
		if err != nil {
			t.Fatal(err)
		}
		plain, _ := zone.NewSet(z)
		set := signedSet(t, z, k, zone.SignPolicy{NSEC3: rapid.Bool().Draw(t, "NSEC3")})
		for range 20 {
			labels := rapid.SliceOfN(label, 0, 4).Draw(t, "labels")
			q := dns.NewQuery(1, dns.MustParseName(strings.Join(append(labels, "test."), ".")), kinds.Draw(t, "type"))
			without := Answer(set, q)
			q.EDNS = &dns.EDNS{UDPSize: 1232, DO: true}
			r := Answer(set, q)
			if q.Question[0].Type != dns.TypeANY {
				if err := validate(public, signedNow, q.Question[0], r); err != nil {
					t.Fatalf("%s: %v\n%s\n%v\n%v\nof\n%s", q.Question[0], err, dns.Summary(r), r.Answer, r.Authority, text)
				}
			}
			sameUnsigned(t, q, Answer(plain, q), r, without)
			stepAside(t, set, q)
		}
	})
}

// sameUnsigned compares answers of a signed zone with DO and without with that
// of the zone before it was signed.
func sameUnsigned(t *rapid.T, q, plain, with, without *dns.Message) {
	if kind := q.Question[0].Type; kind == dns.TypeDNSKEY || kind == dns.TypeANY {
		return
	}
	bare := func(rrs []dns.RR, section int) []dns.RR {
		return slices.DeleteFunc(slices.Clone(rrs), func(rr dns.RR) bool {
			switch rr.Type {
			case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3:
				return true
			case dns.TypeDS: // of a referral
				return section == 1
			}
			return false
		})
	}
	for name, r := range map[string]*dns.Message{"with DO": with, "without": without} {
		if r.Header != plain.Header || r.AuthenticData {
			t.Fatalf("%s %s: %+v, want %+v", q.Question[0], name, r.Header, plain.Header)
		}
		for i, pair := range [][2][]dns.RR{{r.Answer, plain.Answer}, {r.Authority, plain.Authority}, {r.Additional, plain.Additional}} {
			got := pair[0]
			if r == with {
				got = bare(got, i)
			}
			if !slices.EqualFunc(got, pair[1], dns.RR.Equal) {
				t.Fatalf("%s %s, section %d: %v, want %v", q.Question[0], name, i, got, pair[1])
			}
		}
	}
}

// stepAside holds the lanes together over signed zones.
func stepAside(t *rapid.T, set *zone.Set, q *dns.Message) {
	wire, err := q.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	sameLanes(t, set, wire, DefaultUDPSize)
}

// signedHosts is a signed zone as large ones are, and questions about names that
// are there, that are not, and about a type that is not.
func signedHosts(t fataler, k *dns.SigningKey, p zone.SignPolicy) (set *zone.Set, queries map[string][]byte) {
	var text strings.Builder
	text.WriteString("$TTL 60\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n")
	for i := range 2000 {
		text.WriteString("host" + strconv.Itoa(i) + " A 192.0.2.1\n")
	}
	z, _, err := zone.Load(strings.NewReader(text.String()), zone.ReadOptions{Origin: k.Owner})
	if err != nil {
		t.Fatal(err)
	}
	queries = map[string][]byte{}
	for name, kind := range map[string]dns.Type{"host7": dns.TypeA, "no": dns.TypeA, "no.such.host8": dns.TypeA, "host9": dns.TypeTXT} {
		q := dns.NewQuery(1, dns.MustParseName(name+".test."), kind)
		q.EDNS = &dns.EDNS{UDPSize: 1232, DO: true}
		if queries[name+" "+kind.String()], err = q.Append(nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	return signedSet(t, z, k, p), queries
}

// TestProofsAllocateNothing: NSEC records are copied as all else is.
func TestProofsAllocateNothing(t *testing.T) {
	set, queries := signedHosts(t, signingKey(t, "test."), zone.SignPolicy{})
	out := make([]byte, 0, 1232)
	for what, wire := range queries {
		if n := testing.AllocsPerRun(100, func() { Respond(set, out, wire, DefaultUDPSize) }); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

func BenchmarkSigned(b *testing.B) {
	k := signingKey(b, "test.")
	for chain, p := range map[string]zone.SignPolicy{"NSEC": {}, "NSEC3": {NSEC3: true}} {
		set, queries := signedHosts(b, k, p)
		for what, wire := range queries {
			b.Run(chain+" "+what, func(b *testing.B) {
				out := make([]byte, 0, 1232)
				for b.Loop() {
					Respond(set, out, wire, DefaultUDPSize)
				}
			})
		}
	}
}
