package pcapng

import (
	"encoding/binary"
	"net/netip"
)

// IP is what the header of a packet says of its way (RFC 791 section 3.1, RFC 8200 section 3). Both addresses are of
// one family, which decides the version; an IPv4 address that is mapped into IPv6 counts as IPv4.
type IP struct {
	Src, Dst netip.Addr
	ID       uint16 // the identification; IPv6 has none
	TTL      uint8  // the hops that are left
}

// The bits of TCP.Flags (RFC 9293 section 3.1).
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// TCP is the header of a segment (RFC 9293 section 3.1), but for what follows from its payload.
type TCP struct {
	SrcPort, DstPort uint16
	Seq, Ack         uint32
	Flags            uint8  // FIN, SYN …
	Window           uint16 // as it stands in the header: not scaled
	Options          []byte // padded here to a multiple of 4 octets; what is past MaxTCPOptions is left out
}

// MaxTCPOptions is how many octets of options a TCP header has room for: its length has four bits, in words of 32.
const MaxTCPOptions = 40

// UDP is the header of a datagram (RFC 768), but for what follows from its payload.
type UDP struct{ SrcPort, DstPort uint16 }

// ICMP is the head of a message of ICMP (RFC 792) or, between IPv6 addresses, of ICMPv6 (RFC 4443).
type ICMP struct {
	Type, Code uint8
	Rest       uint32 // the second word, such as an echo's identifier and number, or a next hop's MTU
}

// The numbers of the protocols above IP.
const (
	protocolICMP   = 1
	protocolTCP    = 6
	protocolUDP    = 17
	protocolICMPv6 = 58
)

const dontFragment = 0x4000

// AppendTCP appends a whole IP packet with one TCP segment to b and returns the longer slice. IPv4 packets have the
// don't-fragment bit set. The payload may have any length that the packet has room for; Writer.Packet refuses a packet
// that is longer than IP can say, and in it the lengths are wrong.
func AppendTCP(b []byte, ip IP, t TCP, payload []byte) []byte {
	options := t.Options[:min(len(t.Options), MaxTCPOptions)]
	words := (20 + len(options) + 3) / 4
	b, start := appendIP(b, ip, protocolTCP, dontFragment, 4*words+len(payload))
	b = binary.BigEndian.AppendUint16(b, t.SrcPort)
	b = binary.BigEndian.AppendUint16(b, t.DstPort)
	b = binary.BigEndian.AppendUint32(b, t.Seq)
	b = binary.BigEndian.AppendUint32(b, t.Ack)
	b = append(b, byte(words<<4), t.Flags)
	b = binary.BigEndian.AppendUint16(b, t.Window)
	b = append(b, 0, 0, 0, 0) // the checksum, and no urgent data
	b = append(b, options...)
	for len(b)-start < 4*words {
		b = append(b, 0) // end of option list
	}
	b = append(b, payload...)
	binary.BigEndian.PutUint16(b[start+16:], ^fold(pseudo(ip, protocolTCP, len(b)-start)+sum(b[start:])))
	return b
}

// AppendUDP appends a whole IP packet with one UDP datagram to b and returns the longer slice. Of a payload that is too
// long, see AppendTCP.
func AppendUDP(b []byte, ip IP, u UDP, payload []byte) []byte {
	return AppendCutUDP(b, ip, u, payload, len(payload))
}

// AppendCutUDP is AppendUDP for a payload of which only the beginning was kept: original is how many octets it had. The
// lengths in the packet are those of the original. Its checksum cannot be known: in IPv4 there is none (0), and in IPv6,
// which asks for one (RFC 8200 section 8.1), it is as if the octets that are missing were zeros. The packet is written
// by Writer.CutPacket, with the missing octets counted.
func AppendCutUDP(b []byte, ip IP, u UDP, payload []byte, original int) []byte {
	b, start := appendIP(b, ip, protocolUDP, 0, 8+original)
	b = binary.BigEndian.AppendUint16(b, u.SrcPort)
	b = binary.BigEndian.AppendUint16(b, u.DstPort)
	b = binary.BigEndian.AppendUint16(b, uint16(8+original))
	b = append(b, 0, 0)
	b = append(b, payload...)
	if len(payload) == original || !ip.is4() {
		check := ^fold(pseudo(ip, protocolUDP, 8+original) + sum(b[start:]))
		if check == 0 {
			check = 0xffff // 0 says that there is none (RFC 768)
		}
		binary.BigEndian.PutUint16(b[start+6:], check)
	}
	return b
}

