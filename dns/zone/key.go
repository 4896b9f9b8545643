package zone

import (
	"bytes"

	"github.com/network-utopia/utopia/dns"
)

// A key is a name below an apex in the form that the tree is ordered by: its
// labels from the right, in lower case, each with a zero octet behind it. So
// bytes.Compare orders keys as RFC 4034 section 6.1 orders names, and the key of
// a name begins with those of its ancestors. Octets 0 and 1 within a label are
// escaped, as 1 1 and 1 2, which keeps the order. The apex has the empty key.

// maxKey is the most octets of a key: all of a name's are escaped, or the apex is the root.
const maxKey = 2 * dns.MaxNameLen

const (
	labelEnd  = 0
	keyEscape = 1
)

// appendKey appends the key of a name, without the last skip octets of it,
// which are the apex.
func appendKey[N ~string | ~[]byte](dst []byte, name N, skip int) []byte {
	var starts [dns.MaxNameLen/2 + 1]uint8
	count := 0
	for i := 0; i < len(name)-skip; i += 1 + int(name[i]) {
		starts[count] = uint8(i)
		count++
	}
	for count--; count >= 0; count-- {
		start := int(starts[count]) + 1
		for _, c := range []byte(name[start : start+int(name[start-1])]) {
			switch {
			case c <= keyEscape:
				dst = append(dst, keyEscape, c+1)
				continue
			case 'A' <= c && c <= 'Z':
				c += 'a' - 'A'
			}
			dst = append(dst, c)
		}
		dst = append(dst, labelEnd)
	}
	return dst
}

// nameOfKey gives the name that a key stands for, in lower case.
func nameOfKey(key []byte, apex dns.Name) dns.Name {
	var name [dns.MaxNameLen]byte
	return dns.Name(appendNameOfKey(name[:0], key)) + apex
}

// appendNameOfKey appends the labels that a key stands for, without the apex.
func appendNameOfKey(dst, key []byte) []byte {
	for len(key) > 0 {
		begin := bytes.LastIndexByte(key[:len(key)-1], labelEnd) + 1
		label := key[begin : len(key)-1]
		size := len(dst)
		dst = append(dst, 0)
		for i := 0; i < len(label); i++ {
			c := label[i]
			if c == keyEscape {
				i++
				c = label[i] - 1
			}
			dst = append(dst, c)
		}
		dst[size] = byte(len(dst) - size - 1)
		key = key[:begin]
	}
	return dst
}

// labelOf says where the label that begins at an octet of a key ends: so far goes
// the key of that ancestor.
func labelOf(key []byte, from int) int { return from + bytes.IndexByte(key[from:], labelEnd) + 1 }

// commonKey gives the key of the deepest name that two names have in common.
func commonKey(a, b []byte) []byte {
	common := 0
	for i := 0; i < len(a) && i < len(b) && a[i] == b[i]; i++ {
		if a[i] == labelEnd {
			common = i + 1
		}
	}
	return a[:common]
}

// isWildcardKey says whether the first label of the name is a lone asterisk.
func isWildcardKey(key []byte) bool {
	n := len(key)
	return n >= 2 && key[n-1] == labelEnd && key[n-2] == '*' && (n == 2 || key[n-3] == labelEnd)
}

// hasAsterisk says whether any label of the name is a lone asterisk.
func hasAsterisk(key []byte) bool {
	for end := bytes.IndexByte(key, '*'); end >= 0 && end+1 < len(key); {
		if key[end+1] == labelEnd && (end == 0 || key[end-1] == labelEnd) {
			return true
		}
		next := bytes.IndexByte(key[end+1:], '*')
		if next < 0 {
			return false
		}
		end += 1 + next
	}
	return false
}
