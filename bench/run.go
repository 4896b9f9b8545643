package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// startWithin is how long a server may take until it answers; the large zone is the reason.
const startWithin = 3 * time.Minute

// settle is how long after loading the memory is read: what was in use for the loading alone may have been given back.
const settle = 3 * time.Second

// workload is a kind of load, and the zone that it needs.
type workload struct {
	name, what string
	zone       zoneKind
	queries    queryKind
	dnssec     bool // with EDNS and DO
	cookie     bool // with EDNS and a client's cookie
	fixed      bool // at a fixed rate
	loading    bool // no queries: what it costs to load
}

func workloads() []workload {
	return []workload{
		{name: "hits", what: "10,000 names that exist, as fast as it goes", zone: plainZone, queries: hitQueries},
		{name: "nxdomain", what: "random names that do not exist, as fast as it goes", zone: plainZone, queries: missQueries},
		{name: "fixed", what: "names that exist, at a fixed rate", zone: plainZone, queries: hitQueries, fixed: true},
		{name: "cookie", what: "names that exist, with EDNS and a cookie that is new to the server", zone: plainZone, queries: hitQueries, cookie: true},
		{name: "signed", what: "names that exist in a signed zone, with DO", zone: signedZone, queries: hitQueries, dnssec: true},
		{name: "signed-nxdomain", what: "names that do not exist in a signed zone, with DO", zone: signedZone, queries: missQueries, dnssec: true},
		{name: "load", what: "a large zone is loaded", zone: largeZone, loading: true},
	}
}

func workloadNames() []string {
	var names []string
	for _, w := range workloads() {
		names = append(names, w.name)
	}
	return names
}

// measurement is one workload at one server in one round.
type measurement struct {
	Server   string  `json:"server"`
	Workload string  `json:"workload"`
	Round    int     `json:"round"`
	Skipped  string  `json:"skipped,omitempty"` // why there are no numbers
	Queries  int     `json:"queries,omitempty"`
	Lost     int     `json:"lost,omitempty"`
	Micros   float64 `json:"cpu_us_per_query,omitempty"` // of the server, kernel included
	Rate     float64 `json:"queries_per_second,omitempty"`
	P99      float64 `json:"p99_ms,omitempty"`
	LoadCPU  float64 `json:"load_cpu_s,omitempty"`
	LoadTime float64 `json:"load_s,omitempty"`
	Memory   int64   `json:"memory_bytes,omitempty"` // after loading
	Peak     int64   `json:"peak_bytes,omitempty"`   // until then, of the largest process, or the memory of all where that is more
}

// bench is one run of bench dns.
type bench struct {
	dnsOptions
	dir      string
	progress io.Writer
	files    files
	servers  []contestant
	missing  []string // that were asked for and are not installed
	results  []measurement
}

func (b *bench) run(ctx context.Context) error {
	var err error
	if b.files, err = makeFiles(ctx, b.dnsOptions, b.dir); err != nil {
		return err
	}
	b.servers, b.missing = contestants(b.dnsOptions, b.dir)
	if len(b.servers) == 0 {
		return fmt.Errorf("nothing to measure: %s", strings.Join(b.missing, ", "))
	}
	for round := range b.rounds {
		// Each round begins with another server, so that none is always the one after a particular other.
		order := slices.Concat(b.servers[round%len(b.servers):], b.servers[:round%len(b.servers)])
		for _, zone := range []zoneKind{plainZone, signedZone, largeZone} {
			wanted := b.wanted(zone)
			if len(wanted) == 0 {
				continue
			}
			for _, c := range order {
				if err := b.measureZone(ctx, round+1, c, zone, wanted); err != nil {
					return fmt.Errorf("%s: %w", c.name(), err)
				}
			}
		}
	}
	return nil
}

// wanted lists the workloads that are to be measured with a zone.
func (b *bench) wanted(zone zoneKind) []workload {
	return slices.DeleteFunc(workloads(), func(w workload) bool { return w.zone != zone || !slices.Contains(b.only, w.name) })
}

