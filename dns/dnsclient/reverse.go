package dnsclient

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/network-utopia/utopia/dns"
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
		b.WriteString("in-addr.arpa.")
	} else {
		b.WriteString("ip6.arpa.")
	}
	name, err := dns.ParseName(b.String(), dns.Root)
	return name, err == nil
}
