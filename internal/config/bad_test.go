package config

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

var rewrite = flag.Bool("rewrite", false, "write what the tests find into testdata")

// golden compares a text with a file, or writes it with -rewrite.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with -rewrite)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs.\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return found
}

// TestBad reads files that each hold a mistake or a few, and compares all that
// is said about them.
func TestBad(t *testing.T) {
	t.Parallel()
	all := files(t, "bad/*.toml")
	if len(all) < 75 {
		t.Errorf("only %d bad files", len(all))
	}
	for _, path := range all {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".toml"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(FileName, data)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got the error %v, want Problems", err)
			}
			checkProblems(t, data, problems)
			golden(t, strings.TrimSuffix(path, ".toml")+".want", problems.Error()+"\n")
		})
	}
}

// checkProblems tests what holds for all problems of all files.
func checkProblems(t *testing.T, data []byte, problems []Problem) {
	t.Helper()
	lines := strings.Split(string(bytes.TrimPrefix(data, bom[:])), "\n")
	last := Problem{}
	for _, p := range problems {
		text := p.String()
		if !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\x07\x1b\r") {
			t.Errorf("cannot be shown on a terminal: %q", text)
		}
		for _, name := range []string{"config.", "reflect", "netip", "[]string", "int64", "struct", "toml:", "interface", "%!"} {
			if strings.Contains(p.Message+p.Hint, name) {
				t.Errorf("a name of Go's in %q, %q", p.Message, p.Hint)
			}
		}
		if p.Message == "" || p.File == "" {
			t.Errorf("empty: %+v", p)
		}
		if p.Line == 0 {
			continue
		}
		if p.Line > len(lines) || p.Column < 1 || p.Column > utf8.RuneCountInString(lines[p.Line-1])+1 {
			t.Errorf("%d:%d is outside the file", p.Line, p.Column)
		}
		if p.Source != "" && p.Width < 1 || p.Source != "" && p.Caret < 1 || p.Caret > utf8.RuneCountInString(p.Source)+1 {
			t.Errorf("a caret outside its line: %+v", p)
		}
		if p.Line < last.Line || p.Line == last.Line && p.Column < last.Column {
			t.Errorf("%d:%d comes after %d:%d", p.Line, p.Column, last.Line, last.Column)
		}
		last = p
	}
	if len(problems) > MaxProblems+1 {
		t.Errorf("%d problems", len(problems))
	}
}
