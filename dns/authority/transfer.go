package authority

import (
	"fmt"
	"iter"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// DefaultTransferSize is how many octets the messages of a transfer have, about:
// compression pointers reach no further (RFC 1035 section 4.1.4). A record that
// is larger than that has a message of its own.
const DefaultTransferSize = 16 << 10

// Signer signs the messages of one response, one after the other: a
// *dns.TSIGSigner for which the time is known.
type Signer interface {
	// Sign puts a message with its signature behind dst.
	Sign(dst, wire []byte) ([]byte, error)
	// Size is the octets that Sign adds.
	Size() int
}

// TransferOptions say how a transfer is written.
type TransferOptions struct {
	// Size is how many octets a message has, about, its signature included; 0
	// means DefaultTransferSize.
	Size int
	// Signer signs each message; nil signs none.
	Signer Signer
}

// TransferKind says what a transfer carries.
type TransferKind uint8

// The kinds of transfers.
const (
	// Full: the whole zone (RFC 5936), also as the answer to an IXFR whose
	// version is not known any more or is so old that the zone is shorter.
	Full TransferKind = iota
	// Incremental: what has changed (RFC 1995 section 4).
	Incremental
	// Current: the SOA alone, for whoever has the newest version (RFC 1995 section 2).
	Current
)

// String names the kind.
func (k TransferKind) String() string {
	switch k {
	case Incremental:
		return "incremental"
	case Current:
		return "current"
	}
	return "full"
}

// Transfer is a zone on its way out. It holds on to the snapshot that it was
// made with. Who may have it is for the caller to know.
type Transfer struct {
	Kind TransferKind
	// From is the serial that the client has, of an IXFR.
	From uint32

	zone       *zone.Zone
	difference zone.Difference
	query      *dns.Message
	opts       TransferOptions
}

// IsTransfer says whether a message asks for a zone transfer.
func IsTransfer(q *dns.Message) bool {
	return q.Opcode == dns.OpcodeQuery && len(q.Question) == 1 &&
		(q.Question[0].Type == dns.TypeAXFR || q.Question[0].Type == dns.TypeIXFR)
}

// NewTransfer makes the transfer that answers q, for which IsTransfer holds, of
// a zone with that name, or says with which response code q is to be answered
// instead: FORMERR for an IXFR that does not say which version its client has,
// NOTAUTH for another zone (RFC 5936 section 2.2.1).
func NewTransfer(z *zone.Zone, past zone.History, q *dns.Message, opts TransferOptions) (*Transfer, dns.Rcode) {
	if opts.Size <= 0 {
		opts.Size = DefaultTransferSize
	}
	t := &Transfer{zone: z, query: q, opts: opts}
	asked := q.Question[0]
	if asked.Class != dns.ClassIN || !asked.Name.Equal(z.Apex()) {
		return nil, dns.RcodeNotAuth
	}
	if asked.Type == dns.TypeAXFR {
		return t, dns.RcodeSuccess
	}
	has, ok := clientVersion(q)
	if !ok {
		return nil, dns.RcodeFormErr
	}
	t.From = has
	newest := z.SOA().Serial
	if !zone.SerialAfter(newest, has) {
		t.Kind = Current
		return t, dns.RcodeSuccess
	}
	if d, ok := past.Since(has, newest); ok {
		if records, _ := d.Size(); records < z.Len() {
			t.Kind, t.difference = Incremental, d
		}
	}
	return t, dns.RcodeSuccess
}

// clientVersion gives the serial of the one SOA that an IXFR has in its
// authority section (RFC 1995 section 3).
func clientVersion(q *dns.Message) (serial uint32, ok bool) {
	if len(q.Authority) != 1 || !q.Authority[0].Name.Equal(q.Question[0].Name) {
		return 0, false
	}
	soa, ok := q.Authority[0].SOA()
	return soa.Serial, ok
}

// records gives what the transfer carries, in order.
func (t *Transfer) records() iter.Seq[dns.RR] {
	return func(yield func(dns.RR) bool) {
		var soa dns.RR
		for rr := range t.zone.All() {
			soa = rr
			break
		}
		switch t.Kind {
		case Current:
			yield(soa)
			return
		case Incremental:
			if !yield(soa) || !yieldPart(t.difference.Deleted, yield) || !yieldPart(t.difference.Added, yield) {
				return
			}
		default:
			for rr := range t.zone.All() {
				if !yield(rr) {
					return
				}
			}
		}
		yield(soa)
	}
}

// yieldPart gives a part of a difference, its SOA first.
func yieldPart(rrs []dns.RR, yield func(dns.RR) bool) bool {
	for _, first := range [...]bool{true, false} {
		for _, rr := range rrs {
			if (rr.Type == dns.TypeSOA) == first && !yield(rr) {
				return false
			}
		}
	}
	return true
}

// Messages gives the messages of the transfer for a stream. Each is there until
// the next one is asked for; after an error there is none. The first one has
// the question, and an OPT record where the query has one (RFC 5936 section
// 2.2); all are signed.
func (t *Transfer) Messages() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		w := transferWriter{Transfer: t, yield: yield}
		if err := w.write(); err != nil && !w.stopped {
			yield(nil, fmt.Errorf("transfer of %s: %w", t.zone.Apex(), err))
		}
	}
}

