package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"github.com/network-utopia/utopia/host/pcapng"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/transcript"
	"github.com/network-utopia/utopia/transcript/pcap"
)

// captureFlags are those of utopia trace that are about a capture.
type captureFlags struct {
	file  string // "-" for stdout
	ipv6  bool
	count int
}

// capture writes the exchanges of the services named, or of all, as packets into a file, until ctx ends.
func (s *session) capture(ctx context.Context, f captureFlags, services []string, status control.Status) error {
	file, err := s.openCapture(ctx, f.file)
	if err != nil {
		return err
	}
	listening, link := captured(status, f.ipv6)
	w, err := pcap.New(file, pcap.Options{
		Link: link, Ports: pcap.StandardPorts(), Listening: listening, Application: "utopia " + version,
		Comment: "Made of the transcripts of " + status.Domain + ": the words and times are real, the packets around them are not.",
	})
	c := &capturer{session: s, file: f.file, link: link, to: w, left: f.count}
	if err == nil {
		err = s.instance().Trace(ctx, transcript.Bytes, services, c.line)
		c.sumUp()
	}
	if errors.Is(err, errEnough) || errors.Is(err, syscall.EPIPE) { // EPIPE: who reads the capture has seen enough
		err = nil
	}
	if closing := file.Close(); err == nil && closing != nil {
		err = fmt.Errorf("write the capture: %w", closing)
	}
	return err
}

// captured says on which ports the instance listens, and which IP version a capture of it has: IPv4, unless IPv6 is asked
// for or it listens on nothing else.
func captured(status control.Status, ipv6 bool) (ports []uint16, link pcapng.LinkType) {
	four, six := false, false
	for _, service := range status.Services {
		for _, e := range service.Endpoints {
			at, err := netip.ParseAddrPort(e.Address)
			if err != nil || !service.Traced {
				continue
			}
			ports = append(ports, at.Port())
			four, six = four || at.Addr().Unmap().Is4(), six || !at.Addr().Unmap().Is4()
		}
	}
	if ipv6 || six && !four {
		return ports, pcapng.IPv6
	}
	return ports, pcapng.IPv4
}

// stdout is a file that is not closed.
type stdout struct{ io.Writer }

func (stdout) Close() error { return nil }

// openCapture opens the file that a capture goes to. As with tcpdump -w an earlier capture is overwritten, but nothing
// else that has something in it; a named pipe is waited for until somebody reads it.
func (s *session) openCapture(ctx context.Context, name string) (io.WriteCloser, error) {
	const hint = "hint: name a file, or send it on: utopia trace --pcap - | wireshark -k -i -"
	if name == "-" {
		if terminal(s.out) {
			return nil, usage("a capture is nothing for a terminal\n%s", hint)
		}
		return stdout{s.out}, nil
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("write a capture: %w", err)
	case info.IsDir():
		return nil, usage("%s is a folder\n%s", name, hint)
	case info.Mode().IsRegular():
		if err := overwritable(name); err != nil {
			return nil, err
		}
	}
	file, err := openPatiently(ctx, name)
	if err != nil {
		return nil, err
	}
	if terminal(file) {
		file.Close()
		return nil, usage("a capture is nothing for a terminal\n%s", hint)
	}
	return file, nil
}

// openPatiently opens a file for writing. What was said is for whoever captured it, so others cannot read it. Opening a
// named pipe takes until somebody reads it, or ctx ends.
func openPatiently(ctx context.Context, name string) (*os.File, error) {
	type opened struct {
		file *os.File
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		done <- opened{file, err}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return nil, fmt.Errorf("write a capture: %w", o.err)
		}
		return o.file, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("nobody reads %s: %w", name, ctx.Err())
	}
}

// overwritable says whether a file may be lost: it is empty, or a capture. From then on others cannot read it.
func overwritable(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("write a capture: %w", err)
	}
	defer file.Close()
	magic := make([]byte, 4)
	n, err := io.ReadFull(file, magic)
	empty := n == 0 && errors.Is(err, io.EOF)
	// pcapng in any order, and pcap in both, with microseconds or nanoseconds.
	known := []string{"\n\r\r\n", "\xd4\xc3\xb2\xa1", "\xa1\xb2\xc3\xd4", "\x4d\x3c\xb2\xa1", "\xa1\xb2\x3c\x4d"}
	if empty || slices.Contains(known, string(magic[:n])) {
		if err := file.Chmod(0o600); err != nil {
			return fmt.Errorf("write a capture: %w", err)
		}
		return nil
	}
	return usage("%s is there, and is no capture: it would be overwritten\nhint: name another file, or remove it", name)
}

// capturer makes packets of the lines of a trace.
type capturer struct {
	*session
	file  string
	link  pcapng.LinkType
	to    *pcap.Writer
	begun bool
	left  int    // exchanges until the end; 0 for no end
	lost  uint64 // steps that came too fast
}

func (c *capturer) line(l control.Line) error {
	if !c.begun {
		c.begun = true
		c.note("capturing into %s; Ctrl-C ends it\n", c.file)
	}
	c.lost = l.Lost
	switch {
	case l.Record != nil:
		return c.ended(*l.Record)
	case l.Entry != nil:
		return c.to.Entry(*l.Head, *l.Entry)
	case l.Head != nil:
		return c.to.Begin(*l.Head)
	}
	return nil
}

// ended counts an exchange, if it is in the capture.
func (c *capturer) ended(r transcript.Record) error {
	open := c.to.Open()
	if err := c.to.End(r); err != nil {
		return err
	}
	if c.to.Open() == open || c.left == 0 {
		return nil
	}
	if c.left--; c.left == 0 {
		return errEnough
	}
	return nil
}

// sumUp says on stderr what was captured and what was not, as a capture has no place for that.
func (c *capturer) sumUp() {
	n := c.to.Counts()
	c.note("%s of %s\n", plural(n.Packets, "packet"), plural(n.Exchanges, "exchange"))
	other, how := "IPv6", " (--ipv6 captures those, and no others)"
	if c.link == pcapng.IPv6 {
		other, how = "IPv4", ""
	}
	for _, what := range []struct {
		n         uint64
		one, text string
	}{
		{n.OtherFamily, "exchange", " over " + other + how},
		{n.NoAddress, "exchange", " without IP addresses"},
		{n.GivenUp, "exchange", fmt.Sprintf(" given up halfway: more than %d were under way", pcap.DefaultMaxOpen)},
		{c.lost, "step", ": they came faster than they could be written"},
		{n.Missing, "byte", " that the transcripts did not keep: gaps in the capture"},
		{n.Notes, "note", " with no packet after it"},
	} {
		if what.n > 0 {
			c.note("left out: %s%s\n", plural(what.n, what.one), what.text)
		}
	}
	if open := c.to.Open(); open > 0 {
		c.note("still under way: %s\n", plural(uint64(open), "exchange"))
	}
}

// plural counts things.
func plural(n uint64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
