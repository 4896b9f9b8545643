package pcap

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/host/pcapng"
	"github.com/network-utopia/utopia/transcript"
)

func TestConnection(t *testing.T) {
	packets, counts := capture(t, Options{}, record(tcp(7), got("hello"), said("HELLO"), got("a"), got("b"), said("AB")))
	want := []string{
		"client S ", "server SA ", "client A ", "client PA hello", "server PA HELLO", "client PA a", "client PA b",
		"server PA AB", "client FA ", "server FA ", "client A ",
	}
	var have []string
	for i, p := range packets {
		who := map[netip.AddrPort]string{client: "client", server: "server"}[p.src]
		have = append(have, fmt.Sprintf("%s %s %s", who, flags(p), p.payload))
		if p.out != (who == "server") {
			t.Errorf("packet %d goes out: %v", i, p.out)
		}
	}
	if !slices.Equal(have, want) {
		t.Fatalf("packets %q, want %q", have, want)
	}
	for who, text := range map[netip.AddrPort]string{client: "helloab", server: "HELLOAB"} {
		if have, ok := stream(packets, who); have != text || !ok {
			t.Errorf("%v has sent %q, %v", who, have, ok)
		}
	}
	for i, p := range packets[1:] { // each acknowledges all that the other has sent until then
		for _, before := range slices.Backward(packets[:i+1]) {
			if before.src != p.src {
				if p.ack != before.seq+length(before) {
					t.Errorf("packet %d acknowledges %d, not %d", i+1, p.ack, before.seq+length(before))
				}
				break
			}
		}
	}
	if packets[0].seq == packets[1].seq {
		t.Error("both sides begin with the same sequence number")
	}
	if packets[0].ack != 0 || !packets[0].at.Equal(start) || !packets[3].at.Equal(start.Add(time.Second)) || !packets[8].at.Equal(start.Add(2*time.Second)) {
		t.Errorf("times %v, %v, %v", packets[0].at, packets[3].at, packets[8].at)
	}
	if packets[0].comment != "line exchange 7 over tcp" || packets[1].comment != "" {
		t.Errorf("comments %q, %q", packets[0].comment, packets[1].comment)
	}
	if counts != (Counts{Packets: 11, Exchanges: 1}) {
		t.Errorf("%+v", counts)
	}
}

func TestHandshakeOptions(t *testing.T) {
	packets, _ := capture(t, Options{}, record(tcp(1)))
	for i, want := range [][]byte{{2, 4, 5, 180, 1, 3, 3, 14}, {2, 4, 5, 180, 1, 3, 3, 14}, {}} {
		if !bytes.Equal(packets[i].options, want) {
			t.Errorf("packet %d has options % x", i, packets[i].options)
		}
	}
}

func TestSegments(t *testing.T) {
	for link, mss := range map[pcapng.LinkType]int{pcapng.IPv4: 1460, pcapng.IPv6: 1440} {
		h := tcp(1)
		if link == pcapng.IPv6 {
			h.Local, h.Remote = server6, client6
		}
		for size, want := range map[int][]int{1: {1}, mss: {mss}, mss + 1: {mss, 1}, 3 * mss: {mss, mss, mss}} {
			packets, _ := capture(t, Options{Link: link}, record(h, said(strings.Repeat("x", size))))
			var have []int
			for _, p := range packets[3 : len(packets)-3] {
				have = append(have, len(p.payload))
				if last := len(have) == len(want); (p.flags&pcapng.PSH != 0) != last {
					t.Errorf("flags %q of segment %d of %d", flags(p), len(have), len(want))
				}
			}
			if text, ok := stream(packets, h.Local); !slices.Equal(have, want) || len(text) != size || !ok {
				t.Errorf("%d octets in segments of %v", size, have)
			}
		}
	}
}

func TestNotesAreComments(t *testing.T) {
	packets, counts := capture(t, Options{}, record(tcp(1), note("first"), got("x"), note("second"), note("third")))
	var comments []string
	for _, p := range packets[1:] {
		comments = append(comments, p.comment)
	}
	if want := []string{"", "", "first", "second\nthird", "", ""}; !slices.Equal(comments, want) {
		t.Errorf("%q", comments)
	}
	if counts.Notes != 0 {
		t.Errorf("%d notes left out", counts.Notes)
	}
	packets, counts = capture(t, Options{}, record(udp(1), note("first"), got("x"), note("second"), note("third")))
	if len(packets) != 1 || packets[0].comment != "line exchange 1 over udp\nfirst" || counts.Notes != 2 {
		t.Errorf("%+v, %d notes left out", packets, counts.Notes)
	}
}

