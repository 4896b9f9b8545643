// Command utopia is the application layer of a domain in one program: it serves DNS, the Web and the socket services
// of the domain, and has a client for each.
//
// Flags, the environment and exit codes live here alone; everything else is in the packages that the commands call.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/network-utopia/utopia/host"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// What the first Ctrl-C does not end, such as a read from the terminal, the second one does.
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt) })
	s := &session{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		network: host.NewOS(host.OSOptions{Inherited: inherited()}),
		color:   os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		program: calledAs(os.Args[0]),
		journal: toJournal(os.Getenv("JOURNAL_STREAM"), os.Stdout),
	}
	root := newRoot(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	s.json = s.json || slices.Contains(args, "--json") // where the flags were not read to the end
	return s.report(err)
}

// calledAs says how to call the program again that was called by a path: as it was, except that go run builds it in a
// folder which is gone by then.
func calledAs(path string) string {
	switch slashed := filepath.ToSlash(path); {
	case strings.Contains(slashed, "/go-build"):
		return "go run ./cmd/utopia"
	case strings.Contains(slashed, "/"):
		return path
	}
	return "utopia"
}

// session is what every command works with: its streams, its network, and the flags that all commands have.
type session struct {
	in      io.Reader
	out     io.Writer
	err     io.Writer
	network *host.OS
	color   bool // the environment does not forbid colours
	journal bool // out is a log that others read too

	program string // how to call this program again

	dir     string // -C
	json    bool   // --json
	verbose bool   // -v
}
