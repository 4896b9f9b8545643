package dnsclient

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/transcript"
)

// try is one question on one socket.
type try struct {
	*exchange
	conn  net.Conn
	log   *transcript.Exchange // may be nil
	query dns.Message
	sent  time.Time
}

func (x *exchange) newTry(ctx context.Context, conn net.Conn) *try {
	t := &try{exchange: x, conn: conn, query: x.query}
	t.query.ID = newID()
	t.log = x.opts.Transcript.Begin(ctx, service, x.network,
		host.AddrPort(conn.LocalAddr()), host.AddrPort(conn.RemoteAddr()))
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
	if err := t.send(ctx); err != nil {
		return nil, err
	}
	buffer := t.client.buffers.Get().(*[]byte)
	defer t.client.buffers.Put(buffer)
	for ignored := 0; ; {
		wire, err := t.receive(ctx, *buffer)
		if err != nil {
			return nil, err
		}
		if mismatch := match(&t.query, wire); mismatch != nil {
			ignored++
			t.ignored++
			t.mismatch = mismatch
			t.log.Message(transcript.Received, wire, "ignored: "+mismatch.Error())
			if ignored > t.opts.MaxIgnored {
				return nil, ErrFlood
			}
			continue
		}
		return t.answer(wire)
	}
}

func (t *try) send(ctx context.Context) error {
	const prefix = 2
	frame, err := t.query.Append(make([]byte, prefix, 512), dns.MaxMessageLen)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrQuery, err)
	}
	wire := frame[prefix:]
	if t.log != nil {
		t.log.Message(transcript.Sent, wire, dns.Summary(&t.query))
	}
	if t.network == "tcp" {
		// Length and message in one write, so that they travel in one segment (RFC 7766 section 8).
		binary.BigEndian.PutUint16(frame, uint16(len(wire)))
		wire = frame
	}
	t.sent = time.Now()
	if _, err := t.conn.Write(wire); err != nil {
		return connError(ctx, t.network, err)
	}
	return nil
}

// receive reads the next message into buffer.
func (t *try) receive(ctx context.Context, buffer []byte) ([]byte, error) {
	if t.network == "tcp" {
		return t.receiveFrame(ctx, buffer)
	}
	n, err := t.conn.Read(buffer)
	if err != nil {
		return nil, connError(ctx, t.network, err)
	}
	return buffer[:n], t.checkSize(n)
}

// receiveFrame reads a message behind its length in two octets (RFC 1035 section 4.2.2).
func (t *try) receiveFrame(ctx context.Context, buffer []byte) ([]byte, error) {
	var prefix [2]byte
	if _, err := io.ReadFull(t.conn, prefix[:]); err != nil {
		return nil, connError(ctx, t.network, err)
	}
	n := int(binary.BigEndian.Uint16(prefix[:]))
	if err := t.checkSize(n); err != nil {
		return nil, err
	}
	if got, err := io.ReadFull(t.conn, buffer[:n]); err != nil {
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
	if err == nil && h.Truncated && t.network == "udp" && !t.opts.IgnoreTruncation {
		t.received(wire)
		return nil, errTruncated
	}
	m, err := dns.Parse(wire)
	if err != nil {
		t.received(wire)
		return nil, fmt.Errorf("%w of %d octets: %w", ErrMalformed, len(wire), err)
	}
	if t.log != nil {
		t.log.Message(transcript.Received, wire, dns.Summary(m))
	}
	if t.refusesEDNS(m) {
		return nil, errNoEDNS
	}
	return &Answer{
		Message: m, Size: len(wire), Server: host.AddrPort(t.conn.RemoteAddr()), Network: t.network,
		Duration: took,
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
