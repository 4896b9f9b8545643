package dnsclient

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/transcript"
)

// NewAXFR makes the query for a whole zone (RFC 5936 section 2.1).
func NewAXFR(zone dns.Name) *dns.Message { return dns.NewQuery(0, zone, dns.TypeAXFR) }

// NewIXFR makes the query for what changed in a zone since a serial (RFC 1995
// section 3).
func NewIXFR(zone dns.Name, serial uint32) *dns.Message {
	q := dns.NewQuery(0, zone, dns.TypeIXFR)
	q.Authority = []dns.RR{dns.SOARR(zone, 0, dns.SOA{MName: dns.Root, RName: dns.Root, Serial: serial})}
	return q
}

// RcodeError says that a server answered a transfer with an error.
type RcodeError struct {
	Message *dns.Message // what it said
}

// Error gives the code, and what the server added to it (RFC 8914).
func (e *RcodeError) Error() string {
	text := "the server answered " + e.Message.Rcode.String()
	for _, more := range e.Message.EDNS.ExtendedErrors() {
		text += ", " + more.String()
	}
	return text
}

// TransferRecord is a record of a transfer.
type TransferRecord struct {
	dns.RR
	Change Change
}

// Transfer is a zone on its way from a server. It is used once, and by one
// goroutine: range over its Messages or its Records.
type Transfer struct {
	client *Client
	server string
	query  *dns.Message
	seq    sequence

	x       *exchange
	records int64
	octets  int64
	count   int
	used    bool
}

// Transfer makes a Transfer of a zone from a server, which is named as with
// [Client.Exchange]. q asks for AXFR or IXFR, as [NewAXFR] and [NewIXFR] make
// it. Nothing is sent yet.
//
// It goes over TCP, or over TLS where Options say so (RFC 9103), but for IXFR
// where Options do not say TCP, which is tried over UDP first (RFC 1995 section
// 2). Over HTTPS there are no transfers. Each message must come whole within
// Options.Timeout; MaxTransferRecords and MaxTransferOctets bound the whole,
// and the context does.
//
// Every record must be of the zone, and the order must be that of a transfer:
// a server cannot smuggle in anything else. Nothing of a transfer should be
// used before it came to its end without an error.
func (c *Client) Transfer(server string, q *dns.Message) *Transfer {
	return &Transfer{client: c, server: server, query: q}
}

// Kind says what the server sends, as far as it is known by now.
func (t *Transfer) Kind() TransferKind { return t.seq.kind }

// Serial gives the serial of the zone that the server has; zero before the
// first record.
func (t *Transfer) Serial() uint32 { return t.seq.newest }

// Size gives what has come by now: messages, records and octets.
func (t *Transfer) Size() (messages int, records, octets int64) { return t.count, t.records, t.octets }

// Records gives the records one by one, as [Transfer.Messages] gives the
// messages that they come in.
func (t *Transfer) Records(ctx context.Context) iter.Seq2[TransferRecord, error] {
	return func(yield func(TransferRecord, error) bool) {
		follow := sequence{}
		for a, err := range t.Messages(ctx) {
			if err != nil {
				yield(TransferRecord{}, err)
				return
			}
			if follow.zone == "" {
				follow = t.fresh()
			}
			for _, rr := range a.Message.Answer {
				change, err := follow.next(rr)
				if !yield(TransferRecord{rr, change}, err) { // there is no error: the message was checked
					return
				}
			}
		}
	}
}

// Messages gives the answers one by one, each checked to be the next part of
// a transfer, with the time since the question. An error is the last thing
// that it gives; it is of type *Error, with [ErrTransfer] or an *[RcodeError]
// in its chain besides those of [Client.Exchange].
func (t *Transfer) Messages(ctx context.Context) iter.Seq2[*Answer, error] {
	return func(yield func(*Answer, error) bool) {
		if err := t.begin(); err != nil {
			yield(nil, err)
			return
		}
		if t.x.network == overUDP {
			if a, err := t.overUDP(ctx); err == nil || ctx.Err() != nil {
				yield(a, err)
				return
			}
			t.x.network, t.x.start, t.seq = overTCP, time.Now(), t.fresh()
			t.records, t.octets, t.count = 0, 0, 0
		}
		if err := t.stream(ctx, yield); err != nil {
			yield(nil, t.x.fail(err))
		}
	}
}

// begin checks the query.
func (t *Transfer) begin() error {
	t.x = newExchange(t.client, t.server, t.query)
	q := t.query
	switch {
	case t.used:
		return t.x.fail(fmt.Errorf("%w: this transfer was used already", ErrQuery))
	case q.Response || len(q.Question) != 1 || q.Opcode != dns.OpcodeQuery:
		return t.x.fail(fmt.Errorf("%w: not one question for a transfer", ErrQuery))
	case q.Question[0].Type != dns.TypeAXFR && q.Question[0].Type != dns.TypeIXFR:
		return t.x.fail(fmt.Errorf("%w: %s is no transfer", ErrQuery, q.Question[0].Type))
	case t.x.network == overHTTPS:
		return t.x.fail(fmt.Errorf("%w: there are no transfers over HTTPS", ErrQuery))
	}
	t.used, t.seq = true, t.fresh()
	if t.seq.ixfr && !hasSerial(q) {
		return t.x.fail(fmt.Errorf("%w: IXFR without an SOA record in its authority section", ErrQuery))
	}
	if !t.seq.ixfr && t.x.network == overUDP {
		t.x.network = overTCP
	}
	return nil
}

func hasSerial(q *dns.Message) bool {
	if len(q.Authority) == 0 {
		return false
	}
	_, ok := q.Authority[0].SOA()
	return ok
}

