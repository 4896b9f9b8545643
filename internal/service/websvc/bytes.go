package websvc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/network-utopia/utopia/transcript"
)

// requestBytes is how much of a request's body is recorded: some of the transcript's bytes are left for the answer.
const requestBytes = transcript.MaxRawBytes / 2

// bytesOf records a request and its answer octet by octet, for those who ask for that. Connections stay bare, so it
// writes down anew what net/http has read or will write:
//
//   - the fields of a request are sorted by name, and their names spelled as usual, since that is how they come here;
//   - an answer is as net/http writes HTTP/1.1. It has a length, as all answers here do, and the date is set here, so
//     that both say the same. That net/http ends a connection for reasons of its own is not known;
//   - HTTP/2 is shown as the HTTP/1.1 that it stands for (RFC 9110 section 3.1), with a note;
//   - secrets are as many asterisks.
//
// The lines of a head are entries as ever, but all its octets are those of the first. A nil *bytesOf does nothing.
type bytesOf struct {
	x        *transcript.Exchange
	request  *http.Request
	chunked  bool // the request's body is sent in chunks (RFC 9112 section 7.1)
	awaited  bool // the client waits to be told that it may send the body (RFC 9110 section 10.1.1)
	received int64
	ended    bool // the request's body was read to its end
	rest     int  // octets of the request's body past requestBytes
	head     bool // the answer's was written
	sent     int64
}

func newBytesOf(x *transcript.Exchange, r *http.Request) *bytesOf {
	return &bytesOf{
		x: x, request: r, chunked: r.ContentLength < 0,
		awaited: r.ContentLength != 0 && strings.EqualFold(r.Header.Get("Expect"), "100-continue"),
	}
}

// recordRequestBytes adds the head of a request, with its octets.
func recordRequestBytes(x *transcript.Exchange, r *http.Request, target string) {
	if r.ProtoMajor > 1 {
		x.Line(transcript.Note, 0, r.Proto+", shown as the HTTP/1.1 that it stands for")
	}
	head := headBytes(r.Method + " " + target + " " + wireProto(r))
	head.field("Host", r.Host)
	head.fields(x, r.Header)
	if r.ContentLength < 0 { // net/http takes it out; HTTP/2 needs none
		head.field("Transfer-Encoding", "chunked")
	}
	x.Message(transcript.Received, head.end(), fmt.Sprintf("%s %s %s", r.Method, target, r.Proto))
	x.Line(transcript.Received, 0, "Host: "+r.Host)
	recordFields(x, transcript.Received, r.Header, true)
}

// wireProto is the version that the bytes have.
func wireProto(r *http.Request) string {
	if r.ProtoMajor > 1 {
		return "HTTP/1.1"
	}
	return r.Proto
}

