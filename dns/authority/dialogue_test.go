package authority

import (
	"bytes"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/dialogue"
)

var rewrite = flag.Bool("rewrite", false, "write the answers that are given now into testdata")

// minCases: the dialogues are the specification that a student reads; they
// must not get lost.
const minCases = 280

// TestDialogues plays testdata/*.txt: each file has its zones on top, and then
// cases of a title, an RFC section, a question (Q:) and its answer (A:).
// testdata/README.md explains the format.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, path := range files {
		d, err := dialogue.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		set := zonesOf(t, d)
		answers := map[int][]string{}
		for _, c := range d.Cases {
			count++
			t.Run(filepath.Base(path)+"/"+c.Title, func(t *testing.T) {
				answers[c.Line] = ask(t, set, c.Question)
				if got, want := strings.Join(answers[c.Line], "\n"), strings.Join(c.Want, "\n"); got != want && !*rewrite {
					t.Errorf("%s:%d: Q: %s\ngot\n%s\nwant\n%s", path, c.Line, c.Question, got, want)
				}
			})
		}
		if *rewrite {
			if err := d.Rewrite(answers); err != nil {
				t.Fatal(err)
			}
		}
	}
	if count < minCases {
		t.Errorf("%d cases; there were %d once", count, minCases)
	}
}

// zonesOf loads the zones of a file.
func zonesOf(t testing.TB, d *dialogue.File) *zone.Set {
	t.Helper()
	var zones []*zone.Zone
	for _, dz := range d.Zones {
		opts := zone.ReadOptions{Origin: dns.MustParseName(dz.Name), File: dz.Name}
		z, _, err := zone.Load(strings.NewReader(dz.Text), opts)
		if err != nil {
			t.Fatal(err)
		}
		zones = append(zones, z)
	}
	set, err := zone.NewSet(zones...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// ask puts a question in the form of the dialogues and renders the answer. Over
// UDP the size limit is that of a server with the default settings.
func ask(t *testing.T, set *zone.Set, question string) []string {
	t.Helper()
	wire, stream, err := dialogue.Query(question)
	if err != nil {
		t.Fatal(err)
	}
	maxUDP := DefaultUDPSize
	if stream {
		maxUDP = Stream
	}
	before := []byte("before")
	out, ok := bytes.CutPrefix(Respond(set, before, wire, maxUDP), before)
	if !ok {
		t.Fatal("what stood before the response was changed")
	}
	lines, err := dialogue.Lines(wire, out)
	if err != nil {
		t.Error(err)
	}
	return lines
}

// Whatever the limit of a transport, an answer stays within it, and without TC it has all that answer and authority
// have over a stream.
func TestDialoguesAtEverySize(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		d, err := dialogue.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		set := zonesOf(t, d)
		for _, c := range d.Cases {
			query, _, err := dialogue.Query(c.Question)
			if err != nil {
				t.Fatal(err)
			}
			whole, err := dns.Parse(Respond(set, nil, query, Stream))
			if err != nil {
				continue // silence
			}
			for _, size := range []int{dns.MinUDPSize, 600, 800, DefaultUDPSize, 4096} {
				out := Respond(set, nil, query, size)
				r, err := dns.Parse(out)
				if err != nil || len(out) > size {
					t.Fatalf("%s:%d: %d octets of %d: %v", path, c.Line, len(out), size, err)
				}
				same := len(r.Answer) == len(whole.Answer) && len(r.Authority) == len(whole.Authority)
				if !same && !r.Truncated || r.Rcode != whole.Rcode {
					t.Errorf("%s:%d: at %d octets %s, not truncated, and over a stream %s", path, c.Line, size, dns.Summary(r), dns.Summary(whole))
				}
			}
		}
	}
}

// TestAliasesOfServices: as many are followed as of other aliases, and they count together.
func TestAliasesOfServices(t *testing.T) {
	t.Parallel()
	file := "@ 60 SOA ns1 h 1 2 3 4 5\n@ 60 NS ns1\nns1 60 A 192.0.2.1\nc0 60 CNAME c1\nc1 60 HTTPS 0 h3\n"
	for i := range MaxChain + 2 {
		file += fmt.Sprintf("h%d 60 HTTPS 0 h%d\n", i, i+1)
	}
	file += fmt.Sprintf("h%d 60 HTTPS 1 ns1\n", MaxChain+2)
	set := setOf(t, "example.test.", file)
	for name, want := range map[string]int{
		"h2": MaxChain + 1, // all, and the address of ns1
		"h1": MaxChain,     // the last one is for the client to ask for
		"c0": MaxChain - 1,
	} {
		r := Answer(set, dns.NewQuery(1, dns.MustParseName(name+".example.test."), dns.TypeHTTPS))
		if len(r.Additional) != want {
			t.Errorf("%s: %d records, want %d", name, len(r.Additional), want)
		}
	}
}
