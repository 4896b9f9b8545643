package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/transcript"
)

func newNslookup(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "nslookup [-option…] [NAME|ADDRESS [SERVER]]",
		Short: "Look up a name, as the program nslookup does",
		Long: `Nslookup asks a name server for a name, or for the name of an address, and prints what it learnt. Without -type it
asks for A and for AAAA records; without SERVER, which may be ADDRESS:PORT, it asks the name servers of
/etc/resolv.conf. The name is taken as complete, but for -search and -domain. It ends with 0 when there is such a name,
with 1 when the server says that there is none or refuses, with 2 for wrong arguments, and with 3 when no server
answered. With --json it prints a list of what dig prints for each question.

Without a name, or with - in its place, it reads what to do line by line, and help lists what it takes; it ends with
the highest code that a look-up had.

Options:

` + strings.TrimSuffix(nslookupHelp(), "\n"),
		Example: `  utopia nslookup -qt=MX -port=8053 networkutopia.test 127.0.0.1
  utopia nslookup -type=NS networkutopia.test
  utopia nslookup - 127.0.0.1:8053`,
		DisableFlagsInUseLine: true,
		DisableFlagParsing:    true, // -type=MX is not what the library reads
		ValidArgsFunction:     completeNslookup,
		RunE: func(c *cobra.Command, args []string) error {
			q, err := parseNslookup(args, func(rest []string) (int, error) { return globalFlag(c, rest) })
			if err != nil {
				return err
			}
			if q.help {
				return c.Help()
			}
			if q.name == "" {
				return s.talk(c.Context(), q)
			}
			return s.nslookup(c.Context(), q)
		},
	}
}

// nslookupQuestion is what the arguments of nslookup say.
type nslookupQuestion struct {
	help     bool
	dash     bool   // - stood for the name
	name     string // empty to be asked line by line
	server   string // empty for those of the system
	port     uint16
	kind     dns.Type
	haveKind bool
	class    dns.Class
	tcp      bool
	recurse  bool
	timeout  time.Duration
	tries    int
	search   bool
	domain   string
	ndots    int
	debug    bool // print whole answers
	wire     bool // print what goes over the wire
}

// nslookupOption is an option such as -type=MX or -vc.
type nslookupOption struct {
	names []string
	about string
	flag  func(q *nslookupQuestion, on bool)
	value func(q *nslookupQuestion, v string) error
}

func nslookupOptions() []nslookupOption {
	flag := func(of func(q *nslookupQuestion) *bool) func(*nslookupQuestion, bool) {
		return func(q *nslookupQuestion, on bool) { *of(q) = on }
	}
	return []nslookupOption{
		{names: []string{"type", "qt", "q", "query", "querytype", "ty"}, about: "ask for records of this type", value: setLookupType},
		{names: []string{"class", "cl"}, about: "ask in this class (IN)", value: setLookupClass},
		{names: []string{"port", "po"}, about: "the server's port (53)", value: setLookupPort},
		{names: []string{"timeout", "t"}, about: "wait so many seconds for an answer (5)", value: setLookupTimeout},
		{names: []string{"retry", "ret"}, about: "ask so many times (3)", value: setLookupTries},
		{names: []string{"vc"}, about: "ask over TCP", flag: flag(func(q *nslookupQuestion) *bool { return &q.tcp })},
		{names: []string{"recurse", "rec"}, about: "ask for recursion (on)", flag: flag(func(q *nslookupQuestion) *bool { return &q.recurse })},
		{names: []string{"search", "sea"}, about: "complete names by the domains of /etc/resolv.conf, or by -domain", flag: flag(func(q *nslookupQuestion) *bool { return &q.search })},
		{names: []string{"domain", "do"}, about: "complete names by this domain", value: setLookupDomain},
		{names: []string{"ndots"}, about: "try a name with so many dots as it is first (1)", value: setLookupDots},
		{names: []string{"debug", "deb"}, about: "print answers whole", flag: flag(func(q *nslookupQuestion) *bool { return &q.debug })},
		{names: []string{"d2"}, about: "show on stderr what goes over the wire", flag: flag(func(q *nslookupQuestion) *bool { return &q.wire })},
	}
}

