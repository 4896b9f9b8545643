package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

// talk is a conversation with nslookup. Nothing in a line ends it but exit.
type talk struct {
	*session
	set   nslookupQuestion // what the lines have set
	first nslookupQuestion // what it began with, which lserver asks
	worst int              // the highest exit code that a look-up had
}

// maxTalkLine is the longest line that is read, in octets.
const maxTalkLine = 64 << 10

// talk reads what to do line by line, until exit or the end.
func (s *session) talk(ctx context.Context, q *nslookupQuestion) error {
	t := &talk{session: s, set: *q, first: *q}
	lines := bufio.NewReaderSize(s.in, maxTalkLine)
	prompt := terminal(s.in) && terminal(s.out)
	for ctx.Err() == nil {
		if prompt {
			s.print("> ")
		}
		line, long, err := lines.ReadLine()
		if long {
			err = t.skip(lines)
			s.note("*** a line of more than %d octets\n", maxTalkLine)
			line = nil
		}
		if done := t.line(ctx, string(line)); done || err != nil {
			if !s.json {
				s.print("\n")
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("read what to do: %w", err)
			}
			break
		}
	}
	if t.worst != exitDone {
		return &exit{code: t.worst}
	}
	return ctx.Err()
}

// skip reads the rest of a line that is too long.
func (t *talk) skip(lines *bufio.Reader) error {
	for {
		_, more, err := lines.ReadLine()
		if err != nil || !more {
			return err
		}
	}
}

// line does what a line says.
func (t *talk) line(ctx context.Context, line string) (done bool) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return false
	}
	var err error
	switch command, rest := strings.ToLower(words[0]), words[1:]; command {
	case "exit":
		return true
	case "set":
		err = t.setAll(rest)
	case "server":
		err = t.server(ctx, rest, &t.set)
	case "lserver":
		err = t.server(ctx, rest, &t.first)
	case "help", "?":
		t.print("%s", talkHelp)
	case "ls":
		err = usage("ls is not here\nhint: utopia dig DOMAIN AXFR lists a zone, where its server allows that")
	case "view", "finger", "root":
		err = usage("%s is not here\nhint: help lists what is", command)
	default:
		return t.lookUp(ctx, words)
	}
	if err != nil {
		t.complain(err)
	}
	return false
}

const talkHelp = `NAME|ADDRESS [SERVER]  look it up, here or at another server
server SERVER          ask this server from now on; its address is asked of the present one
lserver SERVER         the same; its address is asked of the server that was the first
set all                show what is set
set OPTION…            type=TYPE class=CLASS port=N timeout=SECONDS retry=N domain=NAME ndots=N,
                       and with or without no before: recurse vc search debug d2
exit                   end, as does the end of the input
`

func (t *talk) complain(err error) { t.note("*** %s\n", message(err)) }

// setAll sets what the words say.
func (t *talk) setAll(words []string) error {
	if len(words) == 0 {
		return usage("set needs an option: help lists them")
	}
	for _, w := range words {
		if strings.EqualFold(w, "all") {
			t.show(true)
			continue
		}
		if err := t.set.option(strings.TrimPrefix(w, "-")); err != nil {
			return err
		}
	}
	return nil
}

// show prints the servers, and with all the settings too.
func (t *talk) show(all bool) {
	servers := t.lookupAsker(&t.set).servers
	for _, s := range servers {
		t.print("Default server: %s\nAddress: %s#%d\n", onlyASCII(s), onlyASCII(s), t.set.port)
	}
	if !all {
		return
	}
	flag := func(on bool, name string) string {
		if !on {
			name = "no" + name
		}
		return name
	}
	q := t.set
	list := q.domain
	if list == "" && q.search {
		list = strings.Join(systemResolvers().search, "/")
	}
	t.print("\nSet options:\n  %s\t\t\t%s\t\t%s\n  %s\t\t%s\n", flag(q.tcp, "vc"), flag(q.debug, "debug"), flag(q.wire, "d2"),
		flag(q.search, "search"), flag(q.recurse, "recurse"))
	t.print("  timeout = %d\t\tretry = %d\tport = %d\tndots = %d\n", int(q.timeout.Seconds()), q.tries, q.port, q.ndots)
	t.print("  querytype = %-8s\tclass = %s\n  srchlist = %s\n", q.kind, q.class, onlyASCII(list))
}

// server asks another server from now on; by is whom to ask for its address.
func (t *talk) server(ctx context.Context, words []string, by *nslookupQuestion) error {
	if len(words) != 1 {
		return usage("server needs one: an address or a name")
	}
	asked, err := t.named(ctx, words[0], *by)
	if err != nil {
		return err
	}
	t.set.server, t.set.port = asked.server, asked.port
	t.show(false)
	return nil
}

// named gives the settings by with another server, of which the address is asked if it is given by name.
func (t *talk) named(ctx context.Context, server string, by nslookupQuestion) (nslookupQuestion, error) {
	asked := t.set
	if err := asked.setServer(server); err != nil {
		return asked, err
	}
	if _, err := netip.ParseAddr(asked.server); err == nil {
		return asked, nil
	}
	by.name, by.kind, by.class, by.haveKind = asked.server, dns.TypeA, dns.ClassIN, false
	answers, err := t.session.lookUp(ctx, &by)
	if err != nil {
		return asked, err
	}
	for _, a := range answers {
		for _, rr := range a.Message.Answer {
			if addr, ok := rr.Addr(); ok {
				asked.server = addr.String()
				return asked, nil
			}
		}
	}
	return asked, usage("the server %s has no address", server)
}

func (t *talk) answer(ctx context.Context, q *nslookupQuestion) error {
	answers, err := t.session.lookUp(ctx, q)
	if err != nil {
		return err
	}
	return t.tellLookups(q, answers)
}

// lookUp looks a name up, here or at another server, and notes how that ended. Only the end of the context ends it.
func (t *talk) lookUp(ctx context.Context, words []string) (done bool) {
	q := t.set
	err := error(nil)
	switch {
	case len(words) > 2:
		err = usage("%q is one word too many\nhint: NAME [SERVER]", words[2])
	case len(words) == 2:
		q, err = t.named(ctx, words[1], t.set)
	}
	if q.name = words[0]; err == nil {
		err = t.answer(ctx, &q)
	}
	if err != nil {
		code := exitProblems
		var e *exit
		if errors.As(err, &e) {
			code = e.code
		}
		t.worst = max(t.worst, code)
		if e == nil || e.err != nil {
			t.complain(err)
		}
	}
	return ctx.Err() != nil
}
