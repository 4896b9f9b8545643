// Package pcap shows transcripts as packets: a capture of what was said, that Wireshark, tshark and tcpdump read. TLS is
// off already, since the protocol code wrote the transcript behind it.
//
// The words are real, and their times, and the addresses. The packets around them are made here, since a transcript has
// none: an exchange over TCP or TLS becomes a TCP connection (RFC 9293) with its handshake, the messages in segments,
// and its end; each message of an exchange over UDP becomes a datagram (RFC 768). There are no retransmissions and no
// bare acknowledgements. What the transcript says besides (what was agreed on, why something was refused) stands as a
// comment on the next packet, and the first packet of each exchange has a comment that names it.
//
// What was not kept is not made up: the sequence numbers go on past it, so that Wireshark shows a gap, and a datagram is
// captured shorter than it was. Where a secret stood there are as many asterisks.
//
// Wireshark knows protocols by their ports, and an instance may listen elsewhere, or with TLS: [Options] maps the ports
// of services to others, and the comment on the first packet tells the real ones.
package pcap

import (
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/network-utopia/utopia/host/pcapng"
	"github.com/network-utopia/utopia/transcript"
)

// The limits.
const (
	DefaultMaxOpen = 4096    // exchanges under way
	MostMaxOpen    = 1 << 14 // that Options.MaxOpen may allow: each connection needs a port of its own
	MaxComment     = 4096    // octets of the comment on one packet; more is cut with an ellipsis
	MaxGap         = 1 << 30 // octets that the sequence numbers go on at once: 2^31 would be backwards (RFC 9293 section 3.4)
)

// Options are the settings of a Writer.
type Options struct {
	Link        pcapng.LinkType   // the IP version of the capture; 0 is IPv4
	Ports       map[string]uint16 // by service: the port that its server has in the capture, such as StandardPorts gives
	Listening   []uint16          // the recording side's own ports: a local one of them is a server's
	MaxOpen     int               // exchanges under way at once, up to MostMaxOpen; 0 is DefaultMaxOpen
	Application string            // the program's name, for the head of the file
	Comment     string            // for the head of the file
}

// StandardPorts are the ports by which Wireshark knows what the services of this module speak, without TLS: 53 for dns
// and 80 for web, with HTTPS too. The service of socket has no protocol that Wireshark could know, and stands at 12345,
// since at its own port, 12000, Wireshark would find Enterprise Extender, and at 20000 DNP3.
func StandardPorts() map[string]uint16 {
	return map[string]uint16{"dns": 53, "web": 80, "socket": 12345}
}

// Counts say what became of the exchanges.
type Counts struct {
	Packets     uint64 // written
	Exchanges   uint64 // in the capture
	OtherFamily uint64 // exchanges left out: their addresses are not of the capture's IP version
	NoAddress   uint64 // exchanges left out: they have no IP addresses, as over a Unix socket
	GivenUp     uint64 // exchanges that were forgotten since there were more than MaxOpen under way
	Missing     uint64 // octets that were on the wire and not in the transcript
	Notes       uint64 // remarks left out, as no packet of their exchange came after them
}

// Writer makes packets of exchanges, as they come or afterwards. It is not safe for concurrent use.
type Writer struct {
	opts    Options
	file    *pcapng.Writer
	counts  Counts
	open    map[key]*exchange
	flows   map[flow]bool // the TCP connections under way
	oldest  *exchange     // a ring in the order of last use, through exchange.before and after; nil when none is open
	packet  []byte        // the one being made; reused
	message []byte        // the message in it, where it is not there in one piece; reused
	id      uint16        // of the last IPv4 packet
}

// key tells exchanges apart, those of several runs of a recorder too.
type key struct {
	id    transcript.ID
	start int64
}

func keyOf(h transcript.Head) key { return key{h.ID, h.Start.UnixNano()} }

// New writes the head of a capture to w and returns the Writer for what follows. Every packet is one call of w.Write.
func New(w io.Writer, o Options) (*Writer, error) {
	if o.Link == 0 {
		o.Link = pcapng.IPv4
	}
	if o.MaxOpen <= 0 {
		o.MaxOpen = DefaultMaxOpen
	}
	o.MaxOpen = min(o.MaxOpen, MostMaxOpen)
	o.Ports, o.Listening = maps.Clone(o.Ports), slices.Clone(o.Listening)
	file, err := pcapng.NewWriter(w, o.Link, pcapng.Options{Application: o.Application, Comment: o.Comment})
	if err == nil {
		_, err = file.Interface("transcript") // now, since a reader at the other end of a pipe waits for it
	}
	if err != nil {
		return nil, fmt.Errorf("pcap: %w", err)
	}
	return &Writer{opts: o, file: file, open: map[key]*exchange{}, flows: map[flow]bool{}}, nil
}

// Counts says what was written so far.
func (w *Writer) Counts() Counts { return w.counts }

