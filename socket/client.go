package socket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/transcript"
)

// The limits that ClientOptions holds where they are zero.
const (
	DefaultTimeout     = 3 * time.Second  // for an answer
	DefaultDialTimeout = 10 * time.Second // for a connection
	DefaultMaxLine     = MaxDatagram      // bytes of one line of input
)

// ClientOptions are the settings of [Upper] and [Connect]. The zero value is fit for use.
type ClientOptions struct {
	Timeout     time.Duration // longest wait of Upper for an answer; zero means [DefaultTimeout]
	DialTimeout time.Duration // longest wait for a TCP connection; zero means [DefaultDialTimeout]
	MaxLine     int           // bytes of one line of input without its end; zero means [DefaultMaxLine]

	// Terminal says that the output is a terminal: control characters and bytes that are not UTF-8 are then shown as
	// escapes (^[, \x9b, \u202e), so that the peer cannot send commands to it. Otherwise bytes pass as they come.
	Terminal bool
	// Answered, if not nil, makes Upper hand each line and its answer over, without line ends, instead of printing.
	Answered func(line, answer string) error
	// BareLF makes Connect end the lines it sends with LF instead of CR LF.
	BareLF bool
	// Transcript records the exchange of a TCP connection, or one for each datagram and its answer; nil records none.
	Transcript *transcript.Recorder
}

func (o ClientOptions) withDefaults() ClientOptions {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = DefaultDialTimeout
	}
	if o.MaxLine == 0 {
		o.MaxLine = DefaultMaxLine
	}
	return o
}

// The errors of a client, beside [UnreachableError].
var (
	ErrLineTooLong = errors.New("the line is too long")             // more than ClientOptions.MaxLine
	ErrPeerClosed  = errors.New("the server closed the connection") // before it had answered
	ErrNoAnswer    = errors.New("no answer")                        // within ClientOptions.Timeout
)

// UnreachableError says that nobody answered at an address: no such name, no connection, or no answer in time.
type UnreachableError struct {
	Network string // "tcp" or "udp"
	Address string // as the caller gave it
	Err     error
}

// Error says in one line what was tried and what came of it.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("%s over %s: %s", e.Address, strings.ToUpper(e.Network), unreachable(e.Network, e.Err))
}

// Unwrap returns the cause: [ErrNoAnswer], a syscall.Errno such as ECONNREFUSED, or a *net.DNSError.
func (e *UnreachableError) Unwrap() error { return e.Err }

func unreachable(network string, err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED) && strings.HasPrefix(network, "udp"):
		return "connection refused: the host says that nothing listens on this port (ICMP port unreachable)"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused: nothing listens on this port"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "no answer to the request for a connection"
	}
	return plain(err)
}

func dial(ctx context.Context, h host.Host, network, address string, timeout time.Duration) (net.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := h.Dial(limited, network, address)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, &UnreachableError{Network: network, Address: address, Err: err}
}

// line is one line of input.
type line struct {
	text  string // without its end
	ended bool   // false only for a last line without an end
	err   error  // after the last line; io.EOF at the end of input
}

// readLines reads lines in a goroutine of its own, since a read of a keyboard cannot be interrupted: when ctx ends
// first, that goroutine stays until in next returns. The channel ends with a line that has an error.
func readLines(ctx context.Context, in io.Reader, limit int) <-chan line {
	lines := make(chan line)
	go func() {
		r := bufio.NewReaderSize(in, limit+len("\r\n"))
		for {
			text, err := readLine(r, limit)
			ended := strings.HasSuffix(text, "\n")
			if err == nil || text != "" {
				if !offer(ctx, lines, line{text: withoutEnd(text), ended: ended}) {
					return
				}
			}
			if err != nil {
				offer(ctx, lines, line{err: err})
				return
			}
		}
	}()
	return lines
}

func offer(ctx context.Context, lines chan<- line, l line) bool {
	select {
	case lines <- l:
		return true
	case <-ctx.Done():
		return false
	}
}

func withoutEnd(text string) string {
	if bare, ended := strings.CutSuffix(text, "\n"); ended {
		return strings.TrimSuffix(bare, "\r")
	}
	return text
}

// readLine returns a line with its end; the last one may lack it, and comes with io.EOF.
func readLine(r *bufio.Reader, limit int) (string, error) {
	text, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) || len(withoutEnd(string(text))) > limit {
		return "", fmt.Errorf("%w: more than %d bytes", ErrLineTooLong, limit)
	}
	return string(text), err
}

// printer writes what a peer sent.
type printer struct {
	out io.Writer
	esc *escaper // nil when the output is no terminal
}

func newPrinter(out io.Writer, terminal bool) *printer {
	p := &printer{out: out}
	if terminal {
		p.esc = &escaper{w: out}
		p.out = p.esc
	}
	return p
}

func (p *printer) print(text []byte) error {
	_, err := p.out.Write(text)
	return err
}

func (p *printer) flush() error {
	if p.esc == nil {
		return nil
	}
	return p.esc.Flush()
}

