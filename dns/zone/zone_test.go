package zone

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
)

func load(t testing.TB, text string) (*Zone, Problems) {
	t.Helper()
	z, warnings, err := Load(strings.NewReader(text), ReadOptions{Origin: origin, File: "zone.db"})
	if err != nil {
		t.Fatal(err)
	}
	return z, warnings
}

const head = "$TTL 300\n@ SOA ns1 host 7 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n"

func TestLookup(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head+`
www      A 192.0.2.2
a.b.ent  TXT deep
*.wild   TXT star
x.wild   A 192.0.2.3
y.c.wild A 192.0.2.4
sub      NS ns.sub
sub      DS 1 13 2 aa
ns.sub   A 192.0.2.5
*.sub    A 192.0.2.6
old      DNAME new
old      TXT own
under.old A 192.0.2.7
*.delegated NS ns1
UPPER.Case A 192.0.2.8
`)
	for _, tt := range []struct {
		name     string
		kind     Kind
		node     string // "" for none
		encloser string
	}{
		{"@", Exact, "@", "@"},
		{"www", Exact, "www", "www"},
		{"WwW", Exact, "www", "www"},
		{"upper.case", Exact, "UPPER.Case", "upper.case"},
		{"no", None, "", "@"},
		{"no.www", None, "", "www"},
		{"a.b.ent", Exact, "a.b.ent", "a.b.ent"},
		{"b.ent", Exact, "b.ent", "b.ent"},                    // RFC 4592 section 2.2.2: an empty non-terminal exists
		{"ent", Exact, "ent", "ent"},                          //
		{"no.ent", None, "", "ent"},                           //
		{"any.wild", Wildcard, "*.wild", "wild"},              //
		{"far.any.wild", Wildcard, "*.wild", "wild"},          // a wildcard covers several labels
		{"*.wild", Exact, "*.wild", "*.wild"},                 // asked for itself
		{"x.*.wild", None, "", "*.wild"},                      // RFC 4592 section 3.3.1: the encloser is the asterisk
		{"x.wild", Exact, "x.wild", "x.wild"},                 // an existing name blocks
		{"no.x.wild", None, "", "x.wild"},                     // also for what is below it
		{"c.wild", Exact, "c.wild", "c.wild"},                 // an empty non-terminal blocks
		{"no.c.wild", None, "", "c.wild"},                     //
		{"wild", Exact, "wild", "wild"},                       //
		{"sub", Cut, "sub", "sub"},                            //
		{"ns.sub", Cut, "sub", "sub"},                         // glue is below the cut
		{"no.sub", Cut, "sub", "sub"},                         // a wildcard below a cut is nothing here
		{"old", Exact, "old", "old"},                          // a DNAME's own name is not redirected
		{"any.old", Redirect, "old", "old"},                   //
		{"under.old", Redirect, "old", "old"},                 // what is below a DNAME is hidden
		{"x.delegated", Wildcard, "*.delegated", "delegated"}, // a wildcard NS is no cut
	} {
		name, err := dns.ParseName(tt.name, origin)
		if err != nil {
			t.Fatal(err)
		}
		m := z.Lookup(name)
		node, encloser := "", rel(m.Encloser)
		if m.Node.Name() != "" {
			node = rel(m.Node.Name())
		}
		if m.Kind != tt.kind || node != tt.node || encloser != tt.encloser {
			t.Errorf("%s: %s, node %q, encloser %q; want %s, %q, %q", tt.name, m.Kind, node, encloser, tt.kind, tt.node, tt.encloser)
		}
	}
	for _, outside := range []string{"test.", ".", "example.test.example.", "other.test.", "xexample.test."} {
		if m := z.Lookup(dns.MustParseName(outside)); m.Kind != None || m.Encloser != "" {
			t.Errorf("%s: %+v", outside, m)
		}
	}
	if n, ok := z.At(dns.MustParseName("NS.sub.example.test.")); !ok || !n.Has(dns.TypeA) {
		t.Error("glue is not found")
	}
	if _, ok := z.At(dns.MustParseName("any.wild.example.test.")); ok {
		t.Error("At looked at a wildcard")
	}
	if n := z.Lookup(dns.MustParseName("ent.example.test.")).Node; len(n.Sets()) != 0 {
		t.Errorf("an empty non-terminal owns %v", n.Sets())
	}
}

