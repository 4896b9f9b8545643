package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/socket"
)

func newUpper(s *session) *cobra.Command {
	var udp bool
	opts := socket.ClientOptions{}
	c := &cobra.Command{
		Use:   "upper [--udp] HOST:PORT",
		Short: "Send lines to the upper-case service, and print what comes back",
		Long: `Upper reads lines from the keyboard, or from a pipe, sends each to the upper-case service of the socket chapter
and prints what comes back. Over TCP all lines share one connection; over UDP each is one datagram, and one that
is lost is not sent again.`,
		Example: `  echo hello | utopia upper 127.0.0.1:20000
  echo hello | utopia upper --udp 127.0.0.1:20000`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			network := "tcp"
			if udp {
				network = "udp"
			}
			if err := hostPort(c.Context(), network, args[0]); err != nil {
				return err
			}
			if opts.Timeout <= 0 {
				return usage("--timeout %v is no time to wait", opts.Timeout)
			}
			opts.Terminal, opts.Transcript = terminal(s.out), s.recorder()
			if s.json {
				opts.Answered = s.printPair
			}
			return clientError(socket.Upper(c.Context(), s.network, network, args[0], s.in, s.out, opts))
		},
	}
	c.Flags().BoolVar(&udp, "udp", false, "use UDP instead of TCP")
	c.Flags().DurationVar(&opts.Timeout, "timeout", socket.DefaultTimeout, "how long to wait for an answer")
	return c
}

// printPair prints a line that was sent with the one that came back, as a line of JSON.
func (s *session) printPair(line, answer string) error {
	text, err := json.Marshal(map[string]string{"sent": line, "received": answer})
	if err != nil {
		return fmt.Errorf("print an answer: %w", err)
	}
	s.print("%s\n", text)
	return nil
}

func newConnect(s *session) *cobra.Command {
	var opts socket.ClientOptions
	c := &cobra.Command{
		Use:   "connect HOST PORT",
		Short: "Speak to a server by hand: send the lines typed, print what arrives",
		Long: `Connect opens a TCP connection and joins it to the keyboard and the screen, as telnet is used in class: each line
that is typed is sent with CR LF, and what arrives is printed. The end of the input (control-D) ends one's own side
of the connection; the command ends when the server has ended its own.`,
		Example: "  printf 'GET / HTTP/1.0\\nHost: www.networkutopia.test\\n\\n' | utopia connect 127.0.0.1 8080",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			address := args[0]
			if len(args) == 2 {
				address = net.JoinHostPort(args[0], args[1])
			}
			if err := hostPort(c.Context(), "tcp", address); err != nil {
				return err
			}
			if s.json {
				return usage("connect passes bytes on as they come: it has no --json")
			}
			opts.Terminal, opts.Transcript = terminal(s.out), s.recorder()
			return clientError(socket.Connect(c.Context(), s.network, address, s.in, s.out, opts))
		},
	}
	c.Flags().BoolVar(&opts.BareLF, "lf", false, "end the lines that are sent with LF alone")
	return c
}

// hostPort refuses an address without a port, or with one that there cannot be, before anything is tried.
func hostPort(ctx context.Context, network, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil || port == "" {
		return usage("%q is no HOST:PORT\nhint: such as 127.0.0.1:20000", address)
	}
	if number, err := new(net.Resolver).LookupPort(ctx, network, port); err != nil || number == 0 {
		return usage("%q is no port\nhint: a number from 1 to 65535, or the name of a service that this system knows", port)
	}
	return nil
}

// clientError gives a peer that cannot be reached its exit code.
func clientError(err error) error {
	var gone *socket.UnreachableError
	if errors.As(err, &gone) || errors.Is(err, socket.ErrNoAnswer) || errors.Is(err, socket.ErrPeerClosed) {
		return unreachable(err)
	}
	return err
}
