package config

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestProblemString(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		p    Problem
		want string
	}{
		{"whole", Problem{File: "f", Line: 2, Column: 3, Source: "a = b", Caret: 5, Width: 1, Message: "m", Hint: "h"},
			"f:2:3: m\n  a = b\n      ^\nhint: h"},
		{"no line", Problem{File: "f", Message: "m"}, "f: m"},
		{"tabs", Problem{File: "f", Line: 1, Column: 4, Source: "\ta\tbc", Caret: 4, Width: 2, Message: "m"},
			"f:1:4: m\n  \ta\tbc\n  \t \t^~"},
		{"two columns wide", Problem{File: "f", Line: 1, Column: 3, Source: "日本語", Caret: 2, Width: 2, Message: "m"},
			"f:1:3: m\n  日本語\n    ^~~~"},
		{"combining", Problem{File: "f", Line: 1, Column: 3, Source: "e\u0301x", Caret: 3, Width: 1, Message: "m"},
			"f:1:3: m\n  e\u0301x\n   ^"},
		{"after the end", Problem{File: "f", Line: 1, Column: 4, Source: "a =", Caret: 4, Width: 1, Message: "m"},
			"f:1:4: m\n  a =\n     ^"},
		{"unseen", Problem{File: "f", Line: 1, Column: 4, Source: "a\u200bb\u200dc", Caret: 3, Width: 3, Message: "m"},
			"f:1:4: m\n  a\uFFFDb\uFFFDc\n    ^~~"},
		{"terminal", Problem{File: "f\x1b", Line: 1, Column: 1, Source: "\x1b[31m\u202ea\xff", Caret: 1, Width: 1, Message: "m"},
			"f\uFFFD:1:1: m\n  \uFFFD[31m\uFFFDa\uFFFD\n  ^"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.p.String(); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

func TestProblemsAreJSON(t *testing.T) {
	t.Parallel()
	p := problemsOf(t, "domain = 'a.test'\n[users]\nbob = { admn = 1 }")
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"file":"utopia.toml","line":3,"column":9,"source":"bob = { admn = 1 }","caret":9,"width":4,` +
		`"message":"unknown key \"admn\" in [users]","hint":"did you mean \"admin\"?"}]`
	if string(data) != want {
		t.Errorf("got  %s\nwant %s", data, want)
	}
}

// TestCut moves a mistake along a long line: the caret stays on it.
func TestCut(t *testing.T) {
	t.Parallel()
	for n := range 400 {
		for _, after := range []int{0, 5, 400} {
			line := []rune(strings.Repeat("é", n) + "X" + strings.Repeat("ü", after))
			text, caret := cut(line, n+1)
			got := []rune(text)
			if got[caret-1] != 'X' {
				t.Fatalf("%d before, %d after: the caret is on %q", n, after, got[caret-1])
			}
			if len(got) > 160+6 {
				t.Fatalf("%d before, %d after: still %d long", n, after, len(got))
			}
		}
	}
}

func TestSuggestion(t *testing.T) {
	t.Parallel()
	names := []string{"alice", "bob", "address", "recursive-for", "info"}
	for word, want := range map[string]string{
		"alise": "alice", "ALICE": "alice", "alcie": "alice", "alic": "alice", "al": "",
		"bod": "bob", "bxx": "", "b": "", "": "", "adress": "address", "recursive": "recursive-for",
		"recursiv-four": "recursive-for", "information": "info", "zebra": "",
		strings.Repeat("alice", 100): "",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	commands := []string{"up", "upper", "user", "dig", "trace", "completion"}
	for word, want := range map[string]string{
		"usr": "user", "uper": "upper", "dgi": "dig", "UP": "up", "upp": "up", "comp": "completion", "traec": "trace",
		"xx": "", "x": "", "": "", "mail": "",
	} {
		if got := Nearest(word, commands); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "bca", 2},
		{"kitten", "sitting", 3}, {"über", "uber", 1}, {"ab", "ba", 1}, {"ca", "abc", 3},
	} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := distance(tt.b, tt.a); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}

// TestSecretsStayHidden: a password in the file is a mistake, and showing it
// in an error, which may go to a log, would be another.
func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"[users]\nalice = { password = 'hunter2', admn = 1 }",
		"[users]\nalice = { password = hunter2 }",
		"[users]\nalice = { admn = 1, password = 'hunter2 }",
		"[users]\nalice.password = '''\nhunter2''' # x\nbob = { admn = 1 }",
		"[users.alice]\nsecret = 'hunter2'",
		"password = 'hunter2'",
		"password: hunter2",
		"[mail]\n\"password\" = hunter2",
		"[web]\n" + strings.Repeat("x.", 5) + "pass = 'hunter2'",
		"password = 'hunter2'\npassword = 'hunter2'",
		"password = 'hunter2' oops",
		"[password]\nx = 'hunter2'",
		"x = 1 # password: hunter2\nx = 2",
		"[users]\na = { x = 1, \"password\" = \"hun\\\"ter2, hunter2\", y = 2 }",
		"[users]\nalice = { " + strings.Repeat(" ", 200) + "password = 'hunter2', admn = 1 }",
		"[users.alice.password]\nx = 'hunter2'\n",
		"[users.alice]\npassword = { x = 'hunter2' }\nadmin = 1",
	} {
		if p := problemsOf(t, "domain = 'a.test'\n"+text); strings.Contains(p.Error(), "hunter2") {
			t.Errorf("shown:\n%v", p)
		}
	}
}