func TestLimitOfComments(t *testing.T) {
	name := "line exchange 1 over tcp"
	room := MaxComment - len("\n…") - len(name) - 1
	for more, want := range map[int]string{0: "x", 1: "\n…"} {
		packets, _ := capture(t, Options{}, record(udp(1), note(strings.Repeat("x", room+more)), got("y")))
		if c := packets[0].comment; len(c) > MaxComment || !strings.HasSuffix(c, want) {
			t.Errorf("a comment of %d octets that ends in %q", len(c), c[len(c)-5:])
		}
	}
	packets, _ := capture(t, Options{}, record(udp(1), note(strings.Repeat("ü", MaxComment)), note("more"), got("y")))
	if c := packets[0].comment; strings.Contains(c, "�") || !strings.HasSuffix(c, "ü\n…") {
		t.Errorf("a comment that ends in %q", c[len(c)-10:])
	}
	long := udp(1)
	long.Service = strings.Repeat("s", 70000)
	if packets, _ := capture(t, Options{}, record(long, got("y"))); len(packets[0].comment) > MaxComment {
		t.Errorf("a name of %d octets", len(packets[0].comment))
	}
}

func TestDatagrams(t *testing.T) {
	packets, _ := capture(t, Options{}, record(udp(1), got("hello"), said("HELLO"), said("odd")))
	if len(packets) != 3 {
		t.Fatalf("%d packets", len(packets))
	}
	for i, want := range []string{"hello", "HELLO", "odd"} {
		if p := packets[i]; p.payload != want || !p.udp || p.out != (i > 0) || p.captured != p.original {
			t.Errorf("%+v, want %q", p, want)
		}
	}
}

func TestEmptyDatagram(t *testing.T) {
	packets, _ := capture(t, Options{}, record(udp(1), line(transcript.Received, 0, ""), line(transcript.Sent, 0, "a summary")))
	if len(packets) != 1 || packets[0].payload != "" || packets[0].original != 28 {
		t.Errorf("%+v", packets)
	}
}

// TestText shows what stands on the wire where an entry has no octets.
func TestText(t *testing.T) {
	for name, c := range map[string]struct {
		e        transcript.Entry
		tcp, udp string
		missing  int
	}{
		"line":              {line(transcript.Received, 6, "NOOP"), "NOOP\r\n", "NOOP\r\n", 0},
		"bare LF":           {line(transcript.Received, 5, "NOOP"), "NOOP\n", "NOOP\n", 0},
		"no end":            {line(transcript.Received, 4, "NOOP"), "NOOP", "NOOP", 0},
		"empty line":        {line(transcript.Received, 2, ""), "\r\n", "\r\n", 0},
		"secret":            {line(transcript.Received, 12, "PASS "+transcript.Redacted), "PASS *****\r\n", "?", 0},
		"secret of nothing": {line(transcript.Received, 7, "PASS "+transcript.Redacted), "PASS \r\n", "?", 0},
		"secret cut short":  {line(transcript.Received, 3, "PASS "+transcript.Redacted), "?", "?", 3},
		"long secret": {line(transcript.Received, 7+transcript.MaxText+1, "PASS "+transcript.Redacted),
			"PASS " + strings.Repeat("*", transcript.MaxText) + "\r\n?", "?", 1},
		"summary":      {line(transcript.Received, 100, "(200 OK)"), "?", "?", 100},
		"cut line":     {line(transcript.Received, 3000, strings.Repeat("x", 1000)+"…"), "?", "?", 3000},
		"escaped line": {line(transcript.Received, 3, `\x1b`), "?", "?", 3},
		"nothing":      {line(transcript.Received, 0, "in another entry"), "", "", 0},
	} {
		packets, counts := capture(t, Options{}, record(tcp(1), c.e))
		if text, ok := stream(packets, client); text != c.tcp || !ok || int(counts.Missing) != c.missing {
			t.Errorf("%s: %q, %v, %d missing", name, text, ok, counts.Missing)
		}
		packets, _ = capture(t, Options{}, record(udp(1), c.e))
		have := ""
		if len(packets) == 1 {
			if have = packets[0].payload; packets[0].original > packets[0].captured {
				have += "?"
			}
		}
		if have != c.udp {
			t.Errorf("%s over UDP: %q", name, have)
		}
	}
}

