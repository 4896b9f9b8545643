package dialogue

import (
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
)

const text = `# A topic.
zone example.test.
@ NS ns1
end
refuses: knot: it does not want to

case: a question [RFC 1034 4.3.2]
Q: www.example.test. IN A +edns=4096 +do
A: NOERROR aa
A: answer     www.example.test. 300 IN A 192.0.2.80
differs: nsd, knot: they do as they like
differs: bind: it does not
`

func TestReadAndRewrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Zones) != 1 || f.Zones[0] != (Zone{"example.test.", "@ NS ns1\n"}) || len(f.Cases) != 1 {
		t.Fatalf("%+v", f)
	}
	if !maps.Equal(f.Refuses, map[string]string{"knot": "it does not want to"}) {
		t.Errorf("%v", f.Refuses)
	}
	c := f.Cases[0]
	differs := map[string]string{"nsd": "they do as they like", "knot": "they do as they like", "bind": "it does not"}
	if c.Title != "a question" || c.RFC != "1034 4.3.2" || c.Line != 8 || len(c.Want) != 2 || !maps.Equal(c.Differs, differs) {
		t.Errorf("%+v", c)
	}
	if err := f.Rewrite(map[int][]string{8: c.Want}); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != text {
		t.Errorf("written anew:\n%s", got)
	}
}

func TestReadFindsFault(t *testing.T) {
	for bad, want := range map[string]string{
		"zone a.\n":                                  "1: the zone has no end",
		"Q: a. IN A\n":                               `1: what is this? "Q: a. IN A"`,
		"refuses: nsd\n":                             "1: want servers: reason, not",
		"case: a [RFC 1]\nrefuses: nsd: no\n":        "2: what is this?",
		"case: a title\n":                            "1: want case: title [RFC number section]",
		"\ncase: a [RFC 1]\nX: y\n":                  `3: what is this? "X: y"`,
		"case: a [RFC 1]\ndiffers: nsd\n":            "2: want servers: reason, not",
		"case: a [RFC 1]\ndiffers: nsd, nsd: twice.": "2: nsd has two reasons",
	} {
		path := filepath.Join(t.TempDir(), "a.txt")
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if f, err := Read(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v %v", bad, f, err)
		}
	}
	if _, err := Read("nowhere"); err == nil {
		t.Error("there is no such file")
	}
}

func TestQuery(t *testing.T) {
	for question, want := range map[string]string{
		"a. IN A":                   "1267 0000 0001 0000 0000 0000 0161 00 0001 0001",
		"a. CH TXT +rd +cd +ad":     "1267 0130 0001 0000 0000 0000 0161 00 0010 0003",
		"a. IN A +edns=4096 +do":    "1267 0000 0001 0000 0000 0001 0161 00 0001 0001 00 0029 1000 0000 8000 0000",
		"a. IN A +version=1":        "1267 0000 0001 0000 0000 0001 0161 00 0001 0001 00 0029 04d0 0001 0000 0000",
		"a. IN SOA +opcode=NOTIFY":  "1267 2000 0001 0000 0000 0000 0161 00 0006 0001",
		"a. IN A +questions=0":      "1267 0000 0000 0000 0000 0000",
		"a. IN A +questions=2 +tcp": "1267 0000 0002 0000 0000 0000 0161 00 0001 0001 c00c 0001 0001",
		"hex 12 6 7":                "1267",
	} {
		wire, stream, err := Query(question)
		if got := hex.EncodeToString(wire); err != nil || got != strings.ReplaceAll(want, " ", "") || stream != strings.Contains(question, "+tcp") {
			t.Errorf("%s: %s %v %v", question, got, stream, err)
		}
	}
	for _, bad := range []string{"", "a. IN", "a.. IN A", "a. XX A", "a. IN XX", "a. IN A +what", "a. IN A +opcode=XX", "hex 1", "hex xy"} {
		if _, _, err := Query(bad); err == nil {
			t.Errorf("%q is a question", bad)
		}
	}
}

func TestLines(t *testing.T) {
	query, _, err := Query("a. IN A +rd")
	if err != nil {
		t.Fatal(err)
	}
	q, err := dns.Parse(query)
	if err != nil {
		t.Fatal(err)
	}
	r := q.Reply(dns.RcodeNXDomain)
	r.Authoritative, r.Truncated = true, true
	r.EDNS = &dns.EDNS{UDPSize: 1232, DO: true, Options: []dns.Option{dns.ExtendedError{Code: 20}.Option()}}
	r.Answer = []dns.RR{dns.NameRR(dns.MustParseName("a."), 60, dns.TypeCNAME, dns.MustParseName("b."))}
	r.Authority = []dns.RR{dns.NameRR(dns.MustParseName("a."), 60, dns.TypeNS, dns.MustParseName("c."))}
	lines := func() []string {
		wire, err := r.Append(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Lines(query, wire)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := lines(); !slices.Equal(got, []string{
		"NXDOMAIN aa tc rd edns=1232 do ede=20", "answer     a. 60 IN CNAME b.", "authority  a. 60 IN NS c.",
	}) {
		t.Errorf("%q", got)
	}
	r.Question[0].Type = dns.TypeMX
	if got := lines()[0]; !strings.HasSuffix(got, " question="+r.Question[0].String()) {
		t.Errorf("another question: %q", got)
	}
	r.Question = nil
	if got := lines()[0]; !strings.HasSuffix(got, " questions=0") {
		t.Errorf("no question: %q", got)
	}
	if got, err := Lines(query, nil); err != nil || !slices.Equal(got, []string{"(silence)"}) {
		t.Errorf("%q %v", got, err)
	}
	for _, bad := range [][]byte{[]byte("short"), query} {
		if got, err := Lines(query, bad); err == nil {
			t.Errorf("%q", got)
		}
	}
}
