package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/host"
)

// digger asks the questions of a call and prints the answers as they come.
type digger struct {
	*session
	system resolvers
	list   jsonList
	many   bool
	kept   map[keptKey]*dnsclient.Conn // of +keepopen
	page   *digPage                    // of the question that is asked just now
	worst  error                       // what the call ends with
}

// keptKey is what two questions must have in common to go over one connection.
type keptKey struct {
	server       string
	tcp, cookies bool
	secure       digTLS
	timeout      time.Duration
	tries        int
}

func (s *session) newDigger(call *digCall) *digger {
	return &digger{session: s, many: call.many(), list: jsonList{to: s.out, many: call.many()}, kept: map[keptKey]*dnsclient.Conn{}}
}

func (d *digger) close() {
	for _, c := range d.kept {
		_ = c.Close() // nothing is on its way
	}
}

// question asks one question. Of several, one that fails does not stop the others.
func (d *digger) question(ctx context.Context, call *digCall, q *digQuestion) error {
	d.page = &digPage{digQuestion: q, call: call, out: &bytes.Buffer{}, to: d.out}
	err := d.ask(ctx, q)
	if err == nil || ctx.Err() != nil || !d.many {
		return errors.Join(d.page.flush(), err)
	}
	if flushed := d.page.flush(); flushed != nil {
		return flushed
	}
	d.fail(q.name, err)
	return nil
}

// fail tells of a question without an answer among others, and keeps the worst for the exit code.
func (d *digger) fail(about string, err error) {
	if d.json {
		d.list.add(errorJSON{about, message(err)})
	} else {
		d.note("utopia: %s\n", message(err))
	}
	code := exitProblems
	var e *exit
	if errors.As(err, &e) {
		code = e.code
	}
	var worst *exit
	if !errors.As(d.worst, &worst) || code > worst.code {
		d.worst = &exit{code: code}
	}
}

// errorJSON stands in a list for a question that has no answer.
type errorJSON struct {
	Name  string `json:"name"`
	Error string `json:"error"`
}

func (d *digger) end() error {
	if d.json && d.many {
		d.list.end()
	}
	if d.list.err != nil {
		return fmt.Errorf("print the answers: %w", d.list.err)
	}
	return d.worst
}

func (d *digger) ask(ctx context.Context, q *digQuestion) error {
	if q.server == "" || q.search {
		if d.system.servers == nil {
			d.system = systemResolvers()
		}
	}
	names, err := q.names(d.system)
	if err != nil {
		return err
	}
	a, err := d.asker(q)
	if err != nil {
		return err
	}
	switch {
	case q.transfer():
		return d.transfer(ctx, a, q, names[0])
	case q.trace:
		return d.trace(ctx, a, q, names[0])
	case q.chain:
		return d.chain(ctx, a, q, names[0])
	}
	return d.lookUp(ctx, a, q, names)
}

// lookUp asks for one name after another, until there is one.
func (d *digger) lookUp(ctx context.Context, a asker, q *digQuestion, names []dns.Name) error {
	for i, name := range names {
		t, err := a.ask(ctx, q.message(name))
		if err != nil {
			return err
		}
		if t.Message.Rcode == dns.RcodeNXDomain && i < len(names)-1 {
			continue
		}
		d.warnings(t)
		if d.json {
			d.list.add(t.json())
			return nil
		}
		d.page.answer(t)
		return nil
	}
	return nil
}

// asker asks as the arguments of a question say.
func (d *digger) asker(q *digQuestion) (asker, error) {
	opts, err := d.options(q)
	if err != nil {
		return asker{}, err
	}
	a := asker{servers: []string{q.server}, port: q.portOf(), client: dnsclient.New(opts)}
	if q.server == "" {
		a.servers = d.system.servers
	}
	if q.keepOpen {
		a.exchange = func(ctx context.Context, server string, m *dns.Message) (*dnsclient.Answer, error) {
			key := keptKey{server, q.tcp, q.sendCookie, q.secure, q.timeout, q.tries}
			if d.kept[key] == nil {
				d.kept[key] = a.client.Connect(server)
			}
			return d.kept[key].Exchange(ctx, m)
		}
	}
	return a, nil
}