// Single writes the transfer as one message over UDP behind dst: all of it, or
// the SOA alone where that is longer than limit octets, so that the client asks
// over TCP (RFC 1995 section 2).
func (t *Transfer) Single(dst []byte, limit int) ([]byte, error) {
	w := transferWriter{Transfer: t}
	room := limit - w.signature()
	for _, all := range [...]bool{true, false} {
		if err := w.start(); err != nil {
			return dst, fmt.Errorf("transfer of %s: %w", t.zone.Apex(), err)
		}
		fits := true
		for rr := range t.records() {
			var err error
			if fits, err = w.Answer(rr, room); err != nil {
				return dst, fmt.Errorf("transfer of %s: %w", t.zone.Apex(), err)
			}
			if !fits || !all {
				break
			}
		}
		if fits {
			break
		}
	}
	return w.finish(dst)
}

// transferWriter writes the messages of a transfer.
type transferWriter struct {
	*Transfer
	dns.Writer
	yield   func([]byte, error) bool
	buf     []byte // the message without its signature
	signed  []byte
	sent    int
	stopped bool // by the one who takes the messages
}

func (w *transferWriter) signature() int {
	if w.opts.Signer == nil {
		return 0
	}
	return w.opts.Signer.Size()
}

func (w *transferWriter) start() error {
	r := w.query.Reply(dns.RcodeSuccess)
	r.Authoritative = true
	if w.sent > 0 {
		return w.Start(w.buf[:0], r.Header, nil, nil)
	}
	if w.query.EDNS != nil {
		r.EDNS = &dns.EDNS{UDPSize: DefaultUDPSize, DO: w.query.EDNS.DO}
	}
	return w.Start(w.buf[:0], r.Header, r.Question, r.EDNS)
}

// finish puts the message, signed, behind dst.
func (w *transferWriter) finish(dst []byte) ([]byte, error) {
	w.buf = w.Finish()
	if w.opts.Signer == nil {
		return append(dst, w.buf...), nil
	}
	return w.opts.Signer.Sign(dst, w.buf)
}

func (w *transferWriter) write() error {
	if err := w.start(); err != nil {
		return err
	}
	for rr := range w.records() {
		for {
			fits, err := w.Answer(rr, w.opts.Size-w.signature())
			if err == nil && !fits && w.Answers() == 0 {
				if fits, err = w.Answer(rr, dns.MaxMessageLen-w.signature()); err == nil && !fits {
					err = fmt.Errorf("%s %s: %w", rr.Name, rr.Type, dns.ErrTooLarge)
				}
			}
			if err != nil {
				return err
			}
			if fits {
				break
			}
			if err := w.send(); err != nil || w.stopped {
				return err
			}
			if err := w.start(); err != nil {
				return err
			}
		}
	}
	return w.send()
}

func (w *transferWriter) send() error {
	out, err := w.finish(w.signed[:0])
	if err != nil {
		return err
	}
	w.signed = out
	w.sent++
	w.stopped = !w.yield(out, nil)
	return nil
}
