package socket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// peer accepts one connection and hands it to talk.
func peer(t *testing.T, talk func(net.Conn)) (address string) {
	t.Helper()
	l, err := osHost.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		talk(conn)
	})
	t.Cleanup(func() {
		_ = l.Close()
		served.Wait()
	})
	return l.Addr().String()
}

func readUntil(t *testing.T, conn net.Conn, end string) string {
	var all []byte
	one := make([]byte, 1)
	for !bytes.HasSuffix(all, []byte(end)) {
		if _, err := conn.Read(one); err != nil {
			t.Errorf("after %q: %v", all, err)
			break
		}
		all = append(all, one...)
	}
	return string(all)
}

func TestUpper(t *testing.T) {
	t.Parallel()
	tcp, udp := start(t, Options{})
	long := strings.Repeat("ab", MaxDatagram/2) + "c"
	for network, address := range map[string]string{"tcp": tcp, "udp": udp} {
		for in, want := range map[string]string{
			"":                      "",
			"hello":                 "HELLO\n",
			"hello\n":               "HELLO\n",
			"one\r\ntwo\n\nthrée":   "ONE\nTWO\n\nTHRÉE\n",
			"a\x1b[2J\xff\n":        "A\x1b[2J\xff\n", // not a terminal: as it is
			long + "\n" + "x\n":     strings.ToUpper(long) + "\nX\n",
			"tail with a CR\r":      "TAIL WITH A CR\r\n",
			strings.Repeat("\n", 3): "\n\n\n",
		} {
			var out bytes.Buffer
			if err := Upper(t.Context(), osHost, network, address, strings.NewReader(in), &out, ClientOptions{}); err != nil {
				t.Errorf("%s %.30q: %v", network, in, err)
			}
			if out.String() != want {
				t.Errorf("%s %.30q gives %.30q, want %.30q", network, in, &out, want)
			}
		}
	}
}

func TestUpperAnswered(t *testing.T) {
	t.Parallel()
	tcp, udp := start(t, Options{})
	stop := errors.New("enough")
	for network, address := range map[string]string{"tcp": tcp, "udp": udp} {
		var out bytes.Buffer
		var got []string
		opts := ClientOptions{Answered: func(line, answer string) error {
			got = append(got, line+"="+answer)
			if line == "three" {
				return stop
			}
			return nil
		}}
		err := Upper(t.Context(), osHost, network, address, strings.NewReader("one\r\ntwo\nthree\nfour\n"), &out, opts)
		if !errors.Is(err, stop) || !slices.Equal(got, []string{"one=ONE", "two=TWO", "three=THREE"}) || out.Len() > 0 {
			t.Errorf("%s: %v, %q, printed %q", network, err, got, &out)
		}
	}
}

func TestUpperMaxLine(t *testing.T) {
	t.Parallel()
	tcp, udp := start(t, Options{})
	for network, address := range map[string]string{"tcp": tcp, "udp": udp} {
		for _, end := range []string{"", "\n", "\r\n"} {
			var out bytes.Buffer
			opts := ClientOptions{MaxLine: 4}
			if err := Upper(t.Context(), osHost, network, address, strings.NewReader("abcd"+end), &out, opts); err != nil {
				t.Errorf("%s, at the limit, ended by %q: %v", network, end, err)
			}
			err := Upper(t.Context(), osHost, network, address, strings.NewReader("abcde"+end), &out, opts)
			if !errors.Is(err, ErrLineTooLong) || out.String() != "ABCD\n" {
				t.Errorf("%s, past the limit, ended by %q: %v, %q", network, end, err, &out)
			}
		}
	}
	past := strings.NewReader(strings.Repeat("x", MaxDatagram+1))
	err := Upper(t.Context(), osHost, "udp", udp, past, io.Discard, ClientOptions{MaxLine: 1 << 20})
	if !errors.Is(err, ErrLineTooLong) {
		t.Errorf("past a datagram: %v", err)
	}
}

// free returns an address at which nothing listens.
func free(t *testing.T, network string) string {
	t.Helper()
	if network == "udp" {
		pc, err := osHost.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = pc.Close() }()
		return pc.LocalAddr().String()
	}
	l, err := osHost.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	for network, want := range map[string]string{
		"tcp": "connection refused: nothing listens on this port",
		"udp": "connection refused: the host says that nothing listens on this port (ICMP port unreachable)",
	} {
		address := free(t, network)
		err := Upper(t.Context(), osHost, network, address, strings.NewReader("hello\n"), io.Discard, ClientOptions{})
		var unreachable *UnreachableError
		if !errors.As(err, &unreachable) || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("%s: %v", network, err)
		}
		if got := err.Error(); got != address+" over "+strings.ToUpper(network)+": "+want {
			t.Errorf("%s: %q", network, got)
		}
	}
	err := Connect(t.Context(), osHost, free(t, "tcp"), strings.NewReader(""), io.Discard, ClientOptions{})
	var unreachable *UnreachableError
	if !errors.As(err, &unreachable) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Connect: %v", err)
	}
}

