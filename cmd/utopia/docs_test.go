package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/network-utopia/utopia/internal/app"
)

var rewrite = flag.Bool("rewrite", false, "write docs/reference anew instead of comparing it")

// step is one command of a document, with what it prints.
type step struct {
	line    int
	command string
	want    []string // lines; … stands for anything in a line, and alone for any lines
	code    int
}

// readSteps finds the commands in the console blocks of a Markdown file.
func readSteps(text string) []step {
	var steps []step
	inside := false
	for i, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case inside && strings.HasPrefix(line, "$ "):
			steps = append(steps, step{line: i + 1, command: line[2:]})
		case inside && len(steps) > 0:
			last := &steps[len(steps)-1]
			if m := exitCode.FindStringSubmatch(line); m != nil {
				last.code, _ = strconv.Atoi(m[1]) // it is digits
			} else {
				last.want = append(last.want, line)
			}
		}
	}
	return steps
}

var exitCode = regexp.MustCompile(`^\[([0-9]+)\]$`)

// pattern is what the wanted lines stand for.
func pattern(want []string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`\A`)
	for _, line := range want {
		if line == "…" {
			b.WriteString(`(?:.*\n)*?`)
			continue
		}
		b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", `.*`) + `\r?\n`) // a server's own lines end in CR LF
	}
	b.WriteString(`\z`)
	return regexp.MustCompile(b.String())
}

// cmdDoc runs a document's commands in order, in the script's folder, where an instance is served already. The
// document speaks of 127.0.0.1; the script has an address of its own.
func cmdDoc(ts *testscript.TestScript, neg bool, args []string) {
	text, err := os.ReadFile(filepath.Join(repository, args[0]))
	ts.Check(err)
	steps := readSteps(strings.ReplaceAll(string(text), "127.0.0.1", ts.Getenv("ADDR")))
	if len(steps) == 0 {
		ts.Fatalf("%s has no commands in console blocks", args[0])
	}
	for _, s := range steps {
		runStep(ts, args[0], s)
	}
}

const repository = "../.."

func runStep(ts *testscript.TestScript, document string, s step) {
	for _, program := range []string{"dig", "curl", "tshark", "tcpdump"} {
		if regexp.MustCompile(`(^|[|;(] *)`+program+` `).MatchString(s.command) && !available(ts, program) {
			return
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var printed bytes.Buffer
	c := exec.CommandContext(ctx, "bash", "-c", s.command)
	c.WaitDelay = time.Second
	c.Dir, c.Env, c.Stdout, c.Stderr = ts.MkAbs("."), environment(ts), &printed, &printed
	err := c.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		ts.Fatalf("%s:%d: %v", document, s.line, err)
	}
	ts.Logf("%s:%d: $ %s\n%s", document, s.line, s.command, printed.String())
	if got := c.ProcessState.ExitCode(); got != s.code {
		ts.Fatalf("%s:%d ended with %d, the document says %d", document, s.line, got, s.code)
	}
	if !pattern(s.want).MatchString(printed.String()) {
		ts.Fatalf("%s:%d printed otherwise than the document says:\n%s", document, s.line, strings.Join(s.want, "\n"))
	}
}

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		want, printed string
		ok            bool
	}{
		{"a\nb", "a\nb\n", true},
		{"a", "a\nb\n", false},
		{"a\n…", "a\nb\nc\n", true},
		{"…\nc", "a\nb\nc\n", true},
		{"…\nc", "a\nb\n", false},
		{"a … c", "a b c\n", true},
		{"a … c", "a b\n", false},
		{"a.c", "abc\n", false},
	} {
		if got := pattern(strings.Split(c.want, "\n")).MatchString(c.printed); got != c.ok {
			t.Errorf("%q matches %q: %v, want %v", c.want, c.printed, got, c.ok)
		}
	}
}

// TestReference compares docs/reference with what the program prints.
func TestReference(t *testing.T) {
	pages := map[string][]byte{"configuration.md": []byte(app.SettingsReference())}
	dir := t.TempDir()
	root := newRoot(&session{out: &bytes.Buffer{}, err: &bytes.Buffer{}})
	if err := writePages(root, dir, "markdown"); err != nil {
		t.Fatal(err)
	}
	made, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil || len(made) < 10 {
		t.Fatalf("%d pages were made, %v", len(made), err)
	}
	for _, path := range made {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pages["commands/"+filepath.Base(path)] = text
	}
	if *rewrite {
		rewriteReference(t, pages)
	}
	compareReference(t, pages)
}

// TestLinks follows the links of all documents to other files of the repository.
func TestLinks(t *testing.T) {
	documents := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "rfc/index.md"}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md", "docs/*/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			documents = append(documents, strings.TrimPrefix(path, repository+"/"))
		}
	}
	link := regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)
	followed := 0
	for _, document := range documents {
		text, err := os.ReadFile(filepath.Join(repository, document))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllSubmatch(text, -1) {
			target := string(m[1])
			if strings.Contains(target, "://") {
				continue
			}
			followed++
			if _, err := os.Stat(filepath.Join(repository, filepath.Dir(document), target)); err != nil {
				t.Errorf("%s leads to %s, which is not there", document, target)
			}
		}
	}
	if followed < 20 {
		t.Errorf("just %d links were found", followed)
	}
}

func referencePath(name string) string { return filepath.Join(repository, "docs", "reference", name) }

func rewriteReference(t *testing.T, pages map[string][]byte) {
	t.Helper()
	if err := os.RemoveAll(referencePath("commands")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(referencePath("commands"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range pages {
		if err := os.WriteFile(referencePath(name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func compareReference(t *testing.T, pages map[string][]byte) {
	t.Helper()
	const remedy = "go test ./cmd/utopia -run Reference -rewrite"
	for name, want := range pages {
		got, err := os.ReadFile(referencePath(name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("docs/reference/%s is not what the program prints (%v): %s", name, err, remedy)
		}
	}
	there, err := filepath.Glob(referencePath("commands/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range there {
		if _, ok := pages["commands/"+filepath.Base(path)]; !ok {
			t.Errorf("%s is about a command that is gone: %s", path, remedy)
		}
	}
}
