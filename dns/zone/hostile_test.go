package zone

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/network-utopia/utopia/dns"
)

// TestMutatedFiles changes octets of good files at random: nothing crashes,
// every error is Problems with a place, and what is read can be printed and
// read again.
func TestMutatedFiles(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(10, 35))
	var seeds []string
	for _, tt := range wholeFiles {
		seeds = append(seeds, tt.in)
	}
	const odd = "\n\t \"();\\$@*.0a\x00\xff"
	read := 0
	for range 5000 {
		text := []byte(seeds[r.IntN(len(seeds))])
		for range 1 + r.IntN(3) {
			switch at := r.IntN(len(text)); r.IntN(3) {
			case 0:
				text[at] = odd[r.IntN(len(odd))]
			case 1:
				text = append(text[:at], text[min(at+r.IntN(20), len(text)-1):]...)
			case 2:
				text = append(text[:at+1], text[at/2:]...)
			}
		}
		opts := ReadOptions{Origin: origin, File: "f", MaxRecords: 1000, MaxGenerate: 100}
		z, _, err := Load(strings.NewReader(string(text)), opts)
		var ps Problems
		if err != nil {
			if !errors.As(err, &ps) || len(ps) == 0 {
				t.Fatalf("%q: %v", text, err)
			}
			continue
		}
		read++
		again, _, err := Load(strings.NewReader(listing(z)), opts)
		if err != nil || !again.SameContent(z) {
			t.Fatalf("%q lists as another zone: %v\n%s", text, err, listing(z))
		}
	}
	if read < 50 {
		t.Errorf("just %d mutated files were read: the test tests little", read)
	}
}

// TestHostileFilesEndSoon: files made to cost as much as possible are ended by
// a limit.
func TestHostileFilesEndSoon(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		// Each file includes the next one many times.
		"tree.db": {Data: []byte(strings.Repeat("$INCLUDE tree.db\n", 1000))},
	}
	for name, in := range map[string]string{
		"a tree of includes":              "$INCLUDE tree.db\n",
		"an endless parenthesis":          "a 1 TXT (" + strings.Repeat("\n", 3<<20),
		"an endless string":               "a 1 TXT \"" + strings.Repeat("x", 3<<20),
		"an endless word":                 strings.Repeat("x", 3<<20),
		"many words":                      "a 1 TXT " + strings.Repeat("x ", 200_000),
		"a record of 64 KiB":              "a 1 TXT " + strings.Repeat("\""+strings.Repeat("x", 255)+"\" ", 257),
		"many errors":                     strings.Repeat("a 1 A x\n", 1_000_000),
		"a range of two thousand million": "$GENERATE 0-2147483647 a$ A 192.0.2.1\n",
	} {
		began := time.Now()
		records, err := Read(strings.NewReader(in), ReadOptions{Origin: origin, Include: files, File: "f"})
		var ps Problems
		if !errors.As(err, &ps) {
			t.Errorf("%s: %d records, %v", name, len(records), err)
		}
		if len(ps) > DefaultMaxProblems {
			t.Errorf("%s: %d problems", name, len(ps))
		}
		for _, p := range ps {
			if len(p.String()) > 1000 {
				t.Errorf("%s: a problem of %d octets", name, len(p.String()))
			}
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// TestReportsAreStable: the same file gives the same report each time, in the
// order of names.
func TestReportsAreStable(t *testing.T) {
	t.Parallel()
	text := head
	for _, n := range []string{"q", "c", "x", "b", "m", "a"} {
		text += n + " MX 1 none-" + n + "\n" + n + ".x CNAME a\n" + n + ".x TXT y\n"
	}
	var first string
	for i := range 10 {
		_, warnings, err := Load(strings.NewReader(text), ReadOptions{Origin: origin, File: "f"})
		if err == nil {
			t.Fatal("CNAMEs with other data are accepted")
		}
		report := warnings.Error() + "\n" + err.Error()
		if i == 0 {
			first = report
		}
		if report != first {
			t.Fatalf("%s\n\nand once\n\n%s", report, first)
		}
	}
	if n := strings.Count(first, "\n") + 1; n != 12 {
		t.Errorf("%d problems:\n%s", n, first)
	}
}

func TestKindString(t *testing.T) {
	t.Parallel()
	for k, want := range map[Kind]string{
		None: "none", Exact: "exact", Wildcard: "wildcard", Cut: "cut", Redirect: "redirect", Kind(99): "none",
	} {
		if got := k.String(); got != want {
			t.Errorf("%d: %s", k, got)
		}
	}
}

// TestLoadEndsWhereReadDoes: an error of the file is the error.
func TestLoadEndsWhereReadDoes(t *testing.T) {
	t.Parallel()
	z, warnings, err := Load(strings.NewReader("a 1 A x\n"), ReadOptions{Origin: origin, File: "f"})
	if z != nil || warnings != nil || err == nil || !strings.HasPrefix(err.Error(), "f:1:7: bad A data") {
		t.Errorf("%v, %v, %v", z, warnings, err)
	}
	// In a pattern that is wrong for every number, one problem is enough.
	for in, want := range map[string]string{
		"$GENERATE 1-50 a$ A 1.2\n":                                     "f:1:21: bad A data",
		"$GENERATE 1-50 a..$ A 192.0.2.1\n":                             "f:1:16: owner: name",
		"$GENERATE 1-50 " + strings.Repeat("a", 63) + "$ A 192.0.2.1\n": "f:1:16: owner: name",
	} {
		_, err := Read(strings.NewReader(in), ReadOptions{Origin: origin, File: "f"})
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// TestLongestNames: names of the full length are looked up as others are.
func TestLongestNames(t *testing.T) {
	t.Parallel()
	// An owner of 255 octets has no wildcard below it, and is found.
	long := strings.Repeat("a.", 119) + "x"
	z, _ := load(t, head+long+" A 192.0.2.1\n")
	name, err := dns.ParseName(long, origin)
	if err != nil || len(name) < 254 {
		t.Fatalf("%d octets, %v", len(name), err)
	}
	if m := z.Lookup(name); m.Kind != Exact {
		t.Errorf("%s", m.Kind)
	}
	if m := z.Lookup(name.Parent()); m.Kind != Exact || len(m.Node.Sets()) != 0 {
		t.Errorf("%s", m.Kind)
	}
	other := "\x01b" + name.Parent().Parent()
	if m := z.Lookup(other); m.Kind != None || !m.Encloser.Equal(name.Parent().Parent()) {
		t.Errorf("%s at %s", m.Kind, m.Encloser)
	}
}
