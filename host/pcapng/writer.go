// Package pcapng writes captures that Wireshark, tshark and tcpdump read, and makes the IP packets in them: for those
// who know what was said and have not seen the packets, such as a transcript or an emulated internet.
//
// The file is a section of draft-ietf-opsawg-pcapng: one Section Header Block, one Interface Description Block for each
// interface, and one Enhanced Packet Block for each packet, in little-endian order, with times in nanoseconds. Each
// block is written whole by one call of Write, so that a reader at the other end of a pipe sees packets as they come.
//
// Packets are IPv4 (RFC 791) or IPv6 (RFC 8200) with TCP (RFC 9293), UDP (RFC 768) or ICMP (RFC 792, RFC 4443), with
// their lengths and checksums (RFC 1071). There is no Ethernet around them: a capture's link type is IP itself.
package pcapng

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// LinkType says what the packets of an interface begin with.
type LinkType uint16

// The link types: packets begin with the IP header, of one version in the whole capture (LINKTYPE_IPV4, LINKTYPE_IPV6).
const (
	IPv4 LinkType = 228
	IPv6 LinkType = 229
)

// The limits of a capture.
const (
	MaxPacketIPv4 = 65535      // octets of an IPv4 packet: the header is counted (RFC 791 section 3.1)
	MaxPacketIPv6 = 65535 + 40 // octets of an IPv6 packet: the header is not counted (RFC 8200 section 3)
	MaxInterfaces = 1 << 16    // interfaces of one capture
	MaxText       = 65535      // octets of a comment or a name: the length of an option has 16 bits
)

// The errors of what does not fit; the capture may go on after them.
var (
	ErrLength    = errors.New("longer than its length field can say")
	ErrInterface = errors.New("no such interface")
	ErrVersion   = errors.New("not of the link type's IP version")
	ErrTime      = errors.New("the time cannot be written: it is before 1970 or after 2554")
)

// Options say what stands in the head of a capture. All may be empty.
type Options struct {
	Application string // the program that writes it (shb_userappl)
	Comment     string // for the reader (opt_comment)
}

// Writer writes a capture. It is not safe for concurrent use. After a failed write the file ends within a block: every
// later call returns the same error.
type Writer struct {
	to         io.Writer
	link       LinkType
	interfaces int
	block      []byte // the one being made; reused
	err        error
}

// The block types, and the options that this package writes.
const (
	sectionHeader        = 0x0a0d0d0a
	interfaceDescription = 1
	enhancedPacket       = 6

	byteOrderMagic = 0x1a2b3c4d

	optEnd       = 0
	optComment   = 1
	shbUserAppl  = 4
	ifName       = 2
	ifTsResol    = 9
	epbFlags     = 2
	nanoseconds  = 9 // if_tsresol: units of 10^-9 s
	flagInbound  = 1
	flagOutbound = 2
)

// NewWriter writes the Section Header Block and returns the Writer for what follows. The link type is that of all
// interfaces: IPv4 or IPv6.
func NewWriter(w io.Writer, link LinkType, o Options) (*Writer, error) {
	if link != IPv4 && link != IPv6 {
		return nil, fmt.Errorf("begin a capture: link type %d is not known here", link)
	}
	if len(o.Application) > MaxText || len(o.Comment) > MaxText {
		return nil, fmt.Errorf("begin a capture: the application or the comment: %w", ErrLength)
	}
	c := &Writer{to: w, link: link}
	c.begin(sectionHeader)
	c.u32(byteOrderMagic)
	c.u16(1) // version 1.0
	c.u16(0)
	c.u64(math.MaxUint64) // the section's length is not known
	c.text(optComment, o.Comment)
	c.text(shbUserAppl, o.Application)
	c.endOptions()
	return c, c.write("begin a capture")
}

// Interface writes an Interface Description Block, and returns the number by which Packet knows the interface: 0 for
// the first. The name is for the reader (if_name), and may be empty.
func (w *Writer) Interface(name string) (int, error) {
	switch {
	case len(name) > MaxText:
		return 0, fmt.Errorf("name an interface: %w", ErrLength)
	case w.interfaces == MaxInterfaces:
		return 0, fmt.Errorf("add an interface: there are %d already", MaxInterfaces)
	}
	w.begin(interfaceDescription)
	w.u16(uint16(w.link))
	w.u16(0)
	w.u32(uint32(w.maxPacket())) // the snapshot length: nothing is cut for being long
	w.text(ifName, name)
	w.option(ifTsResol, 1)
	w.block = append(w.block, nanoseconds)
	w.pad()
	w.endOptions()
	if err := w.write("add an interface"); err != nil {
		return 0, err
	}
	w.interfaces++
	return w.interfaces - 1, nil
}

