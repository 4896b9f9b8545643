package websvc

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/transcript"
)

// spoken is one exchange as a watcher of bytes sees it.
type spoken struct {
	octets [2]string // by direction
	sums   [2]int    // octets on the wire, by direction
	texts  []string
}

// bytesWatched is a recorder, and what gives its next exchange.
func bytesWatched(t *testing.T) (*transcript.Recorder, func() spoken) {
	feed := transcript.NewFeed(transcript.Bytes, 10000)
	return transcript.New(transcript.Options{Sinks: []transcript.Sink{feed}}), func() (s spoken) {
		t.Helper()
		for {
			select {
			case e := <-feed.Events():
				feed.Release(e)
				if e.Kind == transcript.Ended {
					return s
				}
				if e.Kind == transcript.Said {
					s.texts = append(s.texts, e.Entry.Dir.String()+" "+e.Entry.Text)
				}
				if e.Kind == transcript.Said && e.Entry.Dir != transcript.Note {
					s.octets[e.Entry.Dir] += string(e.Entry.Raw)
					s.sums[e.Entry.Dir] += e.Entry.Bytes
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("the exchange has no end: %q", s.texts)
			}
		}
	}
}

// TestBytesAreThoseOnTheWire compares what is recorded with what the client has sent and got.
func TestBytesAreThoseOnTheWire(t *testing.T) {
	t.Parallel()
	recorder, next := bytesWatched(t)
	s := start(t, Options{Transcript: recorder})
	host := "Host: " + domain + "\r\n"
	for name, request := range map[string]string{
		"GET":               "GET /a.txt?q=1%20 HTTP/1.1\r\n" + host + "Accept: */*\r\nX-A: 1\r\nX-A: 2\r\n\r\n",
		"GET to the end":    "GET /a.txt HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n",
		"HEAD":              "HEAD /a.txt HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n",
		"HTTP/1.0":          "GET / HTTP/1.0\r\n" + host + "\r\n",
		"HTTP/1.0, kept":    "GET / HTTP/1.0\r\n" + host + "Connection: keep-alive\r\n\r\n",
		"missing":           "GET /nothing HTTP/1.1\r\n" + host + "\r\n",
		"another's host":    "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n",
		"range":             "GET /a.txt HTTP/1.1\r\n" + host + "Range: bytes=1-2\r\n\r\n",
		"several ranges":    "GET /a.txt HTTP/1.1\r\n" + host + "Range: bytes=0-0,3-4\r\n\r\n",
		"not modified":      "GET /a.txt HTTP/1.1\r\n" + host + "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n\r\n",
		"body":              "GET /a.txt HTTP/1.1\r\n" + host + "Content-Length: 4\r\n\r\nbody",
		"chunks":            "GET /a.txt HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
		"closed by both":    "GET /a.txt HTTP/1.1\r\n" + host + "Connection: close\r\nContent-Length: 65537\r\n\r\n",
		"body too large":    "GET /a.txt HTTP/1.1\r\n" + host + "Content-Length: 65537\r\n\r\n",
		"awaited":           "GET /a.txt HTTP/1.1\r\n" + host + "Content-Length: 4\r\nExpect: 100-continue\r\n\r\nbody",
		"awaited in vain":   "POST /a.txt HTTP/1.1\r\n" + host + "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n",
		"body for nobody":   "POST /a.txt HTTP/1.1\r\n" + host + "Content-Length: 4\r\n\r\nbody",
		"chunks for nobody": "POST /a.txt HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
		"method not known":  "DELETE /a.txt HTTP/1.1\r\n" + host + "\r\n",
	} {
		w := dial(t, addressOf(t, s, "HTTP"))
		w.send(request)
		got := next()
		if got.octets[transcript.Received] != request {
			t.Errorf("%s: the client has sent\n%q, recorded is\n%q", name, request, got.octets[transcript.Received])
		}
		answer := make([]byte, len(got.octets[transcript.Sent]))
		if _, err := io.ReadFull(w.r, answer); err != nil || string(answer) != got.octets[transcript.Sent] {
			t.Errorf("%s: the client has got\n%q, recorded is\n%q (%v)", name, answer, got.octets[transcript.Sent], err)
		}
		w.closeWrite()
		if more, _ := io.ReadAll(w.r); len(more) > 0 {
			t.Errorf("%s: the client has got more: %q", name, more)
		}
		if got.sums != [2]int{len(request), len(answer)} {
			t.Errorf("%s: %v bytes are counted, of %d and %d", name, got.sums, len(request), len(answer))
		}
	}
}

// TestBytesAndLinesSayTheSame has the text of an exchange at both levels.
func TestBytesAndLinesSayTheSame(t *testing.T) {
	t.Parallel()
	var texts [2]string
	for i, level := range []transcript.Level{transcript.Lines, transcript.Bytes} {
		ring := transcript.NewRing(1, 100)
		feed := transcript.NewFeed(level, 100)
		s := start(t, Options{Transcript: transcript.New(transcript.Options{Sinks: []transcript.Sink{ring, feed}})})
		w := dial(t, addressOf(t, s, "HTTP"))
		w.send("GET /a.txt HTTP/1.1\r\nHost: " + domain + "\r\nCookie: id=swordfish\r\nAuthorization: Basic swordfish\r\n\r\n")
		w.receive()
		eventually(t, "over", func() bool { return !ring.Recent(1)[0].End.IsZero() })
		sum := 0
		for _, e := range ring.Recent(1)[0].Entries {
			if name, _, _ := strings.Cut(e.Text, ":"); name != "Date" && name != "(5 bytes of body)" && name != "Last-Modified" && name != "Etag" {
				texts[i] += e.Dir.String() + " " + e.Text + "\n"
			}
			sum += e.Bytes
		}
		if strings.Contains(texts[i], "fish") || sum < 100 {
			t.Errorf("%d bytes in\n%s", sum, texts[i])
		}
	}
	if texts[0] != texts[1] {
		t.Errorf("%s\n%s", texts[0], texts[1])
	}
}

func TestSecretsInBytes(t *testing.T) {
	t.Parallel()
	for reveal, want := range map[bool]string{false: "Authorization: ***************\r\nCookie: *******\r\nProxy-Authorization: *\r\n",
		true: "Authorization: Basic swordfish\r\nCookie: id=fish\r\nProxy-Authorization: x\r\n"} {
		feed := transcript.NewFeed(transcript.Bytes, 100)
		x := transcript.New(transcript.Options{Reveal: reveal, Sinks: []transcript.Sink{feed}}).
			Begin(t.Context(), "web", "tcp", netip.AddrPort{}, netip.AddrPort{})
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+domain+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Authorization": {"Basic swordfish"}, "Cookie": {"id=fish"}, "Proxy-Authorization": {"x"}}
		recordRequestBytes(x, r, "/")
		newBytesOf(x, r).answerHead(200, http.Header{"Set-Cookie": {"id=fish"}, "Content-Length": {"0"}})
		if got := string(x.Record().Entries[0].Raw); got != "GET / HTTP/1.1\r\nHost: "+domain+"\r\n"+want+"\r\n" {
			t.Errorf("reveal %v: %q", reveal, got)
		}
		if all := fmt.Sprintf("%s %v", x.Record().Entries[5].Raw, x.Record().Entries); strings.Contains(all, "fish") != reveal {
			t.Errorf("reveal %v: %s", reveal, all)
		}
	}
}

// TestNobodyIsToldToContinueAfterTheAnswer has a handler that answers before it reads.
func TestNobodyIsToldToContinueAfterTheAnswer(t *testing.T) {
	t.Parallel()
	x := transcript.New(transcript.Options{Sinks: []transcript.Sink{transcript.NewFeed(transcript.Bytes, 100)}}).
		Begin(t.Context(), "web", "tcp", netip.AddrPort{}, netip.AddrPort{})
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+domain+"/", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Expect", "100-continue")
	b := newBytesOf(x, r)
	b.answerHead(200, http.Header{})
	before := len(x.Record().Entries)
	b.toBeAsked()
	if n := len(x.Record().Entries); n != before {
		t.Errorf("%d entries more", n-before)
	}
}

// TestHTTP2InBytes is shown as the HTTP/1.1 that it stands for.
func TestHTTP2InBytes(t *testing.T) {
	t.Parallel()
	recorder, next := bytesWatched(t)
	a := newAuthority(t)
	s := start(t, Options{Certificates: a, Transcript: recorder})
	c := client(t, s, a)
	fetch(t, c, "https://"+domain+"/a.txt", "X-A", "1")
	got := next()
	if want := "GET /a.txt HTTP/1.1\r\nHost: " + domain + "\r\nAccept-Encoding: gzip\r\nUser-Agent: Go-http-client/2.0\r\nX-A: 1\r\n\r\n"; got.octets[0] != want {
		t.Errorf("%q, want %q", got.octets[0], want)
	}
	if answer := got.octets[1]; !strings.HasPrefix(answer, "HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\n") || !strings.HasSuffix(answer, "\r\n\r\nhello") {
		t.Errorf("%q", answer)
	}
	if got.texts[1] != "= HTTP/2.0, shown as the HTTP/1.1 that it stands for" || got.texts[2] != "< GET /a.txt HTTP/2.0" {
		t.Errorf("%q", got.texts)
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+domain+"/a.txt", io.MultiReader(strings.NewReader("body")))
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if got := next().octets[0]; !strings.Contains(got, "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n") {
		t.Errorf("a body without a length: %q", got)
	}
}

// TestLimitsOfBytes has bodies at the limits and past them.
func TestLimitsOfBytes(t *testing.T) {
	t.Parallel()
	recorder, next := bytesWatched(t)
	large := bytes.Repeat([]byte("0123456789abcdef"), transcript.MaxRawBytes/2)
	root := folder(t, map[string]string{"large": string(large), "a.txt": "hello"})
	s := start(t, Options{Transcript: recorder, Root: root, MaxBody: 1 << 20})
	host := "Host: " + domain + "\r\n"
	w := dial(t, addressOf(t, s, "HTTP"))
	w.send("GET /large HTTP/1.1\r\n" + host + "\r\n")
	if _, body := w.receive(); body != string(large) {
		t.Error("the answer is another where somebody watches")
	}
	got := next()
	kept := len(got.octets[0]) + len(got.octets[1])
	head, body, _ := strings.Cut(got.octets[1], "\r\n\r\n")
	if kept != transcript.MaxRawBytes || !strings.HasPrefix(string(large), body) || got.sums[1] != len(head)+4+len(large) {
		t.Errorf("%d bytes kept, %d of the body; %d counted", kept, len(body), got.sums[1])
	}
	if len(got.texts) > 40 {
		t.Errorf("%d entries", len(got.texts))
	}
	for _, size := range []int{requestBytes, requestBytes + 1} {
		upload := bytes.Repeat([]byte("u"), size)
		w.send(fmt.Sprintf("GET /a.txt HTTP/1.1\r\n"+host+"Content-Length: %d\r\n\r\n%s", size, upload))
		w.receive()
		got := next()
		head, body, _ := strings.Cut(got.octets[0], "\r\n\r\n")
		if got.sums[0] != len(head)+4+size || (len(body) == size) != (size <= requestBytes) || len(body) < size/2 {
			t.Errorf("of %d bytes %d are kept; %d counted", size, len(body), got.sums[0])
		}
		if !strings.HasSuffix(got.octets[1], "\r\n\r\nhello") {
			t.Errorf("the answer has no room: %q", got.octets[1])
		}
	}
}

// TestWhatIsNotReadIsNotClaimed has bodies that are too large, and one that ends early.
func TestWhatIsNotReadIsNotClaimed(t *testing.T) {
	t.Parallel()
	recorder, next := bytesWatched(t)
	s := start(t, Options{Transcript: recorder, MaxBody: 10})
	for rest, body := range map[string]string{
		"Content-Length: 11\r\n\r\nbody": "",
		"Transfer-Encoding: chunked\r\n\r\n14\r\n" + strings.Repeat("b", 20) + "\r\n0\r\n\r\n": "b\r\nbbbbbbbbbbb\r\n",
		"Content-Length: 5\r\n\r\nbody": "body",
	} {
		w := dial(t, addressOf(t, s, "HTTP"))
		w.send("POST /a.txt HTTP/1.1\r\nHost: " + domain + "\r\n" + rest)
		w.closeWrite()
		got := next()
		_, read, _ := strings.Cut(got.octets[0], "\r\n\r\n")
		if read != body || !strings.Contains(strings.Join(got.texts, "\n"), "= of the request's body ") {
			t.Errorf("%q: %q is recorded, %q", rest, read, got.texts)
		}
	}
}

// TestNobodyAsksForBytes has what is recorded as long as nobody does.
func TestNobodyAsksForBytes(t *testing.T) {
	t.Parallel()
	var none *bytesOf
	none.toBeAsked()
	none.asked([]byte("x"), io.EOF)
	none.answered([]byte("x"))
	if none.finish() != 0 {
		t.Error("nothing was recorded")
	}
	recorder, ring := watched()
	s := start(t, Options{Transcript: recorder})
	w := dial(t, addressOf(t, s, "HTTP"))
	w.get("/a.txt")
	eventually(t, "over", func() bool { return !ring.Recent(1)[0].End.IsZero() })
	for _, e := range ring.Recent(1)[0].Entries {
		if e.Raw != nil || strings.HasPrefix(e.Text, "Date") {
			t.Errorf("at level Lines: %+v", e)
		}
	}
	if err := s.Check(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestAnAwaitedBodyThatNobodyWants is answered at once, though the client sends it only when it is told to.
func TestAnAwaitedBodyThatNobodyWants(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	w := dial(t, addressOf(t, s, "HTTP"))
	w.send("POST /a.txt HTTP/1.1\r\nHost: " + domain + "\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
	if response, _ := w.receive(); response.StatusCode != http.StatusMethodNotAllowed || !response.Close {
		t.Errorf("%v", response)
	}
}
