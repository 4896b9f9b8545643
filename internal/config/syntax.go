package config

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// resume returns where to go on reading after a mistake at offset in what
// began at start: a line below start that looks like the start of something,
// the line of the mistake itself if it is one.
func (s *source) resume(start, offset int) int {
	line := s.line(offset)
	if line == s.line(start) {
		line++
	}
	for ; line <= len(s.lines); line++ {
		if s.begins(line) {
			return s.lines[line-1]
		}
	}
	return len(s.data)
}

// begins tells whether a line begins a section or sets a key, or tried to.
func (s *source) begins(line int) bool {
	text := bytes.TrimLeft(s.data[s.lines[line-1]:s.lineEnd(line)], " \t")
	if name, ok := bytes.CutPrefix(text, []byte("[")); ok {
		name = bytes.TrimLeft(bytes.TrimPrefix(name, []byte("[")), " \t")
		return len(name) > 0 && isKeyByte(name[0]) && (name[0] < '0' || name[0] > '9')
	}
	rest := bytes.TrimLeftFunc(text, func(r rune) bool { return r == '.' || r >= utf8.RuneSelf || isKeyByte(byte(r)) })
	after := bytes.TrimLeft(rest, " \t")
	return len(rest) < len(text) && len(after) > 0 && (after[0] == '=' || after[0] == ':')
}

// isKeyByte tells whether a byte may stand in a key without quotes.
func isKeyByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_'
}

// syntaxProblem reports a mistake that the TOML reader found, in our words.
// Start is where the key, header or value began that could not be read.
func (s *source) syntaxProblem(start int, at span, message string) {
	if first, line := s.line(start), s.line(at.start); first < line && s.begins(line) {
		at = span{s.lines[line-1], s.lineEnd(line)}
		s.problem(at, "close it with ] or } where it ends", "what begins on line %d has not ended before this", first)
		return
	}
	if s.setsSecret(s.line(at.start)) {
		// Both the message and the caret would tell too much.
		line := s.lines[s.line(at.start)-1]
		s.problem(span{line, line}, habit("password"), "the line of a secret cannot be read")
		return
	}
	at, text, hint := s.syntaxWords(start, at, message)
	s.problem(at, hint, "%s", text)
}

func (s *source) syntaxWords(start int, at span, message string) (where span, text, hint string) {
	switch {
	case strings.Contains(message, "at start of value"), strings.HasPrefix(message, "expected keyword"),
		strings.HasPrefix(message, "expected value"), message == "strings must be quoted",
		strings.HasPrefix(message, "expected digit"), strings.HasPrefix(message, "expected number"),
		strings.HasPrefix(message, "decimal point"), strings.HasPrefix(message, "exponent"),
		strings.HasPrefix(message, "radix"), strings.HasPrefix(message, `expected "`):
		return s.badValue(at)
	case strings.HasPrefix(message, "integers cannot"):
		return s.leadingZero(at)
	case strings.HasPrefix(message, "expected newline"):
		return s.badRest(at)
	case strings.HasPrefix(message, "expected '=' after key"):
		return s.badKey(at)
	case strings.HasPrefix(message, "invalid character at start of key"):
		return s.noKey(at)
	case strings.HasPrefix(message, "expected key"):
		return at, "a key is missing here", ""
	case strings.HasPrefix(message, "expected ']"):
		return at, "the name of a section ends with ]", ""
	case strings.HasSuffix(message, "strings cannot have new lines"), strings.HasPrefix(message, "unterminated"):
		return s.openQuote(at), "a quote is not closed on its line", ""
	case strings.Contains(message, "not terminated by"):
		return s.openQuotes(start, at), "a text of several lines is not closed with its three quotes", ""
	case strings.HasPrefix(message, "invalid escape character"):
		return at, fmt.Sprintf("%s is no escape", s.data[at.start:at.end]), `write \\ for a backslash, or put the text in single quotes`
	case strings.Contains(message, "escape sequence"):
		return at, "an escape is not right", `\x takes two hexadecimal digits, \u four, \U eight`
	case strings.HasPrefix(message, "need a character after"):
		return at, "a backslash at the end", `write \\ for a backslash, or put the text in single quotes`
	case strings.HasPrefix(message, "too many quotes"):
		return at, "too many quotes at the end of the text", ""
	case strings.HasPrefix(message, "array is incomplete"):
		return at, "a list is not closed with ]", ""
	case strings.HasPrefix(message, "inline table is incomplete"):
		return at, "a table is not closed with }", ""
	case strings.HasPrefix(message, "expected ',' or ']'"):
		if where := s.word(at.start); where.start < at.start {
			return s.badValue(at)
		}
		return at, "expected a comma between the items of the list, or ] at its end", ""
	case strings.HasPrefix(message, "expected ',' or '}'"):
		return at, "expected a comma between the keys of the table, or } at its end", ""
	case strings.Contains(message, "comma in inline table"):
		return at, "a comma with nothing before it", ""
	case strings.Contains(strings.ToLower(message), "carriage return"):
		return at, "a carriage return that does not end a line", ""
	case strings.Contains(message, "control characters"):
		return at, fmt.Sprintf("a control character (0x%02X)", s.data[at.start]), ""
	}
	switch {
	case strings.Contains(message, "underscores"):
		return at, "an underscore in a number stands between two digits", ""
	case strings.Contains(message, "nested more than"):
		return at, tooDeep, ""
	}
	return at, "this is not TOML: " + message, ""
}

