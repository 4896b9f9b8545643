package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/network-utopia/utopia/internal/foreign"
)

// The load: enough sockets that SO_REUSEPORT spreads them evenly, and so many questions under way that the server never
// waits, and that no server's socket overflows.
const (
	clients     = 50
	outstanding = 200
)

// clientCookie is an EDNS option as dnsperf takes it: its number and its data in hexadecimal (RFC 7873).
const clientCookie = "10:0123456789abcdef"

// perf is one run of dnsperf.
type perf struct {
	server    netip.AddrPort
	file      string
	seconds   int
	rate      int // queries a second; 0: as fast as it goes
	dnssec    bool
	cookie    bool
	latencies bool // of each query
}

// perfResult is what dnsperf counted.
type perfResult struct {
	sent, completed int
	rate            float64
	codes           map[string]int
	latencies       []float64 // seconds, in order
}

func (p perf) args() []string {
	args := []string{
		"-s", p.server.Addr().String(), "-p", strconv.Itoa(int(p.server.Port())), "-d", p.file,
		"-c", strconv.Itoa(clients), "-T", "2", "-q", strconv.Itoa(outstanding), "-t", "1", "-l", strconv.Itoa(p.seconds), "-W",
	}
	if p.rate > 0 {
		args = append(args, "-Q", strconv.Itoa(p.rate))
	}
	if p.dnssec {
		args = append(args, "-e", "-D")
	}
	if p.cookie {
		args = append(args, "-e", "-E", clientCookie)
	}
	if p.latencies {
		args = append(args, "-v") // which prints a line for each query
	}
	return args
}

func (p perf) run(ctx context.Context) (perfResult, error) {
	path, err := foreign.Find("dnsperf")
	if err != nil {
		return perfResult{}, err
	}
	// A file, and no pipe: nobody reads while the clock runs.
	out, err := os.Create(filepath.Join(filepath.Dir(p.file), "dnsperf.out"))
	if err != nil {
		return perfResult{}, err
	}
	defer func() { _ = out.Close() }()
	c := exec.CommandContext(ctx, path, p.args()...)
	c.Stdout, c.Stderr, c.SysProcAttr = out, out, foreign.EndsWithUs()
	err = c.Run()
	text, readErr := os.ReadFile(out.Name())
	if err != nil || readErr != nil {
		return perfResult{}, fmt.Errorf("dnsperf: %w\n%s", err, text)
	}
	return parsePerf(text)
}

// parsePerf reads what dnsperf prints.
func parsePerf(text []byte) (perfResult, error) {
	r := perfResult{codes: map[string]int{}}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, "> "); ok { // > NOERROR www.bench.test A 0.000123
			fields := strings.Fields(rest)
			if s, err := strconv.ParseFloat(fields[len(fields)-1], 64); err == nil {
				r.latencies = append(r.latencies, s)
			}
			continue
		}
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		if err := r.read(key, strings.TrimSpace(value)); err != nil {
			return r, fmt.Errorf("dnsperf printed %q: %w", line, err)
		}
	}
	if err := lines.Err(); err != nil {
		return r, fmt.Errorf("dnsperf: %w", err)
	}
	if r.completed == 0 {
		return r, fmt.Errorf("dnsperf got no answer:\n%s", text)
	}
	slices.Sort(r.latencies)
	return r, nil
}

func (r *perfResult) read(key, value string) (err error) {
	number, _, _ := strings.Cut(value, " ")
	switch key {
	case "Queries sent":
		r.sent, err = strconv.Atoi(number)
	case "Queries completed":
		r.completed, err = strconv.Atoi(number)
	case "Queries per second":
		r.rate, err = strconv.ParseFloat(number, 64)
	case "Response codes": // NOERROR 180527 (100.00%), NXDOMAIN 1 (0.00%)
		for part := range strings.SplitSeq(value, ", ") {
			if fields := strings.Fields(part); len(fields) >= 2 {
				if r.codes[fields[0]], err = strconv.Atoi(fields[1]); err != nil {
					return err
				}
			}
		}
	}
	return err
}

// judge finds fault with a run that measured something else than it was to.
func (r perfResult) judge(code string) error {
	if r.codes[code] != r.completed {
		return fmt.Errorf("not all answers are %s: %v", code, r.codes)
	}
	return nil
}

// percentile gives the smallest value that p per cent of the values do not exceed; the values are in order.
func percentile(values []float64, p int) float64 {
	if len(values) == 0 {
		return 0
	}
	return values[max((len(values)*p+99)/100, 1)-1]
}
