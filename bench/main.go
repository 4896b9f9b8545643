// Command bench measures Utopia beside the programs that it is compared with, in turn and in one run:
//
//	go run ./bench dns              name servers: CPU per query, rates, latency, memory, loading
//	go run ./bench dns -mutate 1e7  mutated packets at our running name server: does it live, and does it grow
//
// It uses what is installed of NSD, Knot, BIND, dnsperf and ldns-signzone (all from Debian), and Linux's /proc.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	if len(args) == 0 || args[0] != "dns" {
		return errors.New("what is to be measured? Try: go run ./bench dns -help")
	}
	return dnsCommand(ctx, args[1:], out, progress)
}
