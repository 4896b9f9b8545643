package config

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sort"
	"unicode/utf8"
)

// span is a part of the text: from start up to, but without, end; in bytes.
type span struct{ start, end int }

// source is the text of a file and what was found to be wrong in it.
type source struct {
	name     string
	data     []byte // without a byte order mark
	lines    []int  // where each line begins
	problems []Problem
	warnings []Problem
	more     int    // problems past MaxProblems
	stopped  bool   // not all of the file was read
	secrets  []span // values that no problem may show

	secretLines map[int]bool // whether a line gives a secret, where that was asked
}

var bom = [...]byte{0xEF, 0xBB, 0xBF}

func newSource(name string, data []byte) *source {
	s := &source{name: name, data: bytes.TrimPrefix(data, bom[:]), lines: []int{0}, secretLines: map[int]bool{}}
	for i, b := range s.data {
		if b == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// document checks the bytes of the file and returns its tree. The tree of a
// file that is no text at all is empty.
func (s *source) document() *document {
	if f := s.unreadable(); f {
		return &document{root: &node{kind: isTable}, broken: true}
	}
	return buildTree(s)
}

// unreadable reports what makes a file no text in UTF-8.
func (s *source) unreadable() bool {
	switch {
	case len(s.data) > MaxFileSize:
		s.fileProblem("", fmt.Sprintf("the file is longer than %s", Size(MaxFileSize)))
		return true
	case bytes.HasPrefix(s.data, []byte{0xFF, 0xFE}), bytes.HasPrefix(s.data, []byte{0xFE, 0xFF}):
		s.problem(span{0, 2}, "save it as UTF-8", "the file is in UTF-16")
		return true
	}
	if i := bytes.IndexByte(s.data, 0); i >= 0 {
		s.problem(span{i, i + 1}, "", "a NUL byte: the file is no text")
		return true
	}
	for i := 0; i < len(s.data); {
		r, n := utf8.DecodeRune(s.data[i:])
		if r == utf8.RuneError && n == 1 {
			s.problem(span{i, i + 1}, "save it as UTF-8", "byte 0x%02X: the file is not in UTF-8", s.data[i])
			return true
		}
		i += n
	}
	return false
}

// line returns the number, from 1, of the line that holds the offset.
func (s *source) line(offset int) int {
	return sort.SearchInts(s.lines, offset+1)
}

// lineEnd returns the offset of the end of a line (from 1), without CR and LF.
func (s *source) lineEnd(line int) int {
	end := len(s.data)
	if line < len(s.lines) {
		end = s.lines[line] - 1
	}
	if end > s.lines[line-1] && s.data[end-1] == '\r' {
		end--
	}
	return end
}

// full tells whether no further problem will be shown, so that costly hints
// need not be found.
func (s *source) full() bool { return len(s.problems) >= MaxProblems }

func (s *source) problem(at span, hint, format string, args ...any) {
	if s.full() {
		s.more++
		return
	}
	s.problems = append(s.problems, s.locate(at, hint, fmt.Sprintf(format, args...)))
}

// fileProblem reports what is about no place in the file.
func (s *source) fileProblem(hint, message string) {
	s.problems = append(s.problems, Problem{File: s.name, Message: message, Hint: hint})
}

func (s *source) warn(at span, format string, args ...any) {
	if len(s.warnings) < MaxProblems {
		s.warnings = append(s.warnings, s.locate(at, "", fmt.Sprintf(format, args...)))
	}
}

func (s *source) locate(at span, hint, message string) Problem {
	line := s.line(at.start)
	start, end := s.lines[line-1], s.lineEnd(line)
	from := min(at.start, end)
	to := max(min(at.end, end), from)
	column := utf8.RuneCount(s.data[start:from]) + 1
	text, caret := cut([]rune(string(s.data[start:end])), column)
	return Problem{
		File: s.name, Line: line, Column: column,
		Source: text, Caret: caret, Width: max(utf8.RuneCount(s.data[from:to]), 1),
		Message: message, Hint: hint,
	}
}

// cut returns the part of a long line around a column, and where that column
// is in it.
func cut(line []rune, column int) (text string, caret int) {
	const longest, before = 160, 60
	if len(line) <= longest {
		return string(line), column
	}
	start := max(min(column-1-before, len(line)-longest), 0)
	end := min(start+longest, len(line))
	caret = column - start
	text = string(line[start:end])
	if end < len(line) {
		text += "..."
	}
	if start > 0 {
		text, caret = "..."+text, caret+3
	}
	return text, caret
}

// sorted returns the problems in the order of the file.
func (s *source) sorted() Problems {
	s.redact()
	sortProblems(s.problems)
	switch {
	case s.stopped:
		s.fileProblem("", "there are more problems")
	case s.more == 1:
		s.fileProblem("", "there is one more problem")
	case s.more > 0:
		s.fileProblem("", fmt.Sprintf("there are %d more problems", s.more))
	}
	return s.problems
}

func sortProblems(p []Problem) {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
