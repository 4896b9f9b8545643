package dns

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// modelName reads a name octet by octet, each limit where it is passed.
func modelName(s string, origin Name) (Name, error) {
	switch {
	case s == "":
		return "", ErrNameEmpty
	case s == ".":
		return Root, nil
	case s == "@" && origin == "":
		return "", ErrNameRelative
	case s == "@":
		return origin, nil
	}
	var wire, label []byte
	end := func() error {
		if len(label) == 0 {
			return ErrEmptyLabel
		}
		wire = append(append(wire, byte(len(label))), label...)
		label = label[:0]
		return nil
	}
	for i := 0; i < len(s); {
		if s[i] == '.' {
			if err := end(); err != nil {
				return "", err
			}
			if i++; i == len(s) {
				origin = Root
			}
			continue
		}
		c, size := s[i], 1
		if c == '\\' {
			var err error
			if c, size, err = unescape(s[i:]); err != nil {
				return "", err
			}
		}
		i += size
		switch {
		case len(label) == MaxLabelLen:
			return "", ErrLabelTooLong
		case len(wire)+1+len(label) >= MaxNameLen:
			return "", ErrNameTooLong
		}
		label = append(label, c)
	}
	if !strings.HasSuffix(s, ".") || len(label) > 0 {
		if err := end(); err != nil {
			return "", err
		}
		if origin == "" {
			return "", ErrNameRelative
		}
	}
	if len(wire)+len(origin) > MaxNameLen {
		return "", ErrNameTooLong
	}
	return Name(wire) + origin, nil
}

// TestNameAsModel: names of all kinds, with the limits about to be passed, are
// read as the model reads them, and for the same reason they are not.
func TestNameAsModel(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1035, 5))
	pieces := []string{
		"a", "A", "b", ".", ".", "\\.", "\\065", "\\255", "\\256", "\\2", "\\", "\\a", "@", "\x00", "\xff", " ",
		strings.Repeat("x", 20), strings.Repeat("x", 62), strings.Repeat("x", 63), strings.Repeat("y.", 30), "." + strings.Repeat("z", 63) + ".",
	}
	seen := map[error]int{}
	for range 100_000 {
		var b strings.Builder
		for range r.IntN(7) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		s := b.String()
		origin := []Name{"", Root, "\x04test\x00", Name("\x3f" + strings.Repeat("o", 63) + "\x00")}[r.IntN(4)]
		got, err := ParseName(s, origin)
		want, wantErr := modelName(s, origin)
		if got != want || !errors.Is(err, wantErr) {
			t.Fatalf("%q at %q: %q, %v; the model %q, %v", s, string(origin), string(got), err, string(want), wantErr)
		}
		seen[wantErr]++
		before := []byte("before")
		again, err := AppendName(before, []byte(s), origin)
		if string(again) != "before"+string(want) || !errors.Is(err, wantErr) {
			t.Fatalf("%q at %q: %q, %v", s, string(origin), again, err)
		}
	}
	for _, err := range []error{nil, ErrNameEmpty, ErrNameRelative, ErrEmptyLabel, ErrEscape, ErrLabelTooLong, ErrNameTooLong} {
		if seen[err] < 20 {
			t.Errorf("%v came up %d times: the test tests little", err, seen[err])
		}
	}
}

func TestAppendNameAllocatesNothing(t *testing.T) {
	buf, text := make([]byte, 0, MaxNameLen), []byte(`www.a\.b.example`)
	n := testing.AllocsPerRun(100, func() {
		if out, err := AppendName(buf, text, "\x04test\x00"); err != nil || len(out) != 22 {
			t.Fatalf("%d octets, %v", len(out), err)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
	_, err := AppendName(nil, []byte("a..b"), Root)
	if err == nil || err.Error() != `dns: name "a..b": empty label` {
		t.Errorf("%v", err)
	}
}