// Upper reads lines from in, sends each to the upper-case service at address (host and port) and prints the answer
// and a line end to out, until in or ctx ends.
//
// in is read in a goroutine of its own, since a read of a keyboard cannot be interrupted: when ctx ends first, that
// goroutine stays until in returns.
//
// Over "tcp" the line is sent with LF and the answer is complete at its LF; the textbook's server closes after its
// first answer, which gives [ErrPeerClosed] at the next line. Over "udp" the line is one datagram and so is its
// answer; nothing is sent twice, since loss is what UDP lets one see, and the first line without an answer ends with
// an [UnreachableError].
func Upper(ctx context.Context, h host.Host, network, address string, in io.Reader, out io.Writer, opts ClientOptions) error {
	opts = opts.withDefaults()
	conn, err := dial(ctx, h, network, address, opts.DialTimeout)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() { // when Upper returns, too
		_ = conn.Close()
		close(closed)
	})
	a := &asker{conn: conn, opts: opts, network: network, address: address}
	ask := a.askTCP
	if strings.HasPrefix(network, "udp") {
		ask = a.askUDP
	} else {
		a.answers = bufio.NewReaderSize(conn, 4096)
		a.begin(ctx)
	}
	err = a.each(ctx, readLines(ctx, in, opts.MaxLine), newPrinter(out, opts.Terminal), ask)
	a.x.End()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	cancel(nil)
	<-closed
	return err
}

// asker is the client's side of a conversation with the upper-case service.
type asker struct {
	conn             net.Conn
	opts             ClientOptions
	network, address string
	answers          *bufio.Reader // of the TCP stream
	x                *transcript.Exchange
}

func (a *asker) begin(ctx context.Context) {
	local, remote := host.AddrPort(a.conn.LocalAddr()), host.AddrPort(a.conn.RemoteAddr())
	a.x = a.opts.Transcript.Begin(ctx, "socket", a.network, local, remote)
}

func (a *asker) each(ctx context.Context, lines <-chan line, to *printer,
	ask func(context.Context, string) ([]byte, error)) error {
	for {
		var l line
		select {
		case l = <-lines:
		case <-ctx.Done():
			return ctx.Err()
		}
		if l.err != nil {
			if errors.Is(l.err, io.EOF) {
				return nil
			}
			return l.err
		}
		answer, err := ask(ctx, l.text)
		if err == nil && a.opts.Answered != nil {
			if err = a.opts.Answered(l.text, string(answer)); err != nil {
				return err
			}
			continue
		}
		if err == nil {
			answer = append(answer, '\n')
		}
		if len(answer) > 0 {
			err = errors.Join(err, to.print(answer), to.flush())
		}
		if err != nil {
			return err
		}
	}
}

// askTCP sends a line and returns the answer's line without its end. What came of an answer that was cut off is
// returned with the error.
func (a *asker) askTCP(_ context.Context, text string) ([]byte, error) {
	if err := a.conn.SetDeadline(time.Now().Add(a.opts.Timeout)); err != nil {
		return nil, err
	}
	var sending sync.WaitGroup
	var sendErr error
	// While the line leaves, its answer arrives: with full buffers on both sides, neither could wait for the other.
	sending.Go(func() { _, sendErr = io.WriteString(a.conn, text+"\n") })
	answer, err := a.readAnswer(2*len(text) + 1)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		_ = a.conn.SetWriteDeadline(time.Now()) // no answer will come, whatever is still sent
	}
	sending.Wait()
	record(a.x, transcript.Sent, []byte(text+"\n"))
	record(a.x, transcript.Received, answer)
	switch {
	case err == nil:
		return answer[:len(answer)-1], nil
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(sendErr, syscall.EPIPE):
		a.x.Line(transcript.Note, 0, "the server closed the connection")
		return answer, fmt.Errorf("%s: %w before its answer was complete", a.address, ErrPeerClosed)
	case errors.Is(err, os.ErrDeadlineExceeded):
		a.x.Line(transcript.Note, 0, "no answer")
		return answer, a.silent("the connection stands, but no whole line came back")
	}
	return answer, err
}

// readAnswer reads up to LF, but no more than limit bytes.
func (a *asker) readAnswer(limit int) ([]byte, error) {
	var answer []byte
	for {
		piece, err := a.answers.ReadSlice('\n')
		answer = append(answer, piece...)
		switch {
		case len(answer) > limit:
			return nil, fmt.Errorf("%s: the answer is more than twice as long as the line; this is no upper-case service", a.address)
		case !errors.Is(err, bufio.ErrBufferFull):
			return answer, err
		}
	}
}

// askUDP sends one datagram and returns its answer.
func (a *asker) askUDP(ctx context.Context, text string) ([]byte, error) {
	if len(text) > MaxDatagram {
		return nil, fmt.Errorf("%w for a datagram: %d bytes, and %d fit", ErrLineTooLong, len(text), MaxDatagram)
	}
	a.begin(ctx)
	defer a.x.End()
	if err := a.conn.SetDeadline(time.Now().Add(a.opts.Timeout)); err != nil {
		return nil, err
	}
	buf := make([]byte, 1<<16)
	n := 0
	_, err := io.WriteString(a.conn, text)
	if err == nil {
		recordDatagram(a.x, transcript.Sent, []byte(text))
		n, err = a.conn.Read(buf)
	}
	switch {
	case err == nil:
		recordDatagram(a.x, transcript.Received, buf[:n])
		return buf[:n], nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		a.x.Line(transcript.Note, 0, "no answer")
		return nil, a.silent("UDP does not tell whether a datagram arrived")
	}
	failed := &UnreachableError{Network: a.network, Address: a.address, Err: err}
	a.x.Line(transcript.Note, 0, unreachable(a.network, err))
	return nil, failed
}

func (a *asker) silent(hint string) error {
	err := fmt.Errorf("%w within %v: %s", ErrNoAnswer, a.opts.Timeout, hint)
	return &UnreachableError{Network: a.network, Address: a.address, Err: err}
}
