package zone

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
)

// texts gives the types and data below the apex in short, such as "a TXT 1 2, b CNAME a".
func texts(z *Zone) string {
	var out []string
	for n := range z.Nodes() {
		name := string(n.Name().AppendRelative(nil, origin))
		if name == "@" || name == "ns1" {
			continue
		}
		for _, s := range n.Sets() {
			line := name + " " + s.Type.String()
			for _, rr := range s.Append(nil, n.Name()) {
				line += " " + strings.Trim(strings.TrimSuffix(rr.DataString(), "."+origin.String()), `"`)
			}
			out = append(out, line)
		}
	}
	return strings.Join(out, ", ")
}

// decide puts a set in the place of what is there, and holds it.
func decide(t testing.TB, z *Zone, lines ...string) (*Zone, Difference) {
	t.Helper()
	e := z.Edit()
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, " ")
		kind, data, _ := strings.Cut(rest, " ")
		typ, err := dns.ParseType(kind)
		if err != nil {
			t.Fatal(err)
		}
		owner := dns.MustParseName(name + "." + origin.String())
		if data == "released" {
			e.Hold(owner, typ, true)
			continue
		}
		_ = e.Put(owner, RRset{Type: typ})
		for _, word := range strings.Fields(data) {
			e.MakeRoom(owner, typ)
			if err := e.Add(rrOf(t, name+" 300 "+kind+" "+word)); err != nil {
				t.Fatal(err)
			}
		}
		e.Hold(owner, typ, false)
	}
	if err := e.Check(); err != nil {
		t.Fatal(err)
	}
	return e.Zone(), e.Difference()
}

func TestHeldOnAnotherZone(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head+"a TXT 1\nb TXT 1\nc CNAME a\n")
	_, d := decide(t, z, "a TXT 1 2", "b TXT", "c A 192.0.2.9", "e CNAME b")
	for what, tt := range map[string]struct{ file, want string }{
		"the same":        {"a TXT 1\nb TXT 1\nc CNAME a\n", "a TXT 1 2, c A 192.0.2.9, e CNAME b"},
		"nothing":         {"", "a TXT 1 2, c A 192.0.2.9, e CNAME b"},
		"other data":      {"a TXT 3\nb TXT 3 4\nc A 192.0.2.1\ne CNAME x\n", "a TXT 1 2, c A 192.0.2.9, e CNAME b"},
		"an alias":        {"a CNAME x\nb CNAME x\n", "a TXT 1 2, b CNAME x, c A 192.0.2.9, e CNAME b"},
		"beside an alias": {"e TXT 1\ne A 192.0.2.1\n", "a TXT 1 2, c A 192.0.2.9, e CNAME b"},
		"another type":    {"a A 192.0.2.1\nb A 192.0.2.1\n", "a A 192.0.2.1, a TXT 1 2, b A 192.0.2.1, c A 192.0.2.9, e CNAME b"},
	} {
		base, _ := load(t, head+tt.file)
		e := base.Edit()
		e.Overlay(d)
		if err := e.Check(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if got := texts(e.Zone()); got != tt.want {
			t.Errorf("%s: %s, want %s", what, got, tt.want)
		}
	}
}

func TestHeldJoins(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head+"a TXT 1\nb TXT 1\n")
	other, _ := load(t, head+"a TXT 7\nb TXT 7\n")
	one, d1 := decide(t, z, "a TXT 2 3", "b TXT")
	singles := []string{"update delete a.example.test. TXT 2", "update add a.example.test. 300 TXT 4", "update add b.example.test. 300 TXT 5"}
	two, d2 := changed(t, one, singles...)
	_, d3 := decide(t, two, "a TXT 1", "a TXT released", "b TXT 6")
	_, d4 := decide(t, two, "a TXT 4")
	for what, tt := range map[string]struct {
		all  []Difference
		want string
	}{
		"one":                     {[]Difference{d1}, "a TXT 2 3"},
		"single records":          {[]Difference{d1, d2}, "a TXT 3 4, b TXT 5"},
		"joined before":           {[]Difference{Join(d1, d2)}, "a TXT 3 4, b TXT 5"},
		"released":                {[]Difference{d1, d2, d3}, "a TXT 7, b TXT 6"},
		"released, joined before": {[]Difference{Join(Join(d1, d2), d3)}, "a TXT 7, b TXT 6"},
		"forgotten":               {[]Difference{d1, d2, d3, {Held: []Held{{Name: dns.MustParseName("b.example.test."), RRset: RRset{Type: dns.TypeTXT}, Released: true}}}}, "a TXT 7, b TXT 7"},
		"held anew":               {[]Difference{Join(d1, d2), d4}, "a TXT 4, b TXT 5"},
		"never held":              {[]Difference{d2}, "a TXT 4 7, b TXT 5 7"},
	} {
		e := other.Edit()
		e.Overlay(Join(tt.all...))
		if got := texts(e.Zone()); got != tt.want {
			t.Errorf("%s: %s, want %s", what, got, tt.want)
		}
	}
	if len(d1.Held) != 2 || len(d1.Held[0].Data) != 2 {
		t.Errorf("joining has changed what was joined: %v", d1.Held)
	}
	if h := (History{}).With(d1, HistoryLimits{}); h.Len() != 0 {
		t.Error("a difference without serials in the history")
	}
}