func rel(n dns.Name) string {
	if n.Equal(origin) {
		return "@"
	}
	return strings.TrimSuffix(n.String(), ".example.test.")
}

func TestZoneContents(t *testing.T) {
	t.Parallel()
	z, warnings := load(t, head+"b A 192.0.2.2\nb A 192.0.2.3\nB TXT x\na.b TXT y\n")
	if len(warnings) != 0 {
		t.Errorf("warnings: %v", warnings)
	}
	if z.Apex() != origin || z.SOA().Serial != 7 || z.SOA().Minimum != 5 || z.Len() != 7 {
		t.Errorf("%s %+v %d", z.Apex(), z.SOA(), z.Len())
	}
	var got []string
	for rr := range z.All() {
		got = append(got, rel(rr.Name)+" "+rr.Type.String())
	}
	want := []string{"@ SOA", "@ NS", "b A", "b A", "b TXT", "a.b TXT", "ns1 A"}
	if !slices.Equal(got, want) {
		t.Errorf("All: %q", got)
	}
	for range z.All() {
		break // an early end must not panic
	}
	set, ok := z.At2(t, "b").RRset(dns.TypeA)
	if !ok || len(set.Append(nil, origin)) != 2 || set.Append(nil, origin)[1].Name != origin {
		t.Errorf("RRset: %+v", set)
	}
	if _, ok := (Node{}).RRset(dns.TypeA); ok || (Node{}).Sets() != nil || (Node{}).Name() != "" {
		t.Error("the zero node owns something")
	}
}

func (z *Zone) At2(t *testing.T, name string) Node {
	t.Helper()
	full, err := dns.ParseName(name, origin)
	if err != nil {
		t.Fatal(err)
	}
	n, ok := z.At(full)
	if !ok {
		t.Fatalf("%s is not there", name)
	}
	return n
}

func TestRootZone(t *testing.T) {
	t.Parallel()
	z, warnings, err := Load(strings.NewReader("$TTL 1\n. SOA a. b. 1 2 3 4 5\n. NS a.\na. A 192.0.2.1\ntest. NS ns.test.\nns.test. A 192.0.2.2\n* TXT x\n"), ReadOptions{})
	if err != nil || len(warnings) != 0 {
		t.Fatal(err, warnings)
	}
	for name, want := range map[string]Kind{".": Exact, "a.": Exact, "x.test.": Cut, "x.": Wildcard} {
		if m := z.Lookup(dns.MustParseName(name)); m.Kind != want {
			t.Errorf("%s: %s", name, m.Kind)
		}
	}
	s, err := NewSet(z)
	if err != nil || s.Find(dns.MustParseName("x.y.")) != z || s.FindFor(dns.Root, dns.TypeDS) != z {
		t.Error("the root zone is not found")
	}
}

// TestManyProblems: Build tells of MaxReported of each kind and counts the others.
func TestManyProblems(t *testing.T) {
	t.Parallel()
	for _, extra := range []int{0, 1, 7} {
		n := MaxReported + extra
		_, warnings := load(t, head+fmt.Sprintf("$GENERATE 1-%d a$ MX 1 none$\n", n))
		want := MaxReported
		if extra > 0 {
			want++
			if got := warnings[len(warnings)-1].String(); got != fmt.Sprintf("warning: %d more of them", extra) {
				t.Errorf("%d warnings end with %q", n, got)
			}
		}
		if len(warnings) != want {
			t.Errorf("%d of %d warnings", len(warnings), n)
		}
		b := NewBuilder(origin)
		for range n {
			b.Add(Record{RR: dns.RR{Name: origin, Type: dns.TypeA, Class: 3}})
		}
		_, _, err := b.Build()
		var fatal Problems
		if !errors.As(err, &fatal) {
			t.Fatal(err)
		}
		fatal = slices.DeleteFunc(fatal, func(p Problem) bool { return strings.HasPrefix(p.Text, "the zone "+origin.String()+" has no") })
		if len(fatal) != want {
			t.Errorf("%d of %d errors: %v", len(fatal), n, fatal)
		}
	}
}

func TestBuildProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in       string
		fatal    string
		warnings string
	}{
		{"a 1 A 192.0.2.1\n",
			"zone.db: the zone example.test. has no SOA record at its own name\nzone.db: the zone example.test. has no NS record at its own name", ""},
		{head + "@ SOA ns1 host 8 2 3 4 5\n", "zone.db:5:1: a second SOA (in: example.test. SOA ns1.example.test. host.example.test. 8 2 3 4 5)", ""},
		{head + "a SOA ns1 host 8 2 3 4 5\n", "zone.db:5:1: an SOA belongs to the zone's own name, example.test. (in: a.example.test. SOA ns1.example.test. host.example.test. 8 2 3 4 5)", ""},
		{head + "other. A 192.0.2.1\n", "zone.db:5:1: out of zone: other. is not in example.test. (in: other. A 192.0.2.1)", ""},
		{head + "a CNAME b\na A 192.0.2.1\n", "zone.db:5:1: a.example.test. owns a CNAME and other data (A) (in: a.example.test. CNAME b.example.test.)", ""},
		{head + "@ CNAME b.\n", "zone.db:5:1: example.test. owns a CNAME and other data (NS) (in: example.test. CNAME b.)\nzone.db:5:1: example.test. owns a CNAME and other data (SOA) (in: example.test. CNAME b.)", ""},
		{head + "a CNAME b\na CNAME c\n", "zone.db:5:1: a.example.test. owns 2 CNAME records; one is the most (in: a.example.test. CNAME b.example.test.)", ""},
		{head + "a CNAME b\na RRSIG A 13 3 1 20300101000000 20200101000000 1 example.test. aaaa\n", "", ""},
		{head + "a DNAME b\na DNAME c\n", "zone.db:5:1: a.example.test. owns 2 DNAME records; one is the most (in: a.example.test. DNAME b.example.test.)", ""},
		{head + "a DNAME b\na NS ns1\n", "zone.db:5:1: a.example.test. owns a DNAME and is delegated by NS (in: a.example.test. DNAME b.example.test.)", ""},
		{head + "@ DNAME b.\n", "", "zone.db:4:1: warning: never answered: example.test. owns a DNAME record (in: ns1.example.test. A 192.0.2.1)"},
		{head + "a A 192.0.2.1\nA A 192.0.2.1\n", "", "zone.db:6:1: warning: the same record stands there twice; the second is left out (in: A.example.test. A 192.0.2.1)"},
		{head + "a MX 1 NS1\na MX 1 ns1\n", "", "zone.db:6:1: warning: the same record stands there twice; the second is left out (in: a.example.test. MX 1 ns1.example.test.)"},
		{head + "a 9 A 192.0.2.1\na 8 A 192.0.2.2\n", "", "zone.db:6:1: warning: TTL 8, where another record of the set has 9; the lower is used for all (in: a.example.test. A 192.0.2.2)"},
		{head + "a MX 1 b\nb CNAME ns1\n", "", "zone.db:5:1: warning: b.example.test. is an alias (CNAME), which MX must not point at (in: a.example.test. MX 1 b.example.test.)"},
		{head + "@ NS b\nb CNAME ns1\n", "", "zone.db:5:1: warning: b.example.test. is an alias (CNAME), which NS must not point at (in: example.test. NS b.example.test.)"},
		{head + "a MX 1 none\n", "", "zone.db:5:1: warning: none.example.test. has no address (in: a.example.test. MX 1 none.example.test.)"},
		{head + "a MX 0 .\na SRV 0 0 0 .\n", "", ""},
		{head + "a MX 1 elsewhere.\n", "", ""},
		{head + "a MX 1 m.w\n*.w A 192.0.2.1\n", "", ""},
		{head + "a MX 1 m.s\ns NS ns1\n", "", ""},
		{head + "s NS ns.s\n", "", "zone.db:5:1: warning: ns.s.example.test. has no address (in: s.example.test. NS ns.s.example.test.)"},
		{head + "s NS ns.s\nns.s A 192.0.2.1\nns.s TXT x\n", "", "zone.db:7:1: warning: never answered: s.example.test. owns a NS record (in: ns.s.example.test. TXT \"x\")"},
		{head + "s NS ns1\ns MX 1 ns1\n", "", "zone.db:6:1: warning: never answered: s.example.test. is delegated (in: s.example.test. MX 1 ns1.example.test.)"},
		{head + "d DNAME b\nx.d A 192.0.2.1\n", "", "zone.db:6:1: warning: never answered: d.example.test. owns a DNAME record (in: x.d.example.test. A 192.0.2.1)"},
		{head + "*.a NS ns1\n", "", "zone.db:5:1: warning: NS at a wildcard delegates nothing (RFC 4592 section 4.2) (in: *.a.example.test. NS ns1.example.test.)"},
		{head + "www.example.test A 192.0.2.1\n", "", "zone.db:5:1: warning: example.test. is in the name twice: is a dot missing at its end? (in: www.example.test.example.test. A 192.0.2.1)"},
		{head + "example.test A 192.0.2.1\n", "", "zone.db:5:1: warning: example.test. is in the name twice: is a dot missing at its end? (in: example.test.example.test. A 192.0.2.1)"},
		{head + "test A 192.0.2.1\nexample.tes A 192.0.2.1\n", "", ""},
		{head + "b\u00fccher A 192.0.2.1\n", "", `zone.db:5:1: warning: not ASCII: browsers ask for such a name in its xn-- form (RFC 5891) (in: b\195\188cher.example.test. A 192.0.2.1)`},
		{head + "b\u00fccher._http._tcp TXT x\n", "", ""},
		{head + "@ DS 1 13 2 aa\n", "", "zone.db:5:1: warning: DS belongs to the parent zone, not to the zone's own name (in: example.test. DS 1 13 2 AA)"},
	} {
		z, warnings, err := Load(strings.NewReader(tt.in), ReadOptions{Origin: origin, File: "zone.db"})
		got := ""
		if err != nil {
			got = err.Error()
		}
		// Problems of the zone as a whole have no place.
		want := strings.ReplaceAll(tt.fatal, "zone.db: ", "")
		if got != want || (err == nil) != (z != nil) {
			t.Errorf("%q\n got %s\nwant %s", tt.in, got, want)
		}
		if got := warnings.Error(); got != tt.warnings {
			t.Errorf("%q\n got %s\nwant %s", tt.in, got, tt.warnings)
		}
	}
}

