package pcap

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/network-utopia/utopia/transcript"
)

// exchange is one that is under way.
type exchange struct {
	head   transcript.Head
	stream bool    // over TCP, or over what stands on it
	framed bool    // in a stream each message has its length before it
	sides  [2]side // who sends in each direction: Received the peer, Sent the recording side
	client transcript.Direction
	seen   [2]int // octets on the wire that were told, by direction
	last   time.Time

	comment string // for the next packet
	remarks int    // how many are in it besides the exchange's name

	before, after *exchange // in the order of use
}

// side is one of the two that speak.
type side struct {
	at   netip.AddrPort // in the capture
	next uint32         // its next sequence number
}

// flow tells TCP connections apart.
type flow struct{ client, server netip.AddrPort }

// other is the opposite direction.
func other(d transcript.Direction) transcript.Direction { return transcript.Sent - d }

func (x *exchange) server() transcript.Direction { return other(x.client) }

func (x *exchange) flow() flow { return flow{x.sides[x.client].at, x.sides[x.server()].at} }

// newExchange decides who stands where in the capture.
func (w *Writer) newExchange(h transcript.Head) *exchange {
	x := &exchange{head: h, stream: h.Network != "udp", last: h.Start, client: w.client(h)}
	x.framed = h.Service == "dns" // RFC 1035 section 4.2.2; the rooms of dns record messages without it
	x.sides[transcript.Received].at = unmap(h.Remote)
	x.sides[transcript.Sent].at = unmap(h.Local)
	server := &x.sides[x.server()]
	if port, ok := w.opts.Ports[h.Service]; ok {
		server.at = netip.AddrPortFrom(server.at.Addr(), port)
	}
	client := &x.sides[x.client]
	for x.stream && w.flows[x.flow()] { // as with the requests of one HTTP/2 connection
		client.at = netip.AddrPortFrom(client.at.Addr(), max(client.at.Port()+1, firstFreePort))
	}
	// Any numbers will do that are others for the next connection of the same addresses (RFC 9293 section 3.4.1).
	client.next = uint32(h.ID)*0x9e3779b1 + uint32(h.Start.UnixMicro())
	server.next = ^client.next
	x.remark(x.name())
	x.remarks = 0
	return x
}

// firstFreePort is the lowest port that no protocol has a claim to (RFC 6335 section 6 has them from 49152; those of
// Linux begin here).
const firstFreePort = 32768

// client says who of the two has opened the exchange: the one that is not the server. Servers have the lower port, but
// where it is known on which ports the recording side listens.
func (w *Writer) client(h transcript.Head) transcript.Direction {
	if slices.Contains(w.opts.Listening, h.Local.Port()) || h.Local.Port() <= h.Remote.Port() {
		return transcript.Received
	}
	return transcript.Sent
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// name is the comment on the first packet: what the exchange is, and what is different in the capture.
func (x *exchange) name() string {
	h := x.head
	text := fmt.Sprintf("%s exchange %v over %s", h.Service, h.ID, h.Network)
	if h.Parent != 0 {
		text += fmt.Sprintf(", for exchange %v", h.Parent)
	}
	if remote, local := unmap(h.Remote), unmap(h.Local); remote != x.sides[0].at || local != x.sides[1].at {
		from, to := remote, local
		if x.client == transcript.Sent {
			from, to = local, remote
		}
		text += fmt.Sprintf("; really from port %d to %d", from.Port(), to.Port())
	}
	return text
}

// remark adds a line to the comment on the next packet.
func (x *exchange) remark(text string) {
	x.remarks++
	const ellipsis = "\n…"
	switch {
	case strings.HasSuffix(x.comment, ellipsis):
		return
	case x.comment == "":
	default:
		text = "\n" + text
	}
	if room := MaxComment - len(ellipsis) - len(x.comment); len(text) > room {
		for room > 0 && !utf8.RuneStart(text[room]) {
			room--
		}
		text = text[:room] + ellipsis
	}
	x.comment += text
}

// takeComment gives the comment on the next packet.
func (x *exchange) takeComment() string {
	text := x.comment
	x.comment, x.remarks = "", 0
	return text
}

// content gives the octets of an entry, as far as they are known, and how many are missing after them. A line without
// its octets is its text and what ended it, if that makes up the number of octets that it had on the wire; with a
// secret in it, asterisks make it up. Whatever else an entry says is a summary: its octets are missing.
func (x *exchange) content(b []byte, e transcript.Entry) (wire []byte, missing int) {
	if len(e.Raw) > 0 {
		return e.Raw, max(0, e.Bytes-len(e.Raw))
	}
	end := e.Bytes - len(e.Text)
	shown, secret := strings.CutSuffix(e.Text, transcript.Redacted)
	switch {
	case e.Bytes <= 0 || x.head.Service == "dns": // nothing on the wire; messages that are not text
	case secret && e.Bytes >= len(shown)+2 && x.stream:
		b = append(append(b[:0], shown...), strings.Repeat("*", min(e.Bytes-len(shown)-2, transcript.MaxText))...)
		b = append(b, "\r\n"...)
		return b, max(0, e.Bytes-len(b))
	case end >= 0 && end <= 2:
		return append(append(b[:0], e.Text...), "\r\n"[2-end:]...), 0
	}
	return nil, max(0, e.Bytes)
}