// parseNslookup reads the arguments; global is as with parseDig.
func parseNslookup(args []string, global func([]string) (int, error)) (*nslookupQuestion, error) {
	const defaultPort = 53
	q := &nslookupQuestion{
		port: defaultPort, kind: dns.TypeA, class: dns.ClassIN, recurse: true,
		timeout: dnsclient.DefaultTimeout, tries: dnsclient.DefaultTries, ndots: 1,
	}
	for len(args) > 0 {
		taken, err := q.take(args, global)
		if err != nil {
			return nil, err
		}
		args = args[taken:]
	}
	return q, nil
}

func (q *nslookupQuestion) take(args []string, global func([]string) (int, error)) (taken int, err error) {
	first := args[0]
	switch {
	case first == "-h" || first == "--help":
		q.help = true
		return 1, nil
	case len(first) > 1 && first[0] == '-':
		if taken, err := global(args); taken > 0 || err != nil {
			return taken, err
		}
		return 1, q.option(strings.TrimPrefix(first, "-"))
	case q.name == "" && !q.dash && first == "-": // nslookup - SERVER begins a conversation
		q.dash = true
	case q.name == "" && !q.dash:
		q.name = first
	case q.server == "":
		return 1, q.setServer(first)
	default:
		return 0, usage("%q is one argument too many\nusage: utopia nslookup [-option…] [NAME|ADDRESS [SERVER]]", first)
	}
	return 1, nil
}

func (q *nslookupQuestion) setServer(s string) error {
	server, port := splitServer(s)
	if server == "" {
		return usage("%q is no server\nhint: such as 127.0.0.1", s)
	}
	q.server = server
	if port == "" {
		return nil
	}
	return setLookupPort(q, port)
}

func (q *nslookupQuestion) option(text string) error {
	name, value, given := strings.Cut(text, "=")
	name = strings.ToLower(name)
	bare, off := name, false
	if rest, no := strings.CutPrefix(name, "no"); no {
		bare, off = rest, true
	}
	known := slices.Clone(globalWords[:])
	for _, o := range nslookupOptions() {
		for _, n := range o.names {
			known = append(known, "-"+n)
			switch {
			case n == name && o.value != nil && given:
				return o.value(q, value)
			case n == name && o.value != nil:
				return usage("-%s needs a value: -%s=…", n, n)
			case n == bare && o.flag != nil && !given:
				o.flag(q, !off)
				return nil
			}
		}
	}
	return usage("unknown option -%s%s", text, didYouMean(text, known, "utopia nslookup --help lists them"))
}

func setLookupType(q *nslookupQuestion, v string) error {
	d := newDigQuestion()
	if err := d.setKind(v); err != nil {
		return err
	}
	if d.transfer() {
		return usage("nslookup looks one name up\nhint: utopia dig %s transfers a zone", v)
	}
	q.kind, q.haveKind = d.kind, true
	return nil
}

func setLookupClass(q *nslookupQuestion, v string) error {
	d := newDigQuestion()
	err := d.setClass(v)
	q.class = d.class
	return err
}

func setLookupPort(q *nslookupQuestion, v string) error {
	port, err := parsePort("-port", v)
	if err == nil {
		q.port = port
	}
	return err
}

func setLookupTimeout(q *nslookupQuestion, v string) error {
	d := newDigQuestion()
	if err := setTime(d, v); err != nil {
		return usage("-timeout: %q is no number of seconds: 1 to 3600", v)
	}
	q.timeout = d.timeout
	return nil
}

func setLookupDomain(q *nslookupQuestion, v string) error {
	if _, err := dns.ParseName(v, dns.Root); err != nil {
		return usage("-domain: %w", err)
	}
	q.domain, q.search = v, true
	return nil
}

func setLookupDots(q *nslookupQuestion, v string) error {
	d := newDigQuestion()
	err := setNdots(d, v)
	if err == nil {
		q.ndots = d.ndots
	}
	return err
}

func setLookupTries(q *nslookupQuestion, v string) error {
	d := newDigQuestion()
	err := setTries(0)(d, v)
	q.tries = d.tries
	return err
}

func nslookupHelp() string {
	var b strings.Builder
	for _, o := range nslookupOptions() {
		name := "-[no]" + o.names[0]
		if o.value != nil {
			name = "-" + strings.Join(o.names, "=, -") + "="
		}
		fmt.Fprintf(&b, "    %s\n        %s\n", name, o.about)
	}
	return b.String()
}

