package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxPackets is the most that one run throws; that takes weeks.
const maxPackets = 1e12

// dnsOptions are what the flags of bench dns say.
type dnsOptions struct {
	rounds  int
	seconds int
	names   int // of the large zone
	rate    int // queries a second where the rate is fixed
	threads int // that answer, in each server
	only    []string
	servers []string
	asJSON  bool
	utopia  string // our binary; "" builds it
	mutate  int    // packets; 0: measure
	seed    uint64
}

func parseDNSFlags(args []string, help io.Writer) (dnsOptions, error) {
	o := dnsOptions{}
	f := flag.NewFlagSet("bench dns", flag.ContinueOnError)
	f.SetOutput(help)
	f.IntVar(&o.rounds, "rounds", 3, "how often each is measured; the table shows medians")
	f.IntVar(&o.seconds, "seconds", 5, "how long each measurement takes")
	f.IntVar(&o.names, "names", 1_000_000, "names of the large zone")
	f.IntVar(&o.rate, "rate", 20_000, "queries a second of the workload with a fixed rate")
	f.IntVar(&o.threads, "threads", runtime.NumCPU(), "threads or processes that answer over UDP, in each server")
	only := f.String("only", "", "workloads to measure, such as hits,fixed (of "+strings.Join(workloadNames(), ",")+"); all")
	servers := f.String("servers", "", "servers to measure, such as nsd,utopia (of "+strings.Join(serverNames(), ",")+"); all that are installed")
	f.BoolVar(&o.asJSON, "json", false, "print every measurement as JSON instead of a table")
	f.StringVar(&o.utopia, "utopia", "", "a binary of ours to measure, instead of one that is built now")
	mutate := f.String("mutate", "", "measure nothing: throw so many mutated packets, such as 10000000 or 1e7, at our server")
	f.Uint64Var(&o.seed, "seed", 1, "of what is random: names that do not exist, mutations")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.only, err = choose(*only, workloadNames()); err != nil {
		return o, err
	}
	if o.servers, err = choose(*servers, serverNames()); err != nil {
		return o, err
	}
	if *mutate != "" {
		n, err := strconv.ParseFloat(*mutate, 64)
		if err != nil || n < 1 || n > maxPackets || n != math.Trunc(n) {
			return o, fmt.Errorf("-mutate %s: a whole number of packets is wanted, at most %g", *mutate, maxPackets)
		}
		o.mutate = int(n)
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("what is %q?", f.Arg(0))
	}
	if o.rounds < 1 || o.seconds < 1 || o.names < 1 || o.rate < 1 || o.threads < 1 {
		return o, errors.New("rounds, seconds, names, rate and threads are at least 1")
	}
	return o, nil
}

// choose reads a list of names with commas; an empty one stands for all.
func choose(list string, from []string) ([]string, error) {
	if list == "" {
		return from, nil
	}
	chosen := strings.Split(list, ",")
	for _, c := range chosen {
		if !slices.Contains(from, c) {
			return nil, fmt.Errorf("%q is none of %s", c, strings.Join(from, ", "))
		}
	}
	return chosen, nil
}

func dnsCommand(ctx context.Context, args []string, out, progress io.Writer) (err error) {
	o, err := parseDNSFlags(args, progress)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.utopia == "" && (o.mutate > 0 || slices.Contains(o.servers, "utopia")) {
		if o.utopia, err = build(ctx, dir); err != nil {
			return err
		}
	}
	if o.mutate > 0 {
		return mutateCommand(ctx, o, dir, out, progress)
	}
	b := &bench{dnsOptions: o, dir: dir, progress: progress}
	began := time.Now()
	if err := b.run(ctx); err != nil {
		return err
	}
	if o.asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(b.report())
	}
	_, err = fmt.Fprint(out, table(b.report(), time.Since(began)))
	return err
}