// measureZone starts a server with a zone, and measures all workloads that need that zone.
func (b *bench) measureZone(ctx context.Context, round int, c contestant, zone zoneKind, wanted []workload) (err error) {
	if why := b.files.missing[zone]; why != "" {
		b.skip(round, c, wanted, why)
		return nil
	}
	began := time.Now()
	running, why, err := b.start(ctx, c, zone)
	if err != nil {
		return err
	}
	if why != "" {
		b.skip(round, c, wanted, why)
		return nil
	}
	defer func() {
		if e := running.stop(); err == nil {
			err = e
		}
	}()
	loaded := time.Since(began)
	for _, w := range wanted {
		m := measurement{Server: c.name(), Workload: w.name, Round: round}
		if w.loading {
			err = m.loading(ctx, running, loaded)
		} else {
			err = m.queries(ctx, b.dnsOptions, running, w, b.files.queries[w.queries])
		}
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		b.results = append(b.results, m)
		fmt.Fprintf(b.progress, "round %d  %-15s %-7s %s\n", round, w.name, c.name(), m)
	}
	return nil
}

// start starts a server with a zone, or says why it is left out. For signed answers Utopia gets the zone as it is, and
// signs it; where it does not, it gets the zone that the others get. It also signs the small zone whose answers are not
// signed, as it does unless it is told not to; the large zone is loaded without signatures, as the others load it.
func (b *bench) start(ctx context.Context, c contestant, zone zoneKind) (r running, why string, err error) {
	waiting, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	zones := []string{b.files.zones[zone]}
	if _, ok := c.(ours); ok && zone == signedZone {
		zones = []string{b.files.unsigned, b.files.zones[zone]}
	}
	for _, file := range zones {
		if r, err = c.start(waiting, file, zone != largeZone); err != nil || zone != signedZone {
			return r, "", err
		}
		if why = unsigned(ctx, r.address); why == "" {
			return r, "", nil
		}
		if err := r.stop(); err != nil {
			return r, "", err
		}
	}
	return r, why, nil
}

func (b *bench) skip(round int, c contestant, wanted []workload, why string) {
	for _, w := range wanted {
		b.results = append(b.results, measurement{Server: c.name(), Workload: w.name, Round: round, Skipped: why})
		fmt.Fprintf(b.progress, "round %d  %-15s %-7s left out: %s\n", round, w.name, c.name(), why)
	}
}

// loading reads what the start of the server has cost: the CPU time until it answered, and the memory a while after.
func (m *measurement) loading(ctx context.Context, s running, took time.Duration) error {
	cpu, err := s.cpu()
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settle):
	}
	u, err := s.usage()
	if err != nil {
		return err
	}
	m.LoadCPU, m.LoadTime, m.Memory, m.Peak = cpu.Seconds(), took.Seconds(), u.Memory, max(u.Peak, u.Memory)
	return nil
}

// queries lets dnsperf ask, and reads what that has cost the server.
func (m *measurement) queries(ctx context.Context, o dnsOptions, s running, w workload, file string) error {
	load := perf{server: s.address, file: file, seconds: 1, dnssec: w.dnssec, cookie: w.cookie}
	if _, err := load.run(ctx); err != nil { // warms up
		return err
	}
	load.seconds = o.seconds
	if w.fixed {
		load.rate = o.rate
		load.latencies = true
	}
	before, err := s.cpu()
	if err != nil {
		return err
	}
	r, err := load.run(ctx)
	if err != nil {
		return err
	}
	after, err := s.cpu()
	if err != nil {
		return err
	}
	if err := r.judge(map[queryKind]string{hitQueries: "NOERROR", missQueries: "NXDOMAIN"}[w.queries]); err != nil {
		return err
	}
	m.Queries, m.Lost, m.Rate = r.completed, r.sent-r.completed, r.rate
	m.Micros = float64((after - before).Nanoseconds()) / 1000 / float64(r.completed)
	if w.fixed {
		m.P99 = 1000 * percentile(r.latencies, 99)
	}
	return nil
}

// String is for the line that tells of progress.
func (m measurement) String() string {
	if m.LoadTime > 0 {
		return fmt.Sprintf("%6.2f s CPU, %5.1f s, %d MB, at most %d MB", m.LoadCPU, m.LoadTime, m.Memory>>20, m.Peak>>20)
	}
	s := fmt.Sprintf("%6.2f µs CPU, %6.0f a second", m.Micros, m.Rate)
	if m.P99 > 0 {
		s += fmt.Sprintf(", p99 %.2f ms", m.P99)
	}
	if m.Lost > 0 {
		s += fmt.Sprintf(", %d of %d lost", m.Lost, m.Queries+m.Lost)
	}
	return s
}