// answerHead adds the head of an answer, with its octets. Where it has no date it gets one.
func (b *bytesOf) answerHead(code int, header http.Header) {
	if _, dated := header["Date"]; !dated {
		header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	text := http.StatusText(code)
	if text == "" {
		text = "status code " + strconv.Itoa(code) // as net/http has it
	}
	head := headBytes(fmt.Sprintf("%s %03d %s", wireProto(b.request), code, text))
	head.fields(b.x, header)
	if option := b.connection(header); option != "" {
		head.field("Connection", option)
	}
	b.head = true
	b.x.Message(transcript.Sent, head.end(), fmt.Sprintf("%s %d %s", b.request.Proto, code, http.StatusText(code)))
	recordFields(b.x, transcript.Sent, header, true)
}

// connection is what net/http says of the connection after an answer, besides what is in the header.
func (b *bytesOf) connection(header http.Header) string {
	r := b.request
	switch {
	case r.ProtoMajor > 1 || header.Get("Connection") != "":
		return ""
	case r.ProtoAtLeast(1, 1) && (r.Close || b.awaited): // after a body that was not asked for nobody knows what follows
		return "close"
	case !r.ProtoAtLeast(1, 1) && !r.Close && (header.Get("Content-Length") != "" || r.Method == http.MethodHead):
		return "keep-alive"
	}
	return ""
}

// toBeAsked is told before the request's body is read: at the first time the client may be waiting for that.
func (b *bytesOf) toBeAsked() {
	if b == nil || !b.awaited {
		return
	}
	b.awaited = false
	if !b.head {
		b.x.Message(transcript.Sent, []byte("HTTP/1.1 100 Continue\r\n\r\n"), "HTTP/1.1 100 Continue")
	}
}

// asked is told of a piece of the request's body, and how reading it ended.
func (b *bytesOf) asked(piece []byte, err error) {
	if b == nil || b.ended {
		return
	}
	switch {
	case b.received+int64(len(piece)) > requestBytes:
		b.rest += len(piece)
	case len(piece) > 0 && b.chunked:
		b.x.Message(transcript.Received, fmt.Appendf(nil, "%x\r\n%s\r\n", len(piece), piece), pieceText(len(piece)))
	case len(piece) > 0:
		b.x.Message(transcript.Received, piece, pieceText(len(piece)))
	}
	b.received += int64(len(piece))
	if b.ended = errors.Is(err, io.EOF); b.ended {
		b.restOfRequest()
	}
	if b.ended && b.chunked {
		b.x.Message(transcript.Received, []byte("0\r\n\r\n"), "(the end of the body)")
	}
}

// drain reads what nobody has read of a request's body, which has a deadline, as net/http would do afterwards. A body
// that is too large, or that the client keeps back, is left alone.
func (b *bytesOf) drain(r *http.Request, limit int64) {
	if b == nil || b.ended || b.awaited || r.ContentLength == 0 || r.ContentLength > limit {
		return
	}
	_, _ = io.Copy(io.Discard, r.Body) // b is told of it, and says how far it went
}

// restOfRequest adds what of the request's body was not recorded piece by piece.
func (b *bytesOf) restOfRequest() {
	if b.rest > 0 {
		b.x.Line(transcript.Received, b.rest, fmt.Sprintf("(%d more bytes of body)", b.rest))
		b.rest = 0
	}
}

// answered is told of a piece of the answer's body that was written. Nothing is for a HEAD.
func (b *bytesOf) answered(piece []byte) {
	if b == nil || len(piece) == 0 || b.request.Method == http.MethodHead || b.sent >= transcript.MaxRawBytes {
		return
	}
	b.sent += int64(len(piece))
	b.x.Message(transcript.Sent, piece, pieceText(len(piece)))
}

func pieceText(n int) string { return fmt.Sprintf("(%d bytes of body)", n) }

// finish says how many octets of the answer's body were recorded.
func (b *bytesOf) finish() int64 {
	if b == nil {
		return 0
	}
	b.restOfRequest()
	if r := b.request; r.ContentLength != 0 && !b.ended && b.received != r.ContentLength {
		b.x.Line(transcript.Note, 0, fmt.Sprintf("of the request's body %d bytes were read", b.received))
	}
	if b.request.Method == http.MethodHead {
		return 0
	}
	return b.sent
}

// headWriter makes the octets of a head.
type headWriter struct{ bytes.Buffer }

func headBytes(startLine string) *headWriter {
	h := &headWriter{}
	h.WriteString(startLine + "\r\n")
	return h
}

func (h *headWriter) field(name, value string) { h.WriteString(name + ": " + value + "\r\n") }

// fields adds those of a header as net/http writes them: sorted by name, and without line ends in them.
func (h *headWriter) fields(x *transcript.Exchange, header http.Header) {
	oneLine := strings.NewReplacer("\r", " ", "\n", " ")
	for _, name := range sortedNames(header) {
		for _, value := range header[name] {
			if secret(name) {
				value = x.Masked(value)
			}
			h.field(name, strings.TrimSpace(oneLine.Replace(value)))
		}
	}
}

// end gives the head with the empty line that ends it (RFC 9112 section 2.1).
func (h *headWriter) end() []byte {
	h.WriteString("\r\n")
	return h.Bytes()
}
