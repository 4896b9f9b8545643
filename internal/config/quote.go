package config

import (
	"fmt"
	"strings"
)

// quoteTOML writes a text as a basic string, TOML 1.1.
func quoteTOML(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7F:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// quoteKey writes a key, in quotes only where it needs them.
func quoteKey(s string) string {
	bare := s != ""
	for _, b := range []byte(s) {
		bare = bare && isKeyByte(b)
	}
	if bare {
		return s
	}
	return quoteTOML(s)
}
