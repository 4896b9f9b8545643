package authority

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/dialogue"
)

// questions calls each for the queries of the dialogues that are queries at all.
func questions(t *testing.T, pattern string, each func(path string, set *dialogue.File, c *dialogue.Case, q *dns.Message)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	for _, path := range files {
		d, err := dialogue.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range d.Cases {
			wire, _, err := dialogue.Query(c.Question)
			if err != nil {
				t.Fatal(err)
			}
			if q, err := dns.Parse(wire); err == nil && !q.Response {
				each(path, d, c, q)
			}
		}
	}
}

// TestExplained compares what is told of the first dialogues with testdata/explained.
func TestExplained(t *testing.T) {
	t.Parallel()
	told := map[string]*strings.Builder{}
	questions(t, "testdata/0[1-4]-*.txt", func(path string, d *dialogue.File, c *dialogue.Case, q *dns.Message) {
		b := told[path]
		if b == nil {
			b = &strings.Builder{}
			told[path] = b
		}
		_, steps := Explain(zonesOf(t, d), q)
		fmt.Fprintf(b, "Q: %s\n", c.Question)
		for i, s := range steps {
			fmt.Fprintf(b, "%3d. %s [%s]\n", i+1, s, s.RFC())
		}
		b.WriteString("\n")
	})
	for path, b := range told {
		golden := filepath.Join("testdata", "explained", filepath.Base(path))
		if *rewrite {
			if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s differs: go test ./dns/authority -rewrite, and read the difference. Told now:\n%s", golden, b)
		}
	}
}

// TestExplainIsAnswer: the response that is explained is the one that is given, and no step is without words.
func TestExplainIsAnswer(t *testing.T) {
	t.Parallel()
	seen := map[What]bool{}
	check := func(path, title string, set *dialogue.File, q *dns.Message) {
		zones := zonesOf(t, set)
		r, steps := Explain(zones, q)
		if !reflect.DeepEqual(r, Answer(zones, q)) {
			t.Errorf("%s: %s: another answer is explained", path, title)
		}
		if len(steps) == 0 {
			t.Errorf("%s: %s: nothing is told", path, title)
		}
		for _, s := range steps {
			seen[s.What] = true
			if text := s.String(); strings.Contains(text, "no words") || strings.Contains(text, "%!") || !strings.HasPrefix(s.RFC(), "RFC ") {
				t.Errorf("%s: %s: %+v: %s [%s]", path, title, s, text, s.RFC())
			}
		}
	}
	questions(t, "testdata/*.txt", func(path string, d *dialogue.File, c *dialogue.Case, q *dns.Message) {
		check(path, c.Title, d, q)
	})
	for w := Refused; w <= AddsGlue; w++ {
		if !seen[w] && w != MissingZone {
			t.Errorf("no dialogue has a step such as: %s", Step{What: w})
		}
	}
}

func TestExplainMissingZone(t *testing.T) {
	t.Parallel()
	set := setOf(t, "example.test.", oddZone).WithMissing(dns.MustParseName("gone.example.test."))
	r, steps := Explain(set, dns.NewQuery(1, dns.MustParseName("www.gone.example.test."), dns.TypeA))
	if r.Rcode != dns.RcodeServFail || len(steps) != 1 || steps[0].What != MissingZone || !strings.Contains(steps[0].String(), "SERVFAIL") {
		t.Errorf("%s: %v", r.Rcode, steps)
	}
	// An alias that leads there is followed as far as it goes.
	r, steps = Explain(set.WithMissing(dns.MustParseName("w.example.test.")), dns.NewQuery(1, dns.MustParseName("x.d.example.test."), dns.TypeA))
	if r.Rcode != dns.RcodeSuccess || steps[len(steps)-1].What != LeavesZones {
		t.Errorf("%s: %v", r.Rcode, steps)
	}
}

// TestExplainSigned tells of signatures and of proofs.
func TestExplainSigned(t *testing.T) {
	t.Parallel()
	const signed = `@ 60 SOA ns1 h 1 2 3 4 5
@ 60 RRSIG SOA 15 2 60 20380101000000 20200101000000 1 @ aaaa
@ 60 NS ns1
@ 60 DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=
@ 60 NSEC ns1 NS SOA RRSIG NSEC DNSKEY
@ 60 RRSIG NSEC 15 2 60 20380101000000 20200101000000 1 @ aaaa
ns1 60 A 192.0.2.1
ns1 60 RRSIG A 15 3 60 20380101000000 20200101000000 1 @ aaaa
ns1 60 NSEC @ A RRSIG NSEC
ns1 60 RRSIG NSEC 15 3 60 20380101000000 20200101000000 1 @ aaaa
`
	set := setOf(t, "example.test.", signed)
	q := dns.NewQuery(1, dns.MustParseName("no.example.test."), dns.TypeA)
	q.EDNS = &dns.EDNS{DO: true}
	_, steps := Explain(set, q)
	var told []string
	for _, s := range steps {
		told = append(told, s.String())
	}
	want := []string{
		"example.test. is the zone here that no.example.test. is in",
		"no.example.test. is not there; of the names above it example.test. is the nearest that is, and it has no wildcard",
		"no.example.test. does not exist: NXDOMAIN, and the SOA says for how long",
		"the NSEC at example.test. proves what is not there",
		"the client wants to validate (DO): 2 signatures",
	}
	if !reflect.DeepEqual(told, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}
