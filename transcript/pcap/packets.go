package pcap

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/network-utopia/utopia/host/pcapng"
	"github.com/network-utopia/utopia/transcript"
)

// What stands in every packet, and in the handshake of every connection. The window is scaled to 1 GiB, as nobody
// acknowledges anything between two messages.
const (
	ttl     = 64
	window  = 65535
	scale   = 14 // the most there is (RFC 7323 section 2.3)
	mssIPv4 = 1460
	mssIPv6 = 1440
)

// mss is how many octets one segment carries: what fits into an Ethernet frame.
func (w *Writer) mss() int {
	if w.opts.Link == pcapng.IPv6 {
		return mssIPv6
	}
	return mssIPv4
}

// handshake opens a connection (RFC 9293 section 3.5).
func (w *Writer) handshake(x *exchange) error {
	options := []byte{2, 4, 0, 0, 1, 3, 3, scale} // maximum segment size, no operation, window scale
	binary.BigEndian.PutUint16(options[2:], uint16(w.mss()))
	at := x.head.Start
	if err := w.segment(x, x.client, at, pcapng.TCP{Flags: pcapng.SYN, Options: options}, nil); err != nil {
		return err
	}
	if err := w.segment(x, x.server(), at, pcapng.TCP{Flags: pcapng.SYN | pcapng.ACK, Options: options}, nil); err != nil {
		return err
	}
	return w.segment(x, x.client, at, pcapng.TCP{Flags: pcapng.ACK}, nil)
}

// finish ends a connection. Who ended it first is not known: here it is the client (RFC 9293 section 3.6).
func (w *Writer) finish(x *exchange, at time.Time) error {
	for _, d := range []transcript.Direction{x.client, x.server()} {
		if err := w.segment(x, d, at, pcapng.TCP{Flags: pcapng.FIN | pcapng.ACK}, nil); err != nil {
			return err
		}
	}
	return w.segment(x, x.client, at, pcapng.TCP{Flags: pcapng.ACK}, nil)
}

// say sends a message over a connection.
func (w *Writer) say(x *exchange, e transcript.Entry) error {
	payload, missing := x.content(w.message, e)
	if len(e.Raw) == 0 && payload != nil {
		w.message = payload // to be used again
	}
	if missing > 0 && len(payload) == 0 && e.Text != "" {
		x.remark(e.Text)
	}
	if x.framed && len(payload)+missing > 0 {
		w.message = binary.BigEndian.AppendUint16(w.message[:0], uint16(len(payload)+missing))
		w.message = append(w.message, payload...)
		payload = w.message
	}
	for len(payload) > 0 {
		n := min(len(payload), w.mss())
		flags := uint8(pcapng.ACK)
		if n == len(payload) {
			flags |= pcapng.PSH
		}
		if err := w.segment(x, e.Dir, e.Time, pcapng.TCP{Flags: flags}, payload[:n]); err != nil {
			return err
		}
		payload = payload[n:]
	}
	w.skip(x, e.Dir, missing)
	return nil
}

// skip lets a side have sent what is not in the transcript.
func (w *Writer) skip(x *exchange, d transcript.Direction, missing int) {
	if missing <= 0 {
		return
	}
	w.counts.Missing += uint64(missing)
	x.remark(fmt.Sprintf("%d octets before this are not in the transcript", missing))
	x.sides[d].next += uint32(min(missing, MaxGap))
}

// segment writes one segment that goes in the direction d.
func (w *Writer) segment(x *exchange, d transcript.Direction, at time.Time, t pcapng.TCP, payload []byte) error {
	from, to := &x.sides[d], &x.sides[other(d)]
	t.SrcPort, t.DstPort, t.Seq, t.Window = from.at.Port(), to.at.Port(), from.next, window
	if t.Flags&pcapng.ACK != 0 {
		t.Ack = to.next
	}
	w.packet = pcapng.AppendTCP(w.packet[:0], w.ip(from, to), t, payload)
	from.next += uint32(len(payload))
	if t.Flags&(pcapng.SYN|pcapng.FIN) != 0 {
		from.next++
	}
	return w.write(x, d, at, len(w.packet))
}

// datagram sends a message as a datagram. It may be empty; a text of no octets was not on the wire by itself.
func (w *Writer) datagram(x *exchange, e transcript.Entry) error {
	if e.Bytes <= 0 && len(e.Raw) == 0 && e.Text != "" {
		return nil
	}
	payload, missing := x.content(w.message, e)
	if len(e.Raw) == 0 && payload != nil {
		w.message = payload
	}
	if missing > 0 {
		w.counts.Missing += uint64(missing)
		if len(payload) == 0 && e.Text != "" {
			x.remark(e.Text)
		}
		x.remark(fmt.Sprintf("%d octets of this are not in the transcript", missing))
	}
	missing = min(missing, MaxGap) // which no datagram has, either
	from, to := &x.sides[e.Dir], &x.sides[other(e.Dir)]
	ports := pcapng.UDP{SrcPort: from.at.Port(), DstPort: to.at.Port()}
	w.packet = pcapng.AppendCutUDP(w.packet[:0], w.ip(from, to), ports, payload, len(payload)+missing)
	return w.write(x, e.Dir, e.Time, len(w.packet)+missing)
}

// ip is the way of the next packet.
func (w *Writer) ip(from, to *side) pcapng.IP {
	w.id++
	return pcapng.IP{Src: from.at.Addr(), Dst: to.at.Addr(), ID: w.id, TTL: ttl}
}

// write writes the packet at hand, that had original octets.
func (w *Writer) write(x *exchange, d transcript.Direction, at time.Time, original int) error {
	x.last = at
	err := w.file.CutPacket(0, at, d == transcript.Sent, w.packet, original, x.takeComment())
	if err != nil {
		return fmt.Errorf("pcap: exchange %v: %w", x.head.ID, err)
	}
	w.counts.Packets++
	return nil
}
