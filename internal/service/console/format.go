package console

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// thinSpace parts the thousands (ISO 80000-1); it does not break.
const thinSpace = "\u202f"

// count writes a number with its thousands apart.
func count(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	var b strings.Builder
	for i, d := range []byte(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(thinSpace)
		}
		b.WriteByte(d)
	}
	return b.String()
}

// rate writes a number for each second, the small ones with a decimal.
func rate(perSecond float64) string {
	if perSecond > 0 && perSecond < 9.95 {
		return strconv.FormatFloat(perSecond, 'f', 1, 64)
	}
	return count(uint64(perSecond + 0.5))
}

// milliseconds writes d in ms with two decimals, for times that are compared down a column.
func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 2, 64)
}

// span writes a duration in the unit that suits it, to about two digits.
func span(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return strconv.FormatInt(d.Microseconds(), 10) + " µs"
	case d < 10*time.Millisecond:
		return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 2, 64) + " ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Hour:
		return two(int(d.Minutes()), "min", int(d.Seconds())%60, "s")
	case d < 48*time.Hour:
		return two(int(d.Hours()), "h", int(d.Minutes())%60, "min")
	}
	return two(int(d.Hours())/24, "days", int(d.Hours())%24, "h")
}

func two(n int, unit string, rest int, of string) string {
	text := strconv.Itoa(n) + " " + unit
	if rest > 0 {
		text += " " + strconv.Itoa(rest) + " " + of
	}
	return text
}

// clock writes the time of day, in the machine's own zone.
func clock(t time.Time) string { return t.Local().Format("15:04:05.000") }

// moment writes a time whole.
func moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05.000 -07:00") }

// machine writes a time for <time datetime>.
func machine(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// cut returns at most so many characters of a text.
func cut(text string, most int) string {
	if len(text) <= most || utf8.RuneCountInString(text) <= most {
		return text
	}
	runes := []rune(text)
	return string(runes[:most-1]) + "…"
}
