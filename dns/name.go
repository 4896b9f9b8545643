package dns

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of RFC 1035 section 2.3.4.
const (
	// MaxNameLen is the most octets that a name takes on the wire, its final
	// zero included.
	MaxNameLen = 255
	// MaxLabelLen is the most octets of one label.
	MaxLabelLen = 63
)

// What can be wrong with a name.
var (
	ErrNameTooLong  = errors.New("name is longer than 255 octets")
	ErrLabelTooLong = errors.New("label is longer than 63 octets")
	ErrEmptyLabel   = errors.New("empty label")
	ErrEscape       = errors.New("bad escape: want \\DDD up to 255, or \\ and one character")
	ErrNameRelative = errors.New("name is relative and there is no origin")
	ErrNameEmpty    = errors.New("empty name")
)

// Name is a domain name in wire form, uncompressed: labels, each behind an
// octet with its length, and a final zero octet (RFC 1035 section 3.1). It
// keeps the case that it was written in; comparisons fold ASCII letters and
// nothing else (RFC 4343). The zero value is no name: use Root for the root.
//
// Length octets are at most 63 and so never look like letters, which is why
// folding the whole string folds just the labels.
type Name string

// Root is the name of the root, ".".
const Root Name = "\x00"

// ParseName reads a name in presentation form (RFC 1035 section 5.1), with
// the escapes \DDD and \X. A name that does not end in a dot is relative to
// origin, and "@" is origin itself; with Root as the origin every name is
// taken as absolute. With the zero origin a relative name is an error.
func ParseName(s string, origin Name) (Name, error) {
	n, err := parseName(s, origin)
	if err != nil {
		return "", fmt.Errorf("dns: name %q: %w", shorten(s, 80), err)
	}
	return n, nil
}

// MustParseName is ParseName for absolute names that stand in the source; it
// panics when s is no name.
func MustParseName(s string) Name {
	n, err := ParseName(s, Root)
	if err != nil {
		panic(err)
	}
	return n
}

func parseName(s string, origin Name) (Name, error) {
	switch s {
	case "":
		return "", ErrNameEmpty
	case ".":
		return Root, nil
	case "@":
		if origin == "" {
			return "", ErrNameRelative
		}
		return origin, nil
	}
	wire := make([]byte, 1, MaxNameLen)
	start := 0 // where the current label's length octet stands
	absolute := false
	for i := 0; i < len(s); {
		if s[i] == '.' {
			if err := closeLabel(wire, start); err != nil {
				return "", err
			}
			if i++; i == len(s) {
				absolute = true
				break
			}
			start = len(wire)
			wire = append(wire, 0)
			continue
		}
		c, size, err := unescape(s[i:])
		if err != nil {
			return "", err
		}
		i += size
		if len(wire)-start > MaxLabelLen {
			return "", ErrLabelTooLong
		}
		if len(wire) >= MaxNameLen {
			return "", ErrNameTooLong
		}
		wire = append(wire, c)
	}
	if !absolute {
		if err := closeLabel(wire, start); err != nil {
			return "", err
		}
		if origin == "" {
			return "", ErrNameRelative
		}
		wire = append(wire, origin...)
	} else {
		wire = append(wire, 0)
	}
	if len(wire) > MaxNameLen {
		return "", ErrNameTooLong
	}
	return Name(wire), nil
}

func closeLabel(wire []byte, start int) error {
	n := len(wire) - start - 1
	if n == 0 {
		return ErrEmptyLabel
	}
	wire[start] = byte(n)
	return nil
}

