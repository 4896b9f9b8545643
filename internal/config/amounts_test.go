package config

import (
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseSize(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]Size{
		"0 B": 0, "1 B": 1, "1B": 1, "5 GB": 5e9, "5GB": 5e9, "512 MiB": 512 << 20, "1.5 kB": 1500, "1.5 KiB": 1536,
		"0.001 kB": 1, "1.25 GB": 1.25e9, "9223372036854775807 B": math.MaxInt64, "8388607.999 TiB": 8388607*(1<<40) + 999*(1<<40)/1000,
		"007 MB": 7e6,
	} {
		got, f := parseSize(s)
		if strings.Contains(s, "TiB") {
			if f == nil {
				t.Errorf("%s is no whole number of bytes, yet gave %d", s, got)
			}
			continue
		}
		if f != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v, want %d", s, got, f, want)
		}
	}
	for _, s := range []string{
		"", " ", "B", "GB", "5", "5  GB", " 5 GB", "5 GB ", "-1 B", "+1 B", "1e3 B", "5 gb", "5 Gb", "5,5 GB", ".5 GB", "5. GB",
		"1.2345 GB", "0.5 B", "0.0001 kB", "9223372036854775808 B", "9223372036854775807 kB", "8388608 TiB", "99999999999999999999 B",
		"5 GB 5 MB", "0x5 B", "5_000 B", "\u0665 GB",
	} {
		if got, f := parseSize(s); f == nil {
			t.Errorf("parseSize(%q) = %d", s, got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for s, want := range map[string]time.Duration{
		"0s": 0, "20s": 20 * time.Second, "20 s": 20 * time.Second, "1h30m": 90 * time.Minute, "1h 30m": 90 * time.Minute,
		"90d": 90 * day, "2w": 14 * day, "1w1d1h1m1s1ms": 8*day + time.Hour + time.Minute + time.Second + time.Millisecond,
		"5m": 5 * time.Minute, "5ms": 5 * time.Millisecond, "1s1s": 2 * time.Second, "15250w": 15250 * 7 * day,
	} {
		if got, f := parseDuration(s); f != nil || got.Std() != want {
			t.Errorf("parseDuration(%q) = %v, %v, want %v", s, got, f, want)
		}
	}
	for _, s := range []string{
		"", " ", "s", "20", "20 ", "-20s", "1.5h", "20S", "20sec", "1M", "1y", "20s ago", "20s,5m", "1h-5m", "15251w", "99999999999999999999s",
		"15250w15250w", "1h\n", " 1h",
	} {
		if got, f := parseDuration(s); f == nil {
			t.Errorf("parseDuration(%q) = %v", s, got)
		}
	}
}

// TestAmountsRoundTrip: what String writes is read as the same, and is what
// the schema allows.
func TestAmountsRoundTrip(t *testing.T) {
	t.Parallel()
	sizes, durations := regexp.MustCompile(sizePattern), regexp.MustCompile(durationPattern)
	rapid.Check(t, func(t *rapid.T) {
		size := Size(rapid.Int64Range(0, math.MaxInt64).Draw(t, "size"))
		if got, f := parseSize(size.String()); f != nil || got != size || !sizes.MatchString(size.String()) {
			t.Fatalf("%d is written %q and read as %d, %v", size, size, got, f)
		}
		d := Duration(rapid.Int64Range(0, math.MaxInt64/1_000_000).Draw(t, "ms") * 1_000_000)
		if got, f := parseDuration(d.String()); f != nil || got != d || !durations.MatchString(d.String()) {
			t.Fatalf("%d is written %q and read as %d, %v", d, d, got, f)
		}
	})
}

// TestPatterns: what is read, the schema allows.
func TestPatterns(t *testing.T) {
	t.Parallel()
	sizes, durations := regexp.MustCompile(sizePattern), regexp.MustCompile(durationPattern)
	text := rapid.StringMatching(`[0-9]{1,3}(\.[0-9]{1,4})? ?[kKMGTi]{0,2}[Bb]?|([0-9]{1,2} ?[mshdwM]{1,2} ?){1,3}`)
	rapid.Check(t, func(t *rapid.T) {
		s := text.Draw(t, "text")
		if _, f := parseSize(s); f == nil && !sizes.MatchString(s) {
			t.Fatalf("the size %q is read, but the schema forbids it", s)
		}
		if _, f := parseDuration(s); f == nil && !durations.MatchString(s) {
			t.Fatalf("the length of time %q is read, but the schema forbids it", s)
		}
	})
}

func TestAmountString(t *testing.T) {
	t.Parallel()
	if data, err := json.Marshal([]any{Size(5e9), Duration(time.Minute)}); err != nil || string(data) != `["5 GB","1m"]` {
		t.Errorf("as JSON: %s, %v", data, err)
	}
	for size, want := range map[Size]string{0: "0 B", 1: "1 B", 1000: "1 kB", 1024: "1 KiB", 1500: "1500 B", 5e9: "5 GB", 1 << 20: "1 MiB", 1e12: "1 TB", 1 << 40: "1 TiB"} {
		if got := size.String(); got != want {
			t.Errorf("%d is written %q, want %q", int64(size), got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", -1: "0s", time.Second: "1s", 90 * time.Second: "1m30s", 90 * 24 * time.Hour: "90d", 7 * 24 * time.Hour: "7d", 1500 * time.Millisecond: "1s500ms"} {
		if got := Duration(d).String(); got != want {
			t.Errorf("%d is written %q, want %q", d, got, want)
		}
	}
}
