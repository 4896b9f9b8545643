package host

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// control builds one control message.
func control(level, kind int32, data []byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	binary.NativeEndian.PutUint64(b, uint64(unix.CmsgLen(len(data))))
	binary.NativeEndian.PutUint32(b[8:], uint32(level))
	binary.NativeEndian.PutUint32(b[12:], uint32(kind))
	copy(b[unix.CmsgLen(0):], data)
	return b
}

func info4(ours, header string) []byte {
	a, b := netip.MustParseAddr(ours).As4(), netip.MustParseAddr(header).As4()
	data := append([]byte{7, 0, 0, 0}, a[:]...)
	return control(unix.IPPROTO_IP, unix.IP_PKTINFO, append(data, b[:]...))
}

func info6(header string) []byte {
	a := netip.MustParseAddr(header).As16()
	return control(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, append(a[:], 7, 0, 0, 0))
}

func TestAddressAsked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		control []byte
		want    string // "" for what is not answered
		iface   byte   // sent with the answer
	}{
		"our address":          {info4("192.0.2.1", "192.0.2.1"), "192.0.2.1", 0},
		"loopback, untold":     {info4("0.0.0.0", "127.0.0.1"), "127.0.0.1", 0},
		"broadcast":            {info4("192.0.2.1", "192.0.2.255"), "", 0},
		"broadcast everywhere": {info4("192.0.2.1", "255.255.255.255"), "", 0},
		"multicast":            {info4("192.0.2.1", "224.0.0.1"), "", 0},
		"IPv6":                 {info6("2001:db8::1"), "2001:db8::1", 0},
		"IPv4 over IPv6":       {info6("::ffff:192.0.2.1"), "192.0.2.1", 0},
		"link-local":           {info6("fe80::1"), "fe80::1", 7},
		"multicast IPv6":       {info6("ff02::1"), "", 0},
		"nobody's, IPv6":       {info6("::"), "", 0},
		"broadcast over IPv6":  {info6("::ffff:255.255.255.255"), "", 0},
		"nothing told":         {nil, "", 0},
		"another message":      {control(unix.SOL_SOCKET, unix.SO_TIMESTAMP, make([]byte, 16)), "", 0},
		"cut off":              {info4("192.0.2.1", "192.0.2.1")[:20], "", 0},
	} {
		asked, ok := addressAsked(c.control)
		if ok != (c.want != "") || ok && asked != netip.MustParseAddr(c.want) {
			t.Errorf("%s: %v, %v", name, asked, ok)
		}
		if at := unix.CmsgLen(16); ok && asked.Is6() && c.control[at] != c.iface {
			t.Errorf("%s: interface %d", name, c.control[at])
		}
	}
}

func FuzzAddressAsked(f *testing.F) {
	f.Add(info4("192.0.2.1", "192.0.2.1"))
	f.Add(info4("192.0.2.1", "192.0.2.255"))
	f.Add(info6("::ffff:192.0.2.1"))
	f.Add(info6("fe80::1"))
	f.Add(append(control(unix.SOL_SOCKET, unix.SO_TIMESTAMP, make([]byte, 16)), info4("0.0.0.0", "127.0.0.1")...))
	f.Add(info4("192.0.2.1", "192.0.2.1")[:20])
	f.Fuzz(func(t *testing.T, control []byte) {
		asked, ok := addressAsked(control)
		if !ok {
			return
		}
		if !oneHost(asked) || asked.Is4In6() {
			t.Errorf("%x: %v", control, asked)
		}
		// What was made of it goes out with the answer, and says the same.
		if again, ok := addressAsked(control); !ok || again != asked {
			t.Errorf("%x: %v, then %v", control, asked, again)
		}
	})
}
