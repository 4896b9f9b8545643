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
)

func newNslookup(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "nslookup [-option…] NAME|ADDRESS [SERVER]",
		Short: "Look up a name, as the program nslookup does",
		Long: `Nslookup asks a name server for a name, or for the name of an address, and prints what it learnt. Without -type it
asks for A and for AAAA records; without SERVER, which may be ADDRESS:PORT, it asks the name servers of
/etc/resolv.conf. The name is always taken as complete. It ends with 0 when there is such a name, with 1 when the
server says that there is none or refuses, with 2 for wrong arguments, and with 3 when no server answered. With --json
it prints a list of what dig prints for each question.

Options:

` + strings.TrimSuffix(nslookupHelp(), "\n"),
		Example: `  utopia nslookup -qt=MX -port=8053 networkutopia.test 127.0.0.1
  utopia nslookup -type=NS networkutopia.test`,
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
			return s.nslookup(c.Context(), q)
		},
	}
}

// nslookupQuestion is what the arguments of nslookup say.
type nslookupQuestion struct {
	help     bool
	name     string
	server   string // empty for those of the system
	port     uint16
	kind     dns.Type
	haveKind bool
	class    dns.Class
	tcp      bool
	recurse  bool
	timeout  time.Duration
	tries    int
}

// nslookupOption is an option such as -type=MX or -vc.
type nslookupOption struct {
	names []string
	about string
	flag  func(q *nslookupQuestion, on bool)
	value func(q *nslookupQuestion, v string) error
}

func nslookupOptions() []nslookupOption {
	return []nslookupOption{
		{names: []string{"type", "qt", "q", "query", "querytype"}, about: "ask for records of this type", value: setLookupType},
		{names: []string{"class", "cl"}, about: "ask in this class (IN)", value: setLookupClass},
		{names: []string{"port"}, about: "the server's port (53)", value: setLookupPort},
		{names: []string{"timeout"}, about: "wait so many seconds for an answer (5)", value: setLookupTimeout},
		{names: []string{"retry"}, about: "ask so many times (3)", value: setLookupTries},
		{names: []string{"vc"}, about: "ask over TCP", flag: func(q *nslookupQuestion, on bool) { q.tcp = on }},
		{names: []string{"recurse"}, about: "ask for recursion (on)", flag: func(q *nslookupQuestion, on bool) { q.recurse = on }},
	}
}

// parseNslookup reads the arguments; global is as with parseDig.
func parseNslookup(args []string, global func([]string) (int, error)) (*nslookupQuestion, error) {
	const defaultPort = 53
	q := &nslookupQuestion{
		port: defaultPort, kind: dns.TypeA, class: dns.ClassIN, recurse: true,
		timeout: dnsclient.DefaultTimeout, tries: dnsclient.DefaultTries,
	}
	for len(args) > 0 {
		taken, err := q.take(args, global)
		if err != nil {
			return nil, err
		}
		args = args[taken:]
	}
	if q.name == "" && !q.help {
		return nil, errNotInteractive()
	}
	return q, nil
}

func errNotInteractive() error {
	return usage("nslookup needs a name or an address; it cannot be talked to line by line\n" +
		"hint: utopia nslookup www.networkutopia.test")
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
	case q.name == "" && first == "-": // nslookup - SERVER begins a conversation
		return 0, errNotInteractive()
	case q.name == "":
		q.name = first
	case q.server == "":
		return 1, q.setServer(first)
	default:
		return 0, usage("%q is one argument too many\nusage: utopia nslookup [-option…] NAME|ADDRESS [SERVER]", first)
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

// first is the first question: for an address its name, and for a name without a type its IPv4 address.
func (q *nslookupQuestion) first() (*dns.Message, error) {
	if addr, err := netip.ParseAddr(q.name); err == nil {
		name, _ := dnsclient.ReverseName(addr) // it is valid
		return q.message(name, dns.TypePTR), nil
	}
	name, err := dns.ParseName(q.name, dns.Root)
	if err != nil {
		return nil, usage("%w", err)
	}
	return q.message(name, q.kind), nil
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
	a := asker{servers: []string{q.server}, port: strconv.Itoa(int(q.port)), client: dnsclient.New(dnsclient.Options{
		Host: s.network, Transcript: s.recorder(), Timeout: q.timeout, Tries: q.tries, TCP: q.tcp,
	})}
	if q.server == "" {
		a.servers = systemResolvers().servers
	}
	m, err := q.first()
	if err != nil {
		return err
	}
	var answers []told
	for m != nil {
		t, err := a.ask(ctx, m)
		if err != nil {
			return err
		}
		s.warnings(t)
		answers = append(answers, t)
		m = q.second(t)
	}
	return s.tellLookups(q, answers)
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

func completeNslookup(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	var words []string
	add := func(word, about string) {
		if strings.HasPrefix(word, begun) {
			words = append(words, strings.TrimSuffix(word+"\t"+about, "\t"))
		}
	}
	directive := cobra.ShellCompDirectiveNoFileComp
	if option, _, given := strings.Cut(begun, "="); given {
		for _, t := range commonTypes {
			add(option+"="+t, "")
		}
		return words, directive
	}
	if !strings.HasPrefix(begun, "-") {
		return nil, directive
	}
	for _, o := range nslookupOptions() {
		switch {
		case o.value != nil:
			add("-"+o.names[0]+"=", o.about)
		default:
			add("-"+o.names[0], o.about)
			add("-no"+o.names[0], o.about)
		}
	}
	for _, w := range globalWords {
		add(w, "")
	}
	if len(words) == 1 && strings.Contains(words[0], "=\t") {
		directive |= cobra.ShellCompDirectiveNoSpace
	}
	return words, directive
}

// hashPort is how nslookup writes an address with its port.
func hashPort(addr netip.AddrPort) string {
	return addr.Addr().String() + "#" + strconv.Itoa(int(addr.Port()))
}
