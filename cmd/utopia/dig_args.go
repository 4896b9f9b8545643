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

// digCall is what one line of arguments says: one question or several.
type digCall struct {
	args      []string // as given, for the first line of the output
	help      bool
	greeted   bool   // the first lines are printed
	later     bool   // they were printed before, for another line of a file
	batch     string // the file of -f; "" without one
	questions []*digQuestion
	base      *digQuestion // with what each question begins, also those of the file
	*digAll
}

// many says whether there may be several answers.
func (c *digCall) many() bool {
	if len(c.questions) != 1 || c.batch != "" {
		return true
	}
	q := c.questions[0]
	return q.trace || q.transfer()
}

// digAll is what holds for all questions of a line, wherever it stands.
type digAll struct {
	short, cmd bool
	port       uint16 // 0 where none is named
	ipVersion  int    // 4, 6, or 0 for either
	local      netip.AddrPort
	key        *dns.TSIGKey
}

// digQuestion is one question with its options.
type digQuestion struct {
	*digAll

	server     string // after @; empty for those of the system
	serverPort uint16 // after @ too; 0 without one
	haveServer bool   // it was named for this question

	name      string // empty for the root
	kind      dns.Type
	serial    uint32 // of IXFR
	class     dns.Class
	haveKind  bool
	haveClass bool

	tcp, chosen bool // the transport, and whether it was asked for
	secure      digTLS
	ignore      bool
	keepOpen    bool
	timeout     time.Duration
	tries       int
	search      bool
	domain      string
	ndots       int

	opcode                   dns.Opcode
	recurse, ad, cd          bool
	edns                     bool
	version                  uint8
	bufsize                  uint16
	flags                    uint16 // the EDNS flags without a meaning
	dnssec, nsid, sendCookie bool
	cookie                   []byte // given; nil for one of our own
	subnet                   *netip.Prefix
	options                  []dns.Option
	padding                  int

	trace, chain bool
	anchors      []dns.RR // that +chain trusts; nil for those of the root
	show         digShow
}

// digTLS is how to ask over TLS or HTTPS.
type digTLS struct {
	tls, https, get        bool
	verify                 bool
	ca, name, path         string
	certificate, secretKey string // files
}

// digShow is which parts of an answer are printed, and how.
type digShow struct {
	comments, question, answer, authority, additional, stats bool

	chosen          struct{ comments, question bool } // by an option: a transfer shows them then alone
	query, identify bool
	multiline       bool
	noTTL, noClass  bool
	units, noCrypto bool
	recordComments  int // 1 on, -1 off, 0 with multiline
	split           int // characters; 0 does not split, -1 is the usual
	microseconds    bool
}

func newDigQuestion() *digQuestion {
	return &digQuestion{
		digAll: &digAll{cmd: true}, kind: dns.TypeA, class: dns.ClassIN,
		timeout: dnsclient.DefaultTimeout, tries: dnsclient.DefaultTries, ndots: 1,
		recurse: true, ad: true, edns: true, bufsize: dnsclient.DefaultUDPSize, sendCookie: true,
		show: digShow{comments: true, question: true, answer: true, authority: true, additional: true, stats: true, split: -1},
	}
}

// digParser reads the arguments in dig's own grammar: what stands before the first name is for all names, and what
// stands behind a name is for that one.
type digParser struct {
	digCall
	current *digQuestion // the last one; nil before the first
	global  func([]string) (int, error)
}

// maxQuestions is how many questions one line may have.
const maxQuestions = 1000

// parseDig reads a line. global takes a flag that all commands have and says how many arguments it took, as
// globalFlag does. Within a file of questions, given is the line that named the file, whose options hold too.
func parseDig(args []string, global func([]string) (int, error), given *digQuestion) (*digCall, error) {
	p := digParser{global: global}
	p.base = newDigQuestion()
	if given != nil {
		p.base = given.clone()
		all := *given.digAll
		p.base.digAll = &all
	}
	p.args, p.digAll = masked(args), p.base.digAll
	for rest := slices.Clone(args); len(rest) > 0; {
		taken, err := p.take(rest)
		if err != nil {
			return nil, err
		}
		rest = rest[taken:]
	}
	if len(p.questions) == 0 && p.batch == "" {
		p.questions = []*digQuestion{p.base}
	}
	for _, q := range p.questions {
		if err := q.settle(); err != nil {
			return nil, err
		}
	}
	return &p.digCall, nil
}

func (q *digQuestion) clone() *digQuestion {
	other := *q
	other.options = slices.Clip(q.options)
	return &other
}

// last is the question that an option is for.
func (p *digParser) last() *digQuestion {
	if p.current != nil {
		return p.current
	}
	return p.base
}