// Packet writes an Enhanced Packet Block: an IP packet that left by the interface, or came in by it, at that time. The
// comment may be empty; octets in it that are not UTF-8 are replaced.
func (w *Writer) Packet(iface int, at time.Time, out bool, packet []byte, comment string) error {
	return w.CutPacket(iface, at, out, packet, len(packet), comment)
}

// CutPacket writes a packet of which only the beginning was kept; original is its length on the wire, in octets.
func (w *Writer) CutPacket(iface int, at time.Time, out bool, packet []byte, original int, comment string) error {
	if err := w.check(iface, packet, original, comment); err != nil {
		return fmt.Errorf("write a packet: %w", err)
	}
	stamp, ok := timestamp(at)
	if !ok {
		return fmt.Errorf("write a packet: %w", ErrTime)
	}
	w.begin(enhancedPacket)
	w.u32(uint32(iface))
	w.u32(uint32(stamp >> 32))
	w.u32(uint32(stamp))
	w.u32(uint32(len(packet)))
	w.u32(uint32(original))
	w.block = append(w.block, packet...)
	w.pad()
	w.text(optComment, comment)
	w.option(epbFlags, 4)
	if out {
		w.u32(flagOutbound)
	} else {
		w.u32(flagInbound)
	}
	w.endOptions()
	return w.write("write a packet")
}

func (w *Writer) check(iface int, packet []byte, original int, comment string) error {
	version := byte(4)
	if w.link == IPv6 {
		version = 6
	}
	switch {
	case iface < 0 || iface >= w.interfaces:
		return fmt.Errorf("%d: %w", iface, ErrInterface)
	case original > w.maxPacket():
		return fmt.Errorf("an IP packet of %d octets: %w", original, ErrLength)
	case original < len(packet):
		return fmt.Errorf("%d octets of a packet of %d", len(packet), original)
	case len(packet) == 0 || packet[0]>>4 != version:
		return ErrVersion
	case len(comment) > MaxText:
		return fmt.Errorf("a comment of %d octets: %w", len(comment), ErrLength)
	}
	return nil
}

func (w *Writer) maxPacket() int {
	if w.link == IPv6 {
		return MaxPacketIPv6
	}
	return MaxPacketIPv4
}

// timestamp gives the nanoseconds since 1970, in the 64 bits that the format has for them.
func timestamp(at time.Time) (uint64, bool) {
	const seconds = math.MaxUint64/uint64(time.Second) - 1
	if at.Unix() < 0 || uint64(at.Unix()) > seconds {
		return 0, false
	}
	return uint64(at.Unix())*uint64(time.Second) + uint64(at.Nanosecond()), true
}

// begin starts a block; its length is filled in by write.
func (w *Writer) begin(blockType uint32) {
	w.block = w.block[:0]
	w.u32(blockType)
	w.u32(0)
}

// write ends the block, with its length before and behind, and hands it to the file.
func (w *Writer) write(doing string) error {
	if w.err != nil {
		return w.err
	}
	length := uint32(len(w.block)) + 4
	w.u32(length)
	binary.LittleEndian.PutUint32(w.block[4:], length)
	if _, err := w.to.Write(w.block); err != nil {
		w.err = fmt.Errorf("%s: %w", doing, err)
	}
	return w.err
}

func (w *Writer) u16(v uint16) { w.block = binary.LittleEndian.AppendUint16(w.block, v) }
func (w *Writer) u32(v uint32) { w.block = binary.LittleEndian.AppendUint32(w.block, v) }
func (w *Writer) u64(v uint64) { w.block = binary.LittleEndian.AppendUint64(w.block, v) }

// pad fills up to the next 32 bits, as everything in a block is.
func (w *Writer) pad() {
	for len(w.block)%4 != 0 {
		w.block = append(w.block, 0)
	}
}

func (w *Writer) option(code, length uint16) {
	w.u16(code)
	w.u16(length)
}

// text writes an option of UTF-8 text, unless it is empty.
func (w *Writer) text(code uint16, text string) {
	if text == "" {
		return
	}
	text = strings.ToValidUTF8(text, "?") // no longer than it was
	w.option(code, uint16(len(text)))
	w.block = append(w.block, text...)
	w.pad()
}

func (w *Writer) endOptions() { w.option(optEnd, 0) }