func (d *digger) options(q *digQuestion) (dnsclient.Options, error) {
	opts := dnsclient.Options{
		Host: d.network, Transcript: d.recorder(), Timeout: q.timeout, Tries: q.tries,
		TCP: q.tcp, IgnoreTruncation: q.ignore, IPVersion: q.ipVersion,
		Cookies: q.sendCookie, Padding: q.padding, TSIG: q.key,
		KeepEDNS: true, // dig shows what the server says
	}
	if !d.json {
		opts.Sent = func(m *dns.Message, size int) { d.page.sent(m, size) }
	}
	if q.local.IsValid() {
		opts.Host = host.NewOS(host.OSOptions{Local: q.local})
	}
	secure, err := q.secure.options()
	switch {
	case err != nil:
		return opts, err
	case q.secure.https:
		opts.HTTPS = &dnsclient.HTTPS{TLS: secure, Path: q.secure.path, Get: q.secure.get}
	case q.secure.tls:
		opts.TLS = &secure
	}
	return opts, nil
}

// options reads the files with certificates.
func (s digTLS) options() (dnsclient.TLS, error) {
	opts := dnsclient.TLS{Verify: s.verify || s.name != "", Name: s.name}
	if s.ca != "" {
		text, err := readSmall(s.ca)
		if err != nil {
			return opts, usage("+tls-ca: %w", err)
		}
		opts.Roots = x509.NewCertPool()
		if !opts.Roots.AppendCertsFromPEM(text) {
			return opts, usage("+tls-ca: there is no certificate in %s", s.ca)
		}
	}
	if s.certificate != "" {
		pair, err := tls.LoadX509KeyPair(s.certificate, s.secretKey)
		if err != nil {
			return opts, usage("+tls-certfile: %w", err)
		}
		opts.Certificates = []tls.Certificate{pair}
	}
	return opts, nil
}

// transfer prints a zone as it comes.
func (d *digger) transfer(ctx context.Context, a asker, q *digQuestion, zone dns.Name) error {
	server := a.servers[0]
	x := a.client.Transfer(a.address(server), q.message(zone))
	var last told
	for answer, err := range x.Messages(ctx) {
		if err != nil {
			if !d.json {
				d.page.transferFailed(err)
			}
			return a.failure(ctx, err)
		}
		last = told{answer, dns.Question{Name: zone, Type: q.kind, Class: q.class}, server, time.Now()}
		if d.json {
			d.list.add(last.json())
			continue
		}
		d.page.part(answer.Message)
		if err := d.page.flush(); err != nil {
			return err
		}
	}
	if !d.json {
		messages, records, octets := x.Size()
		size := fmt.Sprintf(";; XFR size: %d records (messages %d, bytes %d)\n\n", records, messages, octets)
		if last.Network == "udp" {
			size = fmt.Sprintf(";; MSG SIZE  rcvd: %d\n\n", octets)
		}
		d.page.end(last, size)
	}
	return nil
}

// stepJSON is a step of a trace for programs: an answer with who was asked, and where it led.
type stepJSON struct {
	Zone string `json:"zone"`
	For  string `json:"for,omitempty"`
	Next string `json:"next,omitempty"`
	Name string `json:"serverName"`
	*answerJSON
	Error string `json:"error,omitempty"`
}

// trace asks from the root down and prints each step.
func (d *digger) trace(ctx context.Context, a asker, q *digQuestion, name dns.Name) error {
	opts := dnsclient.TraceOptions{Port: a.port}
	if q.server != "" {
		opts.Start = []string{a.address(q.server)}
	}
	for step, err := range a.client.Trace(ctx, q.message(name), opts) {
		if err != nil {
			return a.failure(ctx, fmt.Errorf("ask from the root down for %s: %w", name, err))
		}
		if d.json {
			d.list.add(stepOf(step))
			continue
		}
		d.page.step(step)
		if err := d.page.flush(); err != nil {
			return err
		}
	}
	return nil
}

func stepOf(step dnsclient.TraceStep) stepJSON {
	out := stepJSON{Zone: step.Zone.String(), For: step.For.String(), Next: step.Next.String(), Name: step.Server}
	if step.Answer != nil {
		answer := told{Answer: step.Answer, when: time.Now()}.json()
		out.answerJSON = &answer
	}
	if step.Err != nil {
		out.Error = step.Err.Error()
	}
	return out
}
