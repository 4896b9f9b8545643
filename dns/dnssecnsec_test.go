package dns

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"
	"pgregory.net/rapid"
)

// TestTypeBitmap: RFC 4034 section 4.3 has this example.
func TestTypeBitmap(t *testing.T) {
	t.Parallel()
	b := NewTypeBitmap(1234, TypeNSEC, TypeMX, TypeA, TypeRRSIG, TypeA)
	want := append([]byte{0, 6, 0x40, 1, 0, 0, 0, 3, 4, 27}, make([]byte, 26)...)
	want = append(want, 0x20)
	if !bytes.Equal(b, want) {
		t.Errorf("%x, want %x", []byte(b), want)
	}
	if got := b.Types(); !slices.Equal(got, []Type{TypeA, TypeMX, TypeRRSIG, TypeNSEC, 1234}) {
		t.Errorf("%v", got)
	}
	if len(NewTypeBitmap()) != 0 || NewTypeBitmap().Types() != nil {
		t.Error("an empty set")
	}
}

func TestTypeBitmapsComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		types := rapid.SliceOfN(rapid.Map(rapid.Uint16(), func(v uint16) Type { return Type(v) }), 0, 40).Draw(t, "types")
		b := NewTypeBitmap(types...)
		if err := checkBitmap(b); err != nil {
			t.Fatal(err)
		}
		slices.Sort(types)
		types = slices.Compact(types)
		if !slices.Equal(b.Types(), types) {
			t.Fatalf("%v, want %v", b.Types(), types)
		}
		probe := Type(rapid.Uint16().Draw(t, "probe"))
		if b.Has(probe) != slices.Contains(types, probe) {
			t.Fatalf("%s: %v", probe, b.Has(probe))
		}
		for _, x := range types {
			if !b.Has(x) {
				t.Fatalf("%s is not in it", x)
			}
		}
	})
}

func FuzzTypeBitmap(f *testing.F) {
	f.Add([]byte(NewTypeBitmap(1, 1234)))
	f.Add([]byte{0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		types := TypeBitmap(b).Types()
		if checkBitmap(b) != nil {
			TypeBitmap(b).Has(1234)
			return
		}
		if again := NewTypeBitmap(types...); !bytes.Equal(again, b) {
			t.Fatalf("%x, was %x", []byte(again), b)
		}
		for _, x := range types {
			if !TypeBitmap(b).Has(x) {
				t.Fatalf("%s is not in it", x)
			}
		}
	})
}

// TestNSEC3HashesOfRFC: RFC 5155 appendix A.
func TestNSEC3HashesOfRFC(t *testing.T) {
	t.Parallel()
	p := NSEC3PARAM{Hash: NSEC3SHA1, Iterations: 12, Salt: []byte{0xaa, 0xbb, 0xcc, 0xdd}}
	apex := MustParseName("example.")
	for name, want := range map[string]string{
		"example.":       "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom",
		"a.example.":     "35mthgpgcu1qg68fab165klnsnk3dpvl",
		"ai.example.":    "gjeqe526plbf1g8mklp59enfd789njgi",
		"ns1.example.":   "2t7b4g4vsa5smi47k61mv5bv1a22bojr",
		"NS2.Example.":   "q04jkcevqvmu85r014c7dkba38o0ji5r",
		"w.example.":     "k8udemvp1j2f7eg6jebps17vp3n8i58h",
		"*.w.example.":   "r53bq7cc2uvmubfu5ocmm6pers9tk9en",
		"x.w.example.":   "b4um86eghhds6nea196smvmlo4ors995",
		"y.w.example.":   "ji6neoaepv8b5o6k4ev33abha8ht9fgc",
		"x.y.w.example.": "2vptu5timamqttgl4luu9kg21e0aor3s",
		"xx.example.":    "t644ebqk9bibcna874givr6joj62mlhv",
	} {
		owner, err := p.Owner(MustParseName(name), apex)
		if err != nil || owner.String() != want+".example." {
			t.Errorf("%s: %s, %v", name, owner, err)
		}
		digest, _ := p.Digest(MustParseName(name))
		upper := MustParseName(strings.ToUpper(owner.String()))
		if got, ok := NSEC3Digest(upper); !ok || !bytes.Equal(got, digest) {
			t.Errorf("%s: the hash of %s is %x, %v", name, upper, got, ok)
		}
	}
	for _, label := range []string{"w.", "1.", "."} {
		if digest, ok := NSEC3Digest(MustParseName(label)); ok {
			t.Errorf("%s: %x", label, digest)
		}
	}
}

