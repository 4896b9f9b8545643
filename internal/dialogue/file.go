package dialogue

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// File is one file of dialogues: zones, and what is asked about them.
type File struct {
	Path  string
	Zones []Zone
	Cases []*Case
	// Refuses holds the other servers that do not load these zones, each with the reason.
	Refuses map[string]string

	lines []string
}

// Zone is a zone as a master file.
type Zone struct {
	Name string // absolute
	Text string
}

// Case is a question and its answer.
type Case struct {
	Title, RFC string
	Question   string
	Line       int      // of the question, from 1
	Want       []string // the lines of the answer
	// Differs holds the other servers that answer otherwise, each with the reason.
	Differs map[string]string
}

var titleForm = regexp.MustCompile(`^(.*) \[RFC (\d+[^\]]*)\]$`)

// Read reads a file; an error names the line.
func Read(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("dialogue: %w", err)
	}
	f := &File{Path: path, Refuses: map[string]string{}, lines: strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")}
	for i := 0; i < len(f.lines); i++ {
		line := f.lines[i]
		if name, ok := strings.CutPrefix(line, "zone "); ok {
			length := slices.Index(f.lines[i:], "end")
			if length < 0 {
				return nil, fmt.Errorf("%s:%d: the zone has no end", path, i+1)
			}
			f.Zones = append(f.Zones, Zone{name, strings.Join(f.lines[i+1:i+length], "\n") + "\n"})
			i += length
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := f.line(line, i+1); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
	}
	return f, nil
}

// line reads a line of a case.
func (f *File) line(line string, number int) error {
	tag, rest, _ := strings.Cut(line, ": ")
	if tag == "refuses" && len(f.Cases) == 0 {
		return reasons(f.Refuses, line, rest)
	}
	if tag == "case" {
		m := titleForm.FindStringSubmatch(rest)
		if m == nil {
			return fmt.Errorf("want case: title [RFC number section], not %q", line)
		}
		f.Cases = append(f.Cases, &Case{Title: m[1], RFC: m[2], Differs: map[string]string{}})
		return nil
	}
	if len(f.Cases) == 0 {
		return fmt.Errorf("what is this? %q", line)
	}
	c := f.Cases[len(f.Cases)-1]
	switch tag {
	case "Q":
		c.Question, c.Line = rest, number
	case "A":
		c.Want = append(c.Want, rest)
	case "differs":
		return reasons(c.Differs, line, rest)
	default:
		return fmt.Errorf("what is this? %q", line)
	}
	return nil
}

// reasons notes why some servers do otherwise: "nsd, bind: because".
func reasons(of map[string]string, line, rest string) error {
	servers, reason, ok := strings.Cut(rest, ": ")
	if !ok || reason == "" {
		return fmt.Errorf("want servers: reason, not %q", line)
	}
	for s := range strings.SplitSeq(servers, ", ") {
		if of[s] != "" {
			return fmt.Errorf("%s has two reasons", s)
		}
		of[s] = reason
	}
	return nil
}

// Rewrite writes the file with other answers, by the line of their question.
func (f *File) Rewrite(answers map[int][]string) error {
	var out []string
	for i, line := range f.lines {
		if strings.HasPrefix(line, "A: ") {
			continue
		}
		out = append(out, line)
		for _, a := range answers[i+1] {
			out = append(out, "A: "+a)
		}
	}
	if err := os.WriteFile(f.Path, []byte(strings.Join(out, "\n")+"\n"), 0o666); err != nil { //nolint:gosec // it is no secret
		return fmt.Errorf("dialogue: %w", err)
	}
	return nil
}