func (t *Transfer) fresh() sequence {
	asked := t.query.Question[0]
	s := sequence{zone: asked.Name, class: asked.Class, ixfr: asked.Type == dns.TypeIXFR}
	if s.ixfr && hasSerial(t.query) {
		soa, _ := t.query.Authority[0].SOA()
		s.asked = soa.Serial
	}
	return s
}

// overUDP tries an IXFR in one datagram. Whatever its error, TCP shall be
// tried then: the answer did not fit, did not come, is a lone SOA record of a
// newer zone (RFC 1995 section 2), or the server has IXFR over TCP alone.
func (t *Transfer) overUDP(ctx context.Context) (*Answer, error) {
	t.x.onlyUDP = true
	a, err := t.x.run(ctx)
	switch {
	case err != nil:
		return nil, err
	case a.Message.Rcode != dns.RcodeSuccess:
		return nil, &RcodeError{a.Message}
	}
	if err := t.check(a); err != nil {
		return nil, err
	}
	if t.seq.step != atEnd {
		return nil, errTruncated
	}
	return a, nil
}

// stream transfers over a connection. It gives the error that nobody was told
// yet.
func (t *Transfer) stream(ctx context.Context, yield func(*Answer, error) bool) error {
	t.x.tries++
	opening, cancel := context.WithTimeout(ctx, t.x.opts.Timeout)
	defer cancel()
	l, err := t.x.open(opening)
	if err != nil {
		return t.x.unconnected(ctx, linkError(ctx, err))
	}
	defer l.close()
	one := t.x.newTry(ctx, l)
	defer one.log.End()
	err = t.messages(ctx, one, yield)
	if err != nil {
		one.note(err.Error())
	}
	return err
}

func (t *Transfer) messages(ctx context.Context, one *try, yield func(*Answer, error) bool) error {
	stop := context.AfterFunc(ctx, one.link.interrupt)
	defer stop()
	frame, err := one.frame()
	if err != nil {
		return err
	}
	if err := t.within(ctx, one, func() error { return one.send(ctx, frame) }); err != nil {
		return err
	}
	buffer := t.client.buffers.Get().(*[]byte)
	defer t.client.buffers.Put(buffer)
	for empty := 0; t.seq.step != atEnd; {
		a, err := t.receive(ctx, one, *buffer)
		if err != nil {
			return err
		}
		if len(a.Message.Answer) == 0 {
			if empty++; empty > one.opts.MaxIgnored {
				return fmt.Errorf("%w: message after message without a record", ErrFlood)
			}
		}
		if !yield(a, nil) {
			return nil
		}
	}
	return nil
}

// within bounds one step by Options.Timeout.
func (t *Transfer) within(ctx context.Context, one *try, do func() error) error {
	if err := one.link.conn.SetDeadline(time.Now().Add(one.opts.Timeout)); err != nil {
		return connError(ctx, one.network, err)
	}
	if ctx.Err() != nil { // and its interrupt was overwritten just now
		return timeoutError(ctx, nil)
	}
	return do()
}

// receive reads the next message and checks that it belongs here.
func (t *Transfer) receive(ctx context.Context, one *try, buffer []byte) (*Answer, error) {
	var wire []byte
	err := t.within(ctx, one, func() (err error) {
		wire, err = one.receive(ctx, buffer)
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err := one.verify(wire); err != nil {
		one.received(wire)
		return nil, err
	}
	m, err := dns.Parse(wire)
	if err != nil {
		one.received(wire)
		return nil, fmt.Errorf("%w of %d octets: %w", ErrMalformed, len(wire), err)
	}
	if one.log != nil {
		one.log.Message(transcript.Received, wire, dns.Summary(m))
	}
	a := &Answer{
		Message: m, Size: len(wire), Server: host.AddrPort(one.link.conn.RemoteAddr()), Network: one.network,
		Duration: time.Since(one.sent), Query: &one.query,
	}
	if err := t.belongs(one, wire, m); err != nil {
		return nil, err
	}
	if err := t.check(a); err != nil {
		return nil, err
	}
	if t.seq.step == atEnd && one.signed != nil {
		if err := one.signed.Finish(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTSIG, err)
		}
	}
	return t.x.tell(a), nil
}

// belongs checks header and question. In all messages but the first the
// question may be left out (RFC 5936 section 2.2.1).
func (t *Transfer) belongs(one *try, wire []byte, m *dns.Message) error {
	if t.count == 0 || len(m.Question) > 0 {
		if err := match(&one.query, wire); err != nil {
			return fmt.Errorf("%w: %w", ErrTransfer, err)
		}
	}
	if m.ID != one.query.ID || !m.Response || m.Opcode != dns.OpcodeQuery || m.Truncated {
		return fmt.Errorf("%w: %s does not belong to it", ErrTransfer, dns.Summary(m))
	}
	if m.Rcode != dns.RcodeSuccess {
		return &RcodeError{m}
	}
	return nil
}

// check counts a message and follows its records.
func (t *Transfer) check(a *Answer) error {
	t.count++
	t.octets += int64(a.Size)
	t.records += int64(len(a.Message.Answer))
	if limit := t.client.opts.MaxTransferOctets; t.octets > limit {
		return fmt.Errorf("%w: more than %d octets in one transfer", ErrTooLong, limit)
	}
	if limit := t.client.opts.MaxTransferRecords; t.records > limit {
		return fmt.Errorf("%w: more than %d records in one transfer", ErrTooLong, limit)
	}
	for _, rr := range a.Message.Answer {
		if _, err := t.seq.next(rr); err != nil {
			return err
		}
	}
	return nil
}
