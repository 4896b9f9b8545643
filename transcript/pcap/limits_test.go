package pcap

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/host/pcapng"
	"github.com/network-utopia/utopia/transcript"
)

func TestLeftOut(t *testing.T) {
	six := tcp(2)
	six.Local, six.Remote = server6, client6
	unix := transcript.Head{ID: 3, Service: "control", Network: "unix", Start: start}
	mapped := tcp(4)
	mapped.Remote = netip.MustParseAddrPort("[::ffff:192.0.2.2]:40000")
	all := []transcript.Record{record(tcp(1), got("x")), record(six, got("x"), got("y")), record(unix, got("x")), record(mapped, got("x"))}
	packets, counts := capture(t, Options{}, all...)
	if len(packets) != 14 || counts != (Counts{Packets: 14, Exchanges: 2, OtherFamily: 1, NoAddress: 1}) {
		t.Errorf("%d packets, %+v", len(packets), counts)
	}
	packets, counts = capture(t, Options{Link: pcapng.IPv6}, all...)
	if len(packets) != 8 || packets[0].src != client6 || counts != (Counts{Packets: 8, Exchanges: 1, OtherFamily: 2, NoAddress: 1}) {
		t.Errorf("%d packets, %+v", len(packets), counts)
	}
}

func TestLimitOfExchangesUnderWay(t *testing.T) {
	w, file := writer(t, Options{MaxOpen: 3})
	for id := range transcript.ID(3) {
		must(t, w.Begin(tcp(id+1)))
	}
	must(t, w.Entry(tcp(1), got("of the first"))) // so the second is the one that was not used for longest
	if w.Open() != 3 || w.Counts().GivenUp != 0 {
		t.Fatalf("at the limit: %d, %+v", w.Open(), w.Counts())
	}
	must(t, w.Begin(tcp(4)))
	if w.Open() != 3 || w.Counts().GivenUp != 1 {
		t.Errorf("one past the limit: %d, %+v", w.Open(), w.Counts())
	}
	before := w.Counts().Packets
	must(t, w.End(record(tcp(2), got("of the second"))))
	if w.Counts().Packets != before {
		t.Error("what was given up has an end")
	}
	must(t, w.End(record(tcp(1), got("of the first"))))
	if w.Counts().Packets != before+3 || w.Open() != 2 {
		t.Errorf("what is under way has none: %d open", w.Open())
	}
	must(t, w.Entry(tcp(2), got("goes on"))) // anew
	packets := read(t, file.Bytes())
	if c := packets[len(packets)-4].comment; !strings.HasSuffix(c, "\nthe beginning of the exchange is not in this capture") {
		t.Errorf("%q", c)
	}
	for id := range transcript.ID(3) {
		must(t, w.End(record(tcp(id+2))))
	}
	if w.Open() != 0 || w.oldest != nil || len(w.flows) != 0 {
		t.Errorf("%d exchanges and %d connections are kept", w.Open(), len(w.flows))
	}
}

func TestDefaultLimit(t *testing.T) {
	for asked, want := range map[int]int{0: DefaultMaxOpen, -1: DefaultMaxOpen, 1: 1, MostMaxOpen: MostMaxOpen, MostMaxOpen + 1: MostMaxOpen} {
		if w, _ := writer(t, Options{MaxOpen: asked}); w.opts.MaxOpen != want {
			t.Errorf("%d allows %d", asked, w.opts.MaxOpen)
		}
	}
}

// TestLostSteps follows an exchange of which some steps were lost on the way here.
func TestLostSteps(t *testing.T) {
	w, file := writer(t, Options{})
	must(t, w.Begin(tcp(1)))
	must(t, w.Entry(tcp(1), got("seen")))
	must(t, w.End(record(tcp(1), got("seen"), got("lost"), said("lost too"))))
	packets := read(t, file.Bytes())
	for who, want := range map[netip.AddrPort]string{client: "seen?", server: "?"} {
		if text, ok := stream(packets, who); text != want || !ok {
			t.Errorf("%v: %q", who, text)
		}
	}
	if w.Counts().Missing != 12 {
		t.Errorf("%d octets missing", w.Counts().Missing)
	}
	must(t, w.End(record(tcp(2), got("never seen"))))
	unix := transcript.Head{ID: 3, Network: "unix", Start: start}
	must(t, w.Entry(unix, got("x")))
	if now := read(t, file.Bytes()); len(now) != len(packets) {
		t.Errorf("%d packets of what had no beginning", len(now)-len(packets))
	}
}

func TestUnderWay(t *testing.T) {
	r := record(tcp(1), got("x"))
	r.End = time.Time{}
	packets, _ := capture(t, Options{}, r)
	if last := packets[len(packets)-1]; len(packets) != 4 || last.payload != "x" {
		t.Errorf("%d packets: what is under way has no end", len(packets))
	}
	w, file := writer(t, Options{})
	must(t, w.Begin(tcp(1)))
	must(t, w.Entry(tcp(1), got("x")))
	must(t, w.End(r)) // ended, and nobody knows when
	if packets = read(t, file.Bytes()); !packets[6].at.Equal(start.Add(time.Second)) {
		t.Errorf("ended at %v", packets[6].at)
	}
}

func TestRecordsAreInOrder(t *testing.T) {
	later := record(tcp(1), got("b"))
	later.Start, later.Entries[0].Time = start.Add(time.Millisecond), start.Add(1500*time.Millisecond)
	other := tcp(2)
	other.Remote = netip.MustParseAddrPort("192.0.2.3:40000")
	packets, _ := capture(t, Options{}, later, record(other, got("a")))
	if !slices.IsSortedFunc(packets, func(a, b packet) int { return a.at.Compare(b.at) }) || packets[0].src != other.Remote {
		t.Errorf("%+v", packets)
	}
}

// TestThroughJSON writes what a file of transcripts has kept.
func TestThroughJSON(t *testing.T) {
	r := record(tcp(1), got("hello\x00"), note("n"), said("HELLO\x00"))
	text, err := json.Marshal(r)
	must(t, err)
	var again transcript.Record
	must(t, json.Unmarshal(text, &again))
	one, _ := capture(t, Options{}, r)
	two, _ := capture(t, Options{}, again)
	if fmt.Sprint(one) != fmt.Sprint(two) {
		t.Errorf("%v\n%v", one, two)
	}
}

func TestErrors(t *testing.T) {
	if _, err := New(io.Discard, Options{Link: 1}); err == nil {
		t.Error("Ethernet is no IP")
	}
	if _, err := New(full{}, Options{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("%v", err)
	}
	w, _ := writer(t, Options{})
	must(t, w.Begin(tcp(1)))
	if err := w.Begin(tcp(1)); err == nil {
		t.Error("one exchange begins twice")
	}
	long := line(transcript.Sent, 65536, "")
	if err := w.Records(record(udp(2), long)); !errors.Is(err, pcapng.ErrLength) {
		t.Errorf("a datagram that no packet holds: %v", err)
	}
	early := tcp(3)
	early.Start = time.Time{}
	if err := w.Begin(early); !errors.Is(err, pcapng.ErrTime) {
		t.Errorf("before 1970: %v", err)
	}
}

type full struct{}

func (full) Write(p []byte) (int, error) { return 0, io.ErrShortWrite }
