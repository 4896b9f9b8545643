package pcapng

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// The reader below shares nothing with the writer: its numbers are those of the specifications.

// block is one block of a capture.
type block struct {
	kind   uint32
	fixed  []byte // the fields before the options
	opts   map[uint16][]byte
	packet packetBlock // of an enhanced packet block
}

type packetBlock struct {
	iface    uint32
	at       time.Time
	original int
	data     []byte
}

// readBlocks checks the frame of every block: both lengths, multiples of four, zeros as padding, and the options' end.
func readBlocks(file []byte) ([]block, error) {
	var blocks []block
	for len(file) > 0 {
		if len(file) < 12 {
			return nil, fmt.Errorf("%d octets behind the last block", len(file))
		}
		length := binary.LittleEndian.Uint32(file[4:])
		if length%4 != 0 || length < 12 || int(length) > len(file) {
			return nil, fmt.Errorf("a block of %d octets, of %d", length, len(file))
		}
		if again := binary.LittleEndian.Uint32(file[length-4:]); again != length {
			return nil, fmt.Errorf("a block of %d octets ends as one of %d", length, again)
		}
		b, err := readBlock(binary.LittleEndian.Uint32(file), file[8:length-4])
		if err != nil {
			return nil, err
		}
		blocks, file = append(blocks, b), file[length:]
	}
	return blocks, nil
}

func readBlock(kind uint32, body []byte) (block, error) {
	fixed := map[uint32]int{0x0a0d0d0a: 16, 1: 8, 6: 20}[kind]
	if fixed == 0 || len(body) < fixed {
		return block{}, fmt.Errorf("block type %#x with %d octets", kind, len(body))
	}
	b := block{kind: kind, fixed: body[:fixed]}
	rest := body[fixed:]
	if kind == 6 {
		field := func(at int) uint32 { return binary.LittleEndian.Uint32(body[at:]) }
		captured := int(field(12))
		padded := (captured + 3) &^ 3
		if padded > len(rest) {
			return b, fmt.Errorf("%d octets captured, %d there", captured, len(rest))
		}
		stamp := uint64(field(4))<<32 | uint64(field(8))
		b.packet = packetBlock{
			iface: field(0), original: int(field(16)), data: rest[:captured],
			at: time.Unix(int64(stamp/1e9), int64(stamp%1e9)).UTC(),
		}
		if !zeros(rest[captured:padded]) {
			return b, fmt.Errorf("the packet's padding is not zero")
		}
		rest = rest[padded:]
	}
	var err error
	b.opts, err = readOptions(rest)
	return b, err
}

func readOptions(rest []byte) (map[uint16][]byte, error) {
	opts := map[uint16][]byte{}
	for len(rest) >= 4 {
		code, length := binary.LittleEndian.Uint16(rest), int(binary.LittleEndian.Uint16(rest[2:]))
		rest = rest[4:]
		if code == 0 {
			if length != 0 || len(rest) != 0 {
				return nil, fmt.Errorf("the options end %d octets before the block", len(rest))
			}
			return opts, nil
		}
		padded := (length + 3) &^ 3
		if padded > len(rest) || !zeros(rest[length:padded]) {
			return nil, fmt.Errorf("option %d of %d octets is not padded", code, length)
		}
		opts[code], rest = rest[:length], rest[padded:]
	}
	return nil, fmt.Errorf("the options have no end")
}

func zeros(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// datagram is an IP packet taken apart.
type datagram struct {
	version  int
	src, dst netip.Addr
	id       uint16
	fragment uint16
	ttl      byte
	protocol byte
	body     []byte // what stands above IP
}

// readIP takes a packet apart, and checks its lengths and the checksum of an IPv4 header.
func readIP(p []byte) (datagram, error) {
	if len(p) >= 20 && p[0] == 0x45 {
		if total := int(binary.BigEndian.Uint16(p[2:])); total != len(p) {
			return datagram{}, fmt.Errorf("total length %d of %d", total, len(p))
		}
		if onesSum(p[:20]) != 0xffff {
			return datagram{}, fmt.Errorf("the header's checksum is wrong")
		}
		src, _ := netip.AddrFromSlice(p[12:16])
		dst, _ := netip.AddrFromSlice(p[16:20])
		return datagram{4, src, dst, binary.BigEndian.Uint16(p[4:]), binary.BigEndian.Uint16(p[6:]), p[8], p[9], p[20:]}, nil
	}
	if len(p) < 40 || p[0] != 0x60 || p[1]|p[2]|p[3] != 0 {
		return datagram{}, fmt.Errorf("no IP header: % x", p[:min(len(p), 4)])
	}
	if payload := int(binary.BigEndian.Uint16(p[4:])); payload != len(p)-40 {
		return datagram{}, fmt.Errorf("payload length %d of %d", payload, len(p)-40)
	}
	src, _ := netip.AddrFromSlice(p[8:24])
	dst, _ := netip.AddrFromSlice(p[24:40])
	return datagram{version: 6, src: src, dst: dst, protocol: p[6], ttl: p[7], body: p[40:]}, nil
}

// checksumRight says whether what stands above IP sums up with its pseudo-header, as a receiver would look.
func (d datagram) checksumRight() bool {
	var covered []byte
	switch {
	case d.protocol == 1: // ICMPv4 has no pseudo-header
	case d.version == 4:
		covered = append(append(d.src.AsSlice(), d.dst.AsSlice()...), 0, d.protocol)
		covered = binary.BigEndian.AppendUint16(covered, uint16(len(d.body)))
	default:
		covered = append(d.src.AsSlice(), d.dst.AsSlice()...)
		covered = binary.BigEndian.AppendUint32(covered, uint32(len(d.body)))
		covered = append(covered, 0, 0, 0, d.protocol)
	}
	return onesSum(append(covered, d.body...)) == 0xffff
}

// onesSum adds octet by octet, with the carry brought around at each step.
func onesSum(b []byte) uint16 {
	var total uint32
	for i, c := range b {
		if i%2 == 0 {
			total += uint32(c) << 8
		} else {
			total += uint32(c)
		}
		if total > 0xffff {
			total -= 0xffff
		}
	}
	return uint16(total)
}

// mustRead reads a capture that has to be right.
func mustRead(t *testing.T, file []byte) []block {
	t.Helper()
	blocks, err := readBlocks(file)
	if err != nil {
		t.Fatal(err)
	}
	return blocks
}

// mustIP takes a packet apart that has to be right.
func mustIP(t *testing.T, packet []byte) datagram {
	t.Helper()
	d, err := readIP(packet)
	if err != nil {
		t.Fatal(err)
	}
	if !d.checksumRight() {
		t.Fatalf("the checksum above IP is wrong: % x", packet)
	}
	return d
}
