package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
)

func newDig(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "dig [@server] [name] [type] [class] [+option…] [name…]",
		Short: "Ask a name server, and show its answer whole",
		Long: `Dig asks a name server and prints its answer as the program dig does, with the options of it that are used most.

Without @server it asks the name servers of /etc/resolv.conf; without a type it asks for A, and without a name for
the NS records of the root. The name is taken as complete, but for +search and +domain. Each further name is a
question of its own: what stands before the first name is for all of them, what stands behind a name is for that one.
It ends with 0 when servers answered, whatever they said, with 1 when an answer cannot be read or believed, with 2 for
wrong arguments, and with 3 when none answered.

The type AXFR transfers a zone, and IXFR=SERIAL what changed in it since; the server must allow that. +trace asks from
the root servers down, or from @server, which is asked who the root servers are. +chain prints what proves an answer
(DNSSEC): which key signed what, and which DS record stands above it, up to the root; it ends with 1 unless all of it
is proved.

With --json it prints an object with server, network (udp, tcp, tls or https), queryTimeMs, time, size in octets,
tries, and the answer under responseMessage, in the form of RFC 8427. With several names, -f, +trace or a zone
transfer it is an array of such objects, one for each message; an object with error stands for a question without an
answer, and +trace adds zone, next, for and error. +chain adds verdict, reason and chain.

Options of one letter:

    -p PORT            the server's port (53); @ADDRESS:PORT does the same for one question
    -t TYPE, -c CLASS  the type and the class, which may also stand alone
    -q NAME            the name, where it could be taken for a type
    -x ADDRESS         the PTR record of an address, or of an IPv4 network by its first octets
    -f FILE            ask what each line of the file says, - being the standard input; # and ; begin comments
    -y [ALG:]NAME:KEY  sign with this key, in base64 (TSIG, hmac-sha256); others on this machine can see it
    -k FILE            sign with the key in this file, as tsig-keygen writes it
    -b ADDRESS[#PORT]  ask from this address
    -4, -6             reach the server over IPv4 or IPv6 alone
    -u                 print the time in microseconds
    -r                 no effect: there is no file of options to leave unread

Options with a plus; no before the name turns one off, and a clear beginning of the name suffices:

` + strings.TrimSuffix(plusHelp(), "\n"),
		Example: `  utopia dig @127.0.0.1 -p 8053 www.networkutopia.test A +short
  utopia dig @127.0.0.1 -p 8053 networkutopia.test MX +tcp --json
  utopia dig +noall +answer www.networkutopia.test networkutopia.test MX
  utopia dig +trace www.networkutopia.test`,
		DisableFlagsInUseLine: true,
		DisableFlagParsing:    true, // +short, -p8053 and their like are not what the library reads
		ValidArgsFunction:     completeDig,
		RunE: func(c *cobra.Command, args []string) error {
			global := func(rest []string) (int, error) { return globalFlag(c, rest) }
			call, err := parseDig(args, global, nil)
			if err != nil {
				return err
			}
			if call.help {
				return c.Help()
			}
			return s.dig(c.Context(), call)
		},
	}
}

// dig asks all questions of a line, and then those of its file.
func (s *session) dig(ctx context.Context, call *digCall) error {
	d := s.newDigger(call)
	defer d.close()
	for _, q := range call.questions {
		if err := d.question(ctx, call, q); err != nil {
			return err
		}
	}
	if call.batch != "" {
		if err := d.file(ctx, call); err != nil {
			return err
		}
	}
	return d.end()
}