func TestASummaryIsTheCommentOfItsGap(t *testing.T) {
	packets, _ := capture(t, Options{}, record(tcp(1), line(transcript.Received, 100, "(a body)"), got("x")))
	if c := packets[3].comment; c != "(a body)\n100 octets before this are not in the transcript" {
		t.Errorf("%q", c)
	}
}

func TestCutMessages(t *testing.T) {
	cut := got("kept")
	cut.Bytes = 1000
	packets, counts := capture(t, Options{}, record(tcp(1), cut, said("answer"), got("more")))
	if text, ok := stream(packets, client); text != "kept?more" || !ok || counts.Missing != 996 {
		t.Errorf("%q, %v, %d missing", text, ok, counts.Missing)
	}
	if gap := packets[5].seq - packets[3].seq; gap != 1000 {
		t.Errorf("the sequence numbers go on by %d", gap)
	}
	if packets[4].ack != packets[5].seq {
		t.Errorf("the answer acknowledges %d of %d", packets[4].ack, packets[5].seq)
	}
	packets, counts = capture(t, Options{}, record(udp(1), cut))
	if p := packets[0]; p.captured != 32 || p.original != 1028 || p.payload != "kept" || counts.Missing != 996 {
		t.Errorf("%+v", p)
	}
}

func TestLimitOfGaps(t *testing.T) {
	for missing, want := range map[int]uint32{MaxGap - 1: MaxGap - 1, MaxGap: MaxGap, MaxGap + 1: MaxGap, 1 << 40: MaxGap} {
		e := got("x")
		e.Bytes += missing
		packets, counts := capture(t, Options{}, record(tcp(1), e, got("y")))
		if gap := packets[4].seq - packets[3].seq - 1; gap != want || counts.Missing != uint64(missing) {
			t.Errorf("%d octets: the sequence numbers go on by %d", missing, gap)
		}
	}
}

func TestDNSOverTCPHasLengths(t *testing.T) {
	h := tcp(1)
	h.Service = "dns"
	cut := said("cut")
	cut.Bytes = 300
	packets, _ := capture(t, Options{}, record(h, got("query"), cut, line(transcript.Sent, 40, "a summary of what had 40 octets")))
	if text, _ := stream(packets, client); text != "\x00\x05query" {
		t.Errorf("%q", text)
	}
	if text, ok := stream(packets, server); text != "\x01\x2ccut?\x00\x28?" || !ok {
		t.Errorf("%q", text)
	}
	h.Network = "udp"
	packets, _ = capture(t, Options{}, record(h, got("query"), line(transcript.Sent, 5, "12345")))
	if packets[0].payload != "query" || packets[1].payload != "" || packets[1].original != 33 {
		t.Errorf("over UDP: %+v", packets)
	}
}

// TestPorts shows who is taken for the server, and which port that gets.
func TestPorts(t *testing.T) {
	low, high := netip.MustParseAddrPort("192.0.2.1:1000"), netip.MustParseAddrPort("192.0.2.2:2000")
	standard := map[string]uint16{"line": 25}
	for name, c := range map[string]struct {
		o             Options
		local, remote netip.AddrPort
		client        string
		comment       string
	}{
		"server":          {Options{Ports: standard}, low, high, "192.0.2.2:2000", "; really from port 2000 to 1000"},
		"client":          {Options{Ports: standard}, high, low, "192.0.2.2:2000", "; really from port 2000 to 1000"},
		"listening":       {Options{Ports: standard, Listening: []uint16{7, 2000}}, high, low, "192.0.2.1:1000", "; really from port 1000 to 2000"},
		"same port":       {Options{}, low, netip.MustParseAddrPort("192.0.2.2:1000"), "192.0.2.2:1000", ""},
		"another service": {Options{Ports: map[string]uint16{"dns": 53}}, low, high, "192.0.2.2:2000", ""},
	} {
		h := tcp(1)
		h.Local, h.Remote = c.local, c.remote
		packets, _ := capture(t, c.o, record(h, got("from the peer"), said("to the peer")))
		syn := packets[0]
		if syn.src.String() != c.client || c.o.Ports["line"] != 0 && syn.dst.Port() != 25 {
			t.Errorf("%s: %v opens the connection to %v", name, syn.src, syn.dst)
		}
		if want := "line exchange 1 over tcp" + c.comment; syn.comment != want {
			t.Errorf("%s: %q, want %q", name, syn.comment, want)
		}
		if p := packets[3]; p.src.Addr() != c.remote.Addr() || p.payload != "from the peer" || p.out {
			t.Errorf("%s: %+v", name, p)
		}
	}
	for service, port := range map[string]uint16{"dns": 53, "web": 80, "socket": 12345} {
		if got := StandardPorts()[service]; got != port {
			t.Errorf("%s stands at port %d", service, got)
		}
	}
}

