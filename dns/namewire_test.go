package dns

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"
	"pgregory.net/rapid"
)

func TestNameFromWire(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want Name
		size int
		err  error
	}{
		{"\x00", Root, 1, nil},
		{"\x00rest", Root, 1, nil},
		{"\x03www\x00rest", "\x03www\x00", 5, nil},
		{"\x01\x00\x00", "\x01\x00\x00", 3, nil}, // a zero octet inside a label
		{strings.Repeat("\x01a", 127) + "\x00", Name(strings.Repeat("\x01a", 127) + "\x00"), 255, nil},
		{"", "", 0, errShort},
		{"\x03ww", "", 0, errShort},
		{"\x03www", "", 0, errShort},
		{"\x40" + strings.Repeat("a", 64) + "\x00", "", 0, errLabelType},
		{"\x80\x00", "", 0, errLabelType},
		{"\xc0\x00", "", 0, errLabelType},
		{strings.Repeat("\x01a", 128) + "\x00", "", 0, ErrNameTooLong},
		{strings.Repeat("\x3f"+strings.Repeat("a", 63), 4) + "\x00", "", 0, ErrNameTooLong},
	} {
		got, size, err := NameFromWire([]byte(tt.in))
		if got != tt.want || size != tt.size || !errors.Is(err, tt.err) {
			t.Errorf("%.20q: %q, %d, %v; want %q, %d, %v", tt.in, string(got), size, err, string(tt.want), tt.size, tt.err)
		}
	}
}

// TestEveryOctet: each octet is printed in a way that reads back, alone and
// beside others, here and by miekg/dns.
func TestEveryOctet(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for _, label := range []string{string([]byte{byte(c)}), string([]byte{'1', byte(c), '2'})} {
			n, err := Root.Prepend(label)
			if err != nil {
				t.Fatal(err)
			}
			text := n.String()
			if back, err := ParseName(text, ""); err != nil || back != n {
				t.Errorf("octet %d: %s reads back as %q, %v", c, text, string(back), err)
			}
			buf := make([]byte, 300)
			size, err := mdns.PackDomainName(text, buf, 0, nil, false)
			if err != nil || string(buf[:size]) != string(n) {
				t.Errorf("octet %d: miekg/dns reads %s as %q, %v", c, text, buf[:size], err)
			}
			for _, r := range text {
				if r <= ' ' || r > '~' {
					t.Errorf("octet %d: %q is not plain text", c, text)
				}
			}
		}
	}
}

// TestNamesAgainstMiekg reads names as miekg/dns does.
func TestNamesAgainstMiekg(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		".", "a.", "www.example.test.", "*.example.", "a\\.b.", "a\\\\.", "\\065.", "\\000.", "\\255.",
		"_25._tcp.x.", "xn--bcher-kva.example.", "1.2.0.192.in-addr.arpa.", strings.Repeat("a.", 127),
		strings.Repeat("a", 63) + ".", "a\\;b.", "a b.", "\"quoted\".", "(a).", "-.", "a--b.", "é.",
	} {
		n, err := ParseName(s, "")
		buf := make([]byte, 300)
		size, foreign := mdns.PackDomainName(s, buf, 0, nil, false)
		if err != nil || foreign != nil || string(n) != string(buf[:size]) {
			t.Errorf("%q: %q, %v; miekg/dns %q, %v", s, string(n), err, buf[:size], foreign)
		}
		if mdns.CountLabel(s) != n.NumLabels() {
			t.Errorf("%q: %d labels, miekg/dns %d", s, n.NumLabels(), mdns.CountLabel(s))
		}
	}
	for _, s := range []string{strings.Repeat("a", 64) + ".", "a..", ".."} {
		if n, err := ParseName(s, ""); err == nil {
			t.Errorf("%.20q is %q", s, string(n))
		}
		if _, ok := mdns.IsDomainName(s); ok {
			t.Errorf("%.20q is a name to miekg/dns", s)
		}
	}
}

// TestOrderSorts: sorting by Compare gives the order of RFC 4034 whatever the
// order before.
func TestOrderSorts(t *testing.T) {
	t.Parallel()
	sorted := []string{
		".", "example.", "a.example.", "yljkjljk.a.example.", "Z.a.example.", "zABC.a.EXAMPLE.", "z.example.",
		`\001.z.example.`, "*.z.example.", `\200.z.example.`, "a.b.test.", "A.B.C.test.", `\000.test.`, "0.test.",
		"aa.test.", "ab.test.", "b.test.", "b-.test.", "ba.test.",
	}
	// "a.b.test." and its like stand where the order puts them, not where they
	// stand above: they only have to come out the same each time.
	var names []Name
	for _, s := range sorted {
		names = append(names, mustName(t, s))
	}
	slices.SortFunc(names, Name.Compare)
	want := slices.Clone(names)
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		r.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
		slices.SortFunc(names, Name.Compare)
		if !slices.Equal(names, want) {
			t.Fatalf("%v\n%v", names, want)
		}
	}
	for i := 1; i < len(want); i++ {
		if want[i].IsSubdomainOf(want[i-1]) {
			continue
		}
		if want[i-1].IsSubdomainOf(want[i]) {
			t.Errorf("%s stands before its parent %s", want[i-1], want[i])
		}
	}
}

func TestCompareIsTransitive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := genName().Draw(t, "a"), genName().Draw(t, "b"), genName().Draw(t, "c")
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Fatalf("%s <= %s <= %s, and the first is after the last", a, b, c)
		}
		if child, err := a.Prepend("x"); err == nil && child.Compare(a) <= 0 {
			t.Fatalf("%s does not come after its parent", child)
		}
	})
}

func TestReplaceSuffixProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		head, from, to := genName().Draw(t, "head"), genName().Draw(t, "from"), genName().Draw(t, "to")
		if len(head)+len(from) > MaxNameLen {
			return
		}
		n := head[:len(head)-1] + from
		got, err := n.ReplaceSuffix(from, to)
		if tooLong := len(head)-1+len(to) > MaxNameLen; tooLong != (err != nil) {
			t.Fatalf("%s with %s for %s: %v", n, to, from, err)
		}
		if err == nil && (!got.Valid() || !got.IsSubdomainOf(to) || got.NumLabels() != head.NumLabels()+to.NumLabels()) {
			t.Fatalf("%s with %s for %s is %s", n, to, from, got)
		}
	})
}

func TestMustParseName(t *testing.T) {
	t.Parallel()
	if n := MustParseName("a.test"); n != "\x01a\x04test\x00" {
		t.Errorf("%q", string(n))
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	MustParseName("a..b")
}

// TestParseNameErrorsAreReadable: they name the name, shortened.
func TestParseNameErrorsAreReadable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a..b":                      `dns: name "a..b": empty label`,
		strings.Repeat("x", 64):     `dns: name "` + strings.Repeat("x", 64) + `": label is longer than 63 octets`,
		strings.Repeat("x", 100000): `dns: name "` + strings.Repeat("x", 80) + `…": label is longer than 63 octets`,
		`\`:                         `dns: name "\\": bad escape: want \DDD up to 255, or \ and one character`,
	} {
		if _, err := ParseName(in, Root); err == nil || err.Error() != want {
			t.Errorf("%.20q: %v, want %s", in, err, want)
		}
	}
}

func BenchmarkParseName(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseName("www.networkutopia.test.", Root); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompare(b *testing.B) {
	x, y := MustParseName("www.a.networkutopia.test."), MustParseName("www.b.networkutopia.test.")
	b.ReportAllocs()
	for b.Loop() {
		if x.Compare(y) >= 0 {
			b.Fatal("order")
		}
	}
}