// Open is how many exchanges are under way. What has not ended has no end in the capture.
func (w *Writer) Open() int { return len(w.open) }

// Begin is told of an exchange that begins.
func (w *Writer) Begin(h transcript.Head) error {
	_, err := w.begin(h, "")
	return err
}

// Entry is told of what is said in an exchange. The beginning of the exchange may have been lost.
func (w *Writer) Entry(h transcript.Head, e transcript.Entry) error {
	x := w.open[keyOf(h)]
	if x == nil {
		if _, out := w.leftOut(h); out { // counted when it began
			return nil
		}
		var err error
		if x, err = w.begin(h, "the beginning of the exchange is not in this capture"); err != nil {
			return err
		}
	}
	w.use(x)
	if e.Dir >= transcript.Note {
		x.remark(e.Text)
		return nil
	}
	x.seen[e.Dir] += max(0, e.Bytes)
	if x.stream {
		return w.say(x, e)
	}
	return w.datagram(x, e)
}

// End is told of an exchange that has ended, with all that was kept of it, from which Writer finds what of it was not
// told to Entry.
func (w *Writer) End(r transcript.Record) error {
	x := w.open[keyOf(r.Head)]
	if x == nil {
		return nil
	}
	defer w.forget(x)
	if x.stream {
		for dir, told := range bytesOf(r) {
			w.skip(x, transcript.Direction(dir), told-x.seen[dir])
		}
		at := r.End
		if at.IsZero() {
			at = x.last
		}
		return w.finish(x, at)
	}
	return nil
}

// Records writes exchanges that have been recorded, all messages in the order of time. What is under way in them stays
// under way.
func (w *Writer) Records(records ...transcript.Record) error {
	type step struct {
		at time.Time
		do func() error
	}
	var steps []step
	for _, r := range records {
		steps = append(steps, step{r.Start, func() error { return w.Begin(r.Head) }})
		for _, e := range r.Entries {
			steps = append(steps, step{e.Time, func() error { return w.Entry(r.Head, e) }})
		}
		if !r.End.IsZero() {
			steps = append(steps, step{r.End, func() error { return w.End(r) }})
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return a.at.Compare(b.at) })
	for _, s := range steps {
		if err := s.do(); err != nil {
			return err
		}
	}
	return nil
}

// bytesOf sums up what was on the wire, by direction.
func bytesOf(r transcript.Record) (sums [2]int) {
	for _, e := range r.Entries {
		if e.Dir < transcript.Note {
			sums[e.Dir] += max(0, e.Bytes)
		}
	}
	return sums
}

// leftOut says whether an exchange is not for this capture, and what counts those.
func (w *Writer) leftOut(h transcript.Head) (counter *uint64, out bool) {
	if !h.Local.IsValid() || !h.Remote.IsValid() {
		return &w.counts.NoAddress, true
	}
	for _, a := range []netip.AddrPort{h.Local, h.Remote} {
		if a.Addr().Unmap().Is4() != (w.opts.Link == pcapng.IPv4) {
			return &w.counts.OtherFamily, true
		}
	}
	return nil, false
}

// begin opens an exchange, unless it is left out, which is counted.
func (w *Writer) begin(h transcript.Head, remark string) (*exchange, error) {
	if counter, out := w.leftOut(h); out {
		*counter++
		return nil, nil
	}
	if w.open[keyOf(h)] != nil {
		return nil, fmt.Errorf("pcap: exchange %v begins twice", h.ID)
	}
	if len(w.open) >= w.opts.MaxOpen {
		w.counts.GivenUp++
		w.forget(w.oldest)
	}
	x := w.newExchange(h)
	w.open[keyOf(h)] = x
	w.use(x)
	w.counts.Exchanges++
	if remark != "" {
		x.remark(remark)
	}
	if !x.stream {
		return x, nil
	}
	w.flows[x.flow()] = true
	return x, w.handshake(x)
}

// use makes an exchange the one that was used last.
func (w *Writer) use(x *exchange) {
	w.unlink(x)
	if w.oldest == nil {
		x.before, x.after, w.oldest = x, x, x
		return
	}
	x.before, x.after = w.oldest.before, w.oldest
	x.before.after, x.after.before = x, x
}

// unlink takes an exchange out of the order of use, if it stands in it.
func (w *Writer) unlink(x *exchange) {
	switch x.after {
	case nil:
		return
	case x:
		w.oldest = nil
	default:
		x.before.after, x.after.before = x.after, x.before
		if w.oldest == x {
			w.oldest = x.after
		}
	}
	x.before, x.after = nil, nil
}

// forget drops what is known of an exchange.
func (w *Writer) forget(x *exchange) {
	w.counts.Notes += uint64(x.remarks)
	w.unlink(x)
	delete(w.open, keyOf(x.head))
	if x.stream {
		delete(w.flows, x.flow())
	}
}
