package zone

import (
	"slices"
	"testing"

	"github.com/network-utopia/utopia/dns"
)

// proofOf answers by Plain and AppendProof, and gives the authority section
// behind the SOA record in short: owners with their types, and what is covered.
func proofOf(t *testing.T, z *Zone, name dns.Name, kind dns.Type) (found Found, proved bool, out []string) {
	t.Helper()
	p := z.Plain([]byte(name), kind, true)
	if p.Found != NoData && p.Found != NoName || !p.Proved {
		return p.Found, p.Proved, nil
	}
	records, count := z.AppendProof(z.AppendDenial(nil, len(name)), []byte(name), p)
	rrs := recordsOf(t, name, records, 1+count)
	for _, rr := range rrs {
		text := rr.Name.String() + " " + rr.Type.String()
		if sig, ok := rr.RRSIG(); ok {
			text += " " + sig.TypeCovered.String()
		}
		if rr.TTL != 5 {
			t.Errorf("%s: TTL %d", text, rr.TTL)
		}
		out = append(out, text)
	}
	return p.Found, p.Proved, out
}

// TestAppendProof: what is denied, and by which records.
func TestAppendProof(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head+"Host A 192.0.2.1\na.b.ent A 192.0.2.1\n*.w A 192.0.2.1\nc CNAME host\nsub NS ns.sub\nns.sub A 192.0.2.1\nd DNAME host\n\\000x.\\001 A 192.0.2.1\n")
	s := sign(t, z, nil, []*dns.SigningKey{signKeyOf(t, csk)}, SignPolicy{}, signNow).Zone
	soa := []string{"example.test. SOA", "example.test. RRSIG SOA"}
	with := func(owners ...string) []string {
		out := slices.Clone(soa)
		for _, o := range owners {
			out = append(out, o+" NSEC", o+" RRSIG NSEC")
		}
		return out
	}
	for _, tt := range []struct {
		name  string
		found Found
		want  []string
	}{
		{"host.example.test.", NoData, with("Host.example.test.")},
		{"example.test.", NoData, with("example.test.")},
		{"ent.example.test.", NoData, with("d.example.test.")},
		{"b.ent.example.test.", NoData, with("d.example.test.")},
		{`\001.example.test.`, NoData, with("example.test.")},
		{"no.example.test.", NoName, with("Host.example.test.", `\000x.\001.example.test.`)},
		{"no.host.example.test.", NoName, with("Host.example.test.")},
		{"zz.example.test.", NoName, with("*.w.example.test.", `\000x.\001.example.test.`)},
		{"0.example.test.", NoName, with(`\000x.\001.example.test.`)},
		{"x.b.ent.example.test.", NoName, with("a.b.ent.example.test.", "d.example.test.")},
		{`y.\001.example.test.`, NoName, with(`\000x.\001.example.test.`)},
		{"x.w.example.test.", NotPlain, nil}, // from a wildcard, and with its proof
		{"c.example.test.", NotPlain, nil},
		{"x.sub.example.test.", NotPlain, nil},
		{"sub.example.test.", NotPlain, nil},
		{"x.d.example.test.", NotPlain, nil},
	} {
		found, proved, got := proofOf(t, s, dns.MustParseName(tt.name), dns.TypeMX)
		if found != tt.found || proved != (tt.want != nil) || !slices.Equal(got, tt.want) {
			t.Errorf("%s: found %d, proved %v, %q, want %q", tt.name, found, proved, got, tt.want)
		}
	}
	// Hashes are for the full lane, and so is a zone with signatures and no chain.
	hashed := sign(t, z, nil, []*dns.SigningKey{signKeyOf(t, csk)}, SignPolicy{NSEC3: true}, signNow).Zone
	bare, _ := load(t, head+"@ RRSIG SOA 15 2 60 20300101000000 20200101000000 1 example.test. AAAA\n")
	for what, z := range map[string]*Zone{"NSEC3": hashed, "no chain": bare} {
		for _, name := range []string{"no.example.test.", "ns1.example.test.", "example.test."} {
			if p := z.Plain([]byte(dns.MustParseName(name)), dns.TypeMX, true); p.Found != NotPlain {
				t.Errorf("%s: %s is plain: %+v", what, name, p)
			}
			if p := z.Plain([]byte(dns.MustParseName(name)), dns.TypeMX, false); p.Found == NotPlain || p.Proved {
				t.Errorf("%s: %s without signatures: %+v", what, name, p)
			}
		}
	}
}