// begin makes a new question.
func (p *digParser) begin() (*digQuestion, error) {
	if len(p.questions) == maxQuestions {
		return nil, usage("more than %d names\nhint: -f FILE takes any number", maxQuestions)
	}
	p.current = p.base.clone()
	p.current.haveKind, p.current.haveClass, p.current.haveServer = false, false, false // what was set for all may be set anew for this one
	p.questions = append(p.questions, p.current)
	return p.current, nil
}

// take reads the first argument, and a second one where that is its value.
func (p *digParser) take(args []string) (taken int, err error) {
	first := args[0]
	switch {
	case first == "-h" || first == "--help":
		p.help = true
		return 1, nil
	case strings.HasPrefix(first, "@"):
		return 1, p.last().setServer(first[1:])
	case strings.HasPrefix(first, "+"):
		return 1, p.last().plus(first[1:])
	case first == "-4" || first == "-6":
		p.ipVersion = int(first[1] - '0')
		return 1, nil
	case first == "-r": // leave ~/.digrc unread: nobody reads it here
		return 1, nil
	case first == "-u":
		p.last().show.microseconds = true
		return 1, nil
	case len(first) > 1 && first[0] == '-' && strings.ContainsRune(digLetters, rune(first[1])):
		return p.letter(args)
	case len(first) > 1 && first[0] == '-':
		if taken, err := p.global(args); taken > 0 || err != nil {
			return taken, err
		}
		return 0, unknownDig(first)
	}
	return 1, p.word(first)
}

// digLetters are the options of one letter that have a value.
const digLetters = "ptcqxbfky"

// letter reads -p 8053 or -p8053.
func (p *digParser) letter(args []string) (taken int, err error) {
	option, value, taken := args[0][:2], args[0][2:], 1
	if value == "" {
		if len(args) < 2 {
			return 0, usage("%s needs a value", option)
		}
		value, taken = args[1], 2
	}
	switch option {
	case "-p":
		p.port, err = parsePort(option, value)
	case "-t":
		err = p.last().setKind(value)
	case "-c":
		err = p.last().setClass(value)
	case "-q":
		err = p.setName(value)
	case "-x":
		err = p.setReverse(value)
	case "-b":
		p.local, err = parseLocal(value)
	case "-f":
		if p.batch != "" {
			return 0, usage("two files of questions: -f %s and -f %s", p.batch, value)
		}
		p.batch = value
	case "-y":
		err = p.setKey(value)
	case "-k":
		err = p.setKeyFile(value)
	}
	return taken, err
}

func parsePort(option, value string) (uint16, error) {
	port, err := strconv.ParseUint(value, 10, 16)
	if err != nil || port == 0 {
		return 0, usage("%s: %q is no port: 1 to 65535", option, value)
	}
	return uint16(port), nil
}

// parseLocal reads the address to ask from: ADDRESS or ADDRESS#PORT.
func parseLocal(value string) (netip.AddrPort, error) {
	text, port := splitServer(value)
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.AddrPort{}, usage("-b: %q is no address\nhint: such as 192.0.2.1 or 192.0.2.1#5353", value)
	}
	var number uint16
	if port != "" && port != "0" {
		if number, err = parsePort("-b", port); err != nil {
			return netip.AddrPort{}, err
		}
	}
	return netip.AddrPortFrom(addr, number), nil
}

// word reads an argument without a sign: a type or a class if it is one, as dig does, and else a name.
func (p *digParser) word(w string) error {
	if _, err := dns.ParseType(w); err == nil || isIXFR(w) {
		return p.last().setKind(w)
	}
	if _, err := dns.ParseClass(w); err == nil {
		return p.last().setClass(w)
	}
	return p.setName(w)
}

func (p *digParser) setName(s string) error {
	if _, err := dns.ParseName(s, dns.Root); err != nil {
		return usage("%w", err)
	}
	q, err := p.begin()
	if err == nil {
		q.name = s
	}
	return err
}

func (p *digParser) setReverse(s string) error {
	name, ok := reverseNetwork(s)
	if !ok {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return notAddress(s)
		}
		full, _ := dnsclient.ReverseName(addr) // it is valid
		name = full.String()
	}
	q, err := p.begin()
	if err != nil {
		return err
	}
	if q.name = name; !p.base.haveKind {
		q.kind = dns.TypePTR
	}
	return nil
}

func (q *digQuestion) setServer(server string) error {
	if q.haveServer {
		return usage("two servers: @%s and @%s", q.server, server)
	}
	given := server
	server, port := splitServer(server)
	q.serverPort = 0
	if port != "" {
		var err error
		if q.serverPort, err = parsePort("-p", port); err != nil {
			return err
		}
	}
	if server == "" {
		return usage("@%s needs a server\nhint: such as @127.0.0.1", given)
	}
	q.server, q.haveServer = server, true
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