func TestUDPNoAnswer(t *testing.T) {
	t.Parallel()
	pc, err := osHost.ListenPacket(t.Context(), "udp", "127.0.0.1:0") // takes, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.Close() }()
	recorder, ring := watched()
	opts := ClientOptions{Timeout: 50 * time.Millisecond, Transcript: recorder}
	err = Upper(t.Context(), osHost, "udp", pc.LocalAddr().String(), strings.NewReader("hello\nagain\n"), io.Discard, opts)
	var unreachable *UnreachableError
	if !errors.As(err, &unreachable) || !errors.Is(err, ErrNoAnswer) {
		t.Fatal(err)
	}
	want := pc.LocalAddr().String() + " over UDP: no answer within 50ms: UDP does not tell whether a datagram arrived"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	if got := texts(ring.Recent(9)[0]); len(ring.Recent(9)) != 1 || !slices.Equal(got, []string{"> hello", "= no answer"}) {
		t.Errorf("recorded %q", got)
	}
}

func TestTCPNoAnswer(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	address := peer(t, func(conn net.Conn) {
		readUntil(t, conn, "\n")
		_, _ = io.WriteString(conn, "HEL")
		_, _ = conn.Read(make([]byte, 1)) // until the client gives up
	})
	opts := ClientOptions{Timeout: 300 * time.Millisecond}
	err := Upper(t.Context(), osHost, "tcp", address, strings.NewReader("hello\n"), &out, opts)
	if !errors.Is(err, ErrNoAnswer) || out.String() != "HEL" {
		t.Errorf("%v, printed %q", err, &out)
	}
}

// The textbook's TCP server answers once and closes.
func TestUpperAgainstTheTextbooksServer(t *testing.T) {
	t.Parallel()
	textbook := func(conn net.Conn) {
		buf := make([]byte, 1024)
		n, _ := conn.Read(buf)
		_, _ = conn.Write(bytes.ToUpper(buf[:n]))
	}
	var out bytes.Buffer
	if err := Upper(t.Context(), osHost, "tcp", peer(t, textbook), strings.NewReader("hello\n"), &out, ClientOptions{}); err != nil {
		t.Error(err)
	}
	err := Upper(t.Context(), osHost, "tcp", peer(t, textbook), strings.NewReader("one\ntwo\n"), &out, ClientOptions{})
	if !errors.Is(err, ErrPeerClosed) || out.String() != "HELLO\nONE\n" {
		t.Errorf("%v, printed %q", err, &out)
	}
}

func TestUpperEndlessAnswer(t *testing.T) {
	t.Parallel()
	address := peer(t, func(conn net.Conn) {
		for {
			if _, err := conn.Write(bytes.Repeat([]byte("x"), 4096)); err != nil {
				return
			}
		}
	})
	err := Upper(t.Context(), osHost, "tcp", address, strings.NewReader("hello\n"), io.Discard, ClientOptions{})
	if err == nil || !strings.Contains(err.Error(), "no upper-case service") {
		t.Error(err)
	}
}

func TestUpperTerminal(t *testing.T) {
	t.Parallel()
	tcp, udp := start(t, Options{})
	for network, address := range map[string]string{"tcp": tcp, "udp": udp} {
		var out bytes.Buffer
		in := strings.NewReader("a\x1b[2j\x9b\n\u202eb\n")
		if err := Upper(t.Context(), osHost, network, address, in, &out, ClientOptions{Terminal: true}); err != nil {
			t.Error(err)
		}
		if got, want := out.String(), "A^[[2J\\x9b\n\\u202eB\n"; got != want {
			t.Errorf("%s: printed %q, want %q", network, got, want)
		}
	}
}

func TestUpperTranscript(t *testing.T) {
	t.Parallel()
	tcp, udp := start(t, Options{})
	for network, want := range map[string][][]string{
		"tcp": {{"> one", "< ONE", "> two", "< TWO"}},
		"udp": {{"> one", "< ONE"}, {"> two", "< TWO"}},
	} {
		recorder, ring := watched()
		address := map[string]string{"tcp": tcp, "udp": udp}[network]
		opts := ClientOptions{Transcript: recorder}
		if err := Upper(t.Context(), osHost, network, address, strings.NewReader("one\ntwo\n"), io.Discard, opts); err != nil {
			t.Fatal(err)
		}
		records := ring.Recent(9)
		if len(records) != len(want) {
			t.Fatalf("%s: %d exchanges", network, len(records))
		}
		for i := range records {
			got := records[len(records)-1-i] // the oldest first
			if !slices.Equal(texts(got), want[i]) || got.End.IsZero() || got.Network != network {
				t.Errorf("%s: %q", network, texts(got))
			}
		}
	}
}

// keyboard is an input on which nobody types until the test closes it.
func keyboard(t *testing.T) (in io.Reader, typed *io.PipeWriter) {
	in, typed = io.Pipe()
	t.Cleanup(func() { _ = typed.Close() })
	return in, typed
}

func TestCancel(t *testing.T) {
	t.Parallel()
	tcp, udp := start(t, Options{})
	cause := errors.New("interrupted")
	for name, call := range map[string]func(context.Context, io.Reader) error{
		"tcp": func(ctx context.Context, in io.Reader) error {
			return Upper(ctx, osHost, "tcp", tcp, in, io.Discard, ClientOptions{})
		},
		"udp": func(ctx context.Context, in io.Reader) error {
			return Upper(ctx, osHost, "udp", udp, in, io.Discard, ClientOptions{})
		},
		"connect": func(ctx context.Context, in io.Reader) error {
			return Connect(ctx, osHost, tcp, in, io.Discard, ClientOptions{})
		},
	} {
		in, _ := keyboard(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
		if err := call(ctx, in); !errors.Is(err, cause) {
			t.Errorf("%s: %v", name, err)
		}
		if err := call(ctx, in); !errors.Is(err, cause) { // before the connection
			t.Errorf("%s: %v", name, err)
		}
	}
}