func TestTTLMismatchTakesTheLower(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head+"a 9 A 192.0.2.1\na 8 A 192.0.2.2\na 7 A 192.0.2.2\n")
	if set, _ := z.At2(t, "a").RRset(dns.TypeA); set.TTL != 8 || len(set.Data) != 2 {
		t.Errorf("%+v", set)
	}
}

func TestBuilderRefuses(t *testing.T) {
	t.Parallel()
	for want, rr := range map[string]dns.RR{
		"class CH: only IN is served":                         {Name: origin, Type: dns.TypeTXT, Class: dns.ClassCH},
		"type OPT stands in messages alone, never in a zone":  {Name: origin, Type: dns.TypeOPT, Class: dns.ClassIN},
		"type TSIG stands in messages alone, never in a zone": {Name: origin, Type: dns.TypeTSIG, Class: dns.ClassIN},
		"data does not fit the type":                          {Name: origin, Type: dns.TypeA, Class: dns.ClassIN, Data: []byte("abc")},
		"TTL 2147483648 is above 2147483647":                  {Name: origin, Type: dns.TypeA, Class: dns.ClassIN, Data: []byte("abcd"), TTL: 1 << 31},
		"is no name":                                          {Name: "broken", Type: dns.TypeA, Class: dns.ClassIN, Data: []byte("abcd")},
	} {
		b := NewBuilder(origin)
		b.Add(Record{RR: rr})
		if _, _, err := b.Build(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
	b := NewBuilder(origin)
	if b.Owns(origin) || b.Has(origin, dns.TypeNS) {
		t.Error("an empty builder has records")
	}
	b.Add(Record{RR: dns.NameRR("\x07EXAMPLE\x04test\x00", 1, dns.TypeNS, origin)})
	if !b.Owns(origin) || !b.Has(origin, dns.TypeNS) || b.Has(origin, dns.TypeA) {
		t.Error("what was added is not there")
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	zoneOf := func(apex string) *Zone {
		z, _, err := Load(strings.NewReader("@ 1 SOA a. b. 1 2 3 4 5\n@ 1 NS a.\n"), ReadOptions{Origin: dns.MustParseName(apex)})
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	parent, child := zoneOf("Example.test."), zoneOf("sub.example.test.")
	s, err := NewSet(child, parent)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		typ  dns.Type
		want *Zone
	}{
		{"example.test.", dns.TypeA, parent},
		{"x.EXAMPLE.test.", dns.TypeA, parent},
		{"sub.example.test.", dns.TypeA, child},
		{"x.y.Sub.example.test.", dns.TypeA, child},
		{"sub.example.test.", dns.TypeDS, parent},
		{"x.sub.example.test.", dns.TypeDS, child},
		{"example.test.", dns.TypeDS, parent}, // no zone above is ours
		{"test.", dns.TypeA, nil},
		{".", dns.TypeA, nil},
		{"xexample.test.", dns.TypeA, nil},
	} {
		if got := s.FindFor(dns.MustParseName(tt.name), tt.typ); got != tt.want {
			t.Errorf("%s %s: %v", tt.name, tt.typ, got)
		}
	}
	if zs := s.Zones(); len(zs) != 2 || zs[0] != parent {
		t.Errorf("Zones: %v", zs)
	}
	if _, err := NewSet(parent, zoneOf("EXAMPLE.test.")); err == nil {
		t.Error("two zones of one name")
	}
	var none *Set
	if none.Find(origin) != nil || none.Zones() != nil {
		t.Error("a nil set has zones")
	}
}

// TestLookupModel holds Lookup to RFC 4592 and RFC 1034 written the plain way.
func TestLookupModel(t *testing.T) {
	t.Parallel()
	label := rapid.SampledFrom([]string{"a", "b", "*"})
	genName := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(label, 1, 4).Draw(t, "labels"), ".")
	})
	rapid.Check(t, func(t *rapid.T) {
		owned := map[string]string{} // name -> type
		for range rapid.IntRange(0, 6).Draw(t, "names") {
			owned[genName.Draw(t, "owner")] = rapid.SampledFrom([]string{"TXT x", "NS ns1", "DNAME d."}).Draw(t, "type")
		}
		text := head
		for name, data := range owned {
			text += name + " " + data + "\n"
		}
		z, _, err := Load(strings.NewReader(text), ReadOptions{Origin: origin})
		if err != nil {
			t.Fatal(err)
		}
		q := genName.Draw(t, "question")
		name, err := dns.ParseName(q, origin)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := z.Lookup(name).Kind, model(owned, q); got != want {
			t.Fatalf("%s in %v: %s, want %s", q, owned, got, want)
		}
	})
}

