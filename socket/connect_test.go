package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestConnectSendsCRLF(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		bare bool
		want string
	}{
		{"GET / HTTP/1.0\n\n", false, "GET / HTTP/1.0\r\n\r\n"},
		{"GET / HTTP/1.0\r\n\r\n", false, "GET / HTTP/1.0\r\n\r\n"},
		{"a\nb\r\n", true, "a\nb\n"},
		{"no end", false, "no end"},
		{"", false, ""},
		{"tab\tand \xff\n", false, "tab\tand \xff\r\n"},
	} {
		got := make(chan string, 1)
		address := peer(t, func(conn net.Conn) {
			all, _ := io.ReadAll(conn) // ends because the client half-closes
			got <- string(all)
			_, _ = io.WriteString(conn, "bye\r\n")
		})
		var out bytes.Buffer
		err := Connect(t.Context(), osHost, address, strings.NewReader(c.in), &out, ClientOptions{BareLF: c.bare})
		if err != nil || out.String() != "bye\r\n" {
			t.Errorf("%q: %v, printed %q", c.in, err, &out)
		}
		if wire := <-got; wire != c.want {
			t.Errorf("%q sent %q, want %q", c.in, wire, c.want)
		}
	}
}

// The peer may speak first, and end first, while nobody types.
func TestConnectEndsWithThePeer(t *testing.T) {
	t.Parallel()
	in, typed := keyboard(t)
	var out bytes.Buffer
	address := peer(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "220 ready\r\n")
		readUntil(t, conn, "QUIT\r\n")
		_, _ = io.WriteString(conn, "221 bye\r\n")
	})
	go func() { _, _ = io.WriteString(typed, "QUIT\n") }()
	if err := Connect(t.Context(), osHost, address, in, &out, ClientOptions{Terminal: true}); err != nil {
		t.Error(err)
	}
	if got := out.String(); got != "220 ready\n221 bye\n" {
		t.Errorf("printed %q", got)
	}
}

