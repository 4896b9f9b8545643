package config

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// secretKey matches the keys, and what follows up to their values, that people
// put passwords behind. The secrets of [dns.keys] are the only such settings,
// but what is wrong with the file is shown, and may go to a log.
const secretKey = `(?i)(password|passwd|secret|\b(pass|token|key))["']?[ \t]*[=:]`

// secretValue matches such a key with its value.
const secretValue = secretKey + `[ \t]*("""[^\n]*|'''[^\n]*|"([^"\\]|\\.)*("|$)|'[^']*('|$)|[{\[].*|[^ \t,}]*)`

func isSecret(key string) bool { return regexp.MustCompile(secretKey).MatchString(key + "=") }

// setsSecret tells whether a line (from 1) gives a secret.
func (s *source) setsSecret(line int) bool {
	found, known := s.secretLines[line]
	if !known {
		found = regexp.MustCompile(secretKey).Match(s.data[s.lines[line-1]:s.lineEnd(line)])
		s.secretLines[line] = found
	}
	return found
}

// redact takes the secrets out of the lines that are shown.
func (s *source) redact() {
	for i := range s.problems {
		p := &s.problems[i]
		if p.Line == 0 {
			continue
		}
		for _, at := range s.secrets {
			first, last := s.line(at.start), s.line(at.end)
			if first <= p.Line && p.Line <= last && (first < last || !s.setsSecret(p.Line)) {
				p.Source, p.Caret, p.Width = "", 0, 0 // a value of several lines, or of a key that is not known for one
			}
		}
		if !s.setsSecret(p.Line) {
			continue
		}
		if p.Source != string(s.data[s.lines[p.Line-1]:s.lineEnd(p.Line)]) {
			p.Source, p.Caret, p.Width = "", 0, 0 // a part of a line, which may begin within the secret
			continue
		}
		p.Source = regexp.MustCompile(secretValue).ReplaceAllStringFunc(p.Source, hideValue)
	}
}

// hideValue puts an asterisk for each character of a value, so that carets
// stay where they are.
func hideValue(pair string) string {
	i := regexp.MustCompile(secretKey).FindStringIndex(pair)[1]
	value := strings.TrimLeft(pair[i:], " \t")
	return pair[:len(pair)-len(value)] + strings.Repeat("*", utf8.RuneCountInString(value))
}
