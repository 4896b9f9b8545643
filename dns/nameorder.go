package dns

// Canonical gives the name with its ASCII letters in lower case (RFC 4034
// section 6.2). A name that is in lower case already is returned as it is,
// without an allocation.
func (n Name) Canonical() Name {
	for i := 0; i < len(n); i++ {
		if isUpper(n[i]) {
			b := []byte(n)
			lowerASCII(b[i:])
			return Name(b)
		}
	}
	return n
}

// Equal compares two names without regard to ASCII case (RFC 4343).
func (n Name) Equal(m Name) bool { return equalFold(n, m) }

// IsSubdomainOf says whether n is parent or lies below it.
func (n Name) IsSubdomainOf(parent Name) bool {
	skip := len(n) - len(parent)
	if skip < 0 || parent == "" {
		return false
	}
	i := 0
	for i < skip {
		if n[i] == 0 {
			return false
		}
		i += 1 + int(n[i])
	}
	return i == skip && equalFold(n[skip:], parent)
}

// Compare orders names as DNSSEC does (RFC 4034 section 6.1): label by label
// from the right, in lower case, a missing label first. It returns -1, 0 or 1.
func (n Name) Compare(m Name) int {
	var a, b [MaxNameLen/2 + 1]uint8
	na, nb := n.offsets(&a), m.offsets(&b)
	for na > 0 && nb > 0 {
		na, nb = na-1, nb-1
		if c := compareLabels(n.labelAt(a[na]), m.labelAt(b[nb])); c != 0 {
			return c
		}
	}
	switch {
	case na > 0:
		return 1
	case nb > 0:
		return -1
	}
	return 0
}

// offsets notes where each label begins and returns how many there are.
func (n Name) offsets(into *[MaxNameLen/2 + 1]uint8) int {
	count := 0
	for i := 0; i < len(n) && n[i] != 0 && count < len(into); i += 1 + int(n[i]) {
		into[count] = uint8(i)
		count++
	}
	return count
}

func (n Name) labelAt(off uint8) Name {
	start := int(off) + 1
	return n[start:min(start+int(n[off]), len(n))]
}

func compareLabels(a, b Name) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		x, y := lower(a[i]), lower(b[i])
		if x != y {
			if x < y {
				return -1
			}
			return 1
		}
	}
	switch {
	case len(a) < len(b):
		return -1
	case len(a) > len(b):
		return 1
	}
	return 0
}

func equalFold[T, U ~string | ~[]byte](a T, b U) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

func lower(c byte) byte {
	if isUpper(c) {
		return c + ('a' - 'A')
	}
	return c
}

func lowerASCII(b []byte) {
	for i, c := range b {
		b[i] = lower(c)
	}
}
