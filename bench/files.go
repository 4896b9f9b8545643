package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/network-utopia/utopia/internal/foreign"
)

const (
	zoneName   = "bench.test."
	smallNames = 10_000  // names of the plain and the signed zone
	queryLines = 100_000 // questions in a file; dnsperf begins anew when it is through
)

type zoneKind int

const (
	plainZone zoneKind = iota
	signedZone
	largeZone
)

type queryKind int

const (
	hitQueries queryKind = iota
	missQueries
)

// files are what the servers load and what dnsperf asks.
type files struct {
	zones    map[zoneKind]string
	unsigned string              // the signed zone before it was signed
	missing  map[zoneKind]string // why there is no such zone
	queries  map[queryKind]string
}

// makeFiles writes what the chosen workloads need.
func makeFiles(ctx context.Context, o dnsOptions, dir string) (files, error) {
	f := files{zones: map[zoneKind]string{}, missing: map[zoneKind]string{}, queries: map[queryKind]string{}}
	for _, w := range workloads() {
		if !slices.Contains(o.only, w.name) {
			continue
		}
		if err := f.makeZone(ctx, o, dir, w.zone); err != nil {
			return f, err
		}
		if w.loading || f.queries[w.queries] != "" {
			continue
		}
		f.queries[w.queries] = filepath.Join(dir, fmt.Sprintf("queries-%d", w.queries))
		err := write(f.queries[w.queries], func(out io.Writer) { writeQueries(out, w.queries, o.seed) })
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

func (f *files) makeZone(ctx context.Context, o dnsOptions, dir string, kind zoneKind) error {
	if f.zones[kind] != "" || f.missing[kind] != "" {
		return nil
	}
	path := filepath.Join(dir, fmt.Sprintf("zone-%d", kind))
	names := smallNames
	if kind == largeZone {
		names = o.names
	}
	if err := write(path, func(out io.Writer) { writeZone(out, names) }); err != nil {
		return err
	}
	if kind == signedZone {
		signed, err := sign(ctx, dir, path)
		if err != nil {
			f.missing[kind] = err.Error()
			return nil //nolint:nilerr // the table says what was left out, and why
		}
		f.unsigned, path = path, signed
	}
	f.zones[kind] = path
	return nil
}

func write(path string, fill func(io.Writer)) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(f, 1<<20)
	fill(out)
	return errors.Join(out.Flush(), f.Close())
}

func hostName(i int) string { return fmt.Sprintf("host%07d", i) }

// writeZone writes a zone with so many hosts. It also has what Utopia would add by itself, so that all servers have the
// same records.
func writeZone(out io.Writer, names int) {
	fmt.Fprintf(out, "$ORIGIN %s\n$TTL 3600\n", zoneName)
	fmt.Fprintln(out, "@ IN SOA ns1 hostmaster 1 7200 900 1209600 300\n@ IN NS ns1")
	for _, ours := range []string{"@", "ns1", "www", "mail", "ftp"} {
		fmt.Fprintln(out, ours, "IN A 192.0.2.1")
	}
	for i := range names {
		fmt.Fprintf(out, "%s IN A 10.%d.%d.%d\n", hostName(i), i>>16&255, i>>8&255, i&255)
	}
}

// writeQueries writes questions in the form of dnsperf.
func writeQueries(out io.Writer, kind queryKind, seed uint64) {
	r := rand.New(rand.NewPCG(seed, uint64(kind)))
	for range queryLines {
		name := hostName(r.IntN(smallNames))
		if kind == missQueries {
			name = fmt.Sprintf("no-%016x", r.Uint64())
		}
		fmt.Fprintf(out, "%s.%s A\n", name, zoneName)
	}
}

// sign signs a zone with ECDSA P-256 and NSEC, by the means of ldns.
func sign(ctx context.Context, dir, zone string) (string, error) {
	var tools []string
	for _, name := range []string{"ldns-keygen", "ldns-signzone"} {
		path, err := foreign.Find(name)
		if err != nil {
			return "", err
		}
		tools = append(tools, path)
	}
	domain := strings.TrimSuffix(zoneName, ".")
	var key string
	for _, args := range [][]string{
		{tools[0], "-k", "-a", "ECDSAP256SHA256", domain},
		{tools[1], "-o", domain, "-f", zone + ".signed", zone, "KEY"},
	} {
		if args[len(args)-1] == "KEY" {
			args[len(args)-1] = key
		}
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		c.Dir = dir
		out, err := c.Output()
		if err != nil {
			return "", fmt.Errorf("%s: %w", filepath.Base(args[0]), err)
		}
		key = strings.TrimSpace(string(out))
	}
	return zone + ".signed", nil
}
