package dns

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustName(t testing.TB, s string) Name {
	t.Helper()
	n, err := ParseName(s, Root)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestParseName(t *testing.T) {
	t.Parallel()
	origin := Name("\x07example\x04test\x00")
	label63 := strings.Repeat("a", 63)
	for _, tt := range []struct {
		in   string
		want Name
		err  error
	}{
		{".", Root, nil},
		{"@", origin, nil},
		{"www", "\x03www\x07example\x04test\x00", nil},
		{"www.", "\x03www\x00", nil},
		{"WwW.Example.", "\x03WwW\x07Example\x00", nil},
		{`a\.b.`, "\x03a.b\x00", nil},
		{`a\\b.`, "\x03a\\b\x00", nil},
		{`a\000\255.`, "\x03a\x00\xff\x00", nil},
		{`\046.`, "\x01.\x00", nil},
		{`\@.`, "\x01@\x00", nil},
		{"é.", "\x02\xc3\xa9\x00", nil},
		{"*.", "\x01*\x00", nil},
		{label63 + ".", Name("\x3f" + label63 + "\x00"), nil},
		{label63 + "a.", "", ErrLabelTooLong},
		{"", "", ErrNameEmpty},
		{"..", "", ErrEmptyLabel},
		{".a", "", ErrEmptyLabel},
		{"a..b", "", ErrEmptyLabel},
		{`a\`, "", ErrEscape},
		{`a\256.`, "", ErrEscape},
		{`a\25.`, "", ErrEscape},
		{`a\2`, "", ErrEscape},
		{strings.Repeat("a.", 127), Name(strings.Repeat("\x01a", 127) + "\x00"), nil},
		{strings.Repeat("a.", 128), "", ErrNameTooLong},
		{strings.Repeat("a.", 5000), "", ErrNameTooLong},
		{strings.Repeat("a", 5000), "", ErrLabelTooLong},
	} {
		got, err := ParseName(tt.in, origin)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("ParseName(%.40q) = %q, %v; want %q, %v", tt.in, got, err, tt.want, tt.err)
		}
	}
	if _, err := ParseName("www", ""); !errors.Is(err, ErrNameRelative) {
		t.Errorf("relative name without origin: %v", err)
	}
	if _, err := ParseName("@", ""); !errors.Is(err, ErrNameRelative) {
		t.Errorf("@ without origin: %v", err)
	}
	// A relative name is too long only together with its origin.
	if n, err := ParseName(strings.Repeat("a.", 119)+"bb", origin); err != nil || len(n) != 255 {
		t.Errorf("255 octets with origin: %d, %v", len(n), err)
	}
	if _, err := ParseName(strings.Repeat("a.", 120)+"b", origin); !errors.Is(err, ErrNameTooLong) {
		t.Errorf("256 octets with origin: %v", err)
	}
}

func TestNameString(t *testing.T) {
	t.Parallel()
	for n, want := range map[Name]string{
		"":                           "",
		Root:                         ".",
		"\x03www\x04Test\x00":        "www.Test.",
		"\x04a.b \x00":               `a\.b\032.`,
		"\x07\\\"();@$\x00":          `\\\"\(\)\;\@\$.`,
		"\x03\x00\x7f\xff\x00":       `\000\127\255.`,
		"\x01*\x07example\x00":       "*.example.",
		"\x05_http\x04_tcp\x01a\x00": "_http._tcp.a.",
	} {
		if got := n.String(); got != want {
			t.Errorf("%q.String() = %q, want %q", string(n), got, want)
		}
	}
}

func TestNameRelations(t *testing.T) {
	t.Parallel()
	www := mustName(t, "www.Example.test.")
	if got := www.Parent(); got != mustName(t, "Example.test.") {
		t.Errorf("Parent = %s", got)
	}
	if Root.Parent() != Root || Root.NumLabels() != 0 || Root.Label() != "" {
		t.Error("the root has a parent, labels or a label")
	}
	if www.NumLabels() != 3 || www.Label() != "www" {
		t.Errorf("labels: %d %q", www.NumLabels(), www.Label())
	}
	if got := www.Ancestor(1); got != mustName(t, "test.") {
		t.Errorf("Ancestor(1) = %s", got)
	}
	if www.Ancestor(0) != Root || www.Ancestor(9) != www {
		t.Error("Ancestor at the ends")
	}
	if w, ok := www.Wildcard(); !ok || !w.IsWildcard() || w.String() != "*.www.Example.test." {
		t.Errorf("Wildcard = %s", w)
	}
	for _, tt := range []struct {
		n, parent string
		want      bool
	}{
		{"www.example.test.", "EXAMPLE.test.", true},
		{"example.test.", "example.test.", true},
		{"example.test.", ".", true},
		{"example.test.", "www.example.test.", false},
		{"wwwexample.test.", "example.test.", false},
		// The octets of the parent at the end of a label are no parent.
		{`a\007example\004test.`, "example.test.", false},
		{`x\004test.`, "test.", false},
	} {
		if got := mustName(t, tt.n).IsSubdomainOf(mustName(t, tt.parent)); got != tt.want {
			t.Errorf("%s below %s: %v", tt.n, tt.parent, got)
		}
	}
	// Only ASCII folds: the octets of "É" and "é" differ (RFC 4343).
	if mustName(t, `\201.`).Equal(mustName(t, `\233.`)) {
		t.Error("octets above 127 were folded")
	}
	if mustName(t, `\091.`).Equal(mustName(t, `\123.`)) {
		t.Error("[ and { were folded")
	}
}

func TestNameLengthLimits(t *testing.T) {
	t.Parallel()
	// 253, 254 and 255 octets: what a wildcard or a label may be put before.
	name := func(size int) Name {
		n := Name(strings.Repeat("\x01a", (size-1)/2-1))
		if size%2 == 0 {
			n += "\x02bb"
		} else {
			n += "\x01b"
		}
		return n + "\x00"
	}
	if n := name(253); len(n) != 253 || !n.Valid() {
		t.Fatalf("bad test name of %d octets", len(n))
	}
	if _, ok := name(253).Wildcard(); !ok {
		t.Error("255 octets are allowed")
	}
	if _, ok := name(254).Wildcard(); ok {
		t.Error("256 octets are not allowed")
	}
	if n, err := name(253).Prepend("x"); err != nil || len(n) != 255 {
		t.Errorf("Prepend to 255: %v", err)
	}
	if _, err := name(253).Prepend("xy"); !errors.Is(err, ErrNameTooLong) {
		t.Errorf("Prepend to 256: %v", err)
	}
	if _, err := Root.Prepend(strings.Repeat("x", 64)); !errors.Is(err, ErrLabelTooLong) {
		t.Errorf("label of 64: %v", err)
	}
	if _, err := Root.Prepend(""); !errors.Is(err, ErrEmptyLabel) {
		t.Errorf("empty label: %v", err)
	}
	from, to := mustName(t, "a."), mustName(t, "bb.")
	long := "\x01x" + name(251)[:250] + from // 255 octets
	if len(long) != 255 {
		t.Fatalf("test name has %d octets", len(long))
	}
	if _, err := long.ReplaceSuffix(from, to); !errors.Is(err, ErrNameTooLong) {
		t.Errorf("DNAME to 256 octets: %v", err)
	}
	if got, err := long.ReplaceSuffix(from, mustName(t, "c.")); err != nil || len(got) != 255 {
		t.Errorf("DNAME to 255 octets: %v", err)
	}
	if _, err := to.ReplaceSuffix(from, to); err == nil {
		t.Error("ReplaceSuffix of a name elsewhere")
	}
}

func TestNameValid(t *testing.T) {
	t.Parallel()
	for _, bad := range []Name{
		"", "\x03www", "\x03www\x00\x00", "\x00\x00", "\x04www\x00", "\x40" + Name(strings.Repeat("a", 64)) + "\x00",
		"\xc0\x0c", Name(strings.Repeat("\x01a", 128)) + "\x00",
	} {
		if bad.Valid() {
			t.Errorf("%q is valid", string(bad))
		}
		// Methods of a broken name must not crash.
		_, _, _, _, _ = bad.String(), bad.Parent(), bad.Label(), bad.NumLabels(), bad.Canonical()
		_, _, _ = bad.Compare(Root), bad.IsSubdomainOf(Root), bad.Ancestor(0)
	}
	for _, good := range []Name{Root, "\x03www\x00", Name(strings.Repeat("\x01a", 127)) + "\x00"} {
		if !good.Valid() {
			t.Errorf("%q is not valid", string(good))
		}
	}
}

// The sorted list of RFC 4034 section 6.1.
func TestNameCompareRFC4034(t *testing.T) {
	t.Parallel()
	sorted := []string{
		"example.", "a.example.", "yljkjljk.a.example.", "Z.a.example.", "zABC.a.EXAMPLE.",
		"z.example.", `\001.z.example.`, "*.z.example.", `\200.z.example.`,
	}
	for i, a := range sorted {
		for j, b := range sorted {
			want := 0
			switch {
			case i < j:
				want = -1
			case i > j:
				want = 1
			}
			if got := mustName(t, a).Compare(mustName(t, b)); got != want {
				t.Errorf("%s against %s: %d, want %d", a, b, got, want)
			}
		}
	}
	if mustName(t, "WWW.test.").Compare(mustName(t, "www.TEST.")) != 0 {
		t.Error("case matters")
	}
}

// genName draws names of any octets.
func genName() *rapid.Generator[Name] {
	return rapid.Custom(func(t *rapid.T) Name {
		var n Name
		for range rapid.IntRange(0, 5).Draw(t, "labels") {
			label := rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "label")
			n += Name([]byte{byte(len(label))}) + Name(label)
		}
		return n + "\x00"
	})
}

func TestNameProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := genName().Draw(t, "a"), genName().Draw(t, "b")
		if back, err := ParseName(a.String(), Root); err != nil || back != a {
			t.Fatalf("%q -> %s -> %q, %v", string(a), a, string(back), err)
		}
		if n, size, err := NameFromWire([]byte(a)); err != nil || n != a || size != len(a) {
			t.Fatalf("NameFromWire(%q) = %q, %d, %v", string(a), string(n), size, err)
		}
		if a.Compare(b) != -b.Compare(a) || (a.Compare(b) == 0) != a.Equal(b) {
			t.Fatalf("Compare of %s and %s is no order", a, b)
		}
		if a.Equal(b) != (a.Canonical() == b.Canonical()) {
			t.Fatalf("Equal and Canonical of %s and %s differ", a, b)
		}
		for n := a; n != Root; n = n.Parent() {
			if !a.IsSubdomainOf(n) || a.Compare(n) < 0 || n.NumLabels() != n.Parent().NumLabels()+1 {
				t.Fatalf("%s is not below %s", a, n)
			}
		}
		if a.IsSubdomainOf(b) != (a.NumLabels() >= b.NumLabels() && a.Ancestor(b.NumLabels()).Equal(b)) {
			t.Fatalf("IsSubdomainOf of %s and %s", a, b)
		}
	})
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{".", "@", "www", `a\.b\255.`, "é", strings.Repeat("a.", 127), `\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseName(s, "\x04test\x00")
		if err != nil {
			if n != "" {
				t.Fatalf("%q with error %v", string(n), err)
			}
			return
		}
		if !n.Valid() || len(n) > MaxNameLen {
			t.Fatalf("ParseName(%q) = %q, which is not valid", s, string(n))
		}
		if back, err := ParseName(n.String(), ""); err != nil || back != n {
			t.Fatalf("%q -> %s -> %q, %v", string(n), n, string(back), err)
		}
	})
}
