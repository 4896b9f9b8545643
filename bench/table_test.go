package main

import (
	"strings"
	"testing"
	"time"
)

func TestMedians(t *testing.T) {
	rounds := []measurement{
		{Server: "nsd", Workload: "hits", Round: 1, Queries: 3, Lost: 1, Micros: 9, Rate: 100, P99: 5, LoadCPU: 1, LoadTime: 2, Memory: 7, Peak: 8},
		{Server: "nsd", Workload: "hits", Round: 2, Queries: 1, Lost: 5, Micros: 7, Rate: 300, P99: 1, LoadCPU: 3, LoadTime: 4, Memory: 9, Peak: 4},
		{Server: "nsd", Workload: "hits", Round: 3, Queries: 2, Lost: 3, Micros: 8, Rate: 200, P99: 3, LoadCPU: 2, LoadTime: 3, Memory: 8, Peak: 6},
	}
	want := measurement{
		Server: "nsd", Workload: "hits", Queries: 2, Lost: 3, Micros: 8, Rate: 200, P99: 3, LoadCPU: 2, LoadTime: 3, Memory: 8, Peak: 6,
	}
	if got := medians(rounds); got != want {
		t.Errorf("%+v", got)
	}
	if got := medians(rounds[:2]); got.Micros != 8 || got.Rate != 200 || got.Queries != 2 {
		t.Errorf("of two, the mean: %+v", got)
	}
	if got := medians(rounds[:1]); got.Micros != 9 {
		t.Errorf("of one: %+v", got)
	}
}

func TestReportAndTable(t *testing.T) {
	o, err := parseDNSFlags([]string{"-rounds", "1", "-seconds", "2", "-names", "1000", "-threads", "2"}, &strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{dnsOptions: o, missing: []string{"bind is not installed"}, results: []measurement{
		{Server: "utopia", Workload: "hits", Round: 1, Micros: 6, Rate: 120_000},
		{Server: "knot", Workload: "hits", Round: 1, Micros: 8, Rate: 100_000},
		{Server: "nsd", Workload: "hits", Round: 1, Micros: 12, Rate: 60_000},
		{Server: "utopia", Workload: "fixed", Round: 1, Micros: 9, Rate: 20_000, P99: 0.5},
		{Server: "utopia", Workload: "signed", Round: 1, Skipped: "it answers without signatures"},
		{Server: "utopia", Workload: "load", Round: 1, LoadCPU: 1.5, Memory: 300 << 20, Peak: 400 << 20},
		{Server: "knot", Workload: "load", Round: 1, LoadCPU: 1, Memory: 200 << 20, Peak: 200 << 20},
	}}
	const want = `1 rounds of 2 s, N processors, 2 threads a server; medians, and in brackets the ratio to NSD's and Knot's; 61 s
bind is not installed

hits: 10,000 names that exist, as fast as it goes
  server  CPU µs/query       queries/s            p99 ms
  nsd     12.00 (-, 1.50)    60000 (-, 0.60)      
  knot    8.00 (0.67, -)     100000 (1.67, -)     
  utopia  6.00 (0.50, 0.75)  120000 (2.00, 1.20)  

fixed: names that exist, at a fixed rate of 20000 a second
  server  CPU µs/query  queries/s     p99 ms
  utopia  9.00 (-, -)   20000 (-, -)  0.50 (-, -)

signed: names that exist in a signed zone, with DO
  server  CPU µs/query  queries/s  p99 ms
  utopia  left out: it answers without signatures

load: a large zone is loaded, 1000 names
  server  CPU s           memory MB      peak MB
  knot    1.00 (-, -)     200 (-, -)     200 (-, -)
  utopia  1.50 (-, 1.50)  300 (-, 1.50)  400 (-, 2.00)
`
	r := b.report()
	r.Processors = 0
	if got := strings.Replace(table(r, 61*time.Second), " 0 processors", " N processors", 1); got != want {
		t.Errorf("got\n%s", got)
	}
}
