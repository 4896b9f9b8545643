package dnsclient

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/transcript"
)

// try is one question on one socket.
type try struct {
	*exchange
	link    *link
	limited context.Context      // ends with the try
	log     *transcript.Exchange // may be nil
	query   dns.Message
	signed  *dns.TSIGVerifier // nil without TSIG
	sent    time.Time
}

func (x *exchange) newTry(ctx context.Context, l *link) *try {
	t := &try{exchange: x, link: l, query: x.query}
	if l.network != overHTTPS { // where it is 0, so that answers can be cached (RFC 8484 section 4.1)
		t.query.ID = newID()
	}
	t.addCookie()
	t.pad()
	t.log = x.opts.Transcript.Begin(ctx, service, x.network,
		host.AddrPort(l.conn.LocalAddr()), host.AddrPort(l.conn.RemoteAddr()))
	return t
}

// unconnected records a try that found no connection.
func (x *exchange) unconnected(ctx context.Context, err error) error {
	remote, _ := netip.ParseAddrPort(x.server) // zero for a server given by name
	log := x.opts.Transcript.Begin(ctx, service, x.network, netip.AddrPort{}, remote)
	log.Line(transcript.Note, 0, err.Error())
	log.End()
	return err
}

func (t *try) note(text string) { t.log.Line(transcript.Note, 0, text) }

// ask sends the question and waits for what answers it.
func (t *try) ask(ctx context.Context) (*Answer, error) {
	frame, err := t.frame()
	if err != nil {
		return nil, err
	}
	if t.link.web != nil {
		return t.askWeb(ctx, frame[framePrefix:])
	}
	if err := t.send(ctx, frame); err != nil {
		return nil, err
	}
	buffer := t.client.buffers.Get().(*[]byte)
	defer t.client.buffers.Put(buffer)
	for ignored := 0; ; {
		wire, err := t.receive(ctx, *buffer)
		if err != nil {
			return nil, err
		}
		answer, mismatch, err := t.judge(wire)
		if mismatch == nil {
			return answer, err
		}
		ignored++
		if ignored > t.opts.MaxIgnored {
			return nil, ErrFlood
		}
	}
}

// judge says what a message is: no answer to this question, which mismatch
// tells, or one.
func (t *try) judge(wire []byte) (answer *Answer, mismatch, err error) {
	if mismatch = match(&t.query, wire); mismatch == nil {
		mismatch, err = t.verify(wire)
	}
	if err != nil {
		t.received(wire)
		return nil, nil, err
	}
	if mismatch == nil {
		answer, err = t.answer(wire)
		if !errors.As(err, new(*cookieError)) {
			return answer, nil, err
		}
		mismatch = err
	}
	t.ignored++
	t.mismatch = mismatch
	t.log.Message(transcript.Received, wire, "ignored: "+mismatch.Error())
	return nil, mismatch, nil
}

const framePrefix = 2 // octets of the length before a message on a stream

// frame packs the question, behind its length.
func (t *try) frame() ([]byte, error) {
	frame, err := t.query.Append(make([]byte, framePrefix, 512), dns.MaxMessageLen)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	if frame, err = t.sign(frame); err != nil {
		return nil, err
	}
	wire := frame[framePrefix:]
	binary.BigEndian.PutUint16(frame, uint16(len(wire)))
	if t.log != nil {
		t.log.Message(transcript.Sent, wire, dns.Summary(&t.query))
	}
	if t.opts.Sent != nil {
		t.opts.Sent(&t.query, len(wire))
	}
	t.sent = time.Now()
	return frame, nil
}

func (t *try) send(ctx context.Context, frame []byte) error {
	if !t.link.stream() { // else length and message in one write, so that they travel in one segment (RFC 7766 section 8)
		frame = frame[framePrefix:]
	}
	if _, err := t.link.conn.Write(frame); err != nil {
		return connError(ctx, t.network, err)
	}
	return nil
}

// receive reads the next message into buffer.
func (t *try) receive(ctx context.Context, buffer []byte) ([]byte, error) {
	if t.link.stream() {
		return t.receiveFrame(ctx, buffer)
	}
	n, err := t.link.conn.Read(buffer)
	if err != nil {
		return nil, connError(ctx, t.network, err)
	}
	return buffer[:n], t.checkSize(n)
}

// receiveFrame reads a message behind its length in two octets (RFC 1035 section 4.2.2).
func (t *try) receiveFrame(ctx context.Context, buffer []byte) ([]byte, error) {
	var prefix [2]byte
	if _, err := io.ReadFull(t.link.conn, prefix[:]); err != nil {
		return nil, connError(ctx, t.network, err)
	}
	n := int(binary.BigEndian.Uint16(prefix[:]))
	if err := t.checkSize(n); err != nil {
		return nil, err
	}
	if got, err := io.ReadFull(t.link.conn, buffer[:n]); err != nil {
		return nil, fmt.Errorf("%w (after %d of %d octets)", connError(ctx, t.network, err), got, n)
	}
	return buffer[:n], nil
}

func (t *try) checkSize(n int) error {
	if n > t.opts.MaxMessage {
		return fmt.Errorf("%w: more than %d octets", ErrTooLong, t.opts.MaxMessage)
	}
	return nil
}

// answer reads a message that matched.
func (t *try) answer(wire []byte) (*Answer, error) {
	took := time.Since(t.sent)
	h, _, err := dns.ParseHeader(wire)
	// What stands in a truncated answer is of no use (RFC 2181 section 9), and some servers cut it off in the midst
	// of a record: so it is not even read.
	if err == nil && h.Truncated && t.network == overUDP && !t.opts.IgnoreTruncation {
		t.received(wire)
		return nil, errTruncated
	}
	m, err := dns.Parse(wire)
	if err != nil {
		t.received(wire)
		return nil, fmt.Errorf("%w of %d octets: %w", ErrMalformed, len(wire), err)
	}
	if err := t.checkCookie(m); err != nil {
		return nil, err
	}
	if t.log != nil {
		t.log.Message(transcript.Received, wire, dns.Summary(m))
	}
	switch {
	case t.refusesEDNS(m):
		return nil, errNoEDNS
	case t.refusesCookie(m):
		return nil, errBadCookie
	}
	return &Answer{
		Message: m, Size: len(wire), Server: host.AddrPort(t.link.conn.RemoteAddr()), Network: t.network,
		Duration: took, Query: &t.query,
	}, nil
}

func (t *try) received(wire []byte) {
	if t.log != nil {
		t.log.Message(transcript.Received, wire, dns.SummarizeWire(wire))
	}
}

// refusesEDNS tells a server that does not know EDNS from one that finds a
// fault in the question: the former answers without an OPT record (RFC 6891
// section 7).
func (t *try) refusesEDNS(m *dns.Message) bool {
	return !t.opts.KeepEDNS && t.query.EDNS != nil && m.EDNS == nil && m.Opcode == dns.OpcodeQuery &&
		(m.Rcode == dns.RcodeFormErr || m.Rcode == dns.RcodeNotImp)
}