func TestNSEC3Oracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`([A-Za-z0-9-]{1,20}\.){1,9}`).Draw(t, "name")
		p := NSEC3PARAM{
			Hash:       NSEC3SHA1,
			Iterations: rapid.Uint16Range(0, MaxNSEC3Iterations).Draw(t, "iterations"),
			Salt:       rapid.SliceOfN(rapid.Byte(), 0, 255).Draw(t, "salt"),
		}
		owner, err := p.Owner(MustParseName(name), Root)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.ToLower(mdns.HashName(name, mdns.SHA1, p.Iterations, hexOf(p.Salt))) + "."
		if owner.String() != want {
			t.Fatalf("%s, want %s", owner, want)
		}
	})
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}

func TestNSEC3Limits(t *testing.T) {
	t.Parallel()
	name := MustParseName("a.test.")
	if _, err := (NSEC3PARAM{Hash: 1, Iterations: MaxNSEC3Iterations}).Digest(name); err != nil {
		t.Error(err)
	}
	if _, err := (NSEC3PARAM{Hash: 1, Iterations: MaxNSEC3Iterations + 1}).Digest(name); err == nil {
		t.Error("one iteration more is done")
	}
	if _, err := (NSEC3PARAM{Hash: 2}).Digest(name); !errors.Is(err, ErrAlgorithm) {
		t.Error(err)
	}
	if _, err := (NSEC3PARAM{Hash: 2}).Owner(name, name); !errors.Is(err, ErrAlgorithm) {
		t.Error(err)
	}
	long := MustParseName(strings.Repeat("a.", 111))
	if len(long) != MaxNameLen-32 {
		t.Fatal(len(long))
	}
	if _, err := NSEC3Owner(make([]byte, 20), long); !errors.Is(err, ErrNameTooLong) {
		t.Errorf("a zone's name of %d octets: %v", len(long), err)
	}
	fits := MustParseName("aa." + strings.Repeat("a.", 109))
	if owner, err := NSEC3Owner(make([]byte, 20), fits); err != nil || len(owner) != MaxNameLen {
		t.Errorf("%d octets, %v", len(owner), err)
	}
	p := NSEC3PARAM{Hash: 1, Salt: make([]byte, MaxNSEC3Salt+1)}
	if got := p.Data(); len(got) != 5+MaxNSEC3Salt || got[4] != 255 {
		t.Errorf("%d octets", len(got))
	}
}

// TestNSECCovers: RFC 4034 section 6.1 has the order.
func TestNSECCovers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		owner, next, name string
		want              bool
	}{
		{"a.test.", "d.test.", "b.test.", true},
		{"a.test.", "d.test.", "B.A.test.", true},
		{"a.test.", "d.test.", "a.test.", false},
		{"a.test.", "d.test.", "A.test.", false},
		{"a.test.", "d.test.", "d.test.", false},
		{"a.test.", "d.test.", "e.test.", false},
		{"a.test.", "d.test.", "test.", false},
		{"x.test.", "test.", "z.test.", true}, // the last one
		{"x.test.", "test.", "a.test.", false},
		{"x.test.", "test.", "x.test.", false},
		{"x.test.", "test.", "test.", false},
		{"x.test.", "test.", "a.x.test.", true},
		{"test.", "test.", "a.test.", true}, // the only one
		{"test.", "test.", "test.", false},
	} {
		n := NSEC{Next: MustParseName(tt.next)}
		if got := n.Covers(MustParseName(tt.owner), MustParseName(tt.name)); got != tt.want {
			t.Errorf("%s to %s, %s: %v", tt.owner, tt.next, tt.name, got)
		}
	}
}

func TestNSEC3Covers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		owner, next, digest string
		want                bool
	}{
		{"a", "d", "b", true}, {"a", "d", "a", false}, {"a", "d", "d", false}, {"a", "d", "e", false}, {"b", "d", "a", false},
		{"x", "a", "z", true}, {"x", "b", "a", true}, {"x", "a", "b", false}, {"x", "a", "x", false}, {"x", "a", "a", false},
		{"c", "c", "d", true}, {"c", "c", "b", true}, {"c", "c", "c", false},
	} {
		n := NSEC3{Next: []byte(tt.next)}
		if got := n.Covers([]byte(tt.owner), []byte(tt.digest)); got != tt.want {
			t.Errorf("%s to %s, %s: %v", tt.owner, tt.next, tt.digest, got)
		}
	}
}
