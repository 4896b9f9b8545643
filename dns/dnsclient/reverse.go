package dnsclient

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

// The zones that the names of addresses are in.
const (
	reverse4 = "in-addr.arpa."
	reverse6 = "ip6.arpa."
)

// ReverseName gives the name under which the PTR records of an address stand:
// 1.2.0.192.in-addr.arpa. (RFC 1035 section 3.5), or 32 labels under ip6.arpa.
// (RFC 3596 section 2.5). ok is false for the zero Addr. A zone of the
// address is left out.
func ReverseName(addr netip.Addr) (name dns.Name, ok bool) {
	if !addr.IsValid() {
		return "", false
	}
	addr = addr.Unmap()
	octets := addr.AsSlice()
	var b strings.Builder
	for i := len(octets) - 1; i >= 0; i-- {
		if addr.Is4() {
			b.WriteString(strconv.Itoa(int(octets[i])))
		} else {
			const digits = "0123456789abcdef"
			b.WriteByte(digits[octets[i]&0xf])
			b.WriteByte('.')
			b.WriteByte(digits[octets[i]>>4])
		}
		b.WriteByte('.')
	}
	if addr.Is4() {
		b.WriteString(reverse4)
	} else {
		b.WriteString(reverse6)
	}
	name, err := dns.ParseName(b.String(), dns.Root)
	return name, err == nil
}

// ReverseNetwork is the other way round: it gives the network whose names are at
// and below a name, 192.0.2.0/24 for 2.0.192.in-addr.arpa. ok is false for a name
// that is not made of whole octets (IPv4) or digits (IPv6), such as one of RFC
// 2317.
func ReverseNetwork(name dns.Name) (network netip.Prefix, ok bool) {
	text := name.Canonical().String()
	if rest, is4 := strings.CutSuffix("."+text, "."+reverse4); is4 {
		var octets [4]byte
		bits, ok := reversed(octets[:], rest, 8, 10)
		return netip.PrefixFrom(netip.AddrFrom4(octets), bits), ok
	}
	if rest, is6 := strings.CutSuffix("."+text, "."+reverse6); is6 {
		var octets [16]byte
		bits, ok := reversed(octets[:], rest, 4, 16)
		return netip.PrefixFrom(netip.AddrFrom16(octets), bits), ok
	}
	return netip.Prefix{}, false
}

// reversed reads labels that stand for size bits each, the first of which are
// the last, behind dots; bits is how many they are.
func reversed(into []byte, labels string, size, base int) (bits int, ok bool) {
	for labels != "" {
		dot := strings.LastIndexByte(labels, '.')
		label := labels[dot+1:]
		n, err := strconv.ParseUint(label, base, size)
		if err != nil || bits == 8*len(into) || len(label) > 1 && label[0] == '0' {
			return 0, false
		}
		into[bits/8] |= byte(n << (8 - size - bits%8))
		bits, labels = bits+size, labels[:dot]
	}
	return bits, true
}
