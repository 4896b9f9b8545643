package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/host"
)

// rawServer answers each datagram with those that answer makes of it.
func rawServer(t testing.TB, answer func(wire []byte) [][]byte) (address string) {
	t.Helper()
	pc, err := host.NewOS(host.OSOptions{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		buffer := make([]byte, dns.MaxMessageLen)
		for {
			n, from, err := pc.ReadFrom(buffer)
			if err != nil {
				return
			}
			for _, out := range answer(buffer[:n]) {
				pc.WriteTo(out, from)
			}
		}
	}()
	return pc.LocalAddr().String()
}

// answered turns a query into an empty answer to it.
func answered(wire []byte) []byte {
	out := append([]byte(nil), wire...)
	out[2] |= 0x80 // QR
	return out
}

// An answer that makes no sense is one all the same: the server is there, and has a fault.
func TestMalformedAnswerEndsWithOne(t *testing.T) {
	t.Parallel()
	address := rawServer(t, func(wire []byte) [][]byte { return [][]byte{append(answered(wire), 1, 2, 3)} })
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"dig", "@" + address, "x.test"},
		{"dig", "@" + address, "x.test", "+short"},
		{"nslookup", "-port=" + port, "x.test", "127.0.0.1"},
	} {
		out, printed, code := runHere(t, args...)
		if code != exitProblems || out != "" || !strings.Contains(printed, "malformed answer of ") {
			t.Errorf("%q: exit %d, %q, %q", args, code, out, printed)
		}
	}
}

func TestWarningsOfLies(t *testing.T) {
	t.Parallel()
	address := rawServer(t, func(wire []byte) [][]byte {
		lie := answered(wire)
		lie[0]++ // another id
		return [][]byte{lie, answered(wire)}
	})
	for args, wantOut := range map[string]bool{"dig +short": false, "dig": true} {
		out, printed, code := runHere(t, append(strings.Fields(args), "@"+address, "x.test")...)
		if code != 0 || (out != "") != wantOut || !strings.HasPrefix(printed, ";; Warning: ignored 1 that did not match the question (the last: id ") {
			t.Errorf("%s: exit %d, %q, %q", args, code, out, printed)
		}
	}
}

func TestInterruptedQuestion(t *testing.T) {
	t.Parallel()
	address := rawServer(t, func([]byte) [][]byte { return nil })
	s := &session{network: host.NewOS(host.OSOptions{})}
	q, err := parseDig([]string{"@" + address, "x.test"}, noGlobals, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	err = s.dig(ctx, q)
	var e *exit
	if !errors.Is(err, context.Canceled) || errors.As(err, &e) {
		t.Errorf("got %v", err)
	}
}

func TestFailureExitCodes(t *testing.T) {
	t.Parallel()
	a := asker{servers: []string{"192.0.2.1"}}
	for _, c := range []struct {
		err  error
		code int
	}{
		{dnsclient.ErrTimeout, exitUnreachable},
		{dnsclient.ErrUnreachable, exitUnreachable},
		{dnsclient.ErrClosed, exitUnreachable},
		{dnsclient.ErrFlood, exitUnreachable},
		{dnsclient.ErrMalformed, exitProblems},
		{dnsclient.ErrTooLong, exitProblems},
		{dnsclient.ErrQuery, exitUsage},
	} {
		var told strings.Builder
		s := &session{out: &told, err: &told}
		if got := s.report(a.failure(t.Context(), &dnsclient.Error{Err: c.err})); got != c.code {
			t.Errorf("%v: exit %d, want %d", c.err, got, c.code)
		}
		if strings.Contains(told.String(), "hint") {
			t.Errorf("%v: a hint about this machine for another: %s", c.err, told.String())
		}
	}
}
