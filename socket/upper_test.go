package socket

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestAppendUpper(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                   "",
		"hello":              "HELLO",
		"HELLO 42\n":         "HELLO 42\n",
		"grün, šípek, ελλάς": "GRÜN, ŠÍPEK, ΕΛΛΆΣ",
		"ɐ":                  "Ɐ", // two bytes become three
		"ı":                  "I", // two bytes become one
		"ß":                  "ß", // has no single upper-case character in Unicode's simple mapping
		"\xff\x00a\xc3":      "\xff\x00A\xc3",
		"\xed\xa0\x80z":      "\xed\xa0\x80Z", // a surrogate is not UTF-8
		"\ufffda":            "\ufffdA",
		"日本 x":               "日本 X",
	} {
		if got := string(AppendUpper(nil, []byte(in))); got != want {
			t.Errorf("AppendUpper(%q) = %q, want %q", in, got, want)
		}
	}
	if got := AppendUpper([]byte("a"), []byte("b")); string(got) != "aB" {
		t.Errorf("appended to what was there: %q", got)
	}
}

// The bound on growth is what keeps a reflected datagram small; Unicode's tables could change it.
func TestGrowthOfEveryCharacter(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		text := utf8.AppendRune(nil, r)
		if got := AppendUpper(nil, text); 2*len(got) > 3*len(text) {
			t.Errorf("%q grows from %d to %d bytes", r, len(text), len(got))
		}
	}
}

func TestCaserCarriesCharacters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pieces []string
		want   []string // answered at each piece, then at the end
	}{
		{[]string{"he", "llo"}, []string{"HE", "LLO", ""}},
		{[]string{"gr\xc3", "\xbcn"}, []string{"GR", "ÜN", ""}},
		{[]string{"\xf0", "\x90\x90", "\xa8!"}, []string{"", "", "𐐀!", ""}}, // Deseret: four bytes in three pieces
		{[]string{"caf\xe9", "a"}, []string{"CAF", "\xe9A", ""}},            // Latin-1
		{[]string{"x\xc3"}, []string{"X", "\xc3"}},                          // ends within a character
		{[]string{"\xe2\x82", "\xe2\x82", "\xaca"}, []string{"", "\xe2\x82", "€A", ""}},
		{[]string{"\x80\x80\x80\x80"}, []string{"\x80\x80\x80\x80", ""}},
	} {
		var s caser
		for i, piece := range c.pieces {
			if got := string(s.append(nil, []byte(piece))); got != c.want[i] {
				t.Errorf("%q: piece %d is answered %q, want %q", c.pieces, i, got, c.want[i])
			}
		}
		if got := string(s.end(nil)); got != c.want[len(c.pieces)] {
			t.Errorf("%q: the end is answered %q, want %q", c.pieces, got, c.want[len(c.pieces)])
		}
	}
}

func TestCutText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "abc"},
		{"aⱯ", 4, "aⱯ"},
		{"aⱯ", 3, "a"},
		{"aⱯ", 2, "a"},
		{"\x80\x80\x80\x80\x80\x80\x80", 6, "\x80\x80\x80\x80\x80\x80"},
		{"Ɐ", 1, ""},
	} {
		if got := string(cutText([]byte(c.text), c.limit)); got != c.want {
			t.Errorf("cutText(%q, %d) = %q, want %q", c.text, c.limit, got, c.want)
		}
	}
}

// A stream cut anywhere must give what the whole text gives, and never more than its share.
func FuzzCaser(f *testing.F) {
	f.Add([]byte("hello"), uint8(2))
	f.Add([]byte("gr\xc3\xbcn"), uint8(3))
	f.Add([]byte("\xf0\x90\x90\xa8\xf0\x90"), uint8(1))
	f.Add([]byte(strings.Repeat("ɐ", 9)), uint8(5))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		want := AppendUpper(nil, text)
		if 2*len(want) > 3*len(text) {
			t.Fatalf("%q grows to %q", text, want)
		}
		var s caser
		var got []byte
		step := int(size)%7 + 1
		for rest := text; len(rest) > 0; rest = rest[min(step, len(rest)):] {
			got = s.append(got, rest[:min(step, len(rest))])
			if s.n >= utf8.UTFMax {
				t.Fatalf("%d bytes are kept", s.n)
			}
		}
		if got = s.end(got); !bytes.Equal(got, want) {
			t.Fatalf("%q in steps of %d gives %q, want %q", text, step, got, want)
		}
	})
}