// AppendICMP appends a whole IP packet with one ICMP message to b, ICMPv6 between IPv6 addresses, and returns the longer
// slice. The body of an error is the beginning of the packet that it is about. Of a body that is too long, see
// AppendTCP.
func AppendICMP(b []byte, ip IP, i ICMP, body []byte) []byte {
	protocol := byte(protocolICMPv6)
	if ip.is4() {
		protocol = protocolICMP
	}
	b, start := appendIP(b, ip, protocol, 0, 8+len(body))
	b = append(b, i.Type, i.Code, 0, 0)
	b = binary.BigEndian.AppendUint32(b, i.Rest)
	b = append(b, body...)
	check := sum(b[start:])
	if protocol == protocolICMPv6 { // ICMPv4's has no pseudo-header
		check += pseudo(ip, protocol, len(b)-start)
	}
	binary.BigEndian.PutUint16(b[start+2:], ^fold(check))
	return b
}

func (ip IP) is4() bool { return ip.Src.Unmap().Is4() && ip.Dst.Unmap().Is4() }

// appendIP appends the header of a packet with length octets behind it, and returns where those begin.
func appendIP(b []byte, ip IP, protocol byte, fragment uint16, length int) ([]byte, int) {
	if !ip.is4() {
		src, dst := ip.Src.As16(), ip.Dst.As16()
		b = append(b, 6<<4, 0, 0, 0) // no traffic class, no flow label
		b = binary.BigEndian.AppendUint16(b, uint16(length))
		b = append(b, protocol, ip.TTL)
		b = append(b, src[:]...)
		b = append(b, dst[:]...)
		return b, len(b)
	}
	at := len(b)
	src, dst := ip.Src.Unmap().As4(), ip.Dst.Unmap().As4()
	b = append(b, 4<<4|5, 0) // five words, no options; no type of service
	b = binary.BigEndian.AppendUint16(b, uint16(20+length))
	b = binary.BigEndian.AppendUint16(b, ip.ID)
	b = binary.BigEndian.AppendUint16(b, fragment)
	b = append(b, ip.TTL, protocol, 0, 0)
	b = append(b, src[:]...)
	b = append(b, dst[:]...)
	binary.BigEndian.PutUint16(b[at+10:], ^fold(sum(b[at:])))
	return b, len(b)
}

// pseudo is the sum of what a checksum covers besides the segment: RFC 9293 section 3.1 and RFC 8200 section 8.1. They
// order the same words differently, which does not matter to a sum.
func pseudo(ip IP, protocol byte, length int) uint64 {
	addresses := uint64(protocol) + uint64(length)
	for _, a := range [...]netip.Addr{ip.Src, ip.Dst} {
		if ip.is4() {
			four := a.Unmap().As4()
			addresses += sum(four[:])
		} else {
			sixteen := a.As16()
			addresses += sum(sixteen[:])
		}
	}
	return addresses
}

// sum adds the 16-bit words of b; an odd octet at the end is the high one of a word (RFC 1071 section 1).
func sum(b []byte) (total uint64) {
	for ; len(b) >= 2; b = b[2:] {
		total += uint64(b[0])<<8 | uint64(b[1])
	}
	if len(b) == 1 {
		total += uint64(b[0]) << 8
	}
	return total
}

// fold adds the carries back in until 16 bits are left: ones' complement addition (RFC 1071 section 2).
func fold(total uint64) uint16 {
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}
