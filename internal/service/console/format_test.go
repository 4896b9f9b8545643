package console

import (
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/transcript"
)

func TestFormats(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1_000", 12345678: "12_345_678", 1<<64 - 1: "18_446_744_073_709_551_615"} {
		if got := strings.ReplaceAll(count(n), thinSpace, "_"); got != want {
			t.Errorf("count(%d) is %s, want %s", n, got, want)
		}
	}
	for perSecond, want := range map[float64]string{0: "0", 0.04: "0.0", 0.1: "0.1", 9.94: "9.9", 9.96: "10", 12.5: "13", 1234.4: "1_234"} {
		if got := strings.ReplaceAll(rate(perSecond), thinSpace, "_"); got != want {
			t.Errorf("rate(%v) is %s, want %s", perSecond, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0 µs", 999 * time.Microsecond: "999 µs", time.Millisecond: "1.00 ms", 9876 * time.Microsecond: "9.88 ms",
		10 * time.Millisecond: "10 ms", 999 * time.Millisecond: "999 ms", time.Second: "1.0 s", 59 * time.Second: "59.0 s",
		time.Minute: "1 min", 61 * time.Second: "1 min 1 s", 125 * time.Minute: "2 h 5 min", 47 * time.Hour: "47 h", 49 * time.Hour: "2 days 1 h",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) is %q, want %q", d, got, want)
		}
	}
	if got := milliseconds(1234567 * time.Nanosecond); got != "1.23" {
		t.Errorf("milliseconds: %s", got)
	}
	for text, want := range map[string]string{"": "", "abc": "abc", "abcd": "abcd", "abcde": "abc…", "ééé": "ééé", "ééééé": "ééé…"} {
		if got := cut(text, 4); got != want {
			t.Errorf("cut(%q) is %q, want %q", text, got, want)
		}
	}
}

func TestFirstAndLast(t *testing.T) {
	t.Parallel()
	r, s, n := transcript.Received, transcript.Sent, transcript.Note
	type entries []transcript.Entry
	for _, c := range []struct {
		entries     entries
		first, last string
	}{
		{nil, "", ""},
		{entries{{Dir: r, Text: "a"}}, "a", ""},
		{entries{{Dir: r, Text: "a"}, {Dir: s, Text: "b"}, {Dir: s, Text: "c"}}, "a", "c"},
		{entries{{Dir: n, Text: "note"}, {Dir: r, Text: "a"}, {Dir: n, Text: "note"}}, "a", ""},
		{entries{{Dir: n, Text: "one"}, {Dir: n, Text: "two"}}, "one", "two"},
	} {
		if first, last := firstAndLast(c.entries); first != c.first || last != c.last {
			t.Errorf("%v: %q, %q", c.entries, first, last)
		}
	}
}

func TestWebURL(t *testing.T) {
	t.Parallel()
	for e, want := range map[control.Endpoint]string{
		{Protocol: "HTTP", Address: "127.0.0.2:80"}:     "http://127.0.0.2:80/",
		{Protocol: "https", Address: "[2001:db8::1]:1"}: "https://[2001:db8::1]:1/",
		{Protocol: "HTTP", Address: "0.0.0.0:8080"}:     "http://127.0.0.1:8080/",
		{Protocol: "HTTPS", Address: "[::]:8443"}:       "https://[::1]:8443/",
		{Protocol: "DNS", Address: "127.0.0.1:53"}:      "",
		{Protocol: "HTTP", Address: "evil.test:80"}:     "",
		{Protocol: "HTTP", Address: ""}:                 "",
	} {
		if got := webURL(e); got != want {
			t.Errorf("%+v: %q, want %q", e, got, want)
		}
	}
}
