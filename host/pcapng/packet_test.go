package pcapng

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
)

// TestAgainstRFC1071 holds the sum against the example of the RFC.
func TestAgainstRFC1071(t *testing.T) {
	// The example of RFC 1071 section 3: the sum is 2ddf0, ddf2 with the carries added in.
	if got := fold(sum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7})); got != 0xddf2 {
		t.Errorf("%#x", got)
	}
	if got := fold(0x1fffe_ffff); got != 0xffff {
		t.Errorf("%#x: the carry of a carry is lost", got)
	}
}

func TestIPHeaders(t *testing.T) {
	d := mustIP(t, AppendUDP(nil, v4, UDP{}, nil))
	if d.version != 4 || d.src != v4.Src || d.dst != v4.Dst || d.id != 7 || d.fragment != 0 || d.ttl != 64 || d.protocol != 17 {
		t.Errorf("%+v", d)
	}
	d = mustIP(t, AppendUDP(nil, v6, UDP{}, nil))
	if d.version != 6 || d.src != v6.Src || d.dst != v6.Dst || d.ttl != 3 || d.protocol != 17 {
		t.Errorf("%+v", d)
	}
	mapped := IP{Src: netip.MustParseAddr("::ffff:192.0.2.1"), Dst: v4.Dst}
	if d = mustIP(t, AppendUDP(nil, mapped, UDP{}, nil)); d.version != 4 || d.src != v4.Src {
		t.Errorf("an IPv4 address that is mapped into IPv6: %+v", d)
	}
	mixed := IP{Src: v4.Src, Dst: v6.Dst}
	if d = mustIP(t, AppendUDP(nil, mixed, UDP{}, nil)); d.version != 6 || d.src != netip.MustParseAddr("::ffff:192.0.2.1") {
		t.Errorf("two families: %+v", d)
	}
}

// lengths are those that padding and checksums may fail at.
var lengths = []int{0, 1, 2, 3, 4, 5, 1459, 1460}

func TestTCP(t *testing.T) {
	for _, ip := range []IP{v4, v6} {
		for _, n := range lengths {
			payload := bytes.Repeat([]byte{0xfe, 1}, n)[:n]
			head := TCP{SrcPort: 80, DstPort: 40000, Seq: 0xfffffffe, Ack: 0x01020304, Flags: PSH | ACK, Window: 65535}
			d := mustIP(t, AppendTCP(nil, ip, head, payload))
			want, _ := hex.DecodeString("00509c40fffffffe010203045018ffff")
			if d.protocol != 6 || !bytes.Equal(d.body[:16], want) || !bytes.Equal(d.body[20:], payload) || d.body[18]|d.body[19] != 0 {
				t.Errorf("%d octets: % x", n, d.body)
			}
			if ip.Src.Is4() && d.fragment != 0x4000 {
				t.Errorf("flags and fragment offset %#x", d.fragment)
			}
		}
	}
}

func TestFlags(t *testing.T) {
	for flag, bit := range map[uint8]byte{FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32, ECE: 64, CWR: 128} {
		if d := mustIP(t, AppendTCP(nil, v4, TCP{Flags: flag}, nil)); d.body[13] != bit {
			t.Errorf("flags %#x, not %#x", d.body[13], bit)
		}
	}
}

func TestTCPOptions(t *testing.T) {
	for n, header := range map[int]int{0: 20, 1: 24, 3: 24, 4: 24, 5: 28, 37: 60, 40: 60, 41: 60, 100: 60} {
		options := bytes.Repeat([]byte{1}, n)
		d := mustIP(t, AppendTCP(nil, v4, TCP{Options: options}, []byte("payload")))
		if got := int(d.body[12]>>4) * 4; got != header {
			t.Errorf("%d octets of options: a header of %d, not %d", n, got, header)
			continue
		}
		kept := min(n, MaxTCPOptions)
		if !bytes.Equal(d.body[20:20+kept], options[:kept]) || !zeros(d.body[20+kept:header]) || string(d.body[header:]) != "payload" {
			t.Errorf("%d octets of options: % x", n, d.body)
		}
	}
}

func TestUDP(t *testing.T) {
	for _, ip := range []IP{v4, v6} {
		for _, n := range lengths {
			payload := bytes.Repeat([]byte{7, 0xfd, 2}, n)[:n]
			d := mustIP(t, AppendUDP(nil, ip, UDP{5353, 53}, payload))
			length := binary.BigEndian.AppendUint16([]byte{0x14, 0xe9, 0, 53}, uint16(8+n))
			if d.protocol != 17 || !bytes.Equal(d.body[:6], length) || !bytes.Equal(d.body[8:], payload) {
				t.Errorf("%d octets: % x", n, d.body)
			}
		}
	}
}