// unescape reads one octet of a label at the start of s and says how many
// characters of s it took.
func unescape(s string) (c byte, size int, err error) {
	if s[0] != '\\' {
		return s[0], 1, nil
	}
	if len(s) >= 4 && isDigit(s[1]) && isDigit(s[2]) && isDigit(s[3]) {
		v := int(s[1]-'0')*100 + int(s[2]-'0')*10 + int(s[3]-'0')
		if v > 255 {
			return 0, 0, ErrEscape
		}
		return byte(v), 4, nil
	}
	if len(s) < 2 || isDigit(s[1]) {
		return 0, 0, ErrEscape
	}
	return s[1], 2, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// NameFromWire reads an uncompressed name at the start of b and says how many
// octets it takes. A compression pointer is an error here.
func NameFromWire(b []byte) (n Name, size int, err error) {
	size, err = wireNameLen(b)
	if err != nil {
		return "", 0, fmt.Errorf("dns: name on the wire: %w", err)
	}
	return Name(b[:size]), size, nil
}

func wireNameLen(b []byte) (int, error) {
	for i := 0; i < len(b); {
		c := int(b[i])
		if c > MaxLabelLen {
			return 0, errLabelType
		}
		i += 1 + c
		if i > MaxNameLen {
			return 0, ErrNameTooLong
		}
		if c == 0 {
			return i, nil
		}
	}
	return 0, errShort
}

// Valid says whether n is a whole name in wire form. Names that ParseName,
// NameFromWire and Parse return are; the check is for names converted from
// strings.
func (n Name) Valid() bool {
	for i := 0; i < len(n) && len(n) <= MaxNameLen; i += 1 + int(n[i]) {
		if n[i] == 0 {
			return i == len(n)-1
		}
		if n[i] > MaxLabelLen {
			return false
		}
	}
	return false
}

// String gives the presentation form, always with the final dot. Octets that
// are special in master files are escaped. The zero Name gives "".
func (n Name) String() string {
	if n == Root {
		return "."
	}
	var b strings.Builder
	b.Grow(len(n) + 4)
	for i := 0; i < len(n) && n[i] != 0; {
		end := min(i+1+int(n[i]), len(n))
		for _, c := range []byte(n[i+1 : end]) {
			writeEscaped(&b, c)
		}
		b.WriteByte('.')
		i = end
	}
	return b.String()
}

func writeEscaped(b *strings.Builder, c byte) {
	switch {
	case c <= ' ' || c >= 0x7f:
		b.WriteByte('\\')
		b.WriteByte('0' + c/100)
		b.WriteByte('0' + c/10%10)
		b.WriteByte('0' + c%10)
	case strings.IndexByte(`.\"();@$`, c) >= 0:
		b.WriteByte('\\')
		b.WriteByte(c)
	default:
		b.WriteByte(c)
	}
}

// Label gives the first label's octets, "" for the root.
func (n Name) Label() string {
	if len(n) == 0 || len(n) < 1+int(n[0]) {
		return ""
	}
	return string(n[1 : 1+int(n[0])])
}

// Parent gives the name without its first label. The root's parent is the
// root.
func (n Name) Parent() Name {
	if len(n) <= 1 || len(n) < 2+int(n[0]) {
		return n
	}
	return n[1+int(n[0]):]
}

// NumLabels counts the labels without the root's empty one: 0 for the root,
// 2 for "example.test.".
func (n Name) NumLabels() int {
	count := 0
	for i := 0; i < len(n) && n[i] != 0; i += 1 + int(n[i]) {
		count++
	}
	return count
}

// Ancestor gives the name with just its last labels labels: the root for 0,
// n itself when it has no more than that.
func (n Name) Ancestor(labels int) Name {
	for drop := n.NumLabels() - labels; drop > 0; drop-- {
		n = n.Parent()
	}
	return n
}

// Prepend puts a label before n. It fails when the label or the name gets
// too long or the label is empty.
func (n Name) Prepend(label string) (Name, error) {
	switch {
	case label == "":
		return "", fmt.Errorf("dns: label before %s: %w", n, ErrEmptyLabel)
	case len(label) > MaxLabelLen:
		return "", fmt.Errorf("dns: label before %s: %w", n, ErrLabelTooLong)
	case 1+len(label)+len(n) > MaxNameLen:
		return "", fmt.Errorf("dns: label before %s: %w", n, ErrNameTooLong)
	}
	return Name(string([]byte{byte(len(label))}) + label + string(n)), nil
}

// Wildcard gives "*" prepended to n (RFC 4592), and false when that would be
// too long to be a name.
func (n Name) Wildcard() (Name, bool) {
	if len(n)+2 > MaxNameLen {
		return "", false
	}
	return "\x01*" + n, true
}

// IsWildcard says whether the first label is a lone asterisk.
func (n Name) IsWildcard() bool { return len(n) > 2 && n[0] == 1 && n[1] == '*' }

// ReplaceSuffix gives n with its suffix from replaced by to, as a DNAME does
// (RFC 6672 section 2.2). n must be a subdomain of from; the result may be
// too long, which gives ErrNameTooLong.
func (n Name) ReplaceSuffix(from, to Name) (Name, error) {
	if !n.IsSubdomainOf(from) {
		return "", fmt.Errorf("dns: %s is not below %s", n, from)
	}
	head := n[:len(n)-len(from)]
	if len(head)+len(to) > MaxNameLen {
		return "", fmt.Errorf("dns: %s under %s: %w", n, to, ErrNameTooLong)
	}
	return head + to, nil
}

func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}
