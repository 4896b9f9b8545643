package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is an amount of bytes. In the file it is text such as "5 GB" or
// "512 MiB": kB, MB, GB and TB count by 1000, KiB, MiB, GiB and TiB by 1024.
type Size int64

// Duration is a length of time. In the file it is text such as "20s", "1h30m"
// or "90d": the units are ms, s, m, h, d (24 hours) and w (7 days).
type Duration time.Duration

// unit is one unit of sizes or times.
type unit struct {
	name  string
	count int64
}

// sizeUnits and timeUnits go from the greatest to the least.
func sizeUnits() []unit {
	return []unit{
		{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9},
		{"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3}, {"B", 1},
	}
}

func timeUnits() []unit {
	return []unit{
		{"w", int64(7 * 24 * time.Hour)}, {"d", int64(24 * time.Hour)}, {"h", int64(time.Hour)},
		{"m", int64(time.Minute)}, {"s", int64(time.Second)}, {"ms", int64(time.Millisecond)},
	}
}

const (
	sizePattern     = `^[0-9]+(\.[0-9]{1,3})? ?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$`
	durationPattern = `^([0-9]+ ?(ms|s|m|h|d|w) ?)+$`
)

// amount reads digits, a point and up to three more digits, and gives what is
// left of the text after blanks.
func amount(s string) (whole, thousandths int64, rest string, ok bool) {
	digits := func(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }
	n := digits(s)
	whole, err := strconv.ParseInt(s[:n], 10, 64)
	if err != nil {
		return 0, 0, "", false
	}
	rest = s[n:]
	if strings.HasPrefix(rest, ".") {
		n = digits(rest[1:])
		if n < 1 || n > 3 {
			return 0, 0, "", false
		}
		thousandths, _ = strconv.ParseInt(rest[1:1+n], 10, 64)
		for range 3 - n {
			thousandths *= 10
		}
		rest = rest[1+n:]
	}
	return whole, thousandths, strings.TrimPrefix(rest, " "), true
}

// times multiplies an amount by a unit. It is not ok past 63 bits, or where
// the result is not whole.
func times(whole, thousandths, count int64) (int64, bool) {
	part := thousandths * count // at most 999 weeks of nanoseconds or 999 TiB: below 63 bits
	if part%1000 != 0 || whole > (math.MaxInt64-part/1000)/count {
		return 0, false
	}
	return whole*count + part/1000, true
}

func parseSize(s string) (Size, *fault) {
	whole, thousandths, name, ok := amount(s)
	if !ok {
		return 0, faultf("", `%s is not a size such as "5 GB" or "512 MiB"`, quote(s))
	}
	for _, u := range sizeUnits() {
		if u.name != name {
			continue
		}
		n, ok := times(whole, thousandths, u.count)
		if !ok {
			return 0, faultf("", "the size %s is too large, or no whole number of bytes", quote(s))
		}
		return Size(n), nil
	}
	number := strings.TrimSpace(strings.TrimSuffix(s, name))
	if name == "" {
		return 0, faultf(didYouMean(number+" B"), "the size %s has no unit", quote(s))
	}
	for _, u := range sizeUnits() {
		if strings.EqualFold(u.name, name) || strings.EqualFold(strings.TrimSuffix(u.name, "B"), name) {
			return 0, faultf(didYouMean(number+" "+u.name), "unknown unit %s in the size %s", quote(name), quote(s))
		}
	}
	return 0, faultf("write one of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB", "unknown unit %s in the size %s", quote(name), quote(s))
}

func parseDuration(s string) (Duration, *fault) {
	var sum int64
	rest := s
	for first := true; first || rest != ""; first = false {
		whole, thousandths, after, ok := amount(rest)
		if !ok || thousandths != 0 {
			return 0, faultf("", `%s is not a length of time such as "20s", "1h30m" or "90d"`, quote(s))
		}
		n := len(after) - len(strings.TrimLeft(after, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		name := after[:n]
		rest = strings.TrimPrefix(after[n:], " ")
		if name == "" {
			return 0, faultf(didYouMean(strings.TrimSpace(s)+"s"), "the length of time %s has no unit", quote(s))
		}
		count := timeUnit(name)
		if count == 0 {
			return 0, unknownTimeUnit(s, name, whole)
		}
		part, ok := times(whole, 0, count)
		if !ok || part > math.MaxInt64-sum {
			return 0, faultf("", "the length of time %s is too long", quote(s))
		}
		sum += part
	}
	return Duration(sum), nil
}

func timeUnit(name string) int64 {
	for _, u := range timeUnits() {
		if u.name == name {
			return u.count
		}
	}
	return 0
}

func unknownTimeUnit(s, name string, whole int64) *fault {
	lower := strings.ToLower(name)
	for _, u := range timeUnits() {
		// seconds, sec and S are s; minutes and min are m.
		if strings.HasPrefix(lower, u.name) && !strings.HasPrefix(lower, "mo") && strings.HasPrefix(s, strconv.FormatInt(whole, 10)) {
			return faultf(didYouMean(strconv.FormatInt(whole, 10)+u.name), "unknown unit %s in the length of time %s", quote(name), quote(s))
		}
	}
	return faultf("write one of ms, s, m, h, d, w", "unknown unit %s in the length of time %s", quote(name), quote(s))
}

// String writes the size in the greatest unit that leaves a whole number.
func (s Size) String() string {
	for _, u := range sizeUnits() {
		if s != 0 && int64(s)%u.count == 0 {
			return strconv.FormatInt(int64(s)/u.count, 10) + " " + u.name
		}
	}
	return "0 B"
}

// MarshalText writes the size as it stands in the file.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String writes the length of time as it stands in the file, such as 1h30m.
func (d Duration) String() string {
	if d <= 0 {
		return "0s"
	}
	left := int64(d)
	var b strings.Builder
	for _, u := range timeUnits() {
		if u.name == "w" {
			continue // 90d says more than 12w6d
		}
		if n := left / u.count; n > 0 {
			b.WriteString(strconv.FormatInt(n, 10) + u.name)
			left %= u.count
		}
	}
	return b.String()
}

// MarshalText writes the length of time as it stands in the file.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Std returns the length of time as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }
