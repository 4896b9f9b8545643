package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is all that a run has measured.
type report struct {
	Rounds       int           `json:"rounds"`
	Seconds      int           `json:"seconds"`
	Names        int           `json:"names"`
	Rate         int           `json:"fixed_rate"`
	Threads      int           `json:"threads"`
	Processors   int           `json:"processors"`
	Missing      []string      `json:"missing,omitempty"`
	Medians      []measurement `json:"medians"` // over the rounds, one by one
	Measurements []measurement `json:"measurements"`
}

func (b *bench) report() report {
	r := report{
		Rounds: b.rounds, Seconds: b.seconds, Names: b.names, Rate: b.rate, Threads: b.threads, Processors: runtime.NumCPU(),
		Missing: b.missing, Measurements: b.results,
	}
	for _, w := range workloads() {
		for _, s := range serverNames() {
			same := slices.DeleteFunc(slices.Clone(b.results), func(m measurement) bool { return m.Workload != w.name || m.Server != s })
			if len(same) > 0 {
				r.Medians = append(r.Medians, medians(same))
			}
		}
	}
	return r
}

// medians takes the median of each number of several rounds.
func medians(rounds []measurement) measurement {
	m := rounds[0]
	m.Round = 0
	m.Queries = median(rounds, func(m measurement) int { return m.Queries })
	m.Lost = median(rounds, func(m measurement) int { return m.Lost })
	m.Micros = median(rounds, func(m measurement) float64 { return m.Micros })
	m.Rate = median(rounds, func(m measurement) float64 { return m.Rate })
	m.P99 = median(rounds, func(m measurement) float64 { return m.P99 })
	m.LoadCPU = median(rounds, func(m measurement) float64 { return m.LoadCPU })
	m.LoadTime = median(rounds, func(m measurement) float64 { return m.LoadTime })
	m.Memory = median(rounds, func(m measurement) int64 { return m.Memory })
	m.Peak = median(rounds, func(m measurement) int64 { return m.Peak })
	return m
}

// median is the middle one, or the mean of the two in the middle.
func median[T int | int64 | float64](rounds []measurement, of func(measurement) T) T {
	var values []T
	for _, m := range rounds {
		values = append(values, of(m))
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// column is a number of a measurement with a heading.
type column struct {
	heading string
	format  string
	of      func(measurement) float64
}

func columns(loading bool) []column {
	const mega = 1 << 20
	if loading {
		return []column{
			{"CPU s", "%.2f", func(m measurement) float64 { return m.LoadCPU }},
			{"memory MB", "%.0f", func(m measurement) float64 { return float64(m.Memory) / mega }},
			{"peak MB", "%.0f", func(m measurement) float64 { return float64(m.Peak) / mega }},
		}
	}
	return []column{
		{"CPU µs/query", "%.2f", func(m measurement) float64 { return m.Micros }},
		{"queries/s", "%.0f", func(m measurement) float64 { return m.Rate }},
		{"p99 ms", "%.2f", func(m measurement) float64 { return m.P99 }},
	}
}

// table prints the medians, each beside its ratio to NSD's and Knot's.
func table(r report, took time.Duration) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d rounds of %d s, %d processors, %d threads a server; medians, and in brackets the ratio to NSD's and Knot's; %.0f s\n",
		r.Rounds, r.Seconds, r.Processors, r.Threads, took.Seconds())
	for _, missing := range r.Missing {
		fmt.Fprintln(&out, missing)
	}
	for _, w := range workloads() {
		rows := slices.DeleteFunc(slices.Clone(r.Medians), func(m measurement) bool { return m.Workload != w.name })
		if len(rows) > 0 {
			writeRows(&out, r, w, rows)
		}
	}
	return out.String()
}

func writeRows(out *strings.Builder, r report, w workload, rows []measurement) {
	what := w.what
	switch {
	case w.fixed:
		what = fmt.Sprintf("%s of %d a second", what, r.Rate)
	case w.loading:
		what = fmt.Sprintf("%s, %d names", what, r.Names)
	}
	fmt.Fprintf(out, "\n%s: %s\n", w.name, what)
	list := columns(w.loading)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "  server")
	for _, c := range list {
		fmt.Fprintf(t, "\t%s", c.heading)
	}
	fmt.Fprintln(t)
	for _, m := range rows {
		fmt.Fprintf(t, "  %s", m.Server)
		if m.Skipped != "" {
			fmt.Fprintf(t, "\tleft out: %s\n", m.Skipped)
			continue
		}
		for _, c := range list {
			fmt.Fprintf(t, "\t%s", cell(c, m, rows))
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // into memory
}

// cell is a number and its ratios; nothing where there is no such number.
func cell(c column, m measurement, rows []measurement) string {
	value := c.of(m)
	if value == 0 {
		return ""
	}
	var ratios []string
	for _, peer := range []string{"nsd", "knot"} {
		at := slices.IndexFunc(rows, func(m measurement) bool { return m.Server == peer })
		if at < 0 || c.of(rows[at]) == 0 || m.Server == peer {
			ratios = append(ratios, "-")
			continue
		}
		ratios = append(ratios, fmt.Sprintf("%.2f", value/c.of(rows[at])))
	}
	return fmt.Sprintf(c.format+" (%s)", value, strings.Join(ratios, ", "))
}