// first are the questions to begin with, of which the first that there is such a name for counts: for an address its
// name, and for a name without a type its IPv4 address.
func (q *nslookupQuestion) first() ([]*dns.Message, error) {
	if addr, err := netip.ParseAddr(q.name); err == nil {
		name, _ := dnsclient.ReverseName(addr) // it is valid
		return []*dns.Message{q.message(name, dns.TypePTR)}, nil
	}
	names := digQuestion{name: q.name, search: q.search, domain: q.domain, ndots: q.ndots}
	var system resolvers
	if q.search && q.domain == "" {
		system = systemResolvers()
	}
	all, err := names.names(system)
	var out []*dns.Message
	for _, name := range all {
		out = append(out, q.message(name, q.kind))
	}
	return out, err
}

func (q *nslookupQuestion) message(name dns.Name, kind dns.Type) *dns.Message {
	m := dns.NewQuery(0, name, kind)
	m.Question[0].Class = q.class
	m.RecursionDesired = q.recurse
	return m
}

// second is the question for the IPv6 address, of the name that the first answer led to. It is nil where the first
// said all that was asked for.
func (q *nslookupQuestion) second(t told) *dns.Message {
	if q.haveKind || t.asked.Type != dns.TypeA || t.Message.Rcode != dns.RcodeSuccess {
		return nil
	}
	return q.message(canonicalName(t.asked.Name, t.Message.Answer), dns.TypeAAAA)
}

// canonicalName follows the CNAME records of an answer, each once.
func canonicalName(name dns.Name, answer []dns.RR) dns.Name {
	for range answer {
		i := slices.IndexFunc(answer, func(rr dns.RR) bool { return rr.Type == dns.TypeCNAME && rr.Name.Equal(name) })
		if i < 0 {
			break
		}
		name, _ = answer[i].Target() // a CNAME has one
	}
	return name
}

func (s *session) nslookup(ctx context.Context, q *nslookupQuestion) error {
	answers, err := s.lookUp(ctx, q)
	if err != nil {
		return err
	}
	err = s.tellLookups(q, answers)
	if !s.json {
		s.print("\n")
	}
	return err
}

// lookUp asks what there is to ask about a name.
func (s *session) lookUp(ctx context.Context, q *nslookupQuestion) ([]told, error) {
	a := s.lookupAsker(q)
	firsts, err := q.first()
	if err != nil {
		return nil, err
	}
	var answers []told
	for i, m := range firsts {
		t, err := a.ask(ctx, m)
		if err != nil {
			return nil, err
		}
		s.warnings(t)
		answers = []told{t}
		if t.Message.Rcode != dns.RcodeNXDomain || i == len(firsts)-1 {
			break
		}
	}
	if m := q.second(answers[0]); m != nil {
		t, err := a.ask(ctx, m)
		if err != nil {
			return nil, err
		}
		s.warnings(t)
		answers = append(answers, t)
	}
	return answers, nil
}

func (s *session) lookupAsker(q *nslookupQuestion) asker {
	recorder := s.recorder()
	if q.wire && recorder == nil {
		recorder = transcript.New(transcript.Options{Sinks: []transcript.Sink{wire{s.err}}})
	}
	a := asker{servers: []string{q.server}, port: strconv.Itoa(int(q.port)), client: dnsclient.New(dnsclient.Options{
		Host: s.network, Transcript: recorder, Timeout: q.timeout, Tries: q.tries, TCP: q.tcp,
	})}
	if q.server == "" {
		a.servers = systemResolvers().servers
	}
	return a
}

// tellLookups prints the answers. It ends with 1 when one of them is an error.
func (s *session) tellLookups(q *nslookupQuestion, answers []told) error {
	if s.json {
		var list []answerJSON
		for _, t := range answers {
			list = append(list, t.json())
		}
		s.printJSON(list)
	} else {
		var page bytes.Buffer
		lookupPage{nslookupQuestion: q, out: &page}.answers(answers)
		if _, err := s.out.Write(page.Bytes()); err != nil {
			return fmt.Errorf("print the answer: %w", err)
		}
	}
	if answers[len(answers)-1].Message.Rcode != dns.RcodeSuccess {
		return found()
	}
	return nil
}

// hashPort is how nslookup writes an address with its port.
func hashPort(addr netip.AddrPort) string {
	return addr.Addr().String() + "#" + strconv.Itoa(int(addr.Port()))
}
