package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
)

// digPage prints the answer to a question in dig's layout.
type digPage struct {
	*digQuestion
	call  *digCall
	query *dns.Message // that was sent; nil before
	out   *bytes.Buffer
	to    io.Writer // where flush puts it
}

func (p *digPage) printf(format string, args ...any) { fmt.Fprintf(p.out, format, args...) }

// flush writes what is there.
func (p *digPage) flush() error {
	if p.out.Len() == 0 {
		return nil
	}
	if _, err := p.to.Write(p.out.Bytes()); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	p.out.Reset()
	return nil
}

// greet prints the first lines, once for each line of arguments.
func (p *digPage) greet() {
	if !p.cmd || p.short || p.call.greeted {
		return
	}
	p.call.greeted = true
	first := fmt.Sprintf("; <<>> utopia dig %s <<>> %s\n", version, onlyASCII(strings.Join(p.call.args, " ")))
	if p.call.later {
		p.printf("%s", first)
		return
	}
	p.printf("\n%s", first)
	if p.server != "" {
		p.printf("; (1 server found)\n")
	}
	p.printf(";; global options: +cmd\n")
}

// sent prints a question as it goes out.
func (p *digPage) sent(m *dns.Message, size int) {
	p.query = m
	if !p.show.query || p.short {
		return
	}
	p.greet()
	if p.show.comments {
		p.printf(";; Sending:\n")
	}
	p.message(m)
	if p.show.stats {
		p.printf(";; QUERY SIZE: %d\n\n", size)
	}
}

func (p *digPage) answer(t told) {
	if p.short { // and nothing else, whatever is asked for beside it
		if p.show.answer {
			p.shortAnswer(t)
		}
		return
	}
	if p.show.comments {
		if t.BadCookie {
			p.printf(";; BADCOOKIE, retrying.\n")
		}
		if t.Truncated {
			p.printf(";; Truncated, retrying in TCP mode.\n")
		}
	}
	p.greet()
	if p.query == nil {
		p.query = t.Query
	}
	if p.show.comments {
		p.printf(";; Got answer:\n")
	}
	p.message(t.Message)
	p.end(t, fmt.Sprintf(";; MSG SIZE  rcvd: %d\n\n", t.Size))
}

// end prints what is known about the answer, of which size is the last line.
func (p *digPage) end(t told, size string) {
	switch {
	case p.short:
	case p.show.stats:
		p.stats(t)
		p.printf("%s", size)
	case p.show.identify:
		p.received(t.Answer, t.server)
	}
}

func (p *digPage) shortAnswer(t told) {
	for _, rr := range t.Message.Answer {
		p.printf("%s", p.style().short(rr))
		if p.show.identify {
			p.printf(" from server %s in %s.", serverAddress(t.Answer, t.server), p.took(t.Answer))
		}
		p.printf("\n")
	}
}

// serverAddress is the address of a server, or its name where it has none.
func serverAddress(a *dnsclient.Answer, name string) string {
	if a.Server.IsValid() {
		return a.Server.Addr().String()
	}
	return onlyASCII(name)
}

func (p *digPage) took(a *dnsclient.Answer) string {
	if p.show.microseconds {
		return fmt.Sprintf("%d us", a.Duration.Microseconds())
	}
	return fmt.Sprintf("%d ms", a.Duration.Milliseconds())
}

// received is the one line about an answer that +identify leaves.
func (p *digPage) received(a *dnsclient.Answer, name string) {
	p.printf(";; Received %d bytes from %s(%s) in %s\n\n", a.Size, hashPort(a.Server), onlyASCII(name), p.took(a))
}

// part prints one message of a transfer.
func (p *digPage) part(m *dns.Message) {
	p.greet()
	if p.short {
		if p.show.answer {
			for _, rr := range m.Answer {
				p.printf("%s\n", p.style().short(rr))
			}
		}
		return
	}
	if p.show.comments {
		p.printf(";; Got answer:\n")
	}
	p.message(m)
}

func (p *digPage) transferFailed(err error) {
	p.greet()
	if code := new(dnsclient.RcodeError); errors.As(err, &code) && !p.short {
		p.part(code.Message)
	}
	p.printf("; Transfer failed.\n")
}

