package dns

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseTTL reads a TTL as master files have it: seconds, or numbers with the
// units w, d, h, m and s, as in 1h30m; MaxTTL at most.
func ParseTTL(s string) (uint32, error) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, fmt.Errorf("%q is no time", shorten(s, 40))
	}
	var total uint64
	for rest := s; rest != ""; {
		n := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if n < 0 {
			n = len(rest)
		}
		v, err := strconv.ParseUint(rest[:n], 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%q is no time in seconds, nor as in 1h30m", shorten(s, 40))
		}
		rest = rest[n:]
		unit := uint64(1)
		if rest != "" {
			if unit = secondsOf(rest[0]); unit == 0 {
				return 0, fmt.Errorf("%q is no time in seconds, nor as in 1h30m", shorten(s, 40))
			}
			rest = rest[1:]
		}
		if total += v * unit; total > MaxTTL {
			return 0, fmt.Errorf("%q is more than %d seconds", shorten(s, 40), MaxTTL)
		}
	}
	return uint32(total), nil
}

// secondsOf gives the seconds of a unit, 0 for what is none.
func secondsOf(unit byte) uint64 {
	switch unit | 0x20 {
	case 's':
		return 1
	case 'm':
		return 60
	case 'h':
		return 3600
	case 'd':
		return 86400
	case 'w':
		return 604800
	}
	return 0
}

// FormatTTL gives seconds as ParseTTL reads them, in the largest units: 5400 is
// 1h30m.
func FormatTTL(seconds uint32) string {
	if seconds == 0 {
		return "0s"
	}
	var out []byte
	for _, u := range [...]struct {
		size uint32
		name byte
	}{{604800, 'w'}, {86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}} {
		if n := seconds / u.size; n > 0 {
			out = append(strconv.AppendUint(out, uint64(n), 10), u.name)
			seconds %= u.size
		}
	}
	return string(out)
}
