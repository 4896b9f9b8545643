package pcap

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/host/pcapng"
	"github.com/network-utopia/utopia/transcript"
)

// packet is one of a capture, taken apart. That the blocks, lengths and checksums are right is for the tests of
// host/pcapng, and for tshark in interop/.
type packet struct {
	at       time.Time
	out      bool
	comment  string
	original int // octets on the wire
	captured int
	src, dst netip.AddrPort
	udp      bool
	seq, ack uint32
	flags    byte
	options  []byte
	payload  string
}

// read takes the packets out of a capture.
func read(t testing.TB, file []byte) (packets []packet) {
	t.Helper()
	for len(file) > 0 {
		length := binary.LittleEndian.Uint32(file[4:])
		if binary.LittleEndian.Uint32(file) == 6 {
			packets = append(packets, readPacket(t, file[8:length-4]))
		}
		file = file[length:]
	}
	return packets
}

func readPacket(t testing.TB, block []byte) packet {
	t.Helper()
	field := func(at int) uint32 { return binary.LittleEndian.Uint32(block[at:]) }
	captured := field(12)
	p := packet{
		at:       time.Unix(0, int64(field(4))<<32|int64(field(8))).UTC(),
		captured: int(captured), original: int(field(16)),
	}
	for rest := block[20+(captured+3)&^3:]; ; {
		code, length := binary.LittleEndian.Uint16(rest), binary.LittleEndian.Uint16(rest[2:])
		value := rest[4 : 4+length]
		rest = rest[4+(length+3)&^3:]
		switch code {
		case 1:
			p.comment = string(value)
		case 2:
			p.out = value[0] == 2
		case 0:
			readIP(t, &p, block[20:20+captured])
			return p
		}
	}
}

func readIP(t testing.TB, p *packet, ip []byte) {
	t.Helper()
	protocol, src, dst, body := ip[9], ip[12:16], ip[16:20], ip[20:]
	if ip[0]>>4 == 6 {
		protocol, src, dst, body = ip[6], ip[8:24], ip[24:40], ip[40:]
	}
	address := func(a []byte, port uint16) netip.AddrPort {
		addr, _ := netip.AddrFromSlice(a)
		return netip.AddrPortFrom(addr, port)
	}
	p.src, p.dst = address(src, binary.BigEndian.Uint16(body)), address(dst, binary.BigEndian.Uint16(body[2:]))
	switch protocol {
	case 6:
		header := int(body[12]>>4) * 4
		p.seq, p.ack, p.flags = binary.BigEndian.Uint32(body[4:]), binary.BigEndian.Uint32(body[8:]), body[13]
		p.options, p.payload = body[20:header], string(body[header:])
	case 17:
		p.udp, p.payload = true, string(body[8:])
	default:
		t.Fatalf("protocol %d", protocol)
	}
}

// stream puts together what a side has sent, "?" for each stretch that is missing; ok is false where the sequence
// numbers go backwards, or an acknowledgement is behind what the other side has sent.
func stream(packets []packet, from netip.AddrPort) (text string, ok bool) {
	var next, others uint32
	for i, p := range packets {
		if p.src != from {
			others = p.seq + length(p)
			continue
		}
		if i > 1 && p.flags&pcapng.SYN == 0 && p.seq != next {
			if int32(p.seq-next) < 0 {
				return text, false
			}
			text += "?"
		}
		if p.flags&pcapng.ACK != 0 && int32(p.ack-others) < 0 {
			return text, false
		}
		text += p.payload
		next = p.seq + length(p)
	}
	return text, true
}

// length is how far a segment takes the sequence numbers.
func length(p packet) uint32 {
	n := uint32(len(p.payload))
	if p.flags&(pcapng.SYN|pcapng.FIN) != 0 {
		n++
	}
	return n
}

var (
	start  = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	server = netip.MustParseAddrPort("192.0.2.1:8080")
	client = netip.MustParseAddrPort("192.0.2.2:40000")

	server6 = netip.MustParseAddrPort("[2001:db8::1]:8080")
	client6 = netip.MustParseAddrPort("[2001:db8::2]:40000")
)

// tcp is the head of an exchange of a server over TCP.
func tcp(id transcript.ID) transcript.Head {
	return transcript.Head{ID: id, Service: "line", Network: "tcp", Local: server, Remote: client, Start: start}
}

// udp is the head of an exchange of a server over UDP.
func udp(id transcript.ID) transcript.Head {
	h := tcp(id)
	h.Network = "udp"
	return h
}

// got and said are entries with their octets.
func got(text string) transcript.Entry { return raw(transcript.Received, text) }

func said(text string) transcript.Entry { return raw(transcript.Sent, text) }

func raw(d transcript.Direction, text string) transcript.Entry {
	return transcript.Entry{Time: start.Add(time.Second), Dir: d, Text: "summary", Bytes: len(text), Raw: []byte(text)}
}

// line is an entry without its octets.
func line(d transcript.Direction, n int, text string) transcript.Entry {
	return transcript.Entry{Time: start.Add(time.Second), Dir: d, Text: text, Bytes: n}
}

func note(text string) transcript.Entry { return line(transcript.Note, 0, text) }

// record is a whole exchange.
func record(h transcript.Head, entries ...transcript.Entry) transcript.Record {
	return transcript.Record{Head: h, End: start.Add(2 * time.Second), Entries: entries}
}

// capture writes records and reads the packets.
func capture(t testing.TB, o Options, records ...transcript.Record) ([]packet, Counts) {
	t.Helper()
	var file bytes.Buffer
	w, err := New(&file, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Records(records...); err != nil {
		t.Fatal(err)
	}
	packets := read(t, file.Bytes())
	if n := w.Counts().Packets; int(n) != len(packets) {
		t.Errorf("%d packets counted, %d written", n, len(packets))
	}
	return packets, w.Counts()
}

// flags spells those of a TCP segment.
func flags(p packet) string {
	var b strings.Builder
	for i, name := range "FSRPA" {
		if p.flags&(1<<i) != 0 {
			b.WriteRune(name)
		}
	}
	return b.String()
}
