package pcapng

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var (
	v4 = IP{Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), ID: 7, TTL: 64}
	v6 = IP{Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8::2"), TTL: 3}

	when = time.Date(2026, 11, 26, 12, 0, 0, 123456789, time.UTC)
)

// capture is a Writer with one interface, and the file that it writes.
func capture(t *testing.T, link LinkType) (*Writer, *bytes.Buffer) {
	t.Helper()
	var file bytes.Buffer
	w, err := NewWriter(&file, link, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Interface("eth0"); err != nil {
		t.Fatal(err)
	}
	return w, &file
}

func TestSectionHeader(t *testing.T) {
	var file bytes.Buffer
	if _, err := NewWriter(&file, IPv4, Options{Application: "utopia", Comment: "a comment"}); err != nil {
		t.Fatal(err)
	}
	blocks := mustRead(t, file.Bytes())
	want := []byte{0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255}
	if len(blocks) != 1 || blocks[0].kind != 0x0a0d0d0a || !bytes.Equal(blocks[0].fixed, want) {
		t.Fatalf("%+v", blocks)
	}
	if got := blocks[0].opts; string(got[1]) != "a comment" || string(got[4]) != "utopia" || len(got) != 2 {
		t.Errorf("options %v", got)
	}
}

func TestInterfaces(t *testing.T) {
	for link, snap := range map[LinkType]uint32{IPv4: 65535, IPv6: 65575} {
		w, file := capture(t, link)
		if n, err := w.Interface(""); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		blocks := mustRead(t, file.Bytes())
		if len(blocks) != 3 {
			t.Fatalf("%d blocks", len(blocks))
		}
		fixed := binary.LittleEndian.AppendUint32([]byte{byte(link), 0, 0, 0}, snap)
		for _, b := range blocks[1:] {
			if b.kind != 1 || !bytes.Equal(b.fixed, fixed) || !bytes.Equal(b.opts[9], []byte{9}) {
				t.Errorf("%+v", b)
			}
		}
		if _, named := blocks[2].opts[2]; string(blocks[1].opts[2]) != "eth0" || named {
			t.Errorf("names %q, %q", blocks[1].opts[2], blocks[2].opts[2])
		}
	}
}

func TestPacket(t *testing.T) {
	w, file := capture(t, IPv4)
	packet := AppendUDP(nil, v4, UDP{53, 5353}, []byte("odd"))
	if err := w.Packet(0, when, true, packet, "what it is"); err != nil {
		t.Fatal(err)
	}
	if err := w.CutPacket(0, when.Add(time.Nanosecond), false, packet[:29], 31, ""); err != nil {
		t.Fatal(err)
	}
	blocks := mustRead(t, file.Bytes())[2:]
	first, second := blocks[0], blocks[1]
	if p := first.packet; p.iface != 0 || !p.at.Equal(when) || p.original != 31 || !bytes.Equal(p.data, packet) {
		t.Errorf("%+v", p)
	}
	if string(first.opts[1]) != "what it is" || !bytes.Equal(first.opts[2], []byte{2, 0, 0, 0}) {
		t.Errorf("options of what went out: %v", first.opts)
	}
	if p := second.packet; p.at.Sub(when) != 1 || p.original != 31 || !bytes.Equal(p.data, packet[:29]) {
		t.Errorf("a cut packet: %+v", p)
	}
	if _, commented := second.opts[1]; commented || !bytes.Equal(second.opts[2], []byte{1, 0, 0, 0}) {
		t.Errorf("options of what came in: %v", second.opts)
	}
}

func TestRefused(t *testing.T) {
	w, file := capture(t, IPv4)
	before := file.Len()
	packet := AppendUDP(nil, v4, UDP{}, nil)
	write := func(iface int, at time.Time, packet []byte, original int) error {
		return w.CutPacket(iface, at, true, packet, original, "")
	}
	for name, c := range map[string]struct{ err, is error }{
		"no such interface":    {write(1, when, packet, 28), ErrInterface},
		"a negative interface": {write(-1, when, packet, 28), ErrInterface},
		"another IP version":   {write(0, when, AppendUDP(nil, v6, UDP{}, nil), 48), ErrVersion},
		"no packet":            {write(0, when, nil, 0), ErrVersion},
		"shorter than kept":    {write(0, when, packet, 27), nil},
		"before 1970":          {write(0, time.Unix(-1, 0), packet, 28), ErrTime},
		"the zero time":        {write(0, time.Time{}, packet, 28), ErrTime},
		"after 2554":           {write(0, time.Unix(18446744073, 0), packet, 28), ErrTime},
	} {
		if c.err == nil || c.is != nil && !errors.Is(c.err, c.is) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	if file.Len() != before {
		t.Errorf("what was refused left %d octets", file.Len()-before)
	}
	last := time.Unix(18446744072, 999999999)
	if err := errors.Join(write(0, last, packet, 28), write(0, time.Unix(0, 0), packet, 28)); err != nil {
		t.Errorf("at the limits of time: %v", err)
	}
	if got := mustRead(t, file.Bytes())[2:]; !got[0].packet.at.Equal(last) || !got[1].packet.at.Equal(time.Unix(0, 0)) {
		t.Errorf("times %v and %v", got[0].packet.at, got[1].packet.at)
	}
}

func TestUnknownLinkType(t *testing.T) {
	if _, err := NewWriter(io.Discard, 1, Options{}); err == nil {
		t.Error("Ethernet is no IP")
	}
}

func TestLimitOfPackets(t *testing.T) {
	for link, c := range map[LinkType]struct {
		ip   IP
		room int // octets of a datagram's payload
	}{IPv4: {v4, 65535 - 20 - 8}, IPv6: {v6, 65535 - 8}} {
		w, file := capture(t, link)
		if err := w.Packet(0, when, true, AppendUDP(nil, c.ip, UDP{1, 2}, make([]byte, c.room)), ""); err != nil {
			t.Errorf("at the limit: %v", err)
		}
		if err := w.Packet(0, when, true, AppendUDP(nil, c.ip, UDP{1, 2}, make([]byte, c.room+1)), ""); !errors.Is(err, ErrLength) {
			t.Errorf("one past the limit: %v", err)
		}
		blocks := mustRead(t, file.Bytes())
		if len(blocks) != 3 {
			t.Fatalf("%d blocks", len(blocks))
		}
		if d := mustIP(t, blocks[2].packet.data); len(d.body) != 8+c.room {
			t.Errorf("%d octets above IP", len(d.body))
		}
	}
}

func TestLimitOfTexts(t *testing.T) {
	fits, long := strings.Repeat("x", MaxText), strings.Repeat("x", MaxText+1)
	for _, o := range []Options{{Application: long}, {Comment: long}} {
		if _, err := NewWriter(io.Discard, IPv4, o); !errors.Is(err, ErrLength) {
			t.Errorf("one past the limit: %v", err)
		}
	}
	w, file := capture(t, IPv4)
	packet := AppendUDP(nil, v4, UDP{}, nil)
	if err := w.Packet(0, when, true, packet, fits); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if err := w.Packet(0, when, true, packet, long); !errors.Is(err, ErrLength) {
		t.Errorf("one past the limit: %v", err)
	}
	if _, err := w.Interface(long); !errors.Is(err, ErrLength) {
		t.Errorf("one past the limit: %v", err)
	}
	if n, err := w.Interface(fits); n != 1 || err != nil {
		t.Errorf("at the limit: %d, %v", n, err)
	}
	if blocks := mustRead(t, file.Bytes()); len(blocks) != 4 || len(blocks[2].opts[1]) != MaxText || len(blocks[3].opts[2]) != MaxText {
		t.Errorf("%d blocks", len(blocks))
	}
}

func TestCommentsAreUTF8(t *testing.T) {
	w, file := capture(t, IPv4)
	if err := w.Packet(0, when, true, AppendUDP(nil, v4, UDP{}, nil), "so \xff\xfe: ü"); err != nil {
		t.Fatal(err)
	}
	if got := mustRead(t, file.Bytes())[2].opts[1]; string(got) != "so ?: ü" {
		t.Errorf("%q", got)
	}
}

func TestLimitOfInterfaces(t *testing.T) {
	w, err := NewWriter(io.Discard, IPv6, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range MaxInterfaces {
		if n, err := w.Interface("x"); n != i || err != nil {
			t.Fatalf("interface %d: %d, %v", i, n, err)
		}
	}
	if _, err := w.Interface("x"); err == nil {
		t.Error("one past the limit")
	}
}

// breaking is a file that takes so many calls of Write, and fails afterwards.
type breaking struct{ calls, left int }

var errFull = errors.New("no space left")

func (f *breaking) Write(p []byte) (int, error) {
	f.calls++
	if f.left--; f.left < 0 {
		return len(p) / 2, errFull
	}
	return len(p), nil
}

func TestFailedWrites(t *testing.T) {
	if _, err := NewWriter(&breaking{}, IPv4, Options{}); !errors.Is(err, errFull) {
		t.Errorf("the head: %v", err)
	}
	w, err := NewWriter(&breaking{left: 1}, IPv4, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Interface("x"); !errors.Is(err, errFull) {
		t.Errorf("an interface: %v", err)
	}
	file := &breaking{left: 3}
	if w, err = NewWriter(file, IPv4, Options{}); err != nil {
		t.Fatal(err)
	}
	w.Interface("x")
	packet := AppendUDP(nil, v4, UDP{}, nil)
	first, second := w.Packet(0, when, true, packet, ""), w.Packet(0, when, true, packet, "")
	if third := w.Packet(0, when, true, packet, ""); first != nil || !errors.Is(second, errFull) || third != second {
		t.Errorf("%v, %v, %v", first, second, third)
	}
	if file.calls != 4 {
		t.Errorf("%d calls of Write: one for each block, and none behind half a block", file.calls)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	w, _ := capture(t, IPv4)
	w.to = io.Discard
	b, payload := make([]byte, 0, 2000), make([]byte, 1460)
	syn := TCP{Flags: SYN, Options: []byte{2, 4, 5, 180}}
	n := testing.AllocsPerRun(100, func() {
		for _, ip := range []IP{v4, v6} {
			b = AppendTCP(b[:0], ip, syn, payload)
			b = AppendICMP(b[:0], ip, ICMP{Type: 8}, payload)
			b = AppendUDP(b[:0], ip, UDP{1, 2}, payload)
		}
		b = AppendUDP(b[:0], v4, UDP{1, 2}, payload)
		if err := w.Packet(0, when, true, b, "a note"); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
