package dns

import (
	"errors"
	"fmt"
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
	var wire [MaxNameLen]byte
	n, err := appendName(wire[:0], s, origin)
	return Name(n), err
}

// AppendName is ParseName for a name among other text: it puts the name's wire
// form behind dst. After an error it returns dst as it was.
func AppendName(dst, s []byte, origin Name) ([]byte, error) {
	n, err := appendName(dst, s, origin)
	if err != nil {
		return dst, fmt.Errorf("dns: name %q: %w", shorten(string(s), 80), err)
	}
	return n, nil
}

// appendName reads a name label by label; those without escapes are copied at
// once.
func appendName[T ~string | ~[]byte](dst []byte, s T, origin Name) ([]byte, error) {
	switch {
	case len(s) == 0:
		return dst, ErrNameEmpty
	case len(s) == 1 && s[0] == '.':
		return append(dst, 0), nil
	case len(s) == 1 && s[0] == '@':
		if origin == "" {
			return dst, ErrNameRelative
		}
		return append(dst, origin...), nil
	}
	begin := len(dst)
	for i := 0; i < len(s); i++ { // over the dot
		label := len(dst)
		out, size, err := appendLabel(append(dst, 0), begin, s[i:])
		if err != nil {
			return dst[:begin], err
		}
		n := len(out) - label - 1
		if n == 0 {
			return dst[:begin], ErrEmptyLabel
		}
		out[label] = byte(n)
		dst = out
		if i += size; i == len(s) {
			return endName(dst, begin, origin)
		}
	}
	return endName(dst, begin, Root)
}

func endName(dst []byte, begin int, origin Name) ([]byte, error) {
	switch {
	case origin == "":
		return dst[:begin], ErrNameRelative
	case len(dst)-begin+len(origin) > MaxNameLen:
		return dst[:begin], ErrNameTooLong
	}
	return append(dst, origin...), nil
}

// appendLabel reads a label up to its dot or to the end of s, behind the octet
// that waits for its length, and says how many characters it took. The name
// begins at begin.
func appendLabel[T ~string | ~[]byte](dst []byte, begin int, s T) (out []byte, size int, err error) {
	label := len(dst)
	for i := 0; i < len(s); {
		end := i
		for end < len(s) && s[end] != '.' && s[end] != '\\' {
			end++
		}
		if end > i {
			if err := roomFor(end-i, len(dst)-label, len(dst)-begin); err != nil {
				return dst, 0, err
			}
			dst = append(dst, s[i:end]...)
		}
		if end == len(s) || s[end] == '.' {
			return dst, end, nil
		}
		c, n, err := unescape(s[end:])
		if err == nil {
			err = roomFor(1, len(dst)-label, len(dst)-begin)
		}
		if err != nil {
			return dst, 0, err
		}
		dst = append(dst, c)
		i = end + n
	}
	return dst, len(s), nil
}

// roomFor says which limit more octets would pass first, where the label has
// inLabel of them and the name inName.
func roomFor(more, inLabel, inName int) error {
	label, name := MaxLabelLen-inLabel, MaxNameLen-inName
	switch {
	case more > label && label <= name:
		return ErrLabelTooLong
	case more > name:
		return ErrNameTooLong
	}
	return nil
}

// unescape reads one escape at the start of s and says how many characters it
// took.
func unescape[T ~string | ~[]byte](s T) (c byte, size int, err error) {
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
	var buf [MaxNameLen]byte
	return string(appendAbsolute(buf[:0], n))
}

// AppendRelative puts the presentation form behind dst, relative to origin: "@"
// for origin itself, the labels before it without a final dot for names below
// it, and the absolute name for others. A name that ends in origin in another
// case is one of those: read back, it is the same octet by octet. With the zero
// origin every name is absolute.
func (n Name) AppendRelative(dst []byte, origin Name) []byte { return appendRelative(dst, n, origin) }

func appendRelative[T ~string | ~[]byte](dst []byte, n T, origin Name) []byte {
	head := len(n) - len(origin)
	if origin == "" || head < 0 || string(n[head:]) != string(origin) {
		return appendAbsolute(dst, n)
	}
	i := 0
	for i < head {
		i += 1 + int(n[i])
	}
	switch {
	case i != head: // the octets of origin begin inside a label
		return appendAbsolute(dst, n)
	case head == 0:
		return append(dst, '@')
	}
	dst = appendLabels(dst, n[:head])
	return dst[:len(dst)-1]
}

func appendAbsolute[T ~string | ~[]byte](dst []byte, n T) []byte {
	if len(n) == 1 && n[0] == 0 {
		return append(dst, '.')
	}
	return appendLabels(dst, n)
}

// appendLabels writes each label with a dot behind it.
func appendLabels[T ~string | ~[]byte](dst []byte, n T) []byte {
	for i := 0; i < len(n) && n[i] != 0; {
		end := min(i+1+int(n[i]), len(n))
		for i++; i < end; i++ {
			dst = appendEscaped(dst, n[i])
		}
		dst = append(dst, '.')
	}
	return dst
}

func appendEscaped(dst []byte, c byte) []byte {
	switch {
	case c <= ' ' || c >= 0x7f:
		return append(dst, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
	case c == '.' || isSpecial(c):
		return append(dst, '\\', c)
	}
	return append(dst, c)
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
