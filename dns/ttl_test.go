package dns

import "testing"

func TestParseTTLText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]uint32{
		"0": 0, "1": 1, "300": 300, "2147483647": 2147483647, "1s": 1, "1m": 60, "1h": 3600, "1d": 86400, "1w": 604800,
		"1W2D3H4M5S": 604800 + 2*86400 + 3*3600 + 4*60 + 5, "1h30": 3630, "90m": 5400, "00060": 60, "0w": 0,
		"2147483640s7": 2147483647,
	} {
		if got, err := ParseTTL(in); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "h", "x", "1x", "1hh", "-1", "+1", " 1", "1 ", "1.5h", "2147483648", "4294967296", "99999999999999999999",
		"35505w", "1h-", "١",
	} {
		if got, err := ParseTTL(in); err == nil {
			t.Errorf("%q is %d", in, got)
		}
	}
}

func TestFormatTTL(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[uint32]string{
		0: "0s", 1: "1s", 59: "59s", 60: "1m", 61: "1m1s", 3600: "1h", 5400: "1h30m", 86400: "1d", 604800: "1w", 1209600: "2w",
		694861: "1w1d1h1m1s", 4294967295: "7101w3d6h28m15s",
	} {
		got := FormatTTL(seconds)
		if got != want {
			t.Errorf("%d: %s, want %s", seconds, got, want)
		}
		if v, err := ParseTTL(got); seconds <= MaxTTL && (err != nil || v != seconds) {
			t.Errorf("%s is read as %d, %v", got, v, err)
		}
	}
}
