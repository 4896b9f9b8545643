package main

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
)

// digQuestion is what the arguments of dig say.
type digQuestion struct {
	args []string // as given, for the first line of the output
	help bool

	server    string // after @; empty for those of the system
	port      uint16
	ipVersion int // 4, 6, or 0 for either

	name      string // empty for the root
	kind      dns.Type
	class     dns.Class
	haveKind  bool
	haveClass bool

	tcp, chosen bool // the transport, and whether it was asked for
	ignore      bool
	timeout     time.Duration
	tries       int

	recurse, ad, cd bool
	edns            bool
	version         uint8
	bufsize         uint16
	dnssec, nsid    bool

	show digShow
}

// digShow is which parts of an answer are printed.
type digShow struct {
	short, cmd, comments, question, answer, authority, additional, stats bool
}

func newDigQuestion(args []string) *digQuestion {
	const defaultPort = 53
	return &digQuestion{
		args: args, port: defaultPort, kind: dns.TypeA, class: dns.ClassIN,
		timeout: dnsclient.DefaultTimeout, tries: dnsclient.DefaultTries,
		recurse: true, ad: true, edns: true, bufsize: dnsclient.DefaultUDPSize,
		show: digShow{cmd: true, comments: true, question: true, answer: true, authority: true, additional: true, stats: true},
	}
}

// parseDig reads the arguments in dig's own grammar. global takes a flag that all commands have and says how many
// arguments it took, as globalFlag does.
func parseDig(args []string, global func([]string) (int, error)) (*digQuestion, error) {
	q := newDigQuestion(slices.Clone(args))
	for len(args) > 0 {
		taken, err := q.take(args, global)
		if err != nil {
			return nil, err
		}
		args = args[taken:]
	}
	q.settle()
	return q, nil
}

// take reads the first argument, and a second one where that is its value.
func (q *digQuestion) take(args []string, global func([]string) (int, error)) (taken int, err error) {
	first := args[0]
	switch {
	case first == "-h" || first == "--help":
		q.help = true
		return 1, nil
	case strings.HasPrefix(first, "@"):
		return 1, q.setServer(first[1:])
	case strings.HasPrefix(first, "+"):
		return 1, q.plus(first[1:])
	case first == "-4" || first == "-6":
		q.ipVersion = int(first[1] - '0')
		return 1, nil
	case first == "-r": // leave ~/.digrc unread: nobody reads it here
		return 1, nil
	case len(first) > 1 && first[0] == '-' && strings.ContainsRune(digLetters, rune(first[1])):
		return q.letter(args)
	case len(first) > 1 && first[0] == '-':
		if taken, err := global(args); taken > 0 || err != nil {
			return taken, err
		}
		return 0, unknownDig(first)
	}
	return 1, q.word(first)
}

// digLetters are the options of one letter that have a value.
const digLetters = "ptcqx"

// letter reads -p 8053 or -p8053.
func (q *digQuestion) letter(args []string) (taken int, err error) {
	option, value, taken := args[0][:2], args[0][2:], 1
	if value == "" {
		if len(args) < 2 {
			return 0, usage("%s needs a value", option)
		}
		value, taken = args[1], 2
	}
	switch option {
	case "-p":
		port, err := strconv.ParseUint(value, 10, 16)
		if err != nil || port == 0 {
			return 0, usage("-p: %q is no port: 1 to 65535", value)
		}
		q.port = uint16(port)
	case "-t":
		err = q.setKind(value)
	case "-c":
		err = q.setClass(value)
	case "-q":
		err = q.setName(value)
	case "-x":
		err = q.setReverse(value)
	}
	return taken, err
}

// word reads an argument without a sign: a type or a class if it is one, as dig does, and else the name.
func (q *digQuestion) word(w string) error {
	if _, err := dns.ParseType(w); err == nil {
		return q.setKind(w)
	}
	if _, err := dns.ParseClass(w); err == nil {
		return q.setClass(w)
	}
	return q.setName(w)
}

