package dns

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const (
	// MaxTSIGSecret is the most octets of a secret. HMAC has no use for more
	// than a block of its hash, 128 octets at most.
	MaxTSIGSecret = 512
	// MaxTSIGKeyFile is the most octets of a key file.
	MaxTSIGKeyFile = 1 << 20
)

// ParseTSIGKey reads a key as it is given to dig -y and nsupdate -y:
// [algorithm:]name:secret, with the secret in base64. Without an algorithm it
// is HMACSHA256. Errors never hold the secret.
func ParseTSIGKey(s string) (TSIGKey, error) {
	parts := strings.Split(s, ":")
	if len(parts) == 2 {
		parts = append([]string{string(HMACSHA256)}, parts...)
	}
	if len(parts) != 3 {
		return TSIGKey{}, errors.New("dns: TSIG key: want [algorithm:]name:secret")
	}
	return makeTSIGKey(parts[1], parts[0], parts[2])
}

func makeTSIGKey(name, algorithm, secret string) (TSIGKey, error) {
	k := TSIGKey{Algorithm: TSIGAlgorithm(strings.TrimSuffix(strings.ToLower(algorithm), "."))}
	var err error
	if k.Name, err = ParseName(name, Root); err != nil {
		return TSIGKey{}, fmt.Errorf("dns: TSIG key: %w", err)
	}
	if k.Secret, err = base64.StdEncoding.DecodeString(secret); err != nil {
		return TSIGKey{}, fmt.Errorf("dns: TSIG key %s: the secret is not base64", k.Name)
	}
	if err := k.Valid(); err != nil {
		return TSIGKey{}, err
	}
	return k, nil
}

// KeyFile gives the key with its secret, in the form that tsig-keygen writes
// and that named, nsupdate -k and dig -k read.
func (k TSIGKey) KeyFile() string {
	if k.Algorithm == "" {
		k.Algorithm = HMACSHA256
	}
	name := strings.ReplaceAll(strings.TrimSuffix(k.Name.String(), "."), `\"`, `\034`)
	return fmt.Sprintf("key \"%s\" {\n\talgorithm %s;\n\tsecret \"%s\";\n};\n",
		name, k.Algorithm, base64.StdEncoding.EncodeToString(k.Secret))
}

// ParseTSIGKeys reads the keys of such a file: one or more statements
//
//	key "name" { algorithm hmac-sha256; secret "base64"; };
//
// with comments as in C, C++ and the shell. Without an algorithm it is
// HMACSHA256. Two keys of one name are an error. Errors name the line and never
// hold the secret.
func ParseTSIGKeys(text string) ([]TSIGKey, error) {
	if len(text) > MaxTSIGKeyFile {
		return nil, fmt.Errorf("dns: TSIG key file: longer than %d octets", MaxTSIGKeyFile)
	}
	s := keyScanner{rest: text, line: 1}
	var keys []TSIGKey
	seen := map[Name]bool{}
	for {
		word, _, err := s.next()
		if err == nil && word == "" {
			break
		}
		if err == nil && word != "key" {
			err = errors.New("want a key statement")
		}
		var k TSIGKey
		if err == nil {
			k, err = s.key()
		}
		if err == nil && seen[k.Name.Canonical()] {
			err = fmt.Errorf("a second key %s", k.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("dns: TSIG key file: line %d: %w", s.line, err)
		}
		seen[k.Name.Canonical()] = true
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("dns: TSIG key file: there is no key in it")
	}
	return keys, nil
}

// keyScanner cuts a key file into words, quoted strings and { } ;
type keyScanner struct {
	rest string
	line int
}

var errKeyFile = errors.New(`want key "name" { algorithm NAME; secret "BASE64"; };`)

// key reads what follows the word key.
func (s *keyScanner) key() (TSIGKey, error) {
	name, _, err := s.next()
	if err != nil {
		return TSIGKey{}, err
	}
	if name == "" || s.expect("{") != nil {
		return TSIGKey{}, errKeyFile
	}
	algorithm, secret := string(HMACSHA256), ""
	for {
		word, quoted, err := s.next()
		if err != nil {
			return TSIGKey{}, err
		}
		if word == "}" && !quoted {
			break
		}
		value, _, err := s.next()
		if err != nil {
			return TSIGKey{}, err
		}
		switch word {
		case "algorithm":
			algorithm = value
		case "secret":
			secret = value
		default:
			return TSIGKey{}, errKeyFile
		}
		if err := s.expect(";"); err != nil {
			return TSIGKey{}, err
		}
	}
	if err := s.expect(";"); err != nil {
		return TSIGKey{}, err
	}
	return makeTSIGKey(name, algorithm, secret)
}

func (s *keyScanner) expect(want string) error {
	if got, quoted, err := s.next(); err != nil || got != want || quoted {
		return errKeyFile
	}
	return nil
}

// next gives the next word, "" at the end.
func (s *keyScanner) next() (word string, quoted bool, err error) {
	if err := s.skipBlank(); err != nil || s.rest == "" {
		return "", false, err
	}
	switch s.rest[0] {
	case '{', '}', ';':
		word, s.rest = s.rest[:1], s.rest[1:]
		return word, false, nil
	case '"':
		end := strings.IndexByte(s.rest[1:], '"')
		if end < 1 || strings.Contains(s.rest[1:1+end], "\n") {
			return "", false, errors.New("a quoted string is empty or has no end")
		}
		word, s.rest = s.rest[1:1+end], s.rest[end+2:]
		return word, true, nil
	}
	end := strings.IndexAny(s.rest, " \t\r\n{};\"")
	if end < 0 {
		end = len(s.rest)
	}
	word, s.rest = s.rest[:end], s.rest[end:]
	return word, false, nil
}

// skipBlank passes over white space and comments.
func (s *keyScanner) skipBlank() error {
	for s.rest != "" {
		switch {
		case s.rest[0] == '\n':
			s.line++
			s.rest = s.rest[1:]
		case strings.IndexByte(" \t\r", s.rest[0]) >= 0:
			s.rest = s.rest[1:]
		case s.rest[0] == '#', strings.HasPrefix(s.rest, "//"):
			_, after, _ := strings.Cut(s.rest, "\n")
			s.rest, s.line = after, s.line+1
		case strings.HasPrefix(s.rest, "/*"):
			comment, after, ok := strings.Cut(s.rest[2:], "*/")
			if !ok {
				return errors.New("a comment has no end")
			}
			s.rest, s.line = after, s.line+strings.Count(comment, "\n")
		default:
			return nil
		}
	}
	return nil
}