func TestParentsAreNamed(t *testing.T) {
	h := tcp(9)
	h.Parent = 3
	if packets, _ := capture(t, Options{}, record(h)); packets[0].comment != "line exchange 9 over tcp, for exchange 3" {
		t.Errorf("%q", packets[0].comment)
	}
}

// TestConnectionsStayApart has exchanges at the same addresses at the same time, as over HTTP/2, and after another.
func TestConnectionsStayApart(t *testing.T) {
	w, file := writer(t, Options{})
	for id := range transcript.ID(3) {
		must(t, w.Begin(tcp(id+1)))
	}
	must(t, w.End(record(tcp(1))))
	must(t, w.Begin(tcp(4)))
	var ports []uint16
	var numbers []uint32
	for _, p := range read(t, file.Bytes()) {
		if p.flags == pcapng.SYN {
			ports, numbers = append(ports, p.src.Port()), append(numbers, p.seq)
		}
	}
	if want := []uint16{40000, 40001, 40002, 40000}; !slices.Equal(ports, want) {
		t.Errorf("client ports %v", ports)
	}
	if numbers[0] == numbers[3] {
		t.Error("two connections of the same addresses begin with the same sequence number")
	}
	last := netip.MustParseAddrPort("192.0.2.2:65535")
	h1, h2 := tcp(5), tcp(6)
	h1.Remote, h2.Remote = last, last
	must(t, w.Begin(h1))
	must(t, w.Begin(h2))
	if packets := read(t, file.Bytes()); packets[len(packets)-1].src.Port() != 32768 {
		t.Errorf("the port after the last is %d", packets[len(packets)-1].src.Port())
	}
}

// FuzzRecords writes any exchange: the streams must be whole, but for what is missing.
func FuzzRecords(f *testing.F) {
	f.Add("NOOP\r\n", "+OK", "a note", 6, 4, true)
	f.Add("", "PASS "+transcript.Redacted, "", 0, 12, false)
	f.Add(strings.Repeat("x", 3000), strings.Repeat("y", 1001), "\xff", 5000, 1<<30, true)
	f.Add("\x00", "x", "", -1, -1<<62, false)
	f.Add("\x00", "x", "", math.MaxInt, math.MaxInt, false)
	f.Add("\x00", "x", "", math.MaxInt, math.MaxInt, true)
	f.Fuzz(func(t *testing.T, message, text, remark string, n, m int, overTCP bool) {
		h := tcp(1)
		if !overTCP {
			h = udp(1)
		}
		withRaw := got(message)
		withRaw.Bytes = n
		w, file := writer(t, Options{Ports: StandardPorts()})
		err := w.Records(record(h, withRaw, note(remark), line(transcript.Sent, m, text), got(message), said(text)))
		if err != nil && (overTCP || !errors.Is(err, pcapng.ErrLength)) {
			t.Fatal(err)
		}
		packets := read(t, file.Bytes())
		for _, p := range packets {
			if p.captured > p.original {
				t.Fatalf("%d octets of %d", p.captured, p.original)
			}
		}
		if overTCP {
			for _, who := range []netip.AddrPort{client, server} {
				if have, ok := stream(packets, who); !ok || !strings.Contains(have, map[bool]string{true: message, false: text}[who == client]) {
					t.Errorf("%v: %q", who, have)
				}
			}
		}
	})
}

func writer(t testing.TB, o Options) (*Writer, *bytes.Buffer) {
	t.Helper()
	var file bytes.Buffer
	w, err := New(&file, o)
	must(t, err)
	return w, &file
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