func TestHeldIsNeverAnEmptyZone(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head)
	e := z.Edit()
	e.Overlay(Difference{Held: []Held{
		{Name: origin, RRset: RRset{Type: dns.TypeNS}}, {Name: origin, RRset: RRset{Type: dns.TypeSOA}},
		{Name: dns.MustParseName("a.other.test."), RRset: RRset{Type: dns.TypeTXT, Data: [][]byte{{1, '1'}}}},
	}})
	if err := e.Check(); err != nil || e.Zone().Len() != z.Len() {
		t.Errorf("%v, %d records", err, e.Zone().Len())
	}
	e = z.Edit()
	e.Hold(origin, dns.TypeTXT, false)
	if d := e.Difference(); d.IsEmpty() || !(Difference{}).IsEmpty() {
		t.Errorf("%v", d)
	}
}

// TestMakeRoom: what stays can stand beside the new type, and nothing else has gone.
func TestMakeRoom(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head+"a TXT 1\na A 192.0.2.1\nb CNAME a\nc DNAME a\nd NS ns1\nd A 192.0.2.1\n@ TXT 1\n")
	for what, tt := range map[string]struct{ name, t, want string }{
		"an alias":          {"a", "CNAME", ""},
		"beside an alias":   {"b", "TXT", ""},
		"an alias again":    {"b", "CNAME", "CNAME"},
		"a cut at a DNAME":  {"c", "NS", ""},
		"a DNAME at a cut":  {"d", "DNAME", "A"},
		"beside":            {"a", "MX", "A TXT"},
		"nothing there":     {"x", "CNAME", ""},
		"an alias at top":   {"@", "CNAME", "NS SOA"},
		"a DNAME at top":    {"@", "DNAME", "NS SOA TXT"},
		"the key of a name": {"b", "KEY", "CNAME"},
	} {
		e := z.Edit()
		name, err := dns.ParseName(tt.name, origin)
		if err != nil {
			t.Fatal(err)
		}
		typ, _ := dns.ParseType(tt.t)
		e.MakeRoom(name, typ)
		var got []string
		for _, s := range e.Sets(name) {
			got = append(got, s.Type.String())
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, want %s", what, got, tt.want)
		}
	}
}

// TestHeldModel: whatever is decided and changed one by one, and however it is joined, on top of any zone the held sets
// are as they were last, and those that were released are that zone's.
func TestHeldModel(t *testing.T) {
	t.Parallel()
	names, words := []string{"a", "b", "c.b"}, []string{"1", "2", "3"}
	rapid.Check(t, func(rt *rapid.T) {
		z, _ := load(t, head+"a TXT 1\nb TXT 2\n")
		other, _ := load(t, head+"a TXT 3\nc.b TXT 9\n")
		var all []Difference
		wanted := map[string]func() *Zone{} // whose set a name has; nil for neither's
		for range rapid.IntRange(1, 6).Draw(rt, "changes") {
			name := rapid.SampledFrom(names).Draw(rt, "name")
			data := rapid.SliceOfDistinct(rapid.SampledFrom(words), rapid.ID[string]).Draw(rt, "data")
			var d Difference
			switch rapid.IntRange(0, 3).Draw(rt, "kind") {
			case 0:
				z, d = decide(t, z, strings.TrimSpace(name+" TXT "+strings.Join(data, " ")))
				wanted[name] = func() *Zone { return z }
			case 1:
				z, d = decide(t, z, name+" TXT released")
				wanted[name] = func() *Zone { return other }
			default:
				verb := rapid.SampledFrom([]string{"add " + name + ".example.test. 300", "delete " + name + ".example.test."}).Draw(rt, "verb")
				before := z
				z, d = changed(t, z, "update "+verb+" TXT "+rapid.SampledFrom(words).Draw(rt, "word"))
				if of := wanted[name]; z != before && of != nil && of() == other {
					wanted[name] = nil
				}
			}
			all = append(all, d)
			if rapid.Bool().Draw(rt, "join") {
				all = []Difference{Join(all...)}
			}
		}
		e := other.Edit()
		e.Overlay(Join(all...))
		for name, of := range wanted {
			if of == nil {
				continue
			}
			owner := dns.MustParseName(name + ".example.test.")
			was, _ := of().At(owner)
			want, _ := was.RRset(dns.TypeTXT)
			if got, _ := e.RRset(owner, dns.TypeTXT); !slices.EqualFunc(got.Data, want.Data, slices.Equal[[]byte]) {
				rt.Fatalf("%s: %q, want %q", name, got.Data, want.Data)
			}
		}
	})
}

// TestHistoryTellsNothingOfHolding: who fetches what changed gets all of it, also where a set was released meanwhile.
func TestHistoryTellsNothingOfHolding(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head+"a TXT 1\n")
	h, last := History{}, z
	for i, line := range []string{"a TXT 2 3", "b TXT 1", "b TXT 1 2"} {
		next, _ := decide(t, last, line)
		next = next.WithSerial(uint32(8 + i))
		d := Between(last, next)
		name, _, _ := strings.Cut(line, " ")
		d.Held = []Held{{Name: dns.MustParseName(name + ".example.test."), RRset: RRset{Type: dns.TypeTXT}, Released: i > 0}}
		h, last = h.With(d, HistoryLimits{}), next
	}
	d, ok := h.Since(7, 10)
	if !ok || len(d.Held) > 0 {
		t.Errorf("%v, %v", d, ok)
	}
	e := z.Edit()
	if err := e.Apply(d); err != nil || !e.Zone().SameContent(last) {
		t.Errorf("it leads elsewhere, %v", err)
	}
	if one, _ := h.Since(9, 10); len(one.Held) > 0 {
		t.Errorf("%v", one)
	}
}
