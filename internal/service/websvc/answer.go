package websvc

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"time"

	"github.com/network-utopia/utopia/transcript"
)

const (
	pieceSize   = 32 << 10 // bytes that a client has to take within one WriteTimeout
	sendfileMax = 4 << 20  // bytes given to sendfile at once
)

// answer is the response of one request: it sets the deadlines, counts, and writes the transcript.
//
// net/http has one deadline for a whole answer, which would cut a big download off. Here each piece gets its own, and
// a client may take as long as it likes if only it takes pieceSize bytes in each timeout.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	bare    bool // the connection is the transport itself, so that sendfile applies
	streams bool // many answers share the connection, each with a deadline of its own (HTTP/2)
	x       *transcript.Exchange
	proto   string
	bytes   *bytesOf // what was said, octet by octet; nil where nobody asks for that

	code   int // 0 until the header is written
	sent   int64
	failed error // of the connection
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Flush is http.Flusher.
func (a *answer) Flush() { _ = a.FlushError() }

// FlushError sends what is buffered.
func (a *answer) FlushError() error {
	a.extend()
	defer a.relax()
	return a.control.Flush()
}

// WriteHeader is http.ResponseWriter.
func (a *answer) WriteHeader(code int) {
	if a.code == 0 && code >= 200 {
		a.code = code
		if a.bytes != nil {
			a.bytes.answerHead(code, a.Header())
		} else {
			recordHeader(a.x, a.proto, code, a.Header())
		}
	}
	a.ResponseWriter.WriteHeader(code)
}

// Write is http.ResponseWriter.
func (a *answer) Write(b []byte) (n int, err error) {
	if a.code == 0 {
		a.WriteHeader(http.StatusOK)
	}
	defer a.relax()
	for {
		a.extend()
		piece := b[n:min(len(b), n+pieceSize)]
		m, err := a.ResponseWriter.Write(piece)
		n += m
		a.sent += int64(m)
		a.bytes.answered(piece[:m])
		if err != nil || n == len(b) {
			a.failed = err
			return n, err
		}
	}
}

// ReadFrom is io.ReaderFrom. On a plain TCP connection net/http hands a file to sendfile, if it gets the file itself or
// an io.LimitedReader of it; in every other case this comes back to Write, piece by piece. So it does where somebody asks
// for the bytes.
func (a *answer) ReadFrom(src io.Reader) (n int64, err error) {
	to, ok := a.ResponseWriter.(io.ReaderFrom)
	rest, limited := src.(*io.LimitedReader)
	if !limited {
		rest = &io.LimitedReader{R: src, N: math.MaxInt64}
	}
	file, isFile := rest.R.(*os.File)
	if !ok || !isFile || !a.bare || a.bytes != nil {
		return io.CopyBuffer(struct{ io.Writer }{a}, src, make([]byte, pieceSize))
	}
	if a.code == 0 {
		a.WriteHeader(http.StatusOK)
	}
	for rest.N > 0 {
		want := min(rest.N, sendfileMax)
		m, err := a.sendPiece(to, file, want)
		rest.N -= m
		n += m
		a.sent += m
		if err != nil || m < want {
			a.failed = err
			return n, err
		}
	}
	return n, nil
}

// sendPiece sends want bytes of a file, in as many timeouts as the client earns by what it takes.
func (a *answer) sendPiece(to io.ReaderFrom, file *os.File, want int64) (n int64, err error) {
	start, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	for n < want {
		a.extend()
		m, err := to.ReadFrom(&io.LimitedReader{R: file, N: want - n})
		n += m
		switch {
		case err == nil:
			return n, nil // all of it, or the file has become shorter
		case !errors.Is(err, os.ErrDeadlineExceeded) || m < pieceSize:
			return n, err
		}
		// Slow, and not dead. What was read of the file and not sent is read again.
		if _, err := file.Seek(start+n, io.SeekStart); err != nil {
			return n, err
		}
	}
	return n, nil
}

// extend gives the next piece its time.
func (a *answer) extend() {
	if a.timeout > 0 {
		_ = a.control.SetWriteDeadline(time.Now().Add(a.timeout)) // not supported: then the transport has none
	}
}

// relax takes the deadline of a stream away between two writes: there it would end the stream by itself. That of a
// connection stays, for what net/http still has buffered.
func (a *answer) relax() {
	if a.streams && a.timeout > 0 {
		_ = a.control.SetWriteDeadline(time.Time{})
	}
}

// finish is called once the handler has returned.
func (a *answer) finish() {
	if a.code == 0 {
		a.WriteHeader(http.StatusOK)
	}
	a.extend() // for what is still buffered
	if a.x != nil {
		told := a.bytes.finish()
		a.x.Line(transcript.Sent, int(a.sent-told), fmt.Sprintf("(%d %s, %d bytes of body)", a.code, http.StatusText(a.code), a.sent))
	}
	switch {
	case errors.Is(a.failed, os.ErrDeadlineExceeded):
		a.x.Line(transcript.Note, 0, fmt.Sprintf("broken off: the client took less than %d bytes in %v", pieceSize, a.timeout))
	case a.failed != nil && !errors.Is(a.failed, http.ErrBodyNotAllowed):
		a.x.Line(transcript.Note, 0, "broken off: the client is gone")
	}
}
