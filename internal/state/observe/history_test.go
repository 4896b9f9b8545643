package observe

import (
	"fmt"
	"testing"
	"time"
)

func TestHistory(t *testing.T) {
	h := NewHistory(3)
	start := time.Unix(1000, 0)
	at := func(second int, totals map[string]uint64) string {
		h.Add(start.Add(time.Duration(second)*time.Second), totals)
		times, rates := h.Series()
		var seconds []int
		for _, at := range times {
			seconds = append(seconds, int(at.Sub(start).Seconds()))
		}
		return fmt.Sprint(seconds, rates)
	}
	for _, step := range []struct {
		second int
		totals map[string]uint64
		want   string
	}{
		{0, map[string]uint64{"a": 100}, "[] map[]"},
		{2, map[string]uint64{"a": 104}, "[2] map[a:[2]]"},
		{4, map[string]uint64{"a": 104, "b": 6}, "[2 4] map[a:[2 0] b:[0 3]]"},
		{4, map[string]uint64{"a": 1000, "b": 6}, "[2 4] map[a:[2 0] b:[0 3]]"}, // no time has passed
		{8, map[string]uint64{"a": 1004, "b": 6}, "[2 4 8] map[a:[2 0 1] b:[0 3 0]]"},
		{9, map[string]uint64{"a": 5, "b": 7}, "[4 8 9] map[a:[0 1 5] b:[3 0 1]]"}, // a has begun anew
		{10, nil, "[8 9 10] map[a:[1 5 0] b:[0 1 0]]"},
	} {
		if got := at(step.second, step.totals); got != step.want {
			t.Errorf("after %d s: %s, want %s", step.second, got, step.want)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	h := NewHistory(2)
	totals := map[string]uint64{}
	for i := range maxSeries {
		totals[fmt.Sprint(i)] = 1
	}
	for i := range 5 {
		h.Add(time.Unix(int64(i), 0), totals)
	}
	if _, rates := h.Series(); len(rates) != maxSeries {
		t.Errorf("%d counters at the limit", len(rates))
	}
	totals["one more"] = 1
	h.Add(time.Unix(9, 0), totals)
	times, rates := h.Series()
	if len(rates) != maxSeries || len(times) != 2 {
		t.Errorf("%d counters, %d intervals", len(rates), len(times))
	}
	rates["0"][0] = 77 // a copy
	if _, again := h.Series(); again["0"][0] == 77 {
		t.Error("the history's own numbers were handed out")
	}
}
