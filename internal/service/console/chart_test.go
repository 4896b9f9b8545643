package console

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestChart(t *testing.T) {
	t.Parallel()
	times := []time.Time{at, at.Add(trafficEvery), at.Add(2 * trafficEvery)}
	c := newChart("By code", times, map[string][]float64{
		"NOERROR": {1, 2, 3}, "NXDOMAIN": {0, 0, 0}, "REFUSED": {0, 1, 1}, "SERVFAIL": {1, 0, 0.5}, "short": {9},
	}, []string{"NOERROR", "NXDOMAIN"})
	var got []string
	for _, p := range c.Parts {
		got = append(got, p.Class+" "+p.Name+" "+p.Now+" "+p.Path)
	}
	want := "k0 NOERROR 3.0 M590 96L595 72L600 48L600 120L595 120L590 120Z; k2 others 1.5 M590 72L595 48L600 12L600 48L595 72L590 96Z"
	if strings.Join(got, "; ") != want || c.Top != "5.0" {
		t.Errorf("up to %s: %s\nwant %s", c.Top, strings.Join(got, "; "), want)
	}
	if c.Text != "now: NOERROR 3.0 a second, others 1.5 a second" || c.Minutes != 10 {
		t.Errorf("%s, %d minutes", c.Text, c.Minutes)
	}
}

// A full history reaches from edge to edge, and no point leaves the chart.
func TestChartEdges(t *testing.T) {
	t.Parallel()
	var times []time.Time
	var values []float64
	for i := range trafficIntervals {
		times, values = append(times, at.Add(time.Duration(i)*trafficEvery)), append(values, float64(i*i%97))
	}
	values[60] = 1000
	c := newChart("", times, map[string][]float64{"a": values, "b": values}, []string{"a", "b"})
	low, high := chartWidth, 0
	for _, p := range c.Parts {
		for _, point := range regexp.MustCompile(`[ML](-?\d+) (-?\d+)`).FindAllStringSubmatch(p.Path, -1) {
			x, _ := strconv.Atoi(point[1])
			y, _ := strconv.Atoi(point[2])
			low, high = min(low, x), max(high, x)
			if y < 0 || y > chartHeight {
				t.Fatalf("%s lies outside", point[0])
			}
		}
	}
	if low != 0 || high != chartWidth || c.Top != "2\u202f000" {
		t.Errorf("from %d to %d, up to %s", low, high, c.Top)
	}
	if c := newChart("", nil, nil, nil); len(c.Parts) != 0 || c.Text != "nothing was answered in the last 10 minutes" || c.Top != "1.0" {
		t.Errorf("of nothing: %+v", c)
	}
	if c := newChart("", times[:1], map[string][]float64{"a": {2}}, []string{"a"}); c.Parts[0].Path != "M600 0L600 120Z" {
		t.Errorf("of one interval: %s", c.Parts[0].Path)
	}
}

func TestRoundUp(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]float64{0: 1, 1: 1, 1.1: 2, 2.5: 5, 5: 5, 5.1: 10, 11: 20, 127000: 200000} {
		if got := roundUp(rate); got != want {
			t.Errorf("%v: %v, want %v", rate, got, want)
		}
	}
}