func model(owned map[string]string, q string) Kind {
	exists := func(name string) bool {
		for o := range owned {
			if o == name || strings.HasSuffix(o, "."+name) {
				return true
			}
		}
		return name == ""
	}
	labels := strings.Split(q, ".")
	for i := len(labels) - 1; i >= 0; i-- {
		name := strings.Join(labels[i:], ".")
		if !exists(name) {
			if encloser := strings.Join(labels[i+1:], "."); exists(strings.TrimSuffix("*."+encloser, ".")) {
				return Wildcard
			}
			return None
		}
		switch {
		case strings.HasPrefix(owned[name], "NS") && labels[i] != "*":
			return Cut
		case strings.HasPrefix(owned[name], "DNAME") && i > 0:
			return Redirect
		}
	}
	return Exact
}

func TestSerials(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b uint32
		want bool
	}{
		{1, 0, true}, {0, 1, false}, {0, 0, false}, {1 << 31, 1, true}, {1, 1 << 31, false},
		{0, 1<<32 - 1, true}, {1<<32 - 1, 0, false}, // it goes round
		{1 << 31, 0, false}, {0, 1 << 31, false}, // half the circle apart: left open
		{1<<31 - 1, 0, true}, {2026112201, 1764000000, true},
	} {
		if got := SerialAfter(tt.a, tt.b); got != tt.want {
			t.Errorf("%d after %d: %v", tt.a, tt.b, got)
		}
	}
	z, _ := load(t, head+"a A 192.0.2.2\n")
	next := z.WithSerial(8)
	if z.SOA().Serial != 7 || next.SOA().Serial != 8 || z.Len() != next.Len() {
		t.Errorf("serials %d and %d", z.SOA().Serial, next.SOA().Serial)
	}
	for serial, zz := range map[uint32]*Zone{7: z, 8: next} {
		for rr := range zz.All() {
			if soa, ok := rr.SOA(); ok && soa.Serial != serial {
				t.Errorf("the record of serial %d says %d", serial, soa.Serial)
			}
		}
	}
	if m := next.Lookup(dns.MustParseName("a.example.test.")); m.Kind != Exact || !m.Node.Has(dns.TypeA) {
		t.Errorf("%+v", m)
	}
}

