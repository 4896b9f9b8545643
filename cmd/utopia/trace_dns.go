package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/querylog"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/transcript"
)

// maxPairings is of how many exchanges with the name server queries are waited for; the oldest gives way. It holds more
// connections than a server has, so that only those give way whose end was lost.
const maxPairings = 10_000

// queryFlags are the flags that choose queries: their names, and what each takes.
var queryFlags = [...]struct{ name, about string }{
	{"name", "of dns: only queries for these `names` and what is below them (a.example,b.example)"},
	{"type", "of dns: only queries of these `types` (A,AAAA), or with an opcode (UPDATE)"},
	{"code", "of dns: only queries answered with these `codes` (NXDOMAIN,SERVFAIL; none: not answered)"},
	{"client", "of dns: only queries from these `addresses` or networks (192.0.2.7,2001:db8::/32)"},
	{"transport", "of dns: only queries over these `transports` (udp, tcp, tls, https)"},
}

func addQueryFlags(c *cobra.Command, wanted *querylog.Spec) {
	into := [...]*string{&wanted.Name, &wanted.Type, &wanted.Code, &wanted.Client, &wanted.Transport}
	offered := [...][]string{nil, commonTypes[:], commonCodes[:], nil, querylog.Transports()}
	for i, f := range queryFlags {
		c.Flags().StringVar(into[i], f.name, "", f.about)
		_ = c.RegisterFlagCompletionFunc(f.name, listOf(offered[i])) // it fails for a flag that is not there
	}
}

// commonCodes are offered for completion.
var commonCodes = [...]string{"NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL", "FORMERR", "NOTIMP", "NOTAUTH", "BADCOOKIE", querylog.NoAnswer}

// listOf completes the last item of a list with commas.
func listOf(words []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		before := begun[:strings.LastIndexByte(begun, ',')+1]
		var offers []string
		for _, word := range words {
			if strings.HasPrefix(strings.ToLower(word), strings.ToLower(begun[len(before):])) {
				offers = append(offers, before+strings.TrimSuffix(word, "="))
			}
		}
		return offers, cobra.ShellCompDirectiveNoFileComp
	}
}

// queryFilter reads the flags that choose queries. They go with the query log alone.
func queryFilter(flags *pflag.FlagSet, wanted querylog.Spec, alone bool) (querylog.Filter, error) {
	for _, f := range queryFlags {
		switch {
		case !flags.Changed(f.name):
		case !alone:
			return querylog.Filter{}, usage("--%s is about the name server's queries\nhint: utopia trace dns --%[1]s …", f.name)
		case flags.Changed("pcap"):
			return querylog.Filter{}, usage("--%s and --pcap: a capture has all that was said\nhint: Wireshark has filters of its own", f.name)
		}
	}
	filter, err := querylog.NewFilter(wanted)
	var wrong *querylog.SpecError
	if errors.As(err, &wrong) {
		err = usage("--%w", err)
	}
	return filter, err
}

// followQueries prints the name server's queries, until ctx ends.
func (s *session) followQueries(ctx context.Context, t *tracer, filter querylog.Filter) error {
	level := transcript.Lines
	if s.verbose {
		level = transcript.Bytes
	}
	q := &queryTracer{tracer: t, filter: filter, under: map[transcript.ID]*querylog.Pairing{}}
	return s.instance().Trace(ctx, level, []string{"dns"}, q.line)
}

// queryTracer prints the lines of a trace of the name server as a query log.
type queryTracer struct {
	*tracer
	filter querylog.Filter
	under  map[transcript.ID]*querylog.Pairing // the exchanges under way
}

func (t *queryTracer) line(l control.Line) error {
	t.missed(l.Lost)
	switch {
	case l.Head == nil:
		return nil
	case l.Entry != nil:
		if q, ok := t.pairing(*l.Head).Entry(*l.Entry); ok {
			return t.show(q)
		}
	case l.Record != nil:
		rest := t.pairing(*l.Head).End()
		delete(t.under, l.Head.ID)
		for _, q := range rest {
			if err := t.show(q); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *queryTracer) pairing(h transcript.Head) *querylog.Pairing {
	p := t.under[h.ID]
	if p != nil {
		return p
	}
	if len(t.under) >= maxPairings {
		oldest := h.ID
		for id := range t.under {
			oldest = min(oldest, id)
		}
		delete(t.under, oldest)
	}
	p = querylog.NewPairing(h)
	t.under[h.ID] = p
	return p
}

func (t *queryTracer) show(q querylog.Query) error {
	if !t.filter.Wants(q) {
		return nil
	}
	if t.json {
		if err := t.showJSON(q); err != nil {
			return err
		}
		return t.counted()
	}
	t.print("%s %s %s %s\n", q.Time.Local().Format("15:04:05.000"), q.Question(), t.paint(t.out, outcomeColor(q), q.Outcome()), q.Result())
	if t.verbose {
		t.print("%s%s", messageText("Query", q.Asked), messageText("Answer", q.Told))
	}
	return t.counted()
}

// outcomeColor is green for an answer, yellow for one that says that there is none, red for the rest.
func outcomeColor(q querylog.Query) string {
	switch q.Code {
	case dns.RcodeSuccess.String():
		return "32"
	case dns.RcodeNXDomain.String():
		return "33"
	}
	return "31"
}

// showJSON prints a query as a line of JSON, with -v with its messages.
func (t *queryTracer) showJSON(q querylog.Query) error {
	line := struct {
		querylog.Query
		Asked *dns.Message `json:"query_message,omitempty"`
		Told  *dns.Message `json:"answer_message,omitempty"`
	}{Query: q}
	if t.verbose {
		line.Asked, _ = dns.Parse(q.Asked) // what cannot be read is left out: "malformed" tells of it
		line.Told, _ = dns.Parse(q.Told)
	}
	text, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("print a query: %w", err)
	}
	t.print("%s\n", text)
	return nil
}

// messageText gives a message as utopia dig prints it; octets that are no message in hex.
func messageText(what string, wire []byte) string {
	if len(wire) == 0 {
		return ""
	}
	m, err := dns.Parse(wire)
	if err != nil {
		return fmt.Sprintf(";; %s, which is no message:\n; %x\n\n", what, wire)
	}
	page := &digPage{digQuestion: newDigQuestion(), out: &bytes.Buffer{}}
	page.printf(";; %s:\n", what)
	page.message(m)
	return page.out.String()
}