// step prints one step of a trace.
func (p *digPage) step(step dnsclient.TraceStep) {
	p.greet()
	name := bareName(step.For)
	if step.For != "" && !p.short {
		p.printf(";; The address of the server %s:\n", name)
	}
	if a := step.Answer; a != nil {
		t := told{Answer: a, server: step.Server}
		switch {
		case p.short && step.Next == "" && step.For == "":
			p.shortAnswer(t)
		case p.short:
		default:
			if p.show.comments {
				p.printf(";; Got answer:\n")
			}
			p.message(a.Message)
			p.received(a, step.Server)
		}
	}
	if step.Err != nil && !p.short {
		p.printf(";; No use (%s): %v\n\n", onlyASCII(step.Server), step.Err)
	}
}

func (p *digPage) message(m *dns.Message) {
	rest, signature := splitTSIG(m.Additional)
	if p.show.comments {
		p.header(m)
		p.printf("\n")
		p.pseudoSection(m)
	}
	if p.show.question && len(m.Question) > 0 {
		p.section("QUESTION SECTION", func() {
			for _, q := range m.Question {
				p.question(q)
			}
		})
	}
	for _, s := range [...]struct {
		name    string
		shown   bool
		records []dns.RR
	}{
		{"ANSWER SECTION", p.show.answer, m.Answer},
		{"AUTHORITY SECTION", p.show.authority, m.Authority},
		{"ADDITIONAL SECTION", p.show.additional, rest},
		{"TSIG PSEUDOSECTION", p.show.additional, signature},
	} {
		if s.shown && len(s.records) > 0 {
			p.section(s.name, func() {
				for _, rr := range s.records {
					p.record(rr)
				}
			})
		}
	}
}

// splitTSIG parts the signature of a message from its other records.
func splitTSIG(rrs []dns.RR) (rest, signature []dns.RR) {
	if n := len(rrs); n > 0 && rrs[n-1].Type == dns.TypeTSIG {
		return rrs[:n-1], rrs[n-1:]
	}
	return rrs, nil
}

func (p *digPage) section(name string, print func()) {
	if p.show.comments {
		p.printf(";; %s:\n", name)
		defer p.printf("\n")
	}
	print()
}

func (p *digPage) header(m *dns.Message) {
	additional := len(m.Additional)
	if m.EDNS != nil {
		additional++
	}
	p.printf(";; ->>HEADER<<- opcode: %s, status: %s, id: %d\n;; flags:", m.Opcode, m.Rcode, m.ID)
	for _, f := range [...]struct {
		on   bool
		name string
	}{
		{m.Response, "qr"}, {m.Authoritative, "aa"}, {m.Truncated, "tc"}, {m.RecursionDesired, "rd"},
		{m.RecursionAvailable, "ra"}, {m.AuthenticData, "ad"}, {m.CheckingDisabled, "cd"},
	} {
		if f.on {
			p.printf(" %s", f.name)
		}
	}
	p.printf("; QUERY: %d, ANSWER: %d, AUTHORITY: %d, ADDITIONAL: %d\n",
		len(m.Question), len(m.Answer), len(m.Authority), additional)
	if m.Response && m.RecursionDesired && !m.RecursionAvailable {
		p.printf(";; WARNING: recursion requested but not available\n")
	}
	if p.edns && m.EDNS == nil && (m.Rcode == dns.RcodeFormErr || m.Rcode == dns.RcodeNotImp) {
		retry := "+noedns"
		if p.dnssec {
			retry = "+nodnssec +noedns"
		}
		p.printf("\n;; WARNING: EDNS query returned status %s - retry with '%s'\n", m.Rcode, retry)
	}
}

func (p *digPage) stats(t told) {
	server := onlyASCII(t.server)
	if t.Server.IsValid() {
		server = hashPort(t.Server)
	}
	took := fmt.Sprintf("%d msec", t.Duration.Milliseconds())
	if p.show.microseconds {
		took = fmt.Sprintf("%d usec", t.Duration.Microseconds())
	}
	network := strings.ToUpper(t.Network)
	if p.secure.https && p.secure.get {
		network += "-GET"
	}
	p.printf(";; Query time: %s\n;; SERVER: %s(%s) (%s)\n;; WHEN: %s\n",
		took, server, onlyASCII(t.server), network, t.when.Format("Mon Jan 02 15:04:05 MST 2006"))
}