func TestSameContent(t *testing.T) {
	t.Parallel()
	base, _ := load(t, head+"a A 192.0.2.2\na A 192.0.2.3\nb TXT x\n")
	for text, want := range map[string]bool{
		"a A 192.0.2.2\na A 192.0.2.3\nb TXT x\n":          true,
		"b TXT x\nA A 192.0.2.3\na A 192.0.2.2\n":          true,
		"a A 192.0.2.2\na A 192.0.2.4\nb TXT x\n":          false,
		"a A 192.0.2.2\na A 192.0.2.3\nb TXT X\n":          false,
		"a A 192.0.2.2\na A 192.0.2.3\nb 301 TXT x\n":      false,
		"a A 192.0.2.2\na A 192.0.2.3\nc TXT x\n":          false,
		"a A 192.0.2.2\na A 192.0.2.3\nb SPF x\n":          false,
		"a A 192.0.2.2\nb TXT y\nb TXT x\n":                false,
		"a A 192.0.2.2\na A 192.0.2.3\nb TXT x\nc TXT x\n": false,
		"a A 192.0.2.2\na A 192.0.2.3\nx.b TXT x\n":        false,
		"a A 192.0.2.2\n":                                  false,
	} {
		other, _ := load(t, strings.Replace(head, " 7 ", " 9 ", 1)+text)
		if base.SameContent(other) != want || other.SameContent(base) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
	elsewhere, _, err := Load(strings.NewReader(head+"a A 192.0.2.2\na A 192.0.2.3\nb TXT x\n"), ReadOptions{Origin: "\x05other\x00"})
	if err != nil || base.SameContent(elsewhere) {
		t.Errorf("a zone of another name, %v", err)
	}
	otherSOA, _ := load(t, strings.Replace(head, " 2 3 4 5", " 2 3 4 6", 1)+"a A 192.0.2.2\na A 192.0.2.3\nb TXT x\n")
	if base.SameContent(otherSOA) {
		t.Error("the SOA's other fields count")
	}
}
