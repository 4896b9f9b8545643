package main

import (
	"slices"
	"strings"
	"testing"
)

func TestFlags(t *testing.T) {
	o, err := parseDNSFlags([]string{"-only", "hits,load", "-servers", "nsd,utopia", "-rounds", "4", "-json"}, &strings.Builder{})
	if err != nil || !slices.Equal(o.only, []string{"hits", "load"}) || !slices.Equal(o.servers, []string{"nsd", "utopia"}) || o.rounds != 4 || !o.asJSON {
		t.Errorf("%+v %v", o, err)
	}
	o, err = parseDNSFlags(nil, &strings.Builder{})
	if err != nil || len(o.only) != len(workloads()) || len(o.servers) != 4 || o.names != 1_000_000 || o.rate != 20_000 || o.rounds != 3 {
		t.Errorf("%+v %v", o, err)
	}
	for _, bad := range []string{"-only none", "-servers utopia,none", "-rounds 0", "-seconds 0", "-names 0", "-rate 0", "-threads 0", "word", "-no"} {
		if o, err := parseDNSFlags(strings.Fields(bad), &strings.Builder{}); err == nil {
			t.Errorf("%s: %+v", bad, o)
		}
	}
	if err := run(t.Context(), []string{"web"}, &strings.Builder{}, &strings.Builder{}); err == nil {
		t.Error("there is no such house")
	}
}

const said = `DNS Performance Testing Tool
Version 2.10.0

> NOERROR host0000001.bench.test A 0.000300
> NOERROR host0000002.bench.test A 0.000100
> NOERROR host0000003.bench.test A 0.000200
[Status] Testing complete (time limit)

Statistics:

  Queries sent:         4
  Queries completed:    3 (75.00%)
  Queries lost:         1 (25.00%)

  Response codes:       NOERROR 2 (66.67%), NXDOMAIN 1 (33.33%)
  Average packet size:  request 33, response 49
  Run time (s):         5.018656
  Queries per second:   35971.184317

  Average Latency (s):  0.010844 (min 0.000025, max 0.048662)
`

func TestParsePerf(t *testing.T) {
	r, err := parsePerf([]byte(said))
	if err != nil || r.sent != 4 || r.completed != 3 || r.rate != 35971.184317 || !slices.Equal(r.latencies, []float64{0.0001, 0.0002, 0.0003}) {
		t.Errorf("%+v %v", r, err)
	}
	if err := r.judge("NOERROR"); err == nil {
		t.Error("an answer was NXDOMAIN")
	}
	r.codes = map[string]int{"NOERROR": 3}
	if err := r.judge("NOERROR"); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "  Queries completed:    0 (0%)\n", strings.Replace(said, "35971.1", "x", 1), strings.Replace(said, "NOERROR 2", "NOERROR x", 1)} {
		if r, err := parsePerf([]byte(bad)); err == nil {
			t.Errorf("%q: %+v", bad, r)
		}
	}
}

func TestPercentile(t *testing.T) {
	var hundred, thousand []float64
	for i := 1; i <= 1000; i++ {
		if thousand = append(thousand, float64(i)); i <= 100 {
			hundred = append(hundred, float64(i))
		}
	}
	for _, c := range []struct {
		values []float64
		p      int
		want   float64
	}{{nil, 99, 0}, {hundred[:1], 99, 1}, {hundred[:2], 50, 1}, {hundred[:2], 99, 2}, {hundred, 99, 99}, {thousand, 99, 990}, {hundred, 0, 1}, {hundred, 100, 100}} {
		if got := percentile(c.values, c.p); got != c.want {
			t.Errorf("%d %% of %d values: %v, want %v", c.p, len(c.values), got, c.want)
		}
	}
}

func TestQueriesAndZonesFit(t *testing.T) {
	var zone, hits, misses, again strings.Builder
	writeZone(&zone, smallNames)
	writeQueries(&hits, hitQueries, 1)
	writeQueries(&misses, missQueries, 1)
	writeQueries(&again, missQueries, 1)
	names := map[string]bool{}
	for line := range strings.Lines(zone.String()) {
		names[strings.Fields(line)[0]+"."+zoneName] = true
	}
	asked := map[string]bool{}
	for line := range strings.Lines(hits.String()) {
		name := strings.Fields(line)[0]
		asked[name] = true
		if !names[name] {
			t.Fatalf("%s is not in the zone", name)
		}
	}
	if len(asked) < smallNames*9/10 {
		t.Errorf("%d names are asked for", len(asked))
	}
	for line := range strings.Lines(misses.String()) {
		if name := strings.Fields(line)[0]; names[name] || !strings.HasSuffix(name, "."+zoneName) {
			t.Fatal(name)
		}
	}
	if misses.String() != again.String() {
		t.Error("the same seed gives other questions")
	}
}