func TestConnectMaxLine(t *testing.T) {
	t.Parallel()
	for in, tooLong := range map[string]bool{"abcd\r\n": false, "abcde\n": true} {
		address := peer(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
		err := Connect(t.Context(), osHost, address, strings.NewReader(in), io.Discard, ClientOptions{MaxLine: 4})
		if errors.Is(err, ErrLineTooLong) != tooLong || !tooLong && err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestConnectReset(t *testing.T) {
	t.Parallel()
	address := peer(t, func(conn net.Conn) {
		readUntil(t, conn, "\n")
		_ = conn.(*net.TCPConn).SetLinger(0) // close with a reset
	})
	in, typed := keyboard(t)
	go func() { _, _ = io.WriteString(typed, "hello\n") }()
	err := Connect(t.Context(), osHost, address, in, io.Discard, ClientOptions{})
	if !errors.Is(err, ErrPeerClosed) || !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestConnectOutputBreaks(t *testing.T) {
	t.Parallel()
	address := peer(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "hello\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	in, _ := keyboard(t)
	if err := Connect(t.Context(), osHost, address, in, broken{}, ClientOptions{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

func TestConnectTranscript(t *testing.T) {
	t.Parallel()
	address := peer(t, func(conn net.Conn) {
		readUntil(t, conn, "QUIT\r\n")
		_, _ = io.WriteString(conn, "+OK one\r\n+OK two\r\n")
	})
	recorder, ring := watched()
	in := strings.NewReader("USER alice\nPASS open sesame\nAUTH PLAIN\nAGFsaWNlAG9wZW4=\nQUIT\n")
	if err := Connect(t.Context(), osHost, address, in, io.Discard, ClientOptions{Transcript: recorder}); err != nil {
		t.Fatal(err)
	}
	got := texts(ring.Recent(1)[0])
	want := []string{"> USER alice", "> PASS •••", "> AUTH PLAIN", "> •••", "> QUIT"}
	if !slices.Equal(got[:5], want) || !slices.Contains(got, "< +OK one") || !slices.Contains(got, "< +OK two") {
		t.Errorf("recorded %q", got)
	}
}

func TestRedactor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, shown, secret string }{
		{"", "", ""},
		{"PASS", "PASS", ""},
		{"pass  a b", "pass ", " a b"},
		{"PASSIVE x", "PASSIVE x", ""},
		{"APOP alice c4c9334bac560ecc979e58001b3e22fb", "APOP alice ", "c4c9334bac560ecc979e58001b3e22fb"},
		{"Authorization: Basic YTpi", "Authorization: ", "Basic YTpi"},
		{"Cookie: a=b", "Cookie: ", "a=b"},
		{"authorization:Bearer abc", "authorization:", "Bearer abc"}, // the space is optional
		{"Proxy-Authorization: \tBasic YTpi", "Proxy-Authorization: \t", "Basic YTpi"},
		{"Authorization:", "Authorization:", ""},
		{"Cache-Control:no-cache", "Cache-Control:no-cache", ""},
		{"a1 LOGIN alice sesame", "a1 LOGIN ", "alice sesame"},
		{"AUTH PLAIN AGEAYg==", "AUTH PLAIN ", "AGEAYg=="},
		{"a2 AUTHENTICATE PLAIN AGEAYg==", "a2 AUTHENTICATE PLAIN ", "AGEAYg=="},
		{"GET /login HTTP/1.1", "GET /login HTTP/1.1", ""},
	} {
		shown, secret := new(redactor).divide(c.line)
		if shown != c.shown || secret != c.secret {
			t.Errorf("%q is divided into %q and %q", c.line, shown, secret)
		}
	}
	dialogue := redactor{}
	for _, c := range []struct{ line, secret string }{
		{"AUTH LOGIN", ""}, {"YWxpY2U=", "YWxpY2U="}, {"c2VzYW1l", "c2VzYW1l"}, {"QUIT", ""},
		{"AUTH PLAIN AGEAYg==", "AGEAYg=="}, {"QUIT", ""},
		{"AUTH LOGIN YWxpY2U=", "YWxpY2U="}, {"c2VzYW1l", "c2VzYW1l"}, {"QUIT", ""},
		{"AUTH LOGIN", ""}, {"MAIL FROM:<a@b>", ""}, {"QUIT", ""},
	} {
		if _, secret := dialogue.divide(c.line); secret != c.secret {
			t.Errorf("in a dialogue, %q hides %q", c.line, secret)
		}
	}
}

// What is divided is all there, and what follows a word for a secret is never shown.
func FuzzRedactor(f *testing.F) {
	f.Add("PASS open sesame", "QUIT")
	f.Add("AUTH LOGIN", "c2VzYW1l")
	f.Add("a1 LOGIN a b", "")
	f.Fuzz(func(t *testing.T, first, second string) {
		var r redactor
		for _, text := range []string{first, second} {
			if shown, secret := r.divide(text); shown+secret != text {
				t.Errorf("%q is divided into %q and %q", text, shown, secret)
			}
		}
		if shown, secret := r.divide("PASS " + second); shown != "PASS " || secret != second {
			if second != "" {
				t.Errorf("PASS %q shows %q", second, shown)
			}
		}
	})
}

func TestEscaper(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pieces []string
		want   string
	}{
		{[]string{"plain\ttext\n"}, "plain\ttext\n"},
		{[]string{"a\r\nb\r\n"}, "a\nb\n"},
		{[]string{"a\r", "\nb"}, "a\nb"},
		{[]string{"a\rb\r"}, "a^Mb^M"},
		{[]string{"\x1b[31m\x1b]0;x\x07"}, "^[[31m^[]0;x^G"},
		{[]string{"\x00\x7f\x08"}, "^@^?^H"},
		{[]string{"\u009b2J"}, "\\u009b2J"},
		{[]string{"gr\xc3", "\xbcn €"}, "grün €"},
		{[]string{"\xff\xfb\x01"}, "\\xff\\xfb^A"}, // telnet: IAC WILL ECHO
		{[]string{"x\xe2\x82"}, "x\\xe2\\x82"},
		{[]string{"a\u202eb\u2066c\u200fd\u2028e"}, "a\\u202eb\\u2066c\\u200fd\\u2028e"},
		{[]string{"\ufffd 👩\u200d👧"}, "\ufffd 👩\u200d👧"},
		{[]string{""}, ""},
	} {
		var out bytes.Buffer
		e := &escaper{w: &out}
		for _, piece := range c.pieces {
			if n, err := e.Write([]byte(piece)); n != len(piece) || err != nil {
				t.Errorf("%q: wrote %d, %v", c.pieces, n, err)
			}
		}
		if err := e.Flush(); err != nil {
			t.Error(err)
		}
		if out.String() != c.want {
			t.Errorf("%q is shown as %q, want %q", c.pieces, &out, c.want)
		}
	}
	if _, err := (&escaper{w: broken{}}).Write([]byte("x")); err == nil {
		t.Error("a broken terminal gives no error")
	}
}

// Whatever comes, nothing that steers a terminal goes out.
func FuzzEscaper(f *testing.F) {
	f.Add([]byte("\x1b[2J\r\n\xff\xfd"), uint8(1))
	f.Add([]byte("gr\xc3\xbcn\u202e\u009b"), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		var out bytes.Buffer
		e := &escaper{w: &out}
		step := int(size)%5 + 1
		for rest := text; len(rest) > 0; rest = rest[min(step, len(rest)):] {
			if _, err := e.Write(rest[:min(step, len(rest))]); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Flush(); err != nil {
			t.Fatal(err)
		}
		whole := &bytes.Buffer{}
		once := &escaper{w: whole}
		_, _ = once.Write(text)
		_ = once.Flush()
		if !bytes.Equal(out.Bytes(), whole.Bytes()) {
			t.Errorf("in steps %q, at once %q", &out, whole)
		}
		for _, r := range out.String() {
			if r < ' ' && r != '\n' && r != '\t' || 0x7f <= r && r < 0xa0 || reorders(r) {
				t.Fatalf("%q lets %q through", text, r)
			}
		}
	})
}

func TestClientDefaults(t *testing.T) {
	t.Parallel()
	o := ClientOptions{}.withDefaults()
	if o.Timeout != 3*time.Second || o.DialTimeout != DefaultDialTimeout || o.MaxLine != DefaultMaxLine {
		t.Errorf("%+v", o)
	}
}
