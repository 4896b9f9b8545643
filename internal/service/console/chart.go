package console

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The size of a chart, in its own units.
const (
	chartWidth  = 600
	chartHeight = 120
)

// chartView is a chart of rates over time, one area on top of the other.
type chartView struct {
	Title         string
	Width, Height int
	Top           string // the rate at the upper edge
	Minutes       int    // that its whole width stands for
	Parts         []chartPart
	Text          string // what it shows, in words
}

type chartPart struct {
	Class string // of its colour
	Name  string
	Now   string // the rate in the last interval
	Path  string
}

// newChart draws the rates of several things, those named first from the bottom up, all others together above them.
// There is a rate for each of the times.
func newChart(title string, times []time.Time, rates map[string][]float64, first []string) chartView {
	view := chartView{
		Title: title, Width: chartWidth, Height: chartHeight,
		Minutes: int((trafficIntervals * trafficEvery).Minutes()),
	}
	rest := make([]float64, len(times))
	for _, name := range slices.Sorted(maps.Keys(rates)) {
		if !slices.Contains(first, name) && len(rates[name]) == len(times) {
			rest = sum(rest, rates[name])
		}
	}
	floor := make([]float64, len(times))
	var layers [][2][]float64
	add := func(class, name string, values []float64) {
		if len(values) != len(times) || !slices.ContainsFunc(values, func(v float64) bool { return v > 0 }) {
			return
		}
		ceiling := sum(floor, values)
		layers = append(layers, [2][]float64{floor, ceiling})
		view.Parts = append(view.Parts, chartPart{Class: class, Name: name, Now: rate(values[len(values)-1])})
		floor = ceiling
	}
	for i, name := range first {
		add(fmt.Sprint("k", i), name, rates[name])
	}
	add(fmt.Sprint("k", len(first)), "others", rest)
	top := roundUp(highest(floor))
	for i, layer := range layers {
		view.Parts[i].Path = area(layer[0], layer[1], top)
	}
	view.Top, view.Text = rate(top), view.words()
	return view
}

// words say what a chart shows at its right edge.
func (c chartView) words() string {
	if len(c.Parts) == 0 {
		return "nothing was answered in the last " + fmt.Sprint(c.Minutes) + " minutes"
	}
	var now []string
	for _, p := range c.Parts {
		now = append(now, p.Name+" "+p.Now+" a second")
	}
	return "now: " + strings.Join(now, ", ")
}

func sum(a, b []float64) []float64 {
	total := slices.Clone(a)
	for i, v := range b {
		total[i] += v
	}
	return total
}

func highest(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Max(values)
}

// roundUp gives the next of 1, 2, 5, 10, 20 and so on.
func roundUp(rate float64) float64 {
	for step := 1.0; ; step *= 10 {
		for _, top := range [...]float64{step, 2 * step, 5 * step} {
			if rate <= top {
				return top
			}
		}
	}
}

// area draws what is between two lines: along the upper one to the right, and back along the lower one. The last value
// stands at the right edge.
func area(low, high []float64, top float64) string {
	if len(low) == 0 {
		return ""
	}
	x := func(i int) int { return chartWidth - (len(low)-1-i)*chartWidth/(trafficIntervals-1) }
	y := func(v float64) int { return chartHeight - int(v/top*chartHeight+0.5) }
	var b strings.Builder
	for i, v := range high {
		fmt.Fprintf(&b, "%c%d %d", "ML"[min(i, 1)], x(i), y(v))
	}
	for i := range slices.Backward(low) {
		fmt.Fprintf(&b, "L%d %d", x(i), y(low[i]))
	}
	return b.String() + "Z"
}
