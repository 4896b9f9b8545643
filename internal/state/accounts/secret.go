package accounts

import (
	"crypto/rand"
	"strings"
)

const (
	// appAlphabet is Crockford's base 32: no letter that could be read as another.
	appAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	appLen      = 32 // 4 characters of selector, 28 of secret: 140 bits
	selectorLen = 4
	groupLen    = 4
)

// newAppSecret returns a new app password without its dashes. The first
// selectorLen characters say which one it is, so that one hash is enough to
// check it.
func newAppSecret() string {
	b := make([]byte, appLen)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = appAlphabet[b[i]%byte(len(appAlphabet))]
	}
	return string(b)
}

// group writes an app password as it is shown: abcd-efgh-…
func group(plain string) string {
	var b strings.Builder
	for i := 0; i < len(plain); i += groupLen {
		if i > 0 {
			b.WriteByte('-')
		}
		b.WriteString(plain[i:min(i+groupLen, len(plain))])
	}
	return b.String()
}

// appSecret says whether password has the shape of an app password, and
// returns it as it was hashed. As people type them, dashes and spaces do not
// matter, nor does case, and o, i and l count as 0, 1 and 1.
func appSecret(password string) (plain string, ok bool) {
	b := make([]byte, 0, appLen)
	for i := range len(password) {
		c := password[i]
		switch {
		case c == '-' || c == ' ':
			continue
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		switch c {
		case 'o':
			c = '0'
		case 'i', 'l':
			c = '1'
		}
		if len(b) == appLen || strings.IndexByte(appAlphabet, c) < 0 {
			return "", false
		}
		b = append(b, c)
	}
	return string(b), len(b) == appLen
}
