package main

import (
	"bytes"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/host/pcapng"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/leftout"
	"github.com/network-utopia/utopia/transcript"
	"github.com/network-utopia/utopia/transcript/pcap"
)

func TestCapturesOverwriteCapturesAlone(t *testing.T) {
	dir := t.TempDir()
	for text, ok := range map[string]bool{
		"": true, "\n\r\r\n and more": true, "\xd4\xc3\xb2\xa1": true, "\xa1\xb2\xc3\xd4": true, "\x4d\x3c\xb2\xa1": true,
		"\xa1\xb2\x3c\x4d": true, "\n\r\r": false, "x": false, "domain = \"a.test\"\n": false,
	} {
		name := filepath.Join(dir, "file")
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		file, err := (&session{}).openCapture(t.Context(), name)
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil {
			file.Close()
		}
		want, mode := text, fs.FileMode(0o644)
		if ok {
			want, mode = "", 0o600
		}
		if info, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != mode {
			t.Errorf("%q: others may read it: %v, %v", text, info.Mode(), err)
		}
		if err := os.Chmod(name, 0o644); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadFile(name); err != nil || string(left) != want {
			t.Errorf("%q: %q is left, %v", text, left, err)
		}
	}
}

func TestACaptureIsNothingForATerminal(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		leftout.Because(t, "there are no pseudo-terminals here: %v", err)
	}
	defer terminal.Close()
	for _, name := range []string{"-", "/dev/ptmx"} {
		var e *exit
		if _, err := (&session{out: terminal}).openCapture(t.Context(), name); !errors.As(err, &e) || e.code != exitUsage || !strings.Contains(err.Error(), "terminal") {
			t.Errorf("%s: %v", name, err)
		}
	}
	file, err := (&session{out: &bytes.Buffer{}}).openCapture(t.Context(), "-")
	if err != nil || file.Close() != nil {
		t.Errorf("what is no terminal: %v", err)
	}
}

func TestFamilyOfACapture(t *testing.T) {
	status := func(traced bool, addresses ...string) (s control.Status) {
		for _, a := range addresses {
			s.Services = append(s.Services, control.Service{Traced: traced, Endpoints: []control.Endpoint{{Address: a}}})
		}
		return s
	}
	for name, c := range map[string]struct {
		status control.Status
		ipv6   bool
		ports  []uint16
		link   pcapng.LinkType
	}{
		"IPv4":           {status(true, "127.0.0.1:8053", "127.0.0.1:8080"), false, []uint16{8053, 8080}, pcapng.IPv4},
		"both":           {status(true, "127.0.0.1:8053", "[::1]:8053"), false, []uint16{8053, 8053}, pcapng.IPv4},
		"both, and IPv6": {status(true, "127.0.0.1:8053", "[::1]:8053"), true, []uint16{8053, 8053}, pcapng.IPv6},
		"IPv6 alone":     {status(true, "[::1]:8053"), false, []uint16{8053}, pcapng.IPv6},
		"nothing":        {status(true, "/run/socket"), false, nil, pcapng.IPv4},
		"not recorded":   {status(false, "[::1]:8800"), false, nil, pcapng.IPv4},
	} {
		if ports, link := captured(c.status, c.ipv6); !reflect.DeepEqual(ports, c.ports) || link != c.link {
			t.Errorf("%s: %v, %d", name, ports, link)
		}
	}
}

// TestSummary counts what is in a capture and what is not.
func TestSummary(t *testing.T) {
	var told bytes.Buffer
	w, err := pcap.New(&bytes.Buffer{}, pcap.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := &capturer{session: &session{err: &told}, file: "x", link: pcapng.IPv4, to: w, left: 2}
	head := func(id transcript.ID, local, remote string) *transcript.Head {
		h := &transcript.Head{ID: id, Network: "udp", Start: time.Now()}
		h.Local, _ = netip.ParseAddrPort(local) // "" is a Unix socket's
		h.Remote, _ = netip.ParseAddrPort(remote)
		return h
	}
	end := func(h *transcript.Head) control.Line {
		return control.Line{Event: "end", Head: h, Record: &transcript.Record{Head: *h, End: time.Now()}, Lost: 3}
	}
	four, four2 := head(1, "192.0.2.1:53", "192.0.2.2:4000"), head(2, "192.0.2.1:53", "192.0.2.2:4001")
	six, unix, open := head(3, "[::1]:53", "[::1]:4000"), head(4, "", ""), head(5, "192.0.2.1:53", "192.0.2.2:4002")
	lines := []control.Line{{Event: "alive"}}
	for _, h := range []*transcript.Head{four, six, unix, open, four2} {
		lines = append(lines, control.Line{Event: "begin", Head: h})
	}
	cut := &transcript.Entry{Time: time.Now(), Text: "a summary", Bytes: 1000}
	note := &transcript.Entry{Time: time.Now(), Dir: transcript.Note, Text: "a note"}
	lines = append(lines, control.Line{Event: "entry", Head: four, Entry: cut}, control.Line{Event: "entry", Head: four, Entry: note},
		end(six), end(unix), end(four), control.Line{Event: "alive", Lost: 2})
	for _, l := range lines {
		if err := c.line(l); err != nil {
			t.Fatalf("%+v: %v", l, err)
		}
	}
	if err := c.line(end(four2)); !errors.Is(err, errEnough) { // and it has lost no fewer
		t.Errorf("two have ended: %v", err)
	}
	c.sumUp()
	want := `capturing into x; Ctrl-C ends it
1 packet of 3 exchanges
left out: 1 exchange over IPv6 (--ipv6 captures those, and no others)
left out: 1 exchange without IP addresses
left out: 3 steps: they came faster than they could be written
left out: 1000 bytes that the transcripts did not keep: gaps in the capture
left out: 1 note with no packet after it
still under way: 1 exchange
`
	if told.String() != want {
		t.Errorf("%s", told.String())
	}
}
