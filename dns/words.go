package dns

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// splitWords cuts data into words as the reader of master files does, where it
// stands on one line without parentheses and comments.
func splitWords(text string) (words [][]byte, ok bool) {
	for i := 0; i < len(text); {
		if text[i] == ' ' || text[i] == '\t' {
			i++
			continue
		}
		n, ok := wordLen(text[i:])
		if !ok {
			return nil, false
		}
		words = append(words, []byte(text[i:i+n]))
		i += n
	}
	return words, true
}

// wordLen counts the characters of the word that text begins with. One that
// begins with a quote ends with the next one.
func wordLen(text string) (n int, ok bool) {
	whole, quoted := text[0] == '"', false
	for n < len(text) {
		c := text[n]
		switch {
		case c == '\n', c == '\r':
			return 0, false
		case c == '"':
			if quoted = !quoted; whole && !quoted {
				return n + 1, true
			}
		case c == '\\':
			if n++; n == len(text) || text[n] == '\n' || text[n] == '\r' {
				return 0, false
			}
		case quoted:
		case c == ' ', c == '\t':
			return n, true
		case c == ';', c == '(', c == ')':
			return 0, false
		}
		n++
	}
	return n, !quoted
}

// genericData reads \\# with a length and as many octets in hexadecimal digits,
// which may have blanks among them.
func genericData(text string) (data []byte, ok bool) {
	words := strings.Fields(text)
	if len(words) < 2 || words[0] != `\#` {
		return nil, false
	}
	size, err := strconv.ParseUint(words[1], 10, 16)
	if err != nil {
		return nil, false
	}
	data, err = hex.DecodeString(strings.Join(words[2:], ""))
	return data, err == nil && uint64(len(data)) == size
}

// badEscape gives the word with the first escape that is none: digits behind a
// backslash are three, and not more than 255 (RFC 1035 section 5.1). miekg/dns
// takes others for something.
func badEscape(text string) (word string) {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if _, n, err := unescape(text[i:]); err == nil {
			i += n - 1
			continue
		}
		start := strings.LastIndexAny(text[:i], " \t") + 1
		end := strings.IndexAny(text[i:]+" ", " \t")
		return text[start : i+end]
	}
	return ""
}