// word returns the run of bytes around offset that people write as one value
// when they forget the quotes.
func (s *source) word(offset int) span {
	part := func(b byte) bool {
		return b >= 0x80 || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || strings.IndexByte("_-./:@+~*%$", b) >= 0
	}
	at := span{offset, offset}
	for at.start > 0 && part(s.data[at.start-1]) {
		at.start--
	}
	for at.end < len(s.data) && part(s.data[at.end]) {
		at.end++
	}
	return at
}

func (s *source) badValue(at span) (span, string, string) {
	where := s.word(at.start)
	word := string(s.data[where.start:where.end])
	switch strings.ToLower(word) {
	case "":
		if at.start >= len(s.data) || bytes.IndexByte([]byte(" \t\r\n#"), s.data[at.start]) >= 0 {
			return at, "a value is missing here", ""
		}
		return at, fmt.Sprintf("expected a value, found %s", quote(firstRune(s.data[at.start:]))), ""
	case "true", "yes", "on", "y":
		return where, "expected a value, found " + quote(word), "write true"
	case "false", "no", "off", "n":
		return where, "expected a value, found " + quote(word), "write false"
	}
	return where, "expected a value, found " + quote(word), quotesHint(word)
}

// quotesHint proposes quotes for what is more than a number gone wrong.
func quotesHint(word string) string {
	if text := strings.Trim(word, "“”„‟‘’‚«»`"); text != word {
		return "text stands in straight quotes: " + quote(text) // a word processor has bent them
	}
	if strings.Count(word, ".") > 1 || strings.TrimFunc(word, func(r rune) bool { return r < 'A' }) != "" {
		return "text stands in quotes: " + quote(word)
	}
	return ""
}

func (s *source) leadingZero(at span) (span, string, string) {
	where := s.word(at.start)
	word := string(s.data[where.start:where.end])
	if number := strings.TrimLeft(word, "0"); number != "" && strings.Trim(number, "0123456789") == "" {
		return where, "a number does not begin with 0", "write " + number
	}
	return s.badValue(at)
}

// badRest is about what follows a value on its line.
func (s *source) badRest(at span) (span, string, string) {
	if s.data[at.start] == '\r' {
		return at, "a carriage return that does not end a line", ""
	}
	line := s.lines[s.line(at.start)-1]
	before := s.data[line:at.start]
	where := s.word(at.start)
	if eq := bytes.LastIndexByte(before, '='); eq >= 0 && where.start < at.start {
		word := string(s.data[where.start:where.end])
		return where, "expected a value, found " + quote(word), quotesHint(word)
	}
	if where.start == where.end {
		where = at
	}
	return where, "expected the end of the line, found " + quote(string(s.data[where.start:max(where.end, where.start+1)])), ""
}

func (s *source) badKey(at span) (span, string, string) {
	if at.start < len(s.data) && s.data[at.start] == ':' {
		return at, "expected = after the key", "write = in place of :"
	}
	if at.start < len(s.data) && s.data[at.start] >= 0x80 {
		return s.foreignKey(at)
	}
	return at, "expected = after the key", ""
}

func (s *source) noKey(at span) (span, string, string) {
	if s.data[at.start] >= utf8.RuneSelf {
		return s.foreignKey(at)
	}
	return at, "expected a key, found " + quote(firstRune(s.data[at.start:])), ""
}

func (s *source) foreignKey(at span) (span, string, string) {
	where := s.word(at.start)
	return where, "a key holds letters a to z, digits, hyphens and underscores, unlike " + quote(string(s.data[where.start:where.end])), ""
}

// openQuote returns the quote that begins the text that is still open at the
// end of the line.
func (s *source) openQuote(at span) span {
	line := s.lines[s.line(at.start)-1]
	if i := bytes.LastIndexAny(s.data[line:min(at.start+1, len(s.data))], `"'`); i >= 0 {
		return span{line + i, at.end}
	}
	return at
}

// openQuotes is openQuote, for a text of several lines.
func (s *source) openQuotes(start int, at span) span {
	for _, quotes := range []string{`"""`, "'''"} {
		if i := bytes.Index(s.data[start:at.end], []byte(quotes)); i >= 0 {
			return span{start + i, start + i + len(quotes)}
		}
	}
	return at
}

func firstRune(b []byte) string {
	for _, r := range string(b[:min(len(b), 4)]) {
		return string(r)
	}
	return ""
}