func (q *digQuestion) setServer(server string) error {
	if q.server != "" {
		return usage("two servers: @%s and @%s", q.server, server)
	}
	server, port := splitServer(server)
	if port != "" {
		if _, err := q.letter([]string{"-p", port}); err != nil {
			return err
		}
	}
	if server == "" {
		return usage("@ needs a server\nhint: such as @127.0.0.1")
	}
	q.server = server
	return nil
}

// splitServer parts a server from its port, "" where there is none: 127.0.0.1:8053, as an instance tells its address,
// and 127.0.0.1#8053, as dig and nslookup print it.
func splitServer(s string) (server, port string) {
	if host, port, err := net.SplitHostPort(s); err == nil {
		return host, port
	}
	s, port, _ = strings.Cut(s, "#")
	return strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), port
}

func (q *digQuestion) setKind(s string) error {
	kind, err := dns.ParseType(s)
	switch {
	case err != nil:
		return usage("%q is no record type\nhint: such as A, AAAA, MX, NS, SOA, TXT, ANY, or TYPE65 by its number", s)
	case q.haveKind && kind != q.kind:
		return usage("two types: %s and %s\nhint: a name that is also a type stands behind -q, or ends in a dot", q.kind, kind)
	case kind == dns.TypeAXFR || kind == dns.TypeIXFR:
		return usage("%s asks for a whole zone, which utopia does not transfer", kind)
	}
	q.kind, q.haveKind = kind, true
	return nil
}

func (q *digQuestion) setClass(s string) error {
	class, err := dns.ParseClass(s)
	switch {
	case err != nil:
		return usage("%q is no class: IN, CH, HS, ANY, or CLASS3 by its number", s)
	case q.haveClass && class != q.class:
		return usage("two classes: %s and %s", q.class, class)
	}
	q.class, q.haveClass = class, true
	return nil
}

func (q *digQuestion) setName(s string) error {
	if q.name != "" {
		return usage("two names: %s and %s\nhint: one question at a time; %q is no type and no class", q.name, s, s)
	}
	if _, err := dns.ParseName(s, dns.Root); err != nil {
		return usage("%w", err)
	}
	q.name = s
	return nil
}

func (q *digQuestion) setReverse(s string) error {
	name, ok := reverseNetwork(s)
	if !ok {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return usage("-x: %q is no address\nhint: such as 192.0.2.1 or 2001:db8::1", s)
		}
		full, _ := dnsclient.ReverseName(addr) // it is valid
		name = full.String()
	}
	if !q.haveKind {
		q.kind = dns.TypePTR
	}
	return q.setName(name)
}

// reverseNetwork gives the name of the reverse zone of an IPv4 network that is given by its first one to three octets,
// as dig takes it: of 192.0.2 it is 2.0.192.in-addr.arpa.
func reverseNetwork(s string) (name string, ok bool) {
	octets := strings.Split(strings.TrimSuffix(s, "."), ".")
	for _, o := range octets {
		if v, err := strconv.ParseUint(o, 10, 8); err != nil || strconv.FormatUint(v, 10) != o {
			return "", false
		}
	}
	slices.Reverse(octets)
	return strings.Join(octets, ".") + ".in-addr.arpa.", len(octets) < 4
}

// settle fills in what depends on all the arguments.
func (q *digQuestion) settle() {
	if q.name == "" {
		q.name = "."
		if !q.haveKind {
			q.kind = dns.TypeNS
		}
	}
	if q.kind == dns.TypeANY && !q.chosen {
		q.tcp = true // as dig does: such answers are long
	}
}

// message is the query that is sent.
func (q *digQuestion) message() (*dns.Message, error) {
	name, err := dns.ParseName(q.name, dns.Root)
	if err != nil {
		return nil, usage("%w", err)
	}
	m := dns.NewQuery(0, name, q.kind)
	m.Question[0].Class = q.class
	m.RecursionDesired, m.AuthenticData, m.CheckingDisabled = q.recurse, q.ad, q.cd
	if q.edns {
		m.EDNS = &dns.EDNS{Version: q.version, UDPSize: q.bufsize, DO: q.dnssec}
		if q.nsid {
			m.EDNS.Options = []dns.Option{{Code: dns.OptionNSID}}
		}
	}
	return m, nil
}
