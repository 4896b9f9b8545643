package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/dns/dnsclient"
)

func newDig(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "dig [@server] [name] [type] [class] [+option…]",
		Short: "Ask a name server, and show its answer whole",
		Long: `Dig asks a name server and prints its answer as the program dig does, with the options of it that are used most.

Without @server it asks the name servers of /etc/resolv.conf; without a type it asks for A, and without a name for
the NS records of the root. The name is always taken as complete. It ends with 0 when a server answered, whatever
it said, with 1 when its answer cannot be read, with 2 for wrong arguments, and with 3 when none answered.

With --json it prints an object with server, network (udp or tcp), queryTimeMs, time, size in octets, tries, and the
answer under responseMessage, in the form of RFC 8427.

Options of one letter:

    -p PORT            the server's port (53); @ADDRESS:PORT does the same
    -t TYPE, -c CLASS  the type and the class, which may also stand alone
    -q NAME            the name, where it could be taken for a type
    -x ADDRESS         the PTR record of an address, or of an IPv4 network by its first octets
    -4, -6             reach the server over IPv4 or IPv6 alone
    -r                 no effect: there is no file of options to leave unread

Options with a plus; no before the name turns one off, and a clear beginning of the name suffices:

` + strings.TrimSuffix(plusHelp(), "\n"),
		Example: `  utopia dig @127.0.0.1 -p 8053 www.networkutopia.test A +short
  utopia dig @127.0.0.1 -p 8053 networkutopia.test MX +tcp --json`,
		DisableFlagsInUseLine: true,
		DisableFlagParsing:    true, // +short, -p8053 and their like are not what the library reads
		ValidArgsFunction:     completeDig,
		RunE: func(c *cobra.Command, args []string) error {
			q, err := parseDig(args, func(rest []string) (int, error) { return globalFlag(c, rest) })
			if err != nil {
				return err
			}
			if q.help {
				return c.Help()
			}
			return s.dig(c.Context(), q)
		},
	}
}

func (s *session) dig(ctx context.Context, q *digQuestion) error {
	m, err := q.message()
	if err != nil {
		return err
	}
	a := s.digger(q)
	t, err := a.ask(ctx, m)
	if err != nil {
		return err
	}
	s.warnings(t)
	if s.json {
		s.printJSON(t.json())
		return nil
	}
	var page bytes.Buffer
	digPage{digQuestion: q, known: len(a.servers), out: &page}.answer(t)
	if _, err := s.out.Write(page.Bytes()); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return nil
}

// digger asks as the arguments of dig say.
func (s *session) digger(q *digQuestion) asker {
	a := asker{servers: []string{q.server}, port: q.port, client: dnsclient.New(dnsclient.Options{
		Host: s.network, Transcript: s.recorder(), Timeout: q.timeout, Tries: q.tries,
		TCP: q.tcp, IgnoreTruncation: q.ignore, IPVersion: q.ipVersion,
		KeepEDNS: true, // dig shows what the server says
	})}
	if q.server == "" {
		a.servers = systemServers()
	}
	return a
}

// commonTypes are offered for completion.
var commonTypes = [...]string{"A", "AAAA", "ANY", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "MX", "NS", "PTR", "SOA",
	"SRV", "TLSA", "TXT"}

func completeDig(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	offer := func(words ...string) ([]string, cobra.ShellCompDirective) {
		words = slices.DeleteFunc(slices.Clone(words), func(w string) bool {
			return !strings.HasPrefix(strings.ToLower(w), strings.ToLower(begun))
		})
		return words, cobra.ShellCompDirectiveNoFileComp
	}
	last := ""
	if len(args) > 0 {
		last = args[len(args)-1]
	}
	switch {
	case last == "-c":
		return offer("IN", "CH", "HS")
	case last == "-p" || last == "-q" || last == "-x":
		return offer()
	case last == "-t":
		return offer(commonTypes[:]...)
	case strings.HasPrefix(begun, "+"):
		return completePlus(begun)
	case strings.HasPrefix(begun, "-"):
		return offer(append([]string{"-4", "-6", "-c", "-p", "-q", "-r", "-t", "-v", "-x"}, globalWords[:]...)...)
	case strings.HasPrefix(begun, "@"):
		return offer("@127.0.0.1")
	}
	return offer(commonTypes[:]...)
}

func completePlus(begun string) ([]string, cobra.ShellCompDirective) {
	var words []string
	directive := cobra.ShellCompDirectiveNoFileComp
	for _, o := range plusOptions() {
		forms := []string{"+" + o.name, "+no" + o.name}
		if o.flag == nil {
			forms = []string{"+" + o.name + "="}
		}
		for _, f := range forms {
			if strings.HasPrefix(f, begun) {
				words = append(words, f+"\t"+o.about)
			}
		}
	}
	if len(words) == 1 && strings.Contains(words[0], "=\t") {
		directive |= cobra.ShellCompDirectiveNoSpace
	}
	return words, directive
}
