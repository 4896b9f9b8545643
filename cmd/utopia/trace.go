package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/dns/querylog"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/transcript"
)

func newTrace(s *session) *cobra.Command {
	var f captureFlags
	var wanted querylog.Spec
	c := &cobra.Command{
		Use:   "trace [service…]",
		Short: "Follow live who says what to the running instance",
		Long: `Trace prints the exchanges of the services named, or of all, as they happen: one line for each message, with
the time, the service, the exchange's number, the peer, and < for what was received or > for what was sent.
With --json it prints one line of JSON for each exchange when it has ended.

Of dns alone it prints a query log: one line for each query when it was answered, always of 11 columns: the time, the
client, the transport, the name, the type (or the opcode, such as UPDATE), the query's flags, the response code (none
where there was no answer), the records in the answer, authority and additional sections, the octets, the time that it
took, and marks: aa, tc, ra and ad as in the header, signed for RRSIG records, limited where the limit on responses had
its say, tsig where the query was signed with a key, and ede with the number of an extended error. What is empty is "-".
--name, --type, --code, --client and --transport show only the queries that fit each of them. -v prints the messages as
utopia dig does, and with --json they are in the lines in the form of RFC 8427.

With --pcap it writes packets instead, for Wireshark, tshark and tcpdump: what was said, with TLS already off, in TCP
connections and datagrams made around it, at the ports where Wireshark knows the protocols (dns at 53, web at 80, also
where it is HTTPS; socket at 12345). The comment on the first packet of an exchange tells its number and real ports,
others what the transcript notes. The values of HTTP's Authorization and Cookie fields are asterisks. An earlier
capture in the file is overwritten.`,
		Example: `  utopia trace dns web
  utopia trace dns --name example.org --type A,AAAA --code NXDOMAIN
  utopia trace dns --json --count 10
  utopia trace --pcap - | wireshark -k -i -
  utopia trace web --pcap web.pcapng`,
		ValidArgsFunction: func(c *cobra.Command, named []string, _ string) ([]string, cobra.ShellCompDirective) {
			ctx, cancel := context.WithTimeout(c.Context(), completeTimeout)
			defer cancel()
			names := slices.DeleteFunc(s.serviceNames(ctx), func(name string) bool { return slices.Contains(named, name) })
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, services []string) error {
			switch toFile := c.Flags().Changed("pcap"); {
			case f.count < 0:
				return usage("--count %d: nothing can be seen fewer than 0 times", f.count)
			case toFile && f.file == "":
				return usage("--pcap needs the name of a file, or - for the standard output")
			case toFile && s.json:
				return usage("--json and --pcap: a capture is not JSON\nhint: leave one of them out")
			case f.ipv6 && !toFile:
				return usage("--ipv6 is about captures\nhint: it goes with --pcap")
			}
			alone := len(services) == 1 && services[0] == "dns"
			filter, err := queryFilter(c.Flags(), wanted, alone)
			if err != nil {
				return err
			}
			status, err := s.knownServices(c.Context(), services)
			if err != nil {
				return err
			}
			if f.file != "" {
				return s.capture(c.Context(), f, services, status)
			}
			t := &tracer{session: s, left: f.count}
			if alone {
				err = s.followQueries(c.Context(), t, filter)
			} else {
				err = s.instance().Trace(c.Context(), transcript.Lines, services, t.line)
			}
			t.tellLosses()
			if errors.Is(err, errEnough) {
				return nil
			}
			return err
		},
	}
	c.Flags().IntVar(&f.count, "count", 0, "stop after this many exchanges have ended, or queries were shown (0: never)")
	c.Flags().StringVar(&f.file, "pcap", "", "write packets into this `file` for Wireshark; - is the standard output")
	c.Flags().BoolVar(&f.ipv6, "ipv6", false, "with --pcap: the exchanges over IPv6 instead of those over IPv4")
	addQueryFlags(c, &wanted)
	_ = c.MarkFlagFilename("pcap", "pcapng") // it fails for a flag that is not there
	return c
}

// serviceNames lists the services that can be followed; nothing when no instance runs.
func (s *session) serviceNames(ctx context.Context) []string {
	status, err := s.instance().Status(ctx, false)
	if err != nil {
		return nil
	}
	return namesOf(status)
}

func namesOf(status control.Status) []string {
	var names []string
	for _, v := range status.Services {
		if v.Traced {
			names = append(names, v.Name)
		}
	}
	return names
}

// knownServices refuses the name of what the instance does not serve or record: it would be followed for ever in vain.
// It returns what the instance said of itself.
func (s *session) knownServices(ctx context.Context, asked []string) (control.Status, error) {
	status, err := s.instance().Status(ctx, false)
	if err != nil {
		return status, err
	}
	known := namesOf(status)
	for _, name := range asked {
		if !slices.Contains(known, name) {
			return status, usage("%s has no service %q to follow\nhint: there are %s", status.Domain, name, strings.Join(known, ", "))
		}
	}
	return status, nil
}

// errEnough ends a trace that was asked for so many exchanges.
var errEnough = errors.New("enough")

// tracer prints the lines of a trace.
type tracer struct {
	*session
	left int       // exchanges until the end; 0 for no end
	lost uint64    // as heard so far
	told uint64    // as told so far
	at   time.Time // when that was told
}

func (t *tracer) line(l control.Line) error {
	t.missed(l.Lost)
	switch {
	case l.Entry != nil && !t.json:
		t.entry(*l.Head, *l.Entry)
	case l.Record != nil:
		return t.ended(*l.Record)
	}
	return nil
}

// lossEvery is how often losses are told at most.
const lossEvery = time.Second

// missed tells how many steps were lost, when there are more than before.
func (t *tracer) missed(lost uint64) {
	t.lost = lost
	if time.Since(t.at) >= lossEvery {
		t.tellLosses()
	}
}

// tellLosses is also for the end, when the last ones have not been told yet.
func (t *tracer) tellLosses() {
	if t.lost > t.told {
		t.note("… %d steps were left out: they come faster than they can be shown\n", t.lost-t.told)
		t.told, t.at = t.lost, time.Now()
	}
}

func (t *tracer) entry(h transcript.Head, e transcript.Entry) {
	sign := map[transcript.Direction]string{transcript.Received: "36", transcript.Sent: "32", transcript.Note: "33"}[e.Dir]
	t.print("%s %s#%v %v %s %s\n", e.Time.Local().Format("15:04:05.000"), h.Service, h.ID, h.Remote,
		t.paint(t.out, sign, e.Dir.String()), e.Text)
}

func (t *tracer) ended(r transcript.Record) error {
	if t.json {
		line, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("print an exchange: %w", err)
		}
		t.print("%s\n", line)
	}
	return t.counted()
}

// counted is called after each of those that --count counts.
func (t *tracer) counted() error {
	if t.left == 1 {
		return errEnough
	}
	t.left = max(t.left-1, 0)
	return nil
}