// TestUDPChecksumZero finds the payload whose checksum is 0, which a datagram must not say: it would mean none.
func TestUDPChecksumZero(t *testing.T) {
	for _, ip := range []IP{v4, v6} {
		plain := AppendUDP(nil, ip, UDP{1, 2}, []byte{0, 0})
		at := len(plain) - 4 // of the checksum
		d := mustIP(t, AppendUDP(nil, ip, UDP{1, 2}, plain[at:at+2]))
		if d.body[6] != 0xff || d.body[7] != 0xff {
			t.Errorf("checksum % x", d.body[6:8])
		}
	}
}

func TestCutUDP(t *testing.T) {
	whole := AppendUDP(nil, v4, UDP{1, 2}, make([]byte, 100))
	cut := AppendCutUDP(nil, v4, UDP{1, 2}, make([]byte, 60), 100)
	if len(cut) != 88 || !bytes.Equal(cut[:26], whole[:26]) {
		t.Errorf("the headers are not those of the whole: % x", cut)
	}
	if !zeros(cut[26:28]) {
		t.Errorf("a checksum over what nobody has: % x", cut[26:28])
	}
	if got := AppendCutUDP(nil, v4, UDP{1, 2}, make([]byte, 100), 100); !bytes.Equal(got, whole) {
		t.Error("what is not cut is as AppendUDP makes it")
	}
	zeroed, six := AppendUDP(nil, v6, UDP{1, 2}, make([]byte, 101)), AppendCutUDP(nil, v6, UDP{1, 2}, make([]byte, 61), 101)
	if !bytes.Equal(six, zeroed[:len(six)]) {
		t.Errorf("IPv6 has no datagram without a checksum: % x, not % x", six, zeroed)
	}
}

func TestICMP(t *testing.T) {
	for _, n := range lengths {
		body := bytes.Repeat([]byte{0xff, 0xff, 9}, n)[:n]
		d := mustIP(t, AppendICMP(nil, v4, ICMP{3, 4, 1400}, body))
		if d.protocol != 1 || d.body[0] != 3 || d.body[1] != 4 || !bytes.Equal(d.body[4:8], []byte{0, 0, 5, 0x78}) || !bytes.Equal(d.body[8:], body) {
			t.Errorf("ICMP: % x", d.body)
		}
		d = mustIP(t, AppendICMP(nil, v6, ICMP{128, 0, 0xdeadbeef}, body))
		if d.protocol != 58 || d.body[0] != 128 || !bytes.Equal(d.body[4:8], []byte{0xde, 0xad, 0xbe, 0xef}) || !bytes.Equal(d.body[8:], body) {
			t.Errorf("ICMPv6: % x", d.body)
		}
	}
}

// TestAppended sees that what stands before a packet in the buffer is left alone, and not summed up.
func TestAppended(t *testing.T) {
	for _, ip := range []IP{v4, v6} {
		for name, add := range map[string]func(b []byte) []byte{
			"tcp":  func(b []byte) []byte { return AppendTCP(b, ip, TCP{Seq: 9}, []byte("x")) },
			"udp":  func(b []byte) []byte { return AppendUDP(b, ip, UDP{1, 2}, []byte("x")) },
			"icmp": func(b []byte) []byte { return AppendICMP(b, ip, ICMP{Type: 8}, []byte("x")) },
		} {
			if got := add([]byte("before")); string(got[:6]) != "before" || !bytes.Equal(got[6:], add(nil)) {
				t.Errorf("%s behind other octets: % x", name, got)
			}
		}
	}
}

// FuzzPackets holds the writer against the reader: what goes in comes out, with right lengths and checksums.
func FuzzPackets(f *testing.F) {
	f.Add([]byte("payload"), []byte{2, 4, 5, 180}, "comment", uint32(1), uint16(53), true)
	f.Add([]byte{}, []byte{}, "", uint32(0xffffffff), uint16(0), false)
	f.Add([]byte{0xff, 0xff, 0xff}, []byte{1}, "\xff", uint32(0), uint16(65535), false)
	f.Fuzz(func(t *testing.T, payload, options []byte, comment string, number uint32, port uint16, six bool) {
		if len(payload) > 60000 || len(comment) > MaxText {
			return // past what a packet has room for
		}
		ip, link := v4, IPv4
		if six {
			ip, link = v6, IPv6
		}
		w, file := capture(t, link)
		packets := [][]byte{
			AppendTCP(nil, ip, TCP{SrcPort: port, Seq: number, Flags: uint8(number), Options: options}, payload),
			AppendUDP(nil, ip, UDP{port, 1}, payload),
			AppendICMP(nil, ip, ICMP{uint8(port), uint8(number), number}, payload),
		}
		for _, p := range packets {
			if err := w.Packet(0, when, six, p, comment); err != nil {
				t.Fatal(err)
			}
		}
		blocks := mustRead(t, file.Bytes())[2:]
		if len(blocks) != len(packets) {
			t.Fatalf("%d packets are in the file", len(blocks))
		}
		for i, b := range blocks {
			d := mustIP(t, b.packet.data)
			if !bytes.Equal(b.packet.data, packets[i]) || !bytes.HasSuffix(d.body, payload) || string(b.opts[1]) != strings.ToValidUTF8(comment, "?") {
				t.Errorf("packet %d is another", i)
			}
		}
	})
}
