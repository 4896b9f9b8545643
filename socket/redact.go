package socket

import "strings"

// redactor finds the secrets in lines that people type to a server: the passwords of FTP, POP3, IMAP and SMTP, and the
// credentials of HTTP. What it does not know passes, so a transcript of [Connect] is for whoever typed.
type redactor struct {
	expected int // lines that may still be the rest of a SASL dialogue (RFC 4422): user name and password
}

// divide splits a line into what may be shown and what may not; secret is empty for most lines.
func (r *redactor) divide(text string) (shown, secret string) {
	words := strings.SplitAfterN(text, " ", 4)
	if r.expected > 0 {
		r.expected--
		if len(words) == 1 {
			return "", text
		}
		r.expected = 0 // a new command
	}
	if name, value, ok := strings.Cut(text, ":"); ok && credentials(name) { // with or without a space (RFC 9112 section 5)
		spaces := len(value) - len(strings.TrimLeft(value, " \t"))
		return text[:len(text)-len(value)+spaces], value[spaces:]
	}
	keep := r.public(words)
	if keep == 0 || keep >= len(words) {
		return text, ""
	}
	return strings.Join(words[:keep], ""), strings.Join(words[keep:], "")
}

// credentials says whether a field of an HTTP request holds some.
func credentials(name string) bool {
	switch strings.ToUpper(name) {
	case "AUTHORIZATION", "PROXY-AUTHORIZATION", "COOKIE":
		return true
	}
	return false
}

// public is how many words may be shown; 0 for all.
func (r *redactor) public(words []string) int {
	switch keyword(words, 0) {
	case "PASS", "ACCT":
		return 1
	case "APOP": // user and digest
		return 2
	case "AUTH": // SMTP and POP3: AUTH mechanism [initial-response]
		r.expected = rest(words, 1)
		return 2
	}
	switch keyword(words, 1) {
	case "LOGIN": // IMAP: tag LOGIN user password
		return 2
	case "AUTHENTICATE": // IMAP: tag AUTHENTICATE mechanism [initial-response]
		r.expected = rest(words, 2)
		return 3
	}
	return 0
}

// rest is how many lines a SASL dialogue may still take after its command; the mechanism is word i, and an initial
// response may follow it.
func rest(words []string, i int) int {
	lines := 2
	if keyword(words, i) == "PLAIN" {
		lines = 1
	}
	if keyword(words, i+1) != "" {
		lines--
	}
	return lines
}

func keyword(words []string, i int) string {
	if i >= len(words) {
		return ""
	}
	return strings.ToUpper(strings.TrimSpace(words[i]))
}
